//! One allocation that holds a head and a fixed number of items behind it.
//!
//! All structures of a group that readers walk (arrays, blocks, trie nodes) are of this shape, so
//! that a step of a walk costs one cache miss. They are handled by raw pointers: a reference to
//! the head would not be allowed to reach the items.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::offset_of;

/// A head of type `H` and `len` items of type `T`.
#[repr(C)]
pub(super) struct Packed<H, T> {
    /// How many items follow. It is the first word of every form of a group, and never 0 here.
    len: u32,
    head: H,
    items: [T; 0],
}

impl<H, T> Packed<H, T> {
    /// The bytes of a structure of `len` items.
    pub(super) fn bytes(len: usize) -> usize {
        offset_of!(Self, items) + len * size_of::<T>()
    }

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(Self::bytes(len), align_of::<Self>())
            .expect("groups allocate a few hundred bytes at a time")
    }

    /// Allocates a structure. Its items are those of the iterator.
    pub(super) fn alloc(head: H, items: impl ExactSizeIterator<Item = T>) -> *mut Self {
        let len = items.len();
        let layout = Self::layout(len);
        // SAFETY: the layout has a size above 0, because `len` is a field of it.
        let raw = unsafe { alloc(layout) }.cast::<Self>();
        if raw.is_null() {
            handle_alloc_error(layout);
        }
        let mut written = 0;
        // SAFETY: `raw` is a fresh allocation with room for the head and `len` items; `take` bounds
        // the writes, and the assertion makes sure that all items were written.
        unsafe {
            (&raw mut (*raw).len).write(len as u32);
            (&raw mut (*raw).head).write(head);
            let base = Self::base(raw);
            for item in items.take(len) {
                base.add(written).write(item);
                written += 1;
            }
        }
        assert_eq!(written, len, "an exact size iterator");
        raw
    }

    /// Frees a structure and drops what is in it.
    ///
    /// # Safety
    /// `raw` is from [`Packed::alloc`], not freed before, and nobody else can reach it.
    pub(super) unsafe fn free(raw: *mut Self) {
        // SAFETY: by contract the structure is alive and ours alone; `len` is what it was
        // allocated with, because nothing changes it.
        unsafe {
            let len = (*raw).len as usize;
            std::ptr::slice_from_raw_parts_mut(Self::base(raw), len).drop_in_place();
            (&raw mut (*raw).head).drop_in_place();
            dealloc(raw.cast(), Self::layout(len));
        }
    }

    /// The head.
    ///
    /// # Safety
    /// `raw` is alive for `'a`, and is not changed while the reference lives.
    pub(super) unsafe fn head<'a>(raw: *mut Self) -> &'a H {
        // SAFETY: by contract.
        unsafe { &(*raw).head }
    }

    /// The items.
    ///
    /// # Safety
    /// As for [`Packed::head`].
    pub(super) unsafe fn items<'a>(raw: *mut Self) -> &'a [T] {
        // SAFETY: by contract; the allocation holds `len` initialised items behind the head.
        unsafe { std::slice::from_raw_parts(Self::base(raw), (*raw).len as usize) }
    }

    /// The items, to be changed.
    ///
    /// # Safety
    /// `raw` is alive for `'a`, and no other thread knows it yet.
    pub(super) unsafe fn items_mut<'a>(raw: *mut Self) -> &'a mut [T] {
        // SAFETY: as for `items`; by contract nobody else has a reference.
        unsafe { std::slice::from_raw_parts_mut(Self::base(raw), (*raw).len as usize) }
    }

    /// Where the items begin.
    unsafe fn base(raw: *mut Self) -> *mut T {
        // SAFETY: the offset is inside the allocation (or its end, if there are no items).
        unsafe { raw.cast::<u8>().add(offset_of!(Self, items)).cast() }
    }
}
