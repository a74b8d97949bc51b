//! What shows at a glance that an object does not match, or that it does.
//!
//! Most objects of a search match no clause, and mostly an immediate element tells. So before a run
//! each clause's arity, the immediates that its head wants, and the comparisons of its guards with
//! small integers are looked at, as far as they are about elements of the object itself. Where this is
//! all that the clause demands, and the elements are small integers, it matches; else what a glance
//! does not rule out is run as if there had been none.

use crate::term::layout::immediate;

use super::functions::Relation;
use super::program::{Clause, Constant, Fetch, Op, Operand, Program, Span, Test, Var};
use super::value::Subject;

/// Something that has to be so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// An element is this immediate.
    Word { element: u32, word: u64 },
    /// An element, if it is a small integer, has this relation to one.
    Small { element: u32, relation: Relation, word: u64 },
}

/// What can be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// The clause does not match.
    Mismatch,
    /// It matches.
    Match,
    /// It has to be run.
    Unclear,
}

impl Need {
    fn element(self) -> u32 {
        match self {
            Need::Word { element, .. } | Need::Small { element, .. } => element,
        }
    }

    /// What the element's root word tells.
    #[inline(always)]
    fn of(self, root: u64) -> Seen {
        let holds = match self {
            Need::Word { word, .. } => root == word,
            Need::Small { .. } if !immediate::is_small(root) => return Seen::Unclear,
            Need::Small { relation, word, .. } => relation.of((root as i64).cmp(&(word as i64))),
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
    /// Nothing else is needed.
    pub complete: bool,
}

impl Program {
    /// What can be seen at a glance of a clause's head and guards.
    pub(super) fn glance(&mut self, head: Span, guard: Span) -> Glance {
        let start = self.parts.needs.len() as u32;
        let (ops, guards) = (head.of(&self.parts.heads), guard.of(&self.parts.code));
        let Some((Fetch::Whole, Test::Tuple(arity))) = ops.first().map(|op| (op.fetch, op.test))
        else {
            return Glance::default();
        };
        let own = ops[1..].iter().map_while(|op| match (op.leave, op.fetch, op.test) {
            (0, Fetch::Nth(element), Test::Equal(Constant::Word(word))) => {
                Some(Some(Need::Word { element, word }))
            }
            (0, Fetch::Nth(_), Test::Equal(_) | Test::Float(_) | Test::Same(_)) => Some(None),
            _ => None,
        });
        self.parts.needs.extend(own.flatten());
        self.parts.needs.extend(guards.iter().filter_map(|&op| need_of(op)));
        let end = self.parts.needs.len() as u32;
        let complete = (end - start) as usize == ops.len() - 1 + guards.len();
        Glance { arity: Some(arity), needs: Span { start, end }, complete }
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
        let mut seen = if clause.glance.complete { Seen::Match } else { Seen::Unclear };
        for need in clause.glance.needs.of(&self.parts.needs) {
            match need.of(subject.root(elements, need.element() as usize)) {
                Seen::Mismatch => return Seen::Mismatch,
                Seen::Unclear => seen = Seen::Unclear,
                Seen::Match => (),
            }
        }
        seen
    }
}

/// What a guard needs, if it compares an element with a small integer.
fn need_of(op: Op) -> Option<Need> {
    let Op::Holds { relation, a, b } = op else { return None };
    let (element, relation, constant) = match (a, b) {
        (Operand::Var(Var::Element(element)), Operand::Constant(constant)) => {
            (element, relation, constant)
        }
        (Operand::Constant(constant), Operand::Var(Var::Element(element))) => {
            (element, relation.turned(), constant)
        }
        _ => return None,
    };
    match constant {
        Constant::Word(word) if immediate::is_small(word) => {
            Some(Need::Small { element, relation, word })
        }
        _ => None,
    }
}
