//! The lock of one key.

use super::node::{Fresh, Node};
use super::seek::{Levels, Probe, Purpose, Spot};
use super::{Heights, SkipList};
use crate::engine::{Change, Delta, OrderSchema, Word};
use crate::reclaim::Guard;
use crate::sync::stand_back;
use crate::sync::weaken::{Weak, weakened};

/// A node whose lock is taken. Given back when dropped.
pub(super) struct Held<'g>(Node<'g>);

impl Drop for Held<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// A node that stands for a key of which nobody knows yet whether it will be there. If its owner
/// does not publish a word, because of its decision or a panic, the node is taken out again.
struct Reservation<'a, S: OrderSchema, H: Heights> {
    list: &'a SkipList<S, H>,
    guard: &'a Guard,
    probe: Probe<'a, S>,
    held: Held<'a>,
}

impl<S: OrderSchema, H: Heights> Drop for Reservation<'_, S, H> {
    fn drop(&mut self) {
        if self.held.0.word().is_none() {
            self.held.0.kill();
            self.list.bury(self.guard, self.probe, self.held.0);
        }
    }
}

impl<S: OrderSchema, H: Heights> SkipList<S, H> {
    /// Waits for the lock of a key's node. None if the key has been removed.
    #[inline]
    pub(super) fn lock<'g>(&self, node: Node<'g>) -> Option<Held<'g>> {
        while !node.try_lock() {
            // Who is removed does not come back: no need to wait for the lock of the dead.
            if node.is_gone() {
                return None;
            }
            self.tally.wait();
            stand_back(|| node.is_locked());
        }
        let held = Held(node);
        (node.word().is_some() || weakened(Weak::SkipGone)).then_some(held)
    }

    /// The closure of an update, on a key that is there.
    #[inline]
    pub(super) fn change<R>(
        &self,
        guard: &Guard,
        probe: Probe<'_, S>,
        held: Held<'_>,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        let node = held.0;
        let (change, delta, result) = f(node.word());
        self.shrink(guard, delta);
        match change {
            Change::Keep => {}
            Change::Put(word) => node.publish(word),
            Change::Remove => node.kill(),
        }
        self.grow(guard, delta);
        drop(held);
        if change == Change::Remove {
            self.bury(guard, probe, node);
        }
        result
    }

    /// Brings a node for an absent key into the lowest level. None if something came between.
    #[inline]
    pub(super) fn reserve<'g>(
        &self,
        probe: Probe<'_, S>,
        spot: &Spot<'g>,
        searched: Levels,
        fresh: &mut Option<Fresh>,
    ) -> Option<Held<'g>> {
        let made = fresh.take().unwrap_or_else(|| self.fresh(probe.prefix, searched));
        // SAFETY: it is used no further if nothing leads to it, and settled otherwise.
        let node = unsafe { made.node() };
        if spot.put(0, node) {
            made.settle();
            return Some(Held(node));
        }
        self.tally.retry();
        *fresh = Some(made);
        None
    }

    /// The closure of an update, on a key that is absent, and whose node has been reserved.
    #[inline]
    pub(super) fn fill<'g, R>(
        &'g self,
        guard: &'g Guard,
        probe: Probe<'_, S>,
        held: Held<'g>,
        spot: &mut Spot<'g>,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        let node = held.0;
        let _reservation = Reservation { list: self, guard, probe, held };
        let (change, delta, result) = f(None);
        self.shrink(guard, delta);
        if let Change::Put(word) = change {
            node.publish(word);
            self.grow(guard, delta);
            crate::faults::delay();
            if weakened(Weak::SkipTower) {
                node.unlock();
            }
            self.raise(guard, probe, node, spot);
        } else {
            self.grow(guard, delta);
        }
        result
    }

    /// Brings a node into the levels above the lowest one, from below. Its lock is held, so nobody
    /// removes it meanwhile.
    fn raise<'g>(
        &'g self,
        guard: &'g Guard,
        probe: Probe<'_, S>,
        node: Node<'g>,
        spot: &mut Spot<'g>,
    ) {
        for level in 1..node.height() {
            while !spot.put(level, node) {
                self.tally.retry();
                let levels = Levels { top: self.top(node.height()), floor: level };
                // The node itself is not found on levels that it has not reached yet.
                self.seek(guard, probe, levels, Purpose::Spot, spot);
            }
        }
    }

    /// Takes a node whose key has been removed out of all levels, and retires it. To be called
    /// once, by whoever has removed the key.
    pub(super) fn bury(&self, guard: &Guard, probe: Probe<'_, S>, node: Node<'_>) {
        crate::faults::delay();
        node.freeze();
        crate::faults::delay();
        if !weakened(Weak::SkipUnlink) {
            let levels = Levels { top: self.top(node.height()), floor: 0 };
            let mut spot = Spot::new(&self.head);
            self.seek(guard, probe, levels, Purpose::Unlink, &mut spot);
        }
        #[cfg(all(test, not(loom)))]
        assert!(!self.leads_to(guard, probe, node), "a buried node is still on a level");
        // SAFETY: all its links were frozen before the search, which has come by its place on
        // every level since, and nobody links it again (module documentation).
        unsafe { node.retire(guard) };
    }
}
