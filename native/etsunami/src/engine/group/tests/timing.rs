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
        let at = |part: usize| self.all[(self.all.len() - 1) * part / 1000];
        println!(
            "{what:>24}: mean {:>8.0?}  p50 {:>8.0?}  p99 {:>8.0?}  p99.9 {:>8.0?}  max {:>8.0?}",
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

#[test]
#[ignore = "prints timings"]
fn timing_of_single_changes() {
    for n in [1_000, 100_000, 1_000_000] {
        println!("{n} members");
        let groups = Groups::new(Plain);
        let object = |value: usize| value * 8 + 8;
        let mut word = Word::EMPTY;
        let mut timing = Timing::default();
        for value in 0..n {
            let guard = pin();
            // SAFETY: the words are of this thread alone.
            timing.time(|| unsafe {
                let Append::Word(new) = groups.append(word, object(value), Repeats::Refuse) else {
                    panic!("not there yet")
                };
                groups.superseded(&guard, word, new);
                word = new;
            });
        }
        timing.print("append, checked");
        let mut timing = Timing::default();
        for value in scattered(n) {
            // SAFETY: as above.
            timing.time(|| assert!(unsafe { groups.contains_equal(word, object(value)) }));
        }
        timing.print("contains");
        let guard = pin();
        let begun = now();
        // SAFETY: as above.
        let count = unsafe { members(word, &guard) }.count();
        println!("{:>24}: {:?} each", "read", (now() - begun) / count as u32);
        drop(guard);
        let mut timing = Timing::default();
        for value in scattered(n) {
            let guard = pin();
            // SAFETY: as above.
            timing.time(|| unsafe {
                let Removed::Word { word: new, .. } = groups.remove_equal(word, object(value))
                else {
                    panic!("it is there")
                };
                groups.superseded(&guard, word, new);
                word = new;
            });
        }
        timing.print("remove");
        assert!(word.is_empty());
    }
}
