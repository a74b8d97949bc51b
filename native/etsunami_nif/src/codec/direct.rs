//! Terms, encoded by functions that call each other.
//!
//! Most keys and objects are nested a few levels deep. For those the walk of
//! [`encode`](super::encode) spends more on its explicit stack than on the words themselves. Here
//! functions call each other, at most [`DEPTH`] deep, and write into a [`Room`]: an array on the stack
//! for small terms ([`super::quick`]), a buffer for larger ones. The words are the same that the
//! general walk gives.
//!
//! What does not fit, needs a keeper, has to be sorted or is irregular gives nothing, and is left to
//! the general walk: nothing has been kept by then that would have to be given back.

use std::mem::MaybeUninit;

use etsunami::term::buffer::{Buffer, pack};
use etsunami::term::layout::{
    Kind, NEGATIVE, TREE, block_ref, header, immediate, is_immediate, shaped_header,
};
use etsunami::term::shape::Shape;

use crate::vm::{Env, VmTerm};
use crate::vm_terms::Reader;
use crate::vm_terms::held_binary::COPIED;
use crate::vm_terms::large_map::{LargeMap, Sink};

/// The most compounds around a part.
pub const DEPTH: usize = 224;

/// What a term is encoded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Canonical: compared and hashed as a key.
    Key,
    /// Everything else.
    Value,
}

/// How a term is encoded.
#[derive(Clone, Copy)]
pub struct Way<'e, R> {
    /// How terms are read.
    pub reader: R,
    /// Where they live.
    pub env: Env<'e>,
    /// What for.
    pub role: Role,
}

/// Where words go.
pub trait Room {
    /// Where the next word goes. All words before are to be set before they are read.
    fn end(&self) -> usize;

    /// Room for more words: the first one's index.
    fn take(&mut self, count: usize) -> Option<usize>;

    /// Writes a word that was taken.
    fn set(&mut self, at: usize, word: u64);

    /// A word that was set.
    fn get(&self, at: usize) -> u64;

    /// Appends words.
    fn append(&mut self, words: &[u64]) -> Option<usize>;
}

/// An array of words.
pub struct Array<const N: usize> {
    words: [MaybeUninit<u64>; N],
    len: usize,
    full: bool,
}

impl<const N: usize> Default for Array<N> {
    #[inline(always)]
    fn default() -> Array<N> {
        Array::new()
    }
}

impl<const N: usize> Array<N> {
    /// An empty one.
    #[inline(always)]
    pub const fn new() -> Array<N> {
        Array { words: [const { MaybeUninit::uninit() }; N], len: 0, full: false }
    }

    /// Forgets all words but so many, which are to be set.
    #[inline(always)]
    pub fn restart(&mut self, len: usize) {
        assert!(len <= N, "more words than there are");
        self.len = len;
    }

    /// True if there was no room for words that were asked for.
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The words so far.
    ///
    /// # Safety
    /// All that were taken have been set.
    #[inline(always)]
    pub unsafe fn words(&self) -> &[u64] {
        // SAFETY: by contract.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }
}

impl<const N: usize> Room for Array<N> {
    #[inline(always)]
    fn end(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn take(&mut self, count: usize) -> Option<usize> {
        let at = self.len;
        if count > N - at {
            self.full = true;
            return None;
        }
        self.len = at + count;
        Some(at)
    }

    #[inline(always)]
    fn set(&mut self, at: usize, word: u64) {
        self.words[at].write(word);
    }

    #[inline(always)]
    fn get(&self, at: usize) -> u64 {
        assert!(at < self.len, "word {at} of {}", self.len);
        // SAFETY: taken, and so set before it is read.
        unsafe { self.words[at].assume_init() }
    }

    #[inline(always)]
    fn append(&mut self, words: &[u64]) -> Option<usize> {
        let at = self.take(words.len())?;
        for (to, &word) in self.words[at..].iter_mut().zip(words) {
            to.write(word);
        }
        Some(at)
    }
}

/// A buffer that may get so many words. It grows ahead of them, until [`Limited::finish`].
pub struct Limited<'b> {
    buffer: &'b mut Buffer,
    len: usize,
    limit: usize,
}

impl<'b> Limited<'b> {
    /// The least words that a buffer grows by.
    const GROWTH: usize = 512;

    /// An empty buffer.
    pub fn new(buffer: &'b mut Buffer, limit: usize) -> Limited<'b> {
        buffer.clear();
        Limited { buffer, len: 0, limit }
    }

    /// The buffer has the words that were taken, and no more.
    pub fn finish(self) {
        self.buffer.truncate(self.len);
    }

    #[inline(never)]
    fn grow(&mut self, words: usize) -> Option<()> {
        let room = Limited::GROWTH.max(self.len / 2).max(words);
        self.buffer.reserve(room).ok().map(|_| ())
    }
}

impl Room for Limited<'_> {
    #[inline(always)]
    fn end(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn take(&mut self, count: usize) -> Option<usize> {
        let at = self.len;
        if count > self.limit - at {
            return None;
        }
        let (end, there) = (at + count, self.buffer.words().len());
        if end > there {
            self.grow(end - there)?;
        }
        self.len = end;
        Some(at)
    }

    #[inline(always)]
    fn set(&mut self, at: usize, word: u64) {
        self.buffer.set(at, word);
    }

    #[inline(always)]
    fn get(&self, at: usize) -> u64 {
        self.buffer.words()[at]
    }

    #[inline(always)]
    fn append(&mut self, words: &[u64]) -> Option<usize> {
        const FEW: usize = 8;
        let at = self.take(words.len())?;
        if words.len() > FEW {
            self.buffer.fill(at, words);
        } else {
            // Without the call that a copy is.
            for (i, &word) in words.iter().enumerate() {
                self.buffer.set(at + i, word);
            }
        }
        Some(at)
    }
}

/// Encodes into a room.
pub struct Direct<M> {
    /// Where the words go.
    pub room: M,
}

impl<M: Room> Direct<M> {
    /// Encodes what is no immediate; its root word stands at position `at`.
    #[inline]
    pub fn block<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        at: usize,
        term: VmTerm<'e>,
        depth: usize,
    ) -> Option<()> {
        let Way { reader, env, role } = way;
        if let Some(elements) = reader.tuple(env, term) {
            let start = self.start(at, Kind::Tuple)?;
            self.room.append(elements)?;
            self.complete(way, start, elements.len(), depth)
        } else if let Some(cell) = reader.cell(env, term) {
            self.list(way, at, cell, depth)
        } else if let Some((keys, values)) = reader.flat_map(term) {
            self.map(way, at, keys, values, depth)
        } else if let Some(value) = reader.float(env, term) {
            // Zeros may be irregular.
            let block = self.start(at, Kind::Float).filter(|_| value != 0.0)?;
            self.room.set(block, value.to_bits());
            Some(())
        } else if let Some((negative, digits)) = reader.big_integer(term) {
            let block = self.start(at, Kind::Integer)?;
            let sign = if negative { NEGATIVE } else { 0 };
            self.room.set(block, header(digits.len(), 1 + digits.len()) | sign);
            self.room.append(digits).map(|_| ())
        } else if let Some(map) = reader.large_map(term) {
            self.large_map(way, at, map, depth)
        } else {
            let bytes = reader.binary(env, term)?;
            self.binary(at, bytes, role)
        }
    }

    /// Opens a block at root position `at`: the position of its first word, which is to be written.
    #[inline(always)]
    fn start(&mut self, at: usize, kind: Kind) -> Option<usize> {
        let block = self.room.take(1)?;
        self.room.set(at, block_ref(kind, block - at));
        Some(block)
    }

    /// Writes a compound's header, after everything that is nested in it; its roots stand behind
    /// the header, and are the VM's words.
    #[inline]
    fn complete<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        block: usize,
        count: usize,
        depth: usize,
    ) -> Option<()> {
        let end = self.room.end();
        self.nested(way, block, end, depth)?;
        self.room.set(block, header(count, self.room.end() - block));
        Some(())
    }

    /// Encodes what is nested in a compound whose roots end at `end`.
    #[inline]
    fn nested<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        block: usize,
        end: usize,
        depth: usize,
    ) -> Option<()> {
        for at in block + 1..end {
            let word = self.room.get(at);
            if !is_immediate(word) {
                let depth = depth.checked_sub(1)?;
                // SAFETY: a part's word is a term of the call.
                self.part(way, at, unsafe { VmTerm::from_word(word) }, depth)?;
            }
        }
        Some(())
    }

    /// [`block`](Quick::block) behind a call: what is nested deeper.
    #[inline(never)]
    fn part<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        at: usize,
        term: VmTerm<'e>,
        depth: usize,
    ) -> Option<()> {
        self.block(way, at, term, depth)
    }

    #[inline(always)]
    fn list<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        at: usize,
        first: (VmTerm<'e>, VmTerm<'e>),
        depth: usize,
    ) -> Option<()> {
        let block = self.start(at, Kind::List)?;
        let (mut head, mut tail) = first;
        let count = loop {
            let at = self.room.take(1)?;
            self.room.set(at, head.word());
            match way.reader.cell(way.env, tail) {
                Some((next, rest)) => (head, tail) = (next, rest),
                None => break at - block,
            }
        };
        let last = self.room.take(1)?;
        self.room.set(last, tail.word());
        self.complete(way, block, count, depth)
    }

    /// A map of a few pairs, whose keys are shared if they may be.
    #[inline(always)]
    fn map<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        at: usize,
        keys: &[u64],
        values: &[u64],
        depth: usize,
    ) -> Option<()> {
        if way.role == Role::Key {
            return None;
        }
        if let Some(shape) = Shape::known(keys) {
            let block = self.start(at, Kind::Shaped)?;
            self.room.append(values)?;
            let end = self.room.end();
            self.nested(way, block, end, depth)?;
            self.room.set(block, shaped_header(shape, self.room.end() - block));
            return Some(());
        }
        if keys.len() > 1 && keys.iter().all(|&key| immediate::is_atom(key)) {
            // The general walk counts keys that are not known, once.
            return None;
        }
        let block = self.start(at, Kind::Map)?;
        self.room.append(keys)?;
        self.room.append(values)?;
        self.complete(way, block, keys.len(), depth)
    }

    /// A map that is a tree, which a value keeps.
    #[inline(never)]
    fn large_map<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        at: usize,
        map: LargeMap<'_>,
        depth: usize,
    ) -> Option<()> {
        if way.role == Role::Key {
            return None;
        }
        let (block, pairs) = (self.start(at, Kind::Map)?, map.pairs());
        self.room.take(2 * pairs)?;
        let end = self.room.end();
        let count = self.room.take(1)?;
        let mut tree = Tree { room: &mut self.room, next: block + 1, pairs, end };
        map.read(&mut tree)?;
        if tree.next != block + 1 + pairs {
            return None;
        }
        self.room.set(count, (self.room.end() - end - 1) as u64);
        self.nested(way, block, end, depth)?;
        self.room.set(block, header(pairs, self.room.end() - block) | TREE);
        Some(())
    }

    #[inline(always)]
    fn binary(&mut self, at: usize, bytes: &[u8], role: Role) -> Option<()> {
        if role == Role::Value && bytes.len() > COPIED {
            return None;
        }
        let block = self.start(at, Kind::Bits)?;
        self.room.set(block, bytes.len() as u64 * 8);
        let first = self.room.take(bytes.len().div_ceil(8))?;
        pack(bytes, |i, word| self.room.set(first + i, word));
        Some(())
    }
}

/// A large map that is read: nodes are appended, keys go to `next`, their values behind all keys.
struct Tree<'r, M> {
    room: &'r mut M,
    next: usize,
    pairs: usize,
    /// Behind the last value.
    end: usize,
}

impl<M: Room> Sink for Tree<'_, M> {
    #[inline(always)]
    fn node(&mut self, node: u64) -> Option<()> {
        self.room.append(&[node]).map(|_| ())
    }

    #[inline(always)]
    fn pair(&mut self, key: u64, value: u64) {
        if self.next + self.pairs < self.end {
            self.room.set(self.next, key);
            self.room.set(self.next + self.pairs, value);
            self.next += 1;
        }
    }
}
