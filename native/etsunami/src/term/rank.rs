//! The types of terms, in the order in which terms of different types stand.
//!
//! Native records (OTP 29), which this crate only knows as [`Foreign::Other`], stand between tuples
//! and maps.

use super::layout::{self, Foreign, Kind, immediate};
use super::view::{Block, Term};

pub(super) const NUMBER: u8 = 0;
pub(super) const ATOM: u8 = 1;
pub(super) const REFERENCE: u8 = 2;
pub(super) const FUN: u8 = 3;
pub(super) const PORT: u8 = 4;
pub(super) const PID: u8 = 5;
pub(super) const TUPLE: u8 = 6;
pub(super) const OTHER: u8 = 7;
pub(super) const MAP: u8 = 8;
pub(super) const NIL: u8 = 9;
pub(super) const LIST: u8 = 10;
pub(super) const BITS: u8 = 11;
/// Of [`immediate::GREATEST`], which is no term.
const GREATEST: u8 = 12;

/// The rank of an immediate.
#[inline]
pub(super) fn of_immediate(word: u64) -> u8 {
    if immediate::is_small(word) {
        NUMBER
    } else if immediate::is_atom(word) {
        ATOM
    } else if immediate::is_pid(word) {
        PID
    } else if immediate::is_port(word) {
        PORT
    } else if word == immediate::GREATEST {
        GREATEST
    } else {
        NIL
    }
}

#[inline]
fn of_block(block: Block) -> u8 {
    match block.kind {
        Kind::Tuple => TUPLE,
        Kind::List => LIST,
        Kind::Map | Kind::Shaped => MAP,
        Kind::Float | Kind::Integer => NUMBER,
        Kind::Bits => BITS,
        Kind::Foreign => match Foreign::of(block.head()) {
            Foreign::Reference | Foreign::LocalReference => REFERENCE,
            Foreign::Fun => FUN,
            Foreign::Binary => BITS,
            Foreign::Other => OTHER,
        },
        Kind::External => of_external(block.external()),
    }
}

/// Port tags of the external term format; a leading version byte is skipped.
fn of_external(etf: &[u8]) -> u8 {
    const VERSION: u8 = 131;
    const PORTS: [u8; 3] = [b'f', b'Y', b'x'];
    let tag = etf.iter().find(|&&byte| byte != VERSION);
    if tag.is_some_and(|tag| PORTS.contains(tag)) { PORT } else { PID }
}

/// The rank of a term.
#[inline]
pub(super) fn of(term: Term) -> u8 {
    let root = term.root();
    if layout::is_immediate(root) { of_immediate(root) } else { of_block(term.block(root)) }
}
