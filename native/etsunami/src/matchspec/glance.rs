//! What shows at a glance that an object does not match.
//!
//! Most objects of a search match no clause, and mostly an immediate element tells. So before a run
//! each clause's arity, the immediates that its head wants, and the comparisons of its guards with
//! small integers are looked at, as far as they are about elements of the object itself. A glance only
//! rules out; what passes is run as if there had been none.

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

impl Need {
    fn element(self) -> u32 {
        match self {
            Need::Word { element, .. } | Need::Small { element, .. } => element,
        }
    }

    /// False if the element's root word rules it out.
    #[inline(always)]
    fn admits(self, root: u64) -> bool {
        match self {
            Need::Word { word, .. } => root == word,
            Need::Small { relation, word, .. } => {
                !immediate::is_small(root) || relation.of((root as i64).cmp(&(word as i64)))
            }
        }
    }
}

/// What a clause needs of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Glance {
    /// The number of elements, if it tells one.
    pub arity: Option<u32>,
    pub needs: Span,
}

impl Program {
    /// What can be seen at a glance of a clause's head and guards.
    pub(super) fn glance(&mut self, head: Span, guard: Span) -> Glance {
        let start = self.needs.len() as u32;
        let ops = head.of(&self.heads);
        let arity = match ops.first().map(|op| (op.fetch, op.test)) {
            Some((Fetch::Whole, Test::Tuple(n))) => Some(n),
            _ => None,
        };
        if arity.is_some() {
            let own = ops[1..].iter().map_while(|op| match (op.leave, op.fetch, op.test) {
                (0, Fetch::Nth(element), Test::Equal(Constant::Word(word))) => {
                    Some(Some(Need::Word { element, word }))
                }
                (0, Fetch::Nth(_), Test::Equal(_) | Test::Float(_) | Test::Same(_)) => Some(None),
                _ => None,
            });
            self.needs.extend(own.flatten());
            let conditions = guard.of(&self.code).iter().filter_map(|&op| need_of(op));
            self.needs.extend(conditions);
        }
        Glance { arity, needs: Span { start, end: self.needs.len() as u32 } }
    }

    /// False if the subject cannot match a clause.
    #[inline(always)]
    pub(super) fn may_match(&self, clause: &Clause, subject: &Subject) -> bool {
        let (Some(arity), Some(elements)) = (clause.glance.arity, subject.stored()) else {
            return true;
        };
        elements.len() == arity as usize
            && clause
                .glance
                .needs
                .of(&self.needs)
                .iter()
                .all(|need| need.admits(subject.root(elements, need.element() as usize)))
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
