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
//! needed. A queue holds the same three words of its head; so each thread has one with a binary of
//! its own in it, and to show another one writes that one's words over them: nothing is put into the
//! queue or taken out. That is more than the interface promises, so [`load`] tries it with binaries
//! that it knows; where it does not go so (or on the portable path), binaries are copied, or kept in
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

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustler::sys::{ErlNifEnv, ErlNifTerm};

use super::{piece, tags};
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

/// The functions of the VM, and what [`load`] found out.
struct Vm {
    inspect_vector: InspectVector,
    free_vector: FreeVector,
    create_queue: CreateQueue,
    destroy_queue: DestroyQueue,
    enqueue: Enqueue,
    peek_head: PeekHead,
    /// The flags of a vector on the stack.
    flags: c_int,
    /// The distance from what a reference points to, to the bytes of the whole binary.
    front: usize,
    /// The distance from what a reference points to, to the VM's count of references.
    count: usize,
    /// Where a queue keeps the words of its head.
    head: Head,
}

/// The words of a queue that tell address, length and reference of its head, each counted from the
/// first.
#[derive(Clone, Copy, Default)]
struct Head {
    base: usize,
    len: usize,
    binary: usize,
}

/// The words of a queue.
const QUEUE_WORDS: usize = 25;

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
                flags: 0,
                front: 0,
                count: 0,
                head: Head::default(),
            })
        }
    }

    /// Counts one more reference to the binary of a term.
    fn refer(&self, env: Env, term: VmTerm) -> Option<(Reference, c_int)> {
        let list = piece::make_cell(env, term, tags::nil(env));
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

    /// Gives a reference back that another one outlives, if there is another one.
    #[inline]
    fn give_back_early(&self, binary: *mut c_void) -> bool {
        let holders = self.holders(binary);
        // Relaxed: it is an estimate until the exchange has succeeded.
        let mut seen = holders.load(Ordering::Relaxed);
        while seen > 1 {
            // Release: with the one who gives the last reference back, in the VM, which orders its
            // freeing behind our last look at the bytes. Relaxed: nothing is read after it.
            let left = seen - 1;
            match holders.compare_exchange_weak(seen, left, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Counts one more reference to a binary of which one is held.
    #[inline]
    fn refer_again(&self, binary: *mut c_void) {
        // Relaxed: who counts up holds it.
        self.holders(binary).fetch_add(1, Ordering::Relaxed);
    }

    /// The VM's count of the references to a binary that is held.
    #[inline(always)]
    fn holders(&self, binary: *mut c_void) -> &AtomicUsize {
        // SAFETY: held, so it lives; the VM counts there: see `load`.
        unsafe { &*binary.byte_add(self.count).cast::<AtomicUsize>() }
    }

    /// Writes the words of a reference over those of a queue's head.
    ///
    /// # Safety
    /// The queue was made by [`ShownBy::new`]; nobody else uses it. It is not destroyed before its own
    /// words are written again.
    #[inline(always)]
    unsafe fn put(&self, queue: NonNull<Queue>, reference: Reference) {
        let words = queue.cast::<usize>().as_ptr();
        // SAFETY: by contract; the head's words are among those of the queue: see `find_head`.
        unsafe {
            words.add(self.head.base).write(reference.base.expose_provenance());
            words.add(self.head.len).write(reference.len);
            words.add(self.head.binary).write(reference.binary.expose_provenance());
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
    let vm = Vm { head: vm.find_head(env)?, ..vm };
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

    /// Where a queue keeps the words of its head: the one place of each in a queue of one binary.
    fn find_head(&self, env: Env) -> Option<Head> {
        let shown = ShownBy::new(self, env)?;
        // SAFETY: a queue has so many words.
        let words = unsafe { shown.queue.cast::<[usize; QUEUE_WORDS]>().as_ref() };
        let only = |value: usize| {
            let mut at = words.iter().enumerate().filter(|&(_, &word)| word == value);
            at.next().filter(|_| at.next().is_none()).map(|(at, _)| at)
        };
        let Reference { base, len, binary } = shown.own;
        let head = only(base.expose_provenance())
            .zip(only(binary.expose_provenance()))
            .map(|(base, binary)| Head { base, len: base + 1, binary })
            .filter(|head| words[head.len] == len);
        // SAFETY: the words of its head are as they were.
        unsafe { shown.destroy(self) };
        head
    }

    /// True if a binary goes through a reference as the very same bytes, held once more by each term.
    fn try_one(&self, env: Env, term: VmTerm, extent: (usize, usize)) -> bool {
        let Some((reference, flags)) = self.refer(env, term) else { return false };
        let Some(by) = ShownBy::new(self, env) else { return false };
        let bytes = env.binary(term).map(|bytes| (bytes.as_ptr(), bytes.len()));
        let holders = || self.holders(reference.binary).load(Ordering::Relaxed);
        let before = holders();
        let shown: [_; 2] = std::array::from_fn(|_| {
            // SAFETY: just counted; a queue of our own.
            let shown = unsafe { by.show(self, env, reference) }?;
            env.binary(shown).map(|bytes| (bytes.as_ptr(), bytes.len()))
        });
        let counted = holders() - before == shown.len();
        // SAFETY: not used any more.
        unsafe { by.put_away(self) };
        let as_expected = flags == self.flags
            && bytes == Some((reference.base.cast_const(), reference.len))
            && shown == [bytes; 2]
            && counted
            && holders() - before == shown.len()
            && self.extent(reference) == Some(extent);
        self.give_back(reference.binary);
        as_expected
    }
}

/// A queue that shows binaries. It holds one of its own, the words of which stand in it while it is
/// not in use.
#[derive(Clone, Copy)]
struct ShownBy {
    queue: NonNull<Queue>,
    own: Reference,
}

impl ShownBy {
    /// The length of its own binary: a number that stands nowhere else in a queue.
    const LENGTH: usize = 311;

    fn new(vm: &Vm, env: Env) -> Option<ShownBy> {
        const NORMAL: c_int = 1;
        let (own, _) = vm.refer(env, env.make_binary(&[0; ShownBy::LENGTH]))?;
        // SAFETY: may be called from any thread.
        let queue = NonNull::new(unsafe { (vm.create_queue)(NORMAL) });
        let filled = queue.filter(|queue| {
            // SAFETY: a queue just made; the reference is counted.
            vm.with_vector(own, |vector| unsafe { (vm.enqueue)(queue.as_ptr(), vector, 0) }) != 0
        });
        // The queue has counted one of its own.
        vm.give_back(own.binary);
        filled.map(|queue| ShownBy { queue, own })
    }

    /// The term of a reference.
    ///
    /// # Safety
    /// The reference is counted; nobody else uses the queue.
    #[inline(always)]
    unsafe fn show<'e>(&self, vm: &Vm, env: Env<'e>, reference: Reference) -> Option<VmTerm<'e>> {
        let mut term = MaybeUninit::uninit();
        // SAFETY: by contract; the term is written if the queue has a head.
        unsafe {
            vm.put(self.queue, reference);
            let queue = self.queue.as_ptr();
            let made = (vm.peek_head)(env.raw(), queue, null_mut(), term.as_mut_ptr()) != 0;
            made.then(|| VmTerm::from_raw(term.assume_init()))
        }
    }

    /// Destroys a queue that has shown binaries.
    ///
    /// # Safety
    /// It is not used any more.
    unsafe fn put_away(self, vm: &Vm) {
        // SAFETY: by contract.
        unsafe {
            vm.put(self.queue, self.own);
            self.destroy(vm);
        }
    }

    /// Destroys a queue in which its own binary's words stand.
    ///
    /// # Safety
    /// It is not used any more.
    unsafe fn destroy(self, vm: &Vm) {
        // SAFETY: by contract; made by `new`.
        unsafe { (vm.destroy_queue)(self.queue.as_ptr()) }
    }
}

/// The queue of a thread, none until it is needed.
struct OwnQueue(Cell<Option<ShownBy>>);

impl Drop for OwnQueue {
    fn drop(&mut self) {
        if let (Some(vm), Some(shown_by)) = (VM.get(), self.0.get()) {
            // SAFETY: used by this thread alone, which ends.
            unsafe { shown_by.put_away(vm) };
        }
    }
}

thread_local! {
    static QUEUE: OwnQueue = const { OwnQueue(Cell::new(None)) };
}

/// The thread's queue.
#[inline(always)]
fn own_queue(vm: &Vm, env: Env) -> Option<ShownBy> {
    QUEUE.try_with(|own| own.0.get().or_else(|| own.first(vm, env))).ok()?
}

impl OwnQueue {
    #[cold]
    #[inline(never)]
    fn first(&self, vm: &Vm, env: Env) -> Option<ShownBy> {
        self.0.set(ShownBy::new(vm, env));
        self.0.get()
    }
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
        // SAFETY: held by contract; the thread's own queue.
        unsafe { own_queue(vm, env)?.show(vm, env, reference) }
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

/// Gives a reference back. The last one is left to the VM.
pub fn release(keeper: u64) {
    let binary = binary(keeper);
    if let Some(vm) = VM.get()
        && !vm.give_back_early(binary)
    {
        vm.give_back(binary);
    }
}
