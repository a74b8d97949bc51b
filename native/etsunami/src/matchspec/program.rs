//! The form in which a specification runs: flat vectors of instructions.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::OnceLock;

use crate::term::host::host;
use crate::term::layout::{self, Kind, block_ref};
use crate::term::object::{release, retain};
use crate::term::probe::OwnedKey;
use crate::term::view::Term;

use super::functions::{Function, Relation, Type};
use super::glance::{Glance, Need};
use super::set::{Set, Switch};

/// Where a variable's value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Var {
    /// It is this element of the object, from 0: nothing has to be stored.
    Element(u32),
    /// It is this element of the tuple that is this element of the object.
    Inner(u32, u32),
    /// The head stored it in this register.
    Slot(Register),
}

/// A constant, by its place in [`Program::constants`].
pub(super) type ConstId = u32;

/// One step of a head: go to a subterm, then test it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HeadOp {
    /// How many compounds are left before.
    pub leave: u32,
    pub fetch: Fetch,
    pub test: Test,
}

/// Which subterm a step looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fetch {
    /// The object itself.
    Whole,
    /// An element of the current tuple or list, from 0.
    Nth(u32),
    /// What is behind so many elements of the current list.
    Tail(u32),
    /// The value of a key of the current map, if it is there.
    Key(Constant),
}

/// What a step expects of the subterm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Test {
    /// A tuple of this arity, which becomes the current compound.
    Tuple(u32),
    /// A list of at least so many elements, which becomes the current compound.
    ListFrom(u32),
    /// A list of exactly so many elements, which becomes the current compound.
    ListOf(u32),
    /// A map of at least so many pairs, which becomes the current compound.
    Map(u32),
    /// This term (`=:=`).
    Equal(Constant),
    /// A float with these bits.
    Float(u64),
    /// Anything; it is stored.
    Bind(u32),
    /// What a variable is bound to (`=:=`).
    Same(Var),
    /// Anything.
    Any,
}

/// A term known at compile time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Constant {
    /// An immediate.
    Word(u64),
    /// Any other.
    Term(ConstId),
}

/// A register, by its number. The first of them hold what the head has stored.
pub(super) type Register = u32;

/// The target of a jump, as an index into [`Parts::code`].
pub(super) type Target = u32;

/// The jump target of a guard that has failed.
pub(super) const FAIL: Target = Target::MAX;

/// What an instruction reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    /// An immediate.
    Word(u64),
    /// Another constant.
    Term(ConstId),
    /// An element of the object.
    Element(u32),
    /// An element of a tuple that is an element of the object.
    Inner(u32, u32),
    Register(Register),
    /// The object.
    Object,
}

impl From<Constant> for Operand {
    fn from(constant: Constant) -> Operand {
        match constant {
            Constant::Word(word) => Operand::Word(word),
            Constant::Term(id) => Operand::Term(id),
        }
    }
}

impl From<Var> for Operand {
    #[inline(always)]
    fn from(var: Var) -> Operand {
        match var {
            Var::Element(i) => Operand::Element(i),
            Var::Inner(element, i) => Operand::Inner(element, i),
            Var::Slot(register) => Operand::Register(register),
        }
    }
}

/// One instruction of a guard or a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    /// Jumps to `to` if the condition equals `sense`.
    If { condition: Condition, sense: bool, to: Target },
    /// Copies a value.
    Move { from: Operand, to: Register },
    /// The pid of the calling process.
    SelfPid { to: Register },
    /// Calls a function of at most two arguments.
    Call { function: Function, of: [Operand; 2], to: Register },
    /// Calls a function of three arguments, which are in `to` and the registers behind.
    CallThree { function: Function, to: Register },
    /// The disjunction of two booleans, or their conjunction.
    Join { any: bool, of: [Operand; 2], to: Register },
    /// Jumps to `to` if the register holds `decisive`; else it must hold the other boolean.
    Decide { decisive: bool, of: Register, to: Target },
    /// Builds a compound from these nodes; its leaves are in `to` and the registers behind.
    Build { nodes: Span, to: Register },
}

impl Op {
    /// The register that it changes, or that it reads if it only decides.
    #[inline]
    pub(super) fn register(self) -> Register {
        match self {
            Op::Move { to, .. }
            | Op::SelfPid { to }
            | Op::Call { to, .. }
            | Op::CallThree { to, .. }
            | Op::Join { to, .. }
            | Op::Build { to, .. } => to,
            Op::Decide { of, .. } => of,
            Op::If { .. } => 0,
        }
    }
}

/// What a guard asks. It has no value but true and false.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    /// Two values have a relation.
    Related(Relation, Operand, Operand),
    /// A value is of a type.
    Typed(Type, Operand),
    /// A value is one of a set.
    In(SetId, Operand),
    /// A value is `true`; else it must be `false`.
    True(Operand),
}

/// A set of constants, by its place in [`Parts::sets`].
pub(super) type SetId = u32;

/// A piece of a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    #[inline(always)]
    pub(super) fn of<T>(self, items: &[T]) -> &[T] {
        &items[self.start as usize..self.end as usize]
    }
}

/// A node of a compound to be built, in depth-first order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Node {
    /// A tuple of so many nodes.
    Tuple(u32),
    /// A list of so many nodes, and one for the tail, which is no list.
    List(u32),
    /// A list of so many nodes whose tail is a leaf, of this number.
    ListTo { elements: u32, leaf: u32 },
    /// A map of so many pairs: nodes of the keys, then of the values.
    Map(u32),
    /// A constant.
    Constant(Constant),
    /// A variable's value.
    Var(Var),
    /// The object.
    Object,
    /// The next value from the stack.
    Leaf,
}

/// What a matching clause gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finish {
    /// What is there.
    Operand(Operand),
    /// A tuple of a few simple nodes.
    TupleOf(Span),
    /// A proper list of a few simple nodes.
    ListOf(Span),
    /// What these instructions leave in a register.
    Code(Span, Register),
}

/// The instructions of a clause's guards. Those that a glance decides come last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Guard {
    pub code: Span,
    /// Where those begin that a glance decides.
    pub glanced: u32,
}

/// One clause: `{Head, Guards, Body}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clause {
    pub head: Span,
    pub guard: Guard,
    pub glance: Glance,
    pub finish: Finish,
}

/// The atoms that instructions compare with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atoms {
    pub yes: u64,
    pub no: u64,
    pub exit: u64,
}

impl Atoms {
    pub(super) fn new() -> Atoms {
        // Asking the host for an atom costs more than compiling a short specification.
        static ATOMS: OnceLock<Atoms> = OnceLock::new();
        *ATOMS.get_or_init(|| {
            let atom = host().atom;
            Atoms { yes: atom("true"), no: atom("false"), exit: atom("EXIT") }
        })
    }

    #[inline(always)]
    pub(super) fn boolean(&self, value: bool) -> u64 {
        if value { self.yes } else { self.no }
    }
}

/// The vectors of a program.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The words of the specification; none if it has not been copied.
    spec: Vec<u64>,
    pub constants: Vec<OwnedKey>,
    pub clauses: Vec<Clause>,
    pub heads: Vec<HeadOp>,
    pub code: Vec<Op>,
    pub nodes: Vec<Node>,
    pub needs: Vec<Need>,
    pub sets: Vec<Set>,
}

thread_local! {
    /// Empty vectors of the last program that this thread has dropped.
    static SPARE: Cell<Option<Box<Parts>>> = const { Cell::new(None) };
}

impl Parts {
    /// The most elements that a thread keeps room for in a vector.
    const SPARE_ROOM: usize = 64;

    /// A copy of a specification, and nothing else yet. The vectors are used again, because short
    /// searches compile, and allocating would be the most of it.
    pub(super) fn of_spec(spec: Term) -> Box<Parts> {
        let mut parts = SPARE.take().unwrap_or_default();
        let root = spec.root();
        let immediate = layout::is_immediate(root);
        parts.spec.push(if immediate { root } else { block_ref(Kind::of(root), 1) });
        parts.spec.extend_from_slice(spec.block_words());
        retain(spec);
        parts
    }

    fn spec(&self) -> Term<'_> {
        // SAFETY: `of_spec` has copied a well-formed encoding, the block right behind the root word.
        unsafe { Term::at(&self.spec, 0) }
    }

    /// Forgets everything, keeps the memory.
    fn clear(&mut self) {
        release(self.spec());
        self.spec.clear();
        self.constants.clear();
        self.clauses.clear();
        self.heads.clear();
        self.code.clear();
        self.nodes.clear();
        self.needs.clear();
        self.sets.clear();
    }

    fn is_small(&self) -> bool {
        let room = [
            self.spec.capacity(),
            self.constants.capacity(),
            self.clauses.capacity(),
            self.heads.capacity(),
            self.code.capacity(),
            self.nodes.capacity(),
            self.needs.capacity(),
            self.sets.capacity(),
        ];
        room.into_iter().all(|room| room <= Parts::SPARE_ROOM)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: nobody looks at them any more.
        let mut parts = unsafe { ManuallyDrop::take(&mut self.parts) };
        parts.clear();
        if !cfg!(feature = "count_memory") && parts.is_small() {
            // After the thread's end there is nowhere to put them.
            let _ = SPARE.try_with(|spare| spare.set(Some(parts)));
        }
    }
}

/// A compiled match specification. It owns all that it refers to.
#[derive(Debug)]
pub struct Program {
    pub(super) parts: ManuallyDrop<Box<Parts>>,
    /// How many registers it needs.
    pub(super) registers: usize,
    pub(super) switch: Option<Switch>,
    pub(super) atoms: Atoms,
}

impl Program {
    /// The specification that was compiled.
    pub fn spec(&self) -> Term<'_> {
        self.parts.spec()
    }

    /// The words that the program occupies, roughly.
    pub fn words(&self) -> usize {
        let constants: usize = self.parts.constants.iter().map(|key| key.term().words()).sum();
        let parts =
            2 * self.parts.heads.len() + 5 * self.parts.code.len() + 2 * self.parts.nodes.len();
        let sets: usize = self.parts.sets.iter().map(Set::size).sum();
        self.spec().words() + sets + constants + parts + 5 * self.parts.clauses.len()
    }

    /// True if [`Caller::node`](super::Caller::node) has to be known.
    pub fn asks_for_node(&self) -> bool {
        // What is local is of the caller's node.
        let asks =
            |op: &Op| matches!(op, Op::Call { function: Function::Node | Function::NodeOf, .. });
        self.parts.code.iter().any(asks)
    }

    /// True if [`Caller::pid`](super::Caller::pid) has to be known.
    pub fn asks_for_self(&self) -> bool {
        self.parts.code.iter().any(|op| matches!(op, Op::SelfPid { .. }))
    }

    /// A constant's term; none for an immediate.
    pub(super) fn constant(&self, id: ConstId) -> Term<'_> {
        self.parts.constants[id as usize].term()
    }

    /// A term becomes a constant.
    pub(super) fn intern(&mut self, term: Term) -> Constant {
        let root = term.root();
        if layout::is_immediate(root) {
            return Constant::Word(root);
        }
        let constants = &mut self.parts.constants;
        constants.push(OwnedKey::new(term));
        Constant::Term(constants.len() as u32 - 1)
    }
}
