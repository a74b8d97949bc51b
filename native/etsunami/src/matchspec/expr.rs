//! Compiles guards and bodies.
//!
//! Expressions become instructions of a stack machine, without recursion: what is left to compile
//! stands on a stack of work. Nested lists, `{{…}}` and maps are one compound each, told by its nodes
//! in depth-first order; only what is computed inside leaves instructions. A compound in which
//! nothing is computed is built here, once.

use crate::term::layout::immediate;
use crate::term::probe::OwnedKey;
use crate::term::stack::Stack;
use crate::term::view::{Map, Roots, Term, View};

use super::bindings::Bindings;
use super::build::{Source, build};
use super::fault::{Fault, Problem};
use super::functions::Function;
use super::heap::Heap;
use super::names::{Form, Name};
use super::program::{Constant, Node, Op, Operand, Program, Span, Var};
use super::value::{Subject, Value};

/// What is left to do.
#[derive(Clone, Copy)]
enum Work<'s> {
    /// Compile an expression that leaves its value on the stack.
    Value(Term<'s>),
    /// Compile an expression as a part of the innermost compound.
    Node(Term<'s>),
    /// Compile a list's tail as a leaf, and tell the node of the list.
    Tail(Term<'s>, usize),
    Emit(Op),
    /// A jump to the end of the innermost `andalso` or `orelse`.
    Jump {
        otherwise: bool,
    },
    /// Its end.
    Land,
    /// The innermost compound is complete.
    Complete,
}

/// A compound while its parts are compiled.
#[derive(Default)]
struct Compound {
    nodes: Vec<Node>,
    leaves: u32,
    computed: bool,
}

/// What the last expression is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Guard,
    Body,
}

/// Compiles the expressions of one clause.
pub(super) struct Compiler<'p, 's> {
    pub program: &'p mut Program,
    pub bound: &'p Bindings,
    pub faults: &'p mut Vec<Fault<'s>>,
    /// Go on behind a fault, to find more of them.
    pub lint: bool,
    works: Stack<Work<'s>, 8>,
    compounds: Vec<Compound>,
    /// For each open `andalso` or `orelse`, where its jumps are.
    jumps: Vec<Vec<usize>>,
}

/// A fault was found, and nobody asked for more. (To find all of them no code is made that runs.)
pub(super) struct Stop;

impl<'p, 's> Compiler<'p, 's> {
    pub(super) fn new(
        program: &'p mut Program,
        bound: &'p Bindings,
        faults: &'p mut Vec<Fault<'s>>,
        lint: bool,
    ) -> Self {
        let (works, compounds, jumps) = (Stack::new(), Vec::new(), Vec::new());
        Compiler { program, bound, faults, lint, works, compounds, jumps }
    }

    fn fault(&mut self, problem: Problem, term: Option<Term<'s>>) -> Result<(), Stop> {
        self.faults.push(Fault { problem, term });
        if self.lint { Ok(()) } else { Err(Stop) }
    }

    /// Compiles a list of expressions: all guards, or the last expression of a body (the others
    /// have no effect, but must be valid).
    pub(super) fn list(&mut self, list: Term<'s>, context: Context) -> Result<Span, Stop> {
        let mut start = self.program.parts.code.len();
        match list.view() {
            View::Nil => (),
            View::List { elements, tail } => {
                for expression in elements {
                    if context == Context::Body {
                        start = self.program.parts.code.len();
                    }
                    match context {
                        Context::Guard => self.guard(expression)?,
                        Context::Body => self.expression(expression)?,
                    }
                }
                if tail.root() != immediate::NIL {
                    self.fault(Problem::ImproperExpressions, None)?;
                }
            }
            _ => self.fault(Problem::NotExpressions, None)?,
        }
        Ok(Span { start: start as u32, end: self.program.parts.code.len() as u32 })
    }

    /// A guard must be true, and so must all that `and` and `andalso` join in it.
    fn guard(&mut self, guard: Term<'s>) -> Result<(), Stop> {
        let mut guards: Stack<Term, 8> = Stack::new();
        guards.push(guard);
        while let Some(guard) = guards.pop() {
            let parts = match simple(guard) {
                Simple::Call(Form::And | Form::AndAlso, parts) if parts.len() > 1 => parts,
                _ => {
                    self.condition(guard)?;
                    continue;
                }
            };
            if self.lint {
                self.condition(guard)?;
            } else {
                guards.extend(parts.skip(1).rev());
            }
        }
        Ok(())
    }

    /// Comparisons and type tests of what is there need no stack.
    fn condition(&mut self, guard: Term<'s>) -> Result<(), Stop> {
        if let Simple::Call(Form::Call(function), parts) = simple(guard) {
            let operand = |i| self.operand(parts.get(i));
            let op = match function {
                Function::Compare(relation) => operand(1).zip(operand(2)).map(|(a, b)| Op::Holds {
                    relation,
                    a: a.intern(self),
                    b: b.intern(self),
                }),
                Function::Is(test) => operand(1).map(|of| Op::Typed { test, of: of.intern(self) }),
                _ => None,
            };
            if let Some(op) = op {
                self.emit(op);
                return Ok(());
            }
        }
        self.expression(guard)?;
        self.emit(Op::True);
        Ok(())
    }

    /// What an expression is that needs no computing; none where it does, or is a fault.
    fn operand(&self, term: Term<'s>) -> Option<Known<'s>> {
        match simple(term) {
            Simple::Constant => Some(Known::Constant(term)),
            Simple::Call(Form::Const, parts) if parts.len() == 2 => {
                Some(Known::Constant(parts.get(1)))
            }
            Simple::Variable(number) => self.bound.get(number).map(Known::Var),
            _ => None,
        }
    }

    fn expression(&mut self, term: Term<'s>) -> Result<(), Stop> {
        self.value(term)?;
        while let Some(work) = self.works.pop() {
            match work {
                Work::Value(term) => self.value(term)?,
                Work::Node(term) => self.node(term)?,
                Work::Tail(term, node) => self.tail(term, node),
                Work::Emit(op) => self.emit(op),
                Work::Jump { otherwise } => self.jump(otherwise),
                Work::Land => self.land(),
                Work::Complete => self.complete(),
            }
        }
        Ok(())
    }

    fn emit(&mut self, op: Op) {
        self.program.parts.code.push(op);
    }

    fn jump(&mut self, otherwise: bool) {
        let at = self.program.parts.code.len();
        if let Some(jumps) = self.jumps.last_mut() {
            jumps.push(at);
        }
        self.emit(if otherwise { Op::OrElse(0) } else { Op::AndAlso(0) });
    }

    fn land(&mut self) {
        let end = self.program.parts.code.len() as u32;
        for at in self.jumps.pop().unwrap_or_default() {
            match &mut self.program.parts.code[at] {
                Op::OrElse(target) | Op::AndAlso(target) => *target = end,
                _ => (),
            }
        }
    }

    /// An expression whose value goes to the stack.
    fn value(&mut self, term: Term<'s>) -> Result<(), Stop> {
        match simple(term) {
            Simple::Constant => {
                let constant = self.program.intern(term);
                self.emit(Op::Constant(constant));
            }
            Simple::Object => self.emit(Op::Object),
            Simple::Variable(number) => match self.bound.get(number) {
                Some(var) => self.emit(Op::Var(var)),
                None => return self.fault(Problem::Unbound(number), None),
            },
            Simple::Compound if matches!(term.view(), View::Atom(_)) => self.all_bindings(),
            Simple::Compound => {
                self.compounds.push(Compound::default());
                self.works.push(Work::Complete);
                self.works.push(Work::Node(term));
            }
            Simple::Call(form, parts) => return self.call(term, form, parts),
            Simple::Nonsense => return self.fault(Problem::NotACall, Some(term)),
        }
        Ok(())
    }

    fn call(&mut self, term: Term<'s>, form: Form, parts: Roots<'s>) -> Result<(), Stop> {
        let n = parts.len() - 1;
        let name = Some(parts.get(0));
        match form {
            Form::Const if n == 1 => {
                let constant = self.program.intern(parts.get(1));
                self.emit(Op::Constant(constant));
            }
            Form::Const => return self.fault(Problem::ConstArguments, Some(term)),
            Form::SelfPid if n == 0 => self.emit(Op::SelfPid),
            Form::SelfPid => return self.fault(Problem::SelfArguments, Some(term)),
            Form::And | Form::Or | Form::AndAlso | Form::OrElse if n == 0 => {
                return self.fault(Problem::NoArguments(form_name(form)), Some(term));
            }
            Form::And => self.arguments(parts, Op::And(n as u32)),
            Form::Or => self.arguments(parts, Op::Or(n as u32)),
            Form::AndAlso => self.chain(parts, false),
            Form::OrElse => self.chain(parts, true),
            Form::Call(function) => self.arguments(parts, Op::Call(function)),
            Form::Trace(name) => return self.fault(Problem::TraceForm(name), None),
            Form::TraceFunction => return self.fault(Problem::TraceFunction(n), name),
            Form::Unknown => return self.fault(Problem::UnknownFunction(n), name),
        }
        Ok(())
    }

    /// The arguments, then the operation on them.
    fn arguments(&mut self, parts: Roots<'s>, op: Op) {
        self.works.push(Work::Emit(op));
        self.schedule(parts.skip(1).map(Work::Value));
    }

    /// Work to be done next, the first of it first. To look for faults it is done in ETS's order,
    /// last part first, in which ETS tells them.
    fn schedule(&mut self, works: impl DoubleEndedIterator<Item = Work<'s>>) {
        if self.lint {
            self.works.extend(works);
        } else {
            self.works.extend(works.rev());
        }
    }

    /// The arguments with jumps to the end between them.
    fn chain(&mut self, parts: Roots<'s>, otherwise: bool) {
        self.jumps.push(Vec::new());
        self.works.push(Work::Land);
        for i in (1..parts.len()).rev() {
            self.works.push(Work::Value(parts.get(i)));
            if i > 1 {
                self.works.push(Work::Jump { otherwise });
            }
        }
    }
}

/// Compounds.
impl<'s> Compiler<'_, 's> {
    fn push(&mut self, node: Node, computed: bool) {
        if let Some(compound) = self.compounds.last_mut() {
            compound.nodes.push(node);
            compound.computed |= computed;
        }
    }

    /// The value that comes next from the stack.
    fn leaf(&mut self) -> u32 {
        match self.compounds.last_mut() {
            Some(compound) => {
                compound.computed = true;
                compound.leaves += 1;
                compound.leaves - 1
            }
            None => 0,
        }
    }

    /// An expression inside a compound.
    fn node(&mut self, term: Term<'s>) -> Result<(), Stop> {
        match simple(term) {
            Simple::Constant => {
                let constant = self.program.intern(term);
                self.push(Node::Constant(constant), false);
            }
            Simple::Object => self.push(Node::Object, true),
            Simple::Variable(number) => match self.bound.get(number) {
                Some(var) => self.push(Node::Var(var), true),
                None => return self.fault(Problem::Unbound(number), None),
            },
            Simple::Call(Form::Const, parts) if parts.len() == 2 => {
                let constant = self.program.intern(parts.get(1));
                self.push(Node::Constant(constant), false);
            }
            Simple::Call(..) | Simple::Nonsense => {
                self.leaf();
                self.push(Node::Leaf, true);
                return self.value(term);
            }
            Simple::Compound => self.compound(term),
        }
        Ok(())
    }

    fn compound(&mut self, term: Term<'s>) {
        match term.view() {
            View::Atom(_) => self.bindings(),
            View::Map(map) => self.map(map),
            View::List { elements, tail } => self.elements(elements, tail),
            View::Tuple(wrapper) => {
                if let View::Tuple(elements) = wrapper.get(0).view() {
                    self.push(Node::Tuple(elements.len() as u32), false);
                    self.schedule(elements.map(Work::Node));
                }
            }
            _ => (),
        }
    }

    /// `'$$'`: the values of all variables.
    fn bindings(&mut self) {
        let bound = self.bound;
        if bound.len() == 0 {
            return self.push(Node::Constant(Constant::Word(immediate::NIL)), false);
        }
        self.push(Node::List(bound.len() as u32), true);
        for var in bound.values() {
            self.push(Node::Var(var), true);
        }
        self.push(Node::Constant(Constant::Word(immediate::NIL)), false);
    }

    /// `'$$'` that is no part of a compound.
    fn all_bindings(&mut self) {
        let bound = self.bound;
        let nil = Constant::Word(immediate::NIL);
        if bound.len() == 0 {
            return self.emit(Op::Constant(nil));
        }
        let nodes = &mut self.program.parts.nodes;
        let start = nodes.len() as u32;
        nodes.push(Node::List(bound.len() as u32));
        nodes.extend(bound.values().map(Node::Var));
        nodes.push(Node::Constant(nil));
        let nodes = Span { start, end: nodes.len() as u32 };
        self.emit(Op::Build { nodes, leaves: 0 });
    }

    fn map(&mut self, map: Map<'s>) {
        self.push(Node::Map(map.len() as u32), false);
        self.schedule(map.keys().chain(map.values()).map(Work::Node));
    }

    /// A tail that cannot turn out to be a list is a part like the elements.
    fn elements(&mut self, elements: Roots<'s>, tail: Term<'s>) {
        let n = elements.len() as u32;
        let fixed = match simple(tail) {
            Simple::Constant => true,
            Simple::Compound => !matches!(tail.view(), View::Atom(_)),
            _ => false,
        };
        if fixed {
            self.push(Node::List(n), false);
            self.works.push(Work::Node(tail));
        } else {
            let node = self.compounds.last().map_or(0, |compound| compound.nodes.len());
            self.push(Node::ListTo { elements: n, leaf: 0 }, true);
            self.works.push(Work::Tail(tail, node));
        }
        self.works.extend(elements.rev().map(Work::Node));
    }

    fn tail(&mut self, term: Term<'s>, node: usize) {
        let number = self.leaf();
        if let Some(compound) = self.compounds.last_mut()
            && let Some(Node::ListTo { leaf, .. }) = compound.nodes.get_mut(node)
        {
            *leaf = number;
        }
        self.works.push(Work::Value(term));
    }

    fn complete(&mut self) {
        let Some(compound) = self.compounds.pop() else { return };
        if self.lint {
            return;
        }
        if !compound.computed
            && let Some(constant) = self.fold(&compound.nodes)
        {
            return self.emit(Op::Constant(constant));
        }
        let start = self.program.parts.nodes.len() as u32;
        self.program.parts.nodes.extend(compound.nodes);
        let nodes = Span { start, end: self.program.parts.nodes.len() as u32 };
        self.emit(Op::Build { nodes, leaves: compound.leaves });
    }

    /// Builds a compound of constants.
    fn fold(&mut self, nodes: &[Node]) -> Option<Constant> {
        let heap = Heap::default();
        let constants = Constants(&self.program.parts.constants);
        let built = heap.build(|buffer| build(buffer, 0, nodes, &[], &constants).map(|_| ()));
        match built.ok()? {
            Value::Word(word) => Some(Constant::Word(word)),
            Value::Block(term) => Some(self.program.intern(term)),
            _ => None,
        }
    }
}

struct Constants<'p>(&'p [OwnedKey]);

impl<'p> Source<'p> for Constants<'p> {
    fn constant(&self, constant: Constant) -> Value<'p> {
        match constant {
            Constant::Word(word) => Value::Word(word),
            Constant::Term(id) => Value::Block(self.0[id as usize].term()),
        }
    }
    fn variable(&self, _: Var) -> Value<'p> {
        Value::Word(immediate::NIL)
    }
    fn subject(&self) -> Option<Subject<'p>> {
        None
    }
}

/// An operand that is not a constant of the program yet.
enum Known<'s> {
    Constant(Term<'s>),
    Var(Var),
}

impl<'s> Known<'s> {
    fn intern(self, compiler: &mut Compiler<'_, 's>) -> Operand {
        match self {
            Known::Constant(term) => Operand::Constant(compiler.program.intern(term)),
            Known::Var(var) => Operand::Var(var),
        }
    }
}

/// What kind of expression a term is.
pub(super) enum Simple<'s> {
    Constant,
    Object,
    Variable(u32),
    /// A list, a map, `{{…}}` or `'$$'`.
    Compound,
    /// A call, with its name and arguments.
    Call(Form, Roots<'s>),
    /// A tuple that means nothing.
    Nonsense,
}

/// What kind of expression a term is.
pub(super) fn simple<'s>(term: Term<'s>) -> Simple<'s> {
    match term.view() {
        View::Atom(atom) => match Name::of(atom) {
            Name::Variable(number) => Simple::Variable(number),
            Name::Object => Simple::Object,
            Name::Bindings => Simple::Compound,
            Name::Any | Name::Plain => Simple::Constant,
        },
        View::List { .. } | View::Map(_) => Simple::Compound,
        View::Tuple(parts) => tuple(parts),
        _ => Simple::Constant,
    }
}

fn tuple<'s>(parts: Roots<'s>) -> Simple<'s> {
    if parts.len() == 0 {
        return Simple::Nonsense;
    }
    match parts.get(0).view() {
        View::Tuple(_) if parts.len() == 1 => Simple::Compound,
        View::Atom(atom) if !matches!(Name::of(atom), Name::Variable(_)) => {
            Simple::Call(Form::of(atom, parts.len() - 1), parts)
        }
        _ => Simple::Nonsense,
    }
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::And => "and",
        Form::Or => "or",
        Form::AndAlso => "andalso",
        _ => "orelse",
    }
}
