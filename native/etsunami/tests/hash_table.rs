//! The tests of the hash table, with the constants that ship.

use etsunami::{engine, reclaim, sync};

#[path = "../src/engine/hash/tests/bulk.rs"]
mod bulk;
#[path = "hash_table/filling.rs"]
mod filling;
#[path = "../src/engine/hash/tests/model.rs"]
mod model;
#[path = "../src/engine/hash/tests/stress.rs"]
mod stress;
#[path = "../src/engine/hash/tests/support.rs"]
mod support;
