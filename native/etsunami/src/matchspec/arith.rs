//! Arithmetic of guards and bodies: exact on integers of any size, IEEE doubles on floats, and
//! every exception of the VM an [`Undefined`].
//!
//! A number beyond the VM's greatest integer is its `system_limit`, which a guard and a body treat
//! like any other exception. Big integers become floats limb by limb from the top, as the VM does.

use num_bigint::{BigInt, Sign};

use crate::term::layout::immediate;
use crate::term::number::Int;
use crate::term::view::{Term, View};

/// An exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Undefined;

type Result<T = Number> = std::result::Result<T, Undefined>;

/// The bits of the greatest integer.
const MAX_BITS: u64 = 4_194_303;

/// A number.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Number {
    Int(Int),
    Float(f64),
}

/// An operator of two arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Div,
    Rem,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
}

/// An operator of one argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unary {
    Plus,
    Minus,
    Abs,
    Float,
    Round,
    Trunc,
    Ceil,
    Floor,
    BitNot,
}

impl Number {
    pub(super) fn of(term: Term) -> Result {
        match term.view() {
            View::Float(value) => Ok(Number::Float(value)),
            _ => Int::from_term(term).map(Number::Int).ok_or(Undefined),
        }
    }

    fn float(&self) -> Result<f64> {
        match self {
            Number::Float(value) => Ok(*value),
            Number::Int(Int::Small(value)) => Ok(*value as f64),
            Number::Int(Int::Big(value)) => big_to_float(value),
        }
    }

    fn int(self) -> Result<Int> {
        match self {
            Number::Int(value) => Ok(value),
            Number::Float(_) => Err(Undefined),
        }
    }
}

fn big_to_float(value: &BigInt) -> Result<f64> {
    const BASE: f64 = 18_446_744_073_709_551_616.0;
    let (sign, limbs) = value.to_u64_digits();
    let magnitude = limbs.iter().rev().fold(0.0, |sum, &limb| sum * BASE + limb as f64);
    finite(if sign == Sign::Minus { -magnitude } else { magnitude })
}

fn finite(value: f64) -> Result<f64> {
    if value.is_finite() { Ok(value) } else { Err(Undefined) }
}

fn big(value: Int) -> BigInt {
    match value {
        Int::Small(value) => BigInt::from(value),
        Int::Big(value) => value,
    }
}

/// An integer of allowed size.
fn integer(value: BigInt) -> Result {
    if value.bits() > MAX_BITS { Err(Undefined) } else { Ok(Number::Int(value.into())) }
}

/// The result of an operator for the words of two small integers, if it is one too. None where the
/// words are something else, too.
#[inline(always)]
pub(super) fn small(operator: Binary, a: u64, b: u64) -> Option<u64> {
    /// The tag of a small integer. Its value is in the bits above.
    const TAG: i64 = 0xf;
    const BITS: u32 = 4;
    if !immediate::is_small(a & b) {
        return None;
    }
    let (a, b) = (a as i64, b as i64);
    let word = match operator {
        Binary::Add => a.checked_add(b - TAG)?,
        Binary::Subtract => a.checked_sub(b - TAG)?,
        Binary::Multiply => (a >> BITS).checked_mul(b - TAG)? + TAG,
        Binary::BitAnd => a & b,
        Binary::BitOr => a | b,
        Binary::BitXor => (a ^ b) | TAG,
        Binary::Rem => (((a >> BITS).checked_rem(b >> BITS)?) << BITS) | TAG,
        Binary::Div => return immediate::small((a >> BITS).checked_div(b >> BITS)?),
        Binary::Divide | Binary::ShiftLeft | Binary::ShiftRight => return None,
    };
    Some(word as u64)
}

/// The result of an operator for the word of a small integer, if it is one too.
#[inline(always)]
pub(super) fn small_unary(operator: Unary, word: u64) -> Option<u64> {
    let value = immediate::small_value(word);
    match operator {
        Unary::Plus | Unary::Round | Unary::Trunc | Unary::Ceil | Unary::Floor => Some(word),
        Unary::Minus => immediate::small(-value),
        Unary::Abs => immediate::small(value.abs()),
        Unary::BitNot => immediate::small(!value),
        Unary::Float => None,
    }
}

pub(super) fn binary(operator: Binary, a: Number, b: Number) -> Result {
    use Binary::*;
    match operator {
        Add | Subtract | Multiply => match (a, b) {
            (Number::Int(a), Number::Int(b)) => ring(operator, a, b),
            (a, b) => ring_floats(operator, a.float()?, b.float()?),
        },
        Divide => {
            let (a, b) = (a.float()?, b.float()?);
            if b == 0.0 { Err(Undefined) } else { finite(a / b).map(Number::Float) }
        }
        Div | Rem => divide(operator, a.int()?, b.int()?),
        BitAnd | BitOr | BitXor => bits(operator, a.int()?, b.int()?),
        ShiftLeft => shift(a.int()?, b.int()?, false),
        ShiftRight => shift(a.int()?, b.int()?, true),
    }
}

fn ring(operator: Binary, a: Int, b: Int) -> Result {
    if let (&Int::Small(a), &Int::Small(b)) = (&a, &b) {
        let exact = match operator {
            Binary::Add => a.checked_add(b),
            Binary::Subtract => a.checked_sub(b),
            _ => a.checked_mul(b),
        };
        if let Some(value) = exact {
            return Ok(Number::Int(Int::Small(value)));
        }
    }
    let (a, b) = (big(a), big(b));
    integer(match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        _ if a.bits() + b.bits() > MAX_BITS + 1 => return Err(Undefined),
        _ => a * b,
    })
}

fn ring_floats(operator: Binary, a: f64, b: f64) -> Result {
    finite(match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        _ => a * b,
    })
    .map(Number::Float)
}

/// Truncates towards zero; the remainder has the sign of the dividend.
fn divide(operator: Binary, a: Int, b: Int) -> Result {
    let remainder = operator == Binary::Rem;
    if b == Int::Small(0) {
        return Err(Undefined);
    }
    if let (&Int::Small(a), &Int::Small(b)) = (&a, &b) {
        let exact = if remainder { a.checked_rem(b) } else { a.checked_div(b) };
        if let Some(value) = exact {
            return Ok(Number::Int(Int::Small(value)));
        }
    }
    let (a, b) = (big(a), big(b));
    integer(if remainder { a % b } else { a / b })
}

fn bits(operator: Binary, a: Int, b: Int) -> Result {
    match (&a, &b) {
        (&Int::Small(a), &Int::Small(b)) => Ok(Number::Int(Int::Small(match operator {
            Binary::BitAnd => a & b,
            Binary::BitOr => a | b,
            _ => a ^ b,
        }))),
        _ => {
            let (a, b) = (big(a), big(b));
            integer(match operator {
                Binary::BitAnd => a & b,
                Binary::BitOr => a | b,
                _ => a ^ b,
            })
        }
    }
}

/// A shift by a negative count goes the other way.
fn shift(value: Int, by: Int, right: bool) -> Result {
    if value == Int::Small(0) {
        return Ok(Number::Int(value));
    }
    let right = right != by.is_negative();
    let count = match by {
        Int::Small(count) => count.unsigned_abs(),
        Int::Big(_) => u64::MAX,
    };
    if !right && count > MAX_BITS {
        return Err(Undefined);
    }
    if right && count > MAX_BITS {
        return Ok(Number::Int(Int::Small(if value.is_negative() { -1 } else { 0 })));
    }
    let value = big(value);
    integer(if right { value >> count } else { value << count })
}

pub(super) fn unary(operator: Unary, a: Number) -> Result {
    use Unary::*;
    match (operator, a) {
        (Plus, a) => Ok(a),
        (Float, a) => a.float().map(Number::Float),
        (BitNot, a) => match a.int()? {
            Int::Small(value) => Ok(Number::Int(Int::Small(!value))),
            Int::Big(value) => integer(!value),
        },
        (Minus, Number::Float(value)) => Ok(Number::Float(-value)),
        (Minus, Number::Int(value)) => integer(-big(value)),
        (Abs, Number::Float(value)) => Ok(Number::Float(value.abs())),
        (Abs, Number::Int(value)) if value.is_negative() => integer(-big(value)),
        (Round, Number::Float(value)) => Ok(whole(value.round())),
        (Trunc, Number::Float(value)) => Ok(whole(value.trunc())),
        (Ceil, Number::Float(value)) => Ok(whole(value.ceil())),
        (Floor, Number::Float(value)) => Ok(whole(value.floor())),
        (_, a) => Ok(a),
    }
}

/// The integer that an integral float is.
fn whole(value: f64) -> Number {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.abs() < EXACT {
        return Number::Int(Int::Small(value as i64));
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52 & 0x7ff) - 1075;
    let mantissa = BigInt::from(bits & ((1 << 52) - 1) | 1 << 52) << exponent;
    Number::Int(if value < 0.0 { -mantissa } else { mantissa }.into())
}
