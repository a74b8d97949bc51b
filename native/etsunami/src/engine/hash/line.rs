//! Bucket lines: one cache line that holds a few words, their tags and a lock.
//!
//! ```text
//! head   bits 0..3   LOCKED, MOVED, OVERFLOW
//!        bits 3..16  filter: two bits for each key that stands in an overflow line
//!        bits 16..   one tag byte for each slot, 0 = free
//! slots  the stored words, 0 = free
//! link   the first overflow line: the same layout, of whose head only the tags are used
//! ```
//!
//! The head changes only under its lock. `MOVED` is final: the bucket is frozen and another
//! segment has taken its interval of positions over.
//!
//! What readers rely on: a tag is stored before the word that it announces and cleared only after
//! that word was, and `OVERFLOW` with a key's filter bits is stored before the line or slot that
//! holds the key can be reached. Hence who finds no tag for a key knows that the key was absent at
//! some moment since the head was loaded. A tag without a word, or before another key's word,
//! costs a look at the slot and nothing else.

use super::access::{Access, By};
use super::geometry::SLOTS;
use super::head::{Hash, Head};
use crate::engine::Word;
use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// A bucket, or an overflow line of one.
#[repr(C, align(64))]
pub(super) struct Line {
    pub(super) head: AtomicU64,
    slots: [AtomicUsize; SLOTS],
    pub(super) link: AtomicPtr<Line>,
}

impl Line {
    /// An empty line.
    pub(super) fn new() -> Line {
        Line {
            head: AtomicU64::new(0),
            slots: std::array::from_fn(|_| AtomicUsize::new(0)),
            link: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The head.
    #[inline(always)]
    pub(super) fn head(&self, by: By) -> Head {
        Head(self.head.load_by(by))
    }

    /// The head as it may have been, for who is about to lock, or wants an estimate.
    ///
    /// Relaxed: an exchange follows that synchronizes, or nothing depends on it. Loom gets an
    /// exchange that always fails, because it does not forget the loads of readers for that: see
    /// [`super::access`].
    #[inline(always)]
    pub(super) fn glance(&self) -> Head {
        #[cfg(not(loom))]
        return Head(self.head.load(Ordering::Relaxed));
        #[cfg(loom)]
        self.head
            .compare_exchange(!0, !0, Ordering::Relaxed, Ordering::Relaxed)
            .map_or_else(Head, Head)
    }

    /// The word at `slot`, which came from [`Candidates`] or is below [`SLOTS`].
    #[inline(always)]
    pub(super) fn word(&self, slot: usize, by: By) -> Word {
        debug_assert!(slot < SLOTS);
        // SAFETY: slots are computed from masks that have bits for the first SLOTS tags only, or
        // by loops that end there.
        Word(unsafe { self.slots.get_unchecked(slot) }.load_by(by))
    }

    #[inline(always)]
    pub(super) fn store(&self, slot: usize, word: Word, ordering: Ordering) {
        debug_assert!(slot < SLOTS);
        // SAFETY: as in `word`.
        unsafe { self.slots.get_unchecked(slot) }.store(word.0, ordering);
    }

    /// The next overflow line of the chain. It lives as long as its bucket's guard.
    #[inline(always)]
    pub(super) fn next(&self, by: By) -> Option<&Line> {
        // SAFETY: a link is null or leads to a line that is freed only by `release_chain`, or by
        // the grace period that follows its retirement; who holds `self` holds a guard that is
        // older, or owns the whole table.
        unsafe { self.link.load_by(by).as_ref() }
    }

    /// Calls `f` with each stored word of the chain. Tags are ignored.
    #[inline]
    pub(super) fn for_each_word(&self, by: By, mut f: impl FnMut(Word)) {
        let mut line = Some(self);
        while let Some(current) = line {
            for slot in 0..SLOTS {
                let word = current.word(slot, by);
                if !word.is_empty() {
                    f(word);
                }
            }
            line = current.next(by);
        }
    }

    /// Asks for the objects behind the words of the bucket itself to be brought into the cache.
    pub(super) fn prefetch(&self) {
        for slot in 0..SLOTS {
            self.prefetch_slot(slot);
        }
    }

    /// Asks for the line itself to be brought into the cache.
    #[inline(always)]
    pub(super) fn prefetch_line(&self) {
        #[cfg(all(target_arch = "x86_64", not(loom)))]
        // SAFETY: a prefetch has no effect but on the cache.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(self).cast());
        }
    }

    /// Asks for the object behind one slot. Relaxed: only a hint follows from the word.
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    #[inline(always)]
    pub(super) fn prefetch_slot(&self, slot: usize) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let word = self.slots[slot].load(Ordering::Relaxed);
        // SAFETY: a prefetch has no effect but on the cache, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(word & !7)) };
    }

    /// There is no hint to give here.
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    pub(super) fn prefetch_slot(&self, _slot: usize) {}

    /// Puts a word into a bucket that nobody else can reach yet. True if that took a new overflow
    /// line.
    ///
    /// Relaxed throughout: the bucket is published by the Release store of `MOVED` in the one that
    /// it takes over from.
    pub(super) fn put_private(&self, hash: Hash, word: Word) -> bool {
        let head = self.head(By::Owner);
        if let Some(slot) = head.free_slot() {
            self.store(slot, word, Ordering::Relaxed);
            self.head.store(head.with_tag(slot, hash).0, Ordering::Relaxed);
            return false;
        }
        self.head.store(head.with_overflow(hash).0, Ordering::Relaxed);
        // Only the first line of a chain that is filled in this way has free slots.
        if let Some(first) = self.next(By::Owner) {
            let head = first.head(By::Owner);
            if let Some(slot) = head.free_slot() {
                first.store(slot, word, Ordering::Relaxed);
                first.head.store(head.with_tag(slot, hash).0, Ordering::Relaxed);
                return false;
            }
        }
        self.link_new(hash, word, Ordering::Relaxed);
        true
    }

    /// Links a new overflow line with one word, in front of the others.
    pub(super) fn link_new(&self, hash: Hash, word: Word, ordering: Ordering) {
        let line = Line::new();
        line.head.store(Head(0).with_tag(0, hash).0, Ordering::Relaxed);
        line.store(0, word, Ordering::Relaxed);
        line.link.store(self.link.load_by(By::Owner), Ordering::Relaxed);
        self.link.store(Box::into_raw(Box::new(line)), ordering);
    }

    /// Frees the overflow lines.
    ///
    /// # Safety
    /// Nobody else can reach the bucket any more, and nobody will look at its link again.
    pub(super) unsafe fn free_chain(&self) {
        let mut next = self.link.load_by(By::Owner);
        while !next.is_null() {
            // SAFETY: `link_new` made the line of a box, and by the caller's promise it is ours.
            let line = unsafe { Box::from_raw(next) };
            next = line.link.load_by(By::Owner);
        }
    }
}

/// Frees one overflow line; a destructor for retirement.
///
/// # Safety
/// [`Line::link_new`] made it, and nobody can reach it any more.
pub(super) unsafe fn free_line(line: *mut u8) {
    // SAFETY: by the caller's promise.
    drop(unsafe { Box::from_raw(line.cast::<Line>()) });
}
