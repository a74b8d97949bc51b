//! Any term as a match specification, and terms that look like one, over any object: each is
//! refused, or explained, planned and run without a panic, and with the same result twice.
#![no_main]

use arbitrary::{Result, Unstructured};
use etsunami::matchspec::{Caller, Machine, Outcome, Part, Program, Subject};
use etsunami::term::buffer::Buffer;
use etsunami::term::equal::equal;
use etsunami::term::testing::{Place, Sample, encode, term};
use etsunami::term::view::{Term, View};
use etsunami_fuzz::terms;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    _ = run(&mut Unstructured::new(bytes));
});

fn run(bytes: &mut Unstructured) -> Result<()> {
    let spec = if bytes.ratio(1, 8)? { terms::sample(bytes)? } else { clauses(bytes)? };
    let spec = encode(&spec, Place::Key);
    let faults = Program::lint(term(&spec));
    assert!(faults.iter().all(|fault| !fault.message(b"?").is_empty()));
    let Ok(program) = Program::compile(term(&spec)) else {
        return Ok(());
    };
    for keypos in 1..3 {
        _ = (program.keeps_key(keypos), program.plan(keypos, true), program.plan(keypos, false));
    }
    for _ in 0..bytes.int_in_range(1..=3)? {
        let object = encode(&object(bytes)?, terms::place(bytes)?);
        runs_alike(&program, term(&object));
    }
    Ok(())
}

/// A list of clauses, some of whose heads are objects with variables in them.
fn clauses(bytes: &mut Unstructured) -> Result<Sample> {
    let mut clauses = Vec::new();
    for _ in 0..bytes.int_in_range(1..=3)? {
        let head = object(bytes)?;
        let guards = listed(bytes)?;
        clauses.push(Sample::Tuple(vec![head, guards, listed(bytes)?]));
    }
    Ok(Sample::List(clauses, Box::new(Sample::Nil)))
}

fn listed(bytes: &mut Unstructured) -> Result<Sample> {
    let count = bytes.int_in_range(0..=2)?;
    let elements = (0..count).map(|_| terms::sample(bytes)).collect::<Result<Vec<_>>>()?;
    let nil = Sample::Nil;
    Ok(if elements.is_empty() { nil } else { Sample::List(elements, Box::new(nil)) })
}

fn object(bytes: &mut Unstructured) -> Result<Sample> {
    let arity = bytes.int_in_range(1..=4)?;
    Ok(Sample::Tuple((0..arity).map(|_| terms::sample(bytes)).collect::<Result<_>>()?))
}

/// As a tuple of a table and as any term, and once more with a machine that has been used.
fn runs_alike(program: &Program, object: Term) {
    let View::Tuple(elements) = object.view() else { unreachable!() };
    let mut machine = Machine::new(Caller::default());
    let any = result(program, Subject::term(object), &mut machine);
    let stored = result(program, Subject::object(elements, 0), &mut machine);
    match (any, stored) {
        (None, None) => (),
        (Some(any), Some(stored)) => assert!(equal(term(&any), term(&stored))),
        (any, stored) => panic!("as any term {}, as a tuple {}", any.is_some(), stored.is_some()),
    }
}

fn result(program: &Program, subject: Subject, machine: &mut Machine) -> Option<Buffer> {
    let outcome = program.run(subject, machine).ok()??;
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
    Some(buffer)
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
