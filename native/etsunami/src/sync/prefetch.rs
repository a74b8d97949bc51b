//! A hint to the cache.

/// Asks for the cache line at an address, whatever it is.
#[cfg(all(target_arch = "x86_64", not(loom)))]
#[inline(always)]
pub fn prefetch(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch has no effect but on the cache, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

/// There is no hint to give here.
#[cfg(not(all(target_arch = "x86_64", not(loom))))]
#[inline(always)]
pub fn prefetch(_address: *const u8) {}
