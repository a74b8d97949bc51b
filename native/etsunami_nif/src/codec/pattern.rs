//! Plain patterns, read off the caller's specification as it stands.
//!
//! Only the head is encoded, for this call alone: a tuple of immediates is its own encoding, where
//! the VM keeps it; one that holds flat tuples and short binaries besides goes to the stack; the
//! rest goes through the encoder. What is not plain is left to be encoded and compiled as a whole.

use std::mem::MaybeUninit;

use etsunami::matchspec::Plain;
use etsunami::term::layout::{Kind, block_ref, header, immediate, is_immediate};

use super::encode::{self, Keep, Role, Scratch};
use crate::args;
use crate::atoms::atoms;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::tags;

/// The words of the longest head that is encoded on the stack.
const SHORT: usize = 48;

/// Where the words of a head stand during the call.
pub struct Room {
    short: [MaybeUninit<u64>; SHORT],
    buffer: Option<Scratch>,
}

impl Default for Room {
    #[inline(always)]
    fn default() -> Room {
        Room { short: [MaybeUninit::uninit(); SHORT], buffer: None }
    }
}

/// Makes a fresh pattern that of a specification, if it is plain.
#[inline(always)]
pub fn read<'e: 's, 's>(
    env: Env<'e>,
    spec: VmTerm<'e>,
    room: &'s mut Room,
    plain: &mut Plain<'s>,
) -> Option<()> {
    if tags::portable() {
        return None;
    }
    let [head, guards, body] = args::tuple(env, only(env, spec)?)?;
    let body = only(env, body)?.word();
    match env.tuple(head) {
        Some(elements) => {
            let words = words(env, head, elements, room)?;
            // SAFETY: the words begin with one for each element, and hold their blocks.
            unsafe { plain.head(words, elements.len()) }?;
        }
        None if head.word() == atoms().any.word() => (),
        None => return None,
    }
    let mut rest = guards;
    while rest.word() != immediate::NIL {
        let (guard, more) = env.cell(rest)?;
        let [name, a, b] = args::tuple(env, guard)?;
        plain.guard(name.word(), a.word(), b.word())?;
        rest = more;
    }
    plain.body(Some(body).filter(|&word| immediate::is_atom(word))?)
}

/// The only element of a list.
#[inline(always)]
fn only<'e>(env: Env<'e>, list: VmTerm<'e>) -> Option<VmTerm<'e>> {
    env.cell(list).filter(|(_, tail)| tail.word() == immediate::NIL).map(|(element, _)| element)
}

/// The words of a head: one for each element, and their blocks.
#[inline(always)]
fn words<'e: 's, 's>(
    env: Env<'e>,
    head: VmTerm<'e>,
    elements: &'e [VmTerm<'e>],
    room: &'s mut Room,
) -> Option<&'s [u64]> {
    let all = elements.iter().fold(u64::MAX, |all, element| all & element.word());
    if is_immediate(all) {
        return Some(VmTerm::words(elements));
    }
    if let Some(len) = write(env, elements, &mut room.short) {
        // SAFETY: so many have been written.
        return Some(unsafe { std::slice::from_raw_parts(room.short.as_ptr().cast(), len) });
    }
    let buffer = room.buffer.get_or_insert_with(Scratch::take);
    encode::encode_term(env, head, Role::Key, Keep::Borrow, buffer).ok()?;
    // Behind the root word and the header of the tuple, which is the first block.
    Some(&buffer.words()[2..])
}

/// Writes the words of a head whose elements are immediates, flat tuples and short binaries; gives
/// their number.
fn write<'e>(
    env: Env<'e>,
    elements: &[VmTerm<'e>],
    words: &mut [MaybeUninit<u64>; SHORT],
) -> Option<usize> {
    let mut end = elements.len();
    for (i, &element) in elements.iter().enumerate() {
        let mut root = element.word();
        if !is_immediate(root) {
            let block = words.get_mut(end..)?;
            let (kind, len) = match env.tuple(element) {
                Some(parts) => (Kind::Tuple, tuple(VmTerm::words(parts), block)?),
                None => (Kind::Bits, bits(env.binary(element)?, block)?),
            };
            root = block_ref(kind, end - i);
            end += len;
        }
        words.get_mut(i)?.write(root);
    }
    Some(end)
}

/// Writes a tuple of immediates.
fn tuple(parts: &[u64], block: &mut [MaybeUninit<u64>]) -> Option<usize> {
    let len = 1 + parts.len();
    let (first, rest) = block.get_mut(..len)?.split_first_mut()?;
    first.write(header(parts.len(), len));
    let mut all = u64::MAX;
    for (word, &part) in rest.iter_mut().zip(parts) {
        word.write(part);
        all &= part;
    }
    is_immediate(all).then_some(len)
}

/// Writes a binary.
fn bits(bytes: &[u8], block: &mut [MaybeUninit<u64>]) -> Option<usize> {
    let len = 1 + bytes.len().div_ceil(8);
    let (first, rest) = block.get_mut(..len)?.split_first_mut()?;
    first.write(bytes.len() as u64 * 8);
    for (word, chunk) in rest.iter_mut().zip(bytes.chunks(8)) {
        let mut padded = [0; 8];
        padded[..chunk.len()].copy_from_slice(chunk);
        word.write(u64::from_ne_bytes(padded));
    }
    Some(len)
}
