//! Figures for steering, not checks:
//! `cargo test -p etsunami --lib --release search_figures -- --ignored --nocapture`.

use super::super::Cursor;
use super::super::search::Quota;
use super::{Kind, Object, int, table};
use crate::matchspec::tests::erl;
use crate::matchspec::{Machine, Program};
use crate::reclaim::pin;
use crate::term::testing::term;

/// The processor time of this thread, which other work on the machine disturbs less than the clock.
fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Prints the least time of some searches through all objects, per object.
fn figures(kind: Kind, n: i64, what: &str, spec: &str) {
    let table = table(kind, 1);
    for i in 0..n {
        let key = i.wrapping_mul(0x9e37_79b9) % (1 << 40);
        table.insert(&pin(), Object::new(vec![int(key), int(i % 1000)]).draft()).unwrap();
    }
    let program = Program::compile(term(&erl::key(spec))).unwrap();
    let plan = table.plan(&program);
    let mut machine = Machine::default();
    let run = |machine: &mut Machine| {
        let (start, mut cursor, mut found) = (cpu_time(), Some(Cursor::Start), 0);
        while let Some(from) = cursor {
            let mut quota = Quota { matches: usize::MAX, visits: 5000 };
            let access = &plan.access;
            let next = table.select_count(&pin(), &program, access, from, &mut quota, machine);
            found += usize::MAX - quota.matches;
            cursor = next.unwrap();
        }
        (cpu_time() - start, found)
    };
    let (best, found) = (0..(5_000_000 / n).min(50)).map(|_| run(&mut machine)).min().unwrap();
    println!("{kind:?} of {n}: {what:12} {:5.1} ns, {found} found", best as f64 / n as f64);
}

#[test]
#[ignore = "prints figures"]
fn search_figures() {
    for kind in [Kind::OrderedSet, Kind::Set] {
        for n in [50_000] {
            figures(kind, n, "no match", "[{{'$1','$2'},[{'>','$2',2000}],[true]}]");
            figures(kind, n, "all match", "[{{'$1','$2'},[{'<','$2',2000}],[true]}]");
            figures(kind, n, "arity", "[{{'_','_','_'},[],[true]}]");
        }
    }
}
