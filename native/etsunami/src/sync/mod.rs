//! The one place that names `std::sync::atomic` or loom.
//!
//! Everything else in the crate imports atomics, threads and locks from here, so that the loom
//! models check the code that ships.

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
