//! `select_count`, `select_delete` and `select_replace`: searches of which only a number is wanted.
//!
//! `{more, Table, Compiled, Cursor, Number}` says that the call is to be made again with these.

use etsunami::matchspec::{Access, Machine, Plain};
use etsunami::reclaim::{Guard, pin};
use etsunami::table::options::{Kind, Need};
use etsunami::table::{Cursor, Quota};

use super::cursor::{cursor_of, cursor_term};
use crate::args;
use crate::atoms::atoms;
use crate::budget::{self, Pace};
use crate::codec::pattern::{self, Room};
use crate::compiled::{Compiled, TablePlan};
use crate::error::{BADARG, Cause, Raise};
use crate::raw::Answer;
use crate::raw_nif;
use crate::resource::{self, Handle};
use crate::vm::{Env, VmTerm};
use crate::vm_terms::tags;

raw_nif! {
    /// `select_count(Table, Spec)`
    fn select_count/2(env, &[table, spec]) { begin(env, Sweep::Count, table, spec) }
}

raw_nif! {
    /// `select_count(Table, Compiled, Cursor, Number)`
    fn go_on_counting as ("select_count")/4(env, &[table, compiled, cursor, number]) {
        go_on(env, Sweep::Count, table, compiled, cursor, number)
    }
}

raw_nif! {
    /// `select_delete(Table, Spec)`
    fn select_delete/2(env, &[table, spec]) { begin(env, Sweep::Delete, table, spec) }
}

raw_nif! {
    /// `select_delete(Table, Compiled, Cursor, Number)`
    fn go_on_deleting as ("select_delete")/4(env, &[table, compiled, cursor, number]) {
        go_on(env, Sweep::Delete, table, compiled, cursor, number)
    }
}

raw_nif! {
    /// `select_replace(Table, Spec)`
    fn select_replace/2(env, &[table, spec]) { begin(env, Sweep::Replace, table, spec) }
}

raw_nif! {
    /// `select_replace(Table, Compiled, Cursor, Number)`
    fn go_on_replacing as ("select_replace")/4(env, &[table, compiled, cursor, number]) {
        go_on(env, Sweep::Replace, table, compiled, cursor, number)
    }
}

/// What is done with the objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweep {
    Count,
    Delete,
    Replace,
}

impl Sweep {
    fn admit<'g>(
        self,
        env: Env,
        guard: &'g Guard,
        table: VmTerm,
    ) -> Result<&'g Handle, Raise<'static>> {
        let need = if self == Sweep::Count { Need::Read } else { Need::Write };
        let handle = resource::table(env, guard, table, need)?;
        if self == Sweep::Replace && handle.table.spec().kind == Kind::Bag {
            return Err(Cause::TableType.into());
        }
        Ok(handle)
    }
}

fn begin<'e>(env: Env<'e>, sweep: Sweep, table: VmTerm<'e>, spec: VmTerm<'e>) -> Answer<'e> {
    let guard = pin();
    let handle = sweep.admit(env, &guard, table)?;
    if env.is_nil(spec) {
        // It has no clause that could match.
        return Ok(env.make_uint64(0));
    }
    if sweep == Sweep::Count
        && let Some(answer) = count_plain(env, &guard, handle, spec)?
    {
        return Ok(answer);
    }
    let compiled = Compiled::parse(env, spec)?;
    let plan = compiled.fresh_plan(&handle.table);
    let (next, number) = run(env, sweep, &guard, handle, (&compiled, &plan), Cursor::Start, 0)?;
    answer(env, handle, next, number, |env| compiled.keep(plan, env))
}

fn go_on<'e>(
    env: Env<'e>,
    sweep: Sweep,
    table: VmTerm<'e>,
    compiled: VmTerm<'e>,
    cursor: VmTerm<'e>,
    number: VmTerm<'e>,
) -> Answer<'e> {
    let guard = pin();
    let handle = sweep.admit(env, &guard, table)?;
    let cursor = cursor_of(env, handle.table.spec().kind, cursor)?;
    let (term, before) = (compiled, args::natural(env, number)?);
    let compiled = Compiled::find(env, term).ok_or(BADARG)?;
    compiled.require_short()?;
    let plan = compiled.plan(&handle.table);
    let mut plain = Plain::of_any();
    let is_plain = sweep == Sweep::Count
        && plain.read(compiled.program.spec()).is_some()
        && is_true(&plain)
        && !tags::portable();
    let (next, number) = if is_plain {
        run_plain(env, &guard, handle, (&plain, &plan.plan.access), cursor, before)?
    } else {
        run(env, sweep, &guard, handle, (compiled, &plan), cursor, before)?
    };
    answer(env, handle, next, number, |_| Ok(term))
}

fn answer<'e>(
    env: Env<'e>,
    handle: &Handle,
    next: Option<Cursor>,
    number: u64,
    compiled: impl FnOnce(Env<'e>) -> Answer<'e>,
) -> Answer<'e> {
    let number = env.make_uint64(number);
    let Some(cursor) = next else { return Ok(number) };
    let (table, cursor) = (handle.id(env), cursor_term(env, cursor));
    Ok(env.make_tuple(&[atoms().more, table, compiled(env)?, cursor, number]))
}

/// Begins to count what a plain pattern matches; none if the specification is not one.
fn count_plain<'e>(
    env: Env<'e>,
    guard: &Guard,
    handle: &Handle,
    spec: VmTerm<'e>,
) -> Result<Option<VmTerm<'e>>, Raise<'e>> {
    let (mut room, mut plain, table) = (Room::default(), Plain::of_any(), &handle.table);
    if pattern::read(env, spec, &mut room, &mut plain).is_none() || !is_true(&plain) {
        return Ok(None);
    }
    if let Some(number) = at_key(guard, handle, &plain)? {
        return Ok(Some(env.make_uint64(number)));
    }
    let Some(access) = table.access(&plain) else { return Ok(None) };
    let (next, number) = run_plain(env, guard, handle, (&plain, &access), Cursor::Start, 0)?;
    let compile = |env| {
        let compiled = Compiled::parse(env, spec)?;
        let plan = compiled.fresh_plan(table);
        compiled.keep(plan, env)
    };
    answer(env, handle, next, number, compile).map(Some)
}

/// The count where a plain pattern tells the key, and the key holds one object or none.
fn at_key(guard: &Guard, handle: &Handle, plain: &Plain) -> Result<Option<u64>, Cause> {
    let table = &handle.table;
    let Some(key) = plain.key(table.spec().keypos) else { return Ok(None) };
    let hit = table.find(guard, table.key(key));
    if hit.is_absent() {
        handle.require_there()?;
        return Ok(Some(0));
    }
    let matches = |object| table.match_one(plain, object, |_, _| ()).is_some();
    Ok(hit.single().map(|object| matches(object).into()))
}

/// True if what matches gives `true`, as what is to be counted does.
fn is_true(plain: &Plain) -> bool {
    plain.constant() == Some(atoms().r#true.word())
}

/// Counts what a plain pattern matches until the time is up; adds to the number.
fn run_plain<'e>(
    env: Env<'e>,
    guard: &Guard,
    handle: &Handle,
    (plain, access): (&Plain, &Access),
    cursor: Cursor,
    number: u64,
) -> Result<(Option<Cursor>, u64), Raise<'e>> {
    in_steps(env, 0, cursor, number, &mut |cursor, quota, number| {
        let next = handle.table.count_plain(guard, plain, access, cursor, quota)?;
        *number += (usize::MAX - quota.matches) as u64;
        Ok(next)
    })
}

/// Runs a program over objects until the time is up; adds to the number.
fn run<'e>(
    env: Env<'e>,
    sweep: Sweep,
    guard: &Guard,
    handle: &Handle,
    (compiled, plan): (&Compiled, &TablePlan),
    cursor: Cursor,
    number: u64,
) -> Result<(Option<Cursor>, u64), Raise<'e>> {
    let mut machine = compiled.machine(env);
    in_steps(env, compiled.program.words(), cursor, number, &mut |cursor, quota, number| {
        step(sweep, guard, handle, compiled, plan, cursor, quota, &mut machine, number)
    })
}

/// Goes on from a cursor until a quota is used up, and adds to the number.
type Step<'s, 'e> =
    dyn FnMut(Cursor, &mut Quota, &mut u64) -> Result<Option<Cursor>, Raise<'e>> + 's;

/// Makes steps until the time is up. What runs has so many words.
fn in_steps<'e>(
    env: Env<'e>,
    words: usize,
    mut cursor: Cursor,
    mut number: u64,
    step: &mut Step<'_, 'e>,
) -> Result<(Option<Cursor>, u64), Raise<'e>> {
    let normal = budget::on_normal_scheduler();
    let (mut pace, largest) = (Pace::of_program(normal, words), budget::largest_object(normal));
    let next = loop {
        let mut quota = Quota { visits: pace.step(), largest, ..Quota::default() };
        let quota = &mut quota;
        let next = step(cursor, quota, &mut number)?;
        if pace.is_stuck(quota) {
            return Err(Raise::Dirty);
        }
        match next {
            // An object was refused: it is large, or a list insert is in the way.
            Some(next) if quota.visits > 0 => break Some(next),
            Some(next) if pace.goes_on() => cursor = next,
            next => break next,
        }
    };
    pace.charge(env);
    Ok((next, number))
}

#[expect(clippy::too_many_arguments, reason = "a search has so many parts")]
fn step<'e>(
    sweep: Sweep,
    guard: &Guard,
    handle: &Handle,
    compiled: &Compiled,
    plan: &TablePlan,
    cursor: Cursor,
    quota: &mut Quota,
    machine: &mut Machine,
    number: &mut u64,
) -> Result<Option<Cursor>, Raise<'e>> {
    let (table, program, access) = (&handle.table, &compiled.program, &plan.plan.access);
    Ok(match sweep {
        Sweep::Count => {
            let next = table.select_count(guard, program, access, cursor, quota, machine);
            *number += (usize::MAX - quota.matches) as u64;
            next
        }
        Sweep::Delete => {
            table.select_delete(guard, program, access, cursor, quota, machine, number)
        }
        Sweep::Replace => {
            table.select_replace(guard, program, access, cursor, quota, machine, number)
        }
    }?)
}
