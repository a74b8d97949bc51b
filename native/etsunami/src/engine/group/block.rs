//! Blocks: the objects of [`SLOTS`] consecutive insertion numbers.
//!
//! A block is *dense* (a slot for each number) or *packed* (slots only for the numbers that were
//! members when it was made, found by their rank). Which slots are members is not written in the
//! block but in the view that refers to it: a bitmap beside each pointer to a block. So the writer
//! may fill a free slot of a dense block in place: no view that is out refers to that slot. A slot
//! that a view refers to is never written.

use super::edit::Born;
use super::packed::Packed;
use crate::sync::{AtomicUsize, Ordering};

/// The binary logarithm of [`SLOTS`].
pub(super) const SLOT_BITS: u32 = if cfg!(loom) { 1 } else { 6 };
/// The numbers that one block stands for: one bit each of a 64-bit word (two under loom, so that
/// a model reaches the trie).
pub(super) const SLOTS: usize = 1 << SLOT_BITS;
const DENSE: u64 = u64::MAX >> (64 - SLOTS);

/// What a block knows of itself.
pub(super) struct BlockHead {
    born: Born,
    /// Bit `i`: there is a slot for the `i`-th number.
    stored: u64,
}

/// The objects of [`SLOTS`] consecutive numbers.
pub(super) type Block = Packed<BlockHead, AtomicUsize>;

/// A block and which of its slots are members.
#[derive(Clone, Copy)]
pub(super) struct Leaf {
    /// The block.
    pub(super) block: *mut Block,
    /// Bit `i`: the `i`-th number is a member.
    pub(super) live: u64,
}

/// The place of a number in its block.
pub(super) fn slot_of(number: u64) -> u32 {
    (number & (SLOTS as u64 - 1)) as u32
}

/// The key of a number's block.
pub(super) fn key_of(number: u64) -> u64 {
    number >> SLOT_BITS
}

/// The first number of a block.
pub(super) fn first_number(key: u64) -> u64 {
    key << SLOT_BITS
}

/// A block with a slot for each number.
pub(super) fn dense(born: Born) -> *mut Block {
    let head = BlockHead { born, stored: DENSE };
    Block::alloc(head, (0..SLOTS).map(|_| AtomicUsize::new(0)))
}

impl Leaf {
    /// When the block was made.
    ///
    /// # Safety
    /// The block is alive.
    pub(super) unsafe fn born(self) -> Born {
        // SAFETY: by contract; heads of blocks never change.
        unsafe { Block::head(self.block) }.born
    }

    unsafe fn cell<'a>(self, slot: u32) -> &'a AtomicUsize {
        // SAFETY: by contract of the callers the block is alive and stores the slot.
        unsafe {
            let stored = Block::head(self.block).stored;
            let rank = (stored & ((1 << slot) - 1)).count_ones() as usize;
            &Block::items(self.block)[rank]
        }
    }

    /// The object in a slot.
    ///
    /// # Safety
    /// The block is alive, and the slot is a member in the view that the caller reads (or writes).
    pub(super) unsafe fn object(self, slot: u32) -> usize {
        // Relaxed: the slot was written before the view was published that calls it a member, and
        // the caller got that view by an acquire load; it is not written again.
        // SAFETY: a member has a slot.
        unsafe { self.cell(slot) }.load(Ordering::Relaxed)
    }

    /// Fills a slot of a dense block.
    ///
    /// # Safety
    /// The block is dense and alive, no published view calls this slot a member, and the caller is
    /// the only writer (it holds the key's lock).
    pub(super) unsafe fn fill(self, slot: u32, object: usize) {
        // Relaxed: published with the view, see `object`.
        // SAFETY: a dense block has all slots.
        unsafe { self.cell(slot) }.store(object, Ordering::Relaxed);
    }

    /// True if so many slots are dead that the block should be packed: at least half of them. A
    /// block is so packed after as many removals as it copies, and again for each halving.
    ///
    /// # Safety
    /// The block is alive.
    pub(super) unsafe fn is_sparse(self) -> bool {
        // SAFETY: by contract; heads of blocks never change.
        let stored = unsafe { Block::head(self.block) }.stored.count_ones();
        self.live.count_ones() * 2 <= stored
    }

    /// A new block with the members alone, one of which may be replaced.
    ///
    /// # Safety
    /// The block is alive, and the live slots are members in the caller's view.
    pub(super) unsafe fn packed_copy(self, born: Born, replaced: Option<(u32, usize)>) -> Leaf {
        let members: Vec<usize> = bits(self.live)
            .map(|slot| match replaced {
                Some((at, object)) if at == slot => object,
                // SAFETY: by contract.
                _ => unsafe { self.object(slot) },
            })
            .collect();
        let head = BlockHead { born, stored: self.live };
        Leaf { block: Block::alloc(head, members.into_iter().map(AtomicUsize::new)), ..self }
    }

    /// A new block with a slot for each number, where one member is replaced.
    ///
    /// # Safety
    /// As for [`Leaf::packed_copy`].
    pub(super) unsafe fn dense_copy(self, born: Born, replaced: u32, by: usize) -> Leaf {
        let copy = Leaf { block: dense(born), ..self };
        for slot in bits(self.live) {
            // SAFETY: by contract; nobody else knows the copy yet, which is dense.
            unsafe { copy.fill(slot, if slot == replaced { by } else { self.object(slot) }) };
        }
        copy
    }
}

/// The positions of the bits that are set, lowest first.
pub(super) fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros());
        word &= word.wrapping_sub(1);
        bit
    })
}
