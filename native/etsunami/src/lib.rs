//! ETS-compatible concurrent in-memory tables.
//!
//! The layers, each of which only uses those below it:
//!
//! - [`table`]: the semantics of ETS tables; the one place where engines and terms meet;
//! - [`matchspec`]: match specifications, compiled and run over encoded terms;
//! - [`engine`]: concurrent maps, generic over what they store;
//! - [`term`]: Erlang terms in one flat, position-independent encoding;
//! - [`reclaim`]: when memory may be freed;
//! - [`sync`]: the atomics, real or modelled by loom.
//!
//! # What may be relied on
//!
//! The crate is made for the boundary crate `etsunami_nif`, and no part of its interface is stable
//! between versions. [`table`], [`catalog`], [`matchspec`], [`reclaim`], [`term`] and [`error`] are
//! what the boundary uses. What a table gives out borrows the guard it was found under, and safe code
//! gets such guards from [`reclaim::pin`] alone. The hidden modules (engines,
//! atomics, accounting, planted faults) are open for tests and benchmarks. All cargo features are
//! additive, and none of them makes the crate unsound.

#[doc(hidden)]
pub mod accounting;
// Loom's primitives cannot live in statics; the models stop at the engines.
#[cfg(not(loom))]
pub mod catalog;
#[doc(hidden)]
pub mod engine;
pub mod error;
#[doc(hidden)]
pub mod faults;
#[cfg(not(loom))]
pub mod matchspec;
pub mod reclaim;
#[doc(hidden)]
pub mod sync;
#[cfg(not(loom))]
pub mod table;
pub mod term;
