//! Read-modify-write of one object: `update_counter` and `update_element`.

use crate::engine::{Change, Delta};
use crate::error::{Error, Result, Stop};
use crate::reclaim::Guard;
use crate::term::buffer::Buffer;
use crate::term::layout;
use crate::term::number::Int;
use crate::term::object::{ObjectPtr, Replacement};
use crate::term::view::Term;

use super::generation::Step;
use super::groups::object_words;
use super::keys::{Held, Key, word_of};
use super::{Detached, Table};

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
        let sum = value + &self.increment;
        match &self.limit {
            Some((threshold, set)) if self.exceeds(&sum, threshold) => set.clone(),
            _ => sum,
        }
    }

    fn exceeds(&self, sum: &Int, threshold: &Int) -> bool {
        if self.increment.is_negative() { sum < threshold } else { sum > threshold }
    }
}

/// One step of `update_counter` whose numbers are small.
#[derive(Clone, Copy, Debug)]
pub struct SmallStep {
    /// The 1-based position of the counter.
    pub position: usize,
    /// What to add.
    pub increment: i64,
    /// As in [`CounterOp`].
    pub limit: Option<(i64, i64)>,
}

/// What became of the replacement of one element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assigned {
    /// It is replaced.
    Done,
    /// The key holds nothing.
    Absent,
    /// Nothing is done, and there is more to it: `update_element` has the answer.
    Undecided,
}

/// What became of one part of an update: as in ETS, the first part that is at fault decides.
pub type Verdict<T> = std::result::Result<T, Error>;

/// New values of elements, for `update_element`: 1-based positions. Later entries win.
pub type Update<'a> = [Verdict<(usize, Term<'a>)>];

/// The object that an update starts from.
#[derive(Clone, Copy)]
enum Base {
    /// It is stored.
    Stored(ObjectPtr),
    /// It is the caller's default, for a key that holds nothing.
    Default(ObjectPtr),
}

impl Base {
    fn of(held: Held, default: Option<&Detached>) -> Option<Base> {
        match (held, default) {
            (Held::Object(object), _) => Some(Base::Stored(object)),
            (_, default) => default.map(|default| Base::Default(default.object())),
        }
    }

    fn object(self) -> ObjectPtr {
        match self {
            Base::Stored(object) | Base::Default(object) => object,
        }
    }

    /// Store a changed copy.
    fn replace<R>(self, fresh: ObjectPtr, result: R) -> Step<R> {
        let words = object_words(fresh);
        let delta = match self {
            Base::Stored(old) => Delta { objects: 0, words: words - object_words(old) },
            Base::Default(_) => Delta { objects: 1, words },
        };
        Step { change: Change::Put(word_of(fresh)), delta, result }
    }

    /// A copy with some elements replaced (0-based, each at most once).
    fn with(self, mut changes: Vec<Replacement<'_>>) -> Verdict<ObjectPtr> {
        changes.sort_unstable_by_key(|change| change.at);
        // SAFETY: the caller holds the key's lock, or owns the default: it lives and stays as it
        // is.
        unsafe { self.object().clone_with(&changes) }.map_err(|_| Error::SystemLimit)
    }
}

impl Table {
    /// Applies the steps in order to the counters of one object, atomically, and gives the value
    /// after each. With a default, an absent object is first taken to be the default under this
    /// key, which must then own its foreign terms. All or nothing.
    pub fn update_counter(
        &self,
        guard: &Guard,
        key: Key<'_>,
        steps: &[Verdict<CounterOp>],
        default: Option<&Detached>,
    ) -> Result<Vec<Int>> {
        self.require_unique()?;
        let default = self.default_for(key, default)?;
        let done = self.modify(guard, self.generation(guard)?, key, |held| {
            let base = Base::of(held, default.as_ref()).ok_or(Error::BadKey);
            match base.and_then(|base| self.count(base, steps)) {
                Ok(step) => step,
                Err(error) => Step::keep(Err(error)),
            }
        });
        done?.map_err(Stop::from)
    }

    /// The decision of `update_counter`, under the lock.
    fn count(&self, base: Base, steps: &[Verdict<CounterOp>]) -> Verdict<Step<Verdict<Vec<Int>>>> {
        let object = base.object();
        let mut values = Vec::with_capacity(steps.len());
        let mut changed: Vec<(usize, Int)> = Vec::with_capacity(steps.len().min(object.arity()));
        for step in steps {
            let step = step.as_ref().map_err(|&error| error)?;
            let slot = self.slot_at(object, step.position)?;
            let value = match changed.iter_mut().find(|(at, _)| *at == slot) {
                Some((_, value)) => {
                    *value = step.apply(value);
                    value.clone()
                }
                None => {
                    let value = step.apply(&read_counter(object, slot)?);
                    changed.push((slot, value.clone()));
                    value
                }
            };
            values.push(value);
        }
        if let Base::Stored(object) = base
            && (changed.is_empty() || self.count_in_place(object, &changed))
        {
            return Ok(Step::keep(Ok(values)));
        }
        let fresh = replace_counters(base, &changed)?;
        Ok(base.replace(fresh, Ok(values)))
    }

    /// Changes one small counter where it stands, if it may.
    fn count_in_place(&self, object: ObjectPtr, changed: &[(usize, Int)]) -> bool {
        let &[(at, ref value)] = changed else { return false };
        let Some(word) = value.to_immediate() else { return false };
        // SAFETY: the caller holds the key's lock: the object is stored, and nobody else writes it.
        unsafe { object.set_in_place(self.spec.keypos - 1, at, word) }
    }

    /// The 0-based element at a position that may be changed.
    fn slot_at(&self, object: ObjectPtr, position: usize) -> Verdict<usize> {
        if position == 0 || position > object.arity() {
            Err(Error::Position)
        } else if position == self.spec.keypos {
            Err(Error::KeyPosition)
        } else {
            Ok(position - 1)
        }
    }

    /// Replaces elements of one object, atomically. Gives false if the key holds nothing and
    /// there is no default; with one, the default is inserted under this key first, which must then
    /// own its foreign terms.
    pub fn update_element(
        &self,
        guard: &Guard,
        key: Key<'_>,
        updates: &Update<'_>,
        default: Option<&Detached>,
    ) -> Result<bool> {
        if !self.spec.kind.is_unique() {
            // The cause is the one that ETS gives here.
            return Err(Error::BadArgument.into());
        }
        let default = self.default_for(key, default)?;
        let done = self.modify(guard, self.generation(guard)?, key, |held| {
            match Base::of(held, default.as_ref()) {
                None => Step::keep(Ok(false)),
                Some(base) => {
                    self.assign(base, updates).unwrap_or_else(|error| Step::keep(Err(error)))
                }
            }
        });
        done?.map_err(Stop::from)
    }

    /// The default with this key in it.
    fn default_for(&self, key: Key<'_>, default: Option<&Detached>) -> Verdict<Option<Detached>> {
        let Some(given) = default else { return Ok(None) };
        if given.object().arity() < self.spec.keypos {
            return Err(Error::BadArgument);
        }
        let change = Replacement { at: self.spec.keypos - 1, term: key.term };
        let base = Base::Default(given.object());
        base.with(vec![change]).map(|object| Some(Detached::of(object)))
    }
}

impl Table {
    /// The decision of `update_element`, under the lock.
    fn assign(&self, base: Base, updates: &Update<'_>) -> Verdict<Step<Verdict<bool>>> {
        let mut changes: Vec<Replacement<'_>> = Vec::with_capacity(updates.len());
        for update in updates {
            let (position, term) = (*update)?;
            let at = self.slot_at(base.object(), position)?;
            // The last update of each position stays.
            changes.retain(|known| known.at != at);
            changes.push(Replacement { at, term });
        }
        if let Base::Stored(object) = base
            && self.assign_in_place(object, &changes)
        {
            return Ok(Step::keep(Ok(true)));
        }
        let fresh = base.with(changes)?;
        Ok(base.replace(fresh, Ok(true)))
    }

    /// Replaces the mutable element of an object where it stands, if nothing else is to change.
    fn assign_in_place(&self, object: ObjectPtr, changes: &[Replacement<'_>]) -> bool {
        // SAFETY: the caller holds the key's lock: the object is stored, and nobody else writes it.
        let is_new = |change: &&Replacement<'_>| unsafe {
            let word = change.term.root();
            !layout::is_immediate(word) || object.element(change.at).root() != word
        };
        let mut changes = changes.iter().filter(is_new);
        match (changes.next(), changes.next()) {
            (None, _) => true,
            (Some(change), None) => {
                let (key, word) = (self.spec.keypos - 1, change.term.root());
                // SAFETY: as above.
                unsafe { object.set_in_place(key, change.at, word) }
            }
            _ => false,
        }
    }
}

fn read_counter(object: ObjectPtr, slot: usize) -> Verdict<Int> {
    // SAFETY: the slot is inside the object, which the lock or the caller's ownership keeps.
    Int::from_term(unsafe { object.element(slot) }).ok_or(Error::BadArgument)
}

fn replace_counters(base: Base, changed: &[(usize, Int)]) -> Verdict<ObjectPtr> {
    let mut buffer = Buffer::new();
    buffer.reserve(changed.len()).map_err(|_| Error::SystemLimit)?;
    for (root, (_, value)) in changed.iter().enumerate() {
        value.to_buffer(&mut buffer, root).map_err(|_| Error::SystemLimit)?;
    }
    let changes = changed
        .iter()
        .enumerate()
        // SAFETY: root `i` of the buffer was written above, with its block.
        .map(|(i, &(at, _))| Replacement { at, term: unsafe { Term::at(buffer.words(), i) } })
        .collect();
    base.with(changes)
}
