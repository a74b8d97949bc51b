//! The finger: a thread that has come to one leaf twice begins its next search there.
//!
//! Whoever walks along the keys, counts at one of them, or appends to the end would go the same way
//! from the root again and again. So a thread notes the last leaf that it came to. When it comes to
//! the same one again it points its finger there: it notes the prefixes that lie wholly between the
//! fences of the leaf, and how many changes of structure the tree has begun. A later search for a key
//! with such a prefix takes the leaf at once, unless more have begun since. A search for any other
//! key costs one comparison, and goes its way. (Fingers as in Brown and Tarjan, "Design and Analysis
//! of a Data Structure for Representing Sorted Lists", 1980, but without a way from leaf to leaf.)
//!
//! # Why the leaf is the right one
//!
//! A *change of structure* replaces leaves. It is counted as begun before the first store that leads
//! past them, and as done when they are dead; after that they are retired.
//!
//! - Who points reads first the number of changes that are done and then of those that are begun,
//!   and finds both equal, say n; and then finds the leaf alive. The n changes were all done at the
//!   first of these reads, so none of them kills the leaf later: it would be dead already. Hence the
//!   leaf is live until a change is begun after the n-th.
//! - Who uses the finger still finds n begun. At this instant no later change has stored anything that
//!   leads past the leaf, so the leaf is where a search from the root would have come to if it had
//!   begun now. From here on both are alike: the leaf may be replaced meanwhile, and is then dead to
//!   those who lock it, and what it was when it died to those who read it.
//! - The leaf is not freed: a change that retires it is begun before, so if its number is not seen
//!   under a guard, this guard is older than the retirement.
//!
//! Numbers of changes are those of one tree, and trees have numbers that no two share, also after
//! one of them is gone.

use super::CaTree;
use super::leaf::Leaf;
use super::node::{Gap, Geometry};
use crate::engine::OrderSchema;
use crate::reclaim::Guard;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicU64, Ordering};
use std::ptr::with_exposed_provenance_mut;

/// The last leaf that the thread came to from the root: an address that is compared, never followed.
const LAST: usize = 0;
/// The finger: the number of the tree, and of the changes of structure that it has begun. No tree
/// has begun 0.
const TREE: usize = 1;
const BEGUN: usize = 2;
/// The address of the leaf.
const LEAF: usize = 3;
/// The least prefix that is found there, and by how much the greatest exceeds it.
const LEAST: usize = 4;
const SPAN: usize = 5;

/// The changes of structure of a tree, counted from 1.
pub(super) struct Changes {
    /// The number of the tree; 0 until it is asked for.
    tree: AtomicU64,
    begun: AtomicU64,
    done: AtomicU64,
}

/// A change of structure that has begun; dropping it says that it is done.
pub(super) struct Restructuring<'t>(&'t Changes);

impl Default for Changes {
    fn default() -> Self {
        Changes { tree: AtomicU64::new(0), begun: AtomicU64::new(1), done: AtomicU64::new(1) }
    }
}

impl Changes {
    /// Begins a change; to be called before its first store that leads past a leaf.
    pub fn begin(&self) -> Restructuring<'_> {
        if !weakened(Weak::TreeBegun) {
            // Relaxed: who has seen what the change stores afterwards, with Release, or has heard of
            // it, finds this count as well.
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
        Restructuring(self)
    }

    /// The number of the tree.
    fn tree(&self) -> u64 {
        /// No protocol rests on it: each number is given away once.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let known = self.tree.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
        match self.tree.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => fresh,
            Err(known) => known,
        }
    }
}

impl Drop for Restructuring<'_> {
    fn drop(&mut self) {
        if weakened(Weak::TreeBegun) {
            self.0.begun.fetch_add(1, Ordering::Relaxed);
        }
        // Release: partner of the Acquire load in `point`, which is to find the leaves dead.
        self.0.done.fetch_add(1, Ordering::Release);
    }
}

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// The leaf that the finger points to, if what a cursor in `gap` reads next is there.
    #[inline(always)]
    pub(super) fn pointed<'g>(&self, guard: &'g Guard, gap: &Gap<'_, S>) -> Option<&'g Leaf<S>> {
        let (Gap::Before(probe) | Gap::After(probe)) = gap else { return None };
        let memo = guard.memo();
        if probe.prefix.wrapping_sub(memo.get(LEAST)) > memo.get(SPAN) {
            return None;
        }
        // Relaxed: a number does not change once it is there.
        let ours = memo.get(TREE) == self.changes.tree.load(Ordering::Relaxed);
        // Acquire: what is read of the leaf is read after this.
        if !ours || memo.get(BEGUN) != self.changes.begun.load(Ordering::Acquire) {
            return None;
        }
        let address = with_exposed_provenance_mut(memo.get(LEAF) as usize);
        // SAFETY: by the module documentation, a leaf of this tree that is not retired before the
        // guard began.
        Some(unsafe { Leaf::from_address(address) })
    }

    /// Notes that this thread has come to a leaf from the root.
    #[inline(always)]
    pub(super) fn came_to(&self, guard: &Guard, leaf: &Leaf<S>) {
        let (memo, address) = (guard.memo(), leaf.link().address().addr() as u64);
        if memo.get(LAST) == address {
            self.point(guard, leaf);
        } else {
            memo.set(LAST, address);
        }
    }

    /// Points the thread's finger at a leaf to which it has just come, if it is sure to be live and
    /// there are prefixes that only it has.
    #[cold]
    fn point(&self, guard: &Guard, leaf: &Leaf<S>) {
        let memo = guard.memo();
        // If nothing comes of it, it is tried after two more searches, not after each.
        memo.set(LAST, 0);
        let prefixes = leaf.own_prefixes();
        // Acquire: partner of the Release in `Restructuring::drop`. It also keeps the order of these
        // three loads.
        let done = self.changes.done.load(Ordering::Acquire);
        let begun = self.changes.begun.load(Ordering::Acquire);
        let quiet = done == begun || weakened(Weak::TreeDone);
        let alive = leaf.is_alive() || weakened(Weak::TreePointing);
        let Some((least, most)) = prefixes.filter(|_| quiet && alive) else { return };
        memo.set(TREE, self.changes.tree());
        memo.set(BEGUN, begun);
        memo.set(LEAF, leaf.link().address().expose_provenance() as u64);
        memo.set(LEAST, least);
        memo.set(SPAN, most - least);
    }
}
