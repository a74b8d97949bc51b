//! Segments: the unit of growth.
//!
//! A segment of level `l` is an array of `2^min(l, SEGMENT_BITS)` buckets behind a header line.
//! Each of its buckets is responsible for the positions that share one prefix of `l` bits, and
//! they stand in the order of these prefixes. While `l <= SEGMENT_BITS` the segment is alone and
//! covers all positions; above, it covers those with one prefix of `l - SEGMENT_BITS` bits, its
//! *depth*, and the directory leads to it.
//!
//! The header's first word is the segment's own directory entry, so the header of a lone segment
//! is a directory of one entry, and a small table needs no other.

use super::access::By;
use super::directory::spread_entry;
use super::geometry::{POSITION_BITS, SEGMENT_BITS, SLOTS};
use super::head::Head;
use super::line::Line;
use crate::sync::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// The bits of an entry that hold a shift.
pub(super) const SHIFT: usize = 63;

/// What a segment is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum State {
    /// Being filled by the split or merge that made it.
    Born = 0,
    /// In the directory, free to be split or merged.
    Normal = 1,
    /// Being split or merged, or replaced already. Who changed it from `Normal` and replaced the
    /// segment retires it.
    Leaving = 2,
}

/// The first line of a segment.
#[repr(C, align(64))]
struct Header {
    /// The segment's own directory entry. Never changes.
    entry: AtomicUsize,
    /// The entries of the segments that take over, by the first position bit below the depth:
    /// two children after a split, twice the same one otherwise. 0 before. An array of entries
    /// takes the place of an entry where there are more heirs (see the module `bulk`).
    next: [AtomicUsize; 2],
    /// How many overflow lines may be linked before the segment counts as crowded.
    tolerance: u32,
    /// How many overflow lines are linked.
    overflow: AtomicU32,
    state: AtomicU8,
}

const LINES: usize = size_of::<Header>();
const _: () = assert!(LINES.is_multiple_of(align_of::<Line>()), "lines follow the header at once");

/// A segment that the holder's guard, or its ownership of the table, keeps alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment<'g> {
    /// The address; its [`SHIFT`] bits hold by how many bits a position is shifted to get the
    /// number of its bucket.
    entry: usize,
    life: PhantomData<&'g ()>,
}

/// The layout of a segment of this level.
fn layout(level: u32) -> Layout {
    let lines = size_of::<Line>() << level.min(SEGMENT_BITS);
    Layout::from_size_align(LINES + lines, align_of::<Header>()).expect("at most some KiB")
}

/// How many overflow lines a segment bears.
///
/// One that is alone bears a line for each eighth bucket, which are some 70 keys for 100 slots: a
/// thousand keys are in the nearest cache in any case, and overflow lines, which are allocated one
/// by one, cost more than a split. (Lists of 100 took 51 ns an object where they now take 49.)
///
/// Others bear one for 45 to 57 percent of the buckets, which are about as many keys as there are
/// slots. So full, a sixth of the keys stand in overflow lines, and a look at them costs a line more.
/// For this the buckets of 100,000 keys take 15 bytes each in place of 21, which is what decides once
/// they have left the caches: a lookup took 73 ns where it had taken 100 with segments that were
/// split at 75 percent. It varies from segment to segment, because a uniform hash would otherwise
/// make all of them split at the same time.
fn tolerance(level: u32, position: u64) -> u32 {
    let buckets = 1u32 << level.min(SEGMENT_BITS);
    if level <= SEGMENT_BITS {
        return buckets / 8;
    }
    let prefix = position >> (POSITION_BITS - (level - SEGMENT_BITS));
    let spread = (prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u32;
    buckets * 9 / 20 + ((buckets * spread) >> 8) / 8
}

impl<'g> Segment<'g> {
    /// Allocates an empty segment of this level for an interval that holds `position`.
    pub(super) fn allocate(level: u32, position: u64, state: State) -> Segment<'g> {
        let layout = layout(level);
        // SAFETY: the layout is not empty: it has a header.
        let Some(base) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let entry = base.as_ptr().expose_provenance() | (POSITION_BITS - level) as usize;
        let header = Header {
            entry: AtomicUsize::new(entry),
            next: [AtomicUsize::new(0), AtomicUsize::new(0)],
            tolerance: tolerance(level, position),
            overflow: AtomicU32::new(0),
            state: AtomicU8::new(state as u8),
        };
        // SAFETY: the memory is ours, and has the layout of a header and that many lines.
        unsafe {
            base.cast::<Header>().write(header);
            let first = base.add(LINES).cast::<Line>();
            for index in 0..1 << level.min(SEGMENT_BITS) {
                first.add(index).write(Line::new());
            }
        }
        Segment { entry, life: PhantomData }
    }

    /// The segment behind a directory entry.
    ///
    /// # Safety
    /// The entry was made by [`Segment::entry`] and the segment lives for `'g`.
    #[inline(always)]
    pub(super) unsafe fn from_entry(entry: usize) -> Segment<'g> {
        Segment { entry, life: PhantomData }
    }

    /// The word that stands for the segment in directories and headers.
    #[inline(always)]
    pub(super) fn entry(self) -> usize {
        self.entry
    }

    /// The address of the embedded directory, which is the segment's own.
    pub(super) fn address(self) -> usize {
        self.entry & !SHIFT
    }

    fn header(self) -> &'g Header {
        // SAFETY: `allocate` wrote a header there, and the segment lives for 'g.
        unsafe { &*std::ptr::with_exposed_provenance(self.address()) }
    }

    /// Bits of the prefix that one bucket covers.
    pub(super) fn level(self) -> u32 {
        POSITION_BITS - (self.entry & SHIFT) as u32
    }

    /// Bits of the prefix that the whole segment covers.
    pub(super) fn depth(self) -> u32 {
        self.level().saturating_sub(SEGMENT_BITS)
    }

    /// How many buckets it has.
    pub(super) fn buckets(self) -> usize {
        1 << self.level().min(SEGMENT_BITS)
    }

    /// The bucket that is responsible for a position of the segment's interval.
    #[inline(always)]
    pub(super) fn bucket(self, position: u64) -> &'g Line {
        self.line(self.index(position))
    }

    #[inline(always)]
    fn index(self, position: u64) -> usize {
        (position >> (self.entry & SHIFT)) as usize & ((1 << SEGMENT_BITS) - 1)
    }

    /// The bucket so many behind the one of a position, if this segment has it.
    #[inline(always)]
    pub(super) fn ahead(self, position: u64, buckets: usize) -> Option<&'g Line> {
        let index = self.index(position) + buckets;
        (index < self.buckets()).then(|| self.line(index))
    }

    /// The first position behind the interval of the bucket that `position` falls into.
    #[inline]
    pub(super) fn bucket_end(self, position: u64) -> u64 {
        let shift = self.entry & SHIFT;
        ((position >> shift) + 1) << shift
    }

    /// The bucket with this number.
    #[inline(always)]
    pub(super) fn line(self, index: usize) -> &'g Line {
        debug_assert!(index < self.buckets());
        let address = self.address() + LINES + index * size_of::<Line>();
        // SAFETY: `index` is a position's prefix, masked; while the level is not above
        // SEGMENT_BITS the prefix itself is below the number of buckets. `allocate` wrote a line
        // there, and the segment lives for 'g.
        unsafe { &*std::ptr::with_exposed_provenance(address) }
    }

    /// The segment that took over the bucket of `position`.
    ///
    /// Its caller has seen the bucket `MOVED` by an Acquire load (or under its lock), which the
    /// stores in [`Segment::hand_over_to`] precede.
    #[cold]
    pub(super) fn forward(self, position: u64) -> Segment<'g> {
        self.heir(position)
    }

    /// The segment that takes over at `position`, once [`Segment::hand_over_to`] has named it.
    pub(super) fn heir(self, position: u64) -> Segment<'g> {
        let branch = (position >> ((self.entry & SHIFT) as u32 + SEGMENT_BITS - 1)) & 1;
        let next = self.header().next[branch as usize].load(Ordering::Relaxed);
        debug_assert_ne!(next, 0, "a bucket moves only when its heirs are known");
        let entry = spread_entry(next, position);
        // SAFETY: heirs are retired later than the segments that they replace, so who may still
        // look at this one may look at them.
        unsafe { Segment::from_entry(entry) }
    }

    /// Names the heirs. Precedes the first `MOVED`.
    pub(super) fn hand_over_to(self, heirs: [Segment<'_>; 2]) {
        self.hand_over_to_entries(heirs.map(Segment::entry));
    }

    /// The same, by their entries, or by what stands for an array of entries.
    pub(super) fn hand_over_to_entries(self, heirs: [usize; 2]) {
        for (next, heir) in self.header().next.iter().zip(heirs) {
            // Relaxed: published by the Release store of `MOVED`.
            next.store(heir, Ordering::Relaxed);
        }
    }

    /// Changes the state; false if it was not `from`.
    ///
    /// Acquire and Release pair with each other: who takes a segment over sees what the one who
    /// put it into service did.
    pub(super) fn change_state(self, from: State, to: State) -> bool {
        let state = &self.header().state;
        state.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Counts a linked or unlinked overflow line. Relaxed here and in the readers of the count:
    /// it only steers when to split.
    pub(super) fn count_overflow(self, change: i32) {
        self.header().overflow.fetch_add(change as u32, Ordering::Relaxed);
    }

    /// How many overflow lines are linked.
    pub(super) fn overflow_lines(self) -> u32 {
        self.header().overflow.load(Ordering::Relaxed)
    }

    /// Is it worth while to split? Many equal hashes do not make it so: they fill few buckets.
    pub(super) fn is_crowded(self) -> bool {
        self.level() < POSITION_BITS
            && self.overflow_lines() > self.header().tolerance
            && self.has_more_than(self.buckets() * SLOTS / 4)
    }

    /// Are more than `limit` slots of the buckets themselves in use?
    pub(super) fn has_more_than(self, limit: usize) -> bool {
        self.occupied_up_to(limit) > limit
    }

    /// How many slots of the buckets themselves are in use, roughly; stops above `limit`.
    pub(super) fn occupied_up_to(self, limit: usize) -> usize {
        let mut occupied = 0;
        for index in 0..self.buckets() {
            occupied += self.line(index).glance().occupied() as usize;
            if occupied > limit {
                break;
            }
        }
        occupied
    }

    /// The bytes of the segment and its overflow lines.
    pub(super) fn bytes(self) -> usize {
        layout(self.level()).size() + self.overflow_lines() as usize * size_of::<Line>()
    }

    /// Frees the segment and its overflow lines, but nothing that is stored there.
    ///
    /// # Safety
    /// Nobody else can reach the segment any more.
    pub(super) unsafe fn free(self) {
        for index in 0..self.buckets() {
            // SAFETY: by the caller's promise the chain is ours too.
            unsafe { self.line(index).free_chain() };
        }
        // SAFETY: `allocate` got the memory with this layout. Lines and headers need no drop.
        unsafe {
            dealloc(std::ptr::with_exposed_provenance_mut(self.address()), layout(self.level()));
        }
    }

    /// Frees the segment whose header is at `address`; a destructor for retirement.
    ///
    /// # Safety
    /// As for [`Segment::free`].
    pub(super) unsafe fn free_at(address: *mut u8) {
        // SAFETY: a header stands there, and its first word is the segment's entry.
        let entry = unsafe { &*address.cast::<Header>() }.entry.load(Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { Segment::from_entry(entry).free() };
    }
}

/// True if a bucket is in the hands of this segment's heirs.
pub(super) fn is_frozen(line: &Line) -> bool {
    line.head(By::Owner) == Head::FROZEN
}
