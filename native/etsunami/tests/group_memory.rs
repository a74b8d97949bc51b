//! What groups allocate: all of it comes back, and `overhead_words` tells how much it is.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use etsunami::engine::Word;
use etsunami::engine::group::{self, Append, Groups, Member, Removed, Repeats};
use etsunami::reclaim::{self, Collector, Flushed, Guard, Local};

/// Counts the bytes that are allocated, as a common `malloc` rounds them.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

fn rounded(size: usize) -> isize {
    ((size + 8).next_multiple_of(16)).max(32) as isize
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: as the caller states.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: as the caller states.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Integers in the place of addresses; no memory behind them.
struct Plain;

// SAFETY: `hash` and `same` depend on the number alone; there is nothing to free.
unsafe impl Member for Plain {
    unsafe fn hash(&self, object: usize) -> u64 {
        // A few different objects have one hash.
        let class = if object % 512 == 8 { object + 8 } else { object } as u64;
        let hash = class.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    unsafe fn same(&self, a: usize, b: usize) -> bool {
        a == b
    }

    unsafe fn words(_: usize) -> usize {
        0
    }

    unsafe fn retire(_: &Guard, _: usize) {}

    unsafe fn free(_: usize) {}
}

/// A key's slot, with a collector of its own, so that garbage is freed when we want it.
struct Slot {
    groups: Groups<Plain>,
    word: Word,
    local: Local,
    collector: Collector,
}

impl Slot {
    fn new(word: Word) -> Slot {
        let collector = Collector::new();
        Slot { groups: Groups::new(Plain), word, local: collector.register(), collector }
    }

    fn pin(&self) -> Guard {
        // SAFETY: the groups of this slot are changed under guards of this collector alone.
        unsafe { self.local.pin_apart() }
    }

    /// Frees the garbage and the collector; gives the word.
    fn tidy(self) -> Word {
        drop((self.local, self.collector));
        assert_eq!(reclaim::flush(), Flushed::Done, "large groups are freed by jobs");
        self.word
    }

    fn set(&mut self, new: Word) {
        // SAFETY: the callers made `new` from the word, which is this thread's alone.
        unsafe { self.groups.superseded(&self.pin(), self.word, new) };
        self.word = new;
    }

    fn undo(&mut self, new: Word) {
        // SAFETY: as in `set`.
        unsafe { self.groups.rollback(&self.pin(), self.word, new) };
    }

    fn appended(&self, value: usize, repeats: Repeats) -> Word {
        // SAFETY: as in `set`.
        match unsafe { self.groups.append(self.word, value * 8 + 8, repeats) } {
            Append::Word(word) => word,
            Append::Duplicate => self.word,
        }
    }

    /// Some values in a row, appended while a batch is pending.
    fn appended_in_parts(&self, from: usize, n: usize, repeats: Repeats) -> Word {
        let (guard, mut word) = (self.pin(), self.word);
        let values: Vec<usize> = (from..from + n).map(|value| value * 8 + 8).collect();
        for part in values.chunks(30) {
            // SAFETY: as in `set`.
            word =
                unsafe { self.groups.append_more(&guard, self.word, word, part, repeats, |_| ()) };
        }
        word
    }

    fn removed(&self, value: usize) -> Word {
        // SAFETY: as in `set`.
        match unsafe { self.groups.remove_equal(self.word, value * 8 + 8) } {
            Removed::Word { word, .. } => word,
            Removed::Unchanged => self.word,
        }
    }
}

fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// Removes the key: all that is allocated goes.
fn discard(word: Word) {
    let mut slot = Slot::new(word);
    slot.set(Word::EMPTY);
    slot.tidy();
}

/// The bytes that a group of so many members takes.
fn bytes_of_group(len: usize) -> isize {
    let (before, mut slot) = (live(), Slot::new(Word::EMPTY));
    for value in 0..len {
        slot.set(slot.appended(value, Repeats::Refuse));
    }
    let word = slot.tidy();
    let bytes = live() - before;
    discard(word);
    assert_eq!(live(), before, "{len} members leak");
    bytes
}

fn overhead_is_what_is_allocated() {
    let sizes = [1, 2, 3, 5, 8, 12, 16, 17, 40, 63, 100, 200, 300, 500, 700, 1000, 1500, 3000];
    for len in sizes.into_iter().chain([10_000, 15_000, 20_000, 30_000, 50_000, 100_000]) {
        let (real, told) = (bytes_of_group(len), group::overhead_words(len) as isize * 8);
        let ratio = told as f64 / real.max(1) as f64;
        println!("{len:>7} members: {real:>8} bytes, told {told:>8}: {ratio:.2}");
        // Together with objects of five words, which take 48 bytes each.
        let off = (told - real).abs() as f64 / (real + 48 * len as isize) as f64;
        assert!(off < if len < 10_000 { 0.15 } else { 0.1 }, "{len} members: off by {off:.2}");
    }
}

/// Random changes, some of them undone; then everything goes.
fn churn_leaves_nothing(repeats: Repeats) {
    let (before, mut random) = (live(), 1u64);
    let mut next = |n: usize| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (random >> 33) as usize % n
    };
    for rounds in [100, 1000, 10_000] {
        let mut slot = Slot::new(Word::EMPTY);
        for round in 0..rounds {
            // It grows in the first half and shrinks in the second.
            let grows = next(100) < if round < rounds / 2 { 70 } else { 30 };
            let value = next(rounds / 2);
            let new = match grows {
                true if next(10) == 0 => slot.appended_in_parts(value, next(300), repeats),
                true => slot.appended(value, repeats),
                false => slot.removed(value),
            };
            if next(5) == 0 { slot.undo(new) } else { slot.set(new) }
        }
        discard(slot.tidy());
    }
    assert_eq!(live(), before);
}

/// A queue: numbers grow for ever, members do not.
fn a_queue_stays_small() {
    let (before, mut slot) = (live(), Slot::new(Word::EMPTY));
    for value in 0..20_000 {
        slot.set(slot.appended(value, Repeats::Refuse));
        if value >= 100 {
            slot.set(slot.removed(value - 100));
        }
    }
    let word = slot.tidy();
    let bytes = live() - before;
    println!("a queue of 100 members: {bytes} bytes");
    assert!(bytes < 20_000);
    discard(word);
    assert_eq!(live(), before);
}

/// One test: the allocator counts for the whole process.
#[test]
fn memory_comes_back_and_is_told() {
    // The background thread is there before anything is counted.
    let mut first = Slot::new(Word::EMPTY);
    (0..5000).for_each(|value| first.set(first.appended(value, Repeats::Refuse)));
    discard(first.tidy());
    overhead_is_what_is_allocated();
    churn_leaves_nothing(Repeats::Refuse);
    churn_leaves_nothing(Repeats::Allow);
    a_queue_stays_small();
}
