//! When memory may be freed. (Contract; the implementation follows.)

/// The witness that this thread is pinned: what it loads from shared memory while the guard lives
/// is not freed. `!Send`; guards nest.
pub struct Guard {
    _not_send: std::marker::PhantomData<*mut ()>,
}

/// Pins this thread. A few nanoseconds.
#[inline]
pub fn pin() -> Guard {
    Guard { _not_send: std::marker::PhantomData }
}

impl Guard {
    /// A small number of this thread, for striped counters.
    pub fn stripe(&self) -> usize {
        0
    }

    /// Frees `ptr` by `drop` once no guard that is live now is live any more. `bytes` is what it
    /// will give back, for back-pressure. Runs on the background thread as a rule.
    ///
    /// # Safety
    /// Nothing that is still shared leads to `ptr`; it is retired once; `drop` frees it and does
    /// not pin or lock.
    pub unsafe fn retire(&self, _ptr: *mut u8, _drop: unsafe fn(*mut u8), _bytes: usize) {}

    /// Unpins and pins again: lets reclamation advance in a long scan. Pointers loaded before are
    /// dead after it.
    pub fn repin(&mut self) {}
}
