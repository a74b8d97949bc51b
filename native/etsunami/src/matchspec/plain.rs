//! Plain patterns: one clause whose head is `'_'` or a small tuple of constants, `'_'` and variables,
//! each at most once, where an element may also be a tuple of such; whose guards compare one of
//! these variables with a small integer; and whose body is `'$_'`, `'$$'`, one variable or an atom.
//!
//! Most calls of `match`, `match_object` and `select` are of this kind, and many of them find one
//! object. What they cost is then the code and the data that they touch, which are not in the cache
//! if the caller has done anything else meanwhile. So nothing is compiled for them, and only the
//! head is encoded: a look over it fills a small struct, in little code and without an allocation.
//! Whatever is not plain is compiled, and so is what has to go on in another call: the place where
//! a search has stopped means the same to [`Program::plan`](super::Program::plan), which looks at
//! the same keys or ranges.

use crate::term::equal::equal;
use crate::term::layout::{IRREGULAR, Kind, block_ref, header, immediate, is_immediate};
use crate::term::order::compare;
use crate::term::probe::{Kept, SHORT};
use crate::term::view::{Roots, Term, View};

use super::bound::{Bound, Interval};
use super::few::Few;
use super::functions::Relation;
use super::glance::{Spot, inner};
use super::names::{Name, relation_of};
use super::plan::Access;
use super::run::Outcome;
use super::value::{Part, Subject};

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
    /// An element, or an element of it unless that is [`WHOLE`], has a relation to this small
    /// integer.
    Related(u8, u8, Relation, u64),
}

/// No element of an element.
const WHOLE: u8 = u8::MAX;

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
            Check::Related(i, WHOLE, relation, word) => {
                let root = subject.root(elements, i.into());
                if immediate::is_small(root) {
                    return relation.of((root as i64).cmp(&(word as i64)));
                }
                related(subject.element(i.into()), relation, word)
            }
            Check::Related(i, j, relation, word) => {
                related(subject.inner(i.into(), j.into()), relation, word)
            }
        }
    }
}

/// Compares by the term order, which no value makes fail.
fn related(part: Part<'_>, relation: Relation, word: u64) -> bool {
    let root;
    let term = match part {
        Part::Word(word) => {
            root = word;
            Term::immediate(&root)
        }
        Part::Term(term) => term,
        Part::Object => return false,
    };
    match relation {
        Relation::Exact => term.root() == word,
        Relation::NotExact => term.root() != word,
        relation => relation.of(compare(term, Term::immediate(&word))),
    }
}

/// What a match gives.
#[derive(Clone, Copy)]
enum Gives {
    Object,
    Var(Spot),
    Vars,
    Constant(u64),
}

/// A plain pattern.
pub struct Plain<'s> {
    /// The elements; none if it is `'_'`.
    head: Option<Roots<'s>>,
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
    /// The pattern `'_'`, which gives the object until [`Plain::body`] says something else.
    #[inline(always)]
    pub fn of_any() -> Plain<'s> {
        Plain {
            head: None,
            checks: [Check::Word(0, 0); CHECKS],
            conditions: 0,
            vars: [(0, Spot::Own(0)); VARS],
            bound: 0,
            gives: Gives::Object,
        }
    }

    /// Makes a fresh pattern that of a specification, if it is plain. The term is to be encoded as
    /// for [`Program::compile`](super::Program::compile).
    pub fn read(&mut self, spec: Term<'s>) -> Option<()> {
        let clause = only(spec)?.tuple()?;
        if clause.len() != 3 {
            return None;
        }
        match clause.get(0).tuple() {
            Some(head) => self.elements(head)?,
            None if Name::of_term(clause.get(0)) == Name::Any => (),
            None => return None,
        }
        if let View::List { elements, tail } = clause.get(1).view() {
            for guard in elements {
                let parts = guard.tuple().filter(|parts| parts.len() == 3)?;
                self.guard(parts.get(0).root(), parts.get(1).root(), parts.get(2).root())?;
            }
            Some(()).filter(|_| tail.root() == immediate::NIL)?;
        } else if clause.get(1).root() != immediate::NIL {
            return None;
        }
        self.body(Some(only(clause.get(2))?.root()).filter(|&root| immediate::is_atom(root))?)
    }

    /// Makes the head of a fresh pattern a tuple of `arity` elements. None if it is not plain.
    ///
    /// # Safety
    /// The words begin with `arity` well-formed root words, and hold their blocks.
    #[inline(always)]
    pub unsafe fn head(&mut self, words: &'s [u64], arity: usize) -> Option<()> {
        assert!(arity <= words.len(), "{arity} root words of {}", words.len());
        // SAFETY: by contract; borrowed, so that nobody writes.
        self.elements(unsafe { Roots::new(words.as_ptr(), arity) })
    }

    #[inline(always)]
    fn elements(&mut self, head: Roots<'s>) -> Option<()> {
        if head.len() > ARITY {
            return None;
        }
        self.head = Some(head);
        for (i, term) in head.enumerate() {
            self.element(i as u8, term)?;
        }
        Some(())
    }

    /// Sets the only expression of the body, an atom. None if the body is not plain.
    #[inline]
    pub fn body(&mut self, atom: u64) -> Option<()> {
        self.gives = match Name::of(atom) {
            Name::Object => Gives::Object,
            Name::Bindings => Gives::Vars,
            Name::Variable(number) => Gives::Var(self.find(number)?),
            Name::Plain => Gives::Constant(atom),
            Name::Any => return None,
        };
        Some(())
    }

    /// Adds the guard `{name, A, B}`, of three immediates: a comparison of a variable with a small
    /// integer. None if the guard is not plain.
    pub fn guard(&mut self, name: u64, a: u64, b: u64) -> Option<()> {
        if !immediate::is_atom(name) {
            return None;
        }
        let relation = relation_of(name)?;
        let (variable, relation, word) = match (immediate::is_small(a), immediate::is_small(b)) {
            (false, true) => (a, relation, b),
            (true, false) => (b, relation.turned(), a),
            _ => return None,
        };
        if !immediate::is_atom(variable) {
            return None;
        }
        let Name::Variable(number) = Name::of(variable) else { return None };
        let (i, part) = match self.find(number)? {
            Spot::Own(i) => (i, WHOLE),
            Spot::Inner(i, j) => (i, u8::try_from(j).ok().filter(|&j| j != WHOLE)?),
        };
        self.check(Check::Related(i as u8, part, relation, word))
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
        let (Some(elements), Some(head)) = (subject.stored(), &self.head) else {
            return self.head.is_none();
        };
        if elements.len() != head.len() {
            return false;
        }
        for check in &self.checks[..self.conditions] {
            if !check.holds(subject, elements) {
                return false;
            }
        }
        true
    }

    /// Tells what an object gives that matches.
    #[inline(always)]
    pub(crate) fn give<T>(&self, subject: &Subject, take: impl FnOnce(Outcome<'_>) -> T) -> T {
        let mut row = [Part::Object; VARS];
        take(match self.gives {
            Gives::Object => Outcome::Part(Part::Object),
            Gives::Constant(word) => Outcome::Part(Part::Word(word)),
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
    /// The key of the objects that can match, if the head tells it.
    #[inline]
    pub fn key(&self, keypos: usize) -> Option<Term<'_>> {
        let key = self.head.filter(|head| head.len() >= keypos)?.get(keypos - 1);
        let known = match key.tuple() {
            None => is_known(key),
            Some(mut parts) => parts.all(is_known),
        };
        known.then_some(key)
    }

    /// Where the objects that can match are, in a table with this key position (from 1), ordered or
    /// hashed. None if telling it takes the long way.
    #[inline(never)]
    pub fn access(&self, keypos: usize, ordered: bool) -> Option<Access> {
        let Some(head) = &self.head else { return Some(Access::Scan) };
        if head.len() < keypos {
            return Some(Access::Keys(Few::new()));
        }
        let key = head.get(keypos - 1);
        if self.is_limited(keypos - 1, ordered) {
            return None;
        }
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

impl Plain<'_> {
    /// True if a guard tells where the keys are that can match, this element being the key: any in
    /// an ordered table, in others one that the key be `=:=` to something.
    fn is_limited(&self, key: usize, ordered: bool) -> bool {
        self.checks[..self.conditions].iter().any(|check| match *check {
            Check::Related(i, part, relation, _) if usize::from(i) == key => {
                ordered || (part == WHOLE && relation == Relation::Exact)
            }
            _ => false,
        })
    }

    /// The atom that each match gives, if it is always the same.
    #[inline]
    pub fn constant(&self) -> Option<u64> {
        match self.gives {
            Gives::Constant(atom) => Some(atom),
            _ => None,
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
