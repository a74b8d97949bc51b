//! How to wait for another thread that is expected to need a few nanoseconds only.

use super::{spin_loop, thread};
use std::time::{Duration, Instant};

/// Waits longer from call to call: pauses of 1, 2, 4, … instructions, then the processor is
/// offered to other threads, in case the awaited one has been descheduled.
#[derive(Debug, Default)]
pub struct Backoff {
    step: u32,
}

/// After 2⁸ pauses (some 3 µs) a yield is cheaper than what it may save. Under loom a pause is a
/// yield.
const SPIN_STEPS: u32 = if cfg!(loom) { 1 } else { 8 };

/// For how long [`stand_back`] leaves a lock alone: the time of a hundred updates.
const TURN: Duration = Duration::from_micros(3);

/// Waits for a lock that is held for a few nanoseconds and taken again and again: leaves it alone for
/// some microseconds, and then looks closely until it is free.
///
/// Meanwhile the holder works on in its cache; to pass the lock and what it protects from core to
/// core costs more than many operations. Two cores at one counter take 33 to 36 ns a step so; 42 to 45
/// if the processor is offered to other threads between the looks; 60 to 68 if, besides, who finds the
/// lock busy again does not stand back again.
#[cold]
pub fn stand_back(mut locked: impl FnMut() -> bool) {
    if !cfg!(loom) {
        let end = Instant::now() + TURN;
        while Instant::now() < end {
            (0..16).for_each(|_| spin_loop());
        }
    }
    let mut backoff = Backoff::new();
    while locked() {
        backoff.wait();
    }
}

impl Backoff {
    /// A backoff that begins with one pause.
    pub const fn new() -> Backoff {
        Backoff { step: 0 }
    }

    /// Waits once.
    pub fn wait(&mut self) {
        if self.step < SPIN_STEPS {
            for _ in 0..1 << self.step {
                spin_loop();
            }
            self.step += 1;
        } else {
            thread::yield_now();
        }
    }

    /// True once the spinning is over and each further [`wait`](Backoff::wait) yields.
    pub fn is_yielding(&self) -> bool {
        self.step >= SPIN_STEPS
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// After how long a lock is looked at that is found busy `looks` times; and how often it was.
    fn first_look(looks: u32) -> (Duration, u32) {
        let begin = Instant::now();
        let (mut first, mut looked) = (None, 0);
        stand_back(|| {
            first.get_or_insert_with(|| begin.elapsed());
            looked += 1;
            looked <= looks
        });
        (first.expect("the lock is looked at"), looked)
    }

    #[test]
    fn who_stands_back_looks_late() {
        // The least of many: each may be late by itself.
        let soonest = (0..1000).map(|_| first_look(0).0).min();
        assert!(soonest >= Some(TURN));
    }

    #[test]
    fn who_stands_back_looks_until_the_lock_is_free() {
        assert_eq!(first_look(20).1, 21);
    }
}
