//! `update_counter` and `update_element`.

use etsunami::error::Error;
use etsunami::reclaim::pin;
use etsunami::table::options::Need;
use etsunami::table::{CounterOp, Detached, Key, Table, Verdict};
use etsunami::term::buffer::Buffer;
use etsunami::term::number::Int;
use etsunami::term::probe::OwnedKey;
use etsunami::term::view::Term;

use super::{owned, with_key, with_object};
use crate::args;
use crate::atoms::boolean;
use crate::codec::encode::Role;
use crate::codec::{decode, tags};
use crate::error::{Raise, SYSTEM_LIMIT};
use crate::raw::Answer;
use crate::raw_nif;
use crate::resource::{self, Handle};
use crate::vm::{Env, VmTerm};

raw_nif! {
    /// `update_counter(Table, Key, Op)`
    #[inline(always)]
    fn update_counter/3(env, &[table, key, op]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_key(env, key, |key| {
            let key = handle.table.key(key);
            if let Some((position, increment)) = plain_op(env, &handle.table, op)
                && let Some(value) = handle.table.count_small(&guard, key, position, increment)
            {
                return Ok(tags::small(env, value));
            }
            count(env, handle, key, op, None)
        })
    }
}

/// The position and increment of the commonest forms, `Incr` and `{Pos, Incr}` with small integers.
#[inline(always)]
fn plain_op<'e>(env: Env<'e>, table: &Table, op: VmTerm<'e>) -> Option<(usize, i64)> {
    if let Some(increment) = args::small_int(env, op) {
        return Some((table.spec().keypos + 1, increment));
    }
    let [position, increment] = args::tuple(env, op)?;
    let position = usize::try_from(args::small_int(env, position)?).ok()?;
    Some((position, args::small_int(env, increment)?))
}

raw_nif! {
    /// `update_counter(Table, Key, Op, Default)`
    fn update_counter_or as ("update_counter")/4(env, &[table, key, op, default]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_default(env, &handle.table, key, default, |key, default| {
            count(env, handle, key, op, Some(default))
        })
    }
}

/// Lends `f` a key that may be stored, and the default object, which is stored under it if at all.
fn with_default<'e>(
    env: Env<'e>,
    table: &Table,
    key: VmTerm<'e>,
    default: VmTerm<'e>,
    f: impl FnOnce(Key<'_>, &Detached) -> Answer<'e>,
) -> Answer<'e> {
    let key = owned(env, key, Role::Key)?;
    let key = table.key(key.term());
    let default = with_object(env, table, default, |draft| Ok(Detached::new(draft, key)?))?;
    f(key, &default)
}

/// The two forms of the argument: one step, or a list of them.
fn count<'e>(
    env: Env<'e>,
    handle: &Handle,
    key: Key<'_>,
    op: VmTerm<'e>,
    default: Option<&Detached>,
) -> Answer<'e> {
    let guard = pin();
    let table = &handle.table;
    if !args::is_list(env, op) {
        let step = [counter_op(env, table, op)];
        let values = table.update_counter(&guard, key, &step, default)?;
        return int_term(env, &values[0]);
    }
    let steps = each(env, op, |op| match env.tuple(op) {
        Some(_) => counter_op(env, table, op),
        None => Err(Error::BadArgument),
    });
    let values = table.update_counter(&guard, key, &steps, default)?;
    let terms: Result<Vec<_>, Raise> = values.iter().map(|value| int_term(env, value)).collect();
    Ok(env.make_list(&terms?))
}

/// What becomes of each element of a list, up to the first that is at fault; an improper tail is.
fn each<'e, T>(
    env: Env<'e>,
    list: VmTerm<'e>,
    mut parse: impl FnMut(VmTerm<'e>) -> Verdict<T>,
) -> Vec<Verdict<T>> {
    let (mut rest, mut parts) = (list, Vec::new());
    while let Some((head, tail)) = env.cell(rest) {
        parts.push(parse(head));
        rest = tail;
        if matches!(parts.last(), Some(Err(_))) {
            return parts;
        }
    }
    if !env.is_nil(rest) {
        parts.push(Err(Error::BadArgument));
    }
    parts
}

/// `Incr`, `{Pos, Incr}` or `{Pos, Incr, Threshold, SetValue}`.
fn counter_op<'e>(env: Env<'e>, table: &Table, op: VmTerm<'e>) -> Verdict<CounterOp> {
    if let Some([position, increment]) = args::tuple(env, op) {
        let (position, increment) = (place(env, position)?, int(env, increment)?);
        return Ok(CounterOp { position, increment, limit: None });
    }
    if let Some([position, increment, threshold, set]) = args::tuple(env, op) {
        let (position, increment) = (place(env, position)?, int(env, increment)?);
        let limit = Some((int(env, threshold)?, int(env, set)?));
        return Ok(CounterOp { position, increment, limit });
    }
    let position = table.spec().keypos + 1;
    Ok(CounterOp { position, increment: int(env, op)?, limit: None })
}

/// A small integer as a position; one that no tuple has becomes 0, which no tuple has either.
fn place<'e>(env: Env<'e>, term: VmTerm<'e>) -> Verdict<usize> {
    let position = args::small_int(env, term).ok_or(Error::BadArgument)?;
    Ok(usize::try_from(position).unwrap_or(0))
}

fn int<'e>(env: Env<'e>, term: VmTerm<'e>) -> Verdict<Int> {
    if let Some(value) = env.int64(term) {
        return Ok(Int::Small(value));
    }
    if !env.is_number(term) {
        return Err(Error::BadArgument);
    }
    let big = with_key(env, term, |term| Ok(Int::from_term(term)));
    big.ok().flatten().ok_or(Error::BadArgument)
}

#[inline(always)]
fn int_term<'e>(env: Env<'e>, value: &Int) -> Answer<'e> {
    if let Int::Small(value) = value {
        return Ok(env.make_int64(*value));
    }
    let mut buffer = Buffer::new();
    buffer.reserve(1).map_err(|_| SYSTEM_LIMIT)?;
    value.to_buffer(&mut buffer, 0).map_err(|_| SYSTEM_LIMIT)?;
    // SAFETY: just encoded.
    Ok(decode::term(env, unsafe { Term::at(buffer.words(), 0) }))
}

raw_nif! {
    /// `update_element(Table, Key, Spec)`
    fn update_element/3(env, &[table, key, spec]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_key(env, key, |key| assign(env, handle, handle.table.key(key), spec, None))
    }
}

raw_nif! {
    /// `update_element(Table, Key, Spec, Default)`
    fn update_element_or as ("update_element")/4(env, &[table, key, spec, default]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_default(env, &handle.table, key, default, |key, default| {
            assign(env, handle, key, spec, Some(default))
        })
    }
}

/// `{Pos, Value}` or a list of them.
fn assign<'e>(
    env: Env<'e>,
    handle: &Handle,
    key: Key<'_>,
    spec: VmTerm<'e>,
    default: Option<&Detached>,
) -> Answer<'e> {
    let (guard, table) = (pin(), &handle.table);
    let unique = table.spec().kind.is_unique();
    if unique && default.is_none() && table.find(&guard, key).is_absent() {
        handle.require_there()?;
        return Ok(boolean(false));
    }
    let mut stop = None;
    let update = |pair: VmTerm<'e>| {
        let [position, value] = args::tuple(env, pair).ok_or(Error::BadArgument)?;
        let position = place(env, position)?;
        let value = owned(env, value, Role::Value).map_err(|raise| {
            stop = Some(raise);
            Error::SystemLimit
        })?;
        Ok((position, value))
    };
    let values: Vec<Verdict<(usize, OwnedKey)>> =
        if args::is_list(env, spec) { each(env, spec, update) } else { [spec].map(update).into() };
    if let Some(raise) = stop {
        return Err(raise);
    }
    let updates: Vec<_> = values
        .iter()
        .map(|value| value.as_ref().map(|(at, value)| (*at, value.term())).map_err(|&error| error))
        .collect();
    Ok(boolean(table.update_element(&guard, key, &updates, default)?))
}
