//! What the fuzz targets share: terms out of bytes, and engines of integers beside models.
//!
//! The schema of the hash table is that of its own tests, which name the crate's modules.

use etsunami::{engine, reclaim, sync};

pub mod ordered;
pub mod terms;

#[path = "../../native/etsunami/src/engine/hash/tests/support.rs"]
#[allow(dead_code)]
pub mod hashed;
