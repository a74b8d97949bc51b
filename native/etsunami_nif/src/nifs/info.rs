//! Facts about tables.

use std::time::UNIX_EPOCH;

use etsunami::error::Error;
use etsunami::reclaim::{self, Guard, pin};
use etsunami::table::options::{Access, Kind, Need, WriteConcurrency};
use rustler::sys::{ErlNifTimeUnit, enif_monotonic_time};

use super::{Answer, Env, NifTerm};
use crate::args;
use crate::atoms;
use crate::resource::{self, Handle, Heir, find, is_alive};

/// The table of an `info` call; `None` (then: `undefined`) if there is none, an error if the
/// argument could not be one.
fn subject<'g>(env: Env, guard: &'g Guard, term: NifTerm) -> Result<Option<&'g Handle>, Error> {
    match resource::table(env, guard, term, Need::Info) {
        Ok(handle) => Ok(Some(handle)),
        Err(_) if args::is_table_like(env, term) => Ok(None),
        Err(_) if find(env, guard, term).is_some() => Ok(None),
        Err(_) => Err(Error::BadArgument),
    }
}

/// `info(Table)`: all public facts, in the order of ETS.
pub fn info(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let Some(handle) = subject(env, &guard, argv[0])? else { return Ok(atoms::undefined()) };
    let items = [
        atoms::id(),
        atoms::decentralized_counters(),
        atoms::read_concurrency(),
        atoms::write_concurrency(),
        atoms::compressed(),
        atoms::memory(),
        atoms::owner(),
        atoms::heir(),
        atoms::name(),
        atoms::size(),
        atoms::node(),
        atoms::named_table(),
        atoms::type_(),
        atoms::keypos(),
        atoms::protection(),
    ];
    let pairs: Vec<NifTerm> = items
        .into_iter()
        .filter_map(|item| {
            let value = fact(env, &guard, handle, item)?;
            Some(args::make_tuple(env, &[item, value]))
        })
        .collect();
    Ok(args::make_list(env, &pairs))
}

/// `info(Table, Item)`
pub fn info_item(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let Some(handle) = subject(env, &guard, argv[0])? else { return Ok(atoms::undefined()) };
    fact(env, &guard, handle, argv[1]).ok_or(Error::BadArgument.into())
}

fn fact(env: Env, guard: &Guard, handle: &Handle, item: NifTerm) -> Option<NifTerm> {
    let (table, spec) = (&handle.table, handle.table.spec());
    Some(match item {
        t if t == atoms::id() => handle.id(env),
        t if t == atoms::decentralized_counters() => atoms::boolean(spec.decentralized_counters),
        t if t == atoms::read_concurrency() => atoms::boolean(spec.read_concurrency),
        t if t == atoms::write_concurrency() => write_concurrency(env, spec.write_concurrency),
        t if t == atoms::compressed() => atoms::boolean(spec.compressed),
        t if t == atoms::memory() => args::small(table.memory_words(guard)),
        t if t == atoms::owner() => handle.owner(),
        t if t == atoms::heir() => heir(handle),
        t if t == atoms::name() => handle.name(),
        t if t == atoms::size() => args::small(table.size(guard)),
        t if t == atoms::node() => args::node(env),
        t if t == atoms::named_table() => atoms::boolean(handle.named),
        t if t == atoms::type_() => kind(spec.kind),
        t if t == atoms::keypos() => args::small(spec.keypos as u64),
        t if t == atoms::protection() => protection(handle.access()),
        t if t == atoms::fixed() => atoms::boolean(table.is_fixed()),
        t if t == atoms::safe_fixed() => safe_fixed(env, handle, Clock::Wall),
        t if t == atoms::safe_fixed_monotonic_time() => safe_fixed(env, handle, Clock::Monotonic),
        _ => return None,
    })
}

fn kind(kind: Kind) -> NifTerm {
    match kind {
        Kind::Set => atoms::set(),
        Kind::OrderedSet => atoms::ordered_set(),
        Kind::Bag => atoms::bag(),
        Kind::DuplicateBag => atoms::duplicate_bag(),
    }
}

fn protection(access: Access) -> NifTerm {
    match access {
        Access::Public => atoms::public(),
        Access::Protected => atoms::protected(),
        Access::Private => atoms::private(),
    }
}

fn write_concurrency(env: Env, option: WriteConcurrency) -> NifTerm {
    match option {
        WriteConcurrency::Off => atoms::false_(),
        WriteConcurrency::On => atoms::true_(),
        WriteConcurrency::Auto => atoms::auto(),
        WriteConcurrency::Locks(locks) => args::make_tuple(
            env,
            &[atoms::debug_hash_fixed_number_of_locks(), args::small(locks as u64)],
        ),
    }
}

fn heir(handle: &Handle) -> NifTerm {
    match handle.control().heir {
        Heir::None => atoms::none(),
        Heir::Process { pid, .. } => pid,
    }
}

/// Which clock tells when a table was fixed.
#[derive(Clone, Copy)]
enum Clock {
    Wall,
    Monotonic,
}

/// `{Time, [{Pid, Count}]}`, or `false`. Processes that died a moment ago are left out.
fn safe_fixed(env: Env, handle: &Handle, clock: Clock) -> NifTerm {
    let Some(fixed) = handle.table.fixed() else { return atoms::false_() };
    let fixers: Vec<NifTerm> = fixed
        .fixers
        .iter()
        .filter(|fixer| is_alive(env, fixer.process as usize))
        .map(|fixer| {
            args::make_tuple(env, &[fixer.process as usize, args::small(fixer.count as u64)])
        })
        .collect();
    if fixers.is_empty() {
        return atoms::false_();
    }
    let time = match clock {
        Clock::Monotonic => {
            // SAFETY: no arguments to get wrong.
            let now = unsafe { enif_monotonic_time(ErlNifTimeUnit::ERL_NIF_NSEC) };
            args::native_time(env, now - fixed.age.as_nanos() as i64)
        }
        Clock::Wall => {
            let since = fixed.since.duration_since(UNIX_EPOCH).unwrap_or_default();
            let seconds = since.as_secs();
            args::make_tuple(
                env,
                &[
                    args::small(seconds / 1_000_000),
                    args::small(seconds % 1_000_000),
                    args::small(u64::from(since.subsec_micros())),
                ],
            )
        }
    };
    args::make_tuple(env, &[time, args::make_list(env, &fixers)])
}

/// `stats(Table)`: figures of the implementation, as a map-like list of pairs.
pub fn stats(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let Some(handle) = subject(env, &guard, argv[0])? else { return Ok(atoms::undefined()) };
    let mut pairs: Vec<NifTerm> = Vec::new();
    let mut add = |name: &str, value: u64| {
        let name = args::atom(env, name);
        pairs.push(args::make_tuple(env, &[name, args::small(value)]));
    };
    for (name, value) in handle.table.statistics(&guard) {
        add(name, value);
    }
    add("pending_bytes", reclaim::pending_bytes() as u64);
    Ok(args::make_list(env, &pairs))
}
