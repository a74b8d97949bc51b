//! `update_counter` and `update_element`.

use etsunami::error::Error;
use etsunami::reclaim::{Guard, pin};
use etsunami::table::options::Need;
use etsunami::table::{Assigned, CounterOp, Detached, Early, FEW, Few, Key, Small, Table, Verdict};
use etsunami::term::buffer::Buffer;
use etsunami::term::layout::is_immediate;
use etsunami::term::number::Int;
use etsunami::term::object::release;
use etsunami::term::probe::OwnedKey;
use etsunami::term::view::Term;

use super::{owned, with_key, with_object};
use crate::answering_nif;
use crate::args;
use crate::atoms::boolean;
use crate::codec::decode;
use crate::codec::encode::{self, Failure, Keep, Role, Scratch};
use crate::codec::quick::Quick;
use crate::error::{Raise, SYSTEM_LIMIT};
use crate::raw::Answer;
use crate::resource::{self, Handle};
use crate::vm::{Env, VmTerm};
use crate::vm_terms::{make, tags};

answering_nif! {
    /// `update_counter(Table, Key, Op)`
    #[inline(always)]
    fn update_counter/3(env, &[table, key, op]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_key(env, key, |key| {
            let key = handle.table.key(key);
            if let Some(value) = count_few(env, &handle.table, &guard, key, op) {
                return Ok(value);
            }
            count(env, handle, key, op, None)
        })
    }
}

/// Some steps with small numbers, or one by itself; none if there is more to it.
#[inline(always)]
fn count_few<'e>(
    env: Env<'e>,
    table: &Table,
    guard: &Guard,
    key: Key<'_>,
    op: VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    let one = |step| {
        let mut value = [Small::ZERO];
        let done = table.count_few(guard, key, &[step], &mut value);
        done.then(|| tags::small(env, value[0].value()))
    };
    if let Some(increment) = small(env, op) {
        return one(CounterOp { position: table.spec().keypos + 1, increment, limit: None });
    }
    if let Some(parts) = make::tuple_elements(env, op) {
        return one(small_step(env, parts)?);
    }
    count_list(env, table, guard, key, op)
}

/// [`count_few`] of a list.
#[inline(never)]
fn count_list<'e>(
    env: Env<'e>,
    table: &Table,
    guard: &Guard,
    key: Key<'_>,
    ops: VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    let (mut steps, mut values) = (Few::new(), Few::new());
    let mut rest = ops;
    while let Some((op, tail)) = args::cell(env, rest) {
        steps.push(small_step(env, make::tuple_elements(env, op)?)?)?;
        values.push(Small::ZERO)?;
        rest = tail;
    }
    let (steps, values) = (steps.as_slice(), values.as_mut_slice());
    if !args::is_nil(env, rest) || !table.count_few(guard, key, steps, values) {
        return None;
    }
    let cons = |tail, value: &Small| make::cell(env, tags::small(env, value.value()), tail);
    Some(values.iter().rev().fold(tags::nil(env), cons))
}

/// `{Pos, Incr}` or `{Pos, Incr, Threshold, SetValue}`, of small integers.
#[inline(always)]
fn small_step<'e>(env: Env<'e>, parts: &[VmTerm<'e>]) -> Option<CounterOp<Small>> {
    let (position, increment, limit) = match *parts {
        [position, increment] => (position, increment, None),
        [position, increment, threshold, set] => {
            (position, increment, Some((small(env, threshold)?, small(env, set)?)))
        }
        _ => return None,
    };
    Some(CounterOp {
        position: position_of(env, position)?,
        increment: small(env, increment)?,
        limit,
    })
}

#[inline(always)]
fn small(env: Env, term: VmTerm) -> Option<Small> {
    Small::new(args::small_int(env, term)?)
}

/// A position, if it is not negative.
#[inline(always)]
fn position_of(env: Env, term: VmTerm) -> Option<usize> {
    usize::try_from(args::small_int(env, term)?).ok()
}

answering_nif! {
    /// `update_counter(Table, Key, Op, Default)`
    fn update_counter_or as ("update_counter")/4(env, &[table, key, op, default]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        if may_be_default(env, &handle.table, default)
            && let Some(value) = with_key(env, key, |key| {
                Ok(count_few(env, &handle.table, &guard, handle.table.key(key), op))
            })?
        {
            return Ok(value);
        }
        with_default(env, &handle.table, key, default, |key, default| {
            count(env, handle, key, op, Some(default))
        })
    }
}

/// True if the term may be stored as a default: it is not encoded before the key is missing.
#[inline(always)]
fn may_be_default<'e>(env: Env<'e>, table: &Table, default: VmTerm<'e>) -> bool {
    env.tuple(default).is_some_and(|elements| elements.len() >= table.spec().keypos)
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
    let early = |_: Term<'_>| Early::default();
    let default =
        with_object(env, table, default, early, |draft, _| Ok(Detached::new(draft, key)?))?;
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
    while let Some((head, tail)) = args::cell(env, rest) {
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

answering_nif! {
    /// `update_element(Table, Key, Spec)`
    fn update_element/3(env, &[table, key, spec]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_key(env, key, |key| {
            let key = handle.table.key(key);
            match assign_few(env, &handle.table, &guard, key, spec)? {
                Assigned::Done => Ok(boolean(true)),
                Assigned::Absent => Ok(boolean(false)),
                Assigned::Undecided => assign(env, handle, key, spec, None),
            }
        })
    }
}

/// One update by itself, or some in a list.
#[inline(always)]
fn assign_few<'e>(
    env: Env<'e>,
    table: &Table,
    guard: &Guard,
    key: Key<'_>,
    spec: VmTerm<'e>,
) -> Result<Assigned, Raise<'e>> {
    let Some(parts) = make::tuple_elements(env, spec) else {
        return Ok(assign_list(env, table, guard, key, spec).unwrap_or(Assigned::Undecided));
    };
    let &[position, value] = parts else { return Ok(Assigned::Undecided) };
    let Some(position) = position_of(env, position) else { return Ok(Assigned::Undecided) };
    let word = value.word();
    if is_immediate(word) && !tags::portable() {
        return Ok(table.assign_few(guard, key, &[(position, Term::immediate(&word))]));
    }
    assign_block(env, table, guard, key, position, value)
}

/// Some updates in a list, of values that take no buffer; none if there is more to it.
#[inline(never)]
fn assign_list<'e>(
    env: Env<'e>,
    table: &Table,
    guard: &Guard,
    key: Key<'_>,
    spec: VmTerm<'e>,
) -> Option<Assigned> {
    let (mut pairs, mut rest, mut flat) = (Few::new(), spec, !tags::portable());
    while let Some((pair, tail)) = args::cell(env, rest) {
        let &[position, ref value] = make::tuple_elements(env, pair)? else { return None };
        pairs.push((position_of(env, position)?, value))?;
        flat &= is_immediate(value.word());
        rest = tail;
    }
    if !args::is_nil(env, rest) {
        return None;
    }
    if !flat {
        return assign_blocks(env, table, guard, key, pairs.as_slice());
    }
    let mut updates = Few::new();
    for &(position, value) in pairs.as_slice() {
        updates.push((position, Term::immediate(value.as_word())))?;
    }
    Some(table.assign_few(guard, key, updates.as_slice()))
}

/// [`assign_list`] of values some of which have to be encoded.
#[inline(never)]
fn assign_blocks<'e>(
    env: Env<'e>,
    table: &Table,
    guard: &Guard,
    key: Key<'_>,
    pairs: &[(usize, &VmTerm<'e>)],
) -> Option<Assigned> {
    table.prefetch(guard, key);
    let mut rooms = [const { Quick::new() }; FEW];
    let mut updates = Few::new();
    for (room, &(position, value)) in rooms.iter_mut().zip(pairs) {
        let term = if is_immediate(value.word()) && !tags::portable() {
            Some(Term::immediate(value.as_word()))
        } else {
            room.value(env, *value)
        };
        let Some(term) = term else { break };
        updates.push((position, term))?;
    }
    let updates = updates.as_slice();
    let done = (updates.len() == pairs.len()).then(|| table.assign_few(guard, key, updates));
    // The object has retained the keepers for itself.
    updates.iter().for_each(|update| release(update.1));
    done
}

/// A value that has to be encoded; it is copied once more, into the object. That it is too much is
/// no error if the key is missing, which `assign` looks at first.
#[inline(never)]
fn assign_block<'e>(
    env: Env<'e>,
    table: &Table,
    guard: &Guard,
    key: Key<'_>,
    position: usize,
    value: VmTerm<'e>,
) -> Result<Assigned, Raise<'e>> {
    table.prefetch(guard, key);
    let (mut quick, mut buffer);
    quick = Quick::new();
    let term = match quick.value(env, value) {
        Some(term) => term,
        None => {
            buffer = Scratch::take();
            match encode::encode_term(env, value, Role::Value, Keep::Retain, &mut buffer) {
                Ok(()) => (),
                Err(Failure::TooLong) => return Err(Raise::Dirty),
                Err(_) => return Ok(Assigned::Undecided),
            }
            // SAFETY: just encoded.
            unsafe { Term::at(buffer.words(), 0) }
        }
    };
    let done = table.assign_few(guard, key, &[(position, term)]);
    // The object has retained the keepers for itself.
    release(term);
    Ok(done)
}

answering_nif! {
    /// `update_element(Table, Key, Spec, Default)`
    fn update_element_or as ("update_element")/4(env, &[table, key, spec, default]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        let in_table = may_be_default(env, &handle.table, default)
            && with_key(env, key, |key| {
                let done = assign_few(env, &handle.table, &guard, handle.table.key(key), spec)?;
                Ok(done == Assigned::Done)
            })?;
        if in_table {
            return Ok(boolean(true));
        }
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
