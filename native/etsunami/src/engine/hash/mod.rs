//! A concurrent hash table whose readers take no lock, store nothing and retry nothing, and whose
//! order of iteration survives growing and shrinking.
//!
//! Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, "Extendible Hashing — A Fast
//! Access Method for Dynamic Files", TODS 1979) by the *most* significant bits of the hash, for
//! the directory as well as for the bucket within a segment, with buckets of one cache line and
//! one-byte tags (as in Dash by Lu, Hao, Wang and Lo, PVLDB 2020, and in the tables called Swiss),
//! and with migration bucket by bucket through a forwarding mark, as Java's `ConcurrentHashMap`
//! has it.
//!
//! # Structure
//!
//! A key's *position* is the upper half of its 64-bit hash. The `directory` leads from a prefix
//! of the position to a `segment`, the next bits of the position to one of its buckets, a cache
//! `line`. So each bucket is responsible for an interval of positions, and buckets in the order
//! of the directory are in the order of positions. A table begins as one segment of one bucket.
//!
//! # Invariants
//!
//! 1. For each position there is exactly one *authoritative* bucket: the one that is reached by the
//!    directory and by forwarding and is not frozen. Only it changes, under its lock.
//! 2. A key stands in at most one slot of its authoritative bucket and does not move inside it. A
//!    frozen bucket keeps its content as long as anybody can look at it.
//! 3. What leads readers to a slot (tag, overflow bits, link) is stored before the slot is filled
//!    and taken away after it is freed.
//! 4. Heirs of a segment are complete for a bucket before the bucket is frozen.
//!
//! # Linearization points
//!
//! - `update`: the one store of a word into its slot, or of the link to a new overflow line.
//! - `get` that finds the key: the load of its slot; or the freezing of the bucket, if that came
//!   between the load of its head and that of the slot.
//! - `get` that does not: the load of the head, if the key was absent then. Otherwise its slot was
//!   tagged, and by invariants 2 and 3 was looked at; it did not hold the key any more, so the key
//!   was removed in between: just after that removal.
//! - `Bulk::publish`: the store of the directory's root (see the module `bulk`).
//! - Splits and merges have none (see the module `resize`).
//!
//! A stale tag, or another key in a slot that was reused, leads a reader to a slot for nothing;
//! whoever finds its key there has seen an insertion that took place. So no version is needed.
//!
//! # Not guaranteed
//!
//! Several words that one call returns are not a snapshot. Keys with equal hashes share a bucket,
//! in which everything is linear: the seed of the hash must be secret where keys are chosen by
//! strangers.

mod access;
mod bulk;
mod cursor;
mod directory;
mod geometry;
mod head;
mod line;
mod lock;
mod resize;
mod segment;
mod shape;
#[cfg(test)]
mod tests;
mod update;
mod upkeep;

pub use bulk::Bulk;
pub use shape::Shape;

use self::access::By;
use self::directory::Directory;
use self::geometry::POSITION_BITS;
use self::head::{Hash, Head};
use self::line::Line;
use self::segment::{Segment, State};
use self::upkeep::LazyUpkeep;
use super::{HashSchema, Word};
use crate::reclaim::Guard;
use crate::sync::Counters;

/// See the [module documentation](self).
pub struct HashTable<S: HashSchema> {
    directory: Directory,
    schema: S,
    counters: Counters,
    upkeep: LazyUpkeep,
}

/// A bucket that was authoritative for a position when its head was loaded.
struct Bucket<'g> {
    segment: Segment<'g>,
    line: &'g Line,
    head: Head,
}

impl<S: HashSchema> HashTable<S> {
    /// An empty table. It allocates one bucket.
    pub fn new(schema: S, counters: Counters) -> Self {
        let segment = Segment::allocate(0, 0, State::Normal);
        HashTable {
            directory: Directory::new(segment),
            schema,
            counters,
            upkeep: LazyUpkeep::new(),
        }
    }

    /// How keys are read out of words.
    pub fn schema(&self) -> &S {
        &self.schema
    }

    /// The counters that updates add to.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The word stored for a key.
    #[inline]
    pub fn get(&self, guard: &Guard, key: &S::Key) -> Option<Word> {
        let hash = Hash(self.schema.hash(key));
        let bucket = self.bucket(hash.position(), guard);
        crate::faults::delay();
        if let Some(word) = self.get_in(bucket.line, bucket.head, hash, key) {
            return Some(word);
        }
        if bucket.head.may_overflow(hash) {
            return self.get_overflow(bucket.line, hash, key);
        }
        None
    }

    /// The bucket that is authoritative for a position.
    #[inline(always)]
    fn bucket<'g>(&'g self, position: u64, guard: &'g Guard) -> Bucket<'g> {
        let mut segment = self.directory.find(position, guard);
        loop {
            let line = segment.bucket(position);
            let head = line.head(By::Reader);
            if !head.is_moved() {
                return Bucket { segment, line, head };
            }
            segment = segment.forward(position);
        }
    }

    #[inline(always)]
    fn get_in(&self, line: &Line, head: Head, hash: Hash, key: &S::Key) -> Option<Word> {
        for slot in head.candidates(hash) {
            let word = line.word(slot, By::Reader);
            // SAFETY: the word was loaded under the guard that our caller holds.
            if !word.is_empty() && unsafe { self.schema.matches(key, word) } {
                return Some(word);
            }
        }
        None
    }

    #[inline(never)]
    fn get_overflow(&self, line: &Line, hash: Hash, key: &S::Key) -> Option<Word> {
        let mut next = line.next(By::Reader);
        while let Some(line) = next {
            let word = self.get_in(line, line.head(By::Reader), hash, key);
            if word.is_some() {
                return word;
            }
            next = line.next(By::Reader);
        }
        None
    }

    /// Calls `f` with each segment, in the order of positions. While the table changes, an
    /// interval may be seen twice, in the shapes before and after.
    fn for_each_segment<'g>(&'g self, guard: &'g Guard, mut f: impl FnMut(Segment<'g>)) {
        let mut position = 0;
        while position < 1 << POSITION_BITS {
            let segment = self.directory.find(position, guard);
            f(segment);
            let shift = POSITION_BITS - segment.depth();
            position = ((position >> shift) + 1) << shift;
        }
    }
}

impl<S: HashSchema> Drop for HashTable<S> {
    fn drop(&mut self) {
        let mut segments = Vec::new();
        // Nothing is freed while this guard lives but by us.
        self.for_each_segment(&crate::reclaim::pin(), |segment| segments.push(segment.entry()));
        for entry in segments {
            // SAFETY: the directory led here, and nobody else can use the table any more.
            let segment = unsafe { Segment::from_entry(entry) };
            for index in 0..segment.buckets() {
                self.release_words(segment.line(index));
            }
            // SAFETY: as above, and each segment has been collected once.
            unsafe { segment.free() };
        }
        // SAFETY: nobody else can use the table any more.
        unsafe { self.directory.free() };
    }
}

impl<S: HashSchema> HashTable<S> {
    /// Releases what is stored in a bucket of a table that is being dropped.
    fn release_words(&self, line: &Line) {
        // A bucket was left frozen in the directory only if a schema panicked during a split.
        if segment::is_frozen(line) {
            return;
        }
        // SAFETY: nobody else can reach the word any more, because the table is being dropped.
        line.for_each_word(By::Owner, |word| unsafe { self.schema.release(word) });
    }
}
