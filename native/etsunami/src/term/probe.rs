//! Keys as callers look them up, and keys that an engine keeps.
//!
//! A probe borrows its term: from a [`super::buffer::Buffer`], from a stored object, or from one
//! word on the stack. An [`OwnedKey`] holds a copy, for the separators of ordered engines.

use std::cmp::Ordering;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::equal::equal;
use super::hash::hash;
use super::layout;
use super::object::{SystemLimit, copy_term, release, retain};
use super::order::compare;
use super::prefix::prefix;
use super::view::Term;

/// A key of a hash table, with its hash.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// The key.
    pub term: Term<'a>,
    /// Its hash, by the table's seed.
    pub hash: u64,
}

impl<'a> Probe<'a> {
    /// A key, hashed.
    #[inline]
    pub fn new(term: Term<'a>, seed: u64) -> Probe<'a> {
        Probe { term, hash: hash(term, seed) }
    }

    /// True if the key is `=:=` another.
    #[inline]
    pub fn matches(&self, other: Term) -> bool {
        equal(self.term, other)
    }

    /// The same probe without its lifetime, for engines whose key type cannot name one.
    ///
    /// # Safety
    /// The result, and what is copied from it, is not used after `self`'s term is gone.
    #[inline(always)]
    pub unsafe fn erase(self) -> Probe<'static> {
        // SAFETY: by the caller's promise.
        Probe { term: unsafe { self.term.extend() }, hash: self.hash }
    }
}

/// A key of an ordered table, with its prefix.
#[derive(Clone, Copy, Debug)]
pub struct OrderProbe<'a> {
    /// The key.
    pub term: Term<'a>,
    /// Its order-preserving prefix.
    pub prefix: u64,
}

impl<'a> OrderProbe<'a> {
    /// A key and its prefix.
    #[inline]
    pub fn new(term: Term<'a>) -> OrderProbe<'a> {
        OrderProbe { term, prefix: prefix(term) }
    }

    /// The term order of the key and another.
    #[inline]
    pub fn compare(&self, other: Term) -> Ordering {
        compare(self.term, other)
    }

    /// As [`Probe::erase`].
    ///
    /// # Safety
    /// As for [`Probe::erase`].
    #[inline(always)]
    pub unsafe fn erase(self) -> OrderProbe<'static> {
        // SAFETY: by the caller's promise.
        OrderProbe { term: unsafe { self.term.extend() }, prefix: self.prefix }
    }
}

/// A copy of a key, with its own count of the keepers in it.
#[derive(Debug)]
pub struct OwnedKey {
    /// A box of words, held by a pointer because separators point to the same words.
    words: NonNull<[u64]>,
}

// SAFETY: the words are owned and do not change once they are made.
unsafe impl Send for OwnedKey {}
// SAFETY: shared access only reads.
unsafe impl Sync for OwnedKey {}

impl OwnedKey {
    /// A copy of the term. Panics if there is no memory for it.
    pub fn new(term: Term) -> OwnedKey {
        OwnedKey::try_new(term).expect("memory for a copy of a key")
    }

    /// A copy of the term, if there is memory for it.
    pub fn try_new(term: Term) -> Result<OwnedKey, SystemLimit> {
        let mut room = Vec::<MaybeUninit<u64>>::new();
        room.try_reserve_exact(term.words()).map_err(|_| SystemLimit)?;
        // SAFETY: there is room for them, and they need not be initialised.
        unsafe { room.set_len(term.words()) };
        let words = NonNull::from(Box::leak(room.into_boxed_slice()));
        let root: NonNull<u64> = words.cast();
        // SAFETY: the words have room for the root word and the blocks behind it.
        unsafe { copy_term(term, root, root.add(1)) };
        retain(term);
        // The copy has written them all.
        Ok(OwnedKey { words: NonNull::slice_from_raw_parts(root, words.len()) })
    }

    /// The term.
    #[inline(always)]
    pub fn term(&self) -> Term<'_> {
        // SAFETY: a well-formed copy that lives until `drop`.
        unsafe { Term::new(self.words.cast().as_ptr()) }
    }

    /// The key, with its prefix.
    pub fn probe(&self) -> OrderProbe<'_> {
        OrderProbe::new(self.term())
    }
}

impl Drop for OwnedKey {
    fn drop(&mut self) {
        release(self.term());
        // SAFETY: leaked by `new`, and nothing borrows it any more.
        drop(unsafe { Box::from_raw(self.words.as_ptr()) });
    }
}

/// The words of a copy that needs no allocation.
pub(crate) const SHORT: usize = 8;

/// A copy of a term that nothing points to while it moves, so that a short one costs no allocation.
#[derive(Debug)]
pub struct Kept {
    /// The words of a short term; its root word and its blocks refer to one another by distance.
    short: [u64; SHORT],
    long: Option<OwnedKey>,
}

impl Kept {
    /// A copy of the term.
    pub fn new(term: Term) -> Kept {
        let mut short = [layout::immediate::NIL; SHORT];
        if term.words() > SHORT {
            return Kept { short, long: Some(OwnedKey::new(term)) };
        }
        let root = NonNull::from(&mut short).cast();
        // SAFETY: there is room for the root word and the blocks behind it.
        unsafe { copy_term(term, root, root.add(1)) };
        retain(term);
        Kept { short, long: None }
    }

    /// A term whose words are here already.
    ///
    /// # Safety
    /// The first word starts a well-formed encoding whose blocks stand in the others, and there are
    /// no keepers in it.
    #[inline]
    pub(crate) unsafe fn of_words(words: [u64; SHORT]) -> Kept {
        Kept { short: words, long: None }
    }

    /// The term.
    #[inline]
    pub fn term(&self) -> Term<'_> {
        match &self.long {
            // SAFETY: `new` wrote a well-formed copy, or an immediate, which does not change.
            None => unsafe { Term::at(&self.short, 0) },
            Some(key) => key.term(),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.long.is_none() {
            release(self.term());
        }
    }
}
