//! Atomic access to words that live in raw memory, and pointers that live in statics.
//!
//! Objects are raw allocations of 64-bit words, one of which may be changed in place while readers
//! look at it. Neither they nor process-wide statics can be loom objects (loom's atomics are larger
//! than a word and cannot be made in a constant), so these primitives are the real ones under loom
//! too. No model relies on them: the engines are modelled with integers.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Loads a word of raw memory.
///
/// Relaxed is enough for every caller: the pointer to the memory was published by an edge of its
/// own, and a word that is changed in place carries its whole meaning itself.
///
/// # Safety
/// `word` is aligned and readable; concurrent writes to it go through [`store`].
#[inline(always)]
pub unsafe fn load(word: *const u64) -> u64 {
    // SAFETY: aligned and readable by the caller's promise, and a load does not write; all
    // concurrent writes are atomic by the same promise.
    unsafe { AtomicU64::from_ptr(word.cast_mut()) }.load(Ordering::Relaxed)
}

/// Stores a word of raw memory that others may be reading. Relaxed, see [`load`].
///
/// # Safety
/// `word` is aligned and writable; concurrent accesses go through [`load`] and this function.
#[inline(always)]
pub unsafe fn store(word: *mut u64, value: u64) {
    // SAFETY: aligned and writable by the caller's promise, all concurrent accesses are atomic.
    unsafe { AtomicU64::from_ptr(word) }.store(value, Ordering::Relaxed);
}

/// A pointer to something that lives for ever, with a default until it is set.
#[derive(Debug)]
pub struct StaticRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> StaticRef<T> {
    /// A cell that holds `default`.
    pub const fn new(default: &'static T) -> StaticRef<T> {
        StaticRef(AtomicPtr::new(std::ptr::from_ref(default).cast_mut()))
    }

    /// What the cell holds.
    #[inline(always)]
    pub fn get(&self) -> &'static T {
        // SAFETY: only `new` and `set` write the pointer, both from a `&'static T`.
        // Acquire pairs with the Release in `set`: what was written before it is visible.
        unsafe { &*self.0.load(Ordering::Acquire) }
    }

    /// Replaces what the cell holds.
    pub fn set(&self, value: &'static T) {
        // Release pairs with the Acquire in `get`.
        self.0.store(std::ptr::from_ref(value).cast_mut(), Ordering::Release);
    }
}
