//! The VM's C interface behind Rust types: environments, terms, and the calls that the boundary
//! uses.
//!
//! A [`VmTerm`] is a valid term of an environment that lives for its lifetime; the unsafe
//! constructors are where that is promised, so that everything built on them is safe. Terms of two
//! environments may not be mixed in one compound: a term of a keeper ([`crate::codec::foreign`])
//! gets into a call's environment by [`Env::copy`] only.

use std::ffi::{CStr, c_int, c_uint};
use std::marker::PhantomData;
use std::mem::{MaybeUninit, transmute};

use rustler::sys::{self, ErlNifBinary, ErlNifEnv, ErlNifTerm};

const _: () = assert!(size_of::<ErlNifTerm>() == size_of::<u64>(), "64-bit VMs only");

/// The signature of a NIF.
pub type NifFunction = unsafe extern "C" fn(*mut ErlNifEnv, c_int, *const ErlNifTerm) -> ErlNifTerm;

/// An environment of the VM.
#[derive(Clone, Copy)]
pub struct Env<'e> {
    raw: *mut ErlNifEnv,
    _life: PhantomData<&'e ErlNifEnv>,
}

/// A term of the VM, in an environment that lives for `'e`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct VmTerm<'e> {
    word: u64,
    _life: PhantomData<&'e ()>,
}

/// The word of a C term.
#[inline(always)]
fn word(term: ErlNifTerm) -> u64 {
    // SAFETY: `ErlNifTerm` is a transparent `usize`, of 64 bits by the assertion above.
    unsafe { transmute(term) }
}

impl<'e> VmTerm<'e> {
    /// The term of a word.
    ///
    /// # Safety
    /// The word is a term of an environment that lives for `'e`.
    #[inline(always)]
    pub const unsafe fn from_word(word: u64) -> VmTerm<'e> {
        VmTerm { word, _life: PhantomData }
    }

    /// The first bytes of the term as the VM prints it, enough for a message.
    pub fn print(self) -> Vec<u8> {
        let mut text = [0u8; 128];
        // SAFETY: room for that many bytes, a format for one term, and a term; the text is ended by
        // a zero inside the room.
        unsafe {
            let format = c"%T".as_ptr();
            sys::enif_snprintf!(text.as_mut_ptr().cast(), text.len(), format, self.raw());
        }
        text.into_iter().take_while(|&byte| byte != 0).collect()
    }

    /// The term of what a C function returned.
    ///
    /// # Safety
    /// As for [`VmTerm::from_word`].
    #[inline(always)]
    pub unsafe fn from_raw(term: ErlNifTerm) -> VmTerm<'e> {
        VmTerm { word: word(term), _life: PhantomData }
    }

    /// The words of terms.
    #[inline(always)]
    pub fn words<'a>(terms: &'a [VmTerm<'e>]) -> &'a [u64] {
        // SAFETY: `VmTerm` is a transparent word.
        unsafe { std::slice::from_raw_parts(terms.as_ptr().cast(), terms.len()) }
    }

    /// The terms of words.
    ///
    /// # Safety
    /// As for [`VmTerm::from_word`], for each of them.
    #[inline(always)]
    pub unsafe fn of_words(words: &[u64]) -> &[VmTerm<'e>] {
        // SAFETY: `VmTerm` is a transparent word.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
    }

    /// The word that the VM uses for the term.
    #[inline(always)]
    pub fn word(self) -> u64 {
        self.word
    }

    /// The same, where it stands.
    #[inline(always)]
    pub fn as_word(&self) -> &u64 {
        &self.word
    }

    /// The term as C functions take it.
    #[inline(always)]
    pub fn raw(self) -> ErlNifTerm {
        // SAFETY: see `word`.
        unsafe { transmute(self.word) }
    }

    /// `=:=` as the VM sees it.
    pub fn identical(self, other: VmTerm) -> bool {
        // SAFETY: both are valid terms.
        unsafe { sys::enif_is_identical(self.raw(), other.raw()) != 0 }
    }

    /// The VM's term order (`==` semantics).
    pub fn compare(self, other: VmTerm) -> std::cmp::Ordering {
        // SAFETY: both are valid terms.
        unsafe { sys::enif_compare(self.raw(), other.raw()).cmp(&0) }
    }

    /// What `erlang:phash2/2` makes of the term with 27 bits: the same in every run and release.
    #[inline]
    pub fn portable_hash(self) -> u32 {
        // SAFETY: a valid term. The salt is not used.
        unsafe { sys::enif_hash(sys::ErlNifHash::ERL_NIF_PHASH2, self.raw(), 0) as u32 }
    }

    /// The VM's internal hash, of 32 bits: equal for equal (`=:=`) terms and salts in one VM run.
    pub fn internal_hash(self, salt: u64) -> u64 {
        // SAFETY: a valid term.
        unsafe { sys::enif_hash(sys::ErlNifHash::ERL_NIF_INTERNAL_HASH, self.raw(), salt) }
    }
}

/// The pid word of the VM's pid structure.
pub fn pid_word(pid: &sys::ErlNifPid) -> u64 {
    const { assert!(size_of::<sys::ErlNifPid>() == size_of::<u64>()) };
    // SAFETY: the C structure has one field, the term, of this size.
    unsafe { transmute::<sys::ErlNifPid, u64>(*pid) }
}

/// The VM's pid structure of a pid word.
#[inline(always)]
pub fn pid_of(word: u64) -> sys::ErlNifPid {
    // SAFETY: as for `pid_word`.
    unsafe { transmute::<u64, sys::ErlNifPid>(word) }
}

/// Bytes that the VM allocated, released on drop.
pub struct External(ErlNifBinary);

impl External {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `enif_term_to_binary` filled it; it is not released before drop.
        unsafe { std::slice::from_raw_parts(self.0.data, self.0.size) }
    }
}

impl Drop for External {
    fn drop(&mut self) {
        // SAFETY: allocated by `enif_term_to_binary`, released once.
        unsafe { sys::enif_release_binary(&mut self.0) }
    }
}

/// An environment that belongs to no process, freed on drop.
pub struct OwnEnv(*mut ErlNifEnv);

impl OwnEnv {
    /// A fresh environment.
    #[expect(clippy::new_without_default, reason = "it allocates")]
    pub fn new() -> OwnEnv {
        #[cfg(feature = "count_memory")]
        crate::accounting::count_environments(1);
        // SAFETY: may be called from any thread.
        OwnEnv(unsafe { sys::enif_alloc_env() })
    }

    /// The environment, for as long as `self` is borrowed.
    pub fn env(&self) -> Env<'_> {
        // SAFETY: it lives until `self` is dropped.
        unsafe { Env::new(self.0) }
    }
}

impl Drop for OwnEnv {
    fn drop(&mut self) {
        #[cfg(feature = "count_memory")]
        crate::accounting::count_environments(-1);
        // SAFETY: made by `enif_alloc_env`, freed once; may be called from any thread.
        unsafe { sys::enif_free_env(self.0) }
    }
}

/// The pairs of a map, in the VM's iteration order.
pub struct Pairs<'e> {
    env: Env<'e>,
    iterator: sys::ErlNifMapIterator,
}

impl<'e> Iterator for Pairs<'e> {
    type Item = (VmTerm<'e>, VmTerm<'e>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut key = MaybeUninit::uninit();
        let mut value = MaybeUninit::uninit();
        // SAFETY: the iterator was created by `Env::pairs` and not destroyed; a pair that is told
        // to be there has been written, and its terms live in the map's environment.
        unsafe {
            let (raw, iterator) = (self.env.raw, &mut self.iterator);
            let found = sys::enif_map_iterator_get_pair(
                raw,
                iterator,
                key.as_mut_ptr(),
                value.as_mut_ptr(),
            );
            if found == 0 {
                return None;
            }
            sys::enif_map_iterator_next(raw, iterator);
            let pair = (key.assume_init(), value.assume_init());
            Some((VmTerm::from_raw(pair.0), VmTerm::from_raw(pair.1)))
        }
    }
}

impl Drop for Pairs<'_> {
    fn drop(&mut self) {
        // SAFETY: created by `Env::pairs`, destroyed once.
        unsafe { sys::enif_map_iterator_destroy(self.env.raw, &mut self.iterator) }
    }
}

/// Questions: what a term is, and its parts.
impl<'e> Env<'e> {
    /// The environment behind a C pointer.
    ///
    /// # Safety
    /// It lives for `'e`, and only this thread uses it meanwhile.
    #[inline(always)]
    pub unsafe fn new(raw: *mut ErlNifEnv) -> Env<'e> {
        Env { raw, _life: PhantomData }
    }

    /// The C pointer.
    #[inline(always)]
    pub fn raw(self) -> *mut ErlNifEnv {
        self.raw
    }

    /// True for an atom.
    pub fn is_atom(self, term: VmTerm) -> bool {
        // SAFETY: a valid environment and a valid term, as in all the predicates below.
        unsafe { sys::enif_is_atom(self.raw, term.raw()) != 0 }
    }

    /// True for `[]`.
    pub fn is_nil(self, term: VmTerm) -> bool {
        // SAFETY: as above.
        unsafe { sys::enif_is_empty_list(self.raw, term.raw()) != 0 }
    }

    /// True for a reference.
    pub fn is_reference(self, term: VmTerm) -> bool {
        // SAFETY: as above.
        unsafe { sys::enif_is_ref(self.raw, term.raw()) != 0 }
    }

    /// True for a fun.
    pub fn is_fun(self, term: VmTerm) -> bool {
        // SAFETY: as above.
        unsafe { sys::enif_is_fun(self.raw, term.raw()) != 0 }
    }

    /// True for a pid.
    pub fn is_pid(self, term: VmTerm) -> bool {
        // SAFETY: as above.
        unsafe { sys::enif_is_pid(self.raw, term.raw()) != 0 }
    }

    /// True for a port.
    pub fn is_port(self, term: VmTerm) -> bool {
        // SAFETY: as above.
        unsafe { sys::enif_is_port(self.raw, term.raw()) != 0 }
    }

    /// True for an integer or float.
    pub fn is_number(self, term: VmTerm) -> bool {
        // SAFETY: as above.
        unsafe { sys::enif_is_number(self.raw, term.raw()) != 0 }
    }

    /// The value of an integer, if it fits.
    #[inline]
    pub fn int64(self, term: VmTerm) -> Option<i64> {
        let mut value = 0;
        // SAFETY: as above; written on success.
        (unsafe { sys::enif_get_int64(self.raw, term.raw(), &mut value) } != 0).then_some(value)
    }

    /// The value of an integer, if it fits.
    pub fn uint64(self, term: VmTerm) -> Option<u64> {
        let mut value = 0;
        // SAFETY: as above; written on success.
        (unsafe { sys::enif_get_uint64(self.raw, term.raw(), &mut value) } != 0).then_some(value)
    }

    /// The value of a float.
    #[inline]
    pub fn float(self, term: VmTerm) -> Option<f64> {
        let mut value = 0.0;
        // SAFETY: as above; written on success.
        (unsafe { sys::enif_get_double(self.raw, term.raw(), &mut value) } != 0).then_some(value)
    }

    /// The elements of a tuple.
    #[inline]
    pub fn tuple(self, term: VmTerm<'e>) -> Option<&'e [VmTerm<'e>]> {
        let mut arity = 0;
        let mut elements = std::ptr::null();
        // SAFETY: as above.
        if unsafe { sys::enif_get_tuple(self.raw, term.raw(), &mut arity, &mut elements) } == 0 {
            return None;
        }
        if arity == 0 {
            return Some(&[]);
        }
        // SAFETY: the VM tells where the tuple's elements stand; terms do not move while their
        // environment lives, and `VmTerm` is a transparent word as `ErlNifTerm` is.
        Some(unsafe { std::slice::from_raw_parts(elements.cast(), arity as usize) })
    }

    /// The head and tail of a list cell.
    #[inline]
    pub fn cell(self, term: VmTerm<'e>) -> Option<(VmTerm<'e>, VmTerm<'e>)> {
        let mut head = MaybeUninit::uninit();
        let mut tail = MaybeUninit::uninit();
        // SAFETY: as above; both are written on success.
        unsafe {
            let (head_at, tail_at) = (head.as_mut_ptr(), tail.as_mut_ptr());
            if sys::enif_get_list_cell(self.raw, term.raw(), head_at, tail_at) == 0 {
                return None;
            }
            Some((VmTerm::from_raw(head.assume_init()), VmTerm::from_raw(tail.assume_init())))
        }
    }

    /// The bytes of a binary, not of a bit string that does not end at a byte. They live as long as
    /// the environment.
    #[inline]
    pub fn binary(self, term: VmTerm<'e>) -> Option<&'e [u8]> {
        let mut binary = MaybeUninit::<ErlNifBinary>::uninit();
        // SAFETY: as above; written on success. A binary that is not aligned to bytes is copied
        // by the VM into memory of the environment.
        unsafe {
            if sys::enif_inspect_binary(self.raw, term.raw(), binary.as_mut_ptr()) == 0 {
                return None;
            }
            let binary = binary.assume_init();
            Some(std::slice::from_raw_parts(binary.data, binary.size))
        }
    }

    /// The number of pairs of a map.
    #[inline]
    pub fn map_size(self, term: VmTerm) -> Option<usize> {
        let mut size = 0;
        // SAFETY: as above.
        (unsafe { sys::enif_get_map_size(self.raw, term.raw(), &mut size) } != 0).then_some(size)
    }

    /// The pairs of a map.
    pub fn pairs(self, term: VmTerm<'e>) -> Option<Pairs<'e>> {
        let mut iterator = MaybeUninit::uninit();
        let entry = sys::ErlNifMapIteratorEntry::ERL_NIF_MAP_ITERATOR_HEAD;
        // SAFETY: as above; written on success.
        unsafe {
            if sys::enif_map_iterator_create(self.raw, term.raw(), iterator.as_mut_ptr(), entry)
                == 0
            {
                return None;
            }
            Some(Pairs { env: self, iterator: iterator.assume_init() })
        }
    }

    /// The term in the external term format, or nothing if that is beyond the VM's limits.
    pub fn to_external(self, term: VmTerm) -> Option<External> {
        let mut binary = MaybeUninit::<ErlNifBinary>::uninit();
        // SAFETY: as above; written on success.
        unsafe {
            let made = sys::enif_term_to_binary(self.raw, term.raw(), binary.as_mut_ptr());
            (made != 0).then(|| External(binary.assume_init()))
        }
    }

    /// True if this is the calling process.
    #[inline(always)]
    pub fn is_self(self, pid: u64) -> bool {
        self.self_pid().is_some_and(|own| own.word() == pid)
    }

    /// True if the process (of this node) has not begun to exit.
    #[inline(always)]
    pub fn is_alive(self, pid: u64) -> bool {
        let pid = pid_of(pid);
        // SAFETY: as above; a local pid.
        unsafe { sys::enif_is_process_alive(self.raw, &pid) != 0 }
    }

    /// False if the calling process was killed while it runs a dirty NIF.
    pub fn is_current_alive(self) -> bool {
        // SAFETY: as above.
        unsafe { sys::enif_is_current_process_alive(self.raw) != 0 }
    }

    /// The word of a pid of this node.
    pub fn local_pid(self, term: VmTerm) -> Option<u64> {
        let mut pid = MaybeUninit::<sys::ErlNifPid>::uninit();
        // SAFETY: as above; written on success.
        unsafe {
            let local = sys::enif_get_local_pid(self.raw, term.raw(), pid.as_mut_ptr()) != 0;
            local.then(|| pid_word(&pid.assume_init()))
        }
    }

    /// The name of this node. The C interface has no call for it, but the external format of a
    /// local pid begins with it.
    pub fn node(self) -> Option<VmTerm<'e>> {
        const VERSION_AND_TAG: usize = 2;
        let pid = self.to_external(self.self_pid()?)?;
        let mut name = vec![pid.bytes()[0]];
        name.extend_from_slice(&pid.bytes()[VERSION_AND_TAG..]);
        self.from_external(&name)
    }

    /// The monotonic time of the VM, in nanoseconds (its native unit).
    pub fn monotonic_time(self) -> i64 {
        // SAFETY: may be called from any scheduler.
        unsafe { sys::enif_monotonic_time(sys::ErlNifTimeUnit::ERL_NIF_NSEC) }
    }

    /// The length of a proper list.
    pub fn list_length(self, term: VmTerm) -> Option<usize> {
        let mut length = 0;
        // SAFETY: as above; written on success.
        let proper = unsafe { sys::enif_get_list_length(self.raw, term.raw(), &mut length) } != 0;
        proper.then_some(length as usize)
    }

    /// Sends a message whose term lives in its own environment. Whether the receiver still lives
    /// is not told.
    pub fn send(self, to: u64, message_env: OwnEnv, message: u64) {
        let to = pid_of(to);
        // SAFETY: as above; the message is a term of its environment, which the VM takes over or
        // leaves empty, and which is freed when `message_env` is dropped.
        unsafe {
            let message = transmute::<u64, ErlNifTerm>(message);
            sys::enif_send(self.raw, &to, message_env.0, message);
        }
    }

    /// The pid of the calling process.
    pub fn self_pid(self) -> Option<VmTerm<'e>> {
        let mut pid = MaybeUninit::<sys::ErlNifPid>::uninit();
        // SAFETY: written if the result is not null; a local pid is an immediate on every
        // supported VM, so it lives as long as any environment.
        unsafe {
            if sys::enif_self(self.raw, pid.as_mut_ptr()).is_null() {
                return None;
            }
            Some(VmTerm::from_raw(sys::enif_make_pid(self.raw, pid.assume_init())))
        }
    }
}

/// Making terms.
impl<'e> Env<'e> {
    /// An atom, from ASCII text.
    pub fn atom(self, text: &str) -> VmTerm<'static> {
        // SAFETY: the text is readable for its length; atoms live for ever.
        unsafe {
            VmTerm::from_raw(sys::enif_make_atom_len(self.raw, text.as_ptr().cast(), text.len()))
        }
    }

    /// An integer.
    #[inline]
    pub fn make_int64(self, value: i64) -> VmTerm<'e> {
        // SAFETY: a valid environment; so in all the makers below.
        unsafe { VmTerm::from_raw(sys::enif_make_int64(self.raw, value)) }
    }

    /// An integer.
    pub fn make_uint64(self, value: u64) -> VmTerm<'e> {
        // SAFETY: as above.
        unsafe { VmTerm::from_raw(sys::enif_make_uint64(self.raw, value)) }
    }

    /// A new reference.
    pub fn make_ref(self) -> VmTerm<'e> {
        // SAFETY: as above.
        unsafe { VmTerm::from_raw(sys::enif_make_ref(self.raw)) }
    }

    /// A float, which has to be finite.
    #[inline]
    pub fn make_float(self, value: f64) -> VmTerm<'e> {
        debug_assert!(value.is_finite());
        // SAFETY: as above.
        unsafe { VmTerm::from_raw(sys::enif_make_double(self.raw, value)) }
    }

    /// A tuple.
    #[inline]
    pub fn make_tuple(self, elements: &[VmTerm<'e>]) -> VmTerm<'e> {
        let (first, n) = (elements.as_ptr().cast(), elements.len() as c_uint);
        // SAFETY: as above; the elements are terms of this environment.
        unsafe { VmTerm::from_raw(sys::enif_make_tuple_from_array(self.raw, first, n)) }
    }

    /// A proper list.
    #[inline]
    pub fn make_list(self, elements: &[VmTerm<'e>]) -> VmTerm<'e> {
        let (first, n) = (elements.as_ptr().cast(), elements.len() as c_uint);
        // SAFETY: as above.
        unsafe { VmTerm::from_raw(sys::enif_make_list_from_array(self.raw, first, n)) }
    }

    /// A list cell.
    pub fn make_cell(self, head: VmTerm<'e>, tail: VmTerm<'e>) -> VmTerm<'e> {
        // SAFETY: as above.
        unsafe { VmTerm::from_raw(sys::enif_make_list_cell(self.raw, head.raw(), tail.raw())) }
    }

    /// A map, unless two keys are equal.
    ///
    /// # Panics
    /// If there are not as many values as keys.
    #[inline]
    pub fn make_map(self, keys: &[VmTerm<'e>], values: &[VmTerm<'e>]) -> Option<VmTerm<'e>> {
        assert_eq!(keys.len(), values.len(), "keys and values of a map");
        let mut map = MaybeUninit::uninit();
        let (ks, vs) = (keys.as_ptr().cast(), values.as_ptr().cast());
        // SAFETY: as above; both arrays have that many terms; written on success.
        unsafe {
            let made =
                sys::enif_make_map_from_arrays(self.raw, ks, vs, keys.len(), map.as_mut_ptr());
            (made != 0).then(|| VmTerm::from_raw(map.assume_init()))
        }
    }

    /// A binary.
    #[inline]
    pub fn make_binary(self, bytes: &[u8]) -> VmTerm<'e> {
        let mut term = MaybeUninit::uninit();
        // SAFETY: as above; the VM gives memory for that many bytes, which nothing else sees yet.
        unsafe {
            let to = sys::enif_make_new_binary(self.raw, bytes.len(), term.as_mut_ptr());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            VmTerm::from_raw(term.assume_init())
        }
    }

    /// A part of a binary, which shares its bytes and has to be longer than a heap binary.
    ///
    /// # Panics
    /// If the binary has not so many bytes.
    pub fn make_slice(self, binary: VmTerm<'e>, at: usize, len: usize) -> VmTerm<'e> {
        let bytes = self.binary(binary).expect("a binary");
        assert!(at <= bytes.len() && len <= bytes.len() - at, "a part of {}", bytes.len());
        // SAFETY: as above; a part of the binary.
        unsafe { VmTerm::from_raw(sys::enif_make_sub_binary(self.raw, binary.raw(), at, len)) }
    }

    /// The term of an external term format.
    pub fn from_external(self, bytes: &[u8]) -> Option<VmTerm<'e>> {
        let mut term = MaybeUninit::uninit();
        let (data, at) = (bytes.as_ptr(), term.as_mut_ptr());
        // SAFETY: as above; written if any byte was read.
        unsafe {
            let read = sys::enif_binary_to_term(self.raw, data, bytes.len(), at, 0);
            (read != 0).then(|| VmTerm::from_raw(term.assume_init()))
        }
    }

    /// A copy of a term of any environment.
    #[inline]
    pub fn copy(self, term: VmTerm) -> VmTerm<'e> {
        // SAFETY: as above; copying reads the source without changing it.
        unsafe { VmTerm::from_raw(sys::enif_make_copy(self.raw, term.raw())) }
    }

    /// Raises an exception of class `error`; to be returned by the NIF at once.
    pub fn raise(self, reason: VmTerm<'e>) -> VmTerm<'e> {
        // SAFETY: as above.
        unsafe { VmTerm::from_raw(sys::enif_raise_exception(self.raw, reason.raw())) }
    }

    /// Calls a function as this NIF's continuation; to be returned by the NIF at once.
    pub fn schedule(
        self,
        name: &CStr,
        flags: c_uint,
        function: NifFunction,
        argv: &[VmTerm<'e>],
    ) -> VmTerm<'e> {
        let (argc, first) = (argv.len() as c_int, argv.as_ptr().cast());
        // SAFETY: as above; the VM copies the name's atom and the arguments.
        unsafe {
            let term = sys::enif_schedule_nif(
                self.raw,
                name.as_ptr(),
                flags as c_int,
                function,
                argc,
                first,
            );
            VmTerm::from_raw(term)
        }
    }
}
