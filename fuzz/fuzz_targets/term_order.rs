//! Three terms: they are read as they were written; order, equality, hashes and prefixes agree
//! with the model and with each other.
#![no_main]

use std::cmp::Ordering;

use arbitrary::{Result, Unstructured};
use etsunami::term::buffer::Buffer;
use etsunami::term::equal::equal;
use etsunami::term::hash::hash_wide;
use etsunami::term::order::{compare, compare_exact};
use etsunami::term::prefix::prefix;
use etsunami::term::stem::Stem;
use etsunami::term::testing::{Place, Sample, encode, model_compare, term};
use etsunami::term::view::Term;
use etsunami_fuzz::terms;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    _ = run(&mut Unstructured::new(bytes));
});

fn run(bytes: &mut Unstructured) -> Result<()> {
    let a = terms::sample(bytes)?;
    let b = terms::relative(bytes, &a)?;
    let c = terms::relative(bytes, &b)?;
    for (x, y) in [(&a, &b), (&b, &c), (&a, &c), (&a, &a)] {
        agrees(x, y, terms::place(bytes)?, terms::place(bytes)?);
        agrees(y, x, Place::Key, Place::Key);
    }
    let mut encoded = [&a, &b, &c].map(|sample| encode(sample, Place::Key));
    encoded.sort_by(|x, y| compare(term(x), term(y)));
    is_total(&encoded);
    stems(&encoded);
    copies(&encoded[0]);
    Ok(())
}

/// The order and equality are the model's, and what hashes and prefixes say follows from them.
fn agrees(a: &Sample, b: &Sample, p: Place, q: Place) {
    let (x, y) = (encode(a, p), encode(b, q));
    let (x, y) = (term(&x), term(&y));
    let order = compare(x, y);
    assert_eq!(order, model_compare(a, b, false), "{a:?} {b:?}");
    assert_eq!(compare_exact(x, y), model_compare(a, b, true), "{a:?} {b:?}");
    assert_eq!(equal(x, y), model_compare(a, b, true).is_eq(), "{a:?} {b:?}");
    match order {
        Ordering::Less => assert!(prefix(x) <= prefix(y), "{a:?} {b:?}"),
        Ordering::Equal => assert_eq!(prefix(x), prefix(y), "{a:?} {b:?}"),
        Ordering::Greater => assert!(prefix(x) >= prefix(y), "{a:?} {b:?}"),
    }
    if p == q && p == Place::Key && equal(x, y) {
        assert_eq!(hash_wide(x, 7), hash_wide(y, 7), "{a:?} {b:?}");
    }
}

/// Sorted as they are, each is at most any that follows.
fn is_total(sorted: &[Buffer; 3]) {
    for (i, x) in sorted.iter().enumerate() {
        for y in &sorted[i..] {
            assert!(compare(term(x), term(y)).is_le());
            assert_eq!(compare(term(y), term(x)), compare(term(x), term(y)).reverse());
        }
    }
}

/// What two keys share, the key between them shares, and its rest stands between theirs.
fn stems(sorted: &[Buffer; 3]) {
    let [low, middle, high] = [0, 1, 2].map(|i| term(&sorted[i]));
    let Some(stem) = Stem::between(low, high) else { return };
    assert_eq!(stem.compare(middle, low), Ordering::Equal);
    let rest = |key: Term| stem.prefix_behind(key);
    assert!(rest(low) <= rest(middle) && rest(middle) <= rest(high));
}

/// A copy of the words, elsewhere in another encoding, is the same term.
fn copies(words: &Buffer) {
    let mut copy = Buffer::new();
    let at = copy.reserve(3).unwrap() + 1;
    copy.copy(at, term(words)).unwrap();
    // SAFETY: `copy` has written a whole term at this root.
    let copied = unsafe { Term::at(copy.words(), at) };
    assert!(equal(copied, term(words)));
    assert_eq!(format!("{:?}", copied.view()), format!("{:?}", term(words).view()));
}
