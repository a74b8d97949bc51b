//! mimalloc, asked for blocks as long as what they are to hold.
//!
//! The crate asks it for an alignment with every block. If the size is no power of two mimalloc then
//! takes a block that is longer by as much as it may have to move the beginning, and so mostly one of
//! the next size: 64 bytes for an object of 48. What needs the alignment of a word alone, as objects
//! do, is asked for without one: all blocks have that. What is as long as some cache lines mostly
//! gets a block that begins with one anyway, because pages of blocks do; so it is asked for first
//! without an alignment as well.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

use mimalloc::MiMalloc;

/// The alignment of all blocks of mimalloc, however it was compiled.
const WORD: usize = align_of::<usize>();

/// What an alignment to cache lines asks for.
const LINE: usize = 64;

unsafe extern "C" {
    fn mi_malloc(size: usize) -> *mut c_void;
    fn mi_zalloc(size: usize) -> *mut c_void;
    fn mi_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn mi_free(block: *mut c_void);
    fn mi_usable_size(block: *const c_void) -> usize;
    fn mi_collect(force: bool);
}

/// See the [module documentation](self).
pub struct Allocator;

/// A block for what needs more alignment than that of a word.
///
/// # Safety
/// That of [`GlobalAlloc::alloc`].
#[inline]
unsafe fn aligned(layout: Layout) -> *mut u8 {
    if layout.align() <= LINE && layout.size().is_multiple_of(LINE) {
        // SAFETY: any size may be asked for.
        let block = unsafe { mi_malloc(layout.size()) }.cast::<u8>();
        if block.addr().is_multiple_of(layout.align()) {
            return block;
        }
        // SAFETY: just allocated, and nobody has seen it.
        unsafe { mi_free(block.cast()) };
    }
    // SAFETY: the caller's promises.
    unsafe { MiMalloc.alloc(layout) }
}

// SAFETY: mimalloc gives blocks of at least this size and, if it was not asked for another one, of
// the alignment of a word; it frees and moves what it gave by any of its functions.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size may be asked for; the caller's promises are those of this method.
        unsafe {
            if layout.align() <= WORD { mi_malloc(layout.size()).cast() } else { aligned(layout) }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if layout.align() <= WORD {
                mi_zalloc(layout.size()).cast()
            } else {
                MiMalloc.alloc_zeroed(layout)
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of this method.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; the alignment of a word is kept by every block.
        unsafe {
            if layout.align() <= WORD {
                mi_realloc(block.cast(), size).cast()
            } else {
                MiMalloc.realloc(block, layout, size)
            }
        }
    }
}

/// The bytes of the block that something of so many words gets.
pub fn block_bytes(words: usize) -> Option<usize> {
    let layout = Layout::array::<usize>(words).ok().filter(|layout| layout.size() > 0)?;
    // SAFETY: the size is not zero; the block is looked at and freed here alone, if there is one.
    unsafe {
        let block: *mut c_void = Allocator.alloc(layout).cast();
        let bytes = mi_usable_size(block);
        mi_free(block);
        Some(bytes)
    }
}

/// mimalloc gives back to the system what it holds in reserve for this thread.
pub fn give_back() {
    // SAFETY: may be called by any thread at any time.
    unsafe { mi_collect(true) };
}
