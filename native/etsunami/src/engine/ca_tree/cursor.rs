//! Ordered reads: `next`, `prev` and `scan`.
//!
//! A cursor is a gap between two keys and a direction, never a node. A step finds the leaf of the
//! gap, reads one publication of it, and validates; what it gives lies beyond the gap. When a leaf
//! is exhausted the gap moves to its fence. So keys strictly increase (or decrease), whatever
//! splits and joins do meanwhile, and the publications that were read cover the whole range: an
//! element present throughout is seen exactly once.

use super::CaTree;
use super::leaf::Leaf;
use super::node::{Gap, Geometry};
use super::search::Torn;
use crate::engine::{Direction, OrderSchema, Word};
use crate::reclaim::Guard;
use crate::sync::{Backoff, thread_local};
use std::cell::Cell;
use std::ops::Bound;

/// One scan of several leaves in so many takes part in the statistics, and then for so many.
const SAMPLE: u32 = 64;
const SCANNED: i64 = 640;

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
        let mut backoff = Backoff::new();
        let (mut room, mut leaves) = (limit, 0);
        loop {
            let Some(view) = self.read_leaf(guard, &gap, direction) else { return false };
            let mark = out.len();
            let Ok(more) = view.collect(&self.schema, &gap, direction, room, out) else {
                out.truncate(mark);
                backoff.wait();
                continue;
            };
            room -= out.len() - mark;
            leaves += 1;
            if leaves == 2 {
                contribute(view.leaf());
            }
            if more {
                return true;
            }
            match self.beyond(view.leaf(), direction) {
                None => return false,
                Some(_) if room == 0 => return true,
                Some(next) => gap = next,
            }
        }
    }

    /// The gap at the end of a leaf, none at the end of the key space.
    #[inline(always)]
    fn beyond<'l>(&self, leaf: &'l Leaf<S>, direction: Direction) -> Option<Gap<'l, S>> {
        let fence = match direction {
            Direction::Ascending => leaf.high()?,
            Direction::Descending => leaf.low()?,
        };
        Some(Gap::Before(fence.probe(&self.schema)))
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
    if turn % SAMPLE == 0 {
        leaf.calm(SCANNED);
    }
}
