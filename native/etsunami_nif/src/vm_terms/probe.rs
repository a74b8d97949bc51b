//! Does the VM lay terms out as [`super::layout`] says?
//!
//! Terms that the VM made are looked at, and terms that are made here have to be the same for the VM.
//! Nothing is read that could be outside of a term: a header is looked at before what it announces.

use etsunami::term::layout::immediate;
use etsunami::term::shape::MAX_KEYS;

use super::large_map::Sink;
use super::layout::{
    BOXED, CELL, FLOAT, LONGEST_SHORT_BINARY, Layout, TYPE, behind, is_tuple, pointer, tuple_header,
};
use super::{heap, make};
use crate::vm::{Env, VmTerm};

/// The layout, if the VM agrees with it.
pub(super) fn layout(env: Env) -> Option<Layout> {
    let fixed = tuples(env) && cells(env) && floats(env) && big_integers(env) && heap::agrees(env);
    let (flat_map, (kind, unit)) = fixed.then(|| flat_map(env).zip(short_binary(env)))??;
    // SAFETY: as found so far; used for the tests that follow alone, unless they agree.
    let layout = unsafe { Layout::assume(flat_map, kind, unit) };
    let agrees = others(env) && small_terms_agree(layout, env);
    let maps = || flat_maps_agree(layout, env) && large_maps_agree(layout, env);
    (agrees && short_binaries_agree(layout, env) && references_agree(layout, env) && maps())
        .then_some(layout)
}

fn tuples(env: Env) -> bool {
    [1, 2, 3, 63, 64, 300].into_iter().all(|arity| {
        let tuple = env.make_tuple(&vec![env.make_list(&[]); arity]);
        let elements = env.tuple(tuple).map(<[VmTerm]>::as_ptr);
        // SAFETY: the VM showed the elements of a tuple; if the pointer says that the header stands in
        // front of them, it can be read.
        behind(tuple, BOXED).is_some_and(|at| unsafe {
            elements.is_some_and(|elements| elements.cast() == at.add(1))
                && *at == tuple_header(arity)
        })
    })
}

fn cells(env: Env) -> bool {
    let (head, tail) = (env.make_int64(1), env.make_int64(2));
    // SAFETY: what a list points to are the two words of its cell, on every VM that has this tag.
    behind(env.make_cell(head, tail), CELL)
        .is_some_and(|at| unsafe { [*at, *at.add(1)] == [head.word(), tail.word()] })
}

fn floats(env: Env) -> bool {
    [1.5, -0.25e300].into_iter().all(|value| {
        // SAFETY: a float takes more than a word, so it has two.
        behind(env.make_float(value), BOXED)
            .is_some_and(|at| unsafe { [*at, *at.add(1)] == [FLOAT, value.to_bits()] })
    })
}

/// Numbers of one digit from the C interface, and of more from the external format.
fn big_integers(env: Env) -> bool {
    // 2^64 + 2, and its negative.
    let external = |sign| [131, 110, 9, sign, 2, 0, 0, 0, 0, 0, 0, 0, 1];
    let two = [0, 1].map(|sign| env.from_external(&external(sign)));
    let cases = [
        (Some(env.make_uint64(u64::MAX)), 1 << 6 | 0x08, &[u64::MAX][..]),
        (Some(env.make_int64(i64::MIN)), 1 << 6 | 0x0c, &[1 << 63]),
        (two[0], 2 << 6 | 0x08, &[2, 1]),
        (two[1], 2 << 6 | 0x0c, &[2, 1]),
    ];
    cases.into_iter().all(|(term, head, digits)| {
        // SAFETY: a header, and as many digits as it says.
        term.and_then(|term| behind(term, BOXED)).is_some_and(|at| unsafe {
            *at == head && std::slice::from_raw_parts(at.add(1), digits.len()) == digits
        })
    })
}

/// True if the headers of other terms differ from those of tuples.
fn others(env: Env) -> bool {
    let number = env.make_int64(1);
    let terms = [
        env.make_float(0.5),
        env.make_uint64(u64::MAX),
        env.make_binary(&[0; 8]),
        env.make_binary(&[0; 200]),
        env.make_map(&[number], &[number]).unwrap_or(number),
    ];
    // SAFETY: a boxed term begins with a header.
    terms.into_iter().all(|term| behind(term, BOXED).is_some_and(|at| unsafe { !is_tuple(*at) }))
}

/// True if terms that are made here are those of the VM: `{1, {2.5, [3 | 4]}, 2^64 + 2}`.
fn small_terms_agree(layout: Layout, env: Env) -> bool {
    let [one, three, four] = [1, 3, 4].map(|value| env.make_int64(value));
    let big = env.from_external(&[131, 110, 9, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
    let Some(big) = big else { return false };
    let inner = env.make_tuple(&[env.make_float(2.5), env.make_cell(three, four)]);
    let theirs = env.make_tuple(&[one, inner, big]);
    let to = heap::take(layout, env, 4 + 3 + 2 + 2 + 3);
    // SAFETY: room for two tuples, a float, a cell and a number of two digits.
    let ours = unsafe {
        let (float, cell) = layout.write_float(2.5f64.to_bits(), to.add(7));
        let list = layout.write_cell(three.word(), four.word(), cell);
        let (number, _) = layout.write_big_integer(false, &[2, 1], cell.add(2));
        let inner = to.add(4) as u64 | BOXED;
        to.copy_from_nonoverlapping([tuple_header(3), one.word(), inner, number].as_ptr(), 4);
        to.add(4).copy_from_nonoverlapping([tuple_header(2), float, list].as_ptr(), 3);
        VmTerm::from_word(to as u64 | BOXED)
    };
    ours.identical(theirs) && env.copy(ours).identical(theirs)
}

/// The type of short binaries, and what a byte counts in their size.
fn short_binary(env: Env) -> Option<(u64, u64)> {
    let eight = behind(env.make_binary(&[7; 8]), BOXED)?;
    // SAFETY: a binary takes more than one word.
    let (kind, unit) = unsafe { (*eight & TYPE, *eight.add(1) / 8) };
    let differs = |length| {
        behind(env.make_binary(&vec![7; length]), BOXED)
            // SAFETY: the header of a term that was just made.
            .is_some_and(|at| unsafe { *at & TYPE != kind })
    };
    let long = [LONGEST_SHORT_BINARY + 1, 200].into_iter().all(differs);
    (long && (unit == 1 || unit == 8) && kind != 0).then_some((kind, unit))
}

/// True if the VM makes binaries of every short length so, and takes ours for the same.
fn short_binaries_agree(layout: Layout, env: Env) -> bool {
    let mut bytes = [0; LONGEST_SHORT_BINARY];
    bytes.iter_mut().zip(1..).for_each(|(byte, n)| *byte = n);
    (1..=LONGEST_SHORT_BINARY).all(|length| {
        let mut words = [0u64; LONGEST_SHORT_BINARY / 8];
        let bytes = &bytes[..length];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(padded);
        }
        let (theirs, count) = (env.make_binary(bytes), layout.short_binary_words(8 * length));
        let Some(at) = behind(theirs, BOXED) else { return false };
        // SAFETY: two words in front of the bytes, which are looked at first; and memory for as many
        // words as are written.
        unsafe {
            let expected = [*at, *at.add(1)] == layout.short_binary_head(length);
            let to = heap::take(layout, env, count);
            let (ours, _) = layout.write_short_binary(8 * length, words.as_ptr(), to);
            expected
                && layout.short_binary(theirs) == Some(bytes)
                && VmTerm::from_word(ours).identical(theirs)
        }
    })
}

/// The header of flat maps.
fn flat_map(env: Env) -> Option<u64> {
    let header = flat_map_of(env, 1)?;
    let all = (1..=MAX_KEYS).all(|n| flat_map_of(env, n) == Some(header));
    let (keys, values) = numbers(env, MAX_KEYS + 1);
    let large = behind(env.make_map(&keys, &values)?, BOXED)?;
    // SAFETY: the header of a term that was just made.
    let differs = unsafe { *large } != header;
    (all && header & 3 == 0 && header >> 32 == 0 && differs).then_some(header)
}

/// The header of a map of `n` pairs, if that and the tuple of its keys are laid out as assumed.
fn flat_map_of(env: Env, n: usize) -> Option<u64> {
    let (keys, values) = numbers(env, n);
    let map = behind(env.make_map(&keys, &values)?, BOXED)?;
    // SAFETY: terms that were just made. The tuple of the keys is looked for only if the map's size
    // is where it should be, and keys and values only behind the headers of both.
    unsafe {
        if *map.add(1) != n as u64 || *map.add(2) & 3 != BOXED {
            return None;
        }
        let tuple = pointer(*map.add(2));
        let as_assumed = *tuple == tuple_header(n)
            && std::slice::from_raw_parts(tuple.add(1), n) == VmTerm::words(&keys)
            && std::slice::from_raw_parts(map.add(3), n) == VmTerm::words(&values);
        as_assumed.then(|| *map)
    }
}

/// The numbers from 0 as keys, and other ones as values.
fn numbers<'e>(env: Env<'e>, n: usize) -> (Vec<VmTerm<'e>>, Vec<VmTerm<'e>>) {
    let from = |first| (first..).take(n).map(|i| env.make_int64(i)).collect();
    (from(0), from(1000))
}

/// True if flat maps that are made here are those of the VM.
fn flat_maps_agree(layout: Layout, env: Env) -> bool {
    (1..=MAX_KEYS).all(|n| {
        let (keys, values) = numbers(env, n);
        let Some(theirs) = env.make_map(&keys, &values) else { return false };
        let to = heap::take(layout, env, layout.flat_map_words(n));
        // SAFETY: room for the map; small integers in their order as keys.
        let ours = unsafe {
            let (map, keys_at, values_at) = layout.open_flat_map(n, to);
            keys_at.copy_from_nonoverlapping(VmTerm::words(&keys).as_ptr(), n);
            values_at.copy_from_nonoverlapping(VmTerm::words(&values).as_ptr(), n);
            VmTerm::from_word(map)
        };
        ours.identical(theirs)
            && env.map_size(ours) == Some(n)
            && env.copy(ours).identical(theirs)
            && layout.flat_map(ours) == layout.flat_map(theirs)
    })
}

/// True if references of this node are laid out as assumed, and ours are the same.
fn references_agree(layout: Layout, env: Env) -> bool {
    let [one, other] = [env.make_ref(), env.make_ref()];
    let ours = |words: [u64; 3]| {
        let to = heap::take(layout, env, words.len());
        // SAFETY: room for the words.
        unsafe {
            to.copy_from_nonoverlapping(words.as_ptr(), words.len());
            VmTerm::from_word(to as u64 | BOXED)
        }
    };
    layout.local_reference(one).map(ours).is_some_and(|made| {
        made.identical(one) && !made.identical(other) && env.copy(made).identical(one)
    })
}

/// What is read of a large map.
#[derive(Default)]
struct Parts<'e> {
    nodes: Vec<u64>,
    keys: Vec<VmTerm<'e>>,
    values: Vec<VmTerm<'e>>,
}

impl Sink for Parts<'_> {
    fn node(&mut self, node: u64) -> Option<()> {
        self.nodes.push(node);
        Some(())
    }

    fn pair(&mut self, key: u64, value: u64) {
        // SAFETY: small integers, as the cells of the maps below have been seen to hold.
        let term = |word| immediate::is_small(word).then(|| unsafe { VmTerm::from_word(word) });
        if let (Some(key), Some(value)) = (term(key), term(value)) {
            self.keys.push(key);
            self.values.push(value);
        }
    }
}

/// True if large maps are read as assumed, and those that are made of what was read are the same.
fn large_maps_agree(layout: Layout, env: Env) -> bool {
    [MAX_KEYS + 1, 100, 1000].into_iter().all(|n| {
        let (keys, values) = numbers(env, n);
        let Some(theirs) = env.make_map(&keys, &values) else { return false };
        let Some(map) = layout.large_map(theirs).filter(|map| map.pairs() == n) else {
            return false;
        };
        let mut parts = Parts::default();
        if map.read(&mut parts).is_none() || parts.keys.len() != n {
            return false;
        }
        let Parts { nodes, keys, values } = parts;
        // SAFETY: as just read.
        let ours = unsafe { make::large_map(layout, env, &nodes, &keys, &values) };
        ours.identical(theirs)
            && env.map_size(ours) == Some(n)
            && env.copy(ours).identical(theirs)
            && env.make_map(&keys, &values).is_some_and(|again| again.identical(ours))
    })
}
