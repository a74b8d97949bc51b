//! Small terms, encoded on the stack.
//!
//! Most keys and objects are a few words, nested a few levels deep. For those the walk of
//! [`encode`](super::encode) spends more on its buffer and its explicit stack than on the words
//! themselves. Here they go into an array of [`ROOM`] words, by functions that call each other at
//! most [`DEPTH`] deep. The words are the same that the general walk gives.
//!
//! What does not fit, needs a keeper, has to be sorted or is irregular is left to the general walk:
//! nothing has been kept by then that would have to be given back. But a long binary that is a value
//! by itself, or an element of an object behind which there are immediates alone, is held by
//! reference here, last of all.

use std::mem::MaybeUninit;

use etsunami::term::buffer::pack;
use etsunami::term::layout::{
    Kind, NEGATIVE, binary_block, block_ref, header, is_immediate, shaped_header,
};
use etsunami::term::shape::Shape;
use etsunami::term::view::Term;

use super::encode::Role;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::held_binary::{self, COPIED};
use crate::vm_terms::{Interface, Reader, layout, tags};

/// The most words of a small term or object.
const ROOM: usize = 96;
/// The most compounds around an element.
const DEPTH: usize = 6;

/// How a term is encoded.
#[derive(Clone, Copy)]
struct Way<'e, R> {
    reader: R,
    env: Env<'e>,
    role: Role,
}

/// The words of a small term. See the module's documentation.
pub struct Quick {
    words: [MaybeUninit<u64>; ROOM],
    len: usize,
}

impl Default for Quick {
    #[inline(always)]
    fn default() -> Quick {
        Quick::new()
    }
}

impl Quick {
    /// Room for a small term.
    #[inline(always)]
    pub const fn new() -> Quick {
        Quick { words: [const { MaybeUninit::uninit() }; ROOM], len: 0 }
    }

    /// Encodes a key that is used during the call and no longer: it has no keepers.
    #[inline(always)]
    pub fn key<'e>(&mut self, env: Env<'e>, term: VmTerm<'e>) -> Option<Term<'_>> {
        self.root(env, term, Role::Key)?;
        // SAFETY: a whole encoding, of which word 0 is the root.
        Some(unsafe { Term::at(self.words(), 0) })
    }

    /// Encodes a value, which owns a keeper if there is one.
    #[inline(always)]
    pub fn value<'e>(&mut self, env: Env<'e>, term: VmTerm<'e>) -> Option<Term<'_>> {
        self.root(env, term, Role::Value).or_else(|| self.held_binary(env, 0, term))?;
        // SAFETY: as above.
        Some(unsafe { Term::at(self.words(), 0) })
    }

    /// Encodes what is no immediate, from the first word on.
    #[inline(always)]
    fn root<'e>(&mut self, env: Env<'e>, term: VmTerm<'e>, role: Role) -> Option<()> {
        self.len = 1;
        match layout() {
            Some(layout) => self.block(Way { reader: layout, env, role }, 0, term, DEPTH),
            None => self.root_by_interface(env, term, role),
        }
    }

    #[cold]
    #[inline(never)]
    fn root_by_interface<'e>(&mut self, env: Env<'e>, term: VmTerm<'e>, role: Role) -> Option<()> {
        let way = Way { reader: Interface, env, role };
        (!tags::portable()).then(|| self.block(way, 0, term, DEPTH))?
    }

    /// Encodes an object, a tuple with an element at `keypos` (from 1): its words, which own a keeper if
    /// there is one, and its arity. `early` gets the key as soon as it is encoded, unless immediates
    /// alone are left.
    #[inline(always)]
    pub fn object<'e>(
        &mut self,
        env: Env<'e>,
        term: VmTerm<'e>,
        keypos: usize,
        early: impl FnOnce(Term<'_>),
    ) -> Option<(&[u64], usize)> {
        match layout() {
            Some(layout) => self.elements(layout, env, term, keypos, early),
            None => self.object_by_interface(env, term, keypos, early),
        }
    }

    #[cold]
    #[inline(never)]
    fn object_by_interface<'e>(
        &mut self,
        env: Env<'e>,
        term: VmTerm<'e>,
        keypos: usize,
        early: impl FnOnce(Term<'_>),
    ) -> Option<(&[u64], usize)> {
        (!tags::portable()).then(|| self.elements(Interface, env, term, keypos, early))?
    }

    #[inline(always)]
    fn elements<'e>(
        &mut self,
        reader: impl Reader,
        env: Env<'e>,
        term: VmTerm<'e>,
        keypos: usize,
        early: impl FnOnce(Term<'_>),
    ) -> Option<(&[u64], usize)> {
        let elements = reader.tuple(env, term).filter(|elements| elements.len() >= keypos)?;
        self.len = 0;
        self.append(elements)?;
        let (key, mut early) = (keypos - 1, Some(early));
        for (i, &word) in elements.iter().enumerate() {
            if !is_immediate(word) {
                let role = if i == key { Role::Key } else { Role::Value };
                let known = i > key || is_immediate(elements[key]);
                if let Some(early) = early.take_if(|_| known && role == Role::Value) {
                    // SAFETY: an encoded element.
                    early(unsafe { Term::at(self.words(), key) });
                }
                // SAFETY: an element's word is a term of the call.
                let element = unsafe { VmTerm::from_word(word) };
                if self.block(Way { reader, env, role }, i, element, DEPTH).is_none() {
                    let rest = &elements[i + 1..];
                    let last = role == Role::Value && rest.iter().all(|&word| is_immediate(word));
                    return last
                        .then(|| self.held_binary(env, i, element))?
                        .map(|()| (self.words(), elements.len()));
                }
            }
        }
        Some((self.words(), elements.len()))
    }

    /// Encodes a long binary, which is held from then on, so it has to be the last thing to be done;
    /// its root word stands at position `at`.
    #[inline(never)]
    fn held_binary<'e>(&mut self, env: Env<'e>, at: usize, term: VmTerm<'e>) -> Option<()> {
        // Others have left words behind when they were given up.
        let bytes = env.binary(term).filter(|bytes| bytes.len() > COPIED)?;
        let block = self.take(binary_block(&[], 0, 0).len())?;
        let held = held_binary::hold(env, term, bytes)?;
        self.set(at, block_ref(Kind::Foreign, block - at));
        for (i, word) in binary_block(held.bytes, held.word, held.keeper).into_iter().enumerate() {
            self.set(block + i, word);
        }
        Some(())
    }

    /// The words so far.
    #[inline(always)]
    fn words(&self) -> &[u64] {
        // SAFETY: whoever took words has written them.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }

    /// Room for more words: the first one's index.
    #[inline(always)]
    fn take(&mut self, count: usize) -> Option<usize> {
        let at = self.len;
        if count > ROOM - at {
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
    fn append(&mut self, words: &[u64]) -> Option<usize> {
        let at = self.take(words.len())?;
        for (to, &word) in self.words[at..].iter_mut().zip(words) {
            to.write(word);
        }
        Some(at)
    }

    /// Encodes what is no immediate; its root word stands at position `at`.
    #[inline]
    fn block<'e>(
        &mut self,
        way: Way<'e, impl Reader>,
        at: usize,
        term: VmTerm<'e>,
        depth: usize,
    ) -> Option<()> {
        let Way { reader, env, role } = way;
        if let Some(elements) = reader.tuple(env, term) {
            let start = self.start(at, Kind::Tuple)?;
            self.append(elements)?;
            self.complete(way, start, elements.len(), depth)
        } else if let Some(cell) = reader.cell(env, term) {
            self.list(way, at, cell, depth)
        } else if let Some((keys, values)) = reader.flat_map(term) {
            self.map(way, at, keys, values, depth)
        } else if let Some(value) = reader.float(env, term) {
            // Zeros may be irregular.
            let block = self.start(at, Kind::Float).filter(|_| value != 0.0)?;
            self.set(block, value.to_bits());
            Some(())
        } else if let Some((negative, digits)) = reader.big_integer(term) {
            let block = self.start(at, Kind::Integer)?;
            let sign = if negative { NEGATIVE } else { 0 };
            self.set(block, header(digits.len(), 1 + digits.len()) | sign);
            self.append(digits).map(|_| ())
        } else {
            let bytes = reader.binary(env, term)?;
            self.binary(at, bytes, role)
        }
    }

    /// Opens a block at root position `at`: the position of its first word, which is to be written.
    #[inline(always)]
    fn start(&mut self, at: usize, kind: Kind) -> Option<usize> {
        let block = self.take(1)?;
        self.set(at, block_ref(kind, block - at));
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
        self.nested(way, block, depth)?;
        self.set(block, header(count, self.len - block));
        Some(())
    }

    /// Encodes what is nested in a compound whose roots are the last words.
    #[inline]
    fn nested<'e>(&mut self, way: Way<'e, impl Reader>, block: usize, depth: usize) -> Option<()> {
        let end = self.len;
        for at in block + 1..end {
            // SAFETY: a word that has been written.
            let word = unsafe { self.words[at].assume_init() };
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
            let at = self.take(1)?;
            self.set(at, head.word());
            match way.reader.cell(way.env, tail) {
                Some((next, rest)) => (head, tail) = (next, rest),
                None => break at - block,
            }
        };
        let last = self.take(1)?;
        self.set(last, tail.word());
        self.complete(way, block, count, depth)
    }

    /// A map that shares its keys.
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
        // The general walk counts keys that are not known, once.
        let shape = Shape::known(keys)?;
        let block = self.start(at, Kind::Shaped)?;
        self.append(values)?;
        self.nested(way, block, depth)?;
        self.set(block, shaped_header(shape, self.len - block));
        Some(())
    }

    #[inline(always)]
    fn binary(&mut self, at: usize, bytes: &[u8], role: Role) -> Option<()> {
        if role == Role::Value && bytes.len() > COPIED {
            return None;
        }
        let block = self.start(at, Kind::Bits)?;
        self.set(block, bytes.len() as u64 * 8);
        let first = self.take(bytes.len().div_ceil(8))?;
        pack(bytes, |i, word| self.set(first + i, word));
        Some(())
    }
}
