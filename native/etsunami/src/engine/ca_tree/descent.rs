//! The way down: from the root, through routing nodes, to a leaf.

use super::CaTree;
use super::held::Held;
use super::leaf::{Interval, Leaf, View};
use super::node::{Entry, FOUND, Gap, Geometry, Lines, Link, Node, Probe, SEARCHED, prefetch};
use crate::engine::{Direction, OrderSchema};
use crate::reclaim::Guard;
use crate::sync::Ordering;

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    #[inline(always)]
    pub(super) fn root(&self) -> Link {
        // Acquire: partner of the Release stores to the root.
        Link::from_raw(self.root.load(Ordering::Acquire))
    }

    /// The leaf below `link` whose interval has what a cursor in `gap` reads next. It may be dead.
    /// `lines` are what the caller will read of it.
    #[inline(always)]
    pub(super) fn leaf_below<'g>(
        &self,
        guard: &'g Guard,
        mut link: Link,
        gap: &Gap<'_, S>,
        direction: Direction,
        lines: Lines,
    ) -> &'g Leaf<S> {
        loop {
            if !link.is_route() {
                prefetch(link.address(), lines.clone());
            }
            // SAFETY: the link is not none and was loaded from this tree under the guard.
            match unsafe { link.node(guard) } {
                Node::Leaf(leaf) => return leaf,
                Node::Route(route) => {
                    route.prefetch_children();
                    link = route.child(route.position(&self.schema, gap, direction));
                }
            }
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
        if let Some(leaf) = self.pointed(guard, gap) {
            return Some(leaf.read());
        }
        let root = self.root();
        if root.is_none() {
            return None;
        }
        let leaf = self.leaf_below(guard, root, gap, direction, FOUND);
        self.came_to(guard, leaf);
        Some(leaf.read())
    }

    /// Locks the leaf of a key, which is made if the tree has none.
    #[inline(always)]
    pub(super) fn lock_leaf<'g>(&self, guard: &'g Guard, probe: Probe<'_, S>) -> Held<'g, S> {
        let gap = Gap::Before(probe);
        if let Some(held) = self.pointed(guard, &gap).and_then(Leaf::lock) {
            return held;
        }
        loop {
            let root = self.root();
            if root.is_none() {
                return self.first_leaf(guard, probe);
            }
            let leaf = self.leaf_below(guard, root, &gap, Direction::Ascending, SEARCHED);
            self.came_to(guard, leaf);
            if let Some(held) = leaf.lock() {
                return held;
            }
            // What replaced the leaf was stored into the tree before it died.
        }
    }

    #[cold]
    fn first_leaf<'g>(&self, guard: &'g Guard, probe: Probe<'_, S>) -> Held<'g, S> {
        const NO_ENTRIES: &[Entry] = &[];
        let held = Leaf::create(guard, G::LEAVES[0], Interval::ALL, NO_ENTRIES);
        let link = held.leaf().link();
        // Release: partner of the Acquire load in `root`.
        let won = self.root.compare_exchange(
            std::ptr::null_mut(),
            link.raw(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        if won.is_ok() {
            self.tally.first_leaf_made(held.leaf().bytes());
            return held;
        }
        drop(held);
        // SAFETY: it has not become reachable.
        unsafe { Leaf::<S>::free(link.address()) };
        self.lock_leaf(guard, probe)
    }
}
