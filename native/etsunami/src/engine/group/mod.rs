//! All objects of one key of a bag or duplicate bag, as one slot word of an engine.
//!
//! # Forms
//!
//! | members | word | a change |
//! | --- | --- | --- |
//! | 1 | the object | |
//! | up to 16 | [`GROUP`], an immutable array of (object, number) | copies the array |
//! | more | [`GROUP`], a view: one state of a persistent radix trie over insertion numbers | copies the path to a block of 64 |
//!
//! Every member has an *insertion number*, which never changes while it is a member and orders the
//! members. It serves as a cursor: a scan that goes on behind the last number that it was given
//! meets each member that was there throughout exactly once, whatever changes in between. For this
//! a lone member keeps a one-entry array unless its number is 0, and a group that shrinks hands
//! the numbers on. (A number may be given again once its member is gone and was the last.)
//!
//! The trie is a radix trie with packed nodes, after Bagwell's hash array mapped tries; its tail is
//! kept outside, as in the persistent vectors of Clojure. Blocks that lose half of their members
//! are packed, empty ones go, so memory follows the contents without any compaction to be done
//! at once. Large groups have an index by the hash of the whole object (linear hashing, Litwin),
//! for writers only. Costs at `n` members, expected: append with its duplicate check, removal and
//! membership O(log16 n), where the logarithm counts cache misses; no single change moves more
//! than one small table of the index, one block and one path. Removing an object that is there `k`
//! times costs `k` times that: ETS has all equal objects go at once. Removing `k` members by their
//! numbers costs `k` steps in the index, and one path for each of their blocks.
//!
//! # Atomicity
//!
//! A word is a complete, immutable state. A change is made under the lock of the key's bucket, and
//! it takes effect when the caller stores the word that it gives: that store is its linearization
//! point (or, inside a batch, the store of the batch's decision). A reader of any word sees one
//! state, atomically and in insertion order, without a lock, a retry or a store. The one thing
//! that is written while readers look on is a free slot of the tail, which no published view calls
//! a member.
//!
//! # Who frees what
//!
//! A word owns its members and its structure. Each change makes `new` from `old`, and then exactly
//! one of these is due, once:
//!
//! - [`Groups::superseded`], after `new` was stored (outside the lock, if you like): retires what
//!   `old` has and `new` has not, removed members too;
//! - [`Groups::rollback`], if `new` is not to be: retires what `new` has and `old` has not, under
//!   the same lock, before anybody else changes this key. (Not for [`Groups::replace`].)
//!
//! A batch that appends more objects of one key than it may at once goes on with
//! [`Groups::append_more`], which changes a word that is still pending.
//!
//! What is not guaranteed: nothing here protects two writers of one key from each other; that is
//! the key's lock. While a batch is pending no other writer may change the key.

mod append;
mod block;
mod draft;
mod edit;
mod index;
mod iter;
mod owner;
mod packed;
mod remove;
mod replace;
mod small;
#[cfg(test)]
mod tests;
mod trie;
mod view;

use super::Word;
use crate::reclaim::Guard;
pub use iter::Members;
use small::Array;
use view::View;

/// The tag of a word that points to an array or a view.
pub const GROUP: usize = 0b010;

/// What groups must know of their members. A member is the address of an object: not zero, its
/// three lowest bits zero.
///
/// # Safety
/// `hash` and `same` must be pure and agree: same objects have equal hashes. `free` and `retire`
/// must free the object, once each for an object that a group owned.
pub unsafe trait Member: Send + Sync + 'static {
    /// A hash of the whole object, seeded, well distributed in all of its bits.
    ///
    /// # Safety
    /// The object is alive. (So for all methods.)
    unsafe fn hash(&self, object: usize) -> u64;

    /// True if the whole objects are equal, as `=:=` has it.
    ///
    /// # Safety
    /// As for [`Member::hash`].
    unsafe fn same(&self, a: usize, b: usize) -> bool;

    /// The memory words of an object.
    ///
    /// # Safety
    /// As for [`Member::hash`].
    unsafe fn words(object: usize) -> usize;

    /// Frees an object after the grace period.
    ///
    /// # Safety
    /// As for [`Member::hash`]; new readers can no longer find the object.
    unsafe fn retire(guard: &Guard, object: usize);

    /// Frees an object at once, on any thread. Must not lock.
    ///
    /// # Safety
    /// As for [`Member::hash`]; nobody can reach the object any more.
    unsafe fn free(object: usize);
}

/// What an append does with an object that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeats {
    /// Refuses it (bag).
    Refuse,
    /// Takes it once more (duplicate bag).
    Allow,
}

/// What an append did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Append {
    /// This word holds the members and the new object.
    Word(Word),
    /// The object was there already; it still is the caller's.
    Duplicate,
}

/// What a removal did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Removed {
    /// There was nothing to remove.
    Unchanged,
    /// This word holds what is left.
    Word {
        /// [`Word::EMPTY`] if nothing is left.
        word: Word,
        /// How many members went.
        objects: usize,
    },
}

/// The operations on the groups of one table.
pub struct Groups<M> {
    member: M,
}

/// A word, taken apart.
enum Form {
    Empty,
    Bare(usize),
    Array(*mut Array),
    View(*mut View),
}

impl Form {
    /// Takes a word apart.
    ///
    /// # Safety
    /// The word is alive: it was loaded under a live guard, or the caller holds the key's lock.
    unsafe fn of(word: Word) -> Form {
        let address = word.0 & !GROUP;
        match (word.0 & GROUP, address) {
            (_, 0) => Form::Empty,
            (0, object) => Form::Bare(object),
            // SAFETY: by contract; arrays and views begin with a `u32` that never changes.
            _ if unsafe { *(address as *const u32) } == view::FORM => {
                Form::View(address as *mut View)
            }
            _ => Form::Array(address as *mut Array),
        }
    }
}

/// How many members a word has.
///
/// # Safety
/// The word is resolved (no version node, no ghost) and alive: it was loaded under a guard that
/// still lives, or the caller holds the key's lock. (So for all functions that take words.)
pub unsafe fn len(word: Word) -> usize {
    // SAFETY: by contract.
    unsafe {
        match Form::of(word) {
            Form::Empty => 0,
            Form::Bare(_) => 1,
            Form::Array(array) => Array::items(array).len(),
            Form::View(view) => (*view).state.len(),
        }
    }
}

/// The oldest member of a word, from which the key can be read; 0 if there is none.
///
/// # Safety
/// As for [`len`].
#[inline]
pub unsafe fn first(word: Word) -> usize {
    if word.0 & GROUP == 0 {
        return word.0;
    }
    // SAFETY: by contract; arrays are not empty.
    unsafe {
        match Form::of(word) {
            Form::Empty | Form::Bare(_) => word.0,
            Form::Array(array) => Array::items(array)[0].object,
            Form::View(view) => (*view).state.first,
        }
    }
}

/// The member of an insertion number.
///
/// # Safety
/// As for [`len`].
pub unsafe fn member(word: Word, number: u64) -> Option<usize> {
    // SAFETY: by contract.
    let (at, member) = unsafe { Members::of_word(word, number) }.next()?;
    (at == number).then_some(member)
}

/// The members of a word with their insertion numbers, in order.
///
/// # Safety
/// As for [`len`], for as long as the guard lives.
pub unsafe fn members(word: Word, guard: &Guard) -> Members<'_> {
    // SAFETY: by contract.
    unsafe { members_from(word, 0, guard) }
}

/// The members of a word whose insertion numbers are not below `number`. A scan in chunks goes on
/// from the last number that it was given, plus one.
///
/// # Safety
/// As for [`members`].
pub unsafe fn members_from(word: Word, number: u64, _guard: &Guard) -> Members<'_> {
    // SAFETY: by contract.
    unsafe { Members::of_word(word, number) }
}

/// The memory words that a group of `len` members takes beyond its members: a function of the
/// contents alone, on the average of what is allocated.
pub fn overhead_words(len: usize) -> usize {
    match len {
        0 | 1 => 0,
        2..=small::ARRAY_MAX => 2 + 2 * len,
        _ => 96 + len * 9 / 2,
    }
}

impl<M: Member> Groups<M> {
    /// The groups of one table.
    pub const fn new(member: M) -> Groups<M> {
        Groups { member }
    }

    /// How members are read.
    pub fn member(&self) -> &M {
        &self.member
    }

    /// The memory words of a word: its members and [`overhead_words`]. O(1) for large groups.
    ///
    /// # Safety
    /// As for [`len`].
    pub unsafe fn memory_words(word: Word) -> usize {
        // SAFETY: by contract; members are alive with the word.
        unsafe {
            let objects = match Form::of(word) {
                Form::View(view) => (*view).state.words,
                _ => Members::of_word(word, 0).map(|(_, object)| M::words(object)).sum(),
            };
            objects + overhead_words(len(word))
        }
    }

    fn is_same(&self, member: Option<usize>, object: usize) -> bool {
        // SAFETY: members of the current state are alive, and so is the caller's object.
        member.is_some_and(|member| unsafe { self.member.same(member, object) })
    }

    /// True if an equal object is a member: `same` tells whether a member is equal to it, `hash` gives
    /// its hash. Not for lock-free readers: the index describes the newest state.
    ///
    /// # Safety
    /// As for [`Groups::append`].
    #[inline(always)]
    pub unsafe fn contains(
        current: Word,
        hash: impl FnOnce() -> u64,
        same: impl Fn(usize) -> bool,
    ) -> bool {
        // SAFETY: by contract.
        unsafe {
            match Form::of(current) {
                Form::Empty => false,
                Form::Bare(one) => same(one),
                Form::Array(array) => Array::items(array).iter().any(|entry| same(entry.object)),
                Form::View(view) => {
                    let (view, hash) = (&*view, hash());
                    view.index().find(hash, |n| view.get(n).is_some_and(&same)).is_some()
                }
            }
        }
    }
}
