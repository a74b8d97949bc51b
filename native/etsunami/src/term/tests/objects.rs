//! Stored objects: layout, copies, equality, keepers.

use proptest::prelude::*;

use super::super::buffer::Buffer;
use super::super::equal::equal;
use super::super::hash::{MASK, hash};
use super::super::layout::{Foreign, immediate};
use super::super::object::{MUTABLE_WITHIN, Mutable, ObjectPtr, Replacement};
use super::super::object::{equal_objects, hash_object};
use super::super::probe::{OwnedKey, Probe};
use super::super::testing::*;
use super::super::view::Term;

/// An object of samples that frees itself.
struct Stored(ObjectPtr);

impl Stored {
    fn new(samples: &[Sample], seed: u64) -> Stored {
        let buffer = encode_object(samples, Place::Key);
        // SAFETY: `encode_object` made the elements; its samples hold no keepers.
        let key = hash(unsafe { Term::at(buffer.words(), 0) }, seed);
        // SAFETY: as above.
        Stored(unsafe { ObjectPtr::new(key, samples.len(), buffer.words()) }.unwrap())
    }

    fn element(&self, i: usize) -> Term<'_> {
        // SAFETY: lives as long as `self`.
        unsafe { self.0.element(i) }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        // SAFETY: owned, and terms borrow `self`.
        unsafe { self.0.free() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn objects_keep_their_elements(samples in proptest::collection::vec(samples(), 1..6), seed in any::<u64>()) {
        let object = Stored::new(&samples, seed);
        prop_assert_eq!(object.0.arity(), samples.len());
        prop_assert_eq!(object.0.words(), 1 + encode_object(&samples, Place::Key).words().len());
        prop_assert_eq!(object.0.hash(), Probe::new(object.element(0), seed).hash);
        prop_assert_eq!(object.0.addr() % 8, 0);
        for (i, sample) in samples.iter().enumerate() {
            let buffer = encode(sample, Place::Key);
            prop_assert!(equal(object.element(i), term(&buffer)));
            prop_assert_eq!(object.element(i).block_words(), term(&buffer).block_words());
        }
        let same = Stored::new(&samples, seed);
        // SAFETY: both live.
        unsafe {
            prop_assert!(equal_objects(object.0, same.0));
            prop_assert_eq!(hash_object(object.0, seed), hash_object(same.0, seed));
        }
    }

    #[test]
    fn copies_have_the_replacements(
        samples in proptest::collection::vec(samples(), 1..6),
        new in proptest::collection::vec(proptest::option::of(samples()), 6),
        same in any::<bool>(),
    ) {
        let object = Stored::new(&samples, 1);
        let mut expected = samples.clone();
        for (i, new) in new.iter().take(samples.len()).enumerate() {
            if let Some(new) = new {
                // Now and then all are as long as what they replace: then the copy is made otherwise.
                expected[i] = if same { samples[i].clone() } else { new.clone() };
            }
        }
        let buffers: Vec<_> = expected.iter().map(|one| encode(one, Place::Key)).collect();
        let changes = (0..samples.len())
            .filter(|&at| new[at].is_some())
            .map(|at| Replacement { at, term: term(&buffers[at]) });
        // SAFETY: the object lives.
        let copy = Stored(unsafe { object.0.clone_with(changes) }.unwrap());
        let expected = Stored::new(&expected, 1);
        // SAFETY: both live.
        let equal = unsafe { equal_objects(copy.0, expected.0) };
        prop_assert!(equal);
        prop_assert_eq!(copy.0.words(), expected.0.words());
        prop_assert_eq!(copy.0.hash(), object.0.hash());
    }

    #[test]
    fn owned_keys_are_the_keys(sample in samples()) {
        let buffer = encode(&sample, Place::Key);
        let owned = OwnedKey::new(term(&buffer));
        prop_assert!(equal(owned.probe().term, term(&buffer)));
        prop_assert!(owned.probe().compare(term(&buffer)).is_eq());
    }
}

#[test]
fn two_integers_take_three_words() {
    let two = [Sample::Int(1.into()), Sample::Int(2.into())];
    assert_eq!(Stored::new(&two, 0).0.words(), 3);
}

fn small(n: i64) -> Sample {
    Sample::Int(n.into())
}

/// The element that may change in place, for each position of the key.
fn mutable(samples: &[Sample]) -> Vec<Option<usize>> {
    let object = Stored::new(samples, 0);
    // SAFETY: the object lives as long as it is looked at.
    let elements = unsafe { object.0.elements() };
    let of = |key| Mutable::of(elements, key);
    (0..samples.len())
        .map(|key| of(key).inspect(|one| assert_eq!(one.word, elements.get(one.at).root())))
        .map(|one| one.map(|one| one.at))
        .collect()
}

#[test]
fn the_first_immediate_beside_the_key_is_mutable() {
    let block = || Sample::Float(1.5);
    assert_eq!(mutable(&[small(1)]), [None]);
    assert_eq!(mutable(&[small(1), small(2)]), [Some(1), Some(0)]);
    assert_eq!(mutable(&[small(1), block()]), [None, Some(0)]);
    assert_eq!(mutable(&[small(1), small(2), small(3)]), [Some(1), Some(0), Some(0)]);
    assert_eq!(mutable(&[block(), block(), small(3)]), [Some(2), Some(2), None]);
    let mut long = vec![block(); MUTABLE_WITHIN];
    long[0] = small(1);
    long.push(small(2));
    assert_eq!(mutable(&long)[..2], [None, Some(0)]);
}

#[test]
fn the_mutable_element_changes_in_place_and_no_other() {
    let object = Stored::new(&[Sample::Atom("k".into()), small(1), small(2)], 0);
    let (word, block) = (immediate::small(-5).unwrap(), encode(&Sample::Float(0.5), Place::Key));
    for (at, word) in [(0, word), (1, block.words()[0]), (2, word), (3, word)] {
        // SAFETY: a live object, one thread.
        assert!(!unsafe { object.0.set_in_place(0, at, word) }, "{at}");
    }
    assert_eq!(object.element(1).root(), immediate::small(1).unwrap());
    // SAFETY: as above.
    assert!(unsafe { object.0.set_in_place(0, 1, word) });
    assert_eq!(object.element(1).root(), word);
}

#[test]
fn the_header_gives_back_all_of_the_hash() {
    for hash in [0, u64::MAX, 0x1234_5678_9abc_def0] {
        // SAFETY: one immediate.
        let object = Stored(unsafe { ObjectPtr::new(hash, 1, &[immediate::NIL]) }.unwrap());
        assert_eq!((object.0.hash(), object.0.arity()), (hash & MASK, 1));
    }
}

#[test]
fn wide_tuples_keep_their_arity() {
    install();
    let mut buffer = Buffer::new();
    let arity = super::super::object::MAX_ARITY;
    buffer.reserve(arity).unwrap();
    // SAFETY: immediates only.
    let object = Stored(unsafe { ObjectPtr::new(u64::MAX, arity, buffer.words()) }.unwrap());
    assert_eq!((object.0.arity(), object.0.words()), (arity, arity + 1));
    buffer.reserve(1).unwrap();
    // SAFETY: immediates only.
    assert!(unsafe { ObjectPtr::new(0, arity + 1, buffer.words()) }.is_err());
}

/// `{k, [Ref, {Ref, a}], #{Ref => Fun}}` with one keeper for all.
fn object_of(keeper: &'static Keeper) -> Stored {
    install();
    let mut b = Buffer::new();
    b.reserve(3).unwrap();
    let list = b.open_list(1, 2).unwrap();
    b.foreign(list + 1, Foreign::Reference, 1, 1, keeper.word()).unwrap();
    let tuple = b.open_tuple(list + 2, 2).unwrap();
    b.foreign(tuple + 1, Foreign::Reference, 1, 1, keeper.word()).unwrap();
    b.mark_irregular(tuple);
    b.close(tuple);
    b.mark_irregular(list);
    b.close(list);
    let map = b.open_map(2, 1).unwrap();
    b.foreign(map + 1, Foreign::Reference, 1, 1, keeper.word()).unwrap();
    b.foreign(map + 2, Foreign::Fun, 2, 2, keeper.word()).unwrap();
    b.mark_irregular(map);
    b.close(map);
    // SAFETY: a well-formed encoding of three elements, whose keepers are counted here.
    unsafe {
        (0..3).for_each(|i| super::super::object::retain(Term::at(b.words(), i)));
        Stored(ObjectPtr::new(0, 3, b.words()).unwrap())
    }
}

#[test]
fn keepers_are_counted() {
    let keeper = Keeper::leak();
    let object = object_of(keeper);
    assert_eq!(keeper.holders(), 4);
    let word = immediate::NIL;
    let change = Replacement { at: 1, term: Term::immediate(&word) };
    // SAFETY: the object lives.
    let copy = Stored(unsafe { object.0.clone_with([change]) }.unwrap());
    assert_eq!(keeper.holders(), 6);
    let key = OwnedKey::new(object.element(2));
    assert_eq!(keeper.holders(), 8);
    drop(key);
    let word = immediate::small(7).unwrap();
    let change = Replacement { at: 0, term: Term::immediate(&word) };
    // SAFETY: the object lives.
    let other = Stored(unsafe { object.0.clone_with([change]) }.unwrap());
    assert_eq!(keeper.holders(), 10);
    assert_eq!(other.element(0).root(), word);
    assert_eq!(other.0.words(), object.0.words());
    for i in 1..3 {
        assert_eq!(other.element(i).block_words(), object.element(i).block_words());
    }
    drop(other);
    drop(object);
    assert_eq!(keeper.holders(), 2);
    drop(copy);
    assert_eq!(keeper.holders(), 0);
}
