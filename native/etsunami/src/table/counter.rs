//! The steps of `update_counter`, in either of two kinds of integers.
//!
//! Counters are small integers as a rule, and [`Small`] is their root word: reading one, adding to
//! it and storing it takes no memory. [`Int`] has any size. An update is decided by the same code
//! for both; if it is decided with [`Small`] and a number turns out not to be small, nothing is
//! done, and the update is decided again with [`Int`].

use std::cmp::Ordering;

use crate::term::layout::immediate;
use crate::term::number::Int;
use crate::term::view::Term;

/// Integers that counters are computed in.
pub trait Number: Clone + PartialOrd {
    /// The integer that a term is, if it is one of this kind.
    fn of(term: Term<'_>) -> Option<Self>;

    /// The sum, if it is of this kind.
    fn plus(&self, other: &Self) -> Option<Self>;

    /// True below zero.
    fn is_negative(&self) -> bool;
}

/// A small integer of the VM, as its root word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Small(u64);

impl Small {
    /// Zero.
    pub const ZERO: Small = Small(immediate::ZERO);

    /// An integer, if it is small.
    #[inline(always)]
    pub fn new(value: i64) -> Option<Small> {
        immediate::small(value).map(Small)
    }

    /// The integer.
    #[inline(always)]
    pub fn value(self) -> i64 {
        immediate::small_value(self.0)
    }

    /// Its root word.
    #[inline(always)]
    pub(super) fn word(self) -> u64 {
        self.0
    }

    /// The same, where it stands.
    #[inline(always)]
    pub(super) fn as_word(&self) -> &u64 {
        &self.0
    }
}

impl PartialOrd for Small {
    #[inline(always)]
    fn partial_cmp(&self, other: &Small) -> Option<Ordering> {
        Some(self.value().cmp(&other.value()))
    }
}

impl Number for Small {
    #[inline(always)]
    fn of(term: Term<'_>) -> Option<Small> {
        let word = term.root();
        immediate::is_small(word).then_some(Small(word))
    }

    #[inline(always)]
    fn plus(&self, other: &Small) -> Option<Small> {
        // Small integers have 60 bits.
        Small::new(self.value() + other.value())
    }

    #[inline(always)]
    fn is_negative(&self) -> bool {
        self.value() < 0
    }
}

impl Number for Int {
    fn of(term: Term<'_>) -> Option<Int> {
        Int::from_term(term)
    }

    fn plus(&self, other: &Int) -> Option<Int> {
        Some(self + other)
    }

    fn is_negative(&self) -> bool {
        Int::is_negative(self)
    }
}

/// One step of `update_counter`.
#[derive(Clone, Copy, Debug)]
pub struct CounterOp<N = Int> {
    /// The 1-based position of the counter.
    pub position: usize,
    /// What to add.
    pub increment: N,
    /// `{Threshold, SetValue}`: a result beyond the threshold, seen in the direction of the
    /// increment, becomes the set value.
    pub limit: Option<(N, N)>,
}

impl<N: Number> CounterOp<N> {
    /// The value after this step, if it is of this kind.
    #[inline(always)]
    pub(super) fn apply(&self, value: &N) -> Option<N> {
        let sum = value.plus(&self.increment)?;
        Some(match &self.limit {
            Some((threshold, set)) if self.exceeds(&sum, threshold) => set.clone(),
            _ => sum,
        })
    }

    #[inline(always)]
    fn exceeds(&self, sum: &N, threshold: &N) -> bool {
        if self.increment.is_negative() { sum < threshold } else { sum > threshold }
    }
}
