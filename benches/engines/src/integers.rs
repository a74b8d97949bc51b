//! Our engines by themselves: keys are integers, a word points to a box of key and value, as the
//! word of a table points to an object.

use crate::keys::Key;
use crate::map::{Map, OrderedMap};
use etsunami::engine::ca_tree::CaTree;
use etsunami::engine::hash::HashTable;
use etsunami::engine::skip_list::SkipList;
use etsunami::engine::{Change, Delta, Direction, HashSchema, OrderSchema, Word};
use etsunami::reclaim::{self, Guard};
use etsunami::sync::{AtomicU64, Counters, Ordering};
use std::cmp::Ordering as Order;
use std::hash::BuildHasher;
use std::ops::Bound;

/// What a word points to. The value may change in place, as that of a pair in a table.
struct Pair {
    key: u64,
    value: AtomicU64,
}

/// Words that an object of this size counts for.
const WORDS: i64 = 2;

/// The pair behind a word.
///
/// # Safety
/// The word came from an engine under a guard, or its key's lock, that lives for `'g`.
#[inline(always)]
unsafe fn pair<'g>(word: Word) -> &'g Pair {
    // SAFETY: the engines here store nothing but addresses of pairs; the guard keeps this one.
    unsafe { &*(word.0 as *const Pair) }
}

/// Integers: their hash is that of the other maps, their order the natural one, and what the keys
/// of an interval have in common is a number of leading bits.
pub struct Integers(<u64 as Key>::Build);

// SAFETY: all answers follow from a pair's key, which does not change.
unsafe impl HashSchema for Integers {
    type Key = u64;

    #[inline(always)]
    fn hash(&self, key: &u64) -> u64 {
        self.0.hash_one(key)
    }
    unsafe fn hash_of(&self, word: Word) -> u64 {
        // SAFETY: by the caller's promise.
        self.0.hash_one(unsafe { pair(word) }.key)
    }
    #[inline(always)]
    unsafe fn matches(&self, key: &u64, word: Word) -> bool {
        // SAFETY: by the caller's promise.
        unsafe { pair(word) }.key == *key
    }
    unsafe fn tie(&self, key: &u64, word: Word) -> Order {
        // SAFETY: by the caller's promise.
        key.cmp(&unsafe { pair(word) }.key)
    }
    unsafe fn tie_words(&self, a: Word, b: Word) -> Order {
        // SAFETY: by the caller's promise.
        unsafe { pair(a).key.cmp(&pair(b).key) }
    }
    unsafe fn release(&self, word: Word) {
        // SAFETY: the engine gives each word away once.
        drop(unsafe { Box::from_raw(word.0 as *mut Pair) });
    }
}

// SAFETY: keys are integers in their natural order, and shifting out what all have is monotone.
unsafe impl OrderSchema for Integers {
    type Key = u64;
    type Separator = u64;
    type Stem = u32;

    #[inline(always)]
    fn prefix(&self, key: &u64) -> u64 {
        *key
    }
    unsafe fn prefix_of(&self, word: Word) -> u64 {
        // SAFETY: by the caller's promise.
        unsafe { pair(word) }.key
    }
    /// The whole key is its own prefix: nothing tells more.
    fn stem(&self, _low: &u64, _high: &u64) -> Option<u32> {
        None
    }
    fn compare_stem(&self, key: &u64, with: &u64, stem: u32) -> Order {
        let shared = |key: &u64| key.checked_shr(64 - stem).unwrap_or(0);
        shared(key).cmp(&shared(with))
    }
    fn prefix_behind(&self, key: &u64, stem: u32) -> u64 {
        key << stem
    }
    unsafe fn prefix_of_behind(&self, word: Word, stem: u32) -> u64 {
        // SAFETY: by the caller's promise.
        self.prefix_behind(&unsafe { pair(word) }.key, stem)
    }
    #[inline(always)]
    unsafe fn compare(&self, key: &u64, word: Word) -> Order {
        // SAFETY: by the caller's promise.
        key.cmp(&unsafe { pair(word) }.key)
    }
    unsafe fn compare_words(&self, a: Word, b: Word) -> Order {
        // SAFETY: by the caller's promise.
        unsafe { pair(a).key.cmp(&pair(b).key) }
    }
    fn compare_keys(&self, a: &u64, b: &u64) -> Order {
        a.cmp(b)
    }
    unsafe fn separator(&self, word: Word) -> u64 {
        // SAFETY: by the caller's promise.
        unsafe { pair(word) }.key
    }
    fn separator_key<'a>(&self, separator: &'a u64) -> &'a u64 {
        separator
    }
    unsafe fn release(&self, word: Word) {
        // SAFETY: the engine gives each word away once.
        drop(unsafe { Box::from_raw(word.0 as *mut Pair) });
    }
}

/// What to do to put a value: change the pair that is there, or store a new one.
#[inline(always)]
fn put(key: u64, value: u64, old: Option<Word>) -> (Change, Delta, ()) {
    if let Some(word) = old {
        // Relaxed: a number that leads nowhere.
        // SAFETY: the caller holds the key's lock.
        unsafe { pair(word) }.value.store(value, Ordering::Relaxed);
        return (Change::Keep, Delta::ZERO, ());
    }
    let fresh = Box::into_raw(Box::new(Pair { key, value: AtomicU64::new(value) }));
    (Change::Put(Word(fresh as usize)), Delta { objects: 1, words: WORDS }, ())
}

/// What to do to count.
#[inline(always)]
fn count(old: Option<Word>) -> (Change, Delta, ()) {
    if let Some(word) = old {
        // SAFETY: the caller holds the key's lock.
        let value = &unsafe { pair(word) }.value;
        // Relaxed: a number that leads nowhere; under the lock nobody else changes it.
        value.store(value.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
    (Change::Keep, Delta::ZERO, ())
}

/// What to do to remove.
#[inline(always)]
fn remove(old: Option<Word>) -> (Change, Delta, Option<Word>) {
    let objects = -i64::from(old.is_some());
    (Change::Remove, Delta { objects, words: WORDS * objects }, old)
}

/// Retires what has been removed. True if there was something.
#[inline(always)]
fn retire(guard: &Guard, old: Option<Word>) -> bool {
    let Some(word) = old else { return false };
    // SAFETY: an update has taken the word, made of a box, out of its engine.
    unsafe { guard.retire_box(word.0 as *mut Pair, size_of::<Pair>()) };
    true
}

/// An adapter for one engine.
macro_rules! engine {
    ($(#[$doc:meta])* $adapter:ident, $engine:ident, $name:literal) => {
        $(#[$doc])*
        pub struct $adapter($engine<Integers>);

        impl Map<u64> for $adapter {
            const NAME: &'static str = $name;
            const OURS: bool = true;

            fn new() -> Self {
                $adapter($engine::new(Integers(Default::default()), Counters::new(4)))
            }
            #[inline]
            fn get(&self, key: &u64) -> Option<u64> {
                let guard = reclaim::pin();
                let word = self.0.get(&guard, key)?;
                // SAFETY: loaded under this guard. Relaxed: a number that leads nowhere.
                Some(unsafe { pair(word) }.value.load(Ordering::Relaxed))
            }
            #[inline]
            fn put(&self, key: &u64, value: u64) {
                self.0.update(&reclaim::pin(), key, |old| put(*key, value, old));
            }
            #[inline]
            fn remove(&self, key: &u64) -> bool {
                let guard = reclaim::pin();
                let old = self.0.update(&guard, key, remove);
                retire(&guard, old)
            }
            #[inline]
            fn count(&self, key: &u64) {
                self.0.update(&reclaim::pin(), key, count);
            }
        }
    };
}

engine!(
    /// The hash table.
    IntegerHash, HashTable, "etsunami hash"
);
engine!(
    /// The contention-adapting tree.
    IntegerTree, CaTree, "etsunami tree"
);
engine!(
    /// The lock-free skip list.
    IntegerList, SkipList, "etsunami list"
);

/// The scan of one engine.
macro_rules! scan {
    ($adapter:ident) => {
        impl OrderedMap<u64> for $adapter {
            fn scan(&self, from: &u64, limit: usize) -> u64 {
                let guard = reclaim::pin();
                let mut words = Vec::with_capacity(limit);
                let from = Bound::Excluded(from);
                self.0.scan(&guard, from, Direction::Ascending, limit, &mut words);
                // SAFETY: loaded under this guard. Relaxed: a number that leads nowhere.
                let value = |&word| unsafe { pair(word) }.value.load(Ordering::Relaxed);
                words.iter().map(value).sum()
            }
        }
    };
}

scan!(IntegerTree);
scan!(IntegerList);
