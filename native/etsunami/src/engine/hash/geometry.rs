//! The constants of the layout. Unit tests and loom models shrink them, so that overflow, splits,
//! merges and every level of the directory happen with a handful of keys; integration tests run
//! with the constants that ship.

/// Bits of a position.
pub(super) const POSITION_BITS: u32 = 32;

/// Slots in a line. Six words, the head and the link fill 64 bytes.
pub(super) const SLOTS: usize = if cfg!(loom) {
    2
} else if cfg!(test) {
    3
} else {
    6
};

/// The binary logarithm of the buckets in a full-grown segment. 256 buckets are 16 KiB, about a
/// thousand keys: few enough to be split within one call, many enough to keep the directory small.
pub(super) const SEGMENT_BITS: u32 = if cfg!(loom) {
    1
} else if cfg!(test) {
    2
} else {
    8
};

/// The binary logarithm of the largest directory that is one array. Beyond it, entries become
/// pages, so that growth never copies more than 256 KiB at once. Reached at some 30 million keys.
pub(super) const ROOT_BITS: u32 = if cfg!(loom) {
    1
} else if cfg!(test) {
    2
} else {
    15
};

/// How many bucket lines one call of `scan` visits at most.
pub(super) const SCAN_BUCKETS: usize = if cfg!(any(test, loom)) { 8 } else { 1024 };

/// How many merges one removal makes at most.
pub(super) const MERGES_PER_CALL: usize = 4;

const _: () = assert!(size_of::<usize>() == 8, "words and directory entries are 64 bits wide");
