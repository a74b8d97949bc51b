//! An allocator that counts, for tests that look for leaks (feature `count_memory`).
//!
//! Every allocation has a note in front of it that says whether it is counted: what is allocated
//! inside [`exempt`](etsunami::accounting::exempt) is not, whoever frees it. Threads count in
//! stripes of their own; the sums are exact when nothing runs.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use etsunami::accounting::is_exempt;
use etsunami::reclaim;

use crate::budget;
use crate::codec::foreign;
use crate::error::Raise;
use crate::raw_nif;
use crate::resource::{NAMES, TABLES};

/// Counts what `A` allocates.
pub struct Counting<A>(pub A);

/// What one stripe has seen allocated and not freed. Relaxed throughout: a sum is only meaningful
/// when those who allocate have been waited for.
#[repr(align(128))]
struct Stripe {
    blocks: AtomicI64,
    bytes: AtomicI64,
    environments: AtomicI64,
}

const STRIPES: usize = 32;

static COUNTS: [Stripe; STRIPES] = [const {
    Stripe { blocks: AtomicI64::new(0), bytes: AtomicI64::new(0), environments: AtomicI64::new(0) }
}; STRIPES];

fn stripe() -> &'static Stripe {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    if MINE.get() == usize::MAX {
        MINE.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
    }
    &COUNTS[MINE.get()]
}

fn count(blocks: i64, bytes: i64) {
    let stripe = stripe();
    stripe.blocks.fetch_add(blocks, Ordering::Relaxed);
    stripe.bytes.fetch_add(bytes, Ordering::Relaxed);
}

/// Counts environments of the VM that belong to no process.
pub fn count_environments(change: i64) {
    stripe().environments.fetch_add(change, Ordering::Relaxed);
}

/// The bytes in front of an allocation; the note is the last of them.
fn front(layout: Layout) -> usize {
    layout.align().max(16)
}

/// The layout with its front.
fn whole(layout: Layout) -> Option<Layout> {
    let size = layout.size().checked_add(front(layout))?;
    Layout::from_size_align(size, front(layout)).ok()
}

// SAFETY: what `A` gives for a layout that is larger by a front of a multiple of the alignment is
// handed out behind that front, and given back with the same layout.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = whole(layout) else { return std::ptr::null_mut() };
        // SAFETY: the size is not zero.
        let start = unsafe { self.0.alloc(whole) };
        if start.is_null() {
            return start;
        }
        let counted = !is_exempt();
        if counted {
            count(1, layout.size() as i64);
        }
        // SAFETY: the front lies inside the allocation.
        unsafe {
            let block = start.add(front(layout));
            block.sub(1).write(u8::from(counted));
            block
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `alloc` made the block with this layout, and wrote the note.
        let counted = unsafe { block.sub(1).read() } != 0;
        if counted {
            count(-1, -(layout.size() as i64));
        }
        if let Some(whole) = whole(layout) {
            // SAFETY: the start of what `A` gave for this layout.
            unsafe { self.0.dealloc(block.sub(front(layout)), whole) };
        }
    }
}

raw_nif! {
    /// `held()`: waits until garbage is freed, then tells what the library holds.
    fn held/0(env, _argv) {
        if budget::on_normal_scheduler() {
            return Err(Raise::Dirty);
        }
        foreign::close_idle();
        // Garbage that it could not free is told below.
        let _ = reclaim::flush();
        let mut tables = 0;
        TABLES.for_each(|_| tables += 1);
        let names = NAMES.count() as i64;
        let sum = |count: fn(&Stripe) -> &AtomicI64| {
            COUNTS.iter().map(|stripe| count(stripe).load(Ordering::Relaxed)).sum::<i64>()
        };
        let figures = [
            ("tables", tables),
            ("names", names),
            ("blocks", sum(|stripe| &stripe.blocks)),
            ("bytes", sum(|stripe| &stripe.bytes)),
            ("environments", sum(|stripe| &stripe.environments)),
            ("garbage", reclaim::pending_items() as i64),
        ];
        let pairs = figures.map(|(name, value)| {
            env.make_tuple(&[env.atom(name), env.make_int64(value)])
        });
        Ok(env.make_list(&pairs))
    }
}
