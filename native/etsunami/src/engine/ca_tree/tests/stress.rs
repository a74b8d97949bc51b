//! Real threads: keys present throughout are found by every reader, whatever the tree does.

use super::{Narrow, Tree};
use crate::engine::Direction;
use crate::engine::ca_tree::{Geometry, Wide};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Keys that are multiples of this stay, the others come and go.
const STAY: u64 = 5;

/// Fills and empties the tree around the keys that stay, and replaces those.
fn churn<G: Geometry>(tree: &Tree<G>, keys: u64, seed: u64, rounds: u64) {
    for round in 0..rounds {
        for i in 0..keys {
            let key = (i * 7919 + seed) % keys;
            if key.is_multiple_of(STAY) || round % 2 == 0 {
                tree.put(key, round);
            } else {
                tree.take(key);
            }
        }
    }
}

fn check_scan<G: Geometry>(tree: &Tree<G>, keys: u64, direction: Direction, limit: usize) {
    let mut seen = tree.keys(direction, limit);
    if direction == Direction::Descending {
        seen.reverse();
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "keys strictly increase");
    let stayed: Vec<u64> = seen.into_iter().filter(|key| key % STAY == 0).collect();
    assert_eq!(stayed, (0..keys).step_by(STAY as usize).collect::<Vec<_>>());
}

fn read<G: Geometry>(tree: &Tree<G>, keys: u64, stop: &AtomicBool) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        check_scan(tree, keys, Direction::Ascending, 1 + turn % 97);
        check_scan(tree, keys, Direction::Descending, 1 + turn % 89);
        for key in (0..keys).step_by(STAY as usize) {
            assert!(tree.get(key).is_some(), "{key} stays");
            let next = tree.next(Bound::Excluded(key)).unwrap_or(u64::MAX);
            assert!(next > key && next <= key + STAY || key + STAY >= keys);
            let prev = tree.prev(Bound::Excluded(key + 1));
            assert_eq!(prev, Some(key));
        }
    }
}

fn readers_see_what_stays<G: Geometry>(keys: u64, coarse: u32, rounds: u64) {
    let tree = Tree::<G>::new(coarse);
    (0..keys).step_by(STAY as usize).for_each(|key| assert_eq!(tree.put(key, 0), None));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(|| read(&tree, keys, &stop))).collect();
        let write = |seed| churn(&tree, keys, seed, rounds);
        let writers = [1, 4001].map(|seed| scope.spawn(move || write(seed)));
        writers.into_iter().for_each(|writer| writer.join().expect("a writer failed"));
        stop.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().expect("a reader failed"));
    });
    assert_eq!(tree.map.counters().objects(), tree.keys(Direction::Ascending, 64).len() as u64);
    let live = tree.live.clone();
    drop(tree);
    assert_eq!(crate::reclaim::flush(), crate::reclaim::Flushed::Done);
    assert_eq!(live.load(Ordering::Relaxed), 0);
}

#[test]
fn readers_of_a_narrow_tree_see_what_stays() {
    readers_see_what_stays::<Narrow>(400, 0, 120);
    readers_see_what_stays::<Narrow>(60, 64, 500);
}

#[test]
fn readers_of_a_wide_tree_see_what_stays() {
    readers_see_what_stays::<Wide>(5000, 4, 12);
}

/// Each thread counts on shared keys: no update is lost.
#[test]
fn updates_of_one_key_are_atomic() {
    const EACH: u64 = 3000;
    let tree = Tree::<Narrow>::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for i in 0..EACH {
                    add_one(&tree, i % 7);
                }
            });
        }
    });
    let total: u64 = (0..7).map(|key| tree.get(key).unwrap_or(0)).sum();
    assert_eq!(total, 3 * EACH);
}

fn add_one<G: Geometry>(tree: &Tree<G>, key: u64) {
    use crate::engine::{Change, Delta};
    let guard = crate::reclaim::pin();
    let old = tree.map.update(&guard, &key, |old| {
        let value = old.map_or(0, |word| super::item(word).value);
        let objects = i64::from(old.is_none());
        (Change::Put(tree.make(key, value + 1)), Delta { objects, words: 0 }, old)
    });
    if let Some(old) = old {
        tree.retire(&guard, old);
    }
}
