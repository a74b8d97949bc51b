//! How often those who retire run rounds.
//!
//! The more often epochs pass, the less memory is in use at once, and the sooner a thread uses
//! memory again that its caches still have. But the barrier of a round costs the one who passes it
//! up to some tens of microseconds, and interrupts all others. So there is a round when the last
//! one was a while ago, and a longer while where barriers have been found to be dear.

#[cfg(not(loom))]
pub(super) use shipped::Pace;

#[cfg(loom)]
pub(super) use modelled::Pace;

#[cfg(not(loom))]
mod shipped {
    use crate::sync::{AtomicU64, Ordering};
    use std::time::Instant;

    /// The least time from one round to the next, in nanoseconds: that of a few thousand writes.
    const PERIOD: u64 = 60_000;
    /// The most, however long barriers seem to take: a thread may have been descheduled in one.
    const LIMIT: u64 = 4_000_000;
    /// One part in so many of a thread's time may go into barriers.
    const SHARE: u64 = 32;

    /// See the module's documentation. Relaxed throughout: nothing depends on it but time.
    pub struct Pace {
        origin: Instant,
        /// When the last barrier ended, in nanoseconds since the origin.
        last: AtomicU64,
        /// How long barriers take, as a moving average in nanoseconds.
        cost: AtomicU64,
    }

    impl Pace {
        pub fn new() -> Pace {
            Pace { origin: Instant::now(), last: AtomicU64::new(0), cost: AtomicU64::new(0) }
        }

        fn now(&self) -> u64 {
            self.origin.elapsed().as_nanos() as u64
        }

        /// Is it time for a round?
        pub fn is_due(&self) -> bool {
            let wait = (self.cost.load(Ordering::Relaxed) * SHARE).clamp(PERIOD, LIMIT);
            self.now().saturating_sub(self.last.load(Ordering::Relaxed)) >= wait
        }

        /// Passes a barrier, and takes the time.
        pub fn measure<R>(&self, barrier: impl FnOnce() -> R) -> R {
            let begun = self.now();
            let result = barrier();
            let ended = self.now();
            let average = self.cost.load(Ordering::Relaxed) * 7 / 8 + (ended - begun) / 8;
            self.cost.store(average, Ordering::Relaxed);
            self.last.store(ended, Ordering::Relaxed);
            result
        }
    }
}

/// Models have no clock, and run rounds when they like.
#[cfg(loom)]
mod modelled {
    /// Never in a hurry.
    pub struct Pace;

    impl Pace {
        pub fn new() -> Pace {
            Pace
        }

        pub fn is_due(&self) -> bool {
            false
        }

        pub fn measure<R>(&self, barrier: impl FnOnce() -> R) -> R {
            barrier()
        }
    }
}
