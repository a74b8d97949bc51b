//! Inserting a list of objects as one atomic step.
//!
//! The objects are made first, by nobody's leave and in nobody's way. Then they are sorted into one
//! global order of keys, one entry per key, and published by a batch (see
//! [`crate::engine::batch`]). Readers never wait for it; a writer that meets one of its nodes helps
//! it to its end, however long its own thread may sleep.

use std::cmp::Ordering as Order;

use crate::engine::batch::{self, Batch, BatchTarget, Helped, Outcome, Placed, Progress};
use crate::engine::{Change, Delta, Word};
use crate::error::{Error, Result};
use crate::faults::{self, Point};
use crate::reclaim::{self, Guard};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, thread};
use crate::term::object::ObjectPtr;
use crate::term::order::{compare, compare_exact};

use super::generation::Generation;
use super::groups::difference;
use super::keys::{Held, Key, held, word_of};
use super::options::Kind;
use super::{Draft, Table};

/// A list of objects on its way into a table. Dropping it frees them.
pub struct ListInsert<'t> {
    table: &'t Table,
    objects: Vec<(u64, ObjectPtr)>,
}

/// What to do about keys that hold something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// Replace, or append.
    Insert,
    /// Insert nothing at all.
    InsertNew,
}

impl<'t> ListInsert<'t> {
    /// An empty list for a table.
    pub fn with_capacity(table: &'t Table, capacity: usize) -> ListInsert<'t> {
        ListInsert { table, objects: Vec::with_capacity(capacity) }
    }

    /// Makes an object and adds it.
    pub fn push(&mut self, draft: Draft<'_>) -> Result {
        let key = self.table.key_of_draft(&draft);
        self.objects.push((key.digest, draft.allocate(key.digest)?));
        faults::pass(Point::Push);
        Ok(())
    }

    /// Inserts all objects, atomically. `wanted` is asked now and then; if it says no before the
    /// list is published, nothing is inserted.
    pub fn insert(self, wanted: impl Fn() -> bool) -> Result {
        self.run(Mode::Insert, wanted).map(|_| ())
    }

    /// Inserts all objects if none of their keys holds anything, atomically. Gives whether it did.
    pub fn insert_new(self, wanted: impl Fn() -> bool) -> Result<bool> {
        self.run(Mode::InsertNew, wanted)
    }

    fn run(mut self, mode: Mode, wanted: impl Fn() -> bool) -> Result<bool> {
        if self.objects.is_empty() {
            return Ok(true);
        }
        let generation = self.table.share_generation(&reclaim::pin())?;
        let (entries, objects) = self.take_entries();
        let target = Target {
            entries,
            objects,
            kind: self.table.spec.kind,
            keypos: self.table.spec.keypos,
            mode,
            generation,
            refused: Mutex::new(Vec::new()),
        };
        match publish(Batch::new(target), wanted) {
            Outcome::Committed => Ok(true),
            Outcome::Refused => Ok(false),
            Outcome::Aborted => Err(Error::Id.into()),
        }
    }

    /// The objects in the global order of keys, and one entry per key.
    fn take_entries(&mut self) -> (Vec<Entry>, Vec<usize>) {
        let mut sorted = std::mem::take(&mut self.objects);
        let table = self.table;
        // Stable: objects of one key stay in the list's order.
        sorted.sort_by(|&a, &b| table.order(a, b));
        let unique = table.spec.kind.is_unique();
        let mut entries: Vec<Entry> = Vec::with_capacity(sorted.len());
        let mut objects: Vec<usize> = Vec::with_capacity(sorted.len());
        let mut last: Option<(u64, ObjectPtr)> = None;
        for item in sorted {
            let repeated = last.is_some_and(|last| table.order(last, item) == Order::Equal);
            last = Some(item);
            match entries.last_mut().filter(|_| repeated) {
                Some(_) if unique => replace_last(&mut objects, item.1),
                Some(entry) => {
                    entry.end += 1;
                    objects.push(item.1.addr());
                }
                None => {
                    objects.push(item.1.addr());
                    entries.push(Entry::new(item.0, objects.len()));
                }
            }
        }
        (entries, objects)
    }
}

/// Of several objects of a key that can have only one, the last one stays.
fn replace_last(objects: &mut [usize], object: ObjectPtr) {
    if let Some(last) = objects.last_mut() {
        let earlier = std::mem::replace(last, object.addr());
        // SAFETY: not published, so still ours alone.
        unsafe { ObjectPtr::from_addr(earlier).free() };
    }
}

impl Drop for ListInsert<'_> {
    fn drop(&mut self) {
        for (_, object) in self.objects.drain(..) {
            // SAFETY: not published, so still ours alone.
            unsafe { object.free() };
        }
    }
}

/// Runs a batch to its end, on this thread or with the help of others.
fn publish(batch: Batch<Target>, wanted: impl Fn() -> bool) -> Outcome {
    loop {
        if batch.target().generation.is_closed() || !wanted() {
            batch.abort();
        }
        let guard = reclaim::pin();
        match batch.run(&guard, &mut CHUNK.clone()) {
            Progress::Done(outcome) => {
                batch.retire(&guard);
                return outcome;
            }
            Progress::More => {}
            Progress::Busy => {
                drop(guard);
                thread::yield_now();
            }
        }
    }
}

/// Entries installed or cleaned under one guard.
const CHUNK: usize = 1024;

/// Helps the list insert behind a pending word. False: it is not decided yet, and the budget is
/// spent, or another thread is at work on it.
#[cold]
pub(crate) fn help(guard: &Guard, pending: Word, budget: &mut usize) -> bool {
    for _ in 0..HELP_TRIES {
        // SAFETY: the word was loaded under this guard.
        match unsafe { batch::help(pending, guard, budget) } {
            Helped::Cleared => return true,
            Helped::More => return false,
            Helped::Busy => thread::yield_now(),
        }
    }
    false
}

/// How often a caller gives way to another thread that is at work on the same list insert, before
/// it goes back to its scheduler.
const HELP_TRIES: usize = 8;

impl Table {
    /// The global order in which list inserts take their keys; any total order would do for their
    /// progress. In hash tables it goes by the reversed bits of the position: so a long list
    /// spreads over all buckets from its first objects on, and the table grows as it does under
    /// single inserts. In the order of positions one bucket after the other would overflow.
    fn order(&self, a: (u64, ObjectPtr), b: (u64, ObjectPtr)) -> Order {
        let key = self.spec.keypos - 1;
        // SAFETY: both objects belong to the list, and have their keys.
        let (x, y) = unsafe { (a.1.element(key), b.1.element(key)) };
        match self.spec.kind {
            Kind::OrderedSet => a.0.cmp(&b.0).then_with(|| compare(x, y)),
            _ => {
                let spread = |digest: u64| ((digest >> 32) as u32).reverse_bits();
                spread(a.0).cmp(&spread(b.0)).then_with(|| compare_exact(x, y))
            }
        }
    }
}

/// The objects of one key: a range of the target's.
struct Entry {
    digest: u64,
    start: usize,
    end: usize,
    /// Set when the batch has taken the objects over.
    placed: AtomicBool,
}

impl Entry {
    /// The entry of the last of so many objects.
    fn new(digest: u64, end: usize) -> Entry {
        Entry { digest, start: end - 1, end, placed: AtomicBool::new(false) }
    }
}

struct Target {
    entries: Vec<Entry>,
    objects: Vec<usize>,
    kind: Kind,
    keypos: usize,
    mode: Mode,
    generation: Arc<Generation>,
    /// Objects that a bag had already.
    refused: Mutex<Vec<usize>>,
}

impl Target {
    /// The objects of an entry.
    fn objects(&self, entry: &Entry) -> &[usize] {
        &self.objects[entry.start..entry.end]
    }

    /// The first object of an entry, which has its key.
    fn object(&self, index: usize) -> ObjectPtr {
        // SAFETY: the objects live until the batch is retired: placed ones are freed after a grace
        // period at the earliest, the others by `drop`.
        unsafe { ObjectPtr::from_addr(self.objects[self.entries[index].start]) }
    }
}

// SAFETY:
// - `update` is the engine's update of the entry's key in one generation, which the target keeps;
// - `place` gives the entry's own objects.
unsafe impl BatchTarget for Target {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn update(
        &self,
        index: usize,
        guard: &Guard,
        change: &mut dyn FnMut(Option<Word>) -> (Change, Delta),
    ) {
        // SAFETY: see `object`.
        let term = unsafe { self.object(index).element(self.keypos - 1) };
        let key = Key { term, digest: self.entries[index].digest };
        self.generation.update(guard, key, |current| {
            let (change, delta) = change(current);
            (change, delta, ())
        });
    }

    fn place(&self, index: usize, visible: Word) -> Placed {
        let present = !matches!(held(visible), Held::Absent);
        if self.mode == Mode::InsertNew && present {
            return Placed::Refuse;
        }
        let entry = &self.entries[index];
        // Relaxed: read by `drop` alone, which comes after everything else.
        entry.placed.store(true, Ordering::Relaxed);
        let word = if self.kind.is_unique() {
            word_of(self.object(index))
        } else {
            let mut refused = self.refused.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let (owned, objects) = (&self.generation.keys().owned, self.objects(entry));
            owned.append_all(visible, objects, |at| refused.push(objects[at]))
        };
        if word == visible {
            return Placed::Skip;
        }
        Placed::Put { word, delta: difference(visible, word) }
    }

    fn is_valid(&self) -> bool {
        !self.generation.is_closed()
    }

    fn committed(&self, guard: &Guard, delta: Delta) {
        self.generation.counters().add(guard.stripe(), delta.objects, delta.words);
    }

    fn retire(&self, guard: &Guard, loser: Word, survivor: Word) {
        self.generation.keys().owned.replace(guard, loser, survivor);
    }

    fn undo(&self, guard: &Guard, visible: Word, undone: Word) {
        self.generation.keys().owned.undo(guard, visible, undone);
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let unplaced = self.entries.iter().filter(|entry| !entry.placed.load(Ordering::Relaxed));
        let unplaced = unplaced.flat_map(|entry| self.objects(entry).iter().copied());
        let refused = self.refused.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for object in unplaced.chain(refused.iter().copied()) {
            // SAFETY: never placed into a slot, so ours alone.
            unsafe { ObjectPtr::from_addr(object).free() };
        }
    }
}
