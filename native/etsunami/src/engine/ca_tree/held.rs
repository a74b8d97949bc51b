//! The locked leaf: how it is written, and the statistics of its contention.
//!
//! The protocol stands in [`leaf`](super::leaf). A lock is held across at most one publication.

use super::leaf::{Interval, Leaf, Seq, View, tag};
use super::node::{Entry, prefetch_line};
use crate::engine::{Direction, OrderSchema, Spot, Word};
use crate::reclaim::Guard;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{Ordering, fence, stand_back};
use std::cmp::Ordering as Order;

/// A lock wait counts for this much contention, a lock without wait for minus one: one wait in 250
/// operations keeps the granularity, more split, fewer join.
const WAITED: i16 = 250;
/// Beyond this contention a leaf is split, below its negative it is joined.
const THRESHOLD: i16 = 1000;
/// Contention is not counted beyond this, so that a change of habit is noticed.
const STAT_LIMIT: i16 = 20_000;
/// Splitting fewer entries does not spread contention.
const LEAST_SPLIT: usize = 8;

/// What the statistics ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Advice {
    Nothing,
    Split,
    Join,
}

/// A locked leaf. Unlocks when dropped, on unwinding too.
pub(super) struct Held<'g, S: OrderSchema> {
    leaf: &'g Leaf<S>,
    /// The current publication, as an unlocked word.
    seq: Seq,
    waited: bool,
    /// Killed: nothing to unlock.
    dead: bool,
}

impl<S: OrderSchema> Leaf<S> {
    /// A new leaf with these entries, in key order, locked by the caller.
    pub fn create<'g>(
        _guard: &'g Guard,
        capacity: usize,
        interval: Interval<S>,
        entries: &[Entry],
    ) -> Held<'g, S> {
        let address = Leaf::allocate(capacity, interval, entries, Seq::LOCK | Seq::EDIT);
        // SAFETY: just made. Nobody else knows it, and once it is in the tree it is freed only
        // after the guard's life.
        let leaf = unsafe { Leaf::from_address(address) };
        Held { leaf, seq: Seq::first(entries.len()), waited: false, dead: false }
    }

    /// Locks the leaf; none if it is dead.
    #[inline]
    pub fn lock(&self) -> Option<Held<'_, S>> {
        let mut waited = false;
        loop {
            let seq = self.peek();
            if seq.is_dead() && !weakened(Weak::TreeDead) {
                return None;
            }
            if !seq.is_locked() && self.take(seq) {
                return Some(Held { leaf: self, seq, waited, dead: false });
            }
            waited = true;
            stand_back(|| self.peek().is_locked());
        }
    }

    /// Lets a scan that needed several leaves take part in the statistics. Racy: a lost
    /// contribution costs nothing.
    pub fn calm(&self, by: i16) {
        let old = self.stat().load(Ordering::Relaxed);
        self.stat().store(old.saturating_sub(by).max(-STAT_LIMIT), Ordering::Relaxed);
    }

    /// Locks the leaf if it is alive and free.
    pub fn try_lock(&self) -> Option<Held<'_, S>> {
        let seq = self.peek();
        let free = !seq.is_dead() && !seq.is_locked() && self.take(seq);
        free.then(|| Held { leaf: self, seq, waited: false, dead: false })
    }

    /// The sequence word before an attempt to lock.
    #[cfg(not(loom))]
    #[inline(always)]
    fn peek(&self) -> Seq {
        // Acquire: partner of the Release store that kills.
        Seq(self.seq().load(Ordering::Acquire))
    }

    /// The same for loom, as a compare-and-swap that fails: no leaf has this value. loom remembers
    /// one last access per atomic. A load would hide the loads of readers from the attempt that
    /// follows, and loom would not try the orders in which those come later.
    #[cfg(loom)]
    fn peek(&self) -> Seq {
        let failed = self.seq().compare_exchange(u64::MAX, 0, Ordering::Acquire, Ordering::Acquire);
        Seq(failed.expect_err("no leaf is locked, dead, and overfull"))
    }

    #[inline]
    fn take(&self, seq: Seq) -> bool {
        let taken = Seq(seq.0 | Seq::LOCK | Seq::EDIT);
        let cas = self.seq().compare_exchange(seq.0, taken.0, Ordering::Acquire, Ordering::Relaxed);
        if !weakened(Weak::TreeFence) {
            // Partner: the Acquire fence in `View::holds`.
            fence(Ordering::Release);
        }
        crate::faults::delay();
        cas.is_ok()
    }
}

impl<'g, S: OrderSchema> Held<'g, S> {
    #[inline(always)]
    pub fn leaf(&self) -> &'g Leaf<S> {
        self.leaf
    }

    #[inline(always)]
    pub fn view(&self) -> View<'g, S> {
        View::new(self.leaf, self.seq)
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        self.seq.len()
    }

    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.len() == self.leaf.capacity()
    }

    /// Which way the newest entries of a full leaf, next to a position, came in: each insert takes
    /// the lowest free slot, so the two newest have the two greatest, unless there were removals.
    pub fn run_at(&self, position: usize) -> Option<Direction> {
        debug_assert!(self.is_full());
        let newest = self.leaf.capacity() - 1;
        let is = |at: usize, slot| at < self.len() && self.view().slot(at) == slot;
        if is(position.wrapping_sub(1), newest) && is(position.wrapping_sub(2), newest - 1) {
            Some(Direction::Ascending)
        } else if is(position, newest) && is(position + 1, newest - 1) {
            Some(Direction::Descending)
        } else {
            None
        }
    }

    /// Appends all entries in key order.
    pub fn entries(&self, into: &mut Vec<Entry>) {
        let view = self.view();
        for position in 0..self.len() {
            let slot = view.slot(position);
            // Relaxed: written before this lock was taken.
            let prefix = self.leaf.prefix_cell(slot).load(Ordering::Relaxed);
            into.push(Entry { prefix, bits: view.word_in(slot).0 as u64 });
        }
    }

    /// Lets the processor fetch the cell that the word of an insert goes to.
    #[inline(always)]
    pub fn prefetch_free(&self) {
        let slot = self.view().live().load(Ordering::Relaxed).trailing_ones() as usize;
        if slot < self.leaf.capacity() {
            prefetch_line(std::ptr::from_ref(self.leaf.word_cell(slot)).cast());
        }
    }

    /// Replaces the word in a slot by one with an equal key. Linearization point: the store.
    #[inline]
    pub fn replace(&self, slot: usize, word: Word) {
        self.leaf.word_cell(slot).store(word.0 as u64, Ordering::Release);
    }

    /// A slot of this leaf, for an exchange.
    #[inline(always)]
    pub fn spot(&self, slot: usize) -> Spot {
        Spot { node: self.leaf.link().address().expose_provenance(), slot }
    }

    /// Inserts at a position; there is room. At most one of `insert` and `remove` per lock.
    #[inline]
    pub fn insert(&mut self, position: usize, entry: Entry) {
        let leaf = self.leaf;
        // Relaxed, here and below: written before this lock was taken.
        let live = self.view().live().load(Ordering::Relaxed);
        let slot = live.trailing_ones() as usize;
        debug_assert!(slot < leaf.capacity());
        let (tags, shift) = (leaf.tag_cell(slot / 8), slot % 8 * 8);
        let others = tags.load(Ordering::Relaxed) & !(0xff << shift);
        tags.store(others | u64::from(tag(entry.prefix)) << shift, Ordering::Relaxed);
        leaf.prefix_cell(slot).store(entry.prefix, Ordering::Relaxed);
        leaf.word_cell(slot).store(entry.bits, Ordering::Release);
        let next = View::new(leaf, self.seq.next(self.len() + 1));
        next.live().store(live | 1 << slot, Ordering::Relaxed);
        self.open_gap(&next, position, slot as u64);
        self.publish(self.len() + 1);
    }

    /// Writes the order of the next publication, which has a slot more.
    #[inline(always)]
    fn open_gap(&self, next: &View<'_, S>, position: usize, slot: u64) {
        let (view, at, shift) = (self.view(), position / 8, position % 8 * 8);
        let mut carried = 0;
        for i in 0..self.len() / 8 + 1 {
            let cell = view.order_cell(i).load(Ordering::Relaxed);
            let new = match i.cmp(&at) {
                Order::Less => cell,
                Order::Equal => {
                    let kept = (1 << shift) - 1;
                    cell & kept | slot << shift | (cell & !kept) << 8
                }
                Order::Greater => cell << 8 | carried,
            };
            carried = cell >> 56;
            next.order_cell(i).store(new, Ordering::Relaxed);
        }
    }

    /// Removes an entry: its position and slot.
    #[inline]
    pub fn remove(&mut self, position: usize, slot: usize) {
        let live = self.view().live().load(Ordering::Relaxed);
        let next = View::new(self.leaf, self.seq.next(self.len() - 1));
        next.live().store(live & !(1 << slot), Ordering::Relaxed);
        self.close_gap(&next, position);
        self.publish(self.len() - 1);
    }

    /// Writes the order of the next publication, which lacks the slot at a position.
    #[inline(always)]
    fn close_gap(&self, next: &View<'_, S>, position: usize) {
        let (view, at, kept) = (self.view(), position / 8, (1 << (position % 8 * 8)) - 1);
        let mut carried = 0;
        for i in (0..self.len().div_ceil(8)).rev() {
            let cell = view.order_cell(i).load(Ordering::Relaxed);
            let shifted = cell >> 8 | carried << 56;
            let new = match i.cmp(&at) {
                Order::Less => cell,
                Order::Equal => cell & kept | shifted & !kept,
                Order::Greater => shifted,
            };
            carried = cell & 0xff;
            next.order_cell(i).store(new, Ordering::Relaxed);
        }
    }

    /// Publishes what has been written: the linearization point of `insert` and `remove`.
    #[inline(always)]
    fn publish(&mut self, len: usize) {
        self.seq = self.seq.next(len);
        crate::faults::delay();
        // Release: partner of the Acquire loads that begin reads. EDIT is gone: from here on this
        // holder writes no cell that the previous publication uses.
        self.leaf.seq().store(self.seq.0 | Seq::LOCK, Ordering::Release);
    }

    /// Ends the leaf's life, after it has been replaced in the tree. Its cells are never written
    /// again.
    pub fn kill(mut self) {
        // Release: partner of the Acquire load of who waits for the lock, and then has to find
        // what replaced the leaf.
        self.leaf.seq().store(self.seq.0 | Seq::DEAD, Ordering::Release);
        self.dead = true;
    }

    /// Lock waits on this leaf in its life.
    pub fn waits(&self) -> u64 {
        self.leaf.waits().load(Ordering::Relaxed).into()
    }

    /// True if the statistics show no contention.
    pub fn is_calm(&self) -> bool {
        self.leaf.stat().load(Ordering::Relaxed) <= 0
    }

    /// Takes this operation into the statistics.
    #[inline]
    pub fn advice(&self) -> Advice {
        let stat = self.leaf.stat();
        let old = stat.load(Ordering::Relaxed);
        let mut new = if self.waited { self.contended(old) } else { old - 1 };
        let mut advice = Advice::Nothing;
        if new > THRESHOLD {
            if self.len() >= LEAST_SPLIT {
                advice = Advice::Split;
            } else {
                new = 0;
            }
        } else if new < -THRESHOLD {
            new = 0;
            advice = Advice::Join;
        }
        stat.store(new, Ordering::Relaxed);
        advice
    }

    #[cold]
    fn contended(&self, stat: i16) -> i16 {
        let waits = self.leaf.waits();
        waits.store(waits.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        (stat + WAITED).min(STAT_LIMIT)
    }
}

impl<S: OrderSchema> Drop for Held<'_, S> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.dead {
            // Release: partner of the next holder's Acquire CAS.
            self.leaf.seq().store(self.seq.0, Ordering::Release);
        }
    }
}
