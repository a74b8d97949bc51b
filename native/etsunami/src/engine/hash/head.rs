//! The first word of a line: flags, filter and tags.

use super::geometry::SLOTS;

/// A writer works on the bucket.
pub(super) const LOCKED: u64 = 1;
/// Another segment is responsible, for ever.
pub(super) const MOVED: u64 = 1 << 1;
/// Keys stand in overflow lines.
const OVERFLOW: u64 = 1 << 2;
const FILTER_SHIFT: u64 = 3;
const FILTER_BITS: u64 = 13;
const FILTER: u64 = ((1 << FILTER_BITS) - 1) << FILTER_SHIFT;
const TAG_SHIFT: u32 = 16;
const _: () = assert!(FILTER_SHIFT + FILTER_BITS <= TAG_SHIFT as u64);

/// The lowest bit of each tag byte.
const LOW: u64 = (0x0101_0101_0101_0101 >> (64 - 8 * SLOTS)) << TAG_SHIFT;
/// The highest bit of each tag byte.
const HIGH: u64 = LOW << 7;

/// A key's hash, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hash(pub(super) u64);

impl Hash {
    /// The upper half: what orders keys.
    #[inline(always)]
    pub(super) fn position(self) -> u64 {
        self.0 >> 32
    }

    /// The low byte, never 0.
    #[inline(always)]
    fn tag(self) -> u64 {
        let byte = self.0 & 0xff;
        byte + u64::from(byte == 0)
    }

    /// True for one hash in `rate`, a power of two or 0.
    #[inline]
    pub(super) fn is_sample_of(self, rate: usize) -> bool {
        (self.0 >> 35) as usize & rate.saturating_sub(1) == 0
    }

    /// The two bits of the filter that stand for this key, and [`OVERFLOW`].
    ///
    /// They come from the lowest bits of the position, those that choose the bucket last. With six
    /// keys for each bucket, by Poisson's distribution, two of thirteen let 5 of 100 keys pass that
    /// are not there, one of eight would let 11.
    #[inline(always)]
    fn overflow_bits(self) -> u64 {
        let bit = |nibble: u64| 1 << (FILTER_SHIFT + (((nibble & 15) * FILTER_BITS) >> 4));
        OVERFLOW | bit(self.position()) | bit(self.position() >> 4)
    }
}

/// The value of a line's first word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head(pub(super) u64);

impl Head {
    /// A frozen bucket.
    pub(super) const FROZEN: Head = Head(MOVED);

    /// True while a writer works on the bucket.
    #[inline(always)]
    pub(super) fn is_locked(self) -> bool {
        self.0 & LOCKED != 0
    }

    /// True once another segment is responsible.
    #[inline(always)]
    pub(super) fn is_moved(self) -> bool {
        self.0 & MOVED != 0
    }

    /// Neither a tag nor overflow.
    #[inline(always)]
    pub(super) fn is_vacant(self) -> bool {
        self.0 & (!LOCKED & !FILTER) == 0
    }

    /// May this key stand in an overflow line?
    #[inline(always)]
    pub(super) fn may_overflow(self, hash: Hash) -> bool {
        let bits = hash.overflow_bits();
        self.0 & bits == bits
    }

    /// The slots whose tag is that of `hash`, and perhaps some above such a slot.
    #[inline(always)]
    pub(super) fn candidates(self, hash: Hash) -> Candidates {
        // A byte of `x` is 0 where the tag fits. The subtraction borrows only from a zero byte, so
        // the lowest bit that comes out is exact; bits above it may be wrong, which is harmless.
        let x = self.0 ^ (hash.tag() * LOW);
        Candidates(x.wrapping_sub(LOW) & !x & HIGH)
    }

    /// One bit for each slot that has a tag.
    #[inline(always)]
    fn tagged(self) -> u64 {
        (((self.0 & !HIGH) + (HIGH - LOW)) | self.0) & HIGH
    }

    /// How many slots have a tag.
    #[inline]
    pub(super) fn occupied(self) -> u32 {
        self.tagged().count_ones()
    }

    /// The first slot without a tag.
    #[inline(always)]
    pub(super) fn free_slot(self) -> Option<usize> {
        let free = !self.tagged() & HIGH;
        (free != 0).then(|| slot_of(free))
    }

    /// With the tag of `hash` at `slot`, which has none.
    #[inline(always)]
    pub(super) fn with_tag(self, slot: usize, hash: Hash) -> Head {
        Head(self.0 | hash.tag() << (TAG_SHIFT as usize + 8 * slot))
    }

    #[inline(always)]
    pub(super) fn without_tag(self, slot: usize) -> Head {
        Head(self.0 & !(0xff << (TAG_SHIFT as usize + 8 * slot)))
    }

    pub(super) fn with_overflow(self, hash: Hash) -> Head {
        Head(self.0 | hash.overflow_bits())
    }

    pub(super) fn without_overflow(self) -> Head {
        Head(self.0 & !(OVERFLOW | FILTER))
    }
}

/// The slot of the lowest bit in a mask of [`HIGH`] bits.
#[inline(always)]
fn slot_of(mask: u64) -> usize {
    (mask.trailing_zeros() as usize >> 3) - TAG_SHIFT as usize / 8
}

/// Slots to look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidates(u64);

impl Iterator for Candidates {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = slot_of(self.0);
        self.0 &= self.0 - 1;
        Some(slot)
    }
}
