//! How groups shrink.

use super::block::{key_of, slot_of};
use super::draft::Draft;
use super::iter::Members;
use super::small::{ARRAY_AGAIN, Small};
use super::view::{Dying, View};
use super::{Form, Groups, Member, Removed, Word, len};

impl<M: Member> Groups<M> {
    /// Removes all members that are equal to the probe. The caller goes on as after an append; the
    /// removed members are retired by [`Groups::superseded`].
    ///
    /// # Safety
    /// As for [`Groups::append`]; the probe is alive.
    pub unsafe fn remove_equal(&self, current: Word, probe: usize) -> Removed {
        // SAFETY: by contract.
        unsafe {
            let numbers: Vec<u64> = match Form::of(current) {
                Form::View(view) => {
                    let (view, hash) = (&*view, self.member.hash(probe));
                    view.index().find_all(hash, |n| self.is_same(view.get(n), probe))
                }
                _ => Members::of_word(current, 0)
                    .filter(|&(_, one)| self.member.same(one, probe))
                    .map(|(number, _)| number)
                    .collect(),
            };
            self.remove_numbers(current, &numbers)
        }
    }

    /// Removes the members that have these insertion numbers (ascending).
    ///
    /// # Safety
    /// As for [`Groups::append`]; the numbers were read from `current`, under the same lock.
    pub unsafe fn remove_numbers(&self, current: Word, numbers: &[u64]) -> Removed {
        // SAFETY: by contract.
        let (before, form) = unsafe { (len(current), Form::of(current)) };
        if numbers.is_empty() {
            return Removed::Unchanged;
        }
        let left = before - numbers.len();
        let word = match form {
            _ if left == 0 => Word::EMPTY,
            Form::View(view) if left > ARRAY_AGAIN => {
                // SAFETY: by contract.
                unsafe { self.remove_large(&*view, numbers) }
            }
            // SAFETY: by contract.
            _ => unsafe { remove_small(current, numbers) },
        };
        Removed::Word { word, objects: numbers.len() }
    }

    /// Removes members block by block: each block's path is copied once.
    unsafe fn remove_large(&self, view: &View, numbers: &[u64]) -> Word {
        let mut draft = Draft::of(view);
        let mut hashes = Vec::with_capacity(numbers.len());
        for block in numbers.chunk_by(|&a, &b| key_of(a) == key_of(b)) {
            let slots = block.iter().fold(0, |slots, &number| slots | 1 << slot_of(number));
            draft.remove(key_of(block[0]), slots, |number, object| {
                // SAFETY: by contract of `remove_numbers`, members are alive.
                unsafe {
                    hashes.push((self.member.hash(object), number));
                    M::words(object)
                }
            });
        }
        draft.index().remove_all(&mut hashes);
        draft.finish(Some(view)).into()
    }
}

/// Removes members where an array is enough for what is left. The structure of a large group stays
/// as it is, so that a rollback finds it.
unsafe fn remove_small(current: Word, numbers: &[u64]) -> Word {
    let (mut small, mut removed) = (Small::new(), Vec::new());
    // SAFETY: by contract of `remove_numbers`.
    for (number, object) in unsafe { Members::of_word(current, 0) } {
        match numbers.binary_search(&number) {
            Ok(_) => removed.push((number, object)),
            Err(_) => small.put(number, object),
        }
    }
    let word = small.into_word();
    // SAFETY: as above.
    if let Form::View(view) = unsafe { Form::of(current) }
        && !word.is_empty()
    {
        let dying = Dying { parts: Vec::new(), removed, group: Some(u64::MAX) };
        // SAFETY: as above; the view is alive.
        unsafe { &*view }.note_dying(dying);
    }
    word
}
