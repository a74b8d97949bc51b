//! What the core asks the VM: see [`etsunami::term::host`].

use std::cmp::Ordering;

use etsunami::term::host::{self, Host};
use etsunami::term::view::{Term, View};

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

/// Both terms are made in an environment of their own, because the core may compare on any thread.
/// A kept term is compared where it is.
fn foreign_compare(a: Term, b: Term) -> Ordering {
    let scratch = OwnEnv::new();
    vm_term(&scratch, a).compare(vm_term(&scratch, b))
}

fn vm_term<'e>(scratch: &'e OwnEnv, term: Term<'e>) -> VmTerm<'e> {
    match term.view() {
        // SAFETY: a foreign block's word is a term that lives as long as the block's holder.
        View::Foreign(foreign) => unsafe { VmTerm::from_word(foreign.word) },
        _ => decode::term(scratch.env(), term),
    }
}

fn foreign_equal(a: Term, b: Term) -> bool {
    match (a.view(), b.view()) {
        (View::Foreign(a), View::Foreign(b)) => {
            // SAFETY: as in `vm_term`; nothing is made, so no environment is needed.
            unsafe { VmTerm::from_word(a.word).identical(VmTerm::from_word(b.word)) }
        }
        _ => false,
    }
}

fn foreign_bytes(term: Term) -> (*const u8, usize) {
    match term.view() {
        View::Foreign(foreign) if foreign.keeper != 0 => foreign::bytes(foreign.keeper),
        View::Foreign(borrowed) => foreign::borrowed_bytes(borrowed.hash),
        _ => (std::ptr::NonNull::dangling().as_ptr(), 0),
    }
}
