//! Compiles specifications: what is accepted, and what is said of the rest, is as in ETS.

use std::mem::ManuallyDrop;

use crate::term::layout::immediate;
use crate::term::view::{Roots, Term, View};

use super::expr::Compiler;
use super::fault::{Fault, Problem};
use super::head;
use super::program::{Atoms, Clause, Finish, Guard, Node, Op, Parts, Program, Span};
use super::set::Switch;

/// The specification is not valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalid;

impl Program {
    /// Compiles a specification: a list of `{Head, Guards, Body}`. The term is to be encoded as a
    /// key is, so that its constants can be looked up; the program keeps a copy.
    pub fn compile(spec: Term) -> Result<Program, Invalid> {
        Program::build(spec, false).map_err(|_| Invalid)
    }

    /// What is wrong with a specification: nothing exactly if it compiles. As ETS does, this stops
    /// behind the first clause that has faults.
    pub fn lint<'s>(spec: Term<'s>) -> Vec<Fault<'s>> {
        Program::build(spec, true).err().unwrap_or_default()
    }

    fn build<'s>(spec: Term<'s>, lint: bool) -> Result<Program, Vec<Fault<'s>>> {
        let clauses = clauses(spec).map_err(|problem| vec![Fault { problem, term: None }])?;
        let mut program = Program {
            parts: ManuallyDrop::new(Parts::of_spec(spec)),
            registers: 0,
            switch: None,
            atoms: Atoms::new(),
        };
        for parts in clauses {
            let clause = program.clause([parts.get(0), parts.get(1), parts.get(2)], lint)?;
            program.parts.clauses.push(clause);
        }
        program.switch = Switch::of(&program.parts);
        Ok(program)
    }

    fn clause<'s>(
        &mut self,
        [head, guards, body]: [Term<'s>; 3],
        lint: bool,
    ) -> Result<Clause, Vec<Fault<'s>>> {
        let (head, bound, slots) =
            head::compile(self, head).map_err(|problem| vec![Fault { problem, term: None }])?;
        let mut faults = Vec::new();
        let mut compiler = Compiler::new(self, &bound, &mut faults, lint, slots);
        let guard = match lint {
            false => compiler.guards(guards),
            true => compiler.lint_guards(guards).map(|()| Guard::default()),
        };
        let finish = match (&guard, body.view()) {
            (Err(_), _) => None,
            (_, View::List { .. }) => compiler.body(body).ok(),
            _ => {
                faults.push(Fault { problem: Problem::NoResult, term: None });
                None
            }
        };
        match (guard, finish) {
            (Ok(guard), Some(finish)) if faults.is_empty() => {
                let glance = self.glance(head, guard);
                Ok(Clause { head, guard, glance, finish: self.shortcut(finish) })
            }
            _ => Err(faults),
        }
    }

    /// How a body's code can be told without running it.
    fn shortcut(&mut self, finish: Finish) -> Finish {
        let Finish::Code(code, _) = finish else { return finish };
        match *code.of(&self.parts.code) {
            [Op::Move { from, .. }] => Finish::Operand(from),
            [Op::Build { nodes, .. }] => self.row(nodes).unwrap_or(finish),
            _ => finish,
        }
    }

    /// A tuple or proper list of simple parts.
    fn row(&self, nodes: Span) -> Option<Finish> {
        let nil = Node::Constant(super::program::Constant::Word(immediate::NIL));
        let simple = |node: &Node| matches!(node, Node::Constant(_) | Node::Var(_) | Node::Object);
        let (start, end) = (nodes.start + 1, nodes.end);
        match *nodes.of(&self.parts.nodes) {
            [Node::Tuple(n), ref parts @ ..]
                if parts.len() == n as usize && parts.iter().all(simple) =>
            {
                Some(Finish::TupleOf(Span { start, end }))
            }
            [Node::List(n), ref parts @ .., tail]
                if parts.len() == n as usize && tail == nil && parts.iter().all(simple) =>
            {
                Some(Finish::ListOf(Span { start, end: end - 1 }))
            }
            _ => None,
        }
    }
}

/// The clauses of a specification.
pub(super) fn clauses<'s>(
    spec: Term<'s>,
) -> Result<impl ExactSizeIterator<Item = Roots<'s>>, Problem> {
    let View::List { elements, tail } = spec.view() else { return Err(Problem::NotAList) };
    if tail.root() != immediate::NIL {
        return Err(Problem::ImproperList);
    }
    if elements.into_iter().any(|clause| parts(clause).is_none()) {
        return Err(Problem::NotAClause);
    }
    Ok(elements.map(|clause| parts(clause).expect("all of them were looked at")))
}

/// The parts of a clause.
fn parts<'s>(clause: Term<'s>) -> Option<Roots<'s>> {
    clause.tuple().filter(|parts| parts.len() == 3)
}
