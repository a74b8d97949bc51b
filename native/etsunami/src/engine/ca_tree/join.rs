//! Joining two neighbouring leaves.
//!
//! The leaf that is joined is removed from its parent together with the fence next to it. Its
//! neighbour on the other side of this fence, which may hang deeper, is replaced by the joined
//! leaf. A parent that would keep a single child is replaced by that child.

use super::CaTree;
use super::held::Held;
use super::leaf::Interval;
use super::node::{Fence, Geometry, Link, Node, Probe, capacity_for, largest};
use super::relink::Place;
use super::route::RouteHeld;
use crate::engine::OrderSchema;
use crate::reclaim::Guard;

/// Two leaves are joined if together they have no more entries than this, so that what was joined
/// does not have to be split again soon.
const fn loose<G: Geometry>() -> usize {
    largest::<G>() * 5 / 8
}

/// Where a neighbour stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Everything that a join has locked.
struct Pair<'g, S: OrderSchema> {
    left: Held<'g, S>,
    right: Held<'g, S>,
    /// The parent of the leaf that goes away, the child that it is, and the index of the fence
    /// between it and the neighbour's branch.
    parent: RouteHeld<'g, S>,
    child: usize,
    fence: usize,
    /// The neighbour's parent, if it hangs deeper, and which child it is there.
    deeper: Option<(RouteHeld<'g, S>, usize)>,
}

/// A locked neighbour, and its parent if that is not the common one.
type Neighbour<'g, S> = (Held<'g, S>, Option<(RouteHeld<'g, S>, usize)>);

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// Joins a leaf with the next or the previous one below the same routing node, if together
    /// they fill one leaf loosely or this one is empty, and if nobody is in the way.
    #[cold]
    pub(super) fn join(&self, guard: &Guard, held: Held<'_, S>, probe: Probe<'_, S>) {
        let leaf = held.leaf().link();
        if self.root() == leaf || held.len() > loose::<G>() {
            return;
        }
        let Place::Slot(parent, child) = self.lock_place(guard, leaf, probe) else { return };
        let len = held.len();
        let pair = if let Some((right, deeper)) =
            self.neighbour(guard, &parent, child, Side::Right, len)
        {
            Pair { left: held, right, parent, child, fence: child, deeper }
        } else if let Some((left, deeper)) = self.neighbour(guard, &parent, child, Side::Left, len)
        {
            Pair { left, right: held, parent, child, fence: child - 1, deeper }
        } else {
            return;
        };
        self.merge(guard, pair, probe);
    }

    /// Locks the leaf next to a child, if there is one, free, calm, and small enough to be joined
    /// with `len` entries.
    fn neighbour<'g>(
        &self,
        guard: &'g Guard,
        parent: &RouteHeld<'g, S>,
        child: usize,
        side: Side,
        len: usize,
    ) -> Option<Neighbour<'g, S>> {
        let sibling = match side {
            Side::Left => child.checked_sub(1)?,
            Side::Right => child + 1,
        };
        if sibling == parent.route().len() {
            return None;
        }
        let mut link = parent.route().child(sibling);
        let mut above = None;
        loop {
            // SAFETY: loaded from this tree under the guard, and no slot is empty.
            match unsafe { link.node::<S>(guard) } {
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
                    let Some((route, edge)) = above else { return Some((held, None)) };
                    let above = route.try_lock()?;
                    return (route.child(edge) == link).then_some((held, Some((above, edge))));
                }
            }
        }
    }

    /// Replaces two neighbours by one leaf.
    fn merge(&self, guard: &Guard, pair: Pair<'_, S>, probe: Probe<'_, S>) {
        let place = self.lock_place(guard, pair.parent.route().link(), probe);
        let joined = self.joined(guard, &pair.left, &pair.right);
        let (top, fence) = self.without_child(&pair, joined.leaf().link());
        let Pair { left, right, parent, deeper, .. } = pair;
        let leaves = [left.leaf(), right.leaf()];

        let change = self.changes.begin();
        if let Some((above, edge)) = deeper {
            above.store(edge, joined.leaf().link());
        }
        self.store(&place, top);
        self.kill_leaf(left);
        self.kill_leaf(right);
        drop(change);
        self.retire_route(guard, parent);
        drop(place);
        drop(joined);
        self.tally.join();
        leaves.into_iter().for_each(|leaf| self.retire_leaf(guard, leaf));
        // SAFETY: the fence stood in `parent` and between the two leaves only. Readers that still
        // see those are pinned since before this.
        unsafe { guard.retire(fence.cast(), Fence::<S>::free, size_of::<Fence<S>>()) };
    }

    /// One leaf with the entries of two neighbours.
    fn joined<'g>(&self, guard: &'g Guard, left: &Held<'g, S>, right: &Held<'g, S>) -> Held<'g, S> {
        let (lower, upper) = (left.leaf().interval(), right.leaf().interval());
        // SAFETY: fences of locked leaves that are alive.
        let interval = unsafe { Interval::between(&self.schema, lower.low, upper.high) };
        let mut entries = Vec::with_capacity(left.len() + right.len());
        left.entries(&mut entries);
        self.set_prefixes(&mut entries, lower.stem, interval.stem);
        right.entries(&mut entries);
        self.set_prefixes(&mut entries[left.len()..], upper.stem, interval.stem);
        self.make_leaf(guard, capacity_for::<G>(entries.len() + 1), interval, &entries)
    }

    /// What replaces the parent when a child has been joined into its neighbour, and the fence
    /// that is no longer needed.
    fn without_child(&self, pair: &Pair<'_, S>, joined: Link) -> (Link, *mut Fence<S>) {
        let mut draft = pair.parent.route().draft();
        if pair.deeper.is_none() {
            // The two children on either side of the fence: one goes, the other is replaced.
            draft.children[pair.fence] = joined;
            draft.children[pair.fence + 1] = joined;
        }
        let fence = draft.drop_child(pair.child, pair.fence);
        match draft.children[..] {
            [only] => (only, fence),
            _ => (self.make_route(&draft), fence),
        }
    }
}
