//! How the engines read keys out of slot words.
//!
//! A slot word of a table is one of
//!
//! - an object pointer (tag bits 0): the one object of its key;
//! - a group of a bag ([`GROUP`]): several objects of one key, see [`crate::engine::group`];
//! - a ghost ([`GHOST`]): a pair of the fixation's stamp and the key of an object that was deleted
//!   while the table was fixed. Readers see no object; `next` finds its place;
//! - a version node of a list insert ([`Word::VERSION`]), see [`crate::engine::batch`].

use std::cmp::Ordering;

use crate::engine::{HashSchema, OrderSchema, Word, batch};
use crate::term::equal::equal;
use crate::term::layout;
use crate::term::object::ObjectPtr;
use crate::term::order::{compare, compare_exact};
use crate::term::prefix::prefix;
use crate::term::probe::OwnedKey;
use crate::term::stem::Stem;
use crate::term::view::Term;

use super::groups::{self, Owned};

/// Tag of a group of bag objects.
pub(crate) const GROUP: usize = 0b010;
/// Tag of the key of a deleted object.
pub(crate) const GHOST: usize = 0b100;

/// A key as a caller looks it up: the term and its digest, which is the seeded hash in hash
/// tables and the order-preserving prefix in ordered ones.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub(crate) term: Term<'a>,
    pub(crate) digest: u64,
}

impl<'a> Key<'a> {
    /// The engines' key type has no lifetime parameter.
    ///
    /// # Safety
    /// The result must not be used after `'a`.
    pub(crate) unsafe fn erase(self) -> Key<'static> {
        // SAFETY: only the lifetime changes; the caller keeps the result within it.
        unsafe { std::mem::transmute::<Key<'a>, Key<'static>>(self) }
    }
}

/// What a resolved slot word holds.
#[derive(Clone, Copy)]
pub(crate) enum Held {
    /// Nothing, or a ghost.
    Absent,
    /// One object.
    Object(ObjectPtr),
    /// Several objects of a bag.
    Group(Word),
}

/// Reads a resolved word (no version node).
#[inline(always)]
pub(crate) fn held(word: Word) -> Held {
    if word.0 & (GROUP | GHOST) == 0 {
        if word.is_empty() { Held::Absent } else { Held::Object(object(word)) }
    } else if word.0 & GROUP != 0 {
        Held::Group(word)
    } else {
        Held::Absent
    }
}

/// True if readers see an object behind this raw slot word.
#[inline(always)]
pub(crate) fn is_visible(word: Word) -> bool {
    // SAFETY: engines ask about words that they loaded under the caller's guard.
    let word = unsafe { batch::resolve(word) };
    !word.is_empty() && word.0 & GHOST == 0
}

/// True for a ghost.
#[inline(always)]
pub(crate) fn is_ghost(word: Word) -> bool {
    !word.is_version() && word.0 & GHOST != 0
}

/// The stamp of a ghost's fixation.
///
/// # Safety
/// The ghost must have been loaded under a guard, or its slot's lock, that the caller still holds.
pub(crate) unsafe fn ghost_stamp(ghost: Word) -> u64 {
    // SAFETY: the ghost lives by the caller's promise; it has two elements.
    unsafe { object(ghost).element(0) }.root()
}

/// The object of a bare or ghost word.
#[inline(always)]
pub(crate) fn object(word: Word) -> ObjectPtr {
    // SAFETY: the tables store nothing but object pointers in words with these tags.
    unsafe { ObjectPtr::from_addr(word.0 & !GHOST) }
}

/// The slot word of an object.
#[inline(always)]
pub(crate) fn word_of(object: ObjectPtr) -> Word {
    Word(object.addr())
}

/// The schema of both kinds of engine.
pub(crate) struct Keys {
    pub(crate) keypos: usize,
    pub(crate) owned: Owned,
}

impl Keys {
    /// The object whose key stands for the slot, and the index of its key element.
    #[inline(always)]
    fn key_object(&self, word: Word) -> (ObjectPtr, usize) {
        if word.0 & (GROUP | GHOST | Word::VERSION) == 0 {
            return (object(word), self.keypos - 1);
        }
        // SAFETY: engines pass words that they loaded under the caller's guard or lock.
        let word = unsafe { batch::key_word(word) };
        if word.0 & GROUP != 0 {
            (groups::first(word), self.keypos - 1)
        } else if word.0 & GHOST != 0 {
            (object(word), 1)
        } else {
            (object(word), self.keypos - 1)
        }
    }

    /// The key of a slot word.
    ///
    /// # Safety
    /// The word was loaded under a guard that is still live for `'a`.
    #[inline(always)]
    pub(crate) unsafe fn key_of<'a>(&self, word: Word) -> Term<'a> {
        let (object, index) = self.key_object(word);
        // SAFETY: every stored object has its key element; the caller's guard keeps it.
        unsafe { object.element(index) }
    }
}

// SAFETY: keys never change while stored (only immediates of other elements are changed in
// place); hash, equality and order come from `term`, where they are coherent.
unsafe impl HashSchema for Keys {
    type Key = Key<'static>;

    #[inline(always)]
    fn hash(&self, key: &Key<'static>) -> u64 {
        key.digest
    }

    #[inline(always)]
    unsafe fn hash_of(&self, word: Word) -> u64 {
        self.key_object(word).0.hash()
    }

    #[inline(always)]
    unsafe fn matches(&self, key: &Key<'static>, word: Word) -> bool {
        // SAFETY: the caller's guard is live.
        equal(key.term, unsafe { self.key_of(word) })
    }

    unsafe fn tie(&self, key: &Key<'static>, word: Word) -> Ordering {
        // SAFETY: the caller's guard is live.
        compare_exact(key.term, unsafe { self.key_of(word) })
    }

    unsafe fn tie_words(&self, a: Word, b: Word) -> Ordering {
        // SAFETY: the caller's guard is live.
        unsafe { compare_exact(self.key_of(a), self.key_of(b)) }
    }

    unsafe fn release(&self, word: Word) {
        // SAFETY: nobody else can reach the word.
        unsafe { self.owned.release(word) }
    }
}

/// A key that an ordered engine keeps, beyond the object it was copied from.
pub(crate) struct Separator {
    key: Key<'static>,
    /// What `key` points into: its words do not move.
    _owner: OwnedKey,
}

// SAFETY: the words behind `key` belong to the separator and never change.
unsafe impl Send for Separator {}
// SAFETY: as above.
unsafe impl Sync for Separator {}

// SAFETY: keys never change while stored; prefix and order come from `term`, where they are
// coherent.
unsafe impl OrderSchema for Keys {
    type Key = Key<'static>;

    #[inline(always)]
    fn prefix(&self, key: &Key<'static>) -> u64 {
        key.digest
    }

    #[inline(always)]
    unsafe fn prefix_of(&self, word: Word) -> u64 {
        // SAFETY: the caller's guard is live.
        prefix(unsafe { self.key_of(word) })
    }

    type Stem = Stem;

    fn stem(&self, low: &Key<'static>, high: &Key<'static>) -> Option<Stem> {
        Stem::between(low.term, high.term)
    }

    #[inline]
    fn compare_stem(&self, key: &Key<'static>, with: &Key<'static>, stem: Stem) -> Ordering {
        stem.compare(key.term, with.term)
    }

    #[inline(always)]
    fn prefix_behind(&self, key: &Key<'static>, stem: Stem) -> u64 {
        stem.prefix_behind(key.term)
    }

    unsafe fn prefix_of_behind(&self, word: Word, stem: Stem) -> u64 {
        // SAFETY: the caller's guard is live.
        stem.prefix_behind(unsafe { self.key_of(word) })
    }

    #[inline(always)]
    unsafe fn compare(&self, key: &Key<'static>, word: Word) -> Ordering {
        // SAFETY: the caller's guard is live.
        let stored = unsafe { self.key_of(word) };
        let root = key.term.root();
        if root == stored.root() && layout::is_immediate(root) {
            return Ordering::Equal;
        }
        compare(key.term, stored)
    }

    unsafe fn compare_words(&self, a: Word, b: Word) -> Ordering {
        // SAFETY: the caller's guard is live.
        unsafe { compare(self.key_of(a), self.key_of(b)) }
    }

    fn compare_keys(&self, a: &Key<'static>, b: &Key<'static>) -> Ordering {
        compare(a.term, b.term)
    }

    type Separator = Separator;

    unsafe fn separator(&self, word: Word) -> Separator {
        // SAFETY: the caller's guard is live.
        let owner = OwnedKey::new(unsafe { self.key_of(word) });
        let key = Key { term: owner.term(), digest: owner.probe().prefix };
        // SAFETY: the separator keeps the words for as long as it lends the key.
        Separator { key: unsafe { key.erase() }, _owner: owner }
    }

    fn separator_key<'a>(&self, separator: &'a Separator) -> &'a Key<'static> {
        &separator.key
    }

    unsafe fn release(&self, word: Word) {
        // SAFETY: nobody else can reach the word.
        unsafe { self.owned.release(word) }
    }
}
