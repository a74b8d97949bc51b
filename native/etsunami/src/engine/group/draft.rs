//! The next view of a large group, in the making.

use super::block::{self, Leaf, key_of, slot_of};
use super::edit::Edit;
use super::index::Index;
use super::iter::Members;
use super::trie::Root;
use super::view::{Dying, Shared, State, View};
use crate::sync::MutexGuard;
use crate::sync::weaken::{Weak, weakened};

/// A view in the making. The one who makes it holds the key's lock until it is stored or rolled
/// back, so a group has one draft at a time.
pub(super) struct Draft {
    pub(super) state: State,
    edit: Edit,
    shared: *mut Shared,
    removed: Vec<(u64, usize)>,
}

impl Draft {
    /// A new group, whose first member will have this number.
    pub(super) fn new(number: u64) -> Draft {
        let edit = Edit::new(0);
        let tail = Leaf { block: block::dense(edit.born), live: 0 };
        // The end is where it belongs after the first `push`, so that the tail is its block.
        let state = State { root: Root::EMPTY, tail, end: number + 1, words: 0, first: 0 };
        Draft { state, edit, shared: Shared::alloc(), removed: Vec::new() }
    }

    /// The successor of a view.
    pub(super) fn of(view: &View) -> Draft {
        let edit = Edit::new(view.born + 1);
        Draft { state: view.state, edit, shared: view.shared(), removed: Vec::new() }
    }

    /// A view that no reader was led to yet, to be changed once more: what was made for it alone
    /// is changed in place.
    pub(super) fn again(view: &View) -> Draft {
        Draft { edit: Edit::new(view.born), ..Draft::of(view) }
    }

    /// The group's index.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        // SAFETY: the group is alive while a draft of it is made.
        unsafe { &*self.shared }.index()
    }

    /// The member of a number.
    pub(super) fn get(&self, number: u64) -> Option<usize> {
        // SAFETY: the draft's maker holds the key's lock, and this is its current structure.
        unsafe { self.state.get(number) }
    }

    /// Appends a member; its number is above all others.
    pub(super) fn push(&mut self, number: u64, object: usize, words: usize) {
        if key_of(number) != self.state.tail_key() {
            self.seal();
        }
        let slot = slot_of(number);
        // SAFETY: the tail is dense; numbers grow, so no view calls this slot a member; the
        // draft's maker holds the key's lock.
        unsafe { self.state.tail.fill(slot, object) };
        self.state.tail.live |= 1 << slot;
        self.state.end = number + 1;
        self.state.words += words;
        if self.state.first == 0 {
            self.state.first = object;
        }
    }

    /// Moves the tail into the trie and begins a new one.
    fn seal(&mut self) {
        let key = self.state.tail_key();
        let fresh = Leaf { block: block::dense(self.edit.born), live: 0 };
        let tail = std::mem::replace(&mut self.state.tail, fresh);
        // SAFETY: the tail belongs to this structure, and the draft's maker holds the key's lock.
        unsafe {
            if let Some(leaf) = self.settled(tail) {
                self.state.root.put(&mut self.edit, key, Some(leaf));
            }
        }
    }

    /// The form in which a block stays: as it is, packed, or (without members) not at all.
    unsafe fn settled(&mut self, leaf: Leaf) -> Option<Leaf> {
        // SAFETY: the callers pass blocks of this structure, which are alive.
        unsafe {
            if leaf.live != 0 && !leaf.is_sparse() {
                return Some(leaf);
            }
            let packed = (leaf.live != 0).then(|| leaf.packed_copy(self.edit.born, None));
            self.edit.drop_block(leaf);
            packed
        }
    }

    /// Removes the members of a block that stand in these slots. `words` is told each of them, with
    /// its number, and gives its memory words.
    pub(super) fn remove(
        &mut self,
        key: u64,
        slots: u64,
        mut words: impl FnMut(u64, usize) -> usize,
    ) {
        let in_tail = key == self.state.tail_key();
        let in_trie = || {
            // SAFETY: the draft's maker holds the key's lock, and the trie is its current one.
            unsafe { self.state.root.get(key) }
        };
        let found = if in_tail { Some(self.state.tail) } else { in_trie() };
        let Some(leaf) = found else { return };
        for slot in block::bits(leaf.live & slots) {
            // SAFETY: as above; the slot is a member.
            let (number, object) =
                (block::first_number(key) + u64::from(slot), unsafe { leaf.object(slot) });
            self.state.words -= words(number, object);
            self.removed.push((number, object));
            if self.state.first == object {
                self.state.first = 0;
            }
            if in_tail && weakened(Weak::GroupSlot) {
                // SAFETY: none: an older view still calls the slot a member. The model must fail.
                unsafe { self.state.tail.fill(slot, 0) };
            }
        }
        if in_tail {
            self.state.tail.live &= !slots;
            return;
        }
        // SAFETY: as above.
        unsafe {
            let leaf = self.settled(Leaf { live: leaf.live & !slots, ..leaf });
            self.state.root.put(&mut self.edit, key, leaf);
        }
    }

    /// Replaces a member; both come with their memory words.
    pub(super) fn replace(&mut self, number: u64, old: (usize, usize), new: (usize, usize)) {
        let (key, slot, born) = (key_of(number), slot_of(number), self.edit.born);
        // SAFETY: the draft's maker holds the key's lock, and this is its current structure, which
        // no longer leads to the block that was copied.
        unsafe {
            if key == self.state.tail_key() {
                let copy = self.state.tail.dense_copy(born, slot, new.0);
                let tail = std::mem::replace(&mut self.state.tail, copy);
                self.edit.drop_block(tail);
            } else {
                let Some(leaf) = self.state.root.get(key) else { return };
                let copy = leaf.packed_copy(born, Some((slot, new.0)));
                self.state.root.put(&mut self.edit, key, Some(copy));
                self.edit.drop_block(leaf);
            }
        }
        self.state.words = self.state.words - old.1 + new.1;
        self.removed.push((number, old.0));
        if self.state.first == old.0 {
            self.state.first = new.0;
        }
    }

    /// Completes the view, and notes in its predecessor what dies with that.
    pub(super) fn finish(mut self, old: Option<&View>) -> *mut View {
        if self.state.first == 0 {
            // SAFETY: the draft's maker holds the key's lock, and this is its current structure.
            let oldest = unsafe { Members::of_state(self.state, 0) }.next();
            self.state.first = oldest.map_or(0, |(_, object)| object);
        }
        let (parts, removed) = (self.edit.replaced, self.removed);
        if let Some(old) = old
            && (!parts.is_empty() || !removed.is_empty())
        {
            old.note_dying(Dying { parts, removed, group: None });
        }
        View::alloc(self.state, self.edit.born, self.shared)
    }
}
