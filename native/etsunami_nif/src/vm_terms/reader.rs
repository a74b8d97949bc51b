//! What a term is, and its parts, by either implementation.
//!
//! Code that is generic over a [`Reader`] is compiled once for each.

use super::large_map::LargeMap;
use super::layout::Layout;
use super::tags;
use crate::vm::{Env, VmTerm};

/// One of the two implementations.
pub trait Reader: Copy {
    /// True if the words of immediates may be other than the encoding's.
    fn translates(self) -> bool;

    /// The head and tail of a list's cell.
    fn cell<'e>(self, env: Env<'e>, term: VmTerm<'e>) -> Option<(VmTerm<'e>, VmTerm<'e>)>;

    /// The words of a tuple's elements.
    fn tuple<'e>(self, env: Env<'e>, term: VmTerm<'e>) -> Option<&'e [u64]>;

    /// The value of a float.
    fn float(self, env: Env, term: VmTerm) -> Option<f64>;

    /// The bytes of a binary.
    fn binary<'e>(self, env: Env<'e>, term: VmTerm<'e>) -> Option<&'e [u8]>;

    /// The keys and values of a map where they stand, in the VM's order; nothing for maps that have
    /// to be read pair by pair.
    fn flat_map<'e>(self, term: VmTerm<'e>) -> Option<(&'e [u64], &'e [u64])>;

    /// A map that is read as a tree.
    fn large_map<'e>(self, term: VmTerm<'e>) -> Option<LargeMap<'e>>;

    /// All words of a reference of this node that has no memory elsewhere.
    fn local_reference(self, term: VmTerm) -> Option<[u64; 3]>;

    /// The sign and the digits of a big integer where they stand; nothing if they have to be read
    /// otherwise.
    fn big_integer<'e>(self, term: VmTerm<'e>) -> Option<(bool, &'e [u64])>;
}

/// The public C interface.
#[derive(Clone, Copy)]
pub struct Interface;

impl Reader for Interface {
    #[inline(always)]
    fn translates(self) -> bool {
        tags::portable()
    }

    #[inline(always)]
    fn cell<'e>(self, env: Env<'e>, term: VmTerm<'e>) -> Option<(VmTerm<'e>, VmTerm<'e>)> {
        env.cell(term)
    }

    #[inline(always)]
    fn tuple<'e>(self, env: Env<'e>, term: VmTerm<'e>) -> Option<&'e [u64]> {
        env.tuple(term).map(VmTerm::words)
    }

    #[inline(always)]
    fn float(self, env: Env, term: VmTerm) -> Option<f64> {
        env.float(term)
    }

    #[inline(always)]
    fn binary<'e>(self, env: Env<'e>, term: VmTerm<'e>) -> Option<&'e [u8]> {
        env.binary(term)
    }

    #[inline(always)]
    fn flat_map<'e>(self, _: VmTerm<'e>) -> Option<(&'e [u64], &'e [u64])> {
        None
    }

    #[inline(always)]
    fn large_map<'e>(self, _: VmTerm<'e>) -> Option<LargeMap<'e>> {
        None
    }

    #[inline(always)]
    fn local_reference(self, _: VmTerm) -> Option<[u64; 3]> {
        None
    }

    #[inline(always)]
    fn big_integer<'e>(self, _: VmTerm<'e>) -> Option<(bool, &'e [u64])> {
        None
    }
}

impl Reader for Layout {
    #[inline(always)]
    fn translates(self) -> bool {
        false
    }

    #[inline(always)]
    fn cell<'e>(self, _: Env<'e>, term: VmTerm<'e>) -> Option<(VmTerm<'e>, VmTerm<'e>)> {
        Layout::cell(self, term)
    }

    #[inline(always)]
    fn tuple<'e>(self, _: Env<'e>, term: VmTerm<'e>) -> Option<&'e [u64]> {
        Layout::tuple(self, term)
    }

    #[inline(always)]
    fn float(self, _: Env, term: VmTerm) -> Option<f64> {
        Layout::float(self, term)
    }

    #[inline(always)]
    fn binary<'e>(self, env: Env<'e>, term: VmTerm<'e>) -> Option<&'e [u8]> {
        self.short_binary(term).or_else(|| env.binary(term))
    }

    #[inline(always)]
    fn flat_map<'e>(self, term: VmTerm<'e>) -> Option<(&'e [u64], &'e [u64])> {
        Layout::flat_map(self, term)
    }

    #[inline(always)]
    fn large_map<'e>(self, term: VmTerm<'e>) -> Option<LargeMap<'e>> {
        Layout::large_map(self, term)
    }

    #[inline(always)]
    fn local_reference(self, term: VmTerm) -> Option<[u64; 3]> {
        Layout::local_reference(self, term)
    }

    #[inline(always)]
    fn big_integer<'e>(self, term: VmTerm<'e>) -> Option<(bool, &'e [u64])> {
        Layout::big_integer(self, term)
    }
}
