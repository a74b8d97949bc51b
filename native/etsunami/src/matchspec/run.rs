//! Runs programs.
//!
//! For each clause the head's steps are walked, then the guards, and then the result is told: as the
//! object, a variable or a constant wherever it is no more than that, as a row of such parts, or as
//! a term that is built. Nothing is built for what does not match, unless a guard computes it.

use crate::term::equal::equal;
use crate::term::stack::Stack;
use crate::term::view::{Map, Roots, Term, View};

use super::build::{Source, build, write};
use super::call::{self, Failure};
use super::functions::Function;
use super::glance::Seen;
use super::heap::{Heap, SystemLimit};
use super::operands::Operands;
use super::program::{
    Clause, Constant, Fetch, Finish, HeadOp, Node, Op, Operand, Program, Span, Test, Var,
};
use super::value::{ListView, Part, Subject, Value};

/// Who runs a program: what `self()` and `node()` give.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// The pid of the calling process, as its word.
    pub pid: u64,
    /// The name of this node, as an atom's word.
    pub node: u64,
}

/// The memory of runs, kept from one object to the next.
#[derive(Default)]
pub struct Machine {
    heap: Heap,
    caller: Caller,
}

impl Machine {
    /// A machine that runs programs for a caller.
    pub fn new(caller: Caller) -> Machine {
        Machine { caller, ..Machine::default() }
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// What a matching clause gives.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'r> {
    /// The object, or something that stands in it, in the program or was built.
    Part(Part<'r>),
    /// A tuple of these.
    Tuple(&'r [Part<'r>]),
    /// A proper list of these.
    List(&'r [Part<'r>]),
}

/// A compound that a head looks into.
#[derive(Clone, Copy, Debug)]
enum Compound<'r> {
    /// The subject itself, a tuple.
    Subject,
    Tuple(Roots<'r>),
    List(ListView<'r>),
    Map(Map<'r>),
}

/// One run over one object.
pub(super) struct Run<'r> {
    pub program: &'r Program,
    pub subject: Subject<'r>,
    pub heap: &'r Heap,
    pub caller: Caller,
    stack: Operands<'r>,
    slots: Operands<'r>,
    /// The compound that the head looks into now, and those around it.
    inner: Compound<'r>,
    outer: Stack<Compound<'r>, 4>,
}

impl Program {
    /// Runs over one object: what the first clause that matches gives, if one does.
    #[inline(always)]
    pub fn run<'r>(
        &'r self,
        subject: Subject<'r>,
        machine: &'r mut Machine,
    ) -> Result<Option<Outcome<'r>>, SystemLimit> {
        for (at, clause) in self.parts.clauses.iter().enumerate() {
            match self.look(clause, &subject) {
                Seen::Mismatch => (),
                Seen::Match => match self.simple_result(clause.finish, &subject) {
                    Some(part) => return Ok(Some(Outcome::Part(part))),
                    None => return self.run_from(at, &subject, machine),
                },
                Seen::Unclear => return self.run_from(at, &subject, machine),
            }
        }
        Ok(None)
    }

    /// A result for which nothing is to be computed or bound.
    #[inline(always)]
    fn simple_result<'r>(&'r self, finish: Finish, subject: &Subject<'r>) -> Option<Part<'r>> {
        match finish {
            Finish::Object => Some(Part::Object),
            Finish::Var(Var::Element(i)) => Some(subject.element(i as usize)),
            Finish::Var(Var::Inner(element, i)) => {
                Some(subject.inner(element as usize, i as usize))
            }
            Finish::Constant(Constant::Word(word)) => Some(Part::Word(word)),
            _ => None,
        }
    }

    #[inline(never)]
    fn run_from<'r>(
        &'r self,
        first: usize,
        subject: &Subject<'r>,
        machine: &'r mut Machine,
    ) -> Result<Option<Outcome<'r>>, SystemLimit> {
        machine.heap.reset();
        let machine: &'r Machine = machine;
        let mut run = Run {
            program: self,
            subject: *subject,
            heap: &machine.heap,
            caller: machine.caller,
            stack: Operands::new(self.depth),
            slots: Operands::new(self.slots as usize),
            inner: Compound::Subject,
            outer: Stack::new(),
        };
        run.first_match(&self.parts.clauses[first..])
    }

    /// Runs over one object: true if the first clause that matches gives `true`.
    #[inline(always)]
    pub fn run_bool(
        &self,
        subject: Subject<'_>,
        machine: &mut Machine,
    ) -> Result<bool, SystemLimit> {
        let outcome = self.run(subject, machine)?;
        Ok(matches!(outcome, Some(Outcome::Part(Part::Word(word))) if word == self.atoms.yes))
    }
}

impl<'r> Run<'r> {
    fn first_match(&mut self, clauses: &[Clause]) -> Result<Option<Outcome<'r>>, SystemLimit> {
        for clause in clauses {
            let seen = self.program.look(clause, &self.subject);
            if seen != Seen::Mismatch && self.matches(clause)? {
                return self.finish(clause.finish).map(Some);
            }
        }
        Ok(None)
    }

    #[inline]
    fn matches(&mut self, clause: &Clause) -> Result<bool, SystemLimit> {
        // What a clause has entered before it failed.
        while self.outer.pop().is_some() {}
        self.inner = Compound::Subject;
        for op in clause.head.of(&self.program.parts.heads) {
            if !self.step(op)? {
                return Ok(false);
            }
        }
        self.stack.truncate(0);
        self.execute::<false>(clause.guard)
    }

    pub(super) fn constant(&self, constant: Constant) -> Value<'r> {
        match constant {
            Constant::Word(word) => Value::Word(word),
            Constant::Term(id) => Value::Block(self.program.constant(id)),
        }
    }

    #[inline]
    fn var(&self, var: Var) -> Value<'r> {
        match var {
            Var::Element(i) => self.subject.element(i as usize).into(),
            Var::Inner(element, i) => self.subject.inner(element as usize, i as usize).into(),
            Var::Slot(slot) => self.slots.all()[slot as usize],
        }
    }

    /// The term of a value; `home` is where an immediate then stands.
    pub(super) fn term<'t>(
        &self,
        value: Value<'r>,
        home: &'t mut u64,
    ) -> Result<Term<'t>, SystemLimit>
    where
        'r: 't,
    {
        match value {
            Value::Word(word) => {
                *home = word;
                Ok(Term::immediate(home))
            }
            Value::Block(term) => Ok(term),
            value => match self.solid(value)? {
                Part::Term(term) => Ok(term),
                _ => Err(SystemLimit),
            },
        }
    }

    /// A value as a term that stands somewhere: only the rest of a list and the object have to be
    /// copied for it.
    fn solid(&self, value: Value<'r>) -> Result<Part<'r>, SystemLimit> {
        let built = match value {
            Value::Word(_) | Value::Block(_) => value,
            value => {
                self.heap.build(|buffer| write(buffer, 0, value, Some(self.subject)).map(|_| ()))?
            }
        };
        Ok(match built {
            Value::Word(word) => Part::Word(word),
            Value::Block(term) => Part::Term(term),
            Value::Rest(..) | Value::Object => return Err(SystemLimit),
        })
    }

    /// A value as a part of a result.
    fn part(&self, value: Value<'r>) -> Result<Part<'r>, SystemLimit> {
        match value {
            Value::Object => Ok(Part::Object),
            value => self.solid(value),
        }
    }
}

/// Heads.
impl<'r> Run<'r> {
    /// One step; false if the object does not match.
    #[inline]
    fn step(&mut self, op: &HeadOp) -> Result<bool, SystemLimit> {
        for _ in 0..op.leave {
            self.inner = self.outer.pop().unwrap_or(Compound::Subject);
        }
        let Some(value) = self.fetch(op.fetch) else { return Ok(false) };
        Ok(match op.test {
            Test::Any => true,
            Test::Equal(Constant::Word(word)) => matches!(value, Value::Word(x) if x == word),
            Test::Equal(Constant::Term(id)) => {
                matches!(value, Value::Block(term) if equal(term, self.program.constant(id)))
            }
            Test::Float(bits) => is_float(value, bits),
            Test::Bind(slot) => {
                self.slots.set(slot as usize, value);
                true
            }
            Test::Same(var) => return self.same(self.var(var), value),
            test => self.enter(test, value),
        })
    }

    #[inline]
    fn fetch(&self, fetch: Fetch) -> Option<Value<'r>> {
        match (fetch, &self.inner) {
            (Fetch::Whole, _) => Some(self.subject.whole()),
            (Fetch::Nth(i), Compound::Subject) => Some(self.subject.element(i as usize).into()),
            (Fetch::Nth(i), Compound::Tuple(elements)) => Some(Value::of(elements.get(i as usize))),
            (Fetch::Nth(i), Compound::List(list)) => Some(list.get(i as usize)),
            (Fetch::Tail(n), Compound::List(list)) => Some(list.behind(n as usize)),
            (Fetch::Key(key), Compound::Map(map)) => {
                let mut word = 0;
                let key = self.term(self.constant(key), &mut word).ok()?;
                call::find(*map, key).map(Value::of)
            }
            _ => None,
        }
    }

    /// Looks into a compound; false if it is not the one that is expected.
    fn enter(&mut self, test: Test, value: Value<'r>) -> bool {
        let compound = match (test, value) {
            (Test::Tuple(n), Value::Object) => {
                (self.subject.arity() == Some(n as usize)).then_some(Compound::Subject)
            }
            (Test::Tuple(n), Value::Block(term)) => match term.view() {
                View::Tuple(elements) => {
                    (elements.len() == n as usize).then_some(Compound::Tuple(elements))
                }
                _ => None,
            },
            (Test::ListFrom(n), value) => {
                call::list(value).ok().filter(|list| list.len() >= n as usize).map(Compound::List)
            }
            (Test::ListOf(n), value) => {
                call::list(value).ok().filter(|list| list.len() == n as usize).map(Compound::List)
            }
            (Test::Map(n), Value::Block(term)) => match term.view() {
                View::Map(map) => (map.len() >= n as usize).then_some(Compound::Map(map)),
                _ => None,
            },
            _ => None,
        };
        let Some(compound) = compound else { return false };
        self.outer.push(self.inner);
        self.inner = compound;
        true
    }
}

fn is_float(value: Value, bits: u64) -> bool {
    matches!(value, Value::Block(term)
        if matches!(term.view(), View::Float(value) if value.to_bits() == bits))
}

/// Guards and bodies.
impl<'r> Run<'r> {
    /// Runs instructions. In a guard an exception, or a value that is not `true`, gives false; in a
    /// body an exception is the value `'EXIT'`.
    #[inline]
    fn execute<const BODY: bool>(&mut self, span: Span) -> Result<bool, SystemLimit> {
        let program = self.program;
        let (mut at, end) = (span.start as usize, span.end as usize);
        while at < end {
            let op = program.parts.code[at];
            at += 1;
            let done = match op {
                Op::AndAlso(to) => {
                    self.branch(false).map(|jump| at = if jump { to as usize } else { at })
                }
                Op::OrElse(to) => {
                    self.branch(true).map(|jump| at = if jump { to as usize } else { at })
                }
                op => self.operate(op),
            };
            match done {
                Ok(()) => (),
                Err(Failure::Limit) => return Err(SystemLimit),
                Err(Failure::Exit) if !BODY => return Ok(false),
                Err(Failure::Exit) => {
                    self.stack.push(Value::Word(program.atoms.exit));
                    if let Op::AndAlso(to) | Op::OrElse(to) = op {
                        at = to as usize;
                    }
                }
            }
        }
        Ok(true)
    }

    #[inline]
    fn operand(&self, operand: Operand) -> Value<'r> {
        match operand {
            Operand::Constant(constant) => self.constant(constant),
            Operand::Var(var) => self.var(var),
        }
    }

    fn pop(&mut self) -> Result<Value<'r>, Failure> {
        self.stack.pop().ok_or(Failure::Limit)
    }

    /// Takes the top; true, and it is put back, if it decides already.
    fn branch(&mut self, decisive: bool) -> Result<bool, Failure> {
        let value = self.pop()?;
        let truth = self.truth(value)?;
        if truth == decisive {
            self.stack.push(value);
        }
        Ok(truth == decisive)
    }

    /// Takes all operands, even if it fails.
    fn operate(&mut self, op: Op) -> Result<(), Failure> {
        let value = match op {
            Op::Constant(constant) => self.constant(constant),
            Op::Var(var) => self.var(var),
            Op::Object => self.subject.whole(),
            Op::SelfPid => Value::Word(self.caller.pid),
            Op::Call(function) => self.apply(function)?,
            Op::And(n) => self.all_or_any(n, false)?,
            Op::Or(n) => self.all_or_any(n, true)?,
            Op::Build { nodes, leaves } => {
                let first = self.stack.all().len() - leaves as usize;
                let value = self.compound(nodes, &self.stack.all()[first..]);
                self.stack.truncate(first);
                value?
            }
            Op::True => {
                let value = self.pop()?;
                let holds = matches!(value, Value::Word(word) if word == self.program.atoms.yes);
                return if holds { Ok(()) } else { Err(Failure::Exit) };
            }
            Op::Holds { relation, a, b } => {
                let holds = self.related(relation, self.operand(a), self.operand(b))?;
                return if holds { Ok(()) } else { Err(Failure::Exit) };
            }
            Op::Typed { test, of } => {
                let holds = self.is(test, self.operand(of));
                return if holds { Ok(()) } else { Err(Failure::Exit) };
            }
            Op::AndAlso(_) | Op::OrElse(_) => return Ok(()),
        };
        self.stack.push(value);
        Ok(())
    }

    #[inline]
    fn apply(&mut self, function: Function) -> Result<Value<'r>, Failure> {
        let first = self.stack.all().len() - function.arity();
        let value = self.call(function, &self.stack.all()[first..]);
        self.stack.truncate(first);
        value
    }

    /// The conjunction or disjunction of so many booleans.
    fn all_or_any(&mut self, n: u32, any: bool) -> Result<Value<'r>, Failure> {
        let first = self.stack.all().len() - n as usize;
        let mut truths = self.stack.all()[first..].iter().map(|&value| self.truth(value));
        // Every one has to be a boolean, even where the result is known.
        let result = truths.try_fold(!any, |result, truth| {
            truth.map(|truth| if truth == any { any } else { result })
        });
        self.stack.truncate(first);
        Ok(Value::Word(self.program.atoms.boolean(result?)))
    }

    fn compound(&self, nodes: Span, leaves: &[Value<'r>]) -> Result<Value<'r>, Failure> {
        let nodes = nodes.of(&self.program.parts.nodes);
        Ok(self.heap.build(|buffer| build(buffer, 0, nodes, leaves, self).map(|_| ()))?)
    }

    fn finish(&mut self, finish: Finish) -> Result<Outcome<'r>, SystemLimit> {
        let value = match finish {
            Finish::Object => self.subject.whole(),
            Finish::Var(var) => self.var(var),
            Finish::Constant(constant) => self.constant(constant),
            Finish::TupleOf(nodes) => return self.row(nodes).map(Outcome::Tuple),
            Finish::ListOf(nodes) => return self.row(nodes).map(Outcome::List),
            Finish::Code(span) => {
                self.stack.truncate(0);
                self.execute::<true>(span)?;
                self.stack.pop().ok_or(SystemLimit)?
            }
        };
        self.part(value).map(Outcome::Part)
    }

    fn row(&self, nodes: Span) -> Result<&'r [Part<'r>], SystemLimit> {
        let nodes = nodes.of(&self.program.parts.nodes);
        self.heap.row(nodes.iter().map(|node| {
            self.part(match *node {
                Node::Var(var) => self.var(var),
                Node::Constant(constant) => self.constant(constant),
                _ => self.subject.whole(),
            })
        }))
    }
}

impl<'r> Source<'r> for Run<'r> {
    fn constant(&self, constant: Constant) -> Value<'r> {
        self.constant(constant)
    }
    fn variable(&self, var: Var) -> Value<'r> {
        self.var(var)
    }
    fn subject(&self) -> Option<Subject<'r>> {
        Some(self.subject)
    }
}
