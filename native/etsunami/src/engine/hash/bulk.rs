//! Contents for an empty table, built apart and published by one store.
//!
//! A [`Bulk`] is what the directory would lead to if the table held the contents already: segments
//! of the level that fits, filled by nobody but their builder. Publishing is a split of the one
//! segment of an empty table into all of them at once. All its buckets are locked and found vacant,
//! the heirs are named, the root is led to them, and the buckets are frozen.
//!
//! The store of the root is the linearization point of the whole contents. Who loaded the root
//! earlier finds either vacant buckets, whose table was empty while they were locked, or frozen
//! ones, which lead on to the heirs. A writer that came that way waits for a lock until the bucket
//! is frozen, so nothing is written behind the publication's back; one that comes by the new root
//! finds everything in place.

use super::HashTable;
use super::access::By;
use super::directory::Spread;
use super::geometry::{POSITION_BITS, ROOT_BITS, SEGMENT_BITS, SLOTS};
use super::head::Hash;
use super::line::Line;
use super::lock::Locked;
use super::resize::{lock_depths, lock_line};
use super::segment::{Segment, State};
use crate::engine::{Delta, HashSchema, Word};
use crate::reclaim::Guard;
use crate::sync::Ordering;
use crate::sync::weaken::{Weak, weakened};

/// See the module documentation. Dropping it releases everything in it.
pub struct Bulk<'t, S: HashSchema> {
    table: &'t HashTable<S>,
    /// In the order of positions.
    segments: Vec<Segment<'t>>,
    level: u32,
    /// The keys in it.
    keys: usize,
}

/// The level of segments for so many keys, which are as full as those of a table that has grown.
fn level_for(keys: usize) -> u32 {
    let most = SEGMENT_BITS + ROOT_BITS;
    let percent = |level| if level <= SEGMENT_BITS { 70 } else { 105 };
    (0..most).find(|&level| keys <= (SLOTS << level) * percent(level) / 100).unwrap_or(most)
}

impl<S: HashSchema> HashTable<S> {
    /// True if the table has one segment and nothing in it: not even what nobody sees. An
    /// estimate: others may be at work.
    pub fn seems_vacant(&self, guard: &Guard) -> bool {
        let segment = self.directory.find(0, guard);
        segment.depth() == 0
            && (0..segment.buckets()).all(|index| segment.line(index).glance().is_vacant())
    }

    /// Room for about so many keys, apart from the table.
    pub fn bulk(&self, keys: usize) -> Bulk<'_, S> {
        let level = level_for(keys);
        Bulk { table: self, segments: make_segments(level), level, keys: 0 }
    }
}

/// The prefix bits that one segment of a level covers.
fn depth_of(level: u32) -> u32 {
    level.saturating_sub(SEGMENT_BITS)
}

/// All segments of a level, empty.
fn make_segments<'t>(level: u32) -> Vec<Segment<'t>> {
    let depth = depth_of(level);
    let position = |index: u64| if depth == 0 { 0 } else { index << (POSITION_BITS - depth) };
    (0..1 << depth).map(|index| Segment::allocate(level, position(index), State::Born)).collect()
}

impl<S: HashSchema> Bulk<'_, S> {
    /// Asks for the bucket of a hash to be brought into the cache.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.bucket(Hash(hash)).1.prefetch_line();
    }

    #[inline(always)]
    fn bucket(&self, hash: Hash) -> (Segment<'_>, &Line) {
        let (position, depth) = (hash.position(), depth_of(self.level));
        let index = if depth == 0 { 0 } else { position >> (POSITION_BITS - depth) };
        let segment = self.segments[index as usize];
        (segment, segment.bucket(position))
    }

    /// Stores the word that `f` makes of the key's present one ([`Word::EMPTY`] if it has none).
    #[inline]
    pub fn put(&mut self, key: &S::Key, f: impl FnOnce(Word) -> Word) {
        let hash = Hash(self.table.schema.hash(key));
        let (segment, bucket) = self.bucket(hash);
        let mut line = Some(bucket);
        while let Some(current) = line {
            for slot in current.head(By::Owner).candidates(hash) {
                let word = current.word(slot, By::Owner);
                // SAFETY: the word is in contents that are ours alone.
                if !word.is_empty() && unsafe { self.table.schema.matches(key, word) } {
                    return current.store(slot, f(word), Ordering::Relaxed);
                }
            }
            line = current.next(By::Owner);
        }
        if bucket.put_private(hash, f(Word::EMPTY)) {
            segment.count_overflow(1);
        }
        self.keys += 1;
    }

    /// Makes the segments smaller if there are far fewer keys than there was room made for.
    fn fit(&mut self) {
        let level = level_for(self.keys);
        if level + 1 >= self.level {
            return;
        }
        let large = std::mem::replace(&mut self.segments, make_segments(level));
        self.level = level;
        take_words(large, |word| {
            // SAFETY: the word is in contents that are ours alone.
            let hash = Hash(unsafe { self.table.schema.hash_of(word) });
            let (segment, bucket) = self.bucket(hash);
            if bucket.put_private(hash, word) {
                segment.count_overflow(1);
            }
        });
    }

    /// Takes all words out.
    pub fn take_words(&mut self, f: impl FnMut(Word)) {
        take_words(std::mem::take(&mut self.segments), f);
    }

    /// Makes these the contents of the table, if it is empty, and counts them. Atomic: see the
    /// module documentation. Gives the contents back if the table is not empty.
    pub fn publish(mut self, guard: &Guard, delta: Delta) -> Result<(), Self> {
        self.fit();
        let table = self.table;
        let old = table.directory.find(0, guard);
        if old.depth() > 0 || !old.change_state(State::Normal, State::Leaving) {
            return Err(self);
        }
        let entries: Vec<usize> = self.segments.iter().map(|segment| segment.entry()).collect();
        let spread = Spread::new(&entries);
        let upkeep = table.upkeep.force();
        let mut locked: Vec<Locked<'_>> =
            (0..old.buckets()).map(|index| lock_line(old, index)).collect();
        if !locked.iter().all(Locked::is_vacant) {
            drop(locked);
            old.change_state(State::Leaving, State::Normal);
            spread.free();
            return Err(self);
        }
        if weakened(Weak::HashBulk) {
            locked.clear();
        }
        old.hand_over_to_entries([spread.forward(); 2]);
        let mut depths = lock_depths(upkeep);
        table.directory.set_spread(spread);
        depths.spread(depth_of(self.level));
        drop(depths);
        if weakened(Weak::HashBulk) {
            locked.extend((0..old.buckets()).map(|index| lock_line(old, index)));
        }
        locked.into_iter().for_each(Locked::freeze);
        table.counters.add(guard.stripe(), delta.objects, delta.words);
        table.finish(&[old], &std::mem::take(&mut self.segments), guard);
        Ok(())
    }
}

/// Frees segments that were never published, after all words have been taken out.
fn take_words(segments: Vec<Segment<'_>>, mut f: impl FnMut(Word)) {
    for segment in segments {
        for index in 0..segment.buckets() {
            segment.line(index).for_each_word(By::Owner, &mut f);
        }
        // SAFETY: nobody else knows the segment.
        unsafe { segment.free() };
    }
}

impl<S: HashSchema> Drop for Bulk<'_, S> {
    fn drop(&mut self) {
        let schema = &self.table.schema;
        // SAFETY: the words were never published.
        self.take_words(|word| unsafe { schema.release(word) });
    }
}
