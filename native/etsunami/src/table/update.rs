//! Read-modify-write of one object: `update_counter` and `update_element`.

use crate::engine::{Change, Delta};
use crate::error::{Error, Result, Stop};
use crate::reclaim::Guard;
use crate::term::{Int, ObjectPtr, Replacement, layout::immediate};

use super::generation::Step;
use super::groups::object_words;
use super::keys::{Held, Key, word_of};
use super::{Draft, Table};

/// One step of `update_counter`.
#[derive(Clone, Debug)]
pub struct CounterOp {
    /// The 1-based position of the counter.
    pub position: usize,
    /// What to add.
    pub increment: Int,
    /// `{Threshold, SetValue}`: a result beyond the threshold, seen in the direction of the
    /// increment, becomes the set value.
    pub limit: Option<(Int, Int)>,
}

impl CounterOp {
    /// The value after this step.
    fn apply(&self, value: &Int) -> Int {
        let sum = value.add(&self.increment);
        match &self.limit {
            Some((threshold, set)) if self.exceeds(&sum, threshold) => set.clone(),
            _ => sum,
        }
    }

    fn exceeds(&self, sum: &Int, threshold: &Int) -> bool {
        if self.increment.is_negative() { sum < threshold } else { sum > threshold }
    }
}

/// New values of elements, for `update_element`: 1-based positions; the words of each value are
/// an encoded term. Later entries win.
pub type Update<'a> = [(usize, crate::term::Term<'a>)];

type Refusable<R> = std::result::Result<R, Error>;

impl Table {
    /// Applies the steps in order to the counters of one object, atomically, and gives the value
    /// after each. With a default, an absent object is first taken to be the default under this
    /// key. All or nothing.
    pub fn update_counter(
        &self,
        guard: &Guard,
        key: Key<'_>,
        steps: &[CounterOp],
        default: Option<Draft<'_>>,
    ) -> Result<Vec<Int>> {
        self.require_unique()?;
        if let Some(draft) = &default
            && draft.arity < self.spec.keypos
        {
            return Err(Error::BadArgument.into());
        }
        let default = self.allocate_default(key, default)?;
        let done = self.modify(guard, self.generation(guard), key, |held| {
            let (object, stored) = match (held, default) {
                (Held::Object(object), _) => (object, true),
                (_, Some(object)) => (object, false),
                _ => return Step::keep(Err(Error::BadKey)),
            };
            self.count(object, stored, steps).unwrap_or_else(|error| Step::keep(Err(error)))
        });
        self.finish_default(default, &done);
        done?.map(|(values, _)| values).map_err(Stop::from)
    }

    /// The decision of `update_counter` under the lock. The flag in the result tells whether the
    /// default object itself was stored.
    fn count(
        &self,
        object: ObjectPtr,
        stored: bool,
        steps: &[CounterOp],
    ) -> Refusable<Step<Refusable<(Vec<Int>, bool)>>> {
        let mut values = Vec::with_capacity(steps.len());
        let mut changed: Vec<(usize, Int)> = Vec::with_capacity(steps.len());
        for step in steps {
            let slot = self.counter_slot(object, step.position)?;
            let value = match changed.iter().rev().find(|(at, _)| *at == slot) {
                Some((_, value)) => step.apply(value),
                None => step.apply(&read_counter(object, slot)?),
            };
            changed.retain(|(at, _)| *at != slot);
            changed.push((slot, value.clone()));
            values.push(value);
        }
        if let ([(slot, value)], true, true) = (&changed[..], stored, object.arity() <= 2)
            && let Some(word) = value.to_small()
            && immediate::is_small(object.root(*slot))
        {
            // Readers see the one element that may change before or after this store.
            object.set_immediate(*slot, word);
            return Ok(Step::keep(Ok((values, false))));
        }
        if changed.is_empty() && stored {
            return Ok(Step::keep(Ok((values, false))));
        }
        if changed.is_empty() {
            return Ok(replace(object, false, object).with_result(Ok((values, true))));
        }
        let replacements: Vec<(usize, Replacement<'_>)> =
            changed.iter().map(|(slot, value)| (*slot, Replacement::Int(value))).collect();
        let fresh = object.with_elements(&replacements).map_err(|_| Error::SystemLimit)?;
        Ok(replace(object, stored, fresh).with_result(Ok((values, false))))
    }

    /// The 0-based element of a counter.
    fn counter_slot(&self, object: ObjectPtr, position: usize) -> Refusable<usize> {
        if position == 0 || position > object.arity() {
            Err(Error::Position)
        } else if position == self.spec.keypos {
            Err(Error::KeyPosition)
        } else {
            Ok(position - 1)
        }
    }

    /// Replaces elements of one object, atomically. Gives false if the key holds nothing and
    /// there is no default; with one, the default is inserted under this key first.
    pub fn update_element(
        &self,
        guard: &Guard,
        key: Key<'_>,
        updates: &Update<'_>,
        default: Option<Draft<'_>>,
    ) -> Result<bool> {
        self.require_unique()?;
        if updates.iter().any(|&(position, _)| position == self.spec.keypos) {
            return Err(Error::KeyPosition.into());
        }
        if let Some(draft) = &default
            && draft.arity < self.spec.keypos
        {
            return Err(Error::BadArgument.into());
        }
        let default = self.allocate_default(key, default)?;
        let done = self.modify(guard, self.generation(guard), key, |held| {
            let (object, stored) = match (held, default) {
                (Held::Object(object), _) => (object, true),
                (_, Some(object)) => (object, false),
                _ => return Step::keep(Ok((false, false))),
            };
            self.assign(object, stored, updates).unwrap_or_else(|error| Step::keep(Err(error)))
        });
        self.finish_default(default, &done);
        done?.map(|(found, _)| found).map_err(Stop::from)
    }

    fn assign(
        &self,
        object: ObjectPtr,
        stored: bool,
        updates: &Update<'_>,
    ) -> Refusable<Step<Refusable<(bool, bool)>>> {
        if updates.iter().any(|&(position, _)| position == 0 || position > object.arity()) {
            return Err(Error::Position);
        }
        if updates.is_empty() {
            let step = if stored {
                Step::keep(())
            } else {
                replace(object, false, object)
            };
            return Ok(step.with_result(Ok((true, !stored))));
        }
        let replacements: Vec<(usize, Replacement<'_>)> = last_of_each(updates);
        let fresh = object.with_elements(&replacements).map_err(|_| Error::SystemLimit)?;
        Ok(replace(object, stored, fresh).with_result(Ok((true, false))))
    }

    /// The default as an object whose key element is `key`.
    fn allocate_default(
        &self,
        key: Key<'_>,
        draft: Option<Draft<'_>>,
    ) -> Result<Option<ObjectPtr>> {
        let Some(draft) = draft else { return Ok(None) };
        let given = draft.allocate(key.digest)?;
        let rekeyed =
            given.with_elements(&[(self.spec.keypos - 1, Replacement::Term(key.term))]);
        // SAFETY: `given` was never stored.
        unsafe { given.free() };
        rekeyed.map(Some).map_err(|_| Error::SystemLimit.into())
    }

    /// Frees the default unless it was itself stored.
    fn finish_default<T>(
        &self,
        default: Option<ObjectPtr>,
        done: &Result<Refusable<(T, bool)>>,
    ) {
        let stored = matches!(done, Ok(Ok((_, true))));
        if let (Some(object), false) = (default, stored) {
            // SAFETY: it was not stored: what was stored, if anything, is a copy.
            unsafe { object.free() };
        }
    }
}

fn read_counter(object: ObjectPtr, slot: usize) -> Refusable<Int> {
    // SAFETY: in bounds (checked by `counter_slot`); the caller's guard or ownership keeps it.
    Int::from_term(unsafe { object.element(slot) }).ok_or(Error::BadArgument)
}

/// Store `fresh` where `old` stands, or, if `old` was never stored, as a new object.
fn replace(old: ObjectPtr, stored: bool, fresh: ObjectPtr) -> Step<()> {
    let words = object_words(fresh);
    let delta = if stored {
        Delta { objects: 0, words: words - object_words(old) }
    } else {
        Delta { objects: 1, words }
    };
    Step { change: Change::Put(word_of(fresh)), delta, result: () }
}

/// The last update of each position, 0-based.
fn last_of_each<'a>(updates: &Update<'a>) -> Vec<(usize, Replacement<'a>)> {
    let mut kept: Vec<(usize, Replacement<'a>)> = Vec::with_capacity(updates.len());
    for &(position, term) in updates {
        kept.retain(|(slot, _)| *slot != position - 1);
        kept.push((position - 1, Replacement::Term(term)));
    }
    kept
}

impl Step<()> {
    fn with_result<R>(self, result: R) -> Step<R> {
        Step { change: self.change, delta: self.delta, result }
    }
}
