//! One operation of a table, many times in a row, for a profile by instruction counts: see
//! `ci/profile.sh`, which counts what happens inside `measured`.
//!
//! `one_call lookup|insert` lists the cases; with the name of one behind it, it is run.

use engines::keys::{Encoded, Key};
use etsunami::reclaim::{mode, pin};
use etsunami::table::options::{Kind, OrderedEngine, Spec};
use etsunami::table::{Draft, Table};
use etsunami::term::buffer::Buffer;
use etsunami::term::layout::immediate;
use etsunami::term::view::Term;
use std::hint::black_box;
use std::process::ExitCode;

/// Objects in the table.
const OBJECTS: u64 = 1 << 16;
/// Calls in a profile.
const CALLS: u64 = 10_000;

const ENGINES: [(&str, Kind, OrderedEngine); 3] = [
    ("set", Kind::Set, OrderedEngine::CaTree),
    ("ordered_set, tree", Kind::OrderedSet, OrderedEngine::CaTree),
    ("ordered_set, skip list", Kind::OrderedSet, OrderedEngine::SkipList),
];

/// What is called.
#[derive(Clone, Copy)]
enum Call {
    /// A lookup of a key that is there, and a look at an element.
    Lookup { encoded: bool },
    /// An insert of an object with so many integers.
    Insert { integers: usize, new: bool },
}

const LOOKUPS: [(&str, Call); 2] = [
    ("integer key", Call::Lookup { encoded: false }),
    ("binary key", Call::Lookup { encoded: true }),
];

const INSERTS: [(&str, Call); 3] = [
    ("replace {int, int}", Call::Insert { integers: 2, new: false }),
    ("replace {int, int, int}", Call::Insert { integers: 3, new: false }),
    ("new {int, int}", Call::Insert { integers: 2, new: true }),
];

/// The profile is of what happens in here.
#[inline(never)]
fn measured(call: &mut dyn FnMut(u64)) {
    (0..CALLS).for_each(call);
}

/// Integer key number `i`; their order looks random.
fn integer(i: u64) -> u64 {
    let value = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8;
    immediate::small(value as i64).expect("56 bits are a small integer")
}

fn put(table: &Table, words: &[u64], arity: usize) {
    // SAFETY: callers give the encoding of a tuple of this arity, without foreign blocks.
    let draft = unsafe { Draft::new(words, arity) };
    table.insert(&pin(), draft).expect("a table without an owner");
}

fn put_integers(table: &Table, i: u64, integers: usize) {
    let one = immediate::small(1).expect("a small integer");
    put(table, &[integer(i), one, one][..integers], integers);
}

/// Inserts `{Key, 1}`.
fn put_encoded(table: &Table, key: &Encoded) {
    let mut buffer = Buffer::new();
    let at = buffer.reserve(2).expect("a short pair");
    buffer.copy(at, key.term()).expect("a short pair");
    buffer.set(at + 1, immediate::small(1).expect("a small integer"));
    put(table, buffer.words(), 2);
}

fn look(table: &Table, key: Term<'_>) {
    let guard = pin();
    let hit = table.find(&guard, table.key(key));
    black_box(hit.element(2).map(Term::root).expect("the key is there"));
}

/// A key that is there, another one each time.
fn drawn(i: u64) -> u64 {
    i * 40_503 % OBJECTS
}

fn run(table: &Table, call: Call) {
    match call {
        Call::Lookup { encoded: true } => {
            let keys: Vec<Encoded> = (0..OBJECTS).map(Encoded::make).collect();
            keys.iter().for_each(|key| put_encoded(table, key));
            measured(&mut |i| look(table, keys[drawn(i) as usize].term()));
        }
        Call::Lookup { encoded: false } => {
            (0..OBJECTS).for_each(|i| put_integers(table, i, 2));
            measured(&mut |i| look(table, Term::immediate(&integer(drawn(i)))));
        }
        Call::Insert { integers, new } => {
            (0..OBJECTS).for_each(|i| put_integers(table, i, integers));
            match new {
                true => measured(&mut |i| put_integers(table, OBJECTS + i, integers)),
                false => measured(&mut |i| put_integers(table, drawn(i), integers)),
            }
        }
    }
}

/// The cases of `lookup` or `insert`, by name.
fn cases(what: &str) -> Vec<(String, Table, Call)> {
    let calls: &[(&str, Call)] = match what {
        "lookup" => &LOOKUPS,
        "insert" => &INSERTS,
        _ => &[],
    };
    let case = |&(engine, kind, ordered), &(name, call)| {
        let table = Table::new(Spec { kind, engine: ordered, ..Spec::default() }, 0x7ab1e);
        (format!("{engine}: {name}"), table, call)
    };
    ENGINES.iter().flat_map(|engine| calls.iter().map(move |call| case(engine, call))).collect()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let cases = cases(&arguments.next().unwrap_or_default());
    let Some(wanted) = arguments.next() else {
        cases.iter().for_each(|(name, ..)| println!("{name}"));
        return if cases.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    let Some((_, table, call)) = cases.iter().find(|(name, ..)| *name == wanted) else {
        return ExitCode::FAILURE;
    };
    run(table, *call);
    println!("calls {CALLS}, guards {:?}", mode());
    ExitCode::SUCCESS
}
