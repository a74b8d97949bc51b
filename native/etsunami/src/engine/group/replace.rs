//! How a member is replaced in place: it keeps its insertion number.

use super::draft::Draft;
use super::iter::Members;
use super::small::Small;
use super::{Form, Groups, Member, Word, member};

impl<M: Member> Groups<M> {
    /// Replaces the member of a number by another object. `None` if there is none. The caller goes
    /// on as after an append, but cannot take the change back; the old member is retired by
    /// [`Groups::superseded`].
    ///
    /// The index is not asked whether an equal object is a member already: this is for groups that
    /// allow repeats.
    ///
    /// # Safety
    /// As for [`Groups::append`]. The word that is given owns `new`.
    pub unsafe fn replace(&self, current: Word, number: u64, new: usize) -> Option<Word> {
        // SAFETY: by contract.
        let old = unsafe { member(current, number) }?;
        // SAFETY: by contract.
        let Form::View(view) = (unsafe { Form::of(current) }) else {
            let mut small = Small::new();
            // SAFETY: by contract.
            for (at, one) in unsafe { Members::of_word(current, 0) } {
                small.put(at, if at == number { new } else { one });
            }
            return Some(small.into_word());
        };
        // SAFETY: by contract, the view and both objects are alive.
        let (view, words) = unsafe { (&*view, (M::words(old), M::words(new))) };
        // SAFETY: as above.
        let (old_hash, new_hash) = unsafe { (self.member.hash(old), self.member.hash(new)) };
        let mut draft = Draft::of(view);
        draft.replace(number, (old, words.0), (new, words.1));
        draft.index().remove(old_hash, number);
        draft.index().insert(new_hash, number);
        Some(draft.finish(Some(view)).into())
    }
}
