//! The order, equality, hash and prefix agree with the model and with each other.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::super::equal::equal;
use super::super::hash::{MASK, hash, hash_contents, hash_wide};
use super::super::number::Int;
use super::super::order::{compare, compare_exact};
use super::super::prefix::prefix;
use super::super::testing::*;
use super::super::view::{Term, View};

const PLACES: [(Place, Place); 8] = [
    (Place::Key, Place::Key),
    (Place::Key, Place::Value),
    (Place::Value, Place::Key),
    (Place::Value, Place::Value),
    (Place::Own, Place::Shared),
    (Place::Shared, Place::Value),
    (Place::Key, Place::Shared),
    (Place::Shared, Place::Shared),
];

fn sorted_triple(mut terms: [Term; 3], by: fn(Term, Term) -> Ordering) {
    terms.sort_by(|a, b| by(*a, *b));
    let [a, b, c] = terms;
    assert!(by(a, c).is_le(), "{a:?} {b:?} {c:?}");
    assert_eq!(by(a, c).is_eq(), by(a, b).is_eq() && by(b, c).is_eq());
    assert_eq!(by(a, b), by(b, a).reverse());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn order_and_equality_are_the_models((a, b) in pairs()) {
        for (p, q) in PLACES {
            let (x, y) = (encode(&a, p), encode(&b, q));
            let (x, y) = (term(&x), term(&y));
            prop_assert_eq!(compare(x, y), model_compare(&a, &b, false));
            prop_assert_eq!(compare_exact(x, y), model_compare(&a, &b, true));
            prop_assert_eq!(equal(x, y), model_compare(&a, &b, true).is_eq());
        }
    }

    #[test]
    fn order_is_total(a in samples(), (b, c) in pairs()) {
        let buffers = [encode(&a, Place::Key), encode(&b, Place::Value), encode(&c, Place::Shared)];
        let terms = [term(&buffers[0]), term(&buffers[1]), term(&buffers[2])];
        sorted_triple(terms, compare);
        sorted_triple(terms, compare_exact);
    }

    #[test]
    fn prefixes_follow_the_order((a, b) in pairs()) {
        let (x, y) = (encode(&a, Place::Key), encode(&b, Place::Value));
        let (p, q) = (prefix(term(&x)), prefix(term(&y)));
        match compare(term(&x), term(&y)) {
            Ordering::Less => prop_assert!(p <= q, "{:x} {:x}", p, q),
            Ordering::Equal => prop_assert_eq!(p, q),
            Ordering::Greater => prop_assert!(p >= q, "{:x} {:x}", p, q),
        }
    }

    #[test]
    fn equal_keys_have_equal_hashes((a, b) in pairs(), seed in any::<u64>()) {
        let (x, y) = (encode(&a, Place::Key), encode(&b, Place::Key));
        let (x, y) = (term(&x), term(&y));
        if equal(x, y) {
            prop_assert_eq!(hash_wide(x, seed), hash_wide(y, seed));
        }
        // The upper eight bits of an atom's are its own.
        let seeded = if matches!(x.view(), View::Atom(_)) { MASK & u64::MAX >> 8 } else { MASK };
        prop_assert_eq!(hash(x, seed) & seeded, hash_wide(x, seed) & seeded);
        prop_assert_eq!(hash(x, seed) & !MASK, 0);
    }

    #[test]
    fn maps_of_both_forms_are_equal_and_hash_alike(sample in samples(), seed in any::<u64>()) {
        let (own, shared) = (encode(&sample, Place::Own), encode(&sample, Place::Shared));
        let (own, shared) = (term(&own), term(&shared));
        prop_assert!(equal(own, shared) && compare_exact(own, shared).is_eq());
        prop_assert_eq!(hash_contents(own, seed), hash_contents(shared, seed));
        prop_assert_eq!(prefix(own), prefix(shared));
    }

    #[test]
    fn numbers_compare_by_value(a in integers(), b in floats()) {
        let (x, y) = (Sample::Int(a), Sample::Float(b));
        let (p, q) = (encode(&x, Place::Key), encode(&y, Place::Key));
        prop_assert_eq!(compare(term(&p), term(&q)), model_compare(&x, &y, false));
        prop_assert_eq!(compare(term(&q), term(&p)), model_compare(&y, &x, false));
        prop_assert!(!equal(term(&p), term(&q)));
    }

    #[test]
    fn integers_add_and_return(a in integers(), b in integers()) {
        let (x, y) = (encode(&Sample::Int(a.clone()), Place::Key), encode(&Sample::Int(b.clone()), Place::Key));
        let (i, j) = (Int::from_term(term(&x)).unwrap(), Int::from_term(term(&y)).unwrap());
        prop_assert_eq!(i.cmp(&j), a.cmp(&b));
        prop_assert_eq!(&i + &j, Int::from(&a + &b));
        let sum = encode(&Sample::Int(&a + &b), Place::Key);
        prop_assert_eq!(Int::from_term(term(&sum)).unwrap(), &i + &j);
        let canonical = matches!(term(&x).view(), View::Small(_)) == (i.to_immediate().is_some());
        prop_assert!(canonical);
    }
}

/// Side by side in irregular terms, a binary hashes by content wherever it is held.
#[test]
fn held_binaries_hash_by_content() {
    let bytes = vec![1, 2, 3];
    let tuple = |binary| Sample::Tuple(vec![Sample::Reference(1), binary]);
    let (held, inline) = (Sample::HeldBinary(bytes.clone()), Sample::Bits(bytes, 0));
    for (x, y) in [(held.clone(), inline.clone()), (tuple(held), tuple(inline))] {
        let (x, y) = (encode(&x, Place::Value), encode(&y, Place::Value));
        assert!(equal(term(&x), term(&y)));
        assert_eq!(hash_wide(term(&x), 3), hash_wide(term(&y), 3));
    }
}

/// `#{a => A, b => B}`
fn of_two(a: i64, b: i64) -> Sample {
    let pair = |key: &str, value: i64| (Sample::Atom(key.into()), Sample::Int(value.into()));
    Sample::Map(vec![pair("a", a), pair("b", b)])
}

#[test]
fn contents_tell_maps_apart() {
    let parts = [1, 1, 2, 2].map(|n| Sample::Int(n.into()));
    let samples = [of_two(1, 2), of_two(1, 3), of_two(2, 1), Sample::Tuple(parts.to_vec())];
    for place in [Place::Own, Place::Shared] {
        let hashes = samples.clone().map(|sample| hash_contents(term(&encode(&sample, place)), 5));
        assert!((0..4).all(|i| hashes[..i].iter().all(|other| *other != hashes[i])), "{place:?}");
    }
}

#[test]
fn a_shape_saves_the_keys() {
    let (own, shared) = (encode(&of_two(1, 2), Place::Own), encode(&of_two(1, 2), Place::Shared));
    assert_eq!((term(&own).words(), term(&shared).words()), (6, 4));
}

#[test]
fn neighbours_below_2_to_the_48_have_different_prefixes() {
    for value in (0..48).flat_map(|bits| [(1i64 << bits) - 1, 1 << bits]).chain([0, 77, 123_456]) {
        for sign in [1, -1] {
            let [x, y] = [value, value + 1]
                .map(|value| encode(&Sample::Int((sign * value).into()), Place::Key));
            assert_ne!(prefix(term(&x)), prefix(term(&y)), "{value}");
        }
    }
}

#[test]
fn packed_prefixes_reach_the_second_element() {
    let tuple = |a: &str, b: i64| {
        let parts = vec![Sample::Atom(a.to_owned()), Sample::Int(b.into())];
        prefix(term(&encode(&Sample::Tuple(parts), Place::Key)))
    };
    assert!(tuple("k", 1) < tuple("k", 2));
    assert!(tuple("k", 2) < tuple("l", 1));
}

/// Tables of different seeds traverse a few atoms in one order, and share nothing else.
#[test]
fn atoms_have_a_place_of_their_own() {
    let atoms = ["key1", "key2", "key3"].map(|text| encode(&Sample::Atom(text.into()), Place::Key));
    for buffer in &atoms {
        let [a, b] = [1, 2].map(|seed| hash(term(buffer), seed));
        assert_eq!(a >> 56, b >> 56);
        assert_ne!(a << 8, b << 8);
    }
    let places = [0, 1, 2].map(|i| hash(term(&atoms[i]), 1) >> 56);
    assert!(places[0] != places[1] && places[1] != places[2] && places[0] != places[2]);
}

/// What follows an atom must not outweigh a longer atom that goes on with a zero byte.
#[test]
fn packed_texts_with_zero_bytes_stay_in_order() {
    let tuple = |a: &str| {
        let parts = vec![Sample::Atom(a.to_owned()), Sample::Bits(vec![0xff; 8], 0)];
        encode(&Sample::Tuple(parts), Place::Key)
    };
    let texts = ["a", "a\0", "a\0b", "a\u{1}", "b"].map(tuple);
    for pair in texts.windows(2) {
        let (x, y) = (term(&pair[0]), term(&pair[1]));
        assert!(compare(x, y).is_lt() && prefix(x) <= prefix(y), "{x:?} {y:?}");
    }
}

/// `[1 | T]` against `[1, 2]`, for tails of every type.
#[test]
fn improper_tails_compare_with_lists() {
    let one = || vec![Sample::Int(1.into())];
    let longer =
        Sample::List(vec![Sample::Int(1.into()), Sample::Int(2.into())], Box::new(Sample::Nil));
    let tails = [
        Sample::Int(9.into()),
        Sample::Atom("z".into()),
        Sample::Tuple(vec![]),
        Sample::Map(vec![]),
        Sample::Nil,
        Sample::Bits(vec![], 0),
        Sample::HeldBinary(vec![1]),
    ];
    for tail in tails {
        let shorter = Sample::List(one(), Box::new(tail));
        let (x, y) = (encode(&shorter, Place::Value), encode(&longer, Place::Value));
        let expected = model_compare(&shorter, &longer, false);
        assert_eq!(compare(term(&x), term(&y)), expected, "{shorter:?}");
        assert_eq!(compare(term(&y), term(&x)), expected.reverse());
        assert!(!equal(term(&x), term(&y)));
    }
}

/// Counts per cell of a table of hash bits, for consecutive and strided integers.
#[test]
fn hashes_of_integers_spread() {
    for seed in [0, 1, 0xdead_beef_0bad_cafe] {
        for stride in [1i64, 16, 1 << 20, 1 << 40] {
            let mut positions = vec![0u32; 1024];
            let mut tags = vec![0u32; 256];
            for n in 0..65_536i64 {
                let word = ((n * stride) << 4 | 0xf) as u64;
                let hash = hash(Term::immediate(&word), seed);
                positions[(hash >> 54) as usize] += 1;
                tags[(hash & 0xff) as usize] += 1;
            }
            // Means 64 and 256; ten standard deviations.
            assert!(positions.iter().all(|&n| n < 64 + 80), "{seed} {stride}");
            assert!(tags.iter().all(|&n| (96..=416).contains(&n)), "{seed} {stride}");
        }
    }
}
