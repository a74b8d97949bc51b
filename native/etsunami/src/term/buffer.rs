//! How an encoding is built: words are appended, references are self-relative, totals are patched
//! when a compound is complete.
//!
//! A caller that encodes a nested term keeps its own explicit stack (no recursion): it opens a
//! compound, fills the immediate elements in place, opens each compound element in order (depth
//! first), and closes the compound after its last element. [`Buffer::close`] writes the total and
//! tells whether the block is irregular, which the caller passes on by closing its parent with
//! [`Buffer::mark_irregular`].

use super::layout::{
    self, IRREGULAR, Kind, MAX_WORDS, NEGATIVE, SORTED, TREE, binary_block, block_ref, header,
    local_reference_block, shaped_header,
};
use super::shape::Shape;
use super::view::Term;

/// The object would be larger than [`MAX_WORDS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge;

/// A growing encoding. Word positions are indices into [`Buffer::words`].
#[derive(Default, Debug)]
pub struct Buffer {
    words: Vec<u64>,
    foreign: bool,
}

impl Buffer {
    /// An empty buffer.
    pub const fn new() -> Buffer {
        Buffer { words: Vec::new(), foreign: false }
    }

    /// An empty buffer with room for so many words.
    pub fn with_capacity(words: usize) -> Buffer {
        Buffer { words: Vec::with_capacity(words), foreign: false }
    }

    /// Forgets the contents, keeps the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.foreign = false;
    }

    /// The words so far.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The words that fit without another allocation.
    pub fn capacity(&self) -> usize {
        self.words.capacity()
    }

    /// True if a foreign block was appended since the last `clear`, or a copy that may hold one.
    pub fn has_foreign(&self) -> bool {
        self.foreign
    }

    /// Appends `n` root words, to be filled with [`Buffer::set`] or by opening blocks at them.
    /// Gives the position of the first.
    pub fn reserve(&mut self, n: usize) -> Result<usize, TooLarge> {
        let at = self.words.len();
        if n > MAX_WORDS - at.min(MAX_WORDS) {
            return Err(TooLarge);
        }
        self.words.try_reserve(n).map_err(|_| TooLarge)?;
        self.words.resize(at + n, layout::immediate::NIL);
        Ok(at)
    }

    /// Appends one root word.
    #[inline]
    pub fn push(&mut self, word: u64) -> Result<(), TooLarge> {
        if self.words.len() == self.words.capacity() {
            self.reserve(1)?;
            self.words.pop();
        }
        self.words.push(word);
        Ok(())
    }

    /// Appends words: the position of the first.
    #[inline]
    pub fn append(&mut self, words: &[u64]) -> Result<usize, TooLarge> {
        let at = self.words.len();
        if words.len() > MAX_WORDS - at.min(MAX_WORDS) {
            return Err(TooLarge);
        }
        self.words.try_reserve(words.len()).map_err(|_| TooLarge)?;
        self.words.extend_from_slice(words);
        Ok(at)
    }

    /// Marks a map whose root words the words of a tree follow.
    pub fn mark_tree(&mut self, block: usize) {
        self.words[block] |= TREE;
    }

    /// Overwrites the words from `at` on.
    #[inline]
    pub fn fill(&mut self, at: usize, words: &[u64]) {
        self.words[at..at + words.len()].copy_from_slice(words);
    }

    /// Writes an immediate root word.
    #[inline]
    pub fn set(&mut self, at: usize, word: u64) {
        self.words[at] = word;
    }

    fn open(
        &mut self,
        at: usize,
        kind: Kind,
        count: usize,
        roots: usize,
    ) -> Result<usize, TooLarge> {
        let block = self.reserve(1 + roots)?;
        self.words[at] = block_ref(kind, block - at);
        self.words[block] = header(count, 1 + roots);
        Ok(block)
    }

    /// Opens a tuple at root position `at`; gives the block's position, elements follow it.
    pub fn open_tuple(&mut self, at: usize, arity: usize) -> Result<usize, TooLarge> {
        self.open(at, Kind::Tuple, arity, arity)
    }

    /// Opens a tuple whose elements' words are known; those that are no immediates are to be
    /// replaced by opening blocks at them.
    #[inline]
    pub fn open_tuple_of(&mut self, at: usize, elements: &[u64]) -> Result<usize, TooLarge> {
        let header = header(elements.len(), 1 + elements.len());
        self.open_of(at, Kind::Tuple, header, elements)
    }

    /// Opens a map of this shape whose values' words are known, likewise.
    #[inline]
    pub fn open_shaped(
        &mut self,
        at: usize,
        shape: Shape,
        values: &[u64],
    ) -> Result<usize, TooLarge> {
        debug_assert_eq!(shape.len(), values.len());
        self.open_of(at, Kind::Shaped, shaped_header(shape, 1 + values.len()), values)
    }

    #[inline(always)]
    fn open_of(
        &mut self,
        at: usize,
        kind: Kind,
        header: u64,
        roots: &[u64],
    ) -> Result<usize, TooLarge> {
        let (block, words) = (self.words.len(), 1 + roots.len());
        if words > MAX_WORDS - block.min(MAX_WORDS) {
            return Err(TooLarge);
        }
        self.words.try_reserve(words).map_err(|_| TooLarge)?;
        self.words.push(header);
        self.words.extend_from_slice(roots);
        self.words[at] = block_ref(kind, block - at);
        Ok(block)
    }

    /// Opens a list of `n` elements; the tail's root word (preset to `[]`) stands behind them.
    pub fn open_list(&mut self, at: usize, n: usize) -> Result<usize, TooLarge> {
        self.open(at, Kind::List, n, n + 1)
    }

    /// Opens a map of `n` pairs: n key roots, then n value roots.
    pub fn open_map(&mut self, at: usize, n: usize) -> Result<usize, TooLarge> {
        self.open(at, Kind::Map, n, 2 * n)
    }

    /// Completes the compound whose block starts at `block`, with everything appended since.
    pub fn close(&mut self, block: usize) {
        let words = self.words.len() - block;
        let old = self.words[block];
        self.words[block] = header(layout::count(old), words) | (old & (IRREGULAR | SORTED | TREE));
    }

    /// Marks a compound as one that cannot be compared word for word.
    pub fn mark_irregular(&mut self, block: usize) {
        self.words[block] |= IRREGULAR;
    }

    /// Marks a map as one whose keys stand in the exact term order.
    pub fn mark_sorted(&mut self, block: usize) {
        self.words[block] |= SORTED;
    }

    /// Copies a whole term to root position `at`; true if it is irregular, which the caller passes
    /// on to the compound around it. Keepers are copied as they are, not counted.
    pub fn copy(&mut self, at: usize, term: Term) -> Result<bool, TooLarge> {
        let root = term.root();
        if layout::is_immediate(root) {
            self.set(at, root);
            return Ok(false);
        }
        let words = term.block_words();
        let block = self.reserve(words.len())?;
        self.words[block..].copy_from_slice(words);
        self.words[at] = block_ref(Kind::of(root), block - at);
        let irregular = term.is_irregular();
        self.foreign |= irregular;
        Ok(irregular)
    }

    /// Forgets everything from word `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.words.truncate(len);
    }

    /// Appends a float.
    pub fn float(&mut self, at: usize, value: f64) -> Result<(), TooLarge> {
        let block = self.reserve(1)?;
        self.words[at] = block_ref(Kind::Float, block - at);
        self.words[block] = value.to_bits();
        Ok(())
    }

    /// Appends a big integer: magnitude in 64-bit limbs, least significant first, normalised.
    pub fn integer(&mut self, at: usize, negative: bool, limbs: &[u64]) -> Result<(), TooLarge> {
        let block = self.open(at, Kind::Integer, limbs.len(), limbs.len())?;
        self.words[block + 1..].copy_from_slice(limbs);
        if negative {
            self.words[block] |= NEGATIVE;
        }
        Ok(())
    }

    /// Appends a bit string: its bytes and its length in bits. Bits beyond the length must be 0.
    pub fn bits(&mut self, at: usize, bytes: &[u8], bits: usize) -> Result<(), TooLarge> {
        let n = bytes.len().div_ceil(8);
        let block = self.reserve(1 + n)?;
        self.words[at] = block_ref(Kind::Bits, block - at);
        self.words[block] = bits as u64;
        pack(bytes, |i, word| self.words[block + 1 + i] = word);
        Ok(())
    }

    /// Appends a foreign block, not of a binary: its subkind, the VM's hash of the term, the term's word and the
    /// address of what keeps it alive (0 in a probe, which borrows the caller's term).
    pub fn foreign(
        &mut self,
        at: usize,
        what: layout::Foreign,
        hash: u64,
        vm_word: u64,
        keeper: u64,
    ) -> Result<(), TooLarge> {
        let block = self.open(at, Kind::Foreign, what as usize, 3)?;
        self.words[block] |= IRREGULAR;
        self.words[block + 1..].copy_from_slice(&[hash, vm_word, keeper]);
        self.foreign = true;
        Ok(())
    }

    /// Appends a reference of this node, by all words of the VM's term.
    pub fn local_reference(&mut self, at: usize, words: [u64; 3]) -> Result<(), TooLarge> {
        let words = local_reference_block(words);
        let block = self.reserve(words.len())?;
        self.words[at] = block_ref(Kind::Foreign, block - at);
        self.words[block..].copy_from_slice(&words);
        Ok(())
    }

    /// Appends a binary that is held by reference: see [`binary_block`].
    ///
    /// # Safety
    /// The bytes stay where they are, unchanged, as long as the keeper is held or, without one, the
    /// words of this buffer are read.
    pub unsafe fn binary(
        &mut self,
        at: usize,
        bytes: &[u8],
        vm_word: u64,
        keeper: u64,
    ) -> Result<(), TooLarge> {
        let words = binary_block(bytes, vm_word, keeper);
        let block = self.reserve(words.len())?;
        self.words[at] = block_ref(Kind::Foreign, block - at);
        self.words[block..].copy_from_slice(&words);
        self.foreign = true;
        Ok(())
    }

    /// Appends a pid or port of another node as external term format.
    pub fn external(&mut self, at: usize, etf: &[u8]) -> Result<(), TooLarge> {
        let n = etf.len().div_ceil(8);
        let block = self.open(at, Kind::External, etf.len(), n)?;
        self.words[block] |= IRREGULAR;
        pack(etf, |i, word| self.words[block + 1 + i] = word);
        Ok(())
    }
}

/// Gives the words that have these bytes in memory, with their indices; the rest of the last is 0.
#[inline(always)]
pub fn pack(bytes: &[u8], mut put: impl FnMut(usize, u64)) {
    let (whole, rest) = bytes.as_chunks();
    for (i, raw) in whole.iter().enumerate() {
        put(i, u64::from_ne_bytes(*raw));
    }
    if !rest.is_empty() {
        put(whole.len(), last_word(rest));
    }
}

/// The word of one to seven bytes. Without a copy of so many bytes, which would be a call.
#[inline(always)]
fn last_word(bytes: &[u8]) -> u64 {
    let n = bytes.len();
    let low = |at: usize| u64::from(bytes[at]) << (8 * at);
    let word = match n {
        4.. => {
            let half =
                |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default());
            u64::from(half(0)) | u64::from(half(n - 4)) << (8 * (n - 4))
        }
        _ => low(0) | low(n / 2) | low(n - 1),
    };
    word.to_le()
}
