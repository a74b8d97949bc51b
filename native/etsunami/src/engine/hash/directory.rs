//! The directory: from a position to the segment that covers it.
//!
//! The root word is the address of an array of entries together with the shift that makes an
//! index of a position, so that one load gives a consistent pair. An array of `2^G` entries has
//! one for each prefix of `G` bits; a segment of depth `d <= G` stands in `2^(G - d)` of them.
//! `G` is at most [`ROOT_BITS`]: beyond it, an entry becomes a *page*, a small array of its own
//! for the positions of this entry.
//!
//! A lone segment is its own array of one entry (see [`super::segment`]).
//!
//! Readers load the root, then the entry, both with Acquire against the Release stores here. What
//! they find may be outdated at once: then the buckets that they get to are frozen and lead on to
//! the heirs. All changes are made under a lock that the caller holds ([`super::upkeep`]).

use super::access::{Access, By};
use super::geometry::{POSITION_BITS, ROOT_BITS};
use super::segment::{SHIFT, Segment};
use crate::reclaim::Guard;
use crate::sync::{AtomicUsize, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Marks an entry that leads to a page. No address has this bit.
const PAGE: usize = 1 << 63;

/// The line before an array that was allocated (the embedded one has none).
#[repr(C, align(64))]
struct ArrayHeader {
    /// The binary logarithm of the number of entries.
    bits: u32,
}

const ENTRIES: usize = size_of::<ArrayHeader>();

/// The layout of an array of `2^bits` entries.
fn layout(bits: u32) -> Layout {
    let entries = size_of::<AtomicUsize>() << bits;
    Layout::from_size_align(ENTRIES + entries, align_of::<ArrayHeader>()).expect("at most 256 KiB")
}

/// Allocates an array whose `index`-th entry is `fill(index)`, and gives its address.
fn allocate(bits: u32, mut fill: impl FnMut(usize) -> usize) -> usize {
    let layout = layout(bits);
    // SAFETY: the layout is not empty: it has a header.
    let Some(base) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
    // SAFETY: the memory is ours, and has the layout of a header and that many entries.
    unsafe {
        base.cast::<ArrayHeader>().write(ArrayHeader { bits });
        let first = base.add(ENTRIES).cast::<AtomicUsize>();
        for index in 0..1 << bits {
            first.add(index).write(AtomicUsize::new(fill(index)));
        }
    }
    base.as_ptr().expose_provenance() + ENTRIES
}

/// Frees an array, given its header.
///
/// # Safety
/// [`allocate`] made it, and nobody can reach it any more.
unsafe fn free(base: *mut u8) {
    // SAFETY: a header stands there.
    let bits = unsafe { (*base.cast::<ArrayHeader>()).bits };
    // SAFETY: `allocate` got the memory with this layout. Entries need no drop.
    unsafe { dealloc(base, layout(bits)) };
}

/// The array whose entries begin at `address`, as [`free`] wants it.
fn base_of(address: usize) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(address - ENTRIES)
}

/// The `index`-th entry of the array at `address`.
///
/// # Safety
/// The array lives for `'g` and is that long.
#[inline(always)]
unsafe fn slot<'g>(address: usize, index: usize) -> &'g AtomicUsize {
    // SAFETY: by the caller's promise.
    unsafe { &*std::ptr::with_exposed_provenance::<AtomicUsize>(address).add(index) }
}

/// An array of entries: the root or a page.
#[derive(Clone, Copy)]
struct Array {
    address: usize,
    /// By how much a position is shifted for an index.
    shift: u32,
    /// The binary logarithm of the number of entries.
    bits: u32,
}

impl Array {
    fn root(word: usize) -> Array {
        let shift = (word & SHIFT) as u32;
        Array { address: word & !SHIFT, shift, bits: POSITION_BITS - shift }
    }

    /// The page behind an entry.
    #[inline]
    fn page(entry: usize) -> Option<Array> {
        let shift = (entry & SHIFT) as u32;
        (entry & PAGE != 0).then(|| Array {
            address: entry & !(SHIFT | PAGE),
            shift,
            bits: POSITION_BITS - ROOT_BITS - shift,
        })
    }

    /// The entry for a position.
    #[inline]
    fn slot<'g>(self, position: u64) -> &'g AtomicUsize {
        let index = (position >> self.shift) as usize & ((1 << self.bits) - 1);
        // SAFETY: the index is masked. Arrays are retired when they are replaced; who has got at
        // their address has a guard from before, or the lock under which they are replaced.
        unsafe { slot(self.address, index) }
    }

    /// Stores `entry` for all positions that share the first `depth` bits of `position`.
    fn fill(self, position: u64, depth: u32, entry: usize) {
        let interval = 1u64 << (POSITION_BITS - depth);
        let first = position & !(interval - 1);
        for at in (first..first + interval).step_by(1 << self.shift) {
            // Release: pairs with the Acquire loads of `find`.
            self.slot(at).store(entry, Ordering::Release);
        }
    }

    /// The address of a new array with `bits` entries that says the same as this one.
    fn resized(self, bits: u32) -> usize {
        allocate(bits, |index| {
            let from = if bits > self.bits {
                index >> (bits - self.bits)
            } else {
                index << (self.bits - bits)
            };
            // SAFETY: `from` is below 2^self.bits; the array lives, because its replacing needs
            // the lock that our caller holds.
            unsafe { slot(self.address, from) }.load_by(By::Owner)
        })
    }

    /// Frees the array after a grace period.
    ///
    /// # Safety
    /// It was allocated by [`allocate`] and has just been unlinked.
    unsafe fn retire(self, guard: &Guard) {
        // SAFETY: by the caller's promise, and only the holder of the lock unlinks.
        unsafe { guard.retire(base_of(self.address), free, layout(self.bits).size()) };
    }
}

/// See the module documentation.
pub(super) struct Directory {
    root: AtomicUsize,
}

/// Directory contents that are made apart, for segments that divide all positions evenly.
pub(super) struct Spread {
    /// A root word.
    root: usize,
}

impl Spread {
    /// Leads to these entries, a power of two of them, at most `2^ROOT_BITS`.
    pub(super) fn new(entries: &[usize]) -> Spread {
        let bits = entries.len().trailing_zeros();
        if let [lone] = *entries {
            // SAFETY: the entry of a segment that its maker keeps.
            return Spread { root: embedded(unsafe { Segment::from_entry(lone) }) };
        }
        let address = allocate(bits, |index| entries[index]);
        Spread { root: address | (POSITION_BITS - bits) as usize }
    }

    /// What leads on to the segments from one that they replace: the entry of a lone one, an array
    /// otherwise. Whoever may still look at the old segment may look at the array, which is
    /// retired later: the segments in it are born, and not split before the old one is retired.
    pub(super) fn forward(&self) -> usize {
        match self.root & SHIFT {
            // SAFETY: a segment's header is an array of one entry: its own.
            shift if shift == POSITION_BITS as usize => unsafe {
                slot(self.root & !SHIFT, 0).load_by(By::Owner)
            },
            _ => self.root | PAGE,
        }
    }

    /// Frees what was not published.
    pub(super) fn free(self) {
        if self.root & SHIFT != POSITION_BITS as usize {
            // SAFETY: `new` allocated the array, and nobody has got at it.
            unsafe { free(base_of(self.root & !SHIFT)) };
        }
    }
}

/// The entry for a position behind what [`Spread::forward`] or [`Segment::entry`] gave.
#[inline]
pub(super) fn spread_entry(next: usize, position: u64) -> usize {
    if next & PAGE == 0 {
        return next;
    }
    let entry = Array::root(next & !PAGE).slot(position).load_by(By::Reader);
    if entry & PAGE != 0 { Directory::find_in_page(entry, position) } else { entry }
}

/// The root word that makes a segment's header the directory.
fn embedded(segment: Segment<'_>) -> usize {
    segment.address() | POSITION_BITS as usize
}

impl Directory {
    /// A directory of one segment, of depth 0.
    pub(super) fn new(segment: Segment<'_>) -> Directory {
        Directory { root: AtomicUsize::new(embedded(segment)) }
    }

    /// The segment that covers a position, or one that it has been split from or merged into.
    #[inline(always)]
    pub(super) fn find<'g>(&'g self, position: u64, _guard: &'g Guard) -> Segment<'g> {
        let root = self.root.load_by(By::Reader);
        let index = (position >> (root & SHIFT)) as usize;
        // SAFETY: the shift and the array belong together, so the index is in range; the array is
        // freed a grace period after the root word has been changed.
        let mut entry = unsafe { slot(root & !SHIFT, index) }.load_by(By::Reader);
        if entry & PAGE != 0 {
            entry = Self::find_in_page(entry, position);
        }
        // SAFETY: entries are made by `Segment::entry`, and a segment is freed a grace period
        // after it has been taken out of the directory.
        unsafe { Segment::from_entry(entry) }
    }

    /// The entry for a position in the page that `entry` leads to. Cold, as far as the layout of
    /// code is concerned: only the largest tables have pages.
    #[cold]
    fn find_in_page(entry: usize, position: u64) -> usize {
        Array::page(entry).map_or(entry, |page| page.slot(position).load_by(By::Reader))
    }

    /// The root, for the holder of the lock.
    fn array(&self) -> Array {
        Array::root(self.root.load_by(By::Owner))
    }

    /// How many prefix bits the root distinguishes.
    pub(super) fn bits(&self) -> u32 {
        Array::root(self.root.load_by(By::Reader)).bits
    }

    /// Replaces a lone segment by another one.
    pub(super) fn set_lone(&self, segment: Segment<'_>) {
        self.root.store(embedded(segment), Ordering::Release);
    }

    /// Replaces a lone segment by many.
    pub(super) fn set_spread(&self, spread: Spread) {
        // Release: pairs with the Acquire load of `find`; what is published is complete.
        self.root.store(spread.root, Ordering::Release);
    }

    /// Makes room for segments of this depth around `position`, and stores one there.
    pub(super) fn place(&self, position: u64, segment: Segment<'_>, guard: &Guard) {
        let depth = segment.depth();
        if depth > self.array().bits {
            self.deepen(position, depth, guard);
        }
        let root = self.array();
        let old = Array::page(root.slot(position).load_by(By::Owner));
        match old {
            Some(page) if depth > ROOT_BITS => page.fill(position, depth, segment.entry()),
            _ => {
                root.fill(position, depth, segment.entry());
                if let Some(page) = old {
                    // SAFETY: pages are allocated, and the entry that led to this one, the only
                    // one, has been overwritten.
                    unsafe { page.retire(guard) };
                }
            }
        }
    }

    /// Makes the directory distinguish `depth` bits at `position`.
    fn deepen(&self, position: u64, depth: u32, guard: &Guard) {
        if depth <= ROOT_BITS {
            return self.resize_root(depth, guard);
        }
        if self.array().bits < ROOT_BITS {
            self.resize_root(ROOT_BITS, guard);
        }
        let slot = self.array().slot(position);
        let entry = slot.load_by(By::Owner);
        let bits = depth - ROOT_BITS;
        let old = Array::page(entry);
        let address = match old {
            Some(page) if page.bits >= bits => return,
            Some(page) => page.resized(bits),
            None => allocate(bits, |_| entry),
        };
        let shift = POSITION_BITS - depth;
        // Release: pairs with the Acquire load of `find`.
        slot.store(address | PAGE | shift as usize, Ordering::Release);
        if let Some(page) = old {
            // SAFETY: pages are allocated, and the entry that led to this one has been changed.
            unsafe { page.retire(guard) };
        }
    }

    /// Gives the root `2^bits` entries.
    fn resize_root(&self, bits: u32, guard: &Guard) {
        let old = self.array();
        let address = old.resized(bits);
        // Release: pairs with the Acquire load of `find`.
        self.root.store(address | (POSITION_BITS - bits) as usize, Ordering::Release);
        if old.bits > 0 {
            // SAFETY: an array of more than one entry is allocated, and the root has left it.
            unsafe { old.retire(guard) };
        }
    }

    /// Halves the root until it distinguishes no more than `deepest` bits, the greatest depth of a
    /// segment.
    pub(super) fn shrink(&self, deepest: u32, guard: &Guard) {
        let old = self.array();
        if deepest >= old.bits {
            return;
        }
        if deepest > 0 {
            return self.resize_root(deepest, guard);
        }
        // SAFETY: with nothing deeper than depth 0 the one segment stands in every entry. It lives
        // because only the holder of the lock takes it out.
        let lone = unsafe { Segment::from_entry(old.slot(0).load_by(By::Owner)) };
        self.set_lone(lone);
        // SAFETY: an array of more than one entry is allocated, and the root has left it.
        unsafe { old.retire(guard) };
    }

    /// The bytes of all arrays. The guard keeps them alive.
    pub(super) fn bytes(&self, _guard: &Guard) -> usize {
        let root = Array::root(self.root.load_by(By::Reader));
        if root.bits == 0 {
            return 0;
        }
        // SAFETY: the index is below the array's length; the array is freed a grace period after
        // the root word has been changed.
        let entry = |index| unsafe { slot(root.address, index) }.load_by(By::Reader);
        let pages = (0..1 << root.bits).filter_map(|index| Array::page(entry(index)));
        layout(root.bits).size() + pages.map(|page| layout(page.bits).size()).sum::<usize>()
    }

    /// Frees the arrays, but no segment.
    ///
    /// # Safety
    /// The directory is not used any more, by anybody.
    pub(super) unsafe fn free(&mut self) {
        let root = self.array();
        if root.bits == 0 {
            return;
        }
        for index in 0..1 << root.bits {
            // SAFETY: the index is below the array's length, and the array has not been freed yet.
            let entry = unsafe { slot(root.address, index) }.load_by(By::Owner);
            if let Some(page) = Array::page(entry) {
                // SAFETY: pages are allocated; each stands in one entry of the root.
                unsafe { free(base_of(page.address)) };
            }
        }
        // SAFETY: an array of more than one entry is allocated.
        unsafe { free(base_of(root.address)) };
    }
}
