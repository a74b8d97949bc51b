//! From the VM's terms to words.
//!
//! The walk is iterative, in the manner of a copying collector: when a compound is opened, the VM's
//! words of all its parts are copied into the root positions of its block at once, and are then
//! replaced one after the other, depth first, by what they become: immediates stay as they are,
//! everything else becomes a reference to a block appended behind. What is left to do of the
//! compounds around stands on an explicit stack, so that nesting costs no machine stack.
//!
//! In a *key* maps get their keys in the exact term order ([`super::sort`]) and binaries stand
//! inline; in a *value* maps keep the VM's order and share keys that are atoms ([`Shape`]), and
//! binaries of more than [`COPIED`] bytes are held by reference ([`held_binary`]).
//!
//! Work is bounded in words written: on a normal scheduler by
//! [`INDIVISIBLE_WORDS`](budget::INDIVISIBLE_WORDS), elsewhere by [`MAX_WORDS`]. A term whose parts
//! are shared so often that it unfolds beyond that stops there, because memory grows only as words
//! are written.
//!
//! Foreign terms are kept ([`Keep::Retain`]) for what is going to be stored: the words then own
//! their keepers. They are borrowed ([`Keep::Borrow`]) for what is only looked up or compared
//! during the call.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use etsunami::term::buffer::{Buffer, TooLarge};
use etsunami::term::host::host;
use etsunami::term::layout::{
    Foreign, Kind, MAX_WORDS, TREE, count, distance, header, is_immediate,
};
use etsunami::term::shape::{MAX_KEYS, Shape};
use etsunami::term::stack::Stack;

pub use super::direct::Role;
use super::direct::{DEPTH, Direct, Limited, Room, Way};
use super::foreign::{self, Kept};
use super::{external, sort};
use crate::budget;
use crate::error::{BADARG, Raise, SYSTEM_LIMIT};
use crate::vm::{Env, VmTerm};
use crate::vm_terms::held_binary::{self, COPIED, Held, LONG_SLICE};
use crate::vm_terms::large_map::{LargeMap, Sink};
use crate::vm_terms::{Interface, Reader, layout, make, tags};

/// Why a term was not encoded. Nothing is kept, the buffer's contents are worthless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The object is not a tuple, or has fewer elements than the key's position.
    NotAnObject,
    /// Too much work for a normal scheduler: to be done again on a dirty one.
    TooLong,
    /// Beyond [`MAX_WORDS`].
    TooLarge,
}

impl From<TooLarge> for Failure {
    fn from(_: TooLarge) -> Failure {
        Failure::TooLarge
    }
}

impl From<Failure> for Raise<'_> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotAnObject => BADARG,
            Failure::TooLong => Raise::Dirty,
            Failure::TooLarge => SYSTEM_LIMIT,
        }
    }
}

/// What happens to foreign terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// They are borrowed from the call: the encoding may not outlive it.
    Borrow,
    /// They are kept alive: the encoding owns their keepers.
    Retain,
}

/// Encodes an object: a tuple that has an element at `keypos` (from 1), the key. The buffer then
/// holds one root word for each element, and their blocks. Gives the arity.
pub fn encode_object<'e>(
    env: Env<'e>,
    term: VmTerm<'e>,
    keypos: usize,
    keep: Keep,
    buffer: &mut Buffer,
) -> Result<usize, Failure> {
    encode_object_by(First::Direct, env, term, keypos, keep, buffer)
}

/// What is tried first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum First {
    /// The walk that needs no explicit stack ([`super::direct`]).
    Direct,
    /// The general walk, for an object of which the other one is known to fail.
    General,
}

/// [`encode_object`], beginning with this walk.
pub fn encode_object_by<'e>(
    first: First,
    env: Env<'e>,
    term: VmTerm<'e>,
    keypos: usize,
    keep: Keep,
    buffer: &mut Buffer,
) -> Result<usize, Failure> {
    match layout() {
        Some(layout) => object_by(layout, first, env, term, keypos, keep, buffer),
        None => object_by(Interface, first, env, term, keypos, keep, buffer),
    }
}

fn object_by<'e>(
    reader: impl Reader,
    first: First,
    env: Env<'e>,
    term: VmTerm<'e>,
    keypos: usize,
    keep: Keep,
    buffer: &mut Buffer,
) -> Result<usize, Failure> {
    let elements = reader.tuple(env, term).filter(|elements| elements.len() >= keypos);
    let elements = elements.ok_or(Failure::NotAnObject)?;
    if first == First::Direct && object_directly(reader, env, elements, keypos, buffer).is_some() {
        return Ok(elements.len());
    }
    buffer.clear();
    let mut encoder = Encoder::new(reader, env, buffer, keep);
    encoder.check(elements.len())?;
    encoder.buffer.reserve(elements.len())?;
    encoder.buffer.fill(0, elements);
    for at in 0..elements.len() {
        let role = if at + 1 == keypos { Role::Key } else { Role::Value };
        encoder.root(at, role)?;
    }
    encoder.finish();
    Ok(elements.len())
}

/// Encodes an object without the general walk, if it needs nothing of it.
fn object_directly<'e>(
    reader: impl Reader,
    env: Env<'e>,
    elements: &[u64],
    keypos: usize,
    buffer: &mut Buffer,
) -> Option<()> {
    let mut direct = direct(reader, buffer)?;
    direct.room.append(elements)?;
    for (at, &word) in elements.iter().enumerate() {
        if !is_immediate(word) {
            let role = if at + 1 == keypos { Role::Key } else { Role::Value };
            // SAFETY: an element's word is a term of the call.
            let element = unsafe { VmTerm::from_word(word) };
            direct.block(Way { reader, env, role }, at, element, DEPTH)?;
        }
    }
    direct.room.finish();
    Some(())
}

/// A walk without explicit stack, into an empty buffer, where immediates need not be translated.
fn direct<'b>(reader: impl Reader, buffer: &'b mut Buffer) -> Option<Direct<Limited<'b>>> {
    let limit = if budget::on_normal_scheduler() { budget::INDIVISIBLE_WORDS } else { MAX_WORDS };
    (!reader.translates()).then(|| Direct { room: Limited::new(buffer, limit) })
}

/// The words of a short object whose elements are all immediates: it is its own encoding, where
/// the VM keeps it. `None` for everything else.
#[inline(always)]
pub fn flat_object<'e>(env: Env<'e>, term: VmTerm<'e>, keypos: usize) -> Option<&'e [u64]> {
    let words = VmTerm::words(make::tuple_elements(env, term)?);
    let flat = words.len() >= keypos
        && words.len() <= FLAT
        && words.iter().fold(u64::MAX, |all, word| all & word) & 3 == 3;
    (flat && !tags::portable()).then_some(words)
}

/// The longest tuple that is looked at for [`flat_object`].
const FLAT: usize = 16;

/// Encodes one term. The buffer then holds its root word, and its blocks.
pub fn encode_term(
    env: Env,
    term: VmTerm,
    role: Role,
    keep: Keep,
    buffer: &mut Buffer,
) -> Result<(), Failure> {
    match layout() {
        Some(layout) => term_by(layout, env, term, role, keep, buffer),
        None => term_by(Interface, env, term, role, keep, buffer),
    }
}

fn term_by(
    reader: impl Reader,
    env: Env,
    term: VmTerm,
    role: Role,
    keep: Keep,
    buffer: &mut Buffer,
) -> Result<(), Failure> {
    if term_directly(reader, env, term, role, buffer).is_some() {
        return Ok(());
    }
    buffer.clear();
    let mut encoder = Encoder::new(reader, env, buffer, keep);
    encoder.buffer.reserve(1)?;
    encoder.buffer.set(0, term.word());
    encoder.root(0, role)?;
    encoder.finish();
    Ok(())
}

/// Encodes a term without the general walk, if it needs nothing of it.
fn term_directly(
    reader: impl Reader,
    env: Env,
    term: VmTerm,
    role: Role,
    buffer: &mut Buffer,
) -> Option<()> {
    let mut direct = direct(reader, buffer)?;
    direct.room.append(&[term.word()])?;
    if !is_immediate(term.word()) {
        direct.block(Way { reader, env, role }, 0, term, DEPTH)?;
    }
    direct.room.finish();
    Some(())
}

/// A buffer on loan from the calling thread, so that repeated encoding allocates nothing.
pub struct Scratch(Buffer);

thread_local! {
    static SPARE: Cell<Option<Buffer>> = const { Cell::new(None) };
}

impl Scratch {
    /// The capacity in words that a thread keeps for the next call.
    const SPARE_WORDS: usize = 1 << 14;

    /// The thread's buffer, or a new one.
    #[inline]
    pub fn take() -> Scratch {
        Scratch(SPARE.take().unwrap_or_default())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let spare = !cfg!(feature = "count_memory");
        if spare && self.0.capacity() <= Self::SPARE_WORDS {
            // After the thread's end there is nowhere to put it.
            let _ = SPARE.try_with(|spare| spare.set(Some(std::mem::take(&mut self.0))));
        }
    }
}

impl Deref for Scratch {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Buffer {
        &mut self.0
    }
}

/// A compound whose parts are being encoded: root positions `next..end` are still the VM's words.
/// Positions fit into 32 bits because [`MAX_WORDS`] does; the fields are of one size so that a
/// frame is copied without gaps.
#[derive(Clone, Copy)]
struct Frame {
    /// The root position that refers to the block.
    at: u32,
    next: u32,
    end: u32,
    /// Not 0 if the compound has to be compared piece by piece.
    irregular: u32,
}

/// What became of one term.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is encoded, and may be compared word for word.
    Regular,
    /// It is encoded, and has to be compared piece by piece.
    Irregular,
    /// It is a compound whose parts are to be encoded now.
    Open,
}

const REGULAR: Result<Step, Failure> = Ok(Step::Regular);
const IRREGULAR: Result<Step, Failure> = Ok(Step::Irregular);

struct Encoder<'e, 'b, R: Reader> {
    reader: R,
    env: Env<'e>,
    buffer: &'b mut Buffer,
    keep: Keep,
    /// Words that may be written, as far as is known.
    limit: usize,
    /// A map inside a key had blocks in another order than its roots have now.
    scrambled: bool,
    /// What is to be released if encoding fails.
    kept: Stack<u64, 4>,
}

/// A large map that is read: keys go to `next`, their values behind all keys, and the nodes, if they
/// are kept, behind these.
struct Tree<'b> {
    buffer: &'b mut Buffer,
    next: usize,
    count: usize,
    keeps_tree: bool,
}

impl Sink for Tree<'_> {
    fn node(&mut self, node: u64) -> Option<()> {
        if self.keeps_tree { self.buffer.push(node).ok() } else { Some(()) }
    }

    #[inline(always)]
    fn pair(&mut self, key: u64, value: u64) {
        self.buffer.set(self.next, key);
        self.buffer.set(self.next + self.count, value);
        self.next += 1;
    }
}

impl<'e, 'b, R: Reader> Encoder<'e, 'b, R> {
    fn new(reader: R, env: Env<'e>, buffer: &'b mut Buffer, keep: Keep) -> Encoder<'e, 'b, R> {
        Encoder {
            reader,
            env,
            buffer,
            keep,
            limit: budget::INDIVISIBLE_WORDS,
            scrambled: false,
            kept: Stack::new(),
        }
    }

    /// The words own their keepers from now on.
    fn finish(mut self) {
        self.kept = Stack::new();
    }

    /// Encodes the term whose word stands at a root position, with all its parts.
    fn root(&mut self, at: usize, role: Role) -> Result<(), Failure> {
        if self.step(at, role)? != Step::Open {
            return Ok(());
        }
        let mut stack: Stack<Frame, 8> = Stack::new();
        let mut frame = self.frame(at);
        loop {
            if let Some(inner) = self.parts(&mut frame, role)? {
                stack.push(frame);
                frame = self.frame(inner);
                continue;
            }
            self.close(frame, role);
            let Some(outer) = stack.pop() else { break };
            frame = Frame { irregular: outer.irregular | frame.irregular, ..outer };
        }
        if std::mem::take(&mut self.scrambled) {
            sort::lay_out(self.buffer, at)?;
        }
        Ok(())
    }

    /// Encodes a compound's parts up to the first that is itself a compound with parts to encode:
    /// gives its root position.
    #[inline]
    fn parts(&mut self, frame: &mut Frame, role: Role) -> Result<Option<usize>, Failure> {
        while frame.next < frame.end {
            let at = frame.next as usize;
            frame.next += 1;
            match self.step(at, role)? {
                Step::Regular => (),
                Step::Irregular => frame.irregular = 1,
                Step::Open => return Ok(Some(at)),
            }
        }
        Ok(None)
    }

    /// The frame of the compound that has just been opened at a root position: its root words, and
    /// the tree of a map, are the last in the buffer.
    #[inline]
    fn frame(&self, at: usize) -> Frame {
        let words = self.buffer.words();
        let block = at + distance(words[at]);
        let head = words[block];
        let tree = Kind::of(words[at]) == Kind::Map && head & TREE != 0;
        let end = if tree { block + 1 + 2 * count(head) } else { words.len() };
        Frame { at: at as u32, next: block as u32 + 1, end: end as u32, irregular: 0 }
    }

    fn close(&mut self, frame: Frame, role: Role) {
        let root = self.buffer.words()[frame.at as usize];
        let block = frame.at as usize + distance(root);
        self.buffer.close(block);
        if frame.irregular != 0 {
            self.buffer.mark_irregular(block);
        }
        if role == Role::Key && Kind::of(root) == Kind::Map {
            self.scrambled |= sort::sort_map(self.buffer, block);
        }
    }

    /// Encodes one term whose word stands at a root position, but for a compound's parts.
    #[inline]
    fn step(&mut self, at: usize, role: Role) -> Result<Step, Failure> {
        let word = self.buffer.words()[at];
        if self.reader.translates() {
            // SAFETY: root positions hold the VM's words until they are encoded.
            if let Some(word) = tags::import(self.env, unsafe { VmTerm::from_word(word) }) {
                self.buffer.set(at, word);
                return REGULAR;
            }
        } else if is_immediate(word) {
            return REGULAR;
        }
        // SAFETY: as above; the environment of the call, in which the term lives, outlives us.
        let step = self.block(at, unsafe { VmTerm::from_word(word) }, role)?;
        self.check(0)?;
        Ok(step)
    }

    /// Fails if `more` words are too many.
    #[inline]
    fn check(&mut self, more: usize) -> Result<(), Failure> {
        let words = self.buffer.words().len() + more;
        if words <= self.limit { Ok(()) } else { self.raise_limit(words) }
    }

    #[cold]
    fn raise_limit(&mut self, words: usize) -> Result<(), Failure> {
        if words > MAX_WORDS {
            Err(Failure::TooLarge)
        } else if budget::on_normal_scheduler() {
            Err(Failure::TooLong)
        } else {
            self.limit = MAX_WORDS;
            Ok(())
        }
    }

    fn block(&mut self, at: usize, term: VmTerm<'e>, role: Role) -> Result<Step, Failure> {
        let (reader, env) = (self.reader, self.env);
        if let Some((keys, values)) = reader.flat_map(term) {
            self.flat_map(at, keys, values, role)
        } else if let Some(cell) = reader.cell(env, term) {
            self.list(at, cell)
        } else if let Some(elements) = reader.tuple(env, term) {
            self.tuple(at, elements)
        } else if let Some(value) = reader.float(env, term) {
            self.buffer.float(at, value)?;
            if value == 0.0 && host().zero_floats_equal { IRREGULAR } else { REGULAR }
        } else if let Some((negative, digits)) = reader.big_integer(term) {
            self.check(digits.len())?;
            self.buffer.integer(at, negative, digits)?;
            REGULAR
        } else if let Some(bytes) = reader.binary(env, term) {
            self.binary(at, term, bytes, role)
        } else if let Some(words) = reader.local_reference(term) {
            self.buffer.local_reference(at, words)?;
            IRREGULAR
        } else if let Some(map) = reader.large_map(term) {
            self.large_map(at, term, map, role)
        } else if let Some(pairs) = env.map_size(term) {
            self.map(at, term, pairs, role)
        } else if env.is_number(term) {
            self.integer(at, term)
        } else {
            self.other(at, term)
        }
    }

    fn tuple(&mut self, at: usize, elements: &[u64]) -> Result<Step, Failure> {
        self.check(elements.len())?;
        let block = self.buffer.open_tuple_of(at, elements)?;
        Ok(self.opened(block, false))
    }

    /// Walks the cells once, with a list of unknown length open: its count is written at the end.
    #[inline(never)]
    fn list(&mut self, at: usize, cell: (VmTerm<'e>, VmTerm<'e>)) -> Result<Step, Failure> {
        let block = self.buffer.open_list(at, 0)?;
        let (head, mut tail) = cell;
        self.buffer.set(block + 1, head.word());
        while let Some((head, rest)) = self.reader.cell(self.env, tail) {
            self.buffer.push(head.word())?;
            self.check(0)?;
            tail = rest;
        }
        self.buffer.push(tail.word())?;
        let roots = self.buffer.words().len() - block - 1;
        self.buffer.set(block, header(roots - 1, 1 + roots));
        Ok(self.opened(block, false))
    }

    fn map(
        &mut self,
        at: usize,
        term: VmTerm<'e>,
        count: usize,
        role: Role,
    ) -> Result<Step, Failure> {
        self.check(2 * count)?;
        let pairs = self.env.pairs(term).into_iter().flatten().take(count);
        if count <= MAX_KEYS {
            let (mut keys, mut values) = ([0; MAX_KEYS], [0; MAX_KEYS]);
            for (i, (key, value)) in pairs.enumerate() {
                (keys[i], values[i]) = (key.word(), value.word());
            }
            return self.flat_map(at, &keys[..count], &values[..count], role);
        }
        let block = self.buffer.open_map(at, count)?;
        for (i, (key, value)) in pairs.enumerate() {
            self.buffer.set(block + 1 + i, key.word());
            self.buffer.set(block + 1 + count + i, value.word());
        }
        Ok(self.opened(block, role == Role::Key))
    }

    /// A map that is a tree, which a value keeps.
    #[inline(never)]
    fn large_map(
        &mut self,
        at: usize,
        term: VmTerm<'e>,
        map: LargeMap<'_>,
        role: Role,
    ) -> Result<Step, Failure> {
        let count = map.pairs();
        self.check(3 * count)?;
        let block = self.buffer.open_map(at, count)?;
        let keeps_tree = role == Role::Value;
        if keeps_tree {
            self.buffer.reserve(1)?;
        }
        let mut tree = Tree { buffer: self.buffer, next: block + 1, count, keeps_tree };
        let whole = map.read(&mut tree).is_some() && tree.next == block + 1 + count;
        if !whole {
            self.buffer.truncate(block);
            return self.map(at, term, count, role);
        }
        if keeps_tree {
            let first = block + 1 + 2 * count;
            let nodes = self.buffer.words().len() - first - 1;
            self.buffer.set(first, nodes as u64);
            self.buffer.mark_tree(block);
        }
        Ok(Step::Open)
    }

    /// A map of a few pairs, whose keys are shared if they may be.
    fn flat_map(
        &mut self,
        at: usize,
        keys: &[u64],
        values: &[u64],
        role: Role,
    ) -> Result<Step, Failure> {
        let shared = role == Role::Value && !self.reader.translates();
        if let Some(shape) = shared.then(|| Shape::of_keys(keys)).flatten() {
            self.check(values.len())?;
            let block = self.buffer.open_shaped(at, shape, values)?;
            return Ok(self.opened(block, false));
        }
        self.check(2 * keys.len())?;
        let block = self.buffer.open_map(at, keys.len())?;
        self.buffer.fill(block + 1, keys);
        self.buffer.fill(block + 1 + keys.len(), values);
        Ok(self.opened(block, role == Role::Key))
    }

    /// A compound of immediates is complete as it stands, unless it is a map to be sorted. Its root
    /// words are the last in the buffer.
    #[inline]
    fn opened(&self, block: usize, sort: bool) -> Step {
        let roots = &self.buffer.words()[block + 1..];
        let immediates = roots.iter().fold(u64::MAX, |all, word| all & word);
        if self.reader.translates() || sort || !is_immediate(immediates) {
            Step::Open
        } else {
            Step::Regular
        }
    }

    fn binary(
        &mut self,
        at: usize,
        term: VmTerm<'e>,
        bytes: &[u8],
        role: Role,
    ) -> Result<Step, Failure> {
        if role == Role::Value && bytes.len() > COPIED && self.long_binary(at, term, bytes)? {
            return IRREGULAR;
        }
        self.check(bytes.len().div_ceil(8))?;
        self.buffer.bits(at, bytes, bytes.len() * 8)?;
        REGULAR
    }

    /// Holds or borrows a binary by reference; false if it has to be copied.
    fn long_binary(&mut self, at: usize, term: VmTerm<'e>, bytes: &[u8]) -> Result<bool, Failure> {
        let (bytes, word, keeper) = match self.keep {
            Keep::Borrow => (bytes, term.word(), 0),
            Keep::Retain => match held_binary::hold(self.env, term, bytes) {
                Some(Held { bytes, word, keeper }) => (bytes, word, keeper),
                None if bytes.len() > LONG_SLICE => foreign::keep_binary(term),
                None => return Ok(false),
            },
        };
        if keeper != 0 {
            self.kept.push(keeper);
        }
        // SAFETY: held by the keeper, or a term of the call.
        unsafe { self.buffer.binary(at, bytes, word, keeper)? };
        Ok(true)
    }

    fn integer(&mut self, at: usize, term: VmTerm<'e>) -> Result<Step, Failure> {
        if let Some(value) = self.env.int64(term) {
            self.buffer.integer(at, value < 0, &[value.unsigned_abs()])?;
        } else if let Some(value) = self.env.uint64(term) {
            self.buffer.integer(at, false, &[value])?;
        } else {
            let written = self.env.to_external(term).ok_or(Failure::TooLarge)?;
            let (negative, limbs) =
                external::big_integer(written.bytes()).expect("a big integer's external format");
            self.buffer.integer(at, negative, &limbs)?;
        }
        REGULAR
    }

    /// References, funs, pids and ports of other nodes, bit strings, and what is unknown.
    fn other(&mut self, at: usize, term: VmTerm<'e>) -> Result<Step, Failure> {
        let env = self.env;
        if env.is_reference(term) {
            return self.foreign(at, Foreign::Reference, term);
        }
        if env.is_fun(term) {
            return self.foreign(at, Foreign::Fun, term);
        }
        if env.is_pid(term) || env.is_port(term) {
            let written = env.to_external(term).ok_or(Failure::TooLarge)?;
            self.buffer.external(at, written.bytes())?;
            return IRREGULAR;
        }
        let written = env.to_external(term).ok_or(Failure::TooLarge)?;
        match external::bit_string(written.bytes()) {
            Some((bits, bytes)) => {
                self.check(bytes.len().div_ceil(8))?;
                self.buffer.bits(at, bytes, bits)?;
                REGULAR
            }
            None => self.foreign(at, Foreign::Other, term),
        }
    }

    fn foreign(&mut self, at: usize, what: Foreign, term: VmTerm<'e>) -> Result<Step, Failure> {
        let hash = foreign::hash(self.env, what, term);
        let Kept { word, keeper } = match self.keep {
            Keep::Borrow => Kept { word: term.word(), keeper: 0 },
            Keep::Retain => self.retain(what, term),
        };
        self.buffer.foreign(at, what, hash, word, keeper)?;
        IRREGULAR
    }

    fn retain(&mut self, what: Foreign, term: VmTerm<'e>) -> Kept {
        let kept = foreign::keep(what, term);
        self.kept.push(kept.keeper);
        kept
    }
}

/// A failure, or a panic, gives back what was kept.
impl<R: Reader> Drop for Encoder<'_, '_, R> {
    fn drop(&mut self) {
        while let Some(keeper) = self.kept.pop() {
            foreign::release(keeper);
        }
    }
}
