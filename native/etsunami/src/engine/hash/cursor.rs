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
use super::geometry::{POSITION_BITS, SCAN_BUCKETS, SLOTS};
use super::head::Hash;
use super::line::Line;
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

    /// The word that stands for a key itself, whether visible or not, and the least visible one
    /// behind it: [`HashTable::get`] and [`HashTable::next`] in one look at the bucket.
    #[inline(always)]
    pub fn step(
        &self,
        guard: &Guard,
        key: &S::Key,
        visible: impl Fn(Word) -> bool,
    ) -> (Option<Word>, Option<Word>) {
        let start = Hash(self.schema.hash(key)).position();
        let bucket = self.bucket(start, guard);
        let Some(few) = self.few(bucket.line, start) else {
            return (self.get(guard, key), self.next(guard, Some(key), visible));
        };
        let (own, behind) = few.apart(start);
        // SAFETY: words come from the table, under the guard.
        let own = own.filter(|&own| unsafe { self.schema.matches(key, own) });
        match (own, behind.least(&visible)) {
            (Some(_), Least::Word(word)) => (own, Some(word)),
            (Some(_), Least::None) => {
                (own, self.first_from(guard, bucket.segment.bucket_end(start), &visible))
            }
            _ => (self.get(guard, key), self.next(guard, Some(key), visible)),
        }
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
            let least = match self.few(bucket.line, position).map(|few| few.least(visible)) {
                Some(Least::Word(word)) => Some(word),
                Some(Least::None) => None,
                Some(Least::Unclear) | None => {
                    self.least_in(&bucket, visible, |found| found.position >= position)
                }
            };
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
            let taken = match self.few(bucket.line, position).and_then(Few::sorted) {
                Some(few) => {
                    let len = few.len();
                    let taken = len.min(missing);
                    let end = out.len() + taken;
                    out.extend(few.words());
                    out.truncate(end);
                    if taken < len {
                        return Some(few.places[taken] >> SLOT_BITS);
                    }
                    taken
                }
                None => {
                    self.read_sorted(&bucket, position, &mut batch);
                    let taken = group_end(&batch, missing);
                    out.extend(batch[..taken].iter().map(|found| found.word));
                    if taken < batch.len() {
                        return Some(batch[taken].position);
                    }
                    taken
                }
            };
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

/// The bits of a place that tell the slot.
const SLOT_BITS: u32 = 3;
/// The places that are sorted: as many as the network below has.
const PLACES: usize = 6;
const _: () = assert!(SLOTS <= PLACES);

/// The place of a slot that holds nothing of interest: behind all others.
const NOWHERE: u64 = u64::MAX;

/// What a bucket without overflow lines holds from some position on.
#[derive(Clone, Copy)]
struct Few {
    words: [Word; 1 << SLOT_BITS],
    /// For each word its position and its slot, or [`NOWHERE`].
    places: [u64; PLACES],
}

/// The least visible word.
enum Least {
    None,
    Word(Word),
    /// Several words have its position, or there is one before it that is not visible.
    Unclear,
}

impl<S: HashSchema> HashTable<S> {
    /// What a bucket holds from a position on; none if it has overflow lines.
    #[inline(always)]
    fn few(&self, line: &Line, from: u64) -> Option<Few> {
        if line.next(By::Reader).is_some() {
            return None;
        }
        let mut few = Few { words: [Word::EMPTY; 1 << SLOT_BITS], places: [NOWHERE; PLACES] };
        for slot in 0..SLOTS {
            let word = line.word(slot, By::Reader);
            few.words[slot] = word;
            if !word.is_empty() {
                let position = self.found(word).position;
                let place = position << SLOT_BITS | slot as u64;
                few.places[slot] = if position < from { NOWHERE } else { place };
            }
        }
        Some(few)
    }
}

impl Few {
    /// The word at a position, and what is behind it. None if no word has it, or several have.
    #[inline(always)]
    fn apart(mut self, position: u64) -> (Option<Word>, Few) {
        let (mut slot, mut count) = (0, 0);
        for (i, place) in self.places.iter_mut().enumerate() {
            let here = *place >> SLOT_BITS == position;
            slot |= if here { i } else { 0 };
            count += usize::from(here);
            *place |= if here { NOWHERE } else { 0 };
        }
        ((count == 1).then(|| self.words[slot % self.words.len()]), self)
    }

    /// The least visible word, found without branches that nobody could predict.
    #[inline(always)]
    fn least(&self, visible: &impl Fn(Word) -> bool) -> Least {
        let least = self.places.iter().fold(NOWHERE, |least, &place| least.min(place));
        if least == NOWHERE {
            return Least::None;
        }
        let is_same = |place: &u64| usize::from(place >> SLOT_BITS == least >> SLOT_BITS);
        let same: usize = self.places.iter().map(is_same).sum();
        let word = self.words[least as usize % self.words.len()];
        if same == 1 && visible(word) { Least::Word(word) } else { Least::Unclear }
    }

    /// The places in order, by the shortest network of exchanges, without branches that nobody
    /// could predict. None if two words have one position.
    #[inline(always)]
    fn sorted(mut self) -> Option<Few> {
        let [a, b, c, d, e, f] = self.places;
        let ((a, f), (b, d), (c, e)) = (exchanged(a, f), exchanged(b, d), exchanged(c, e));
        let ((b, c), (d, e)) = (exchanged(b, c), exchanged(d, e));
        let ((a, d), (c, f)) = (exchanged(a, d), exchanged(c, f));
        let ((a, b), (c, d), (e, f)) = (exchanged(a, b), exchanged(c, d), exchanged(e, f));
        let ((b, c), (d, e)) = (exchanged(b, c), exchanged(d, e));
        self.places = [a, b, c, d, e, f];
        let tied = |a: u64, b: u64| a >> SLOT_BITS == b >> SLOT_BITS && b != NOWHERE;
        let any = tied(a, b) | tied(b, c) | tied(c, d) | tied(d, e) | tied(e, f);
        (!any).then_some(self)
    }

    /// How many words there are.
    #[inline(always)]
    fn len(&self) -> usize {
        self.places.iter().map(|&place| usize::from(place != NOWHERE)).sum()
    }

    /// The words in the order of the places, those that are there in front.
    #[inline(always)]
    fn words(&self) -> [Word; PLACES] {
        self.places.map(|place| self.words[place as usize % self.words.len()])
    }
}

/// Two places in order.
#[inline(always)]
fn exchanged(a: u64, b: u64) -> (u64, u64) {
    (a.min(b), a.max(b))
}

/// Where the group of equal positions ends that holds the `limit`-th word, or is the last.
fn group_end(batch: &[Found], limit: usize) -> usize {
    let Some(last) = limit.checked_sub(1).and_then(|index| batch.get(index)) else {
        return batch.len().min(limit);
    };
    batch.partition_point(|found| found.position <= last.position)
}
