//! Figures for steering, not checks:
//! `cargo test -p etsunami --release --test search_figures -- --ignored --nocapture`.

use etsunami::matchspec::{Machine, Program};
use etsunami::reclaim::pin;
use etsunami::table::options::{Kind, Spec};
use etsunami::table::{Cursor, Draft, Quota, Table};
use etsunami::term::buffer::Buffer;
use etsunami::term::host::atom;
use etsunami::term::layout::immediate;
use etsunami::term::view::Term;

/// The processor time of this thread, which other work on the machine disturbs less than the clock.
fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn small(n: i64) -> u64 {
    immediate::small(n).unwrap()
}

/// Writes a tuple or a list of some words; gives where the words stand.
fn compound(buffer: &mut Buffer, at: usize, list: bool, words: &[u64]) -> usize {
    let block = match list {
        true => buffer.open_list(at, words.len()).unwrap(),
        false => buffer.open_tuple(at, words.len()).unwrap(),
    };
    words.iter().enumerate().for_each(|(i, &word)| buffer.set(block + 1 + i, word));
    block + 1
}

/// `[{{'$1','$2'}, [{Relation,'$2',Limit}], [true]}]`
fn program(relation: &str, limit: i64) -> Program {
    let mut buffer = Buffer::new();
    buffer.reserve(1).unwrap();
    let nil = [immediate::NIL; 3];
    let list = compound(&mut buffer, 0, true, &nil[..1]);
    let clause = compound(&mut buffer, list, false, &nil);
    let head = compound(&mut buffer, clause, false, &[atom("$1"), atom("$2")]);
    buffer.close(head - 1);
    let guards = compound(&mut buffer, clause + 1, true, &nil[..1]);
    let guard = [atom(relation), atom("$2"), small(limit)];
    let guard = compound(&mut buffer, guards, false, &guard);
    let body = compound(&mut buffer, clause + 2, true, &[atom("true")]);
    for block in [guard, guards, body, clause, list] {
        buffer.close(block - 1);
    }
    // SAFETY: one term has been written above.
    Program::compile(unsafe { Term::at(buffer.words(), 0) }).unwrap()
}

/// Prints the least time of some searches through all objects, per object.
fn figures(table: &Table, n: i64, what: &str, program: &Program) {
    let plan = table.plan(program);
    let mut machine = Machine::default();
    let mut run = || {
        let (start, mut cursor, mut found) = (cpu_time(), Some(Cursor::Start), 0);
        while let Some(from) = cursor {
            let mut quota = Quota { visits: 5000, ..Quota::default() };
            let (guard, access) = (pin(), &plan.access);
            let next = table.select_count(&guard, program, access, from, &mut quota, &mut machine);
            found += usize::MAX - quota.matches;
            cursor = next.unwrap();
        }
        (cpu_time() - start, found)
    };
    let (best, found) = (0..(20_000_000 / n).min(40)).map(|_| run()).min().unwrap();
    let kind = table.spec().kind;
    println!("{kind:?} of {n}: {what:12} {:5.1} ns, {found} found", best as f64 / n as f64);
}

#[test]
#[ignore = "prints figures"]
fn search_figures() {
    for kind in [Kind::OrderedSet, Kind::Set] {
        for n in [50_000_i64, 1_000_000] {
            let table = Table::new(Spec { kind, ..Spec::default() }, 7);
            for i in 0..n {
                let key = i.wrapping_mul(0x9e37_79b9) % (1 << 40);
                let pair = [small(key), small(i % 1000)];
                // SAFETY: two immediates are an encoding of two elements.
                table.insert(&pin(), unsafe { Draft::new(&pair, 2) }).unwrap();
            }
            figures(&table, n, "no match", &program(">", 2000));
            figures(&table, n, "all match", &program("<", 2000));
        }
    }
}
