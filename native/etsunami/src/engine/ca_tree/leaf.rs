//! The leaf: entries in slots, two order arrays, publication by one store.
//!
//! ```text
//! head       seq; live a, live b; statistics; fences, stem, capacity (immutable)
//! tag[]      a byte of the hash of each slot's prefix
//! order a    slot numbers in key order, one byte each
//! order b    the same for the other parity
//! prefix[]   the prefix of each slot's key, behind what all keys of the leaf's interval share
//! word[]     the word of each slot
//! ```
//!
//! The sequence word says which publication is current, how many entries it has, and who may
//! write; see [`Seq`]. `live` is the set of slots that an order array names: who looks for a key
//! compares all tags at once and needs no order, as in the FPTree (Oukid et al., SIGMOD 2016).
//!
//! # Protocol
//!
//! *Publication* n is the order array and the live set of parity n, its first `len` slots, their
//! tags, prefixes and words. A lock holder may publish once. While n is current it writes only the
//! array and the set of the other parity and slots that n does not contain, and replaces words in
//! place (same key, one atomic store).
//! Then it stores the sequence word with n + 1: the linearization point of insert and remove.
//! Array n and the slots that left with n + 1 are first overwritten by a later holder. So what a
//! reader of n has read is publication n if afterwards it still finds n, or finds n + 1 and nobody
//! editing ([`Seq::still_reads`]).
//!
//! A reader follows a word (to compare keys) only after it has validated the slot number: then the
//! slot belonged to a publication that was current under the reader's guard, and every word that
//! the slot holds since then was in the table under this guard. If it had loaded the word by then,
//! the word is that of the publication as well.
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

use super::node::{self, Entry, Fence, Link, Probe};
use crate::engine::{OrderSchema, Word};
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicI16, AtomicU32, AtomicU64, Ordering, fence};
use std::iter::repeat_n;

/// A value of the sequence word: bit 63 `LOCK`, bit 62 `EDIT` (the holder has not published yet),
/// bit 61 `DEAD`, bits 54 to 60 the number of entries, below them the publication number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seq(pub u64);

impl Seq {
    pub const LOCK: u64 = 1 << 63;
    pub const EDIT: u64 = 1 << 62;
    pub const DEAD: u64 = 1 << 61;
    const LEN_SHIFT: u32 = 54;
    const TURN: u64 = (1 << Seq::LEN_SHIFT) - 1;

    /// The first publication, unlocked.
    pub fn first(len: usize) -> Seq {
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
    pub fn is_locked(self) -> bool {
        self.0 & Seq::LOCK != 0
    }

    /// The next publication, unlocked.
    pub fn next(self, len: usize) -> Seq {
        Seq((self.turn() + 1) & Seq::TURN | (len as u64) << Seq::LEN_SHIFT)
    }

    /// Is what was read under `self` intact if the sequence word is `now`?
    #[inline(always)]
    fn still_reads(self, now: Seq) -> bool {
        let ahead = now.turn().wrapping_sub(self.turn());
        ahead == 0 || (ahead == 1 && (weakened(Weak::TreeEdit) || now.0 & Seq::EDIT == 0))
    }
}

/// The fixed part of a leaf.
#[repr(C)]
pub(super) struct Head<S: OrderSchema> {
    seq: AtomicU64,
    /// The slots of a publication, by its parity.
    live: [AtomicU64; 2],
    low: *const Fence<S>,
    high: *const Fence<S>,
    link: Link,
    /// Contention. It stands here because who writes it has written `seq`.
    stat: AtomicI16,
    capacity: u8,
    /// The cells of an order array.
    order: u8,
    /// Lock waits in the leaf's life.
    waits: AtomicU32,
    /// What all keys between the fences share. Who searches here has it, or is a fence. With the
    /// stems of tables the head fills a cache line, and a leaf of 64 takes twenty of them: the
    /// allocator has blocks of 1280 bytes, and next of 1536.
    stem: Option<S::Stem>,
}

/// A leaf. Its interval, from `low` up to `high`, never changes.
#[repr(C)]
pub(super) struct Leaf<S: OrderSchema> {
    head: Head<S>,
    cells: [AtomicU64],
}

/// What a leaf is responsible for: the keys from `low` up to and without `high`.
pub(super) struct Interval<S: OrderSchema> {
    pub low: *const Fence<S>,
    pub high: *const Fence<S>,
    pub stem: Option<S::Stem>,
}

impl<S: OrderSchema> Clone for Interval<S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: OrderSchema> Copy for Interval<S> {}

impl<S: OrderSchema> Interval<S> {
    /// The whole key space.
    pub const ALL: Self = Interval { low: std::ptr::null(), high: std::ptr::null(), stem: None };

    /// The interval between two fences, either of which may be missing.
    ///
    /// # Safety
    /// The fences are alive.
    pub unsafe fn between(schema: &S, low: *const Fence<S>, high: *const Fence<S>) -> Self {
        // SAFETY: promised by the caller.
        let stem = match unsafe { (low.as_ref(), high.as_ref()) } {
            (Some(low), Some(high)) => schema.stem(low.key(schema), high.key(schema)),
            _ => None,
        };
        Interval { low, high, stem }
    }
}

/// Leaves of this capacity and more are aligned to cache lines.
const ALIGNED: usize = 64;

const fn order_cells(capacity: usize) -> usize {
    capacity.div_ceil(8)
}

const fn cells(capacity: usize) -> usize {
    3 * order_cells(capacity) + 2 * capacity
}

const fn align(capacity: usize) -> usize {
    if capacity >= ALIGNED { 64 } else { 8 }
}

impl<S: OrderSchema> Leaf<S> {
    /// Allocates a leaf with these entries, in key order. Its sequence word has `marks`.
    pub fn allocate(
        capacity: usize,
        interval: Interval<S>,
        entries: &[Entry],
        marks: u64,
    ) -> *mut u8 {
        debug_assert!(entries.len() <= capacity && capacity <= 64);
        let head = |address| Head {
            seq: AtomicU64::new(Seq::first(entries.len()).0 | marks),
            live: [AtomicU64::new(lowest(entries.len())), AtomicU64::new(0)],
            low: interval.low,
            high: interval.high,
            link: Link::to_leaf(address),
            stat: AtomicI16::new(0),
            capacity: capacity as u8,
            order: order_cells(capacity) as u8,
            waits: AtomicU32::new(0),
            stem: interval.stem,
        };
        let tail = initial(capacity, entries).map(AtomicU64::new);
        node::allocate(head, cells(capacity), tail, align(capacity))
    }

    /// The leaf at an address.
    ///
    /// # Safety
    /// The address is that of a leaf of a tree of this schema that lives during `'g`.
    #[inline(always)]
    pub unsafe fn from_address<'g>(address: *mut u8) -> &'g Leaf<S> {
        // SAFETY: the capacity is immutable, the length follows from it; the cast keeps it.
        unsafe {
            let cells = cells((*address.cast::<Head<S>>()).capacity.into());
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
            let capacity = (*address.cast::<Head<S>>()).capacity.into();
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

    /// The least and the greatest prefix whose keys all lie in the interval; none if there is none.
    pub fn own_prefixes(&self) -> Option<(u64, u64)> {
        let least = self.low().map_or(Some(0), |low| low.prefix.checked_add(1))?;
        let most = self.high().map_or(Some(u64::MAX), |high| high.prefix.checked_sub(1))?;
        (least <= most).then_some((least, most))
    }

    pub fn interval(&self) -> Interval<S> {
        Interval { low: self.head.low, high: self.head.high, stem: self.head.stem }
    }

    /// The prefix by which a key stands in this leaf. The key lies in its interval or is its upper
    /// end.
    #[inline(always)]
    pub fn prefix(&self, schema: &S, probe: Probe<'_, S>) -> u64 {
        match self.head.stem {
            None => probe.prefix,
            Some(stem) => schema.prefix_behind(probe.key, stem),
        }
    }

    #[inline(always)]
    pub fn capacity(&self) -> usize {
        self.head.capacity.into()
    }

    /// The cells of an order array, or of the tags.
    #[inline(always)]
    pub fn order_cells(&self) -> usize {
        self.head.order.into()
    }

    #[inline(always)]
    pub fn seq(&self) -> &AtomicU64 {
        &self.head.seq
    }

    /// Has nothing replaced the leaf so far?
    pub fn is_alive(&self) -> bool {
        // Relaxed: who asks has synchronized with what may have killed it.
        !Seq(self.head.seq.load(Ordering::Relaxed)).is_dead()
    }

    /// Begins a read: the current publication.
    #[inline(always)]
    pub fn read(&self) -> View<'_, S> {
        View::new(self, Seq(self.head.seq.load(Ordering::Acquire)))
    }

    #[inline(always)]
    fn cell(&self, index: usize) -> &AtomicU64 {
        debug_assert!(index < self.cells.len());
        // SAFETY: every index is computed from the immutable capacity, slot numbers below it and
        // positions below a length below it, hence smaller than `cells(capacity)`.
        unsafe { self.cells.get_unchecked(index) }
    }

    /// The statistic of contention.
    #[inline(always)]
    pub fn stat(&self) -> &AtomicI16 {
        &self.head.stat
    }

    /// The tags of slots `8 * index` to `8 * index + 7`.
    #[inline(always)]
    pub fn tag_cell(&self, index: usize) -> &AtomicU64 {
        self.cell(index)
    }

    #[inline(always)]
    pub fn prefix_cell(&self, slot: usize) -> &AtomicU64 {
        self.cell(3 * self.order_cells() + slot)
    }

    #[inline(always)]
    pub fn word_cell(&self, slot: usize) -> &AtomicU64 {
        self.cell(3 * self.order_cells() + self.capacity() + slot)
    }

    /// Lock waits in the leaf's life, for lock holders.
    pub fn waits(&self) -> &AtomicU32 {
        &self.head.waits
    }
}

/// What a prefix shows of itself beside 63 others: a byte that depends on all of its bits.
#[inline(always)]
pub(super) fn tag(prefix: u64) -> u8 {
    (prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// The initial values of the cells: the entries stand in slots 0, 1, …, in order `a`. Behind its
/// last position there is slot 0, because each byte of an order names a slot that there is, whatever
/// writers move to where readers who come too late still look.
fn initial(capacity: usize, entries: &[Entry]) -> impl Iterator<Item = u64> {
    let rest = capacity - entries.len();
    let order = order_cells(capacity);
    let tags = |i: usize| {
        let eight = entries.iter().skip(8 * i).take(8).enumerate();
        eight.fold(0, |tags, (j, entry)| tags | u64::from(tag(entry.prefix)) << (8 * j))
    };
    (0..order)
        .map(tags)
        .chain((0..order).map(move |i| ascending(i) & lowest(8 * capacity.saturating_sub(8 * i))))
        .chain(repeat_n(0, order))
        .chain(entries.iter().map(|entry| entry.prefix))
        .chain(repeat_n(0, rest))
        .chain(entries.iter().map(|entry| entry.bits))
        .chain(repeat_n(0, rest))
}

/// Cell `index` of the order in which slot i is at position i.
const fn ascending(index: usize) -> u64 {
    index as u64 * 0x0808_0808_0808_0808 + 0x0706_0504_0302_0100
}

/// The lowest `n` bits.
#[inline(always)]
pub(super) const fn lowest(n: usize) -> u64 {
    if n >= 64 { u64::MAX } else { (1 << n) - 1 }
}

/// One publication of a leaf, as somebody reads it. Validate with [`View::holds`].
///
/// What is called seldom takes it by value: the views of those who do not call it stay in
/// registers.
pub(super) struct View<'l, S: OrderSchema> {
    leaf: &'l Leaf<S>,
    seq: Seq,
    order: usize,
}

impl<S: OrderSchema> Clone for View<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: OrderSchema> Copy for View<'_, S> {}

impl<'l, S: OrderSchema> View<'l, S> {
    #[inline(always)]
    pub fn new(leaf: &'l Leaf<S>, seq: Seq) -> Self {
        let order = (1 + (seq.turn() & 1) as usize) * leaf.order_cells();
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

    /// The set of its slots.
    #[inline(always)]
    pub fn live(&self) -> &'l AtomicU64 {
        &self.leaf.head.live[(self.seq.turn() & 1) as usize]
    }

    /// The eight order bytes from position `8 * index` on.
    #[inline(always)]
    pub fn order_cell(&self, index: usize) -> &'l AtomicU64 {
        self.leaf.cell(self.order + index)
    }

    #[inline(always)]
    pub fn slot(&self, position: usize) -> usize {
        let cell = self.order_cell(position / 8).load(Ordering::Relaxed);
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
        if weakened(Weak::TreeValidation) {
            return true;
        }
        crate::faults::delay();
        fence(Ordering::Acquire);
        // Relaxed: ordered by the fence behind all reads of cells.
        self.seq.still_reads(Seq(self.leaf.head.seq.load(Ordering::Relaxed)))
    }
}
