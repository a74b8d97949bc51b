//! Contents that are built apart.

use super::support::{Hashing, Integers, get, insert, read, remove, retire};
use crate::engine::hash::{Bulk, HashTable};
use crate::engine::{Change, Delta, Word};
use crate::reclaim::{Flushed, flush, pin};
use crate::sync::Ordering;
use std::thread;

/// Puts an object; frees the one that it replaces.
fn put(bulk: &mut Bulk<'_, Integers>, schema: &Integers, key: u64, value: u64) {
    bulk.put(&key, |old| {
        if !old.is_empty() {
            retire(&pin(), old);
        }
        schema.object(key, value)
    });
}

pub(super) fn publish(table: &HashTable<Integers>, keys: u64, value: u64) -> bool {
    let mut bulk = table.bulk(keys as usize);
    (0..keys).for_each(|key| put(&mut bulk, table.schema(), key, value));
    let done = bulk.publish(&pin(), Delta { objects: keys as i64, words: 0 });
    done.is_ok()
}

fn keys(table: &HashTable<Integers>) -> Vec<u64> {
    let (guard, mut words, mut position) = (pin(), Vec::new(), Some(0));
    while let Some(from) = position {
        position = table.scan(&guard, from, 100, &mut words);
    }
    let mut keys: Vec<u64> = words.into_iter().map(|word| read(&guard, word).0).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn contents_of_all_sizes_are_those_of_a_table() {
    for hashing in [Hashing::Mixed, Hashing::Few, Hashing::Ordered] {
        for count in [0, 1, 2, 3, 5, 17, 100, 1000, 3000] {
            let schema = Integers::new(hashing);
            let table = schema.table();
            let count = if matches!(hashing, Hashing::Few) { count.min(100) } else { count };
            assert!(publish(&table, count, 7));
            assert_eq!(keys(&table), (0..count).collect::<Vec<_>>());
            assert_eq!(table.counters().objects(), count);
            (0..count).for_each(|key| assert_eq!(get(&table, &pin(), key), Some(7)));
            // It goes on as any other: grows, shrinks, and may be built again.
            for key in count..2 * count {
                assert_eq!(insert(&table, &pin(), key, 8), None);
            }
            (0..2 * count).for_each(|key| assert!(remove(&table, &pin(), key).is_some()));
            assert_eq!(table.counters().objects(), 0);
            if table.seems_vacant(&pin()) {
                assert!(publish(&table, count, 9));
                assert_eq!(keys(&table).len() as u64, count);
            }
            drop(table);
            assert_eq!(flush(), Flushed::Done);
            assert_eq!(schema.live.load(Ordering::Relaxed), 0);
        }
    }
}

#[test]
fn a_table_that_is_not_empty_keeps_its_contents() {
    let schema = Integers::new(Hashing::Mixed);
    let table = schema.table();
    let guard = pin();
    insert(&table, &guard, 5000, 1);
    assert!(!table.seems_vacant(&guard));
    assert!(!publish(&table, 100, 2));
    assert_eq!(keys(&table), [5000]);
    for key in 0..100 {
        assert_eq!(insert(&table, &guard, key, 3), None);
    }
    drop(guard);
    drop(table.bulk(1000));
    drop(table);
    assert_eq!(flush(), Flushed::Done);
    assert_eq!(schema.live.load(Ordering::Relaxed), 0);
}

/// Room for many keys that turn out to be few is given back.
#[test]
fn contents_fit_their_keys() {
    let schema = Integers::new(Hashing::Mixed);
    let table = schema.table();
    let mut bulk = table.bulk(6000);
    (0..6000).for_each(|at| put(&mut bulk, &schema, at % 40, at));
    assert!(bulk.publish(&pin(), Delta { objects: 40, words: 0 }).is_ok());
    assert_eq!(keys(&table), (0..40).collect::<Vec<_>>());
    assert!(table.shape().bytes < 16 << 10, "{:?}", table.shape());
    (0..40).for_each(|key| assert_eq!(get(&table, &pin(), key), Some(5960 + key)));
}

/// Writers that come between are not lost, nor is the contents, whoever is first.
#[test]
fn writers_beside_a_publication() {
    for round in 0..60 {
        let schema = Integers::new(Hashing::Mixed);
        let table = &schema.table();
        thread::scope(|scope| {
            let writer = scope.spawn(move || {
                (0..50).for_each(|key| assert_eq!(insert(table, &pin(), 10_000 + key, key), None));
            });
            let built = publish(table, 40 * round, 1);
            writer.join().expect("the writer");
            let count = if built { 40 * round } else { 0 };
            assert_eq!(keys(table).len() as u64, count + 50);
            assert_eq!(table.counters().objects(), count + 50);
        });
    }
}

/// An exchange finds its word where it was, or nothing at all.
#[test]
fn exchanges_find_their_word_or_nothing() {
    let schema = Integers::new(Hashing::Mixed);
    let table = schema.table();
    let guard = pin();
    let mut spots = Vec::new();
    for key in 0..500 {
        let word = schema.object(key, 1);
        spots.push((
            word,
            table.update_spot(&guard, &key, |_| (Change::Put(word), Delta::ZERO, ())).1,
        ));
        if key % 7 == 3 {
            remove(&table, &guard, key / 2);
        }
    }
    let mut done = 0;
    for (key, &(old, spot)) in spots.iter().enumerate() {
        let there = get(&table, &guard, key as u64).is_some();
        let new: Word = schema.object(key as u64, 2);
        // SAFETY: from this table, under this guard; each word has its key.
        if unsafe { table.exchange(&guard, spot, old, new) } {
            assert!(there);
            retire(&guard, old);
            done += 1;
            assert_eq!(get(&table, &guard, key as u64), Some(2));
        } else {
            retire(&guard, new);
            assert_eq!(get(&table, &guard, key as u64), there.then_some(1));
        }
    }
    assert!(done > 0, "no exchange was possible");
}
