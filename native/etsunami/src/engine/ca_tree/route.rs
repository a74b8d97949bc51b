//! The routing node: immutable separators, child slots that are stored to under its lock.
//!
//! A change of the separators makes a new routing node, which replaces the old one in its parent;
//! the old one dies under its lock, and its slots keep for ever what they held. So a reader loads
//! child pointers (Acquire) and validates nothing: see the module documentation of
//! [`ca_tree`](super) for why a dead routing node still leads right.
//!
//! A search counts the separators that are smaller, by all their [`codes`](super::codes) at once.
//! Only where a code does not decide it looks at prefixes, and then at keys.

use super::codes::Codes;
use super::node::{self, Fence, Gap, Link, Probe};
use super::search::{partition, partition_by_key};
use crate::engine::{Direction, OrderSchema};
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};
use std::array::from_fn;
use std::cmp::Ordering as Order;
use std::mem::offset_of;

const FREE: usize = 0;
const LOCKED: usize = 1;
const DEAD: usize = 2;

/// The fixed part: the lock, and the codes of the separators.
#[repr(C)]
pub(super) struct Head<S: OrderSchema> {
    state: AtomicUsize,
    branches: usize,
    link: Link,
    /// What all separators share.
    stem: Option<S::Stem>,
    codes: Codes,
}

/// Eight children, and the separators to the right of them: their prefixes behind what all share.
/// There is one separator less than children; what is behind the last is not looked at.
#[repr(C)]
pub(super) struct Block<S: OrderSchema> {
    prefixes: [u64; BLOCK],
    fences: [*mut Fence<S>; BLOCK],
    children: [AtomicPtr<()>; BLOCK],
}

const BLOCK: usize = 8;

/// How many blocks a routing node with so many separators has.
const fn blocks(branches: usize) -> usize {
    branches / BLOCK + 1
}

/// The most blocks of a routing node.
const MOST_BLOCKS: usize = 8;

/// Routing nodes are aligned to cache lines.
const ALIGN: usize = 64;

/// A routing node.
#[repr(C)]
pub(super) struct Route<S: OrderSchema> {
    head: Head<S>,
    blocks: [Block<S>],
}

/// The separators and children of a routing node that is being built.
pub(super) struct Draft<S: OrderSchema> {
    pub children: Vec<Link>,
    /// `fences[i]` stands between children `i` and `i + 1`.
    pub fences: Vec<*mut Fence<S>>,
}

impl<S: OrderSchema> Draft<S> {
    /// Two children.
    pub fn pair(left: Link, fence: *mut Fence<S>, right: Link) -> Self {
        Draft { children: vec![left, right], fences: vec![fence] }
    }

    /// Replaces child `at` by two children.
    pub fn divide(&mut self, at: usize, left: Link, fence: *mut Fence<S>, right: Link) {
        self.children[at] = left;
        self.children.insert(at + 1, right);
        self.fences.insert(at, fence);
    }

    /// Drops child `at` and fence `fence`, which is next to it.
    pub fn drop_child(&mut self, at: usize, fence: usize) -> *mut Fence<S> {
        self.children.remove(at);
        self.fences.remove(fence)
    }

    /// Cuts off what is right of the middle; gives the fence between.
    pub fn cut(&mut self, changed: usize) -> (*mut Fence<S>, Draft<S>) {
        let all = self.children.len();
        // Growth at an end goes on at this end: leave the other side full.
        let middle = match changed {
            0 => 2,
            last if last + 2 == all => all - 2,
            _ => all / 2,
        };
        let children = self.children.split_off(middle);
        let fences = self.fences.split_off(middle);
        let between = self.fences.pop().expect("more than two children");
        (between, Draft { children, fences })
    }

    /// The bytes of the routing node.
    pub fn bytes(&self) -> usize {
        node::bytes::<Head<S>, Block<S>>(blocks(self.fences.len()))
    }

    /// Makes the routing node.
    pub fn build(&self, schema: &S) -> Link {
        debug_assert!(self.children.len() >= 2 && self.fences.len() + 1 == self.children.len());
        // SAFETY: the fences of a draft are alive: the builder holds the locks of the nodes that
        // they come from, or has just made them.
        let fence = |i: usize| unsafe { &*self.fences[i] };
        let last = self.fences.len() - 1;
        // A stem of one separator would be all of it.
        let stem = (last > 0)
            .then(|| schema.stem(fence(0).key(schema), fence(last).key(schema)))
            .flatten();
        let prefix = |i: usize| match stem {
            Some(stem) => schema.prefix_behind(fence(i).key(schema), stem),
            None => fence(i).prefix,
        };
        let prefixes: Vec<u64> = (0..=last).map(prefix).collect();
        let head = |address| Head {
            state: AtomicUsize::new(FREE),
            branches: self.fences.len(),
            link: Link::to_route(address),
            stem,
            codes: Codes::new(&prefixes),
        };
        let block = |block: usize| Block {
            prefixes: from_fn(|i| prefixes.get(BLOCK * block + i).copied().unwrap_or(0)),
            fences: from_fn(|i| {
                self.fences.get(BLOCK * block + i).copied().unwrap_or(std::ptr::null_mut())
            }),
            children: from_fn(|i| {
                let child = self.children.get(BLOCK * block + i);
                AtomicPtr::new(child.map_or(std::ptr::null_mut(), |child| child.raw()))
            }),
        };
        let len = blocks(self.fences.len());
        let blocks = (0..len).map(block);
        Link::to_route(node::allocate::<Head<S>, Block<S>>(head, len, blocks, ALIGN))
    }
}

impl<S: OrderSchema> Route<S> {
    /// The routing node at an address.
    ///
    /// # Safety
    /// The address is that of a routing node of a tree of this schema that lives during `'g`.
    #[inline(always)]
    pub unsafe fn from_address<'g>(address: *mut u8) -> &'g Route<S> {
        // SAFETY: `branches` is immutable and tells the true length; the cast keeps it.
        unsafe {
            let blocks = blocks((*address.cast::<Head<S>>()).branches);
            &*(std::ptr::slice_from_raw_parts(address, blocks) as *const Route<S>)
        }
    }

    /// Frees a routing node (not its fences and children).
    ///
    /// # Safety
    /// `address` is that of a routing node that nobody can reach any more.
    pub unsafe fn free(address: *mut u8) {
        // SAFETY: the length is immutable; the layout follows from it.
        unsafe {
            let blocks = blocks((*address.cast::<Head<S>>()).branches);
            node::deallocate::<Head<S>, Block<S>>(address, blocks, ALIGN);
        }
    }

    pub fn bytes(&self) -> usize {
        node::bytes::<Head<S>, Block<S>>(self.blocks.len())
    }

    pub fn link(&self) -> Link {
        self.head.link
    }

    /// The number of children.
    pub fn len(&self) -> usize {
        self.head.branches + 1
    }

    #[inline(always)]
    fn slot(&self, child: usize) -> &AtomicPtr<()> {
        &self.blocks[child / BLOCK].children[child % BLOCK]
    }

    #[inline(always)]
    pub fn child(&self, at: usize) -> Link {
        // Acquire: partner of the Release store in `Place::store`, for the child's contents.
        Link::from_raw(self.slot(at).load(Ordering::Acquire))
    }

    /// Lets the processor fetch all children while the search for one waits for the codes: in a
    /// large tree both are out of cache.
    #[inline(always)]
    pub fn prefetch_children(&self) {
        let first = (&raw const self.blocks).cast::<Block<S>>();
        for block in 0..MOST_BLOCKS {
            let children = first.wrapping_add(block).cast::<u8>();
            node::prefetch_line(children.wrapping_add(offset_of!(Block<S>, children)));
        }
    }

    /// Which child leads on from a gap.
    #[inline(always)]
    pub fn position(&self, schema: &S, gap: &Gap<'_, S>, direction: Direction) -> usize {
        match gap {
            Gap::Start => 0,
            Gap::End => self.head.branches,
            Gap::Before(probe) | Gap::After(probe) => self.search(schema, gap, *probe, direction),
        }
    }

    #[inline(always)]
    fn search(
        &self,
        schema: &S,
        gap: &Gap<'_, S>,
        probe: Probe<'_, S>,
        direction: Direction,
    ) -> usize {
        let all = self.head.branches;
        let prefix = match self.head.stem {
            None => probe.prefix,
            Some(stem) => match schema.compare_stem(probe.key, self.fence(0).key(schema), stem) {
                Order::Less => return 0,
                Order::Equal => schema.prefix_behind(probe.key, stem),
                Order::Greater => return all,
            },
        };
        match self.head.codes.smaller(prefix) {
            Some(smaller) => smaller,
            None => self.search_by_prefix(schema, *gap, prefix, direction),
        }
    }

    fn search_by_prefix(
        &self,
        schema: &S,
        gap: Gap<'_, S>,
        prefix: u64,
        direction: Direction,
    ) -> usize {
        let all = self.head.branches;
        let of = |i: usize| self.blocks[i / BLOCK].prefixes[i % BLOCK];
        let lower = partition(0, all, |i| of(i) < prefix);
        if lower == all || of(lower) != prefix {
            return lower;
        }
        let upper = partition(lower + 1, all, |i| of(i) <= prefix);
        partition_by_key(lower, upper, |i| gap.is_right_of(schema, self.fence(i), direction))
    }

    #[inline(always)]
    fn fence(&self, at: usize) -> &Fence<S> {
        // SAFETY: a fence is retired by the join that kills the routing node it stands in; who
        // holds the node under a guard may read the fence. Callers ask for those that there are.
        unsafe { &*self.fence_at(at) }
    }

    #[inline(always)]
    fn fence_at(&self, at: usize) -> *mut Fence<S> {
        debug_assert!(at < self.head.branches);
        self.blocks[at / BLOCK].fences[at % BLOCK]
    }

    /// Locks the node; none if it is dead.
    pub fn lock<'g>(&'g self) -> Option<RouteHeld<'g, S>> {
        let mut backoff = crate::sync::Backoff::new();
        loop {
            match self.take() {
                Ok(held) => return Some(held),
                Err(DEAD) => return None,
                Err(_) => backoff.wait(),
            }
        }
    }

    /// Locks the node if it is alive and free.
    pub fn try_lock(&self) -> Option<RouteHeld<'_, S>> {
        self.take().ok()
    }

    fn take(&self) -> Result<RouteHeld<'_, S>, usize> {
        // Acquire: partner of the Release stores that unlock and kill.
        self.head
            .state
            .compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Acquire)
            .map(|_| RouteHeld { route: self, dead: false })
    }

    /// Its separators and children. For lock holders.
    pub fn draft(&self) -> Draft<S> {
        // Room for one more: a split comes next as often as a join.
        let mut draft = Draft {
            children: Vec::with_capacity(self.len() + 1),
            fences: Vec::with_capacity(self.len()),
        };
        draft.children.extend((0..self.len()).map(|i| self.child(i)));
        draft.fences.extend((0..self.head.branches).map(|i| self.fence_at(i)));
        draft
    }
}

/// A locked routing node: its holder alone stores to its slots. Unlocks when dropped.
pub(super) struct RouteHeld<'g, S: OrderSchema> {
    route: &'g Route<S>,
    dead: bool,
}

impl<'g, S: OrderSchema> RouteHeld<'g, S> {
    pub fn route(&self) -> &'g Route<S> {
        self.route
    }

    /// Puts a child into a slot.
    pub fn store(&self, at: usize, child: Link) {
        // Release: partner of the Acquire load in `Route::child`.
        self.route.slot(at).store(child.raw(), Ordering::Release);
    }

    /// The node has been replaced.
    pub fn kill(mut self) {
        self.dead = !weakened(Weak::TreeRoute);
    }
}

impl<S: OrderSchema> Drop for RouteHeld<'_, S> {
    fn drop(&mut self) {
        let state = if self.dead { DEAD } else { FREE };
        // Release: partner of the Acquire CAS in `Route::take`.
        self.route.head.state.store(state, Ordering::Release);
    }
}
