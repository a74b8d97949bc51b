//! The races of a table that is cleared: its contents, a hash table, are swapped for empty ones
//! ([`Swap`]) while others read, write and work on them.

use super::loom_hash::{A, B, Table, get, put, table};
use crate::reclaim::{Collector, Guard, Swap, Swapped};
use crate::sync::{Arc, UnsafeCell, thread};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often contents of a number were freed; loom need not see it.
type Freed = std::sync::Arc<[AtomicUsize; 2]>;

/// What a table holds between two clears.
struct Contents {
    table: Arc<Table>,
    number: usize,
    freed: Freed,
    /// Written before the contents are published, by which loom sees whether readers may count on
    /// what else was.
    made: UnsafeCell<bool>,
}

// SAFETY: the cell is not written once it is shared.
unsafe impl Sync for Contents {}

impl Contents {
    fn new(keys: &[u64], number: usize, freed: &Freed) -> Arc<Contents> {
        let made = UnsafeCell::new(false);
        // SAFETY: not shared yet.
        made.with_mut(|made| unsafe { *made = true });
        Arc::new(Contents { table: table(keys), number, freed: freed.clone(), made })
    }
}

impl Swapped for Contents {
    fn bytes(&self) -> usize {
        1
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        self.freed[self.number].fetch_add(1, Ordering::Relaxed);
    }
}

struct Cleared {
    collector: Collector,
    contents: Swap<Contents>,
    freed: Freed,
}

impl Cleared {
    fn new() -> Arc<Cleared> {
        let freed = Freed::default();
        let contents = Swap::new(Contents::new(&[A], 0, &freed));
        Arc::new(Cleared { collector: Collector::new(), contents, freed })
    }

    fn clear(&self, guard: &Guard) {
        let empty = Contents::new(&[], 1, &self.freed);
        assert!(self.contents.replace(guard, empty).is_some());
    }

    /// Uses the current contents, which must not be freed meanwhile.
    fn with<R>(&self, guard: &Guard, f: impl FnOnce(&Table, &Guard) -> R) -> R {
        let contents = self.contents.get(guard).unwrap();
        // SAFETY: nobody writes it any more.
        assert!(contents.made.with(|made| unsafe { *made }));
        let number = contents.number;
        let result = f(&contents.table, guard);
        assert_eq!(self.freed[number].load(Ordering::Relaxed), 0, "freed under a guard");
        result
    }

    fn get(&self, guard: &Guard, key: u64) -> Option<u64> {
        self.with(guard, |table, guard| get(table, guard, key))
    }
}

/// Explores what `other` and a clear do to each other, with a collector at work.
fn race(other: fn(&Cleared)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.max_branches = 10_000;
    model.check(move || {
        let cleared = Cleared::new();
        let thread = {
            let cleared = cleared.clone();
            thread::spawn(move || other(&cleared))
        };
        let local = cleared.collector.register();
        cleared.clear(&local.pin());
        (0..3).for_each(|_| cleared.collector.collect());
        // Whoever came before the clear has left nothing in what came after it.
        assert_ne!(cleared.get(&local.pin(), A), Some(1));
        thread.join().unwrap();
        (0..3).for_each(|_| cleared.collector.collect());
        assert_eq!(cleared.freed[0].load(Ordering::Relaxed), 1, "freed once");
    });
}

/// A reader sees the contents before or after, which stay while it looks at them.
#[test]
fn loom_clear_against_lookup() {
    race(|cleared| {
        let local = cleared.collector.register();
        let guard = local.pin();
        let (first, second) = (cleared.get(&guard, A), cleared.get(&guard, A));
        assert!(first.is_some() || second.is_none(), "a cleared object is back");
    });
}

/// An insert is cleared away with all else, or comes after the clear.
#[test]
fn loom_clear_against_insert() {
    race(|cleared| {
        let local = cleared.collector.register();
        let guard = local.pin();
        cleared.with(&guard, |table, guard| put(table, guard, B, 2));
        let seen = cleared.get(&guard, B);
        let again = cleared.get(&guard, B);
        assert!(seen.is_some() || again.is_none(), "what is cleared stays so");
    });
}

/// Who works longer has a reference, and the contents stay until it is given up.
#[test]
fn loom_clear_against_a_list_insert() {
    race(|cleared| {
        let local = cleared.collector.register();
        let kept = cleared.contents.share(&local.pin()).unwrap();
        put(&kept.table, &local.pin(), B, 2);
        assert_eq!(get(&kept.table, &local.pin(), B), Some(2));
        assert_eq!(cleared.freed[kept.number].load(Ordering::Relaxed), 0, "freed while kept");
    });
}

/// A table that is deleted stays so, whoever clears it.
#[test]
fn loom_clear_against_deletion() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let cleared = Cleared::new();
        let thread = {
            let cleared = cleared.clone();
            thread::spawn(move || {
                let local = cleared.collector.register();
                assert!(cleared.contents.take(&local.pin()).is_some());
            })
        };
        let local = cleared.collector.register();
        let empty = Contents::new(&[], 1, &cleared.freed);
        cleared.contents.replace(&local.pin(), empty);
        thread.join().unwrap();
        assert!(cleared.contents.get(&local.pin()).is_none());
        (0..3).for_each(|_| cleared.collector.collect());
        let freed = |number: usize| cleared.freed[number].load(Ordering::Relaxed);
        assert_eq!((freed(0), freed(1)), (1, 1), "each freed once");
    });
}
