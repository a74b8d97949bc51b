//! The members of a word, in insertion order.

use std::marker::PhantomData;

use super::block::{Leaf, first_number, key_of, slot_of};
use super::small::{Array, Entry};
use super::view::State;
use super::{Form, Word};

/// An iterator over the members of a word, with their insertion numbers.
///
/// All of them are of one state of the group, whatever writers do meanwhile.
pub struct Members<'g> {
    source: Source<'g>,
    guard: PhantomData<&'g ()>,
}

enum Source<'g> {
    Small(Option<usize>, std::slice::Iter<'g, Entry>),
    Large(Walk),
}

/// Where an iterator stands in a large group.
struct Walk {
    state: State,
    /// The block under the iterator; its `live` holds the members that are still to come.
    leaf: Leaf,
    key: u64,
}

impl Members<'_> {
    /// The members of a word from a number on.
    ///
    /// # Safety
    /// The word stays alive as long as the iterator.
    pub(super) unsafe fn of_word(word: Word, from: u64) -> Self {
        // SAFETY: by contract.
        let source = match unsafe { Form::of(word) } {
            Form::Empty => Source::Small(None, [].iter()),
            Form::Bare(object) => Source::Small((from == 0).then_some(object), [].iter()),
            Form::Array(array) => {
                // SAFETY: by contract; arrays never change.
                let entries = unsafe { Array::items(array) };
                let skip = entries.partition_point(|entry| entry.number < from);
                Source::Small(None, entries[skip..].iter())
            }
            // SAFETY: by contract.
            Form::View(view) => return unsafe { Self::of_state((*view).state, from) },
        };
        Members { source, guard: PhantomData }
    }

    /// The members of a large group from a number on.
    ///
    /// # Safety
    /// The structure stays alive as long as the iterator.
    pub(super) unsafe fn of_state(state: State, from: u64) -> Self {
        let key = key_of(from);
        // SAFETY: by contract.
        let walk = match unsafe { state.ceil(key) } {
            Some((at, leaf)) if at == key => {
                let leaf = Leaf { live: leaf.live & (u64::MAX << slot_of(from)), ..leaf };
                Walk { state, leaf, key: at }
            }
            Some((key, leaf)) => Walk { state, leaf, key },
            None => Walk { state, leaf: Leaf { live: 0, ..state.tail }, key: u64::MAX - 1 },
        };
        Members { source: Source::Large(walk), guard: PhantomData }
    }
}

impl Walk {
    fn next(&mut self) -> Option<(u64, usize)> {
        while self.leaf.live == 0 {
            // SAFETY: the maker of the iterator keeps the structure alive.
            (self.key, self.leaf) = unsafe { self.state.ceil(self.key + 1) }?;
        }
        let slot = self.leaf.live.trailing_zeros();
        self.leaf.live &= self.leaf.live - 1;
        // SAFETY: the block is alive for the same reason, and the slot is a member.
        Some((first_number(self.key) + u64::from(slot), unsafe { self.leaf.object(slot) }))
    }
}

impl Iterator for Members<'_> {
    type Item = (u64, usize);

    #[inline]
    fn next(&mut self) -> Option<(u64, usize)> {
        match &mut self.source {
            Source::Small(bare, entries) => match bare.take() {
                Some(object) => Some((0, object)),
                None => entries.next().map(|entry| (entry.number, entry.object)),
            },
            Source::Large(walk) => walk.next(),
        }
    }
}
