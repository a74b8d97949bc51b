//! `select_count`, `select_delete` and `select_replace`: searches of which only a number is wanted.
//!
//! `{more, Table, Compiled, Cursor, Number}` says that the call is to be made again with these.

use etsunami::matchspec::Machine;
use etsunami::reclaim::{Guard, pin};
use etsunami::table::options::{Kind, Need};
use etsunami::table::{Cursor, Quota};

use super::cursor::{cursor_of, cursor_term};
use crate::args;
use crate::atoms::atoms;
use crate::budget::{self, Pace};
use crate::compiled::{Compiled, TablePlan};
use crate::error::{BADARG, Cause, Raise};
use crate::raw::Answer;
use crate::raw_nif;
use crate::resource::{self, Handle};
use crate::vm::{Env, VmTerm};

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
    let (next, number) = run(env, sweep, &guard, handle, (compiled, &plan), cursor, before)?;
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

/// Goes over objects until the time is up; adds to the number.
fn run<'e>(
    env: Env<'e>,
    sweep: Sweep,
    guard: &Guard,
    handle: &Handle,
    (compiled, plan): (&Compiled, &TablePlan),
    mut cursor: Cursor,
    mut number: u64,
) -> Result<(Option<Cursor>, u64), Raise<'e>> {
    let normal = budget::on_normal_scheduler();
    let mut machine = compiled.machine(env);
    let (mut pace, largest) =
        (Pace::of_program(normal, compiled.program.words()), budget::largest_object(normal));
    let next = loop {
        let mut quota = Quota { visits: pace.step(), largest, ..Quota::default() };
        let (quota, machine) = (&mut quota, &mut machine);
        let next = step(sweep, guard, handle, compiled, plan, cursor, quota, machine, &mut number)?;
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
