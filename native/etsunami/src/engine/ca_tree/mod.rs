//! The contention-adapting ordered map.
//!
//! # Algorithm
//!
//! Sagonas and Winblad, "A Contention Adapting Approach to Concurrent Ordered Sets" (JPDC 2018):
//! data lives in base nodes with a lock and a statistic of its contention; contended base nodes are
//! split, idle neighbours are joined. Here the base nodes are leaves of a B+tree. A leaf publishes
//! its order by one store, after Masstree (Mao, Kohler, Morris, EuroSys 2012), so that readers take
//! no lock and one insertion during a read costs them nothing; `leaf.rs` has the protocol. The
//! routing nodes above are wide and immutable but for their child slots.
//!
//! | file | what |
//! | --- | --- |
//! | `leaf`, `held`, `search`, `bytes` | the leaf: its publications, its lock, search in it |
//! | `route`, `codes` | the routing node; search in it |
//! | `descent`, `finger` | from the root to a leaf; to the same one as before |
//! | `relink` | how a node is replaced in its parent |
//! | `adapt`, `join` | growth, splits, joins, and when they happen |
//! | `bulk` | the contents of an empty tree, published by one store |
//! | `cursor` | `next`, `prev`, `scan` |
//! | `node`, `shape` | links, fences, positions, geometry; statistics |
//!
//! # Definitions
//!
//! The *interval* of a leaf reaches from its fence `low` up to and without its fence `high`. A node
//! is *live* from the store that makes it reachable from the root by live nodes until it is dead.
//! *Dead* is a mark that a node gets from the holder of its lock, and keeps.
//!
//! # Invariants
//!
//! 1. The intervals of the live leaves divide the key space; the slots of live routing nodes, read
//!    by their fences, lead each key to the live leaf whose interval contains it.
//! 2. A leaf's interval never changes, nor do a routing node's fences. Growth, split and join make
//!    new nodes.
//! 3. A child slot is stored to only by the holder of its routing node's lock, while the node is
//!    live; the slots of a dead one are frozen. The root slot is stored to only by the holder of
//!    the lock of the node it leads to.
//! 4. A leaf is copied, replaced in the tree and killed under one hold of its lock, and so is a
//!    routing node. The new leaves are locked until all this is done.
//! 5. Nodes are retired after they are dead and unreachable through live nodes; a fence after the
//!    routing node and the leaves that it stood in.
//!
//! From 1, 2 and 4: who holds the lock of a leaf that is not dead holds the leaf of its keys. From
//! 3 and 4: a dead routing node leads, for each key, to what was there when it died or to what has
//! replaced that in a slot below. A reader may pass it, because it was live after the reader
//! began.
//!
//! # Linearization points
//!
//! An update: the store of a word, the publication of a leaf's order, or the store that brings the
//! new nodes into the tree, if the leaf was full. Always under the lock of the key's leaf.
//! `Bulk::publish`: the store of the root.
//!
//! A `get` that finds the key: the load of its word. One that does not: the load of the sequence
//! word. If the leaf had been replaced by then: the instant before that. It lies within the call,
//! because the reader came from a node that was live after its call had begun, and the contents of
//! the leaf are those of that instant, because of 4.
//!
//! # Locks
//!
//! A holder waits only for routing nodes above what it holds, so nobody waits in a circle.
//! Everything else (the neighbour in a join, and its parent) is tried, and the join given up.
//!
//! # Memory safety
//!
//! A reader follows links, fences and words under its guard. By 5 whatever a live node leads to is
//! retired later than the guard began, if the guard's holder can see it as live; and a dead node
//! leads only to nodes that were live when it died, or later. Words are followed after validation
//! only (`leaf.rs`).
//!
//! # Not guaranteed
//!
//! `next`, `prev` and `scan` are not snapshots: each word was there at an instant of its own.
//! Readers are lock-free, not wait-free: two publications during one read make it start again.
//! A leaf between two busy neighbours may stay nearly empty until one of them is calm. Depth may
//! differ between branches after many removals.

mod adapt;
mod bulk;
mod bytes;
mod codes;
mod cursor;
mod descent;
mod finger;
mod held;
mod join;
mod leaf;
mod node;
mod relink;
mod route;
mod search;
mod shape;
#[cfg(test)]
mod tests;

pub use bulk::Bulk;
pub use node::{Geometry, Wide};
pub use shape::Shape;

use crate::engine::{Change, Delta, Direction, OrderSchema, Spot, Word};
use crate::reclaim::{self, Guard};
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicPtr, Backoff, Counters};
use finger::Changes;
use leaf::{Leaf, View};
use node::{Entry, Fence, Gap, Link, Node, Probe};
use route::Route;
use search::Torn;
use shape::Tally;
use std::marker::PhantomData;

/// A concurrent ordered map from the keys of a schema to words.
pub struct CaTree<S: OrderSchema, G: Geometry = Wide> {
    root: AtomicPtr<()>,
    schema: S,
    counters: Counters,
    tally: Tally,
    changes: Changes,
    _geometry: PhantomData<G>,
}

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// An empty map.
    pub fn new(schema: S, counters: Counters) -> Self {
        CaTree {
            root: AtomicPtr::default(),
            schema,
            counters,
            tally: Tally::default(),
            changes: Changes::default(),
            _geometry: PhantomData,
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

    /// The word of a key. Linearization point: the load of the word, or, if the key is absent, the
    /// load of the sequence word that began the read.
    #[inline]
    pub fn get(&self, guard: &Guard, key: &S::Key) -> Option<Word> {
        let probe = Probe::new(&self.schema, key);
        let mut backoff = Backoff::new();
        loop {
            let view = self.read_leaf(guard, &Gap::Before(probe), Direction::Ascending)?;
            match view.find(&self.schema, probe) {
                Ok(Some((_, word))) => return Some(word),
                Ok(None) if view.holds() => return None,
                _ => backoff.wait(),
            }
        }
    }

    /// Reads, decides and writes one key under the lock of its leaf. `f` gets the key's word and
    /// tells what to do, how the counters change, and what to return; it runs once. If it panics
    /// nothing changes. It may read the map, but not update it: the leaf is locked.
    ///
    /// Linearization points: the store of the word for a key that is there, the publication for an
    /// insert or a remove, the store of the new leaf or routing node into the tree for an insert
    /// into a full leaf.
    #[inline]
    pub fn update<R>(
        &self,
        guard: &Guard,
        key: &S::Key,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        let mut unused = Spot::NONE;
        self.update_at(guard, key, &mut unused, f)
    }

    /// [`CaTree::update`] that also tells where the key stands now.
    #[inline]
    pub fn update_spot<R>(
        &self,
        guard: &Guard,
        key: &S::Key,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> (R, Spot) {
        let mut spot = Spot::NONE;
        (self.update_at(guard, key, &mut spot, f), spot)
    }

    /// [`CaTree::update_spot`] with the spot in a place of the caller's: what is returned then has room
    /// in registers.
    #[inline]
    fn update_at<R>(
        &self,
        guard: &Guard,
        key: &S::Key,
        spot: &mut Spot,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        let probe = Probe::new(&self.schema, key);
        let mut held = self.lock_leaf(guard, probe);
        let found = intact(held.view().find(&self.schema, probe));
        if found.is_none() {
            held.prefetch_free();
        }
        let (change, delta, result) = f(found.map(|(_, word)| word));
        self.shrink(guard, delta);
        let mut removed = false;
        match (change, found) {
            (Change::Put(word), Some((slot, _))) => {
                held.replace(slot, word);
                *spot = held.spot(slot);
            }
            (Change::Put(word), None) => {
                let prefix = held.leaf().prefix(&self.schema, probe);
                let entry = Entry { prefix, bits: word.0 as u64 };
                let position = intact(held.view().position_of_absent(&self.schema, probe));
                if held.is_full() {
                    let fresh = self.insert_by_growth(guard, held, position, entry, probe);
                    self.grow(guard, delta);
                    drop(fresh);
                    return result;
                }
                held.insert(position, entry);
                *spot = held.spot(held.view().slot(position));
            }
            (Change::Remove, Some((slot, _))) => {
                held.remove(intact(held.view().rank(slot)), slot);
                removed = true;
            }
            (Change::Remove, None) | (Change::Keep, _) => {}
        }
        self.grow(guard, delta);
        self.settle(guard, held, probe, removed);
        result
    }

    /// Puts `new` in place of `old`, which has the same key, where an update has left it. False,
    /// and nothing is done, if it does not stand there any more. Linearization point: the store.
    ///
    /// A slot keeps its word after its key was removed; so `stays` is asked, under the lock.
    ///
    /// # Safety
    /// An update of this tree gave the spot under this guard. `old` is unlike all words of other
    /// keys. `stays` is false once `old` has been replaced or removed, under the key's lock.
    #[inline]
    pub unsafe fn exchange(
        &self,
        _guard: &Guard,
        spot: Spot,
        [old, new]: [Word; 2],
        stays: impl FnOnce() -> bool,
    ) -> bool {
        if spot == Spot::NONE {
            return false;
        }
        // SAFETY: the leaf was in the tree under the guard.
        let leaf =
            unsafe { Leaf::<S>::from_address(std::ptr::with_exposed_provenance_mut(spot.node)) };
        let Some(held) = leaf.lock() else { return false };
        let found = held.view().word_in(spot.slot) == old;
        let stays = found && (stays() || weakened(Weak::TreeSpot));
        if stays {
            held.replace(spot.slot, new);
        }
        stays
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

    /// The tree's shape. Counts are read one after the other.
    pub fn shape(&self) -> Shape {
        let guard = reclaim::pin();
        let mut depth = 0;
        let mut link = self.root();
        while link.is_route() {
            // SAFETY: a link from this tree, loaded under the guard; the bit tells a route.
            if let Node::Route(route) = unsafe { link.node::<S>(&guard) } {
                link = route.child(0);
            }
            depth += 1;
        }
        self.tally.shape(depth)
    }
}

impl<S: OrderSchema, G: Geometry> Drop for CaTree<S, G> {
    fn drop(&mut self) {
        let root = self.root();
        if !root.is_none() {
            self.free(&reclaim::pin(), root);
        }
    }
}

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// Frees what is below a link; as deep as the tree is. To be called by `drop` only.
    fn free(&self, guard: &Guard, link: Link) {
        // SAFETY: from a slot of this tree; nobody else has the tree any more.
        match unsafe { link.node::<S>(guard) } {
            Node::Leaf(leaf) => {
                release_words(&self.schema, &leaf.read());
                // SAFETY: nobody else can reach the leaf; dead nodes are not followed any more.
                unsafe { Leaf::<S>::free(link.address()) };
            }
            Node::Route(route) => {
                let draft = route.draft();
                draft.children.iter().for_each(|&child| self.free(guard, child));
                for fence in draft.fences {
                    // SAFETY: each live fence stands in one live routing node: this one.
                    unsafe { Fence::<S>::free(fence.cast()) };
                }
                // SAFETY: as for the leaf.
                unsafe { Route::<S>::free(link.address()) };
            }
        }
    }
}

/// What was read of a locked leaf.
#[inline(always)]
fn intact<T>(read: Result<T, Torn>) -> T {
    match read {
        Ok(read) => read,
        Err(Torn) => unreachable!("a locked leaf is not overwritten"),
    }
}

/// Releases the words of a leaf that nobody else can reach any more.
fn release_words<S: OrderSchema>(schema: &S, view: &View<'_, S>) {
    for position in 0..view.len() {
        // SAFETY: the word is still stored, and the tree is being dropped.
        unsafe { schema.release(view.word_in(view.slot(position))) };
    }
}

// SAFETY: the raw pointers are to nodes that the tree owns and shares by the protocol in the module
// documentation; schema, separators and counters are `Send` and `Sync`, words belong to the schema.
unsafe impl<S: OrderSchema, G: Geometry> Send for CaTree<S, G> {}
// SAFETY: as above.
unsafe impl<S: OrderSchema, G: Geometry> Sync for CaTree<S, G> {}
