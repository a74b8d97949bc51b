//! Whether a specification keeps the key of what it replaces, which `select_replace` demands. It is
//! proven from the text alone, by the rules of ETS: a clause's body is `'$_'`, or constructs a tuple
//! whose key is told to be what the head has matched at the key's place, term by term.

use crate::term::equal::equal;
use crate::term::layout::immediate;
use crate::term::view::{Roots, Term, View};

use super::call::list;
use super::compile::clauses;
use super::names::{Name, text};
use super::program::Program;
use super::value::Value;

impl Program {
    /// True if each clause, where it gives a tuple, gives one with the object's key. Positions
    /// count from 1.
    pub fn keeps_key(&self, keypos: usize) -> bool {
        clauses(self.spec())
            .is_ok_and(|mut clauses| clauses.all(|parts| clause_keeps_key(&parts, keypos)))
    }
}

fn clause_keeps_key(parts: &Roots, keypos: usize) -> bool {
    let (head, body) = (parts.get(0), parts.get(2));
    let View::List { elements, tail } = body.view() else { return false };
    if elements.len() != 1 || tail.root() != immediate::NIL {
        return false;
    }
    let body = elements.get(0);
    if Name::of_term(body) == Name::Object {
        return true;
    }
    let (Some(matched), Some((built, constant))) = (element(head, keypos), construction(body))
    else {
        return false;
    };
    let Some(key) = element(built, keypos) else { return false };
    same(matched, key, constant) || (!constant && is_key_of_object(key, keypos))
}

fn element<'s>(tuple: Term<'s>, position: usize) -> Option<Term<'s>> {
    match tuple.view() {
        View::Tuple(elements) => {
            (1..=elements.len()).contains(&position).then(|| elements.get(position - 1))
        }
        _ => None,
    }
}

/// The tuple that a body constructs, and whether it stands in a `{const, …}`.
fn construction<'s>(body: Term<'s>) -> Option<(Term<'s>, bool)> {
    let View::Tuple(parts) = body.view() else { return None };
    match parts.len() {
        1 => Some((parts.get(0), false)),
        2 if is_atom(parts.get(0), b"const") => Some((parts.get(1), true)),
        _ => None,
    }
}

fn is_atom(term: Term, name: &[u8]) -> bool {
    matches!(term.view(), View::Atom(atom) if text(atom) == name)
}

/// `{element, KeyPos, '$_'}`
fn is_key_of_object(term: Term, keypos: usize) -> bool {
    match term.view() {
        View::Tuple(parts) if parts.len() == 3 => {
            is_atom(parts.get(0), b"element")
                && matches!(parts.get(1).view(), View::Small(at) if at == keypos as i64)
                && Name::of_term(parts.get(2)) == Name::Object
        }
        _ => false,
    }
}

enum Work<'s> {
    Pair(Value<'s>, Value<'s>),
    /// A `{const, …}` ends.
    ConstantEnds,
}

/// What a step tells.
enum Step<'s> {
    Different,
    Same,
    /// Compare these instead, and behind them nothing is constant any more.
    Constant(Value<'s>),
}

/// True if an expression always gives what a pattern has matched.
fn same<'s>(pattern: Term<'s>, expression: Term<'s>, constant: bool) -> bool {
    let mut constant = constant;
    let mut works = vec![Work::Pair(Value::of(pattern), Value::of(expression))];
    while let Some(work) = works.pop() {
        let Work::Pair(a, b) = work else {
            constant = false;
            continue;
        };
        match step(a, b, constant, &mut works) {
            Step::Different => return false,
            Step::Same => (),
            Step::Constant(b) => {
                constant = true;
                works.push(Work::ConstantEnds);
                works.push(Work::Pair(a, b));
            }
        }
    }
    true
}

fn step<'s>(a: Value<'s>, b: Value<'s>, constant: bool, works: &mut Vec<Work<'s>>) -> Step<'s> {
    if let Ok(right) = list(b) {
        let Ok(left) = list(a) else { return Step::Different };
        let n = left.len().min(right.len());
        works.push(Work::Pair(left.behind(n), right.behind(n)));
        works.extend((0..n).map(|i| Work::Pair(left.get(i), right.get(i))));
        return Step::Same;
    }
    match b {
        Value::Word(word) => immediates(a, word, constant),
        Value::Block(term) => match term.view() {
            View::Tuple(parts) => tuples(a, parts, constant, works),
            // What other pairs the matched map has is not known.
            View::Map(_) => Step::Different,
            _ => match a {
                Value::Block(other) if equal(other, term) => Step::Same,
                _ => Step::Different,
            },
        },
        Value::Rest(..) | Value::Object => Step::Different,
    }
}

fn immediates<'s>(a: Value<'s>, word: u64, constant: bool) -> Step<'s> {
    if !matches!(a, Value::Word(other) if other == word) {
        return Step::Different;
    }
    let name = if immediate::is_atom(word) { Name::of(word) } else { Name::Plain };
    match name {
        Name::Plain => Step::Same,
        Name::Variable(_) if !constant => Step::Same,
        _ => Step::Different,
    }
}

fn tuples<'s>(
    a: Value<'s>,
    parts: Roots<'s>,
    constant: bool,
    works: &mut Vec<Work<'s>>,
) -> Step<'s> {
    let mut right = parts;
    if !constant {
        match parts.len() {
            1 => match parts.get(0).view() {
                View::Tuple(elements) => right = elements,
                _ => return Step::Different,
            },
            2 if is_atom(parts.get(0), b"const") => return Step::Constant(Value::of(parts.get(1))),
            _ => return Step::Different,
        }
    }
    let Value::Block(term) = a else { return Step::Different };
    match term.view() {
        View::Tuple(left) if left.len() == right.len() => {
            works.extend(left.zip(right).map(|(a, b)| Work::Pair(Value::of(a), Value::of(b))));
            Step::Same
        }
        _ => Step::Different,
    }
}
