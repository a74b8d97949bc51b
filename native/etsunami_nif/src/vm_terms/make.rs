//! Single compounds of terms that are there already, by either implementation.

use etsunami::term::layout::immediate::NIL;
use etsunami::term::shape::MAX_KEYS;

use super::layout::{BOXED, CELL, Layout, layout, tuple_header};
use super::reader::Reader;
use super::{heap, large_map};
use crate::vm::{Env, VmTerm};

/// The elements of a tuple.
#[inline(always)]
pub fn tuple_elements<'e>(env: Env<'e>, term: VmTerm<'e>) -> Option<&'e [VmTerm<'e>]> {
    let Some(layout) = layout() else { return env.tuple(term) };
    // SAFETY: the words of elements are terms of the same environment.
    Reader::tuple(layout, env, term).map(|words| unsafe { VmTerm::of_words(words) })
}

/// A tuple.
#[inline(always)]
pub fn tuple<'e>(env: Env<'e>, elements: &[VmTerm<'e>]) -> VmTerm<'e> {
    let writable = layout().filter(|_| (1..heap::MOST).contains(&elements.len()));
    let Some(layout) = writable else { return env.make_tuple(elements) };
    let to = heap::take(layout, env, 1 + elements.len());
    // SAFETY: room for a header and the elements.
    unsafe {
        to.write(tuple_header(elements.len()));
        for (i, element) in elements.iter().enumerate() {
            to.add(1 + i).write(element.word());
        }
        VmTerm::from_word(to as u64 | BOXED)
    }
}

/// A list's cell.
#[inline(always)]
pub fn cell<'e>(env: Env<'e>, head: VmTerm<'e>, tail: VmTerm<'e>) -> VmTerm<'e> {
    let Some(layout) = layout() else { return env.make_cell(head, tail) };
    let to = heap::take(layout, env, 2);
    // SAFETY: room for a cell.
    unsafe { VmTerm::from_word(layout.write_cell(head.word(), tail.word(), to)) }
}

/// A list of one tuple with these elements, of which there are a few.
#[inline(always)]
pub fn list_of_tuple<'e>(
    layout: Option<Layout>,
    env: Env<'e>,
    elements: &[VmTerm<'e>],
) -> VmTerm<'e> {
    let Some(layout) = layout else { return env.make_list(&[env.make_tuple(elements)]) };
    let cell = heap::take(layout, env, 3 + elements.len());
    // SAFETY: room for as many words: a cell, and the tuple behind it.
    unsafe {
        let tuple = cell.add(2);
        let list = layout.write_cell(tuple as u64 | BOXED, NIL, cell);
        tuple.write(tuple_header(elements.len()));
        for (i, element) in elements.iter().enumerate() {
            tuple.add(1 + i).write(element.word());
        }
        VmTerm::from_word(list)
    }
}

/// A flat map of these keys, at most 32 in the VM's order, if it can be made here.
#[inline]
pub fn flat_map<'e>(env: Env<'e>, keys: &[u64], values: &[VmTerm<'e>]) -> Option<VmTerm<'e>> {
    let layout = layout().filter(|_| (1..=MAX_KEYS).contains(&keys.len()))?;
    assert_eq!(keys.len(), values.len(), "a value for each key");
    let to = heap::take(layout, env, layout.flat_map_words(keys.len()));
    // SAFETY: room for the map.
    unsafe {
        let (map, keys_at, values_at) = layout.open_flat_map(keys.len(), to);
        keys_at.copy_from_nonoverlapping(keys.as_ptr(), keys.len());
        values_at.copy_from_nonoverlapping(values.as_ptr().cast(), values.len());
        Some(VmTerm::from_word(map))
    }
}

/// A list with this tail.
#[inline]
pub fn list<'e>(env: Env<'e>, heads: &[VmTerm<'e>], tail: VmTerm<'e>) -> VmTerm<'e> {
    let writable = layout().filter(|_| (1..=heap::MOST / 2).contains(&heads.len()));
    let Some(layout) = writable else { return long_list(env, heads, tail) };
    let cells = heap::take(layout, env, 2 * heads.len());
    // SAFETY: room for as many cells.
    unsafe {
        for (i, head) in heads.iter().enumerate() {
            let at = cells.add(2 * i);
            layout.write_cell(head.word(), at.add(2) as u64 | CELL, at);
        }
        cells.add(2 * heads.len() - 1).write(tail.word());
        VmTerm::from_word(cells as u64 | CELL)
    }
}

fn long_list<'e>(env: Env<'e>, heads: &[VmTerm<'e>], tail: VmTerm<'e>) -> VmTerm<'e> {
    if env.is_nil(tail) {
        return env.make_list(heads);
    }
    heads.iter().rev().fold(tail, |tail, &head| cell(env, head, tail))
}

/// A map of more than 32 pairs, of the tree that [`LargeMap::read`](super::large_map::LargeMap::read)
/// gave and the pairs in the same order.
///
/// # Safety
/// The tree is one that was read in this run of the VM, of a map with the same keys.
pub unsafe fn large_map<'e>(
    layout: Layout,
    env: Env<'e>,
    nodes: &[u64],
    keys: &[VmTerm<'e>],
    values: &[VmTerm<'e>],
) -> VmTerm<'e> {
    let mut pairs = keys.iter().zip(values);
    let cell = || {
        let to = heap::take(layout, env, 2);
        let (key, value) =
            pairs.next().map_or((NIL, NIL), |(key, value)| (key.word(), value.word()));
        // SAFETY: room for a cell.
        unsafe { layout.write_cell(key, value, to) }
    };
    let mut take = |count| heap::take(layout, env, count);
    // SAFETY: by contract; memory as it is asked for.
    unsafe { VmTerm::from_word(large_map::Writer::new(nodes, cell).write(keys.len(), &mut take)) }
}

/// A float, which has to be finite.
#[inline(always)]
pub fn float<'e>(env: Env<'e>, bits: u64) -> VmTerm<'e> {
    let Some(layout) = layout() else { return env.make_float(f64::from_bits(bits)) };
    // SAFETY: room for a float.
    unsafe { VmTerm::from_word(layout.write_float(bits, heap::take(layout, env, 2)).0) }
}

/// A big integer, if it can be made here.
#[inline]
pub fn big_integer<'e>(env: Env<'e>, negative: bool, digits: &[u64]) -> Option<VmTerm<'e>> {
    let layout = layout().filter(|_| digits.len() < heap::MOST)?;
    let to = heap::take(layout, env, 1 + digits.len());
    // SAFETY: room for a header and the digits.
    unsafe { Some(VmTerm::from_word(layout.write_big_integer(negative, digits, to).0)) }
}

/// A short binary of so many bits, if it can be made here.
///
/// # Safety
/// They can be read, in whole words.
#[inline(always)]
pub unsafe fn short_binary<'e>(env: Env<'e>, bits: usize, from: *const u64) -> Option<VmTerm<'e>> {
    let layout = layout().filter(|layout| layout.short_binary_words(bits) > 0)?;
    let to = heap::take(layout, env, layout.short_binary_words(bits));
    // SAFETY: by contract, and room for its words.
    unsafe { Some(VmTerm::from_word(layout.write_short_binary(bits, from, to).0)) }
}
