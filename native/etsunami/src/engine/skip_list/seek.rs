//! The two searches: a reader's, which changes nothing and waits for nobody, and a writer's, which
//! takes dead nodes out and remembers what stands on both sides.

use super::node::{Link, Node};
use super::{Heights, MAX_HEIGHT, SkipList};
use crate::engine::{OrderSchema, Word};
use crate::reclaim::Guard;
use crate::sync::Backoff;
use crate::sync::weaken::{Weak, weakened};
use std::cmp::Ordering as Order;

/// A key that is searched for, with its prefix.
pub(super) struct Probe<'k, S: OrderSchema> {
    pub prefix: u64,
    pub key: &'k S::Key,
}

impl<S: OrderSchema> Clone for Probe<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: OrderSchema> Copy for Probe<'_, S> {}

impl<'k, S: OrderSchema> Probe<'k, S> {
    #[inline(always)]
    pub fn new(schema: &S, key: &'k S::Key) -> Self {
        Probe { prefix: schema.prefix(key), key }
    }
}

/// Where a node stands, seen from a key.
pub(super) enum Place {
    /// Its key is smaller.
    Before,
    /// It has this key, and this word.
    At(Word),
    /// Its key is greater.
    After,
    /// Its prefix is the same, but it has no word, so its key cannot be read.
    Unknown,
}

/// Where a node stands, seen from a key; by whole keys if the prefixes are equal.
#[inline(always)]
pub(super) fn place(prefix: u64, node: Node<'_>, compare: impl FnOnce(Word) -> Order) -> Place {
    match prefix.cmp(&node.prefix()) {
        Order::Less => Place::After,
        Order::Greater => Place::Before,
        Order::Equal => match node.word().map(|word| (word, compare(word))) {
            None => Place::Unknown,
            Some((_, Order::Less)) => Place::After,
            Some((word, Order::Equal)) => Place::At(word),
            Some((_, Order::Greater)) => Place::Before,
        },
    }
}

/// What stands on both sides of a key that is absent, on each level.
pub(super) struct Spot<'g> {
    /// The towers before it: of nodes with smaller keys, or the list's own.
    towers: [&'g [Link]; MAX_HEIGHT],
    /// The nodes behind it, with greater keys.
    nodes: [Option<Node<'g>>; MAX_HEIGHT],
}

impl<'g> Spot<'g> {
    /// A spot in an empty list.
    pub fn new(head: &'g [Link]) -> Spot<'g> {
        Spot { towers: [head; MAX_HEIGHT], nodes: [None; MAX_HEIGHT] }
    }

    /// Puts a node between what stood on both sides. False if something came between.
    pub fn put(&self, level: usize, node: Node<'g>) -> bool {
        node.lead(level, self.nodes[level]);
        self.towers[level][level].swing(self.nodes[level], Some(node))
    }
}

/// What a writer searches for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A node with the key, or the spot for one. Waits for nodes whose key is not known yet.
    Spot,
    /// Dead nodes that may have the key, to take them out. Does not wait for reservations.
    Unlink,
}

/// The levels of a writer's search: all from `top - 1` down to `floor`.
#[derive(Clone, Copy)]
pub(super) struct Levels {
    pub top: usize,
    pub floor: usize,
}

/// The search has to begin again: a node on its way has died, or a link was changed by another.
struct Disturbed;

impl<S: OrderSchema, H: Heights> SkipList<S, H> {
    /// Where a node stands, seen from the probe.
    #[inline(always)]
    fn place_of(&self, probe: Probe<'_, S>, node: Node<'_>) -> Place {
        // SAFETY: the node's word was loaded under the guard that the node was reached under.
        place(probe.prefix, node, |word| unsafe { self.schema.compare(probe.key, word) })
    }

    /// A reader's search. It stands only on nodes that it has seen unmarked; those without a word
    /// and dead ones it sees through.
    #[inline]
    pub(super) fn find(&self, guard: &Guard, probe: Probe<'_, S>) -> Option<Word> {
        let mut tower = &*self.head;
        let mut beyond = None;
        for level in (0..self.levels()).rev() {
            let mut next = tower[level].load(guard).node;
            while let Some(node) = next.filter(|&node| Some(node) != beyond) {
                let after = node.next(level, guard);
                match self.place_of(probe, node) {
                    Place::Before if !after.marked => tower = node.tower(),
                    Place::Unknown if weakened(Weak::SkipUnknown) => tower = node.tower(),
                    Place::Before | Place::Unknown => {}
                    Place::At(word) => return Some(word),
                    Place::After => {
                        beyond = Some(node);
                        break;
                    }
                }
                next = after.node;
            }
        }
        None
    }

    /// A writer's search: the node of the key, or, if there is none, the spot for one.
    pub(super) fn seek<'g>(
        &'g self,
        guard: &'g Guard,
        probe: Probe<'_, S>,
        levels: Levels,
        purpose: Purpose,
        spot: &mut Spot<'g>,
    ) -> Option<Node<'g>> {
        let mut backoff = Backoff::new();
        loop {
            match self.try_seek(guard, probe, levels, purpose, spot, &mut backoff) {
                Ok(found) => return found,
                Err(Disturbed) => self.tally.retry(),
            }
        }
    }

    fn try_seek<'g>(
        &'g self,
        guard: &'g Guard,
        probe: Probe<'_, S>,
        levels: Levels,
        purpose: Purpose,
        spot: &mut Spot<'g>,
        backoff: &mut Backoff,
    ) -> Result<Option<Node<'g>>, Disturbed> {
        let mut tower = &*self.head;
        let mut beyond = None;
        for level in (levels.floor..levels.top).rev() {
            let first = tower[level].load(guard);
            if first.marked {
                return Err(Disturbed);
            }
            let mut next = first.node;
            while let Some(node) = next.filter(|&node| Some(node) != beyond) {
                let after = node.next(level, guard);
                if after.marked {
                    // Takes the dead node out of this level.
                    if !tower[level].swing(next, after.node) {
                        return Err(Disturbed);
                    }
                    next = after.node;
                    continue;
                }
                match (self.place_of(probe, node), purpose) {
                    // It may stand behind the place that is searched for: from above the lowest
                    // level the search would go down behind it. Not so a reservation, which stands
                    // on the lowest level alone, where what is before it has been met.
                    (Place::Unknown, Purpose::Unlink)
                        if node.is_gone() && !weakened(Weak::SkipStand) =>
                    {
                        node.freeze();
                    }
                    (Place::Before, _) | (Place::Unknown, Purpose::Unlink) => {
                        tower = node.tower();
                        next = after.node;
                    }
                    (Place::Unknown, Purpose::Spot)
                        if weakened(Weak::SkipReservation) && !node.is_gone() =>
                    {
                        break;
                    }
                    (Place::Unknown, Purpose::Spot) => self.clarify(node, backoff),
                    (Place::At(_), Purpose::Spot) => return Ok(Some(node)),
                    (Place::After, _) | (Place::At(_), Purpose::Unlink) => {
                        beyond = Some(node);
                        break;
                    }
                }
            }
            (spot.towers[level], spot.nodes[level]) = (tower, next);
        }
        Ok(None)
    }

    /// Can a reader that begins now come to this node, which has, or had, the key?
    #[cfg(all(test, not(loom)))]
    pub(super) fn leads_to(&self, guard: &Guard, probe: Probe<'_, S>, sought: Node<'_>) -> bool {
        let mut tower = &*self.head;
        (0..MAX_HEIGHT).rev().any(|level| {
            let mut next = tower[level].load(guard).node;
            while let Some(node) = next.filter(|&node| node != sought) {
                let after = node.next(level, guard);
                match self.place_of(probe, node) {
                    Place::Before if !after.marked => tower = node.tower(),
                    Place::Before | Place::Unknown => {}
                    Place::At(_) | Place::After => return false,
                }
                next = after.node;
            }
            next.is_some()
        })
    }

    /// Deals with a node in a writer's way whose key is not known: helps to remove it if it is
    /// dead, waits for its word otherwise.
    #[cold]
    fn clarify(&self, node: Node<'_>, backoff: &mut Backoff) {
        if node.is_gone() {
            node.freeze();
        } else {
            self.tally.wait();
            backoff.wait();
        }
    }
}
