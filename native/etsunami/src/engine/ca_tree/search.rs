//! Search in one leaf. A key that is there is found by its tag, without a look at the order; where
//! a key would be is found branch-free over prefixes, then by whole keys where prefixes are equal.

use super::bytes::equal_bytes;
use super::leaf::{View, lowest, tag};
use super::node::{Gap, Probe};
use crate::engine::{Direction, OrderSchema, Word};
use crate::sync::Ordering;
use std::cmp::Ordering as Order;
use std::ops::Range;

/// The publication that was being read has been overwritten.
#[derive(Debug)]
pub(super) struct Torn;

/// Where a key is, or would be.
pub(super) struct Place {
    /// The number of smaller keys.
    pub position: usize,
    /// The key's slot and word, if it is there.
    pub found: Option<(usize, Word)>,
}

/// The least index in `from..to` for which `goes_right` is false; it is monotone. Without branches
/// that depend on it, and with three questions at a time, because their memory accesses overlap.
#[inline(always)]
pub(super) fn partition(from: usize, to: usize, goes_right: impl Fn(usize) -> bool) -> usize {
    let mut base = from;
    let mut len = to - from;
    // The answer lies in base..=base + len.
    while len > 3 {
        let quarter = len / 4;
        let ask = |i: usize| usize::from(goes_right(base + i * quarter - 1));
        base += quarter * (ask(1) + ask(2) + ask(3));
        len -= 3 * quarter;
    }
    let ask = |i: usize| usize::from(goes_right(base + i));
    match len {
        0 => base,
        1 => base + ask(0),
        2 => base + ask(0) + ask(1),
        _ => base + ask(0) + ask(1) + ask(2),
    }
}

/// The same with as few questions as possible, because they are dear.
pub(super) fn partition_by_key(
    from: usize,
    to: usize,
    goes_right: impl Fn(usize) -> bool,
) -> usize {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if goes_right(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

impl<S: OrderSchema> View<'_, S> {
    /// The slot and the word of a key. What it gives was in this publication; that there is none is
    /// right if the view still [`holds`](View::holds).
    #[inline(always)]
    pub fn find(&self, schema: &S, probe: Probe<'_, S>) -> Result<Option<(usize, Word)>, Torn> {
        let leaf = self.leaf();
        let prefix = leaf.prefix(schema, probe);
        let tags = |i| leaf.tag_cell(i).load(Ordering::Relaxed);
        let tagged = equal_bytes(leaf.order_cells(), tag(prefix), tags);
        let mut candidates = tagged & self.live().load(Ordering::Relaxed);
        while candidates != 0 {
            let slot = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            if leaf.prefix_cell(slot).load(Ordering::Relaxed) == prefix {
                let word = self.word_in(slot);
                if !self.holds() {
                    return Err(Torn);
                }
                // SAFETY: `word` was in the table under the guard that this leaf is read under.
                if unsafe { schema.compare(probe.key, word) }.is_eq() {
                    return Ok(Some((slot, word)));
                }
                return self.find_among_equals(schema, probe);
            }
        }
        Ok(None)
    }

    /// The same where other keys have its prefix.
    #[cold]
    fn find_among_equals(
        self,
        schema: &S,
        probe: Probe<'_, S>,
    ) -> Result<Option<(usize, Word)>, Torn> {
        let found = self.find_in_order(schema, probe)?.found;
        if self.holds() { Ok(found) } else { Err(Torn) }
    }

    /// Finds the place of a key. The answer is right if the view still [`holds`](View::holds).
    pub fn find_in_order(self, schema: &S, probe: Probe<'_, S>) -> Result<Place, Torn> {
        let len = self.len();
        let prefix = self.leaf().prefix(schema, probe);
        let lower = partition(0, len, |i| self.prefix(i) < prefix);
        if lower == len || self.prefix(lower) != prefix {
            return Ok(Place { position: lower, found: None });
        }
        let (slot, word, order) = self.compare(schema, probe, lower)?;
        match order {
            Order::Equal => Ok(Place { position: lower, found: Some((slot, word)) }),
            Order::Less => Ok(Place { position: lower, found: None }),
            Order::Greater => {
                let upper = partition(lower + 1, len, |i| self.prefix(i) <= prefix);
                self.find_in_run(schema, probe, lower + 1..upper)
            }
        }
    }

    /// The number of smaller keys, of a key that is not there. At the ends of a leaf, where
    /// ascending and descending keys go, it takes one comparison or two.
    #[inline(always)]
    pub fn position_of_absent(&self, schema: &S, probe: Probe<'_, S>) -> Result<usize, Torn> {
        let (len, prefix) = (self.len(), self.leaf().prefix(schema, probe));
        if len > 0 && self.prefix(len - 1) < prefix {
            return Ok(len);
        }
        if len > 0 && prefix < self.prefix(0) {
            return Ok(0);
        }
        Ok(self.find_in_order(schema, probe)?.position)
    }

    /// The position of a slot that this publication has.
    #[inline(always)]
    pub fn rank(&self, slot: usize) -> Result<usize, Torn> {
        let len = self.len();
        let order = |i| self.order_cell(i).load(Ordering::Relaxed);
        let there = equal_bytes(self.leaf().order_cells(), slot as u8, order);
        match there & lowest(len) {
            0 => Err(Torn),
            found => Ok(found.trailing_zeros() as usize),
        }
    }

    /// The number of smaller keys, and whether the key is there.
    #[inline(always)]
    fn place(&self, schema: &S, probe: Probe<'_, S>) -> Result<(usize, bool), Torn> {
        match self.find(schema, probe)? {
            Some((slot, _)) => Ok((self.rank(slot)?, true)),
            None => Ok((self.position_of_absent(schema, probe)?, false)),
        }
    }

    /// Finds a key among entries that have its prefix.
    fn find_in_run(
        &self,
        schema: &S,
        probe: Probe<'_, S>,
        run: Range<usize>,
    ) -> Result<Place, Torn> {
        let (mut low, mut high) = (run.start, run.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let (slot, word, order) = self.compare(schema, probe, middle)?;
            match order {
                Order::Equal => return Ok(Place { position: middle, found: Some((slot, word)) }),
                Order::Less => high = middle,
                Order::Greater => low = middle + 1,
            }
        }
        Ok(Place { position: low, found: None })
    }

    /// Compares the probe with the key at a position.
    #[inline(always)]
    fn compare(
        &self,
        schema: &S,
        probe: Probe<'_, S>,
        position: usize,
    ) -> Result<(usize, Word, Order), Torn> {
        let (slot, word) = self.word(position)?;
        // SAFETY: `word` was in the table under the guard that this leaf is read under.
        Ok((slot, word, unsafe { schema.compare(probe.key, word) }))
    }

    /// The slot and the word at a position. The word may be followed, whether or not the view
    /// holds afterwards.
    #[inline(always)]
    pub fn word(&self, position: usize) -> Result<(usize, Word), Torn> {
        let slot = self.slot(position);
        // Before the word is read: an order array that is being overwritten may name slots that
        // hold words removed, and freed, long ago.
        if self.holds() { Ok((slot, self.word_in(slot))) } else { Err(Torn) }
    }

    /// The number of entries before a gap.
    #[inline]
    pub fn before(&self, schema: &S, gap: &Gap<'_, S>) -> Result<usize, Torn> {
        match *gap {
            Gap::Start => Ok(0),
            Gap::End => Ok(self.len()),
            Gap::Before(probe) => Ok(self.place(schema, probe)?.0),
            Gap::After(probe) => {
                let (position, found) = self.place(schema, probe)?;
                Ok(position + usize::from(found))
            }
        }
    }

    /// The first word from a gap on that is `visible`.
    #[inline]
    pub fn first_visible(
        &self,
        schema: &S,
        gap: &Gap<'_, S>,
        direction: Direction,
        visible: impl Fn(Word) -> bool,
    ) -> Result<Option<Word>, Torn> {
        let at = self.before(schema, gap)?;
        let mut positions = match direction {
            Direction::Ascending => at..self.len(),
            Direction::Descending => 0..at,
        };
        let found = loop {
            let next = match direction {
                Direction::Ascending => positions.next(),
                Direction::Descending => positions.next_back(),
            };
            let Some(position) = next else { break None };
            let (_, word) = self.word(position)?;
            if visible(word) {
                break Some(word);
            }
        };
        if self.holds() { Ok(found) } else { Err(Torn) }
    }

    /// Appends the words at `positions` in the order of the direction. On `Torn` what was appended
    /// is garbage.
    #[inline(always)]
    pub fn collect(
        &self,
        positions: Range<usize>,
        direction: Direction,
        out: &mut Vec<Word>,
    ) -> Result<(), Torn> {
        let word = |position| self.word_in(self.slot(position));
        match direction {
            Direction::Ascending => out.extend(positions.map(word)),
            Direction::Descending => out.extend(positions.rev().map(word)),
        }
        if self.holds() { Ok(()) } else { Err(Torn) }
    }
}
