//! A few values on the machine stack, however many on the heap.
//!
//! A run over one object takes some ten nanoseconds, so it must not allocate for the usual
//! program. How many values a program needs at most is known when it is compiled.

use std::mem::MaybeUninit;

use super::value::Value;

/// How many values need no allocation.
const FEW: usize = 8;

/// A vector of values.
pub(super) struct Operands<'r> {
    inline: [MaybeUninit<Value<'r>>; FEW],
    len: usize,
    /// All values, if there may be more than a few.
    many: Option<Vec<Value<'r>>>,
}

impl<'r> Operands<'r> {
    /// Room for so many values.
    #[inline(always)]
    pub(super) fn new(most: usize) -> Operands<'r> {
        let many = (most > FEW).then(Vec::new);
        Operands { inline: [const { MaybeUninit::uninit() }; FEW], len: 0, many }
    }

    /// The values.
    #[inline(always)]
    pub(super) fn all(&self) -> &[Value<'r>] {
        match &self.many {
            Some(many) => many,
            // SAFETY: `push` wrote the first `len` slots, and a `MaybeUninit` is laid out as what it
            // holds.
            None => unsafe { std::slice::from_raw_parts(self.inline.as_ptr().cast(), self.len) },
        }
    }

    /// Puts a value behind the others.
    #[inline(always)]
    pub(super) fn push(&mut self, value: Value<'r>) {
        match &mut self.many {
            Some(many) => many.push(value),
            None => {
                self.inline[self.len].write(value);
                self.len += 1;
            }
        }
    }

    /// Keeps the first values.
    #[inline(always)]
    pub(super) fn truncate(&mut self, len: usize) {
        match &mut self.many {
            Some(many) => many.truncate(len),
            None => self.len = self.len.min(len),
        }
    }

    /// Takes the last value.
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<Value<'r>> {
        let last = self.all().last().copied()?;
        self.truncate(self.all().len() - 1);
        Some(last)
    }

    /// Changes a value, or puts it behind the others if there is none.
    #[inline(always)]
    pub(super) fn set(&mut self, at: usize, value: Value<'r>) {
        while self.all().len() <= at {
            self.push(value);
        }
        match &mut self.many {
            Some(many) => many[at] = value,
            None => _ = self.inline[at].write(value),
        }
    }
}
