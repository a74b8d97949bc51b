//! How groups grow.

use super::draft::Draft;
use super::iter::Members;
use super::small::{ARRAY_MAX, Array, Entry, Small, array_of};
use super::{Append, Form, Groups, Member, Repeats, Word};
use crate::reclaim::Guard;

impl<M: Member> Groups<M> {
    /// Appends an object. The caller holds the key's lock, stores the word, and calls
    /// [`Groups::superseded`]; or [`Groups::rollback`].
    ///
    /// # Safety
    /// As for [`len`](super::len); the caller holds the key's lock, and `current` is the key's
    /// newest state. The object is alive and the caller's; unless it is a duplicate, the word owns
    /// it then.
    #[inline]
    pub unsafe fn append(&self, current: Word, object: usize, repeats: Repeats) -> Append {
        // SAFETY: members and the new object are alive.
        let refused =
            |one: usize| repeats == Repeats::Refuse && unsafe { self.member.same(one, object) };
        // SAFETY: by contract.
        let form = unsafe { Form::of(current) };
        match form {
            Form::Empty => Append::Word(Word(object)),
            Form::Bare(one) if refused(one) => Append::Duplicate,
            Form::Bare(one) => {
                let entries = [Entry { object: one, number: 0 }, Entry { object, number: 1 }];
                Append::Word(array_of(entries.into_iter()))
            }
            Form::Array(array) => {
                // SAFETY: by contract; arrays never change.
                let entries = unsafe { Array::items(array) };
                if entries.iter().any(|entry| refused(entry.object)) {
                    return Append::Duplicate;
                }
                if entries.len() == ARRAY_MAX {
                    // SAFETY: by contract.
                    return unsafe { self.append_general(current, object, Repeats::Allow) };
                }
                let number = entries.last().map_or(0, |last| last.number + 1);
                let more = Entry { object, number };
                let grown = (0..entries.len() + 1).map(|at| *entries.get(at).unwrap_or(&more));
                Append::Word(array_of(grown))
            }
            // SAFETY: by contract.
            Form::View(_) => unsafe { self.append_general(current, object, repeats) },
        }
    }

    #[inline(never)]
    unsafe fn append_general(&self, current: Word, object: usize, repeats: Repeats) -> Append {
        // SAFETY: by contract of `append`.
        let word = unsafe { self.append_many(current, &[object], repeats, |_| ()) };
        if word == current { Append::Duplicate } else { Append::Word(word) }
    }

    /// Appends several objects in order; gives `current` itself if none was taken. `refused` gets
    /// the place of each object that was there already (or stands in the list twice): these still
    /// are the caller's. Bounded work for each object.
    ///
    /// # Safety
    /// As for [`Groups::append`].
    pub unsafe fn append_many(
        &self,
        current: Word,
        objects: &[usize],
        repeats: Repeats,
        mut refused: impl FnMut(usize),
    ) -> Word {
        // SAFETY: by contract.
        let Form::View(view) = (unsafe { Form::of(current) }) else {
            // SAFETY: by contract.
            return unsafe { self.append_small(current, objects, repeats, refused) };
        };
        // SAFETY: by contract.
        let view = unsafe { &*view };
        let mut draft = Draft::of(view);
        // SAFETY: by contract.
        let taken = unsafe { self.extend(&mut draft, objects, repeats, &mut refused) };
        if taken == 0 { current } else { draft.finish(Some(view)).into() }
    }

    /// Appends several objects to `pending`, which was made from `prev` by appends and was not
    /// decided yet; gives the word that takes its place as the pending one, and retires `pending`
    /// if that is another. In the end `superseded(prev, last)` or `rollback(prev, last)` is due.
    ///
    /// # Safety
    /// As for [`Groups::append`], with `prev` as the key's newest state; no reader reads members of
    /// `pending` (except its [`first`](super::first)), and none will that finds the slot as it is
    /// now.
    pub unsafe fn append_more(
        &self,
        guard: &Guard,
        prev: Word,
        pending: Word,
        objects: &[usize],
        repeats: Repeats,
        mut refused: impl FnMut(usize),
    ) -> Word {
        // SAFETY: by contract. Arrays share nothing, so of a small word `superseded` retires the
        // array alone. Of a view only the struct is retired: what it leads to lives on in the next
        // one, was its own and is freed, or is noted to die with `prev`.
        unsafe {
            let Form::View(view) = Form::of(pending) else {
                let word = self.append_small(pending, objects, repeats, refused);
                if pending != prev {
                    self.superseded(guard, pending, word);
                }
                return word;
            };
            if pending == prev {
                return self.append_many(prev, objects, repeats, refused);
            }
            let mut draft = Draft::again(&*view);
            if self.extend(&mut draft, objects, repeats, &mut refused) == 0 {
                return pending;
            }
            let before = match Form::of(prev) {
                Form::View(before) => Some(&*before),
                _ => None,
            };
            let word = draft.finish(before).into();
            self.superseded(guard, pending, word);
            word
        }
    }

    unsafe fn append_small(
        &self,
        current: Word,
        objects: &[usize],
        repeats: Repeats,
        mut refused: impl FnMut(usize),
    ) -> Word {
        let (mut small, mut taken) = (Small::new(), 0);
        // SAFETY: by contract of `append_many`; an array fits.
        unsafe { Members::of_word(current, 0) }.for_each(|(number, one)| small.put(number, one));
        for (place, &object) in objects.iter().enumerate() {
            // SAFETY: members and the new object are alive.
            let same = |entry: &Entry| unsafe { self.member.same(entry.object, object) };
            if repeats == Repeats::Refuse && small.entries().iter().any(same) {
                refused(place);
            } else if small.is_full() {
                let mut draft = self.spill(&small);
                let mut refused = |rest: usize| refused(place + rest);
                // SAFETY: by contract of `append_many`.
                unsafe { self.extend(&mut draft, &objects[place..], repeats, &mut refused) };
                return draft.finish(None).into();
            } else {
                small.put(small.end(), object);
                taken += 1;
            }
        }
        if taken == 0 { current } else { small.into_word() }
    }

    /// A large group with the members of an array.
    fn spill(&self, small: &Small) -> Draft {
        let mut draft = Draft::new(small.entries().first().map_or(0, |entry| entry.number));
        for entry in small.entries() {
            // SAFETY: members are alive with their word.
            unsafe { self.push(&mut draft, entry.number, entry.object, None) };
        }
        draft
    }

    /// Appends to a draft; gives how many were taken.
    unsafe fn extend(
        &self,
        draft: &mut Draft,
        objects: &[usize],
        repeats: Repeats,
        refused: &mut dyn FnMut(usize),
    ) -> usize {
        let mut taken = 0;
        for (place, &object) in objects.iter().enumerate() {
            // SAFETY: by contract of `append_many` the objects are alive.
            let hash = unsafe { self.member.hash(object) };
            let known = repeats == Repeats::Refuse
                && draft.index().find(hash, |n| self.is_same(draft.get(n), object)).is_some();
            if known {
                refused(place);
            } else {
                // SAFETY: as above.
                unsafe { self.push(draft, draft.state.end, object, Some(hash)) };
                taken += 1;
            }
        }
        taken
    }

    unsafe fn push(&self, draft: &mut Draft, number: u64, object: usize, hash: Option<u64>) {
        // SAFETY: the callers pass live objects.
        unsafe {
            let hash = hash.unwrap_or_else(|| self.member.hash(object));
            draft.index().insert(hash, number);
            draft.push(number, object, M::words(object));
        }
    }
}
