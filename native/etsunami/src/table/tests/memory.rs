//! What a table takes beside its objects.

use super::super::options::{Kind, Spec};
use super::{Draft, SEED, Table};
use crate::reclaim;
use crate::term::layout::immediate;

/// Bytes of an `ordered_set` of integers inserted in this order, for each object.
fn tree_bytes(keys: impl ExactSizeIterator<Item = u64>) -> f64 {
    let table = Table::new(Spec { kind: Kind::OrderedSet, ..Spec::default() }, SEED);
    let objects = keys.len() as f64;
    for key in keys {
        let words = [immediate::small(key as i64).expect("a small integer"); 2];
        // SAFETY: the encoding of a pair of small integers.
        let draft = unsafe { Draft::new(&words, 2) };
        table.insert(&reclaim::pin(), draft).expect("a table without an owner");
    }
    let figures = table.statistics(&reclaim::pin());
    let bytes = figures.iter().find(|(name, _)| *name == "engine_bytes").expect("a figure").1;
    bytes as f64 / objects
}

/// A full leaf of 64 takes 20 cache lines, with the stems of tables in its head: 20 bytes for each
/// object, and half a byte above it. One word more would take a block of the allocator's next size.
#[test]
fn keys_in_order_take_full_leaves_of_twenty_lines() {
    const KEYS: u32 = 64 * 640;
    let up = tree_bytes((0..KEYS).map(u64::from));
    assert!(up < 20.5, "{up}");
    let down = tree_bytes((0..KEYS).rev().map(u64::from));
    assert!(down < 20.5, "{down}");
}
