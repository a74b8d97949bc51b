//! The words of immediates: checked once, or translated.
//!
//! The encoding stores small integers, atoms, local pids and ports and `[]` as the very words of
//! the VM ([`immediate`]). At load [`load`] makes known terms and looks at their words. A VM that
//! tags them otherwise (or `ETSUNAMI_PORTABLE=1` in the environment) gets the portable path: every
//! immediate is recognised by predicates and translated in both directions: small integers are
//! tagged by us, atoms get an index of ours and are interned for ever, `[]` has our word, and pids
//! and ports, local or not, are stored in the external term format. (So on this path a local pid
//! stored before the node gets a name comes back as one of another node.)
//!
//! A local port cannot be made at load. But its tag is the only one of four bits that the other
//! immediates leave; and if a port were no immediate, it would be stored in the external format.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use etsunami::accounting::exempt;
use etsunami::term::layout::immediate;

use crate::vm::{Env, VmTerm};

/// Set once at load, before any term is encoded; the load happens before every NIF call.
static PORTABLE: AtomicBool = AtomicBool::new(false);

/// Atoms of the portable path: the VM's words by our index, and back.
static INTERNED: RwLock<Option<Interned>> = RwLock::new(None);

#[derive(Default)]
struct Interned {
    indices: HashMap<u64, u64>,
    words: Vec<u64>,
}

/// True if immediates have to be translated.
#[inline(always)]
pub fn portable() -> bool {
    // Relaxed: written before the NIFs can be called, never changed.
    PORTABLE.load(Ordering::Relaxed)
}

/// Decides between the two paths.
pub fn load(env: Env) {
    let forced = std::env::var_os("ETSUNAMI_PORTABLE").is_some_and(|value| value == "1");
    PORTABLE.store(forced || !as_assumed(env), Ordering::Relaxed);
}

/// True if known terms have the words that the layout assumes.
fn as_assumed(env: Env) -> bool {
    integers(env) && atoms(env) && others(env)
}

fn integers(env: Env) -> bool {
    const EDGE: i64 = 1 << 59;
    let small = [0, 1, -1, 42, 1 << 31, EDGE - 1, -EDGE];
    let big = [EDGE, -EDGE - 1, i64::MAX, i64::MIN];
    small.iter().all(|&value| Some(env.make_int64(value).word()) == immediate::small(value))
        && big.iter().all(|&value| is_boxed(env.make_int64(value)))
}

fn atoms(env: Env) -> bool {
    let words = ["true", "false", "ok", "etsunami_error"].map(|text| env.atom(text).word());
    words.iter().all(|&word| immediate::is_atom(word) && immediate::atom_index(word) < 1 << 31)
        && words[0] != words[1]
}

fn others(env: Env) -> bool {
    let nil = env.make_list(&[]);
    let cell = env.make_list(&[nil]);
    let boxed = [env.make_tuple(&[nil]), env.make_float(1.5), env.make_binary(b"x")];
    nil.word() == immediate::NIL
        && cell.word() & 3 == 1
        && boxed.into_iter().all(is_boxed)
        && env.self_pid().is_none_or(|pid| immediate::is_pid(pid.word()))
}

fn is_boxed(term: VmTerm) -> bool {
    term.word() & 3 == 2
}

/// The term of an integer.
#[inline(always)]
pub fn small<'e>(env: Env<'e>, value: i64) -> VmTerm<'e> {
    match immediate::small(value) {
        // SAFETY: the word of a small integer, as the VM was found to write it.
        Some(word) if !portable() => unsafe { VmTerm::from_word(word) },
        _ => env.make_int64(value),
    }
}

/// The term of `[]`.
#[inline(always)]
pub fn nil(env: Env) -> VmTerm {
    // SAFETY: the word of `[]`, as the VM was found to write it.
    if portable() { env.make_list(&[]) } else { unsafe { VmTerm::from_word(immediate::NIL) } }
}

/// Portable path: the immediate that stands for a term, if it is one.
pub fn import(env: Env, term: VmTerm) -> Option<u64> {
    if env.is_atom(term) {
        Some(intern(term.word()) << 6 | 0x0b)
    } else if env.is_nil(term) {
        Some(immediate::NIL)
    } else {
        env.int64(term).and_then(immediate::small)
    }
}

/// The number of an atom: dense, and never reused.
#[inline(always)]
pub fn atom_number(env: Env, term: VmTerm) -> Option<usize> {
    if portable() {
        let atom = import(env, term).filter(|&word| immediate::is_atom(word))?;
        return Some(immediate::atom_index(atom));
    }
    immediate::is_atom(term.word()).then(|| immediate::atom_index(term.word()))
}

/// Portable path: the term of an immediate.
pub fn export<'e>(env: Env<'e>, word: u64) -> VmTerm<'e> {
    if immediate::is_small(word) {
        env.make_int64(immediate::small_value(word))
    } else if immediate::is_atom(word) {
        atom(immediate::atom_index(word))
    } else {
        env.make_list(&[])
    }
}

/// The VM's atom of an atom index, on either path.
pub fn atom(index: usize) -> VmTerm<'static> {
    let word = if portable() {
        let guard = INTERNED.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        guard.as_ref().expect("an interned atom").words[index]
    } else {
        (index as u64) << 6 | 0x0b
    };
    // SAFETY: the word of an atom that the VM made; atoms live for ever.
    unsafe { VmTerm::from_word(word) }
}

fn intern(word: u64) -> u64 {
    let guard = INTERNED.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(&index) = guard.as_ref().and_then(|atoms| atoms.indices.get(&word)) {
        return index;
    }
    drop(guard);
    let mut guard = INTERNED.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let Interned { indices, words } = guard.get_or_insert_default();
    exempt(|| {
        *indices.entry(word).or_insert_with(|| {
            words.push(word);
            words.len() as u64 - 1
        })
    })
}
