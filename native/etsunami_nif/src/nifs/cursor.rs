//! Cursors as terms: `start`; `{Key}` in ordered tables; a position or `{Position, Key, Number}` in
//! hash tables.

use etsunami::table::Cursor;
use etsunami::table::options::Kind;

use super::owned;
use crate::args::{self, Parsed};
use crate::atoms::atoms;
use crate::codec::decode;
use crate::codec::encode::Role;
use crate::error::BADARG;
use crate::vm::{Env, VmTerm};

/// The cursor of a term, for a table of this type.
pub fn cursor_of<'e>(env: Env<'e>, kind: Kind, term: VmTerm<'e>) -> Parsed<'e, Cursor> {
    if term.word() == atoms().start.word() {
        return Ok(Cursor::Start);
    }
    if kind == Kind::OrderedSet {
        let [key] = args::tuple(env, term).ok_or(BADARG)?;
        return Ok(Cursor::After(owned(env, key, Role::Key)?));
    }
    if let Some([position, key, number]) = args::tuple(env, term) {
        let key = owned(env, key, Role::Key)?;
        return Ok(Cursor::Member(args::natural(env, position)?, key, args::natural(env, number)?));
    }
    Ok(Cursor::Position(args::natural(env, term)?))
}

/// The term of a cursor.
pub fn cursor_term<'e>(env: Env<'e>, cursor: Cursor) -> VmTerm<'e> {
    match cursor {
        Cursor::Start => atoms().start,
        Cursor::After(key) => env.make_tuple(&[decode::term(env, key.term())]),
        Cursor::Position(position) => env.make_uint64(position),
        Cursor::Member(position, key, number) => env.make_tuple(&[
            env.make_uint64(position),
            decode::term(env, key.term()),
            env.make_uint64(number),
        ]),
    }
}
