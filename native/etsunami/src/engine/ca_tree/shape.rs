//! What the tree tells about itself.

use crate::sync::{AtomicU64, Ordering};

/// The shape of a tree, and how it came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    /// Leaves.
    pub leaves: u64,
    /// Routing nodes.
    pub routes: u64,
    /// Routing nodes above the first leaf.
    pub depth: u64,
    /// Leaves split because of contention.
    pub splits: u64,
    /// Pairs of leaves joined.
    pub joins: u64,
    /// Lock waits on leaves that have been replaced since.
    pub waits: u64,
    /// Bytes of all leaves and routing nodes.
    pub bytes: u64,
}

/// The counts behind [`Shape`], changed only when the shape changes.
///
/// All Relaxed: each is a statistic by itself.
#[derive(Default)]
pub(super) struct Tally {
    /// The bytes of the tree's first leaf, once it has been made. Beside the other counts, which
    /// are below zero by this leaf when it is gone.
    first: AtomicU64,
    leaves: AtomicU64,
    routes: AtomicU64,
    splits: AtomicU64,
    joins: AtomicU64,
    waits: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    /// By the thread that has made it. A store, and no addition, because short-lived tables do
    /// little else; no tree gets another first leaf.
    pub fn first_leaf_made(&self, bytes: usize) {
        self.first.store(bytes as u64, Ordering::Relaxed);
    }

    pub fn leaf_made(&self, bytes: usize) {
        self.leaves.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn leaf_gone(&self, bytes: usize, waits: u64) {
        self.leaves.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.waits.fetch_add(waits, Ordering::Relaxed);
    }

    pub fn route_made(&self, bytes: usize) {
        self.routes.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn route_gone(&self, bytes: usize) {
        self.routes.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    pub fn split(&self) {
        self.splits.fetch_add(1, Ordering::Relaxed);
    }

    pub fn join(&self) {
        self.joins.fetch_add(1, Ordering::Relaxed);
    }

    pub fn shape(&self, depth: u64) -> Shape {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let first = read(&self.first);
        Shape {
            leaves: read(&self.leaves).wrapping_add(u64::from(first > 0)),
            routes: read(&self.routes),
            depth,
            splits: read(&self.splits),
            joins: read(&self.joins),
            waits: read(&self.waits),
            bytes: read(&self.bytes).wrapping_add(first),
        }
    }
}
