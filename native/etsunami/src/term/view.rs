//! How an encoded term is read: a copyable pointer to its root word, and views of what is behind.
//!
//! A [`Term`] points into a stored object, a [`super::buffer::Buffer`] or a word on the stack. Root
//! words are loaded by relaxed atomic loads, because a root word at the top level of a stored
//! object may be changed in place (an immediate over an immediate: counters). Blocks never change
//! while they can be reached, so they are read as plain slices.

use std::marker::PhantomData;

use super::layout::{self, Foreign, IRREGULAR, Kind, NEGATIVE, SORTED, immediate};
use super::shape::Shape;
use crate::sync::word;

/// The tag of the VM's pointers to terms in memory that are no list cells.
const BOXED: u64 = 0b10;

/// A term: a pointer to its root word. The blocks stand behind it, at the distance it tells.
#[derive(Clone, Copy)]
pub struct Term<'a> {
    root: *const u64,
    _life: PhantomData<&'a u64>,
}

/// What a term is, and its parts.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// An integer of at most 60 bits.
    Small(i64),
    /// An atom, by its word.
    Atom(u64),
    /// A pid of this node, by its word.
    Pid(u64),
    /// A port of this node, by its word.
    Port(u64),
    /// The empty list.
    Nil,
    /// A tuple's elements.
    Tuple(Roots<'a>),
    /// A non-empty list.
    List {
        /// The elements, at least one.
        elements: Roots<'a>,
        /// `[]` if the list is proper; never a non-empty list.
        tail: Term<'a>,
    },
    /// A map.
    Map(Map<'a>),
    /// A float.
    Float(f64),
    /// An integer of more than 60 bits.
    Integer {
        /// The sign.
        negative: bool,
        /// The magnitude, least significant limb first, top limb not 0.
        limbs: &'a [u64],
    },
    /// A binary or bit string that stands in the encoding.
    Bits {
        /// The length in bits.
        bits: usize,
        /// The bytes; unused bits of the last one are 0.
        bytes: &'a [u8],
    },
    /// A term that lives in an environment of the VM.
    Foreign(ForeignView),
    /// A pid or port of another node: its external term format.
    External(&'a [u8]),
}

/// The words of a foreign block.
#[derive(Clone, Copy, Debug)]
pub struct ForeignView {
    /// The subkind; a local reference is shown as a reference.
    pub what: Foreign,
    /// The VM's hash of the term, the length in bytes of a binary.
    pub hash: u64,
    /// What the VM knows the term by.
    pub word: u64,
    /// What keeps it alive, 0 in a probe.
    pub keeper: u64,
}

impl<'a> Term<'a> {
    /// The term whose root word is at `root`.
    ///
    /// # Safety
    /// `root` is aligned and starts a well-formed encoding (see [`layout`]) that lives for `'a` in
    /// one allocation of which `root` may read the whole. During `'a` only root words at the top
    /// level of an object change, from immediate to immediate, through [`word::store`].
    #[inline(always)]
    pub unsafe fn new(root: *const u64) -> Term<'a> {
        Term { root, _life: PhantomData }
    }

    /// The term whose root word is `words[at]`.
    ///
    /// # Safety
    /// `words[at]` starts a well-formed encoding whose blocks stand in `words`.
    #[inline(always)]
    pub unsafe fn at(words: &'a [u64], at: usize) -> Term<'a> {
        assert!(at < words.len(), "root word {at} of {}", words.len());
        // SAFETY: well-formed by the caller's promise; borrowed for 'a, so nobody writes. The
        // pointer comes from the whole slice, so it may read all blocks.
        unsafe { Term::new(words.as_ptr().add(at)) }
    }

    /// The term of an immediate that stands anywhere, on the caller's stack for instance.
    ///
    /// # Panics
    /// If the word is not an immediate.
    #[inline(always)]
    pub fn immediate(word: &'a u64) -> Term<'a> {
        assert!(layout::is_immediate(*word), "not an immediate");
        Term { root: word, _life: PhantomData }
    }

    /// The root word.
    #[inline(always)]
    pub fn root(self) -> u64 {
        // SAFETY: `root` is readable during 'a, concurrent writes are atomic (`new`).
        unsafe { word::load(self.root) }
    }

    /// Where the root word stands.
    #[inline(always)]
    pub fn as_ptr(self) -> *const u64 {
        self.root
    }

    /// The same term for a longer time.
    ///
    /// # Safety
    /// What `new` asks for holds for `'b`.
    #[inline(always)]
    pub unsafe fn extend<'b>(self) -> Term<'b> {
        Term { root: self.root, _life: PhantomData }
    }

    /// The block of a root word that is not an immediate.
    #[inline(always)]
    pub(super) fn block(self, root: u64) -> Block<'a> {
        debug_assert!(!layout::is_immediate(root));
        // SAFETY: a well-formed root word's distance stays inside the encoding.
        let first = unsafe { self.root.add(layout::distance(root)) };
        Block { first, kind: Kind::of(root), _life: PhantomData }
    }

    /// The term's block with all that is nested in it, none for an immediate.
    pub fn block_words(self) -> &'a [u64] {
        let root = self.root();
        if layout::is_immediate(root) { &[] } else { self.block(root).words() }
    }

    /// True if the term cannot be compared word for word: see [`IRREGULAR`]. For compounds this
    /// is inherited by what is around them.
    pub fn is_irregular(self) -> bool {
        match self.view() {
            View::Float(value) => value == 0.0 && super::host::host().zero_floats_equal,
            View::Bits { .. } => false,
            _ => self.block_words().first().is_some_and(|&head| head & IRREGULAR != 0),
        }
    }

    /// The length in bits and the bytes of a bit string, wherever they are; none for other terms.
    pub fn bit_string(self) -> Option<(usize, &'a [u8])> {
        super::bits::bit_string(self)
    }

    /// Words of the whole term: its root word and its blocks.
    pub fn words(self) -> usize {
        1 + self.block_words().len()
    }

    /// The elements of a tuple; none for other terms.
    #[inline(always)]
    pub fn tuple(self) -> Option<Roots<'a>> {
        let root = self.root();
        if layout::is_immediate(root) || Kind::of(root) != Kind::Tuple {
            return None;
        }
        let block = self.block(root);
        Some(block.roots(0, layout::count(block.head())))
    }

    /// The map that the term is; none for other terms.
    #[inline(always)]
    pub fn map(self) -> Option<Map<'a>> {
        let root = self.root();
        let is_map =
            !layout::is_immediate(root) && matches!(Kind::of(root), Kind::Map | Kind::Shaped);
        is_map.then(|| self.block(root).map())
    }

    /// What the term is.
    #[inline]
    pub fn view(self) -> View<'a> {
        let root = self.root();
        if layout::is_immediate(root) { view_immediate(root) } else { self.block(root).view() }
    }
}

impl std::fmt::Debug for Term<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Term({:#x}, {:x?})", self.root(), self.block_words())
    }
}

#[inline(always)]
fn view_immediate<'a>(root: u64) -> View<'a> {
    if immediate::is_small(root) {
        View::Small(immediate::small_value(root))
    } else if immediate::is_pid(root) {
        View::Pid(root)
    } else if immediate::is_port(root) {
        View::Port(root)
    } else if immediate::is_atom(root) {
        View::Atom(root)
    } else {
        View::Nil
    }
}

/// A block of a well-formed encoding.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    first: *const u64,
    pub(super) kind: Kind,
    _life: PhantomData<&'a u64>,
}

impl<'a> Block<'a> {
    /// The first word: a header for most kinds.
    #[inline(always)]
    pub(super) fn head(self) -> u64 {
        // SAFETY: every block has a first word, and blocks do not change.
        unsafe { *self.first }
    }

    /// The block and all that is nested in it.
    #[inline(always)]
    pub(super) fn words(self) -> &'a [u64] {
        let len = match self.kind {
            Kind::Float => 1,
            Kind::Bits => 1 + self.head().div_ceil(64) as usize,
            _ => layout::block_words(self.head()),
        };
        // SAFETY: a well-formed block has this many words, and blocks do not change.
        unsafe { std::slice::from_raw_parts(self.first, len) }
    }

    /// True if equal terms may differ in their words.
    #[inline(always)]
    pub(super) fn is_irregular(self) -> bool {
        match self.kind {
            Kind::Float | Kind::Bits => false,
            _ => self.head() & IRREGULAR != 0,
        }
    }

    /// The root words that start `skip` words behind the header.
    #[inline(always)]
    pub(super) fn roots(self, skip: usize, len: usize) -> Roots<'a> {
        // SAFETY: the callers below ask for root words that the block's kind and count promise.
        Roots { next: unsafe { self.first.add(1 + skip) }, len, _life: PhantomData }
    }

    /// The bytes behind the first word.
    #[inline(always)]
    fn bytes(self, len: usize) -> &'a [u8] {
        // SAFETY: `Bits` and `External` blocks hold at least this many bytes; blocks do not change.
        unsafe { std::slice::from_raw_parts(self.first.add(1).cast(), len) }
    }

    /// The view of a map, of either kind.
    #[inline]
    pub(super) fn map(self) -> Map<'a> {
        let len = self.shape().map_or(layout::count(self.head()), Shape::len);
        Map { block: self, len }
    }

    /// The shape of a `Shaped` block.
    #[inline(always)]
    fn shape(self) -> Option<Shape> {
        // SAFETY: the first word of such a block.
        (self.kind == Kind::Shaped).then(|| unsafe { Shape::of_header(self.head()) })
    }

    pub(super) fn foreign(self) -> ForeignView {
        let words = self.words();
        let what = Foreign::of(words[0]);
        if what == Foreign::LocalReference {
            // A boxed term of the VM: it begins with its header.
            let word = self.first.wrapping_add(1).expose_provenance() as u64 | BOXED;
            let hash = words[2] ^ words[3];
            return ForeignView { what: Foreign::Reference, hash, word, keeper: 0 };
        }
        let word = if what == Foreign::Binary { 3 } else { 2 };
        ForeignView { what, hash: words[1], word: words[word], keeper: words[word + 1] }
    }

    /// The bytes of a binary that is held by reference; none for other blocks.
    #[inline(always)]
    pub(super) fn held_bytes(self) -> Option<&'a [u8]> {
        if self.kind != Kind::Foreign || Foreign::of(self.head()) != Foreign::Binary {
            return None;
        }
        // SAFETY: the block of such a binary has its length and address, and whoever made the
        // block keeps the bytes alive as long as it: see `Buffer::binary`.
        unsafe {
            let (len, at) = (*self.first.add(1), *self.first.add(2));
            let bytes = std::ptr::with_exposed_provenance(at as usize);
            Some(std::slice::from_raw_parts(bytes, len as usize))
        }
    }

    /// The length in bits and the bytes of a `Bits` block.
    #[inline(always)]
    pub(super) fn bits(self) -> (usize, &'a [u8]) {
        let bits = self.head() as usize;
        (bits, self.bytes(bits.div_ceil(8)))
    }

    pub(super) fn external(self) -> &'a [u8] {
        self.bytes(layout::count(self.head()))
    }

    fn view(self) -> View<'a> {
        let count = layout::count(self.head());
        match self.kind {
            Kind::Tuple => View::Tuple(self.roots(0, count)),
            Kind::List => {
                View::List { elements: self.roots(0, count), tail: self.roots(count, 1).first() }
            }
            Kind::Map | Kind::Shaped => View::Map(self.map()),
            Kind::Float => View::Float(f64::from_bits(self.head())),
            Kind::Integer => {
                View::Integer { negative: self.head() & NEGATIVE != 0, limbs: &self.words()[1..] }
            }
            Kind::Bits => {
                let (bits, bytes) = self.bits();
                View::Bits { bits, bytes }
            }
            Kind::Foreign => View::Foreign(self.foreign()),
            Kind::External => View::External(self.external()),
        }
    }
}

/// Root words that stand side by side; an iterator over their terms.
#[derive(Clone, Copy)]
pub struct Roots<'a> {
    next: *const u64,
    len: usize,
    _life: PhantomData<&'a u64>,
}

impl<'a> Roots<'a> {
    /// The `len` root words from `first` on.
    ///
    /// # Safety
    /// What [`Term::new`] asks for holds for each of them.
    pub(crate) unsafe fn new(first: *const u64, len: usize) -> Roots<'a> {
        Roots { next: first, len, _life: PhantomData }
    }

    /// How many are left.
    #[inline(always)]
    #[expect(clippy::len_without_is_empty, reason = "an iterator has a size, not an emptiness")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The `i`th of those left.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline(always)]
    pub fn get(&self, i: usize) -> Term<'a> {
        assert!(i < self.len, "element {i} of {}", self.len);
        // SAFETY: inside the run; the root words of a well-formed block are well-formed.
        unsafe { Term::new(self.next.add(i)) }
    }

    /// The first, which the caller knows to be there.
    #[inline(always)]
    fn first(&self) -> Term<'a> {
        self.get(0)
    }

    /// Where the first word stands.
    #[inline(always)]
    pub(super) fn as_ptr(&self) -> *const u64 {
        self.next
    }

    /// The words of a run that is not the top level of an object, whose words may change.
    #[inline(always)]
    pub(super) fn words(&self) -> &'a [u64] {
        // SAFETY: so many words stand there, and those of blocks and shapes do not change.
        unsafe { std::slice::from_raw_parts(self.next, self.len) }
    }
}

impl<'a> Iterator for Roots<'a> {
    type Item = Term<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Term<'a>> {
        self.len = self.len.checked_sub(1)?;
        let at = self.next;
        // SAFETY: at most one word behind the last of the run.
        self.next = unsafe { at.add(1) };
        // SAFETY: `at` was inside the run.
        Some(unsafe { Term::new(at) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl<'a> DoubleEndedIterator for Roots<'a> {
    #[inline(always)]
    fn next_back(&mut self) -> Option<Term<'a>> {
        let last = self.len.checked_sub(1)?;
        let term = self.get(last);
        self.len = last;
        Some(term)
    }
}

impl ExactSizeIterator for Roots<'_> {}

impl std::fmt::Debug for Roots<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// A map: its keys and values, in the order of the encoding.
#[derive(Clone, Copy)]
pub struct Map<'a> {
    block: Block<'a>,
    len: usize,
}

impl<'a> Map<'a> {
    /// The number of pairs.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for `#{}`.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True if the keys stand in the exact term order.
    pub fn is_sorted(&self) -> bool {
        self.len < 2 || self.block.head() & SORTED != 0
    }

    /// The keys.
    #[inline(always)]
    pub fn keys(&self) -> Roots<'a> {
        match self.block.shape() {
            // SAFETY: a shape's keys are immediates that live for ever.
            Some(shape) => unsafe { Roots::new(shape.keys().as_ptr(), self.len) },
            None => self.block.roots(0, self.len),
        }
    }

    /// The words of the keys, if the map shares them: immediates.
    #[inline(always)]
    pub fn shared_keys(&self) -> Option<&'static [u64]> {
        self.block.shape().map(Shape::keys)
    }

    /// The values, in the order of the keys.
    #[inline(always)]
    pub fn values(&self) -> Roots<'a> {
        let own_keys = if self.block.kind == Kind::Shaped { 0 } else { self.len };
        self.block.roots(own_keys, self.len)
    }

    /// The root words of the keys, and their blocks, if no key is a compound: the same words are
    /// the same keys, in the same order. (Key blocks stand before all value blocks, so their
    /// distances agree as well.) Not for compound keys, lest nested ones be looked at again on
    /// every level.
    pub(super) fn leaf_keys(&self) -> Option<(&'a [u64], &'a [u64])> {
        if let Some(keys) = self.shared_keys() {
            return Some((keys, &[]));
        }
        let words = self.block.words();
        let roots = &words[1..=self.len];
        let mut end = 1 + 2 * self.len;
        for (i, &root) in roots.iter().enumerate() {
            if layout::is_immediate(root) {
                continue;
            }
            match Kind::of(root) {
                Kind::Float | Kind::Integer | Kind::Bits => (),
                _ => return None,
            }
            end = 1 + i + layout::distance(root) + self.key(i).block_words().len();
        }
        Some((roots, &words[1 + 2 * self.len..end]))
    }

    /// The `i`th key.
    pub fn key(&self, i: usize) -> Term<'a> {
        self.keys().get(i)
    }

    /// The `i`th value.
    pub fn value(&self, i: usize) -> Term<'a> {
        self.values().get(i)
    }
}

impl std::fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.keys().zip(self.values())).finish()
    }
}
