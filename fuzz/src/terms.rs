//! Terms out of bytes.
//!
//! Atoms live for ever, so they come from a pool: that of the words of match specifications, or a
//! few others with common beginnings.

use arbitrary::{Result, Unstructured};
use etsunami::term::testing::{Place, Sample};
use num_bigint::{BigInt, Sign};

/// How deep a term may be nested. The models recurse; depth has tests of its own.
const DEPTH: usize = 6;

const TEXTS: [&str; 14] = [
    "",
    "a",
    "b",
    "ab",
    "a\0",
    "a\0b",
    "abcdefg",
    "abcdefgh",
    "abcdefghi",
    "é",
    "日本",
    "true",
    "[]",
    "_",
];

/// What means something in a match specification.
const WORDS: [&str; 72] = [
    "_",
    "$_",
    "$$",
    "$0",
    "$1",
    "$2",
    "$3",
    "$99999999",
    "const",
    "and",
    "or",
    "not",
    "xor",
    "andalso",
    "orelse",
    "+",
    "-",
    "*",
    "div",
    "rem",
    "/",
    "band",
    "bor",
    "bxor",
    "bnot",
    "bsl",
    "bsr",
    ">",
    ">=",
    "<",
    "=<",
    "=:=",
    "==",
    "=/=",
    "/=",
    "is_atom",
    "is_float",
    "is_integer",
    "is_list",
    "is_number",
    "is_pid",
    "is_port",
    "is_reference",
    "is_tuple",
    "is_map",
    "is_map_key",
    "is_binary",
    "is_bitstring",
    "is_function",
    "is_record",
    "is_boolean",
    "abs",
    "element",
    "hd",
    "tl",
    "length",
    "map_size",
    "map_get",
    "node",
    "round",
    "size",
    "bit_size",
    "byte_size",
    "tuple_size",
    "binary_part",
    "trunc",
    "float",
    "ceil",
    "floor",
    "self",
    "min",
    "max",
];

/// A term of any type.
pub fn sample(bytes: &mut Unstructured) -> Result<Sample> {
    nested(bytes, DEPTH)
}

fn nested(bytes: &mut Unstructured, depth: usize) -> Result<Sample> {
    let kinds = if depth == 0 { 10 } else { 14 };
    Ok(match bytes.int_in_range(0..=kinds)? {
        0 | 1 => Sample::Int(bytes.int_in_range(-3..=6)?.into()),
        2 => Sample::Int(integer(bytes)?),
        3 => Sample::Float(float(bytes)?),
        4 | 5 => Sample::Atom((*bytes.choose(&TEXTS)?).into()),
        6 => Sample::Atom((*bytes.choose(&WORDS)?).into()),
        7 => bits(bytes)?,
        8 => Sample::Reference(bytes.int_in_range(0..=5)?),
        9 => identifier(bytes)?,
        10 => Sample::Nil,
        11 | 12 => Sample::Tuple(several(bytes, depth)?),
        13 => list(bytes, depth)?,
        _ => {
            let keys = several(bytes, depth)?;
            let values =
                keys.iter().map(|_| nested(bytes, depth - 1)).collect::<Result<Vec<_>>>()?;
            Sample::Map(keys.into_iter().zip(values).collect())
        }
    })
}

fn several(bytes: &mut Unstructured, depth: usize) -> Result<Vec<Sample>> {
    (0..bytes.int_in_range(0..=5)?).map(|_| nested(bytes, depth - 1)).collect()
}

fn list(bytes: &mut Unstructured, depth: usize) -> Result<Sample> {
    let elements = several(bytes, depth)?;
    if elements.is_empty() {
        return Ok(Sample::Nil);
    }
    // A list as a tail would be a longer list.
    let tail = if bytes.ratio(1, 6)? { nested(bytes, 0)? } else { Sample::Nil };
    Ok(Sample::List(elements, Box::new(tail)))
}

fn identifier(bytes: &mut Unstructured) -> Result<Sample> {
    Ok(match bytes.int_in_range(0..=3)? {
        0 => Sample::Fun(bytes.int_in_range(0..=5)?),
        1 => Sample::Port(bytes.int_in_range(0..=5)?),
        2 => Sample::Pid(bytes.int_in_range(0..=5)?),
        _ => Sample::ExternalPid(bytes.int_in_range(0..=2)?),
    })
}

fn integer(bytes: &mut Unstructured) -> Result<BigInt> {
    let sign = if bytes.arbitrary()? { Sign::Minus } else { Sign::Plus };
    if bytes.arbitrary()? {
        let near: i64 = bytes.int_in_range(-2..=2)?;
        let power = BigInt::from(1) << bytes.int_in_range(0..=1100u32)?;
        return Ok(BigInt::from_biguint(sign, power.into_parts().1) + near);
    }
    let limbs = (0..bytes.int_in_range(0..=5)?).map(|_| bytes.arbitrary());
    Ok(BigInt::new(sign, limbs.collect::<Result<_>>()?))
}

fn float(bytes: &mut Unstructured) -> Result<f64> {
    let value = if bytes.arbitrary()? {
        f64::from_bits(bytes.arbitrary()?)
    } else {
        // Next to an integer, or one.
        let exact = 2f64.powi(bytes.int_in_range(0..=1023)?);
        let step: i64 = bytes.int_in_range(-1..=1)?;
        let near = f64::from_bits((exact.to_bits() as i64 + step) as u64);
        if bytes.arbitrary()? { -near } else { near }
    };
    Ok(if value.is_finite() { value } else { -0.0 })
}

fn bits(bytes: &mut Unstructured) -> Result<Sample> {
    let length = bytes.int_in_range(0..=20)?;
    let content = bytes.bytes(length.min(bytes.len()))?.to_vec();
    let unused = if content.is_empty() { 0 } else { bytes.int_in_range(0..=7)? };
    Ok(Sample::Bits(content, unused))
}

/// A term that is often one of the given, with a change.
pub fn relative(bytes: &mut Unstructured, of: &Sample) -> Result<Sample> {
    Ok(match of {
        _ if bytes.ratio(1, 5)? => sample(bytes)?,
        Sample::Tuple(parts) if !parts.is_empty() => Sample::Tuple(changed(bytes, parts)?),
        Sample::List(parts, tail) => Sample::List(changed(bytes, parts)?, tail.clone()),
        Sample::Map(pairs) if !pairs.is_empty() => {
            let mut pairs = pairs.clone();
            let at = bytes.choose_index(pairs.len())?;
            match bytes.int_in_range(0..=2)? {
                0 => pairs.reverse(),
                1 => pairs[at].0 = relative(bytes, &pairs[at].0.clone())?,
                _ => pairs[at].1 = relative(bytes, &pairs[at].1.clone())?,
            }
            Sample::Map(pairs)
        }
        Sample::Int(value) => {
            let float = value.to_string().parse::<f64>().unwrap_or(0.0);
            Sample::Float(if float.is_finite() { float } else { f64::MAX })
        }
        Sample::Float(value) => Sample::Float(-value),
        other => other.clone(),
    })
}

fn changed(bytes: &mut Unstructured, parts: &[Sample]) -> Result<Vec<Sample>> {
    let mut parts = parts.to_vec();
    let at = bytes.choose_index(parts.len())?;
    parts[at] = relative(bytes, &parts[at].clone())?;
    Ok(parts)
}

/// Where a term will stand.
pub fn place(bytes: &mut Unstructured) -> Result<Place> {
    bytes.choose(&[Place::Key, Place::Value, Place::Shared]).copied()
}
