//! The top of an environment's heap.
//!
//! Every function of the C interface that makes a term takes words from the top of the environment's
//! heap and writes on them; if there are not enough, the VM continues in another piece of memory.
//! Here words are taken as the VM takes them, from the two addresses that an environment keeps:
//!
//! ```text
//! module | process | top | end of the room | ...
//! ```
//!
//! [`agrees`] watches these addresses while the VM makes tuples, and tries whether words that are
//! given back are what the VM takes next.

use etsunami::term::layout::immediate::NIL;

use super::layout::Layout;
use crate::vm::{Env, VmTerm};

/// The most words that are taken at once.
pub const MOST: usize = 2048;

/// The elements of a tuple of that many words, to be written over.
// SAFETY: `[]` is a term of every environment.
static NILS: [VmTerm; MOST - 1] = [unsafe { VmTerm::from_word(NIL) }; MOST - 1];

/// Where the addresses are in an environment, in words.
const TOP: usize = 2;

/// The two addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Room {
    top: *mut u64,
    end: *mut u64,
}

impl Room {
    #[inline(always)]
    fn words(self) -> usize {
        (self.end as usize).saturating_sub(self.top as usize) / size_of::<u64>()
    }
}

#[inline(always)]
fn room(env: Env) -> *mut Room {
    // SAFETY: environments are longer than that.
    unsafe { env.raw().cast::<*mut u64>().add(TOP).cast() }
}

/// Memory for so many words of terms, from 2 to [`MOST`], which belongs to the environment. All of
/// them have to be written before the VM looks at a term that refers to them.
#[inline(always)]
pub fn take(layout: Layout, env: Env, count: usize) -> *mut u64 {
    // SAFETY: the environment is this thread's alone, and there are so many words.
    unsafe {
        let at = open(layout, env, count);
        close(layout, env, at.add(count));
        at
    }
}

/// Makes room for so many words, at most [`MOST`], at the top of the heap, and gives the top. They
/// are taken by [`close`], which has to come before any other term is made.
#[inline(always)]
pub fn open(_: Layout, env: Env, count: usize) -> *mut u64 {
    // SAFETY: the probes found the environment's room there; it is this thread's alone.
    let room = unsafe { *room(env) };
    if room.words() >= count { room.top } else { open_elsewhere(env, count) }
}

/// Takes the words up to `next`; what follows is free again.
///
/// # Safety
/// `next` is in the room that the last call of `open` made, and no term was made since.
#[inline(always)]
pub unsafe fn close(_: Layout, env: Env, next: *mut u64) {
    // SAFETY: by contract.
    unsafe { set_top(env, next) };
}

/// # Safety
/// As for [`close`].
#[inline(always)]
unsafe fn set_top(env: Env, next: *mut u64) {
    // SAFETY: by contract.
    unsafe {
        debug_assert!(next <= (*room(env)).end, "more words than there was room for");
        (*room(env)).top = next;
    }
}

/// Lets the VM find as much room.
#[cold]
#[inline(never)]
fn open_elsewhere(env: Env, count: usize) -> *mut u64 {
    let at = tuple(env, count);
    // SAFETY: the tuple was made last, so its words were taken last; nothing refers to them.
    unsafe { set_top(env, at) };
    at
}

/// The words of a tuple, its header among them.
fn tuple(env: Env, count: usize) -> *mut u64 {
    address(env.make_tuple(&NILS[..count - 1]))
}

fn address(term: VmTerm) -> *mut u64 {
    std::ptr::with_exposed_provenance_mut((term.word() & !7) as usize)
}

/// True if the VM takes words for terms as described above. Makes tuples of several lengths, most of
/// which fit into the room while some do not: the room has to predict where they are going to be.
pub(super) fn agrees(env: Env) -> bool {
    (0..64).all(|i| {
        let count = 2 + 97 * i % (MOST - 1);
        // SAFETY: environments are longer than that.
        let before = unsafe { *room(env) };
        let at = tuple(env, count);
        // SAFETY: as above.
        let after = unsafe { *room(env) };
        let fits = before.words() >= count;
        let expected = if fits { before } else { Room { top: at, end: after.end } };
        let plausible =
            after.words() < 1 << 40 && (after.end as usize).is_multiple_of(size_of::<u64>());
        let taken = Room { top: at.wrapping_add(count), end: expected.end };
        plausible && expected.top == at && after == taken && is_given_back(env, at, count)
    })
}

/// True if the VM takes the words of the newest tuple again once they are given back.
fn is_given_back(env: Env, at: *mut u64, count: usize) -> bool {
    // SAFETY: this word of the environment has just been seen to move by the words of a tuple when
    // that was made. Nothing refers to the tuple.
    unsafe { (*room(env)).top = at };
    tuple(env, count) == at
}
