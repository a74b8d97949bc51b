//! Tests with real threads, and models with loom's.

#[cfg(loom)]
mod loom_reclaim;
#[cfg(not(loom))]
mod threads;
