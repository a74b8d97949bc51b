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
//! So pairs are read where they stand, and a map of a [`Shape`], whose keys are known to be in order,
//! is written as the VM itself writes it: the tuple of the keys, and the map behind it.
//!
//! OTP 25 and 27 lay maps out like this. As with the words of immediates ([`tags`]), it is not taken
//! for granted: [`load`] looks at maps that the C interface made, and compares with them what is made
//! here. If that fails, maps go through the C interface.

use std::sync::atomic::{AtomicU64, Ordering};

use etsunami::term::shape::{MAX_KEYS, Shape};

use super::piece::{BOXED, behind, tuple_header};
use super::tags;
use crate::heap;
use crate::vm::{Env, VmTerm};

/// Header, size and keys.
const FIXED: usize = 3;
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
    behind(term, BOXED)
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

/// The words of a map of a shape and of the tuple of its keys, if they can be made here.
#[inline(always)]
pub fn words(shape: Shape) -> Option<usize> {
    (header() != UNKNOWN).then(|| words_of(shape.len()))
}

#[inline(always)]
const fn words_of(keys: usize) -> usize {
    1 + 2 * keys + FIXED
}

/// Writes a map of so many keys but for its values: its word, and where they are to be written.
///
/// # Safety
/// There is room for its [`words`]. The keys are immediates in the VM's order.
#[inline(always)]
pub unsafe fn open(keys: &[u64], to: *mut u64) -> (u64, *mut u64) {
    // SAFETY: by contract.
    unsafe {
        to.write(tuple_header(keys.len()));
        for (i, &key) in keys.iter().enumerate() {
            to.add(1 + i).write(key);
        }
        let map = to.add(1 + keys.len());
        map.write(header());
        map.add(1).write(keys.len() as u64);
        map.add(2).write(to as u64 | BOXED);
        (map as u64 | BOXED, map.add(FIXED))
    }
}

/// A map of a shape, if it can be made here.
#[inline]
pub fn make<'e>(env: Env<'e>, shape: Shape, values: &[VmTerm<'e>]) -> Option<VmTerm<'e>> {
    // SAFETY: the keys of a shape.
    words(shape).map(|_| unsafe { write(env, shape.keys(), values) })
}

/// A map of these keys.
///
/// # Safety
/// They are at most [`MAX_KEYS`] immediates in the VM's order. The header of maps is known.
#[inline(always)]
unsafe fn write<'e>(env: Env<'e>, keys: &[u64], values: &[VmTerm<'e>]) -> VmTerm<'e> {
    const { assert!(words_of(MAX_KEYS) <= heap::MOST) };
    assert_eq!(keys.len(), values.len(), "a value for each key");
    // SAFETY: as many words were made for it.
    unsafe {
        let (map, at) = open(keys, heap::take(env, words_of(keys.len())));
        at.copy_from_nonoverlapping(values.as_ptr().cast(), values.len());
        VmTerm::from_word(map)
    }
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
        let Some(theirs) = env.make_map(&keys, &values) else { return false };
        let words: Vec<u64> = keys.iter().map(|key| key.word()).collect();
        // SAFETY: small integers in their order; `load` has set the header.
        let ours = unsafe { write(env, &words, &values) };
        ours.identical(theirs)
            && env.map_size(ours) == Some(n)
            && env.copy(ours).identical(theirs)
            && parts(ours) == parts(theirs)
    })
}
