//! Striped counters of objects and memory words.
//!
//! # Algorithm
//!
//! A stripe is a cache line with two counts. The first thread that adds gets a stripe to itself,
//! and adds by a load and a store, which cost a fraction of read-modify-writes. Others share the
//! *common* stripe, to which they add by read-modify-writes, until an array of stripes is made for
//! them, of which each thread takes the one of its number, if it is the first to do so. Where many
//! writers are expected the array is made when the second thread comes; elsewhere when the common
//! stripe has had [`PATIENCE`] additions, which is also the fate of a table with one writer that
//! has moved to another thread for good. A stripe that a thread has taken stays its own; with the
//! thread's number it passes to whoever gets the number next. A sum reads all stripes in a fixed
//! order.
//!
//! # What a sum tells
//!
//! - At rest it is exact.
//! - While only additions run, each stripe only grows, so a sum lies between the total when it
//!   began and the total when it ended, and a sum that begins after another one ended is not
//!   smaller (Rinberg and Keidar, "Intermediate Value Linearizability", DISC 2020, discuss the
//!   general case). The loads of a sum are Acquire and the adds are Release: who has seen an
//!   addition in one stripe sees in the others whatever that addition had followed, the array
//!   included.
//! - With removals, an object's addition may lie in a stripe that was passed already and its
//!   removal in one that was not. Therefore stripes are collected until two collections agree:
//!   then the sum was true at an instant between them. After [`ATTEMPTS`] collections the last
//!   sum is taken as it is, and 0 in place of a negative one.
//!
//! One call of [`Counters::add`] is one addition to one stripe: a batch of any size is seen whole
//! or not at all in the count of objects. The counts of objects and of words are not coupled.

use super::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::sync::weaken::{Weak, weakened};
use std::ptr::null_mut;

/// How often a sum is collected when writers interfere.
const ATTEMPTS: usize = if cfg!(loom) { 2 } else { 4 };

/// The bits of a tally that hold the number of objects, as a signed number; those above count
/// operations, so that a removal after an insert does not restore the old tally.
const OBJECT_BITS: u32 = 40;

/// How a sum loads: see the module documentation.
fn load_order() -> Ordering {
    if weakened(Weak::CounterLoad) { Ordering::Relaxed } else { Ordering::Acquire }
}

/// How many additions of other threads than the first one a table bears before it makes stripes for
/// them, where no writers at once are expected. They cost some 10 ns each; the stripes cost a cache
/// line for each thread.
const PATIENCE: u32 = 1024;

/// Nobody owns the stripe.
const FREE: usize = 0;

/// Counters of objects and memory words, spread over cache lines.
#[derive(Debug)]
pub struct Counters {
    /// Whose the first stripe is: see [`Owner`]. Beside the pointer, and not in the stripe, so that
    /// who finds that it is not his own does not disturb the owner.
    owner: Owner,
    /// An array of `limit` stripes, made when other threads add; null before.
    more: AtomicPtr<Line<Own>>,
    /// 0 if there shall be no array.
    limit: usize,
    /// How many additions the common stripe has before the array is made.
    patience: u32,
    first: Line<Stripe>,
    common: Line<Stripe>,
}

/// Something on a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Line<T>(T);

/// The number of the thread that a stripe belongs to, and one more; [`FREE`] before.
///
/// Relaxed throughout: only the thread itself writes its number, and only its own is of interest.
#[derive(Debug)]
struct Owner(AtomicUsize);

impl Owner {
    /// True if the stripe is this thread's, perhaps from now on.
    #[inline(always)]
    fn is(&self, thread: usize) -> bool {
        let owner = self.0.load(Ordering::Relaxed);
        owner == thread + 1 || (owner == FREE && self.claim(thread))
    }

    #[cold]
    fn claim(&self, thread: usize) -> bool {
        let owner = &self.0;
        if weakened(Weak::CounterClaim) {
            owner.store(thread + 1, Ordering::Relaxed);
            return true;
        }
        owner.compare_exchange(FREE, thread + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A stripe of the array.
#[derive(Debug)]
struct Own {
    stripe: Stripe,
    owner: Owner,
}

/// Two counts.
#[derive(Debug)]
struct Stripe {
    tally: AtomicU64,
    words: AtomicU64,
}

impl Stripe {
    fn new() -> Stripe {
        Stripe { tally: AtomicU64::new(0), words: AtomicU64::new(0) }
    }

    /// Adds to a stripe to which several threads may add.
    fn add_shared(&self, objects: i64, words: i64) {
        // Release, here and below: pairs with the Acquire loads of a sum (module documentation).
        if words != 0 {
            self.words.fetch_add(words as u64, Ordering::Release);
        }
        if objects != 0 {
            self.tally.fetch_add(step(objects), Ordering::Release);
        }
    }

    /// Adds to the stripe of the calling thread.
    #[inline(always)]
    fn add_own(&self, objects: i64, words: i64) {
        if words != 0 {
            let sum = load_own(&self.words).wrapping_add(words as u64);
            self.words.store(sum, Ordering::Release);
        }
        if objects != 0 {
            let tally = load_own(&self.tally).wrapping_add(step(objects));
            self.tally.store(tally, Ordering::Release);
        }
    }
}

/// Loads what only the calling thread stores. Relaxed: there is nothing to be ordered.
#[cfg(not(loom))]
#[inline(always)]
fn load_own(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Loads what only the calling thread stores. An atomic load before the store would hide from loom
/// that the store races with the loads of sums. This one is checked to race with no store.
#[cfg(loom)]
fn load_own(count: &AtomicU64) -> u64 {
    // SAFETY: the stripe is the calling thread's.
    unsafe { count.unsync_load() }
}

/// What is added to a tally for so many objects.
#[inline(always)]
fn step(objects: i64) -> u64 {
    (1i64 << OBJECT_BITS).wrapping_add(objects) as u64
}

/// The number of objects in a tally.
fn objects_in(tally: u64) -> i64 {
    (tally << (u64::BITS - OBJECT_BITS)) as i64 >> (u64::BITS - OBJECT_BITS)
}

impl Counters {
    /// Counters with stripes for so many writers at once; with one common stripe for all but the
    /// first of them, if `stripes` is 0 or 1.
    pub fn new(stripes: usize) -> Counters {
        Counters::with(stripes, 0)
    }

    /// [`Counters::new`] where writers at once are not expected: see the module documentation.
    pub fn patient(stripes: usize) -> Counters {
        Counters::with(stripes, PATIENCE)
    }

    fn with(stripes: usize, patience: u32) -> Counters {
        // A model of an engine need not try who gets the first stripe.
        let owner = if cfg!(loom) && stripes <= 1 { usize::MAX } else { FREE };
        Counters {
            owner: Owner(AtomicUsize::new(owner)),
            more: AtomicPtr::new(null_mut()),
            limit: if stripes <= 1 { 0 } else { stripes.next_power_of_two() },
            patience,
            first: Line(Stripe::new()),
            common: Line(Stripe::new()),
        }
    }

    /// Adds to the counts. `thread` is the number of the calling thread
    /// ([`Guard::stripe`](crate::reclaim::Guard::stripe)), which no other thread has at this time:
    /// otherwise additions may be lost.
    #[inline(always)]
    pub fn add(&self, thread: usize, objects: i64, words: i64) {
        if self.owner.is(thread) {
            self.first.0.add_own(objects, words);
        } else {
            self.add_elsewhere(thread, objects, words);
        }
    }

    #[inline(never)]
    fn add_elsewhere(&self, thread: usize, objects: i64, words: i64) {
        match self.array().get(thread & self.limit.wrapping_sub(1)) {
            Some(Line(own)) if own.owner.is(thread) => own.stripe.add_own(objects, words),
            _ => self.common.0.add_shared(objects, words),
        }
    }

    /// The array, made if there shall be one.
    fn array(&self) -> &[Line<Own>] {
        let made = self.made();
        if made.is_empty() && self.limit > 0 && self.is_time() { self.make() } else { made }
    }

    /// True if the common stripe has had its additions. Relaxed: no other memory hangs on it.
    fn is_time(&self) -> bool {
        self.patience == 0
            || self.common.0.tally.load(Ordering::Relaxed) >> OBJECT_BITS >= self.patience.into()
    }

    /// The array, if it has been made.
    fn made(&self) -> &[Line<Own>] {
        // Acquire: pairs with the exchange in `make`.
        let more = self.more.load(Ordering::Acquire);
        if more.is_null() {
            return &[];
        }
        // SAFETY: `make` stored the pointer to so many stripes, which live as long as self.
        unsafe { std::slice::from_raw_parts(more, self.limit) }
    }

    #[cold]
    fn make(&self) -> &[Line<Own>] {
        let free = || Line(Own { stripe: Stripe::new(), owner: Owner(AtomicUsize::new(FREE)) });
        let array: Box<[Line<Own>]> = (0..self.limit).map(|_| free()).collect();
        let array = Box::into_raw(array);
        // Release: pairs with the Acquire in `made`.
        let exchange = self.more.compare_exchange(
            null_mut(),
            array.cast::<Line<Own>>(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        if exchange.is_err() {
            // SAFETY: nobody else has seen it.
            drop(unsafe { Box::from_raw(array) });
        }
        self.made()
    }

    /// The number of objects.
    pub fn objects(&self) -> u64 {
        self.collect(|stripe| {
            let tally = stripe.tally.load(load_order());
            (tally, objects_in(tally))
        })
    }

    /// The number of memory words.
    pub fn words(&self) -> u64 {
        self.collect(|stripe| {
            let words = stripe.words.load(load_order());
            (words, words as i64)
        })
    }

    /// Sums until two collections agree. `read` gives what has to agree and what is summed.
    fn collect(&self, read: impl Fn(&Stripe) -> (u64, i64)) -> u64 {
        let mut last = self.collect_once(&read);
        for _ in 1..ATTEMPTS {
            let again = self.collect_once(&read);
            if std::mem::replace(&mut last, again).0 == again.0 {
                break;
            }
        }
        u64::try_from(last.1).unwrap_or(0)
    }

    /// One pass over the stripes: a digest of what was read, and the sum.
    fn collect_once(&self, read: impl Fn(&Stripe) -> (u64, i64)) -> (u64, i64) {
        let mut total = (0u64, 0i64);
        let mut take = |stripe: &Stripe| {
            let (raw, value) = read(stripe);
            // The multiplication makes the digest depend on which stripe held what. A collision
            // would only mean that an inconsistent sum is taken, as it is after ATTEMPTS anyway.
            total.0 = total.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ raw;
            total.1 += value;
        };
        take(&self.first.0);
        take(&self.common.0);
        // After the others: who is seen there may have followed the making of the array.
        self.made().iter().for_each(|own| take(&own.0.stripe));
        total
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        let more = self.more.load(Ordering::Relaxed);
        if !more.is_null() {
            // SAFETY: `make` got it from a box of so many, and nobody else uses self any more.
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(more, self.limit)) });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Counters, PATIENCE};

    #[test]
    fn sums_are_exact_at_rest() {
        for stripes in [1, 3] {
            let counters = Counters::new(stripes);
            for thread in 0..10 {
                counters.add(thread, 3, 20);
                counters.add(thread + 1, -1, -5);
            }
            assert_eq!((counters.objects(), counters.words()), (20, 150));
        }
    }

    #[test]
    fn stripes_are_made_for_the_second_thread_where_writers_are_expected() {
        let counters = [1, 3].map(Counters::new);
        counters.iter().for_each(|counters| counters.add(5, 1, 1));
        assert_eq!(counters.each_ref().map(|counters| counters.made().len()), [0, 0]);
        counters.iter().for_each(|counters| counters.add(6, 1, 1));
        assert_eq!(counters.each_ref().map(|counters| counters.made().len()), [0, 4]);
        assert!(counters[1].made()[6 % 4].0.owner.is(6));
        // Thread 10 would have the same stripe of the array.
        counters[1].add(10, 1, 1);
        assert_eq!(counters[1].objects(), 3);
        assert_eq!(counters[1].common.0.tally.load(super::Ordering::Relaxed), super::step(1));
    }

    #[test]
    fn stripes_are_made_late_where_no_writers_are_expected() {
        let counters = Counters::patient(4);
        let late = || counters.made().len();
        counters.add(5, 1, 1);
        (0..PATIENCE).for_each(|_| counters.add(6, 1, 1));
        assert_eq!(late(), 0);
        counters.add(6, 1, 1);
        assert_eq!(late(), 4);
        counters.add(6, -1, -1);
        let own = &counters.made()[6 % 4].0.stripe;
        assert_eq!(super::objects_in(own.tally.load(super::Ordering::Relaxed)), 0);
        assert_eq!(counters.objects(), 1 + u64::from(PATIENCE));
        assert_eq!(counters.words(), 1 + u64::from(PATIENCE));
    }

    #[test]
    fn threads_do_not_lose_additions_of_each_other() {
        for stripes in [1, 4] {
            let counters = Counters::new(stripes);
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let counters = &counters;
                    scope.spawn(move || (0..10_000).for_each(|_| counters.add(thread, 1, 3)));
                }
            });
            assert_eq!((counters.objects(), counters.words()), (40_000, 120_000));
        }
    }

    #[test]
    fn removals_in_another_stripe_than_the_additions_balance() {
        let counters = Counters::new(2);
        counters.add(0, 1_000_000_000_000 / 4, 7);
        counters.add(1, -1_000_000_000_000 / 4 + 5, -8);
        assert_eq!((counters.objects(), counters.words()), (5, 0));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::Counters;
    use crate::sync::{Arc, thread};

    fn model(body: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(body);
    }

    #[test]
    fn loom_size_never_decreases_while_only_inserts_run() {
        model(|| {
            let counters = Arc::new(Counters::new(2));
            let writers = [0, 1].map(|stripe| {
                let counters = counters.clone();
                thread::spawn(move || counters.add(stripe, 1, 0))
            });
            let first = counters.objects();
            let second = counters.objects();
            assert!(first <= second && second <= 2, "{first}, then {second}");
            for writer in writers {
                writer.join().unwrap();
            }
            assert_eq!(counters.objects(), 2);
        });
    }

    #[test]
    fn loom_size_passed_from_reader_to_reader_never_decreases() {
        model(|| {
            let counters = Arc::new(Counters::new(2));
            let writer = {
                let counters = counters.clone();
                thread::spawn(move || {
                    counters.add(1, 1, 0);
                    counters.add(0, 1, 0);
                })
            };
            // Who sees the second addition sees the first as well, which it followed.
            let first = counters.objects();
            let second = counters.objects();
            assert!(first <= second && second <= 2, "{first}, then {second}");
            writer.join().unwrap();
        });
    }

    #[test]
    fn loom_object_that_moves_between_stripes_is_counted_once() {
        model(|| {
            let counters = Arc::new(Counters::new(2));
            counters.add(0, 1, 0);
            let writer = {
                let counters = counters.clone();
                thread::spawn(move || {
                    counters.add(1, 1, 0);
                    counters.add(0, -1, 0);
                })
            };
            assert_ne!(counters.objects(), 0, "never empty");
            writer.join().unwrap();
        });
    }
}
