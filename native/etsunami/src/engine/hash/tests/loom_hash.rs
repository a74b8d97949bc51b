//! The races of the hash table, with two slots to a line and two buckets to a segment.
//!
//! Keys are chosen by position and tag; words hold key and value themselves, so nothing but the
//! table is modelled.

use super::super::HashTable;
use super::super::resize::Merge;
use super::super::segment::State;
use crate::engine::{Change, Delta, HashSchema, Word};
use crate::reclaim::{Guard, pin};
use crate::sync::{Arc, Counters, thread};
use std::cmp::Ordering;

/// A key is its hash.
pub(super) struct Hashes;

/// The key whose position has `high` as its upper byte; all keys have the same tag.
const fn key(high: u64) -> u64 {
    (high << 56) | 1
}

/// Four keys, one for each quarter of the positions.
pub(super) const A: u64 = key(0x10);
pub(super) const B: u64 = key(0x50);
pub(super) const C: u64 = key(0x90);
pub(super) const D: u64 = key(0xd0);

/// Key and value as a word.
pub(super) fn word(key: u64, value: u64) -> Word {
    Word(((key >> 48) | (value << 4) | 8) as usize)
}

fn key_of(word: Word) -> u64 {
    key(word.0 as u64 >> 8)
}

fn value_of(word: Word) -> u64 {
    (word.0 as u64 >> 4) & 0xf
}

// SAFETY: words are no pointers; all answers follow from the key in them.
unsafe impl HashSchema for Hashes {
    type Key = u64;

    fn hash(&self, key: &u64) -> u64 {
        *key
    }

    unsafe fn hash_of(&self, word: Word) -> u64 {
        key_of(word)
    }

    unsafe fn matches(&self, key: &u64, word: Word) -> bool {
        key_of(word) == *key
    }

    unsafe fn tie(&self, key: &u64, word: Word) -> Ordering {
        key.cmp(&key_of(word))
    }

    unsafe fn tie_words(&self, a: Word, b: Word) -> Ordering {
        key_of(a).cmp(&key_of(b))
    }

    unsafe fn release(&self, _: Word) {}
}

pub(super) type Table = HashTable<Hashes>;

/// A table of these keys, each with value 1.
pub(super) fn table(keys: &[u64]) -> Arc<Table> {
    let table = HashTable::new(Hashes, Counters::new(1));
    keys.iter().for_each(|&key| put(&table, &pin(), key, 1));
    Arc::new(table)
}

/// Keeps the one segment from being split.
fn rigid(table: Arc<Table>) -> Arc<Table> {
    assert!(table.directory.find(0, &pin()).change_state(State::Normal, State::Leaving));
    table
}

/// Splits the segment at a position.
pub(super) fn split(table: &Table, position: u64) {
    let guard = pin();
    let segment = table.directory.find(position, &guard);
    assert!(segment.change_state(State::Normal, State::Leaving));
    table.split(segment, position, &guard);
}

pub(super) fn put(table: &Table, guard: &Guard, key: u64, value: u64) {
    table.update(guard, &key, |_| (Change::Put(word(key, value)), Delta::ZERO, ()));
}

pub(super) fn remove(table: &Table, guard: &Guard, key: u64) {
    table.update(guard, &key, |_| (Change::Remove, Delta::ZERO, ()));
}

pub(super) fn get(table: &Table, guard: &Guard, key: u64) -> Option<u64> {
    table.get(guard, &key).map(value_of)
}

fn next(table: &Table, guard: &Guard, after: Option<u64>) -> Option<u64> {
    table.next(guard, after.as_ref(), |_| true).map(key_of)
}

/// All keys, by `scan` in steps of one word.
pub(super) fn scan(table: &Table, guard: &Guard) -> Vec<u64> {
    let mut words = Vec::new();
    let mut position = Some(0);
    while let Some(from) = position {
        position = table.scan(guard, from, 1, &mut words);
    }
    words.into_iter().map(key_of).collect()
}

/// All keys, by `next`.
fn walk(table: &Table, guard: &Guard) -> Vec<u64> {
    std::iter::successors(next(table, guard, None), |&key| next(table, guard, Some(key))).collect()
}

/// Explores what `main` sees while the other threads run.
pub(super) fn race<const N: usize>(
    table: impl Fn() -> Arc<Table> + Send + Sync + 'static,
    others: [fn(&Table, &Guard); N],
    main: fn(&Table, &Guard),
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.max_branches = 10_000;
    model.check(move || {
        let table = table();
        let threads = others.map(|other| {
            let table = table.clone();
            thread::spawn(move || other(&table, &pin()))
        });
        main(&table, &pin());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// A slot that is reused under the same tag shows either key only while it is there.
#[test]
fn loom_hash_slot_reused_with_equal_tag() {
    let writer = |table: &Table, guard: &Guard| {
        remove(table, guard, A);
        put(table, guard, B, 1);
    };
    race(
        || rigid(table(&[A])),
        [writer],
        |table, guard| {
            let found = get(table, guard, B);
            let again = get(table, guard, B);
            assert!(found <= again, "a key that was there has gone");
            assert!(again.is_none() || get(table, guard, A).is_none(), "a removed key is back");
        },
    );
}

/// A key that is removed and inserted again, beside one that stays under the same tag.
#[test]
fn loom_hash_neighbour_stays() {
    let writer = |table: &Table, guard: &Guard| {
        remove(table, guard, A);
        put(table, guard, A, 2);
    };
    race(
        || rigid(table(&[A, B])),
        [writer],
        |table, guard| {
            let first = get(table, guard, A);
            assert_eq!(get(table, guard, B), Some(1));
            let second = get(table, guard, A);
            assert!(first != Some(2) || second == Some(2));
            assert!(first.is_some() || second != Some(1));
        },
    );
}

/// Who did not find a key by its tag does not meet it with a cursor later.
#[test]
fn loom_hash_removal_is_one_instant() {
    let writer = |table: &Table, guard: &Guard| remove(table, guard, A);
    race(
        || rigid(table(&[A])),
        [writer],
        |table, guard| {
            let found = get(table, guard, A);
            let met = next(table, guard, None);
            assert!(found.is_some() || met.is_none());
        },
    );
}

/// Who met a key in a new overflow line with a cursor finds it by its tag.
#[test]
fn loom_hash_overflow_is_announced() {
    let writer = |table: &Table, guard: &Guard| put(table, guard, C, 1);
    race(
        || rigid(table(&[A, B])),
        [writer],
        |table, guard| {
            let met = next(table, guard, Some(B));
            let found = get(table, guard, C);
            assert!(met.is_none() || found.is_some());
            assert_eq!(get(table, guard, A), Some(1));
        },
    );
}

/// An overflow line is emptied, unlinked and one is linked again, under a reader of its chain.
#[test]
fn loom_hash_overflow_chain_changes() {
    let writer = |table: &Table, guard: &Guard| {
        remove(table, guard, key(5));
        put(table, guard, key(6), 1);
    };
    let full = || rigid(table(&[key(1), key(2), key(3), key(4), key(5)]));
    race(full, [writer], |table, guard| {
        assert_eq!(get(table, guard, key(3)), Some(1));
        let new = get(table, guard, key(6));
        let old = get(table, guard, key(5));
        assert!(new.is_none() || old.is_none());
    });
}

/// A bucket is frozen under a reader, and its key is replaced in the heir.
#[test]
fn loom_hash_split_against_reader_and_writer() {
    let splitter = |table: &Table, guard: &Guard| put(table, guard, C, 1);
    let writer = |table: &Table, guard: &Guard| put(table, guard, A, 2);
    race(
        || table(&[A, B]),
        [splitter, writer],
        |table, guard| {
            let first = get(table, guard, A).expect("A stays");
            let second = get(table, guard, A).expect("A stays");
            assert!(first <= second, "the replacement has been undone");
        },
    );
}

/// The same with the directory growing from the embedded one.
#[test]
fn loom_hash_directory_grows_under_reader() {
    let splitter = |table: &Table, _: &Guard| split(table, 0);
    let writer = |table: &Table, guard: &Guard| put(table, guard, D, 2);
    let level_one = || {
        let table = table(&[A, D]);
        split(&table, 0);
        table
    };
    race(level_one, [splitter, writer], |table, guard| {
        let first = get(table, guard, D).expect("D stays");
        let second = get(table, guard, D).expect("D stays");
        assert!(first <= second, "the replacement has been undone");
        assert_eq!(get(table, guard, A), Some(1));
    });
}

/// Cursors meet each key that stays exactly once while a bucket is split.
#[test]
fn loom_hash_scan_against_split() {
    let splitter = |table: &Table, guard: &Guard| put(table, guard, C, 1);
    race(
        || table(&[A, D]),
        [splitter],
        |table, guard| {
            let mut keys = scan(table, guard);
            keys.retain(|&key| key != C);
            assert_eq!(keys, [A, D]);
        },
    );
}

/// The same with `next`.
#[test]
fn loom_hash_next_against_split() {
    let splitter = |table: &Table, guard: &Guard| put(table, guard, C, 1);
    race(
        || table(&[A, D]),
        [splitter],
        |table, guard| {
            let mut keys = walk(table, guard);
            keys.retain(|&key| key != C);
            assert_eq!(keys, [A, D]);
        },
    );
}

/// A table of two segments, with one key in the upper bucket of the lower one.
fn two_segments() -> Arc<Table> {
    let table = table(&[B]);
    split(&table, 0);
    split(&table, 0);
    table
}

/// The lone key stays while the segments are merged and the directory shrinks.
#[test]
fn loom_hash_merge_against_reader_and_writer() {
    let merger = |table: &Table, guard: &Guard| {
        assert_eq!(table.merge_near(0, guard), Merge::Done);
    };
    let writer = |table: &Table, guard: &Guard| put(table, guard, B, 2);
    race(two_segments, [merger, writer], |table, guard| {
        let first = get(table, guard, B).expect("B stays");
        let second = get(table, guard, B).expect("B stays");
        assert!(first <= second, "the replacement has been undone");
    });
}

/// A cursor meets the key that stays exactly once while two buckets become one.
#[test]
fn loom_hash_scan_against_merge() {
    let merger = |table: &Table, guard: &Guard| {
        table.merge_near(0, guard);
    };
    race(two_segments, [merger], |table, guard| {
        assert_eq!(scan(table, guard), [B]);
    });
}

/// Two threads insert, split and remove: each sees its own changes.
#[test]
fn loom_hash_two_writers() {
    let writer = |table: &Table, guard: &Guard| {
        put(table, guard, C, 1);
        assert_eq!(get(table, guard, C), Some(1));
    };
    race(
        || table(&[A, B]),
        [writer],
        |table, guard| {
            put(table, guard, D, 1);
            assert_eq!(get(table, guard, D), Some(1));
            remove(table, guard, A);
            assert_eq!(get(table, guard, A), None);
        },
    );
}
