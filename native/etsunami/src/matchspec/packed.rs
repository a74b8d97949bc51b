//! A value in one machine word, as registers hold it.
//!
//! | lowest bits | what |
//! | --- | --- |
//! | `11` | an immediate, as it is |
//! | `00` | the address of a term's root word |
//! | `01` | one more than the address of a [`Rest`] in the run's heap |
//! | `10` | the stored object |
//!
//! So two small integers are told, compared and added without a look at memory.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::term::layout::{self, immediate};
use crate::term::view::Term;

use super::value::{Part, Value};

/// A list without its first elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'r> {
    pub list: Term<'r>,
    pub skip: u32,
}

/// A value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed<'r>(NonNull<u64>, PhantomData<&'r u64>);

impl<'r> Packed<'r> {
    /// The stored object.
    pub(super) const OBJECT: Packed<'r> = Packed::bits(0b10);
    /// The empty list.
    pub(super) const NIL: Packed<'r> = Packed::bits(immediate::NIL as usize);

    #[inline(always)]
    const fn bits(bits: usize) -> Packed<'r> {
        Packed(NonNull::new(ptr::without_provenance_mut(bits)).expect("not 0"), PhantomData)
    }

    /// An immediate.
    #[inline(always)]
    pub(super) fn word(word: u64) -> Packed<'r> {
        debug_assert!(layout::is_immediate(word));
        // What is no immediate must not be taken for an address.
        Packed::bits((word | 0b11) as usize)
    }

    #[inline(always)]
    fn block(term: Term<'r>) -> Packed<'r> {
        let root = NonNull::new(term.as_ptr().cast_mut());
        Packed(root.expect("a term has an address"), PhantomData)
    }

    /// The value of a part of an object or a constant.
    #[inline(always)]
    pub(super) fn of(part: Part<'r>) -> Packed<'r> {
        match part {
            Part::Object => Packed::OBJECT,
            Part::Word(word) => Packed::word(word),
            Part::Term(term) => Packed::block(term),
        }
    }

    /// The rest of a list, which stays where it is for `'r`.
    pub(super) fn rest(rest: &'r Rest<'r>) -> Packed<'r> {
        let at = NonNull::from(rest).cast::<u64>();
        Packed(at.map_addr(|address| address | 1), PhantomData)
    }

    /// The bits, which are the word of an immediate.
    #[inline(always)]
    pub(super) fn root(self) -> u64 {
        self.0.addr().get() as u64
    }

    /// The value to look at.
    #[inline(always)]
    pub(super) fn value(self) -> Value<'r> {
        let bits = self.root();
        match bits & 0b11 {
            0b11 => Value::Word(bits),
            // SAFETY: `block` packed the root word's address of a term that lives for `'r`.
            0b00 => Value::Block(unsafe { Term::new(self.0.as_ptr()) }),
            0b01 => {
                let at = self.0.as_ptr().map_addr(|address| address & !0b11).cast::<Rest<'r>>();
                // SAFETY: `rest` packed the address of one that stays for `'r`.
                let rest = unsafe { *at };
                Value::Rest(rest.list, rest.skip)
            }
            _ => Value::Object,
        }
    }
}

/// How many registers need no allocation.
const FEW: usize = 8;

/// The registers of one run. How many a program needs is known when it is compiled.
pub(super) struct Registers<'r> {
    few: [Packed<'r>; FEW],
    /// All of them, if there are more than a few.
    many: Vec<Packed<'r>>,
}

impl<'r> Registers<'r> {
    #[inline(always)]
    pub(super) fn new(count: usize) -> Registers<'r> {
        let many = if count > FEW { vec![Packed::NIL; count] } else { Vec::new() };
        Registers { few: [Packed::NIL; FEW], many }
    }

    #[inline(always)]
    pub(super) fn get(&self, at: u32) -> Packed<'r> {
        if self.many.is_empty() { self.few[at as usize % FEW] } else { self.many[at as usize] }
    }

    #[inline(always)]
    pub(super) fn set(&mut self, at: u32, value: Packed<'r>) {
        if self.many.is_empty() {
            self.few[at as usize % FEW] = value;
        } else {
            self.many[at as usize] = value;
        }
    }
}
