//! Where a run keeps the terms that it computes.
//!
//! Terms are appended to chunks that do not move, so they may be referred to until the next run,
//! which takes the heap for itself and starts at the first chunk again. Memory is kept for the next
//! object, but for chunks beyond the first few.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use crate::term::buffer::{Buffer, TooLarge};
use crate::term::layout::MAX_WORDS;
use crate::term::view::Term;

use super::packed::Rest;
use super::value::{Part, Value};

/// A run wants to build more than fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemLimit;

impl From<TooLarge> for SystemLimit {
    fn from(_: TooLarge) -> SystemLimit {
        SystemLimit
    }
}

/// The words of an ordinary chunk.
const CHUNK: usize = 512;
/// The words of the first chunk: most searches find little.
const FIRST_CHUNK: usize = 64;
/// The words that a heap keeps from one run to the next.
const KEPT: usize = 1 << 16;

/// The terms of one run.
#[derive(Default)]
pub(super) struct Heap {
    chunks: RefCell<Vec<NonNull<[u64]>>>,
    /// The words used of the last chunk.
    used: Cell<usize>,
    /// The words used of all chunks of this run.
    total: Cell<usize>,
    scratch: Cell<Buffer>,
}

impl Heap {
    /// Forgets all terms.
    #[inline]
    pub(super) fn reset(&mut self) {
        if self.total.get() > 0 {
            self.shrink();
            self.used.set(0);
            self.total.set(0);
        }
    }

    /// Keeps the last chunk, unless it is a giant.
    fn shrink(&mut self) {
        let chunks = self.chunks.get_mut();
        if matches!(chunks[..], [chunk] if chunk.len() <= KEPT) {
            return;
        }
        let keep = chunks.pop().filter(|chunk| chunk.len() <= KEPT);
        let dropped = std::mem::take(chunks);
        chunks.extend(keep);
        dropped.into_iter().for_each(free);
    }

    /// Builds a term: `fill` writes its root word at word 0 of the buffer and what belongs to it
    /// behind.
    pub(super) fn build(
        &self,
        fill: impl FnOnce(&mut Buffer) -> Result<(), SystemLimit>,
    ) -> Result<Value<'_>, SystemLimit> {
        let mut buffer = self.scratch.take();
        buffer.clear();
        let done = buffer.reserve(1).map_err(SystemLimit::from).and_then(|_| fill(&mut buffer));
        let value = done.and_then(|()| self.keep(buffer.words()));
        if buffer.capacity() <= KEPT {
            self.scratch.set(buffer);
        }
        value
    }

    /// Keeps parts of a result side by side.
    pub(super) fn row<'h>(
        &'h self,
        parts: impl ExactSizeIterator<Item = Result<Part<'h>, SystemLimit>>,
    ) -> Result<&'h [Part<'h>], SystemLimit> {
        const WORDS: usize = size_of::<Part>().div_ceil(8);
        const { assert!(align_of::<Part>() <= 8) };
        let room = parts.len();
        let row: NonNull<Part<'h>> = self.allocate(WORDS * room)?.cast();
        let mut len = 0;
        for part in parts.take(room) {
            // SAFETY: `allocate` gives room for so many parts that nobody else was given, and words
            // are aligned as parts have to be.
            unsafe { row.add(len).write(part?) };
            len += 1;
        }
        // SAFETY: so many parts have been written; they stay until `reset` or `drop`, both of which
        // need `self` for themselves.
        Ok(unsafe { std::slice::from_raw_parts(row.as_ptr(), len) })
    }

    /// Keeps the rest of a list.
    pub(super) fn rest<'h>(&'h self, rest: Rest<'h>) -> Result<&'h Rest<'h>, SystemLimit> {
        const WORDS: usize = size_of::<Rest>().div_ceil(8);
        const { assert!(align_of::<Rest>() <= 8) };
        let at: NonNull<Rest<'h>> = self.allocate(WORDS)?.cast();
        // SAFETY: `allocate` gives room for it that nobody else was given, and words are aligned as
        // it has to be. It stays until `reset` or `drop`, both of which need `self` for themselves.
        unsafe {
            at.write(rest);
            Ok(at.as_ref())
        }
    }

    fn keep(&self, words: &[u64]) -> Result<Value<'_>, SystemLimit> {
        if let [word] = *words {
            return Ok(Value::Word(word));
        }
        let to = self.allocate(words.len())?;
        // SAFETY: `allocate` gives room for so many words that nobody else was given.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(words).cast(), words.len()) };
        // SAFETY: a well-formed encoding, copied as a whole, which lives and stays until `reset`
        // or `drop`, both of which need `self` for themselves.
        Ok(Value::Block(unsafe { Term::new(to.as_ptr()) }))
    }

    fn allocate(&self, words: usize) -> Result<NonNull<u64>, SystemLimit> {
        self.total.set(self.total.get() + words);
        if self.total.get() > MAX_WORDS {
            return Err(SystemLimit);
        }
        let mut chunks = self.chunks.borrow_mut();
        let fits = |chunk: &&NonNull<[u64]>| chunk.len() - self.used.get() >= words;
        let chunk = match chunks.last().filter(fits) {
            Some(chunk) => *chunk,
            None => {
                let least = if chunks.is_empty() { FIRST_CHUNK } else { CHUNK };
                let fresh = vec![0u64; words.max(least)].into_boxed_slice();
                let fresh = NonNull::from(Box::leak(fresh));
                chunks.push(fresh);
                self.used.set(0);
                fresh
            }
        };
        let at = self.used.get();
        self.used.set(at + words);
        // SAFETY: inside the chunk by the test above.
        Ok(unsafe { chunk.cast::<u64>().add(at) })
    }
}

fn free(chunk: NonNull<[u64]>) {
    // SAFETY: leaked by `allocate`, freed once; no term refers to it any more, since the caller has
    // the heap for itself.
    drop(unsafe { Box::from_raw(chunk.as_ptr()) });
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.chunks.take().into_iter().for_each(free);
    }
}
