//! Runs programs.
//!
//! For each clause that a glance does not rule out, the machine walks the head's steps, runs the
//! guards, and then gives the result: the object, a variable or a constant wherever it is no more
//! than that, a row of such parts, or a term that is built. It builds nothing for what does not
//! match, unless a guard computes it.
//!
//! Registers hold values in one word each ([`Packed`]). Small integers are compared and computed
//! with in that form; everything else goes through [`Run::call`].

use crate::term::equal::equal;
use crate::term::layout::{self, immediate};
use crate::term::stack::Stack;
use crate::term::view::{Map, Roots, Term, View};

use super::build::{Source, build, write};
use super::call::{self, Failure};
use super::functions::Function;
use super::glance::Seen;
use super::heap::{Heap, SystemLimit};
use super::packed::{Packed, Registers, Rest};
use super::program::{
    Clause, Condition, Constant, FAIL, Fetch, Finish, HeadOp, Node, Op, Operand, Program, Register,
    Span, Target, Test, Var,
};
use super::set::Switch;
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
    registers: Registers<'r>,
}

/// A run's way through a head.
struct Walk<'r> {
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
        if let Some(switch) = &self.switch
            && let Some(elements) = subject.stored()
        {
            return self.run_switch(switch, elements, subject, machine);
        }
        self.run_some(self.parts.clauses.iter(), subject, machine)
    }

    /// Runs the clauses that the object's element leaves.
    #[inline(never)]
    fn run_switch<'r>(
        &'r self,
        switch: &'r Switch,
        elements: Roots<'r>,
        subject: Subject<'r>,
        machine: &'r mut Machine,
    ) -> Result<Option<Outcome<'r>>, SystemLimit> {
        let element = switch.element as usize;
        if element >= elements.len() {
            return Ok(None);
        }
        let clauses = switch.clauses(subject.root(elements, element));
        let clauses = clauses.map(|clause| &self.parts.clauses[clause as usize]);
        self.run_some(clauses, subject, machine)
    }

    #[inline(always)]
    fn run_some<'r>(
        &'r self,
        mut clauses: impl Iterator<Item = &'r Clause>,
        subject: Subject<'r>,
        machine: &'r mut Machine,
    ) -> Result<Option<Outcome<'r>>, SystemLimit> {
        while let Some(clause) = clauses.next() {
            let seen = self.look(clause, &subject);
            if seen == Seen::Mismatch {
                continue;
            }
            if seen == Seen::Match && clause.guard.code.start == clause.guard.glanced {
                if let Some(part) = self.simple_result(clause.finish, &subject) {
                    return Ok(Some(Outcome::Part(part)));
                }
                if let Finish::TupleOf(nodes) | Finish::ListOf(nodes) = clause.finish {
                    let row = self.simple_row(nodes, &subject, machine)?;
                    return Ok(Some(match clause.finish {
                        Finish::TupleOf(_) => Outcome::Tuple(row),
                        _ => Outcome::List(row),
                    }));
                }
            }
            return self.run_from(clause, seen, clauses, &subject, machine);
        }
        Ok(None)
    }

    /// A result for which nothing is to be computed or bound.
    #[inline(always)]
    fn simple_result<'r>(&'r self, finish: Finish, subject: &Subject<'r>) -> Option<Part<'r>> {
        match finish {
            Finish::Operand(Operand::Object) => Some(Part::Object),
            Finish::Operand(Operand::Element(i)) => Some(subject.element(i as usize)),
            Finish::Operand(Operand::Inner(element, i)) => {
                Some(subject.inner(element as usize, i as usize))
            }
            Finish::Operand(Operand::Word(word)) => Some(Part::Word(word)),
            _ => None,
        }
    }

    /// A row of parts of a stored object and of constants.
    #[inline(never)]
    fn simple_row<'r>(
        &'r self,
        nodes: Span,
        subject: &Subject<'r>,
        machine: &'r mut Machine,
    ) -> Result<&'r [Part<'r>], SystemLimit> {
        machine.heap.reset();
        let machine: &'r Machine = machine;
        machine.heap.row(nodes.of(&self.parts.nodes).iter().map(|node| {
            Ok(match *node {
                Node::Var(Var::Element(i)) => subject.element(i as usize),
                Node::Var(Var::Inner(element, i)) => subject.inner(element as usize, i as usize),
                Node::Constant(Constant::Word(word)) => Part::Word(word),
                Node::Constant(Constant::Term(id)) => Part::Term(self.constant(id)),
                // A head that stores something is more than a glance decides.
                _ => Part::Object,
            })
        }))
    }

    /// Runs a clause of which something has been seen, then others.
    #[inline(never)]
    fn run_from<'r>(
        &'r self,
        first: &Clause,
        seen: Seen,
        clauses: impl Iterator<Item = &'r Clause>,
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
            registers: Registers::new(self.registers),
        };
        if run.matches(first, seen)? {
            return run.finish(first.finish).map(Some);
        }
        for clause in clauses {
            let seen = self.look(clause, &run.subject);
            if seen != Seen::Mismatch && run.matches(clause, seen)? {
                return run.finish(clause.finish).map(Some);
            }
        }
        Ok(None)
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
    /// True if the head and the guards of a clause hold, as far as a glance has not decided that.
    #[inline]
    fn matches(&mut self, clause: &Clause, seen: Seen) -> Result<bool, SystemLimit> {
        let mut code = clause.guard.code;
        if seen == Seen::Match {
            code.end = clause.guard.glanced;
        } else if !self.enters(clause.head)? {
            return Ok(false);
        }
        self.execute::<false>(code)
    }

    /// True if a head matches.
    #[inline(never)]
    fn enters(&mut self, head: Span) -> Result<bool, SystemLimit> {
        let mut walk = Walk { inner: Compound::Subject, outer: Stack::new() };
        for op in head.of(&self.program.parts.heads) {
            if !self.step(op, &mut walk)? {
                return Ok(false);
            }
        }
        Ok(true)
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
            Var::Slot(register) => self.registers.get(register).value(),
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
    fn part(&self, value: Packed<'r>) -> Result<Part<'r>, SystemLimit> {
        match value.value() {
            Value::Object => Ok(Part::Object),
            value => self.solid(value),
        }
    }

    /// A value in one word.
    #[inline(always)]
    fn pack(&self, value: Value<'r>) -> Result<Packed<'r>, SystemLimit> {
        Ok(match value {
            Value::Word(word) => Packed::word(word),
            Value::Block(term) => Packed::of(Part::Term(term)),
            Value::Object => Packed::OBJECT,
            Value::Rest(list, skip) => Packed::rest(self.heap.rest(Rest { list, skip })?),
        })
    }
}

/// Heads.
impl<'r> Run<'r> {
    /// One step; false if the object does not match.
    #[inline]
    fn step(&mut self, op: &HeadOp, walk: &mut Walk<'r>) -> Result<bool, SystemLimit> {
        for _ in 0..op.leave {
            walk.inner = walk.outer.pop().unwrap_or(Compound::Subject);
        }
        let Some(value) = self.fetch(op.fetch, &walk.inner) else { return Ok(false) };
        Ok(match op.test {
            Test::Any => true,
            Test::Equal(Constant::Word(word)) => matches!(value, Value::Word(x) if x == word),
            Test::Equal(Constant::Term(id)) => {
                matches!(value, Value::Block(term) if equal(term, self.program.constant(id)))
            }
            Test::Float(bits) => is_float(value, bits),
            Test::Bind(slot) => {
                let value = self.pack(value)?;
                self.registers.set(slot, value);
                true
            }
            Test::Same(var) => return self.same(self.var(var), value),
            test => self.enter(test, value, walk),
        })
    }

    #[inline]
    fn fetch(&self, fetch: Fetch, inner: &Compound<'r>) -> Option<Value<'r>> {
        match (fetch, inner) {
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
    fn enter(&self, test: Test, value: Value<'r>, walk: &mut Walk<'r>) -> bool {
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
        walk.outer.push(walk.inner);
        walk.inner = compound;
        true
    }
}

fn is_float(value: Value, bits: u64) -> bool {
    matches!(value, Value::Block(term)
        if matches!(term.view(), View::Float(value) if value.to_bits() == bits))
}

/// Guards and bodies.
impl<'r> Run<'r> {
    #[inline(always)]
    fn load(&self, operand: Operand) -> Packed<'r> {
        match operand {
            Operand::Word(word) => Packed::word(word),
            Operand::Element(i) => Packed::of(self.subject.element(i as usize)),
            Operand::Register(register) => self.registers.get(register),
            Operand::Inner(element, i) => {
                Packed::of(self.subject.inner(element as usize, i as usize))
            }
            Operand::Term(id) => Packed::of(Part::Term(self.program.constant(id))),
            Operand::Object => Packed::of(self.subject.as_part()),
        }
    }

    /// Runs instructions. In a guard an exception gives false; in a body it is the value `'EXIT'`.
    #[inline]
    fn execute<const BODY: bool>(&mut self, span: Span) -> Result<bool, SystemLimit> {
        let code = &self.program.parts.code[..span.end as usize];
        let mut at = span.start as usize;
        while let Some(op) = code.get(at) {
            at += 1;
            match self.operate(op) {
                Ok(None) => (),
                Ok(Some(FAIL)) | Err(Failure::Exit) if !BODY => return Ok(false),
                Ok(Some(to)) => at = to as usize,
                Err(Failure::Limit) => return Err(SystemLimit),
                Err(Failure::Exit) => {
                    let to = op.register();
                    self.registers.set(to, Packed::word(self.program.atoms.exit));
                    if let Op::Decide { to, .. } = *op {
                        at = to as usize;
                    }
                }
            }
        }
        Ok(true)
    }

    /// Runs one instruction; tells where the next one is, if not behind it.
    // A debug build would need the stack of all instructions for each of them.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn operate(&mut self, op: &Op) -> Result<Option<Target>, Failure> {
        match *op {
            Op::If { condition, sense, to } => {
                return Ok((self.holds(condition)? == sense).then_some(to));
            }
            Op::Decide { decisive, of, to } => {
                let truth = self.truth(self.registers.get(of).value())?;
                return Ok((truth == decisive).then_some(to));
            }
            Op::Move { from, to } => {
                let value = self.load(from);
                self.registers.set(to, value);
            }
            Op::Call { function, of: [a, b], to } => {
                let (a, b) = (self.load(a), self.load(b));
                let value = match self.quick(function, a, b) {
                    Some(value) => value,
                    None => self.apply(function, &[a, b])?,
                };
                self.registers.set(to, value);
            }
            Op::CallThree { function, to } => {
                let argument = |i| self.registers.get(to + i);
                let value = self.apply(function, &[argument(0), argument(1), argument(2)])?;
                self.registers.set(to, value);
            }
            Op::Join { any, of: [a, b], to } => {
                let (a, b) = (self.truth(self.load(a).value())?, self.truth(self.load(b).value())?);
                let joined = if any { a | b } else { a & b };
                self.registers.set(to, Packed::word(self.program.atoms.boolean(joined)));
            }
            Op::SelfPid { to } => self.registers.set(to, Packed::word(self.caller.pid)),
            Op::Build { nodes, to } => {
                let value = self.compound(nodes, to)?;
                self.registers.set(to, value);
            }
        }
        Ok(None)
    }

    #[inline(always)]
    fn holds(&self, condition: Condition) -> Result<bool, Failure> {
        match condition {
            Condition::Related(relation, a, b) => {
                let (a, b) = (self.load(a), self.load(b));
                let (x, y) = (a.root(), b.root());
                if immediate::is_small(x & y) {
                    return Ok(relation.of((x as i64).cmp(&(y as i64))));
                }
                Ok(self.related(relation, a.value(), b.value())?)
            }
            Condition::Typed(test, of) => Ok(self.is(test, self.load(of).value())),
            Condition::True(of) => self.truth(self.load(of).value()),
            Condition::In(set, of) => {
                let (set, value) = (&self.program.parts.sets[set as usize], self.load(of));
                if layout::is_immediate(value.root())
                    && let Some(has) = set.has_word(value.root())
                {
                    return Ok(has);
                }
                let mut home = 0;
                Ok(set.has(self.term(value.value(), &mut home)?))
            }
        }
    }

    /// Calls a function.
    #[inline(never)]
    fn apply<const N: usize>(
        &self,
        function: Function,
        arguments: &[Packed<'r>; N],
    ) -> Result<Packed<'r>, Failure> {
        let arguments = arguments.map(Packed::value);
        let value = self.call(function, &arguments[..function.arity()])?;
        Ok(self.pack(value)?)
    }

    #[inline(never)]
    fn compound(&self, nodes: Span, first: Register) -> Result<Packed<'r>, Failure> {
        let nodes = nodes.of(&self.program.parts.nodes);
        let source = Leaves { run: self, first };
        let built = self.heap.build(|buffer| build(buffer, 0, nodes, &source).map(|_| ()))?;
        Ok(self.pack(built)?)
    }

    #[inline]
    fn finish(&mut self, finish: Finish) -> Result<Outcome<'r>, SystemLimit> {
        let value = match finish {
            Finish::Operand(operand) => self.load(operand),
            Finish::TupleOf(nodes) => return self.row(nodes).map(Outcome::Tuple),
            Finish::ListOf(nodes) => return self.row(nodes).map(Outcome::List),
            Finish::Code(span, register) => {
                self.execute::<true>(span)?;
                self.registers.get(register)
            }
        };
        self.part(value).map(Outcome::Part)
    }

    fn row(&self, nodes: Span) -> Result<&'r [Part<'r>], SystemLimit> {
        let nodes = nodes.of(&self.program.parts.nodes);
        self.heap.row(nodes.iter().map(|node| {
            self.part(self.load(match *node {
                Node::Var(var) => var.into(),
                Node::Constant(constant) => constant.into(),
                _ => Operand::Object,
            }))
        }))
    }
}

/// What a compound is built from.
struct Leaves<'a, 'r> {
    run: &'a Run<'r>,
    /// The register of the first leaf.
    first: Register,
}

impl<'r> Source<'r> for Leaves<'_, 'r> {
    fn constant(&self, constant: Constant) -> Value<'r> {
        self.run.constant(constant)
    }
    fn variable(&self, var: Var) -> Value<'r> {
        self.run.var(var)
    }
    fn leaf(&self, number: usize) -> Value<'r> {
        self.run.registers.get(self.first + number as u32).value()
    }
    fn subject(&self) -> Option<Subject<'r>> {
        Some(self.run.subject)
    }
}
