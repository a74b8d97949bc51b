//! Waiting for every operation that began before.
//!
//! A change that others must not overlap (a table gets another name, fewer processes may write) is
//! made in three steps: mark what operations look at first, drain, then change it. An operation that
//! sees the mark does not begin. One that did not see it is pinned, and the drain waits for its guard.
//!
//! # Why this is enough
//!
//! The drain passes a heavy barrier after the mark and then reads all announcements. A thread whose
//! announcement it does not find passes its light barrier later, so it sees the mark. For each
//! announcement that it does find, it waits until the slot holds another value: then the guard of
//! that time has ended. A guard that follows in the same epoch announces the same value, so rounds
//! are run meanwhile, which advance the epoch.

use super::collector::{Round, Shared};
use crate::sync::barrier::heavy_barrier;
use crate::sync::weaken::{Weak, weakened};

/// How a drain ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Drained {
    /// No guard of the time before the drain is left.
    Done,
    /// Some guard has lived longer than the caller wanted to wait.
    Impatient,
    /// The heavy barrier does not work any more, so nothing can be said about other threads.
    Lost,
}

impl Shared {
    /// Waits until every guard that was live when this was called has ended, at most until `wait`
    /// gives false. It is called between attempts and gives the processor away.
    ///
    /// A caller that is pinned waits in vain.
    pub fn drain(&self, mut wait: impl FnMut() -> bool) -> Drained {
        if heavy_barrier().is_err() {
            return Drained::Lost;
        }
        let mut live: Vec<_> =
            self.slots().filter_map(|slot| Some((slot, slot.session()?))).collect();
        loop {
            live.retain(|(slot, session)| slot.session() == Some(*session));
            if live.is_empty() || weakened(Weak::DrainWait) {
                return Drained::Done;
            }
            if self.round() == Round::Lost {
                return Drained::Lost;
            }
            if !wait() {
                return Drained::Impatient;
            }
        }
    }
}
