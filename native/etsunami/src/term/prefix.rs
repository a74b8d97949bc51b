//! 64-bit prefixes that agree with the term order: `a < b` implies `prefix(a) <= prefix(b)`, and
//! terms that are `==` have equal prefixes. A search compares prefixes first and looks at the term
//! itself only where they are equal.
//!
//! The upper 4 bits are the type's rank. The other 60 hold, for
//!
//! - numbers: the nearest double, its bits made monotone, without the lowest 4: neighbours below
//!   2^49 differ;
//! - atoms and bit strings: the first bytes;
//! - local pids: nothing but the rank, since pids of other nodes stand between them;
//! - tuples: the size, then elements, packed; lists: elements, packed;
//! - maps: the size.
//!
//! Packing must not let a later element speak before an earlier one is told completely. So each
//! element is written in a form that is order-preserving and prefix-free, and where that is not
//! possible (a long text, a fraction) packing stops there. A stop fills up with zeros, or with ones
//! where the rest stands above all that is complete at this point.

use super::bits::bit_string;
use super::host::host;
use super::layout::{self, Kind, immediate};
use super::number::Number;
use super::rank;
use super::view::{Roots, Term, View};

const RANK_SHIFT: u32 = 60;

/// The prefix of a term.
#[inline]
pub fn prefix(term: Term) -> u64 {
    let root = term.root();
    if immediate::is_small(root) {
        return number(immediate::small_value(root) as f64);
    }
    if layout::is_immediate(root) {
        let rank = rank::of_immediate(root);
        let payload = if rank == rank::ATOM { leading((host().atom_text)(root)) >> 4 } else { 0 };
        return tagged(rank, payload);
    }
    prefix_block(term)
}

fn prefix_block(term: Term) -> u64 {
    match Kind::of(term.root()) {
        Kind::Tuple | Kind::List | Kind::Map | Kind::Shaped => {
            let mut packer = Packer::default();
            // Full or not, what is packed is the prefix.
            _ = packer.term(term);
            packer.packed()
        }
        Kind::Bits => tagged(rank::BITS, leading(term.block(term.root()).bits().1) >> 4),
        Kind::Float | Kind::Integer => number(Number::of(term).map_or(0.0, nearest)),
        _ => tagged(rank::of(term), bit_string(term).map_or(0, |(_, bytes)| leading(bytes) >> 4)),
    }
}

fn tagged(rank: u8, payload: u64) -> u64 {
    u64::from(rank) << RANK_SHIFT | payload
}

/// The bits of a double as an unsigned number of the same order; both zeros alike.
#[inline(always)]
fn monotone(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

#[inline(always)]
fn number(value: f64) -> u64 {
    tagged(rank::NUMBER, monotone(value) >> 4)
}

/// Rounding to the nearest double is monotone and leaves doubles alone.
fn nearest(value: Number) -> f64 {
    match value {
        Number::Small(value) => value as f64,
        Number::Float(value) => value,
        Number::Big { negative, limbs } => {
            let magnitude = nearest_magnitude(limbs);
            if negative { -magnitude } else { magnitude }
        }
    }
}

/// The upper two limbs as a double, the rest only as "a little more"; infinity beyond all doubles.
fn nearest_magnitude(limbs: &[u64]) -> f64 {
    let [lower @ .., next, top] = limbs else {
        return limbs.first().map_or(0.0, |&limb| limb as f64);
    };
    // A sticky bit below 65 significant ones decides ties as the exact value would.
    let sticky = lower.iter().any(|&limb| limb != 0);
    let leading = u128::from(*top) << 64 | u128::from(*next) | u128::from(sticky);
    let scale = i32::try_from(64 * lower.len()).unwrap_or(i32::MAX);
    leading as f64 * 2f64.powi(scale)
}

/// The first 8 bytes, big-endian.
#[inline]
pub(super) fn leading(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => {
            let mut chunk = [0; 8];
            chunk[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(chunk)
        }
    }
}

/// The prefix cannot tell more.
pub(super) struct Full;

/// Writes bits from the top of a word downwards.
pub(super) struct Packer {
    acc: u64,
    left: u32,
}

impl Default for Packer {
    fn default() -> Self {
        Packer { acc: 0, left: 64 }
    }
}

impl Packer {
    /// What has been written, with zeros behind it.
    pub(super) fn packed(&self) -> u64 {
        self.acc
    }

    /// Appends the low `n` bits of `bits`, n < 64, as far as there is room.
    fn put(&mut self, bits: u64, n: u32) -> Result<(), Full> {
        if n > self.left {
            self.acc |= bits >> (n - self.left);
            self.left = 0;
            return Err(Full);
        }
        self.left -= n;
        self.acc |= bits << self.left;
        if self.left == 0 { Err(Full) } else { Ok(()) }
    }

    /// Nothing more; the rest stands above everything complete so far.
    fn stop_high(&mut self) -> Result<(), Full> {
        self.acc |= (1 << self.left) - 1;
        Err(Full)
    }

    #[inline]
    pub(super) fn term(&mut self, term: Term) -> Result<(), Full> {
        let root = term.root();
        if !layout::is_immediate(root) {
            return self.block(term);
        }
        self.put(u64::from(rank::of_immediate(root)), 4)?;
        match rank::of_immediate(root) {
            rank::NUMBER => self.small(immediate::small_value(root)),
            rank::ATOM => self.text((host().atom_text)(root)),
            rank::NIL => Ok(()),
            // Pids and ports of other nodes stand between those of this one.
            _ => Err(Full),
        }
    }

    fn block(&mut self, term: Term) -> Result<(), Full> {
        self.put(u64::from(rank::of(term)), 4)?;
        match term.view() {
            View::Tuple(elements) => self.tuple(elements),
            View::List { elements, tail } => self.list(elements, tail),
            View::Map(map) => self.size(map.len()).and(Err(Full)),
            View::Integer { negative, limbs } => {
                self.number(nearest(Number::Big { negative, limbs }))
            }
            View::Float(value) => self.number(value),
            _ => match bit_string(term) {
                Some((bits, bytes)) => self.bits(bits, bytes),
                None => Err(Full),
            },
        }
    }

    /// A size: below 31 in 5 bits, else in 5 + 32.
    fn size(&mut self, n: usize) -> Result<(), Full> {
        if n < 31 {
            return self.put(n as u64, 5);
        }
        self.put(31, 5)?;
        self.put(n as u64, 32)
    }

    fn tuple(&mut self, elements: Roots) -> Result<(), Full> {
        self.size(elements.len())?;
        for element in elements {
            self.term(element)?;
        }
        Ok(())
    }

    /// Each tail that is a cell again shows as the rank of a list.
    fn list(&mut self, elements: Roots, tail: Term) -> Result<(), Full> {
        for (i, element) in elements.enumerate() {
            if i > 0 {
                self.put(u64::from(rank::LIST), 4)?;
            }
            self.term(element)?;
        }
        self.term(tail)
    }

    /// Bytes up to a zero byte. A text that contains one is greater than the one it ends.
    fn text(&mut self, text: &[u8]) -> Result<(), Full> {
        for &byte in text {
            self.put(u64::from(byte), 8)?;
            if byte == 0 {
                return self.stop_high();
            }
        }
        self.put(0, 8)
    }

    /// A 1 before each byte, a 0 behind the last. An incomplete last byte stands below the complete
    /// one of the same bits, so it stops low.
    pub(super) fn bits(&mut self, bits: usize, bytes: &[u8]) -> Result<(), Full> {
        for &byte in bytes {
            self.put(1 << 8 | u64::from(byte), 9)?;
        }
        if !bits.is_multiple_of(8) {
            return Err(Full);
        }
        self.put(0, 1)
    }

    /// What `number` writes for an integer below 2^53, at once.
    #[inline]
    fn small(&mut self, value: i64) -> Result<(), Full> {
        let magnitude = value.unsigned_abs();
        if magnitude >= 1 << 53 {
            return self.number(value as f64);
        }
        let class = 64 - magnitude.leading_zeros();
        let tail = class.saturating_sub(1);
        let below = magnitude & ((1 << tail) - 1);
        let bits = (u64::from(1 << 6 | class) << tail | below) << 1;
        let n = 8 + tail;
        self.put(if value < 0 { !bits & ((1 << n) - 1) } else { bits }, n)
    }

    /// A sign, then the magnitude, complemented if negative: a class in 6 bits (0 below 1, the bit
    /// length of the integral part below 2^53, else 54), the integral part without its leading bit,
    /// a 0 if there is no fraction. Integers from 2^53 on come as the nearest double, so packing
    /// stops there.
    fn number(&mut self, value: f64) -> Result<(), Full> {
        let flip = if value < 0.0 { u64::MAX } else { 0 };
        let mut put = |bits: u64, n: u32| self.put((bits ^ flip) & ((1 << n) - 1), n);
        let value = value.abs();
        // The sign itself: 1 for what is not negative.
        put(1, 1)?;
        if value >= (1u64 << 53) as f64 {
            put(54, 6)?;
            put(value.to_bits() >> 1, 62)?;
            return Err(Full);
        }
        let whole = value as u64;
        let class = 64 - whole.leading_zeros();
        put(u64::from(class), 6)?;
        if class > 1 {
            put(whole & ((1 << (class - 1)) - 1), class - 1)?;
        }
        if value == whole as f64 {
            return put(0, 1);
        }
        put(1, 1)?;
        put(value.to_bits() >> 1, 62)?;
        Err(Full)
    }
}
