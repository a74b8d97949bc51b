//! Conservation: what is retired is freed once, in time, and not before its time.

use crate::reclaim::{self, Flushed};
use crate::sync::{Arc, AtomicUsize, Ordering, thread};
use std::time::{Duration, Instant};

/// Counts its drops.
struct Tracked(Arc<AtomicUsize>);

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn retire(guard: &reclaim::Guard, drops: &Arc<AtomicUsize>) {
    let item = Box::into_raw(Box::new(Tracked(drops.clone())));
    // SAFETY: the box was never shared.
    unsafe { guard.retire_box(item, size_of::<Tracked>()) };
}

#[test]
fn few_items_of_an_idle_thread_are_freed_soon() {
    let drops = Arc::new(AtomicUsize::new(0));
    retire(&reclaim::pin(), &drops);
    let begun = Instant::now();
    while drops.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(2), "still not freed");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn flush_frees_all_that_was_retired_before() {
    let drops = Arc::new(AtomicUsize::new(0));
    for _ in 0..2000 {
        retire(&reclaim::pin(), &drops);
    }
    assert_eq!(reclaim::flush(), Flushed::Done);
    assert_eq!(drops.load(Ordering::Relaxed), 2000);
}
