//! What is wrong with a match specification, in the words of ETS.

use etsunami::matchspec::{Fault, Program};
use etsunami::term::view::Term;

use crate::atoms::atoms;
use crate::budget;
use crate::codec::decode;
use crate::codec::key::{Slot, encode_key};
use crate::error::Raise;
use crate::raw_nif;
use crate::vm::{Env, VmTerm};

/// The words of a specification that is looked at on a normal scheduler: up to 100 ns each.
const SHORT: usize = 1 << 12;

raw_nif! {
    /// `match_spec_lint(Spec)`: a list of `{error, Message}`, empty exactly if the specification
    /// compiles.
    fn match_spec_lint/1(env, &[spec]) {
        let mut slot = Slot::default();
        let spec = encode_key(env, spec, &mut slot)?;
        if spec.words() > SHORT && budget::on_normal_scheduler() {
            return Err(Raise::Dirty);
        }
        let faults = Program::lint(spec);
        let told: Vec<VmTerm> = faults.iter().map(|fault| told(env, fault)).collect();
        Ok(env.make_list(&told))
    }
}

/// `{error, Message}`: a list of the bytes, as ETS makes it.
fn told<'e>(env: Env<'e>, fault: &Fault) -> VmTerm<'e> {
    let shown = fault.term.map(|term: Term| decode::term(env, term).print());
    let message = fault.message(&shown.unwrap_or_default());
    let bytes: Vec<VmTerm> = message.iter().map(|&byte| env.make_uint64(byte.into())).collect();
    env.make_tuple(&[atoms().error, env.make_list(&bytes)])
}
