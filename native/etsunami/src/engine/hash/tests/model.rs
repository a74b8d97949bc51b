//! One thread against the standard hash map.

use super::support::{Hashing, Integers, get, insert, read, remove};
use crate::engine::HashSchema;
use crate::engine::hash::HashTable;
use crate::reclaim::{flush, pin};
use crate::sync::Ordering;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// One step of a test.
#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u64),
    Remove(u64),
    Get(u64),
    /// Inserts that many keys from there on.
    Grow(u64, u64),
    /// Removes all keys of the range.
    Shrink(u64, u64),
    /// Goes one step with `next`.
    Next,
    /// Goes one step with `scan`.
    Scan(usize),
}

fn step(keys: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..keys, any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
        4 => (0..keys).prop_map(Step::Remove),
        2 => (0..keys).prop_map(Step::Get),
        1 => (0..keys, 0..keys).prop_map(|(from, count)| Step::Grow(from, count)),
        1 => (0..keys, 0..keys).prop_map(|(from, count)| Step::Shrink(from, count)),
        3 => Just(Step::Next),
        3 => (0..20usize).prop_map(Step::Scan),
    ]
}

/// A traversal under way: what it has met, and what it must meet and may meet yet.
#[derive(Default)]
struct Traversal {
    met: BTreeSet<u64>,
    /// There when the traversal began, and not removed since.
    stayed: BTreeSet<u64>,
}

impl Traversal {
    fn begin(model: &HashMap<u64, u64>) -> Traversal {
        Traversal { met: BTreeSet::new(), stayed: model.keys().copied().collect() }
    }

    fn meet(&mut self, key: u64) {
        assert!(self.met.insert(key), "{key} was met twice");
    }

    fn end(&self) {
        assert!(self.stayed.is_subset(&self.met), "a key that stayed was missed");
    }
}

/// A table, what it should hold, and two cursors over it.
struct Run {
    table: HashTable<Integers>,
    model: HashMap<u64, u64>,
    last: Option<u64>,
    nexts: Traversal,
    position: u64,
    scans: Traversal,
}

impl Run {
    fn new(schema: &Integers) -> Run {
        Run {
            table: schema.table(),
            model: HashMap::new(),
            last: None,
            nexts: Traversal::default(),
            position: 0,
            scans: Traversal::default(),
        }
    }

    fn insert(&mut self, key: u64, value: u64) {
        assert_eq!(insert(&self.table, &pin(), key, value), self.model.insert(key, value));
    }

    fn remove(&mut self, key: u64) {
        assert_eq!(remove(&self.table, &pin(), key), self.model.remove(&key));
        self.nexts.stayed.remove(&key);
        self.scans.stayed.remove(&key);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Insert(key, value) => self.insert(key, value),
            Step::Remove(key) => self.remove(key),
            Step::Get(key) => {
                assert_eq!(get(&self.table, &pin(), key), self.model.get(&key).copied());
            }
            Step::Grow(from, count) => (from..from + count).for_each(|key| self.insert(key, key)),
            Step::Shrink(from, count) => (from..from + count).for_each(|key| self.remove(key)),
            Step::Next => self.next(),
            Step::Scan(limit) => self.scan(limit),
        }
        assert_eq!(self.table.counters().objects(), self.model.len() as u64);
        assert_eq!(self.table.counters().words(), 2 * self.model.len() as u64);
    }

    fn next(&mut self) {
        let guard = pin();
        let word = self.table.next(&guard, self.last.as_ref(), |_| true);
        if let Some(key) = &self.last {
            let step = self.table.step(&guard, key, |_| true);
            assert_eq!(step, (self.table.get(&guard, key), word));
        }
        self.last = word.map(|word| read(&guard, word).0);
        match self.last {
            Some(key) => self.nexts.meet(key),
            None => {
                self.nexts.end();
                self.nexts = Traversal::begin(&self.model);
            }
        }
    }

    fn scan(&mut self, limit: usize) {
        let guard = pin();
        let mut words = Vec::new();
        let next = self.table.scan(&guard, self.position, limit, &mut words);
        words.iter().for_each(|&word| self.scans.meet(read(&guard, word).0));
        self.position = next.unwrap_or(0);
        if next.is_none() {
            self.scans.end();
            self.scans = Traversal::begin(&self.model);
        }
    }

    /// What a whole traversal and a look-up of every key find.
    fn check(&self) {
        let guard = pin();
        let found: HashMap<_, _> = everything(&self.table, 7).into_iter().collect();
        assert_eq!(found, self.model);
        for (&key, &value) in &self.model {
            assert_eq!(get(&self.table, &guard, key), Some(value));
        }
    }
}

/// All keys and values, in the order of positions.
fn everything(table: &HashTable<Integers>, limit: usize) -> Vec<(u64, u64)> {
    let guard = pin();
    let mut words = Vec::new();
    let mut position = Some(0);
    while let Some(from) = position {
        position = table.scan(&guard, from, limit, &mut words);
    }
    words.into_iter().map(|word| read(&guard, word)).collect()
}

fn run(hashing: Hashing, steps: &[Step]) {
    let schema = Integers::new(hashing);
    let mut run = Run::new(&schema);
    steps.iter().for_each(|step| run.step(step));
    run.check();
    drop(run);
    let _ = flush();
    assert_eq!(schema.live.load(Ordering::Relaxed), 0, "each object is released once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn agrees_with_the_model(steps in prop::collection::vec(step(300), 0..120)) {
        run(Hashing::Mixed, &steps);
    }

    #[test]
    fn agrees_with_few_hashes(steps in prop::collection::vec(step(60), 0..80)) {
        run(Hashing::Few, &steps);
    }

    #[test]
    fn agrees_with_one_hash(steps in prop::collection::vec(step(40), 0..60)) {
        run(Hashing::One, &steps);
    }

    #[test]
    fn agrees_with_dense_positions(steps in prop::collection::vec(step(300), 0..80)) {
        run(Hashing::Ordered, &steps);
    }
}

#[test]
fn grows_and_shrinks_back() {
    let schema = Integers::new(Hashing::Mixed);
    let table = schema.table();
    let empty = table.shape();
    for key in 0..20_000 {
        insert(&table, &pin(), key, key);
    }
    let full = table.shape();
    assert!(full.segments > 8 && full.splits >= full.segments - 1, "{full:?}");
    for key in 0..20_000 {
        assert_eq!(get(&table, &pin(), key), Some(key));
    }
    for key in 0..20_000 {
        assert_eq!(remove(&table, &pin(), key), Some(key));
    }
    let shrunk = table.shape();
    assert!(shrunk.bytes <= full.bytes / 8, "{shrunk:?}");
    assert_eq!(empty.segments, 1);
    assert_eq!(table.next(&pin(), None, |_| true), None);
}

/// Removals in the order of positions, as a sweep makes them, shrink the table as well.
#[test]
fn shrinks_behind_a_sweep() {
    let table = Integers::new(Hashing::Mixed).table();
    for key in 0..20_000 {
        insert(&table, &pin(), key, key);
    }
    let full = table.shape();
    for (key, _) in everything(&table, 100) {
        remove(&table, &pin(), key);
    }
    let shrunk = table.shape();
    assert!(shrunk.bytes <= full.bytes / 8, "{full:?} {shrunk:?}");
}

#[test]
fn equal_hashes_do_not_split() {
    let table = Integers::new(Hashing::One).table();
    for key in 0..200 {
        insert(&table, &pin(), key, key);
    }
    assert!(table.shape().segments <= 2, "{:?}", table.shape());
    for key in 0..200 {
        assert_eq!(get(&table, &pin(), key), Some(key));
    }
}

#[test]
fn next_skips_what_is_invisible() {
    let table = Integers::new(Hashing::Mixed).table();
    (0..100).for_each(|key| assert_eq!(insert(&table, &pin(), key, key), None));
    let guard = pin();
    let is_even = |word| read(&guard, word).0.is_multiple_of(2);
    let mut keys = BTreeSet::new();
    let mut last = None;
    while let Some(word) = table.next(&guard, last.as_ref(), is_even) {
        let key = read(&guard, word).0;
        assert!(keys.insert(key));
        last = Some(key);
    }
    assert_eq!(keys, (0..100).step_by(2).collect());
}

#[test]
fn a_panic_unlocks_and_changes_nothing() {
    let table = Integers::new(Hashing::Mixed).table();
    insert(&table, &pin(), 1, 10);
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        table.update::<()>(&pin(), &1, |_| panic!("on purpose"));
    }));
    assert!(attempt.is_err());
    assert_eq!(insert(&table, &pin(), 1, 11), Some(10));
}

/// What `scan` gives begins at the position that it is given, is in the order of positions, and
/// ends before the position that it names.
#[test]
fn scan_keeps_the_order_of_positions() {
    let schema = Integers::new(Hashing::Mixed);
    let table = schema.table();
    (0..1000).for_each(|key| assert_eq!(insert(&table, &pin(), key, key), None));
    let guard = pin();
    let position_of = |&word: &_| schema.hash(&read(&guard, word).0) >> 32;
    let mut position = Some(0);
    while let Some(from) = position {
        let mut words = Vec::new();
        position = table.scan(&guard, from, 5, &mut words);
        let end = position.unwrap_or(1 << 32);
        assert!(words.iter().map(position_of).is_sorted());
        assert!(words.iter().all(|word| (from..end).contains(&position_of(word))));
        assert!(from < end);
    }
}

/// Keys of equal position are never separated, and `next` meets them one by one.
#[test]
fn equal_positions_stay_together() {
    let table = Integers::new(Hashing::One).table();
    (0..50).for_each(|key| assert_eq!(insert(&table, &pin(), key, key), None));
    let guard = pin();
    let mut words = Vec::new();
    let end = table.scan(&guard, 0, 1 << 20, &mut words);
    assert_eq!((words.len(), end.is_none() || end > Some(0x1234_5678)), (50, true));
    words.clear();
    table.scan(&guard, 0x1234_5678, 3, &mut words);
    assert_eq!(words.len(), 50);
    let word = table.next(&guard, Some(&20), |_| true).expect("there are 29 behind it");
    assert_eq!(read(&guard, word).0, 21);
}
