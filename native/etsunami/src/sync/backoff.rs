//! How to wait for another thread that is expected to need a few nanoseconds only.

use super::{spin_loop, thread};

/// Waits longer from call to call: pauses of 1, 2, 4, … instructions, then the processor is
/// offered to other threads, in case the awaited one has been descheduled.
#[derive(Debug, Default)]
pub struct Backoff {
    step: u32,
}

/// After 2⁸ pauses (some 3 µs) a yield is cheaper than what it may save. Under loom a pause is a
/// yield.
const SPIN_STEPS: u32 = if cfg!(loom) { 1 } else { 8 };

/// Where [`Backoff::long`] begins.
const LONG_STEP: u32 = if cfg!(loom) { 0 } else { 7 };

impl Backoff {
    /// A backoff that begins with one pause.
    pub const fn new() -> Backoff {
        Backoff { step: 0 }
    }

    /// A backoff for locks that are held for a few nanoseconds and taken again and again: it begins
    /// with a pause of one or two microseconds. Meanwhile the holder works on in its cache; to pass
    /// the lock and what it protects from core to core costs more than many operations. (With half a
    /// microsecond, two cores at one counter took 65 for each step instead of 53, and 112 instead of
    /// 86 in an ordered table.)
    pub const fn long() -> Backoff {
        Backoff { step: LONG_STEP }
    }

    /// Waits at least once, and until `locked` is false.
    pub fn wait_while(&mut self, mut locked: impl FnMut() -> bool) {
        self.wait();
        while locked() {
            self.wait();
        }
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
