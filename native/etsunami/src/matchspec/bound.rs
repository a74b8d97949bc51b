//! Ranges of keys in the term order.
//!
//! The ends of a range are encoded keys that may contain two things that are no terms:
//! [`immediate::GREATEST`], above all terms, and a float of negative infinity, below all of them.
//! So `{a, 1, '_'}` is the range from `{a, 1, -∞}` to `{a, 1, GREATEST}`, and engines, which only
//! compare, need to know nothing of it.

use std::cmp::Ordering;

use crate::term::buffer::{Buffer, TooLarge};
use crate::term::layout::immediate;
use crate::term::order::compare;
use crate::term::probe::Kept;
use crate::term::stack::Stack;
use crate::term::view::{Roots, Term, View};

use super::few::Few;
use super::names::Name;

/// One end of a range.
#[derive(Debug)]
pub struct Bound {
    pub(super) key: Kept,
    pub(super) inclusive: bool,
}

impl Bound {
    /// The key at the end; it need not be a term that could be stored.
    pub fn key(&self) -> Term<'_> {
        self.key.term()
    }

    /// True if a key that is `==` belongs to the range.
    pub fn is_inclusive(&self) -> bool {
        self.inclusive
    }
}

/// A range of keys.
#[derive(Debug, Default)]
pub struct Interval {
    /// Where it begins; without one, with the first key.
    pub low: Option<Bound>,
    /// Where it ends; without one, with the last key.
    pub high: Option<Bound>,
}

impl Interval {
    /// The range of one key.
    pub fn only(key: Term) -> Interval {
        let bound = || Some(Bound { key: Kept::new(key), inclusive: true });
        Interval { low: bound(), high: bound() }
    }

    /// The one key of a range that holds no other.
    pub fn point(&self) -> Option<Term<'_>> {
        match (&self.low, &self.high) {
            (Some(low), Some(high)) if low.inclusive && high.inclusive => {
                compare(low.key(), high.key()).is_eq().then(|| low.key())
            }
            _ => None,
        }
    }

    /// Where a key stands: before the range, in it, or behind it.
    pub fn place(&self, key: Term) -> Ordering {
        match (self.is_above(key), self.is_below(key)) {
            (true, _) => Ordering::Less,
            (_, true) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }

    /// True if the range begins above a key.
    #[inline]
    pub(crate) fn is_above(&self, key: Term) -> bool {
        self.low.as_ref().is_some_and(|low| match compare(key, low.key()) {
            Ordering::Less => true,
            Ordering::Equal => !low.inclusive,
            Ordering::Greater => false,
        })
    }

    /// True if the range ends below a key.
    #[inline]
    pub(crate) fn is_below(&self, key: Term) -> bool {
        self.high.as_ref().is_some_and(|high| match compare(key, high.key()) {
            Ordering::Greater => true,
            Ordering::Equal => !high.inclusive,
            Ordering::Less => false,
        })
    }

    /// True if no key can be in it.
    pub(super) fn is_empty(&self) -> bool {
        match (&self.low, &self.high) {
            (Some(low), Some(high)) => match compare(low.key(), high.key()) {
                Ordering::Less => false,
                Ordering::Equal => !(low.inclusive && high.inclusive),
                Ordering::Greater => true,
            },
            _ => false,
        }
    }
}

/// The order of two beginnings.
fn compare_lows(a: &Interval, b: &Interval) -> Ordering {
    match (&a.low, &b.low) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(a), Some(b)) => compare(a.key(), b.key()).then(b.inclusive.cmp(&a.inclusive)),
    }
}

/// The order of two ends.
fn compare_highs(a: &Interval, b: &Interval) -> Ordering {
    match (&a.high, &b.high) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
        (Some(a), Some(b)) => compare(a.key(), b.key()).then(a.inclusive.cmp(&b.inclusive)),
    }
}

/// True if nothing is between the end of one range and the beginning of a later one.
fn touch(first: &Interval, second: &Interval) -> bool {
    match (&first.high, &second.low) {
        (Some(high), Some(low)) => match compare(high.key(), low.key()) {
            Ordering::Greater => true,
            Ordering::Equal => high.inclusive || low.inclusive,
            Ordering::Less => false,
        },
        _ => true,
    }
}

/// The union of ranges as disjoint ranges, in ascending order.
pub(super) fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|interval| !interval.is_empty());
    intervals.sort_by(compare_lows);
    let mut union: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match union.last_mut() {
            Some(last) if touch(last, &interval) => {
                if compare_highs(last, &interval).is_lt() {
                    last.high = interval.high;
                }
            }
            _ => union.push(interval),
        }
    }
    union
}

/// Which end of a range is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Low,
    High,
}

/// What limits a variable from one side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit<'s> {
    pub term: Term<'s>,
    pub inclusive: bool,
}

/// How many levels of a pattern are looked at.
const LEVELS: usize = 16;

/// The compounds of a pattern that hold the first thing that is not known, outermost first.
pub(super) struct Spine<'s> {
    levels: Few<Level<'s>>,
    /// What is not known, if it is a variable.
    pub variable: Option<u32>,
}

/// A compound of which some elements are known.
#[derive(Clone, Copy)]
struct Level<'s> {
    elements: Roots<'s>,
    known: usize,
    list: bool,
}

impl<'s> Spine<'s> {
    /// The way to the first thing of a pattern that is not known; `known` tells constants. What is
    /// deeper than some levels is not known: each level is looked at as a whole.
    pub(super) fn of(pattern: Term<'s>, known: impl Fn(Term<'s>) -> bool) -> Spine<'s> {
        let mut levels = Few::new();
        let mut at = pattern;
        while levels.len() < LEVELS {
            let (elements, list) = match at.view() {
                View::Tuple(elements) => (elements, false),
                View::List { elements, .. } => (elements, true),
                _ => break,
            };
            let count = (0..elements.len()).take_while(|&i| known(elements.get(i))).count();
            levels.push(Level { elements, known: count, list });
            if count == elements.len() {
                // Only the tail of a list is not known.
                return Spine { levels, variable: None };
            }
            at = elements.get(count);
        }
        let variable = match Name::of_term(at) {
            Name::Variable(number) => Some(number),
            _ => None,
        };
        Spine { levels, variable }
    }

    /// True if something is known: the type and size of a tuple count.
    pub(super) fn is_bound(&self) -> bool {
        !self.levels.is_empty()
    }

    /// True if elements are known, not only the size of a tuple.
    pub(super) fn has_elements(&self) -> bool {
        self.levels.iter().any(|level| level.known > 0)
    }

    /// One end of the range of the keys that fit, where `limit` limits the first thing unknown.
    /// The buffer is for its words meanwhile.
    pub(super) fn bound(
        &self,
        side: Side,
        limit: Option<Limit>,
        buffer: &mut Buffer,
    ) -> Result<Bound, TooLarge> {
        buffer.clear();
        let mut at = buffer.reserve(1)?;
        let mut open: Stack<usize, LEVELS> = Stack::new();
        for level in self.levels.iter() {
            let block = level.open(buffer, at)?;
            at = block + 1 + level.known;
            open.push(block);
        }
        // What is behind a value that itself is outside must be outside too.
        let fill = match (side, limit) {
            (Side::Low, Some(limit)) if !limit.inclusive => Side::High,
            (Side::High, Some(limit)) if !limit.inclusive => Side::Low,
            _ => side,
        };
        match limit {
            Some(limit) => _ = buffer.copy(at, limit.term)?,
            None => extreme(buffer, at, side)?,
        }
        for level in self.levels.iter().rev() {
            let block = open.pop().expect("one was opened for each level");
            level.close(buffer, block, fill)?;
        }
        let inclusive = limit.is_none_or(|limit| limit.inclusive);
        // SAFETY: word 0 and what belongs to it has been written above.
        let key = Kept::new(unsafe { Term::at(buffer.words(), 0) });
        Ok(Bound { key, inclusive })
    }
}

impl Level<'_> {
    /// Writes the known elements. A list then ends in the unknown: as its tail, if there is nothing
    /// in it that is not known, else as an element with an open end behind.
    fn open(&self, buffer: &mut Buffer, at: usize) -> Result<usize, TooLarge> {
        let len = match self.list {
            true => self.elements.len().min(self.known + 1),
            false => self.elements.len(),
        };
        let block = match self.list {
            true => buffer.open_list(at, len)?,
            false => buffer.open_tuple(at, len)?,
        };
        for i in 0..self.known {
            // The end of a range is compared piece by piece; whether it is irregular is no matter
            // where it is not equal, and where it is, it is marked below.
            _ = buffer.copy(block + 1 + i, self.elements.get(i))?;
        }
        Ok(block)
    }

    /// Writes what is behind the unknown. A compound is marked as one that has to be compared piece
    /// by piece, whatever it holds.
    fn close(&self, buffer: &mut Buffer, block: usize, side: Side) -> Result<(), TooLarge> {
        let first = block + 2 + self.known;
        let end = match self.list {
            true => block + 2 + self.elements.len().min(self.known + 1),
            false => block + 1 + self.elements.len(),
        };
        for at in first..end {
            extreme(buffer, at, side)?;
        }
        buffer.mark_irregular(block);
        buffer.close(block);
        Ok(())
    }
}

/// What is below or above all terms.
fn extreme(buffer: &mut Buffer, at: usize, side: Side) -> Result<(), TooLarge> {
    match side {
        Side::Low => buffer.float(at, f64::NEG_INFINITY),
        Side::High => {
            buffer.set(at, immediate::GREATEST);
            Ok(())
        }
    }
}
