//! What the holder of a bucket's lock does.

use super::access::{Access, By};
use super::head::{Hash, Head, LOCKED, MOVED};
use super::line::{Line, free_line};
use super::segment::Segment;
use crate::engine::{Spot, Word};
use crate::faults;
use crate::reclaim::Guard;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{Ordering, fence};

/// Where a key stands in a locked bucket.
#[derive(Clone, Copy)]
pub(super) struct Place<'g> {
    line: &'g Line,
    slot: usize,
    /// What stands there.
    pub(super) word: Word,
}

/// What a change did to a bucket, as far as growing and shrinking are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// Nothing of interest.
    None,
    /// One more overflow line is linked.
    LineLinked,
    /// The last key has gone.
    Emptied,
}

/// A bucket whose lock is held: nobody else changes it. Unlocks when dropped, also by a panic.
pub(super) struct Locked<'g> {
    /// The segment it belongs to.
    pub(super) segment: Segment<'g>,
    line: &'g Line,
    /// What the head will be after unlocking. In memory it has `LOCKED` besides, and perhaps a tag
    /// or overflow bits less or more.
    head: Head,
}

/// What came of an attempt to lock.
pub(super) enum Attempt<'g> {
    /// The lock is ours.
    Locked(Locked<'g>),
    /// Another segment is responsible.
    Moved,
    /// Somebody else has it.
    Busy,
}

impl<'g> Locked<'g> {
    /// Tries to lock a bucket of `segment`, for the sake of a key with this hash (if of one): the
    /// object that is probably meant is fetched while the lock is taken.
    #[inline(always)]
    pub(super) fn attempt(segment: Segment<'g>, line: &'g Line, hash: Option<Hash>) -> Attempt<'g> {
        let head = line.glance();
        if let Some(slot) = hash.and_then(|hash| head.candidates(hash).next()) {
            line.prefetch_slot(slot);
        }
        if head.0 & (LOCKED | MOVED) != 0 {
            if !head.is_moved() {
                return Attempt::Busy;
            }
            // Pairs with the Release store in `freeze`.
            fence(Ordering::Acquire);
            return Attempt::Moved;
        }
        // Acquire: pairs with the Release stores in `drop` (and in `freeze`, which makes it fail).
        let locked = head.0 | LOCKED;
        match line.head.compare_exchange(head.0, locked, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                faults::delay();
                Attempt::Locked(Locked { segment, line, head })
            }
            Err(_) => Attempt::Busy,
        }
    }

    /// Puts `new` in place of `old` in a slot of a bucket, under its lock. None if somebody else
    /// has the lock; false if the bucket is frozen or the slot holds something else.
    #[inline(always)]
    pub(super) fn exchange(line: &Line, slot: usize, old: Word, new: Word) -> Option<bool> {
        let head = line.glance();
        if head.is_moved() {
            return Some(false);
        }
        if head.is_locked() {
            return None;
        }
        // Acquire: as in `attempt`.
        let locked = head.0 | LOCKED;
        line.head.compare_exchange(head.0, locked, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let stays = line.word(slot, By::Owner) == old || weakened(Weak::HashSpot);
        if stays {
            line.store(slot, new, Ordering::Release);
        }
        // Release: as in `drop`.
        line.head.store(head.0, Ordering::Release);
        Some(stays)
    }

    /// Where the key that was found at `place`, or is about to be inserted, will stand. Not told of
    /// overflow lines.
    #[inline(always)]
    pub(super) fn spot(&self, place: Option<Place<'g>>) -> Spot {
        let slot = match place {
            Some(place) if std::ptr::eq(place.line, self.line) => Some(place.slot),
            Some(_) => None,
            None => self.head.free_slot(),
        };
        slot.map_or(Spot::NONE, |slot| Spot {
            node: std::ptr::from_ref(self.line).expose_provenance(),
            slot,
        })
    }

    /// Finds the key with this hash for which `matches` says so.
    #[inline(always)]
    pub(super) fn find(&self, hash: Hash, matches: impl Fn(Word) -> bool) -> Option<Place<'g>> {
        let place = Self::find_in(self.line, self.head, hash, &matches);
        if place.is_none() && self.head.may_overflow(hash) {
            return self.find_overflow(hash, &matches);
        }
        place
    }

    #[inline(always)]
    fn find_in(
        line: &'g Line,
        head: Head,
        hash: Hash,
        matches: &impl Fn(Word) -> bool,
    ) -> Option<Place<'g>> {
        for slot in head.candidates(hash) {
            let word = line.word(slot, By::Owner);
            if !word.is_empty() && matches(word) {
                return Some(Place { line, slot, word });
            }
        }
        None
    }

    #[inline(never)]
    fn find_overflow(&self, hash: Hash, matches: &impl Fn(Word) -> bool) -> Option<Place<'g>> {
        let mut next = self.line.next(By::Owner);
        while let Some(line) = next {
            let place = Self::find_in(line, line.head(By::Owner), hash, matches);
            if place.is_some() {
                return place;
            }
            next = line.next(By::Owner);
        }
        None
    }

    /// Stores another word for the key at `place`. Linearization point: the store.
    #[inline(always)]
    pub(super) fn replace(&mut self, place: Place<'g>, word: Word) {
        place.line.store(place.slot, word, Ordering::Release);
    }

    /// Inserts a word for a key that is not in the bucket. Linearization point: the store of the
    /// word, or of the link to a line that holds it.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: Hash, word: Word) -> Effect {
        let Some(slot) = self.head.free_slot() else { return self.insert_overflow(hash, word) };
        self.head = self.head.with_tag(slot, hash);
        if weakened(Weak::HashTag) {
            self.line.store(slot, word, Ordering::Release);
        }
        // Relaxed: who sees the word by its Release store sees the tag.
        self.line.head.store(self.head.0 | LOCKED, Ordering::Relaxed);
        faults::delay();
        self.line.store(slot, word, Ordering::Release);
        Effect::None
    }

    #[inline(never)]
    fn insert_overflow(&mut self, hash: Hash, word: Word) -> Effect {
        self.head = self.head.with_overflow(hash);
        if !weakened(Weak::HashOverflow) {
            // Relaxed: who sees the word or the link by its Release store sees these bits.
            self.line.head.store(self.head.0 | LOCKED, Ordering::Relaxed);
        }
        let mut next = self.line.next(By::Owner);
        while let Some(line) = next {
            let head = line.head(By::Owner);
            if let Some(slot) = head.free_slot() {
                line.head.store(head.with_tag(slot, hash).0, Ordering::Relaxed);
                line.store(slot, word, Ordering::Release);
                return Effect::None;
            }
            next = line.next(By::Owner);
        }
        self.line.link_new(hash, word, Ordering::Release);
        self.segment.count_overflow(1);
        Effect::LineLinked
    }

    /// Removes the key at `place`. Linearization point: the store that frees its slot.
    #[inline(always)]
    pub(super) fn remove(&mut self, place: Place<'g>, guard: &Guard) -> Effect {
        let Place { line, slot, .. } = place;
        let primary = std::ptr::eq(line, self.line);
        if primary {
            self.head = self.head.without_tag(slot);
        }
        if weakened(Weak::HashUntag) && primary {
            line.head.store(self.head.0 | LOCKED, Ordering::Release);
        }
        line.store(slot, Word::EMPTY, Ordering::Release);
        if !primary {
            self.untag_overflow(line, slot, guard);
        }
        if self.head.is_vacant() { Effect::Emptied } else { Effect::None }
    }

    /// Clears the tag of a slot that was freed in an overflow line. An empty line is unlinked,
    /// unless it is the only one: it stays for the next key.
    #[inline(never)]
    fn untag_overflow(&mut self, line: &'g Line, slot: usize, guard: &Guard) {
        let head = line.head(By::Owner).without_tag(slot);
        // Release: who sees the tag gone sees the slot free.
        line.head.store(head.0, Ordering::Release);
        if !head.is_vacant() {
            return;
        }
        let mut before = self.line;
        while let Some(next) = before.next(By::Owner) {
            if std::ptr::eq(next, line) {
                break;
            }
            before = next;
        }
        let after = line.link.load_by(By::Owner);
        if std::ptr::eq(before, self.line) && after.is_null() {
            self.head = self.head.without_overflow();
            return;
        }
        let unlinked = before.link.load_by(By::Owner);
        // Release: pairs with the Acquire loads of readers, as the store that linked `after` did.
        before.link.store(after, Ordering::Release);
        self.segment.count_overflow(-1);
        // SAFETY: nothing leads to the line any more, and only the holder of the lock unlinks.
        // Readers that stand on it go on by its link, which does not change any more: the lines
        // behind it that are unlinked later outlive the readers' guards.
        unsafe { guard.retire(unlinked.cast(), free_line, size_of::<Line>()) };
    }

    /// Neither a key nor an overflow line that ever held one.
    pub(super) fn is_vacant(&self) -> bool {
        self.head.is_vacant()
    }

    /// Copies all words into buckets that nobody else can reach yet: those of the segment that
    /// `heir` names for a position.
    pub(super) fn copy_to(&self, heir: impl Fn(u64) -> Segment<'g>, hash_of: impl Fn(Word) -> u64) {
        self.line.for_each_word(By::Owner, |word| {
            let hash = Hash(hash_of(word));
            let segment = heir(hash.position());
            if segment.bucket(hash.position()).put_private(hash, word) {
                segment.count_overflow(1);
            }
        });
    }

    /// The mistake of handing the interval over before its words are in place.
    pub(super) fn announce_freeze(&self) {
        self.line.head.store(Head::FROZEN.0 | LOCKED, Ordering::Release);
    }

    /// Unlocks the bucket for ever: the heirs are responsible from now on.
    pub(super) fn freeze(self) {
        faults::delay();
        // Release: pairs with the Acquire loads of heads, in readers and in `attempt`.
        self.line.head.store(Head::FROZEN.0, Ordering::Release);
        std::mem::forget(self);
    }
}

impl Drop for Locked<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `attempt` and in readers.
        self.line.head.store(self.head.0, Ordering::Release);
    }
}
