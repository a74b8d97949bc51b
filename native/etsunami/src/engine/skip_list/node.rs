//! A node: prefix, slot and lock of one key, and its tower of links, in one allocation.

use crate::engine::Word;
use crate::reclaim::Guard;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// What a slot holds once its key has been removed. No word has these bits.
const GONE: usize = usize::MAX;

/// The mark in a link: the node that the link belongs to is dead.
const MARK: usize = 1;

/// The part of a node that does not depend on its height. The links stand behind it.
#[repr(C)]
pub(super) struct Header {
    prefix: u64,
    /// [`Word::EMPTY`] until the key is published, then its word, at last [`GONE`].
    slot: AtomicUsize,
    lock: AtomicBool,
    height: u8,
}

/// Where a tower leads on one level, and whether its own node is dead.
pub(super) struct Link(AtomicPtr<Header>);

/// A node that is reachable under a guard, or was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Node<'g>(NonNull<Header>, PhantomData<&'g Header>);

/// What a link holds.
#[derive(Clone, Copy)]
pub(super) struct Next<'g> {
    /// The next node of the level.
    pub node: Option<Node<'g>>,
    /// The link is frozen: the node that it belongs to is dead.
    pub marked: bool,
}

fn raw(node: Option<Node<'_>>) -> *mut Header {
    node.map_or(std::ptr::null_mut(), |node| node.0.as_ptr())
}

impl Link {
    /// A link that leads nowhere.
    pub fn end() -> Link {
        Link(AtomicPtr::default())
    }

    /// Where it leads. The link belongs to the list, or to a node that was reached under the guard.
    #[inline(always)]
    pub fn load<'g>(&self, _guard: &'g Guard) -> Next<'g> {
        // Acquire: partner of the Release in `swing`: the node is initialised; and of that in
        // `mark`: whoever sees a mark sees the slot's last word.
        let tagged = self.0.load(Ordering::Acquire);
        let node = NonNull::new(tagged.map_addr(|address| address & !MARK));
        Next { node: node.map(|node| Node(node, PhantomData)), marked: tagged.addr() & MARK != 0 }
    }

    /// Where it leads, for the list's end.
    ///
    /// # Safety
    /// Nobody else can reach the link's list any more. The node is not used after it was freed.
    pub unsafe fn last<'l>(&self) -> Option<Node<'l>> {
        // Relaxed: the caller has come to be alone by an edge of its own.
        NonNull::new(self.0.load(Ordering::Relaxed)).map(|node| Node(node, PhantomData))
    }

    /// Leads to `to` if it has led to `from`, unmarked.
    #[inline(always)]
    pub fn swing(&self, from: Option<Node<'_>>, to: Option<Node<'_>>) -> bool {
        // Release: partner of the Acquire in `load`. Relaxed on failure: whoever fails searches
        // again.
        self.0.compare_exchange(raw(from), raw(to), Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Freezes the link.
    fn mark(&self) {
        // Relaxed: the exchange decides.
        let mut tagged = self.0.load(Ordering::Relaxed);
        while tagged.addr() & MARK == 0 {
            let marked = tagged.map_addr(|address| address | MARK);
            // Release: partner of the Acquire in `load`.
            match self.0.compare_exchange(tagged, marked, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => tagged = other,
            }
        }
    }
}

impl<'g> Node<'g> {
    #[inline(always)]
    fn header(self) -> &'g Header {
        // SAFETY: nodes come from links that were loaded under a guard that lives for `'g`, which
        // keeps what they lead to (module documentation, "Memory safety").
        unsafe { self.0.as_ref() }
    }

    /// The prefix of the key.
    #[inline(always)]
    pub fn prefix(self) -> u64 {
        self.header().prefix
    }

    /// The word, if the key is there.
    #[inline(always)]
    pub fn word(self) -> Option<Word> {
        // Acquire: partner of the Release in `publish`.
        let word = self.header().slot.load(Ordering::Acquire);
        // One comparison for both: `EMPTY` is 0, `GONE` the number before it.
        (word.wrapping_add(1) > 1).then_some(Word(word))
    }

    /// True if the key has been removed.
    pub fn is_gone(self) -> bool {
        // Acquire: partner of the Release in `kill`; orders the mark of a helper behind it.
        self.header().slot.load(Ordering::Acquire) == GONE
    }

    /// The number of levels that it stands on.
    #[inline(always)]
    pub fn height(self) -> usize {
        usize::from(self.header().height)
    }

    /// The links, from the lowest level up.
    #[inline(always)]
    pub fn tower(self) -> &'g [Link] {
        // SAFETY: `Fresh::new` has put so many links there; for the lifetime see `header`. The
        // pointer may be used for the whole allocation, as the one in the link.
        unsafe {
            let links = self.0.as_ptr().cast::<u8>().add(LINKS).cast::<Link>();
            std::slice::from_raw_parts(links, self.height())
        }
    }

    /// Where it leads on a level.
    #[inline(always)]
    pub fn next(self, level: usize, guard: &'g Guard) -> Next<'g> {
        self.tower()[level].load(guard)
    }

    /// Stores the word of the key, under the lock.
    #[inline(always)]
    pub fn publish(self, word: Word) {
        debug_assert!(!word.is_empty() && word.0 != GONE);
        // Release: partner of the Acquire in `word`.
        self.header().slot.store(word.0, Ordering::Release);
    }

    /// Removes the key, under the lock.
    pub fn kill(self) {
        // Release: partner of the Acquire in `is_gone`.
        self.header().slot.store(GONE, Ordering::Release);
    }

    /// Freezes the links of a node whose key has been removed, from the highest level down.
    pub fn freeze(self) {
        let spared = usize::from(weakened(Weak::SkipMark));
        self.tower().iter().skip(spared).rev().for_each(Link::mark);
    }

    /// Takes the lock, if nobody has it.
    #[inline(always)]
    pub fn try_lock(self) -> bool {
        let lock = &self.header().lock;
        // Acquire: partner of the Release in `unlock`.
        lock.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// True if somebody seems to have the lock. Relaxed: an attempt to take it follows.
    pub fn is_locked(self) -> bool {
        self.header().lock.load(Ordering::Relaxed)
    }

    /// Gives the lock back.
    #[inline(always)]
    pub fn unlock(self) {
        // Release: partner of the Acquire in `try_lock`.
        self.header().lock.store(false, Ordering::Release);
    }

    /// Frees the node once no guard that is live now is left.
    ///
    /// # Safety
    /// No link of the list, or of a node that can still be reached from the list, leads to it, and
    /// none will. To be called once.
    pub unsafe fn retire(self, guard: &Guard) {
        // SAFETY: promised by the caller; `free` pins nothing and takes no lock.
        unsafe { guard.retire(self.0.as_ptr().cast(), free, layout(self.height()).size()) };
    }

    /// Frees the node.
    ///
    /// # Safety
    /// Nobody else can reach it any more.
    pub unsafe fn free(self) {
        // SAFETY: promised by the caller; made by `Fresh::new`.
        unsafe { free(self.0.as_ptr().cast()) };
    }
}

/// A node that is not in the list yet. Its lock is taken.
pub(super) struct Fresh(NonNull<Header>);

impl Fresh {
    /// A node for a key with this prefix.
    pub fn new(prefix: u64, height: usize) -> Fresh {
        let layout = layout(height);
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc(layout) };
        let Some(node) = NonNull::new(memory.cast::<Header>()) else { handle_alloc_error(layout) };
        let header = Header {
            prefix,
            slot: AtomicUsize::new(Word::EMPTY.0),
            lock: AtomicBool::new(true),
            height: height as u8,
        };
        // SAFETY: freshly allocated with room for the header and so many links.
        unsafe {
            node.write(header);
            let links = memory.add(LINKS).cast::<Link>();
            (0..height).for_each(|level| links.add(level).write(Link::end()));
        }
        Fresh(node)
    }

    /// The node, to be led to.
    ///
    /// # Safety
    /// It is not used after `self` was dropped. Once something leads to it the caller calls
    /// [`Fresh::settle`].
    pub unsafe fn node<'g>(&self) -> Node<'g> {
        Node(self.0, PhantomData)
    }

    /// It has been led to: now it is the list's.
    pub fn settle(self) {
        std::mem::forget(self);
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // SAFETY: nothing has ever led to it.
        unsafe { free(self.0.as_ptr().cast()) };
    }
}

impl Node<'_> {
    /// Where it shall lead on a level on which nothing leads to it yet. To be called by the holder
    /// of its lock.
    pub fn lead(self, level: usize, to: Option<Node<'_>>) {
        // Relaxed: `swing` publishes it.
        self.tower()[level].0.store(raw(to), Ordering::Relaxed);
    }
}

const _: () = assert!(align_of::<Header>() >= align_of::<Link>(), "the header aligns the links");

/// Where the links begin.
const LINKS: usize = size_of::<Header>().next_multiple_of(align_of::<Link>());

/// The memory of a node.
fn layout(height: usize) -> Layout {
    let size = LINKS + height * size_of::<Link>();
    Layout::from_size_align(size, align_of::<Header>()).expect("heights are small")
}

/// The bytes of a node.
pub(super) fn bytes(height: usize) -> usize {
    layout(height).size()
}

/// Frees a node.
///
/// # Safety
/// Made by [`Fresh::new`]; nobody can reach it any more.
unsafe fn free(node: *mut u8) {
    // SAFETY: promised by the caller; header and links were written by `Fresh::new`.
    unsafe {
        let height = usize::from((*node.cast::<Header>()).height);
        node.cast::<Header>().drop_in_place();
        let links = node.add(LINKS).cast::<Link>();
        (0..height).for_each(|level| links.add(level).drop_in_place());
        dealloc(node, layout(height));
    }
}
