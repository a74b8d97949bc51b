//! Specifications as deep and wide as terms may be, and hostile ones.

use proptest::prelude::*;

use super::*;
use crate::term::host;
use crate::term::layout::immediate;
use crate::term::testing::{Place, encode_at, samples};

/// The words of `[{Head, [], [Body]}]`, where `fill` writes head and body at two root words.
fn spec(fill: impl FnOnce(&mut Buffer, usize, usize)) -> Buffer {
    testing::install();
    let mut buffer = Buffer::new();
    buffer.reserve(1).unwrap();
    let list = buffer.open_list(0, 1).unwrap();
    let clause = buffer.open_tuple(list + 1, 3).unwrap();
    let body = clause + 3;
    fill(&mut buffer, clause + 1, body);
    buffer.close(clause);
    buffer.close(list);
    buffer
}

fn any() -> u64 {
    host::atom("_")
}

/// Opens compounds inside one another: `open` gives a block and the root word that goes on.
fn nest(
    buffer: &mut Buffer,
    at: usize,
    depth: usize,
    word: u64,
    mut open: impl FnMut(&mut Buffer, usize) -> (usize, usize),
) {
    let (mut at, mut blocks) = (at, Vec::new());
    for _ in 0..depth {
        let (block, next) = open(buffer, at);
        blocks.push(block);
        at = next;
    }
    buffer.set(at, word);
    blocks.into_iter().rev().for_each(|block| buffer.close(block));
}

fn body_list(buffer: &mut Buffer, at: usize, fill: impl FnOnce(&mut Buffer, usize)) {
    let list = buffer.open_list(at, 1).unwrap();
    fill(buffer, list + 1);
    buffer.close(list);
}

/// Runs a specification that is also judged in every other way, on a thread whose stack has room
/// for nothing that recurses.
fn run(spec: &Buffer, object: &Buffer) -> Option<Buffer> {
    let judge = || {
        assert!(Program::lint(term(spec)).is_empty());
        let program = Program::compile(term(spec)).unwrap();
        for ordered in [false, true] {
            assert!(!program.plan(1, ordered).reasons.is_empty());
        }
        _ = program.keeps_key(1);
        let [first, second] = results(term(spec), term(object));
        assert_eq!(first.is_some(), second.is_some());
        first
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        thread.spawn_scoped(scope, judge).unwrap().join().unwrap()
    })
}

const DEPTH: usize = 200_000;

#[test]
fn nested_alternatives() {
    let alternative = host::atom("orelse");
    let words = spec(|buffer, head, body| {
        buffer.set(head, any());
        body_list(buffer, body, |buffer, at| {
            nest(buffer, at, 5 * DEPTH, host::atom("true"), |buffer, at| {
                let block = buffer.open_tuple(at, 3).unwrap();
                buffer.set(block + 1, alternative);
                buffer.set(block + 2, host::atom("false"));
                (block, block + 3)
            });
        });
    });
    let result = run(&words, &erl::key("{x}")).unwrap();
    assert_eq!(term(&result).root(), host::atom("true"));
}

/// A fault at the bottom is found, and told once.
#[test]
fn nested_faults() {
    for key in [false, true] {
        let words = spec(|buffer, head, body| {
            buffer.set(head, any());
            body_list(buffer, body, |buffer, at| {
                nest(buffer, at, DEPTH, host::atom("$1"), |buffer, at| {
                    let block = buffer.open_map(at, 1).unwrap();
                    buffer.set(block + 1, immediate::small(1).unwrap());
                    buffer.set(block + 2, immediate::small(1).unwrap());
                    (block, if key { block + 1 } else { block + 2 })
                });
            });
        });
        let faults = Program::lint(term(&words));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].problem, Problem::Unbound(1));
    }
}

#[test]
fn wide_alternatives() {
    let words = spec(|buffer, head, body| {
        buffer.set(head, any());
        body_list(buffer, body, |buffer, at| {
            let block = buffer.open_tuple(at, DEPTH + 1).unwrap();
            for i in 0..=DEPTH {
                buffer.set(block + 1 + i, host::atom(if i == 0 { "orelse" } else { "false" }));
            }
            buffer.close(block);
        });
    });
    let result = run(&words, &erl::key("{x}")).unwrap();
    assert_eq!(term(&result).root(), host::atom("false"));
}

#[test]
fn nested_constructions_and_heads() {
    let open = |buffer: &mut Buffer, at: usize| {
        let block = buffer.open_tuple(at, 1).unwrap();
        (block, block + 1)
    };
    let mut object = Buffer::new();
    object.reserve(1).unwrap();
    nest(&mut object, 0, DEPTH, host::atom("x"), open);
    // {{…{{'$1'}}…}} is each tuple in a tuple.
    let words = spec(|buffer, head, body| {
        nest(buffer, head, DEPTH, host::atom("$1"), open);
        body_list(buffer, body, |buffer, at| {
            nest(buffer, at, 2 * DEPTH, host::atom("$1"), open);
        });
    });
    let result = run(&words, &object).unwrap();
    assert!(equal(term(&result), term(&object)));
}

#[test]
fn nested_calls() {
    let words = spec(|buffer, head, body| {
        buffer.set(head, any());
        body_list(buffer, body, |buffer, at| {
            nest(buffer, at, DEPTH, immediate::small(0).unwrap(), |buffer, at| {
                let block = buffer.open_tuple(at, 3).unwrap();
                buffer.set(block + 1, host::atom("+"));
                buffer.set(block + 2, immediate::small(1).unwrap());
                (block, block + 3)
            });
        });
    });
    let result = run(&words, &erl::key("{x}")).unwrap();
    assert_eq!(term(&result).root(), immediate::small(DEPTH as i64).unwrap());
}

/// Every term is a specification that is refused, or runs and plans without a panic.
fn survive(words: &Buffer, object: &Buffer) {
    let faults = Program::lint(term(words));
    assert!(faults.iter().all(|fault| !fault.message(b"?").is_empty()));
    let Ok(program) = Program::compile(term(words)) else { return };
    _ = results(term(words), term(object));
    for keypos in 1..3 {
        _ = program.keeps_key(keypos);
        _ = (program.plan(keypos, true), program.plan(keypos, false));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_terms_are_survived(
        parts in proptest::collection::vec(samples(), 3),
        object in samples(),
    ) {
        testing::install();
        let words = spec(|buffer, head, body| {
            let mut irregular = encode_at(buffer, head, &parts[0], Place::Key);
            let guards = buffer.open_list(head + 1, 1).unwrap();
            let guard = encode_at(buffer, guards + 1, &parts[1], Place::Key);
            irregular |= guard;
            if guard {
                buffer.mark_irregular(guards);
            }
            buffer.close(guards);
            let list = buffer.open_list(body, 1).unwrap();
            let result = encode_at(buffer, list + 1, &parts[2], Place::Key);
            irregular |= result;
            if result {
                buffer.mark_irregular(list);
            }
            buffer.close(list);
            if irregular {
                buffer.mark_irregular(head - 1);
            }
        });
        survive(&words, &testing::encode(&object, Place::Key));
        survive(&testing::encode(&parts[0], Place::Key), &testing::encode(&object, Place::Key));
    }
}
