//! Terms as they are laid out in the VM's memory, on 64 bits.
//!
//! A term is a word with a tag in its two lowest bits: an immediate, a pointer to a list's cell, or a
//! pointer to a *boxed* term. A boxed term begins with a header, the six lowest bits of which are its
//! type:
//!
//! ```text
//! cell           head | tail
//! tuple          arity << 6 | elements ...
//! float          0x58 | bits
//! big integer    digits << 6 | 0x08, or 0x0c if negative | digits, least significant first ...
//! short binary   words << 6 | type | size | bytes ...      of at most 64 bytes
//! reference      0x90 | all ones in the lower half | more     of this node, without other memory
//! flat map       header | size | keys ──► tuple of the keys in order     of at most 32 pairs
//!                values ...
//! ```
//!
//! Larger maps are trees: see [`super::large_map`].
//!
//! The type of a short binary, the unit of its size (bytes, or bits since OTP 27) and the header of a
//! flat map are found out by the probes, and stand in the [`Layout`].
//!
//! Terms do not change and do not move while their environment lives, so what is read here are plain
//! slices.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::vm::VmTerm;

/// The tag of a pointer to a list's cell.
pub const CELL: u64 = 0b01;
/// The tag of a pointer to all else.
pub const BOXED: u64 = 0b10;
/// The header of a float.
pub const FLOAT: u64 = 0x58;
/// The longest short binary, in bytes.
pub const LONGEST_SHORT_BINARY: usize = 64;

/// The bits of a header that hold the type.
pub(super) const TYPE: u64 = 0x3f;
/// The words of a flat map in front of its values: header, size and keys.
const FLAT_MAP_FIXED: usize = 3;

/// The header of a reference of this node, and the lower half of the next word, where references to
/// memory elsewhere have a pointer.
const REFERENCE: u64 = 2 << 6 | 0x10;
const ORDINARY: u64 = u32::MAX as u64;

const POSITIVE_BIG: u64 = 0x08;
const NEGATIVE_BIG: u64 = 0x0c;

/// The permission to read and write terms in memory, with what differs from release to release: the
/// header of a flat map in the upper half, the type of a short binary in bits 8..16, what a byte
/// counts in its size (1 or 8) in bits 0..8.
#[derive(Clone, Copy)]
pub struct Layout(u64);

/// The words of a [`Layout`]; 0 if there is none. Set once at load, before any NIF is called.
static LAYOUT: AtomicU64 = AtomicU64::new(0);

/// The layout, if it may be used.
#[inline(always)]
pub fn layout() -> Option<Layout> {
    // Relaxed: written before the NIFs can be called, never changed.
    let word = LAYOUT.load(Ordering::Relaxed);
    (word != 0).then_some(Layout(word))
}

/// Allows or forbids the layout.
pub(super) fn load(layout: Option<Layout>) {
    LAYOUT.store(layout.map_or(0, |layout| layout.0), Ordering::Relaxed);
}

/// The header of a tuple.
#[inline(always)]
pub const fn tuple_header(arity: usize) -> u64 {
    (arity as u64) << 6
}

/// True for the header of a tuple.
#[inline(always)]
pub(super) fn is_tuple(head: u64) -> bool {
    head & TYPE == 0
}

/// The words that a term points to, if its tag is this one.
#[inline(always)]
pub(super) fn behind(term: VmTerm, tag: u64) -> Option<*const u64> {
    (term.word() & 3 == tag).then(|| pointer(term.word()))
}

/// Where a word with a tag points to. (Some builds mark literals by a third bit.)
#[inline(always)]
pub(super) fn pointer(word: u64) -> *const u64 {
    std::ptr::with_exposed_provenance((word & !7) as usize)
}

/// Reading.
impl Layout {
    /// What the probes found: the header of a flat map, the type of a short binary, and what a byte
    /// counts in its size.
    ///
    /// # Safety
    /// The VM lays terms out as the module's documentation says, with these.
    pub(super) unsafe fn assume(flat_map: u64, short_binary: u64, unit: u64) -> Layout {
        assert!(flat_map >> 32 == 0 && short_binary <= TYPE && (unit == 1 || unit == 8));
        Layout(flat_map << 32 | short_binary << 8 | unit)
    }

    #[inline(always)]
    pub(super) fn flat_map_header(self) -> u64 {
        self.0 >> 32
    }

    #[inline(always)]
    fn short_binary_type(self) -> u64 {
        self.0 >> 8 & TYPE
    }

    #[inline(always)]
    fn short_binary_unit(self) -> u64 {
        self.0 & 0xff
    }

    /// The header of a boxed term, and where it stands.
    #[inline(always)]
    pub(super) fn boxed(self, term: VmTerm) -> Option<(u64, *const u64)> {
        // SAFETY: a boxed term begins with a header.
        behind(term, BOXED).map(|at| unsafe { (*at, at) })
    }

    /// The head and tail of a list's cell.
    #[inline(always)]
    pub fn cell<'e>(self, term: VmTerm<'e>) -> Option<(VmTerm<'e>, VmTerm<'e>)> {
        let at = behind(term, CELL)?;
        // SAFETY: a cell has two words, which are terms of the same environment.
        unsafe { Some((VmTerm::from_word(*at), VmTerm::from_word(*at.add(1)))) }
    }

    /// The words of a tuple's elements.
    #[inline(always)]
    pub fn tuple<'e>(self, term: VmTerm<'e>) -> Option<&'e [u64]> {
        let (head, at) = self.boxed(term)?;
        // SAFETY: as many elements follow as the header of a tuple says.
        is_tuple(head)
            .then(|| unsafe { std::slice::from_raw_parts(at.add(1), (head >> 6) as usize) })
    }

    /// The value of a float.
    #[inline(always)]
    pub fn float(self, term: VmTerm) -> Option<f64> {
        let (head, at) = self.boxed(term)?;
        // SAFETY: the bits follow the header of a float.
        (head == FLOAT).then(|| f64::from_bits(unsafe { *at.add(1) }))
    }

    /// The sign of a big integer, and its digits, least significant first.
    #[inline(always)]
    pub fn big_integer<'e>(self, term: VmTerm<'e>) -> Option<(bool, &'e [u64])> {
        let (head, at) = self.boxed(term)?;
        let negative = head & TYPE == NEGATIVE_BIG;
        // SAFETY: as many digits follow as the header of a big integer says.
        (negative || head & TYPE == POSITIVE_BIG).then(|| unsafe {
            (negative, std::slice::from_raw_parts(at.add(1), (head >> 6) as usize))
        })
    }

    /// All words of a reference of this node that has no memory elsewhere.
    #[inline(always)]
    pub fn local_reference(self, term: VmTerm) -> Option<[u64; 3]> {
        let (head, at) = self.boxed(term)?;
        if head != REFERENCE {
            return None;
        }
        // SAFETY: two words follow this header.
        let [first, second] = unsafe { [*at.add(1), *at.add(2)] };
        (first & ORDINARY == ORDINARY).then_some([head, first, second])
    }

    /// The bytes of a short binary; nothing for bit strings that do not end at a byte.
    #[inline(always)]
    pub fn short_binary<'e>(self, term: VmTerm<'e>) -> Option<&'e [u8]> {
        let (head, at) = self.boxed(term)?;
        if head & TYPE != self.short_binary_type() {
            return None;
        }
        let unit = self.short_binary_unit();
        // SAFETY: size and bytes follow the header of a short binary.
        unsafe {
            let size = *at.add(1);
            let whole = size & (unit - 1) == 0;
            whole.then(|| std::slice::from_raw_parts(at.add(2).cast(), (size / unit) as usize))
        }
    }

    /// The keys and values of a flat map, in the VM's order.
    #[inline(always)]
    pub fn flat_map<'e>(self, term: VmTerm<'e>) -> Option<(&'e [u64], &'e [u64])> {
        let (head, at) = self.boxed(term)?;
        if head != self.flat_map_header() {
            return None;
        }
        // SAFETY: size, the tuple of the keys and the values follow the header of a flat map.
        unsafe {
            let (size, keys) = (*at.add(1) as usize, pointer(*at.add(2)));
            let values = std::slice::from_raw_parts(at.add(FLAT_MAP_FIXED), size);
            Some((std::slice::from_raw_parts(keys.add(1), size), values))
        }
    }
}

/// A term that was written, and the first word behind it.
pub type Written = (u64, *mut u64);

/// Writing. Every function expects room for the words of the term.
impl Layout {
    /// Writes a float of these bits, in two words.
    ///
    /// # Safety
    /// There is room for them.
    #[inline(always)]
    pub unsafe fn write_float(self, bits: u64, to: *mut u64) -> Written {
        // SAFETY: by contract.
        unsafe {
            to.write(FLOAT);
            to.add(1).write(bits);
            (to as u64 | BOXED, to.add(2))
        }
    }

    /// Writes a big integer, in one word more than it has digits.
    ///
    /// # Safety
    /// There is room for them. The number is no small integer and its last digit not 0.
    #[inline(always)]
    pub unsafe fn write_big_integer(self, negative: bool, digits: &[u64], to: *mut u64) -> Written {
        let kind = if negative { NEGATIVE_BIG } else { POSITIVE_BIG };
        // SAFETY: by contract.
        unsafe {
            to.write((digits.len() as u64) << 6 | kind);
            to.add(1).copy_from_nonoverlapping(digits.as_ptr(), digits.len());
            (to as u64 | BOXED, to.add(1 + digits.len()))
        }
    }

    /// The words of a short binary of so many bits; 0 if that is no short binary.
    #[inline(always)]
    pub fn short_binary_words(self, bits: usize) -> usize {
        let short = bits & 7 == 0 && (8..=8 * LONGEST_SHORT_BINARY).contains(&bits);
        if short { 2 + bits.div_ceil(64) } else { 0 }
    }

    /// The words in front of the bytes of a short binary.
    #[inline(always)]
    pub(super) fn short_binary_head(self, bytes: usize) -> [u64; 2] {
        let words = 1 + bytes.div_ceil(8) as u64;
        [words << 6 | self.short_binary_type(), self.short_binary_unit() * bytes as u64]
    }

    /// Writes a short binary of so many bits, which stand at `from`.
    ///
    /// # Safety
    /// There is room for its [`short_binary_words`](Layout::short_binary_words), which are not 0, and
    /// two less can be read.
    #[inline(always)]
    pub unsafe fn write_short_binary(self, bits: usize, from: *const u64, to: *mut u64) -> Written {
        // SAFETY: by contract.
        unsafe {
            let [head, size] = self.short_binary_head(bits / 8);
            to.write(head);
            to.add(1).write(size);
            let words = bits.div_ceil(64);
            for i in 0..words {
                to.add(2 + i).write(*from.add(i));
            }
            (to as u64 | BOXED, to.add(2 + words))
        }
    }

    /// The words of a flat map of so many pairs, and of the tuple of its keys.
    #[inline(always)]
    pub const fn flat_map_words(self, pairs: usize) -> usize {
        1 + 2 * pairs + FLAT_MAP_FIXED
    }

    /// Writes a flat map of so many pairs but for keys and values: its word, and where the keys and
    /// the values belong.
    ///
    /// # Safety
    /// There is room for its [`flat_map_words`](Layout::flat_map_words). The keys, at least one and at
    /// most 32, will be written in the VM's order.
    #[inline(always)]
    pub unsafe fn open_flat_map(self, pairs: usize, to: *mut u64) -> (u64, *mut u64, *mut u64) {
        // SAFETY: by contract.
        unsafe {
            to.write(tuple_header(pairs));
            let map = to.add(1 + pairs);
            map.write(self.flat_map_header());
            map.add(1).write(pairs as u64);
            map.add(2).write(to as u64 | BOXED);
            (map as u64 | BOXED, to.add(1), map.add(FLAT_MAP_FIXED))
        }
    }

    /// Writes a cell.
    ///
    /// # Safety
    /// There is room for two words.
    #[inline(always)]
    pub unsafe fn write_cell(self, head: u64, tail: u64, to: *mut u64) -> u64 {
        // SAFETY: by contract.
        unsafe {
            to.write(head);
            to.add(1).write(tail);
        }
        to as u64 | CELL
    }
}
