//! What neighbouring keys have in common at their beginning, and prefixes of the rest.
//!
//! Keys of one kind ("user:000012345", `{session, Id}`) begin alike, and the 60 bits of
//! [`prefix`](super::prefix::prefix) may hold nothing but what they share. All keys between two
//! keys share what these two share, so whoever knows two bounds leaves that out and packs what
//! follows. A stem is a number of leading elements, if the keys are tuples of one size, and a
//! number of leading bytes of the bit string that follows them (or is the key).

use std::cmp::Ordering;
use std::num::NonZeroU16;

use super::bits::{bit_string, compare_bits};
use super::layout::{self, Kind};
use super::order::compare;
use super::prefix::{Packer, leading};
use super::view::{Roots, Term, View};

/// What the keys of an interval have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stem {
    /// One more than there are, so that `Option<Stem>` is no longer than a stem.
    elements_and_one: NonZeroU16,
    bytes: u32,
}

/// The most leading elements that a stem has.
const MOST_ELEMENTS: usize = u16::MAX as usize - 1;

impl Stem {
    /// What all terms from `low` to `high` have in common, if that is something.
    pub fn between(low: Term, high: Term) -> Option<Stem> {
        let (mut elements, mut a, mut b) = (0, low, high);
        if let (Some(x), Some(y)) = (tuple(low), tuple(high)) {
            if x.len() != y.len() {
                return None;
            }
            let last = x.len().checked_sub(1)?.min(MOST_ELEMENTS);
            while elements < last && compare(x.get(elements), y.get(elements)).is_eq() {
                elements += 1;
            }
            (a, b) = (x.get(elements), y.get(elements));
        }
        let bytes = common_bytes(a, b);
        if elements == 0 && bytes == 0 {
            return None;
        }
        Some(Stem { elements_and_one: NonZeroU16::MIN.saturating_add(elements as u16), bytes })
    }

    fn elements(self) -> usize {
        usize::from(self.elements_and_one.get()) - 1
    }

    /// The order of what stands for the stem in `key` and of the stem in `with`, which has it.
    /// `Equal` if the key has it too; else the order of the two terms.
    #[inline]
    pub fn compare(self, key: Term, with: Term) -> Ordering {
        let (mut a, mut b) = (key, with);
        if let (Some(x), Some(y)) = (tuple(key), tuple(with))
            && x.len() == y.len()
        {
            for i in 0..self.elements() {
                let order = compare(x.get(i), y.get(i));
                if order.is_ne() {
                    return order;
                }
            }
            if self.bytes == 0 {
                return Ordering::Equal;
            }
            (a, b) = (x.get(self.elements()), y.get(self.elements()));
        }
        match (bit_string(a), bit_string(b)) {
            (Some(x), Some(y)) => compare_bits(self.head(x), self.head(y)),
            _ => compare(a, b),
        }
    }

    /// A prefix of what follows the stem in `term`, which has it: monotone, and equal for terms
    /// that are `==`.
    #[inline]
    pub fn prefix_behind(self, term: Term) -> u64 {
        match tuple(term) {
            Some(elements) => self.packed(elements),
            None => bit_string(term).map_or(0, |(_, bytes)| leading(self.tail(bytes))),
        }
    }

    fn packed(self, elements: Roots) -> u64 {
        let mut packer = Packer::default();
        // Full or not, what is packed is the prefix.
        _ = self.pack(elements, &mut packer);
        packer.packed()
    }

    fn pack(self, elements: Roots, packer: &mut Packer) -> Result<(), super::prefix::Full> {
        let mut rest = self.elements()..elements.len();
        if self.bytes > 0
            && let Some(first) = rest.next()
            && let Some((bits, bytes)) = bit_string(elements.get(first))
        {
            packer.bits(bits.saturating_sub(8 * self.bytes as usize), self.tail(bytes))?;
        }
        rest.try_for_each(|i| packer.term(elements.get(i)))
    }

    /// The part of a bit string that is compared with the stem.
    fn head(self, (bits, bytes): (usize, &[u8])) -> (usize, &[u8]) {
        let stem = self.bytes as usize;
        (bits.min(8 * stem), &bytes[..bytes.len().min(stem)])
    }

    /// The part of a bit string behind the stem.
    #[inline]
    fn tail(self, bytes: &[u8]) -> &[u8] {
        &bytes[bytes.len().min(self.bytes as usize)..]
    }
}

/// The elements of a tuple.
#[inline]
fn tuple<'a>(term: Term<'a>) -> Option<Roots<'a>> {
    let root = term.root();
    if layout::is_immediate(root) || Kind::of(root) != Kind::Tuple {
        return None;
    }
    match term.view() {
        View::Tuple(elements) => Some(elements),
        _ => None,
    }
}

/// How many whole bytes two bit strings have in common at their beginning.
fn common_bytes(a: Term, b: Term) -> u32 {
    let (Some((a_bits, a)), Some((b_bits, b))) = (bit_string(a), bit_string(b)) else { return 0 };
    let whole = (a_bits.min(b_bits) / 8).min(u32::MAX as usize);
    a[..whole].iter().zip(&b[..whole]).take_while(|(x, y)| x == y).count() as u32
}
