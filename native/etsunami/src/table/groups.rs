//! Who owns what behind a slot word, and when it is freed.
//!
//! In `set` and `ordered_set` a word is one object. In bags it is a group (see
//! [`crate::engine::group`]), of which a bare object is the smallest form. This file is where the
//! rest of the table does not need to know the difference.

use crate::engine::batch::{self, Settled};
use crate::engine::group::{self, Append, Groups, Member, Removed, Repeats};
use crate::engine::{Change, Delta, Word};
use crate::reclaim::Guard;
use crate::term::object::{Object, ObjectPtr, equal_objects, hash_elements, hash_object};

use super::Draft;
use super::generation::Step;
use super::keys::{GHOST, Held, held, object, word_of};
use super::options::Kind;

/// The fixed share of an object in `info(memory)`: its slot, and what the allocator rounds up.
const OBJECT_SHARE: i64 = 3;

/// What an object counts in `info(memory)`, in words.
#[inline(always)]
pub(crate) fn object_words(object: ObjectPtr) -> i64 {
    object.words() as i64 + OBJECT_SHARE
}

/// Objects as members of groups.
struct Objects {
    seed: u64,
}

// SAFETY: `hash_object` and `equal_objects` agree; objects of a bag never change once stored, so
// both are pure. `free` frees one object, `retire` has it freed once.
unsafe impl Member for Objects {
    unsafe fn hash(&self, object: usize) -> u64 {
        // SAFETY: a live object, by contract.
        unsafe { hash_object(ObjectPtr::from_addr(object), self.seed) }
    }

    unsafe fn same(&self, a: usize, b: usize) -> bool {
        // SAFETY: live objects, by contract.
        unsafe { equal_objects(ObjectPtr::from_addr(a), ObjectPtr::from_addr(b)) }
    }

    unsafe fn words(object: usize) -> usize {
        // SAFETY: a live object, by contract.
        object_words(unsafe { ObjectPtr::from_addr(object) }) as usize
    }

    unsafe fn retire(guard: &Guard, object: usize) {
        // SAFETY: by contract.
        unsafe { retire(guard, ObjectPtr::from_addr(object)) };
    }

    unsafe fn free(object: usize) {
        // SAFETY: by contract.
        unsafe { ObjectPtr::from_addr(object).free() };
    }
}

/// Frees an object after a grace period.
///
/// # Safety
/// It was stored, new readers cannot find it any more, and it is retired once.
#[inline]
unsafe fn retire(guard: &Guard, object: ObjectPtr) {
    // SAFETY: still live: it is retired here.
    let bytes = unsafe { object.footprint() };
    let pointer = std::ptr::with_exposed_provenance_mut(object.addr());
    // SAFETY: by contract; `free_raw` takes an object's address and neither pins nor locks.
    unsafe { guard.retire(pointer, ObjectPtr::free_raw, bytes) };
}

/// See the module's documentation.
pub(crate) struct Owned {
    groups: Groups<Objects>,
    kind: Kind,
}

/// The oldest object of a group, which has the group's key.
#[inline(always)]
pub(crate) fn first(word: Word) -> ObjectPtr {
    // SAFETY: the caller's guard or lock keeps the word; a group is not empty.
    unsafe { ObjectPtr::from_addr(group::first(word)) }
}

/// The number of objects in a group.
pub(crate) fn len(word: Word) -> usize {
    // SAFETY: the caller's guard or lock keeps the word.
    unsafe { group::len(word) }
}

/// What a group counts in `info(memory)`.
#[inline(never)]
pub(crate) fn memory_words(word: Word) -> i64 {
    // SAFETY: the caller's guard or lock keeps the word.
    unsafe { Groups::<Objects>::memory_words(word) as i64 }
}

/// The object of a number; a lone object has number 0.
pub(crate) fn member(held: Held, number: u64) -> Option<ObjectPtr> {
    // SAFETY: the caller's guard or lock keeps the word and its objects.
    unsafe { group::member(word_held(held), number).map(|one| ObjectPtr::from_addr(one)) }
}

/// The objects of a group, in insertion order.
pub(crate) fn members(word: Word, guard: &Guard) -> Members<'_> {
    // SAFETY: the guard keeps the word and its objects.
    Members(unsafe { group::members(word, guard) })
}

/// The objects of a group, in insertion order.
pub struct Members<'g>(group::Members<'g>);

impl<'g> Iterator for Members<'g> {
    type Item = Object<'g>;

    fn next(&mut self) -> Option<Object<'g>> {
        // SAFETY: the guard behind the iterator keeps the objects.
        self.0.next().map(|(_, member)| unsafe { ObjectPtr::from_addr(member).borrow() })
    }
}

/// Visits at most `limit` objects of a group, with their numbers, from a number on, as long as
/// `visit` takes them; the number to go on with, if any are left.
pub(crate) fn visit_from(
    word: Word,
    guard: &Guard,
    from: u64,
    limit: usize,
    visit: &mut dyn FnMut(ObjectPtr, u64) -> bool,
) -> Option<u64> {
    // SAFETY: the guard keeps the word and its objects.
    for (count, (number, member)) in unsafe { group::members_from(word, from, guard) }.enumerate() {
        // SAFETY: as above.
        if count == limit || !visit(unsafe { ObjectPtr::from_addr(member) }, number) {
            return Some(number);
        }
    }
    None
}

/// How a table's counters change when everything in a group goes.
#[inline(never)]
pub(crate) fn removal(word: Word) -> Delta {
    Delta { objects: -(len(word) as i64), words: -memory_words(word) }
}

/// Objects and memory words behind a word.
fn weight(word: Word) -> Delta {
    match held(word) {
        Held::Absent => Delta::ZERO,
        Held::Object(object) => Delta { objects: 1, words: object_words(object) },
        Held::Group(word) => Delta { objects: len(word) as i64, words: memory_words(word) },
    }
}

/// How counters change when `new` takes the place of `old`.
pub(crate) fn difference(old: Word, new: Word) -> Delta {
    let (old, new) = (weight(old), weight(new));
    Delta { objects: new.objects - old.objects, words: new.words - old.words }
}

/// How counters change when an object is appended to a word.
fn growth(current: Word, object: ObjectPtr) -> Delta {
    let before = len(current);
    let overhead = group::overhead_words(before + 1) - group::overhead_words(before);
    Delta { objects: 1, words: object_words(object) + overhead as i64 }
}

/// A resolved word without ghosts: what groups build on.
fn live(word: Word) -> Word {
    if word.0 & GHOST == 0 { word } else { Word::EMPTY }
}

fn word_held(held: Held) -> Word {
    match held {
        Held::Absent => Word::EMPTY,
        Held::Object(object) => word_of(object),
        Held::Group(word) => word,
    }
}

impl Owned {
    /// For a table of this type.
    pub(crate) fn new(kind: Kind, seed: u64) -> Owned {
        Owned { groups: Groups::new(Objects { seed }), kind }
    }

    /// True if a word is one object.
    #[inline(always)]
    pub(crate) fn is_unique(&self) -> bool {
        self.kind.is_unique()
    }

    fn repeats(&self) -> Repeats {
        if self.kind == Kind::Bag { Repeats::Refuse } else { Repeats::Allow }
    }

    /// The decision to append an object to what its key holds, under the key's lock. False: it
    /// was there already and is still the caller's.
    pub(crate) fn append(&self, held: Held, object: ObjectPtr) -> Step<bool> {
        match self.grown(word_held(held), object, self.repeats()) {
            Some((word, delta)) => Step { change: Change::Put(word), delta, result: true },
            None => Step::keep(false),
        }
    }

    /// [`Owned::append`] of an object that is known not to be there.
    pub(crate) fn append_new(&self, held: Held, object: ObjectPtr) -> Step<()> {
        match self.grown(word_held(held), object, Repeats::Allow) {
            Some((word, delta)) => Step { change: Change::Put(word), delta, result: () },
            None => Step::keep(()),
        }
    }

    /// True if what the key holds has an object equal to this one, under the key's lock.
    #[inline(always)]
    pub(crate) fn has(&self, held: Held, draft: &Draft<'_>) -> bool {
        let hash = || hash_elements(draft.elements(), self.groups.member().seed);
        // SAFETY: the caller holds the key's lock, which keeps the members.
        unsafe {
            let same = |one| draft.is_equal(ObjectPtr::from_addr(one));
            Groups::<Objects>::contains(word_held(held), hash, same)
        }
    }

    /// Appends the only object of its key in a list insert; gives the word for what is there then,
    /// and what that changes in the counters. None: it was there already.
    #[inline]
    pub(crate) fn append_one(&self, visible: Word, object: ObjectPtr) -> Option<(Word, Delta)> {
        self.grown(live(visible), object, self.repeats())
    }

    /// The word for what is there and one object more, and how counters change. None: it was there
    /// already. Called under the key's lock, with an object that is the caller's own.
    #[inline(always)]
    fn grown(&self, current: Word, object: ObjectPtr, repeats: Repeats) -> Option<(Word, Delta)> {
        // SAFETY: the callers hold the key's lock, and the object is their own.
        match unsafe { self.groups.append(current, object.addr(), repeats) } {
            Append::Duplicate => None,
            Append::Word(word) => Some((word, growth(current, object))),
        }
    }

    /// Appends the objects of a list insert; gives the word for them, and `refused` those that
    /// were there already.
    pub(crate) fn append_all(
        &self,
        visible: Word,
        objects: &[usize],
        refused: impl FnMut(usize),
    ) -> Word {
        // SAFETY: called under the key's lock; the objects belong to the list insert.
        unsafe { self.groups.append_many(live(visible), objects, self.repeats(), refused) }
    }

    /// The decision to remove what is equal to `probe`, under the key's lock.
    pub(crate) fn remove_equal(&self, held: Held, probe: ObjectPtr) -> Step<()> {
        let current = word_held(held);
        // SAFETY: the caller holds the key's lock, and the probe is its own.
        match unsafe { self.groups.remove_equal(current, probe.addr()) } {
            Removed::Unchanged => Step::keep(()),
            Removed::Word { word, .. } => {
                let change = if word.is_empty() { Change::Remove } else { Change::Put(word) };
                Step { change, delta: difference(current, word), result: () }
            }
        }
    }

    /// The decision to remove the members that have these numbers, if they still are these objects,
    /// under the key's lock. All of them are in `seen`. Gives how many went.
    pub(crate) fn remove_members(
        &self,
        held: Held,
        seen: Word,
        members: &[(u64, ObjectPtr)],
    ) -> Step<u64> {
        let current = word_held(held);
        let is_there = |&(number, object): &(u64, ObjectPtr)| {
            // SAFETY: the caller holds the key's lock.
            current == seen || unsafe { group::member(current, number) } == Some(object.addr())
        };
        let there = members.iter().filter(|member| is_there(member));
        let numbers: Vec<u64> = there.map(|&(number, _)| number).collect();
        // SAFETY: as above; numbers of members in `current`, ascending.
        match unsafe { self.groups.remove_numbers(current, &numbers) } {
            Removed::Unchanged => Step::keep(0),
            Removed::Word { word, objects } => {
                let change = if word.is_empty() { Change::Remove } else { Change::Put(word) };
                Step { change, delta: difference(current, word), result: objects as u64 }
            }
        }
    }

    /// The decision to replace the member of a number in a duplicate bag, under the key's lock;
    /// none if it has gone. Then the new object still is the caller's.
    pub(crate) fn replace_member(
        &self,
        held: Held,
        number: u64,
        object: ObjectPtr,
    ) -> Option<Step<()>> {
        let current = word_held(held);
        // SAFETY: the caller holds the key's lock, and the object is its own.
        let word = unsafe { self.groups.replace(current, number, object.addr()) }?;
        Some(Step { change: Change::Put(word), delta: difference(current, word), result: () })
    }

    /// Takes back what an aborted list insert made of a key, under the key's lock. `visible` is
    /// what the key holds again.
    pub(crate) fn undo(&self, guard: &Guard, visible: Word, undone: Word) {
        // The slot still leads to the node, and by it to a key in `undone`.
        guard.hold();
        // SAFETY: nobody has seen `undone`; it was made from `visible` under a pending node, which
        // kept other writers away, and the caller holds the key's lock.
        unsafe {
            match held(undone) {
                Held::Absent => {}
                Held::Object(object) if self.kind.is_unique() => retire(guard, object),
                _ => self.groups.rollback(guard, live(visible), undone),
            }
        }
    }

    /// Retires what a raw slot word owned and the one that took its place does not. A decided
    /// version node counts as what it shows; its loser goes too.
    #[inline]
    pub(crate) fn dispose(&self, guard: &Guard, before: Word, after: Word) {
        if before.is_version() {
            self.dispose_node(guard, before, after);
        } else {
            self.replace(guard, before, after);
        }
    }

    #[cold]
    #[inline(never)]
    fn dispose_node(&self, guard: &Guard, node: Word, after: Word) {
        // SAFETY: the word was loaded under this guard.
        if let Settled::Decided { visible, loser, committed } = unsafe { batch::settle(node) } {
            if committed {
                self.replace(guard, loser, visible);
            }
            self.replace(guard, visible, after);
        }
    }

    /// Retires what `old` has and `new` has not (plain words).
    #[inline]
    pub(crate) fn replace(&self, guard: &Guard, old: Word, new: Word) {
        if old == new || old.is_empty() {
            return;
        }
        // SAFETY: `new` has taken the place of `old` in the slot, so new readers cannot find what
        // only `old` has; each change of a slot is followed by one call.
        unsafe {
            if old.0 & GHOST != 0 || self.kind.is_unique() {
                retire(guard, object(old));
            } else {
                self.groups.superseded(guard, old, live(new));
            }
        }
    }

    /// Frees a word with everything in it, at once.
    ///
    /// # Safety
    /// Nobody else can reach the word, and no list insert is in flight.
    pub(crate) unsafe fn release(&self, word: Word) {
        // SAFETY: by contract.
        unsafe {
            match batch::settle(word) {
                Settled::Plain(word) if word.0 & GHOST != 0 => object(word).free(),
                Settled::Plain(word) => Groups::<Objects>::release(word),
                _ => debug_assert!(false, "a list insert keeps its generation"),
            }
        }
    }
}
