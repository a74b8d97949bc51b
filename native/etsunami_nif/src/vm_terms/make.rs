//! Single compounds of terms that are there already, by either implementation.

use etsunami::term::layout::immediate::NIL;
use etsunami::term::shape::MAX_KEYS;

use super::heap;
use super::layout::{BOXED, Layout, layout, tuple_header};
use super::reader::Reader;
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
