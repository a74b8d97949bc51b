//! What a table looks like inside.

use super::HashTable;
use super::geometry::{POSITION_BITS, SEGMENT_BITS};
use crate::engine::HashSchema;
use crate::reclaim::pin;
use crate::sync::Ordering;

/// Statistics of a table. They are true at rest; while the table changes, each is near the truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    /// The buckets of the finest resolution are the intervals of positions that share this many
    /// upper bits (of 32).
    pub position_bits: u32,
    /// Segments in the directory.
    pub segments: u64,
    /// Splits, and enlargements of a lone segment, so far.
    pub splits: u64,
    /// Merges so far.
    pub merges: u64,
    /// Overflow lines.
    pub overflow_lines: u64,
    /// How many updates found their bucket locked.
    pub contended_locks: u64,
    /// Bytes of segments, overflow lines and directory.
    pub bytes: u64,
}

impl<S: HashSchema> HashTable<S> {
    /// How many upper bits of a position (of 32) tell the finest buckets that the directory has
    /// room for. O(1).
    pub fn position_bits(&self) -> u32 {
        let guard = pin();
        let segment = self.directory.find(0, &guard);
        if segment.level() < SEGMENT_BITS {
            return segment.level();
        }
        (self.directory.bits() + SEGMENT_BITS).min(POSITION_BITS)
    }

    /// What the table looks like inside. Takes a moment for each segment.
    pub fn shape(&self) -> Shape {
        let guard = pin();
        let mut shape = Shape { bytes: self.directory.bytes(&guard) as u64, ..Shape::default() };
        let mut deepest = 0;
        self.for_each_segment(&guard, |segment| {
            shape.segments += 1;
            shape.overflow_lines += u64::from(segment.overflow_lines());
            shape.bytes += segment.bytes() as u64;
            deepest = deepest.max(segment.level().min(self.directory.bits() + SEGMENT_BITS));
        });
        shape.position_bits = deepest;
        if let Some(upkeep) = self.upkeep.get() {
            shape.splits = upkeep.splits.load(Ordering::Relaxed);
            shape.merges = upkeep.merges.load(Ordering::Relaxed);
            shape.contended_locks = upkeep.contended.load(Ordering::Relaxed);
        }
        shape
    }
}
