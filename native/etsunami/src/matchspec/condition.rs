//! Compiles guards to jumps.
//!
//! A guard has no value but true and false, and any exception in it is a false guard. So `and`,
//! `or`, `andalso`, `orelse` and `not` become jumps between conditions, and only what a condition
//! looks at is computed. `and` and `or` evaluate all operands: they become jumps only where no
//! operand can fail.
//!
//! Many comparisons of one value with constants by `=:=` or `==`, joined by `or` or `orelse` (or
//! their negations by `and` or `andalso`), become a look into a [`Set`].

use std::ops::Range;

use crate::term::layout::immediate;
use crate::term::stack::Stack;
use crate::term::view::{Roots, Term, View};

use super::expr::{Compiler, Known, Simple, Stop, Work, simple};
use super::fault::Problem;
use super::functions::{Function, Relation};
use super::names::Form;
use super::program::{Condition, FAIL, Guard, Op, Operand, Span, Target, Var};
use super::set::{MANY, Set};

/// A condition to be compiled: to go on at a label if it is as `sense` says.
#[derive(Clone, Copy)]
pub(super) struct Branch<'s> {
    term: Term<'s>,
    sense: bool,
    to: Target,
}

/// How many nested expressions are looked at for one that can fail.
const LOOKED_AT: usize = 64;

impl<'s> Compiler<'_, 's> {
    /// Compiles all guards. Those that a glance decides come last.
    pub(super) fn guards(&mut self, list: Term<'s>) -> Result<Guard, Stop> {
        let start = self.program.parts.code.len() as u32;
        let (mut guards, mut glanced): (Stack<Term, 8>, Stack<Term, 8>) =
            (Stack::new(), Stack::new());
        match list.view() {
            View::Nil => (),
            View::List { elements, tail } => {
                guards.extend(elements.rev());
                if tail.root() != immediate::NIL {
                    self.fault(Problem::ImproperExpressions, None)?;
                }
            }
            _ => self.fault(Problem::NotExpressions, None)?,
        }
        while let Some(guard) = guards.pop() {
            match simple(guard) {
                // A guard must be true, and so must all that is joined in it.
                Simple::Call(Form::And | Form::AndAlso, parts) if self.is_split(parts) => {
                    guards.extend(parts.skip(1).rev());
                }
                _ if self.is_glanced(guard) => glanced.push(guard),
                _ => self.condition(guard)?,
            }
        }
        let behind = self.program.parts.code.len() as u32;
        while let Some(guard) = glanced.pop() {
            self.condition(guard)?;
        }
        let code = Span { start, end: self.program.parts.code.len() as u32 };
        Ok(Guard { code, glanced: behind })
    }

    /// True if the operands of a conjunction are compiled one by one.
    fn is_split(&self, parts: Roots<'s>) -> bool {
        parts.len() > 1 && !(1..parts.len()).any(|at| self.row(parts, at, false) >= MANY)
    }

    /// True for a comparison of an element with a small integer.
    fn is_glanced(&self, guard: Term<'s>) -> bool {
        let Simple::Call(Form::Call(Function::Compare(_)), parts) = simple(guard) else {
            return false;
        };
        let (a, b) = (self.operand(parts.get(1)), self.operand(parts.get(2)));
        match (a, b) {
            (Some(Known::Var(var)), Some(Known::Constant(term)))
            | (Some(Known::Constant(term)), Some(Known::Var(var))) => {
                immediate::is_small(term.root()) && !matches!(var, Var::Slot(_))
            }
            _ => false,
        }
    }

    /// Compiles a guard, which must be true.
    pub(super) fn condition(&mut self, guard: Term<'s>) -> Result<(), Stop> {
        let start = self.program.parts.code.len();
        self.labels.clear();
        self.works.push(Work::Branch(Branch { term: guard, sense: false, to: FAIL }));
        self.work()?;
        for op in &mut self.program.parts.code[start..] {
            if let Op::If { to, .. } = op
                && *to != FAIL
            {
                *to = self.labels[*to as usize];
            }
        }
        Ok(())
    }

    /// Compiles a condition, or schedules the parts of one.
    pub(super) fn branch(&mut self, branch: Branch<'s>) -> Result<(), Stop> {
        let Branch { term, sense, to } = branch;
        if let Simple::Call(form, parts) = simple(term) {
            let n = parts.len() - 1;
            match form {
                Form::Call(Function::Not) => {
                    self.works.push(Work::Branch(Branch { term: parts.get(1), sense: !sense, to }));
                    return Ok(());
                }
                Form::AndAlso | Form::OrElse if n > 0 => {
                    return self.chain_of_jumps(parts, form == Form::OrElse, branch);
                }
                Form::And | Form::Or if n > 0 && cannot_fail(parts) => {
                    return self.chain_of_jumps(parts, form == Form::Or, branch);
                }
                Form::Call(Function::Compare(relation)) => {
                    let a = self.argument(parts.get(1), self.base);
                    let b = self.argument(parts.get(2), self.base + 1);
                    return self.ask(Condition::Related(relation, a, b), branch, parts);
                }
                Form::Call(Function::Is(test)) => {
                    let a = self.argument(parts.get(1), self.base);
                    return self.ask(Condition::Typed(test, a), branch, parts);
                }
                _ => (),
            }
        }
        match self.operand(term) {
            Some(known) => {
                let of = known.intern(self);
                self.emit(Op::If { condition: Condition::True(of), sense, to });
                Ok(())
            }
            None => {
                let of = Operand::Register(self.base);
                let asked = Op::If { condition: Condition::True(of), sense, to };
                self.works.push(Work::Emit(asked));
                self.works.push(Work::Value(term, self.base));
                Ok(())
            }
        }
    }

    /// Asks behind the computation of what is not there yet.
    fn ask(
        &mut self,
        condition: Condition,
        Branch { sense, to, .. }: Branch<'s>,
        parts: Roots<'s>,
    ) -> Result<(), Stop> {
        self.works.push(Work::Emit(Op::If { condition, sense, to }));
        self.compute(parts, self.base);
        Ok(())
    }

    /// The operands of a conjunction or disjunction, one after the other.
    fn chain_of_jumps(
        &mut self,
        parts: Roots<'s>,
        any: bool,
        Branch { sense, to, .. }: Branch<'s>,
    ) -> Result<(), Stop> {
        // Behind an operand that decides: there, or behind all of them.
        let decided = if sense == any {
            to
        } else {
            self.labels.push(0);
            let label = self.labels.len() as Target - 1;
            self.works.push(Work::Label(label));
            label
        };
        let mut works = Vec::new();
        let mut at = 1;
        while at < parts.len() {
            let row = self.row(parts, at, any);
            let taken = if row < MANY { 1 } else { row };
            let last = at + taken == parts.len();
            let (sense, to) = if last { (sense, to) } else { (any, decided) };
            works.push(match taken {
                1 => Work::Branch(Branch { term: parts.get(at), sense, to }),
                _ => self.set(parts, at..at + row, sense == any, to),
            });
            at += taken;
        }
        self.works.extend(works.into_iter().rev());
        Ok(())
    }

    /// How many operands from one on compare the same variable with constants, so that one of them
    /// decides a chain. At least one.
    fn row(&self, parts: Roots<'s>, at: usize, any: bool) -> usize {
        let Some((relation, var, _)) = self.membership(parts.get(at), any) else { return 1 };
        let same = |&i: &usize| {
            self.membership(parts.get(i), any).is_some_and(|(r, v, _)| r == relation && v == var)
        };
        1 + (at + 1..parts.len()).take_while(same).count()
    }

    /// A look into the set of the constants of a row of operands; to go on at `to` if the value is
    /// one of them, or if it is none.
    fn set(&mut self, parts: Roots<'s>, row: Range<usize>, has: bool, to: Target) -> Work<'s> {
        let comparisons: Vec<_> = row
            .filter_map(|i| {
                let term = parts.get(i);
                self.membership(term, true).or_else(|| self.membership(term, false))
            })
            .collect();
        let (relation, var, _) = comparisons[0];
        let exact = matches!(relation, Relation::Exact | Relation::NotExact);
        let set = Set::of(exact, comparisons.iter().map(|&(_, _, constant)| constant));
        self.program.parts.sets.push(set);
        let id = self.program.parts.sets.len() as u32 - 1;
        Work::Emit(Op::If { condition: Condition::In(id, var.into()), sense: has, to })
    }

    /// The relation, the variable and the constant of a comparison that decides a chain if it holds
    /// (if `any`) or does not: one by `=:=` or `==`, or a negation of such.
    fn membership(&self, term: Term<'s>, any: bool) -> Option<(Relation, Var, Term<'s>)> {
        let Simple::Call(Form::Call(Function::Compare(relation)), parts) = simple(term) else {
            return None;
        };
        let fits = match relation {
            Relation::Exact | Relation::Equal => any,
            Relation::NotExact | Relation::NotEqual => !any,
            _ => false,
        };
        if !fits {
            return None;
        }
        match (self.operand(parts.get(1))?, self.operand(parts.get(2))?) {
            (Known::Var(var), Known::Constant(term)) | (Known::Constant(term), Known::Var(var)) => {
                Some((relation, var, term))
            }
            _ => None,
        }
    }
}

/// True if it can be seen that the operands of `and` or `or` are booleans that no exception
/// keeps from being computed.
fn cannot_fail(parts: Roots) -> bool {
    let mut terms: Stack<Term, 12> = Stack::new();
    terms.extend(parts.skip(1));
    let mut left = parts.len() + LOOKED_AT;
    while let Some(term) = terms.pop() {
        let Some(fewer) = left.checked_sub(1) else { return false };
        left = fewer;
        let Simple::Call(form, inner) = simple(term) else { return false };
        match form {
            Form::And | Form::Or | Form::AndAlso | Form::OrElse if inner.len() > 1 => {
                terms.extend(inner.skip(1));
            }
            Form::Call(Function::Not | Function::Xor) => terms.extend(inner.skip(1)),
            Form::Call(Function::Compare(_) | Function::Is(_)) => {
                if !inner.skip(1).all(is_there) {
                    return false;
                }
            }
            _ => return false,
        }
    }
    true
}

/// True for an expression that needs no computing.
fn is_there(term: Term) -> bool {
    match simple(term) {
        Simple::Constant | Simple::Object | Simple::Variable(_) => true,
        Simple::Call(form, _) => form == Form::Const,
        Simple::Compound | Simple::Nonsense => false,
    }
}
