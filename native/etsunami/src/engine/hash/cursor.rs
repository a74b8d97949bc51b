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
use crate::sync::weaken::{Weak, weakened};
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
        let (own, behind) = match extent(bucket.line) {
            Extent::Line => self.few::<PLACES>(bucket.line, None, start).step(start, &visible),
            Extent::Two(more) => {
                self.few::<TWICE>(bucket.line, Some(more), start).step(start, &visible)
            }
            Extent::Chain => (None, Least::Unclear),
        };
        // SAFETY: words come from the table, under the guard.
        let own = own.filter(|&own| unsafe { self.schema.matches(key, own) });
        match (own, behind) {
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
            let least = match extent(bucket.line) {
                Extent::Line => self.few::<PLACES>(bucket.line, None, position).least(visible),
                Extent::Two(more) => {
                    self.few::<TWICE>(bucket.line, Some(more), position).least(visible)
                }
                Extent::Chain => Least::Unclear,
            };
            let least = match least {
                Least::Word(word) => Some(word),
                Least::None => None,
                Least::Unclear => {
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
            let taken = match extent(bucket.line) {
                Extent::Line => {
                    self.few::<PLACES>(bucket.line, None, position).take_sorted(missing, out)
                }
                Extent::Two(more) => {
                    self.few::<TWICE>(bucket.line, Some(more), position).take_sorted(missing, out)
                }
                Extent::Chain => None,
            };
            let (taken, rest) =
                taken.unwrap_or_else(|| self.read_sorted(&bucket, position, missing, out));
            if rest.is_some() {
                return rest;
            }
            missing = missing.saturating_sub(taken);
            position = if weakened(Weak::HashCursor) {
                self.bucket(position, guard).segment.bucket_end(position)
            } else {
                bucket.segment.bucket_end(position)
            };
        }
        (position < END).then_some(position)
    }

    /// Appends up to `missing` words of a bucket from `position` on, in order, each key once, and
    /// more if these have the position of the last one. Tells how many, and where the first word
    /// is that was left.
    #[cold]
    fn read_sorted(
        &self,
        bucket: &super::Bucket<'_>,
        position: u64,
        missing: usize,
        out: &mut Vec<Word>,
    ) -> (usize, Option<u64>) {
        let mut batch = Vec::new();
        bucket.line.for_each_word(By::Reader, |word| {
            let found = self.found(word);
            if found.position >= position {
                batch.push(found);
            }
        });
        batch.sort_unstable_by(|a, b| self.compare(a, b));
        // A key that is removed and inserted again while we read may have been met in two slots.
        batch.dedup_by(|a, b| self.compare(a, b).is_eq());
        let taken = group_end(&batch, missing);
        out.extend(batch[..taken].iter().map(|found| found.word));
        (taken, batch.get(taken).map(|found| found.position))
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

/// The bits of a place that tell where its word is.
const SLOT_BITS: u32 = 4;
/// The places that are sorted: as many as the network below has.
const PLACES: usize = 6;
/// Those of a bucket with an overflow line.
const TWICE: usize = 2 * PLACES;
const _: () = assert!(SLOTS <= PLACES && TWICE < 1 << SLOT_BITS);

/// The place of a slot that holds nothing of interest: behind all others.
const NOWHERE: u64 = u64::MAX;

/// The lines of a bucket.
enum Extent<'g> {
    /// It has no overflow line.
    Line,
    /// It has this one.
    Two(&'g Line),
    /// It has several.
    Chain,
}

#[inline(always)]
fn extent(line: &Line) -> Extent<'_> {
    match line.next(By::Reader) {
        None => Extent::Line,
        Some(more) if more.next(By::Reader).is_none() => Extent::Two(more),
        Some(_) => Extent::Chain,
    }
}

/// What a bucket holds from some position on, in [`PLACES`] or in [`TWICE`] places.
#[derive(Clone, Copy)]
struct Few<const N: usize> {
    words: [Word; 1 << SLOT_BITS],
    /// For each word its position and its index, or [`NOWHERE`].
    places: [u64; N],
}

/// The least visible word.
enum Least {
    None,
    Word(Word),
    /// Several words have its position, or there is one before it that is not visible.
    Unclear,
}

impl<S: HashSchema> HashTable<S> {
    /// What a bucket holds from a position on, in its line and in its overflow line, if it has
    /// one.
    #[inline(always)]
    fn few<const N: usize>(&self, line: &Line, more: Option<&Line>, from: u64) -> Few<N> {
        let mut few = Few { words: [Word::EMPTY; 1 << SLOT_BITS], places: [NOWHERE; N] };
        self.look(line, 0, from, &mut few);
        if let Some(more) = more {
            self.look(more, PLACES, from, &mut few);
        }
        few
    }

    /// Notes what a line holds from a position on, from this index on.
    #[inline(always)]
    fn look<const N: usize>(&self, line: &Line, index: usize, from: u64, few: &mut Few<N>) {
        for slot in 0..SLOTS {
            let word = line.word(slot, By::Reader);
            few.words[index + slot] = word;
            if !word.is_empty() {
                let position = self.found(word).position;
                let place = position << SLOT_BITS | (index + slot) as u64;
                few.places[index + slot] = if position < from { NOWHERE } else { place };
            }
        }
    }
}

impl<const N: usize> Few<N> {
    /// The word at a position, unless none or several have it, and the least one behind it.
    #[inline(always)]
    fn step(self, position: u64, visible: &impl Fn(Word) -> bool) -> (Option<Word>, Least) {
        let (own, behind) = self.apart(position);
        (own, behind.least(visible))
    }

    /// The word at a position, and what is behind it. None if no word has it, or several have.
    #[inline(always)]
    fn apart(mut self, position: u64) -> (Option<Word>, Self) {
        let (mut index, mut count) = (0, 0);
        for (i, place) in self.places.iter_mut().enumerate() {
            let here = *place >> SLOT_BITS == position;
            index |= if here { i } else { 0 };
            count += usize::from(here);
            *place |= if here { NOWHERE } else { 0 };
        }
        ((count == 1).then(|| self.words[index % self.words.len()]), self)
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

    /// Appends up to `missing` words in the order of their positions. Tells how many, and where
    /// the first one is that was left. None, and nothing is done, if two words have one position.
    #[inline(always)]
    fn take_sorted(mut self, missing: usize, out: &mut Vec<Word>) -> Option<(usize, Option<u64>)> {
        if !self.sort() {
            return None;
        }
        let len = self.len();
        let taken = len.min(missing);
        let end = out.len() + taken;
        out.extend(self.words());
        out.truncate(end);
        Some((taken, (taken < len).then(|| self.places[taken] >> SLOT_BITS)))
    }

    /// Puts the places in order. False if two words have one position.
    ///
    /// Those of the line itself by the shortest network of exchanges, without branches that nobody
    /// could predict; those of the overflow line, mostly few, are let down one by one.
    #[inline(always)]
    fn sort(&mut self) -> bool {
        sort_line(&mut self.places);
        for end in PLACES..N {
            let mut place = self.places[end];
            if place == NOWHERE {
                continue;
            }
            self.places[end] = NOWHERE;
            for other in &mut self.places[..=end] {
                (*other, place) = exchanged(*other, place);
            }
        }
        let tied = |a: u64, b: u64| a >> SLOT_BITS == b >> SLOT_BITS && b != NOWHERE;
        !self.places.windows(2).fold(false, |any, pair| any | tied(pair[0], pair[1]))
    }

    /// How many words there are.
    #[inline(always)]
    fn len(&self) -> usize {
        self.places.iter().map(|&place| usize::from(place != NOWHERE)).sum()
    }

    /// The words in the order of the places, those that are there in front.
    #[inline(always)]
    fn words(&self) -> [Word; N] {
        self.places.map(|place| self.words[place as usize % self.words.len()])
    }
}

/// Puts the first [`PLACES`] places in order.
#[inline(always)]
fn sort_line(places: &mut [u64]) {
    let line = places.first_chunk_mut::<PLACES>().expect("at least as many places");
    let [a, b, c, d, e, f] = *line;
    let ((a, f), (b, d), (c, e)) = (exchanged(a, f), exchanged(b, d), exchanged(c, e));
    let ((b, c), (d, e)) = (exchanged(b, c), exchanged(d, e));
    let ((a, d), (c, f)) = (exchanged(a, d), exchanged(c, f));
    let ((a, b), (c, d), (e, f)) = (exchanged(a, b), exchanged(c, d), exchanged(e, f));
    let ((b, c), (d, e)) = (exchanged(b, c), exchanged(d, e));
    *line = [a, b, c, d, e, f];
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
