//! The skip list over integers.

#[cfg(loom)]
mod batches;
#[cfg(not(loom))]
mod contract;
#[cfg(loom)]
mod races;

use super::{Heights, SkipList};
use crate::engine::ordered_tests::{Integers, Map};
use crate::reclaim;

/// A list of integers with the operations of a map.
pub type List<H> = Map<SkipList<Integers, H>>;

/// All towers have two levels: the most links that a node can have in a model.
pub struct Tall;

impl Heights for Tall {
    fn draw(_prefix: u64) -> usize {
        2
    }
}

/// At rest every level has live nodes only, in the order of their keys, and each node of a level is
/// on the one below.
pub fn audit<H: Heights>(list: &List<H>) {
    let guard = reclaim::pin();
    let mut below: Option<Vec<u64>> = None;
    for level in 0..list.map.head.len() {
        let mut keys = Vec::new();
        let mut next = list.map.head[level].load(&guard);
        while let Some(node) = next.node {
            let word = node.word().expect("a node in the list has a word");
            keys.push(crate::engine::ordered_tests::item(word).key);
            assert!(!node.next(level, &guard).marked, "a dead node is in the list");
            next = node.next(level, &guard);
        }
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?} increase");
        if let Some(below) = below {
            assert!(keys.iter().all(|key| below.contains(key)), "{keys:?} in {below:?}");
        }
        below = Some(keys);
    }
}
