//! The lock-free skip list.
//!
//! # Algorithm
//!
//! A skip list (Pugh, "Skip lists: a probabilistic alternative to balanced trees", CACM 1990) whose
//! levels are lock-free linked lists: a link and the mark that freezes it are one word (Harris, "A
//! pragmatic implementation of non-blocking linked-lists", DISC 2001; Michael, SPAA 2002), and a
//! node is taken out of a level by whoever comes by (Fraser, "Practical lock-freedom", 2004; Herlihy
//! and Shavit, "The Art of Multiprocessor Programming", chapter 14).
//!
//! What those do not have is the atomic read-modify-write of a key, with effects that may not be
//! run twice. Replacing a node by another one would not do either: for a moment the key would be
//! absent, or there twice. So a node stands for its key, not for its word: the word lies in a
//! *slot*, and is changed there under the key's own lock.
//!
//! | file | what |
//! | --- | --- |
//! | `node` | the node: slot, lock, tower of links |
//! | `height` | how high a tower is |
//! | `seek` | the searches of readers and writers |
//! | `held` | updates under the key's lock; linking, unlinking |
//! | `cursor` | `next`, `prev`, `scan` |
//!
//! # Definitions
//!
//! - A node's slot is *empty* from the beginning, then *full* (it holds the key's word, and later
//!   others), at last *gone*. An empty or gone node has no word, so nobody can read its key; its
//!   prefix and its place are known. One that is empty is a *reservation*.
//! - A link is *marked* to freeze it: it will never lead elsewhere. A node is *dead* when the link
//!   of its lowest level is marked.
//! - A node is *on a level* from the exchange that makes another node of that level, or the head,
//!   lead to it, until the exchange that makes that one lead past it.
//!
//! # The life of a node
//!
//! 1. *Reserve*: with its lock taken, it is brought into the lowest level, where no other node has
//!    its key. The closure of the update is run with nothing. If it has nothing to store, go to 5.
//! 2. *Publish*: the slot becomes full.
//! 3. *Raise*: the node is brought into its other levels, from below. The lock is given back.
//! 4. Updates of the key take the lock, and store into the slot, until one makes it gone.
//! 5. *Bury*: all links are marked, from the highest level down, by anybody. The one who has made
//!    the slot gone goes by the node's place on every level, and then retires it.
//!
//! # Invariants
//!
//! 1. On each level keys strictly increase. A node on a level is on all lower ones, as long as it
//!    is not dead.
//! 2. An unmarked link of a level's node belongs to a node that is on that level: a node is taken
//!    out by an exchange from a link that leads to it, to where its marked link leads.
//! 3. At most one node of a key is not dead. A search for the spot of a new one has taken the dead
//!    ones of its key out of every level that it came through: it marks nodes that are gone, and
//!    waits for reservations, if the prefix is that of its key.
//! 4. Only a locked node is linked to a further level, and only its remover makes it gone, under
//!    the same lock: so a dead node is not linked any more by anybody.
//! 5. Links are marked after the slot is gone. A marked link means: this key has been absent.
//!
//! # Linearization points
//!
//! An update: the store into the slot; one that stores nothing: the end of its closure. It runs
//! under the key's lock, an absent key's too (the reservation's).
//!
//! A `get` that finds the key: the load of its slot. One that does not: a reader stands only on
//! nodes whose link it has seen unmarked, so they were alive after it began. From there it follows
//! links that were frozen since, or are not frozen, or lead through nodes that it sees through: so
//! at some instant of the call the two nodes on both sides of the key stood next to each other, or
//! the key's node had no word (Heller and others, "A lazy concurrent list-based set algorithm",
//! OPODIS 2005, for one level). Had it come to a node that died before it began, it could follow a
//! link that was frozen before the key was inserted.
//!
//! # Progress
//!
//! Readers wait for nobody and repeat nothing. Writers of different keys do not wait for each
//! other: who fails to exchange a link begins its search again, because another has changed the
//! list. With one exception: a search for the spot of a new key waits for a reservation next to it
//! that has the same prefix, because it cannot know which key that one will have; it is as long as
//! an update's closure.
//!
//! Writers of one key follow one another: an update of a table may have effects that must not be
//! run twice. A lock's holder waits for nobody: closures do not update the map, and above the
//! lowest level there are no reservations to wait for. So nobody waits in a circle.
//!
//! # Memory safety
//!
//! A reader follows links under its guard. It begins at the head, and every node that it comes to
//! was on a level after its guard began: it was led there by a link that was not frozen, or was
//! frozen while its node was still on that level. A node is retired after it has left all levels
//! for good: its links are marked before the last search for it, which goes by its place, and there
//! finds two nodes next to each other that are not the dead one, or takes it out (by 3, no node of
//! its key can stand before it). That search goes down from no node that may stand behind the place:
//! one whose key has been removed, and so cannot be read, it takes out; only a reservation it passes
//! by, and those are on the lowest level. A search that was begun before may have the dead node as a
//! neighbour, but cannot lead there: its exchange would have to find the link as it was.
//!
//! Words are loaded from slots only. A gone slot has none, so whoever has removed a word may retire
//! it although the node is still linked.
//!
//! # Not guaranteed
//!
//! `next`, `prev` and `scan` are not snapshots: each word was there at an instant of its own.
//! Updates of an absent key that store nothing cost a node for a moment.

mod cursor;
mod height;
mod held;
mod node;
mod seek;
#[cfg(test)]
mod tests;

pub use height::{Heights, Random};

use crate::engine::{Change, Delta, OrderSchema, Word};
use crate::reclaim::Guard;
use crate::sync::{AtomicU64, AtomicUsize, CachePadded, Counters, Ordering};
use height::SPARSITY;
use node::{Fresh, Link};
use seek::{Levels, Probe, Purpose, Spot};
use std::marker::PhantomData;

/// The most levels. With a quarter of the nodes on each next level it is enough for 4¹⁶ keys.
const MAX_HEIGHT: usize = if cfg!(loom) { 2 } else { 16 };

/// A concurrent ordered map from the keys of a schema to words.
pub struct SkipList<S: OrderSchema, H: Heights = Random> {
    head: Box<[Link]>,
    /// How many levels have been in use; a search may begin below the highest.
    levels: AtomicUsize,
    schema: S,
    counters: Counters,
    tally: CachePadded<Tally>,
    _heights: PhantomData<H>,
}

/// What writers have met of each other.
#[derive(Default)]
struct Tally {
    waits: AtomicU64,
    retries: AtomicU64,
}

impl Tally {
    /// Somebody waits for another.
    #[cold]
    fn wait(&self) {
        // Relaxed: a statistic.
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// A link was changed by another.
    #[cold]
    fn retry(&self) {
        // Relaxed: a statistic.
        self.retries.fetch_add(1, Ordering::Relaxed);
    }
}

/// Figures of a list.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Levels in use.
    pub levels: u64,
    /// How often a writer waited for another one of its key.
    pub waits: u64,
    /// How often a link was changed by another writer meanwhile.
    pub retries: u64,
    /// What nodes of the mean height take, with the head.
    pub bytes: u64,
}

impl<S: OrderSchema, H: Heights> SkipList<S, H> {
    /// An empty map.
    pub fn new(schema: S, counters: Counters) -> Self {
        SkipList {
            head: (0..MAX_HEIGHT).map(|_| Link::end()).collect(),
            levels: AtomicUsize::new(1),
            schema,
            counters,
            tally: CachePadded::new(Tally::default()),
            _heights: PhantomData,
        }
    }

    /// The schema it was made with.
    pub fn schema(&self) -> &S {
        &self.schema
    }

    /// The counters that updates add to.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The word of a key. Linearization point: the load of the word, or an instant at which the key
    /// was absent.
    #[inline]
    pub fn get(&self, guard: &Guard, key: &S::Key) -> Option<Word> {
        self.find(guard, Probe::new(&self.schema, key))
    }

    /// Reads, decides and writes one key under its lock. `f` gets the key's word and tells what to
    /// do, how the counters change, and what to return; it runs once. If it panics nothing
    /// changes. It may read the map, but not update it.
    ///
    /// Linearization point: the store into the slot; the end of `f` if it stores nothing.
    #[inline]
    pub fn update<R>(
        &self,
        guard: &Guard,
        key: &S::Key,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        let probe = Probe::new(&self.schema, key);
        let mut spot = Spot::new(&self.head);
        let mut fresh = None;
        loop {
            // One level more than there are, because the new node may be that high.
            let levels = Levels { top: self.top(self.levels() + 1), floor: 0 };
            if let Some(node) = self.seek(guard, probe, levels, Purpose::Spot, &mut spot) {
                if let Some(held) = self.lock(node) {
                    return self.change(guard, probe, held, f);
                }
            } else if let Some(held) = self.reserve(probe, &spot, levels, &mut fresh) {
                return self.fill(guard, probe, held, &mut spot, f);
            }
        }
    }

    /// The levels in use.
    #[inline(always)]
    fn levels(&self) -> usize {
        // Relaxed: the lowest level has everything, the others only make searches short.
        self.levels.load(Ordering::Relaxed)
    }

    /// The levels of a search that has to know about this many.
    fn top(&self, wanted: usize) -> usize {
        self.levels().max(wanted).min(MAX_HEIGHT)
    }

    /// A node that is no higher than what a search has come through.
    fn fresh(&self, prefix: u64, searched: Levels) -> Fresh {
        let height = H::draw(prefix).clamp(1, searched.top);
        if height > self.levels() {
            // Relaxed: see `levels`.
            self.levels.fetch_max(height, Ordering::Relaxed);
        }
        Fresh::new(prefix, height)
    }

    /// Counts what an update takes away, before its store.
    #[inline(always)]
    fn shrink(&self, guard: &Guard, delta: Delta) {
        if delta.objects < 0 || delta.words < 0 {
            self.counters.add(guard.stripe(), delta.objects.min(0), delta.words.min(0));
        }
    }

    /// Counts what an update brings, after its store.
    #[inline(always)]
    fn grow(&self, guard: &Guard, delta: Delta) {
        if delta.objects > 0 || delta.words > 0 {
            self.counters.add(guard.stripe(), delta.objects.max(0), delta.words.max(0));
        }
    }

    /// Figures of the list.
    pub fn shape(&self) -> Shape {
        // A node on one level, and its links of the levels above, 1/4 + 1/16 + … = 1/3 of them.
        let more = (node::bytes(2) - node::bytes(1)) as u64;
        let each = node::bytes(1) as u64 * 3 + more;
        let head = size_of_val(&*self.head) + size_of::<Self>();
        Shape {
            levels: self.levels() as u64,
            waits: self.tally.waits.load(Ordering::Relaxed),
            retries: self.tally.retries.load(Ordering::Relaxed),
            bytes: head as u64 + self.counters.objects() * each / ((1 << SPARSITY) - 1),
        }
    }
}

impl<S: OrderSchema, H: Heights> Drop for SkipList<S, H> {
    /// Frees nodes and words one after the other, without a guard, because it may take long. Who
    /// removes a key has taken its node out before it returned, so the nodes of the lowest level
    /// are all there are, and alive.
    fn drop(&mut self) {
        // SAFETY: nobody else has the list any more; each node is freed after the next was read.
        unsafe {
            let mut next = self.head[0].last();
            while let Some(node) = next {
                next = node.tower()[0].last();
                if let Some(word) = node.word() {
                    self.schema.release(word);
                }
                node.free();
            }
        }
    }
}
