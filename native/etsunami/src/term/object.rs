//! Stored tuples: one allocation each.
//!
//! ```text
//! word 0          position of the key's hash : 32 | arity : 24 | tag of the key's hash : 8
//! words 1..=arity root words of the elements
//! then            their blocks, depth first
//! ```
//!
//! So the header gives back exactly the bits of the key's hash that [`hash`](super::hash::hash)
//! keeps, and an object of immediates is one word longer than its elements. Nothing else is stored:
//! the length follows from the last element that is a block, and whether something has to be
//! released from the blocks' own [`IRREGULAR`](layout::IRREGULAR) flags.
//!
//! Each foreign block of an object owns one count of its keeper, which `free` gives back.
//!
//! # The mutable element
//!
//! An object does not change once it is shared, but for one element: the first that is not the key
//! and whose root word is an immediate, if it is among the first [`MUTABLE_WITHIN`]. Who holds the
//! key's lock may put another immediate in its place by one atomic store
//! ([`ObjectPtr::set_in_place`]). Everything else is changed in a copy.
//!
//! There is one such element, and not two, because readers take no lock and load an object's words
//! one after the other: of two changes, one after the other, they could see the later without the
//! earlier. As immediates take the place of immediates alone, it is the same element for the whole
//! life of the object, and nothing has to be stored to tell which: it follows from the position of
//! the key and the root words, whenever they are read ([`Mutable::of`]).
//!
//! So whoever loads each root word of an object once sees the object as it was at one moment, when
//! it loaded that word. Whoever looks at an object more than once, as match specifications do, has
//! to load the mutable element once and to remember it.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::equal::equal;
use super::hash::{self, hash_contents};
use super::host::host;
use super::layout::{self, Foreign, Kind, MAX_WORDS};
use super::stack::Stack;
use super::view::{Block, ForeignView, Roots, Term};
use crate::sync::weaken::{Weak, weakened, weakened_once};
use crate::sync::word;

/// The greatest arity of a tuple in the VM, and what the header has room for.
pub const MAX_ARITY: usize = (1 << 24) - 1;
const ARITY_SHIFT: u32 = 8;

/// The object is larger than [`MAX_WORDS`] or [`MAX_ARITY`], or there is no memory for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemLimit;

/// A pointer to a stored object. Copying it copies no ownership; bits 0 to 2 are 0.
///
/// Only unsafe functions make one, and their callers promise not to use it after the object was
/// freed. Tables give out [`Object`] instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(transparent)]
pub struct ObjectPtr(NonNull<u64>);

/// A stored object, borrowed: it is alive for `'a`, mostly the life of a guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Object<'a>(ObjectPtr, PhantomData<&'a [u64]>);

impl<'a> Object<'a> {
    /// The number of elements.
    #[inline(always)]
    pub fn arity(self) -> usize {
        self.0.arity()
    }

    /// The words of the whole object, its header included.
    #[inline(always)]
    pub fn words(self) -> usize {
        self.0.words()
    }

    /// The elements.
    #[inline(always)]
    pub fn elements(self) -> Roots<'a> {
        // SAFETY: alive for 'a (see the type).
        unsafe { self.0.elements() }
    }

    /// The `i`th element, from 0.
    ///
    /// # Panics
    /// If the object has not so many.
    #[inline(always)]
    pub fn element(self, i: usize) -> Term<'a> {
        self.elements().get(i)
    }

    /// The pointer to it.
    #[inline(always)]
    pub(crate) fn pointer(self) -> ObjectPtr {
        self.0
    }
}

/// Where the mutable element has to be, counted from the first: looking for it shall take no time.
pub const MUTABLE_WITHIN: usize = 8;

/// The element of an object that may be changed in place, and its word as it was loaded: see the
/// module's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mutable {
    /// The element's index, from 0.
    pub at: usize,
    /// Its word, an immediate.
    pub word: u64,
}

impl Mutable {
    /// The mutable element, if there is one, of an object that has these elements; `key` is the
    /// index of its key.
    #[inline(always)]
    pub fn of(elements: Roots, key: usize) -> Option<Mutable> {
        // It mostly is the first that it may be.
        let at = usize::from(key == 0);
        if at < elements.len() {
            let word = elements.get(at).root();
            if layout::is_immediate(word) {
                return Some(Mutable { at, word });
            }
        }
        Mutable::behind(elements, key, at + 1)
    }

    /// The first immediate beside the key from an index on, as far as it may be mutable.
    #[inline]
    fn behind(elements: Roots, key: usize, from: usize) -> Option<Mutable> {
        (from..elements.len().min(MUTABLE_WITHIN))
            .filter(|&at| at != key)
            .map(|at| Mutable { at, word: elements.get(at).root() })
            .find(|element| layout::is_immediate(element.word))
    }
}

/// What [`ObjectPtr::clone_with`] puts in place of an element.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// The element's index, from 0.
    pub at: usize,
    /// The new element; blocks are copied, keepers retained.
    pub term: Term<'a>,
}

/// Header and layout of an allocation.
fn allocate(hash: u64, arity: usize, words: usize) -> Result<NonNull<u64>, SystemLimit> {
    if arity > MAX_ARITY || words > MAX_WORDS {
        return Err(SystemLimit);
    }
    let layout = Layout::array::<u64>(1 + words).map_err(|_| SystemLimit)?;
    // SAFETY: the layout is not empty: it has the header.
    let first = NonNull::new(unsafe { std::alloc::alloc(layout) }).ok_or(SystemLimit)?.cast();
    // SAFETY: freshly allocated, aligned, at least one word.
    unsafe { first.write(hash & hash::MASK | (arity as u64) << ARITY_SHIFT) };
    Ok(first)
}

impl ObjectPtr {
    /// A new object of a key's hash and its elements: `words` are `arity` root words and their
    /// blocks, as a [`super::buffer::Buffer`] holds them when it began with `reserve(arity)`.
    /// The object takes over the keepers in `words`, unless it fails.
    ///
    /// # Safety
    /// `words` is a well-formed encoding of `arity` elements, and its keepers are owned. The result
    /// is not used after [`ObjectPtr::free`].
    pub unsafe fn new(hash: u64, arity: usize, words: &[u64]) -> Result<ObjectPtr, SystemLimit> {
        let first = allocate(hash, arity, words.len())?;
        // SAFETY: the allocation has room for the header and `words`, and is new.
        unsafe { first.add(1).copy_from_nonoverlapping(NonNull::from(words).cast(), words.len()) };
        Ok(ObjectPtr(first))
    }

    /// The object at an address that [`ObjectPtr::addr`] gave.
    ///
    /// # Safety
    /// The object lives as long as the result is used.
    #[inline(always)]
    pub unsafe fn from_addr(addr: usize) -> ObjectPtr {
        // SAFETY: an object's address is not null.
        ObjectPtr(unsafe { NonNull::new_unchecked(std::ptr::with_exposed_provenance_mut(addr)) })
    }

    /// The object's address: aligned to 8.
    #[inline(always)]
    pub fn addr(self) -> usize {
        self.0.as_ptr().expose_provenance()
    }

    /// The object, for as long as the caller knows it to live.
    ///
    /// # Safety
    /// The object lives for `'a`.
    #[inline(always)]
    pub unsafe fn borrow<'a>(self) -> Object<'a> {
        Object(self, PhantomData)
    }

    #[inline(always)]
    fn header(self) -> u64 {
        // SAFETY: the object lives (see the type), its header never changes.
        unsafe { self.0.read() }
    }

    /// The number of elements.
    #[inline(always)]
    pub fn arity(self) -> usize {
        (self.header() >> ARITY_SHIFT) as usize & MAX_ARITY
    }

    /// The key's hash, as given to `new` and reduced to [`hash::MASK`].
    #[inline(always)]
    pub fn hash(self) -> u64 {
        self.header() & hash::MASK
    }

    /// The elements, for as long as the caller knows the object to live.
    ///
    /// # Safety
    /// The object lives for `'a`.
    #[inline(always)]
    pub unsafe fn elements<'a>(self) -> Roots<'a> {
        // SAFETY: `arity` root words follow the header; alive for 'a by the caller's promise.
        unsafe { Roots::new(self.0.as_ptr().add(1), self.arity()) }
    }

    /// The `i`th element, from 0.
    ///
    /// # Safety
    /// The object lives for `'a`.
    ///
    /// # Panics
    /// If the object has not so many.
    #[inline(always)]
    pub unsafe fn element<'a>(self, i: usize) -> Term<'a> {
        // SAFETY: by the caller's promise.
        unsafe { self.elements() }.get(i)
    }

    /// The words of root words and blocks, without the header.
    #[inline(always)]
    fn body_words(self) -> usize {
        let arity = self.arity();
        // SAFETY: the object lives (see the type); the pointer stays among its root words.
        unsafe {
            let mut next = self.0.add(1 + arity);
            for _ in 0..arity {
                next = next.sub(1);
                let root = word::load(next.as_ptr());
                if !layout::is_immediate(root) {
                    let at = next.offset_from(self.0) as usize - 1;
                    return at + layout::distance(root) + self.element(at).block_words().len();
                }
            }
        }
        arity
    }

    /// The words of the whole object, its header included.
    pub fn words(self) -> usize {
        1 + self.body_words()
    }

    /// Puts a word in place of element `at`, if that is the mutable element of an object whose key
    /// is element `key` (see the module's documentation), and the word an immediate: one atomic
    /// store, which is the linearization point. Otherwise nothing is done, and this is false.
    ///
    /// # Safety
    /// The object lives, no other writer is at work on it, and `key` is the index of its key,
    /// whoever calls this.
    #[inline(always)]
    pub unsafe fn set_in_place(self, key: usize, at: usize, word: u64) -> bool {
        // SAFETY: the object lives by the caller's promise.
        let elements = unsafe { self.elements() };
        let mutable = Mutable::of(elements, key).is_some_and(|element| element.at == at);
        if mutable && layout::is_immediate(word) {
            // SAFETY: a root word of a live object; readers load root words atomically, and find
            // an immediate in place of an immediate.
            unsafe { word::store(elements.get(at).as_ptr().cast_mut(), word) };
            return true;
        }
        false
    }

    /// A new object with the same hash and elements but for some replacements, whose indices
    /// ascend. It retains every keeper that it copies, from this object and from replacements.
    ///
    /// # Safety
    /// The object lives, and does not change during the call.
    ///
    /// # Panics
    /// If the object has not so many elements.
    #[inline]
    pub unsafe fn clone_with<'a, C>(self, changes: C) -> Result<ObjectPtr, SystemLimit>
    where
        C: IntoIterator<Item = Replacement<'a>, IntoIter: Clone>,
    {
        let changes = changes.into_iter();
        let fits = |change: Replacement<'a>| {
            // SAFETY: the object lives by the caller's promise.
            let old = unsafe { self.element(change.at) };
            old.block_words().len() == change.term.block_words().len()
        };
        // SAFETY: by the caller's promise.
        unsafe {
            if changes.clone().all(fits) { self.overlay(changes) } else { self.merge(changes) }
        }
    }

    /// [`ObjectPtr::clone_with`] immediates in place of immediates: pairs of an index and a word.
    ///
    /// # Safety
    /// As for `clone_with`; the elements and the words are immediates.
    ///
    /// # Panics
    /// If the object has not so many elements.
    #[inline(always)]
    pub unsafe fn clone_with_words(
        self,
        changes: impl Iterator<Item = (usize, u64)>,
    ) -> Result<ObjectPtr, SystemLimit> {
        let (arity, words) = (self.arity(), self.body_words());
        let first = allocate(self.hash(), arity, words)?;
        // SAFETY: both objects have so many words behind their headers, and one of them is new. It
        // is as well-formed as this one, because immediates refer to nothing.
        unsafe {
            copy_words(self.0.add(1), first.add(1), words);
            for (at, word) in changes {
                assert!(at < arity, "element {at} of {arity}");
                first.add(1 + at).write(word);
            }
            // Without blocks there are no keepers.
            if words > arity {
                ObjectPtr(first).elements().for_each(retain);
            }
        }
        Ok(ObjectPtr(first))
    }

    /// [`ObjectPtr::clone_with`] where each replacement has as many words as what it replaces: the
    /// object is copied as a whole, and each replacement written over its place in the copy.
    unsafe fn overlay<'a>(
        self,
        changes: impl Iterator<Item = Replacement<'a>>,
    ) -> Result<ObjectPtr, SystemLimit> {
        let (arity, words) = (self.arity(), self.body_words());
        let first = allocate(self.hash(), arity, words)?;
        // SAFETY: both objects have so many words behind their headers, and one of them is new.
        // Distances stay as they are, and where an old block stood there is room for the new one.
        unsafe {
            copy_words(self.0.add(1), first.add(1), words);
            for change in changes {
                let distance = match self.element(change.at).root() {
                    root if layout::is_immediate(root) => 0,
                    root => layout::distance(root),
                };
                let root = first.add(1 + change.at);
                copy_term(change.term, root, root.add(distance));
            }
            // Without blocks there are no keepers.
            if words > arity {
                ObjectPtr(first).elements().for_each(retain);
            }
        }
        Ok(ObjectPtr(first))
    }

    /// [`ObjectPtr::clone_with`], element by element.
    unsafe fn merge<'a>(
        self,
        changes: impl Iterator<Item = Replacement<'a>> + Clone,
    ) -> Result<ObjectPtr, SystemLimit> {
        // SAFETY: the object lives by the caller's promise.
        let old = unsafe { self.elements() };
        let words = merged(old, changes.clone())
            .try_fold(0usize, |sum, term| sum.checked_add(term.words()));
        let first = allocate(self.hash(), old.len(), words.ok_or(SystemLimit)?)?;
        let mut block = 1 + old.len();
        for (i, term) in merged(old, changes).enumerate() {
            // SAFETY: the sum of all terms' words was allocated behind the header.
            block += unsafe { copy_term(term, first.add(1 + i), first.add(block)) };
            retain(term);
        }
        Ok(ObjectPtr(first))
    }

    /// The bytes that freeing the object may give back: its own, and what it holds in the VM.
    ///
    /// # Safety
    /// The object lives.
    #[inline]
    pub unsafe fn footprint(self) -> usize {
        let words = self.words();
        // Without blocks nothing is held.
        let mut bytes = 8 * words;
        if words > 1 + self.arity() {
            // SAFETY: alive by the caller's promise.
            for element in unsafe { self.elements() } {
                if may_have_keepers(element) {
                    bytes += held_bytes(element);
                }
            }
        }
        bytes
    }

    /// Frees the object and releases its keepers.
    ///
    /// # Safety
    /// Nobody uses the object any more, and it is freed once.
    pub unsafe fn free(self) {
        if weakened_once(Weak::LeakOneObject) {
            return;
        }
        let words = self.words();
        // Without blocks there are no keepers.
        if words > 1 + self.arity() {
            // SAFETY: the object still lives.
            for element in unsafe { self.elements() } {
                release(element);
            }
        }
        // SAFETY: allocated by `allocate` with this layout, which succeeded then.
        unsafe {
            let layout = Layout::array::<u64>(words).unwrap_unchecked();
            std::alloc::dealloc(self.0.as_ptr().cast(), layout);
        }
        if weakened(Weak::UseAfterFree) {
            // SAFETY: none, on purpose: the object has just been freed.
            _ = unsafe { self.0.as_ptr().read_volatile() };
        }
    }

    /// [`ObjectPtr::free`] in the shape that reclamation wants: `raw` is an object's address.
    ///
    /// # Safety
    /// As for `free`.
    pub unsafe fn free_raw(raw: *mut u8) {
        // SAFETY: by the caller's promise.
        unsafe { ObjectPtr::from_addr(raw.expose_provenance()).free() };
    }
}

/// Copies words: a few of them without a call.
///
/// # Safety
/// `from` is readable and `to` writable for so many words, which do not overlap.
#[inline(always)]
unsafe fn copy_words(from: NonNull<u64>, to: NonNull<u64>, count: usize) {
    const SHORT: usize = 16;
    // SAFETY: by contract.
    unsafe {
        if count > SHORT {
            to.copy_from_nonoverlapping(from, count);
        } else {
            for i in 0..count {
                to.add(i).write(from.add(i).read());
            }
        }
    }
}

/// The elements with the replacements in their places.
fn merged<'a>(
    old: Roots<'a>,
    changes: impl Iterator<Item = Replacement<'a>>,
) -> impl Iterator<Item = Term<'a>> {
    let mut changes = changes.peekable();
    old.enumerate().map(move |(i, term)| {
        changes.next_if(|change| change.at == i).map_or(term, |change| change.term)
    })
}

/// Writes a term's root word to `root` and its blocks to `block`; gives the blocks' length.
///
/// # Safety
/// `root` and the words from `block` on, as many as the term's blocks have, are writable and not
/// part of the term; `block` is behind `root` in the same allocation.
pub(super) unsafe fn copy_term(term: Term, root: NonNull<u64>, block: NonNull<u64>) -> usize {
    let old = term.root();
    if layout::is_immediate(old) {
        // SAFETY: writable by the caller's promise.
        unsafe { root.write(old) };
        return 0;
    }
    let words = term.block(old).words();
    // SAFETY: both by the caller's promise.
    unsafe {
        root.write(layout::block_ref(Kind::of(old), block.offset_from(root) as usize));
        block.copy_from_nonoverlapping(NonNull::from(words).cast(), words.len());
    }
    words.len()
}

/// Calls `visit` with every foreign block that has a keeper in a term that [`may_have_keepers`].
#[inline(never)]
fn each_keeper(term: Term, visit: &mut dyn FnMut(ForeignView)) {
    let root = term.root();
    let mut runs: Stack<Roots, 12> = Stack::new();
    keepers_of(term.block(root), visit, &mut runs);
    while let Some(mut run) = runs.pop() {
        while let Some(term) = run.next() {
            let root = term.root();
            if !layout::is_immediate(root) && term.block(root).is_irregular() {
                if run.len() > 0 {
                    runs.push(run);
                }
                keepers_of(term.block(root), visit, &mut runs);
                break;
            }
        }
    }
}

/// The block's own keeper, or its elements onto the stack.
fn keepers_of<'a>(
    block: Block<'a>,
    visit: &mut dyn FnMut(ForeignView),
    runs: &mut Stack<Roots<'a>, 12>,
) {
    let count = layout::count(block.head());
    match block.kind {
        Kind::Tuple => runs.push(block.roots(0, count)),
        Kind::List => runs.push(block.roots(0, count + 1)),
        Kind::Map => runs.push(block.roots(0, 2 * count)),
        Kind::Shaped => runs.push(block.map().values()),
        Kind::Foreign if block.foreign().keeper != 0 => visit(block.foreign()),
        _ => (),
    }
}

/// About what a fun or an unknown term takes in an environment that it shares with others.
const FOREIGN_BYTES: usize = 384;

/// The bytes that a term holds in the VM: a binary all of its own, other terms a share of their
/// environment.
#[cold]
fn held_bytes(term: Term) -> usize {
    let mut bytes = 0;
    each_keeper(term, &mut |foreign| {
        bytes += match foreign.what {
            Foreign::Binary => foreign.hash as usize,
            _ => FOREIGN_BYTES,
        };
    });
    bytes
}

/// Counts one more holder for each keeper in the term.
#[inline]
pub fn retain(term: Term) {
    if may_have_keepers(term) {
        each_keeper(term, &mut |foreign| (host().foreign_retain)(foreign.keeper));
    }
}

/// False if a term certainly has no keepers.
#[inline(always)]
fn may_have_keepers(term: Term) -> bool {
    let root = term.root();
    !layout::is_immediate(root) && term.block(root).is_irregular()
}

/// Counts one holder less for each keeper in the term: for encodings that own their keepers and are
/// thrown away without becoming an object.
#[inline]
pub fn release(term: Term) {
    if may_have_keepers(term) {
        each_keeper(term, &mut |foreign| (host().foreign_release)(foreign.keeper));
    }
}

/// True if two objects are `=:=`.
///
/// # Safety
/// Both live.
pub unsafe fn equal_objects(a: ObjectPtr, b: ObjectPtr) -> bool {
    // SAFETY: both live by the caller's promise.
    unsafe { equal_elements(a.elements(), b.elements()) }
}

/// True if objects of these elements are `=:=`.
#[inline]
pub fn equal_elements(a: Roots, b: Roots) -> bool {
    a.len() == b.len() && a.zip(b).all(|(a, b)| equal(a, b))
}

/// The hash of a whole object, all 64 bits, coherent with [`equal_objects`].
///
/// # Safety
/// The object lives.
pub unsafe fn hash_object(object: ObjectPtr, seed: u64) -> u64 {
    // SAFETY: the object lives by the caller's promise.
    hash_elements(unsafe { object.elements() }, seed)
}

/// [`hash_object`] of an object of these elements.
pub fn hash_elements(elements: Roots, seed: u64) -> u64 {
    elements.fold(elements.len() as u64, |state, term| {
        hash::mix(state ^ hash_contents(term, seed), seed)
    })
}
