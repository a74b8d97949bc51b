//! The contents of a table between two `delete_all_objects`: one engine with its counters.
//!
//! A table points to its current generation; clearing swaps in an empty one, which is the whole
//! atomic step. Every operation uses one generation from start to end. The old one is freed in
//! the background when no guard and no list insert refers to it any more.

use std::ops::Bound;
use std::sync::OnceLock;

use crate::engine::batch::{self, Settled};
use crate::engine::hash::HashTable;
use crate::engine::{Change, Delta, Direction, Spot, Word};
use crate::faults::{self, Point};
use crate::reclaim::{self, Guard, Swapped};
use crate::sync::{Arc, AtomicBool, Counters, Ordering};

use super::groups::Owned;
use super::keys::{GHOST, Held, Key, Keys, ghost_stamp, held, is_ghost};
use super::options::{Kind, Spec, WriteConcurrency};
use super::ordered::Ordered;

/// The engine of a table, by type.
pub(crate) enum Engine {
    /// `set`, `bag`, `duplicate_bag`.
    Hash(HashTable<Keys>),
    /// `ordered_set`.
    Ordered(Ordered),
}

/// See the module's documentation.
pub(crate) struct Generation {
    pub(crate) engine: Engine,
    /// Set when the table itself has gone, so that list inserts end without effect.
    closed: AtomicBool,
}

/// The most objects of a generation that are freed by whatever thread does it.
const DROP_AT_ONCE: u64 = 256;

/// About what an empty generation takes, for back-pressure.
const EMPTY_BYTES: usize = 512;

/// What one with objects counts at least: as much as makes reclamation begin at once, because what its
/// objects hold in the VM is not known without visiting them all.
const FILLED_BYTES: usize = 256 << 10;

impl Swapped for Generation {
    fn bytes(&self) -> usize {
        let least = if self.counters().objects() == 0 { EMPTY_BYTES } else { FILLED_BYTES };
        least + self.counters().words() as usize * 8
    }

    fn give_up(generation: Arc<Generation>) {
        if generation.counters().objects() > DROP_AT_ONCE {
            reclaim::defer(Box::new(move || drop(generation)));
        }
    }
}

/// What a decision closure wants done, given what its key holds now.
pub(crate) struct Step<R> {
    pub(crate) change: Change,
    pub(crate) delta: Delta,
    pub(crate) result: R,
}

impl<R> Step<R> {
    /// Change nothing.
    #[inline(always)]
    pub(crate) fn keep(result: R) -> Step<R> {
        Step { change: Change::Keep, delta: Delta::ZERO, result }
    }
}

/// What an update left behind, for the caller to free.
struct Left {
    /// The raw word before.
    before: Word,
    /// The raw word after (EMPTY: removed); equal to `before` if nothing was stored.
    after: Word,
}

/// The slot was held by a list insert, which is not decided yet or has just been cleaned away:
/// help it, and begin again.
pub(crate) struct Undecided(pub(crate) Word);

impl Generation {
    /// An empty generation for a table.
    pub(crate) fn new(spec: &Spec, seed: u64) -> Arc<Generation> {
        let keys = Keys { keypos: spec.keypos, owned: Owned::new(spec.kind, seed) };
        let counters = counters(spec);
        let engine = match spec.kind {
            Kind::OrderedSet => Engine::Ordered(Ordered::new(spec.engine, keys, counters)),
            _ => Engine::Hash(HashTable::new(keys, counters)),
        };
        Arc::new(Generation { engine, closed: AtomicBool::new(false) })
    }

    /// The table has gone: nothing more may be published here.
    pub(crate) fn close(&self) {
        // Relaxed: a list insert that runs beside the deletion may come before or after it.
        self.closed.store(true, Ordering::Relaxed);
    }

    /// True after `close`.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The schema.
    pub(crate) fn keys(&self) -> &Keys {
        match &self.engine {
            Engine::Hash(table) => table.schema(),
            Engine::Ordered(tree) => tree.schema(),
        }
    }

    /// The counters of objects and memory words.
    pub(crate) fn counters(&self) -> &Counters {
        match &self.engine {
            Engine::Hash(table) => table.counters(),
            Engine::Ordered(tree) => tree.counters(),
        }
    }

    /// Memory words of the contents.
    pub(crate) fn memory_words(&self) -> u64 {
        let extra = match &self.engine {
            Engine::Hash(_) => 0,
            Engine::Ordered(ordered) => ordered.extra_words() * self.counters().objects(),
        };
        self.counters().words() + extra
    }

    /// What the key holds now.
    #[inline(always)]
    pub(crate) fn get(&self, guard: &Guard, key: Key<'_>) -> Held {
        match self.raw(guard, key) {
            // SAFETY: loaded under this guard.
            Some(word) => held(unsafe { batch::resolve(word) }),
            None => Held::Absent,
        }
    }

    /// The raw slot word of a key: version nodes and ghosts are visible here.
    #[inline(always)]
    pub(crate) fn raw(&self, guard: &Guard, key: Key<'_>) -> Option<Word> {
        // SAFETY: the engine does not keep the key after the call.
        let key = unsafe { key.erase() };
        match &self.engine {
            Engine::Hash(table) => table.get(guard, &key),
            Engine::Ordered(tree) => tree.get(guard, &key),
        }
    }

    /// The engine's update: `f` decides under the key's lock.
    #[inline(always)]
    pub(crate) fn update<R>(
        &self,
        guard: &Guard,
        key: Key<'_>,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        // SAFETY: the engine does not keep the key after the call.
        let key = unsafe { key.erase() };
        match &self.engine {
            Engine::Hash(table) => table.update(guard, &key, f),
            Engine::Ordered(tree) => tree.update(guard, &key, f),
        }
    }

    /// [`Generation::update`] for list inserts, which go on with [`Generation::exchange`].
    pub(crate) fn update_spot(
        &self,
        guard: &Guard,
        key: Key<'_>,
        f: impl FnOnce(Option<Word>) -> (Change, Delta),
    ) -> Spot {
        // SAFETY: the engine does not keep the key after the call.
        let key = unsafe { key.erase() };
        let f = |current| {
            let (change, delta) = f(current);
            (change, delta, ())
        };
        match &self.engine {
            Engine::Hash(table) => table.update_spot(guard, &key, f).1,
            Engine::Ordered(tree) => tree.update_spot(guard, &key, f).1,
        }
    }

    /// Puts the second word in place of the first where an update has left it, if it `stays`.
    ///
    /// # Safety
    /// `update_spot` of this generation gave the spot under this guard; the first word is a version
    /// word, and `stays` is false once somebody has displaced it.
    #[inline]
    pub(crate) unsafe fn exchange(
        &self,
        guard: &Guard,
        spot: Spot,
        words: [Word; 2],
        stays: impl FnOnce() -> bool,
    ) -> bool {
        // SAFETY: by contract; a version word stands in one slot only.
        unsafe {
            match &self.engine {
                Engine::Hash(table) => table.exchange(guard, spot, words[0], words[1]),
                Engine::Ordered(Ordered::Tree(tree)) => tree.exchange(guard, spot, words, stays),
                Engine::Ordered(Ordered::List(_)) => false,
            }
        }
    }

    /// Asks for what an update of the key will lock to be brought into the cache.
    #[inline]
    pub(crate) fn prefetch(&self, guard: &Guard, digest: u64) {
        if let Engine::Hash(table) = &self.engine {
            table.prefetch(guard, digest);
        }
    }

    /// Decides and changes one key atomically, and retires what the change left behind. `ghost`
    /// makes a ghost of the word of a key that is being removed, in hash tables that are fixed.
    ///
    /// A decided version node is cleaned away first, and nothing else is done: had the node been
    /// displaced, a panic of `f` would leave it in the slot for ever.
    ///
    /// `f` is called at most once.
    #[inline(always)]
    pub(crate) fn modify<R>(
        &self,
        guard: &Guard,
        key: Key<'_>,
        ghost: impl FnOnce(Word) -> Option<Word>,
        f: impl FnOnce(Held) -> Step<R>,
    ) -> Result<R, Undecided> {
        let owned = &self.keys().owned;
        let (result, left) = self.update(guard, key, |current| {
            let before = current.unwrap_or(Word::EMPTY);
            if before.is_version() {
                let after = clean(guard, owned, before);
                let change = if after == before { Change::Keep } else { plain(after) };
                return (change, Delta::ZERO, (Err(Undecided(before)), Left { before, after }));
            }
            faults::pass(Point::Decide);
            let step = f(held(before));
            let wanted = match step.change {
                Change::Remove if before.0 & GHOST != 0 => Change::Keep,
                other => other,
            };
            let change = match wanted {
                Change::Remove if !before.is_empty() => {
                    ghost(before).map_or(Change::Remove, Change::Put)
                }
                other => other,
            };
            let after = match change {
                Change::Keep => before,
                Change::Put(word) => word,
                Change::Remove => Word::EMPTY,
            };
            (change, step.delta, (Ok(step.result), Left { before, after }))
        });
        if left.before != left.after && !left.before.is_empty() {
            owned.dispose(guard, left.before, left.after);
        }
        result
    }

    /// Removes the ghost of a key if it still stands there and carries this stamp.
    pub(crate) fn remove_ghost(
        &self,
        guard: &Guard,
        key: Key<'_>,
        stamp: u64,
    ) -> Result<(), Undecided> {
        self.modify(guard, key, |_| None, |_| Step::keep(()))?;
        let before = self.update(guard, key, |current| match current {
            // SAFETY: the slot is locked during the update.
            Some(word) if is_ghost(word) && unsafe { ghost_stamp(word) } == stamp => {
                (Change::Remove, Delta::ZERO, Ok(word))
            }
            // Another list insert came between.
            Some(word) if word.is_version() => (Change::Keep, Delta::ZERO, Err(Undecided(word))),
            _ => (Change::Keep, Delta::ZERO, Ok(Word::EMPTY)),
        })?;
        if !before.is_empty() {
            self.keys().owned.dispose(guard, before, Word::EMPTY);
        }
        Ok(())
    }

    /// The least visible word after a key (`None`: from the start), in the engine's order.
    pub(crate) fn next(
        &self,
        guard: &Guard,
        after: Option<Key<'_>>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        // SAFETY: the engines do not keep the key after the call.
        let after = after.map(|key| unsafe { key.erase() });
        match &self.engine {
            Engine::Hash(table) => table.next(guard, after.as_ref(), visible),
            Engine::Ordered(tree) => {
                tree.next(guard, after.as_ref().map_or(Bound::Unbounded, Bound::Excluded), visible)
            }
        }
    }

    /// The greatest visible word before a key (`None`: from the end). In hash tables, whose order
    /// means nothing, the same as `next`, as in ETS.
    pub(crate) fn prev(
        &self,
        guard: &Guard,
        before: Option<Key<'_>>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        match &self.engine {
            Engine::Hash(_) => self.next(guard, before, visible),
            Engine::Ordered(tree) => {
                // SAFETY: the engine does not keep the key after the call.
                let before = before.map(|key| unsafe { key.erase() });
                tree.prev(guard, before.as_ref().map_or(Bound::Unbounded, Bound::Excluded), visible)
            }
        }
    }

    /// Raw words of an ordered engine in key order.
    pub(crate) fn scan_tree(
        &self,
        tree: &Ordered,
        guard: &Guard,
        from: Option<Key<'_>>,
        direction: Direction,
        limit: usize,
        out: &mut Vec<Word>,
    ) -> bool {
        // SAFETY: the engine does not keep the key after the call.
        let from = from.map(|key| unsafe { key.erase() });
        let bound = from.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        tree.scan(guard, bound, direction, limit, out)
    }
}

/// The word for a slot that holds the node of a list insert, under its lock: what the decided node
/// shows, or the node itself while it is not decided.
#[cold]
#[inline(never)]
fn clean(guard: &Guard, owned: &Owned, node: Word) -> Word {
    // SAFETY: the engine loaded the word under this guard, and the slot is locked.
    match unsafe { batch::settle(node) } {
        Settled::Plain(_) | Settled::Pending => node,
        Settled::Decided { visible, loser, committed } => {
            // SAFETY: as above; the slot gets its plain word.
            unsafe { batch::displace(node) };
            if !committed {
                owned.undo(guard, visible, loser);
            }
            visible
        }
    }
}

/// The change that gives a slot this plain word.
fn plain(word: Word) -> Change {
    if word.is_empty() { Change::Remove } else { Change::Put(word) }
}

/// Counters with a stripe for each thread, up to 16, made at once where the options tell of writers
/// at once.
fn counters(spec: &Spec) -> Counters {
    let concurrent = spec.decentralized_counters || spec.write_concurrency != WriteConcurrency::Off;
    let stripes = processors().clamp(2, 16);
    if concurrent { Counters::new(stripes) } else { Counters::patient(stripes) }
}

/// How many threads run at once. Asked once: the system reads files for the answer.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(4, |n| n.get()))
}
