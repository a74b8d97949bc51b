//! What the core asks the VM: see [`etsunami::term::host`].

use std::cmp::Ordering;

use etsunami::term::host::{self, Host};
use etsunami::term::layout::immediate;
use etsunami::term::view::{ForeignView, Term, View};

use super::{atom_text, decode, foreign};
use crate::vm::{Env, External, OwnEnv, VmTerm};
use crate::vm_terms::tags;

/// Makes the VM the host of the core.
pub fn load(env: Env) {
    let zero_floats_equal = env.make_float(0.0).identical(env.make_float(-0.0));
    host::set(Box::leak(Box::new(Host {
        atom_text: atom_text::atom_text,
        atom_digest: |word| tags::atom(immediate::atom_index(word)).portable_hash(),
        foreign_compare,
        foreign_equal,
        foreign_retain: foreign::retain,
        foreign_release: foreign::release,
        atom,
        node_of,
        fun_arity,
        zero_floats_equal,
    })));
}

fn atom(text: &str) -> u64 {
    let own = OwnEnv::new();
    atom_word(own.env(), own.env().atom(text))
}

/// The word by which the core knows an atom.
pub fn atom_word(env: Env, atom: VmTerm) -> u64 {
    let imported = if tags::portable() { tags::import(env, atom) } else { None };
    imported.unwrap_or(atom.word())
}

/// Kept terms are compared where they are. Pids and ports of other nodes are made in an environment
/// of their own, because the core may compare on any thread.
fn foreign_compare(a: Term, b: Term) -> Ordering {
    if let (View::Foreign(a), View::Foreign(b)) = (a.view(), b.view()) {
        return kept(&a).compare(kept(&b));
    }
    let scratch = OwnEnv::new();
    decode::term(scratch.env(), a).compare(decode::term(scratch.env(), b))
}

fn foreign_equal(a: Term, b: Term) -> bool {
    match (a.view(), b.view()) {
        (View::Foreign(a), View::Foreign(b)) => kept(&a).identical(kept(&b)),
        _ => false,
    }
}

/// The VM's term behind a foreign block.
fn kept(block: &ForeignView) -> VmTerm<'_> {
    // SAFETY: the word is a term that lives as long as whoever shows the block holds its keeper,
    // or, in a probe, as long as the call.
    unsafe { VmTerm::from_word(block.word) }
}

/// The external format of a term that the core cannot look into.
fn external(term: Term) -> Option<External> {
    let scratch = OwnEnv::new();
    let env = scratch.env();
    env.to_external(decode::term(env, term))
}

/// The external format names the node behind its tag, for a reference behind a count of two bytes
/// too.
fn node_of(term: Term) -> Option<u64> {
    const NEWER_REFERENCE: u8 = b'Z';
    let external = external(term)?;
    let [version, tag, rest @ ..] = external.bytes() else { return None };
    let node = if *tag == NEWER_REFERENCE { rest.get(2..)? } else { rest };
    let mut atom = vec![*version];
    atom.extend_from_slice(node);
    let own = OwnEnv::new();
    Some(atom_word(own.env(), own.env().from_external(&atom)?))
}

/// A local fun has its arity behind a size of four bytes, an external one at its end.
fn fun_arity(term: Term) -> Option<usize> {
    const LOCAL: u8 = b'p';
    let external = external(term)?;
    let bytes = external.bytes();
    let arity = if *bytes.get(1)? == LOCAL { bytes.get(6)? } else { bytes.last()? };
    Some(usize::from(*arity))
}
