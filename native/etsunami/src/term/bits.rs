//! Bit strings: where their bytes are, and their order.

use std::cmp::Ordering;

use super::layout::{self, Kind};
use super::view::Term;

/// The length in bits and the bytes of a bit string, in the encoding or held by reference; none for
/// other terms.
pub(super) fn bit_string<'a>(term: Term<'a>) -> Option<(usize, &'a [u8])> {
    let root = term.root();
    if layout::is_immediate(root) {
        return None;
    }
    let block = term.block(root);
    match block.kind {
        Kind::Bits => Some(block.bits()),
        _ => block.held_bytes().map(|bytes| (8 * bytes.len(), bytes)),
    }
}

/// Unused bits are 0, so bytes decide unless one string is a prefix of the other.
#[inline]
pub(super) fn compare_bits(a: (usize, &[u8]), b: (usize, &[u8])) -> Ordering {
    let common = a.1.len().min(b.1.len());
    a.1[..common].cmp(&b.1[..common]).then(a.0.cmp(&b.0))
}
