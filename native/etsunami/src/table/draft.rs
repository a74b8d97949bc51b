//! An encoded object before it is stored.

use crate::error::Error;
use crate::term::{ObjectPtr, Term, layout};

/// The words of a tuple: its element roots, then their blocks (what `term::Buffer` holds after
/// encoding an object). A draft that has foreign blocks owns their keepers; make it an object at
/// once, also to throw it away.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// Element roots, then blocks.
    pub words: &'a [u64],
    /// The number of elements.
    pub arity: usize,
    /// True if a foreign block is among them.
    pub foreign: bool,
}

impl<'a> Draft<'a> {
    /// An element, 0-based.
    #[inline(always)]
    pub fn element(&self, index: usize) -> Term<'a> {
        Term::from_words(&self.words[index..])
    }

    /// The root word of the other element, if this is a pair of two immediates.
    #[inline(always)]
    pub(crate) fn flat_pair(&self, keypos: usize) -> Option<(u64, u64)> {
        let &[a, b] = self.words else { return None };
        let flat = self.arity == 2 && layout::is_immediate(a) && layout::is_immediate(b);
        flat.then_some(if keypos == 1 { (a, b) } else { (b, a) })
    }

    /// Allocates the object.
    #[inline]
    pub(crate) fn allocate(&self, hash: u64) -> Result<ObjectPtr, Error> {
        ObjectPtr::allocate(hash, self.words, self.arity, self.foreign)
            .map_err(|_| Error::SystemLimit)
    }
}
