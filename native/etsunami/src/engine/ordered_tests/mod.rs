//! The contract of ordered engines, tested on each of them: keys are integers, words point to counted
//! boxes of key and value.

#[cfg(not(loom))]
pub mod model;
#[cfg(not(loom))]
pub mod ownership;
#[cfg(not(loom))]
pub mod reads;
#[cfg(not(loom))]
pub mod stress;
#[cfg(not(loom))]
mod timing;

use super::ca_tree::{CaTree, Geometry};
use super::skip_list::{Heights, SkipList};
use super::{Change, Delta, Direction, OrderSchema, Word};
use crate::reclaim::{self, Guard};
use crate::sync::Counters;
use std::cmp::Ordering as Order;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What the ordered engines have in common.
pub trait Ordered: Send + Sync {
    fn new(schema: Integers, counters: Counters) -> Self;
    #[cfg(not(loom))]
    fn counters(&self) -> &Counters;
    /// What its nodes take.
    #[cfg(not(loom))]
    fn bytes(&self) -> u64;
    fn get(&self, guard: &Guard, key: &u64) -> Option<Word>;
    fn update<R>(
        &self,
        guard: &Guard,
        key: &u64,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R;
    fn next(
        &self,
        guard: &Guard,
        from: Bound<&u64>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word>;
    fn prev(
        &self,
        guard: &Guard,
        from: Bound<&u64>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word>;
    fn scan(
        &self,
        guard: &Guard,
        from: Bound<&u64>,
        direction: Direction,
        limit: usize,
        out: &mut Vec<Word>,
    ) -> bool;
}

/// The methods of an engine that has them by the same names.
macro_rules! ordered {
    ($engine:ty, $parameter:ident: $bound:ident) => {
        impl<$parameter: $bound> Ordered for $engine {
            fn new(schema: Integers, counters: Counters) -> Self {
                <$engine>::new(schema, counters)
            }
            #[cfg(not(loom))]
            fn counters(&self) -> &Counters {
                <$engine>::counters(self)
            }
            #[cfg(not(loom))]
            fn bytes(&self) -> u64 {
                self.shape().bytes
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
            fn next(
                &self,
                guard: &Guard,
                from: Bound<&u64>,
                visible: impl Fn(Word) -> bool,
            ) -> Option<Word> {
                <$engine>::next(self, guard, from, visible)
            }
            fn prev(
                &self,
                guard: &Guard,
                from: Bound<&u64>,
                visible: impl Fn(Word) -> bool,
            ) -> Option<Word> {
                <$engine>::prev(self, guard, from, visible)
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

/// A key and a value.
pub struct Item {
    pub key: u64,
    pub value: u64,
    live: Arc<AtomicI64>,
}

impl Drop for Item {
    fn drop(&mut self) {
        // So that a reader that comes too late is noticed.
        self.key = u64::MAX - 1;
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Integers in their order. Only the bits above `coarse` go into the prefix. A stem is a number of
/// leading bits.
pub struct Integers {
    pub coarse: u32,
}

/// The item behind a word.
pub fn item(word: Word) -> &'static Item {
    // SAFETY: the tests follow a word only under the guard that they got it with.
    unsafe { &*(word.0 as *const Item) }
}

// SAFETY: keys are integers in their natural order, and dropping low bits is monotone.
unsafe impl OrderSchema for Integers {
    type Key = u64;
    type Separator = u64;

    fn prefix(&self, key: &u64) -> u64 {
        key.checked_shr(self.coarse).unwrap_or(0)
    }
    unsafe fn prefix_of(&self, word: Word) -> u64 {
        self.prefix(&item(word).key)
    }
    type Stem = u32;
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
        unsafe { free(word.0 as *mut u8) };
    }
}

/// # Safety
/// `item` came from [`Map::make`] and is freed once.
unsafe fn free(item: *mut u8) {
    // SAFETY: promised by the caller.
    drop(unsafe { Box::from_raw(item.cast::<Item>()) });
}

/// An engine over integers, with the operations of a map.
pub struct Map<M> {
    pub map: M,
    pub live: Arc<AtomicI64>,
}

impl<M: Ordered> Map<M> {
    pub fn new(coarse: u32) -> Self {
        let live = Arc::new(AtomicI64::new(0));
        let schema = Integers { coarse };
        Map { map: M::new(schema, Counters::new(2)), live }
    }

    pub fn make(&self, key: u64, value: u64) -> Word {
        self.live.fetch_add(1, Ordering::Relaxed);
        let live = self.live.clone();
        Word(Box::into_raw(Box::new(Item { key, value, live })) as usize)
    }

    pub fn retire(&self, guard: &Guard, word: Word) {
        // SAFETY: an update has taken the word out of the engine, and only its caller retires it.
        unsafe { guard.retire(word.0 as *mut u8, free, size_of::<Item>()) };
    }

    /// Inserts or replaces; gives the old value.
    pub fn put(&self, key: u64, value: u64) -> Option<u64> {
        let guard = reclaim::pin();
        let word = self.make(key, value);
        let old = self.map.update(&guard, &key, |old| {
            let objects = i64::from(old.is_none());
            (Change::Put(word), Delta { objects, words: 3 * objects }, old)
        });
        let old = old?;
        let value = item(old).value;
        self.retire(&guard, old);
        Some(value)
    }

    /// Inserts if there is nothing; gives what there is.
    #[cfg(loom)]
    pub fn put_new(&self, key: u64, value: u64) -> Option<u64> {
        let guard = reclaim::pin();
        let fresh = self.make(key, value);
        let old = self.map.update(&guard, &key, |old| match old {
            Some(_) => (Change::Keep, Delta::ZERO, old),
            None => (Change::Put(fresh), Delta { objects: 1, words: 3 }, None),
        });
        if old.is_some() {
            // SAFETY: it was not stored.
            unsafe { free(fresh.0 as *mut u8) };
        }
        old.map(|word| item(word).value)
    }

    /// Removes; gives the value.
    pub fn take(&self, key: u64) -> Option<u64> {
        let guard = reclaim::pin();
        let old = self.map.update(&guard, &key, |old| {
            let objects = -i64::from(old.is_some());
            (Change::Remove, Delta { objects, words: 3 * objects }, old)
        })?;
        let value = item(old).value;
        self.retire(&guard, old);
        Some(value)
    }

    pub fn get(&self, key: u64) -> Option<u64> {
        let guard = reclaim::pin();
        let word = self.map.get(&guard, &key)?;
        assert_eq!(item(word).key, key);
        Some(item(word).value)
    }

    pub fn next(&self, from: Bound<u64>) -> Option<u64> {
        let guard = reclaim::pin();
        self.map.next(&guard, from.as_ref(), |_| true).map(|word| item(word).key)
    }

    pub fn prev(&self, from: Bound<u64>) -> Option<u64> {
        let guard = reclaim::pin();
        self.map.prev(&guard, from.as_ref(), |_| true).map(|word| item(word).key)
    }

    /// All keys, read in chunks of `limit`.
    pub fn keys(&self, direction: Direction, limit: usize) -> Vec<u64> {
        let mut keys = Vec::new();
        let mut from = Bound::Unbounded;
        loop {
            let guard = reclaim::pin();
            let mut words = Vec::new();
            let more = self.map.scan(&guard, from.as_ref(), direction, limit, &mut words);
            keys.extend(words.iter().map(|&word| item(word).key));
            if !more {
                return keys;
            }
            assert_eq!(words.len(), limit, "a scan that ends early has nothing more");
            from = Bound::Excluded(*keys.last().expect("a limit above zero"));
        }
    }
}
