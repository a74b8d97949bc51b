//! Small groups: immutable arrays, copied on each change.

use super::packed::Packed;
use super::view::View;
use super::{GROUP, Word};

/// The most members of an array.
pub(super) const ARRAY_MAX: usize = if cfg!(loom) { 2 } else { 16 };
/// A large group becomes an array again when it has no more members than this.
pub(super) const ARRAY_AGAIN: usize = ARRAY_MAX / 2;

/// A member and its insertion number.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) object: usize,
    pub(super) number: u64,
}

/// A small group, by ascending numbers.
pub(super) type Array = Packed<(), Entry>;

/// The members of a small group on the stack, to be changed.
pub(super) struct Small {
    entries: [Entry; ARRAY_MAX],
    len: usize,
}

impl Small {
    /// No members.
    pub(super) fn new() -> Small {
        Small { entries: [Entry { object: 0, number: 0 }; ARRAY_MAX], len: 0 }
    }

    /// The members.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries[..self.len]
    }

    /// True if no member fits in any more.
    pub(super) fn is_full(&self) -> bool {
        self.len == ARRAY_MAX
    }

    /// The number of the next member. The first one is 0, which is also what a bare object has.
    pub(super) fn end(&self) -> u64 {
        self.entries().last().map_or(0, |last| last.number + 1)
    }

    /// Adds a member with a given number, above all others.
    pub(super) fn put(&mut self, number: u64, object: usize) {
        self.entries[self.len] = Entry { object, number };
        self.len += 1;
    }

    /// The word of these members. One member is stored bare if its number is the one that a bare
    /// object has; otherwise a cursor could miss it or meet it twice.
    pub(super) fn into_word(self) -> Word {
        match self.entries() {
            [] => Word::EMPTY,
            [Entry { object, number: 0 }] => Word(*object),
            entries => array_of(entries.iter().copied()),
        }
    }
}

/// The word of a new array.
#[inline(always)]
pub(super) fn array_of(entries: impl ExactSizeIterator<Item = Entry>) -> Word {
    Word(Array::alloc((), entries) as usize | GROUP)
}

impl From<*mut View> for Word {
    fn from(view: *mut View) -> Word {
        Word(view as usize | GROUP)
    }
}
