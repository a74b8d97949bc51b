//! What single changes of a large group cost. Run in a release build, with `--ignored`.
//!
//! Times are the thread's own processor time (reading that clock is in them, some 200 ns), so that
//! other work on the machine is not taken for a slow change.

use super::*;
use crate::reclaim::pin;
use std::time::Duration;

/// The processor time of this thread.
fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time` alone.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Latencies of many calls of one kind.
#[derive(Default)]
struct Timing {
    all: Vec<Duration>,
}

impl Timing {
    fn time<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let begun = now();
        let result = call();
        self.all.push(now() - begun);
        result
    }

    fn print(mut self, what: &str) {
        self.all.sort_unstable();
        let total: Duration = self.all.iter().sum();
        let slow = self.all.iter().filter(|time| time.as_micros() >= 200).count();
        let at = |part: usize| self.all[(self.all.len() - 1) * part / 1000];
        println!(
            "{what:>24}: mean {:>8.0?}  p50 {:>8.0?}  p99 {:>8.0?}  p99.9 {:>8.0?}  max {:>8.0?}  \
             {slow} of 200 us",
            total / self.all.len() as u32,
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
}

/// Objects whose address is their value: no memory behind them.
struct Plain;

// SAFETY: `hash` and `same` depend on the address alone; there is nothing to free.
unsafe impl Member for Plain {
    unsafe fn hash(&self, object: usize) -> u64 {
        let hash = (object as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    unsafe fn same(&self, a: usize, b: usize) -> bool {
        a == b
    }

    unsafe fn words(_: usize) -> usize {
        4
    }

    unsafe fn retire(_: &Guard, _: usize) {}

    unsafe fn free(_: usize) {}
}

fn scattered(n: usize) -> impl Iterator<Item = usize> {
    (0..n).map(move |i| i * 7919 % n)
}

/// A key's slot, and what its changes cost.
struct Slot {
    groups: Groups<Plain>,
    word: Word,
    change: Timing,
    retire: Timing,
}

impl Slot {
    /// Makes a change, and retires what it replaces.
    fn change(&mut self, change: impl FnOnce(&Groups<Plain>, Word) -> Word) {
        let (guard, old) = (pin(), self.word);
        self.word = self.change.time(|| change(&self.groups, old));
        // SAFETY: the word is of this thread alone.
        self.retire.time(|| unsafe { self.groups.superseded(&guard, old, self.word) });
    }

    fn print(&mut self, what: &str) {
        std::mem::take(&mut self.change).print(what);
        std::mem::take(&mut self.retire).print("and superseded");
    }
}

fn address(value: usize) -> usize {
    value * 8 + 8
}

fn append(groups: &Groups<Plain>, word: Word, value: usize) -> Word {
    // SAFETY: the word is of this thread alone.
    match unsafe { groups.append(word, address(value), Repeats::Refuse) } {
        Append::Word(word) => word,
        Append::Duplicate => panic!("not there yet"),
    }
}

fn remove(groups: &Groups<Plain>, word: Word, value: usize) -> Word {
    // SAFETY: the word is of this thread alone.
    match unsafe { groups.remove_equal(word, address(value)) } {
        Removed::Word { word, .. } => word,
        Removed::Unchanged => panic!("it is there"),
    }
}

fn timing_of(n: usize) {
    println!("{n} members");
    let (change, retire) = (Timing::default(), Timing::default());
    let mut slot = Slot { groups: Groups::new(Plain), word: Word::EMPTY, change, retire };
    (0..n).for_each(|value| slot.change(|groups, word| append(groups, word, value)));
    slot.print("append, checked");
    let mut contains = Timing::default();
    for value in scattered(n) {
        // SAFETY: the word is of this thread alone.
        let known = || unsafe { has_equal(&slot.groups, slot.word, address(value)) };
        assert!(contains.time(known));
    }
    contains.print("contains");
    let (guard, begun) = (pin(), now());
    // SAFETY: the word is of this thread alone.
    let count = unsafe { members(slot.word, &guard) }.count();
    println!("{:>24}: {:?} each", "read", (now() - begun) / count as u32);
    drop(guard);
    scattered(n).for_each(|value| slot.change(|groups, word| remove(groups, word, value)));
    slot.print("remove");
    assert!(slot.word.is_empty());
}

#[test]
#[ignore = "prints timings"]
fn timing_of_single_changes() {
    [1_000, 100_000, 1_000_000].into_iter().for_each(timing_of);
}
