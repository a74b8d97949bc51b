//! Recorded histories of two to four threads, each of which some order must explain.
//!
//! The checker is that of Wing and Gong ("Testing and verifying concurrent objects") with Lowe's
//! memory of configurations, as the one of the Elixir tests. Here no scheduler of a VM stands
//! between the threads and the engines. `HISTORIES` says how many of each engine; delays at the
//! steps of protocols come from the feature `faults`.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use super::super::{CounterOp, ListInsert, Table};
use super::{Form, KINDS, Object, int, key, key_buffer, table};
use crate::error::Stop;
use crate::reclaim::{Guard, pin};
use crate::term::layout::immediate;
use crate::term::number::Int;

const KEYS: usize = 4;

/// What the keys hold.
type State = [Option<i64>; KEYS];

#[derive(Clone, PartialEq, Debug)]
enum Operation {
    Get(usize),
    Insert(usize, i64),
    InsertNew(usize, i64),
    /// All keys of the range.
    List(Range<usize>, i64),
    ListNew(Range<usize>, i64),
    Delete(usize),
    Take(usize),
    Add(usize, i64),
    Clear,
}

/// What an operation gave.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Answer {
    Done,
    Flag(bool),
    Value(Option<i64>),
}

#[derive(Clone, Debug)]
struct Event {
    operation: Operation,
    answer: Answer,
    invoked: u64,
    responded: u64,
}

/// The sequential specification.
fn specified(state: &mut State, operation: &Operation) -> Answer {
    use Operation::*;
    match operation.clone() {
        Get(k) => Answer::Value(state[k]),
        Insert(k, value) => {
            state[k] = Some(value);
            Answer::Done
        }
        List(keys, value) => {
            state[keys].fill(Some(value));
            Answer::Done
        }
        InsertNew(k, value) => specified(state, &ListNew(k..k + 1, value)),
        ListNew(keys, value) => {
            let free = state[keys.clone()].iter().all(Option::is_none);
            if free {
                state[keys].fill(Some(value));
            }
            Answer::Flag(free)
        }
        Delete(k) => {
            state[k] = None;
            Answer::Done
        }
        Take(k) => Answer::Value(state[k].take()),
        Add(k, increment) => {
            state[k] = state[k].map(|value| value + increment);
            Answer::Value(state[k])
        }
        Clear => {
            *state = State::default();
            Answer::Done
        }
    }
}

/// Is there an order that explains these events, those of each thread in their order?
fn is_linearizable(threads: &[Vec<Event>]) -> bool {
    let mut tried = HashSet::new();
    search(threads, &mut vec![0; threads.len()], State::default(), &mut tried)
}

fn search(
    threads: &[Vec<Event>],
    next: &mut Vec<usize>,
    state: State,
    tried: &mut HashSet<(Vec<usize>, State)>,
) -> bool {
    let heads: Vec<_> = threads.iter().zip(next.iter()).map(|(all, &at)| all.get(at)).collect();
    if heads.iter().all(Option::is_none) {
        return true;
    }
    if !tried.insert((next.clone(), state)) {
        return false;
    }
    let Some(first_end) = heads.iter().flatten().map(|event| event.responded).min() else {
        return true;
    };
    for (thread, head) in heads.into_iter().enumerate() {
        // Equal stamps decide nothing.
        let Some(event) = head.filter(|event| event.invoked <= first_end) else { continue };
        let mut after = state;
        if specified(&mut after, &event.operation) != event.answer {
            continue;
        }
        next[thread] += 1;
        if search(threads, next, after, tried) {
            return true;
        }
        next[thread] -= 1;
    }
    false
}

/// A small generator (splitmix64): the programs of a seed are always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn operation(&mut self, keys: usize) -> Operation {
        use Operation::*;
        let (k, value) = (self.below(keys), self.below(1 << 20) as i64);
        match self.below(20) {
            0..7 => Get(k),
            7..9 => Insert(k, value),
            9 => InsertNew(k, value),
            10..13 => List(0..keys, value),
            13 => ListNew(0..keys, value),
            14..16 => Delete(k),
            16 => Take(k),
            17..19 => Add(k, 1 + value % 9),
            _ => Clear,
        }
    }
}

/// A pair, which is changed in place, or an object that is replaced.
fn object(k: usize, value: i64) -> Object {
    let mut parts = vec![int(k as i64), int(value)];
    if value % 3 == 0 {
        parts.push(int(0));
    }
    Object::new(parts)
}

fn list(table: &Table, keys: Range<usize>, value: i64) -> ListInsert<'_> {
    let mut list = ListInsert::with_capacity(table, KEYS);
    keys.for_each(|k| list.push(object(k, value).draft()).unwrap());
    list
}

/// Until no list insert is in the way.
fn retry<T>(mut f: impl FnMut(&Guard) -> Result<T, Stop>) -> Result<T, Stop> {
    loop {
        match f(&pin()) {
            Err(Stop::Busy) => thread::yield_now(),
            ended => return ended,
        }
    }
}

fn small(sum: &Int) -> i64 {
    match sum {
        Int::Small(sum) => *sum,
        Int::Big(_) => unreachable!("sums of small numbers"),
    }
}

fn perform(table: &Table, operation: &Operation) -> Answer {
    use Operation::*;
    let value_of =
        |object: crate::term::object::Object| immediate::small_value(object.element(1).root());
    let with = |k: usize| key_buffer(&int(k as i64));
    match operation.clone() {
        Get(k) => {
            let (guard, buffer) = (pin(), with(k));
            Answer::Value(table.find(&guard, key(table, &buffer)).single().map(value_of))
        }
        Insert(k, value) => {
            retry(|guard| table.insert(guard, object(k, value).draft())).unwrap();
            Answer::Done
        }
        InsertNew(k, value) => {
            Answer::Flag(retry(|guard| table.insert_new(guard, object(k, value).draft())).unwrap())
        }
        List(keys, value) => {
            list(table, keys, value).insert(|| true).unwrap();
            Answer::Done
        }
        ListNew(keys, value) => Answer::Flag(list(table, keys, value).insert_new(|| true).unwrap()),
        Delete(k) => {
            retry(|guard| table.delete(guard, key(table, &with(k)))).unwrap();
            Answer::Done
        }
        Take(k) => Answer::Value(
            retry(|guard| Ok(table.take(guard, key(table, &with(k)))?.single().map(value_of)))
                .unwrap(),
        ),
        Add(k, by) => {
            let step = [Ok(CounterOp { position: 2, increment: Int::from(by), limit: None })];
            let added =
                retry(|guard| table.update_counter(guard, key(table, &with(k)), &step, None));
            Answer::Value(added.ok().map(|sums| small(&sums[0])))
        }
        Clear => {
            table.clear(&pin());
            Answer::Done
        }
    }
}

/// Runs random operations of several threads on an empty table.
fn record(form: Form, seed: u64) -> Vec<Vec<Event>> {
    let (table, mut random) = (table(form, 1), Random(seed));
    let (threads, keys) = (2 + random.below(3), 1 + random.below(KEYS));
    let (start, ready) = (Instant::now(), AtomicUsize::new(0));
    let programs: Vec<Vec<_>> = (0..threads)
        .map(|_| (0..8 + random.below(8)).map(|_| random.operation(keys)).collect())
        .collect();
    let run = |program: Vec<Operation>| {
        ready.fetch_add(1, Ordering::Relaxed);
        while ready.load(Ordering::Relaxed) < threads {
            thread::yield_now();
        }
        let now = || start.elapsed().as_nanos() as u64;
        let event = |operation| {
            let invoked = now();
            let answer = perform(&table, &operation);
            Event { operation, answer, invoked, responded: now() }
        };
        program.into_iter().map(event).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let run = &run;
        let all: Vec<_> =
            programs.into_iter().map(|program| scope.spawn(move || run(program))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// How many histories of each engine.
#[cfg(not(etsunami_weaken))]
fn histories() -> u64 {
    std::env::var("HISTORIES").map_or(150, |count| count.parse().unwrap())
}

/// The first illegal history, if there is one, and the share of events that overlap with another
/// thread's.
fn examine(form: Form, histories: u64) -> (Option<Vec<Vec<Event>>>, f64) {
    let (mut events, mut overlapping) = (0, 0);
    for seed in 0..histories {
        let history = record(form, seed);
        for (thread, own) in history.iter().enumerate() {
            let others = || history.iter().enumerate().filter(|other| other.0 != thread);
            let overlaps = |a: &&Event| {
                let meets = |b: &Event| a.invoked <= b.responded && b.invoked <= a.responded;
                others().any(|(_, events)| events.iter().any(meets))
            };
            events += own.len();
            overlapping += own.iter().filter(overlaps).count();
        }
        if !is_linearizable(&history) {
            return (Some(history), 0.0);
        }
    }
    (None, overlapping as f64 / events as f64)
}

#[test]
#[cfg(not(etsunami_weaken))]
fn threads_have_linearizable_histories() {
    for form in KINDS.into_iter().filter(|form| form.is_unique()) {
        let (illegal, overlap) = examine(form, histories());
        assert!(illegal.is_none(), "{form:?}: {illegal:#?}");
        println!("{form:?}: {} histories, {:.0} % overlap", histories(), 100.0 * overlap);
    }
}

/// A build whose readers see list inserts before the decision is found out.
#[test]
#[cfg(etsunami_weaken)]
fn histories_of_a_broken_commit_are_illegal() {
    for form in KINDS.into_iter().filter(|form| form.is_unique()) {
        assert!(examine(form, 200_000).0.is_some(), "{form:?}");
    }
}

#[test]
fn illegal_histories_are_found_out() {
    let event = |operation, answer, span: Range<u64>| Event {
        operation,
        answer,
        invoked: span.start,
        responded: span.end,
    };
    let insert = event(Operation::List(0..2, 5), Answer::Done, 1..9);
    let seen = |k, value, span| event(Operation::Get(k), Answer::Value(value), span);
    let halves = |first, second| {
        vec![vec![insert.clone()], vec![seen(0, first, 2..3), seen(1, second, 4..5)]]
    };
    assert!(is_linearizable(&halves(None, Some(5))));
    assert!(is_linearizable(&halves(Some(5), Some(5))));
    assert!(!is_linearizable(&halves(Some(5), None)));
    assert!(!is_linearizable(&[vec![insert.clone(), seen(0, None, 10..11)]]));
    let add = |answer| vec![event(Operation::Add(0, 1), Answer::Value(Some(answer)), 10..20)];
    assert!(is_linearizable(&[vec![insert.clone()], add(6), add(7)]));
    assert!(!is_linearizable(&[vec![insert], add(6), add(6)]));
}
