//! Version nodes: what a slot holds while a batch is in flight, and how it is read.

use super::descriptor::Header;
use crate::engine::Word;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// What stands in a slot for one entry of a batch. Aligned so that the tag bits of a word that
/// points to it are free.
///
/// `prev` and `new` are written by the batch's worker before the node's word is stored into a
/// slot, and do not change afterwards. Relaxed accesses suffice: the engine's store of the slot
/// is a Release, its load an Acquire.
#[repr(align(16))]
pub(super) struct Node {
    /// The batch, which owns the node.
    pub header: *const Header,
    prev: AtomicUsize,
    new: AtomicUsize,
    /// Set before the node leaves its slot by anybody else's hand than its own batch's.
    displaced: AtomicBool,
}

// SAFETY:
// - the header is `Sync`, and outlives the node, of whose owner it is a part;
// - the other fields are atomics.
unsafe impl Sync for Node {}
// SAFETY: as above; nothing is bound to a thread.
unsafe impl Send for Node {}

impl Node {
    /// A node that is in no slot yet.
    pub fn new(header: *const Header) -> Node {
        Node {
            header,
            prev: AtomicUsize::new(0),
            new: AtomicUsize::new(0),
            displaced: AtomicBool::new(false),
        }
    }

    /// Decides what the node will show. For the batch's worker, before it is in a slot.
    pub fn fill(&self, prev: Word, new: Word) {
        debug_assert!(!prev.is_version() && !new.is_version());
        debug_assert!(!prev.is_empty() || !new.is_empty(), "one of them has the key");
        self.prev.store(prev.0, Ordering::Relaxed);
        self.new.store(new.0, Ordering::Relaxed);
    }

    /// The node behind a word.
    ///
    /// # Safety
    /// `word` is a version word that was loaded from a slot under a guard that outlives `'g`.
    pub unsafe fn behind<'g>(word: Word) -> &'g Node {
        debug_assert!(word.is_version());
        let node = std::ptr::with_exposed_provenance::<Node>(word.0 & !Word::VERSION);
        // SAFETY: a version word points to a node; the node's batch is retired only after no slot
        // holds the word any more (invariant 5), so the guard keeps it alive.
        unsafe { &*node }
    }

    /// The word that stands for this node in a slot.
    pub fn word(&self) -> Word {
        Word(std::ptr::from_ref(self).expose_provenance() | Word::VERSION)
    }

    fn prev(&self) -> Word {
        Word(self.prev.load(Ordering::Relaxed))
    }

    fn new_word(&self) -> Word {
        Word(self.new.load(Ordering::Relaxed))
    }

    /// What a writer finds in a slot that holds this node.
    pub fn settle(&self) -> Settled {
        // SAFETY: the header lives as long as the node.
        let header = unsafe { &*self.header };
        let Some(outcome) = header.outcome() else { return Settled::Pending };
        let (prev, new, committed) = (self.prev(), self.new_word(), outcome.is_committed());
        let (visible, loser) = if committed { (new, prev) } else { (prev, new) };
        // A skipped entry's node has one word.
        let loser = if loser == visible { Word::EMPTY } else { loser };
        Settled::Decided { visible, loser, committed }
    }

    /// True if a writer has taken the node out of its slot.
    pub fn is_displaced(&self) -> bool {
        // Relaxed: what matters is that a guard which begins after the words behind this node were
        // freed reads true; the grace period orders that, as it orders the slot itself.
        self.displaced.load(Ordering::Relaxed)
    }

    /// The visible word.
    fn visible(&self) -> Word {
        match self.settle() {
            Settled::Decided { visible, .. } => visible,
            _ if weakened(Weak::BatchCommit) => self.new_word(),
            Settled::Pending | Settled::Plain(_) => self.prev(),
        }
    }
}

/// What a writer finds in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// A word that belongs to no batch ([`Word::EMPTY`] for an empty slot).
    Plain(Word),
    /// The node of a decided batch. A writer goes on from `visible`; if it changes the slot's word
    /// it must dispose of `loser`, unless that is [`Word::EMPTY`]: retire it afterwards if the
    /// batch committed, undo it under the lock (before it builds on `visible`) if it did not.
    Decided {
        /// What readers see.
        visible: Word,
        /// What nobody will see any more.
        loser: Word,
        /// True if the batch committed: `loser` was there before. Else nobody ever saw `loser`.
        committed: bool,
    },
    /// The node of an undecided batch: the writer leaves the slot alone, gives up its lock, calls
    /// [`help`](super::help) and begins again.
    Pending,
}

/// What a writer finds in a slot with this word.
///
/// # Safety
/// `word` was loaded from a slot under a guard that is still live.
#[inline]
pub unsafe fn settle(word: Word) -> Settled {
    if word.is_version() {
        // SAFETY: promised by the caller.
        unsafe { Node::behind(word) }.settle()
    } else {
        Settled::Plain(word)
    }
}

/// Notes that the writer is about to put something else in place of a decided node. To be called
/// under the key's lock before it undoes or retires anything: the words behind the node may then
/// go, and with them the key by which the node's batch would find the slot to clean it.
///
/// # Safety
/// As for [`settle`]; the writer does change the slot's word.
pub unsafe fn displace(word: Word) {
    if word.is_version() {
        // SAFETY: promised by the caller. Relaxed: see `is_displaced`.
        unsafe { Node::behind(word) }.displaced.store(true, Ordering::Relaxed);
    }
}

/// What a reader sees in a slot with this word; [`Word::EMPTY`] if the key is absent.
///
/// # Safety
/// `word` was loaded from a slot under a guard that is still live.
#[inline(always)]
pub unsafe fn resolve(word: Word) -> Word {
    if word.is_version() {
        // SAFETY: promised by the caller.
        unsafe { resolve_version(word) }
    } else {
        word
    }
}

/// [`resolve`] of a version word.
///
/// # Safety
/// As for [`resolve`].
#[cold]
unsafe fn resolve_version(word: Word) -> Word {
    // SAFETY: promised by the caller.
    unsafe { Node::behind(word) }.visible()
}

/// A plain word whose key is the slot's key, whatever the batch's decision.
///
/// # Safety
/// `word` was loaded from a slot under a guard that is still live.
#[inline(always)]
pub unsafe fn key_word(word: Word) -> Word {
    if word.is_version() {
        // SAFETY: promised by the caller.
        unsafe { key_of_version(word) }
    } else {
        word
    }
}

/// [`key_word`] of a version word.
///
/// # Safety
/// As for [`key_word`].
#[cold]
unsafe fn key_of_version(word: Word) -> Word {
    // SAFETY: promised by the caller.
    let node = unsafe { Node::behind(word) };
    // Either word has the key; `new` is empty only in a batch that removes.
    if node.new_word().is_empty() { node.prev() } else { node.new_word() }
}
