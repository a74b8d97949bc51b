//! Small terms, encoded on the stack.
//!
//! They go into an array of [`ROOM`] words by [`Direct`]. What that leaves to the general walk is left
//! to it here, but for one thing: a long binary that is a value by itself, or an element of an object
//! behind which there are immediates alone, is held by reference, last of all.

use etsunami::term::layout::{Kind, binary_block, block_ref, is_immediate};
use etsunami::term::view::Term;

use super::direct::{Array, DEPTH, Direct, Role, Room, Way};
use super::encode::First;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::held_binary::{self, COPIED};
use crate::vm_terms::{Interface, Reader, layout, tags};

/// The most words of a small term or object.
const ROOM: usize = 160;

/// The words of a small term. See the module's documentation.
pub struct Quick(Direct<Array<ROOM>>);

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
        Quick(Direct { room: Array::new() })
    }

    /// The walk to take for what was not encoded here: if there was too little room, the same into a
    /// larger one.
    #[inline(always)]
    pub fn next(&self) -> First {
        if self.0.room.is_full() { First::Direct } else { First::General }
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
        self.0.room.restart(1);
        match layout() {
            Some(layout) => self.0.block(Way { reader: layout, env, role }, 0, term, DEPTH),
            None => self.root_by_interface(env, term, role),
        }
    }

    #[cold]
    #[inline(never)]
    fn root_by_interface<'e>(&mut self, env: Env<'e>, term: VmTerm<'e>, role: Role) -> Option<()> {
        let way = Way { reader: Interface, env, role };
        (!tags::portable()).then(|| self.0.block(way, 0, term, DEPTH))?
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
        self.0.room.restart(0);
        self.0.room.append(elements)?;
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
                if self.0.block(Way { reader, env, role }, i, element, DEPTH).is_none() {
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
        let block = self.0.room.take(binary_block(&[], 0, 0).len())?;
        let held = held_binary::hold(env, term, bytes)?;
        self.0.room.set(at, block_ref(Kind::Foreign, block - at));
        for (i, word) in binary_block(held.bytes, held.word, held.keeper).into_iter().enumerate() {
            self.0.room.set(block + i, word);
        }
        Some(())
    }

    /// The words so far.
    #[inline(always)]
    fn words(&self) -> &[u64] {
        // SAFETY: each function that takes words sets them before it returns something.
        unsafe { self.0.room.words() }
    }
}
