//! The collector: what all participants share, and the rounds that move the epoch.
//!
//! # A round
//!
//! One thread at a time (`turn`):
//!
//! 1. asks for the bags of idle participants, notes which bags are in the queue, reads the epoch
//!    `e`, and passes one heavy barrier;
//! 2. stamps the noted bags with `e`. Their items were unlinked before the barrier, so a
//!    participant that pins itself in `e + 1` or later cannot reach them: it read the epoch after
//!    it was advanced, that is after the barrier;
//! 3. takes the idle participants' bags, for the next round to stamp: their items may have been
//!    unlinked after the barrier;
//! 4. advances the epoch to `e + 1` unless some participant is pinned in an older epoch than `e`.
//!
//! A bag stamped with `e` is freed in epoch `e + 2`. A participant that may reach its items was
//! pinned in `e` or before, or read the epoch before the stamp; the advance from `e + 1` to
//! `e + 2` passes a heavy barrier after it has read `e + 1` and then finds that participant's
//! announcement, which is not `e + 1`.

use super::bag::{Bag, Queue, Ripe};
use super::epoch;
use super::pace::Pace;
use super::participant::Participant;
use super::worker::Worker;
use crate::accounting::exempt;
use crate::sync::barrier::{self, heavy_barrier};
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, CachePadded, Mutex, MutexGuard, Ordering, fence,
    thread,
};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Beyond this many queued bytes those who retire help to free.
const PRESSURE_BYTES: usize = 4 << 20;
/// Beyond this many they go on until less waits, for [`RELIEF`] at most.
const DISTRESS_BYTES: usize = 32 << 20;
/// How long a thread frees under distress before it goes on with its own work: as long as a call may
/// occupy a scheduler, less what the call itself takes.
const RELIEF: Duration = Duration::from_micros(500);
/// The background thread is woken early when this many bytes wait.
const ROUSE_BYTES: usize = 1 << 20;
/// How many items a thread frees per guard while it helps.
const HELP_ITEMS: usize = 32;
/// Stealing, stamping and two advances take three rounds; one more for what came meanwhile.
const ROUNDS: usize = 4;
/// How many rounds a thread runs to free what it has just retired, if that is large. Two or three are
/// enough where no other thread is pinned.
const LARGE_ROUNDS: usize = 12;
/// How long [`Shared::flush`] tries.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// A participant on cache lines of its own.
pub(super) type Slot = CachePadded<Participant>;

/// How a round ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Round {
    /// The epoch has advanced.
    Advanced,
    /// A participant is pinned in an older epoch.
    Stuck,
    /// Another thread is at it.
    Busy,
    /// The heavy barrier does not work any more: nothing will be freed.
    Lost,
}

/// What the participants of a collector share.
pub(super) struct Shared {
    /// Changes only under `turn`. Read by everybody who pins, so alone on its line.
    epoch: CachePadded<AtomicU64>,
    /// The list of slots, newest first. Slots are reused, and freed with the collector.
    slots: AtomicPtr<Slot>,
    slot_count: AtomicUsize,
    turn: Mutex<()>,
    pace: Pace,
    queue: Mutex<Queue>,
    queued_items: AtomicUsize,
    queued_bytes: AtomicUsize,
    barrier_lost: AtomicBool,
    worker: Worker,
}

// SAFETY:
// - the slots behind `slots` are `Sync` and freed only by the destructor;
// - everything else is `Sync` by itself.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing is bound to a thread.
unsafe impl Send for Shared {}

/// Locks. A panic elsewhere does not matter, because nothing that may panic runs under a lock of
/// the collector.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A collector; `service` is the body of its background thread, if it is to have one.
    pub fn new(service: Option<fn()>) -> Shared {
        barrier::init();
        Shared {
            epoch: CachePadded::new(AtomicU64::new(epoch::FIRST)),
            slots: AtomicPtr::new(std::ptr::null_mut()),
            slot_count: AtomicUsize::new(0),
            turn: Mutex::new(()),
            pace: Pace::new(),
            queue: Mutex::new(Queue::default()),
            queued_items: AtomicUsize::new(0),
            queued_bytes: AtomicUsize::new(0),
            barrier_lost: AtomicBool::new(false),
            worker: Worker::new(service),
        }
    }

    /// The global epoch.
    #[inline(always)]
    pub fn epoch(&self) -> &AtomicU64 {
        &self.epoch
    }

    /// The background thread, and what it has to do.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Whether the heavy barrier has stopped working, so that nothing is freed any more.
    pub fn is_barrier_lost(&self) -> bool {
        self.barrier_lost.load(Ordering::Relaxed)
    }

    // Participants.

    /// The slots that there are, newest first.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        // Acquire: pairs with the Release that published the slot.
        let mut next: *const Slot = self.slots.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: slots on the list are published completely and live as long as `self`.
            let slot = unsafe { next.as_ref() }?;
            next = slot.next.get();
            Some(slot)
        })
    }

    /// A slot that belongs to the caller until it is released.
    pub fn claim(&self) -> &Slot {
        if let Some(slot) = self.slots().find(|slot| slot.try_claim()) {
            return slot;
        }
        // Relaxed: only the number's uniqueness matters.
        let index = self.slot_count.fetch_add(1, Ordering::Relaxed);
        let slot = exempt(|| Box::new(CachePadded::new(Participant::new(self, index))));
        let slot = Box::into_raw(slot);
        let mut head = self.slots.load(Ordering::Relaxed);
        loop {
            // SAFETY: the slot is not published yet; nobody else reads `next`.
            unsafe { &*slot }.next.set(head);
            // Release: publishes the slot. Later publications are read-modify-writes on top of
            // it, so whoever finds a newer head sees this slot too.
            match self.slots.compare_exchange(head, slot, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: slots are freed only with the collector.
                Ok(_) => return unsafe { &*slot },
                Err(newer) => head = newer,
            }
        }
    }

    // Garbage.

    /// Puts a bag of the thread of this number into the queue.
    pub fn submit(&self, from: usize, bag: Bag) {
        let (items, bytes) = (bag.items.len(), bag.bytes);
        // Relaxed: statistics, and thresholds that need no precision.
        self.queued_items.fetch_add(items, Ordering::Relaxed);
        let before = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        lock(&self.queue).push(from, bag);
        if before < ROUSE_BYTES && before + bytes >= ROUSE_BYTES {
            self.worker.hurry();
        }
        self.worker.rouse();
    }

    /// Whether so much waits that the background thread should not sleep.
    #[cfg(not(loom))]
    pub fn has_backlog(&self) -> bool {
        self.queued_bytes.load(Ordering::Relaxed) >= ROUSE_BYTES
    }

    /// Whether those who retire should help to free.
    pub fn is_pressed(&self) -> bool {
        self.queued_bytes.load(Ordering::Relaxed) > PRESSURE_BYTES
    }

    /// Whether one who retires should run a round.
    pub fn is_round_due(&self) -> bool {
        self.is_pressed() || self.pace.is_due()
    }

    /// Frees a few items: those of this thread first, whose memory it will use again. True if there
    /// may be more to do.
    pub fn help(&self, thread: usize) -> bool {
        if !self.is_pressed() {
            // Acquire: pairs with the Release of the advance.
            let epoch = self.epoch.load(Ordering::Acquire);
            let ripe = lock(&self.queue).take_ripe_from(thread, epoch);
            return ripe.map(|ripe| self.free(ripe)).is_some();
        }
        self.free_ripe(HELP_ITEMS);
        if self.is_distressed() {
            self.relieve();
        }
        true
    }

    /// Has the large items ripen that this thread has just handed in, and frees them here if no other
    /// thread is pinned. What the background thread frees of the VM's memory becomes free only when
    /// the scheduler that allocated it looks for such memory, and a busy one seldom does.
    pub fn free_large(&self, thread: usize) {
        for _ in 0..LARGE_ROUNDS {
            // Acquire: pairs with the Release of the advance.
            let epoch = self.epoch.load(Ordering::Acquire);
            let ripe = || lock(&self.queue).take_ripe_from(thread, epoch);
            while let Some(ripe) = ripe() {
                self.free(ripe);
            }
            if !lock(&self.queue).has_large_from(thread) {
                return;
            }
            match self.round() {
                Round::Advanced => {}
                Round::Stuck | Round::Busy => thread::yield_now(),
                Round::Lost => return,
            }
        }
    }

    fn is_distressed(&self) -> bool {
        self.queued_bytes.load(Ordering::Relaxed) > DISTRESS_BYTES
    }

    /// Runs rounds and frees, as long as too much waits and the time allows. The processor is given
    /// away in between, to a thread that is pinned and does not run.
    #[cold]
    fn relieve(&self) {
        let begun = Instant::now();
        while self.is_distressed() && begun.elapsed() < RELIEF {
            if self.round() == Round::Lost {
                return;
            }
            if !self.free_ripe(HELP_ITEMS) {
                thread::yield_now();
            }
        }
    }

    /// How long the oldest garbage in the queue has waited.
    pub fn oldest(&self) -> Option<Duration> {
        lock(&self.queue).oldest().map(|since| since.elapsed())
    }

    /// Items that were retired and are not freed yet.
    pub fn pending_items(&self) -> usize {
        let open: usize = self.slots().map(|slot| slot.items()).sum();
        open + self.queued_items.load(Ordering::Relaxed)
    }

    /// Bytes that were retired and are not freed yet.
    pub fn pending_bytes(&self) -> usize {
        let open: usize = self.slots().map(|slot| slot.bytes()).sum();
        open + self.queued_bytes.load(Ordering::Relaxed)
    }

    /// One round, as the module documentation describes it.
    pub fn round(&self) -> Round {
        let Ok(_turn) = self.turn.try_lock() else { return Round::Busy };
        self.slots().for_each(|slot| slot.want());
        let watermark = lock(&self.queue).watermark();
        // Relaxed: we have the turn, so the value is ours or came with the turn's lock.
        let epoch = self.epoch.load(Ordering::Relaxed);
        if !weakened(Weak::ReclaimBarrier) && self.pace.measure(heavy_barrier).is_err() {
            self.slots().for_each(|slot| drop(slot.renounce()));
            self.barrier_lost.store(true, Ordering::Relaxed);
            return Round::Lost;
        }
        lock(&self.queue).stamp(watermark, epoch);
        let stolen = |slot: &Slot| Some((slot.index(), slot.steal()?));
        self.slots().filter_map(stolen).for_each(|(from, bag)| self.submit(from, bag));
        if !self.slots().all(|slot| slot.permits_advance(epoch)) {
            return Round::Stuck;
        }
        // Pairs with the Release stores of announcements: what the participants did before them
        // is over for those who free after this advance.
        fence(Ordering::Acquire);
        crate::faults::delay();
        // Release: pairs with the Acquire in `free_ripe`.
        self.epoch.store(epoch + 1, Ordering::Release);
        Round::Advanced
    }

    /// Frees up to `count` ripe items of the oldest bag. False if there were none.
    fn free_ripe(&self, count: usize) -> bool {
        // Acquire: pairs with the Release of the advance.
        let epoch = self.epoch.load(Ordering::Acquire);
        let Some(mut ripe) = lock(&self.queue).take_ripe(epoch, count) else { return false };
        ripe.bag.sort();
        self.free(ripe);
        true
    }

    /// Frees what was taken out of the queue.
    fn free(&self, ripe: Ripe) {
        let (items, bytes) = (ripe.bag.items.len(), ripe.bag.bytes);
        // SAFETY: the bag is ripe: no guard of the time of its retirement is left (module
        // documentation), and it has been taken out of the queue.
        unsafe { ripe.bag.free() };
        self.queued_items.fetch_sub(items, Ordering::Relaxed);
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        lock(&self.queue).finished(ripe.serial);
    }

    /// Runs rounds while they help, and frees what is ripe.
    pub fn collect(&self) -> Round {
        let mut last = Round::Advanced;
        for _ in 0..ROUNDS {
            while self.free_ripe(usize::MAX) {}
            if self.pending_items() == 0 || last != Round::Advanced {
                break;
            }
            last = self.round();
        }
        while self.free_ripe(usize::MAX) {}
        last
    }

    /// Waits until there is no job, and all bags in the queue and those of idle participants have
    /// been freed; at most [`FLUSH_LIMIT`].
    pub fn flush(&self) -> Flushed {
        let deadline = Instant::now() + FLUSH_LIMIT;
        let mut watermark = None;
        while Instant::now() < deadline {
            self.worker.assist();
            if self.collect() == Round::Lost {
                break;
            }
            match watermark {
                // After the last job one whole round takes what idle participants have, the
                // jobs' own garbage included.
                None if self.worker.is_idle() && self.round() != Round::Busy => {
                    watermark = Some(lock(&self.queue).watermark());
                }
                Some(watermark) if lock(&self.queue).is_done(watermark) => return Flushed::Done,
                _ => pause(),
            }
        }
        Flushed::TimedOut
    }
}

/// How a flush ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Flushed {
    /// Everything that was retired before has been freed.
    Done,
    /// Some guard, some job or a lost barrier stood in the way for some seconds.
    TimedOut,
}

/// Gives others time to unpin.
#[cfg(not(loom))]
fn pause() {
    thread::sleep(Duration::from_millis(1));
}

/// Gives others time to unpin.
#[cfg(loom)]
fn pause() {
    thread::yield_now();
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.worker.assist();
        for bag in lock(&self.queue).drain() {
            // SAFETY: a collector is dropped after the last of its handles, so it has no guards.
            unsafe { bag.free() };
        }
        let mut next: *mut Slot = self.slots.load(Ordering::Acquire);
        while !next.is_null() {
            // SAFETY: slots were made by `Box` in `claim`; we own the list by `&mut self`.
            let slot = unsafe { Box::from_raw(next) };
            next = slot.next.get().cast_mut();
        }
    }
}
