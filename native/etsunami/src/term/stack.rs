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
