//! Inserting a list of objects as one atomic step.
//!
//! The objects are made first, by nobody's leave and in nobody's way. Then they are sorted into one
//! global order of keys, one entry per key, and published by a batch (see
//! [`crate::engine::batch`]). Readers never wait for it; a writer that meets one of its nodes helps
//! it to its end, however long its own thread may sleep.

use std::cmp::Ordering as Order;

use crate::engine::batch::{self, Batch, BatchTarget, Helped, Outcome, Placed, Progress};
use crate::engine::{Change, Delta, Spot, Word};
use crate::error::{Error, Result};
use crate::faults::{self, Point};
use crate::reclaim::{self, Guard};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, thread};
use crate::term::object::ObjectPtr;
use crate::term::order::{compare, compare_exact};

use super::build::Built;
use super::generation::Generation;
use super::groups::difference;
use super::keys::{Held, Key, held, word_of};
use super::options::Kind;
use super::{Draft, Table, scatter};

/// A list of objects on its way into a table. Dropping it frees them.
pub struct ListInsert<'t> {
    pub(super) table: &'t Table,
    pub(super) objects: Vec<Item>,
    pub(super) admission: Admission,
}

/// Whether the list may still be inserted. It is asked by the thread that publishes the list, which
/// may be another one than the caller's, and under the guard under which that happens. So a change
/// that waits for guards comes either before the question or after the publication.
pub(super) struct Admission(Option<Question>);

type Question = Box<dyn Fn(&Guard) -> bool + Send + Sync>;

impl Admission {
    /// The answer under a guard.
    pub(super) fn holds(&self, guard: &Guard) -> bool {
        self.0.as_ref().is_none_or(|question| question(guard))
    }
}

/// An object of the list.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) digest: u64,
    pub(super) object: ObjectPtr,
}

// SAFETY: whoever has the list, or the batch that it becomes, has the object; objects may be
// read, and freed, by any thread.
unsafe impl Send for Item {}
// SAFETY: as above; nothing is written by a shared reference.
unsafe impl Sync for Item {}

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
        ListInsert { table, objects: Vec::with_capacity(capacity), admission: Admission(None) }
    }

    /// The list is inserted only if the answer to this is true at that moment. The answer comes from
    /// any thread, and under its guard.
    pub fn require(&mut self, question: impl Fn(&Guard) -> bool + Send + Sync + 'static) {
        self.admission = Admission(Some(Box::new(question)));
    }

    /// Makes an object and adds it.
    pub fn push(&mut self, draft: Draft<'_>) -> Result {
        let key = self.table.key_of_draft(&draft);
        self.objects.push(Item { digest: key.digest, object: draft.make(key.digest)? });
        faults::pass(Point::Push);
        Ok(())
    }

    /// Inserts all objects, atomically. `wanted` is asked now and then; if it says no before the
    /// list is published, nothing is inserted. [`Error::Id`] then, and if the list is not admitted.
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
        if self.objects.len() == 1 {
            return self.insert_one(mode, wanted);
        }
        let generation = self.table.share_generation(&reclaim::pin())?;
        match self.build(&generation, &wanted)? {
            Built::Done => return Ok(true),
            Built::Stopped => return Err(Error::Id.into()),
            Built::Declined => {}
        }
        let runs = self.take_runs();
        let target = Target {
            items: std::mem::take(&mut self.objects),
            runs,
            admission: std::mem::replace(&mut self.admission, Admission(None)),
            kind: self.table.spec.kind,
            keypos: self.table.spec.keypos,
            mode,
            generation,
            placed: AtomicUsize::new(0),
            refused: Mutex::new(Vec::new()),
        };
        match publish(Batch::new(target), wanted) {
            Outcome::Committed => Ok(true),
            Outcome::Refused => Ok(false),
            Outcome::Aborted => Err(Error::Id.into()),
        }
    }

    /// A list of one object is that object.
    fn insert_one(&mut self, mode: Mode, wanted: impl Fn() -> bool) -> Result<bool> {
        if !wanted() {
            return Err(Error::Id.into());
        }
        let guard = reclaim::pin();
        if !self.admission.holds(&guard) {
            return Err(Error::Id.into());
        }
        let table = self.table;
        let generation = table.generation(&guard)?;
        let Some(item) = self.objects.pop() else { return Ok(true) };
        let key = table.key_of(item);
        match mode {
            Mode::InsertNew => table.put_new(&guard, generation, key, item.object),
            Mode::Insert if table.spec.kind.is_unique() => {
                table.put(&guard, generation, key, item.object).map(|()| true)
            }
            Mode::Insert => table.append(&guard, generation, key, item.object).map(|()| true),
        }
    }

    /// Brings the objects into the global order of keys; those of one key stay in their order.
    pub(super) fn sort(&mut self) {
        let table = self.table;
        let rank = |item: Item| match table.spec.kind {
            Kind::OrderedSet => item.digest,
            _ => u64::from(spread(item.digest)),
        };
        scatter::sort(&mut self.objects, rank, |a, b| table.order(a, b));
    }

    /// Of several objects of a key, in a sorted list, only the last one stays.
    pub(super) fn drop_repeated(&mut self) {
        let table = self.table;
        self.objects.dedup_by(|next, kept| {
            let repeated = table.order(*kept, *next) == Order::Equal;
            if repeated {
                std::mem::swap(next, kept);
                // SAFETY: not published, so still ours alone.
                unsafe { next.object.free() };
            }
            repeated
        });
    }

    /// Brings the objects into the global order of keys, and tells where those of each key end;
    /// nothing if each has a key of its own.
    fn take_runs(&mut self) -> Vec<usize> {
        self.sort();
        if self.table.spec.kind.is_unique() {
            self.drop_repeated();
            return Vec::new();
        }
        let differ =
            |at: usize| self.table.order(self.objects[at - 1], self.objects[at]) != Order::Equal;
        let len = self.objects.len();
        if (1..len).all(differ) {
            return Vec::new();
        }
        (1..len).filter(|&at| differ(at)).chain([len]).collect()
    }
}

impl Drop for ListInsert<'_> {
    fn drop(&mut self) {
        for item in self.objects.drain(..) {
            // SAFETY: not published, so still ours alone.
            unsafe { item.object.free() };
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
    #[inline(always)]
    fn order(&self, a: Item, b: Item) -> Order {
        match self.spec.kind {
            Kind::OrderedSet => a.digest.cmp(&b.digest).then_with(|| self.order_of_keys(a, b)),
            _ => spread(a.digest).cmp(&spread(b.digest)).then_with(|| self.order_of_keys(a, b)),
        }
    }

    /// [`Table::order`] of objects whose digests do not tell.
    #[cold]
    fn order_of_keys(&self, a: Item, b: Item) -> Order {
        let (x, y) = (self.key_of(a).term, self.key_of(b).term);
        if self.spec.kind == Kind::OrderedSet { compare(x, y) } else { compare_exact(x, y) }
    }

    /// The key of an object of a list.
    #[inline(always)]
    pub(super) fn key_of<'a>(&self, item: Item) -> Key<'a> {
        // SAFETY: the object belongs to a list, which keeps it, and has its key.
        let term = unsafe { item.object.element(self.spec.keypos - 1) };
        Key { term, digest: item.digest }
    }
}

/// The bits of a hash's position, reversed.
fn spread(digest: u64) -> u32 {
    ((digest >> 32) as u32).reverse_bits()
}

struct Target {
    items: Vec<Item>,
    /// Where the items of each entry end; empty if each item is an entry.
    runs: Vec<usize>,
    admission: Admission,
    kind: Kind,
    keypos: usize,
    mode: Mode,
    generation: Arc<Generation>,
    /// The entries whose objects the batch has taken over: so many from the first on.
    placed: AtomicUsize,
    /// Objects that a bag had already.
    refused: Mutex<Vec<usize>>,
}

impl Target {
    /// Where the items of an entry begin.
    #[inline(always)]
    fn start(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            Some(before) if !self.runs.is_empty() => self.runs[before],
            _ => index,
        }
    }

    /// The items of an entry.
    fn items(&self, index: usize) -> &[Item] {
        &self.items[self.start(index)..self.start(index + 1)]
    }

    /// The key of an entry, which its first object has.
    #[inline(always)]
    fn key(&self, index: usize) -> Key<'_> {
        let item = self.items[self.start(index)];
        // SAFETY: the objects live until the batch is retired: placed ones are freed after a grace
        // period at the earliest, the others by `drop`.
        let term = unsafe { item.object.element(self.keypos - 1) };
        Key { term, digest: item.digest }
    }

    /// Notes an object that is not needed.
    fn refuse(&self, object: usize) {
        self.refused.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(object);
    }
}

// SAFETY:
// - `update` is the engine's update of the entry's key in one generation, which the target keeps;
// - `place` gives the entry's own objects.
unsafe impl BatchTarget for Target {
    fn len(&self) -> usize {
        if self.runs.is_empty() { self.items.len() } else { self.runs.len() }
    }

    fn update(
        &self,
        index: usize,
        guard: &Guard,
        change: &mut dyn FnMut(Option<Word>) -> (Change, Delta),
    ) -> Spot {
        self.generation.update_spot(guard, self.key(index), change)
    }

    unsafe fn exchange(
        &self,
        guard: &Guard,
        spot: Spot,
        words: [Word; 2],
        stays: &dyn Fn() -> bool,
    ) -> bool {
        // SAFETY: by contract.
        unsafe { self.generation.exchange(guard, spot, words, stays) }
    }

    fn prefetch(&self, index: usize, guard: &Guard) {
        let digest = self.items[self.start(index)].digest;
        self.generation.prefetch(guard, digest);
    }

    fn place(&self, index: usize, visible: Word) -> Placed {
        let present = !matches!(held(visible), Held::Absent);
        if self.mode == Mode::InsertNew && present {
            return Placed::Refuse;
        }
        // Relaxed: read by `drop` alone, which comes after everything else.
        self.placed.store(index + 1, Ordering::Relaxed);
        let items = self.items(index);
        if self.kind.is_unique() {
            let word = word_of(items[0].object);
            return Placed::Put { word, delta: difference(visible, word) };
        }
        let owned = &self.generation.keys().owned;
        if let &[Item { object, .. }] = items {
            return match owned.append_one(visible, object) {
                Some((word, delta)) => Placed::Put { word, delta },
                None => {
                    self.refuse(object.addr());
                    Placed::Skip
                }
            };
        }
        let objects: Vec<_> = items.iter().map(|item| item.object.addr()).collect();
        let word = owned.append_all(visible, &objects, |at| self.refuse(objects[at]));
        if word == visible {
            return Placed::Skip;
        }
        Placed::Put { word, delta: difference(visible, word) }
    }

    fn is_valid(&self, guard: &Guard) -> bool {
        !self.generation.is_closed() && self.admission.holds(guard)
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
        let placed = self.placed.load(Ordering::Relaxed);
        let unplaced = self.items[self.start(placed)..].iter().map(|item| item.object.addr());
        let refused = self.refused.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for object in unplaced.chain(refused.iter().copied()) {
            // SAFETY: never placed into a slot, so ours alone.
            unsafe { ObjectPtr::from_addr(object).free() };
        }
    }
}
