//! From a name to its table: an array indexed by atom number.
//!
//! Atoms are small dense numbers which are never reused, so a name is resolved by two loads, and
//! taken or given up by one compare-and-exchange. The array has two levels; chunks are made when
//! first used and stay for the life of the process.

use std::ptr::null_mut;

use crate::accounting::exempt;
use crate::reclaim::Guard;
use crate::sync::{AtomicPtr, Ordering};

const CHUNK: usize = 1 << 12;
const CHUNKS: usize = 1 << 16;

type Chunk<T> = [AtomicPtr<T>; CHUNK];

/// See the module's documentation.
pub struct Names<T> {
    chunks: [AtomicPtr<Chunk<T>>; CHUNKS],
}

/// Why a name could not be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Another table has it.
    InUse,
    /// The atom's number is beyond the array (2²⁸ atoms).
    TooMany,
}

impl<T> Names<T> {
    /// No names.
    #[allow(clippy::new_without_default)] // only ever a static
    pub const fn new() -> Names<T> {
        Names { chunks: [const { AtomicPtr::new(null_mut()) }; CHUNKS] }
    }

    /// The table of a name, or null. The pointer is good as long as the guard: who releases a
    /// name gives its table up only after a grace period.
    #[inline(always)]
    pub fn get(&self, _guard: &Guard, atom: usize) -> *mut T {
        match self.chunk(atom) {
            // Acquire: pairs with the exchange in `claim`; the table is initialised.
            Some(chunk) => chunk[atom % CHUNK].load(Ordering::Acquire),
            None => null_mut(),
        }
    }

    /// Takes a name for a table.
    pub fn claim(&self, atom: usize, table: *mut T) -> Result<(), Taken> {
        let slot = &self.chunk_or_new(atom).ok_or(Taken::TooMany)?[atom % CHUNK];
        // Release: pairs with `get`. Relaxed on failure: nothing is read through the pointer.
        slot.compare_exchange(null_mut(), table, Ordering::Release, Ordering::Relaxed)
            .map(|_| ())
            .map_err(|_| Taken::InUse)
    }

    /// Gives a name up, if it is this table's. True if it was.
    pub fn release(&self, atom: usize, table: *mut T) -> bool {
        let Some(chunk) = self.chunk(atom) else { return false };
        // Release: pairs with `get` by way of the next claim, whose exchange continues this release
        // sequence: who finds the next table of the name sees what became of this one. Relaxed on
        // failure: nothing is read through the pointer.
        chunk[atom % CHUNK]
            .compare_exchange(table, null_mut(), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Visits the tables of all names.
    pub fn for_each(&self, mut visit: impl FnMut(*mut T)) {
        for chunk in 0..CHUNKS {
            let slots = self.chunk(chunk * CHUNK).map_or(&[][..], |chunk| &chunk[..]);
            // Acquire: as in `get`.
            let tables = slots.iter().map(|slot| slot.load(Ordering::Acquire));
            tables.filter(|table| !table.is_null()).for_each(&mut visit);
        }
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
        let fresh: Box<Chunk<T>> =
            exempt(|| Box::new([const { AtomicPtr::new(null_mut()) }; CHUNK]));
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
        assert!(NAMES.get(&guard, 5000).is_null());
        assert_eq!(NAMES.claim(5000, a), Ok(()));
        assert_eq!(NAMES.claim(5000, b), Err(Taken::InUse));
        assert_eq!(NAMES.get(&guard, 5000), a);
        let mut seen = Vec::new();
        NAMES.for_each(|table| seen.push(table));
        assert_eq!(seen, [a]);
        assert!(!NAMES.release(5000, b));
        assert!(NAMES.release(5000, a));
        assert_eq!(NAMES.claim(5000, b), Ok(()));
        assert!(NAMES.release(5000, b));
        assert_eq!(NAMES.claim(usize::MAX, a), Err(Taken::TooMany));
    }
}
