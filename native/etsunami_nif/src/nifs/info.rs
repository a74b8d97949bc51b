//! Facts about tables.

use std::time::UNIX_EPOCH;

use etsunami::reclaim::{self, Guard, pin};
use etsunami::table::options::{Access, Kind, Need, OrderedEngine, Spec, WriteConcurrency};

use crate::args::Parsed;
use crate::atoms::{atoms, boolean};
use crate::error::{BADARG, Cause, Raise};
use crate::owner;
use crate::raw_nif;
use crate::resource::{self, Handle, Heir, TABLES};
use crate::vm::{Env, VmTerm};
use crate::vm_terms::layout;

/// The table of an `info` call; `None` (then: `undefined`) if there is none, an error if the
/// argument could not be one.
fn subject<'e, 'g>(
    env: Env<'e>,
    guard: &'g Guard,
    table: VmTerm<'e>,
) -> Parsed<'e, Option<&'g Handle>> {
    match resource::table(env, guard, table, Need::Info) {
        Ok(handle) => Ok(Some(handle)),
        Err(Raise::Error(_, Cause::Id)) => Ok(None),
        Err(raise) => Err(raise),
    }
}

raw_nif! {
    /// `info(Table)`: all public facts, in the order of ETS.
    fn info/1(env, &[table]) {
        let guard = pin();
        let Some(handle) = subject(env, &guard, table)? else { return Ok(atoms().undefined) };
        let atoms = atoms();
        let items = [
            atoms.id,
            atoms.decentralized_counters,
            atoms.read_concurrency,
            atoms.write_concurrency,
            atoms.compressed,
            atoms.memory,
            atoms.owner,
            atoms.heir,
            atoms.name,
            atoms.size,
            atoms.node,
            atoms.named_table,
            atoms.r#type,
            atoms.keypos,
            atoms.protection,
        ];
        let pair = |item| Some(env.make_tuple(&[item, fact(env, &guard, handle, item)?]));
        let pairs: Vec<_> = items.into_iter().filter_map(pair).collect();
        Ok(if_there(handle, env.make_list(&pairs)))
    }
}

raw_nif! {
    /// `info(Table, Item)`
    fn info_item as ("info")/2(env, &[table, item]) {
        let guard = pin();
        let Some(handle) = subject(env, &guard, table)? else { return Ok(atoms().undefined) };
        Ok(if_there(handle, fact(env, &guard, handle, item).ok_or(BADARG)?))
    }
}

/// What was read of the table, unless it was deleted meanwhile: then it may be read as empty.
fn if_there<'e>(handle: &Handle, facts: VmTerm<'e>) -> VmTerm<'e> {
    if handle.require_there().is_ok() { facts } else { atoms().undefined }
}

fn fact<'e>(env: Env<'e>, guard: &Guard, handle: &Handle, item: VmTerm<'e>) -> Option<VmTerm<'e>> {
    let (table, spec, atoms) = (&handle.table, handle.table.spec(), atoms());
    let is = |atom: VmTerm| atom.word() == item.word();
    Some(match () {
        () if is(atoms.id) => handle.id(env),
        () if is(atoms.decentralized_counters) => boolean(spec.decentralized_counters),
        () if is(atoms.read_concurrency) => boolean(spec.read_concurrency),
        () if is(atoms.write_concurrency) => write_concurrency(env, spec.write_concurrency),
        () if is(atoms.compressed) => boolean(spec.compressed),
        () if is(atoms.memory) => env.make_uint64(table.memory_words(guard)),
        () if is(atoms.owner) => pid(handle.owner()),
        () if is(atoms.heir) => heir(handle),
        () if is(atoms.name) => handle.name_term(),
        () if is(atoms.size) => env.make_uint64(table.size(guard)),
        () if is(atoms.node) => env.node()?,
        () if is(atoms.named_table) => boolean(handle.named),
        () if is(atoms.r#type) => kind(spec.kind),
        () if is(atoms.keypos) => env.make_uint64(spec.keypos as u64),
        () if is(atoms.protection) => protection(handle.access()),
        () if is(atoms.engine) => engine(spec),
        () if is(atoms.fixed) => boolean(owner::is_fixed(env, guard, handle)),
        () if is(atoms.safe_fixed) => safe_fixed(env, guard, handle, Clock::Wall),
        () if is(atoms.safe_fixed_monotonic_time) => {
            safe_fixed(env, guard, handle, Clock::Monotonic)
        }
        () => return None,
    })
}

/// The term of a pid word.
fn pid<'e>(word: u64) -> VmTerm<'e> {
    // SAFETY: a pid of this node is an immediate, valid in every environment.
    unsafe { VmTerm::from_word(word) }
}

fn kind(kind: Kind) -> VmTerm<'static> {
    match kind {
        Kind::Set => atoms().set,
        Kind::OrderedSet => atoms().ordered_set,
        Kind::Bag => atoms().bag,
        Kind::DuplicateBag => atoms().duplicate_bag,
    }
}

/// The data structure behind a table.
fn engine(spec: &Spec) -> VmTerm<'static> {
    match (spec.kind, spec.engine) {
        (Kind::OrderedSet, OrderedEngine::CaTree) => atoms().ca_tree,
        (Kind::OrderedSet, OrderedEngine::SkipList) => atoms().skip_list,
        _ => atoms().hash_table,
    }
}

fn protection(access: Access) -> VmTerm<'static> {
    match access {
        Access::Public => atoms().public,
        Access::Protected => atoms().protected,
        Access::Private => atoms().private,
    }
}

fn write_concurrency<'e>(env: Env<'e>, option: WriteConcurrency) -> VmTerm<'e> {
    match option {
        WriteConcurrency::Off => atoms().r#false,
        WriteConcurrency::On => atoms().r#true,
        WriteConcurrency::Auto => atoms().auto,
        WriteConcurrency::Locks(locks) => {
            let tag = atoms().debug_hash_fixed_number_of_locks;
            env.make_tuple(&[tag, env.make_uint64(locks as u64)])
        }
    }
}

/// The heir; also one that has died since.
fn heir<'e>(handle: &Handle) -> VmTerm<'e> {
    match handle.control().heir {
        Heir::Process { pid: word, .. } | Heir::Dead(word) => pid(word),
        Heir::None => atoms().none,
    }
}

/// Which clock tells when a table was fixed.
#[derive(Clone, Copy)]
enum Clock {
    Wall,
    Monotonic,
}

/// `{Time, [{Pid, Count}]}`, or `false`.
fn safe_fixed<'e>(env: Env<'e>, guard: &Guard, handle: &Handle, clock: Clock) -> VmTerm<'e> {
    if !owner::is_fixed(env, guard, handle) {
        return atoms().r#false;
    }
    let Some(fixed) = handle.table.fixed() else { return atoms().r#false };
    let fixers: Vec<_> = fixed
        .fixers
        .iter()
        .map(|fixer| env.make_tuple(&[pid(fixer.process), env.make_uint64(fixer.count as u64)]))
        .collect();
    let time = match clock {
        Clock::Monotonic => env.make_int64(fixed.monotonic),
        Clock::Wall => {
            let since = fixed.since.duration_since(UNIX_EPOCH).unwrap_or_default();
            let (seconds, micros) = (since.as_secs(), u64::from(since.subsec_micros()));
            let parts = [seconds / 1_000_000, seconds % 1_000_000, micros];
            env.make_tuple(&parts.map(|part| env.make_uint64(part)))
        }
    };
    env.make_tuple(&[time, env.make_list(&fixers)])
}

raw_nif! {
    /// `stats(Table)`: figures of the implementation, as pairs.
    fn stats/1(env, &[table]) {
        let guard = pin();
        let Some(handle) = subject(env, &guard, table)? else { return Ok(atoms().undefined) };
        let figures = handle.table.statistics(&guard);
        let pairs: Vec<_> = figures
            .into_iter()
            .chain(garbage())
            .map(|(name, value)| env.make_tuple(&[env.atom(name), env.make_uint64(value)]))
            .collect();
        Ok(env.make_list(&pairs))
    }
}

/// What waits to be freed, of all tables.
fn garbage() -> [(&'static str, u64); 3] {
    let age = reclaim::oldest_pending().map_or(0, |age| age.as_micros() as u64);
    [
        ("pending_bytes", reclaim::pending_bytes() as u64),
        ("pending_items", reclaim::pending_items() as u64),
        ("pending_age_us", age),
    ]
}

raw_nif! {
    /// `library()`: figures of the library as a whole, as pairs.
    fn library/0(env, _argv) {
        let pair = |name, value| env.make_tuple(&[env.atom(name), value]);
        let mut pairs: Vec<_> =
            garbage().into_iter().map(|(name, value)| pair(name, env.make_uint64(value))).collect();
        pairs.push(pair("reclamation_stalled", boolean(reclaim::is_stalled())));
        let mut tables = 0;
        TABLES.for_each(|_| tables += 1);
        pairs.push(pair("tables", env.make_uint64(tables)));
        let access = if layout().is_some() { "layout" } else { "interface" };
        pairs.push(pair("vm_terms", env.atom(access)));
        Ok(env.make_list(&pairs))
    }
}
