//! How to wait for another thread that is expected to need a few nanoseconds only.

use super::{spin_loop, thread};

/// Waits longer from call to call: pauses of 1, 2, 4, … instructions, then the processor is
/// offered to other threads, in case the awaited one has been descheduled.
#[derive(Debug, Default)]
pub struct Backoff {
    step: u32,
}

/// Beyond 2⁶ pauses (about 1 µs) a yield is cheaper than what it may save. Under loom a pause is a
/// yield.
const SPIN_STEPS: u32 = if cfg!(loom) { 1 } else { 6 };

impl Backoff {
    /// A backoff that begins with one pause.
    pub const fn new() -> Backoff {
        Backoff { step: 0 }
    }

    /// A backoff for a lock that its holder may take again at once: it begins with pauses long
    /// enough for the holder to do several operations while what they touch is in its cache.
    pub const fn patient() -> Backoff {
        Backoff { step: 3 }
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
