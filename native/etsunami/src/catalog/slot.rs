//! What a name stands for.
//!
//! One word: null, a table, or a table with the mark that its name is about to change. Operations
//! that meet a mark begin again a moment later.
//!
//! A rename
//!
//! 1. marks the slots of both names ([`NameSlot::mark`], [`NameSlot::reserve`]). From here on no
//!    operation begins by either name;
//! 2. waits until every operation that found the table by the old name has ended
//!    ([`reclaim::drain`](crate::reclaim::drain));
//! 3. settles the old name, then the new one ([`NameSlot::settle`]).
//!
//! So no operation by either name takes effect between the end of step 2 and the end of step 3.
//!
//! A deletion marks the name, takes the table away, and settles the name. It does not have to wait:
//! an operation that has found the table before takes effect in contents that only such operations
//! reach, as if it had come before the deletion.
//!
//! # Linearization points
//!
//! Of a rename, any moment between steps 2 and 3; of a deletion, the moment in which the table is
//! taken away.

use std::ptr::null_mut;

use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicPtr, Ordering};

/// In the word of a table whose name is about to change. Tables are aligned to words.
const MARK: usize = 1;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning<T> {
    /// No table.
    Nothing,
    /// This table.
    Table(*mut T),
    /// It is about to change; the caller begins again later.
    Changing,
}

/// Why a name could not be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Another table has it.
    InUse,
    /// It is about to change; the caller begins again later.
    Changing,
    /// The atom's number is beyond the array (2²⁸ atoms).
    TooMany,
}

/// See the module's documentation.
pub struct NameSlot<T>(AtomicPtr<T>);

impl<T> Default for NameSlot<T> {
    fn default() -> NameSlot<T> {
        NameSlot(AtomicPtr::new(null_mut()))
    }
}

fn marked<T>(table: *mut T) -> *mut T {
    const { assert!(align_of::<T>() > MARK) };
    table.map_addr(|address| address | MARK)
}

impl<T> NameSlot<T> {
    /// A free name.
    #[cfg(not(loom))]
    pub const fn new() -> NameSlot<T> {
        NameSlot(AtomicPtr::new(null_mut()))
    }

    /// What the name stands for.
    #[inline(always)]
    pub fn get(&self) -> Meaning<T> {
        // Acquire: pairs with the Release of `claim` and `settle`; the table is initialised, and who
        // finds it by a new name sees what was done by the old one.
        let word = self.0.load(Ordering::Acquire);
        if word.is_null() {
            Meaning::Nothing
        } else if word.addr() & MARK != 0 && !weakened(Weak::NameMark) {
            Meaning::Changing
        } else {
            Meaning::Table(word.map_addr(|address| address & !MARK))
        }
    }

    /// Takes a free name for a table.
    pub fn claim(&self, table: *mut T) -> Result<(), Taken> {
        self.take(table)
    }

    /// Takes a free name for a table that is to get it by [`NameSlot::settle`].
    pub fn reserve(&self, table: *mut T) -> Result<(), Taken> {
        self.take(marked(table))
    }

    fn take(&self, word: *mut T) -> Result<(), Taken> {
        // Release: pairs with `get`. Relaxed on failure: nothing is read through the pointer.
        match self.0.compare_exchange(null_mut(), word, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            Err(other) if other.addr() & MARK != 0 => Err(Taken::Changing),
            Err(_) => Err(Taken::InUse),
        }
    }

    /// Marks the name of a table. False if it is not this table's.
    pub fn mark(&self, table: *mut T) -> bool {
        // Relaxed: whoever drains afterwards passes a barrier, and whoever finds the mark reads
        // nothing through the pointer.
        let (relaxed, marked) = (Ordering::Relaxed, marked(table));
        self.0.compare_exchange(table, marked, relaxed, relaxed).is_ok()
    }

    /// Replaces the mark: the name is the table's, or free.
    pub fn settle(&self, table: *mut T, stays: bool) {
        let settled = if stays { table } else { null_mut() };
        // Release: pairs with `get`, for a free name through the next claim, whose exchange continues
        // this release sequence. Relaxed on failure: another call has abandoned the change.
        let _ =
            self.0.compare_exchange(marked(table), settled, Ordering::Release, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
mod loom_names;
