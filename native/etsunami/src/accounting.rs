//! Which allocations may outlive the tables that caused them.
//!
//! A build with the feature `count_memory` counts what the library holds, so that tests can ask
//! whether something was left behind (the counting allocator stands in the boundary crate). Caches
//! of the whole process and records of living processes are not left behind: they are allocated
//! inside [`exempt`]. In any other build this module does nothing.

#[cfg(feature = "count_memory")]
std::thread_local! {
    static EXEMPT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `f`; what it allocates is not counted, now and when it is freed.
#[cfg(feature = "count_memory")]
pub fn exempt<R>(f: impl FnOnce() -> R) -> R {
    let outer = EXEMPT.replace(true);
    let result = f();
    EXEMPT.set(outer);
    result
}

/// Runs `f`; what it allocates is not counted, now and when it is freed.
#[cfg(not(feature = "count_memory"))]
#[inline(always)]
pub fn exempt<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Whether the calling thread allocates inside [`exempt`].
#[cfg(feature = "count_memory")]
pub fn is_exempt() -> bool {
    EXEMPT.get()
}
