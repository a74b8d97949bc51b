//! How a node is replaced in its parent, and what has to be locked for it.
//!
//! Locks are taken from the leaf upward: who waits for a routing node holds only nodes below it.
//! So there is no circle of waiting. What stands elsewhere (a neighbour leaf, its parent) is only
//! tried.

use super::CaTree;
use super::node::{Fence, Gap, Geometry, Link, Node, Probe};
use super::route::{Draft, Route, RouteHeld};
use crate::engine::{Direction, OrderSchema};
use crate::reclaim::Guard;
use crate::sync::{Backoff, Ordering};

/// The slot that leads to a node whose lock is held. It changes only by the holder.
pub(super) enum Place<'g, S: OrderSchema> {
    /// The root. Its slot belongs to the holder of the node it leads to.
    Root,
    /// A slot of a locked routing node.
    Slot(RouteHeld<'g, S>, usize),
}

/// The routing nodes that a new separator changes, locked, from the lowest up; all but the last
/// are full. Above them, `place` leads to the last (or to the divided leaf, if there are none).
pub(super) struct Ascent<'g, S: OrderSchema> {
    pub changed: Vec<(RouteHeld<'g, S>, usize)>,
    pub place: Place<'g, S>,
}

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// Finds and locks the place of `child`, whose interval contains the probe and which the
    /// caller has locked alive.
    pub(super) fn lock_place<'g>(
        &self,
        guard: &'g Guard,
        child: Link,
        probe: Probe<'_, S>,
    ) -> Place<'g, S> {
        let mut backoff = Backoff::new();
        loop {
            match self.parent(guard, child, probe) {
                Parent::Root => return Place::Root,
                Parent::Route(route, at) => {
                    if let Some(held) = route.lock()
                        && held.route().child(at) == child
                    {
                        return Place::Slot(held, at);
                    }
                }
                Parent::Stale => {}
            }
            // Another adaptation has just replaced the parent, or is about to.
            backoff.wait();
        }
    }

    /// Looks for the parent of `child`.
    fn parent<'g>(&self, guard: &'g Guard, child: Link, probe: Probe<'_, S>) -> Parent<'g, S> {
        let mut link = self.root();
        let mut parent = Parent::Root;
        while link != child {
            // SAFETY: the tree has a node, and links are loaded under the guard.
            let Node::Route(route) = (unsafe { link.node::<S>(guard) }) else {
                return Parent::Stale;
            };
            let at = route.position(&self.schema, &Gap::Before(probe), Direction::Ascending);
            link = route.child(at);
            parent = Parent::Route(route, at);
        }
        parent
    }

    /// Locks what a new separator next to `child` changes.
    pub(super) fn lock_ascent<'g>(
        &self,
        guard: &'g Guard,
        mut child: Link,
        probe: Probe<'_, S>,
    ) -> Ascent<'g, S> {
        let mut changed = Vec::new();
        loop {
            match self.lock_place(guard, child, probe) {
                Place::Root => return Ascent { changed, place: Place::Root },
                Place::Slot(held, at) => {
                    let full = held.route().len() == G::FANOUT;
                    child = held.route().link();
                    changed.push((held, at));
                    if !full {
                        let place = self.lock_place(guard, child, probe);
                        return Ascent { changed, place };
                    }
                }
            }
        }
    }

    /// Stores a link into a locked place: the tree changes its shape.
    pub(super) fn store(&self, place: &Place<'_, S>, link: Link) {
        crate::faults::delay();
        match place {
            // Release: partner of the Acquire load in `root`.
            Place::Root => self.root.store(link.raw(), Ordering::Release),
            Place::Slot(held, at) => held.store(*at, link),
        }
    }

    /// Builds the routing nodes that replace those of an ascent when its child becomes `left` and
    /// `right`. Gives the topmost.
    pub(super) fn divided(
        &self,
        ascent: &Ascent<'_, S>,
        mut left: Link,
        mut fence: *mut Fence<S>,
        mut right: Link,
    ) -> Link {
        for (held, at) in &ascent.changed {
            let mut draft = held.route().draft();
            draft.divide(*at, left, fence, right);
            if draft.children.len() <= G::FANOUT {
                return self.make_route(&draft);
            }
            let (between, upper) = draft.cut(*at);
            (left, fence, right) = (self.make_route(&draft), between, self.make_route(&upper));
        }
        self.make_route(&Draft::pair(left, fence, right))
    }

    /// Makes a routing node.
    pub(super) fn make_route(&self, draft: &Draft<S>) -> Link {
        let link = draft.build(&self.schema);
        self.tally.route_made(draft.bytes());
        link
    }

    /// Ends the life of a routing node that is no longer reachable from the root.
    pub(super) fn retire_route(&self, guard: &Guard, held: RouteHeld<'_, S>) {
        let route = held.route();
        let (address, bytes) = (route.link().address(), route.bytes());
        held.kill();
        self.tally.route_gone(bytes);
        // SAFETY: no live node leads to it, and only its killer retires it. Dead nodes that still
        // do were reachable by readers only that are pinned since before this.
        unsafe { guard.retire(address, Route::<S>::free, bytes) };
    }
}

/// What a search for a parent found.
enum Parent<'g, S: OrderSchema> {
    Root,
    Route(&'g Route<S>, usize),
    Stale,
}
