//! A schema of boxed integers.

use crate::engine::hash::HashTable;
use crate::engine::{Change, Delta, HashSchema, Word};
use crate::reclaim::Guard;
use crate::sync::{Arc, AtomicI64, AtomicU64, Counters, Ordering};

/// What a freed object's key is overwritten with.
const POISON: u64 = 0xdead_dead_dead_dead;

/// A stored object.
pub struct Object {
    hash: u64,
    key: AtomicU64,
    value: u64,
    live: Arc<AtomicI64>,
}

/// How keys are hashed.
#[derive(Clone, Copy, Debug)]
pub enum Hashing {
    /// Well.
    Mixed,
    /// Sixteen different hashes.
    Few,
    /// All alike.
    One,
    /// Positions in the order of the keys, few tags.
    Ordered,
}

/// The schema, which counts live objects.
#[derive(Clone)]
pub struct Integers {
    pub hashing: Hashing,
    pub live: Arc<AtomicI64>,
}

fn mix(key: u64) -> u64 {
    let x = (key ^ (key >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ x
}

impl Integers {
    pub fn new(hashing: Hashing) -> Integers {
        Integers { hashing, live: Arc::new(AtomicI64::new(0)) }
    }

    /// A table of integers.
    pub fn table(&self) -> HashTable<Integers> {
        HashTable::new(self.clone(), Counters::new(4))
    }

    /// Makes an object.
    pub fn object(&self, key: u64, value: u64) -> Word {
        self.live.fetch_add(1, Ordering::Relaxed);
        let live = self.live.clone();
        let object = Object { hash: self.hash(&key), key: AtomicU64::new(key), value, live };
        Word(Box::into_raw(Box::new(object)).expose_provenance())
    }
}

/// The object behind a word.
///
/// # Safety
/// The word was loaded under a guard that outlives `'g`.
unsafe fn object<'g>(word: Word) -> &'g Object {
    // SAFETY: by the caller's promise.
    let object: &Object = unsafe { &*std::ptr::with_exposed_provenance(word.0) };
    assert_ne!(object.key.load(Ordering::Relaxed), POISON, "used after it was freed");
    object
}

/// The key and value behind a word that was loaded under the guard.
pub fn read(_guard: &Guard, word: Word) -> (u64, u64) {
    // SAFETY: by the caller's promise.
    let object = unsafe { object(word) };
    (object.key.load(Ordering::Relaxed), object.value)
}

/// Frees an object.
unsafe fn free(object: *mut u8) {
    // SAFETY: `Integers::object` made a box of it, and nobody else can reach it.
    let object = unsafe { Box::from_raw(object.cast::<Object>()) };
    assert_ne!(object.key.swap(POISON, Ordering::Relaxed), POISON, "freed twice");
    object.live.fetch_sub(1, Ordering::Relaxed);
}

/// Retires an object that has just been taken out of a table.
pub fn retire(guard: &Guard, word: Word) {
    let pointer = std::ptr::with_exposed_provenance_mut(word.0);
    // SAFETY: the caller has unlinked it.
    unsafe { guard.retire(pointer, free, size_of::<Object>()) };
}

// SAFETY: a word is a box's address; all answers follow from its key.
unsafe impl HashSchema for Integers {
    type Key = u64;

    fn hash(&self, key: &u64) -> u64 {
        match self.hashing {
            Hashing::Mixed => mix(*key),
            Hashing::Few => mix(*key % 16),
            Hashing::One => 0x1234_5678_9abc_def0,
            Hashing::Ordered => (*key << 40) | (*key % 3),
        }
    }

    unsafe fn hash_of(&self, word: Word) -> u64 {
        // SAFETY: by the caller's promise.
        unsafe { object(word) }.hash
    }

    unsafe fn matches(&self, key: &u64, word: Word) -> bool {
        // SAFETY: by the caller's promise.
        unsafe { object(word) }.key.load(Ordering::Relaxed) == *key
    }

    unsafe fn tie(&self, key: &u64, word: Word) -> std::cmp::Ordering {
        // SAFETY: by the caller's promise.
        key.cmp(&unsafe { object(word) }.key.load(Ordering::Relaxed))
    }

    unsafe fn tie_words(&self, a: Word, b: Word) -> std::cmp::Ordering {
        // SAFETY: by the caller's promise.
        unsafe { self.tie(&object(a).key.load(Ordering::Relaxed), b) }
    }

    unsafe fn release(&self, word: Word) {
        // SAFETY: by the caller's promise.
        unsafe { free(std::ptr::with_exposed_provenance_mut(word.0)) };
    }
}

/// Stores a value; returns the old one.
pub fn insert(table: &HashTable<Integers>, guard: &Guard, key: u64, value: u64) -> Option<u64> {
    let new = table.schema().object(key, value);
    let old = table.update(guard, &key, |old| {
        let objects = i64::from(old.is_none());
        (Change::Put(new), Delta { objects, words: 2 * objects }, old)
    })?;
    let value = read(guard, old).1;
    retire(guard, old);
    Some(value)
}

/// Removes a key; returns its value.
pub fn remove(table: &HashTable<Integers>, guard: &Guard, key: u64) -> Option<u64> {
    let old = table.update(guard, &key, |old| {
        let objects = -i64::from(old.is_some());
        (Change::Remove, Delta { objects, words: 2 * objects }, old)
    })?;
    let value = read(guard, old).1;
    retire(guard, old);
    Some(value)
}

/// The value of a key.
pub fn get(table: &HashTable<Integers>, guard: &Guard, key: u64) -> Option<u64> {
    let (found, value) = read(guard, table.get(guard, &key)?);
    assert_eq!(found, key);
    Some(value)
}
