//! How full segments become before they are split, with the constants that ship.

use super::bulk::publish;
use super::support::{Hashing, Integers, insert};
use crate::engine::hash::Shape;
use crate::reclaim::pin;

/// The shape of a table with these many keys, inserted one by one.
fn grown(keys: u64) -> Shape {
    let table = Integers::new(Hashing::Mixed).table();
    (0..keys).for_each(|key| _ = insert(&table, &pin(), key, key));
    table.shape()
}

/// The same with contents that were built apart.
fn built(keys: u64) -> Shape {
    let table = Integers::new(Hashing::Mixed).table();
    assert!(publish(&table, keys, 0));
    table.shape()
}

/// 1536 slots of one segment: 900 keys leave it alone, 1300 do not.
#[test]
fn a_lone_segment_is_split_at_some_seventy_percent() {
    for shape in [grown, built] {
        let (few, many) = (shape(900), shape(1300));
        assert_eq!(few.segments, 1, "{few:?}");
        assert!(many.segments > 1, "{many:?}");
    }
}

/// From one doubling to the next the buckets of a large table take 13 to 21 bytes for each key.
/// (Split at 75 percent they would take 17 to 28.)
#[test]
fn segments_are_split_at_some_hundred_percent() {
    for shape in [grown, built] {
        let bytes = |keys: u64| shape(keys).bytes as f64 / keys as f64;
        let each: Vec<f64> = (4..12).map(|step| bytes(20_000 * step)).collect();
        let mean = each.iter().sum::<f64>() / each.len() as f64;
        assert!(each.iter().all(|bytes| (13.0..21.0).contains(bytes)), "{each:?}");
        assert!((15.0..18.0).contains(&mean), "{mean} {each:?}");
    }
}
