//! Growing, splitting and joining leaves.
//!
//! Every change follows one pattern. Everything that can fail or run code of the schema comes
//! first: locks are taken, separators made, nodes built. Then, without a way back:
//!
//! 1. the new nodes are stored into the place of the old ones; the new leaves are locked;
//! 2. the old leaves and routing nodes die, which were locked since before they were copied;
//! 3. locks are released, and what was replaced is retired.

use super::CaTree;
use super::leaf::{Advice, Held, Leaf};
use super::node::{Entry, Fence, Geometry, Node, Probe, capacity_for, largest};
use super::relink::Place;
use super::route::RouteHeld;
use crate::engine::OrderSchema;
use crate::reclaim::Guard;

/// The new leaves, locked until dropped.
pub(super) struct Fresh<'g, S: OrderSchema> {
    _left: Held<'g, S>,
    _right: Option<Held<'g, S>>,
}

/// Where a neighbour stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    /// The index of the child on this side.
    fn sibling(self, at: usize) -> Option<usize> {
        match self {
            Side::Left => at.checked_sub(1),
            Side::Right => Some(at + 1),
        }
    }
}

/// A leaf next to another one, and how it hangs below their lowest common routing node.
struct Neighbour<'g, S: OrderSchema> {
    held: Held<'g, S>,
    /// Its parent, if that is not the common node.
    parent: Option<(RouteHeld<'g, S>, usize)>,
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
            return self.enlarge(guard, held, &entries, probe);
        }
        let leaf = held.leaf();
        // At the ends of the key space ascending and descending insertions leave full leaves.
        let middle = if position + 1 == entries.len() && leaf.high().is_none() {
            position
        } else if position == 0 && leaf.low().is_none() {
            1
        } else {
            entries.len() / 2
        };
        self.divide(guard, held, &entries, middle, probe)
    }

    /// Replaces a leaf by a larger one.
    fn enlarge<'g>(
        &self,
        guard: &'g Guard,
        held: Held<'g, S>,
        entries: &[Entry],
        probe: Probe<'_, S>,
    ) -> Fresh<'g, S> {
        let old = held.leaf();
        let place = self.lock_place(guard, old.link(), probe);
        let (low, high) = old.fences();
        let fresh = self.make_leaf(guard, capacity_for::<G>(entries.len()), low, high, entries);
        let link = fresh.leaf().link();
        self.store(&place, link);
        self.kill_leaf(held);
        drop(place);
        self.retire_leaf(guard, old);
        Fresh { _left: fresh, _right: None }
    }

    /// Splits a leaf in the middle, because it is contended.
    pub(super) fn split(&self, guard: &Guard, held: Held<'_, S>, probe: Probe<'_, S>) {
        let mut entries = Vec::with_capacity(held.len());
        held.entries(&mut entries);
        self.tally.split();
        self.divide(guard, held, &entries, entries.len() / 2, probe);
    }

    /// Replaces a leaf by two.
    fn divide<'g>(
        &self,
        guard: &'g Guard,
        held: Held<'g, S>,
        entries: &[Entry],
        middle: usize,
        probe: Probe<'_, S>,
    ) -> Fresh<'g, S> {
        let old = held.leaf();
        // SAFETY: the word is in the locked leaf, or about to be inserted by our caller.
        let fence = unsafe { Fence::at(&self.schema, entries[middle]) };
        let ascent = self.lock_ascent(guard, old.link(), probe);
        let (low, high) = old.fences();
        let capacity = largest::<G>();
        let left = self.make_leaf(guard, capacity, low, fence, &entries[..middle]);
        let right = self.make_leaf(guard, capacity, fence, high, &entries[middle..]);
        let (to_left, to_right) = (left.leaf().link(), right.leaf().link());
        let top = self.divided(&ascent, to_left, fence, to_right);
        self.store(&ascent.place, top);
        self.kill_leaf(held);
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

    /// Joins a leaf with the next or the previous one below the same routing node, if together
    /// they fill one leaf loosely or this one is empty, and if nobody is in the way.
    #[cold]
    pub(super) fn join(&self, guard: &Guard, held: Held<'_, S>, probe: Probe<'_, S>) {
        if self.root() == held.leaf().link() || held.len() > loose::<G>() {
            return;
        }
        let Place::Slot(parent, at) = self.lock_place(guard, held.leaf().link(), probe) else {
            return;
        };
        let side = [Side::Right, Side::Left].into_iter().find_map(|side| {
            self.neighbour(guard, &parent, at, side, held.len()).map(|neighbour| (side, neighbour))
        });
        if let Some((side, neighbour)) = side {
            self.merge(guard, held, neighbour, parent, at, side, probe);
        }
    }

    /// Locks the leaf next to child `at`, if it is free, calm, and small enough to be joined with
    /// `len` entries.
    fn neighbour<'g>(
        &self,
        guard: &'g Guard,
        parent: &RouteHeld<'g, S>,
        at: usize,
        side: Side,
        len: usize,
    ) -> Option<Neighbour<'g, S>> {
        let sibling = side.sibling(at).filter(|&sibling| sibling < parent.route().len())?;
        let mut link = parent.route().child(sibling);
        let mut above = None;
        loop {
            // SAFETY: loaded from this tree under the guard, and no slot is empty.
            match unsafe { link.node(guard) } {
                Node::Route(route) => {
                    let edge = if side == Side::Right { 0 } else { route.len() - 1 };
                    above = Some((route, edge));
                    link = route.child(edge);
                }
                Node::Leaf(leaf) => {
                    let held = leaf.try_lock()?;
                    let fits = len == 0 || held.len() + len <= loose::<G>();
                    if !(fits && held.is_calm()) {
                        return None;
                    }
                    let parent = match above {
                        None => None,
                        Some((route, edge)) => Some((route.try_lock()?, edge)),
                    };
                    let linked = parent.as_ref().is_none_or(|(p, at)| p.route().child(*at) == link);
                    return linked.then_some(Neighbour { held, parent });
                }
            }
        }
    }

    /// Replaces two neighbours by one leaf.
    #[allow(clippy::too_many_arguments)]
    fn merge<'g>(
        &self,
        guard: &'g Guard,
        held: Held<'g, S>,
        neighbour: Neighbour<'g, S>,
        parent: RouteHeld<'g, S>,
        at: usize,
        side: Side,
        probe: Probe<'_, S>,
    ) {
        let place = self.lock_place(guard, parent.route().link(), probe);
        let Neighbour { held: other, parent: above } = neighbour;
        let (old, old_other) = (held.leaf(), other.leaf());
        let joined = {
            let (left, right) = match side {
                Side::Right => (&held, &other),
                Side::Left => (&other, &held),
            };
            self.joined(guard, left, right)
        };
        let link = joined.leaf().link();

        let mut draft = parent.route().draft();
        // The lower index of the two is that of the fence between them.
        let (sibling, fence) = match side {
            Side::Right => (at + 1, at),
            Side::Left => (at - 1, at - 1),
        };
        if above.is_none() {
            draft.children[sibling] = link;
        }
        let fence = draft.drop_child(at, fence);
        let top = match draft.children[..] {
            [only] => only,
            _ => self.make_route(&draft),
        };

        if let Some((route, edge)) = above {
            route.store(edge, link);
        }
        self.store(&place, top);
        self.kill_leaf(held);
        self.kill_leaf(other);
        self.retire_route(guard, parent);
        drop(place);
        drop(joined);
        self.tally.join();
        self.retire_leaf(guard, old);
        self.retire_leaf(guard, old_other);
        // SAFETY: the fence stood in `parent` and between the two leaves only. Readers that still
        // see those are pinned since before this.
        unsafe { guard.retire(fence.cast(), Fence::<S>::free, size_of::<Fence<S>>()) };
    }

    /// One leaf with the entries of two neighbours.
    fn joined<'g>(&self, guard: &'g Guard, left: &Held<'g, S>, right: &Held<'g, S>) -> Held<'g, S> {
        let mut entries = Vec::with_capacity(left.len() + right.len());
        left.entries(&mut entries);
        right.entries(&mut entries);
        let (low, high) = (left.leaf().fences().0, right.leaf().fences().1);
        self.make_leaf(guard, capacity_for::<G>(entries.len() + 1), low, high, &entries)
    }

    fn make_leaf<'g>(
        &self,
        guard: &'g Guard,
        capacity: usize,
        low: *const Fence<S>,
        high: *const Fence<S>,
        entries: &[Entry],
    ) -> Held<'g, S> {
        let held = Leaf::create(guard, capacity, low, high, entries);
        self.tally.leaf_made(held.leaf().bytes());
        held
    }

    fn kill_leaf(&self, held: Held<'_, S>) {
        self.tally.leaf_gone(held.leaf().bytes(), held.waits());
        held.kill();
    }

    fn retire_leaf(&self, guard: &Guard, leaf: &Leaf<S>) {
        let bytes = leaf.bytes();
        // SAFETY: dead and replaced by its killer, who alone retires it. Dead nodes that still
        // lead to it are read only under guards older than this.
        unsafe { guard.retire(leaf.link().address(), Leaf::<S>::free, bytes) };
    }
}

/// Two leaves are joined if together they have no more entries than this, so that what was joined
/// does not have to be split again soon.
const fn loose<G: Geometry>() -> usize {
    largest::<G>() * 5 / 8
}

/// Is this a length at which a removal should look for a neighbour to join? Not every one is, for
/// looking costs a descent.
fn is_sparse<G: Geometry>(len: usize) -> bool {
    len <= largest::<G>() * 3 / 8 && (len % 4 == 0 || len <= 2)
}
