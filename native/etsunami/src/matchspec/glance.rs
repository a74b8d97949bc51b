//! What shows at a glance that an object does not match, or that it does.
//!
//! Most objects of a search match no clause, and mostly an immediate element tells. So before a run
//! each clause's arity, the immediates that its head wants, and the comparisons of its guards with
//! small integers are looked at, as far as they are about elements of the object itself. Where this is
//! all that the clause demands, and the elements are small integers, it matches; else what a glance
//! does not rule out is run as if there had been none.

use crate::term::layout::immediate;
use crate::term::view::Roots;

use super::functions::Relation;
use super::program::{
    Clause, Condition, Constant, Fetch, Guard, HeadOp, Op, Operand, Parts, Program, Span, Test,
};
use super::value::{Part, Subject};

/// Where an element stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spot {
    /// In the object.
    Own(u32),
    /// In a tuple that is an element of the object.
    Inner(u32, u32),
}

/// Something that has to be so. What is said of the elements of a tuple comes behind the tuple.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// An element is this immediate.
    Word { at: Spot, word: u64 },
    /// An element, if it is a small integer, has this relation to one.
    Small { at: Spot, relation: Relation, word: u64 },
    /// An element is a tuple of this arity.
    Tuple { element: u32, arity: u32 },
}

/// What can be seen of a head and of the guards that a glance decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// The clause does not match.
    Mismatch,
    /// They match; other guards are left.
    Match,
    /// It has to be run.
    Unclear,
}

impl Spot {
    /// The root word of the element, if it is there.
    #[inline(always)]
    fn root(self, subject: &Subject, elements: Roots) -> Option<u64> {
        match self {
            Spot::Own(element) => Some(subject.root(elements, element as usize)),
            Spot::Inner(element, i) => {
                let inner = inner(subject, element)?;
                (inner.len() > i as usize).then(|| inner.get(i as usize).root())
            }
        }
    }
}

/// The elements of a tuple that is an element of the object.
#[inline(always)]
pub(super) fn inner<'r>(subject: &Subject<'r>, element: u32) -> Option<Roots<'r>> {
    match subject.element(element as usize) {
        Part::Term(term) => term.tuple(),
        _ => None,
    }
}

impl Need {
    /// What can be seen of it.
    #[inline(always)]
    fn of(self, subject: &Subject, elements: Roots) -> Seen {
        let root = |at: Spot| at.root(subject, elements);
        let holds = match self {
            Need::Word { at, word } => root(at) == Some(word),
            Need::Small { at, relation, word } => match root(at) {
                Some(root) if immediate::is_small(root) => {
                    relation.of((root as i64).cmp(&(word as i64)))
                }
                Some(_) => return Seen::Unclear,
                None => false,
            },
            Need::Tuple { element, arity } => {
                inner(subject, element).is_some_and(|inner| inner.len() == arity as usize)
            }
        };
        if holds { Seen::Match } else { Seen::Mismatch }
    }
}

/// What a clause needs of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Glance {
    /// The number of elements, if it tells one.
    pub arity: Option<u32>,
    pub needs: Span,
    /// The head needs nothing else.
    pub head: bool,
}

impl Program {
    /// What can be seen at a glance of a clause's head and guards.
    pub(super) fn glance(&mut self, head: Span, guard: Guard) -> Glance {
        let Parts { heads, code, needs, .. } = &mut **self.parts;
        let start = needs.len() as u32;
        let glanced = Span { start: guard.glanced, end: guard.code.end };
        let (ops, guards) = (head.of(heads), glanced.of(code));
        let Some((Fetch::Whole, Test::Tuple(arity))) = ops.first().map(|op| (op.fetch, op.test))
        else {
            return Glance::default();
        };
        let mut inside = None;
        for op in &ops[1..] {
            inside = match op.leave {
                0 => inside,
                _ => None,
            };
            match need_of_step(op, &mut inside) {
                Ok(need) => needs.extend(need),
                Err(NotSeen) => break,
            }
        }
        let head = needs.len() - start as usize == ops.len() - 1;
        needs.extend(guards.iter().filter_map(|&op| need_of(op)));
        let end = needs.len() as u32;
        Glance { arity: Some(arity), needs: Span { start, end }, head }
    }

    /// What can be seen of a clause and a subject.
    #[inline(always)]
    pub(super) fn look(&self, clause: &Clause, subject: &Subject) -> Seen {
        let (Some(arity), Some(elements)) = (clause.glance.arity, subject.stored()) else {
            return Seen::Unclear;
        };
        if elements.len() != arity as usize {
            return Seen::Mismatch;
        }
        let mut seen = if clause.glance.head { Seen::Match } else { Seen::Unclear };
        for need in clause.glance.needs.of(&self.parts.needs) {
            match need.of(subject, elements) {
                Seen::Mismatch => return Seen::Mismatch,
                Seen::Unclear => seen = Seen::Unclear,
                Seen::Match => (),
            }
        }
        seen
    }
}

/// A step goes where nothing is seen, and so may all behind it.
struct NotSeen;

/// What a step of a head needs, if it can be seen. `inside` is the element that the step before has
/// looked into, if it is one of the object.
fn need_of_step(op: &HeadOp, inside: &mut Option<u32>) -> Result<Option<Need>, NotSeen> {
    let Fetch::Nth(i) = op.fetch else { return Err(NotSeen) };
    match op.test {
        Test::Equal(Constant::Word(word)) => {
            let at = inside.map_or(Spot::Own(i), |element| Spot::Inner(element, i));
            Ok(Some(Need::Word { at, word }))
        }
        Test::Tuple(arity) if inside.is_none() => {
            *inside = Some(i);
            Ok(Some(Need::Tuple { element: i, arity }))
        }
        Test::Equal(_) | Test::Float(_) | Test::Same(_) => Ok(None),
        _ => Err(NotSeen),
    }
}

/// What a guard needs, if it compares an element with a small integer.
fn need_of(op: Op) -> Option<Need> {
    let Op::If { condition: Condition::Related(relation, a, b), .. } = op else { return None };
    let (var, relation, word) = match (a, b) {
        (var, Operand::Word(word)) => (var, relation, word),
        (Operand::Word(word), var) => (var, relation.turned(), word),
        _ => return None,
    };
    let at = match var {
        Operand::Element(element) => Spot::Own(element),
        Operand::Inner(element, i) => Spot::Inner(element, i),
        _ => return None,
    };
    immediate::is_small(word).then_some(Need::Small { at, relation, word })
}
