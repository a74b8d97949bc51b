//! From a name to its table: an array indexed by atom number.
//!
//! Atoms are small dense numbers which are never reused, so a name is resolved by two loads, and
//! taken or given up by one compare-and-exchange. The array has two levels; chunks are made when
//! first used and stay for the life of the process.

use std::ptr::null_mut;

use super::slot::{Meaning, NameSlot, Taken};
use crate::accounting::exempt;
use crate::reclaim::Guard;
use crate::sync::{AtomicPtr, Ordering};

const CHUNK: usize = 1 << 12;
const CHUNKS: usize = 1 << 16;

type Chunk<T> = [NameSlot<T>; CHUNK];

/// See the module's documentation.
pub struct Names<T> {
    chunks: [AtomicPtr<Chunk<T>>; CHUNKS],
}

impl<T> Names<T> {
    /// No names.
    #[allow(clippy::new_without_default)] // only ever a static
    pub const fn new() -> Names<T> {
        Names { chunks: [const { AtomicPtr::new(null_mut()) }; CHUNKS] }
    }

    /// What a name stands for. The pointer is good as long as the guard: a table is given up only
    /// a grace period after its name was released.
    #[inline(always)]
    pub fn get(&self, _guard: &Guard, atom: usize) -> Meaning<T> {
        match self.chunk(atom) {
            Some(chunk) => chunk[atom % CHUNK].get(),
            None => Meaning::Nothing,
        }
    }

    /// Takes a name for a table.
    pub fn claim(&self, atom: usize, table: *mut T) -> Result<(), Taken> {
        self.slot(atom).ok_or(Taken::TooMany)?.claim(table)
    }

    /// The slot of a name; `None` beyond the end of the array.
    pub fn slot(&self, atom: usize) -> Option<&NameSlot<T>> {
        Some(&self.chunk_or_new(atom)?[atom % CHUNK])
    }

    /// How many names stand for tables, those that are about to change included.
    pub fn count(&self) -> usize {
        let chunks = (0..CHUNKS).filter_map(|chunk| self.chunk(chunk * CHUNK));
        chunks.flatten().filter(|slot| !matches!(slot.get(), Meaning::Nothing)).count()
    }

    #[inline(always)]
    fn chunk(&self, atom: usize) -> Option<&Chunk<T>> {
        // Acquire: pairs with the exchange in `chunk_or_new`; the chunk is initialised.
        let chunk = self.chunks.get(atom / CHUNK)?.load(Ordering::Acquire);
        // SAFETY: chunks are never freed.
        unsafe { chunk.as_ref() }
    }

    fn chunk_or_new(&self, atom: usize) -> Option<&Chunk<T>> {
        if let Some(chunk) = self.chunk(atom) {
            return Some(chunk);
        }
        let slot = self.chunks.get(atom / CHUNK)?;
        let fresh: Box<Chunk<T>> = exempt(|| Box::new([const { NameSlot::new() }; CHUNK]));
        let fresh = Box::into_raw(fresh);
        // Release: pairs with the load in `chunk`. Acquire on failure: pairs with the exchange of
        // the thread that made the chunk first.
        let old = slot.compare_exchange(null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire);
        if let Err(theirs) = old {
            // SAFETY: ours was not published.
            drop(unsafe { Box::from_raw(fresh) });
            // SAFETY: chunks are never freed.
            return unsafe { theirs.as_ref() };
        }
        // SAFETY: chunks are never freed.
        unsafe { fresh.as_ref() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::reclaim::pin;

    static NAMES: Names<u64> = Names::new();

    #[test]
    fn a_name_has_one_table_at_a_time() {
        let (mut a, mut b) = (1u64, 2u64);
        let (a, b) = (&raw mut a, &raw mut b);
        let guard = pin();
        assert_eq!(NAMES.get(&guard, 5000), Meaning::Nothing);
        assert_eq!(NAMES.claim(5000, a), Ok(()));
        assert_eq!(NAMES.claim(5000, b), Err(Taken::InUse));
        assert_eq!(NAMES.get(&guard, 5000), Meaning::Table(a));
        assert_eq!(NAMES.count(), 1);
        let slot = NAMES.slot(5000).unwrap();
        slot.settle(a, false);
        assert_eq!(NAMES.count(), 1, "settled without a mark");
        assert!(slot.mark(a));
        slot.settle(a, false);
        assert_eq!(NAMES.count(), 0);
        assert_eq!(NAMES.claim(5000, b), Ok(()));
        assert_eq!(NAMES.claim(usize::MAX, a), Err(Taken::TooMany));
    }

    #[test]
    fn a_name_that_is_about_to_change_means_nothing_yet() {
        static RENAMED: Names<u64> = Names::new();
        let (mut a, mut b) = (1u64, 2u64);
        let (a, b) = (&raw mut a, &raw mut b);
        let guard = pin();
        let (old, new) = (RENAMED.slot(1).unwrap(), RENAMED.slot(9000).unwrap());
        assert!(!old.mark(a));
        assert_eq!(old.claim(a), Ok(()));
        assert!(!old.mark(b));
        assert!(old.mark(a));
        assert_eq!(new.reserve(a), Ok(()));
        assert_eq!(RENAMED.get(&guard, 1), Meaning::Changing);
        assert_eq!(RENAMED.get(&guard, 9000), Meaning::Changing);
        assert_eq!(RENAMED.claim(9000, b), Err(Taken::Changing));
        old.settle(a, false);
        new.settle(a, true);
        assert_eq!(RENAMED.get(&guard, 1), Meaning::Nothing);
        assert_eq!(RENAMED.get(&guard, 9000), Meaning::Table(a));
        assert!(new.mark(a));
        new.settle(a, true);
        assert_eq!(RENAMED.get(&guard, 9000), Meaning::Table(a));
    }
}
