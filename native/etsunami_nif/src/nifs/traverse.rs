//! Walking from key to key.

use etsunami::reclaim::{Guard, pin};
use etsunami::table::options::{Kind, Need};
use etsunami::table::{Direction, Place, Table};

use super::{objects, require_short, with_key};
use crate::atoms::atoms;
use crate::codec::decode;
use crate::error::Cause;
use crate::raw::{Answer, stored};
use crate::vm::{Env, VmTerm};
use crate::{answering_nif, raw_nif};
use crate::{owner, resource};

type End = for<'g> fn(&Table, &'g Guard) -> Place<'g>;

/// What a walk answers with.
#[derive(Clone, Copy)]
enum Want {
    Key,
    KeyAndObjects,
}

fn end<'e>(env: Env<'e>, table: VmTerm<'e>, end: End, want: Want) -> Answer<'e> {
    let guard = pin();
    let handle = resource::table(env, &guard, table, Need::Read)?;
    let found = end(&handle.table, &guard);
    if found.is_none() {
        handle.require_there()?;
    }
    place(env, found, want)
}

#[inline(always)]
fn step<'e>(
    env: Env<'e>,
    table: VmTerm<'e>,
    key: VmTerm<'e>,
    direction: Direction,
    want: Want,
) -> Answer<'e> {
    let guard = pin();
    let handle = resource::table(env, &guard, table, Need::Read)?;
    let ordered = handle.table.spec().kind == Kind::OrderedSet;
    if ordered && key.word() == atoms().end_of_table.word() {
        // It ends a walk, so it is no place in one, even if it is a key.
        return Err(Cause::BadKey.into());
    }
    with_key(env, key, |key| {
        // A deleted key is a place while a living process has the table fixed.
        let settle = || _ = owner::is_fixed(env, &guard, handle);
        let found = handle.table.neighbour(&guard, handle.table.key(key), &settle, direction)?;
        place(env, found, want)
    })
}

#[inline(always)]
fn place<'e>(env: Env<'e>, place: Place<'_>, want: Want) -> Answer<'e> {
    let Some((key, hit)) = place else { return Ok(atoms().end_of_table) };
    require_short(key.words())?;
    let key = decode::term(env, key);
    match want {
        Want::Key => Ok(stored(env, key)),
        Want::KeyAndObjects => Ok(env.make_tuple(&[key, objects(env, &hit, None)?])),
    }
}

answering_nif! {
    /// `first(Table)`
    fn first/1(env, &[table]) { end(env, table, Table::first, Want::Key) }
}

answering_nif! {
    /// `last(Table)`
    fn last/1(env, &[table]) { end(env, table, Table::last, Want::Key) }
}

raw_nif! {
    /// `first_lookup(Table)`
    fn first_lookup/1(env, &[table]) { end(env, table, Table::first, Want::KeyAndObjects) }
}

raw_nif! {
    /// `last_lookup(Table)`
    fn last_lookup/1(env, &[table]) { end(env, table, Table::last, Want::KeyAndObjects) }
}

answering_nif! {
    /// `next(Table, Key)`
    fn next/2(env, &[table, key]) { step(env, table, key, Direction::Ascending, Want::Key) }
}

answering_nif! {
    /// `prev(Table, Key)`
    fn prev/2(env, &[table, key]) { step(env, table, key, Direction::Descending, Want::Key) }
}

raw_nif! {
    /// `next_lookup(Table, Key)`
    fn next_lookup/2(env, &[table, key]) {
        step(env, table, key, Direction::Ascending, Want::KeyAndObjects)
    }
}

raw_nif! {
    /// `prev_lookup(Table, Key)`
    fn prev_lookup/2(env, &[table, key]) {
        step(env, table, key, Direction::Descending, Want::KeyAndObjects)
    }
}
