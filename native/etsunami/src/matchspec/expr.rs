//! Compiles guards and bodies.
//!
//! Expressions become instructions of a register machine, without recursion: what is left to compile
//! is on a stack of work. An expression may use its own register and those behind it; an argument
//! that is a constant, a variable or the object is read where it is. Nested lists, `{{…}}` and maps are one compound each, told by its nodes
//! in depth-first order; only what is computed inside leaves instructions. A compound in which
//! nothing is computed is built here, once.

use crate::term::layout::immediate;
use crate::term::probe::OwnedKey;
use crate::term::stack::Stack;
use crate::term::view::{Map, Roots, Term, View};

use super::bindings::Bindings;
use super::build::{Source, build};
use super::condition::Branch;
use super::fault::{Fault, Problem};
use super::heap::Heap;
use super::names::{Form, Name};
use super::program::{Constant, Finish, Node, Op, Operand, Program, Register, Span, Target, Var};
use super::value::{Subject, Value};

/// What is left to do.
#[derive(Clone, Copy)]
pub(super) enum Work<'s> {
    /// Compile an expression that leaves its value in a register.
    Value(Term<'s>, Register),
    /// Compile an expression as a part of the innermost compound.
    Node(Term<'s>),
    /// Compile a list's tail as a leaf, and tell the node of the list.
    Tail(Term<'s>, usize),
    Emit(Op),
    /// A jump to the end of the innermost `andalso` or `orelse` of values.
    Jump {
        otherwise: bool,
        of: Register,
    },
    /// Its end.
    Land,
    /// Compile a condition.
    Branch(Branch<'s>),
    /// A label of conditions.
    Label(Target),
    /// The innermost compound is complete, and goes to this register.
    Complete(Register),
}

/// A compound while its parts are compiled.
#[derive(Default)]
struct Compound {
    nodes: Vec<Node>,
    leaves: u32,
    computed: bool,
    /// The register of the first leaf.
    first: Register,
}

/// Compiles the expressions of one clause.
pub(super) struct Compiler<'p, 's> {
    pub program: &'p mut Program,
    pub bound: &'p Bindings,
    pub faults: &'p mut Vec<Fault<'s>>,
    /// Go on behind a fault, to find more of them.
    pub lint: bool,
    pub works: Stack<Work<'s>, 8>,
    /// Where the labels of conditions are.
    pub labels: Vec<Target>,
    /// The first register that the head does not need.
    pub base: Register,
    compounds: Vec<Compound>,
    /// For each open `andalso` or `orelse` of values, where its jumps are.
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
        base: Register,
    ) -> Self {
        let (works, labels) = (Stack::new(), Vec::new());
        let (compounds, jumps) = (Vec::new(), Vec::new());
        Compiler { program, bound, faults, lint, works, labels, base, compounds, jumps }
    }

    pub(super) fn fault(&mut self, problem: Problem, term: Option<Term<'s>>) -> Result<(), Stop> {
        self.faults.push(Fault { problem, term });
        if self.lint { Ok(()) } else { Err(Stop) }
    }

    /// Looks for faults in all guards.
    pub(super) fn lint_guards(&mut self, list: Term<'s>) -> Result<(), Stop> {
        self.list(list).map(|_| ())
    }

    /// Compiles a body: its last expression (the others have no effect, but must be valid).
    pub(super) fn body(&mut self, list: Term<'s>) -> Result<Finish, Stop> {
        let start = self.list(list)?;
        let code = Span { start, end: self.program.parts.code.len() as u32 };
        Ok(Finish::Code(code, self.base))
    }

    /// Compiles a list of expressions; tells where the code of the last one begins.
    fn list(&mut self, list: Term<'s>) -> Result<u32, Stop> {
        let mut start = self.program.parts.code.len();
        match list.view() {
            View::Nil => (),
            View::List { elements, tail } => {
                for expression in elements {
                    start = self.program.parts.code.len();
                    self.works.push(Work::Value(expression, self.base));
                    self.work()?;
                }
                if tail.root() != immediate::NIL {
                    self.fault(Problem::ImproperExpressions, None)?;
                }
            }
            _ => self.fault(Problem::NotExpressions, None)?,
        }
        Ok(start as u32)
    }

    /// What an expression is that needs no computing; none where it does, or is a fault.
    pub(super) fn operand(&self, term: Term<'s>) -> Option<Known<'s>> {
        match simple(term) {
            Simple::Constant => Some(Known::Constant(term)),
            Simple::Call(Form::Const, parts) if parts.len() == 2 => {
                Some(Known::Constant(parts.get(1)))
            }
            Simple::Variable(number) => self.bound.get(number).map(Known::Var),
            Simple::Object => Some(Known::Object),
            _ => None,
        }
    }

    /// Does all that is scheduled.
    pub(super) fn work(&mut self) -> Result<(), Stop> {
        while let Some(work) = self.works.pop() {
            match work {
                Work::Value(term, to) => self.value(term, to)?,
                Work::Node(term) => self.node(term)?,
                Work::Tail(term, node) => self.tail(term, node),
                Work::Emit(op) => self.emit(op),
                Work::Jump { otherwise, of } => self.jump(otherwise, of),
                Work::Land => self.land(),
                Work::Branch(branch) => self.branch(branch)?,
                Work::Label(label) => {
                    self.labels[label as usize] = self.program.parts.code.len() as Target;
                }
                Work::Complete(to) => self.complete(to),
            }
        }
        Ok(())
    }

    pub(super) fn emit(&mut self, op: Op) {
        self.program.parts.code.push(op);
    }

    /// Tells the program of a register that is used.
    fn uses(&mut self, register: Register) {
        self.program.registers = self.program.registers.max(register as usize + 1);
    }

    fn jump(&mut self, decisive: bool, of: Register) {
        let at = self.program.parts.code.len();
        if let Some(jumps) = self.jumps.last_mut() {
            jumps.push(at);
        }
        self.emit(Op::Decide { decisive, of, to: 0 });
    }

    fn land(&mut self) {
        let end = self.program.parts.code.len() as Target;
        for at in self.jumps.pop().unwrap_or_default() {
            if let Op::Decide { to, .. } = &mut self.program.parts.code[at] {
                *to = end;
            }
        }
    }

    /// An expression whose value goes to a register. It may use those behind.
    fn value(&mut self, term: Term<'s>, to: Register) -> Result<(), Stop> {
        self.uses(to);
        if let Some(known) = self.operand(term) {
            let from = known.intern(self);
            self.emit(Op::Move { from, to });
            return Ok(());
        }
        match simple(term) {
            Simple::Constant | Simple::Object => (),
            Simple::Variable(number) => return self.fault(Problem::Unbound(number), None),
            Simple::Compound if matches!(term.view(), View::Atom(_)) => self.all_bindings(to),
            Simple::Compound => {
                self.compounds.push(Compound { first: to, ..Compound::default() });
                self.works.push(Work::Complete(to));
                self.works.push(Work::Node(term));
            }
            Simple::Call(form, parts) => return self.call(term, form, parts, to),
            Simple::Nonsense => return self.fault(Problem::NotACall, Some(term)),
        }
        Ok(())
    }

    fn call(
        &mut self,
        term: Term<'s>,
        form: Form,
        parts: Roots<'s>,
        to: Register,
    ) -> Result<(), Stop> {
        let n = parts.len() - 1;
        let name = Some(parts.get(0));
        match form {
            Form::Const => return self.fault(Problem::ConstArguments, Some(term)),
            Form::SelfPid if n == 0 => self.emit(Op::SelfPid { to }),
            Form::SelfPid => return self.fault(Problem::SelfArguments, Some(term)),
            Form::And | Form::Or | Form::AndAlso | Form::OrElse if n == 0 => {
                return self.fault(Problem::NoArguments(form_name(form)), Some(term));
            }
            Form::And | Form::Or => self.joined(parts, form == Form::Or, to),
            Form::AndAlso | Form::OrElse => self.chain(parts, form == Form::OrElse, to),
            Form::Call(function) if n > 2 => {
                self.works.push(Work::Emit(Op::CallThree { function, to }));
                self.schedule((1..=n).map(|i| Work::Value(parts.get(i), to + i as u32 - 1)));
            }
            Form::Call(function) => {
                let argument = |i: usize| (i <= n).then(|| parts.get(i));
                let mut operand = |i, register| match argument(i) {
                    Some(term) => self.argument(term, register),
                    None => Operand::Object,
                };
                let of = [operand(1, to), operand(2, to + 1)];
                self.works.push(Work::Emit(Op::Call { function, of, to }));
                self.compute(parts, to);
            }
            Form::Trace(name) => return self.fault(Problem::TraceForm(name), None),
            Form::TraceFunction => return self.fault(Problem::TraceFunction(n), name),
            Form::Unknown => return self.fault(Problem::UnknownFunction(n), name),
        }
        Ok(())
    }

    /// Where an argument will be: where it is, or in a register.
    pub(super) fn argument(&mut self, term: Term<'s>, register: Register) -> Operand {
        match self.operand(term) {
            Some(known) => known.intern(self),
            None => Operand::Register(register),
        }
    }

    /// Computes those of at most two arguments that are not there yet, into registers from `to` on.
    pub(super) fn compute(&mut self, parts: Roots<'s>, to: Register) {
        let computed = |i| i < parts.len() && self.operand(parts.get(i)).is_none();
        let work = |i| computed(i).then(|| Work::Value(parts.get(i), to + i as Register - 1));
        let works = [work(1), work(2)];
        self.schedule(works.into_iter().flatten());
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

    /// All of some booleans, or any of them: the first, joined with one after the other.
    fn joined(&mut self, parts: Roots<'s>, any: bool, to: Register) {
        if self.lint {
            return self.schedule(parts.skip(1).map(|term| Work::Value(term, to)));
        }
        let so_far = Operand::Register(to);
        let join = |of| Work::Emit(Op::Join { any, of: [so_far, of], to });
        for term in parts.skip(2).rev() {
            let of = self.argument(term, to + 1);
            self.works.push(join(of));
            if of == Operand::Register(to + 1) && self.operand(term).is_none() {
                self.works.push(Work::Value(term, to + 1));
            }
        }
        if parts.len() == 2 {
            self.works.push(join(so_far));
        }
        self.works.push(Work::Value(parts.get(1), to));
    }

    /// The arguments with jumps to the end between them.
    fn chain(&mut self, parts: Roots<'s>, otherwise: bool, to: Register) {
        self.jumps.push(Vec::new());
        self.works.push(Work::Land);
        for i in (1..parts.len()).rev() {
            self.works.push(Work::Value(parts.get(i), to));
            if i > 1 {
                self.works.push(Work::Jump { otherwise, of: to });
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

    /// The number of the next leaf, and its register.
    fn leaf(&mut self) -> (u32, Register) {
        match self.compounds.last_mut() {
            Some(compound) => {
                compound.computed = true;
                compound.leaves += 1;
                (compound.leaves - 1, compound.first + compound.leaves - 1)
            }
            None => (0, 0),
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
                let (_, register) = self.leaf();
                self.push(Node::Leaf, true);
                return self.value(term, register);
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
    fn all_bindings(&mut self, to: Register) {
        let bound = self.bound;
        let nil = Constant::Word(immediate::NIL);
        if bound.len() == 0 {
            return self.emit(Op::Move { from: nil.into(), to });
        }
        let nodes = &mut self.program.parts.nodes;
        let start = nodes.len() as u32;
        nodes.push(Node::List(bound.len() as u32));
        nodes.extend(bound.values().map(Node::Var));
        nodes.push(Node::Constant(nil));
        let nodes = Span { start, end: nodes.len() as u32 };
        self.emit(Op::Build { nodes, to });
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
        let (number, register) = self.leaf();
        if let Some(compound) = self.compounds.last_mut()
            && let Some(Node::ListTo { leaf, .. }) = compound.nodes.get_mut(node)
        {
            *leaf = number;
        }
        self.works.push(Work::Value(term, register));
    }

    fn complete(&mut self, to: Register) {
        let Some(compound) = self.compounds.pop() else { return };
        if self.lint {
            return;
        }
        if !compound.computed
            && let Some(constant) = self.fold(&compound.nodes)
        {
            return self.emit(Op::Move { from: constant.into(), to });
        }
        let start = self.program.parts.nodes.len() as u32;
        self.program.parts.nodes.extend(compound.nodes);
        let nodes = Span { start, end: self.program.parts.nodes.len() as u32 };
        self.emit(Op::Build { nodes, to });
    }

    /// Builds a compound of constants.
    fn fold(&mut self, nodes: &[Node]) -> Option<Constant> {
        let heap = Heap::default();
        let constants = Constants(&self.program.parts.constants);
        let built = heap.build(|buffer| build(buffer, 0, nodes, &constants).map(|_| ()));
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
    fn leaf(&self, _: usize) -> Value<'p> {
        Value::Word(immediate::NIL)
    }
    fn subject(&self) -> Option<Subject<'p>> {
        None
    }
}

/// An operand that is not a constant of the program yet.
#[derive(Clone, Copy)]
pub(super) enum Known<'s> {
    Constant(Term<'s>),
    Var(Var),
    Object,
}

impl<'s> Known<'s> {
    pub(super) fn intern(self, compiler: &mut Compiler<'_, 's>) -> Operand {
        match self {
            Known::Constant(term) => compiler.program.intern(term).into(),
            Known::Var(var) => var.into(),
            Known::Object => Operand::Object,
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
