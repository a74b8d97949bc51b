//! Match specifications apart from tables.

use etsunami::matchspec::{Access, Bound, Interval, Outcome, Part, Subject};
use etsunami::reclaim::pin;
use etsunami::table::options::Need;
use etsunami::term::view::Term;

use crate::args;
use crate::atoms::{atoms, boolean};
use crate::budget::{self, Pace};
use crate::codec::encode::{self, Keep, Role, Scratch};
use crate::codec::{bounds, decode};
use crate::compiled::Compiled;
use crate::error::{BADARG, Raise, SYSTEM_LIMIT};
use crate::raw_nif;
use crate::resource;
use crate::results::Results;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::make;

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
        let normal = budget::on_normal_scheduler();
        let (mut machine, mut pace) = (compiled.machine(env), Pace::start(normal));
        let (mut results, mut buffer) = (Results::new(env, normal), Scratch::take());
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
        let list = results.terms.iter().fold(before, |tail, &term| make::cell(env, term, tail));
        if env.is_nil(rest) {
            Ok(list)
        } else if args::is_list(env, rest) {
            Ok(env.make_tuple(&[atoms().more, rest, list]))
        } else {
            Err(BADARG)
        }
    }
}

raw_nif! {
    /// `explain(Table, Spec)`: `{scan | lookup | ranges, Where, Reasons}`, with the keys to be looked
    /// up, or the ranges as `{Low, High}`, and a binary for each clause.
    fn explain/2(env, &[table, spec]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Read)?;
        if env.is_nil(spec) {
            return Ok(env.make_tuple(&[atoms().lookup, spec, spec]));
        }
        let compiled = Compiled::parse(env, spec)?;
        let plan = &compiled.plan(&handle.table).plan;
        let (access, places) = match &plan.access {
            Access::Keys(keys) => {
                let keys = keys.iter().map(|key| decode::term(env, key.term()));
                (atoms().lookup, keys.collect())
            }
            Access::Ranges(ranges) => {
                (atoms().ranges, ranges.iter().map(|range| interval(env, range)).collect())
            }
            Access::Scan => (atoms().scan, Vec::new()),
        };
        let reasons = plan.reasons.iter().map(|reason| env.make_binary(reason.text().as_bytes()));
        let reasons = env.make_list(&reasons.collect::<Vec<_>>());
        Ok(env.make_tuple(&[access, env.make_list(&places), reasons]))
    }
}

/// `{Low, High}`, each of them `{Relation, Key}` or `none`.
fn interval<'e>(env: Env<'e>, range: &Interval) -> VmTerm<'e> {
    let end = |end: &Option<Bound>, inclusive, exclusive| match end {
        None => atoms().none,
        Some(bound) => {
            let relation = if bound.is_inclusive() { inclusive } else { exclusive };
            env.make_tuple(&[relation, bounds::bound(env, bound.key())])
        }
    };
    let low = end(&range.low, atoms().at_least, atoms().above);
    env.make_tuple(&[low, end(&range.high, atoms().at_most, atoms().below)])
}
