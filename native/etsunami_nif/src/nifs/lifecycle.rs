//! Making, dropping, naming, owning and fixing tables.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use etsunami::reclaim::pin;
use etsunami::table::Table;
use etsunami::table::options::{Access, Kind, Need, OrderedEngine, Spec, WriteConcurrency};

use super::owned;
use crate::args::{self, Parsed};
use crate::atoms::atoms;
use crate::budget;
use crate::codec::encode::Role;
use crate::error::{BADARG, Cause, Raise, SYSTEM_LIMIT};
use crate::owner;
use crate::raw_nif;
use crate::resource::{self, Handle, Heir, Parts, TABLES};
use crate::vm::{Env, VmTerm};

raw_nif! {
    /// `new_table(Name, Named, Type, Access, Keypos, Heir, Options)`
    fn new_table/7(env, &[name, named, kind, access, keypos, heir, options]) {
        let access = access_of(access)?;
        let spec = Spec { kind: kind_of(kind)?, ..options_of(env, keypos, options)? };
        let parts = Parts {
            table: Table::new(spec, RandomState::new().hash_one(name.word())),
            owner: own_pid(env)?,
            access,
            name: args::atom(env, name)?,
            named: args::boolean(named)?,
            heir: heir_of(env, heir)?,
        };
        let guard = pin();
        let handle = Handle::create(parts).ok_or(SYSTEM_LIMIT)?;
        if let Err(error) = owner::enter(env, &guard, handle) {
            if !handle.table.is_dropped() {
                // SAFETY: the one reference of a handle that nobody else has seen.
                unsafe { handle.release() };
            }
            return Err(error);
        }
        Ok(handle.public_id(env))
    }
}

fn own_pid<'e>(env: Env<'e>) -> Parsed<'e, u64> {
    env.self_pid().map(VmTerm::word).ok_or(BADARG)
}

/// The options come as a tuple: `{Engine, Read, Write, Decentralized, Compressed}`.
fn options_of<'e>(env: Env<'e>, keypos: VmTerm<'e>, options: VmTerm<'e>) -> Parsed<'e, Spec> {
    let [engine, read, write, decentralized, compressed] =
        args::tuple(env, options).ok_or(BADARG)?;
    Ok(Spec {
        engine: engine_of(engine)?,
        keypos: args::position(env, keypos)?,
        read_concurrency: args::boolean(read)?,
        write_concurrency: write_concurrency_of(env, write)?,
        decentralized_counters: args::boolean(decentralized)?,
        compressed: args::boolean(compressed)?,
        ..Spec::default()
    })
}

fn kind_of<'e>(term: VmTerm<'e>) -> Parsed<'e, Kind> {
    let atoms = atoms();
    let kinds = [
        (atoms.set, Kind::Set),
        (atoms.ordered_set, Kind::OrderedSet),
        (atoms.bag, Kind::Bag),
        (atoms.duplicate_bag, Kind::DuplicateBag),
    ];
    choose(term, &kinds)
}

fn engine_of<'e>(term: VmTerm<'e>) -> Parsed<'e, OrderedEngine> {
    let atoms = atoms();
    let engines = [
        (atoms.default, default_engine()),
        (atoms.ca_tree, OrderedEngine::CaTree),
        (atoms.skip_list, OrderedEngine::SkipList),
    ];
    choose(term, &engines)
}

/// The engine of an `ordered_set` that is made without the option. `ETSUNAMI_ENGINE=skip_list` in
/// the environment runs whole test suites with the other one.
fn default_engine() -> OrderedEngine {
    static DEFAULT: OnceLock<OrderedEngine> = OnceLock::new();
    *DEFAULT.get_or_init(|| match std::env::var_os("ETSUNAMI_ENGINE") {
        Some(name) if name == "skip_list" => OrderedEngine::SkipList,
        _ => OrderedEngine::CaTree,
    })
}

fn access_of<'e>(term: VmTerm<'e>) -> Parsed<'e, Access> {
    let atoms = atoms();
    let accesses = [
        (atoms.public, Access::Public),
        (atoms.protected, Access::Protected),
        (atoms.private, Access::Private),
    ];
    choose(term, &accesses)
}

/// What an atom stands for.
fn choose<'e, T: Copy>(term: VmTerm<'e>, choices: &[(VmTerm<'static>, T)]) -> Parsed<'e, T> {
    let chosen = choices.iter().find(|(atom, _)| atom.word() == term.word());
    chosen.map(|&(_, choice)| choice).ok_or(BADARG)
}

fn write_concurrency_of<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, WriteConcurrency> {
    if term.word() == atoms().auto.word() {
        return Ok(WriteConcurrency::Auto);
    }
    if let Some([_, locks]) = args::tuple(env, term) {
        return Ok(WriteConcurrency::Locks(args::position(env, locks)?));
    }
    Ok(if args::boolean(term)? { WriteConcurrency::On } else { WriteConcurrency::Off })
}

fn heir_of<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, Heir> {
    if let Some([pid]) = args::tuple(env, term) {
        return Ok(Heir::Process { pid: args::local_pid(env, pid)?, data: None });
    }
    if let Some([pid, data]) = args::tuple(env, term) {
        let pid = args::local_pid(env, pid)?;
        return Ok(Heir::Process { pid, data: Some(owned(env, data, Role::Value)?) });
    }
    if term.word() == atoms().none.word() { Ok(Heir::None) } else { Err(BADARG) }
}

raw_nif! {
    /// `delete_table(Table)`
    fn delete_table/1(env, &[table]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        if owner::delete(env, &guard, handle) { Ok(atoms().r#true) } else { Err(Cause::Id.into()) }
    }
}

raw_nif! {
    /// `rename(Table, Name)`
    fn rename/2(env, &[table, name]) {
        let handle = {
            let guard = pin();
            let handle = resource::table(env, &guard, table, Need::Write)?;
            args::atom(env, name)?;
            if handle.named {
                owner::settle_name(env, &guard, name);
            }
            handle.keep()
        };
        owner::rename(env, &handle, table, name)?;
        Ok(handle.public_id(env))
    }
}

raw_nif! {
    /// `give_away(Table, Pid, Gift)`
    fn give_away/3(env, &[table, to, gift]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        let from = own_pid(env)?;
        let to = args::local_pid(env, to)?;
        if env.is_alive(to) && handle.owner() != from {
            return Err(Cause::NotOwner.into());
        }
        let gift = owned(env, gift, Role::Value)?;
        owner::give_away(env, handle, from, to, &gift)?;
        Ok(atoms().r#true)
    }
}

raw_nif! {
    /// `setopts(Table, Heir | keep, Access | keep)`
    fn setopts/3(env, &[table, heir, access]) {
        let handle = {
            let guard = pin();
            resource::table(env, &guard, table, Need::Write)?.keep()
        };
        let keep = atoms().keep.word();
        let heir = if heir.word() == keep { None } else { Some(heir_of(env, heir)?) };
        let access = if access.word() == keep { None } else { Some(access_of(access)?) };
        owner::set_options(env, &handle, table, own_pid(env)?, heir, access)?;
        Ok(atoms().r#true)
    }
}

raw_nif! {
    /// `safe_fixtable(Table, Fix)`
    fn safe_fixtable/2(env, &[table, fix]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Read)?;
        if args::boolean(fix)? {
            owner::fix(env, &guard, handle, own_pid(env)?);
        } else {
            owner::unfix(env, &guard, handle, own_pid(env)?);
        }
        Ok(atoms().r#true)
    }
}

raw_nif! {
    /// `all()`
    fn all/0(env, _argv) {
        let guard = pin();
        let mut handles = Vec::new();
        TABLES.for_each(|pointer| {
            // SAFETY: entered handles live until they have left the list, which waits for us here.
            handles.push(unsafe { &*pointer }.keep());
        });
        let mut ids = Vec::with_capacity(handles.len());
        for handle in handles {
            if resource::table(env, &guard, handle.id(env), Need::Info).is_ok() {
                ids.push(handle.public_id(env));
            }
        }
        // A full time slice, as `ets:all/0` gives way to other processes: a caller that asks again
        // and again hears its signals.
        budget::consume(env, budget::CHUNK_WORDS * 2);
        Ok(env.make_list(&ids))
    }
}

raw_nif! {
    /// `whereis(Name)`
    fn whereis/1(env, &[name]) {
        let guard = pin();
        args::atom(env, name)?;
        match resource::table(env, &guard, name, Need::Info) {
            Ok(handle) => Ok(handle.id(env)),
            Err(Raise::Again) => Err(Raise::Again),
            Err(_) => Ok(atoms().undefined),
        }
    }
}
