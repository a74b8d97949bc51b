//! Ordered reads: `next`, `prev` and `scan`.
//!
//! A cursor is a bound, never a node. Upwards a step finds the first node within the bound and goes
//! on along the lowest level. Downwards there are no links: a step finds a node some way below the
//! bound, as many levels up as it takes to have enough nodes between, goes up from there to the
//! bound, and gives what it met from behind; its own beginning is the next bound.
//!
//! Each step from one node to the next crosses a gap in which, at an instant of the call, there was
//! nothing (see the module's linearization points). The gaps and the nodes between them cover what
//! was gone through: an element present throughout is met exactly once. Keys strictly increase along
//! a level, dead nodes included, because a node of the same key is only linked after the dead one
//! has left.

use super::height::SPARSITY;
use super::node::Node;
use super::seek::{Place, place};
use super::{Heights, SkipList};
use crate::engine::{Direction, OrderSchema, Word};
use crate::reclaim::Guard;
use std::ops::Bound;

/// Where a cursor stands: the end of the key space, or a key, with its prefix. A word stands for
/// its own key.
enum Edge<'k, S: OrderSchema> {
    /// Beyond all keys that are still to come; the cursor has not begun.
    Open,
    Key(u64, &'k S::Key),
    Word(u64, Word),
}

/// A cursor.
struct Limit<'k, S: OrderSchema> {
    edge: Edge<'k, S>,
    /// The key at the edge is still to come.
    inclusive: bool,
}

impl<'k, S: OrderSchema> Limit<'k, S> {
    fn new(schema: &S, bound: Bound<&'k S::Key>) -> Self {
        let at = |key| Edge::Key(schema.prefix(key), key);
        match bound {
            Bound::Unbounded => Limit { edge: Edge::Open, inclusive: true },
            Bound::Included(key) => Limit { edge: at(key), inclusive: true },
            Bound::Excluded(key) => Limit { edge: at(key), inclusive: false },
        }
    }

    /// Where a node stands, seen from the edge of a cursor that moves in a direction.
    #[inline(always)]
    fn place(&self, schema: &S, node: Node<'_>, direction: Direction) -> Place {
        match self.edge {
            Edge::Key(prefix, key) => place(prefix, node, |word| {
                // SAFETY: the word was loaded under the guard of the cursor's call.
                unsafe { schema.compare(key, word) }
            }),
            Edge::Word(prefix, edge) => place(prefix, node, |word| {
                // SAFETY: both words were loaded under the guard of the cursor's call.
                unsafe { schema.compare_words(edge, word) }
            }),
            Edge::Open if direction == Direction::Ascending => Place::After,
            Edge::Open => Place::Before,
        }
    }
}

/// How far a step downwards has come.
enum Floor {
    /// To the least key.
    Bottom,
    /// To the key of this word, and its prefix; it has been given.
    Key(u64, Word),
}

impl<S: OrderSchema, H: Heights> SkipList<S, H> {
    /// The word of the least key within the bound that is `visible`. It was there during the call.
    pub fn next(
        &self,
        guard: &Guard,
        from: Bound<&S::Key>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        let mut next = self.first_within(guard, &Limit::new(&self.schema, from));
        while let Some(node) = next {
            if let Some(word) = node.word().filter(|&word| visible(word)) {
                return Some(word);
            }
            next = node.next(0, guard).node;
        }
        None
    }

    /// The word of the greatest key within the bound that is `visible`. It was there during the
    /// call.
    pub fn prev(
        &self,
        guard: &Guard,
        from: Bound<&S::Key>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        let mut limit = Limit::new(&self.schema, from);
        let mut level = 0;
        loop {
            // Further each time, in case many words are not visible.
            level += 1;
            let mut found = None;
            let floor = self.go_below(guard, &limit, level, &mut |word| {
                if visible(word) {
                    found = Some(word);
                }
            });
            match floor {
                Floor::Key(prefix, word) if found.is_none() => {
                    limit = Limit { edge: Edge::Word(prefix, word), inclusive: false };
                }
                _ => return found,
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
        let from = Limit::new(&self.schema, from);
        match direction {
            Direction::Ascending => self.scan_up(guard, from, limit, out),
            Direction::Descending => self.scan_down(guard, from, limit, out),
        }
    }

    fn scan_up(
        &self,
        guard: &Guard,
        from: Limit<'_, S>,
        limit: usize,
        out: &mut Vec<Word>,
    ) -> bool {
        let end = out.len().saturating_add(limit);
        let mut next = self.first_within(guard, &from);
        while let Some(node) = next {
            if let Some(word) = node.word() {
                if out.len() == end {
                    return true;
                }
                out.push(word);
            }
            next = node.next(0, guard).node;
        }
        false
    }

    fn scan_down(
        &self,
        guard: &Guard,
        from: Limit<'_, S>,
        limit: usize,
        out: &mut Vec<Word>,
    ) -> bool {
        let end = out.len().saturating_add(limit);
        let (mut from, mut chunk) = (from, Vec::new());
        loop {
            let room = end - out.len();
            chunk.clear();
            let level = level_for(room);
            let floor = self.go_below(guard, &from, level, &mut |word| chunk.push(word));
            out.extend(chunk.iter().rev().take(room));
            match floor {
                Floor::Bottom => return chunk.len() > room,
                Floor::Key(..) if chunk.len() >= room => return true,
                Floor::Key(prefix, word) => {
                    from = Limit { edge: Edge::Word(prefix, word), inclusive: false };
                }
            }
        }
    }

    /// The first node of the lowest level that a cursor has still to come to; also nodes that have
    /// no word any more.
    fn first_within<'g>(&'g self, guard: &'g Guard, from: &Limit<'_, S>) -> Option<Node<'g>> {
        let mut tower = &*self.head;
        let mut beyond = None;
        let mut next = None;
        for level in (0..self.levels()).rev() {
            next = tower[level].load(guard).node;
            while let Some(node) = next.filter(|&node| Some(node) != beyond) {
                let after = node.next(level, guard);
                match from.place(&self.schema, node, Direction::Ascending) {
                    Place::Before if !after.marked => tower = node.tower(),
                    Place::Before | Place::Unknown => {}
                    Place::At(_) if from.inclusive => return Some(node),
                    Place::At(_) => return node.next(0, guard).node,
                    Place::After => {
                        beyond = Some(node);
                        break;
                    }
                }
                next = after.node;
            }
        }
        next
    }

    /// Gives the words, in ascending order, from a node some way below the cursor up to it; about
    /// as many as there are between two nodes of a level.
    fn go_below(
        &self,
        guard: &Guard,
        from: &Limit<'_, S>,
        level: usize,
        give: &mut impl FnMut(Word),
    ) -> Floor {
        let (floor, mut next) = self.floor_below(guard, from, level);
        if let Floor::Key(_, word) = floor {
            give(word);
        }
        while let Some(node) = next {
            match from.place(&self.schema, node, Direction::Descending) {
                Place::Before => {
                    if let Some(word) = node.word() {
                        give(word);
                    }
                }
                Place::At(word) if from.inclusive => {
                    give(word);
                    break;
                }
                Place::At(_) | Place::After => break,
                Place::Unknown => {}
            }
            next = node.next(0, guard).node;
        }
        floor
    }

    /// A node below the cursor, the last one on a level, and the one after it on the lowest level.
    /// A node without a word cannot be a bound; then it is one of a higher level before it.
    fn floor_below<'g>(
        &'g self,
        guard: &'g Guard,
        from: &Limit<'_, S>,
        level: usize,
    ) -> (Floor, Option<Node<'g>>) {
        let (mut floor, mut begin) = (Floor::Bottom, &*self.head);
        let mut tower = begin;
        let mut beyond = None;
        for level in (level..self.levels()).rev() {
            let mut stand = None;
            let mut next = tower[level].load(guard).node;
            while let Some(node) = next.filter(|&node| Some(node) != beyond) {
                let after = node.next(level, guard);
                match from.place(&self.schema, node, Direction::Descending) {
                    Place::Before if !after.marked => {
                        tower = node.tower();
                        stand = Some(node);
                    }
                    Place::Before | Place::Unknown => {}
                    Place::At(_) | Place::After => {
                        beyond = Some(node);
                        break;
                    }
                }
                next = after.node;
            }
            if let Some((node, word)) = stand.and_then(|node| Some((node, node.word()?))) {
                (floor, begin) = (Floor::Key(node.prefix(), word), node.tower());
            }
        }
        (floor, begin[0].load(guard).node)
    }
}

/// The level of which two neighbours have about twice as many nodes between them on the lowest.
fn level_for(nodes: usize) -> usize {
    let wanted = nodes.saturating_mul(2).max(1);
    (wanted.ilog2() as usize).div_ceil(SPARSITY as usize)
}
