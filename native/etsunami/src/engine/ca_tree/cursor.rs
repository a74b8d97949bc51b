//! Ordered reads: `next`, `prev` and `scan`.
//!
//! A cursor is a gap between two keys and a direction, never a node. A step finds the leaf of the
//! gap, reads one publication of it, and validates; what it gives lies beyond the gap. When a leaf
//! is exhausted the gap moves to its fence. So keys strictly increase (or decrease), whatever
//! splits and joins do meanwhile, and the publications that were read cover the whole range: an
//! element present throughout is seen exactly once.

use super::CaTree;
use super::leaf::{Leaf, View};
use super::node::{Fence, Gap, Geometry, SCANNED};
use super::search::Torn;
use crate::engine::{Direction, OrderSchema, Word};
use crate::reclaim::Guard;
use crate::sync::{Backoff, thread_local};
use std::cell::Cell;
use std::ops::{Bound, Range};

/// One scan of several leaves in so many takes part in the statistics, and then for so many.
const SAMPLE: u32 = 64;
const CONTRIBUTION: i16 = 640;

impl<S: OrderSchema, G: Geometry> CaTree<S, G> {
    /// The word of the least key within the bound that is `visible`. It was there during the call.
    pub fn next(
        &self,
        guard: &Guard,
        from: Bound<&S::Key>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        self.step(guard, from, Direction::Ascending, visible)
    }

    /// The word of the greatest key within the bound that is `visible`. It was there during the
    /// call.
    pub fn prev(
        &self,
        guard: &Guard,
        from: Bound<&S::Key>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        self.step(guard, from, Direction::Descending, visible)
    }

    #[inline(always)]
    fn step(
        &self,
        guard: &Guard,
        from: Bound<&S::Key>,
        direction: Direction,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        let mut gap = Gap::new(&self.schema, from, direction);
        let mut backoff = Backoff::new();
        loop {
            let view = self.read_leaf(guard, &gap, direction)?;
            match view.first_visible(&self.schema, &gap, direction, &visible) {
                Ok(Some(word)) => return Some(word),
                Ok(None) => gap = self.beyond(view.leaf(), direction)?,
                Err(Torn) => backoff.wait(),
            }
        }
    }

    /// Appends the words of up to `limit` keys within the bound, in the order of the direction.
    /// True if there may be more. Each word was there at some instant of the call; a key present
    /// throughout the call, and within what was reached, is among them.
    pub fn scan(
        &self,
        guard: &Guard,
        from: Bound<&S::Key>,
        direction: Direction,
        limit: usize,
        out: &mut Vec<Word>,
    ) -> bool {
        let mut gap = Gap::new(&self.schema, from, direction);
        let root = self.root();
        if root.is_none() {
            return false;
        }
        let mut leaf = self.leaf_below(guard, root, &gap, direction, SCANNED);
        // The fence that the scan has come over.
        let mut crossed: Option<&Fence<S>> = None;
        let end = out.len().saturating_add(limit);
        let mut backoff = Backoff::new();
        let mut leaves = 0_usize;
        loop {
            let view = leaf.read();
            let room = end - out.len();
            let Ok(there) = self.rest(&view, &gap, crossed, direction) else {
                backoff.wait();
                continue;
            };
            let take = clip(&there, direction, room);
            let fence = leaf_end(leaf, direction).filter(|_| there.len() < room);
            // The next leaf is looked up first, so that its lines are on their way meanwhile. It
            // may be dead when it is read: then it has what was there while this scan ran.
            let next = fence.map(|fence| {
                let gap = Gap::Before(fence.probe(&self.schema));
                (self.leaf_below(guard, self.root(), &gap, direction, SCANNED), gap)
            });
            let mark = out.len();
            if view.collect(take, direction, out).is_err() {
                out.truncate(mark);
                backoff.wait();
                continue;
            }
            leaves += 1;
            if leaves == 2 {
                contribute(leaf);
            }
            let Some((next, beyond)) = next else {
                return there.len() > room || leaf_end(leaf, direction).is_some();
            };
            (leaf, gap, crossed) = (next, beyond, fence);
        }
    }

    /// The positions of what a cursor in `gap` has still to read of a leaf.
    #[inline(always)]
    fn rest(
        &self,
        view: &View<'_, S>,
        gap: &Gap<'_, S>,
        crossed: Option<&Fence<S>>,
        direction: Direction,
    ) -> Result<Range<usize>, Torn> {
        let begin = match direction {
            Direction::Ascending => view.leaf().low(),
            Direction::Descending => view.leaf().high(),
        };
        let whole = match (crossed, begin) {
            (Some(crossed), Some(begin)) => std::ptr::eq(crossed, begin),
            _ => false,
        };
        let len = view.len();
        Ok(match direction {
            _ if whole => 0..len,
            Direction::Ascending => view.before(&self.schema, gap)?..len,
            Direction::Descending => 0..view.before(&self.schema, gap)?,
        })
    }

    /// The gap at the end of a leaf, none at the end of the key space.
    #[inline(always)]
    fn beyond<'l>(&self, leaf: &'l Leaf<S>, direction: Direction) -> Option<Gap<'l, S>> {
        Some(Gap::Before(leaf_end(leaf, direction)?.probe(&self.schema)))
    }
}

/// The fence at the end of a leaf.
#[inline(always)]
fn leaf_end<S: OrderSchema>(leaf: &Leaf<S>, direction: Direction) -> Option<&Fence<S>> {
    match direction {
        Direction::Ascending => leaf.high(),
        Direction::Descending => leaf.low(),
    }
}

/// The first `room` of these positions.
#[inline(always)]
fn clip(there: &Range<usize>, direction: Direction, room: usize) -> Range<usize> {
    let take = there.len().min(room);
    match direction {
        Direction::Ascending => there.start..there.start + take,
        Direction::Descending => there.end - take..there.end,
    }
}

/// A scan that needs several leaves is a reason to join them. Only the second leaf hears of it:
/// it is as random as where scans begin.
fn contribute<S: OrderSchema>(leaf: &Leaf<S>) {
    thread_local! {
        // Not `const`: loom's macro does not know it.
        #[allow(clippy::missing_const_for_thread_local)]
        static SCANS: Cell<u32> = Cell::new(0);
    }
    let turn = SCANS.with(|scans| {
        scans.set(scans.get().wrapping_add(1));
        scans.get()
    });
    if turn.is_multiple_of(SAMPLE) {
        leaf.calm(CONTRIBUTION);
    }
}
