//! Growing, splitting and joining leaves.
//!
//! Every change follows one pattern. Everything that can fail or run code of the schema comes
//! first: locks are taken, separators made, nodes built. Then, without a way back:
//!
//! 1. the change is counted as begun (see `finger`);
//! 2. the new nodes are stored into the place of the old ones; the new leaves are locked;
//! 3. the old leaves and routing nodes die, which were locked since before they were copied; with the
//!    leaves the change is done;
//! 4. locks are released, and what was replaced is retired.

use super::CaTree;
use super::held::{Advice, Held};
use super::leaf::{Interval, Leaf};
use super::node::{Entry, Fence, Geometry, Link, Probe, capacity_for, largest};
use super::relink::Place;
use crate::engine::{Direction, OrderSchema};
use crate::reclaim::Guard;

/// The new leaves, locked until dropped.
pub(super) struct Fresh<'g, S: OrderSchema> {
    _left: Held<'g, S>,
    _right: Option<Held<'g, S>>,
}

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// Inserts into a full leaf. Linearization point: the store of what replaces it.
    #[cold]
    pub(super) fn insert_by_growth<'g>(
        &self,
        guard: &'g Guard,
        held: Held<'g, S>,
        position: usize,
        entry: Entry,
        probe: Probe<'_, S>,
    ) -> Fresh<'g, S> {
        let mut entries = Vec::with_capacity(held.len() + 1);
        held.entries(&mut entries);
        entries.insert(position, entry);
        if entries.len() <= largest::<G>() {
            return self.enlarge(guard, held, &mut entries, probe);
        }
        // Keys that come in order go on doing so: they leave full leaves behind.
        let middle = match held.run_at(position) {
            Some(Direction::Ascending) => (position + 1).min(entries.len() - 1),
            Some(Direction::Descending) => position.max(1),
            None => entries.len() / 2,
        };
        self.divide(guard, held, &mut entries, middle, probe)
    }

    /// Replaces a leaf by a larger one.
    fn enlarge<'g>(
        &self,
        guard: &'g Guard,
        held: Held<'g, S>,
        entries: &mut [Entry],
        probe: Probe<'_, S>,
    ) -> Fresh<'g, S> {
        let old = held.leaf();
        let place = self.lock_place(guard, old.link(), probe);
        let capacity = capacity_for::<G>(entries.len());
        let fresh = self.make_leaf(guard, capacity, old.interval(), entries);
        let link = fresh.leaf().link();
        self.supersede(&place, link, held);
        drop(place);
        self.retire_leaf(guard, old);
        Fresh { _left: fresh, _right: None }
    }

    /// Splits a leaf in the middle, because it is contended.
    pub(super) fn split(&self, guard: &Guard, held: Held<'_, S>, probe: Probe<'_, S>) {
        let mut entries = Vec::with_capacity(held.len());
        held.entries(&mut entries);
        self.tally.split();
        let middle = entries.len() / 2;
        self.divide(guard, held, &mut entries, middle, probe);
    }

    /// Replaces a leaf by two.
    fn divide<'g>(
        &self,
        guard: &'g Guard,
        held: Held<'g, S>,
        entries: &mut [Entry],
        middle: usize,
        probe: Probe<'_, S>,
    ) -> Fresh<'g, S> {
        let old = held.leaf();
        // SAFETY: the word is in the locked leaf, or about to be inserted by our caller.
        let fence = unsafe { Fence::at(&self.schema, entries[middle]) };
        let ascent = self.lock_ascent(guard, old.link(), probe);
        let Interval { low, high, stem } = old.interval();
        let (lower, upper) = entries.split_at_mut(middle);
        let left = self.make_part(guard, low, fence, lower, stem);
        let right = self.make_part(guard, fence, high, upper, stem);
        let (to_left, to_right) = (left.leaf().link(), right.leaf().link());
        let top = self.divided(&ascent, to_left, fence, to_right);
        self.supersede(&ascent.place, top, held);
        for (route, _) in ascent.changed {
            self.retire_route(guard, route);
        }
        drop(ascent.place);
        self.retire_leaf(guard, old);
        Fresh { _left: left, _right: Some(right) }
    }

    /// Ends an update: takes it into the leaf's statistics, adapts the tree if they ask for it,
    /// unlocks.
    #[inline(always)]
    pub(super) fn settle(
        &self,
        guard: &Guard,
        held: Held<'_, S>,
        probe: Probe<'_, S>,
        removed: bool,
    ) {
        match held.advice() {
            Advice::Nothing if removed && is_sparse::<G>(held.len()) && held.is_calm() => {
                self.join(guard, held, probe);
            }
            Advice::Nothing => {}
            Advice::Split => self.split(guard, held, probe),
            Advice::Join => self.join(guard, held, probe),
        }
    }

    /// Makes one of the leaves that divide another one, locked. The entries have the prefixes of
    /// that one, behind `stem`.
    pub(super) fn make_part<'g>(
        &self,
        guard: &'g Guard,
        low: *const Fence<S>,
        high: *const Fence<S>,
        entries: &mut [Entry],
        stem: Option<S::Stem>,
    ) -> Held<'g, S> {
        // SAFETY: the fences of a locked leaf that is alive, and one that was just made.
        let interval = unsafe { Interval::between(&self.schema, low, high) };
        self.set_prefixes(entries, stem, interval.stem);
        self.make_leaf(guard, largest::<G>(), interval, entries)
    }

    /// Gives the entries of a locked leaf with stem `from` the prefixes behind the stem `to`.
    pub(super) fn set_prefixes(
        &self,
        entries: &mut [Entry],
        from: Option<S::Stem>,
        to: Option<S::Stem>,
    ) {
        if from == to {
            return;
        }
        for entry in entries {
            let word = entry.word();
            entry.prefix = match to {
                // SAFETY: the word is in a locked leaf, or about to be inserted there.
                Some(stem) => unsafe { self.schema.prefix_of_behind(word, stem) },
                // SAFETY: as above.
                None => unsafe { self.schema.prefix_of(word) },
            };
        }
    }

    /// Makes a leaf, locked.
    pub(super) fn make_leaf<'g>(
        &self,
        guard: &'g Guard,
        capacity: usize,
        interval: Interval<S>,
        entries: &[Entry],
    ) -> Held<'g, S> {
        let held = Leaf::create(guard, capacity, interval, entries);
        self.tally.leaf_made(held.leaf().bytes());
        held
    }

    /// Stores what replaces a leaf, whose life ends: one change of structure.
    pub(super) fn supersede(&self, place: &Place<'_, S>, link: Link, held: Held<'_, S>) {
        let _change = self.changes.begin();
        self.store(place, link);
        self.kill_leaf(held);
    }

    /// Ends the life of a leaf that has been replaced.
    pub(super) fn kill_leaf(&self, held: Held<'_, S>) {
        self.tally.leaf_gone(held.leaf().bytes(), held.waits());
        held.kill();
    }

    /// Frees a dead leaf when no reader is left.
    pub(super) fn retire_leaf(&self, guard: &Guard, leaf: &Leaf<S>) {
        let bytes = leaf.bytes();
        // SAFETY: dead and replaced by its killer, who alone retires it. Dead nodes that still
        // lead to it are read only under guards older than this.
        unsafe { guard.retire(leaf.link().address(), Leaf::<S>::free, bytes) };
    }
}

/// Is this a length at which a removal should look for a neighbour to join? Not every one is, for
/// looking costs a descent.
fn is_sparse<G: Geometry>(len: usize) -> bool {
    len <= largest::<G>() * 3 / 8 && (len.is_multiple_of(8) || len <= 1)
}
