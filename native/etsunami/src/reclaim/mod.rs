//! When memory may be freed: epoch-based reclamation with an asymmetric barrier.
//!
//! Keir Fraser's epochs ("Practical lock-freedom", 2004) with the fence moved from those who read
//! to the one who frees, as in user-space RCU (Desnoyers et al., 2012).
//!
//! # Definitions
//!
//! - A *participant* is a thread's slot in a [`Collector`]. It is *pinned* while it has a
//!   [`Guard`], and then announces the epoch in which it was pinned.
//! - The *epoch* is a number that only grows. An *advance* adds one.
//! - Memory is *retired* after it was unlinked: after nothing that is shared leads to it.
//!
//! # The life of retired memory
//!
//! It goes into the bag of its thread. A full bag is handed to the collector's queue; the bag of a
//! thread that is idle is taken from it. A *round* of the collector passes a heavy barrier,
//! stamps the bags in the queue with the epoch, and advances. Two advances later the bag is freed.
//!
//! A thread that goes on to retire runs rounds itself, at intervals, and frees its own bags when it
//! drops its last guard: the memory comes back to the one who will use it, while it is in his
//! caches. Whatever is left is freed by the background thread, which wakes up every 10 ms while
//! there is garbage and sleeps otherwise.
//!
//! # Invariants
//!
//! 1. The epoch leaves `e` only after a heavy barrier, and only if every participant that is
//!    pinned announces `e`.
//! 2. A bag is stamped after a heavy barrier that came after the unlinking of all its items.
//! 3. A bag stamped with `e` is freed in `e + 2` or later.
//!
//! Why they suffice stands in `collector.rs`. Why no two threads access one bag stands in
//! `participant.rs`.
//!
//! # Costs
//!
//! A guard costs about one nanosecond where the system knows `membarrier`, five elsewhere
//! ([`mode`]). Retiring costs a few stores. Bytes are counted with what an item holds elsewhere (a
//! binary of the VM). When more than 4 MiB wait, threads that retire try to advance with each bag, and
//! free a few items of any thread whenever they drop their last guard. When more than 32 MiB wait, they
//! keep freeing for up to half a millisecond. A thread that stays pinned holds back all freeing; then
//! what waits is bounded by what the others retire in calls of that length.
//!
//! # Not guaranteed
//!
//! Nothing is freed at a certain time, or in a certain order. At the end of the process garbage is
//! left as it is. The library that holds this code must not be unloaded while it has been used.

mod bag;
mod collector;
mod drain;
mod epoch;
mod global;
mod guard;
mod memo;
mod pace;
mod participant;
mod swap;
#[cfg(test)]
mod tests;
mod worker;

pub use crate::sync::barrier::Mode;
pub use collector::Flushed;
pub use drain::Drained;
pub use guard::{Collector, Guard, Local};
pub use memo::Memo;
pub(crate) use swap::{Swap, Swapped, retire_reference};
pub use worker::set_tidy_hook;

/// Pins this thread in the default collector. About a nanosecond.
#[inline]
pub fn pin() -> Guard {
    global::pin()
}

/// Runs a job on the background thread, for cleanups and for freeing that takes long. Jobs run
/// one after another, in the order in which they are handed in; they may pin, retire and defer.
/// A job that would take longer than some milliseconds does a part and defers the rest, because
/// nothing is freed while it runs.
pub fn defer(job: Box<dyn FnOnce() + Send>) {
    global::collector().shared().worker().post(job);
}

/// Bytes that were retired and are not freed yet.
pub fn pending_bytes() -> usize {
    global::collector().pending_bytes()
}

/// Items that were retired and are not freed yet.
pub fn pending_items() -> usize {
    global::collector().pending_items()
}

/// How long the oldest garbage that was handed in has waited to be freed.
pub fn oldest_pending() -> Option<std::time::Duration> {
    global::collector().shared().oldest()
}

/// Hands in this thread's garbage and waits, for some seconds at most, until everything that was
/// retired before by this thread and by idle ones has been freed, and no deferred job is left.
/// For tests and shutdown; a thread that is pinned waits in vain.
pub fn flush() -> Flushed {
    global::collector().flush()
}

/// Waits until every guard that is live now has ended, for `limit` at most: whatever those that hold
/// them do is over, and visible to the caller. What changes between a mark that new operations respect
/// and the end of a drain is changed for all at once. Takes some microseconds where guards are short.
///
/// A thread that is pinned waits in vain.
#[cfg(not(loom))]
pub fn drain(limit: std::time::Duration) -> Drained {
    let deadline = std::time::Instant::now() + limit;
    global::collector().shared().drain(|| {
        crate::sync::thread::yield_now();
        std::time::Instant::now() < deadline
    })
}

/// How guards are made cheap on this system.
pub fn mode() -> Mode {
    global::collector();
    crate::sync::barrier::mode()
}

/// Whether the system has stopped supporting what [`mode`] relies on; then nothing is freed any
/// more.
pub fn is_stalled() -> bool {
    global::collector().shared().is_barrier_lost()
}
