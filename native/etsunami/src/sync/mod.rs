//! The one place that names `std::sync::atomic` or loom.
//!
//! Everything else in the crate imports atomics, threads and locks from here, so that the loom
//! models check the code that ships. The small tools that are built on them live here too:
//! the [asymmetric barrier](barrier), [`CachePadded`], [`Backoff`] and the striped [`Counters`].

#[cfg(not(loom))]
mod real;
#[cfg(not(loom))]
pub use real::*;

#[cfg(loom)]
mod model;
#[cfg(loom)]
pub use model::*;

pub mod word;

pub use std::sync::atomic::Ordering;

mod backoff;
pub mod barrier;
mod counter;
mod padded;
mod prefetch;
pub(crate) mod weaken;

pub use backoff::{Backoff, stand_back};
pub use counter::Counters;
pub use padded::CachePadded;
pub use prefetch::prefetch;
