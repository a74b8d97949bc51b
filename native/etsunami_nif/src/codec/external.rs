//! The pieces of the external term format that the C interface has no other access to: the limbs of
//! big integers, bit strings, atom text, the numbers of references.
//!
//! Only what the VM itself has just written is parsed here, so a tag that is not expected means
//! "another type of term", not an error.

/// The first byte of every external term.
pub const VERSION: u8 = 131;

const SMALL_BIG: u8 = 110;
const LARGE_BIG: u8 = 111;
const BIT_BINARY: u8 = 77;
const NEWER_REFERENCE: u8 = 90;
const ATOM_LATIN1: u8 = 100;
const SMALL_ATOM_LATIN1: u8 = 115;
const ATOM_UTF8: u8 = 118;
const SMALL_ATOM_UTF8: u8 = 119;

/// A number of four bytes, and the rest.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*length) as usize, rest))
}

/// The sign and limbs (least significant first, normalised) of a big integer.
pub fn big_integer(external: &[u8]) -> Option<(bool, Vec<u64>)> {
    let (count, rest) = match external {
        [VERSION, SMALL_BIG, count, rest @ ..] => (usize::from(*count), rest),
        [VERSION, LARGE_BIG, rest @ ..] => length(rest)?,
        _ => return None,
    };
    let (&sign, magnitude) = rest.split_first()?;
    let mut limbs: Vec<u64> = magnitude.get(..count)?.chunks(8).map(limb).collect();
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    Some((sign != 0, limbs))
}

fn limb(bytes: &[u8]) -> u64 {
    let mut raw = [0; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(raw)
}

/// Writes a big integer.
pub fn write_big_integer(negative: bool, limbs: &[u64], to: &mut Vec<u8>) {
    let bytes = limbs.len() * 8;
    to.push(VERSION);
    match u8::try_from(bytes) {
        Ok(count) => to.extend([SMALL_BIG, count]),
        Err(_) => {
            to.push(LARGE_BIG);
            to.extend((bytes as u32).to_be_bytes());
        }
    }
    to.push(u8::from(negative));
    to.extend(limbs.iter().flat_map(|limb| limb.to_le_bytes()));
}

/// The hash of a reference by its numbers: that of the block of a local reference.
pub fn reference_hash(external: &[u8]) -> Option<u64> {
    let [VERSION, NEWER_REFERENCE, rest @ ..] = external else { return None };
    let (count, rest) = rest.split_first_chunk()?;
    let numbers = rest.len().checked_sub(4 * usize::from(u16::from_be_bytes(*count)))?;
    let mut numbers = rest[numbers..]
        .chunks_exact(4)
        .map(|number| number.iter().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte)));
    let mut next = || numbers.next().unwrap_or(0);
    let (first, second, third) = (next(), next(), next());
    Some((first << 32 | u64::from(u32::MAX)) ^ (third << 32 | second))
}

/// The length in bits and the bytes of a bit string that does not end at a byte. The VM writes
/// unused bits as zeros.
pub fn bit_string(external: &[u8]) -> Option<(usize, &[u8])> {
    let [VERSION, BIT_BINARY, rest @ ..] = external else { return None };
    let (count, rest) = length(rest)?;
    let (&last, bytes) = rest.split_first()?;
    let bits = (count * 8).checked_sub(8)? + usize::from(last);
    Some((bits, bytes.get(..count)?))
}

/// Writes a bit string that does not end at a byte.
pub fn write_bit_string(bits: usize, bytes: &[u8], to: &mut Vec<u8>) {
    to.extend([VERSION, BIT_BINARY]);
    to.extend((bytes.len() as u32).to_be_bytes());
    to.push((bits % 8) as u8);
    to.extend(bytes);
}

/// The text of an atom, in UTF-8.
pub fn atom_text(external: &[u8]) -> Option<Vec<u8>> {
    let (latin1, text) = match external {
        [VERSION, ATOM_UTF8, _, _, text @ ..] | [VERSION, SMALL_ATOM_UTF8, _, text @ ..] => {
            (false, text)
        }
        [VERSION, ATOM_LATIN1, _, _, text @ ..] | [VERSION, SMALL_ATOM_LATIN1, _, text @ ..] => {
            (true, text)
        }
        _ => return None,
    };
    Some(if latin1 {
        text.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes()
    } else {
        text.to_vec()
    })
}
