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

/// Where a variable's value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Var {
    /// It is this element of the object, from 0: nothing has to be stored.
    Element(u32),
    /// It is this element of the tuple that is this element of the object.
    Inner(u32, u32),
    /// The head stored it in this slot.
    Slot(u32),
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

/// One instruction of a guard or a body, for a stack machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    /// Pushes a constant.
    Constant(Constant),
    /// Pushes a variable's value.
    Var(Var),
    /// Pushes the object.
    Object,
    /// Pushes the pid of the calling process.
    SelfPid,
    /// Takes the arguments, the last on top, and pushes the result.
    Call(Function),
    /// Takes so many booleans, pushes their conjunction.
    And(u32),
    /// Takes so many booleans, pushes their disjunction.
    Or(u32),
    /// Goes there if the top is false, else drops it: it must be true.
    AndAlso(u32),
    /// Goes there if the top is true, else drops it: it must be false.
    OrElse(u32),
    /// Builds a compound from these nodes; takes so many leaves from the stack.
    Build { nodes: Span, leaves: u32 },
    /// Takes a guard's value, which must be true.
    True,
    /// A comparison that must hold.
    Holds { relation: Relation, a: Operand, b: Operand },
    /// A type test that must hold.
    Typed { test: Type, of: Operand },
}

/// Something that a guard looks at without computing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    Constant(Constant),
    Var(Var),
}

impl Op {
    /// How many values more there are on the stack behind the instruction.
    pub(super) fn effect(self) -> i64 {
        match self {
            Op::Constant(_) | Op::Var(_) | Op::Object | Op::SelfPid => 1,
            Op::Call(function) => 1 - function.arity() as i64,
            Op::And(n) | Op::Or(n) | Op::Build { leaves: n, .. } => 1 - i64::from(n),
            Op::AndAlso(_) | Op::OrElse(_) | Op::True => -1,
            Op::Holds { .. } | Op::Typed { .. } => 0,
        }
    }
}

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
    /// The object.
    Object,
    /// A variable's value.
    Var(Var),
    /// A constant.
    Constant(Constant),
    /// A tuple of a few simple nodes.
    TupleOf(Span),
    /// A proper list of a few simple nodes.
    ListOf(Span),
    /// What these instructions leave on the stack.
    Code(Span),
}

/// One clause: `{Head, Guards, Body}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clause {
    pub head: Span,
    pub guard: Span,
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
    pub(super) slots: u32,
    /// The most values that are on the stack at once.
    pub(super) depth: usize,
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
            2 * self.parts.heads.len() + 3 * self.parts.code.len() + 2 * self.parts.nodes.len();
        self.spec().words() + constants + parts + 5 * self.parts.clauses.len()
    }

    /// True if [`Caller::node`](super::Caller::node) has to be known.
    pub fn asks_for_node(&self) -> bool {
        // What is local is of the caller's node.
        let asks = |op: &Op| matches!(op, Op::Call(Function::Node | Function::NodeOf));
        self.parts.code.iter().any(asks)
    }

    /// True if [`Caller::pid`](super::Caller::pid) has to be known.
    pub fn asks_for_self(&self) -> bool {
        self.parts.code.contains(&Op::SelfPid)
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
