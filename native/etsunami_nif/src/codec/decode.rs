//! From words to the VM's terms.
//!
//! What is small is made in one piece where the layout is known ([`piece`]). Else it is one call of
//! the C interface per compound. A block whose parts are all immediates is handed to
//! that call as it stands: blocks do not change, and their words are the VM's words. Everything
//! else goes over a stack of words, from the inside out: a compound's root words are copied onto
//! the stack, those that refer to blocks are replaced one after the other by the terms made of
//! them, and the compound is made of what then stands there. There is no recursion.
//!
//! The root words of an object's elements are atomics (a counter may change in place), so they are
//! loaded one by one, and each only once.

use std::cell::Cell;

use etsunami::term::layout::{
    Foreign, Kind, NEGATIVE, SORTED, TREE, block_ref, block_words, count, distance, immediate,
    is_immediate,
};
use etsunami::term::object::{Mutable, Object};
use etsunami::term::shape::Shape;
use etsunami::term::stack::Stack;
use etsunami::term::view::{Roots, Term};

use super::{external, piece};
use crate::vm::{Env, VmTerm};
use crate::vm_terms::layout::BOXED;
use crate::vm_terms::{Layout, held_binary, layout, make, tags};

/// Elements of an object that are copied without an allocation.
const INLINE: usize = 32;

/// A stored object as a tuple.
#[inline]
pub fn object<'e>(env: Env<'e>, object: Object<'_>) -> VmTerm<'e> {
    elements(env, object.elements(), None)
}

/// A list of one stored object, if that is short and all its elements are immediates, but for a key
/// that need not be made.
#[inline(always)]
pub fn flat_list<'e>(
    env: Env<'e>,
    object: Object<'_>,
    asked: Option<Asked<'_, 'e>>,
) -> Option<VmTerm<'e>> {
    let roots = object.elements();
    let arity = roots.len();
    if arity > FLAT || tags::portable() {
        return None;
    }
    let mut words = [immediate::NIL; FLAT];
    let mut all = u64::MAX;
    for (word, root) in words.iter_mut().zip(roots) {
        *word = root.root();
        all &= *word;
    }
    if !is_immediate(all) {
        let asked = asked.filter(|asked| asked.at < FLAT)?;
        let key = std::mem::replace(&mut words[asked.at], immediate::NIL);
        let alone = words.iter().all(|&word| is_immediate(word));
        if !alone || !asked.is_stored(key, roots.get(asked.at).as_ptr()) {
            return None;
        }
        words[asked.at] = asked.term.word();
    }
    Some(make::list_of_tuple(layout(), env, terms(&words[..arity])))
}

/// The longest object that is looked at for [`flat_list`].
const FLAT: usize = 4;

/// A key that a caller asks for.
#[derive(Clone, Copy)]
pub struct Asked<'k, 'e> {
    /// As the caller has it.
    pub term: VmTerm<'e>,
    /// As it is looked up.
    pub key: Term<'k>,
    /// Which element of an object it is, counted from 0.
    pub at: usize,
}

impl Asked<'_, '_> {
    /// True if the caller's term can be handed back in place of a copy of the stored key, the root
    /// word of which was loaded from `from`: a tuple of immediates, the same word for word. (A float
    /// may be equal and another one, and a part of a large binary would keep all of it.)
    #[inline(always)]
    fn is_stored(&self, root: u64, from: *const u64) -> bool {
        let asked = self.key.root();
        if !piece::is_kind(root, Kind::Tuple) || !piece::is_kind(asked, Kind::Tuple) {
            return false;
        }
        // SAFETY: a well-formed root word's block stands at its distance, and has as many words as
        // its header tells; those of a key do not change.
        unsafe {
            let (stored, asked) =
                (from.add(distance(root)), self.key.as_ptr().add(distance(asked)));
            let head = *stored;
            let flat = block_words(head) == 1 + count(head);
            flat && *asked == head && (1..=count(head)).all(|i| *stored.add(i) == *asked.add(i))
        }
    }
}

/// A list of one stored object, with the caller's own term for its key where that is no other.
#[inline]
pub fn list_of_one<'e>(
    env: Env<'e>,
    object: Object<'_>,
    asked: Option<Asked<'_, 'e>>,
) -> VmTerm<'e> {
    let roots = object.elements();
    if tags::portable() || !(1..=INLINE).contains(&roots.len()) {
        return env.make_list(&[elements(env, roots, None)]);
    }
    let mut words = [immediate::NIL; INLINE];
    for (word, root) in words.iter_mut().zip(roots) {
        *word = root.root();
    }
    let first = roots.get(0).as_ptr();
    if let Some(asked) = asked
        && asked.is_stored(words[asked.at], roots.get(asked.at).as_ptr())
    {
        words[asked.at] = piece::finished(asked.term);
    }
    let words = &mut words[..roots.len()];
    let decoder = Decoder::new(env);
    if let Some(layout) = layout() {
        let other = |kind, block| decoder.part(kind, block);
        // SAFETY: the elements' own words, loaded once; their blocks do not change.
        let made = unsafe { piece::list_of_one(layout, env, words, first, other) };
        if let Some(list) = made {
            return list;
        }
    }
    env.make_list(&[tuple_of(decoder, words, roots)])
}

/// A tuple of elements, by the C interface; words may be those of finished terms.
fn tuple_of<'e>(mut decoder: Decoder<'e>, words: &mut [u64], roots: Roots) -> VmTerm<'e> {
    for (word, root) in words.iter_mut().zip(roots) {
        if let Some(term) = piece::of_finished(*word) {
            *word = term;
        } else if !is_immediate(*word) {
            *word = decoder.root(*word, root.as_ptr()).word();
        }
    }
    decoder.env.make_tuple(terms(words))
}

/// Elements as a tuple; the one that may change, if it has been looked at, as it was then.
#[inline]
pub fn elements<'e>(env: Env<'e>, roots: Roots, seen: Option<Mutable>) -> VmTerm<'e> {
    let mut words = [immediate::NIL; INLINE];
    let arity = roots.len();
    if arity > INLINE || tags::portable() {
        return Decoder::new(env).elements(roots, seen);
    }
    let mut all = u64::MAX;
    for (word, root) in words.iter_mut().zip(roots) {
        *word = root.root();
        all &= *word;
    }
    if let Some(Mutable { at, word }) = seen {
        words[at] = word;
    }
    if is_immediate(all) {
        return make::tuple(env, terms(&words[..arity]));
    }
    let decoder = Decoder::new(env);
    if let Some(layout) = layout() {
        let first = roots.get(0).as_ptr();
        // SAFETY: the elements' own words, loaded once; their blocks do not change.
        let made = unsafe {
            piece::elements(layout, env, &words[..arity], first, |kind, block| {
                decoder.part(kind, block)
            })
        };
        if let Some(made) = made {
            return made;
        }
    }
    tuple_of(decoder, &mut words[..arity], roots)
}

/// One term.
#[inline]
pub fn term<'e>(env: Env<'e>, term: Term) -> VmTerm<'e> {
    let root = term.root();
    if is_immediate(root) && !tags::portable() {
        // SAFETY: an immediate is a term of every environment.
        return unsafe { VmTerm::from_word(root) };
    }
    Decoder::new(env).root(root, term.as_ptr())
}

/// Words that are terms.
#[inline(always)]
fn terms<'e>(words: &[u64]) -> &[VmTerm<'e>] {
    // SAFETY: `VmTerm` is a transparent word. All callers pass immediates of the VM or words of
    // terms just made in the environment that they go on to use.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
}

/// A compound whose words are on top of the stack, from `base` on; those from `next` on have not
/// been looked at.
#[derive(Clone, Copy)]
struct Frame {
    /// The root word, which tells the kind. (Fields of one size: a frame is copied without gaps.)
    root: u64,
    /// Where the words were copied from.
    roots: *const u64,
    base: usize,
    next: usize,
}

/// The root words of a compound, whose root word was loaded from `at`.
#[inline]
fn parts_of<'a>(root: u64, at: *const u64) -> &'a [u64] {
    // SAFETY: a well-formed root word's block stands at its distance, and that many root words
    // follow the header of such a block; blocks do not change while the term can be read.
    unsafe {
        let block = at.add(distance(root));
        let n = count(*block);
        let roots = match Kind::of(root) {
            Kind::Tuple => n,
            Kind::List => n + 1,
            Kind::Shaped => Shape::of_header(*block).len(),
            _ => 2 * n,
        };
        std::slice::from_raw_parts(block.add(1), roots)
    }
}

struct Decoder<'e> {
    env: Env<'e>,
    portable: bool,
    /// Parts of what is too large for one piece are made in pieces.
    pieces: Option<Layout>,
    /// The stack; on loan from the thread once something stands on it.
    words: Vec<u64>,
}

/// Words that a thread keeps for the next call.
const SPARE_WORDS: usize = 1 << 14;

thread_local! {
    static SPARE: Cell<Vec<u64>> = const { Cell::new(Vec::new()) };
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        let spare = !cfg!(feature = "count_memory");
        if spare && (1..=SPARE_WORDS).contains(&self.words.capacity()) {
            // After the thread's end there is nowhere to put it.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.words)));
        }
    }
}

impl<'e> Decoder<'e> {
    fn new(env: Env<'e>) -> Decoder<'e> {
        Decoder { env, portable: tags::portable(), pieces: layout(), words: Vec::new() }
    }

    fn without_pieces(env: Env<'e>) -> Decoder<'e> {
        let mut decoder = Decoder::new(env);
        decoder.pieces = None;
        decoder
    }

    fn borrow_stack(&mut self) {
        if self.words.capacity() == 0 {
            self.words = SPARE.take();
            self.words.clear();
        }
    }

    /// Elements as a tuple, however many.
    fn elements(&mut self, mut roots: Roots, seen: Option<Mutable>) -> VmTerm<'e> {
        self.borrow_stack();
        self.words.extend(roots.map(Term::root));
        if let Some(Mutable { at, word }) = seen {
            self.words[at] = word;
        }
        let first = roots.next().map_or(std::ptr::null(), Term::as_ptr);
        self.run(Frame { root: block_ref(Kind::Tuple, 0), roots: first, base: 0, next: 0 })
    }

    /// A term by its root word, which was loaded from `at`.
    fn root(&mut self, root: u64, at: *const u64) -> VmTerm<'e> {
        if is_immediate(root) {
            return tags::export(self.env, root);
        }
        if let Some(made) = self.piece(root, at).or_else(|| self.block(root, at)) {
            return made;
        }
        self.nested(root, at)
    }

    /// A term in one piece, if that is known to be possible.
    #[inline(always)]
    fn piece(&self, root: u64, at: *const u64) -> Option<VmTerm<'e>> {
        let layout = self.pieces?;
        let other = |kind, block| self.part(kind, block);
        // SAFETY: a well-formed root word, loaded once; its blocks do not change.
        unsafe { piece::term(layout, self.env, root, at, other) }
    }

    /// A compound with parts that have to be made first.
    fn nested(&mut self, root: u64, at: *const u64) -> VmTerm<'e> {
        let frame = self.open(root, at);
        self.run(frame)
    }

    /// A part of a piece that is made on its own.
    fn part(&self, kind: Kind, block: *const u64) -> VmTerm<'e> {
        // As if a root word stood just before the block.
        let (root, from) = (block_ref(kind, 1), block.wrapping_sub(1));
        // In turn without pieces, so that this does not go deeper.
        let nested = || Decoder::without_pieces(self.env).nested(root, from);
        self.block(root, from).unwrap_or_else(nested)
    }

    /// Makes a compound whose words are on the stack, and what is inside it.
    fn run(&mut self, mut frame: Frame) -> VmTerm<'e> {
        let mut stack: Stack<Frame, 8> = Stack::new();
        loop {
            if let Some(inner) = self.parts(&mut frame) {
                stack.push(frame);
                frame = inner;
                continue;
            }
            let made = self.make(Kind::of(frame.root), frame.roots, &self.words[frame.base..]);
            self.words.truncate(frame.base);
            let Some(outer) = stack.pop() else { return made };
            frame = outer;
            self.words[frame.next - 1] = made.word();
        }
    }

    /// Replaces a compound's words by terms, up to the first that needs a frame of its own.
    fn parts(&mut self, frame: &mut Frame) -> Option<Frame> {
        while frame.next < self.words.len() {
            let (i, root) = (frame.next, self.words[frame.next]);
            frame.next += 1;
            if is_immediate(root) {
                if self.portable {
                    self.words[i] = tags::export(self.env, root).word();
                }
                continue;
            }
            // SAFETY: the word at stack position `i` was loaded from this root position.
            let at = unsafe { frame.roots.add(i - frame.base) };
            match self.piece(root, at).or_else(|| self.block(root, at)) {
                Some(term) => self.words[i] = term.word(),
                None => return Some(self.open(root, at)),
            }
        }
        None
    }

    /// The term of a block, unless it is a compound with parts that have to be made first. The
    /// block belongs to the root word that was loaded from `at`.
    #[inline]
    fn block(&self, root: u64, at: *const u64) -> Option<VmTerm<'e>> {
        let kind = Kind::of(root);
        if !matches!(kind, Kind::Tuple | Kind::List | Kind::Map | Kind::Shaped) {
            // SAFETY: a well-formed root word's block stands at its distance; blocks do not change.
            let (block, head) = unsafe { (at.add(distance(root)), *at.add(distance(root))) };
            return Some(self.leaf(kind, head, block));
        }
        let words = parts_of(root, at);
        let immediates = words.iter().fold(u64::MAX, |all, word| all & word);
        (!self.portable && is_immediate(immediates)).then(|| self.make(kind, words.as_ptr(), words))
    }

    /// The frame of a compound, with its words on the stack.
    #[inline]
    fn open(&mut self, root: u64, at: *const u64) -> Frame {
        let words = parts_of(root, at);
        self.borrow_stack();
        let base = self.words.len();
        self.words.extend_from_slice(words);
        Frame { root, roots: words.as_ptr(), base, next: base }
    }

    /// The compound of words that are all terms, whose root words start at `roots`.
    fn make(&self, kind: Kind, roots: *const u64, words: &[u64]) -> VmTerm<'e> {
        let words = terms(words);
        match kind {
            Kind::Tuple => make::tuple(self.env, words),
            // SAFETY: the header stands before the root words of a block.
            Kind::Shaped => self.map(unsafe { Shape::of_header(*roots.sub(1)) }, words),
            // SAFETY: likewise.
            Kind::Map => unsafe { self.own_keys(*roots.sub(1), roots, words) },
            _ => self.list(words),
        }
    }

    /// A map with its own keys, whose header is `head` and whose root words start at `roots`.
    ///
    /// # Safety
    /// They are those of a well-formed block.
    unsafe fn own_keys(&self, head: u64, roots: *const u64, words: &[VmTerm<'e>]) -> VmTerm<'e> {
        let (keys, values) = words.split_at(words.len() / 2);
        let made = match layout() {
            // SAFETY: the number of nodes and the nodes stand behind the root words; a tree was read
            // from a map with these keys.
            Some(layout) if head & TREE != 0 => Some(unsafe {
                let count = roots.add(words.len());
                let nodes = std::slice::from_raw_parts(count.add(1), *count as usize);
                make::large_map(layout, self.env, nodes, keys, values)
            }),
            // In the VM's order as well.
            _ if head & SORTED == 0 => make::flat_map(self.env, VmTerm::words(keys), values),
            _ => None,
        };
        made.unwrap_or_else(|| self.env.make_map(keys, values).expect("keys that differ"))
    }

    /// A map that shares its keys. They are atoms, in the VM's order.
    fn map(&self, shape: Shape, values: &[VmTerm<'e>]) -> VmTerm<'e> {
        make::flat_map(self.env, shape.keys(), values).unwrap_or_else(|| {
            self.env.make_map(terms(shape.keys()), values).expect("keys that differ")
        })
    }

    /// The last word is the tail.
    fn list(&self, words: &[VmTerm<'e>]) -> VmTerm<'e> {
        let (&tail, heads) = words.split_last().expect("a list's tail");
        make::list(self.env, heads, tail)
    }

    fn leaf(&self, kind: Kind, head: u64, block: *const u64) -> VmTerm<'e> {
        // SAFETY: the block that `block` starts is well-formed; each arm reads the words that its
        // kind and first word promise.
        unsafe {
            match kind {
                Kind::Float => make::float(self.env, head),
                Kind::Integer => {
                    let limbs = std::slice::from_raw_parts(block.add(1), count(head));
                    self.integer(head & NEGATIVE != 0, limbs)
                }
                Kind::Bits => {
                    let bits = head as usize;
                    let bytes = std::slice::from_raw_parts(block.add(1).cast(), bits.div_ceil(8));
                    make::short_binary(self.env, bits, block.add(1))
                        .unwrap_or_else(|| self.bits(bits, bytes))
                }
                Kind::Foreign => self.foreign(head, block),
                _ => {
                    let bytes = std::slice::from_raw_parts(block.add(1).cast(), count(head));
                    self.external(bytes)
                }
            }
        }
    }

    /// # Safety
    /// `block` starts a well-formed foreign block with that header.
    unsafe fn foreign(&self, head: u64, block: *const u64) -> VmTerm<'e> {
        // SAFETY: such a block's words. What they refer to is kept alive by whoever shows the block,
        // or is the caller's own.
        unsafe {
            if Foreign::of(head) == Foreign::LocalReference {
                return self.env.copy(VmTerm::from_word(block.add(1) as u64 | BOXED));
            }
            if Foreign::of(head) != Foreign::Binary {
                return self.env.copy(VmTerm::from_word(*block.add(2)));
            }
            let &[len, at, word, keeper] = &*block.add(1).cast::<[u64; 4]>();
            if !held_binary::is_held(keeper) {
                return self.env.copy(VmTerm::from_word(word));
            }
            let bytes = std::ptr::with_exposed_provenance(at as usize);
            held_binary::show(self.env, std::slice::from_raw_parts(bytes, len as usize), word)
        }
    }

    fn integer(&self, negative: bool, limbs: &[u64]) -> VmTerm<'e> {
        if let Some(made) = make::big_integer(self.env, negative, limbs) {
            return made;
        }
        if let &[limb] = limbs {
            if !negative {
                return self.env.make_uint64(limb);
            }
            if limb <= i64::MIN.unsigned_abs() {
                return self.env.make_int64((limb as i64).wrapping_neg());
            }
        }
        let mut bytes = Vec::with_capacity(7 + 8 * limbs.len());
        external::write_big_integer(negative, limbs, &mut bytes);
        self.external(&bytes)
    }

    fn bits(&self, bits: usize, bytes: &[u8]) -> VmTerm<'e> {
        if bits.is_multiple_of(8) {
            return self.env.make_binary(bytes);
        }
        let mut written = Vec::with_capacity(7 + bytes.len());
        external::write_bit_string(bits, bytes, &mut written);
        self.external(&written)
    }

    fn external(&self, bytes: &[u8]) -> VmTerm<'e> {
        self.env.from_external(bytes).expect("an external format that the VM wrote")
    }
}
