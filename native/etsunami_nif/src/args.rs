//! Reading arguments, once the table has been found.

use etsunami::term::layout::immediate;

use crate::atoms::atoms;
use crate::error::{BADARG, Raise};
use crate::vm::{Env, VmTerm};
use crate::vm_terms::{layout, tags};

/// What an argument becomes.
pub type Parsed<'e, T> = Result<T, Raise<'e>>;

/// `true` or `false`.
pub fn boolean<'e>(term: VmTerm<'e>) -> Parsed<'e, bool> {
    match term.word() {
        word if word == atoms().r#true.word() => Ok(true),
        word if word == atoms().r#false.word() => Ok(false),
        _ => Err(BADARG),
    }
}

/// A non-negative integer of a machine word.
pub fn natural<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, u64> {
    env.uint64(term).ok_or(BADARG)
}

/// A position in a tuple: a small integer, 1-based. Positions beyond any tuple are positions.
#[inline(always)]
pub fn position<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, usize> {
    match small_int(env, term) {
        Some(position) if position > 0 => Ok(position as usize),
        _ => Err(BADARG),
    }
}

/// True if the term may be a list: what is certainly a tuple, on the VMs that are known, is not
/// asked for.
#[inline(always)]
pub fn may_be_list(env: Env, term: VmTerm) -> bool {
    const BOXED: u64 = 2;
    (tags::portable() || term.word() & 3 != BOXED) && is_list(env, term)
}

/// The value of an integer that is small for the VM.
#[inline(always)]
pub fn small_int(env: Env, term: VmTerm) -> Option<i64> {
    if !tags::portable() {
        let word = term.word();
        return immediate::is_small(word).then(|| immediate::small_value(word));
    }
    env.int64(term).filter(|&value| immediate::small(value).is_some())
}

/// The elements of a tuple of this arity.
#[inline(always)]
pub fn tuple<'e, const N: usize>(env: Env<'e>, term: VmTerm<'e>) -> Option<[VmTerm<'e>; N]> {
    env.tuple(term)?.try_into().ok()
}

/// The word of a pid of this node.
pub fn local_pid<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, u64> {
    env.local_pid(term).ok_or(BADARG)
}

/// The word of an atom.
pub fn atom<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, u64> {
    if env.is_atom(term) { Ok(term.word()) } else { Err(BADARG) }
}

/// True for `[]` and list cells.
pub fn is_list<'e>(env: Env<'e>, term: VmTerm<'e>) -> bool {
    env.is_nil(term) || env.cell(term).is_some()
}

/// The head and tail of a list's cell, read in place where that is known to be right.
#[inline(always)]
pub fn cell<'e>(env: Env<'e>, term: VmTerm<'e>) -> Option<(VmTerm<'e>, VmTerm<'e>)> {
    layout().map_or_else(|| env.cell(term), |layout| layout.cell(term))
}

/// True for `[]`.
#[inline(always)]
pub fn is_nil(env: Env, term: VmTerm) -> bool {
    if tags::portable() { env.is_nil(term) } else { term.word() == immediate::NIL }
}

/// The length of a proper list.
pub fn list_length<'e>(env: Env<'e>, term: VmTerm<'e>) -> Parsed<'e, usize> {
    env.list_length(term).ok_or(BADARG)
}

/// Calls `f` with each element of a proper list.
pub fn for_each<'e>(
    env: Env<'e>,
    list: VmTerm<'e>,
    mut f: impl FnMut(VmTerm<'e>) -> Parsed<'e, ()>,
) -> Parsed<'e, ()> {
    let mut rest = list;
    while let Some((head, tail)) = env.cell(rest) {
        f(head)?;
        rest = tail;
    }
    if env.is_nil(rest) { Ok(()) } else { Err(BADARG) }
}
