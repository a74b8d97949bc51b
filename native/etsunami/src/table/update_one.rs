//! Read-modify-write of one element: the usual calls of `update_counter` and `update_element`,
//! without the lists that the general ones need.
//!
//! What is not usual is not decided here: the functions of [`super::update`] then have the answer,
//! be it an error.

use crate::engine::{Change, Delta};
use crate::reclaim::Guard;
use crate::term::layout::{self, immediate};
use crate::term::object::{ObjectPtr, Replacement, SystemLimit};
use crate::term::view::Term;

use super::generation::Step;
use super::keys::{Held, Key, word_of};
use super::{Assigned, SmallStep, Table};

impl SmallStep {
    /// The value after this step.
    #[inline(always)]
    fn apply(&self, value: i64) -> Option<i64> {
        let sum = value.checked_add(self.increment)?;
        Some(match self.limit {
            Some((threshold, set)) if self.exceeds(sum, threshold) => set,
            _ => sum,
        })
    }

    fn exceeds(&self, sum: i64, threshold: i64) -> bool {
        if self.increment < 0 { sum < threshold } else { sum > threshold }
    }
}

impl Table {
    /// Adds to one small counter of a stored object, if there is nothing more to it: the object is
    /// there, and so is the small integer at that position, beside the key; and small is what it
    /// becomes. Else nothing is done, and `update_counter` has the answer. Atomic.
    #[inline]
    pub fn count_small(&self, guard: &Guard, key: Key<'_>, step: SmallStep) -> Option<i64> {
        let at = self.index_beside_key(step.position)?;
        let done = self.modify(guard, self.generation(guard).ok()?, key, |held| match held {
            Held::Object(object) => {
                self.counted(object, at, step).unwrap_or_else(|| Step::keep(None))
            }
            _ => Step::keep(None),
        });
        done.ok().flatten()
    }

    /// Replaces one element of a stored object, if there is nothing more to it: the object is
    /// there, and has an element at that position, which is not its key. Atomic.
    #[inline]
    pub fn assign_one(
        &self,
        guard: &Guard,
        key: Key<'_>,
        position: usize,
        term: Term<'_>,
    ) -> Assigned {
        let (Some(at), Ok(generation)) = (self.index_beside_key(position), self.generation(guard))
        else {
            return Assigned::Undecided;
        };
        let done = self.modify(guard, generation, key, |held| match held {
            Held::Object(object) => self
                .assigned(object, at, term)
                .map_or_else(|| Step::keep(Assigned::Undecided), |step| step.with(Assigned::Done)),
            _ => Step::keep(Assigned::Absent),
        });
        done.unwrap_or(Assigned::Undecided)
    }

    /// The index of an element that may be changed, as far as the table tells.
    #[inline(always)]
    fn index_beside_key(&self, position: usize) -> Option<usize> {
        let fits = self.spec.kind.is_unique() && position != self.spec.keypos;
        if fits { position.checked_sub(1) } else { None }
    }

    /// The decision of `count_small`, under the lock.
    #[inline(always)]
    fn counted(&self, object: ObjectPtr, at: usize, step: SmallStep) -> Option<Step<Option<i64>>> {
        let word = root(object, at).filter(|&word| immediate::is_small(word))?;
        let value = step.apply(immediate::small_value(word))?;
        let done = self.put_word(object, at, immediate::small(value)?).ok()?;
        Some(done.with(Some(value)))
    }

    /// The decision of `assign_one`, under the lock.
    #[inline(always)]
    fn assigned(&self, object: ObjectPtr, at: usize, term: Term<'_>) -> Option<Step<()>> {
        let (old, new) = (root(object, at)?, term.root());
        let done = if layout::is_immediate(old) && layout::is_immediate(new) {
            self.put_word(object, at, new)
        } else {
            put_copy(object, Replacement { at, term })
        };
        done.ok()
    }

    /// Puts an immediate in place of another one, where it stands or in a copy, which is as long.
    #[inline(always)]
    fn put_word(&self, object: ObjectPtr, at: usize, word: u64) -> Result<Step<()>, SystemLimit> {
        // SAFETY: the caller holds the key's lock: the object is stored, and nobody else writes it.
        if unsafe { object.set_in_place(self.spec.keypos - 1, at, word) } {
            return Ok(Step::keep(()));
        }
        put_copy_with_word(object, at, word)
    }
}

/// Its own function, so that the word needs no place in memory where it is changed in place.
#[inline(never)]
fn put_copy_with_word(object: ObjectPtr, at: usize, word: u64) -> Result<Step<()>, SystemLimit> {
    put_copy(object, Replacement { at, term: Term::immediate(&word) })
}

/// Stores a copy with one element replaced.
#[inline(never)]
fn put_copy(object: ObjectPtr, change: Replacement<'_>) -> Result<Step<()>, SystemLimit> {
    // SAFETY: the caller holds the key's lock: the object lives and stays as it is.
    let (old, fresh) = unsafe { (object.element(change.at), object.clone_with_one(change)?) };
    let words = change.term.words() as i64 - old.words() as i64;
    Ok(Step { change: Change::Put(word_of(fresh)), delta: Delta { objects: 0, words }, result: () })
}

/// The root word of an element, if there is one.
#[inline(always)]
fn root(object: ObjectPtr, at: usize) -> Option<u64> {
    // SAFETY: the caller holds the key's lock, which keeps the object.
    (at < object.arity()).then(|| unsafe { object.element(at) }.root())
}
