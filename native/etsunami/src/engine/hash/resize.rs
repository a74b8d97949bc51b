//! Splits and merges of segments.
//!
//! Both replace segments by heirs bucket by bucket, in the call that found the need. The heirs are
//! named in the old segment's header first. Then each bucket in turn is locked, its words are
//! copied to where they belong in the heirs, and it is frozen: the store of `MOVED` hands its
//! interval of positions over. Before that store the old bucket is authoritative for the interval,
//! after it the heir's. The abstract map changes nowhere, so neither a split nor a merge has a
//! linearization point. At the end the directory is led to the heirs, and the old segment and its
//! overflow lines are retired.
//!
//! Writers wait while their one bucket is copied; readers never do. A thread that is descheduled
//! in the middle blocks the writers of one bucket (two in a merge).
//!
//! A segment is split when overflow lines say that it is crowded, which only the insert that links
//! one asks. A segment is merged with its buddy when both together fill less than a quarter of
//! one, which some of the removals that empty a bucket ask; split at some 100 percent (at 70 while
//! it is alone), merge below 25: a table that changes little does not go to and fro.
//!
//! Merges look for the deepest pair near by and go on with what they have made, so that a sweep of
//! removals, in whatever order, leaves no chain of empty segments behind.

use super::HashTable;
use super::geometry::{MERGES_PER_CALL, POSITION_BITS, SEGMENT_BITS, SLOTS};
use super::lock::{Attempt, Locked};
use super::segment::{Segment, State};
use super::upkeep::{Depths, Upkeep};
use crate::engine::HashSchema;
use crate::reclaim::Guard;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{Backoff, Ordering};
use std::ops::DerefMut;
use std::sync::PoisonError;

/// What an attempt to merge came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Merge {
    /// One merge was made.
    Done,
    /// Too many keys, or somebody else is at work there.
    Declined,
}

/// How many buckets ahead objects are fetched, to read their hashes. Four buckets are some twenty
/// objects, about as many cache misses as a core has under way.
const PREFETCH: usize = 4;

/// Locks bucket `index` of a segment that only the caller can freeze, and prepares for the next
/// ones.
pub(super) fn lock_line<'g>(segment: Segment<'g>, index: usize) -> Locked<'g> {
    if index + PREFETCH < segment.buckets() {
        segment.line(index + PREFETCH).prefetch();
    }
    let mut backoff = Backoff::new();
    loop {
        if let Attempt::Locked(locked) = Locked::attempt(segment, segment.line(index), None) {
            return locked;
        }
        backoff.wait();
    }
}

impl<S: HashSchema> HashTable<S> {
    /// Splits the segment if it is crowded and nobody else does.
    #[cold]
    pub(super) fn grow<'g>(&'g self, segment: Segment<'g>, position: u64, guard: &'g Guard) {
        if segment.is_crowded() && segment.change_state(State::Normal, State::Leaving) {
            self.split(segment, position, guard);
        }
    }

    /// Replaces a segment by two of the next depth, or by one of the next level while it is alone
    /// and not full-grown.
    pub(super) fn split<'g>(&'g self, segment: Segment<'g>, position: u64, guard: &'g Guard) {
        let level = segment.level();
        let heirs = if level < SEGMENT_BITS {
            [Segment::allocate(level + 1, position, State::Born); 2]
        } else {
            let half = 1 << (POSITION_BITS - segment.depth() - 1);
            [position & !half, position | half]
                .map(|position| Segment::allocate(level + 1, position, State::Born))
        };
        segment.hand_over_to(heirs);
        for index in 0..segment.buckets() {
            let locked = lock_line(segment, index);
            if weakened(Weak::HashFreeze) {
                locked.announce_freeze();
            }
            self.copy(&locked, segment);
            locked.freeze();
        }
        let upkeep = self.upkeep.force();
        let mut depths = lock_depths(upkeep);
        if level < SEGMENT_BITS {
            self.directory.set_lone(heirs[0]);
        } else {
            let half = 1 << (POSITION_BITS - segment.depth() - 1);
            self.directory.place(position & !half, heirs[0], guard);
            self.directory.place(position | half, heirs[1], guard);
            depths.split(segment.depth());
        }
        drop(depths);
        upkeep.splits.fetch_add(1, Ordering::Relaxed);
        self.finish(&[segment], &heirs, guard);
    }

    /// Copies a locked bucket's words to the heirs of its segment.
    fn copy<'g>(&self, locked: &Locked<'g>, segment: Segment<'g>) {
        // SAFETY: the words are in the table, and our guard is live.
        let hash_of = |word| unsafe { self.schema.hash_of(word) };
        locked.copy_to(|position| segment.heir(position), hash_of);
    }

    /// Puts heirs into service and retires the segments that they have replaced.
    pub(super) fn finish(&self, old: &[Segment<'_>], heirs: &[Segment<'_>], guard: &Guard) {
        for segment in old {
            let address = std::ptr::with_exposed_provenance_mut(segment.address());
            // SAFETY: the directory leads to the heirs, so nothing but other segments that are
            // being retired leads here. Who changed the state to `Leaving`, we, retires.
            unsafe { guard.retire(address, Segment::free_at, segment.bytes()) };
        }
        for heir in heirs {
            heir.change_state(State::Born, State::Normal);
        }
    }

    /// Merges what has become sparse around `position`.
    #[cold]
    pub(super) fn shrink(&self, position: u64, guard: &Guard) {
        for _ in 0..MERGES_PER_CALL {
            if self.merge_near(position, guard) == Merge::Declined {
                break;
            }
        }
    }

    /// Makes one merge: of the segment at `position` and its buddy; of a pair inside the buddy's
    /// interval, if that is split further.
    pub(super) fn merge_near(&self, position: u64, guard: &Guard) -> Merge {
        let mut position = position;
        let mut segment = self.directory.find(position, guard);
        loop {
            let depth = segment.depth();
            if depth == 0 {
                return self.merge_lone(segment, guard);
            }
            let buddy_position = position ^ (1 << (POSITION_BITS - depth));
            let buddy = self.directory.find(buddy_position, guard);
            if buddy.depth() == depth {
                let (low, high) = (position.min(buddy_position), position.max(buddy_position));
                let pair = if low == position { [segment, buddy] } else { [buddy, segment] };
                debug_assert!(low < high);
                return self.merge_pair(pair, low, guard);
            }
            if buddy.depth() < depth {
                return Merge::Declined;
            }
            (position, segment) = (buddy_position, buddy);
        }
    }

    /// Halves a lone segment.
    fn merge_lone(&self, segment: Segment<'_>, guard: &Guard) -> Merge {
        let level = segment.level();
        if level == 0
            || segment.has_more_than(segment.buckets() * SLOTS / 8)
            || !segment.change_state(State::Normal, State::Leaving)
        {
            return Merge::Declined;
        }
        let heir = Segment::allocate(level - 1, 0, State::Born);
        segment.hand_over_to([heir; 2]);
        self.move_pairs(segment);
        let upkeep = self.upkeep.force();
        let depths = lock_depths(upkeep);
        self.directory.set_lone(heir);
        drop(depths);
        upkeep.merges.fetch_add(1, Ordering::Relaxed);
        self.finish(&[segment], &[heir], guard);
        Merge::Done
    }

    /// Replaces two buddies by one segment.
    fn merge_pair(&self, pair: [Segment<'_>; 2], position: u64, guard: &Guard) -> Merge {
        let limit = pair[0].buckets() * SLOTS / 4;
        let occupied = pair[0].occupied_up_to(limit);
        if occupied > limit || pair[1].has_more_than(limit - occupied) || !take_both(pair) {
            return Merge::Declined;
        }
        let heir = Segment::allocate(pair[0].level() - 1, position, State::Born);
        for segment in pair {
            segment.hand_over_to([heir; 2]);
        }
        for segment in pair {
            self.move_pairs(segment);
        }
        let upkeep = self.upkeep.force();
        let mut depths = lock_depths(upkeep);
        depths.merge(pair[0].depth());
        self.directory.place(position, heir, guard);
        self.directory.shrink(depths.deepest(), guard);
        drop(depths);
        upkeep.merges.fetch_add(1, Ordering::Relaxed);
        self.finish(&pair, &[heir], guard);
        Merge::Done
    }

    /// Moves the buckets of a segment into its heir, two into one. Both locks are held until both
    /// are copied: the heir's bucket can be reached as soon as one of them is frozen.
    fn move_pairs(&self, segment: Segment<'_>) {
        for index in (0..segment.buckets()).step_by(2) {
            let [low, high] = [index, index + 1].map(|index| lock_line(segment, index));
            self.copy(&low, segment);
            if weakened(Weak::HashMerge) {
                low.announce_freeze();
            }
            self.copy(&high, segment);
            low.freeze();
            high.freeze();
        }
    }
}

/// Takes both segments out of service, or neither.
fn take_both(pair: [Segment<'_>; 2]) -> bool {
    if !pair[0].change_state(State::Normal, State::Leaving) {
        return false;
    }
    if !pair[1].change_state(State::Normal, State::Leaving) {
        pair[0].change_state(State::Leaving, State::Normal);
        return false;
    }
    true
}

/// The lock of the directory. A panic cannot leave the counts half-changed, so poison is ignored.
pub(super) fn lock_depths(upkeep: &Upkeep) -> impl DerefMut<Target = Depths> {
    upkeep.depths.lock().unwrap_or_else(PoisonError::into_inner)
}
