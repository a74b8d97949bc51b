//! A few values on the stack.

use std::mem::MaybeUninit;

/// How many [`Few`] has room for.
pub const FEW: usize = 8;

/// Up to [`FEW`] values on the stack.
pub struct Few<T> {
    values: [MaybeUninit<T>; FEW],
    len: usize,
}

impl<T: Copy> Few<T> {
    /// No values.
    #[inline(always)]
    #[expect(clippy::new_without_default, reason = "nothing asks for a default")]
    pub const fn new() -> Few<T> {
        Few { values: [const { MaybeUninit::uninit() }; FEW], len: 0 }
    }

    /// Adds a value behind the others; none, if there is no room.
    #[inline(always)]
    pub fn push(&mut self, value: T) -> Option<()> {
        self.values.get_mut(self.len)?.write(value);
        self.len += 1;
        Some(())
    }

    /// The values.
    #[inline(always)]
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `push` wrote the first `len` values; `MaybeUninit` has the layout of its content.
        unsafe { std::slice::from_raw_parts(self.values.as_ptr().cast(), self.len) }
    }

    /// The values, to be changed.
    #[inline(always)]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.values.as_mut_ptr().cast(), self.len) }
    }
}
