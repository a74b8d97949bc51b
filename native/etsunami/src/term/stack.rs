//! An explicit work stack: the first few frames inline, the rest on the heap.
//!
//! Terms may be nested a million levels deep, and dirty schedulers have small stacks, so nothing
//! that walks a term recurses.

use std::mem::MaybeUninit;

/// A stack whose first `N` elements cost no allocation.
pub struct Stack<T: Copy, const N: usize> {
    inline: [MaybeUninit<T>; N],
    len: usize,
    spill: Vec<T>,
}

impl<T: Copy, const N: usize> Stack<T, N> {
    /// An empty stack.
    #[inline(always)]
    #[expect(clippy::new_without_default, reason = "nobody asks for a default stack")]
    pub fn new() -> Self {
        Stack { inline: [const { MaybeUninit::uninit() }; N], len: 0, spill: Vec::new() }
    }

    /// Puts an element on top.
    #[inline(always)]
    pub fn push(&mut self, value: T) {
        match self.inline.get_mut(self.len) {
            Some(slot) => _ = slot.write(value),
            None => self.spill.push(value),
        }
        self.len += 1;
    }

    /// Puts elements on top, the last of them topmost.
    #[inline]
    pub fn extend(&mut self, values: impl Iterator<Item = T>) {
        values.for_each(|value| self.push(value));
    }

    /// How many there are.
    #[inline(always)]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The place of an element, from 0 at the bottom.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn at(&mut self, i: usize) -> &mut T {
        assert!(i < self.len, "element {i} of {}", self.len);
        match self.inline.get_mut(i) {
            // SAFETY: `push` wrote every slot below `len`.
            Some(slot) => unsafe { slot.assume_init_mut() },
            None => &mut self.spill[i - N],
        }
    }

    /// Takes the top element.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        match self.inline.get(self.len) {
            // SAFETY: `push` wrote every slot below the old `len`, and `T` is `Copy`.
            Some(slot) => Some(unsafe { slot.assume_init() }),
            None => self.spill.pop(),
        }
    }
}
