//! Cursors: reading the table in the order of positions.
//!
//! Keys are ordered by position, and by the schema's `tie` where positions are equal. This order
//! depends on the keys and the hash alone, not on the table's shape, so a position (and a key, for
//! [`HashTable::next`]) is all that a cursor has to remember.
//!
//! # Exactly once
//!
//! A step reads the authoritative bucket of the cursor's position as a whole, whatever the tags
//! say, and goes on with what lies behind the cursor: the least of it, or all of it in order, and
//! then the end of that bucket's interval. The cursor only grows, so no key is met twice, not even
//! one that was removed and inserted again. A key that is present throughout stands in the bucket
//! that is read when the cursor passes its position, in one slot that is never empty meanwhile, so
//! it is not missed. Splits and merges between steps change intervals, not positions; during a
//! step the bucket that is being read keeps its words when it is frozen.

use super::HashTable;
use super::access::By;
use super::geometry::{POSITION_BITS, SCAN_BUCKETS};
use super::head::Hash;
use crate::engine::{HashSchema, Word};
use crate::reclaim::Guard;
use std::cmp::Ordering;

/// How many buckets ahead a scan asks memory for objects, whose hashes it is going to read.
const AHEAD: usize = 4;

/// The position behind all others.
const END: u64 = 1 << POSITION_BITS;

/// A word and its position.
#[derive(Clone, Copy)]
struct Found {
    position: u64,
    word: Word,
}

impl<S: HashSchema> HashTable<S> {
    /// The word of the least key that lies behind `after` and is visible; the very first one if
    /// `after` is `None`. `after` need not be in the table.
    ///
    /// `visible` tells of a word whether its key counts as present.
    pub fn next(
        &self,
        guard: &Guard,
        after: Option<&S::Key>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        let Some(key) = after else { return self.first_from(guard, 0, &visible) };
        let start = Hash(self.schema.hash(key)).position();
        // SAFETY: words come from the table, under the guard.
        let is_behind = |word| unsafe { self.schema.tie(key, word) } == Ordering::Less;
        let bucket = self.bucket(start, guard);
        let least = self.least_in(&bucket, &visible, |found| match found.position.cmp(&start) {
            Ordering::Less => false,
            Ordering::Equal => is_behind(found.word),
            Ordering::Greater => true,
        });
        least.or_else(|| self.first_from(guard, bucket.segment.bucket_end(start), &visible))
    }

    /// The word of the least visible key from `position` on.
    fn first_from(
        &self,
        guard: &Guard,
        mut position: u64,
        visible: &impl Fn(Word) -> bool,
    ) -> Option<Word> {
        while position < END {
            let bucket = self.bucket(position, guard);
            let least = self.least_in(&bucket, visible, |found| found.position >= position);
            if least.is_some() {
                return least;
            }
            position = bucket.segment.bucket_end(position);
        }
        None
    }

    /// The least visible word of a bucket among those that lie behind the cursor.
    fn least_in(
        &self,
        bucket: &super::Bucket<'_>,
        visible: &impl Fn(Word) -> bool,
        is_behind: impl Fn(&Found) -> bool,
    ) -> Option<Word> {
        let mut least: Option<Found> = None;
        bucket.line.for_each_word(By::Reader, |word| {
            let found = self.found(word);
            let is_less = least.is_none_or(|least| self.compare(&found, &least).is_lt());
            if is_less && is_behind(&found) && visible(word) {
                least = Some(found);
            }
        });
        least.map(|found| found.word)
    }

    /// Appends words to `out` in the order of positions, beginning at position `from` (at most
    /// 2³²), until there are `limit` of them or a bounded number of buckets has been visited.
    /// Returns the position to go on with, or `None` at the end.
    ///
    /// Words of equal position are never separated, so there may be more than `limit`. Each key is
    /// there at most once.
    pub fn scan(&self, guard: &Guard, from: u64, limit: usize, out: &mut Vec<Word>) -> Option<u64> {
        let mut position = from;
        let mut missing = limit;
        let mut batch = Vec::new();
        for _ in 0..SCAN_BUCKETS {
            if position >= END {
                return None;
            }
            if missing == 0 {
                break;
            }
            let bucket = self.bucket(position, guard);
            if let Some(line) = bucket.segment.ahead(position, AHEAD) {
                line.prefetch();
            }
            self.read_sorted(&bucket, position, &mut batch);
            let taken =
                if batch.len() <= missing { batch.len() } else { group_end(&batch, missing) };
            out.extend(batch[..taken].iter().map(|found| found.word));
            if taken < batch.len() {
                return Some(batch[taken].position);
            }
            missing = missing.saturating_sub(taken);
            position = if cfg!(feature = "weaken_hash_cursor") {
                self.bucket(position, guard).segment.bucket_end(position)
            } else {
                bucket.segment.bucket_end(position)
            };
        }
        (position < END).then_some(position)
    }

    /// Reads the words of a bucket from `position` on, in order, each key once.
    fn read_sorted(&self, bucket: &super::Bucket<'_>, position: u64, batch: &mut Vec<Found>) {
        batch.clear();
        bucket.line.for_each_word(By::Reader, |word| {
            let found = self.found(word);
            if found.position >= position {
                batch.push(found);
            }
        });
        if sort_few(batch) {
            return;
        }
        batch.sort_unstable_by(|a, b| self.compare(a, b));
        // A key that is removed and inserted again while we read may have been met in two slots.
        batch.dedup_by(|a, b| self.compare(a, b).is_eq());
    }

    fn found(&self, word: Word) -> Found {
        // SAFETY: words come from the table, under the guard of our callers.
        Found { position: Hash(unsafe { self.schema.hash_of(word) }).position(), word }
    }

    /// The order of keys.
    fn compare(&self, a: &Found, b: &Found) -> Ordering {
        let by_position = a.position.cmp(&b.position);
        // SAFETY: words come from the table, under the guard of our callers.
        by_position.then_with(|| unsafe { self.schema.tie_words(a.word, b.word) })
    }
}

/// The words that are sorted by their ranks: what a bucket holds without overflow, and a few more.
const FEW: usize = 8;

/// Sorts a few words whose positions differ, without branches that nobody could predict. False,
/// and nothing is changed, if there are more, or two of one position.
fn sort_few(batch: &mut [Found]) -> bool {
    let n = batch.len();
    if n > FEW {
        return false;
    }
    let mut sorted = [Found { position: 0, word: Word::EMPTY }; FEW];
    let mut ranks = 0_u32;
    for found in &*batch {
        let rank: usize =
            batch.iter().map(|other| usize::from(other.position < found.position)).sum();
        sorted[rank] = *found;
        ranks |= 1 << rank;
    }
    // Words of one position have one rank, so another one is missing.
    if ranks.count_ones() as usize != n {
        return false;
    }
    batch.copy_from_slice(&sorted[..n]);
    true
}

/// Where the group of equal positions ends that holds the `limit`-th word, or is the last.
fn group_end(batch: &[Found], limit: usize) -> usize {
    let Some(last) = limit.checked_sub(1).and_then(|index| batch.get(index)) else {
        return batch.len().min(limit);
    };
    batch.partition_point(|found| found.position <= last.position)
}
