//! Inserts and deletes of one key.

use crate::engine::{Change, Delta, Word};
use crate::error::{Error, Result, Stop};
use crate::reclaim::Guard;
use crate::term::object::ObjectPtr;
use crate::term::view::Term;

use super::generation::{Generation, Step, Undecided};
use super::groups::object_words;
use super::keys::{Held, Key, word_of};
use super::options::Kind;
use super::{Draft, Hit, Table};

impl Table {
    /// Retries a modification until no undecided list insert is in its way; helps those.
    #[inline(always)]
    pub(crate) fn modify<R>(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        mut f: impl FnMut(Held) -> Step<R>,
    ) -> Result<R> {
        match self.modify_once(guard, generation, key, &mut f) {
            Ok(result) => Ok(result),
            Err(undecided) => self.modify_slowly(guard, generation, key, undecided, &mut f),
        }
    }

    #[inline(always)]
    fn modify_once<R>(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        f: impl FnOnce(Held) -> Step<R>,
    ) -> std::result::Result<R, Undecided> {
        generation.modify(guard, key, |word| self.ghost_for(generation, word, key.digest), f)
    }

    #[cold]
    fn modify_slowly<R>(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        mut undecided: Undecided,
        f: &mut impl FnMut(Held) -> Step<R>,
    ) -> Result<R> {
        let mut budget = HELP_BUDGET;
        loop {
            if !super::list::help(guard, undecided.0, &mut budget) {
                return Err(Stop::Busy);
            }
            match self.modify_once(guard, generation, key, &mut *f) {
                Ok(result) => return Ok(result),
                Err(again) => undecided = again,
            }
        }
    }

    /// The key of a draft, checked against its arity.
    #[inline(always)]
    pub fn key_of_draft<'a>(&self, draft: &Draft<'a>) -> Key<'a> {
        self.key(draft.element(self.spec.keypos - 1))
    }

    /// Asks for what a change of this key will look at first: it comes into the cache while the object
    /// is being encoded.
    #[inline(always)]
    pub fn prefetch(&self, guard: &Guard, key: Key<'_>) {
        if let Ok(generation) = self.generation(guard) {
            generation.prefetch(guard, key.digest);
        }
    }

    /// [`Table::prefetch`] of a key that nothing else is known of; what has been computed for that.
    /// Ordered tables, where there is nothing to ask for yet, do not look at it.
    #[inline(always)]
    pub fn prefetch_key(&self, guard: &Guard, key: Term<'_>) -> Early {
        if self.spec.kind == Kind::OrderedSet {
            return Early::default();
        }
        let key = self.key(key);
        self.prefetch(guard, key);
        Early { digest: Some(key.digest) }
    }

    /// The current generation; the draft is discarded if the table is gone.
    #[inline(always)]
    fn generation_for<'g, 'a>(
        &self,
        guard: &'g Guard,
        draft: Draft<'a>,
    ) -> Result<(&'g Generation, Draft<'a>)> {
        match self.generation(guard) {
            Ok(generation) => Ok((generation, draft)),
            Err(error) => {
                draft.discard();
                Err(error.into())
            }
        }
    }

    /// Inserts an object; in `set` and `ordered_set` it replaces the one with its key, in `bag`
    /// an equal object is not stored twice. Atomic.
    #[inline]
    pub fn insert(&self, guard: &Guard, draft: Draft<'_>) -> Result {
        self.insert_early(guard, draft, Early::default())
    }

    /// [`Table::insert`] after [`Table::prefetch_key`] of the draft's key, if there has been one.
    #[inline]
    pub fn insert_early(&self, guard: &Guard, draft: Draft<'_>, early: Early) -> Result {
        let (generation, draft) = self.generation_for(guard, draft)?;
        let key = match early.digest {
            Some(digest) => Key { term: draft.element(self.spec.keypos - 1), digest },
            None => self.key_of_draft(&draft),
        };
        match self.spec.kind {
            Kind::Set | Kind::OrderedSet => match draft.flat() {
                Some(words) => self.put_flat(guard, generation, key, draft, words),
                None => {
                    if early.digest.is_none() {
                        generation.prefetch(guard, key.digest);
                    }
                    self.put(guard, generation, key, draft.make(key.digest)?)
                }
            },
            Kind::Bag if draft.words() <= MADE_UNDER_LOCK => {
                self.append_missing(guard, generation, key, draft)
            }
            Kind::Bag | Kind::DuplicateBag => {
                generation.prefetch(guard, key.digest);
                self.append(guard, generation, key, draft.make(key.digest)?)
            }
        }
    }

    /// Replaces or inserts an object of immediates. If only the mutable element of what is stored
    /// differs, it is changed in place: one atomic store, no allocation.
    #[inline]
    fn put_flat(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        draft: Draft<'_>,
        words: &[u64],
    ) -> Result {
        let key_at = self.spec.keypos - 1;
        let outcome = self.modify(guard, generation, key, |held| {
            if let Held::Object(old) = held
                && overwrite(old, key_at, words)
            {
                return Step::keep(Ok(()));
            }
            match draft.allocate(key.digest) {
                Ok(object) => put_step(held, object).map_ok(),
                Err(error) => Step::keep(Err(error)),
            }
        })?;
        outcome.map_err(Stop::from)
    }

    pub(super) fn put(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        object: ObjectPtr,
    ) -> Result {
        let done = self.modify(guard, generation, key, |held| put_step(held, object));
        if done.is_err() {
            // SAFETY: it was not stored, so it is still ours alone.
            unsafe { object.free() };
        }
        done
    }

    /// Appends an object to a bag if it is not there yet: only then it is made.
    #[inline]
    fn append_missing(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        draft: Draft<'_>,
    ) -> Result {
        let owned = &generation.keys().owned;
        // Without the lock: to have been there at one moment of the call is as good as to be inserted
        // then.
        if let Held::Object(one) = generation.get(guard, key)
            // SAFETY: the guard keeps what is stored.
            && unsafe { draft.is_equal(one) }
        {
            draft.discard();
            return Ok(());
        }
        let outcome = self.modify(guard, generation, key, |held| {
            if owned.has(held, &draft) {
                return Step::keep(Ok(false));
            }
            match draft.allocate(key.digest) {
                Ok(object) => owned.append_new(held, object).with(Ok(true)),
                Err(error) => Step::keep(Err(error)),
            }
        });
        if outcome != Ok(Ok(true)) {
            draft.discard();
        }
        outcome?.map(|_| ()).map_err(Stop::from)
    }

    pub(super) fn append(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        object: ObjectPtr,
    ) -> Result {
        let owned = &generation.keys().owned;
        let stored = self.modify(guard, generation, key, |held| owned.append(held, object));
        if stored != Ok(true) {
            // SAFETY: a duplicate, or refused: it was not stored and is still ours alone.
            unsafe { object.free() };
        }
        stored.map(|_| ())
    }

    /// Inserts an object if its key holds nothing. Atomic. Gives whether it did.
    pub fn insert_new(&self, guard: &Guard, draft: Draft<'_>) -> Result<bool> {
        let (generation, draft) = self.generation_for(guard, draft)?;
        let key = self.key_of_draft(&draft);
        generation.prefetch(guard, key.digest);
        let object = draft.make(key.digest)?;
        self.put_new(guard, generation, key, object)
    }

    pub(super) fn put_new(
        &self,
        guard: &Guard,
        generation: &Generation,
        key: Key<'_>,
        object: ObjectPtr,
    ) -> Result<bool> {
        let inserted = self.modify(guard, generation, key, |held| match held {
            Held::Absent => put_step(held, object).with(true),
            _ => Step::keep(false),
        });
        if inserted != Ok(true) {
            // SAFETY: the object was not stored, so it is still ours alone.
            unsafe { object.free() };
        }
        inserted
    }

    /// Deletes all objects of a key. Atomic. Gives nothing: ETS answers `true` either way.
    pub fn delete(&self, guard: &Guard, key: Key<'_>) -> Result {
        self.modify(guard, self.generation(guard)?, key, |held| remove_step(held, ()))
    }

    /// Deletes all objects of a key and gives them. Atomic; they stay readable under the guard.
    pub fn take<'g>(&self, guard: &'g Guard, key: Key<'_>) -> Result<Hit<'g>> {
        let mut hit = Hit::absent(guard);
        self.take_if(guard, key, &mut hit, |_| true)?;
        Ok(hit)
    }

    /// [`take`](Table::take) into a hit, if `permits` says so about what is there; otherwise nothing
    /// changes, and the objects are given all the same. `permits` runs under the key's lock.
    ///
    /// (As a result the hit would be stored piece by piece and loaded as a whole, for which the
    /// processor waits.)
    #[inline]
    pub fn take_if<'g>(
        &self,
        guard: &'g Guard,
        key: Key<'_>,
        hit: &mut Hit<'g>,
        permits: impl Fn(&Hit<'g>) -> bool,
    ) -> Result {
        self.modify(guard, self.generation(guard)?, key, |held| {
            *hit = Hit::new(guard, held);
            if permits(hit) { remove_step(held, ()) } else { Step::keep(()) }
        })
    }

    /// Deletes the objects that are equal (`=:=`) to the given one. Atomic.
    pub fn delete_object(&self, guard: &Guard, draft: Draft<'_>) -> Result {
        let (generation, draft) = self.generation_for(guard, draft)?;
        let key = self.key_of_draft(&draft);
        let probe = draft.make(key.digest)?;
        let owned = &generation.keys().owned;
        let done = self.modify(guard, generation, key, |held| owned.remove_equal(held, probe));
        // SAFETY: the probe was never stored.
        unsafe { probe.free() };
        done
    }

    /// A ghost for the key of a word that is being removed, if the table is fixed and needs it.
    #[inline(always)]
    fn ghost_for(&self, generation: &Generation, word: Word, digest: u64) -> Option<Word> {
        if self.spec.kind == Kind::OrderedSet || !self.fixation.is_fixed() {
            return None;
        }
        self.fixation.make_ghost(generation.keys(), word, digest)
    }
}

/// What was computed for [`Table::prefetch_key`]: of use to the insert of an object with that key.
#[derive(Clone, Copy, Default, Debug)]
pub struct Early {
    digest: Option<u64>,
}

/// Larger objects of bags are made before the lock is taken, needed or not: nobody shall wait while
/// they are copied.
const MADE_UNDER_LOCK: usize = 128;

/// How much of somebody else's list insert one call completes before it asks to be called again.
pub(crate) const HELP_BUDGET: usize = 4096;

/// Makes a stored object one of these immediates, if that takes no more than to change its mutable
/// element. That is the first beside the key, if all others are immediates.
#[inline(always)]
fn overwrite(old: ObjectPtr, key: usize, words: &[u64]) -> bool {
    let at = usize::from(key == 0);
    // SAFETY: the caller holds the key's lock, so the object is stored and nobody else writes it.
    unsafe {
        let elements = old.elements();
        let same = |i: usize| i == at || elements.get(i).root() == words[i];
        elements.len() == words.len()
            && (0..words.len()).all(same)
            && (at == words.len() || old.set_in_place(key, at, words[at]))
    }
}

/// Store `object` in place of what the key holds.
#[inline(always)]
pub(super) fn put_step(held: Held, object: ObjectPtr) -> Step<()> {
    let words = object_words(object);
    let delta = match held {
        Held::Object(old) => Delta { objects: 0, words: words - object_words(old) },
        _ => Delta { objects: 1, words },
    };
    Step { change: Change::Put(word_of(object)), delta, result: () }
}

pub(super) fn remove_step<R>(held: Held, result: R) -> Step<R> {
    let delta = match held {
        Held::Absent => return Step::keep(result),
        Held::Object(old) => Delta { objects: -1, words: -object_words(old) },
        Held::Group(word) => super::groups::removal(word),
    };
    Step { change: Change::Remove, delta, result }
}

impl Step<()> {
    pub(super) fn with<R>(self, result: R) -> Step<R> {
        Step { change: self.change, delta: self.delta, result }
    }

    fn map_ok(self) -> Step<std::result::Result<(), Error>> {
        self.with(Ok(()))
    }
}
