//! Binaries held by reference: the VM's own count of a binary's holders, without an environment.
//!
//! The C interface has one way to hold a binary of the VM outside of all environments: an I/O
//! vector ([`enif_inspect_iovec`] without an environment) counts one reference to each of its
//! binaries until it is given back ([`enif_free_iovec`]). And it has one way to make a term of such
//! a vector: through an I/O queue, whose head [`enif_ioq_peek_head`] shows as a binary that shares
//! the bytes. So nothing is copied when a binary is stored or looked up, as in ETS, and whatever
//! thread gives the last reference back frees it.
//!
//! A vector takes 424 bytes, of which one binary needs three words: address and length of the bytes
//! and the reference. Those are kept, and the vector is written again on the stack when it is
//! needed. That is more than the interface promises, so [`load`] tries it with binaries that it
//! knows; where it does not go so (or on the portable path), binaries are copied, or kept in
//! environments if they are very long ([`super::foreign`]).
//!
//! A reference keeps all of the binary alive of which a slice is stored. The VM's word in front of
//! a binary's bytes tells how many there are (tried by `load`, too). A slice of less than half is
//! copied, unless it is longer than [`LONG_SLICE`]: so a small part never holds a large whole.
//!
//! The core has no term at hand when it copies objects, without which the VM cannot be asked to count
//! one more. So this is counted where the VM counts, in one of the words in front of the bytes: the
//! one that `load` sees growing by one with each reference, and shrinking as each is given back.
//!
//! [`enif_inspect_iovec`]: https://www.erlang.org/doc/man/erl_nif#enif_inspect_iovec
//! [`enif_free_iovec`]: https://www.erlang.org/doc/man/erl_nif#enif_free_iovec
//! [`enif_ioq_peek_head`]: https://www.erlang.org/doc/man/erl_nif#enif_ioq_peek_head

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustler::sys::{ErlNifEnv, ErlNifTerm};

use super::tags;
use crate::vm::{Env, VmTerm};

/// Binaries up to this size are copied into objects and out of them. The VM could share those of
/// more than 64 bytes, but to count a holder costs more than to copy so few bytes (60 ns against 39
/// for 65 bytes); and who looks at the holders of a small binary right after its object was deleted,
/// as OTP's tests do, would still see ours, which goes with the next grace period.
pub const COPIED: usize = 256;
/// Slices of more bytes than this are referred to, however much they keep alive.
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

/// `ErlNifIOQueue`, which only the VM looks into.
enum Queue {}

type InspectVector = unsafe extern "C" fn(
    *mut ErlNifEnv,
    usize,
    ErlNifTerm,
    *mut ErlNifTerm,
    *mut *mut Vector,
) -> c_int;
type FreeVector = unsafe extern "C" fn(*mut Vector);
type CreateQueue = unsafe extern "C" fn(c_int) -> *mut Queue;
type DestroyQueue = unsafe extern "C" fn(*mut Queue);
type Enqueue = unsafe extern "C" fn(*mut Queue, *mut Vector, usize) -> c_int;
type PeekHead =
    unsafe extern "C" fn(*mut ErlNifEnv, *mut Queue, *mut usize, *mut ErlNifTerm) -> c_int;
type Dequeue = unsafe extern "C" fn(*mut Queue, usize, *mut usize) -> c_int;

/// The functions of the VM, and what [`load`] found out.
struct Vm {
    inspect_vector: InspectVector,
    free_vector: FreeVector,
    create_queue: CreateQueue,
    destroy_queue: DestroyQueue,
    enqueue: Enqueue,
    peek_head: PeekHead,
    dequeue: Dequeue,
    /// The flags of a vector on the stack.
    flags: c_int,
    /// The distance from what a reference points to, to the bytes of the whole binary.
    front: usize,
    /// The distance from what a reference points to, to the VM's count of references.
    count: usize,
}

/// Empty if binaries cannot be held by reference.
static VM: OnceLock<Vm> = OnceLock::new();

/// A counted reference to a binary of the VM.
#[derive(Clone, Copy)]
struct Reference {
    base: *mut u8,
    len: usize,
    binary: *mut c_void,
}

/// A binary that is held once more: what stands in its block.
#[derive(Clone, Copy)]
pub struct Held<'e> {
    /// The bytes: they live as long as the binary is held.
    pub bytes: &'e [u8],
    /// The VM's reference.
    pub word: u64,
    /// The same, marked as a keeper of this kind.
    pub keeper: u64,
}

impl Vm {
    /// The functions by their names, if the VM has them all.
    fn find() -> Option<Vm> {
        // SAFETY: these functions have these types, since the versions of the VM that came long
        // before those that are supported.
        unsafe {
            Some(Vm {
                inspect_vector: std::mem::transmute::<NonNull<c_void>, InspectVector>(symbol(
                    c"enif_inspect_iovec",
                )?),
                free_vector: std::mem::transmute::<NonNull<c_void>, FreeVector>(symbol(
                    c"enif_free_iovec",
                )?),
                create_queue: std::mem::transmute::<NonNull<c_void>, CreateQueue>(symbol(
                    c"enif_ioq_create",
                )?),
                destroy_queue: std::mem::transmute::<NonNull<c_void>, DestroyQueue>(symbol(
                    c"enif_ioq_destroy",
                )?),
                enqueue: std::mem::transmute::<NonNull<c_void>, Enqueue>(symbol(c"enif_ioq_enqv")?),
                peek_head: std::mem::transmute::<NonNull<c_void>, PeekHead>(symbol(
                    c"enif_ioq_peek_head",
                )?),
                dequeue: std::mem::transmute::<NonNull<c_void>, Dequeue>(symbol(c"enif_ioq_deq")?),
                flags: 0,
                front: 0,
                count: 0,
            })
        }
    }

    /// Counts one more reference to the binary of a term.
    fn refer(&self, env: Env, term: VmTerm) -> Option<(Reference, c_int)> {
        let list = env.make_list(&[term]);
        let mut room = MaybeUninit::<Vector>::uninit();
        let mut vector = room.as_mut_ptr();
        let mut tail = MaybeUninit::uninit();
        // SAFETY: a list of one binary, and room for a vector, which is written on success. Without
        // an environment the VM counts a reference that belongs to the vector.
        unsafe {
            let (tail, vector_at) = (tail.as_mut_ptr(), &raw mut vector);
            if (self.inspect_vector)(null_mut(), 1, list.raw(), tail, vector_at) == 0 {
                return None;
            }
            let Vector { count, slices, binaries, flags, .. } = &*vector;
            if *count != 1 || vector != room.as_mut_ptr() {
                (self.free_vector)(vector);
                return None;
            }
            let Slice { base, len } = **slices;
            Some((Reference { base, len, binary: **binaries }, *flags))
        }
    }

    /// Lends a vector with the reference to `with`.
    fn with_vector<T>(&self, reference: Reference, with: impl FnOnce(*mut Vector) -> T) -> T {
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
            (&raw mut (*at).flags).write(self.flags);
        }
        with(at)
    }

    /// Gives a reference back.
    fn give_back(&self, binary: *mut c_void) {
        let reference = Reference { base: null_mut(), len: 0, binary };
        // SAFETY: the reference is counted, and not used any more.
        self.with_vector(reference, |vector| unsafe { (self.free_vector)(vector) });
    }

    /// Counts one more reference to a binary of which one is held.
    fn refer_again(&self, binary: *mut c_void) {
        // SAFETY: held, so it lives; the VM counts there: see `load`. Relaxed: who counts up holds it.
        unsafe { &*binary.byte_add(self.count).cast::<AtomicUsize>() }
            .fetch_add(1, Ordering::Relaxed);
    }

    /// The term of a reference, by way of the queue, which is empty before and after.
    ///
    /// # Safety
    /// The reference is counted; nobody else uses the queue.
    unsafe fn show<'e>(
        &self,
        env: Env<'e>,
        queue: NonNull<Queue>,
        reference: Reference,
    ) -> Option<VmTerm<'e>> {
        let queue = queue.as_ptr();
        let mut term = MaybeUninit::uninit();
        // SAFETY: by contract; the term is written if the queue has a head.
        unsafe {
            if self.with_vector(reference, |vector| (self.enqueue)(queue, vector, 0)) == 0 {
                return None;
            }
            let made = (self.peek_head)(env.raw(), queue, null_mut(), term.as_mut_ptr()) != 0;
            (self.dequeue)(queue, reference.len, null_mut());
            made.then(|| VmTerm::from_raw(term.assume_init()))
        }
    }

    /// How many bytes the whole binary of a reference has before its slice, and in all; nothing if
    /// its bytes are elsewhere.
    fn extent(&self, reference: Reference) -> Option<(usize, usize)> {
        // SAFETY: in front of a binary's bytes stands their number: see `load`. It changes only
        // before the binary is shared.
        let size = unsafe { reference.binary.byte_add(self.front - 8).cast::<usize>().read() };
        let before =
            (reference.base as usize).checked_sub(reference.binary as usize + self.front)?;
        (before + reference.len <= size).then_some((before, size))
    }

    /// True if the reference keeps alive not much more than its slice.
    fn is_fair(&self, reference: Reference) -> bool {
        self.extent(reference).is_some_and(|(_, size)| size / 2 <= reference.len)
    }
}

/// A function of the VM.
fn symbol(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: a name that ends with a zero.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// Finds out whether binaries can be held by reference.
pub fn load(env: Env) {
    if tags::portable() {
        return;
    }
    if let Some(vm) = Vm::find().and_then(|vm| tried(vm, env)) {
        _ = VM.set(vm);
    }
}

/// The functions, if they do with binaries that are known what is expected of them.
fn tried(vm: Vm, env: Env) -> Option<Vm> {
    let wholes = [1000, 3001].map(|len| env.make_binary(&vec![0xa5; len]));
    let (reference, flags) = vm.refer(env, wholes[0])?;
    let front = (reference.base as usize).checked_sub(reference.binary as usize)?;
    vm.give_back_as(flags, reference);
    if !(8..=64).contains(&front) || front % 8 != 0 {
        return None;
    }
    let vm = Vm { flags, front, ..vm };
    let vm = Vm { count: vm.find_count(env, wholes[0])?, ..vm };
    let slice = env.make_slice(wholes[1], 500, 700);
    let cases = [(wholes[0], 0, 1000), (wholes[1], 0, 3001), (slice, 500, 3001)];
    cases.iter().all(|&(term, before, size)| vm.try_one(env, term, (before, size))).then_some(vm)
}

impl Vm {
    /// Gives the first reference back, before the flags are known otherwise.
    fn give_back_as(&self, flags: c_int, reference: Reference) {
        self.with_vector(reference, |vector| {
            // SAFETY: a vector that is written, of a counted reference.
            unsafe {
                (*vector).flags = flags;
                (self.free_vector)(vector);
            }
        });
    }

    /// Where the VM counts the references to a binary that nobody else uses: the one word in front of
    /// its bytes that grows by their number, and shrinks again.
    fn find_count(&self, env: Env, term: VmTerm) -> Option<usize> {
        const MORE: usize = 3;
        let (Reference { binary, .. }, _) = self.refer(env, term)?;
        let words = || {
            let word = |i| binary.cast::<usize>().wrapping_add(i);
            // SAFETY: held. What stands before the bytes belongs to the binary. Volatile: the VM
            // changes it.
            (0..self.front / 8).map(|i| unsafe { word(i).read_volatile() }).collect::<Vec<_>>()
        };
        let before = words();
        let more = (0..MORE).filter(|_| self.refer(env, term).is_some()).count();
        let during = words();
        (0..more).for_each(|_| self.give_back(binary));
        let restored = before == words();
        self.give_back(binary);
        let growth = before.iter().zip(&during).map(|(before, now)| now.wrapping_sub(*before));
        let mut grown = growth.enumerate().filter(|&(_, by)| by != 0);
        match (grown.next(), grown.next()) {
            (Some((at, MORE)), None) if restored => Some(8 * at),
            _ => None,
        }
    }

    /// True if a binary goes through a reference as the very same bytes.
    fn try_one(&self, env: Env, term: VmTerm, extent: (usize, usize)) -> bool {
        let Some((reference, flags)) = self.refer(env, term) else { return false };
        let Some(queue) = self.queue() else { return false };
        let bytes = env.binary(term).map(|bytes| (bytes.as_ptr(), bytes.len()));
        // SAFETY: just counted; a queue of our own.
        let shown = unsafe { self.show(env, queue, reference) }.and_then(|term| env.binary(term));
        // SAFETY: made by `queue`, not used any more.
        unsafe { (self.destroy_queue)(queue.as_ptr()) };
        let as_expected = flags == self.flags
            && bytes == Some((reference.base.cast_const(), reference.len))
            && bytes == shown.map(|bytes| (bytes.as_ptr(), bytes.len()))
            && self.extent(reference) == Some(extent);
        self.give_back(reference.binary);
        as_expected
    }

    fn queue(&self) -> Option<NonNull<Queue>> {
        const NORMAL: c_int = 1;
        // SAFETY: may be called from any thread.
        NonNull::new(unsafe { (self.create_queue)(NORMAL) })
    }
}

/// The queue of a thread, null until it is needed.
struct OwnQueue(std::cell::Cell<*mut Queue>);

impl Drop for OwnQueue {
    fn drop(&mut self) {
        if let (Some(vm), Some(queue)) = (VM.get(), NonNull::new(self.0.get())) {
            // SAFETY: made by `queue`, used by this thread alone.
            unsafe { (vm.destroy_queue)(queue.as_ptr()) };
        }
    }
}

thread_local! {
    static QUEUE: OwnQueue = const { OwnQueue(std::cell::Cell::new(null_mut())) };
}

/// The thread's queue.
#[inline]
fn own_queue(vm: &Vm) -> Option<NonNull<Queue>> {
    QUEUE
        .try_with(|own| {
            NonNull::new(own.0.get()).or_else(|| {
                let queue = vm.queue()?;
                own.0.set(queue.as_ptr());
                Some(queue)
            })
        })
        .ok()?
}

/// Marks the address of a binary among the keepers.
const MARK: u64 = 1;

/// True for what [`hold`] gave.
#[inline(always)]
pub fn is_held(keeper: u64) -> bool {
    keeper & MARK != 0
}

/// Holds a binary of more than [`COPIED`] bytes, unless it has to be copied.
#[inline]
pub fn hold<'e>(env: Env<'e>, term: VmTerm<'e>) -> Option<Held<'e>> {
    let vm = VM.get()?;
    let (reference, _) = vm.refer(env, term)?;
    if reference.len <= LONG_SLICE && !vm.is_fair(reference) {
        vm.give_back(reference.binary);
        return None;
    }
    let word = reference.binary.expose_provenance() as u64;
    Some(Held {
        // SAFETY: the term keeps them alive for the call, the reference longer.
        bytes: unsafe { std::slice::from_raw_parts(reference.base, reference.len) },
        word,
        keeper: word | MARK,
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
    let shown = VM.get().and_then(|vm| {
        let queue = own_queue(vm)?;
        // SAFETY: held by contract; the thread's own queue.
        unsafe { vm.show(env, queue, reference) }
    });
    shown.unwrap_or_else(|| env.make_binary(bytes))
}

fn binary(keeper: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut((keeper & !MARK) as usize)
}

/// Counts one more holder of what the caller knows to be held.
pub fn retain(keeper: u64) {
    if let Some(vm) = VM.get() {
        vm.refer_again(binary(keeper));
    }
}

/// Gives a reference back.
pub fn release(keeper: u64) {
    if let Some(vm) = VM.get() {
        vm.give_back(binary(keeper));
    }
}
