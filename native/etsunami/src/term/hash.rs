//! Seeded hashes of terms that agree with `=:=`.
//!
//! An immediate is mixed by two rounds of a folded multiplication (the halves of the 128-bit
//! product, xored), with the seed entering before each: one round alone would keep arithmetic
//! structure that an attacker can use without knowing the seed. A regular block is hashed over its
//! words, by `foldhash`; an irregular one piece by piece, each piece contributing what all its
//! equals share: a zero float its absolute value where the zeros are equal, a foreign term the VM's
//! hash, a binary its contents.
//!
//! Equal terms have equal hashes if their maps stand in the same order and form, and their binaries
//! on the same side (held by reference or not). Keys satisfy it: their maps are sorted and not
//! shaped, their binaries never held by reference. For objects there is [`hash_contents`], which
//! goes through all that is nested, so that a map with a shape and one with its own keys hash alike,
//! and a binary that is held by reference and one that is not; there the VM iterates equal maps alike.
//!
//! The upper eight bits of an atom's position are the same in every table and every run: a small
//! table with atoms as keys is traversed in one order, as tests and people who read its contents
//! expect. They come from the atom's text; the other 24 bits and the tag come from the seed, so that
//! whoever chooses the atoms makes a directory uneven at most.
//!
//! Only [`MASK`]'s bits of a key's hash are kept: 32 bits of position and 8 bits of tag, which is
//! what an object's header can give back.

use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, SeedableRandomState};

use super::bits::bit_string;
use super::host::host;
use super::layout::{self, Kind, immediate};
use super::stack::Stack;
use super::view::{Block, Roots, Term};

/// The bits of a key's hash: its position (upper half) and its tag (low byte).
pub const MASK: u64 = 0xffff_ffff_0000_00ff;

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd1b5_4a32_d192_ed03;

/// The hash of a key, reduced to [`MASK`].
#[inline]
pub fn hash(key: Term, seed: u64) -> u64 {
    let hash = hash_wide(key, seed) & MASK;
    if immediate::is_atom(key.root()) { place_atom(key.root(), hash) } else { hash }
}

/// The hash of an atom, with the upper bits of its position from its text.
#[inline]
fn place_atom(atom: u64, hash: u64) -> u64 {
    const SEEDED: u64 = u64::MAX >> 8;
    let unseeded = mix((host().atom_digest)(atom).into(), 0);
    unseeded & !SEEDED | hash & SEEDED
}

/// The hash of a term, all 64 bits of it.
#[inline]
pub fn hash_wide(term: Term, seed: u64) -> u64 {
    let root = term.root();
    if layout::is_immediate(root) { mix(root, seed) } else { hash_block(term, root, seed) }
}

/// The hash of a term, whatever the forms of the maps in it.
#[inline]
pub fn hash_contents(term: Term, seed: u64) -> u64 {
    let root = term.root();
    if layout::is_immediate(root) || !is_compound(term.block(root)) {
        return hash_wide(term, seed);
    }
    Walk::new(seed, Regular::Pieces).hash(term)
}

fn is_compound(block: Block) -> bool {
    matches!(block.kind, Kind::Tuple | Kind::List | Kind::Map | Kind::Shaped)
}

/// The halves of the product, xored.
#[inline(always)]
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
pub(super) fn mix(word: u64, seed: u64) -> u64 {
    fold(fold(word ^ seed, FIRST) ^ seed.rotate_left(32), SECOND)
}

fn hash_block(term: Term, root: u64, seed: u64) -> u64 {
    let block = term.block(root);
    if !block.is_irregular() {
        return hash_regular(block, seed);
    }
    bit_string(term)
        .map_or_else(|| Walk::new(seed, Regular::Whole).hash(term), |bits| hash_bits(bits, seed))
}

fn hash_regular(block: Block, seed: u64) -> u64 {
    match block.kind {
        Kind::Bits => hash_bits(block.bits(), seed),
        Kind::Float => hash_float(block.head(), seed),
        kind => mix(hash_words(block.words(), seed) ^ kind as u64, seed),
    }
}

fn hash_float(bits: u64, seed: u64) -> u64 {
    let zero = bits << 1 == 0 && host().zero_floats_equal;
    mix(if zero { 0 } else { bits } ^ Kind::Float as u64, !seed)
}

fn hash_bits((bits, bytes): (usize, &[u8]), seed: u64) -> u64 {
    mix(hash_bytes(bytes, seed) ^ (bits as u64) << 8 ^ Kind::Bits as u64, seed)
}

/// Words of short keys enter one by one, without a call.
#[inline]
fn hash_words(words: &[u64], seed: u64) -> u64 {
    const SHORT: usize = 8;
    if words.len() <= SHORT {
        let mut hasher = hasher(seed);
        words.iter().for_each(|&word| hasher.write_u64(word));
        return hasher.finish();
    }
    // SAFETY: words are readable as their bytes.
    hash_bytes(unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), 8 * words.len()) }, seed)
}

#[inline]
fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut hasher = hasher(seed);
    hasher.write(bytes);
    hasher.finish()
}

#[inline(always)]
fn hasher(seed: u64) -> FoldHasher<'static> {
    SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()).build_hasher()
}

/// How a walk takes regular compounds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Regular {
    /// By their words.
    Whole,
    /// Piece by piece.
    Pieces,
}

/// The walk over a compound, iterative. Sizes enter before contents, so that the sequence of
/// what is mixed in tells the term.
struct Walk<'a> {
    seed: u64,
    regular: Regular,
    state: u64,
    runs: Stack<Roots<'a>, 12>,
}

impl<'a> Walk<'a> {
    fn new(seed: u64, regular: Regular) -> Walk<'a> {
        Walk { seed, regular, state: seed, runs: Stack::new() }
    }

    fn hash(mut self, term: Term<'a>) -> u64 {
        self.term(term);
        while let Some(mut run) = self.runs.pop() {
            while let Some(term) = run.next() {
                if self.is_leaf(term) {
                    continue;
                }
                if run.len() > 0 {
                    self.runs.push(run);
                }
                self.term(term);
                break;
            }
        }
        mix(self.state, self.seed)
    }

    fn add(&mut self, word: u64) {
        self.state = fold(self.state ^ word, FIRST).wrapping_add(SECOND);
    }

    /// Takes what has no parts to go through.
    fn is_leaf(&mut self, term: Term<'a>) -> bool {
        let root = term.root();
        let leaf = layout::is_immediate(root)
            || self.is_whole(term.block(root))
            || bit_string(term).is_some();
        if leaf {
            self.add(hash_wide(term, self.seed));
        }
        leaf
    }

    fn is_whole(&self, block: Block) -> bool {
        !block.is_irregular() && (self.regular == Regular::Whole || !is_compound(block))
    }

    /// Takes an irregular term, or a compound's size and parts.
    fn term(&mut self, term: Term<'a>) {
        let block = term.block(term.root());
        let count = layout::count(block.head());
        match block.kind {
            Kind::Tuple => self.parts(Kind::Tuple, count, block.roots(0, count)),
            Kind::List => self.parts(Kind::List, count, block.roots(0, count + 1)),
            Kind::Map | Kind::Shaped => {
                let map = block.map();
                self.parts(Kind::Map, map.len(), map.keys());
                self.run(map.values());
            }
            Kind::Foreign => self.add(block.foreign().hash),
            _ => self.add(hash_words(block.words(), self.seed)),
        }
    }

    fn parts(&mut self, kind: Kind, count: usize, roots: Roots<'a>) {
        self.add(kind as u64 | (count as u64) << 8);
        self.run(roots);
    }

    /// Takes a run of immediates at once, and any other later.
    fn run(&mut self, run: Roots<'a>) {
        let words = run.words();
        if words.iter().all(|&word| layout::is_immediate(word)) {
            self.add(hash_words(words, self.seed));
        } else {
            self.runs.push(run);
        }
    }
}
