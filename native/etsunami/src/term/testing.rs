//! Terms for tests: a plain model of terms, generators of it, and its encoding.
//!
//! [`Sample`] is a term as a tree; [`encode`] turns it into words the way the boundary does, either
//! as a key (maps sorted, binaries inline) or as a value (maps in a given order, or with shapes). The generators
//! draw from small pools so that samples often share prefixes, sizes and whole subterms.
//!
//! [`install`] sets a host that understands the foreign terms made here.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use proptest::prelude::*;

use super::buffer::Buffer;
use super::host::{self, Host};
use super::layout::{Foreign, immediate};
use super::number::Int;
use super::order::compare_exact;
use super::shape::Shape;
use super::view::Term;
use crate::sync::{AtomicI64, Ordering as Memory};

/// A term as a tree.
#[derive(Clone, Debug)]
pub enum Sample {
    /// An integer of any size.
    Int(BigInt),
    /// A finite float.
    Float(f64),
    /// An atom.
    Atom(String),
    /// A reference, told by a number.
    Reference(u64),
    /// A fun, told by a number.
    Fun(u64),
    /// A port of this node.
    Port(u64),
    /// A pid of this node.
    Pid(u64),
    /// A pid of another node.
    ExternalPid(u8),
    /// A tuple.
    Tuple(Vec<Sample>),
    /// A map; pairs whose keys appeared before are left out.
    Map(Vec<(Sample, Sample)>),
    /// `[]`.
    Nil,
    /// A list of at least one element, and its tail.
    List(Vec<Sample>, Box<Sample>),
    /// A bit string: bytes, and how many bits of the last one do not count.
    Bits(Vec<u8>, u32),
    /// A binary that is held by reference where it is not in a key.
    HeldBinary(Vec<u8>),
}

/// Where an encoded term will stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a key: maps sorted, binaries inline.
    Key,
    /// Elsewhere: maps in the order of the sample.
    Value,
    /// Elsewhere, with maps of atoms in an order of their own, as in the VM: each with its keys.
    Own,
    /// Likewise, with shapes.
    Shared,
}

/// What keeps a foreign term alive in tests: a count of holders.
#[derive(Debug, Default)]
pub struct Keeper(AtomicI64);

impl Keeper {
    /// A keeper without holders, which lives for ever.
    pub fn leak() -> &'static Keeper {
        Box::leak(Box::default())
    }

    /// The word that stands in foreign blocks.
    pub fn word(&'static self) -> u64 {
        std::ptr::from_ref(self).expose_provenance() as u64
    }

    /// How many hold it.
    pub fn holders(&self) -> i64 {
        // Relaxed: tests look when everything is joined.
        self.0.load(Memory::Relaxed)
    }

    fn at(word: u64) -> &'static Keeper {
        // SAFETY: keeper words in tests come from `word`.
        unsafe { &*std::ptr::with_exposed_provenance(word as usize) }
    }
}

static TEST_HOST: Host = Host {
    foreign_retain: |keeper| _ = Keeper::at(keeper).0.fetch_add(1, Memory::Relaxed),
    foreign_release: |keeper| _ = Keeper::at(keeper).0.fetch_sub(1, Memory::Relaxed),
    ..host::DEFAULT
};

/// Sets the host of the tests. Atoms stay those of the default host.
pub fn install() {
    host::set(&TEST_HOST);
}

/// The encoding of a sample: its root word is word 0.
pub fn encode(sample: &Sample, place: Place) -> Buffer {
    install();
    let mut buffer = Buffer::new();
    let at = buffer.reserve(1).unwrap();
    encode_at(&mut buffer, at, sample, place);
    buffer
}

/// The encoding of several samples as the elements of an object.
pub fn encode_object(samples: &[Sample], place: Place) -> Buffer {
    install();
    let mut buffer = Buffer::new();
    let at = buffer.reserve(samples.len()).unwrap();
    for (i, sample) in samples.iter().enumerate() {
        encode_at(&mut buffer, at + i, sample, place);
    }
    buffer
}

/// The term at word 0.
pub fn term(buffer: &Buffer) -> Term<'_> {
    // SAFETY: made by `encode`.
    unsafe { Term::at(buffer.words(), 0) }
}

/// Writes a sample at a root position; true if it is irregular.
pub fn encode_at(buffer: &mut Buffer, at: usize, sample: &Sample, place: Place) -> bool {
    match sample {
        Sample::Int(value) => Int::from(value.clone()).to_buffer(buffer, at).unwrap(),
        Sample::Float(value) => {
            buffer.float(at, *value).unwrap();
            return *value == 0.0 && host::host().zero_floats_equal;
        }
        Sample::Atom(text) => buffer.set(at, host::atom(text)),
        Sample::Reference(n) => return encode_foreign(buffer, at, Foreign::Reference, *n),
        Sample::Fun(n) => return encode_foreign(buffer, at, Foreign::Fun, *n),
        Sample::Port(n) => buffer.set(at, n << 4 | 0x7),
        Sample::Pid(n) => buffer.set(at, n << 4 | 0x3),
        Sample::ExternalPid(n) => {
            buffer.external(at, &external_pid(*n)).unwrap();
            return true;
        }
        Sample::Nil => buffer.set(at, immediate::NIL),
        Sample::Tuple(elements) => {
            let block = buffer.open_tuple(at, elements.len()).unwrap();
            return encode_elements(buffer, block, elements.iter(), place);
        }
        Sample::List(elements, tail) => {
            let block = buffer.open_list(at, elements.len()).unwrap();
            return encode_elements(buffer, block, elements.iter().chain([&**tail]), place);
        }
        Sample::Map(pairs) => return encode_map(buffer, at, pairs, place),
        Sample::Bits(bytes, unused) => {
            let bits = 8 * bytes.len() - *unused as usize;
            buffer.bits(at, &trimmed(bytes, *unused), bits).unwrap();
        }
        Sample::HeldBinary(bytes) if place != Place::Key => {
            // SAFETY: leaked.
            unsafe { buffer.binary(at, bytes.clone().leak(), 0, 0) }.unwrap();
            return true;
        }
        Sample::HeldBinary(bytes) => buffer.bits(at, bytes, 8 * bytes.len()).unwrap(),
    }
    false
}

fn encode_foreign(buffer: &mut Buffer, at: usize, what: Foreign, n: u64) -> bool {
    buffer.foreign(at, what, n % 3, n, 0).unwrap();
    true
}

fn external_pid(n: u8) -> [u8; 17] {
    [b'X', b'w', 3, b'a', b'@', b'b', 0, 0, 0, n, 0, 0, 0, 0, 0, 0, 1]
}

fn trimmed(bytes: &[u8], unused: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last &= 0xff << unused;
    }
    bytes
}

fn encode_elements<'a>(
    buffer: &mut Buffer,
    block: usize,
    elements: impl Iterator<Item = &'a Sample>,
    place: Place,
) -> bool {
    let mut irregular = false;
    for (i, element) in elements.enumerate() {
        irregular |= encode_at(buffer, block + 1 + i, element, place);
    }
    if irregular {
        buffer.mark_irregular(block);
    }
    buffer.close(block);
    irregular
}

fn encode_map(buffer: &mut Buffer, at: usize, pairs: &[(Sample, Sample)], place: Place) -> bool {
    let mut unique: Vec<(Buffer, &(Sample, Sample))> = Vec::new();
    for pair in pairs {
        let key = encode(&pair.0, Place::Key);
        if unique.iter().all(|(seen, _)| compare_exact(term(seen), term(&key)).is_ne()) {
            unique.push((key, pair));
        }
    }
    if place == Place::Key {
        unique.sort_by(|(a, _), (b, _)| compare_exact(term(a), term(b)));
    }
    let word = |key: &Buffer| key.words()[0];
    let atoms = unique.iter().all(|(key, _)| immediate::is_atom(word(key)));
    if atoms && matches!(place, Place::Own | Place::Shared) {
        unique.sort_by_key(|(key, _)| word(key));
    }
    let values = unique.iter().map(|(_, pair)| &pair.1);
    let words: Vec<u64> = unique.iter().map(|(key, _)| word(key)).collect();
    if let Some(shape) = (place == Place::Shared).then(|| Shape::of_keys(&words)).flatten() {
        let block = buffer.open_shaped(at, shape, &vec![immediate::NIL; words.len()]).unwrap();
        return encode_elements(buffer, block, values, place);
    }
    let block = buffer.open_map(at, unique.len()).unwrap();
    if place == Place::Key {
        buffer.mark_sorted(block);
    }
    let keys = unique.iter().map(|(_, pair)| &pair.0);
    encode_elements(buffer, block, keys.chain(values), place)
}

/// Integers around every limit there is.
pub fn integers() -> BoxedStrategy<BigInt> {
    let near = |bits: u32| {
        (-2i64..3, any::<bool>()).prop_map(move |(off, negative)| {
            let value = (BigInt::from(1) << bits) + off;
            if negative { -value } else { value }
        })
    };
    prop_oneof![
        4 => (-3i64..4).prop_map(BigInt::from),
        1 => any::<i32>().prop_map(BigInt::from),
        1 => any::<i64>().prop_map(BigInt::from),
        2 => (47u32..70).prop_flat_map(near),
        1 => prop_oneof![Just(127u32), Just(128), Just(192), Just(1023), Just(1024), Just(1100)]
            .prop_flat_map(near),
        1 => (any::<bool>(), proptest::collection::vec(any::<u32>(), 1..8)).prop_map(
            |(negative, limbs)| BigInt::new(if negative { Sign::Minus } else { Sign::Plus }, limbs)
        ),
    ]
    .boxed()
}

/// Finite floats, many of them integral or next to integers.
pub fn floats() -> BoxedStrategy<f64> {
    let exact = integers().prop_map(|value| {
        let text = value.to_string();
        text.parse::<f64>().unwrap()
    });
    let near = (exact, -1i64..2).prop_map(|(value, step)| {
        f64::from_bits((value.to_bits() as i64).wrapping_add(step) as u64)
    });
    prop_oneof![
        2 => prop_oneof![Just(0.0), Just(-0.0), Just(0.5), Just(-0.5), Just(1.5), Just(f64::MAX)],
        3 => near,
        1 => any::<f64>(),
    ]
    .prop_map(|value| if value.is_finite() { value } else { 1.0 })
    .boxed()
}

fn texts() -> BoxedStrategy<String> {
    prop_oneof![
        proptest::sample::select(vec!["", "a", "b", "ab", "a\0", "a\0b", "abcdefgh", "abcdefgi"])
            .prop_map(str::to_owned),
        proptest::collection::vec(proptest::sample::select(vec!['a', 'b', 'c', 'é']), 0..10)
            .prop_map(|chars| chars.into_iter().collect()),
    ]
    .boxed()
}

fn bit_strings() -> BoxedStrategy<Sample> {
    let byte = prop_oneof![Just(0u8), Just(0x80), Just(1), any::<u8>()];
    (proptest::collection::vec(byte, 0..12), 0u32..8)
        .prop_map(|(bytes, unused)| {
            let unused = if bytes.is_empty() || unused > 5 { 0 } else { unused };
            Sample::Bits(bytes, unused)
        })
        .boxed()
}

fn leaves() -> BoxedStrategy<Sample> {
    prop_oneof![
        4 => integers().prop_map(Sample::Int),
        2 => floats().prop_map(Sample::Float),
        3 => texts().prop_map(Sample::Atom),
        2 => bit_strings(),
        1 => proptest::collection::vec(0u8..3, 0..4).prop_map(Sample::HeldBinary),
        1 => prop_oneof![
            (0u64..6).prop_map(Sample::Reference),
            (0u64..6).prop_map(Sample::Fun),
            (0u64..6).prop_map(Sample::Port),
            (0u64..6).prop_map(Sample::Pid),
            (0u8..3).prop_map(Sample::ExternalPid),
            Just(Sample::Nil),
        ],
    ]
    .boxed()
}

/// Terms of every type, nested a few levels.
pub fn samples() -> BoxedStrategy<Sample> {
    leaves()
        .prop_recursive(4, 40, 5, |inner| {
            let many = |n| proptest::collection::vec(inner.clone(), n);
            let pairs = proptest::collection::vec((inner.clone(), inner.clone()), 0..5);
            let tail = prop_oneof![6 => Just(Sample::Nil), 1 => leaves()];
            prop_oneof![
                3 => many(0..4).prop_map(Sample::Tuple),
                3 => (many(1..5), tail).prop_map(|(elements, tail)| list(elements, tail)),
                2 => pairs.prop_map(Sample::Map),
                1 => structs(inner.clone()),
            ]
        })
        .boxed()
}

/// Maps of atoms.
fn structs(values: BoxedStrategy<Sample>) -> BoxedStrategy<Sample> {
    proptest::collection::vec((texts().prop_map(Sample::Atom), values), 0..5)
        .prop_map(Sample::Map)
        .boxed()
}

fn list(elements: Vec<Sample>, tail: Sample) -> Sample {
    Sample::List(elements, Box::new(tail))
}

/// Two samples that often have much in common: the second is the first with one change somewhere,
/// or none at all, or another one.
pub fn pairs() -> BoxedStrategy<(Sample, Sample)> {
    prop_oneof![
        2 => (samples(), samples()),
        1 => samples().prop_map(|sample| (sample.clone(), sample)),
        3 => (samples(), any::<u64>(), samples()).prop_map(|(sample, seed, other)| {
            let mut changed = sample.clone();
            change(&mut changed, seed, other);
            (sample, changed)
        }),
    ]
    .boxed()
}

/// Changes a subterm that `seed` chooses a little, or replaces it.
fn change(sample: &mut Sample, seed: u64, other: Sample) {
    let (at, seed) = (seed % 7, seed / 7);
    let pick = |n: usize| if n == 0 { 0 } else { at as usize % n };
    match sample {
        Sample::List(parts, tail) if at == 1 => match other {
            Sample::List(..) => parts.push(other),
            other => **tail = other,
        },
        Sample::List(parts, _) if at == 2 && parts.len() > 1 => _ = parts.pop(),
        Sample::Atom(text) if at == 1 => text.push('\0'),
        Sample::Atom(text) if at == 2 => text.push('a'),
        Sample::Tuple(parts) | Sample::List(parts, _) if at != 0 && !parts.is_empty() => {
            let i = pick(parts.len());
            change(&mut parts[i], seed, other);
        }
        Sample::Map(pairs) if at != 0 && !pairs.is_empty() => {
            let i = pick(pairs.len());
            match at {
                1 => pairs.reverse(),
                2 => change(&mut pairs[i].0, seed, other),
                _ => change(&mut pairs[i].1, seed, other),
            }
        }
        Sample::Int(value) if at != 0 => {
            let float = value.to_string().parse::<f64>().unwrap_or(0.0);
            *sample = Sample::Float(if float.is_finite() { float } else { f64::MAX });
        }
        Sample::Float(value) if at != 0 => *value = -*value,
        _ => *sample = other,
    }
}

/// The order that the samples themselves define, written as plainly as possible.
pub fn model_compare(a: &Sample, b: &Sample, exact: bool) -> Ordering {
    use Sample::*;
    match (a, b) {
        (Int(a), Int(b)) => a.cmp(b),
        (Float(a), Float(b)) if exact => a.total_cmp(b),
        (Float(a), Float(b)) => a.partial_cmp(b).unwrap(),
        (Int(_), Float(_)) if exact => Ordering::Less,
        (Float(_), Int(_)) if exact => Ordering::Greater,
        (Int(a), Float(b)) => compare_rational(a, *b),
        (Float(a), Int(b)) => compare_rational(b, *a).reverse(),
        (Atom(a), Atom(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Reference(a), Reference(b)) | (Fun(a), Fun(b)) => (a % 3, a).cmp(&(b % 3, b)),
        (Port(a), Port(b)) | (Pid(a), Pid(b)) => a.cmp(b),
        (Pid(_), ExternalPid(_)) => Ordering::Less,
        (ExternalPid(_), Pid(_)) => Ordering::Greater,
        (ExternalPid(a), ExternalPid(b)) => a.cmp(b),
        (Tuple(a), Tuple(b)) => a.len().cmp(&b.len()).then_with(|| model_all(a, b, exact)),
        (Map(a), Map(b)) => model_maps(a, b, exact),
        (List(a, p), List(b, q)) => {
            let cells = |list: &[Sample], tail: &Sample| {
                list.iter().map(|x| (x.clone(), true)).chain([(tail.clone(), false)]).collect()
            };
            model_lists(cells(a, p), cells(b, q), exact)
        }
        _ => match (model_bits(a), model_bits(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => model_rank(a).cmp(&model_rank(b)),
        },
    }
}

fn model_rank(sample: &Sample) -> u8 {
    match sample {
        Sample::Int(_) | Sample::Float(_) => 0,
        Sample::Atom(_) => 1,
        Sample::Reference(_) => 2,
        Sample::Fun(_) => 3,
        Sample::Port(_) => 4,
        Sample::Pid(_) | Sample::ExternalPid(_) => 5,
        Sample::Tuple(_) => 6,
        Sample::Map(_) => 7,
        Sample::Nil => 8,
        Sample::List(..) => 9,
        Sample::Bits(..) | Sample::HeldBinary(_) => 10,
    }
}

/// The bits, one by one.
fn model_bits(sample: &Sample) -> Option<Vec<bool>> {
    let (bytes, unused) = match sample {
        Sample::Bits(bytes, unused) => (bytes, *unused as usize),
        Sample::HeldBinary(bytes) => (bytes, 0),
        _ => return None,
    };
    let bits = (0..8 * bytes.len() - unused).map(|i| bytes[i / 8] >> (7 - i % 8) & 1 == 1);
    Some(bits.collect())
}

fn model_all(a: &[Sample], b: &[Sample], exact: bool) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| model_compare(a, b, exact))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Cells of two lists: elements (`true`), then the tail (`false`).
fn model_lists(a: Vec<(Sample, bool)>, b: Vec<(Sample, bool)>, exact: bool) -> Ordering {
    for (p, q) in a.iter().zip(&b) {
        let order = match (p.1, q.1) {
            (true, false) => 9.cmp(&model_rank(&q.0)),
            (false, true) => model_rank(&p.0).cmp(&9),
            _ => model_compare(&p.0, &q.0, exact),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn model_maps(a: &[(Sample, Sample)], b: &[(Sample, Sample)], exact: bool) -> Ordering {
    let sorted = |pairs: &[(Sample, Sample)]| {
        let mut unique: Vec<(Sample, Sample)> = Vec::new();
        for pair in pairs {
            if unique.iter().all(|seen| model_compare(&seen.0, &pair.0, true).is_ne()) {
                unique.push(pair.clone());
            }
        }
        unique.sort_by(|a, b| model_compare(&a.0, &b.0, true));
        unique.into_iter().unzip::<Sample, Sample, Vec<_>, Vec<_>>()
    };
    let ((ak, av), (bk, bv)) = (sorted(a), sorted(b));
    ak.len()
        .cmp(&bk.len())
        .then_with(|| model_all(&ak, &bk, true))
        .then_with(|| model_all(&av, &bv, exact))
}

/// An integer and a float as exact fractions over a common power of two.
fn compare_rational(a: &BigInt, b: f64) -> Ordering {
    let bits = b.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i64;
    let fraction = BigInt::from(bits & ((1 << 52) - 1));
    let (mantissa, exponent) = if exponent == 0 {
        (fraction, -1074)
    } else {
        (fraction + (BigInt::from(1) << 52u32), exponent - 1075)
    };
    let mantissa = if b.is_sign_negative() { -mantissa } else { mantissa };
    if exponent >= 0 {
        a.cmp(&(mantissa << exponent as u32))
    } else {
        (a << exponent.unsigned_abs() as u32).cmp(&mantissa)
    }
}
