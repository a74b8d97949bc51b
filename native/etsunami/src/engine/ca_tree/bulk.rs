//! Contents for an empty tree, built apart and published by one store.
//!
//! A [`Bulk`] makes leaves of keys that come in ascending order, three quarters full, and at last
//! the routing nodes above them. Publishing stores the topmost node into the root: in place of
//! nothing, or of the empty leaf that is the whole tree, under its lock. That store is the
//! linearization point of the whole contents. From then on the new nodes are the tree's as any
//! others; whoever still reads the empty leaf began before it, and who waits for its lock finds it
//! dead and descends again.

use super::CaTree;
use super::leaf::{Interval, Leaf};
use super::node::{Entry, Fence, Geometry, Link, Node, capacity_for, largest};
use super::relink::Place;
use super::route::{Draft, Route};
use crate::engine::{Delta, OrderSchema, Word};
use crate::reclaim::{self, Guard};
use crate::sync::Ordering;
use crate::sync::weaken::{Weak, weakened};

/// See the module documentation. The words in it stay their owner's until it is published.
pub struct Bulk<'t, S: OrderSchema, G: Geometry> {
    tree: &'t CaTree<S, G>,
    /// Leaves that are complete, and the fences behind each of them.
    children: Vec<Link>,
    fences: Vec<*mut Fence<S>>,
    /// What the next leaf is made of.
    entries: Vec<Entry>,
}

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// True if the tree has nothing in it, and no structure. Others may be at work.
    pub fn seems_vacant(&self, guard: &Guard) -> bool {
        let root = self.root();
        if root.is_none() {
            return true;
        }
        // SAFETY: loaded from this tree under the guard.
        match unsafe { root.node::<S>(guard) } {
            Node::Leaf(leaf) => leaf.read().len() == 0,
            Node::Route(_) => false,
        }
    }

    /// Contents apart from the tree, empty as yet.
    pub fn bulk(&self) -> Bulk<'_, S, G> {
        Bulk { tree: self, children: Vec::new(), fences: Vec::new(), entries: Vec::new() }
    }

    /// Frees nodes that were never published, but not what their words own.
    fn discard(&self, guard: &Guard, link: Link) {
        // SAFETY: made by a bulk, and nobody else knows it.
        match unsafe { link.node::<S>(guard) } {
            Node::Leaf(leaf) => {
                self.tally.leaf_gone(leaf.bytes(), 0);
                // SAFETY: as above.
                unsafe { Leaf::<S>::free(link.address()) };
            }
            Node::Route(route) => {
                let draft = route.draft();
                draft.children.iter().for_each(|&child| self.discard(guard, child));
                self.tally.route_gone(route.bytes());
                for fence in draft.fences {
                    // SAFETY: each fence stands in one routing node: this one.
                    unsafe { Fence::<S>::free(fence.cast()) };
                }
                // SAFETY: as for the leaf.
                unsafe { Route::<S>::free(link.address()) };
            }
        }
    }
}

impl<S: OrderSchema, G: Geometry> Bulk<'_, S, G> {
    /// The entries of a leaf that others follow.
    const FILL: usize = if largest::<G>() < 4 { 1 } else { largest::<G>() * 3 / 4 };
    /// The most children of a routing node: some room for more, and never one left over.
    const FANOUT: usize = if G::FANOUT < 5 { 3 } else { G::FANOUT * 3 / 4 };

    /// Appends a word, whose key has this prefix and is greater than all before it.
    pub fn push(&mut self, guard: &Guard, prefix: u64, word: Word) {
        let entry = Entry { prefix, bits: word.0 as u64 };
        if self.entries.len() == Self::FILL {
            // SAFETY: the word is its owner's, and alive.
            let fence = unsafe { Fence::at(&self.tree.schema, entry) };
            self.close_leaf(guard, fence);
            self.fences.push(fence);
        }
        self.entries.push(entry);
    }

    /// Makes a leaf of the entries that wait, up to a fence.
    fn close_leaf(&mut self, guard: &Guard, high: *const Fence<S>) {
        let low = self.fences.last().map_or(std::ptr::null(), |&fence| fence.cast_const());
        let held = if low.is_null() && high.is_null() {
            let capacity = capacity_for::<G>(self.entries.len());
            self.tree.make_leaf(guard, capacity, Interval::ALL, &self.entries)
        } else {
            self.tree.make_part(guard, low, high, &mut self.entries, None)
        };
        self.children.push(held.leaf().link());
        self.entries.clear();
    }

    /// Makes routing nodes until there is one node at the top.
    fn build_routes(&mut self) -> Link {
        while self.children.len() > 1 {
            let mut children = std::mem::take(&mut self.children).into_iter();
            let mut fences = std::mem::take(&mut self.fences).into_iter();
            let groups = children.len().div_ceil(Self::FANOUT);
            for group in 0..groups {
                let size = children.len() / (groups - group);
                let draft = Draft {
                    children: children.by_ref().take(size).collect(),
                    fences: fences.by_ref().take(size - 1).collect(),
                };
                self.children.push(self.tree.make_route(&draft));
                self.fences.extend(fences.next());
            }
        }
        self.children[0]
    }

    /// Makes these the contents of the tree, if it is empty, and counts them. Atomic; the
    /// linearization point is the store of the root. False, and all words are their owner's as
    /// before, if the tree is not empty. There is at least one word.
    #[must_use]
    pub fn publish(mut self, guard: &Guard, delta: Delta) -> bool {
        self.close_leaf(guard, std::ptr::null());
        let top = self.build_routes();
        let tree = self.tree;
        loop {
            let root = tree.root();
            if root.is_none() {
                let null = std::ptr::null_mut();
                // Release: partner of the Acquire load in `root`.
                let stored = tree.root.compare_exchange(
                    null,
                    top.raw(),
                    Ordering::Release,
                    Ordering::Relaxed,
                );
                if stored.is_err() {
                    continue;
                }
                break;
            }
            // SAFETY: loaded from this tree under the guard.
            let Node::Leaf(leaf) = (unsafe { root.node::<S>(guard) }) else { return false };
            // What replaced a dead leaf was stored into the root before it died.
            let Some(held) = leaf.lock() else { continue };
            if held.len() > 0 && !weakened(Weak::TreeBulk) {
                return false;
            }
            tree.supersede(&Place::Root, top, held);
            tree.retire_leaf(guard, leaf);
            break;
        }
        self.children.clear();
        self.fences.clear();
        tree.counters.add(guard.stripe(), delta.objects, delta.words);
        true
    }
}

impl<S: OrderSchema, G: Geometry> Drop for Bulk<'_, S, G> {
    fn drop(&mut self) {
        let guard = reclaim::pin();
        self.children.drain(..).for_each(|child| self.tree.discard(&guard, child));
        for fence in self.fences.drain(..) {
            // SAFETY: made by `push`, and it stands in no routing node yet.
            unsafe { Fence::<S>::free(fence.cast()) };
        }
    }
}
