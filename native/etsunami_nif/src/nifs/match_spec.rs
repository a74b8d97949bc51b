//! Match specifications apart from tables.

use etsunami::matchspec::{Outcome, Part, Subject};
use etsunami::term::view::Term;

use crate::args;
use crate::atoms::{atoms, boolean};
use crate::budget::Pace;
use crate::codec::encode::{self, Keep, Role, Scratch};
use crate::compiled::Compiled;
use crate::error::{BADARG, Raise, SYSTEM_LIMIT};
use crate::raw_nif;
use crate::results::Results;

raw_nif! {
    /// `match_spec_compile(Spec)`
    fn match_spec_compile/1(env, &[spec]) { Compiled::parse(env, spec)?.into_term(env) }
}

raw_nif! {
    /// `is_compiled_ms(Term)`
    fn is_compiled_ms/1(env, &[term]) { Ok(boolean(Compiled::find(env, term).is_some())) }
}

raw_nif! {
    /// `match_spec_run(Terms, Compiled, Before)`: the results in reverse order and `Before` behind,
    /// or `{more, Terms, Before}` to be called again.
    fn match_spec_run/3(env, &[terms, compiled, before]) {
        if !args::is_list(env, terms) {
            return Err(BADARG);
        }
        let compiled = Compiled::find(env, compiled).ok_or(BADARG)?;
        compiled.require_short()?;
        let (mut machine, mut pace) = (compiled.machine(env), Pace::start());
        let (mut results, mut buffer) = (Results::new(env), Scratch::take());
        let (mut rest, mut left) = (terms, pace.step());
        while let Some((head, tail)) = env.cell(rest) {
            if left == 0 {
                if !pace.goes_on() {
                    break;
                }
                left = pace.step();
            }
            encode::encode_term(env, head, Role::Value, Keep::Borrow, &mut buffer)?;
            // SAFETY: just encoded; the terms that it borrows live during the call.
            let term = unsafe { Term::at(buffer.words(), 0) };
            let outcome = compiled.program.run(Subject::term(term), &mut machine);
            let taken = match outcome.map_err(|_| SYSTEM_LIMIT)? {
                None => true,
                Some(Outcome::Part(Part::Term(part))) if part.as_ptr() == term.as_ptr() => {
                    results.take(0, Outcome::Part(Part::Object), || head)
                }
                Some(outcome) => results.take(0, outcome, || head),
            };
            if results.is_too_long() {
                return Err(Raise::Dirty);
            }
            if !taken {
                break;
            }
            (rest, left) = (tail, left - 1);
        }
        pace.charge(env);
        let list = results.terms.iter().fold(before, |tail, &term| env.make_cell(term, tail));
        if env.is_nil(rest) {
            Ok(list)
        } else if args::is_list(env, rest) {
            Ok(env.make_tuple(&[atoms().more, rest, list]))
        } else {
            Err(BADARG)
        }
    }
}
