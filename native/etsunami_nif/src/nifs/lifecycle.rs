//! Making, dropping, naming, owning and fixing tables.

use std::hash::{BuildHasher, RandomState};

use etsunami::error::Error;
use etsunami::reclaim::pin;
use etsunami::table::Table;
use etsunami::table::options::{Access, Kind, Need, Spec, WriteConcurrency};
use etsunami::term::layout::immediate;

use super::{Answer, Env, NifTerm, Leave};
use crate::args;
use crate::atoms;
use crate::codec::encode;
use crate::owner;
use crate::resource::{self, Handle, Heir, NAMES, TABLES, self_pid};

/// `new_table(Name, Named, Type, Access, Keypos, Heir, Options)`
pub fn new_table(env: Env, argv: &[NifTerm]) -> Answer {
    let &[name, named, kind, access, keypos, heir, options] = argv else {
        return Err(Error::BadArgument.into());
    };
    let named = args::boolean(named)?;
    let access = access_of(access)?;
    let spec = spec_of(env, kind, access, keypos, options)?;
    let heir = heir_of(env, heir)?;
    let owner = self_pid(env);
    let guard = pin();
    let table = Table::new(spec, RandomState::new().hash_one(name));
    let handle = Handle::create(table, owner, access, name, named, heir)
        .ok_or(Leave::from(Error::SystemLimit))?;
    if let Err(error) = owner::enter(env, &guard, handle) {
        if !handle.table.is_dropped() {
            // SAFETY: the one reference of a handle that nobody else has seen.
            unsafe { handle.release() };
        }
        return Err(error.into());
    }
    Ok(handle.public_id(env))
}

fn spec_of(
    env: Env,
    kind: NifTerm,
    access: Access,
    keypos: NifTerm,
    options: NifTerm,
) -> Result<Spec, Leave> {
    let option = |key| args::map_get(env, options, key).ok_or(Leave::from(Error::BadArgument));
    Ok(Spec {
        kind: kind_of(kind)?,
        access,
        keypos: args::index(keypos)?,
        read_concurrency: args::boolean(option(atoms::read_concurrency())?)?,
        write_concurrency: write_concurrency_of(env, option(atoms::write_concurrency())?)?,
        decentralized_counters: args::boolean(option(atoms::decentralized_counters())?)?,
        compressed: args::boolean(option(atoms::compressed())?)?,
    })
}

fn kind_of(term: NifTerm) -> Result<Kind, Leave> {
    match term {
        t if t == atoms::set() => Ok(Kind::Set),
        t if t == atoms::ordered_set() => Ok(Kind::OrderedSet),
        t if t == atoms::bag() => Ok(Kind::Bag),
        t if t == atoms::duplicate_bag() => Ok(Kind::DuplicateBag),
        _ => Err(Error::BadArgument.into()),
    }
}

fn access_of(term: NifTerm) -> Result<Access, Leave> {
    match term {
        t if t == atoms::public() => Ok(Access::Public),
        t if t == atoms::protected() => Ok(Access::Protected),
        t if t == atoms::private() => Ok(Access::Private),
        _ => Err(Error::BadArgument.into()),
    }
}

fn write_concurrency_of(env: Env, term: NifTerm) -> Result<WriteConcurrency, Leave> {
    if term == atoms::auto() {
        return Ok(WriteConcurrency::Auto);
    }
    if let Some([_, locks]) = args::tuple(env, term) {
        return Ok(WriteConcurrency::Locks(args::index(locks)?));
    }
    Ok(if args::boolean(term)? { WriteConcurrency::On } else { WriteConcurrency::Off })
}

fn heir_of(env: Env, term: NifTerm) -> Result<Heir, Leave> {
    if let Some([pid]) = args::tuple(env, term) {
        return Ok(Heir::Process { pid: args::local_pid(env, pid)?, data: None });
    }
    if let Some([pid, data]) = args::tuple(env, term) {
        let data = Some(encode::owned(env, data)?);
        return Ok(Heir::Process { pid: args::local_pid(env, pid)?, data });
    }
    if term == atoms::none() { Ok(Heir::None) } else { Err(Error::BadArgument.into()) }
}

/// `delete_table(Table)`
pub fn delete_table(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    if owner::delete(env, &guard, handle) { Ok(atoms::true_()) } else { Err(Error::Id.into()) }
}

/// `rename(Table, Name)`
pub fn rename(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    let name = argv[1];
    if !immediate::is_atom(name as u64) {
        return Err(Error::BadArgument.into());
    }
    owner::rename(handle, name)?;
    Ok(handle.public_id(env))
}

/// `give_away(Table, Pid, Gift)`
pub fn give_away(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Info)?;
    let to = args::local_pid(env, argv[1])?;
    let gift = encode::owned(env, argv[2])?;
    owner::give_away(env, handle, self_pid(env), to, &gift)?;
    Ok(atoms::true_())
}

/// `setopts(Table, Heir | keep, Access | keep)`
pub fn setopts(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    let heir = if argv[1] == atoms::keep() { None } else { Some(heir_of(env, argv[1])?) };
    let access = if argv[2] == atoms::keep() { None } else { Some(access_of(argv[2])?) };
    owner::set_options(handle, self_pid(env), heir, access)?;
    Ok(atoms::true_())
}

/// `safe_fixtable(Table, Fix)`
pub fn safe_fixtable(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    if args::boolean(argv[1])? {
        owner::fix(env, &guard, handle, self_pid(env));
    } else {
        owner::unfix(env, &guard, handle, self_pid(env));
    }
    Ok(atoms::true_())
}

/// `all()`
pub fn all(env: Env, _argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let mut handles = Vec::new();
    TABLES.for_each(|pointer| {
        // SAFETY: entered handles live until they have left the list, which waits for us here.
        let handle: &'static Handle = unsafe { &*pointer };
        handle.keep();
        handles.push(handle);
    });
    let mut ids = Vec::with_capacity(handles.len());
    for handle in handles {
        if resource::table(env, &guard, handle.id(env), Need::Info).is_ok() {
            ids.push(handle.public_id(env));
        }
        // SAFETY: the reference taken above.
        unsafe { handle.release() };
    }
    Ok(args::make_list(env, &ids))
}

/// `whereis(Name)`
pub fn whereis(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let name = argv[0];
    if !immediate::is_atom(name as u64) {
        return Err(Error::BadArgument.into());
    }
    if NAMES.get(&guard, immediate::atom_index(name as u64)).is_null() {
        return Ok(atoms::undefined());
    }
    match resource::table(env, &guard, name, Need::Info) {
        Ok(handle) => Ok(handle.id(env)),
        Err(_) => Ok(atoms::undefined()),
    }
}
