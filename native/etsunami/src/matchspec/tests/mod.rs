//! Programs against what ETS gives for the same specification and object.

mod deep;
pub(crate) mod erl;
mod functions;
mod plain;
mod plans;
mod recorded;
mod replaces;

use super::*;
use crate::term::buffer::Buffer;
use crate::term::equal::equal;
use crate::term::testing::{self, term};
use crate::term::view::Term;

/// The encoding of a result.
fn encoded(subject: Subject, outcome: Outcome) -> Buffer {
    testing::install();
    let mut buffer = Buffer::new();
    let at = buffer.reserve(1).unwrap();
    match outcome {
        Outcome::Part(part) => _ = part.write(&subject, &mut buffer, at).unwrap(),
        Outcome::Tuple(row) => {
            let block = buffer.open_tuple(at, row.len()).unwrap();
            fill(&mut buffer, block, &subject, row);
        }
        Outcome::List(row) => {
            let block = buffer.open_list(at, row.len()).unwrap();
            fill(&mut buffer, block, &subject, row);
        }
    }
    buffer
}

fn fill(buffer: &mut Buffer, block: usize, subject: &Subject, parts: &[Part]) {
    let mut irregular = false;
    for (i, part) in parts.iter().enumerate() {
        irregular |= part.write(subject, buffer, block + 1 + i).unwrap();
    }
    if irregular {
        buffer.mark_irregular(block);
    }
    buffer.close(block);
}

/// What a specification gives for an object, as a tuple of a table and as any term.
fn results(spec: Term, object: Term) -> [Option<Buffer>; 2] {
    let program = Program::compile(spec).unwrap();
    let mut machine = Machine::new(Caller::default());
    let any = Subject::term(object);
    let second = program.run(any, &mut machine).unwrap().map(|outcome| encoded(any, outcome));
    let first = match object.view() {
        crate::term::view::View::Tuple(elements) => {
            let subject = Subject::object(elements, 0);
            let given = program.run(subject, &mut machine).unwrap();
            let given = given.map(|outcome| encoded(subject, outcome));
            plain::agrees(spec, subject, given.as_ref());
            given
        }
        _ => program.run(any, &mut machine).unwrap().map(|outcome| encoded(any, outcome)),
    };
    [first, second]
}

/// Runs a specification over an object, both as text; the result as text is to be `expected`.
fn check(spec: &str, object: &str, expected: &str) {
    testing::install();
    let (spec_words, object_words) = (erl::key(spec), erl::key(object));
    let expected_words = erl::key(expected);
    for result in results(term(&spec_words), term(&object_words)) {
        let no_match = erl::key("false");
        let result = result.unwrap_or(no_match);
        assert!(
            equal(term(&result), term(&expected_words)),
            "{object} by {spec} is {:?}, not {expected}",
            term(&result).view()
        );
    }
}
