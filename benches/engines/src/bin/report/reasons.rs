//! Why a row is lost, and what it would cost to follow.

use crate::results::{Cell, Row};

/// An explanation.
pub struct Reason {
    /// Why the other is faster.
    pub why: &'static str,
    /// What it would cost to do the same.
    pub price: &'static str,
}

/// Not found out.
const UNKNOWN: Reason = Reason { why: "not explained yet", price: "" };

/// The explanation of a row that `first` wins.
pub fn of(_row: &Row, _first: &Cell) -> &'static Reason {
    &UNKNOWN
}
