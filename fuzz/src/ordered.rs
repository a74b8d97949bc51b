//! Ordered engines of integers beside a `BTreeMap`.

use std::cmp::Ordering as Order;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arbitrary::Arbitrary;
use etsunami::engine::ca_tree::{CaTree, Geometry};
use etsunami::engine::skip_list::{Heights, SkipList};
use etsunami::engine::{Change, Delta, Direction, OrderSchema, Word};
use etsunami::reclaim::{self, Guard, pin};
use etsunami::sync::Counters;

/// A stored key and value.
struct Item {
    key: u64,
    value: u64,
    live: Arc<AtomicI64>,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Integers in their order, of whose prefixes the lowest bits are missing. A stem is a number of
/// leading bits.
pub struct Integers {
    coarse: u32,
}

fn item(word: Word) -> &'static Item {
    // SAFETY: words are followed only under the guard that they were loaded with.
    unsafe { &*std::ptr::with_exposed_provenance(word.0) }
}

/// # Safety
/// `item` came from [`Beside::make`] and is freed once.
unsafe fn free(item: *mut u8) {
    // SAFETY: promised by the caller.
    drop(unsafe { Box::from_raw(item.cast::<Item>()) });
}

// SAFETY: keys are integers in their natural order, and dropping low bits is monotone.
unsafe impl OrderSchema for Integers {
    type Key = u64;
    type Separator = u64;
    type Stem = u32;

    fn prefix(&self, key: &u64) -> u64 {
        key.checked_shr(self.coarse).unwrap_or(0)
    }
    unsafe fn prefix_of(&self, word: Word) -> u64 {
        self.prefix(&item(word).key)
    }
    fn stem(&self, low: &u64, high: &u64) -> Option<u32> {
        Some((low ^ high).leading_zeros().min(63))
    }
    fn compare_stem(&self, key: &u64, with: &u64, stem: u32) -> Order {
        let shared = |key: &u64| key.checked_shr(64 - stem).unwrap_or(0);
        shared(key).cmp(&shared(with))
    }
    fn prefix_behind(&self, key: &u64, stem: u32) -> u64 {
        self.prefix(&(key << stem))
    }
    unsafe fn prefix_of_behind(&self, word: Word, stem: u32) -> u64 {
        self.prefix_behind(&item(word).key, stem)
    }
    unsafe fn compare(&self, key: &u64, word: Word) -> Order {
        key.cmp(&item(word).key)
    }
    unsafe fn compare_words(&self, a: Word, b: Word) -> Order {
        item(a).key.cmp(&item(b).key)
    }
    fn compare_keys(&self, a: &u64, b: &u64) -> Order {
        a.cmp(b)
    }
    unsafe fn separator(&self, word: Word) -> u64 {
        item(word).key
    }
    fn separator_key<'a>(&self, separator: &'a u64) -> &'a u64 {
        separator
    }
    unsafe fn release(&self, word: Word) {
        // SAFETY: the engine gives each word away once.
        unsafe { free(std::ptr::with_exposed_provenance_mut(word.0)) };
    }
}

/// What the two ordered engines have in common.
pub trait Ordered {
    /// An empty one.
    fn new(schema: Integers, counters: Counters) -> Self;
    /// Its objects, as they are counted.
    fn count(&self) -> u64;
    /// The word of a key.
    fn get(&self, guard: &Guard, key: &u64) -> Option<Word>;
    /// Changes the word of a key.
    fn update<R>(
        &self,
        guard: &Guard,
        key: &u64,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R;
    /// The nearest word within the bound.
    fn step(&self, guard: &Guard, from: Bound<&u64>, direction: Direction) -> Option<Word>;
    /// Several words within the bound; true if there may be more.
    fn scan(
        &self,
        guard: &Guard,
        from: Bound<&u64>,
        direction: Direction,
        limit: usize,
        out: &mut Vec<Word>,
    ) -> bool;
}

macro_rules! ordered {
    ($engine:ty, $parameter:ident: $bound:ident) => {
        impl<$parameter: $bound> Ordered for $engine {
            fn new(schema: Integers, counters: Counters) -> Self {
                <$engine>::new(schema, counters)
            }
            fn count(&self) -> u64 {
                self.counters().objects()
            }
            fn get(&self, guard: &Guard, key: &u64) -> Option<Word> {
                <$engine>::get(self, guard, key)
            }
            fn update<R>(
                &self,
                guard: &Guard,
                key: &u64,
                f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
            ) -> R {
                <$engine>::update(self, guard, key, f)
            }
            fn step(&self, guard: &Guard, from: Bound<&u64>, direction: Direction) -> Option<Word> {
                match direction {
                    Direction::Ascending => self.next(guard, from, |_| true),
                    Direction::Descending => self.prev(guard, from, |_| true),
                }
            }
            fn scan(
                &self,
                guard: &Guard,
                from: Bound<&u64>,
                direction: Direction,
                limit: usize,
                out: &mut Vec<Word>,
            ) -> bool {
                <$engine>::scan(self, guard, from, direction, limit, out)
            }
        }
    };
}

ordered!(CaTree<Integers, G>, G: Geometry);
ordered!(SkipList<Integers, H>, H: Heights);

/// A key: most are near to each other.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Key {
    /// One of a few.
    Near(u8),
    /// One of more, spread.
    Far(u16),
    /// Any.
    Any(u64),
}

impl Key {
    fn value(self) -> u64 {
        match self {
            Key::Near(key) => key.into(),
            Key::Far(key) => u64::from(key) << 40,
            Key::Any(key) => key,
        }
    }
}

/// Where a search begins.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum From {
    /// At the end of all keys.
    End,
    /// At a key.
    At(Key),
    /// Next to a key.
    Behind(Key),
}

impl From {
    fn bound(self) -> Bound<u64> {
        match self {
            From::End => Bound::Unbounded,
            From::At(key) => Bound::Included(key.value()),
            From::Behind(key) => Bound::Excluded(key.value()),
        }
    }
}

/// An operation.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Op {
    /// Inserts or replaces.
    Put(Key),
    /// Removes.
    Take(Key),
    /// Looks up.
    Get(Key),
    /// Looks at a key and changes nothing.
    Keep(Key),
    /// Inserts so many keys from here on.
    PutRun(Key, u8),
    /// Removes them.
    TakeRun(Key, u8),
    /// The next key, or the one before.
    Step(From, bool),
    /// Several keys.
    Scan(From, bool, u8),
}

/// An engine and what it should hold.
pub struct Beside<M> {
    map: M,
    model: BTreeMap<u64, u64>,
    live: Arc<AtomicI64>,
}

impl<M: Ordered> Beside<M> {
    /// Runs the operations on an engine and on the model. In the end nothing is left of either.
    pub fn run(coarse: u8, ops: &[Op]) {
        let live = Arc::new(AtomicI64::new(0));
        let schema = Integers { coarse: u32::from(coarse % 65) };
        let map = M::new(schema, Counters::new(2));
        let mut beside = Beside { map, model: BTreeMap::new(), live: live.clone() };
        for (turn, op) in ops.iter().enumerate() {
            beside.apply(*op, turn as u64);
            assert_eq!(beside.map.count(), beside.model.len() as u64);
        }
        beside.scan(Bound::Unbounded, Direction::Ascending, usize::MAX);
        drop(beside);
        assert_eq!(reclaim::flush(), reclaim::Flushed::Done);
        assert_eq!(live.load(Ordering::Relaxed), 0, "each object is freed once");
    }

    fn apply(&mut self, op: Op, turn: u64) {
        match op {
            Op::Put(key) => self.put(key.value(), turn),
            Op::Take(key) => self.take(key.value()),
            Op::Get(key) => self.get(key.value()),
            Op::Keep(key) => self.keep(key.value()),
            Op::PutRun(key, n) => self.each(key, n, |run, key| run.put(key, turn)),
            Op::TakeRun(key, n) => self.each(key, n, Self::take),
            Op::Step(from, up) => self.step(from.bound(), direction(up)),
            Op::Scan(from, up, limit) => self.scan(from.bound(), direction(up), limit.into()),
        }
    }

    fn each(&mut self, from: Key, n: u8, mut f: impl FnMut(&mut Self, u64)) {
        let from = from.value();
        (0..u64::from(n)).for_each(|i| f(self, from.wrapping_add(i)));
    }

    fn make(&self, key: u64, value: u64) -> Word {
        self.live.fetch_add(1, Ordering::Relaxed);
        let item = Box::new(Item { key, value, live: self.live.clone() });
        Word(Box::into_raw(item).expose_provenance())
    }

    fn retire(guard: &Guard, word: Word) -> u64 {
        let value = item(word).value;
        let pointer = std::ptr::with_exposed_provenance_mut(word.0);
        // SAFETY: the update has taken the word out of the engine.
        unsafe { guard.retire(pointer, free, size_of::<Item>()) };
        value
    }

    fn put(&mut self, key: u64, value: u64) {
        let guard = pin();
        let word = self.make(key, value);
        let old = self.map.update(&guard, &key, |old| {
            let objects = i64::from(old.is_none());
            (Change::Put(word), Delta { objects, words: 3 * objects }, old)
        });
        let old = old.map(|word| Self::retire(&guard, word));
        assert_eq!(old, self.model.insert(key, value));
    }

    fn take(&mut self, key: u64) {
        let guard = pin();
        let old = self.map.update(&guard, &key, |old| {
            let objects = -i64::from(old.is_some());
            (Change::Remove, Delta { objects, words: 3 * objects }, old)
        });
        let old = old.map(|word| Self::retire(&guard, word));
        assert_eq!(old, self.model.remove(&key));
    }

    fn keep(&mut self, key: u64) {
        let guard = pin();
        let word = self.map.update(&guard, &key, |old| (Change::Keep, Delta::ZERO, old));
        assert_eq!(word.map(|word| item(word).value), self.model.get(&key).copied());
    }

    fn get(&self, key: u64) {
        let guard = pin();
        let word = self.map.get(&guard, &key);
        assert!(word.is_none_or(|word| item(word).key == key));
        assert_eq!(word.map(|word| item(word).value), self.model.get(&key).copied());
    }

    fn step(&self, from: Bound<u64>, direction: Direction) {
        let guard = pin();
        let word = self.map.step(&guard, from.as_ref(), direction);
        assert_eq!(word.map(|word| item(word).key), self.expected(from, direction, 1).pop());
    }

    fn scan(&self, from: Bound<u64>, direction: Direction, limit: usize) {
        let guard = pin();
        let mut words = Vec::new();
        let more = self.map.scan(&guard, from.as_ref(), direction, limit, &mut words);
        let keys: Vec<u64> = words.iter().map(|&word| item(word).key).collect();
        assert_eq!(keys, self.expected(from, direction, limit));
        let all = self.expected(from, direction, usize::MAX).len();
        assert!(more || keys.len() == all, "{} of {all}", keys.len());
    }

    fn expected(&self, from: Bound<u64>, direction: Direction, limit: usize) -> Vec<u64> {
        let keys = |(key, _): (&u64, &u64)| *key;
        match direction {
            Direction::Ascending => {
                self.model.range((from, Bound::Unbounded)).map(keys).take(limit).collect()
            }
            Direction::Descending => {
                self.model.range((Bound::Unbounded, from)).rev().map(keys).take(limit).collect()
            }
        }
    }
}

fn direction(up: bool) -> Direction {
    if up { Direction::Ascending } else { Direction::Descending }
}
