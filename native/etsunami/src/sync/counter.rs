//! Striped counters of objects and memory words.
//!
//! # Algorithm
//!
//! Each stripe is one cache line; a thread adds to the stripe of its number. A sum reads all
//! stripes in a fixed order.
//!
//! # What a sum tells
//!
//! - At rest it is exact.
//! - While only additions run, each stripe only grows, so a sum lies between the total when it
//!   began and the total when it ended, and a sum that begins after another one ended is not
//!   smaller (Rinberg and Keidar, "Intermediate Value Linearizability", DISC 2020, discuss the
//!   general case). The loads of a sum are Acquire and the adds are Release: who has seen an
//!   addition in one stripe sees in the others whatever that addition had followed.
//! - With removals, an object's addition may lie in a stripe that was passed already and its
//!   removal in one that was not. Therefore stripes are collected until two collections agree:
//!   then the sum was true at an instant between them. After [`ATTEMPTS`] collections the last
//!   sum is taken as it is, and 0 in place of a negative one.
//!
//! One call of [`Counters::add`] is one addition to one stripe: a batch of any size is seen whole
//! or not at all in the count of objects. The counts of objects and of words are not coupled.

use super::{AtomicI64, AtomicU64, Ordering};

/// How often a sum is collected when writers interfere.
const ATTEMPTS: usize = if cfg!(loom) { 2 } else { 4 };

/// The bits of a tally that hold the number of objects, as a signed number; those above count
/// operations, so that a removal after an insert does not restore the old tally.
const OBJECT_BITS: u32 = 40;

/// How a sum loads: see the module documentation.
const LOAD: Ordering =
    if cfg!(feature = "weaken_counter_load") { Ordering::Relaxed } else { Ordering::Acquire };

/// Counters of objects and memory words, spread over cache lines.
#[derive(Debug)]
pub struct Counters {
    stripes: Box<[Stripe]>,
}

/// Several threads may share a stripe, so its additions are read-modify-writes.
#[derive(Debug)]
#[repr(align(64))]
struct Stripe {
    tally: AtomicU64,
    words: AtomicI64,
}

impl Stripe {
    fn new() -> Stripe {
        Stripe { tally: AtomicU64::new(0), words: AtomicI64::new(0) }
    }
}

/// The number of objects in a tally.
fn objects_in(tally: u64) -> i64 {
    (tally << (u64::BITS - OBJECT_BITS)) as i64 >> (u64::BITS - OBJECT_BITS)
}

impl Counters {
    /// Counters with `stripes` stripes, rounded up to a power of two. One stripe is the small
    /// form, for tables that expect no concurrent writers.
    pub fn new(stripes: usize) -> Counters {
        let count = stripes.max(1).next_power_of_two();
        Counters { stripes: (0..count).map(|_| Stripe::new()).collect() }
    }

    /// Adds to the counts. `stripe` is the number of the calling thread
    /// ([`Guard::stripe`](crate::reclaim::Guard::stripe)); any number is valid.
    #[inline]
    pub fn add(&self, stripe: usize, objects: i64, words: i64) {
        let stripe = &self.stripes[stripe & (self.stripes.len() - 1)];
        // Release: pairs with the Acquire loads of a sum (module documentation).
        if words != 0 {
            stripe.words.fetch_add(words, Ordering::Release);
        }
        if objects != 0 {
            let step = (1i64 << OBJECT_BITS).wrapping_add(objects);
            stripe.tally.fetch_add(step as u64, Ordering::Release);
        }
    }

    /// The number of objects.
    pub fn objects(&self) -> u64 {
        self.collect(|stripe| {
            let tally = stripe.tally.load(LOAD);
            (tally, objects_in(tally))
        })
    }

    /// The number of memory words.
    pub fn words(&self) -> u64 {
        self.collect(|stripe| {
            let words = stripe.words.load(LOAD);
            (words as u64, words)
        })
    }

    /// Sums until two collections agree. `read` gives what has to agree and what is summed.
    fn collect(&self, read: impl Fn(&Stripe) -> (u64, i64)) -> u64 {
        let mut last = self.collect_once(&read);
        if self.stripes.len() > 1 {
            for _ in 1..ATTEMPTS {
                let again = self.collect_once(&read);
                if std::mem::replace(&mut last, again).0 == again.0 {
                    break;
                }
            }
        }
        u64::try_from(last.1).unwrap_or(0)
    }

    /// One pass over the stripes: a digest of what was read, and the sum.
    fn collect_once(&self, read: impl Fn(&Stripe) -> (u64, i64)) -> (u64, i64) {
        self.stripes.iter().fold((0, 0), |(digest, sum), stripe| {
            let (raw, value) = read(stripe);
            // The multiplication makes the digest depend on which stripe held what. A collision
            // would only mean that an inconsistent sum is taken, as it is after ATTEMPTS anyway.
            (digest.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ raw, sum + value)
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Counters;

    #[test]
    fn sums_are_exact_at_rest() {
        let counters = Counters::new(3);
        assert_eq!(counters.stripes.len(), 4);
        for stripe in 0..10 {
            counters.add(stripe, 3, 20);
            counters.add(stripe + 1, -1, -5);
        }
        assert_eq!((counters.objects(), counters.words()), (20, 150));
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
