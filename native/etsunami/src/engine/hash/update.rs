//! The one way to change a table: a closure under the lock of its key's bucket.

use super::HashTable;
use super::head::Hash;
use super::line::Line;
use super::lock::{Attempt, Effect, Locked, Place};
use super::segment::Segment;
use crate::engine::{Change, Delta, HashSchema, Spot, Word};
use crate::reclaim::Guard;
use crate::sync::{Backoff, Ordering, stand_back};

impl<S: HashSchema> HashTable<S> {
    /// Calls `f` with the word stored for `key`, and does what it answers, while nobody else can
    /// change the key. Atomic; the linearization point is the store of the change, or any moment
    /// of the call if nothing changes.
    ///
    /// `f` runs under a lock: it must be short and must not use this table. If it panics, nothing
    /// has changed and the lock is free. What it replaces or removes is the caller's to retire,
    /// after this returned.
    #[inline]
    pub fn update<R>(
        &self,
        guard: &Guard,
        key: &S::Key,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        self.update_spot(guard, key, f).0
    }

    /// [`HashTable::update`] that also tells where the key stands now.
    #[inline]
    pub fn update_spot<R>(
        &self,
        guard: &Guard,
        key: &S::Key,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> (R, Spot) {
        let hash = Hash(self.schema.hash(key));
        let mut bucket = self.lock(hash, guard);
        let segment = bucket.segment;
        // SAFETY: the words are in the table, and the guard is live.
        let place = bucket.find(hash, |word| unsafe { self.schema.matches(key, word) });
        let (change, delta, result) = f(place.map(|place| place.word));
        let spot = bucket.spot(place);
        let effect = self.apply(&mut bucket, hash, place, change, delta, guard);
        drop(bucket);
        if effect != Effect::None {
            self.follow_up(effect, segment, hash, guard);
        }
        (result, spot)
    }

    /// Puts `new` in place of `old`, which has the same key, where an update has left it. False,
    /// and nothing is done, if it does not stand there any more. Linearization point: the store.
    ///
    /// # Safety
    /// An update of this table gave the spot under this guard. `old` is unlike all words of other
    /// keys.
    #[inline]
    pub unsafe fn exchange(&self, _guard: &Guard, spot: Spot, old: Word, new: Word) -> bool {
        let line = std::ptr::with_exposed_provenance::<Line>(spot.node);
        // SAFETY: null, or a bucket that was in the table under the guard.
        let Some(line) = (unsafe { line.as_ref() }) else { return false };
        let mut backoff = Backoff::new();
        loop {
            match Locked::exchange(line, spot.slot, old, new) {
                Some(done) => return done,
                None => backoff.wait(),
            }
        }
    }

    /// Asks for the bucket of a key with this hash to be brought into the cache.
    #[inline]
    pub fn prefetch(&self, guard: &Guard, hash: u64) {
        let position = Hash(hash).position();
        self.directory.find(position, guard).bucket(position).prefetch_line();
    }

    /// Locks the bucket that is authoritative for a hash.
    #[inline(always)]
    fn lock<'g>(&'g self, hash: Hash, guard: &'g Guard) -> Locked<'g> {
        let position = hash.position();
        let mut segment = self.directory.find(position, guard);
        let mut waited = false;
        loop {
            match Locked::attempt(segment, segment.bucket(position), Some(hash)) {
                Attempt::Locked(locked) => return locked,
                Attempt::Moved => segment = segment.forward(position),
                Attempt::Busy => self.wait_for(segment.bucket(position), &mut waited),
            }
        }
    }

    /// Waits until the lock of a bucket seems to be free. Counts an update that meets another one,
    /// once for all that it will have to wait.
    #[cold]
    fn wait_for(&self, line: &Line, waited: &mut bool) {
        if !std::mem::replace(waited, true) {
            self.upkeep.force().contended.fetch_add(1, Ordering::Relaxed);
        }
        stand_back(|| line.glance().is_locked());
    }

    /// Carries out a change in the locked bucket, with its counting: what shrinks the counts
    /// before the store, what grows them after it.
    #[inline(always)]
    fn apply<'g>(
        &self,
        bucket: &mut Locked<'g>,
        hash: Hash,
        place: Option<Place<'g>>,
        change: Change,
        delta: Delta,
        guard: &Guard,
    ) -> Effect {
        self.count(guard, delta.objects.min(0), delta.words.min(0));
        let effect = match (change, place) {
            (Change::Put(word), Some(place)) => {
                debug_assert!(!word.is_empty());
                bucket.replace(place, word);
                Effect::None
            }
            (Change::Put(word), None) => {
                debug_assert!(!word.is_empty());
                bucket.insert(hash, word)
            }
            (Change::Remove, Some(place)) => bucket.remove(place, guard),
            (Change::Remove, None) | (Change::Keep, _) => Effect::None,
        };
        self.count(guard, delta.objects.max(0), delta.words.max(0));
        effect
    }

    #[inline(always)]
    fn count(&self, guard: &Guard, objects: i64, words: i64) {
        if objects != 0 || words != 0 {
            self.counters.add(guard.stripe(), objects, words);
        }
    }

    /// Lets the table grow or shrink, after the bucket has been unlocked.
    #[cold]
    fn follow_up(&self, effect: Effect, segment: Segment<'_>, hash: Hash, guard: &Guard) {
        match effect {
            Effect::None => {}
            Effect::LineLinked => self.grow(segment, hash.position(), guard),
            Effect::Emptied if hash.is_sample_of(segment.buckets() / 8) => {
                self.shrink(hash.position(), guard);
            }
            Effect::Emptied => {}
        }
    }
}
