//! The tree over integers.

#[cfg(loom)]
mod races;

#[cfg(not(loom))]
mod adaptation;
#[cfg(not(loom))]
mod balance;
#[cfg(not(loom))]
mod bulk;
#[cfg(not(loom))]
mod contract;

use super::{CaTree, Geometry};
use crate::engine::ordered_tests::{Integers, Map};

/// Leaves and routing nodes as small as they may be.
pub struct Narrow;

impl Geometry for Narrow {
    const LEAVES: &'static [usize] = if cfg!(loom) { &[3] } else { &[2, 4] };
    const FANOUT: usize = if cfg!(loom) { 3 } else { 4 };
}

/// A tree of integers with the operations of a map.
pub type Tree<G> = Map<CaTree<Integers, G>>;
