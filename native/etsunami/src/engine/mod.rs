//! Concurrent maps, generic over what they store.
//!
//! An engine maps keys to one [`Word`] each: a tagged pointer that the layer above owns and
//! interprets. The engine never looks into a word itself; it asks its schema
//! ([`HashSchema`] or [`OrderSchema`]) for the key that stands behind it.
//!
//! # The contract
//!
//! | operation | atomicity | linearization point |
//! | --- | --- | --- |
//! | `get` | one key | the load of the slot's word (or the instant its absence was proved) |
//! | `update` | one key; reads, decides and stores under the key's bucket or leaf lock | the store of the new word |
//! | `next`, `prev`, `first`, `last` | the key that is returned was there during the call | the load of its slot |
//! | `scan` | each word by itself; positions strictly increase | each word's load |
//!
//! Readers take no lock and write nothing. `update` is the only writer: insert, replace, remove,
//! compare-and-set and read-modify-write are all closures given to it. Words that a closure
//! replaces or removes are retired by the caller (see [`crate::reclaim`]), after `update` returned.

pub mod ca_tree;
pub mod group;
pub mod hash;
pub mod skip_list;

use std::cmp::Ordering;

pub mod batch;

#[cfg(test)]
mod ordered_tests;

/// What an engine stores for a key: a tagged pointer, never zero while stored.
///
/// Bit 0 belongs to the atomic batches (a pointer to a version node, see `engine::batch`);
/// bits 1 and 2 belong to the layer above.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(transparent)]
pub struct Word(pub usize);

impl Word {
    /// No word: the slot is free, the key is absent.
    pub const EMPTY: Word = Word(0);
    /// The tag of a version node.
    pub const VERSION: usize = 0b001;

    /// True for [`Word::EMPTY`].
    #[inline(always)]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if the word points to a version node of a batch.
    #[inline(always)]
    pub fn is_version(self) -> bool {
        self.0 & Word::VERSION != 0
    }
}

/// Which way an ordered cursor moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// To greater keys.
    Ascending,
    /// To smaller keys.
    Descending,
}

/// What an `update` closure wants done to the slot of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Leave the slot as it is.
    Keep,
    /// Store this word (not [`Word::EMPTY`]); inserts the key if it was absent.
    Put(Word),
    /// Remove the key; nothing happens if it was absent.
    Remove,
}

/// Where an update has left its key: a hint for an exchange under the same guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The address of a bucket or leaf; 0: no hint.
    pub(crate) node: usize,
    /// The number of a slot there.
    pub(crate) slot: usize,
}

impl Spot {
    /// No hint.
    pub const NONE: Spot = Spot { node: 0, slot: 0 };
}

/// How an update changes the table's counters. The engine adds it inside the lock: a delta that
/// shrinks the count before the store, one that grows it after the store, so that the count never
/// runs ahead of what is visible.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    /// Objects added (negative: removed).
    pub objects: i64,
    /// Memory words added (negative: removed).
    pub words: i64,
}

impl Delta {
    /// No change.
    pub const ZERO: Delta = Delta { objects: 0, words: 0 };
}

/// How a hash engine reads keys out of words.
///
/// # Safety
///
/// `key`-reading methods get words that were loaded under a live guard, so what they point to has
/// not been freed. Implementations must be pure: the same key gives the same answers for the
/// engine's whole life, and `matches`, `compare` and `position` agree with each other.
pub unsafe trait HashSchema: Send + Sync + 'static {
    /// A key as a caller looks it up.
    type Key: ?Sized;

    /// The seeded 64-bit hash of a key. The upper half is its position (directory, bucket,
    /// cursor), the low byte its tag.
    fn hash(&self, key: &Self::Key) -> u64;

    /// The position (upper half of the hash) and the tag's hash bits of a stored word's key:
    /// exactly `hash(key)`. Called when a bucket splits or merges.
    ///
    /// # Safety
    /// `word` was loaded from a slot under a guard that is still live.
    unsafe fn hash_of(&self, word: Word) -> u64;

    /// Is this word's key the given one?
    ///
    /// # Safety
    /// As for [`HashSchema::hash_of`].
    unsafe fn matches(&self, key: &Self::Key, word: Word) -> bool;

    /// A total order of keys with equal positions, coherent with `matches`. Any order will do.
    ///
    /// # Safety
    /// As for [`HashSchema::hash_of`].
    unsafe fn tie(&self, key: &Self::Key, word: Word) -> Ordering;

    /// `tie` between the keys of two stored words.
    ///
    /// # Safety
    /// As for [`HashSchema::hash_of`].
    unsafe fn tie_words(&self, a: Word, b: Word) -> Ordering;

    /// Frees what a stored word owns. Called once for each word that is still in the engine when
    /// the engine is dropped.
    ///
    /// # Safety
    /// Nobody else can reach the word any more.
    unsafe fn release(&self, word: Word);
}

/// How an ordered engine reads keys out of words. The safety rules of [`HashSchema`] apply.
///
/// # Safety
///
/// As for [`HashSchema`]; `prefix` must be monotone: `a < b` implies `prefix(a) <= prefix(b)`, and
/// keys that compare equal have equal prefixes.
pub unsafe trait OrderSchema: Send + Sync + 'static {
    /// A key as a caller looks it up.
    type Key: ?Sized;

    /// An order-preserving 64-bit prefix of the key.
    fn prefix(&self, key: &Self::Key) -> u64;

    /// `prefix` of a stored word's key.
    ///
    /// # Safety
    /// `word` was loaded from a slot under a guard that is still live.
    unsafe fn prefix_of(&self, word: Word) -> u64;

    /// What the keys of an interval have in common.
    type Stem: Copy + PartialEq + Send + Sync + 'static;

    /// What all keys from `low` to `high`, both included, have in common, if a prefix of the rest
    /// tells more about them than `prefix` does.
    fn stem(&self, low: &Self::Key, high: &Self::Key) -> Option<Self::Stem>;

    /// The order of the key and of `with`, as far as the stem decides it; `with` has the stem.
    /// `Equal` if the key has it too.
    fn compare_stem(&self, key: &Self::Key, with: &Self::Key, stem: Self::Stem) -> Ordering;

    /// As [`OrderSchema::prefix`], of what follows the stem, which the key has. Monotone among
    /// keys that have it.
    fn prefix_behind(&self, key: &Self::Key, stem: Self::Stem) -> u64;

    /// `prefix_behind` of a stored word's key.
    ///
    /// # Safety
    /// As for [`OrderSchema::prefix_of`].
    unsafe fn prefix_of_behind(&self, word: Word, stem: Self::Stem) -> u64;

    /// Compares the given key with the word's key. Called only when the prefixes are equal.
    ///
    /// # Safety
    /// As for [`OrderSchema::prefix_of`].
    unsafe fn compare(&self, key: &Self::Key, word: Word) -> Ordering;

    /// `compare` between the keys of two stored words.
    ///
    /// # Safety
    /// As for [`OrderSchema::prefix_of`].
    unsafe fn compare_words(&self, a: Word, b: Word) -> Ordering;

    /// `compare` between two keys. Called only when the prefixes are equal.
    fn compare_keys(&self, a: &Self::Key, b: &Self::Key) -> Ordering;

    /// An owned separator for routing nodes and fences. It outlives the word it was made from.
    type Separator: Send + Sync + 'static;

    /// A copy of the word's key that the engine can keep.
    ///
    /// # Safety
    /// As for [`OrderSchema::prefix_of`].
    unsafe fn separator(&self, word: Word) -> Self::Separator;

    /// Borrows a separator as a key.
    fn separator_key<'a>(&self, separator: &'a Self::Separator) -> &'a Self::Key;

    /// Frees what a stored word owns, once, when the engine is dropped.
    ///
    /// # Safety
    /// Nobody else can reach the word any more.
    unsafe fn release(&self, word: Word);
}
