//! Any sequence of operations behaves as on a `BTreeMap`.

use super::{Map, Ordered};
use crate::engine::Direction;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;

/// An operation.
#[derive(Clone, Debug)]
pub enum Op {
    Put(u64),
    Take(u64),
    Get(u64),
    Next(Bound<u64>),
    Prev(Bound<u64>),
    Scan(Bound<u64>, usize),
    /// Removes all keys from here on, up to a number.
    TakeRun(u64, u64),
    PutRun(u64, u64),
}

fn bound(keys: u64) -> impl Strategy<Value = Bound<u64>> {
    prop_oneof![
        (0..keys).prop_map(Bound::Included),
        (0..keys).prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

/// Operations on this many keys.
pub fn op(keys: u64) -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..keys).prop_map(Op::Put),
        6 => (0..keys).prop_map(Op::Take),
        3 => (0..keys).prop_map(Op::Get),
        2 => bound(keys).prop_map(Op::Next),
        2 => bound(keys).prop_map(Op::Prev),
        1 => (bound(keys), 0..2 * keys as usize).prop_map(|(from, limit)| Op::Scan(from, limit)),
        1 => (0..keys, 0..keys / 2).prop_map(|(from, n)| Op::TakeRun(from, n)),
        1 => (0..keys, 0..keys / 2).prop_map(|(from, n)| Op::PutRun(from, n)),
    ]
}

/// The key that `next` or `prev` gives.
fn neighbour(
    model: &BTreeMap<u64, u64>,
    from: Bound<u64>,
    direction: Direction,
) -> impl Iterator<Item = u64> {
    let keys: Vec<u64> = match direction {
        Direction::Ascending => model.range((from, Bound::Unbounded)).map(|(k, _)| *k).collect(),
        Direction::Descending => {
            model.range((Bound::Unbounded, from)).rev().map(|(k, _)| *k).collect()
        }
    };
    keys.into_iter()
}

fn scan<M: Ordered>(
    map: &Map<M>,
    from: Bound<u64>,
    direction: Direction,
    limit: usize,
) -> (Vec<u64>, bool) {
    let guard = crate::reclaim::pin();
    let mut words = Vec::new();
    let more = map.map.scan(&guard, from.as_ref(), direction, limit, &mut words);
    (words.iter().map(|&word| super::item(word).key).collect(), more)
}

fn apply<M: Ordered>(map: &Map<M>, model: &mut BTreeMap<u64, u64>, op: &Op, turn: u64) {
    match *op {
        Op::Put(key) => assert_eq!(map.put(key, turn), model.insert(key, turn)),
        Op::Take(key) => assert_eq!(map.take(key), model.remove(&key)),
        Op::Get(key) => assert_eq!(map.get(key), model.get(&key).copied()),
        Op::Next(from) => {
            assert_eq!(map.next(from), neighbour(model, from, Direction::Ascending).next());
        }
        Op::Prev(from) => {
            assert_eq!(map.prev(from), neighbour(model, from, Direction::Descending).next());
        }
        Op::Scan(from, limit) => {
            for direction in [Direction::Ascending, Direction::Descending] {
                let all: Vec<u64> = neighbour(model, from, direction).collect();
                let (keys, more) = scan(map, from, direction, limit);
                assert_eq!(keys, all[..limit.min(all.len())]);
                assert!(more || keys.len() == all.len());
            }
        }
        Op::TakeRun(from, n) => (from..from + n).for_each(|key| {
            assert_eq!(map.take(key), model.remove(&key));
        }),
        Op::PutRun(from, n) => (from..from + n).for_each(|key| {
            assert_eq!(map.put(key, turn), model.insert(key, turn));
        }),
    }
}

/// Runs the operations on an engine and on a `BTreeMap`.
pub fn behaves_as_btreemap<M: Ordered>(coarse: u32, ops: &[Op]) {
    let map = Map::<M>::new(coarse);
    let mut model = BTreeMap::new();
    for (turn, op) in ops.iter().enumerate() {
        apply(&map, &mut model, op, turn as u64);
        assert_eq!(map.map.counters().objects(), model.len() as u64);
    }
    let keys: Vec<u64> = model.keys().copied().collect();
    assert_eq!(map.keys(Direction::Ascending, 7), keys);
    assert_eq!(map.keys(Direction::Descending, 3), keys.into_iter().rev().collect::<Vec<_>>());
}
