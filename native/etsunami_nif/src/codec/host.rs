//! What the core asks the VM: see [`etsunami::term::host`].

use std::cmp::Ordering;

use etsunami::term::host::{self, Host};
use etsunami::term::view::{ForeignView, Term, View};

use super::{atom_text, decode, foreign};
use crate::vm::{Env, OwnEnv, VmTerm};

/// Makes the VM the host of the core.
pub fn load(env: Env) {
    let zero_floats_equal = env.make_float(0.0).identical(env.make_float(-0.0));
    host::set(Box::leak(Box::new(Host {
        atom_text: atom_text::atom_text,
        foreign_compare,
        foreign_equal,
        foreign_retain: foreign::retain,
        foreign_release: foreign::release,
        foreign_bytes,
        zero_floats_equal,
    })));
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

fn foreign_bytes(term: Term) -> (*const u8, usize) {
    match term.view() {
        View::Foreign(foreign) if foreign.keeper != 0 => foreign::bytes(foreign.keeper),
        View::Foreign(borrowed) => foreign::borrowed_bytes(borrowed.hash),
        _ => (std::ptr::NonNull::dangling().as_ptr(), 0),
    }
}
