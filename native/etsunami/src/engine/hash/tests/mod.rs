//! Tests of the hash table. Compiled into the library they run with tiny lines, segments and
//! directories; `tests/hash_table.rs` runs the same files with the constants that ship.

#[cfg(not(loom))]
mod bulk;
#[cfg(loom)]
mod loom_bulk;
#[cfg(loom)]
mod loom_clear;
#[cfg(loom)]
mod loom_hash;
#[cfg(not(loom))]
mod model;
#[cfg(not(loom))]
mod stress;
#[cfg(not(loom))]
mod support;
