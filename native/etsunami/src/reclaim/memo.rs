//! What a thread notes for itself from guard to guard.

use std::cell::Cell;

/// Words that whoever holds a guard may leave for those who pin this thread later. Zeros at first; a
/// thread that takes over the slot of another one finds what that has left. Nothing here looks at
/// them.
///
/// Its one user is the finger of `engine::ca_tree`.
#[derive(Debug, Default)]
pub struct Memo([Cell<u64>; 6]);

impl Memo {
    /// The word at this place.
    #[inline(always)]
    pub fn get(&self, place: usize) -> u64 {
        self.0[place].get()
    }

    /// Notes a word at this place.
    #[inline(always)]
    pub fn set(&self, place: usize, word: u64) {
        self.0[place].set(word);
    }
}
