//! Large groups: a view is one state of the group, complete and immutable.
//!
//! A view refers to a [`trie`](super::trie) of full blocks and to the *tail*, the dense block of
//! the youngest numbers. An append fills the next slot of the tail, which no older view calls a
//! member, and makes a new view whose bitmap has the slot's bit. A removal clears a bit, in the
//! tail's bitmap or in a copy of the path to its block. The index is shared by all views of a
//! group and always describes the newest one.

use super::Member;
use super::block::{Leaf, key_of, slot_of};
use super::edit::{Born, Part};
use super::index::Index;
use super::iter::Members;
use super::trie::Root;
use crate::sync::{AtomicPtr, Mutex, MutexGuard, Ordering};
use std::sync::PoisonError;

/// What the first word of a view holds: an array holds its length there, which is never 0.
pub(super) const FORM: u32 = 0;

/// What all views of one group share: the writers' index.
///
/// The mutex is never contended, since only the holder of the key's lock comes here; it states
/// that to the compiler and to loom.
pub(super) struct Shared(Mutex<Index>);

impl Shared {
    /// An empty index.
    pub(super) fn alloc() -> *mut Shared {
        Box::into_raw(Box::new(Shared(Mutex::new(Index::new()))))
    }

    /// The index, which describes the newest view.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        // An index that a panic left behind is whole: its steps do not call foreign code.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The members of a view. Plain words: copying them does not copy the structure.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) root: Root,
    pub(super) tail: Leaf,
    /// The number of the next member. The tail is the block of the number before it.
    pub(super) end: u64,
    /// The memory words of the members.
    pub(super) words: usize,
    /// The oldest member.
    pub(super) first: usize,
}

impl State {
    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.root.members() + self.tail.live.count_ones() as usize
    }

    /// The key of the tail.
    pub(super) fn tail_key(&self) -> u64 {
        key_of(self.end - 1)
    }

    /// The member of a number.
    ///
    /// # Safety
    /// The structure is alive: its view was loaded under a live guard, or is the current one of a
    /// caller that holds the key's lock. (So for all functions here.)
    pub(super) unsafe fn get(&self, number: u64) -> Option<usize> {
        let (key, slot) = (key_of(number), slot_of(number));
        // SAFETY: by contract.
        let leaf = if key == self.tail_key() { self.tail } else { unsafe { self.root.get(key) }? };
        // SAFETY: by contract; the slot is a member.
        (leaf.live & 1 << slot != 0).then(|| unsafe { leaf.object(slot) })
    }

    /// The first block with members whose key is not below `key`.
    ///
    /// # Safety
    /// As for [`State::get`].
    pub(super) unsafe fn ceil(&self, key: u64) -> Option<(u64, Leaf)> {
        // SAFETY: by contract.
        let found = unsafe { self.root.ceil(key) };
        let tail = self.tail_key();
        found.or_else(|| (key <= tail && self.tail.live != 0).then_some((tail, self.tail)))
    }
}

/// What dies with a view, because its successor does not have it.
#[derive(Default)]
pub(super) struct Dying {
    /// Pieces of structure.
    pub(super) parts: Vec<Part>,
    /// Members that were removed, with their numbers.
    pub(super) removed: Vec<(u64, usize)>,
    /// The whole group, its index too, and the members from this number on.
    pub(super) group: Option<u64>,
}

/// One state of a large group.
#[repr(C)]
pub(super) struct View {
    form: u32,
    pub(super) state: State,
    /// How many changes the group had.
    pub(super) born: Born,
    shared: *mut Shared,
    /// Written under the key's lock by the changes that lead to the next view; taken by whoever
    /// retires this one, or takes those back.
    dying: AtomicPtr<Dying>,
}

impl View {
    /// A view on the heap.
    pub(super) fn alloc(state: State, born: Born, shared: *mut Shared) -> *mut View {
        let dying = AtomicPtr::new(std::ptr::null_mut());
        Box::into_raw(Box::new(View { form: FORM, state, born, shared, dying }))
    }

    /// What the views of this group share.
    pub(super) fn shared(&self) -> *mut Shared {
        self.shared
    }

    /// The index, which describes this view if it is the newest.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        // SAFETY: the group outlives its views.
        unsafe { &*self.shared }.index()
    }

    /// The member of a number.
    pub(super) fn get(&self, number: u64) -> Option<usize> {
        // SAFETY: whoever has a reference to the view keeps its structure alive.
        unsafe { self.state.get(number) }
    }

    /// Notes what dies with this view, beside what was noted before. The caller holds the key's
    /// lock, or retires the view.
    pub(super) fn note_dying(&self, mut dying: Dying) {
        if let Some(before) = self.take_dying() {
            dying.parts.extend(before.parts);
            dying.removed.extend(before.removed);
        }
        // Relaxed, here and below: the lock, or the hand-over of the retired view, orders them.
        self.dying.store(Box::into_raw(Box::new(dying)), Ordering::Relaxed);
    }

    /// Takes what was noted.
    pub(super) fn take_dying(&self) -> Option<Dying> {
        let old = self.dying.swap(std::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: from `note_dying`, and the swap gives it to one caller only.
        (!old.is_null()).then(|| *unsafe { Box::from_raw(old) })
    }

    /// Everything that was made after generation `since`.
    pub(super) fn younger(&self, since: Born) -> Vec<Part> {
        let mut parts = Vec::new();
        // SAFETY: whoever has a reference to the view keeps its structure alive.
        unsafe {
            self.state.root.younger(since, &mut parts);
            if self.state.tail.born() > since {
                parts.push(Part::Block(self.state.tail.block));
            }
        }
        parts
    }

    /// Frees a view and what was noted to die with it; `removed` members are not touched, they are
    /// retired one by one.
    ///
    /// # Safety
    /// `view` is from [`View::alloc`], nobody can reach it any more, it was not freed before.
    pub(super) unsafe fn free<M: Member>(view: *mut View) {
        // SAFETY: by contract, the view is alive and ours alone; so is what dies with it.
        unsafe {
            let dying = (*view).take_dying().unwrap_or_default();
            for part in dying.parts {
                part.free();
            }
            if let Some(from) = dying.group {
                Members::of_state((*view).state, from).for_each(|(_, object)| M::free(object));
                (*view).state.root.free();
                Part::Block((*view).state.tail.block).free();
                drop(Box::from_raw((*view).shared));
            }
            drop(Box::from_raw(view));
        }
    }
}
