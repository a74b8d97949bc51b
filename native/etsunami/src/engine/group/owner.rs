//! Who frees what, and when: the ends of a word's life.

use super::iter::Members;
use super::small::{Array, Entry};
use super::view::{Dying, View};
use super::{Form, Groups, Member, Word, first};
use crate::reclaim::{self, Guard};

/// Bytes that a member of a large group takes in its structure, for back-pressure.
const MEMBER_BYTES: usize = 40;
/// A group of more members than this is freed by a job of its own on the background thread: a
/// thread that helps to free under pressure must not be handed milliseconds of work.
const FREE_AT_ONCE: usize = 1024;

impl<M: Member> Groups<M> {
    /// Retires what `old` has and `new` has not. To be called once, after `new` took the place of
    /// `old` in the slot. `new` may be [`Word::EMPTY`].
    ///
    /// # Safety
    /// As for [`len`](super::len); `new` was made from `old` by this module, readers that come now
    /// cannot find `old` any more.
    pub unsafe fn superseded(&self, guard: &Guard, old: Word, new: Word) {
        if old == new {
            return;
        }
        if new.is_empty() {
            // SAFETY: by contract.
            return unsafe { self.discard(guard, old) };
        }
        // SAFETY: by contract; a member that `new` has not is unreachable for new readers.
        unsafe {
            match Form::of(old) {
                Form::Empty => {}
                // As a rule another one was appended.
                Form::Bare(object) if first(new) == object => {}
                Form::Bare(object) => retire_missing::<M>(guard, object, new),
                Form::Array(array) => {
                    // An array turns into a view only by growing, so it lost nobody.
                    if !matches!(Form::of(new), Form::View(_)) {
                        retire_missing_entries::<M>(guard, array, new);
                    }
                    retire_array(guard, array);
                }
                Form::View(view) => {
                    let dying = (*view).take_dying().unwrap_or_default();
                    retire_view::<M>(guard, view, dying);
                }
            }
        }
    }

    /// Retires a word with everything in it. To be called once, after its key was removed.
    ///
    /// # Safety
    /// As for [`len`](super::len); readers that come now cannot find the word any more.
    pub unsafe fn discard(&self, guard: &Guard, word: Word) {
        // SAFETY: by contract.
        unsafe {
            match Form::of(word) {
                Form::Empty => {}
                Form::Bare(object) => M::retire(guard, object),
                Form::Array(array) => {
                    Array::items(array).iter().for_each(|entry| M::retire(guard, entry.object));
                    retire_array(guard, array);
                }
                Form::View(view) => {
                    let dying = Dying { group: Some(0), ..Dying::default() };
                    retire_view::<M>(guard, view, dying);
                }
            }
        }
    }

    /// Takes changes back that led from `prev` to `new`: some appends, or one removal. Retires what
    /// `new` has and `prev` has not; `prev` is the key's newest state again.
    ///
    /// # Safety
    /// As for [`Groups::append`]; `new` was made from `prev` by this module under a lock (of the
    /// bucket, or a pending batch) that kept other writers of this key away until now, and readers
    /// that come now cannot find it any more.
    pub unsafe fn rollback(&self, guard: &Guard, prev: Word, new: Word) {
        // SAFETY: by contract.
        unsafe {
            match (Form::of(prev), Form::of(new)) {
                _ if prev == new => {}
                (Form::Empty, _) => self.discard(guard, new),
                (_, Form::Empty) => {}
                (Form::View(prev), Form::View(new)) => self.rollback_view(guard, &*prev, new),
                (_, Form::View(view)) => {
                    // Appends alone lead here, so the new members are those that follow.
                    let dying = Dying { group: Some(end(prev)), ..Dying::default() };
                    retire_view::<M>(guard, view, dying);
                }
                (before, after) => {
                    if let Form::View(view) = before {
                        // The group was left alone when its last members moved to an array.
                        drop((*view).take_dying());
                    } else {
                        Members::of_word(new, end(prev)).for_each(|(_, one)| M::retire(guard, one));
                    }
                    if let Form::Array(array) = after {
                        retire_array(guard, array);
                    }
                }
            }
        }
    }

    unsafe fn rollback_view(&self, guard: &Guard, prev: &View, new: *mut View) {
        // SAFETY: by contract of `rollback`.
        unsafe {
            let mut dying = Dying { parts: (*new).younger(prev.born), ..Dying::default() };
            let from = prev.state.end;
            for (number, object) in Members::of_state((*new).state, from) {
                prev.index().cut(self.member().hash(object), from);
                dying.removed.push((number, object));
            }
            for (number, object) in prev.take_dying().unwrap_or_default().removed {
                prev.index().insert(self.member().hash(object), number);
            }
            retire_view::<M>(guard, new, dying);
        }
    }

    /// Frees a word with everything in it, at once: for the end of an engine.
    ///
    /// # Safety
    /// As for [`len`](super::len); nobody else can reach the word any more.
    pub unsafe fn release(word: Word) {
        // SAFETY: by contract.
        unsafe {
            match Form::of(word) {
                Form::Empty => {}
                Form::Bare(object) => M::free(object),
                Form::Array(array) => {
                    Array::items(array).iter().for_each(|entry| M::free(entry.object));
                    Array::free(array);
                }
                Form::View(view) => {
                    (*view).note_dying(Dying { group: Some(0), ..Dying::default() });
                    View::free::<M>(view);
                }
            }
        }
    }
}

/// The number behind the last member of a small word.
unsafe fn end(word: Word) -> u64 {
    // SAFETY: the callers pass live words.
    unsafe { Members::of_word(word, 0) }.last().map_or(0, |(number, _)| number + 1)
}

/// Retires the objects of an array that a small word has not.
unsafe fn retire_missing_entries<M: Member>(guard: &Guard, array: *mut Array, new: Word) {
    // SAFETY: by contract of `superseded`.
    unsafe {
        let mut entries = Array::items(array);
        if let Form::Array(new) = Form::of(new) {
            // Those before the first one that was removed stand where they stood: all of them, if
            // one was appended.
            let same = |(old, new): &(&Entry, &Entry)| old.object == new.object;
            let stay = entries.iter().zip(Array::items(new)).take_while(same).count();
            entries = &entries[stay..];
        }
        for entry in entries {
            retire_missing::<M>(guard, entry.object, new);
        }
    }
}

/// Retires an object unless a small word has it.
unsafe fn retire_missing<M: Member>(guard: &Guard, object: usize, word: Word) {
    // SAFETY: by contract of `superseded`.
    unsafe {
        if !Members::of_word(word, 0).any(|(_, member)| member == object) {
            M::retire(guard, object);
        }
    }
}

unsafe fn retire_array(guard: &Guard, array: *mut Array) {
    unsafe fn drop_array(array: *mut u8) {
        // SAFETY: retired once, and the grace period is over.
        unsafe { Array::free(array.cast()) }
    }
    // SAFETY: the callers own the array, and it cannot be found any more.
    unsafe {
        let bytes = Array::bytes(Array::items(array).len());
        guard.retire(array.cast(), drop_array, bytes);
    }
}

/// Retires a view, with what dies with it.
unsafe fn retire_view<M: Member>(guard: &Guard, view: *mut View, mut dying: Dying) {
    // SAFETY: the callers own the view and what they say dies with it, and neither can be found
    // any more.
    unsafe {
        for (_, object) in dying.removed.drain(..) {
            M::retire(guard, object);
        }
        let bytes = bytes_of(view, &dying);
        let much = dying.group.is_some() && (*view).state.len() > FREE_AT_ONCE;
        if dying.group.is_some() || !dying.parts.is_empty() {
            (*view).note_dying(dying);
        }
        guard.retire(view.cast(), if much { drop_group::<M> } else { drop_view::<M> }, bytes);
    }
}

unsafe fn drop_view<M: Member>(view: *mut u8) {
    // SAFETY: retired once, and the grace period is over.
    unsafe { View::free::<M>(view.cast()) }
}

unsafe fn drop_group<M: Member>(view: *mut u8) {
    let orphan = Orphan(view.cast());
    // SAFETY: retired once, and the grace period is over.
    reclaim::defer(Box::new(move || unsafe { orphan.free::<M>() }));
}

/// A view that nobody can reach, on its way to the background thread.
struct Orphan(*mut View);

// SAFETY: a view may be freed by any thread: it holds no state of a thread, and neither do
// members ([`Member`] says that `free` is all it takes).
unsafe impl Send for Orphan {}

impl Orphan {
    unsafe fn free<M: Member>(self) {
        // SAFETY: as for `drop_view`.
        unsafe { View::free::<M>(self.0) }
    }
}

/// What a whole group counts at least: as much as makes reclamation begin at once, because what its
/// members hold elsewhere is not known without visiting them all.
const GROUP_BYTES: usize = 256 << 10;

/// Roughly what freeing a view gives back.
unsafe fn bytes_of(view: *mut View, dying: &Dying) -> usize {
    // SAFETY: the callers pass a live view, and what dies with it is alive.
    let (state, parts) =
        unsafe { ((*view).state, dying.parts.iter().map(|part| part.bytes()).sum::<usize>()) };
    let group = match dying.group {
        None => 0,
        Some(0) => (state.len() * MEMBER_BYTES + state.words * 8).max(GROUP_BYTES),
        Some(_) => (state.len() * MEMBER_BYTES).max(GROUP_BYTES),
    };
    size_of::<View>() + parts + group
}
