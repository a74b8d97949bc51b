//! An encoded object before it is stored.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::Key;
use crate::error::Error;
use crate::term::layout::MAX_WORDS;
use crate::term::object::{MAX_ARITY, ObjectPtr, equal_elements, release};
use crate::term::view::{Roots, Term};

/// The words of a tuple: its element roots, then their blocks (what `term::Buffer` holds after
/// encoding an object). A draft owns the keepers of its foreign blocks, so it is moved into the call
/// that takes them over: an insert, or [`Detached::new`]. A draft that is dropped leaks its keepers.
///
/// ```compile_fail,E0382
/// # use etsunami::{reclaim::Guard, table::{Draft, Table}};
/// fn insert_twice(table: &Table, guard: &Guard, draft: Draft<'_>) {
///     _ = table.insert(guard, draft);
///     _ = table.insert(guard, draft); // its keepers would be released twice
/// }
/// ```
///
/// Two words, so that it is handed over in registers: three would be stored one by one and copied two
/// at a time, for which the processor waits.
pub struct Draft<'a> {
    first: NonNull<u64>,
    /// The number of words, above the arity.
    sizes: u64,
    words: PhantomData<&'a [u64]>,
}

/// The bits of an arity and, above it, of a number of words.
const HALF: u32 = 32;
const _: () = assert!(MAX_WORDS < 1 << HALF && MAX_ARITY < 1 << HALF);

impl<'a> Draft<'a> {
    /// A draft of `arity` element roots and their blocks.
    ///
    /// # Safety
    /// The words are a well-formed encoding that owns the keepers of its foreign blocks, and at most
    /// [`MAX_WORDS`].
    #[inline(always)]
    pub unsafe fn new(words: &'a [u64], arity: usize) -> Draft<'a> {
        debug_assert!(words.len() >> HALF == 0 && arity >> HALF == 0);
        Draft {
            first: NonNull::from(words).cast(),
            sizes: (words.len() as u64) << HALF | arity as u64,
            words: PhantomData,
        }
    }

    /// The words of its elements and their blocks.
    #[inline(always)]
    fn as_words(&self) -> &'a [u64] {
        // SAFETY: `new` took them from such a slice, which is borrowed for 'a.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.words()) }
    }

    /// The number of elements.
    #[inline(always)]
    pub fn arity(&self) -> usize {
        self.sizes as usize & ((1 << HALF) - 1)
    }

    /// How many words its elements and their blocks have.
    #[inline(always)]
    pub fn words(&self) -> usize {
        (self.sizes >> HALF) as usize
    }

    /// An element, 0-based.
    #[inline(always)]
    pub fn element(&self, index: usize) -> Term<'a> {
        // SAFETY: a draft is a well-formed encoding (see the type).
        unsafe { Term::at(self.as_words(), index) }
    }

    /// The root words, if they are all: then the elements are immediates.
    #[inline(always)]
    pub(crate) fn flat(&self) -> Option<&'a [u64]> {
        (self.words() == self.arity()).then(|| self.as_words())
    }

    /// Its elements.
    #[inline(always)]
    pub(crate) fn elements(&self) -> Roots<'a> {
        // SAFETY: a draft is a well-formed encoding (see the type), and borrowed for 'a.
        unsafe { Roots::new(self.first.as_ptr(), self.arity()) }
    }

    /// True if the object that would be made of it is `=:=` to this one.
    ///
    /// # Safety
    /// The object lives.
    #[inline(always)]
    pub(crate) unsafe fn is_equal(&self, object: ObjectPtr) -> bool {
        // SAFETY: by contract.
        equal_elements(unsafe { object.elements() }, self.elements())
    }

    /// Gives the keepers back, if no object is to be made of the draft.
    #[inline]
    pub(crate) fn discard(self) {
        if self.flat().is_none() {
            self.elements().for_each(release);
        }
    }

    /// Makes the object; the draft is discarded if there is no memory for it.
    #[inline]
    pub(crate) fn make(self, hash: u64) -> Result<ObjectPtr, Error> {
        match self.allocate(hash) {
            Ok(object) => Ok(object),
            Err(error) => {
                self.discard();
                Err(error)
            }
        }
    }

    /// Allocates the object, which takes over the keepers; they stay the caller's if it fails.
    #[inline]
    pub(crate) fn allocate(&self, hash: u64) -> Result<ObjectPtr, Error> {
        // SAFETY: a draft is a well-formed encoding that owns its keepers (see the type).
        unsafe { ObjectPtr::new(hash, self.arity(), self.as_words()) }
            .map_err(|_| Error::SystemLimit)
    }
}

/// An object that is not stored in any table. Freed when dropped.
pub struct Detached(ObjectPtr);

impl Detached {
    /// Makes an object of a draft, to be stored under this key, if at all.
    pub fn new(draft: Draft<'_>, key: Key<'_>) -> Result<Detached, Error> {
        draft.make(key.digest).map(Detached)
    }

    /// Takes over an object that is not stored.
    pub(crate) fn of(object: ObjectPtr) -> Detached {
        Detached(object)
    }

    /// The object.
    pub(crate) fn object(&self) -> ObjectPtr {
        self.0
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        // SAFETY: never stored, so ours alone.
        unsafe { self.0.free() };
    }
}
