//! `safe_fixtable`: what is remembered of deleted keys while a table is fixed.
//!
//! The scans of this library need no fixation. ETS's `next/2` does: it must find its place at a
//! key that was deleted since the table was fixed, and must refuse a key that was never there. So,
//! while a hash table is fixed, deleting a key leaves a ghost in its slot (the key alone), and
//! clearing keeps the old generation, to know its keys. The last unfix removes both. In ordered
//! tables every key has a place, present or not, and nothing is remembered.

use std::time::SystemTime;

use crate::engine::Word;
use crate::reclaim::{self, Guard, retire_reference};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering};
use crate::term::layout::immediate;
use crate::term::object::{ObjectPtr, Replacement};
use crate::term::probe::OwnedKey;

use super::generation::Generation;
use super::keys::{GHOST, Key, Keys};
use super::write::HELP_BUDGET;
use super::{Table, list};

/// A process that fixed the table, and how often. The process is an opaque word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fixer {
    /// The word that the boundary gave.
    pub process: u64,
    /// How many times it fixed and did not unfix the table.
    pub count: usize,
}

#[derive(Default)]
pub(crate) struct Fixation {
    /// The sum of all counts: lets deletes see without the lock that there is nothing to do.
    fixed: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    fixers: Vec<Fixer>,
    since: Option<(SystemTime, i64)>,
    /// Tells this fixation's ghosts from those of an earlier one that are still being removed.
    number: u64,
    ghosts: Vec<Grave>,
    cleared: Vec<Arc<Generation>>,
}

impl Inner {
    /// Leaves the cleared generations to reclamation: they may be large.
    fn give_up_cleared(&mut self, guard: &Guard) {
        self.cleared.drain(..).for_each(|generation| retire_reference(guard, generation));
    }

    /// Removes the ghosts, where no object took their place; those under an undecided list insert
    /// stay noted. The insert may fail, and bring them back.
    fn remove_ghosts(&mut self, guard: &Guard, generation: &Generation) {
        let stamp = stamp(self.number);
        self.ghosts.retain(|grave| generation.remove_ghost(guard, grave.key(), stamp).is_err());
    }

    /// Removes the ghosts, helping the list inserts that stand in the way.
    fn remove_all_ghosts(&mut self, generation: &Generation) {
        let stamp = stamp(self.number);
        for grave in self.ghosts.drain(..) {
            let guard = reclaim::pin();
            while let Err(undecided) = generation.remove_ghost(&guard, grave.key(), stamp) {
                list::help(&guard, undecided.0, &mut HELP_BUDGET.clone());
            }
        }
    }
}

/// Where a ghost stands: a copy of its key, and the key's digest.
struct Grave {
    key: OwnedKey,
    digest: u64,
}

impl Grave {
    fn key(&self) -> Key<'_> {
        Key { term: self.key.term(), digest: self.digest }
    }
}

/// When a table was fixed first, and by whom it is fixed now.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Wall clock time of the first fixation.
    pub since: SystemTime,
    /// The same moment on the clock of whoever fixed it.
    pub monotonic: i64,
    /// The processes.
    pub fixers: Vec<Fixer>,
}

impl Fixation {
    /// True while at least one process has the table fixed.
    #[inline(always)]
    pub(crate) fn is_fixed(&self) -> bool {
        // Acquire: pairs with the addition in `fix`; a delete that begins after `fix` returned
        // sees it by the order of the caller's own messages, others may go either way.
        self.fixed.load(Ordering::Acquire) != 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic cannot happen while it is held; and the data would still be whole.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A ghost object for the key of a word that is being removed, noted for removal. `None` if the
    /// table is not fixed any more, or if memory is exhausted: then `next` will refuse the key. Under
    /// the key's lock.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_ghost(&self, keys: &Keys, word: Word, digest: u64) -> Option<Word> {
        // The stored key, not the caller's: that one may borrow a term of a process.
        // SAFETY: the lock keeps the word.
        let key = Key { term: unsafe { keys.key_of(word) }, digest };
        let mut inner = self.lock();
        if inner.fixers.is_empty() {
            return None;
        }
        let word = Word(ghost(key, stamp(inner.number))?.addr() | GHOST);
        inner.ghosts.push(Grave { key: OwnedKey::new(key.term), digest: key.digest });
        Some(word)
    }

    /// How many objects are kept for the sake of traversals: those deleted since the table was
    /// fixed.
    pub(crate) fn kept_objects(&self) -> u64 {
        let inner = self.lock();
        let cleared = inner.cleared.iter().map(|generation| generation.counters().objects());
        inner.ghosts.len() as u64 + cleared.sum::<u64>()
    }

    /// Clears, and keeps the old generation while fixed. Under the lock, so that `was_cleared`
    /// finds a key that has just gone from the current generation.
    pub(crate) fn remember_cleared(
        &self,
        guard: &Guard,
        clear: impl FnOnce() -> Option<Arc<Generation>>,
    ) {
        let mut inner = self.lock();
        let Some(old) = clear() else { return };
        if inner.fixers.is_empty() {
            retire_reference(guard, old);
        } else {
            inner.cleared.push(old);
        }
    }

    /// Forgets everything: the table is gone.
    pub(crate) fn forget(&self, guard: &Guard) {
        let mut inner = self.lock();
        // Release: pairs with `is_fixed`.
        self.fixed.store(0, Ordering::Release);
        let mut gone = std::mem::take(&mut *inner);
        drop(inner);
        gone.give_up_cleared(guard);
    }
}

impl Table {
    /// Fixes the table for a process, which says what its monotonic clock shows. Gives true if it
    /// had not fixed it before.
    pub fn fix(&self, process: u64, now: i64) -> bool {
        let mut inner = self.fixation.lock();
        inner.since.get_or_insert_with(|| (SystemTime::now(), now));
        // Release: pairs with `is_fixed`.
        self.fixation.fixed.fetch_add(1, Ordering::Release);
        match inner.fixers.iter_mut().find(|fixer| fixer.process == process) {
            Some(fixer) => {
                fixer.count += 1;
                false
            }
            None => {
                inner.fixers.push(Fixer { process, count: 1 });
                true
            }
        }
    }

    /// Takes one fixation of a process back. Gives true if it was its last.
    pub fn unfix(&self, guard: &Guard, process: u64) -> bool {
        self.release_fixer(guard, process, |count| count - 1)
    }

    /// Takes all fixations of a process back: it died.
    pub fn unfix_all(&self, guard: &Guard, process: u64) -> bool {
        self.release_fixer(guard, process, |_| 0)
    }

    fn release_fixer(
        &self,
        guard: &Guard,
        process: u64,
        remaining: impl FnOnce(usize) -> usize,
    ) -> bool {
        let mut inner = self.fixation.lock();
        let Some(at) = inner.fixers.iter().position(|fixer| fixer.process == process) else {
            return false;
        };
        let fixer = &mut inner.fixers[at];
        let left = remaining(fixer.count);
        // Release: pairs with `is_fixed`.
        self.fixation.fixed.fetch_sub(fixer.count - left, Ordering::Release);
        fixer.count = left;
        if left > 0 {
            return false;
        }
        inner.fixers.swap_remove(at);
        if inner.fixers.is_empty() {
            let next = Inner { number: inner.number + 1, ..Inner::default() };
            let ended = std::mem::replace(&mut *inner, next);
            drop(inner);
            self.bury(guard, ended);
        }
        true
    }

    /// Removes what a fixation left behind, outside its lock; what may take long in the background.
    fn bury(&self, guard: &Guard, mut ended: Inner) {
        ended.give_up_cleared(guard);
        let Ok(generation) = self.generation(guard) else { return };
        if ended.ghosts.len() <= BURY_AT_ONCE {
            ended.remove_ghosts(guard, generation);
        }
        if !ended.ghosts.is_empty() {
            let Ok(generation) = self.share_generation(guard) else { return };
            reclaim::defer(Box::new(move || ended.remove_all_ghosts(&generation)));
        }
    }

    /// Who has the table fixed; `None` if nobody.
    pub fn fixed(&self) -> Option<Fixed> {
        let inner = self.fixation.lock();
        let (since, monotonic) = inner.since?;
        Some(Fixed { since, monotonic, fixers: inner.fixers.clone() })
    }

    /// True if the table is fixed.
    pub fn is_fixed(&self) -> bool {
        self.fixation.is_fixed()
    }

    /// True if ghosts with this stamp are those of the present fixation.
    pub(crate) fn remembers(&self, ghost: u64) -> bool {
        let inner = self.fixation.lock();
        !inner.fixers.is_empty() && stamp(inner.number) == ghost
    }

    /// True if a key was in a generation that was cleared since the table was fixed.
    pub(crate) fn was_cleared(&self, guard: &Guard, key: Key<'_>) -> bool {
        let inner = self.fixation.lock();
        inner.cleared.iter().any(|generation| generation.raw(guard, key).is_some())
    }
}

/// The most ghosts that the last unfix removes itself.
const BURY_AT_ONCE: usize = 512;

/// The word in a ghost that tells its fixation.
fn stamp(number: u64) -> u64 {
    immediate::small((number & 0xffff_ffff) as i64).unwrap_or(immediate::NIL)
}

/// The pair of a stamp and a key, as an object that owns its own copy of the key.
fn ghost(key: Key<'_>, stamp: u64) -> Option<ObjectPtr> {
    let seat = [stamp, immediate::NIL];
    // SAFETY: two immediates.
    let empty = unsafe { ObjectPtr::new(key.digest, 2, &seat) }.ok()?;
    // SAFETY: `empty` is ours alone; the key lives during the call.
    let ghost = unsafe { empty.clone_with([Replacement { at: 1, term: key.term }]) };
    // SAFETY: it was never shared.
    unsafe { empty.free() };
    ghost.ok()
}
