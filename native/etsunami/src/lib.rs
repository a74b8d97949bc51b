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

pub mod accounting;
pub mod catalog;
pub mod engine;
pub mod error;
pub mod faults;
// The models stop at the engines.
#[cfg(not(loom))]
pub mod matchspec;
pub mod reclaim;
pub mod sync;
#[cfg(not(loom))]
pub mod table;
pub mod term;
