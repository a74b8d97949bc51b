//! `select` and what goes on from it.
//!
//! A search that is not through when its time is up answers with a continuation, of the same shape
//! as those that users get: nothing but terms is kept meanwhile. `{more, Continuation}` says that
//! it is to be called again at once.
//!
//! | tables | continuation |
//! | --- | --- |
//! | hash | `{Table, Position, Chunk, Compiled, List, Got}` |
//! | ordered | `{Table, Key, End, Chunk, Compiled, List, Reverse, Got}` |
//!
//! `Chunk` is 0 for all results at once; `List` are the `Got` results so far. `Position` is twice
//! the position of the cursor, plus one if the cursor stands inside a key: then the first in the
//! list is `{Key, Number}`. `End` is `[]`, or `start` if nothing has been passed yet.
//!
//! The results so far are put before one another, so they are in reverse order. `{reverse, List}`
//! and `{reverse, List, Continuation}` leave it to the caller to put them right. Where the order
//! of a table is known and everything is wanted, the search goes the other way instead.

use etsunami::matchspec::{Access, Outcome, Plain, Subject};
use etsunami::reclaim::{Guard, pin};
use etsunami::table::options::{Kind, Need};
use etsunami::table::select::Failure;
use etsunami::table::{Cursor, Direction, Quota};
use etsunami::term::object::Object;

use super::owned;
use crate::args::{self, Parsed};
use crate::atoms::atoms;
use crate::budget::{self, Pace};
use crate::codec::decode;
use crate::codec::encode::Role;
use crate::codec::pattern::{self, Room};
use crate::compiled::{Compiled, TablePlan};
use crate::error::{BADARG, Raise, SYSTEM_LIMIT};
use crate::raw::Answer;
use crate::raw_nif;
use crate::resource::{self, Handle};
use crate::results::{self, Results};
use crate::vm::{Env, VmTerm};
use crate::vm_terms::make;

impl From<Failure> for Raise<'_> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Stop(stop) => stop.into(),
            Failure::SystemLimit => SYSTEM_LIMIT,
        }
    }
}

raw_nif! {
    /// `select(Table, Spec, Chunk, Reverse)`, where a chunk of 0 stands for all results.
    fn select/4(env, &[table, spec, chunk, reverse]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Read)?;
        let wanted = Wanted { chunk: natural(env, chunk)?, reverse: args::boolean(reverse)? };
        let search = Search { env, guard: &guard, handle, wanted };
        let (mut room, mut plain) = (Room::default(), Plain::of_any());
        if pattern::read(env, spec, &mut room, &mut plain).is_some() {
            if let Some(answer) = search.at_key(&plain)? {
                return Ok(answer);
            }
            if let Some(access) = handle.table.access(&plain) {
                let found = search.run_plain(&plain, &access, SoFar::nothing(env))?;
                return found.answer(&search, |env| keep(env, Compiled::parse(env, spec)?, handle));
            }
        }
        if env.is_nil(spec) {
            // It has no clause that could match.
            let nothing = if wanted.chunk == 0 { spec } else { atoms().end_of_table };
            return Ok(nothing);
        }
        let (compiled, so_far) = (Compiled::parse(env, spec)?, SoFar::nothing(env));
        let plan = compiled.fresh_plan(&handle.table);
        search.run(&compiled, &plan, so_far)?.answer(&search, |env| compiled.keep(plan, env))
    }
}

raw_nif! {
    /// `select(Continuation)`
    fn select_on as ("select")/1(env, &[continuation]) {
        let parts = env.tuple(continuation).ok_or(BADARG)?;
        let guard = pin();
        let table = *parts.first().ok_or(BADARG)?;
        let handle = resource::table(env, &guard, table, Need::Read)?;
        let (wanted, term, so_far) = match handle.table.spec().kind {
            Kind::OrderedSet => ordered(env, parts)?,
            _ => hashed(env, parts)?,
        };
        let compiled = Compiled::find(env, term).ok_or(BADARG)?;
        compiled.require_short()?;
        let search = Search { env, guard: &guard, handle, wanted };
        let (plan, mut plain) = (compiled.plan(&handle.table), Plain::of_any());
        let found = match plain.read(compiled.program.spec()) {
            Some(()) => search.run_plain(&plain, &plan.plan.access, so_far),
            None => search.run(compiled, &plan, so_far),
        };
        found?.answer(&search, |_| Ok(term))
    }
}

/// What a search that began without a program goes on with.
#[cold]
fn keep<'e>(env: Env<'e>, compiled: Compiled, handle: &Handle) -> Answer<'e> {
    let plan = compiled.fresh_plan(&handle.table);
    compiled.keep(plan, env)
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    /// How many results; 0 for all.
    chunk: usize,
    reverse: bool,
}

/// Where a search has come to.
struct SoFar<'e> {
    cursor: Cursor,
    list: VmTerm<'e>,
    got: usize,
}

impl<'e> SoFar<'e> {
    /// Where a search begins.
    fn nothing(env: Env<'e>) -> SoFar<'e> {
        SoFar { cursor: Cursor::Start, list: env.make_list(&[]), got: 0 }
    }
}

type Read<'e> = (Wanted, VmTerm<'e>, SoFar<'e>);

/// A small integer from 0 on.
fn natural<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, usize> {
    args::small_int(env, term).and_then(|value| value.try_into().ok()).ok_or(BADARG)
}

fn list<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, VmTerm<'e>> {
    if args::is_list(env, term) { Ok(term) } else { Err(BADARG) }
}

fn hashed<'e>(env: Env<'e>, parts: &[VmTerm<'e>]) -> Parsed<'e, Read<'e>> {
    let &[_, position, chunk, compiled, list, got] = parts else { return Err(BADARG) };
    let (position, mut list) = (natural(env, position)? as u64, self::list(env, list)?);
    let wanted = Wanted { chunk: natural(env, chunk)?, reverse: false };
    let mut cursor = Cursor::Position(position >> 1);
    if position & 1 == 1 {
        let (member, rest) = env.cell(list).ok_or(BADARG)?;
        let [key, number] = args::tuple(env, member).ok_or(BADARG)?;
        let (key, number) = (owned(env, key, Role::Key)?, args::natural(env, number)?);
        cursor = Cursor::Member(position >> 1, key, number);
        list = self::list(env, rest)?;
    }
    Ok((wanted, compiled, SoFar { cursor, list, got: natural(env, got)? }))
}

fn ordered<'e>(env: Env<'e>, parts: &[VmTerm<'e>]) -> Parsed<'e, Read<'e>> {
    let &[_, key, end, chunk, compiled, list, reverse, got] = parts else { return Err(BADARG) };
    let wanted = Wanted { chunk: natural(env, chunk)?, reverse: natural(env, reverse)? != 0 };
    let (list, got) = (self::list(env, list)?, natural(env, got)?);
    let cursor = match end.word() == atoms().start.word() {
        true => Cursor::Start,
        false => Cursor::After(owned(env, key, Role::Key)?),
    };
    Ok((wanted, compiled, SoFar { cursor, list, got }))
}

/// Searches from a cursor on until a quota is used up.
type Step<'s, 'e> = dyn FnMut(Cursor, Direction, &mut Quota, &mut Results<'e>) -> Result<Option<Cursor>, Failure>
    + 's;

/// The search of one call.
struct Search<'e, 'g> {
    env: Env<'e>,
    guard: &'g Guard,
    handle: &'g Handle,
    wanted: Wanted,
}

/// What has been found when a call ends.
struct Found<'e> {
    /// By this call.
    results: Vec<VmTerm<'e>>,
    /// By calls before.
    before: VmTerm<'e>,
    /// How many together.
    got: usize,
    next: Option<Cursor>,
}

impl<'e> Search<'e, '_> {
    fn kind(&self) -> Kind {
        self.handle.table.spec().kind
    }

    /// Everything is collected from the end, because it is put before one another.
    fn direction(&self) -> Direction {
        if self.wanted.reverse != (self.wanted.chunk == 0) {
            Direction::Descending
        } else {
            Direction::Ascending
        }
    }

    /// True if results that are put before one another are then in the wrong order. In a set they
    /// have none.
    fn is_turned(&self) -> bool {
        match self.kind() {
            Kind::Set => false,
            Kind::OrderedSet => self.wanted.chunk > 0,
            Kind::Bag | Kind::DuplicateBag => true,
        }
    }

    /// The answer where a plain pattern tells the key, and the key holds one object or none: most
    /// searches are lookups.
    #[inline(always)]
    fn at_key(&self, plain: &Plain) -> Result<Option<VmTerm<'e>>, Raise<'e>> {
        let (env, table) = (self.env, &self.handle.table);
        let Some(key) = plain.key(table.spec().keypos) else { return Ok(None) };
        let hit = table.find(self.guard, table.key(key));
        let found = match hit.single() {
            Some(object) if object.words() <= budget::INDIVISIBLE_WORDS => {
                table.match_one(plain, object, |subject, outcome| {
                    results::one(env, object, subject, outcome)
                })
            }
            None if hit.is_absent() => {
                self.handle.require_there()?;
                None
            }
            _ => return Ok(None),
        };
        Ok(Some(match found {
            Some(result) if self.wanted.chunk == 0 => env.make_list(&[result]),
            Some(result) => env.make_tuple(&[env.make_list(&[result]), atoms().end_of_table]),
            None if self.wanted.chunk == 0 => env.make_list(&[]),
            None => atoms().end_of_table,
        }))
    }

    /// Runs a program.
    fn run(
        &self,
        compiled: &Compiled,
        plan: &TablePlan,
        so_far: SoFar<'e>,
    ) -> Result<Found<'e>, Raise<'e>> {
        let (env, guard, table) = (self.env, self.guard, &self.handle.table);
        let mut machine = compiled.machine(env);
        let (program, access) = (&compiled.program, &plan.plan.access);
        self.chunk(program.words(), so_far, &mut |cursor, direction, quota, results| {
            let take = |object: Object<'_>, subject: Subject<'_>, outcome: Outcome<'_>| {
                let whole = || results::object(env, object, subject);
                results.take(object.words(), outcome, whole)
            };
            table.select(guard, program, access, cursor, direction, quota, &mut machine, take)
        })
    }

    /// Runs a plain pattern.
    fn run_plain(
        &self,
        plain: &Plain,
        access: &Access,
        so_far: SoFar<'e>,
    ) -> Result<Found<'e>, Raise<'e>> {
        let (env, guard, table) = (self.env, self.guard, &self.handle.table);
        self.chunk(0, so_far, &mut |cursor, direction, quota, results| {
            let take = |object: Object<'_>, subject: Subject<'_>, outcome: Outcome<'_>| {
                let whole = || results::object(env, object, subject);
                results.take(object.words(), outcome, whole)
            };
            table.select_plain(guard, plain, access, cursor, direction, quota, take)
        })
    }

    /// Makes steps until the chunk is full, the time is up or the search is through. What runs has so
    /// many words.
    fn chunk(
        &self,
        words: usize,
        so_far: SoFar<'e>,
        step: &mut Step<'_, 'e>,
    ) -> Result<Found<'e>, Raise<'e>> {
        let (normal, direction) = (budget::on_normal_scheduler(), self.direction());
        let mut results = Results::new(self.env, normal);
        let mut pace = Pace::of_program(normal, words);
        let SoFar { mut cursor, list, got } = so_far;
        let largest = budget::largest_object(normal);
        let next = loop {
            let matches = self.left(got + results.terms.len());
            let mut quota = Quota { matches, visits: pace.step(), largest, ..Quota::default() };
            let next = step(cursor, direction, &mut quota, &mut results)?;
            if results.is_too_long() || pace.is_stuck(&quota) {
                return Err(Raise::Dirty);
            }
            let Some(next) = next else { break None };
            let full = results.is_full() || quota.met_large || quota.matches == 0;
            if full || !pace.goes_on() {
                break Some(next);
            }
            cursor = next;
        };
        pace.charge(self.env);
        let got = got + results.terms.len();
        Ok(Found { results: results.terms, before: list, got, next })
    }

    /// How many more results are wanted.
    fn left(&self, got: usize) -> usize {
        let chunk = if self.wanted.chunk == 0 { usize::MAX } else { self.wanted.chunk };
        chunk.saturating_sub(got)
    }
}

impl<'e> Found<'e> {
    fn answer(
        self,
        search: &Search<'e, '_>,
        compiled: impl FnOnce(Env<'e>) -> Answer<'e>,
    ) -> Answer<'e> {
        let (env, enough) = (search.env, search.left(self.got) == 0);
        let nil = env.make_list(&[]);
        match self.next {
            Some(cursor) if !enough => {
                let list = put_before(env, &self.results, self.before);
                let so_far = SoFar { cursor, list, got: self.got };
                let next = search.continuation(so_far, compiled(env)?);
                Ok(env.make_tuple(&[atoms().more, next]))
            }
            _ if search.wanted.chunk == 0 => Ok(search.all(self.results, self.before, None)),
            None if self.got == 0 => Ok(atoms().end_of_table),
            None => Ok(search.all(self.results, self.before, Some(atoms().end_of_table))),
            Some(cursor) => {
                let from_here = SoFar { cursor, list: nil, got: 0 };
                let next = search.continuation(from_here, compiled(env)?);
                Ok(search.all(self.results, self.before, Some(next)))
            }
        }
    }
}

/// Puts results before others, the last in front.
fn put_before<'e>(env: Env<'e>, results: &[VmTerm<'e>], before: VmTerm<'e>) -> VmTerm<'e> {
    results.iter().fold(before, |tail, &result| make::cell(env, result, tail))
}

impl<'e> Search<'e, '_> {
    /// The last answer of a search: all results, and what goes on behind a chunk of them.
    fn all(
        &self,
        mut results: Vec<VmTerm<'e>>,
        before: VmTerm<'e>,
        next: Option<VmTerm<'e>>,
    ) -> VmTerm<'e> {
        let env = self.env;
        if env.is_nil(before) {
            if !self.is_turned() {
                results.reverse();
            }
            let list = env.make_list(&results);
            return next.map_or(list, |next| env.make_tuple(&[list, next]));
        }
        let list = put_before(env, &results, before);
        match (self.is_turned(), next) {
            (false, None) => list,
            (false, Some(next)) => env.make_tuple(&[list, next]),
            (true, None) => env.make_tuple(&[atoms().reverse, list]),
            (true, Some(next)) => env.make_tuple(&[atoms().reverse, list, next]),
        }
    }

    fn continuation(&self, so_far: SoFar<'e>, compiled: VmTerm<'e>) -> VmTerm<'e> {
        let env = self.env;
        let (table, number) = (self.handle.id(env), |n: usize| env.make_uint64(n as u64));
        let (chunk, got, list) = (number(self.wanted.chunk), number(so_far.got), so_far.list);
        let (nil, start) = (env.make_list(&[]), atoms().start);
        let reverse = number(usize::from(self.wanted.reverse));
        let position = |position: u64, inside: u64| env.make_uint64(position << 1 | inside);
        let ordered =
            |key, end| env.make_tuple(&[table, key, end, chunk, compiled, list, reverse, got]);
        let hashed = |at, list| env.make_tuple(&[table, at, chunk, compiled, list, got]);
        match so_far.cursor {
            Cursor::After(key) => ordered(decode::term(env, key.term()), nil),
            Cursor::Start if self.kind() == Kind::OrderedSet => ordered(nil, start),
            Cursor::Start => hashed(position(0, 0), list),
            Cursor::Position(at) => hashed(position(at, 0), list),
            Cursor::Member(at, key, number) => {
                let key = decode::term(env, key.term());
                let member = env.make_tuple(&[key, env.make_uint64(number)]);
                hashed(position(at, 1), env.make_cell(member, list))
            }
        }
    }
}
