//! Operations on the hash table beside a `HashMap`, with good hashes and bad ones; two cursors go
//! through it meanwhile, and meet what stays exactly once.
#![no_main]

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use arbitrary::Arbitrary;
use etsunami::engine::hash::HashTable;
use etsunami::reclaim::{self, pin};
use etsunami_fuzz::hashed::{Hashing, Integers, get, insert, read, remove};
use libfuzzer_sys::fuzz_target;

/// How keys are hashed.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Hashes {
    Mixed,
    Few,
    One,
    Ordered,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Insert(u16, u64),
    Remove(u16),
    Get(u16),
    /// Inserts so many keys from here on.
    Grow(u16, u8),
    /// Removes them.
    Shrink(u16, u8),
    /// One step of the cursor that is a key.
    Next,
    /// One step of the cursor that is a position.
    Scan(u8),
}

/// A traversal: what it has met, and what has been there since it began.
#[derive(Default)]
struct Traversal {
    met: BTreeSet<u64>,
    stayed: BTreeSet<u64>,
}

impl Traversal {
    fn begin(model: &HashMap<u64, u64>) -> Traversal {
        Traversal { met: BTreeSet::new(), stayed: model.keys().copied().collect() }
    }

    fn meet(&mut self, key: u64) {
        assert!(self.met.insert(key), "{key} was met twice");
    }

    fn end(&mut self, model: &HashMap<u64, u64>) {
        assert!(self.stayed.is_subset(&self.met), "a key that stayed was missed");
        *self = Traversal::begin(model);
    }
}

struct Run {
    table: HashTable<Integers>,
    model: HashMap<u64, u64>,
    last: Option<u64>,
    nexts: Traversal,
    position: u64,
    scans: Traversal,
}

impl Run {
    fn apply(&mut self, op: Op) {
        match op {
            Op::Insert(key, value) => self.insert(key.into(), value),
            Op::Remove(key) => self.remove(key.into()),
            Op::Get(key) => {
                let key = u64::from(key);
                assert_eq!(get(&self.table, &pin(), key), self.model.get(&key).copied());
            }
            Op::Grow(key, n) => run_of(key, n).for_each(|key| self.insert(key, !key)),
            Op::Shrink(key, n) => run_of(key, n).for_each(|key| self.remove(key)),
            Op::Next => self.next(),
            Op::Scan(limit) => self.scan(limit.into()),
        }
        assert_eq!(self.table.counters().objects(), self.model.len() as u64);
    }

    fn insert(&mut self, key: u64, value: u64) {
        assert_eq!(insert(&self.table, &pin(), key, value), self.model.insert(key, value));
    }

    fn remove(&mut self, key: u64) {
        assert_eq!(remove(&self.table, &pin(), key), self.model.remove(&key));
        self.nexts.stayed.remove(&key);
        self.scans.stayed.remove(&key);
    }

    fn next(&mut self) {
        let guard = pin();
        let word = self.table.next(&guard, self.last.as_ref(), |_| true);
        self.last = word.map(|word| read(&guard, word).0);
        match self.last {
            Some(key) => self.nexts.meet(key),
            None => self.nexts.end(&self.model),
        }
    }

    fn scan(&mut self, limit: usize) {
        let guard = pin();
        let mut words = Vec::new();
        let next = self.table.scan(&guard, self.position, limit, &mut words);
        words.iter().for_each(|&word| self.scans.meet(read(&guard, word).0));
        self.position = next.unwrap_or(0);
        if next.is_none() {
            self.scans.end(&self.model);
        }
    }
}

fn run_of(key: u16, n: u8) -> impl Iterator<Item = u64> {
    let from = u64::from(key);
    from..from + u64::from(n)
}

fuzz_target!(|input: (Hashes, Vec<Op>)| {
    let (hashes, ops) = input;
    let schema = Integers::new(match hashes {
        Hashes::Mixed => Hashing::Mixed,
        Hashes::Few => Hashing::Few,
        Hashes::One => Hashing::One,
        Hashes::Ordered => Hashing::Ordered,
    });
    let (table, model) = (schema.table(), HashMap::new());
    let (nexts, scans) = (Traversal::default(), Traversal::default());
    let mut run = Run { table, model, last: None, nexts, position: 0, scans };
    ops.into_iter().for_each(|op| run.apply(op));
    drop(run);
    assert_eq!(reclaim::flush(), reclaim::Flushed::Done);
    assert_eq!(schema.live.load(Ordering::Relaxed), 0, "each object is freed once");
});
