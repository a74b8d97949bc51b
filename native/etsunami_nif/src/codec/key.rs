//! A key that is looked up during a call.

use etsunami::term::layout::is_immediate;
use etsunami::term::view::Term;

use super::encode::{Failure, Keep, Role, Scratch, encode_term};
use super::quick::Quick;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::tags;

/// Where a looked up key stands during the call.
#[derive(Default)]
pub struct Slot {
    word: u64,
    quick: Quick,
    buffer: Option<Scratch>,
}

/// Encodes a key to be looked up during this call. A small one touches no buffer.
#[inline]
pub fn encode_key<'s>(env: Env, term: VmTerm, slot: &'s mut Slot) -> Result<Term<'s>, Failure> {
    slot.word = term.word();
    if is_immediate(slot.word) && !tags::portable() {
        return Ok(Term::immediate(&slot.word));
    }
    let Slot { quick, buffer, .. } = slot;
    match quick.key(env, term) {
        Some(key) => Ok(key),
        None => encode_key_block(env, term, buffer),
    }
}

#[inline(never)]
fn encode_key_block<'s>(
    env: Env,
    term: VmTerm,
    buffer: &'s mut Option<Scratch>,
) -> Result<Term<'s>, Failure> {
    let buffer = buffer.get_or_insert_with(Scratch::take);
    encode_term(env, term, Role::Key, Keep::Borrow, buffer)?;
    // SAFETY: `encode_term` has just written a well-formed encoding.
    Ok(unsafe { Term::at(buffer.words(), 0) })
}
