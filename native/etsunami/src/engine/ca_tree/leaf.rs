//! The leaf: entries in slots, two order arrays, publication by one store.
//!
//! ```text
//! head       seq, where a dead leaf forwards to, fences (all but seq and forward are immutable)
//! order a    slot numbers in key order, one byte each
//! order b    the same for the other parity
//! prefix[]   the prefix of each slot's key
//! word[]     the word of each slot
//! private    free slots, contention statistics: for lock holders
//! ```
//!
//! The sequence word says which publication is current, how many entries it has, and who may
//! write; see [`Seq`].
//!
//! # Protocol
//!
//! *Publication* n is the order array of parity n, its first `len` slots, their prefixes and words.
//! A lock holder may publish once. While n is current it writes only the array of the other parity
//! and slots that n does not contain, and replaces words in place (same key, one atomic store).
//! Then it stores the sequence word with n + 1: the linearization point of insert and remove.
//! Array n and the slots that left with n + 1 are first overwritten by a later holder. So what a
//! reader of n has read is publication n if afterwards it still finds n, or finds n + 1 and nobody
//! editing ([`Seq::still_reads`]).
//!
//! A reader follows a word (to compare keys) only after it has validated the slot number: then the
//! slot belonged to a publication that was current under the reader's guard, and every word that
//! the slot holds since then was in the table under this guard.
//!
//! # Orderings
//!
//! - A holder takes the lock by an Acquire CAS and passes a Release fence before it writes cells;
//!   a reader passes an Acquire fence after it has read cells and before it reads the sequence
//!   word again. Whoever has read a cell of a later holder therefore sees at least that holder's
//!   `EDIT`.
//! - Publication and unlock are Release stores; readers begin with an Acquire load, holders with
//!   the Acquire CAS.
//! - Words are stored with Release and loaded with Acquire, for what they point to. All other
//!   cells are Relaxed because of the rules above.

use super::node::{self, Entry, Fence, Link};
use crate::engine::{OrderSchema, Word};
use crate::reclaim::Guard;
use crate::sync::{AtomicPtr, AtomicU64, Ordering, fence};
use std::iter::repeat_n;

/// A value of the sequence word: bit 63 `LOCK`, bit 62 `EDIT` (the holder has not published yet),
/// bit 61 `DEAD`, bits 54 to 60 the number of entries, below them the publication number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seq(u64);

impl Seq {
    const LOCK: u64 = 1 << 63;
    const EDIT: u64 = 1 << 62;
    const DEAD: u64 = 1 << 61;
    const LEN_SHIFT: u32 = 54;
    const TURN: u64 = (1 << Seq::LEN_SHIFT) - 1;

    fn first(len: usize) -> Seq {
        Seq((len as u64) << Seq::LEN_SHIFT)
    }

    #[inline(always)]
    pub fn len(self) -> usize {
        (self.0 >> Seq::LEN_SHIFT & 0x7f) as usize
    }

    #[inline(always)]
    fn turn(self) -> u64 {
        self.0 & Seq::TURN
    }

    #[inline(always)]
    pub fn is_dead(self) -> bool {
        self.0 & Seq::DEAD != 0
    }

    #[inline(always)]
    fn is_locked(self) -> bool {
        self.0 & Seq::LOCK != 0
    }

    /// The next publication, unlocked.
    fn next(self, len: usize) -> Seq {
        Seq((self.turn() + 1) & Seq::TURN | (len as u64) << Seq::LEN_SHIFT)
    }

    /// Is what was read under `self` intact if the sequence word is `now`?
    #[inline(always)]
    fn still_reads(self, now: Seq) -> bool {
        let ahead = now.turn().wrapping_sub(self.turn());
        ahead == 0 || (ahead == 1 && (cfg!(feature = "weaken_tree_edit") || now.0 & Seq::EDIT == 0))
    }
}

/// The fixed part of a leaf.
#[repr(C)]
pub(super) struct Head<S: OrderSchema> {
    seq: AtomicU64,
    /// Where the two halves of the interval went, if the leaf is dead; the second may be none.
    forward: [AtomicPtr<()>; 2],
    low: *const Fence<S>,
    high: *const Fence<S>,
    link: Link,
    capacity: u32,
    cells: u32,
    /// Fills the cache line, so that the order arrays begin with the next.
    _line: u64,
}

/// A leaf. Its interval, from `low` up to `high`, never changes.
#[repr(C)]
pub(super) struct Leaf<S: OrderSchema> {
    head: Head<S>,
    cells: [AtomicU64],
}

/// Cells behind the words, for lock holders.
const PRIVATE: usize = 3;
/// A bit for each free slot.
const FREE: usize = 0;
/// Contention, a signed number.
const STAT: usize = 1;
/// Lock waits in the leaf's life.
const WAITS: usize = 2;

/// Leaves of this capacity and more are aligned to cache lines.
const ALIGNED: usize = 64;

const fn order_cells(capacity: usize) -> usize {
    capacity.div_ceil(8)
}

const fn cells(capacity: usize) -> usize {
    2 * order_cells(capacity) + 2 * capacity + PRIVATE
}

const fn align(capacity: usize) -> usize {
    if capacity >= ALIGNED { 64 } else { 8 }
}

/// The leaf has been replaced; [`Leaf::forward`] tells by what.
#[derive(Debug)]
pub(super) struct Dead;

impl<S: OrderSchema> Leaf<S> {
    /// A new leaf with these entries (in key order), locked by the caller.
    pub fn create<'g>(
        _guard: &'g Guard,
        capacity: usize,
        low: *const Fence<S>,
        high: *const Fence<S>,
        entries: &[Entry],
    ) -> Held<'g, S> {
        debug_assert!(entries.len() <= capacity && capacity <= 64);
        let seq = Seq::first(entries.len());
        let head = |address| Head {
            seq: AtomicU64::new(seq.0 | Seq::LOCK | Seq::EDIT),
            forward: [AtomicPtr::default(), AtomicPtr::default()],
            low,
            high,
            link: Link::to_leaf(address),
            capacity: capacity as u32,
            cells: cells(capacity) as u32,
            _line: 0,
        };
        let tail = initial(capacity, entries).map(AtomicU64::new);
        let address = node::allocate(head, cells(capacity), tail, align(capacity));
        // SAFETY: just made. Nobody else knows it, and once it is in the tree it is freed only
        // after the guard's life.
        Held { leaf: unsafe { Leaf::from_address(address) }, seq, waited: false, done: false }
    }

    /// The leaf at an address.
    ///
    /// # Safety
    /// The address is that of a leaf of a tree of this schema that lives during `'g`.
    #[inline(always)]
    pub unsafe fn from_address<'g>(address: *mut u8) -> &'g Leaf<S> {
        // SAFETY: `cells` is immutable and tells the true length; the cast keeps it.
        unsafe {
            let cells = (*address.cast::<Head<S>>()).cells as usize;
            &*(std::ptr::slice_from_raw_parts(address, cells) as *const Leaf<S>)
        }
    }

    /// Frees a leaf (not what its words own).
    ///
    /// # Safety
    /// `address` is that of a leaf that nobody can reach any more.
    pub unsafe fn free(address: *mut u8) {
        // SAFETY: the capacity is immutable; the layout follows from it.
        unsafe {
            let capacity = (*address.cast::<Head<S>>()).capacity as usize;
            node::deallocate::<Head<S>, AtomicU64>(address, cells(capacity), align(capacity));
        }
    }

    pub fn bytes(&self) -> usize {
        node::bytes::<Head<S>, AtomicU64>(self.cells.len())
    }

    pub fn link(&self) -> Link {
        self.head.link
    }

    /// The lower end of the interval; none for the first leaf.
    #[inline(always)]
    pub fn low(&self) -> Option<&Fence<S>> {
        // SAFETY: a fence is retired after the leaves it bounds are; who holds the leaf under a
        // guard may read the fence.
        unsafe { self.head.low.as_ref() }
    }

    /// The upper end of the interval; none for the last leaf.
    #[inline(always)]
    pub fn high(&self) -> Option<&Fence<S>> {
        // SAFETY: as for `low`.
        unsafe { self.head.high.as_ref() }
    }

    pub fn fences(&self) -> (*const Fence<S>, *const Fence<S>) {
        (self.head.low, self.head.high)
    }

    #[inline(always)]
    pub fn capacity(&self) -> usize {
        self.head.capacity as usize
    }

    /// The two halves that a dead leaf forwards to. To be called after [`Dead`] was seen, which
    /// synchronizes with the store that announced it.
    pub fn forward(&self) -> (Link, Link) {
        // Relaxed: written before DEAD, which the caller has read with Acquire.
        let [left, right] = &self.head.forward;
        (
            Link::from_raw(left.load(Ordering::Relaxed)),
            Link::from_raw(right.load(Ordering::Relaxed)),
        )
    }

    /// Begins a read: the current publication.
    #[inline(always)]
    pub fn read(&self) -> Result<View<'_, S>, Dead> {
        let seq = Seq(self.head.seq.load(Ordering::Acquire));
        if seq.is_dead() { Err(Dead) } else { Ok(View::new(self, seq)) }
    }

    /// Lets a scan that needed several leaves take part in the statistics. Racy: a lost
    /// contribution costs nothing, and readers of entries do not touch this cell's line.
    pub fn calm(&self, by: i64) {
        let stat = self.private(STAT);
        let old = stat.load(Ordering::Relaxed) as i64;
        stat.store(old.saturating_sub(by).max(-STAT_LIMIT) as u64, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(super) fn cell(&self, index: usize) -> &AtomicU64 {
        debug_assert!(index < self.cells.len());
        // SAFETY: every index is computed from the immutable capacity, slot numbers below it and
        // positions below a length below it, hence smaller than `cells(capacity)`.
        unsafe { self.cells.get_unchecked(index) }
    }

    #[inline(always)]
    pub(super) fn prefix_cell(&self, slot: usize) -> &AtomicU64 {
        self.cell(2 * order_cells(self.capacity()) + slot)
    }

    #[inline(always)]
    pub(super) fn word_cell(&self, slot: usize) -> &AtomicU64 {
        self.cell(2 * order_cells(self.capacity()) + self.capacity() + slot)
    }

    fn private(&self, which: usize) -> &AtomicU64 {
        self.cell(2 * order_cells(self.capacity()) + 2 * self.capacity() + which)
    }
}

/// The initial values of the cells: the entries stand in slots 0, 1, …, in order `a`.
fn initial(capacity: usize, entries: &[Entry]) -> impl Iterator<Item = u64> {
    let rest = capacity - entries.len();
    let order = order_cells(capacity);
    let free = all_slots(capacity) & !all_slots(entries.len());
    (0..order as u64)
        .map(|i| i * 0x0808_0808_0808_0808 + 0x0706_0504_0302_0100)
        .chain(repeat_n(0, order))
        .chain(entries.iter().map(|entry| entry.prefix))
        .chain(repeat_n(0, rest))
        .chain(entries.iter().map(|entry| entry.bits))
        .chain(repeat_n(0, rest))
        .chain([free, 0, 0])
}

/// A bit for each of the first `n` slots.
const fn all_slots(n: usize) -> u64 {
    if n == 64 { u64::MAX } else { (1 << n) - 1 }
}

/// One publication of a leaf, as somebody reads it. Validate with [`View::holds`].
pub(super) struct View<'l, S: OrderSchema> {
    leaf: &'l Leaf<S>,
    seq: Seq,
    order: usize,
}

impl<'l, S: OrderSchema> View<'l, S> {
    #[inline(always)]
    fn new(leaf: &'l Leaf<S>, seq: Seq) -> Self {
        let order = (seq.turn() & 1) as usize * order_cells(leaf.capacity());
        View { leaf, seq, order }
    }

    #[inline(always)]
    pub fn leaf(&self) -> &'l Leaf<S> {
        self.leaf
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        self.seq.len()
    }

    #[inline(always)]
    pub fn slot(&self, position: usize) -> usize {
        let cell = self.leaf.cell(self.order + position / 8).load(Ordering::Relaxed);
        (cell >> (position % 8 * 8) & 0xff) as usize
    }

    #[inline(always)]
    pub fn prefix(&self, position: usize) -> u64 {
        self.leaf.prefix_cell(self.slot(position)).load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub fn word_in(&self, slot: usize) -> Word {
        // Acquire: partner of the Release stores of words, for what the word points to.
        Word(self.leaf.word_cell(slot).load(Ordering::Acquire) as usize)
    }

    /// Was everything read so far part of this publication?
    #[inline(always)]
    pub fn holds(&self) -> bool {
        if cfg!(feature = "weaken_tree_validation") {
            return true;
        }
        fence(Ordering::Acquire);
        // Relaxed: ordered by the fence behind all reads of cells.
        self.seq.still_reads(Seq(self.leaf.head.seq.load(Ordering::Relaxed)))
    }

    /// All entries in key order. For lock holders.
    fn entries(&self, into: &mut Vec<Entry>) {
        for position in 0..self.len() {
            let slot = self.slot(position);
            let prefix = self.leaf.prefix_cell(slot).load(Ordering::Relaxed);
            into.push(Entry { prefix, bits: self.word_in(slot).0 as u64 });
        }
    }
}

/// A lock wait counts for this much contention, a lock without wait for minus one: one wait in 250
/// operations keeps the granularity, more split, fewer join.
const WAITED: i64 = 250;
/// Beyond this contention a leaf is split, below its negative it is joined.
const THRESHOLD: i64 = 1000;
const STAT_LIMIT: i64 = 20_000;
/// Splitting fewer entries does not spread contention.
const LEAST_SPLIT: usize = if cfg!(any(test, loom)) { 4 } else { 8 };

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
    /// The leaf is dead: nothing to unlock.
    done: bool,
}

impl<S: OrderSchema> Leaf<S> {
    /// Locks the leaf.
    pub fn lock(&self) -> Result<Held<'_, S>, Dead> {
        let mut backoff = crate::sync::Backoff::new();
        let mut waited = false;
        loop {
            let seq = self.peek();
            if seq.is_dead() {
                return Err(Dead);
            }
            if !seq.is_locked() && self.take(seq) {
                return Ok(Held { leaf: self, seq, waited, done: false });
            }
            waited = true;
            backoff.wait();
        }
    }

    /// Locks the leaf if it is alive and free.
    pub fn try_lock(&self) -> Option<Held<'_, S>> {
        let seq = self.peek();
        let free = !seq.is_dead() && !seq.is_locked() && self.take(seq);
        free.then(|| Held { leaf: self, seq, waited: false, done: false })
    }

    /// The sequence word before an attempt to lock.
    #[cfg(not(loom))]
    #[inline(always)]
    fn peek(&self) -> Seq {
        // Acquire: partner of the Release store that kills.
        Seq(self.head.seq.load(Ordering::Acquire))
    }

    /// The same for loom, as a compare-and-swap that fails: no leaf has this value. loom remembers
    /// one last access per atomic. A load would hide the loads of readers from the attempt that
    /// follows, and loom would not try the orders in which those come later.
    #[cfg(loom)]
    fn peek(&self) -> Seq {
        let seq = &self.head.seq;
        let failed = seq.compare_exchange(u64::MAX, 0, Ordering::Acquire, Ordering::Acquire);
        Seq(failed.expect_err("no leaf is locked, dead, and overfull"))
    }

    #[inline]
    fn take(&self, seq: Seq) -> bool {
        let taken = Seq(seq.0 | Seq::LOCK | Seq::EDIT);
        let cas =
            self.head.seq.compare_exchange(seq.0, taken.0, Ordering::Acquire, Ordering::Relaxed);
        // Partner: the Acquire fence in `View::holds`.
        fence(Ordering::Release);
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

    pub fn entries(&self, into: &mut Vec<Entry>) {
        self.view().entries(into);
    }

    /// Replaces the word in a slot by one with an equal key. Linearization point: the store.
    #[inline]
    pub fn replace(&self, slot: usize, word: Word) {
        self.leaf.word_cell(slot).store(word.0 as u64, Ordering::Release);
    }

    /// Inserts at a position; there is room. At most one of `insert` and `remove` per lock.
    #[inline]
    pub fn insert(&mut self, position: usize, entry: Entry) {
        let free = self.leaf.private(FREE);
        let slots = free.load(Ordering::Relaxed);
        let slot = slots.trailing_zeros() as usize;
        debug_assert!(slot < self.leaf.capacity());
        free.store(slots & (slots - 1), Ordering::Relaxed);
        self.leaf.prefix_cell(slot).store(entry.prefix, Ordering::Relaxed);
        self.leaf.word_cell(slot).store(entry.bits, Ordering::Release);
        let mut order = self.order();
        order.copy_within(position..self.len(), position + 1);
        order[position] = slot as u8;
        self.publish(&order, self.len() + 1);
    }

    /// Removes the entry at a position.
    #[inline]
    pub fn remove(&mut self, position: usize) {
        let mut order = self.order();
        let free = self.leaf.private(FREE);
        let slots = free.load(Ordering::Relaxed);
        free.store(slots | 1 << order[position], Ordering::Relaxed);
        order.copy_within(position + 1..self.len(), position);
        self.publish(&order, self.len() - 1);
    }

    /// The current order, with room for one more.
    #[inline(always)]
    fn order(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let view = self.view();
        for i in 0..order_cells(self.leaf.capacity()) {
            let cell = self.leaf.cell(view.order + i).load(Ordering::Relaxed);
            bytes[8 * i..8 * i + 8].copy_from_slice(&cell.to_le_bytes());
        }
        bytes
    }

    /// Publishes an order: the linearization point of `insert` and `remove`.
    #[inline(always)]
    fn publish(&mut self, order: &[u8; 64], len: usize) {
        let next = self.seq.next(len);
        let other = View::new(self.leaf, next).order;
        for i in 0..order_cells(self.leaf.capacity()) {
            let bytes = order[8 * i..8 * i + 8].try_into().expect("eight bytes");
            self.leaf.cell(other + i).store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        self.seq = next;
        // Release: partner of the Acquire loads that begin reads. EDIT is gone: from here on this
        // holder writes no cell that the previous publication uses.
        self.leaf.head.seq.store(next.0 | Seq::LOCK, Ordering::Release);
    }

    /// Ends the leaf's life: from this store on its interval belongs to `left` and, from the low
    /// fence of `right` on, to `right`. Its cells are never written again.
    pub fn kill(mut self, left: Link, right: Link) {
        // Relaxed: published by the store below.
        self.leaf.head.forward[0].store(left.raw(), Ordering::Relaxed);
        self.leaf.head.forward[1].store(right.raw(), Ordering::Relaxed);
        // Release: partner of the Acquire loads that find DEAD, for the forwards and the
        // contents of the new leaves.
        self.leaf.head.seq.store(self.seq.0 | Seq::DEAD, Ordering::Release);
        self.done = true;
    }

    /// Lock waits on this leaf in its life.
    pub fn waits(&self) -> u64 {
        self.leaf.private(WAITS).load(Ordering::Relaxed)
    }

    /// True if the statistics show no contention.
    pub fn is_calm(&self) -> bool {
        self.leaf.private(STAT).load(Ordering::Relaxed) as i64 <= 0
    }

    /// Takes this operation into the statistics.
    #[inline]
    pub fn advice(&self) -> Advice {
        let stat = self.leaf.private(STAT);
        let old = stat.load(Ordering::Relaxed) as i64;
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
        stat.store(new as u64, Ordering::Relaxed);
        advice
    }

    #[cold]
    fn contended(&self, stat: i64) -> i64 {
        let waits = self.leaf.private(WAITS);
        waits.store(waits.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        (stat + WAITED).min(STAT_LIMIT)
    }
}

impl<S: OrderSchema> Drop for Held<'_, S> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.done {
            // Release: partner of the next holder's Acquire CAS.
            self.leaf.head.seq.store(self.seq.0, Ordering::Release);
        }
    }
}
