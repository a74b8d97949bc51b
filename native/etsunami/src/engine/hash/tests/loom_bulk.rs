//! The races of contents that are published at once, and of exchanges without a search.

use super::super::HashTable;
use super::loom_hash::{A, B, C, D, Hashes, Table};
use super::loom_hash::{get, put, race, remove, scan, split, table, word};
use crate::engine::{Change, Delta};
use crate::reclaim::{Guard, pin};
use crate::sync::Arc;

/// Publishes these keys with value 9, if the table is empty.
fn publish(table: &HashTable<Hashes>, guard: &Guard, keys: &[u64]) -> bool {
    let mut bulk = table.bulk(keys.len());
    keys.iter().for_each(|&key| bulk.put(&key, |_| word(key, 9)));
    bulk.publish(guard, Delta { objects: keys.len() as i64, words: 0 }).is_ok()
}

fn empty() -> Arc<Table> {
    table(&[])
}

/// A table that has been filled and emptied again.
fn emptied() -> Arc<Table> {
    let table = table(&[A, B]);
    [A, B].into_iter().for_each(|key| remove(&table, &pin(), key));
    assert!(table.seems_vacant(&pin()));
    table
}

#[test]
fn loom_bulk_is_seen_whole() {
    let builder = |table: &Table, guard: &Guard| assert!(publish(table, guard, &[A, B, C, D]));
    race(empty, [builder], |table, guard| {
        let [first, second] = [A, D].map(|key| get(table, guard, key));
        assert!(first.is_none() || second.is_some(), "new, then old");
        let all = scan(table, guard);
        assert!(second.is_none() || all == [A, B, C, D], "a part: {all:?}");
    });
}

#[test]
fn loom_bulk_against_update() {
    let builder = |table: &Table, guard: &Guard| {
        let done = publish(table, guard, &[A, C]);
        assert_eq!(get(table, guard, A).is_some(), done);
    };
    race(empty, [builder], |table, guard| {
        put(table, guard, D, 1);
        assert_eq!(get(table, guard, D), Some(1), "lost");
    });
}

#[test]
fn loom_bulk_against_bulk() {
    let builder = |table: &Table, guard: &Guard| {
        let done = publish(table, guard, &[B, C]);
        assert_eq!(get(table, guard, C).is_some(), done);
    };
    race(emptied, [builder], |table, guard| {
        let done = publish(table, guard, &[A]);
        assert_eq!(get(table, guard, A).is_some(), done);
        assert!(!done || get(table, guard, B).is_none(), "both");
    });
}

/// A writer takes the key away whose spot is known, and puts another one into its slot.
#[test]
fn loom_exchange_against_another_key_in_the_slot() {
    let writer = |table: &Table, guard: &Guard| {
        remove(table, guard, A);
        put(table, guard, B, 1);
        assert_eq!(get(table, guard, B), Some(1), "overwritten");
    };
    race(empty, [writer], |table, guard| {
        let old = word(A, 2);
        let ((), spot) = table.update_spot(guard, &A, |_| (Change::Put(old), Delta::ZERO, ()));
        // SAFETY: from this table, under this guard; each word has its key.
        let done = unsafe { table.exchange(guard, spot, old, word(A, 3)) };
        let now = get(table, guard, A);
        assert!(now.is_none() || (now == Some(3)) == done, "{now:?}");
    });
}

/// A bucket that has moved is not written to.
#[test]
fn loom_exchange_against_split() {
    race(two_keys, [|table, _| split(table, A >> 32)], |table, guard| {
        let old = word(A, 2);
        let ((), spot) = table.update_spot(guard, &A, |_| (Change::Put(old), Delta::ZERO, ()));
        // SAFETY: from this table, under this guard; each word has its key.
        let done = unsafe { table.exchange(guard, spot, old, word(A, 3)) };
        assert_eq!(get(table, guard, A), Some(if done { 3 } else { 2 }));
    });
}

fn two_keys() -> Arc<Table> {
    table(&[A, B])
}
