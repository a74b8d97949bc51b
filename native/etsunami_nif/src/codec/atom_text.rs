//! The text of atoms, which the term order compares.
//!
//! A cache from the atom's index to its text in UTF-8. A text is read once, through the external
//! term format (`enif_get_atom` fails beyond Latin-1 before OTP 26), and stays for ever, as the
//! atom does. The cache is a table of chunks that are allocated when first used; reading is two
//! loads. Publication is a compare-and-swap from null with release, which the acquiring load of a
//! reader pairs with: what it points to is then initialised and never changes.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use etsunami::accounting::exempt;
use etsunami::term::layout::immediate;

use super::external;
use crate::vm::OwnEnv;
use crate::vm_terms::tags;

const CHUNK: usize = 1 << 12;
/// The VM's atom table may be set to 2^31 - 1 entries at most.
const CHUNKS: usize = (1 << 31) / CHUNK;

type Text = &'static [u8];
type Chunk = [AtomicPtr<Text>; CHUNK];

/// Four megabytes of address space, of which only touched pages take memory.
static TABLE: [AtomicPtr<Chunk>; CHUNKS] = [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];

/// The text of an atom, by its (encoded) word.
#[inline]
pub fn atom_text(word: u64) -> Text {
    let index = immediate::atom_index(word);
    let entry = entry(index);
    // Acquire: pairs with the release in `publish`.
    let text = entry.load(Ordering::Acquire);
    if text.is_null() {
        return exempt(|| publish(entry, read(index)));
    }
    // SAFETY: published by `publish`, never freed.
    unsafe { *text }
}

fn entry(index: usize) -> &'static AtomicPtr<Text> {
    let slot = &TABLE[index / CHUNK];
    // Acquire: pairs with the release in `grow`.
    let mut chunk = slot.load(Ordering::Acquire);
    if chunk.is_null() {
        chunk = exempt(|| grow(slot));
    }
    // SAFETY: published by `grow`, never freed.
    unsafe { &(*chunk)[index % CHUNK] }
}

#[cold]
fn grow(slot: &AtomicPtr<Chunk>) -> *mut Chunk {
    let layout = Layout::new::<Chunk>();
    // SAFETY: the layout is not empty.
    let fresh = unsafe { alloc_zeroed(layout) }.cast::<Chunk>();
    if fresh.is_null() {
        handle_alloc_error(layout);
    }
    // Release: the zeros are visible to whoever loads the pointer; Acquire: so are the other's.
    match slot.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        Err(other) => {
            // SAFETY: allocated above with this layout, never shared.
            unsafe { std::alloc::dealloc(fresh.cast(), layout) };
            other
        }
    }
}

#[cold]
fn publish(entry: &AtomicPtr<Text>, text: Vec<u8>) -> Text {
    let fresh = Box::into_raw(Box::new(&*text.leak()));
    // Release: the text is visible to whoever loads the pointer; Acquire: so is the other's. Two
    // threads that read the same text first leak one copy of it.
    match entry.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: leaked above.
        Ok(_) => unsafe { *fresh },
        // SAFETY: published, never freed.
        Err(other) => unsafe { *other },
    }
}

/// # Panics
/// If the VM writes an atom in a way that is not known.
#[cold]
fn read(index: usize) -> Vec<u8> {
    let scratch = OwnEnv::new();
    let written = scratch.env().to_external(tags::atom(index)).expect("an atom's external format");
    external::atom_text(written.bytes()).expect("an atom's text")
}
