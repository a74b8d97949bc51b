//! Binaries held by reference, outside of all environments, through public calls.
//!
//! An I/O vector that [`enif_inspect_iovec`] makes without an environment holds one reference to each
//! of its binaries until it is given to [`enif_free_iovec`]. And an I/O queue shows the binary at its
//! head as a term that shares the bytes ([`enif_ioq_peek_head`]). So nothing is copied when a binary
//! is stored or looked up, as in ETS, and the thread that drops the last reference frees it.
//!
//! A vector takes 424 bytes. Of a vector of one binary three words are kept: address and length of
//! the bytes, and the reference. When a call needs the vector, it is written again on the stack, from
//! the fields that the VM's public header declares. [`load`] tries that with binaries that it knows.
//! If the VM does not agree, binaries are copied, or kept in environments if they are very long
//! ([`crate::codec::foreign`]).
//!
//! The VM's counters are never written here. An object that is copied needs one more holder of each
//! of its binaries, and there is no public call for that without a term at hand; so each [`hold`] has
//! a count of its own, an [`Arc`], whose last holder gives the VM's reference back.
//!
//! A reference to a slice keeps the whole binary alive. How long that is is known to the layout alone
//! ([`Vm::extent`]): there, a slice of less than half is copied, unless it is longer than
//! [`LONG_SLICE`], and so a small part never holds a large whole. Without the layout only binaries
//! longer than that are held.
//!
//! [`enif_inspect_iovec`]: https://www.erlang.org/doc/man/erl_nif#enif_inspect_iovec
//! [`enif_free_iovec`]: https://www.erlang.org/doc/man/erl_nif#enif_free_iovec
//! [`enif_ioq_peek_head`]: https://www.erlang.org/doc/man/erl_nif#enif_ioq_peek_head

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull, null_mut};
use std::sync::{Arc, OnceLock};

use rustler::sys::{self, ErlNifIOQueue, ErlNifIOQueueOpts};

use super::layout::{Layout, layout};
use super::make;
use crate::vm::{Env, VmTerm};

/// Binaries up to this size are copied into objects and out of them. The VM could share those of
/// more than 64 bytes, but to hold one costs more than to copy so few bytes.
pub const COPIED: usize = 256;
/// Slices of more bytes than this are held, however much they keep alive.
pub const LONG_SLICE: usize = 16 << 10;

/// The elements that a vector has room for.
const ROOM: usize = 16;

/// `SysIOVec`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Slice {
    base: *mut u8,
    len: usize,
}

/// `ErlNifIOVec`.
#[repr(C)]
struct Vector {
    count: c_int,
    size: usize,
    slices: *mut Slice,
    binaries: *mut *mut c_void,
    flags: c_int,
    own_slices: [Slice; ROOM],
    own_binaries: [*mut c_void; ROOM],
}

const _: () = assert!(size_of::<Vector>() == size_of::<sys::ErlNifIOVec>());

/// What [`load`] found out.
struct Vm {
    /// The flags of a vector on the stack.
    flags: c_int,
    /// With the layout: the distance from what a reference points to, to the bytes of the binary.
    front: Option<usize>,
}

/// Empty if binaries cannot be held by reference.
static VM: OnceLock<Vm> = OnceLock::new();

/// A reference to a binary of the VM, and the bytes that are meant.
#[derive(Clone, Copy)]
struct Reference {
    base: *mut u8,
    len: usize,
    binary: *mut c_void,
}

/// A binary that is held once more: the words of its block.
#[derive(Clone, Copy)]
pub struct Held<'e> {
    /// The bytes: they live as long as the binary is held.
    pub bytes: &'e [u8],
    /// The VM's reference.
    pub word: u64,
    /// What holds it, marked as a keeper of this kind.
    pub keeper: u64,
}

/// A reference of the VM that is ours to give back.
struct Owned(*mut c_void);

// SAFETY: the VM lets any thread give a reference back, and nothing else is done with it.
unsafe impl Send for Owned {}
// SAFETY: as above.
unsafe impl Sync for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(vm) = VM.get() {
            vm.give_back(self.0);
        }
    }
}

/// Takes one more reference to the binary of a term, and gives the flags of the vector.
fn refer(env: Env, term: VmTerm) -> Option<(Reference, c_int)> {
    let list = make::cell(env, term, super::tags::nil(env));
    let mut room = MaybeUninit::<Vector>::uninit();
    let mut vector = room.as_mut_ptr();
    let mut tail = MaybeUninit::uninit();
    // SAFETY: a list of one binary, and room for a vector, which is written on success. Without an
    // environment the vector owns a reference.
    unsafe {
        let (tail, vector_at) = (tail.as_mut_ptr(), (&raw mut vector).cast());
        if sys::enif_inspect_iovec(null_mut(), 1, list.raw(), tail, vector_at) == 0 {
            return None;
        }
        let Vector { count, slices, binaries, flags, .. } = &*vector;
        if *count != 1 || vector != room.as_mut_ptr() {
            sys::enif_free_iovec(vector.cast());
            return None;
        }
        let Slice { base, len } = **slices;
        Some((Reference { base, len, binary: **binaries }, *flags))
    }
}

/// Lends a vector with the reference to `with`.
#[inline(always)]
fn with_vector<T>(
    reference: Reference,
    flags: c_int,
    with: impl FnOnce(*mut sys::ErlNifIOVec) -> T,
) -> T {
    let Reference { base, len, mut binary } = reference;
    let mut slice = Slice { base, len };
    let mut vector = MaybeUninit::<Vector>::uninit();
    let at = vector.as_mut_ptr();
    // SAFETY: room for a vector. The VM uses no more of it than these fields.
    unsafe {
        (&raw mut (*at).count).write(1);
        (&raw mut (*at).size).write(len);
        (&raw mut (*at).slices).write(&raw mut slice);
        (&raw mut (*at).binaries).write(&raw mut binary);
        (&raw mut (*at).flags).write(flags);
    }
    with(at.cast())
}

impl Vm {
    /// Gives a reference back.
    fn give_back(&self, binary: *mut c_void) {
        let reference = Reference { base: null_mut(), len: 0, binary };
        // SAFETY: the reference is owned, and not used any more.
        with_vector(reference, self.flags, |vector| unsafe { sys::enif_free_iovec(vector) });
    }

    /// How many bytes the whole binary of a reference has before its slice, and in all; nothing if
    /// its bytes are elsewhere, or if that is not known.
    fn extent(&self, reference: Reference) -> Option<(usize, usize)> {
        let front = self.front?;
        // SAFETY: the word in front of a binary's bytes is their number: see `front_of`. It changes
        // only before the binary is shared.
        let size = unsafe { reference.binary.byte_add(front - 8).cast::<usize>().read() };
        let before = (reference.base as usize).checked_sub(reference.binary as usize + front)?;
        (before + reference.len <= size).then_some((before, size))
    }

    /// True if the reference keeps alive not much more than its slice.
    fn is_fair(&self, reference: Reference) -> bool {
        reference.len > LONG_SLICE
            || self.extent(reference).is_some_and(|(_, size)| size / 2 <= reference.len)
    }
}

/// Finds out whether binaries can be held by reference.
pub(super) fn load(env: Env) {
    if let Some(vm) = tried(env) {
        _ = VM.set(vm);
    }
}

/// What is needed to hold binaries, if the VM does with known ones what is expected.
fn tried(env: Env) -> Option<Vm> {
    let wholes = [1000, 3001].map(|len| env.make_binary(&vec![0xa5; len]));
    let (reference, flags) = refer(env, wholes[0])?;
    let front = layout().and_then(|layout| front_of(layout, reference));
    let vm = Vm { flags, front };
    vm.give_back(reference.binary);
    let slice = env.make_slice(wholes[1], 500, 700);
    let cases = [(wholes[0], 0, 1000), (wholes[1], 0, 3001), (slice, 500, 3001)];
    let as_expected = cases.iter().all(|&(term, before, size)| {
        let extent = vm.front.map(|_| (before, size));
        vm.try_one(env, term, extent)
    });
    as_expected.then_some(vm)
}

/// The distance from what a reference to a whole binary points to, to the bytes.
fn front_of(_: Layout, reference: Reference) -> Option<usize> {
    let front = (reference.base as usize).checked_sub(reference.binary as usize)?;
    if !(8..=64).contains(&front) || front % 8 != 0 {
        return None;
    }
    // SAFETY: between what a reference points to and the bytes of a whole binary is the binary's own
    // memory, of at least a word.
    let size = unsafe { reference.binary.byte_add(front - 8).cast::<usize>().read() };
    (size == reference.len).then_some(front)
}

impl Vm {
    /// True if a binary goes through a reference as the very same bytes.
    fn try_one(&self, env: Env, term: VmTerm, extent: Option<(usize, usize)>) -> bool {
        let Some((reference, flags)) = refer(env, term) else { return false };
        let Some(queue) = Queue::new() else { return false };
        let bytes = env.binary(term).map(|bytes| (bytes.as_ptr(), bytes.len()));
        let shown: [_; 2] = std::array::from_fn(|_| {
            // SAFETY: just taken; a queue of our own.
            let shown = unsafe { queue.show(self.flags, env, reference) }?;
            env.binary(shown).map(|bytes| (bytes.as_ptr(), bytes.len()))
        });
        queue.destroy();
        let as_expected = flags == self.flags
            && bytes == Some((reference.base.cast_const(), reference.len))
            && shown == [bytes; 2]
            && self.extent(reference) == extent;
        self.give_back(reference.binary);
        as_expected
    }
}

/// An I/O queue that shows binaries; it is empty in between.
#[derive(Clone, Copy)]
struct Queue(NonNull<ErlNifIOQueue>);

impl Queue {
    fn new() -> Option<Queue> {
        // SAFETY: may be called from any thread.
        NonNull::new(unsafe { sys::enif_ioq_create(ErlNifIOQueueOpts::ERL_NIF_IOQ_NORMAL) })
            .map(Queue)
    }

    /// The term of a reference.
    ///
    /// # Safety
    /// The reference is held; no other thread uses the queue.
    #[inline(always)]
    unsafe fn show<'e>(
        self,
        flags: c_int,
        env: Env<'e>,
        reference: Reference,
    ) -> Option<VmTerm<'e>> {
        let (queue, mut term) = (self.0.as_ptr(), MaybeUninit::uninit());
        // SAFETY: by contract. The queue takes a reference of its own, which it drops at the end; the
        // term is written if the queue has a head.
        unsafe {
            let put = |vector| sys::enif_ioq_enqv(queue, vector, 0);
            if with_vector(reference, flags, put) == 0 {
                return None;
            }
            let made =
                sys::enif_ioq_peek_head(env.raw(), queue, null_mut(), term.as_mut_ptr()) != 0;
            sys::enif_ioq_deq(queue, reference.len, null_mut());
            made.then(|| VmTerm::from_raw(term.assume_init()))
        }
    }

    fn destroy(self) {
        // SAFETY: made by `new`; the owner does not use it any more.
        unsafe { sys::enif_ioq_destroy(self.0.as_ptr()) }
    }
}

/// The queue of a thread, none until it is needed.
struct OwnQueue(Cell<Option<Queue>>);

impl Drop for OwnQueue {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.destroy();
        }
    }
}

thread_local! {
    static QUEUE: OwnQueue = const { OwnQueue(Cell::new(None)) };
}

/// The thread's queue.
#[inline(always)]
fn own_queue() -> Option<Queue> {
    QUEUE.try_with(|own| own.0.get().or_else(|| own.first())).ok()?
}

impl OwnQueue {
    #[cold]
    #[inline(never)]
    fn first(&self) -> Option<Queue> {
        self.0.set(Queue::new());
        self.0.get()
    }
}

/// Marks the address of an [`Owned`] reference among the keepers.
const MARK: u64 = 1;

/// True for the keeper that [`hold`] gave.
#[inline(always)]
pub fn is_held(keeper: u64) -> bool {
    keeper & MARK != 0
}

/// Holds a binary of more than [`COPIED`] bytes, unless it has to be copied.
#[inline]
pub fn hold<'e>(env: Env<'e>, term: VmTerm<'e>, bytes: &[u8]) -> Option<Held<'e>> {
    let vm = VM.get()?;
    if vm.front.is_none() && bytes.len() <= LONG_SLICE {
        return None;
    }
    let (reference, _) = refer(env, term)?;
    let owned = Owned(reference.binary);
    if !vm.is_fair(reference) {
        return None;
    }
    Some(Held {
        // SAFETY: the term keeps them alive for the call, the reference longer.
        bytes: unsafe { std::slice::from_raw_parts(reference.base, reference.len) },
        word: reference.binary.expose_provenance() as u64,
        keeper: Arc::into_raw(Arc::new(owned)).expose_provenance() as u64 | MARK,
    })
}

/// The term of a held binary.
///
/// # Safety
/// The binary is held, and these are its words.
#[inline]
pub unsafe fn show<'e>(env: Env<'e>, bytes: &[u8], word: u64) -> VmTerm<'e> {
    let binary = ptr::with_exposed_provenance_mut(word as usize);
    let reference = Reference { base: bytes.as_ptr().cast_mut(), len: bytes.len(), binary };
    let shown = VM.get().zip(own_queue()).and_then(|(vm, queue)| {
        // SAFETY: held by contract; the thread's own queue.
        unsafe { queue.show(vm.flags, env, reference) }
    });
    shown.unwrap_or_else(|| env.make_binary(bytes))
}

fn owned(keeper: u64) -> *const Owned {
    ptr::with_exposed_provenance((keeper & !MARK) as usize)
}

/// Counts one more holder of a binary that the caller holds.
///
/// # Safety
/// [`is_held`], and held at least once.
pub unsafe fn retain(keeper: u64) {
    // SAFETY: made by `Arc::into_raw` in `hold`, and alive by contract.
    unsafe { Arc::increment_strong_count(owned(keeper)) }
}

/// Counts one holder less.
///
/// # Safety
/// [`is_held`]; the caller gives up one hold.
pub unsafe fn release(keeper: u64) {
    // SAFETY: made by `Arc::into_raw` in `hold`, and alive by contract.
    drop(unsafe { Arc::from_raw(owned(keeper)) });
}
