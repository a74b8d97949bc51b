//! `=:=` over encoded terms.
//!
//! Immediates are equal if their words are. Regular blocks are equal if their words are: one
//! comparison of two slices answers for keys that match. If the words differ, the terms may be
//! equal, since a map that stands in a key has its keys in term order and one that stands elsewhere
//! in the VM's, its own or those of a shape; and irregular blocks have to be asked piece by piece anyway. That is the walk of
//! [`super::order`], run once from the top, so the whole stays linear.

use std::cmp::Ordering;

use super::bits::bit_string;
use super::host::host;
use super::layout::{self, Kind};
use super::order::{Mode, compare_in};
use super::view::{Block, Term};

/// True if `a =:= b`.
#[inline]
pub fn equal(a: Term, b: Term) -> bool {
    let (x, y) = (a.root(), b.root());
    // The lowest bit tells immediates from blocks: at least one is an immediate.
    if layout::is_immediate(x | y) { x == y } else { equal_blocks(a, x, b, y) }
}

fn equal_blocks(a: Term, x: u64, b: Term, y: u64) -> bool {
    let (p, q) = (a.block(x), b.block(y));
    if p.kind != q.kind {
        return equal_forms(a, p, b, q);
    }
    match p.kind {
        Kind::Bits => p.head() == q.head() && same_words(p.words(), q.words()),
        Kind::Float => equal_floats(p, q),
        Kind::Integer | Kind::External => p.words() == q.words(),
        Kind::Foreign => equal_foreign(a, p, b, q),
        Kind::Tuple | Kind::List | Kind::Map | Kind::Shaped => equal_compounds(a, p, b, q),
    }
}

/// True for the same words; a few are compared without a call.
#[inline(always)]
fn same_words(a: &[u64], b: &[u64]) -> bool {
    const FEW: usize = 8;
    if a.len() > FEW {
        return a == b;
    }
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
}

fn equal_floats(a: Block, b: Block) -> bool {
    a.head() == b.head() || (host().zero_floats_equal && (a.head() | b.head()) << 1 == 0)
}

/// What is of different kinds is equal if it is one term in two forms.
#[cold]
fn equal_forms(a: Term, p: Block, b: Term, q: Block) -> bool {
    match (p.kind, q.kind) {
        (Kind::Map, Kind::Shaped) | (Kind::Shaped, Kind::Map) => {
            compare_in(a, b, Mode::Same).is_eq()
        }
        _ => equal_binaries(a, b),
    }
}

/// A binary may be held by reference in one term and stand in the other.
fn equal_binaries(a: Term, b: Term) -> bool {
    match (bit_string(a), bit_string(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// References of this node have two forms, and are shown in one.
fn equal_foreign(a: Term, p: Block, b: Term, q: Block) -> bool {
    let (x, y) = (p.foreign(), q.foreign());
    if x.what == layout::Foreign::Binary {
        return equal_binaries(a, b);
    }
    x.what == y.what && x.hash == y.hash && (host().foreign_equal)(a, b)
}

/// (What stands in place of the count of a shaped map is its shape.)
fn equal_compounds(a: Term, p: Block, b: Term, q: Block) -> bool {
    if layout::count(p.head()) != layout::count(q.head()) {
        return false;
    }
    // Irregular or not: the same words are the same term.
    same_words(p.words(), q.words()) || compare_in(a, b, Mode::Same) == Ordering::Equal
}
