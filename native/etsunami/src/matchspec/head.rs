//! Compiles heads.
//!
//! A head is walked in depth-first order with an explicit stack. A subterm without variables is one
//! comparison; what is left are steps that go from compound to compound. A variable that is an
//! element of the object itself, or of a tuple that is one, needs no step at all, and `'_'` never
//! does.
//!
//! What a list's pattern ends with tells its length: a pattern whose tail is a variable or `'_'`
//! fits lists of at least its elements, any other lists of exactly them.

use crate::term::stack::Stack;
use crate::term::view::{Map, Roots, Term, View};

use super::bindings::Bindings;
use super::fault::Problem;
use super::names::Name;
use super::program::{Constant, Fetch, HeadOp, Program, Register, Span, Test, Var};

/// What is left to do, the next on top.
type Works<'s> = Stack<Work<'s>, 12>;

/// What is left to do.
#[derive(Clone, Copy)]
enum Work<'s> {
    Visit {
        term: Term<'s>,
        fetch: Fetch,
        home: Home,
    },
    /// Visit the elements of a tuple or list that are left, from this one on.
    Elements {
        rest: Roots<'s>,
        next: u32,
        home: Home,
    },
    Leave,
}

/// What a subterm is a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// The object.
    Object,
    /// A tuple that is this element of the object.
    Element(u32),
    /// Anything else.
    Deeper,
}

impl Home {
    /// What the elements of a tuple are parts of.
    fn of_elements(self, fetch: Fetch) -> Home {
        match (self, fetch) {
            (_, Fetch::Whole) => Home::Object,
            (Home::Object, Fetch::Nth(i)) => Home::Element(i),
            _ => Home::Deeper,
        }
    }
}

/// Compiles a head; gives its steps, its variables, and the number of registers that it needs.
pub(super) fn compile(
    program: &mut Program,
    head: Term,
) -> Result<(Span, Bindings, Register), Problem> {
    let start = program.parts.heads.len() as u32;
    let mut compiler = Compiler {
        program,
        head,
        ground: None,
        next: 0,
        bound: Bindings::new(),
        slots: 0,
        leave: 0,
    };
    compiler.walk()?;
    let (bound, slots) = (compiler.bound, compiler.slots);
    program.registers = program.registers.max(slots as usize);
    Ok((Span { start, end: program.parts.heads.len() as u32 }, bound, slots))
}

struct Compiler<'p, 's> {
    program: &'p mut Program,
    head: Term<'s>,
    /// Not looked for in a head that holds no other tuple or list.
    ground: Option<Ground>,
    /// The number of the next tuple or list, in depth-first order.
    next: usize,
    bound: Bindings,
    slots: u32,
    /// The compounds to be left before the next step.
    leave: u32,
}

impl<'s> Compiler<'_, 's> {
    fn walk(&mut self) -> Result<(), Problem> {
        let mut works = Works::new();
        works.push(Work::Visit { term: self.head, fetch: Fetch::Whole, home: Home::Deeper });
        while let Some(work) = works.pop() {
            match work {
                Work::Visit { term, fetch, home } => self.visit(term, fetch, home, &mut works)?,
                Work::Elements { rest, next, home } => {
                    self.elements(rest, next, home, &mut works)?;
                }
                Work::Leave => self.leave += 1,
            }
        }
        Ok(())
    }

    /// Visits elements up to the first that has parts to be visited before the others.
    fn elements(
        &mut self,
        mut rest: Roots<'s>,
        mut next: u32,
        home: Home,
        works: &mut Works<'s>,
    ) -> Result<(), Problem> {
        while let Some(term) = rest.next() {
            let fetch = Fetch::Nth(next);
            next += 1;
            match term.view() {
                View::Atom(atom) => self.atom(atom, fetch, home),
                View::Tuple(_) | View::List { .. } | View::Map(_) => {
                    works.push(Work::Elements { rest, next, home });
                    return self.visit(term, fetch, home, works);
                }
                _ => self.visit(term, fetch, home, works)?,
            }
        }
        Ok(())
    }

    fn emit(&mut self, fetch: Fetch, test: Test) {
        let leave = std::mem::take(&mut self.leave);
        self.program.parts.heads.push(HeadOp { leave, fetch, test });
    }

    fn visit(
        &mut self,
        term: Term<'s>,
        fetch: Fetch,
        home: Home,
        works: &mut Works<'s>,
    ) -> Result<(), Problem> {
        match term.view() {
            View::Atom(atom) => self.atom(atom, fetch, home),
            View::Float(value) => self.emit(fetch, Test::Float(value.to_bits())),
            View::Tuple(_) | View::List { .. } if self.constant(fetch) => self.equal(term, fetch),
            View::Tuple(elements) => {
                self.emit(fetch, Test::Tuple(elements.len() as u32));
                works.push(Work::Leave);
                let home = home.of_elements(fetch);
                works.push(Work::Elements { rest: elements, next: 0, home });
            }
            View::List { elements, tail } => self.list(elements, tail, fetch, works),
            View::Map(map) => self.map(map, fetch, works)?,
            _ => self.equal(term, fetch),
        }
        Ok(())
    }

    /// True if the tuple or list that is met now is a constant; what is in it is then passed over.
    /// Not for the whole object, which is no term.
    fn constant(&mut self, fetch: Fetch) -> bool {
        if fetch == Fetch::Whole {
            self.next += 1;
            return false;
        }
        let ground = self.ground.get_or_insert_with(|| Ground::of(self.head));
        let (constant, behind) = *ground.compounds.at(self.next);
        self.next = if constant { behind } else { self.next + 1 };
        constant
    }

    fn equal(&mut self, term: Term, fetch: Fetch) {
        let constant = self.program.intern(term);
        self.emit(fetch, Test::Equal(constant));
    }

    fn atom(&mut self, atom: u64, fetch: Fetch, home: Home) {
        match Name::of(atom) {
            // A key whose value may be anything still has to be there.
            Name::Any if matches!(fetch, Fetch::Key(_)) => self.emit(fetch, Test::Any),
            Name::Any => (),
            Name::Variable(number) => self.variable(number, fetch, home),
            _ => self.emit(fetch, Test::Equal(Constant::Word(atom))),
        }
    }

    fn variable(&mut self, number: u32, fetch: Fetch, home: Home) {
        if let Some(var) = self.bound.get(number) {
            return self.emit(fetch, Test::Same(var));
        }
        let var = match (home, fetch) {
            (Home::Object, Fetch::Nth(i)) => Var::Element(i),
            (Home::Element(element), Fetch::Nth(i)) => Var::Inner(element, i),
            _ => {
                self.slots += 1;
                self.emit(fetch, Test::Bind(self.slots - 1));
                Var::Slot(self.slots - 1)
            }
        };
        self.bound.insert(number, var);
    }

    fn list(&mut self, elements: Roots<'s>, tail: Term<'s>, fetch: Fetch, works: &mut Works<'s>) {
        let n = elements.len() as u32;
        let open = matches!(Name::of_term(tail), Name::Any | Name::Variable(_));
        self.emit(fetch, if open { Test::ListFrom(n) } else { Test::ListOf(n) });
        works.push(Work::Leave);
        works.push(Work::Visit { term: tail, fetch: Fetch::Tail(n), home: Home::Deeper });
        works.push(Work::Elements { rest: elements, next: 0, home: Home::Deeper });
    }

    fn map(&mut self, map: Map<'s>, fetch: Fetch, works: &mut Works<'s>) -> Result<(), Problem> {
        self.emit(fetch, Test::Map(map.len() as u32));
        works.push(Work::Leave);
        for i in (0..map.len()).rev() {
            match Name::of_term(map.key(i)) {
                Name::Variable(_) => return Err(Problem::VariableAsKey),
                Name::Any => return Err(Problem::AnyAsKey),
                _ => (),
            }
            let key = self.program.intern(map.key(i));
            works.push(Work::Visit {
                term: map.value(i),
                fetch: Fetch::Key(key),
                home: Home::Deeper,
            });
        }
        Ok(())
    }
}

/// Which tuples and lists of a head are constants: they hold no variable, no `'_'`, no map (which
/// matches larger ones too) and no float zero (which is compared bit by bit).
struct Ground {
    /// In depth-first order, tuples and lists only: whether it is constant, and the number of the
    /// next one that is not inside it.
    compounds: Stack<(bool, usize), 6>,
}

#[derive(Clone, Copy)]
enum Step<'s> {
    Enter(Term<'s>),
    Exit { at: usize, free: usize },
}

impl Ground {
    fn of(head: Term) -> Ground {
        let mut compounds = Stack::new();
        let mut free = 0;
        let mut steps: Stack<Step, 12> = Stack::new();
        steps.push(Step::Enter(head));
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter(term) => match term.view() {
                    View::Tuple(elements) => {
                        steps.push(Step::Exit { at: compounds.len(), free });
                        compounds.push((false, 0));
                        steps.extend(elements.rev().map(Step::Enter));
                    }
                    View::List { elements, tail } => {
                        steps.push(Step::Exit { at: compounds.len(), free });
                        compounds.push((false, 0));
                        steps.push(Step::Enter(tail));
                        steps.extend(elements.rev().map(Step::Enter));
                    }
                    View::Map(map) => {
                        free += 1;
                        steps.extend(map.values().rev().map(Step::Enter));
                    }
                    _ => free += usize::from(!is_constant(term)),
                },
                Step::Exit { at, free: before } => {
                    let behind = compounds.len();
                    *compounds.at(at) = (free == before, behind);
                }
            }
        }
        Ground { compounds }
    }
}

fn is_constant(term: Term) -> bool {
    match term.view() {
        View::Float(value) => value != 0.0,
        _ => !matches!(Name::of_term(term), Name::Any | Name::Variable(_)),
    }
}

/// True if a part of a head matches one term only: it holds no variable, no `'_'` and no map.
pub(super) fn is_known(term: Term) -> bool {
    match term.view() {
        View::Atom(atom) => !matches!(Name::of(atom), Name::Any | Name::Variable(_)),
        View::Tuple(_) | View::List { .. } => is_known_compound(term),
        View::Map(_) => false,
        _ => true,
    }
}

fn is_known_compound(term: Term) -> bool {
    let mut terms: Stack<Term, 12> = Stack::new();
    terms.push(term);
    while let Some(term) = terms.pop() {
        match term.view() {
            View::Tuple(elements) => terms.extend(elements),
            View::List { elements, tail } => {
                terms.push(tail);
                terms.extend(elements);
            }
            _ if !is_known(term) => return false,
            _ => (),
        }
    }
    true
}
