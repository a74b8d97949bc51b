//! `update_counter` and `update_element`.

use etsunami::error::Error;
use etsunami::reclaim::pin;
use etsunami::table::options::Need;
use etsunami::table::{CounterOp, Draft, Key, Table};
use etsunami::term::{Int, OwnedTerm, Term};

use super::{Answer, Env, Leave, NifTerm};
use crate::args;
use crate::atoms;
use crate::codec::{decode, encode};
use crate::resource::{self, Handle};

/// `update_counter(Table, Key, Op)`
#[inline(always)]
pub fn update_counter(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    encode::with_key(env, argv[1], |key| {
        count(env, handle, handle.table.key(key), argv[2], None)
    })?
}

/// `update_counter(Table, Key, Op, Default)`
pub fn update_counter_or(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    encode::with_key(env, argv[1], |key| {
        with_default(env, &handle.table, argv[3], |default| {
            count(env, handle, handle.table.key(key), argv[2], Some(default))
        })
    })?
}

/// The two forms of the argument: one step, or a list of them.
#[inline(always)]
fn count(
    env: Env,
    handle: &Handle,
    key: Key<'_>,
    op: NifTerm,
    default: Option<Draft<'_>>,
) -> Answer {
    let guard = pin();
    let table = &handle.table;
    if !args::is_list(env, op) {
        let step = counter_op(env, table, op)?;
        let values = table.update_counter(&guard, key, &[step], default)?;
        return Ok(decode::int(env, &values[0]));
    }
    let mut steps = Vec::new();
    args::for_each(env, op, |op| {
        if args::is_tuple(env, op) {
            steps.push(counter_op(env, table, op)?);
            Ok(())
        } else {
            Err(Error::BadArgument.into())
        }
    })?;
    let values = table.update_counter(&guard, key, &steps, default)?;
    let terms: Vec<NifTerm> = values.iter().map(|value| decode::int(env, value)).collect();
    Ok(args::make_list(env, &terms))
}

/// `Incr`, `{Pos, Incr}` or `{Pos, Incr, Threshold, SetValue}`.
#[inline(always)]
fn counter_op(env: Env, table: &Table, op: NifTerm) -> Result<CounterOp, Leave> {
    if let Some([position, increment]) = args::tuple(env, op) {
        let (position, increment) = (args::position(position)?, int(env, increment)?);
        return Ok(CounterOp { position, increment, limit: None });
    }
    if let Some([position, increment, threshold, set]) = args::tuple(env, op) {
        let (position, increment) = (args::position(position)?, int(env, increment)?);
        let limit = Some((int(env, threshold)?, int(env, set)?));
        return Ok(CounterOp { position, increment, limit });
    }
    let position = table.spec().keypos + 1;
    Ok(CounterOp { position, increment: int(env, op)?, limit: None })
}

#[inline(always)]
fn int(env: Env, term: NifTerm) -> Result<Int, Leave> {
    if let Some(value) = args::small_value(term) {
        return Ok(Int::Small(value));
    }
    encode::with_key(env, term, |term| Int::from_term(term).ok_or(Error::BadArgument.into()))?
}

/// Encodes a default object; its key element does not matter.
fn with_default<R>(
    env: Env,
    table: &Table,
    default: NifTerm,
    f: impl FnOnce(Draft<'_>) -> Result<R, Leave>,
) -> Result<R, Leave> {
    encode::with_object(env, default, table.spec().keypos, f)?
}

/// `update_element(Table, Key, Spec)`
pub fn update_element(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    encode::with_key(env, argv[1], |key| {
        assign(env, handle, handle.table.key(key), argv[2], None)
    })?
}

/// `update_element(Table, Key, Spec, Default)`
pub fn update_element_or(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    encode::with_key(env, argv[1], |key| {
        with_default(env, &handle.table, argv[3], |default| {
            assign(env, handle, handle.table.key(key), argv[2], Some(default))
        })
    })?
}

/// `{Pos, Value}` or a list of them.
fn assign(
    env: Env,
    handle: &Handle,
    key: Key<'_>,
    spec: NifTerm,
    default: Option<Draft<'_>>,
) -> Answer {
    let guard = pin();
    let mut values: Vec<(usize, OwnedTerm)> = Vec::with_capacity(1);
    let mut add = |pair: NifTerm| -> Result<(), Leave> {
        let [position, value] = args::tuple(env, pair).ok_or(Error::BadArgument)?;
        values.push((args::position(position)?, encode::owned(env, value)?));
        Ok(())
    };
    if args::is_list(env, spec) {
        args::for_each(env, spec, add)?;
    } else {
        add(spec)?;
    }
    let updates: Vec<(usize, Term<'_>)> =
        values.iter().map(|(position, value)| (*position, value.term())).collect();
    let found = handle.table.update_element(&guard, key, &updates, default)?;
    Ok(atoms::boolean(found))
}
