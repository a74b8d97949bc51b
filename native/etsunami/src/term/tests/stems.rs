//! Stems: what keys between two keys share, and the order of the rest.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::super::order::compare;
use super::super::prefix::prefix;
use super::super::stem::Stem;
use super::super::testing::*;
use super::super::view::Term;

/// Bit strings over two bytes, so that many begin alike; some do not end on a byte.
fn bit_strings() -> impl Strategy<Value = Sample> {
    (prop::collection::vec(prop::sample::select(vec![0u8, b'a', b'b']), 0..14), 0u32..8).prop_map(
        |(mut bytes, unused)| match bytes.last_mut() {
            Some(last) => {
                *last &= u8::MAX << unused;
                Sample::Bits(bytes, unused)
            }
            None => Sample::Bits(bytes, 0),
        },
    )
}

fn elements() -> impl Strategy<Value = Sample> {
    prop_oneof![
        4 => bit_strings(),
        1 => Just(Sample::Int(1.into())),
        1 => Just(Sample::Float(1.0)),
        1 => Just(Sample::Atom("session".to_owned())),
        1 => samples(),
    ]
}

/// Keys that begin alike more often than not.
fn keys() -> impl Strategy<Value = Sample> {
    prop_oneof![
        2 => bit_strings(),
        3 => prop::collection::vec(elements(), 1..4).prop_map(Sample::Tuple),
        1 => samples(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn keys_between_two_keys_have_their_stem(four in prop::array::uniform4(keys())) {
        let buffers = four.map(|sample| encode(&sample, Place::Key));
        let mut terms: Vec<Term> = buffers.iter().map(term).collect();
        terms.sort_by(|a, b| compare(*a, *b));
        let (low, high) = (terms[0], terms[3]);
        let Some(stem) = Stem::between(low, high) else { return Ok(()) };
        for &key in &terms {
            prop_assert_eq!(stem.compare(key, low), Ordering::Equal);
        }
        for pair in terms.windows(2) {
            let [p, q] = [pair[0], pair[1]].map(|key| stem.prefix_behind(key));
            match compare(pair[0], pair[1]) {
                Ordering::Equal => prop_assert_eq!(p, q),
                _ => prop_assert!(p <= q, "{:x} {:x}", p, q),
            }
        }
    }

    #[test]
    fn a_stem_orders_what_lies_outside((a, b) in (keys(), keys()), c in keys()) {
        let [x, y, z] = [a, b, c].map(|sample| encode(&sample, Place::Key));
        let (low, high, key) = (term(&x), term(&y), term(&z));
        let Some(stem) = Stem::between(low, high) else { return Ok(()) };
        match stem.compare(key, low) {
            // Who has the stem stands in the order of its rest.
            Ordering::Equal => {
                let (p, q) = (stem.prefix_behind(key), stem.prefix_behind(low));
                prop_assert!(p == q || p.cmp(&q) == compare(key, low));
            }
            order => {
                prop_assert_eq!(compare(key, low), order);
                prop_assert_eq!(compare(key, high), order);
            }
        }
    }
}

/// What stems are for: keys with a long common beginning.
#[test]
fn the_rest_tells_neighbours_apart() {
    let plain = |n: u32| Sample::Bits(format!("a long beginning of keys:{n:09}").into_bytes(), 0);
    let pair = |n: u32| Sample::Tuple(vec![Sample::Atom("session".to_owned()), plain(n)]);
    for keys in [[1, 2, 3, 999].map(plain), [1, 2, 3, 999].map(pair)] {
        let buffers = keys.map(|sample| encode(&sample, Place::Key));
        let terms = [0, 1, 2, 3].map(|i| term(&buffers[i]));
        let stem = Stem::between(terms[0], terms[3]).expect("they begin alike");
        for pair in terms.windows(2) {
            assert_eq!(prefix(pair[0]), prefix(pair[1]));
            assert!(stem.prefix_behind(pair[0]) < stem.prefix_behind(pair[1]));
        }
    }
}
