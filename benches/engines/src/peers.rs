//! The other maps, each used as its documentation recommends.

use crate::keys::Key;
use crate::map::{Map, OrderedMap};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// `papaya::HashMap`. A value does not change in place: counting stores a new one.
pub struct Papaya<K: Key>(papaya::HashMap<K, u64, K::Build>);

impl<K: Key> Map<K> for Papaya<K> {
    const NAME: &'static str = "papaya";

    fn new() -> Self {
        Papaya(papaya::HashMap::with_hasher(K::Build::default()))
    }
    fn get(&self, key: &K) -> Option<u64> {
        self.0.pin().get(key).copied()
    }
    fn put(&self, key: &K, value: u64) {
        self.0.pin().insert(key.clone(), value);
    }
    fn remove(&self, key: &K) -> bool {
        self.0.pin().remove(key).is_some()
    }
    fn count(&self, key: &K) {
        self.0.pin().update(key.clone(), |value| value + 1);
    }
}

/// `scc::HashMap`, whose readers lock their bucket.
pub struct Scc<K: Key>(scc::HashMap<K, u64, K::Build>);

impl<K: Key> Map<K> for Scc<K> {
    const NAME: &'static str = "scc HashMap";

    fn new() -> Self {
        Scc(scc::HashMap::with_hasher(K::Build::default()))
    }
    fn get(&self, key: &K) -> Option<u64> {
        self.0.read_sync(key, |_, &value| value)
    }
    fn put(&self, key: &K, value: u64) {
        self.0.upsert_sync(key.clone(), value);
    }
    fn remove(&self, key: &K) -> bool {
        self.0.remove_sync(key).is_some()
    }
    fn count(&self, key: &K) {
        self.0.update_sync(key, |_, value| *value += 1);
    }
}

/// `scc::HashIndex`, whose readers take no lock. A value does not change in place.
pub struct Index<K: Key>(scc::HashIndex<K, u64, K::Build>);

impl<K: Key> Map<K> for Index<K> {
    const NAME: &'static str = "scc HashIndex";

    fn new() -> Self {
        Index(scc::HashIndex::with_hasher(K::Build::default()))
    }
    fn get(&self, key: &K) -> Option<u64> {
        self.0.peek_with(key, |_, &value| value)
    }
    fn put(&self, key: &K, value: u64) {
        match self.0.entry_sync(key.clone()) {
            scc::hash_index::Entry::Occupied(mut entry) => entry.update(value),
            scc::hash_index::Entry::Vacant(entry) => drop(entry.insert_entry(value)),
        }
    }
    fn remove(&self, key: &K) -> bool {
        self.0.remove_sync(key)
    }
    fn count(&self, key: &K) {
        if let Some(mut entry) = self.0.get_sync(key) {
            let value = *entry.get();
            entry.update(value + 1);
        }
    }
}

/// `dashmap::DashMap`, a lock for each shard, for readers too.
pub struct Dash<K: Key>(dashmap::DashMap<K, u64, K::Build>);

impl<K: Key> Map<K> for Dash<K> {
    const NAME: &'static str = "dashmap";

    fn new() -> Self {
        Dash(dashmap::DashMap::with_hasher(K::Build::default()))
    }
    fn get(&self, key: &K) -> Option<u64> {
        self.0.get(key).map(|value| *value)
    }
    fn put(&self, key: &K, value: u64) {
        self.0.insert(key.clone(), value);
    }
    fn remove(&self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }
    fn count(&self, key: &K) {
        if let Some(mut value) = self.0.get_mut(key) {
            *value += 1;
        }
    }
}

/// `crossbeam_skiplist::SkipMap`. A replacement marks the old node before it links the new one, so
/// a reader may miss the key; counting is an addition to the value that was found, whether or not
/// it is replaced meanwhile.
pub struct Skip<K: Key>(crossbeam_skiplist::SkipMap<K, AtomicU64>);

impl<K: Key> Map<K> for Skip<K> {
    const NAME: &'static str = "crossbeam-skiplist";

    fn new() -> Self {
        Skip(crossbeam_skiplist::SkipMap::new())
    }
    fn get(&self, key: &K) -> Option<u64> {
        // Relaxed, here and below: a number that leads nowhere.
        self.0.get(key).map(|entry| entry.value().load(Ordering::Relaxed))
    }
    fn put(&self, key: &K, value: u64) {
        self.0.insert(key.clone(), AtomicU64::new(value));
    }
    fn remove(&self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }
    fn count(&self, key: &K) {
        if let Some(entry) = self.0.get(key) {
            entry.value().fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<K: Key> OrderedMap<K> for Skip<K> {
    fn scan(&self, from: &K, limit: usize) -> u64 {
        let behind = self.0.range((Excluded(from), Unbounded));
        behind.take(limit).map(|entry| entry.value().load(Ordering::Relaxed)).sum()
    }
}

/// `scc::TreeIndex`. It has no replacement: a value is an atomic, and a key that is there has its
/// value stored to, which may get lost if the key is removed meanwhile.
pub struct Tree<K: Key>(scc::TreeIndex<K, std::sync::Arc<AtomicU64>>);

impl<K: Key> Map<K> for Tree<K> {
    const NAME: &'static str = "scc TreeIndex";

    fn new() -> Self {
        Tree(scc::TreeIndex::new())
    }
    fn get(&self, key: &K) -> Option<u64> {
        self.0.peek_with(key, |_, value| value.load(Ordering::Relaxed))
    }
    fn put(&self, key: &K, value: u64) {
        let there = self.0.peek_with(key, |_, old| old.store(value, Ordering::Relaxed));
        if there.is_none() {
            // Somebody who was faster has put a value of the same moment.
            let _ = self.0.insert_sync(key.clone(), AtomicU64::new(value).into());
        }
    }
    fn remove(&self, key: &K) -> bool {
        self.0.remove_sync(key)
    }
    fn count(&self, key: &K) {
        self.0.peek_with(key, |_, value| value.fetch_add(1, Ordering::Relaxed));
    }
}

impl<K: Key> OrderedMap<K> for Tree<K> {
    fn scan(&self, from: &K, limit: usize) -> u64 {
        let guard = scc::Guard::new();
        let behind = self.0.range::<K, _>((Excluded(from), Unbounded), &guard);
        behind.take(limit).map(|(_, value)| value.load(Ordering::Relaxed)).sum()
    }
}

/// `BTreeMap` behind a lock for readers and writers.
pub struct LockedBTree<K: Key>(RwLock<BTreeMap<K, u64>>);

impl<K: Key> Map<K> for LockedBTree<K> {
    const NAME: &'static str = "RwLock<BTreeMap>";

    fn new() -> Self {
        LockedBTree(RwLock::default())
    }
    fn get(&self, key: &K) -> Option<u64> {
        self.0.read().expect("no panics").get(key).copied()
    }
    fn put(&self, key: &K, value: u64) {
        self.0.write().expect("no panics").insert(key.clone(), value);
    }
    fn remove(&self, key: &K) -> bool {
        self.0.write().expect("no panics").remove(key).is_some()
    }
    fn count(&self, key: &K) {
        if let Some(value) = self.0.write().expect("no panics").get_mut(key) {
            *value += 1;
        }
    }
}

impl<K: Key> OrderedMap<K> for LockedBTree<K> {
    fn scan(&self, from: &K, limit: usize) -> u64 {
        let map = self.0.read().expect("no panics");
        map.range((Excluded(from), Unbounded)).take(limit).map(|(_, value)| value).sum()
    }
}
