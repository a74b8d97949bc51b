//! Integers of any size, and the exact order of integers and floats.
//!
//! `==` and the term order compare an integer with a float by their mathematical values: neither is
//! rounded to the other's type. `=:=` and map keys tell all integers from all floats: there every
//! integer comes before every float.
//!
//! Floats are finite: the VM has neither NaN nor infinities.

use std::cmp::Ordering;
use std::ops::Add;

use num_bigint::{BigInt, Sign};

use super::buffer::{Buffer, TooLarge};
use super::host::host;
use super::layout::immediate;
use super::order::Mode;
use super::view::{Term, View};

/// An integer of any size, as `update_counter` computes with it. `Small` if it fits.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Int {
    /// Fits into 64 bits.
    Small(i64),
    /// Does not.
    Big(BigInt),
}

impl Int {
    /// The integer that a term is, if it is one.
    pub fn from_term(term: Term) -> Option<Int> {
        match term.view() {
            View::Small(value) => Some(Int::Small(value)),
            View::Integer { negative, limbs } => Some(Int::from_limbs(negative, limbs)),
            _ => None,
        }
    }

    fn from_limbs(negative: bool, limbs: &[u64]) -> Int {
        let digits = limbs.iter().flat_map(|&limb| [limb as u32, (limb >> 32) as u32]).collect();
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        BigInt::new(sign, digits).into()
    }

    /// The root word, if the integer is one of the VM's small ones.
    #[inline]
    pub fn to_immediate(&self) -> Option<u64> {
        match self {
            Int::Small(value) => immediate::small(*value),
            Int::Big(_) => None,
        }
    }

    /// Writes the integer at root position `at`.
    pub fn to_buffer(&self, buffer: &mut Buffer, at: usize) -> Result<(), TooLarge> {
        match self {
            Int::Small(value) => match immediate::small(*value) {
                Some(word) => buffer.set(at, word),
                None => buffer.integer(at, *value < 0, &[value.unsigned_abs()])?,
            },
            Int::Big(value) => {
                let (sign, limbs) = value.to_u64_digits();
                buffer.integer(at, sign == Sign::Minus, &limbs)?;
            }
        }
        Ok(())
    }

    /// True below zero.
    pub fn is_negative(&self) -> bool {
        match self {
            Int::Small(value) => *value < 0,
            Int::Big(value) => value.sign() == Sign::Minus,
        }
    }

    fn to_big(&self) -> BigInt {
        match self {
            Int::Small(value) => BigInt::from(*value),
            Int::Big(value) => value.clone(),
        }
    }
}

impl From<BigInt> for Int {
    fn from(value: BigInt) -> Int {
        i64::try_from(&value).map_or(Int::Big(value), Int::Small)
    }
}

impl From<i64> for Int {
    fn from(value: i64) -> Int {
        Int::Small(value)
    }
}

impl Add for &Int {
    type Output = Int;

    fn add(self, other: &Int) -> Int {
        if let (Int::Small(a), Int::Small(b)) = (self, other)
            && let Some(sum) = a.checked_add(*b)
        {
            return Int::Small(sum);
        }
        (self.to_big() + other.to_big()).into()
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Int) -> Ordering {
        match (self, other) {
            (Int::Small(a), Int::Small(b)) => a.cmp(b),
            (Int::Big(a), Int::Big(b)) => a.cmp(b),
            // What does not fit is beyond all that fits, on the side of its sign.
            (Int::Small(_), Int::Big(b)) => Sign::NoSign.cmp(&b.sign()),
            (Int::Big(a), Int::Small(_)) => a.sign().cmp(&Sign::NoSign),
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Int) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number as it stands in a term.
#[derive(Clone, Copy)]
pub(super) enum Number<'a> {
    Small(i64),
    Big { negative: bool, limbs: &'a [u64] },
    Float(f64),
}

impl<'a> Number<'a> {
    pub(super) fn of(term: Term<'a>) -> Option<Number<'a>> {
        match term.view() {
            View::Small(value) => Some(Number::Small(value)),
            View::Integer { negative, limbs } => Some(Number::Big { negative, limbs }),
            View::Float(value) => Some(Number::Float(value)),
            _ => None,
        }
    }

    /// The order of two numbers, by value or with integers before floats.
    pub(super) fn compare(self, other: Number, mode: Mode) -> Ordering {
        use Number::{Big, Float, Small};
        match (self, other) {
            (Small(a), Small(b)) => a.cmp(&b),
            (Big { negative, .. }, Small(_)) => sign_order(negative),
            (Small(_), Big { negative, .. }) => sign_order(negative).reverse(),
            (Big { negative: a, limbs: x }, Big { negative: b, limbs: y }) => {
                compare_bigs(a, x, b, y)
            }
            (Float(a), Float(b)) => compare_floats(a, b, mode),
            (Float(_), _) if mode != Mode::Value => Ordering::Greater,
            (_, Float(_)) if mode != Mode::Value => Ordering::Less,
            (Small(a), Float(b)) => compare_small_float(a, b),
            (Float(a), Small(b)) => compare_small_float(b, a).reverse(),
            (Big { negative, limbs }, Float(b)) => compare_big_float(negative, limbs, b),
            (Float(a), Big { negative, limbs }) => compare_big_float(negative, limbs, a).reverse(),
        }
    }
}

/// Where a number beyond all small ones stands relative to a small one.
fn sign_order(negative: bool) -> Ordering {
    if negative { Ordering::Less } else { Ordering::Greater }
}

fn compare_bigs(a_negative: bool, a: &[u64], b_negative: bool, b: &[u64]) -> Ordering {
    if a_negative != b_negative {
        return sign_order(a_negative);
    }
    let magnitude = a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()));
    if a_negative { magnitude.reverse() } else { magnitude }
}

/// By value; where `=:=` tells the zeros apart, the exact order puts `-0.0` first.
fn compare_floats(a: f64, b: f64, mode: Mode) -> Ordering {
    match a.partial_cmp(&b) {
        Some(Ordering::Equal) if mode != Mode::Value && !host().zero_floats_equal => {
            a.total_cmp(&b)
        }
        Some(order) => order,
        None => a.total_cmp(&b),
    }
}

/// Exact: the float's integral part is compared as an integer, then its fraction with 0.
fn compare_small_float(a: i64, b: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if b >= LIMIT {
        return Ordering::Less;
    }
    if b < -LIMIT {
        return Ordering::Greater;
    }
    let whole = b.trunc();
    a.cmp(&(whole as i64)).then_with(|| {
        if b > whole {
            Ordering::Less
        } else if b < whole {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    })
}

/// Exact: signs, then bit lengths, then the leading 64 bits, then what the integer has below them.
fn compare_big_float(negative: bool, limbs: &[u64], b: f64) -> Ordering {
    if negative != (b < 0.0) {
        return sign_order(negative);
    }
    let magnitude = compare_magnitude(limbs, b.abs());
    if negative { magnitude.reverse() } else { magnitude }
}

/// `limbs` hold more than 59 bits, so a float of the same bit length has no fraction. Infinity, which
/// is no term but may end a range, is beyond all integers.
fn compare_magnitude(limbs: &[u64], b: f64) -> Ordering {
    if b == f64::INFINITY {
        return Ordering::Less;
    }
    let Some((&top, rest)) = limbs.split_last() else {
        return 0.0.partial_cmp(&b).unwrap_or(Ordering::Less);
    };
    let shift = top.leading_zeros();
    let bits = limbs.len() as i64 * 64 - i64::from(shift);
    let exponent = (b.to_bits() >> 52) as i64 - 1022;
    if bits != exponent {
        return bits.cmp(&exponent);
    }
    let next = rest.last().copied().unwrap_or(0);
    let leading = if shift == 0 { top } else { top << shift | next >> (64 - shift) };
    let mantissa = (1 << 63) | (b.to_bits() << 11);
    leading.cmp(&mantissa).then_with(|| {
        let below = if shift == 0 { next } else { next << shift };
        let lower = rest.split_last().map_or(&[][..], |(_, lower)| lower);
        if below == 0 && lower.iter().all(|&limb| limb == 0) {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    })
}
