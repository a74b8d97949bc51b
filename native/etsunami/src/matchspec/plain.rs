//! Plain patterns: one clause without guards whose head is a small tuple of constants, `'_'` and
//! variables, each at most once, where an element may also be a tuple of such, and whose body is
//! `'$_'`, `'$$'` or one variable.
//!
//! Most calls of `match` and `match_object` are of this kind, and many of them find one object. What
//! they cost is then the code and the data that they touch, which are not in the cache if the
//! caller has done anything else meanwhile. So nothing is compiled for them: a look over the
//! encoded specification fills a small struct, in little code and without an allocation. Whatever
//! is not plain is compiled, and so is what has to go on in another call: the place where a search
//! has stopped means the same to [`Program::plan`](super::Program::plan), which looks at the same
//! keys or ranges.

use crate::term::equal::equal;
use crate::term::layout::{IRREGULAR, Kind, block_ref, header, immediate, is_immediate};
use crate::term::probe::{Kept, SHORT};
use crate::term::view::{Roots, Term, View};

use super::bound::{Bound, Interval};
use super::few::Few;
use super::glance::{Spot, inner};
use super::names::Name;
use super::plan::Access;
use super::run::Outcome;
use super::value::{Part, Subject};

/// The words of the longest specification.
const WORDS: usize = 64;
/// The most elements of a head.
const ARITY: usize = 16;
/// The most conditions.
const CHECKS: usize = 16;
/// The most variables.
const VARS: usize = 8;
/// The most elements of a key of which the first are known: the root word, the header and one float
/// are the rest of a range's end.
const KEY: usize = SHORT - 3;

/// Something that has to be so. What is said of the elements of a tuple comes behind the tuple.
#[derive(Clone, Copy)]
enum Check<'s> {
    /// An element is this immediate.
    Word(u8, u64),
    /// An element of an element is this immediate.
    Inner(u8, u8, u64),
    /// An element is a tuple of this arity.
    Tuple(u8, u32),
    /// An element is `=:=` to this term.
    Equal(u8, Term<'s>),
}

impl Check<'_> {
    #[inline(always)]
    fn holds(self, subject: &Subject, elements: Roots) -> bool {
        match self {
            Check::Word(i, word) => subject.root(elements, i.into()) == word,
            Check::Inner(i, j, word) => {
                inner(subject, i.into()).is_some_and(|inner| inner.get(j.into()).root() == word)
            }
            Check::Tuple(i, arity) => {
                inner(subject, i.into()).is_some_and(|inner| inner.len() == arity as usize)
            }
            Check::Equal(i, constant) => match subject.element(i.into()) {
                Part::Term(term) => equal(term, constant),
                _ => false,
            },
        }
    }
}

/// What a match gives.
#[derive(Clone, Copy)]
enum Gives {
    Object,
    Var(Spot),
    Vars,
}

/// A plain pattern.
pub struct Plain<'s> {
    head: Roots<'s>,
    checks: [Check<'s>; CHECKS],
    conditions: usize,
    /// In the order of their numbers.
    vars: [(u32, Spot); VARS],
    bound: usize,
    gives: Gives,
}

impl std::fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain").field("head", &self.head).finish_non_exhaustive()
    }
}

impl<'s> Plain<'s> {
    /// A specification, if it is a plain pattern. The term is to be encoded as for
    /// [`Program::compile`](super::Program::compile).
    #[inline(never)]
    pub fn of(spec: Term<'s>) -> Option<Plain<'s>> {
        let clause = if spec.words() > WORDS { None } else { only(spec)?.tuple() }?;
        if clause.len() != 3 || clause.get(1).root() != immediate::NIL {
            return None;
        }
        let (head, body) = (clause.get(0).tuple()?, only(clause.get(2))?);
        if head.len() > ARITY || !immediate::is_atom(body.root()) {
            return None;
        }
        let mut plain = Plain {
            head,
            checks: [Check::Word(0, 0); CHECKS],
            conditions: 0,
            vars: [(0, Spot::Own(0)); VARS],
            bound: 0,
            gives: Gives::Object,
        };
        for (i, term) in head.enumerate() {
            plain.element(i as u8, term)?;
        }
        plain.gives = match Name::of(body.root()) {
            Name::Object => Gives::Object,
            Name::Bindings => Gives::Vars,
            Name::Variable(number) => Gives::Var(plain.find(number)?),
            Name::Any | Name::Plain => return None,
        };
        Some(plain)
    }

    fn element(&mut self, i: u8, term: Term<'s>) -> Option<()> {
        let root = term.root();
        if is_immediate(root) {
            return self.immediate(root, Spot::Own(i.into()), Check::Word(i, root));
        }
        match term.view() {
            View::Tuple(parts) => {
                self.check(Check::Tuple(i, parts.len() as u32))?;
                for (j, part) in parts.enumerate() {
                    let word = Some(part.root()).filter(|&word| is_immediate(word))?;
                    let (at, check) =
                        (Spot::Inner(i.into(), j as u32), Check::Inner(i, j as u8, word));
                    self.immediate(word, at, check)?;
                }
                Some(())
            }
            // A zero is compared bit by bit.
            View::Float(0.0) => None,
            View::List { .. } | View::Map(_) => None,
            _ => self.check(Check::Equal(i, term)),
        }
    }

    /// An immediate of the head: a name, or a constant.
    fn immediate(&mut self, word: u64, at: Spot, check: Check<'s>) -> Option<()> {
        if immediate::is_atom(word) {
            match Name::of(word) {
                Name::Any => return Some(()),
                Name::Variable(number) => return self.bind(number, at),
                Name::Object | Name::Bindings | Name::Plain => (),
            }
        }
        self.check(check)
    }

    fn check(&mut self, check: Check<'s>) -> Option<()> {
        *self.checks.get_mut(self.conditions)? = check;
        self.conditions += 1;
        Some(())
    }

    /// Binds a variable; none if it is bound already.
    fn bind(&mut self, number: u32, at: Spot) -> Option<()> {
        let vars = &self.vars[..self.bound];
        if self.bound == VARS || vars.iter().any(|&(known, _)| known == number) {
            return None;
        }
        let mut place = self.bound;
        while place > 0 && self.vars[place - 1].0 > number {
            self.vars[place] = self.vars[place - 1];
            place -= 1;
        }
        self.vars[place] = (number, at);
        self.bound += 1;
        Some(())
    }

    fn find(&self, number: u32) -> Option<Spot> {
        self.vars[..self.bound].iter().find(|&&(known, _)| known == number).map(|&(_, at)| at)
    }

    /// True if a stored object matches.
    #[inline(always)]
    pub(crate) fn matches(&self, subject: &Subject) -> bool {
        let Some(elements) = subject.stored() else { return false };
        elements.len() == self.head.len()
            && self.checks[..self.conditions].iter().all(|check| check.holds(subject, elements))
    }

    /// Tells what an object gives that matches.
    #[inline(always)]
    pub(crate) fn give<T>(&self, subject: &Subject, take: impl FnOnce(Outcome<'_>) -> T) -> T {
        let mut row = [Part::Object; VARS];
        take(match self.gives {
            Gives::Object => Outcome::Part(Part::Object),
            Gives::Var(at) => Outcome::Part(at.part(subject)),
            Gives::Vars => {
                for (part, (_, at)) in row.iter_mut().zip(&self.vars[..self.bound]) {
                    *part = at.part(subject);
                }
                Outcome::List(&row[..self.bound])
            }
        })
    }
}

impl Spot {
    #[inline(always)]
    fn part<'r>(self, subject: &Subject<'r>) -> Part<'r> {
        match self {
            Spot::Own(i) => subject.element(i as usize),
            Spot::Inner(i, j) => subject.inner(i as usize, j as usize),
        }
    }
}

/// The only element of a list.
fn only(list: Term) -> Option<Term> {
    match list.view() {
        View::List { elements, tail } if elements.len() == 1 && tail.root() == immediate::NIL => {
            Some(elements.get(0))
        }
        _ => None,
    }
}

/// Where to look.
impl Plain<'_> {
    /// Where the objects that can match are, in a table with this key position (from 1), ordered or
    /// hashed. None if telling it takes the long way.
    #[inline(never)]
    pub fn access(&self, keypos: usize, ordered: bool) -> Option<Access> {
        if self.head.len() < keypos {
            return Some(Access::Keys(Few::new()));
        }
        let key = self.head.get(keypos - 1);
        let (known, n) = match key.tuple() {
            None => (usize::from(is_known(key)), 1),
            Some(parts) => (parts.take_while(|&part| is_known(part)).count(), parts.len()),
        };
        let is_tuple = !is_immediate(key.root()) && Kind::of(key.root()) == Kind::Tuple;
        match (known == n, ordered && is_tuple) {
            (true, _) => Some(Access::Keys(Few::One(Kept::new(key)))),
            (_, false) => Some(Access::Scan),
            (_, true) if n > KEY => None,
            (_, true) => {
                let low = Some(end(key, known, false));
                let high = Some(end(key, known, true));
                Some(Access::Ranges(Few::One(Interval { low, high })))
            }
        }
    }
}

/// True for a part of a plain pattern that is no name.
fn is_known(part: Term) -> bool {
    let word = part.root();
    !immediate::is_atom(word) || !matches!(Name::of(word), Name::Any | Name::Variable(_))
}

/// One end of the range of the tuples that begin with the `known` first elements of a key, which are
/// immediates: behind them everything is below or above all terms.
fn end(key: Term, known: usize, high: bool) -> Bound {
    let parts = key.tuple().expect("a tuple, as the caller has seen");
    let (n, mut words) = (parts.len(), [immediate::NIL; SHORT]);
    let float = 2 + n;
    words[0] = block_ref(Kind::Tuple, 1);
    // Compared piece by piece, whatever it holds.
    words[1] = header(n, 2 + n) | IRREGULAR;
    words[float] = f64::NEG_INFINITY.to_bits();
    for (i, part) in parts.enumerate() {
        let at = 2 + i;
        words[at] = match (i < known, high) {
            (true, _) => part.root(),
            (_, true) => immediate::GREATEST,
            (_, false) => block_ref(Kind::Float, float - at),
        };
    }
    // SAFETY: a tuple of immediates, which hold no keepers, and of references to one float behind
    // them, within the block that the header tells: at most `KEY` elements were let in.
    Bound { key: unsafe { Kept::of_words(words) }, inclusive: true }
}
