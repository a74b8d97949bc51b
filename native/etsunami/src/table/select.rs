//! `select` and its family: a program over the objects that its plan finds.
//!
//! `select_delete` and `select_replace` look at each object once more under its key's lock, and
//! decide there: each is atomic per object. In bags, whose objects never change, `select_delete`
//! collects the objects of a key that match and removes many of them in one change.

use crate::engine::Word;
use crate::error::{Error, Stop};
use crate::matchspec::{
    Access, Machine, Outcome, Part, Plain, Plan, Program, Subject, SystemLimit,
};
use crate::reclaim::Guard;
use crate::term::buffer::Buffer;
use crate::term::object::{Object, ObjectPtr, retain};
use crate::term::view::{Term, View};

use super::generation::Step;
use super::groups;
use super::keys::Held;
use super::options::Kind;
use super::search::{Look, Quota, Visit};
use super::write::{put_step, remove_step};
use super::{Cursor, Direction, Draft, Table};

/// Why a search ended before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// As other operations.
    Stop(Stop),
    /// A result would be too large.
    SystemLimit,
}

impl From<SystemLimit> for Failure {
    fn from(_: SystemLimit) -> Failure {
        Failure::SystemLimit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Stop(error.into())
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        Failure::Stop(stop)
    }
}

/// Where a chunk ended; none at the end.
type Ended = Result<Option<Cursor>, Failure>;

fn look(matches: bool) -> Look {
    if matches { Look::Match } else { Look::Other }
}

/// What became of an object that was to be changed. Where a list insert is in the way, the chunk
/// ends before it.
fn unless_busy<T>(
    changed: Result<T, Failure>,
    look: impl FnOnce(T) -> Look,
) -> Result<Look, Failure> {
    match changed {
        Ok(changed) => Ok(look(changed)),
        Err(Failure::Stop(Stop::Busy)) => Ok(Look::Refused),
        Err(failure) => Err(failure),
    }
}

impl Table {
    /// The subject that an object is.
    ///
    /// # Safety
    /// The object lives for `'r`.
    #[inline(always)]
    unsafe fn subject<'r>(&self, object: ObjectPtr) -> Subject<'r> {
        // SAFETY: by contract.
        Subject::object(unsafe { object.elements() }, self.spec.keypos - 1)
    }

    /// How a program will run over this table.
    pub fn plan(&self, program: &Program) -> Plan {
        program.plan(self.spec.keypos, self.spec.kind == Kind::OrderedSet)
    }

    /// The results of a program, chunk by chunk: each match is told to `take`, which may refuse it;
    /// then the chunk ends before it. Without a cursor, the search is through.
    #[expect(clippy::too_many_arguments, reason = "a search has so many parts")]
    pub fn select<'g>(
        &self,
        guard: &'g Guard,
        program: &Program,
        access: &Access,
        cursor: Cursor,
        direction: Direction,
        quota: &mut Quota,
        machine: &mut Machine,
        mut take: impl FnMut(Object<'g>, Subject<'_>, Outcome<'_>) -> bool,
    ) -> Ended {
        self.search(guard, access, cursor, direction, quota, |object: ObjectPtr, _| {
            // SAFETY: the guard keeps the object.
            let (object, subject) = unsafe { (object.borrow(), self.subject(object)) };
            let Some(outcome) = program.run(subject, machine)? else { return Ok(Look::Other) };
            Ok(if take(object, subject, outcome) { Look::Match } else { Look::Refused })
        })
    }

    /// The results of a plain pattern, as [`Table::select`] gives those of a program.
    #[expect(clippy::too_many_arguments, reason = "a search has so many parts")]
    pub fn select_plain<'g>(
        &self,
        guard: &'g Guard,
        plain: &Plain,
        access: &Access,
        cursor: Cursor,
        direction: Direction,
        quota: &mut Quota,
        mut take: impl FnMut(Object<'g>, Subject<'_>, Outcome<'_>) -> bool,
    ) -> Ended {
        self.search_light(guard, access, cursor, direction, quota, |object: ObjectPtr, _| {
            // SAFETY: the guard keeps the object.
            let (object, subject) = unsafe { (object.borrow(), self.subject(object)) };
            if !plain.matches(&subject) {
                return Ok(Look::Other);
            }
            let taken = plain.give(&subject, |outcome| take(object, subject, outcome));
            Ok(if taken { Look::Match } else { Look::Refused })
        })
    }

    /// The result of a plain pattern for an object, told to `take`; none if it does not match.
    #[inline(always)]
    pub fn match_one<T>(
        &self,
        plain: &Plain,
        object: Object<'_>,
        take: impl FnOnce(Subject<'_>, Outcome<'_>) -> T,
    ) -> Option<T> {
        let subject = Subject::object(object.elements(), self.spec.keypos - 1);
        plain.matches(&subject).then(|| plain.give(&subject, |outcome| take(subject, outcome)))
    }

    /// Counts the objects that match a plain pattern, as [`Table::select_count`] does.
    pub fn count_plain(
        &self,
        guard: &Guard,
        plain: &Plain,
        access: &Access,
        cursor: Cursor,
        quota: &mut Quota,
    ) -> Ended {
        self.search_light(guard, access, cursor, Direction::Ascending, quota, |object, _| {
            // SAFETY: the guard keeps the object.
            Ok(look(plain.matches(&unsafe { self.subject(object) })))
        })
    }

    /// Where the objects are that a plain pattern can match; none if only a program's plan tells.
    pub fn access(&self, plain: &Plain) -> Option<Access> {
        plain.access(self.spec.keypos, self.spec.kind == Kind::OrderedSet)
    }

    /// Counts the objects for which a program gives `true`; `quota.matches` is used up by them.
    pub fn select_count(
        &self,
        guard: &Guard,
        program: &Program,
        access: &Access,
        cursor: Cursor,
        quota: &mut Quota,
        machine: &mut Machine,
    ) -> Ended {
        self.search(guard, access, cursor, Direction::Ascending, quota, |object, _| {
            // SAFETY: the guard keeps the object.
            Ok(look(program.run_bool(unsafe { self.subject(object) }, machine)?))
        })
    }

    /// Deletes the objects for which a program gives `true`; `deleted` counts them, also where
    /// this fails in the middle.
    #[expect(clippy::too_many_arguments, reason = "a search has so many parts")]
    pub fn select_delete(
        &self,
        guard: &Guard,
        program: &Program,
        access: &Access,
        cursor: Cursor,
        quota: &mut Quota,
        machine: &mut Machine,
        deleted: &mut u64,
    ) -> Ended {
        let ascending = Direction::Ascending;
        if !self.spec.kind.is_unique() {
            let found = Vec::new();
            let sweep = BagSweep { table: self, guard, program, machine, found, deleted };
            return self.search(guard, access, cursor, ascending, quota, sweep);
        }
        self.search(guard, access, cursor, ascending, quota, |object, _| {
            // SAFETY: the guard keeps the object.
            if !program.run_bool(unsafe { self.subject(object) }, machine)? {
                return Ok(Look::Other);
            }
            let done = self.delete_matching(guard, program, object, machine);
            unless_busy(done, |gone| {
                *deleted += u64::from(gone);
                look(gone)
            })
        })
    }

    /// Deletes an object that matched, if what has its key under the lock matches too.
    fn delete_matching(
        &self,
        guard: &Guard,
        program: &Program,
        object: ObjectPtr,
        machine: &mut Machine,
    ) -> Result<bool, Failure> {
        let generation = self.generation(guard)?;
        // SAFETY: the guard keeps the object.
        let key = self.key(unsafe { object.element(self.spec.keypos - 1) });
        self.modify(guard, generation, key, |held| {
            let Held::Object(current) = held else { return Step::keep(Ok(false)) };
            // SAFETY: the lock keeps it.
            match program.run_bool(unsafe { self.subject(current) }, machine) {
                Ok(true) => remove_step(held, Ok(true)),
                Ok(false) => Step::keep(Ok(false)),
                Err(limit) => Step::keep(Err(limit.into())),
            }
        })?
    }

    /// Replaces each object for which a program gives a tuple by that tuple; `replaced` counts
    /// them. The program has to keep keys, and the table may not be a bag. In a duplicate bag an
    /// object keeps its place among those of its key.
    #[expect(clippy::too_many_arguments, reason = "a search has so many parts")]
    pub fn select_replace(
        &self,
        guard: &Guard,
        program: &Program,
        access: &Access,
        cursor: Cursor,
        quota: &mut Quota,
        machine: &mut Machine,
        replaced: &mut u64,
    ) -> Ended {
        if self.spec.kind == Kind::Bag {
            return Err(Error::TableType.into());
        }
        if !program.keeps_key(self.spec.keypos) {
            return Err(Stop::Refused(Error::BadArgument).into());
        }
        let ascending = Direction::Ascending;
        self.search(guard, access, cursor, ascending, quota, |object, number| {
            // SAFETY: the guard keeps the object.
            if program.run(unsafe { self.subject(object) }, machine)?.is_none() {
                return Ok(Look::Other);
            }
            let done = self.replace_matching(guard, program, object, number, machine);
            unless_busy(done, |done| {
                *replaced += u64::from(done);
                look(done)
            })
        })
    }

    /// Replaces an object that matched, if what has its place under the lock matches too.
    fn replace_matching(
        &self,
        guard: &Guard,
        program: &Program,
        object: ObjectPtr,
        number: u64,
        machine: &mut Machine,
    ) -> Result<bool, Failure> {
        let generation = self.generation(guard)?;
        // SAFETY: the guard keeps the object.
        let key = self.key(unsafe { object.element(self.spec.keypos - 1) });
        let owned = &generation.keys().owned;
        let unique = self.spec.kind.is_unique();
        self.modify(guard, generation, key, |held| {
            let Some(current) = groups::member(held, number) else { return Step::keep(Ok(false)) };
            // SAFETY: the lock keeps it.
            let made = replacement(program, unsafe { self.subject(current) }, machine, key.digest);
            let step = match made {
                Ok(Made::Nothing) => return Step::keep(Ok(false)),
                Ok(Made::Same) => return Step::keep(Ok(true)),
                Ok(Made::Object(fresh)) if unique => put_step(held, fresh),
                Ok(Made::Object(fresh)) => {
                    let step = owned.replace_member(held, number, fresh);
                    step.expect("the member that was just looked at")
                }
                Err(failure) => return Step::keep(Err(failure)),
            };
            step.with(Ok(true))
        })?
    }
}

/// How many objects of a bag's key are looked at before those that match are deleted.
const SWEPT: usize = 2048;

/// How many of them one change takes, unless it takes them all: the key's lock is held meanwhile.
const SWEPT_AT_ONCE: usize = 256;

/// The visits of `select_delete` in bags. Objects of bags never change while they are stored, so one
/// that matched is deleted if it still is a member, without being looked at again.
struct BagSweep<'a> {
    table: &'a Table,
    guard: &'a Guard,
    program: &'a Program,
    machine: &'a mut Machine,
    /// What matched and is not deleted yet: objects of one key, by number.
    found: Vec<(u64, ObjectPtr)>,
    deleted: &'a mut u64,
}

impl BagSweep<'_> {
    /// Deletes some of what was found, all of which `word` has.
    fn delete(&mut self, word: Word, found: &[(u64, ObjectPtr)]) -> Result<(), Stop> {
        let table = self.table;
        let generation = table.generation(self.guard)?;
        // SAFETY: the guard keeps the objects.
        let key = table.key(unsafe { found[0].1.element(table.spec.keypos - 1) });
        let owned = &generation.keys().owned;
        *self.deleted += table
            .modify(self.guard, generation, key, |held| owned.remove_members(held, word, found))?;
        Ok(())
    }
}

impl Visit for BagSweep<'_> {
    type Error = Failure;

    #[inline(always)]
    fn look(&mut self, object: ObjectPtr, number: u64) -> Result<Look, Failure> {
        // SAFETY: the guard keeps the object.
        let subject = unsafe { self.table.subject(object) };
        let matches = self.program.run_bool(subject, self.machine)?;
        if matches {
            self.found.push((number, object));
        }
        Ok(look(matches))
    }

    fn room(&self) -> usize {
        SWEPT
    }

    fn settle(&mut self, word: Word) -> Result<bool, Failure> {
        if self.found.is_empty() {
            return Ok(true);
        }
        let found = std::mem::take(&mut self.found);
        let all = found.len() == groups::len(word);
        let mut parts = found.chunks(if all { found.len() } else { SWEPT_AT_ONCE });
        let done = parts.try_for_each(|part| self.delete(word, part));
        self.found = found;
        self.found.clear();
        match done {
            Err(Stop::Busy) => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }
}

/// What a program gives to put in an object's place.
enum Made {
    /// It does not match.
    Nothing,
    /// The object itself.
    Same,
    /// Another object.
    Object(ObjectPtr),
}

fn replacement(
    program: &Program,
    subject: Subject<'_>,
    machine: &mut Machine,
    hash: u64,
) -> Result<Made, Failure> {
    let Some(outcome) = program.run(subject, machine)? else { return Ok(Made::Nothing) };
    Ok(allocate(&subject, outcome, hash)?.map_or(Made::Same, Made::Object))
}

/// The object that a result is; none if it is the one that is there.
fn allocate(
    subject: &Subject,
    outcome: Outcome<'_>,
    hash: u64,
) -> Result<Option<ObjectPtr>, Error> {
    let mut buffer = Buffer::new();
    let arity = match outcome {
        Outcome::Part(Part::Object) => return Ok(None),
        Outcome::Part(Part::Term(term)) => match term.view() {
            View::Tuple(elements) => write_all(&mut buffer, subject, elements.map(Part::Term))?,
            _ => return Err(Error::BadArgument),
        },
        Outcome::Tuple(row) => write_all(&mut buffer, subject, row.iter().copied())?,
        Outcome::Part(Part::Word(_)) | Outcome::List(_) => return Err(Error::BadArgument),
    };
    let words = buffer.words();
    // SAFETY: the elements' root words and blocks were written above; each keeper in them is counted
    // for the object right behind, before anybody can give it back: the program and the object
    // that is replaced still hold theirs.
    let object = unsafe { Draft::new(words, arity) }.allocate(hash)?;
    // SAFETY: as above.
    (0..arity).for_each(|i| retain(unsafe { Term::at(words, i) }));
    Ok(Some(object))
}

/// Writes the elements of an object; gives their number.
fn write_all<'r>(
    buffer: &mut Buffer,
    subject: &Subject,
    parts: impl ExactSizeIterator<Item = Part<'r>>,
) -> Result<usize, Error> {
    let arity = parts.len();
    buffer.reserve(arity).map_err(|_| Error::SystemLimit)?;
    for (i, part) in parts.enumerate() {
        part.write(subject, buffer, i).map_err(|_| Error::SystemLimit)?;
    }
    Ok(arity)
}
