//! The way down: from the root, through routing nodes, past dead leaves, to a living leaf.

use super::CaTree;
use super::leaf::{Dead, Held, Leaf, View};
use super::node::{Entry, Gap, Geometry, Link, Node, Probe};
use crate::engine::{Direction, OrderSchema};
use crate::reclaim::Guard;
use crate::sync::Ordering;

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    #[inline(always)]
    pub(super) fn root(&self) -> Link {
        // Acquire: partner of the Release stores to the root.
        Link::from_raw(self.root.load(Ordering::Acquire))
    }

    /// The leaf below `link`, dead or alive, whose interval has what a cursor in `gap` reads next.
    #[inline(always)]
    pub(super) fn leaf_below<'g>(
        &self,
        guard: &'g Guard,
        mut link: Link,
        gap: &Gap<'_, S>,
        direction: Direction,
    ) -> &'g Leaf<S> {
        loop {
            // SAFETY: the link is not none and was loaded from this tree under the guard.
            match unsafe { link.node(guard) } {
                Node::Leaf(leaf) => return leaf,
                Node::Route(route) => {
                    link = route.child(route.position(&self.schema, gap, direction));
                }
            }
        }
    }

    /// Where a dead leaf sends a cursor.
    #[cold]
    pub(super) fn forwarded<'g>(
        &self,
        guard: &'g Guard,
        dead: &Leaf<S>,
        gap: &Gap<'_, S>,
        direction: Direction,
    ) -> &'g Leaf<S> {
        let (left, right) = dead.forward();
        if right.is_none() {
            return self.leaf_below(guard, left, gap, direction);
        }
        let right = self.leaf_below(guard, right, gap, direction);
        let fence = right.low().expect("the right half has a fence to its left");
        if gap.is_right_of(&self.schema, fence, direction) {
            right
        } else {
            self.leaf_below(guard, left, gap, direction)
        }
    }

    /// Begins to read the leaf that has what a cursor in `gap` reads next; none in a tree that
    /// has no leaf yet.
    #[inline(always)]
    pub(super) fn read_leaf<'g>(
        &self,
        guard: &'g Guard,
        gap: &Gap<'_, S>,
        direction: Direction,
    ) -> Option<View<'g, S>> {
        let root = self.root();
        if root.is_none() {
            return None;
        }
        let mut leaf = self.leaf_below(guard, root, gap, direction);
        loop {
            match leaf.read() {
                Ok(view) => return Some(view),
                Err(Dead) => leaf = self.forwarded(guard, leaf, gap, direction),
            }
        }
    }

    /// Locks the leaf of a key, which is made if the tree has none.
    #[inline(always)]
    pub(super) fn lock_leaf<'g>(&self, guard: &'g Guard, probe: Probe<'_, S>) -> Held<'g, S> {
        let gap = Gap::Before(probe);
        let root = self.root();
        if root.is_none() {
            return self.first_leaf(guard, probe);
        }
        let mut leaf = self.leaf_below(guard, root, &gap, Direction::Ascending);
        loop {
            match leaf.lock() {
                Ok(held) => return held,
                Err(Dead) => leaf = self.forwarded(guard, leaf, &gap, Direction::Ascending),
            }
        }
    }

    #[cold]
    fn first_leaf<'g>(&self, guard: &'g Guard, probe: Probe<'_, S>) -> Held<'g, S> {
        const NO_ENTRIES: &[Entry] = &[];
        let none = std::ptr::null();
        let held = Leaf::create(guard, G::LEAVES[0], none, none, NO_ENTRIES);
        let link = held.leaf().link();
        // Release: partner of the Acquire load in `root`.
        let won = self.root.compare_exchange(
            std::ptr::null_mut(),
            link.raw(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        if won.is_ok() {
            self.tally.leaf_made(held.leaf().bytes());
            return held;
        }
        drop(held);
        // SAFETY: it has not become reachable.
        unsafe { Leaf::<S>::free(link.address()) };
        self.lock_leaf(guard, probe)
    }
}
