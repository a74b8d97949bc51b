//! Retired memory: single items, bags of them, and the queue in which bags ripen.

use super::epoch;
use crate::accounting::exempt;
use crate::sync::prefetch;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// A bag is handed in at this many items: enough to spread the cost of the queue's lock thinly.
pub(super) const BAG_ITEMS: usize = if cfg!(loom) { 2 } else { 512 };
/// How many items ahead memory is fetched while a bag is freed.
const AHEAD: usize = 8;
/// A bag is handed in at this many bytes, so that large objects do not wait for small ones.
pub(super) const BAG_BYTES: usize = 256 << 10;

/// An item of more bytes is large.
const LARGE_BYTES: usize = 16 << 10;

/// Something to be freed.
pub(super) struct Retired {
    pub ptr: *mut u8,
    pub drop: unsafe fn(*mut u8),
    pub bytes: usize,
}

// SAFETY:
// - `Guard::retire` lets its caller promise that nobody else reaches the memory and that `drop`
//   may run on any thread;
// - nothing else of an item is bound to a thread.
unsafe impl Send for Retired {}

/// Is a bag of that many items and bytes to be handed in?
pub(super) fn is_full(items: usize, bytes: usize) -> bool {
    items >= BAG_ITEMS || bytes >= BAG_BYTES
}

/// Retired items that ripen together.
#[derive(Default)]
pub(super) struct Bag {
    pub items: Vec<Retired>,
    pub bytes: usize,
}

impl Bag {
    pub const fn new() -> Bag {
        Bag { items: Vec::new(), bytes: 0 }
    }

    /// A bag that will be filled, as the one before was.
    pub fn next(full: &Bag) -> Bag {
        let capacity = if full.items.len() >= BAG_ITEMS { BAG_ITEMS } else { 0 };
        Bag { items: exempt(|| Vec::with_capacity(capacity)), bytes: 0 }
    }

    pub fn push(&mut self, item: Retired) {
        if self.items.capacity() == 0 {
            self.items.reserve(BAG_ITEMS.min(16));
        }
        self.bytes += item.bytes;
        self.items.push(item);
    }

    pub fn is_full(&self) -> bool {
        is_full(self.items.len(), self.bytes)
    }

    /// Whether the items are so large that freeing each of them soon is worth a barrier.
    pub fn is_of_large_items(&self) -> bool {
        self.bytes > self.items.len() * LARGE_BYTES
    }

    /// Moves the last `count` items into a bag of their own.
    fn split(&mut self, count: usize) -> Bag {
        let at = self.items.len().saturating_sub(count);
        let items = self.items.split_off(at);
        let bytes = items.iter().map(|item| item.bytes).sum();
        self.bytes -= bytes;
        Bag { items, bytes }
    }

    /// Brings everything into the order of addresses, which allocators like best. For threads that
    /// have the time.
    pub fn sort(&mut self) {
        self.items.sort_unstable_by_key(|item| item.ptr as usize);
    }

    /// Frees everything. A panic of an item's `drop` ends here: it concerns this item alone, and
    /// whoever happens to free it must not suffer from it.
    ///
    /// # Safety
    /// No guard that was live when an item was retired is live any more.
    pub unsafe fn free(self) {
        let mut items = self.items.into_iter();
        while items.len() > 0 {
            let _ = catch_unwind(AssertUnwindSafe(|| {
                while let Some(item) = items.next() {
                    if let Some(ahead) = items.as_slice().get(AHEAD) {
                        prefetch(ahead.ptr);
                    }
                    // SAFETY: the caller promises the grace period, `retire`'s caller the rest;
                    // each item is taken once.
                    unsafe { (item.drop)(item.ptr) };
                }
            }));
        }
    }
}

/// A bag in the queue.
struct Queued {
    serial: u64,
    /// The number of the thread that retired the items.
    from: usize,
    /// The epoch stamped on the bag after a heavy barrier; none before.
    stamp: Option<u64>,
    /// When the bag was handed in.
    since: Instant,
    bag: Bag,
}

/// A bag that was taken out of the queue to be freed; the serial is to be given back to
/// [`Queue::finished`] afterwards.
pub(super) struct Ripe {
    pub serial: u64,
    pub bag: Bag,
}

/// Bags in the order in which they were handed in, stamped ones first.
#[derive(Default)]
pub(super) struct Queue {
    bags: VecDeque<Queued>,
    /// Serials of what has been taken out and is being freed.
    in_flight: Vec<u64>,
    next_serial: u64,
}

impl Queue {
    pub fn push(&mut self, from: usize, bag: Bag) {
        let serial = self.next_serial;
        self.next_serial += 1;
        exempt(|| {
            self.bags.push_back(Queued { serial, from, stamp: None, since: Instant::now(), bag })
        });
    }

    /// When the oldest bag was handed in.
    pub fn oldest(&self) -> Option<Instant> {
        self.bags.front().map(|queued| queued.since)
    }

    /// All bags handed in so far have serials below this.
    pub fn watermark(&self) -> u64 {
        self.next_serial
    }

    /// Stamps the bags that were handed in before `watermark` was taken.
    pub fn stamp(&mut self, watermark: u64, epoch: u64) {
        let unstamped = self.bags.iter_mut().rev().take_while(|queued| queued.stamp.is_none());
        for queued in unstamped.filter(|queued| queued.serial < watermark) {
            queued.stamp = Some(epoch);
        }
    }

    /// Takes out at most `count` items that are ripe in `epoch`, all from the oldest bag.
    pub fn take_ripe(&mut self, epoch: u64, count: usize) -> Option<Ripe> {
        let front = self.bags.front_mut()?;
        if !front.stamp.is_some_and(|stamp| epoch::is_ripe(stamp, epoch)) {
            return None;
        }
        let serial = front.serial;
        let bag = if front.bag.items.len() <= count {
            self.bags.pop_front()?.bag
        } else {
            front.bag.split(count)
        };
        exempt(|| self.in_flight.push(serial));
        Some(Ripe { serial, bag })
    }

    /// Takes out the oldest bag of this thread that is ripe in `epoch`.
    pub fn take_ripe_from(&mut self, from: usize, epoch: u64) -> Option<Ripe> {
        let ripe = |queued: &Queued| queued.stamp.is_some_and(|stamp| epoch::is_ripe(stamp, epoch));
        let mut ripe = self.bags.iter().take_while(|queued| ripe(queued));
        let at = ripe.position(|queued| queued.from == from)?;
        let queued = self.bags.remove(at)?;
        exempt(|| self.in_flight.push(queued.serial));
        Some(Ripe { serial: queued.serial, bag: queued.bag })
    }

    /// Whether large items wait that this thread has handed in.
    pub fn has_large_from(&self, from: usize) -> bool {
        self.bags.iter().any(|queued| queued.from == from && queued.bag.is_of_large_items())
    }

    /// What was taken out under this serial has been freed.
    pub fn finished(&mut self, serial: u64) {
        if let Some(at) = self.in_flight.iter().position(|&other| other == serial) {
            self.in_flight.swap_remove(at);
        }
    }

    /// Whether everything that was handed in before `watermark` was taken has been freed.
    pub fn is_done(&self, watermark: u64) -> bool {
        self.bags.front().is_none_or(|queued| queued.serial >= watermark)
            && self.in_flight.iter().all(|&serial| serial >= watermark)
    }

    /// Takes out everything, ripe or not.
    pub fn drain(&mut self) -> impl Iterator<Item = Bag> + '_ {
        self.bags.drain(..).map(|queued| queued.bag)
    }
}
