//! Several threads against one table, for a short time.

use super::support::{Hashing, Integers, get, insert, read, remove};
use crate::engine::hash::HashTable;
use crate::reclaim::{flush, pin};
use crate::sync::{Ordering, thread};
use std::collections::HashSet;

const STAYING: u64 = 500;
const MOVING: u64 = 500;
const ROUNDS: u64 = 30;

/// Keys that nobody touches while others come and go around them.
fn staying(schema: &Integers) -> HashTable<Integers> {
    let table = schema.table();
    (0..STAYING).for_each(|key| assert_eq!(insert(&table, &pin(), key, key), None));
    table
}

/// Inserts and removes many keys, so that segments split and merge.
fn churn(table: &HashTable<Integers>, thread: u64) {
    let keys = || (0..MOVING).map(move |key| (thread + 1) * 1_000_000 + key);
    for round in 0..ROUNDS {
        for key in keys() {
            assert_eq!(insert(table, &pin(), key, round), None);
        }
        for key in keys() {
            assert_eq!(get(table, &pin(), key), Some(round));
            assert_eq!(remove(table, &pin(), key), Some(round));
        }
    }
}

/// One traversal by `next`: the staying keys that it met.
fn walk(table: &HashTable<Integers>) -> usize {
    let mut met = HashSet::new();
    let mut last = None;
    loop {
        let guard = pin();
        let Some(word) = table.next(&guard, last.as_ref(), |_| true) else { break };
        let key = read(&guard, word).0;
        assert!(met.insert(key), "{key} was met twice");
        last = Some(key);
    }
    met.iter().filter(|&&key| key < STAYING).count()
}

/// One traversal by `scan`: the staying keys that it met.
fn sweep(table: &HashTable<Integers>) -> usize {
    let mut met = HashSet::new();
    let mut position = Some(0);
    while let Some(from) = position {
        let guard = pin();
        let mut words = Vec::new();
        position = table.scan(&guard, from, 10, &mut words);
        for word in words {
            let key = read(&guard, word).0;
            assert!(met.insert(key), "{key} was met twice");
        }
    }
    met.iter().filter(|&&key| key < STAYING).count()
}

#[test]
fn readers_and_cursors_meet_what_stays() {
    let schema = Integers::new(Hashing::Mixed);
    let table = staying(&schema);
    thread::scope(|scope| {
        let writers = [0, 1].map(|thread| {
            scope.spawn({
                let table = &table;
                move || churn(table, thread)
            })
        });
        while !writers.iter().all(|writer| writer.is_finished()) {
            for key in 0..STAYING {
                assert_eq!(get(&table, &pin(), key), Some(key));
            }
            assert_eq!(walk(&table), STAYING as usize);
            assert_eq!(sweep(&table), STAYING as usize);
        }
    });
    assert_eq!(table.counters().objects(), STAYING);
    drop(table);
    let _ = flush();
    assert_eq!(schema.live.load(Ordering::Relaxed), 0);
}

/// Each thread removes what it finds and inserts it changed: nothing is lost or doubled.
#[test]
fn updates_of_shared_keys_are_atomic() {
    const KEYS: u64 = 20;
    const ADDITIONS: u64 = 4000;
    let schema = Integers::new(Hashing::Few);
    let table = schema.table();
    thread::scope(|scope| {
        for thread in 0..3 {
            let table = &table;
            scope.spawn(move || (0..ADDITIONS).for_each(|i| add(table, (thread + i) % KEYS)));
        }
    });
    let sum: u64 = (0..KEYS).filter_map(|key| get(&table, &pin(), key)).sum();
    assert_eq!(sum, 3 * ADDITIONS);
    drop(table);
    let _ = flush();
    assert_eq!(schema.live.load(Ordering::Relaxed), 0);
}

/// Adds one to a key's value, which is 0 if it is absent.
fn add(table: &HashTable<Integers>, key: u64) {
    use super::support::retire;
    use crate::engine::{Change, Delta};
    let guard = pin();
    let old = table.update(&guard, &key, |old| {
        let value = old.map_or(0, |old| read(&guard, old).1);
        let objects = i64::from(old.is_none());
        let new = table.schema().object(key, value + 1);
        (Change::Put(new), Delta { objects, words: 0 }, old)
    });
    if let Some(old) = old {
        retire(&guard, old);
    }
}
