//! The ends of ranges as terms of the VM.
//!
//! An end of a range may hold what is no term ([`etsunami::matchspec::Bound`]): what is below or
//! above all terms. The atoms `'$least'` and `'$greatest'` stand for these.

use etsunami::term::layout::immediate;
use etsunami::term::view::{Roots, Term, View};

use super::decode;
use crate::atoms::atoms;
use crate::vm::{Env, VmTerm};

/// What is being made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Tuple,
    List,
    /// A list with the last part as its tail.
    ListTo,
}

/// A tuple or list that is being made.
struct Frame<'a, 'e> {
    shape: Shape,
    elements: Roots<'a>,
    /// The tail of an improper list.
    tail: Option<Term<'a>>,
    made: Vec<VmTerm<'e>>,
}

impl<'e> Frame<'_, 'e> {
    fn make(&self, env: Env<'e>) -> VmTerm<'e> {
        match (self.shape, self.made.split_last()) {
            (Shape::Tuple, _) => env.make_tuple(&self.made),
            (Shape::ListTo, Some((&tail, heads))) => {
                heads.iter().rev().fold(tail, |tail, &head| env.make_cell(head, tail))
            }
            _ => env.make_list(&self.made),
        }
    }
}

/// What a part is.
enum Part<'a, 'e> {
    Made(VmTerm<'e>),
    Inside(Frame<'a, 'e>),
}

/// The term of an end.
pub fn bound<'e>(env: Env<'e>, end: Term<'_>) -> VmTerm<'e> {
    let mut frame = match part(env, end) {
        Part::Made(term) => return term,
        Part::Inside(frame) => frame,
    };
    let mut outer = Vec::new();
    loop {
        let next = frame.elements.next().or_else(|| frame.tail.take());
        let made = match next.map(|term| part(env, term)) {
            Some(Part::Inside(inside)) => {
                outer.push(std::mem::replace(&mut frame, inside));
                continue;
            }
            Some(Part::Made(made)) => made,
            None => {
                let made = frame.make(env);
                let Some(around) = outer.pop() else { return made };
                frame = around;
                made
            }
        };
        frame.made.push(made);
    }
}

fn part<'a, 'e>(env: Env<'e>, term: Term<'a>) -> Part<'a, 'e> {
    if term.root() == immediate::GREATEST {
        return Part::Made(atoms().greatest);
    }
    let frame =
        |shape, elements, tail| Part::Inside(Frame { shape, elements, tail, made: Vec::new() });
    match term.view() {
        View::Float(value) if value == f64::NEG_INFINITY => Part::Made(atoms().least),
        View::Tuple(elements) => frame(Shape::Tuple, elements, None),
        View::List { elements, tail } if tail.root() == immediate::NIL => {
            frame(Shape::List, elements, None)
        }
        View::List { elements, tail } => frame(Shape::ListTo, elements, Some(tail)),
        _ => Part::Made(decode::term(env, term)),
    }
}
