//! The top of an environment's heap.
//!
//! Whatever makes a term in the C interface takes words from the top of the environment's heap and
//! writes on them; if there are not enough, the VM goes on in another piece of memory. The call, and
//! a copy of what is handed to it, is most of what a small term costs. So here words are taken as the
//! VM takes them, where the environment keeps the two addresses that this needs:
//!
//! ```text
//! module | process | top | end of the room | ...
//! ```
//!
//! All versions of the VM's source that were looked at have that. It is not taken for granted:
//! [`load`] looks at it while the VM makes tuples, and tries whether words that are given back are
//! what the VM takes next. If that fails, the C interface makes everything.

use std::sync::atomic::{AtomicBool, Ordering};

use etsunami::term::layout::immediate::NIL;

use crate::codec::tags;
use crate::vm::{Env, VmTerm};

/// The most words that are taken at once.
pub const MOST: usize = 512;

/// What becomes a tuple of that many words but for the header, to be written over.
// SAFETY: `[]` is a term of every environment.
static NILS: [VmTerm; MOST - 1] = [unsafe { VmTerm::from_word(NIL) }; MOST - 1];

/// Where the addresses stand in an environment, in words.
const TOP: usize = 2;

/// Set once at load, before any NIF is called.
static KNOWN: AtomicBool = AtomicBool::new(false);

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

/// True if words can be taken.
#[inline(always)]
pub fn is_known() -> bool {
    // Relaxed: written before the NIFs can be called, never changed.
    KNOWN.load(Ordering::Relaxed)
}

#[inline(always)]
fn room(env: Env) -> *mut Room {
    // SAFETY: environments are longer than that.
    unsafe { env.raw().cast::<*mut u64>().add(TOP).cast() }
}

/// Memory for so many words of terms, from 2 to [`MOST`], which belongs to the environment.
#[inline(always)]
pub fn take(env: Env, count: usize) -> *mut u64 {
    if !is_known() {
        return tuple(env, count);
    }
    // SAFETY: the environment is this thread's alone; so many words are there. All of them are
    // written before the VM looks at a term that refers to them.
    unsafe {
        let at = open(env, count);
        close(env, at.add(count));
        at
    }
}

/// Makes room for so many words, at most [`MOST`], at the top of the heap, and gives the top. Nobody
/// takes them before [`close`] tells how many are in use, which comes before any other term is made.
///
/// # Safety
/// [`is_known`].
#[inline(always)]
pub unsafe fn open(env: Env, count: usize) -> *mut u64 {
    // SAFETY: by contract, this is where the environment's room is; it is this thread's alone.
    let room = unsafe { *room(env) };
    if room.words() >= count { room.top } else { open_elsewhere(env, count) }
}

/// What follows a place that [`open`] gave is free again from `next` on.
///
/// # Safety
/// [`is_known`]; `next` is in the room that the last call of `open` made, and no term was made since.
#[inline(always)]
pub unsafe fn close(env: Env, next: *mut u64) {
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
    // SAFETY: the tuple is what was made last, so its words are the last that were taken; nothing
    // refers to them.
    unsafe { close(env, at) };
    at
}

/// The words of a tuple, its header among them.
fn tuple(env: Env, count: usize) -> *mut u64 {
    address(env.make_tuple(&NILS[..count - 1]))
}

fn address(term: VmTerm) -> *mut u64 {
    std::ptr::with_exposed_provenance_mut((term.word() & !3) as usize)
}

/// Finds out whether words can be taken.
pub fn load(env: Env) {
    KNOWN.store(!tags::portable() && is_as_assumed(env), Ordering::Relaxed);
}

/// Makes tuples of several lengths, most of which fit into the room and some do not: the room has to
/// tell in advance where they are going to be.
fn is_as_assumed(env: Env) -> bool {
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
    // SAFETY: environments are longer than that, and this word of it has just been seen to move by
    // the words of a tuple when that was made. Nothing refers to the tuple.
    unsafe { (*room(env)).top = at };
    tuple(env, count) == at
}
