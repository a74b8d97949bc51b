//! Values as a program computes with them: views of what is stored wherever possible.

use crate::term::layout;
use crate::term::object::Mutable;
use crate::term::view::{Roots, Term, View};

/// What a program runs over.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'r>(Shape<'r>);

#[derive(Clone, Copy, Debug)]
enum Shape<'r> {
    /// A stored object. The word of its mutable element is loaded once, so that guards, result and
    /// conditions see the same state.
    Object { elements: Roots<'r>, mutable: Mutable },
    /// Any term.
    Term(Term<'r>),
}

impl<'r> Subject<'r> {
    /// A stored object, by its elements; `key` is the index of its key.
    #[inline(always)]
    pub fn object(elements: Roots<'r>, key: usize) -> Subject<'r> {
        let mutable = Mutable::of(elements, key).unwrap_or(NOTHING_MUTABLE);
        Subject(Shape::Object { elements, mutable })
    }

    /// Any term, which does not change meanwhile.
    pub fn term(term: Term<'r>) -> Subject<'r> {
        Subject(Shape::Term(term))
    }

    /// The elements of a tuple; none for another term.
    #[inline(always)]
    pub(super) fn tuple(&self) -> Option<Roots<'r>> {
        match self.0 {
            Shape::Object { elements, .. } => Some(elements),
            Shape::Term(term) => match term.view() {
                View::Tuple(elements) => Some(elements),
                _ => None,
            },
        }
    }

    /// Element `i` of a tuple, from 0.
    ///
    /// # Panics
    /// If there is none.
    #[inline(always)]
    pub fn element(&self, i: usize) -> Part<'r> {
        match self.0 {
            Shape::Object { mutable, .. } if mutable.at == i => Part::Word(mutable.word),
            Shape::Object { elements, .. } => Part::of(elements.get(i)),
            Shape::Term(term) => match term.view() {
                View::Tuple(elements) => Part::of(elements.get(i)),
                _ => panic!("no element {i}"),
            },
        }
    }

    /// Element `i` of the tuple that is an element of a tuple, from 0.
    ///
    /// # Panics
    /// If there is none.
    #[inline(always)]
    pub(super) fn inner(&self, element: usize, i: usize) -> Part<'r> {
        match self.element(element) {
            Part::Term(term) => Part::of(term.tuple().expect("a tuple").get(i)),
            _ => panic!("element {element} is no tuple"),
        }
    }

    /// The elements of a stored object.
    #[inline(always)]
    pub(super) fn stored(&self) -> Option<Roots<'r>> {
        match self.0 {
            Shape::Object { elements, .. } => Some(elements),
            Shape::Term(_) => None,
        }
    }

    /// The root word of an element of the stored object.
    #[inline(always)]
    pub(super) fn root(&self, elements: Roots<'r>, i: usize) -> u64 {
        match self.0 {
            Shape::Object { mutable, .. } if mutable.at == i => mutable.word,
            _ => elements.get(i).root(),
        }
    }

    /// The mutable element of the stored object, as it was when the subject was made.
    #[inline(always)]
    pub fn mutable(&self) -> Option<Mutable> {
        match self.0 {
            Shape::Object { mutable, .. } if mutable.at != NOTHING_MUTABLE.at => Some(mutable),
            _ => None,
        }
    }

    /// The number of elements of a tuple.
    pub fn arity(&self) -> Option<usize> {
        self.tuple().map(|elements| elements.len())
    }

    /// The subject as a part.
    #[inline(always)]
    pub(super) fn as_part(&self) -> Part<'r> {
        match self.0 {
            Shape::Object { .. } => Part::Object,
            Shape::Term(term) => Part::of(term),
        }
    }

    /// The subject as a value.
    #[inline(always)]
    pub(super) fn whole(&self) -> Value<'r> {
        match self.0 {
            Shape::Object { .. } => Value::Object,
            Shape::Term(term) => Value::of(term),
        }
    }
}

/// In place of the mutable element of an object that has none.
const NOTHING_MUTABLE: Mutable = Mutable { at: usize::MAX, word: 0 };

/// A part of a result: what is to be read where.
#[derive(Clone, Copy, Debug)]
pub enum Part<'r> {
    /// The object itself: its elements as [`Subject::element`] gives them.
    Object,
    /// An immediate.
    Word(u64),
    /// Any other term.
    Term(Term<'r>),
}

impl<'r> Part<'r> {
    /// The part that a term is, its root word read once.
    #[inline(always)]
    pub fn of(term: Term<'r>) -> Part<'r> {
        let root = term.root();
        if layout::is_immediate(root) { Part::Word(root) } else { Part::Term(term) }
    }
}

/// A value on the stack or in a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'r> {
    /// An immediate.
    Word(u64),
    /// A term that is no immediate.
    Block(Term<'r>),
    /// A list without its first elements, of which there are more.
    Rest(Term<'r>, u32),
    /// The stored object.
    Object,
}

impl<'r> Value<'r> {
    /// The value of a term, its root word read once.
    #[inline(always)]
    pub(super) fn of(term: Term<'r>) -> Value<'r> {
        Part::of(term).into()
    }
}

impl<'r> From<Part<'r>> for Value<'r> {
    #[inline(always)]
    fn from(part: Part<'r>) -> Value<'r> {
        match part {
            Part::Object => Value::Object,
            Part::Word(word) => Value::Word(word),
            Part::Term(term) => Value::Block(term),
        }
    }
}

/// A list as functions see it: what is left of its elements, and the tail behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListView<'r> {
    pub list: Term<'r>,
    pub elements: Roots<'r>,
    pub skip: u32,
    pub tail: Term<'r>,
}

impl<'r> ListView<'r> {
    pub(super) fn of(list: Term<'r>, skip: u32) -> Option<ListView<'r>> {
        match list.view() {
            View::List { elements, tail } => Some(ListView { list, elements, skip, tail }),
            _ => None,
        }
    }

    /// How many elements are left, at least one.
    pub(super) fn len(&self) -> usize {
        self.elements.len() - self.skip as usize
    }

    /// The `i`th of those left.
    pub(super) fn get(&self, i: usize) -> Value<'r> {
        Value::of(self.elements.get(self.skip as usize + i))
    }

    /// What is behind the next `n`.
    pub(super) fn behind(&self, n: usize) -> Value<'r> {
        if n == self.len() {
            Value::of(self.tail)
        } else {
            Value::Rest(self.list, self.skip + n as u32)
        }
    }
}
