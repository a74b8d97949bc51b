//! Where the objects that a specification may match are to be looked for.
//!
//! Each clause is judged on its own by its head's key and its guards; the whole is the union. A key
//! without variables is looked up. In an ordered table, a tuple or list whose first elements are
//! known is a range; so is a variable that guards compare with constants, be it the whole key or
//! the first unknown thing in it. Only guards that must be true count: all of the list, and what `and`
//! and `andalso` join.
//!
//! A plan never decides what matches: the program runs over all that the plan finds. So it may be
//! wider than necessary (`1` stands for `1.0` too), never narrower.

use std::cmp::Ordering;

use crate::term::buffer::Buffer;
use crate::term::equal::equal;
use crate::term::order::compare;
use crate::term::probe::Kept;
use crate::term::stack::Stack;
use crate::term::view::{Roots, Term, View};

use super::bound::{Bound, Interval, Limit, Side, Spine, union};
use super::compile::clauses;
use super::expr::{Simple, simple};
use super::few::Few;
use super::functions::{Function, Relation};
use super::head::is_known;
use super::names::{Form, Name};
use super::program::Program;

/// Where to look.
#[derive(Debug)]
pub enum Access {
    /// At these keys, all different. (In the term order if the table is ordered.)
    Keys(Few<Kept>),
    /// In these ranges: disjoint, in ascending order.
    Ranges(Few<Interval>),
    /// Everywhere.
    Scan,
}

/// Why a clause looks where it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The head's key has no variables.
    BoundKey,
    /// A guard tells the key.
    KeyByGuard,
    /// The first elements of the key are bound.
    Prefix,
    /// Guards limit the key.
    GuardedKey,
    /// The first elements of the key are bound, and guards limit the next one.
    GuardedPrefix,
    /// The key has to be a tuple of a certain size, or a list.
    Shape,
    /// No object is large enough to have a key and fit the head.
    TooSmall,
    /// Guards contradict each other.
    Contradiction,
    /// The head does not tell the key.
    Unbound,
    /// The head tells parts of the key, which does not help in a hash table.
    Hashed,
}

impl Reason {
    /// The reason in words.
    pub fn text(self) -> &'static str {
        match self {
            Reason::BoundKey => "the key is bound",
            Reason::KeyByGuard => "a guard binds the key",
            Reason::Prefix => "the first elements of the key are bound",
            Reason::GuardedKey => "guards limit the key",
            Reason::GuardedPrefix => {
                "the first elements of the key are bound, and guards limit the next one"
            }
            Reason::Shape => "the head tells the shape of the key",
            Reason::TooSmall => "no object that has a key fits the head",
            Reason::Contradiction => "the guards contradict each other",
            Reason::Unbound => "nothing binds or limits the key",
            Reason::Hashed => {
                "only a part of the key is bound or limited, and hash tables have no order"
            }
        }
    }
}

/// How a specification will run.
#[derive(Debug)]
pub struct Plan {
    /// Where to look.
    pub access: Access,
    /// Why, for each clause.
    pub reasons: Few<Reason>,
}

/// The words that the ends of most ranges fit into.
const ROOM: usize = 64;

/// Where one clause looks.
enum Place {
    Key(Kept),
    Range(Interval),
    Nowhere,
    Everywhere,
}

impl Program {
    /// The plan for a table with this key position (from 1), ordered or hashed.
    pub fn plan(&self, keypos: usize, ordered: bool) -> Plan {
        let (mut places, mut reasons) = (Few::new(), Few::new());
        for parts in clauses(self.spec()).into_iter().flatten() {
            let (place, reason) = Judge::new(&parts, keypos, ordered).judge();
            places.push(place);
            reasons.push(reason);
        }
        let access = match places {
            Few::One(place) => alone(place),
            Few::Many(places) => unite(places, ordered),
        };
        Plan { access, reasons }
    }
}

/// What the only clause looks at.
fn alone(place: Place) -> Access {
    match place {
        Place::Key(key) => Access::Keys(Few::One(key)),
        Place::Range(interval) => Access::Ranges(Few::One(interval)),
        Place::Nowhere => Access::Keys(Few::new()),
        Place::Everywhere => Access::Scan,
    }
}

/// The union of what the clauses look at.
fn unite(places: Vec<Place>, ordered: bool) -> Access {
    if places.iter().any(|place| matches!(place, Place::Everywhere)) {
        return Access::Scan;
    }
    if places.iter().any(|place| matches!(place, Place::Range(_))) {
        let intervals = places.into_iter().filter_map(interval).collect();
        return Access::Ranges(union(intervals).into());
    }
    let mut keys: Vec<Kept> = Vec::new();
    for place in places {
        if let Place::Key(key) = place {
            keys.push(key);
        }
    }
    Access::Keys(distinct(keys, ordered).into())
}

/// Different keys. Hash tables tell `1` from `1.0`; sorting puts equal ones side by side there too,
/// but for `==` ones that alternate, which a second look costs less than a search.
fn distinct(mut keys: Vec<Kept>, ordered: bool) -> Vec<Kept> {
    keys.sort_by(|a, b| match compare(a.term(), b.term()) {
        Ordering::Equal if !ordered => crate::term::order::compare_exact(a.term(), b.term()),
        order => order,
    });
    keys.dedup_by(|a, b| match ordered {
        true => compare(a.term(), b.term()).is_eq(),
        false => equal(a.term(), b.term()),
    });
    keys
}

fn interval(place: Place) -> Option<Interval> {
    match place {
        Place::Key(key) => Some(Interval::only(key.term())),
        Place::Range(interval) => Some(interval),
        Place::Nowhere | Place::Everywhere => None,
    }
}

/// What limits something from both sides.
#[derive(Clone, Copy, Default)]
struct Limits<'s> {
    low: Option<Limit<'s>>,
    high: Option<Limit<'s>>,
    /// It has to be this (`=:=`).
    exact: Option<Term<'s>>,
}

/// Judges one clause.
struct Judge<'s> {
    head: Term<'s>,
    guards: Term<'s>,
    keypos: usize,
    ordered: bool,
}

impl<'s> Judge<'s> {
    fn new(parts: &Roots<'s>, keypos: usize, ordered: bool) -> Judge<'s> {
        Judge { head: parts.get(0), guards: parts.get(1), keypos, ordered }
    }

    fn judge(&self) -> (Place, Reason) {
        match self.head.view() {
            View::Tuple(elements) if elements.len() < self.keypos => {
                (Place::Nowhere, Reason::TooSmall)
            }
            View::Tuple(elements) => self.judge_key(elements.get(self.keypos - 1)),
            View::Atom(atom) if Name::of(atom) != Name::Plain => self.judge_unknown(None),
            // No tuple is anything else.
            _ => (Place::Nowhere, Reason::TooSmall),
        }
    }

    fn judge_key(&self, key: Term<'s>) -> (Place, Reason) {
        if is_known(key) {
            return (Place::Key(Kept::new(key)), Reason::BoundKey);
        }
        match Name::of_term(key) {
            Name::Variable(number) => self.judge_unknown(Some(number)),
            Name::Any => self.judge_unknown(None),
            _ => self.judge_spine(key),
        }
    }

    /// The key as a whole is not known, but may be limited.
    fn judge_unknown(&self, variable: Option<u32>) -> (Place, Reason) {
        let limits = self.limits(|term| {
            self.is_key(term)
                || variable.is_some_and(|number| Name::of_term(term) == Name::Variable(number))
        });
        if let Some(exact) = limits.exact {
            return (Place::Key(Kept::new(exact)), Reason::KeyByGuard);
        }
        if limits.low.is_none() && limits.high.is_none() {
            return (Place::Everywhere, Reason::Unbound);
        }
        if !self.ordered {
            return (Place::Everywhere, Reason::Hashed);
        }
        let bound = |limit: Limit| Bound { key: Kept::new(limit.term), inclusive: limit.inclusive };
        let interval = Interval { low: limits.low.map(bound), high: limits.high.map(bound) };
        place(interval, Reason::GuardedKey)
    }

    /// Parts of the key are known.
    fn judge_spine(&self, key: Term<'s>) -> (Place, Reason) {
        let spine = Spine::of(key, is_known);
        let whole = self.limits(|term| self.is_key(term));
        if let Some(exact) = whole.exact {
            return (Place::Key(Kept::new(exact)), Reason::KeyByGuard);
        }
        if !spine.is_bound() {
            return self.judge_unknown(None);
        }
        if !self.ordered {
            return (Place::Everywhere, Reason::Hashed);
        }
        let limits = match spine.variable {
            Some(number) => self.limits(|term| Name::of_term(term) == Name::Variable(number)),
            None => Limits::default(),
        };
        let mut buffer = Buffer::with_capacity(ROOM);
        let low = spine.bound(Side::Low, limits.low, &mut buffer);
        let high = spine.bound(Side::High, limits.high, &mut buffer);
        let (Ok(low), Ok(high)) = (low, high) else { return (Place::Everywhere, Reason::Unbound) };
        let guarded = limits.low.is_some() || limits.high.is_some();
        let reason = match (spine.has_elements(), guarded) {
            (true, false) => Reason::Prefix,
            (false, false) => Reason::Shape,
            (_, true) => Reason::GuardedPrefix,
        };
        let interval = Interval { low: Some(low), high: Some(high) };
        if guarded { place(interval, reason) } else { (Place::Range(interval), reason) }
    }

    /// `{element, KeyPos, '$_'}`
    fn is_key(&self, term: Term<'s>) -> bool {
        match simple(term) {
            Simple::Call(Form::Call(Function::Element), parts) => {
                matches!(parts.get(1).view(), View::Small(at) if at == self.keypos as i64)
                    && Name::of_term(parts.get(2)) == Name::Object
            }
            _ => false,
        }
    }

    /// What the guards demand of the terms that `is` tells.
    fn limits(&self, is: impl Fn(Term<'s>) -> bool) -> Limits<'s> {
        let mut limits = Limits::default();
        let View::List { elements, .. } = self.guards.view() else { return limits };
        let mut guards: Stack<Term, 8> = Stack::new();
        guards.extend(elements);
        while let Some(guard) = guards.pop() {
            match simple(guard) {
                Simple::Call(Form::And | Form::AndAlso, parts) => guards.extend(parts.skip(1)),
                Simple::Call(Form::Call(Function::Compare(relation)), parts) => {
                    let (a, b) = (parts.get(1), parts.get(2));
                    match (is(a).then(|| constant(b)), is(b).then(|| constant(a))) {
                        (Some(Some(term)), _) => self.narrow(&mut limits, relation, term),
                        (_, Some(Some(term))) => self.narrow(&mut limits, relation.turned(), term),
                        _ => (),
                    }
                }
                _ => (),
            }
        }
        limits
    }

    fn narrow(&self, limits: &mut Limits<'s>, relation: Relation, term: Term<'s>) {
        let limit = |inclusive| Limit { term, inclusive };
        match relation {
            Relation::Less => lower(limits, limit(false)),
            Relation::LessOrEqual => lower(limits, limit(true)),
            Relation::Greater => raise(limits, limit(false)),
            Relation::GreaterOrEqual => raise(limits, limit(true)),
            Relation::Equal | Relation::Exact => {
                // `==` finds other keys of a hash table too.
                if self.ordered || relation == Relation::Exact {
                    limits.exact = limits.exact.or(Some(term));
                }
                lower(limits, limit(true));
                raise(limits, limit(true));
            }
            Relation::NotEqual | Relation::NotExact => (),
        }
    }
}

fn place(interval: Interval, reason: Reason) -> (Place, Reason) {
    if interval.is_empty() {
        (Place::Nowhere, Reason::Contradiction)
    } else {
        (Place::Range(interval), reason)
    }
}

fn lower<'s>(limits: &mut Limits<'s>, limit: Limit<'s>) {
    let tighter = limits.high.is_none_or(|old| match compare(limit.term, old.term) {
        Ordering::Less => true,
        Ordering::Equal => !limit.inclusive,
        Ordering::Greater => false,
    });
    if tighter {
        limits.high = Some(limit);
    }
}

fn raise<'s>(limits: &mut Limits<'s>, limit: Limit<'s>) {
    let tighter = limits.low.is_none_or(|old| match compare(limit.term, old.term) {
        Ordering::Greater => true,
        Ordering::Equal => !limit.inclusive,
        Ordering::Less => false,
    });
    if tighter {
        limits.low = Some(limit);
    }
}

/// The value of an expression that is `{const, X}` or a constant without construction.
fn constant<'s>(term: Term<'s>) -> Option<Term<'s>> {
    match simple(term) {
        Simple::Constant => Some(term),
        Simple::Call(Form::Const, parts) if parts.len() == 2 => Some(parts.get(1)),
        _ => None,
    }
}
