//! From failures to exceptions: the one translation.
//!
//! A NIF that fails raises the tuple `{etsunami_error, Reason, Cause, Arguments}`, or answers it
//! ([`Failing`](crate::raw::Failing)). The Elixir wrapper turns it into
//! `erlang:error(Reason, Arguments, [{error_info, #{module => …, cause => Cause}}])`.
//! The causes are those of ETS, so that its texts fit:
//!
//! | cause | meaning |
//! | --- | --- |
//! | `none` | no cause of its own: an argument after the table is bad |
//! | `type` | the table argument is neither an atom nor a table reference |
//! | `id` | the table does not exist |
//! | `access` | the caller may not do this to the table |
//! | `table_type` | not for a table of this type (an `update_*` or `lookup_element` family on a bag) |
//! | `badkey` | no object has this key (`lookup_element`, `update_counter`) |
//! | `keypos` | the element to update is the key |
//! | `position` | the object has no element at this position |
//! | `owner` | `give_away` to the owner |
//! | `not_owner` | `give_away`, `setopts` by another than the owner |
//! | `already_exists` | `new`, `rename` to a name that is taken |
//!
//! `system_limit` carries the cause `none`. A panic raises the atom `nif_panicked`.

use etsunami::error::{Error, Stop};

use crate::atoms::atoms;
use crate::vm::VmTerm;

/// The reason of an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// `badarg`.
    BadArg,
    /// `system_limit`.
    SystemLimit,
}

/// The cause that `error_info` carries: see the module's table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the table above says what each means")]
pub enum Cause {
    None,
    Type,
    Id,
    Access,
    TableType,
    BadKey,
    KeyPos,
    Position,
    Owner,
    NotOwner,
    AlreadyExists,
}

/// Why a raw NIF does not return a term.
pub enum Raise<'e> {
    /// The work is too long for a normal scheduler: the NIF starts again, with the same arguments,
    /// on a dirty CPU scheduler. Nothing may have been changed yet.
    Dirty,
    /// Another process's work is in the way: the NIF starts again, with the same arguments, when
    /// the scheduler comes back to this process. Nothing was changed.
    Again,
    /// `{etsunami_error, Reason, Cause, Arguments}`.
    Error(Reason, Cause),
    /// An exception with this reason.
    Term(VmTerm<'e>),
}

impl Raise<'_> {
    /// `badarg` with a cause.
    pub const fn badarg(cause: Cause) -> Self {
        Raise::Error(Reason::BadArg, cause)
    }
}

/// `badarg` because of an argument that is not the table.
pub const BADARG: Raise<'static> = Raise::badarg(Cause::None);

/// `system_limit`.
pub const SYSTEM_LIMIT: Raise<'static> = Raise::Error(Reason::SystemLimit, Cause::None);

impl From<Cause> for Raise<'_> {
    fn from(cause: Cause) -> Self {
        Raise::badarg(cause)
    }
}

impl From<Error> for Raise<'_> {
    fn from(error: Error) -> Self {
        Raise::badarg(match error {
            Error::Id => Cause::Id,
            Error::TableType => Cause::TableType,
            Error::BadKey => Cause::BadKey,
            Error::KeyPosition => Cause::KeyPos,
            Error::Position => Cause::Position,
            Error::SystemLimit => return SYSTEM_LIMIT,
            _ => Cause::None,
        })
    }
}

impl From<Stop> for Raise<'_> {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Busy => Raise::Again,
            Stop::Refused(error) => error.into(),
        }
    }
}

impl Reason {
    /// Its atom.
    pub fn atom(self) -> VmTerm<'static> {
        match self {
            Reason::BadArg => atoms().badarg,
            Reason::SystemLimit => atoms().system_limit,
        }
    }
}

impl Cause {
    /// Its atom.
    pub fn atom(self) -> VmTerm<'static> {
        let atoms = atoms();
        match self {
            Cause::None => atoms.none,
            Cause::Type => atoms.r#type,
            Cause::Id => atoms.id,
            Cause::Access => atoms.access,
            Cause::TableType => atoms.table_type,
            Cause::BadKey => atoms.badkey,
            Cause::KeyPos => atoms.keypos,
            Cause::Position => atoms.position,
            Cause::Owner => atoms.owner,
            Cause::NotOwner => atoms.not_owner,
            Cause::AlreadyExists => atoms.already_exists,
        }
    }
}
