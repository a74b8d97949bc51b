//! Conservation: what is retired is freed once, in time, and not before its time.

use crate::reclaim::{self, Collector, Flushed, Guard, Mode};
use crate::sync::{Arc, AtomicBool, AtomicPtr, AtomicUsize, Ordering, thread};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Counts its drops.
struct Tracked(Arc<AtomicUsize>);

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

fn retire(guard: &Guard, drops: &Arc<AtomicUsize>) {
    retire_value(guard, Tracked(drops.clone()), size_of::<Tracked>());
}

fn retire_value<T: Send>(guard: &Guard, value: T, bytes: usize) {
    // SAFETY: the box was never shared.
    unsafe { guard.retire_box(Box::into_raw(Box::new(value)), bytes) };
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}: waited in vain");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn few_items_of_an_idle_thread_are_freed_soon() {
    let drops = counter();
    retire(&reclaim::pin(), &drops);
    wait_until("freed", || drops.load(Ordering::Relaxed) == 1);
}

#[test]
fn flush_frees_all_that_was_retired_before() {
    let drops = counter();
    for _ in 0..2000 {
        retire(&reclaim::pin(), &drops);
    }
    assert_eq!(reclaim::flush(), Flushed::Done);
    assert_eq!(drops.load(Ordering::Relaxed), 2000);
}

#[test]
fn who_goes_on_retiring_frees_what_is_his() {
    // There is no background thread, and items without bytes make no pressure.
    let collector = Collector::new();
    let local = collector.register();
    let drops = counter();
    let begun = Instant::now();
    while drops.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "retired in vain");
        retire_value(&local.pin(), Tracked(drops.clone()), 0);
    }
}

#[test]
fn nobody_frees_what_another_thread_will_use_again() {
    let collector = Collector::new();
    let (busy, other) = (collector.register(), collector.register());
    let (his, ours) = (counter(), counter());
    retire_value(&other.pin(), Tracked(ours.clone()), 0);
    other.seal();
    let begun = Instant::now();
    while his.load(Ordering::Relaxed) < 10_000 {
        assert!(begun.elapsed() < Duration::from_secs(5), "retired in vain");
        retire_value(&busy.pin(), Tracked(his.clone()), 0);
    }
    assert_eq!(ours.load(Ordering::Relaxed), 0);
    collector.collect();
    assert_eq!(ours.load(Ordering::Relaxed), 1);
}

#[test]
fn a_guard_holds_back_what_is_retired_under_it() {
    let collector = Collector::new();
    let (reader, writer) = (collector.register(), collector.register());
    let drops = counter();
    let held = reader.pin();
    retire(&writer.pin(), &drops);
    (0..5).for_each(|_| collector.collect());
    assert_eq!((drops.load(Ordering::Relaxed), collector.pending_items()), (0, 1));
    drop(held);
    collector.collect();
    assert_eq!((drops.load(Ordering::Relaxed), collector.pending_items()), (1, 0));
    assert_eq!(collector.pending_bytes(), 0);
}

#[test]
fn only_the_outermost_guard_counts() {
    let collector = Collector::new();
    let (reader, writer) = (collector.register(), collector.register());
    let drops = counter();
    let outer = reader.pin();
    let mut inner = reader.pin();
    retire(&writer.pin(), &drops);
    inner.repin();
    drop(inner);
    collector.collect();
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(outer);
    collector.collect();
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn repinning_lets_go() {
    let collector = Collector::new();
    let (reader, writer) = (collector.register(), collector.register());
    let drops = counter();
    let mut guard = reader.pin();
    retire(&writer.pin(), &drops);
    for _ in 0..4 {
        guard.repin();
        collector.collect();
    }
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_collector_frees_everything_when_it_is_dropped() {
    let drops = counter();
    let collector = Collector::new();
    let local = collector.register();
    for _ in 0..700 {
        retire(&local.pin(), &drops);
    }
    drop(collector);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(local);
    assert_eq!(drops.load(Ordering::Relaxed), 700);
}

#[test]
fn a_guard_may_outlive_its_handle() {
    let drops = counter();
    let collector = Collector::new();
    let local = collector.register();
    let guard = local.pin();
    drop((local, collector));
    retire(&guard, &drops);
    drop(guard);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
}

#[test]
fn garbage_of_a_thread_that_has_ended_is_freed() {
    let drops = counter();
    let sent = drops.clone();
    thread::spawn(move || (0..10).for_each(|_| retire(&reclaim::pin(), &sent))).join().unwrap();
    wait_until("freed", || drops.load(Ordering::Relaxed) == 10);
}

#[test]
fn slots_of_ended_threads_are_used_again() {
    let collector = Collector::new();
    let first = collector.register().pin().stripe();
    for _ in 0..10 {
        let collector = collector.clone();
        let stripe = thread::spawn(move || collector.register().pin().stripe()).join().unwrap();
        assert_eq!(stripe, first);
    }
}

/// Retires another one of its kind when it is dropped.
struct Chain(usize, Arc<AtomicUsize>);

impl Drop for Chain {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
        if self.0 > 0 {
            retire_value(&reclaim::pin(), Chain(self.0 - 1, self.1.clone()), 1 << 10);
        }
    }
}

#[test]
fn destructors_may_pin_and_retire() {
    let drops = counter();
    retire_value(&reclaim::pin(), Chain(20, drops.clone()), 1 << 10);
    wait_until("all of the chain", || drops.load(Ordering::Relaxed) == 21);
}

#[test]
fn a_destructor_that_panics_hurts_nobody_else() {
    struct Explosive;
    impl Drop for Explosive {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let drops = counter();
    let guard = reclaim::pin();
    retire_value(&guard, Explosive, 1);
    retire(&guard, &drops);
    drop(guard);
    wait_until("freed", || drops.load(Ordering::Relaxed) == 1);
}

#[test]
fn jobs_run_in_order_and_may_defer() {
    let (send, receive) = mpsc::channel();
    for number in 0..3 {
        let send = send.clone();
        reclaim::defer(Box::new(move || {
            send.send(number).unwrap();
            reclaim::defer(Box::new(move || send.send(number + 10).unwrap()));
        }));
    }
    reclaim::defer(Box::new(|| std::panic::resume_unwind(Box::new(()))));
    assert_eq!(reclaim::flush(), Flushed::Done);
    drop(send);
    let order: Vec<i32> = receive.into_iter().collect();
    let (outer, inner): (Vec<i32>, Vec<i32>) = order.iter().partition(|&&number| number < 10);
    assert_eq!((outer, inner), (vec![0, 1, 2], vec![10, 11, 12]));
}

#[test]
fn under_pressure_those_who_retire_help_to_free() {
    // No background thread: whatever is freed, the retiring thread frees.
    let collector = Collector::new();
    let local = collector.register();
    let drops = counter();
    let peak = (0..4000).map(|_| {
        retire_value(&local.pin(), Tracked(drops.clone()), 16 << 10);
        collector.pending_bytes()
    });
    assert!(peak.max() < Some(8 << 20), "64 MB were retired");
    assert!(drops.load(Ordering::Relaxed) > 3000);
}

#[test]
fn the_background_thread_sleeps_when_there_is_nothing_to_do() {
    assert_eq!(reclaim::flush(), Flushed::Done);
    let drops = counter();
    // Other tests may be running: it only matters that parking and waking lose nothing.
    for round in 1..20 {
        thread::sleep(Duration::from_millis(3 * (round % 5)));
        retire(&reclaim::pin(), &drops);
        wait_until("freed", || drops.load(Ordering::Relaxed) == round as usize);
    }
}

/// An object that tells whether it has been freed; the pool keeps the memory.
#[derive(Default)]
struct Cell {
    live: AtomicBool,
}

/// Marks a [`Cell`] as freed.
///
/// # Safety
/// `ptr` points to a live `Cell`.
unsafe fn bury(ptr: *mut u8) {
    // SAFETY: promised by the caller.
    unsafe { &*ptr.cast::<Cell>() }.live.store(false, Ordering::SeqCst);
}

/// The litmus test of the asymmetric barrier, which loom cannot model: readers announce and load
/// with nothing but a compiler fence between, while a writer unlinks and frees at full speed.
#[test]
fn readers_never_find_what_was_freed() {
    const CELLS: usize = 20_000;
    let collector = Collector::new();
    let cells: Arc<Vec<Cell>> = Arc::new((0..CELLS).map(|_| Cell::default()).collect());
    let shared = Arc::new(AtomicPtr::new(std::ptr::null_mut::<Cell>()));
    let over = Arc::new(AtomicBool::new(false));
    let readers = [(); 2].map(|()| {
        let (collector, cells) = (collector.clone(), cells.clone());
        let (shared, over) = (shared.clone(), over.clone());
        thread::spawn(move || {
            let local = collector.register();
            while !over.load(Ordering::Relaxed) {
                let _guard = local.pin();
                let cell = shared.load(Ordering::Acquire);
                // SAFETY: `cells`, which this thread holds, owns the memory.
                if let Some(cell) = unsafe { cell.as_ref() } {
                    let seen = [(); 3].map(|()| cell.live.load(Ordering::Relaxed));
                    assert_eq!(seen, [true; 3], "freed under a guard");
                }
            }
            drop(cells);
        })
    });
    let local = collector.register();
    for cell in cells.iter() {
        cell.live.store(true, Ordering::Relaxed);
        let guard = local.pin();
        let old = shared.swap(std::ptr::from_ref(cell).cast_mut(), Ordering::AcqRel);
        if !old.is_null() {
            // SAFETY: unlinked just now, by the only writer; `bury` fits a cell.
            unsafe { guard.retire(old.cast(), bury, 1) };
        }
        drop(guard);
        collector.collect();
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    drop(local);
    collector.collect();
    let live = cells.iter().filter(|cell| cell.live.load(Ordering::SeqCst)).count();
    assert_eq!(live, 1, "all but the last one were freed");
}

#[test]
fn the_mode_is_one_of_two() {
    assert!(matches!(reclaim::mode(), Mode::Asymmetric | Mode::Fenced));
    assert!(!reclaim::is_stalled());
}
