//! Read-modify-write of one object: `update_counter` and `update_element`.
//!
//! Each has two entries and one decision. `update_counter` and `update_element` take everything
//! and give the errors. [`Table::count_few`] and [`Table::assign_few`] take a few small steps of
//! the usual calls, and allocate nothing but the object that they store; what they cannot do they
//! leave alone, errors too.
//!
//! An update that comes to one new immediate in the object's mutable element is one store there.
//! Any other is made in a copy of the object, so that readers see all of its changes or none.

use crate::engine::{Change, Delta};
use crate::error::{Error, Result};
use crate::reclaim::Guard;
use crate::term::buffer::Buffer;
use crate::term::layout;
use crate::term::number::Int;
use crate::term::object::{ObjectPtr, Replacement};
use crate::term::view::Term;

use super::counter::{CounterOp, Number, Small};
use super::generation::Step;
use super::groups::object_words;
use super::keys::{Held, Key, word_of};
use super::touched::Touched;
use super::{Detached, Table};

/// What became of the replacement of a few elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assigned {
    /// They are replaced.
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

    /// Store a changed copy, which has so many words more.
    fn replace(self, fresh: ObjectPtr, words: i64) -> Step<()> {
        let delta = match self {
            Base::Stored(_) => Delta { objects: 0, words },
            Base::Default(_) => Delta { objects: 1, words: object_words(fresh) },
        };
        Step { change: Change::Put(word_of(fresh)), delta, result: () }
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
        let mut values = vec![Int::Small(0); steps.len()];
        let done = self.modify(guard, self.generation(guard)?, key, |held| {
            let decided = Base::of(held, default.as_ref()).ok_or(Error::BadKey).and_then(|base| {
                let steps = steps.iter().map(|step| step.as_ref().map_err(|&error| error));
                let mut touched = self.count(base.object(), steps, &mut values)?;
                self.store_counters(base, touched.entries(), &values)
            });
            decide(decided)
        });
        done??;
        Ok(values)
    }

    /// Applies the steps in order to the small counters of one stored object, atomically, and
    /// writes the value after each to `values`. False if there is more to it: then nothing is done,
    /// and `update_counter` has the answer.
    ///
    /// # Panics
    /// If there are more steps than values.
    #[inline(always)]
    pub fn count_few(
        &self,
        guard: &Guard,
        key: Key<'_>,
        steps: &[CounterOp<Small>],
        values: &mut [Small],
    ) -> bool {
        let Ok(generation) = self.generation(guard) else { return false };
        let done = self.modify(guard, generation, key, |held| {
            let Held::Object(object) = held else { return Step::keep(false) };
            let decided = match steps {
                _ if !self.spec.kind.is_unique() => Err(Error::BadArgument),
                [step] => self.count_one(object, step, &mut values[0]),
                _ => self.count_words(object, steps, values),
            };
            decided.map_or_else(|_| Step::keep(false), |step| step.with(true))
        });
        done == Ok(true)
    }

    /// The decision of `count_few` for one step.
    #[inline(always)]
    fn count_one(
        &self,
        object: ObjectPtr,
        step: &CounterOp<Small>,
        value: &mut Small,
    ) -> Verdict<Step<()>> {
        let at = self.slot_at(object, step.position)?;
        let after = step.apply(&counter(object, at)?).ok_or(Error::SystemLimit)?;
        *value = after;
        let word = after.word();
        // SAFETY: the caller holds the key's lock: the object is stored, and nobody else writes it.
        if unsafe { object.set_in_place(self.spec.keypos - 1, at, word) } {
            return Ok(Step::keep(()));
        }
        store_one_copy(object, Replacement { at, term: Term::immediate(value.as_word()) })
    }

    /// The decision of `count_few` for several steps.
    #[inline(never)]
    fn count_words(
        &self,
        object: ObjectPtr,
        steps: &[CounterOp<Small>],
        values: &mut [Small],
    ) -> Verdict<Step<()>> {
        let mut touched = self.count(object, steps.iter().map(Ok), values)?;
        let touched = touched.entries();
        self.store_words(object, touched.iter().map(|&(at, last)| (at, values[last].word())))
    }

    /// The values after each step, and by element the last step that changed it. Under the lock.
    #[inline(always)]
    fn count<'s, N: Number + 's>(
        &self,
        object: ObjectPtr,
        steps: impl Iterator<Item = Verdict<&'s CounterOp<N>>>,
        values: &mut [N],
    ) -> Verdict<Touched<usize>> {
        let mut touched = Touched::new();
        for (i, step) in steps.enumerate() {
            let step = step?;
            let at = self.slot_at(object, step.position)?;
            let value = match touched.put(at, i) {
                Some(last) => step.apply(&values[last]),
                None => step.apply(&counter(object, at)?),
            };
            values[i] = value.ok_or(Error::SystemLimit)?;
        }
        Ok(touched)
    }

    /// Stores the last values of counters of any size.
    fn store_counters(
        &self,
        base: Base,
        touched: &[(usize, usize)],
        values: &[Int],
    ) -> Verdict<Step<()>> {
        let mut buffer = Buffer::new();
        buffer.reserve(touched.len()).map_err(|_| Error::SystemLimit)?;
        for (root, &(_, last)) in touched.iter().enumerate() {
            values[last].to_buffer(&mut buffer, root).map_err(|_| Error::SystemLimit)?;
        }
        let changes = touched.iter().enumerate().map(|(root, &(at, _))| {
            // SAFETY: this root of the buffer was written above, with its block.
            Replacement { at, term: unsafe { Term::at(buffer.words(), root) } }
        });
        self.store(base, changes)
    }

    /// The 0-based element at a position that may be changed.
    #[inline(always)]
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
            let Some(base) = Base::of(held, default.as_ref()) else { return Step::keep(Ok(false)) };
            let decided = self.assign(base, updates.iter().copied());
            decide(decided.map(|step| step.with(true)))
        });
        Ok(done??)
    }

    /// Replaces elements of one stored object, atomically. See [`Assigned`].
    #[inline(always)]
    pub fn assign_few(
        &self,
        guard: &Guard,
        key: Key<'_>,
        updates: &[(usize, Term<'_>)],
    ) -> Assigned {
        let Ok(generation) = self.generation(guard) else { return Assigned::Undecided };
        let done = self.modify(guard, generation, key, |held| match held {
            _ if !self.spec.kind.is_unique() => Step::keep(Assigned::Undecided),
            Held::Object(object) => {
                let decided = match *updates {
                    [update] => self.assign_one(object, update),
                    _ => self.assign(Base::Stored(object), updates.iter().copied().map(Ok)),
                };
                let undecided = |_| Step::keep(Assigned::Undecided);
                decided.map_or_else(undecided, |step| step.with(Assigned::Done))
            }
            _ => Step::keep(Assigned::Absent),
        });
        done.unwrap_or(Assigned::Undecided)
    }

    /// The decision of `assign_few` for one element.
    #[inline(always)]
    fn assign_one(
        &self,
        object: ObjectPtr,
        (position, term): (usize, Term<'_>),
    ) -> Verdict<Step<()>> {
        self.store_one(object, Replacement { at: self.slot_at(object, position)?, term })
    }

    /// The decision of `update_element`, under the lock. The last update of each element stays.
    #[inline(never)]
    fn assign<'a>(
        &self,
        base: Base,
        updates: impl Iterator<Item = Verdict<(usize, Term<'a>)>>,
    ) -> Verdict<Step<()>> {
        let mut touched = Touched::new();
        for update in updates {
            let (position, term) = update?;
            touched.put(self.slot_at(base.object(), position)?, term);
        }
        let touched = touched.entries();
        let flat = |&(at, term): &(usize, Term<'a>)| {
            // SAFETY: the lock, or the caller's ownership, keeps the object.
            let old = unsafe { base.object().element(at) }.root();
            layout::is_immediate(old) && layout::is_immediate(term.root())
        };
        match base {
            Base::Stored(object) if touched.iter().all(flat) => {
                self.store_words(object, touched.iter().map(|&(at, term)| (at, term.root())))
            }
            _ => self.store(base, touched.iter().map(|&(at, term)| Replacement { at, term })),
        }
    }

    /// The default with this key in it.
    fn default_for(&self, key: Key<'_>, default: Option<&Detached>) -> Verdict<Option<Detached>> {
        let Some(given) = default else { return Ok(None) };
        if given.object().arity() < self.spec.keypos {
            return Err(Error::BadArgument);
        }
        let change = Replacement { at: self.spec.keypos - 1, term: key.term };
        // SAFETY: the caller owns the default.
        let object = unsafe { given.object().clone_with([change]) };
        object.map(|object| Some(Detached::of(object))).map_err(|_| Error::SystemLimit)
    }

    /// Replaces an element of a stored object: where it stands, or in a copy. Under the lock.
    #[inline(always)]
    fn store_one(&self, object: ObjectPtr, change: Replacement<'_>) -> Verdict<Step<()>> {
        // SAFETY: the caller holds the key's lock: the object is stored, and nobody else writes it.
        if unsafe { object.set_in_place(self.spec.keypos - 1, change.at, change.term.root()) } {
            return Ok(Step::keep(()));
        }
        store_one_copy(object, change)
    }

    /// [`Table::store`] of immediates in place of immediates, in a stored object.
    #[inline(always)]
    fn store_words(
        &self,
        object: ObjectPtr,
        words: impl Iterator<Item = (usize, u64)> + Clone,
    ) -> Verdict<Step<()>> {
        // SAFETY: the caller holds the key's lock: the object is stored, and nobody else writes it.
        let is_new = |&(at, word): &(usize, u64)| unsafe { object.element(at) }.root() != word;
        let mut new = words.clone().filter(is_new);
        let copy = match (new.next(), new.next()) {
            (None, _) => return Ok(Step::keep(())),
            // SAFETY: as above.
            (Some((at, word)), None) => unsafe {
                !object.set_in_place(self.spec.keypos - 1, at, word)
            },
            _ => true,
        };
        if !copy {
            return Ok(Step::keep(()));
        }
        // SAFETY: as above; immediates by contract.
        let fresh = unsafe { object.clone_with_words(words) }.map_err(|_| Error::SystemLimit)?;
        Ok(Base::Stored(object).replace(fresh, 0))
    }

    /// Replaces elements, by ascending index: where they stand, or in a copy. Under the lock.
    #[inline(always)]
    fn store<'a>(
        &self,
        base: Base,
        changes: impl Iterator<Item = Replacement<'a>> + Clone,
    ) -> Verdict<Step<()>> {
        if let Base::Stored(object) = base {
            let mut new = changes.clone().filter(|&change| is_new(object, change));
            match (new.next(), new.next()) {
                (None, _) => return Ok(Step::keep(())),
                (Some(change), None) => return self.store_one(object, change),
                _ => (),
            }
        }
        store_copy(base, changes)
    }
}

/// False if an element is that immediate already.
#[inline(always)]
fn is_new(object: ObjectPtr, change: Replacement<'_>) -> bool {
    let word = change.term.root();
    // SAFETY: the caller holds the key's lock, which keeps the object.
    !layout::is_immediate(word) || unsafe { object.element(change.at) }.root() != word
}

/// The counter that an element is.
#[inline(always)]
fn counter<N: Number>(object: ObjectPtr, at: usize) -> Verdict<N> {
    // SAFETY: the element is inside the object, which the lock or the caller's ownership keeps.
    N::of(unsafe { object.element(at) }).ok_or(Error::BadArgument)
}

/// Its own function, so that the word needs no place in memory where it is changed in place.
#[inline(never)]
fn store_one_copy(object: ObjectPtr, change: Replacement<'_>) -> Verdict<Step<()>> {
    if !is_new(object, change) {
        return Ok(Step::keep(()));
    }
    store_copy(Base::Stored(object), std::iter::once(change))
}

/// Stores a copy with some elements replaced.
#[inline(always)]
fn store_copy<'a>(
    base: Base,
    changes: impl Iterator<Item = Replacement<'a>> + Clone,
) -> Verdict<Step<()>> {
    let object = base.object();
    let longer = |change: Replacement<'_>| {
        // SAFETY: the lock, or the caller's ownership, keeps the object.
        change.term.words() as i64 - unsafe { object.element(change.at) }.words() as i64
    };
    let words = changes.clone().map(longer).sum();
    // SAFETY: as above; it stays as it is.
    let fresh = unsafe { object.clone_with(changes) }.map_err(|_| Error::SystemLimit)?;
    Ok(base.replace(fresh, words))
}

/// A step whose result says whether there was an error, which keeps everything as it is.
fn decide<R>(decided: Verdict<Step<R>>) -> Step<Verdict<R>> {
    match decided {
        Ok(Step { change, delta, result }) => Step { change, delta, result: Ok(result) },
        Err(error) => Step::keep(Err(error)),
    }
}
