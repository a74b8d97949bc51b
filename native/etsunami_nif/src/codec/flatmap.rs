//! Maps of at most 32 keys, as they stand in the VM's memory.
//!
//! The C interface gives a map's pairs by two calls each, and makes a map by sorting and checking
//! its keys; for ten atoms that is most of what storing or reading the map costs. But the VM keeps
//! the keys of such a map in a tuple in the order that we keep too, and its values side by side:
//!
//! ```text
//! header | size | keys ──► tuple header | keys in order
//! values ...
//! ```
//!
//! So pairs are read where they stand, and a map whose keys are known to be in order is made as one
//! tuple that has room for all, of which four words are then overwritten: nobody else knows the
//! tuple yet, and what is left of it are the keys' tuple and the map as the VM itself writes them.
//!
//! OTP 25 to 29 lay maps out like this. As with the words of immediates ([`tags`]), it is not taken
//! for granted: [`load`] looks at maps that the C interface made, and compares with them what is made
//! here. If that fails, maps go through the C interface.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use etsunami::term::layout::immediate;
use etsunami::term::shape::MAX_KEYS;

use super::tags;
use crate::vm::{Env, VmTerm};

/// Header, size and keys.
const FIXED: usize = 3;
/// The tag of a pointer to what has a header.
const BOXED: u64 = 2;
/// In place of a header: no block has it.
const UNKNOWN: u64 = u64::MAX;

/// The header of such a map. Set once at load, before any NIF is called.
static HEADER: AtomicU64 = AtomicU64::new(UNKNOWN);

/// Decides whether maps are read and made here.
pub fn load(env: Env) {
    let header = if tags::portable() { None } else { header_as_assumed(env) };
    let Some(header) = header else { return };
    HEADER.store(header, Ordering::Relaxed);
    if !makes_equal_maps(env) {
        HEADER.store(UNKNOWN, Ordering::Relaxed);
    }
}

#[inline(always)]
fn header() -> u64 {
    // Relaxed: written before the NIFs can be called, never changed.
    HEADER.load(Ordering::Relaxed)
}

/// The keys and the values of a map, in the VM's order, where they stand; none for other terms, and
/// for maps that have to be read otherwise.
#[inline(always)]
pub fn parts<'e>(term: VmTerm<'e>) -> Option<(&'e [u64], &'e [u64])> {
    let map = block(term)?;
    // SAFETY: a term's header can be read; terms do not change while they live. What has the header
    // of a map is laid out as one.
    unsafe { (*map == header()).then(|| read(map)) }
}

/// The first word of what a term points to, if it has a header.
#[inline(always)]
fn block(term: VmTerm) -> Option<*const u64> {
    let word = term.word();
    (word & 3 == BOXED).then(|| pointer(word))
}

#[inline(always)]
fn pointer(word: u64) -> *const u64 {
    std::ptr::with_exposed_provenance((word & !7) as usize)
}

/// The keys and values of a map.
///
/// # Safety
/// `map` is the first word of a map laid out as assumed, which lives for `'e`.
#[inline(always)]
unsafe fn read<'e>(map: *const u64) -> (&'e [u64], &'e [u64]) {
    // SAFETY: by contract.
    unsafe {
        let (size, keys) = (*map.add(1) as usize, pointer(*map.add(2)));
        let values = std::slice::from_raw_parts(map.add(FIXED), size);
        (std::slice::from_raw_parts(keys.add(1), size), values)
    }
}

/// A map of atoms as keys in the VM's order, if it can be made here.
#[inline]
pub fn make<'e>(env: Env<'e>, keys: &[u64], values: &[VmTerm<'e>]) -> Option<VmTerm<'e>> {
    let n = keys.len();
    if header() == UNKNOWN || n == 0 || n > MAX_KEYS || n != values.len() {
        return None;
    }
    let mut room = [MaybeUninit::<VmTerm<'e>>::uninit(); 2 * MAX_KEYS + FIXED];
    // SAFETY: the caller's keys are immediates, which are terms of every environment.
    let words = unsafe {
        for (to, key) in room.iter_mut().zip(keys) {
            to.write(VmTerm::from_word(*key));
        }
        for to in &mut room[n..n + FIXED] {
            to.write(VmTerm::from_word(immediate::NIL));
        }
        for (to, value) in room[n + FIXED..].iter_mut().zip(values) {
            to.write(*value);
        }
        std::slice::from_raw_parts(room.as_ptr().cast(), 2 * n + FIXED)
    };
    let tuple = env.make_tuple(words);
    let (keys, map) = (pointer(tuple.word()).cast_mut(), n + 1);
    // SAFETY: the tuple was made just now, of a header and so many words that nobody else knows;
    // what is written makes of it a tuple of the keys and, behind it, a map that refers to them.
    unsafe {
        *keys = tuple_header(n);
        *keys.add(map) = header();
        *keys.add(map + 1) = n as u64;
        *keys.add(map + 2) = tuple.word();
        Some(VmTerm::from_word(tuple.word() + 8 * map as u64))
    }
}

/// The header of a tuple of that many elements.
#[inline(always)]
fn tuple_header(arity: usize) -> u64 {
    (arity as u64) << 6
}

/// The header of maps that are laid out as assumed.
fn header_as_assumed(env: Env) -> Option<u64> {
    let header = header_of(env, 1)?;
    let small = (1..=MAX_KEYS).all(|n| header_of(env, n) == Some(header));
    let (keys, values) = numbers(env, MAX_KEYS + 1);
    let large = block(env.make_map(&keys, &values)?)?;
    // SAFETY: the header of a term that was just made.
    let tells_apart = unsafe { *large } != header;
    (small && header & 3 == 0 && tells_apart).then_some(header)
}

/// The header of a map of `n` keys, if tuple and map are laid out as assumed.
fn header_of(env: Env, n: usize) -> Option<u64> {
    let (keys, values) = numbers(env, n);
    let tuple = block(env.make_tuple(&keys))?;
    let map = block(env.make_map(&keys, &values)?)?;
    let words = |terms: &[VmTerm]| terms.iter().map(|term| term.word()).collect::<Vec<_>>();
    // SAFETY: terms that were just made. The tuple of the keys is looked for only if the map's size
    // stands where it should.
    unsafe {
        let sized = *tuple == tuple_header(n) && *map.add(1) == n as u64;
        if !sized || *map.add(2) & 3 != BOXED || *pointer(*map.add(2)) != tuple_header(n) {
            return None;
        }
        (read(map) == (&words(&keys), &words(&values))).then(|| *map)
    }
}

/// The numbers from 0 as keys, and other ones as values.
fn numbers<'e>(env: Env<'e>, n: usize) -> (Vec<VmTerm<'e>>, Vec<VmTerm<'e>>) {
    let from = |first| (first..).take(n).map(|i| env.make_int64(i)).collect();
    (from(0), from(1000))
}

/// True if maps made here are those of the C interface.
fn makes_equal_maps(env: Env) -> bool {
    (1..=MAX_KEYS).all(|n| {
        let (keys, values) = numbers(env, n);
        let words: Vec<u64> = keys.iter().map(|key| key.word()).collect();
        let (ours, theirs) = (make(env, &words, &values), env.make_map(&keys, &values));
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                ours.identical(theirs)
                    && env.map_size(ours) == Some(n)
                    && env.copy(ours).identical(theirs)
                    && parts(ours) == parts(theirs)
            }
            _ => false,
        }
    })
}
