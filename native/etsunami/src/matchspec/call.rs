//! Calls of the functions that guards and bodies may call.

use std::cmp::Ordering;

use crate::term::equal::equal;
use crate::term::host::host;
use crate::term::layout::{self, Foreign, immediate};
use crate::term::number::Int;
use crate::term::order::{compare, compare_exact};
use crate::term::view::{Map, Roots, Term, View};

use super::arith::{self, Binary, Number, Undefined};
use super::functions::{Function, Measure, Relation, Type};
use super::heap::SystemLimit;
use super::packed::Packed;
use super::run::Run;
use super::value::{ListView, Part, Value};

/// Why a call has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// An exception.
    Exit,
    /// Too large.
    Limit,
}

impl From<Undefined> for Failure {
    fn from(_: Undefined) -> Failure {
        Failure::Exit
    }
}

impl From<SystemLimit> for Failure {
    fn from(_: SystemLimit) -> Failure {
        Failure::Limit
    }
}

type Result<'r> = std::result::Result<Value<'r>, Failure>;

impl<'r> Run<'r> {
    /// Calls a function. There are as many arguments as its arity.
    #[inline]
    pub(super) fn call(&self, function: Function, arguments: &[Value<'r>]) -> Result<'r> {
        match (function, arguments) {
            (Function::Is(test), &[a]) => Ok(self.boolean(self.is(test, a))),
            (Function::Compare(relation), &[a, b]) => {
                Ok(self.boolean(self.related(relation, a, b)?))
            }
            (Function::Binary(operator), &[a, b]) => self.binary(operator, a, b),
            (_, &[]) => Ok(Value::Word(self.caller.node)),
            (_, &[a]) => self.call_one(function, a),
            (_, &[a, b]) => self.call_two(function, a, b),
            (_, &[a, b, c]) => self.call_three(function, a, b, c),
            _ => Err(Failure::Exit),
        }
    }

    fn call_one(&self, function: Function, a: Value<'r>) -> Result<'r> {
        match function {
            Function::Unary(operator) => {
                let number = arith::unary(operator, self.number(a)?)?;
                Ok(self.value_of(number)?)
            }
            Function::Measure(measure) => {
                let size = self.measure(measure, a)?;
                self.small(size)
            }
            Function::Not => Ok(self.boolean(!self.truth(a)?)),
            Function::Head => Ok(list(a)?.get(0)),
            Function::Tail => Ok(list(a)?.behind(1)),
            Function::NodeOf => self.node_of(a),
            _ => Err(Failure::Exit),
        }
    }

    fn call_two(&self, function: Function, a: Value<'r>, b: Value<'r>) -> Result<'r> {
        match function {
            Function::Xor => Ok(self.boolean(self.truth(a)? != self.truth(b)?)),
            Function::Max => Ok(if self.compare(a, b)?.is_lt() { b } else { a }),
            Function::Min => Ok(if self.compare(a, b)?.is_gt() { b } else { a }),
            Function::Element => self.element(a, b),
            Function::MapGet => self.map_find(a, b)?.map(Value::of).ok_or(Failure::Exit),
            Function::IsMapKey => Ok(self.boolean(self.map_find(a, b)?.is_some())),
            Function::IsFunctionOfArity => Ok(self.boolean(self.is_function(a, b)?)),
            Function::BinaryPart => {
                let (position, length) = match self.elements(b) {
                    Some(pair) if pair.len() == 2 => (pair.get(0), pair.get(1)),
                    _ => return Err(Failure::Exit),
                };
                self.binary_part(a, Value::of(position), Value::of(length))
            }
            _ => Err(Failure::Exit),
        }
    }

    fn call_three(
        &self,
        function: Function,
        a: Value<'r>,
        b: Value<'r>,
        c: Value<'r>,
    ) -> Result<'r> {
        match function {
            Function::IsRecord => Ok(self.boolean(self.is_record(a, b, c)?)),
            Function::BinaryPartOf => self.binary_part(a, b, c),
            Function::IsIntegerBetween => {
                let bound = |value| self.integer(value).ok_or(Failure::Exit);
                let (low, high) = (bound(b)?, bound(c)?);
                let inside = self.integer(a).is_some_and(|n| low <= n && n <= high);
                Ok(self.boolean(inside))
            }
            _ => Err(Failure::Exit),
        }
    }

    /// The value of the calls that are made most, for the arguments that they are mostly made with;
    /// none where it takes [`Run::call`].
    #[inline(always)]
    pub(super) fn quick(
        &self,
        function: Function,
        a: Packed<'r>,
        b: Packed<'r>,
    ) -> Option<Packed<'r>> {
        let word = a.root();
        match function {
            Function::Binary(operator) => arith::small(operator, word, b.root()).map(Packed::word),
            Function::MapGet => self.quick_find(word, b)?.map(|found| Packed::of(Part::of(found))),
            Function::IsMapKey => {
                let found = self.quick_find(word, b)?.is_some();
                Some(Packed::word(self.program.atoms.boolean(found)))
            }
            Function::Element if immediate::is_small(word) => {
                // What is negative is more than all.
                let i = (immediate::small_value(word) as u64).wrapping_sub(1) as usize;
                match b.value() {
                    Value::Block(term) => {
                        let elements = term.tuple().filter(|elements| i < elements.len())?;
                        Some(Packed::of(Part::of(elements.get(i))))
                    }
                    Value::Object => {
                        let elements = self.subject.stored();
                        elements.filter(|elements| i < elements.len())?;
                        Some(Packed::of(self.subject.element(i)))
                    }
                    _ => None,
                }
            }
            Function::Unary(operator) if immediate::is_small(word) => {
                arith::small_unary(operator, word).map(Packed::word)
            }
            _ => None,
        }
    }

    /// What a map has for a key that is an immediate; none if these are something else.
    #[inline(always)]
    fn quick_find(&self, key: u64, map: Packed<'r>) -> Option<Option<Term<'r>>> {
        match map.value() {
            Value::Block(term) if layout::is_immediate(key) => {
                Some(find(term.map()?, Term::immediate(&key)))
            }
            _ => None,
        }
    }

    fn boolean(&self, value: bool) -> Value<'r> {
        Value::Word(self.program.atoms.boolean(value))
    }

    /// The truth of a boolean.
    pub(super) fn truth(&self, value: Value) -> std::result::Result<bool, Failure> {
        match value {
            Value::Word(word) if word == self.program.atoms.yes => Ok(true),
            Value::Word(word) if word == self.program.atoms.no => Ok(false),
            _ => Err(Failure::Exit),
        }
    }

    fn small(&self, size: usize) -> Result<'r> {
        Ok(self.value_of(Number::Int(Int::Small(size as i64)))?)
    }

    fn value_of(&self, number: Number) -> std::result::Result<Value<'r>, SystemLimit> {
        match number {
            Number::Int(value) => match value.to_immediate() {
                Some(word) => Ok(Value::Word(word)),
                None => self.heap.build(|buffer| Ok(value.to_buffer(buffer, 0)?)),
            },
            Number::Float(value) => self.heap.build(|buffer| Ok(buffer.float(0, value)?)),
        }
    }

    fn number(&self, value: Value) -> std::result::Result<Number, Failure> {
        match value {
            Value::Word(word) if immediate::is_small(word) => {
                Ok(Number::Int(Int::Small(immediate::small_value(word))))
            }
            Value::Block(term) => Ok(Number::of(term)?),
            _ => Err(Failure::Exit),
        }
    }

    fn integer(&self, value: Value) -> Option<Int> {
        match self.number(value) {
            Ok(Number::Int(value)) => Some(value),
            _ => None,
        }
    }

    #[inline]
    fn binary(&self, operator: Binary, a: Value<'r>, b: Value<'r>) -> Result<'r> {
        let number = arith::binary(operator, self.number(a)?, self.number(b)?)?;
        Ok(self.value_of(number)?)
    }

    pub(super) fn is(&self, test: Type, value: Value) -> bool {
        match value {
            Value::Word(word) => self.word_is(test, word),
            Value::Block(term) => block_is(test, term),
            Value::Rest(..) => test == Type::List,
            Value::Object => test == Type::Tuple,
        }
    }

    fn word_is(&self, test: Type, word: u64) -> bool {
        match test {
            Type::Atom => immediate::is_atom(word),
            Type::Boolean => self.truth(Value::Word(word)).is_ok(),
            Type::Integer | Type::Number => immediate::is_small(word),
            Type::List => word == immediate::NIL,
            Type::Pid => immediate::is_pid(word),
            Type::Port => immediate::is_port(word),
            _ => false,
        }
    }

    #[inline]
    pub(super) fn related(
        &self,
        relation: Relation,
        a: Value<'r>,
        b: Value<'r>,
    ) -> std::result::Result<bool, SystemLimit> {
        Ok(match relation {
            Relation::Exact => self.same(a, b)?,
            Relation::NotExact => !self.same(a, b)?,
            relation => relation.of(self.compare(a, b)?),
        })
    }

    /// The term order.
    #[inline]
    fn compare(&self, a: Value<'r>, b: Value<'r>) -> std::result::Result<Ordering, SystemLimit> {
        if let (Value::Word(x), Value::Word(y)) = (a, b)
            && immediate::is_small(x & y)
        {
            return Ok((x as i64).cmp(&(y as i64)));
        }
        let (mut x, mut y) = (0, 0);
        Ok(compare(self.term(a, &mut x)?, self.term(b, &mut y)?))
    }

    /// `=:=`
    #[inline]
    pub(super) fn same(
        &self,
        a: Value<'r>,
        b: Value<'r>,
    ) -> std::result::Result<bool, SystemLimit> {
        match (a, b) {
            (Value::Word(x), Value::Word(y)) => Ok(x == y),
            (Value::Word(_), _) | (_, Value::Word(_)) => Ok(false),
            _ => {
                let (mut x, mut y) = (0, 0);
                Ok(equal(self.term(a, &mut x)?, self.term(b, &mut y)?))
            }
        }
    }

    /// The elements of a tuple, where they stand. Those of the stored object, of which one may
    /// change, are to be read through [`Run::element`] only.
    fn elements(&self, value: Value<'r>) -> Option<Roots<'r>> {
        match value {
            Value::Object => self.subject.tuple(),
            Value::Block(term) => match term.view() {
                View::Tuple(elements) => Some(elements),
                _ => None,
            },
            _ => None,
        }
    }

    fn element(&self, position: Value<'r>, tuple: Value<'r>) -> Result<'r> {
        let elements = self.elements(tuple).ok_or(Failure::Exit)?;
        match position {
            Value::Word(word) if immediate::is_small(word) => {
                let i = immediate::small_value(word);
                if i < 1 || i as usize > elements.len() {
                    return Err(Failure::Exit);
                }
                Ok(self.element_at(tuple, elements, i as usize - 1))
            }
            _ => Err(Failure::Exit),
        }
    }

    fn element_at(&self, tuple: Value<'r>, elements: Roots<'r>, i: usize) -> Value<'r> {
        match tuple {
            Value::Object => self.subject.element(i).into(),
            _ => Value::of(elements.get(i)),
        }
    }

    fn measure(&self, measure: Measure, value: Value<'r>) -> std::result::Result<usize, Failure> {
        let bits = |value| match value {
            Value::Block(term) => Term::bit_string(term).map(|(bits, _)| bits),
            _ => None,
        };
        let size = match measure {
            Measure::Length => proper_length(value),
            Measure::TupleSize => self.elements(value).map(|elements| elements.len()),
            Measure::Size => {
                self.elements(value).map(|elements| elements.len()).or(bits(value).map(|n| n / 8))
            }
            Measure::MapSize => map(value).map(|map| map.len()),
            Measure::BitSize => bits(value),
            Measure::ByteSize => bits(value).map(|bits| bits.div_ceil(8)),
        };
        size.ok_or(Failure::Exit)
    }

    /// The value of a key in a map; an exception if the second argument is no map.
    fn map_find(
        &self,
        key: Value<'r>,
        of: Value<'r>,
    ) -> std::result::Result<Option<Term<'r>>, Failure> {
        let map = map(of).ok_or(Failure::Exit)?;
        let mut word = 0;
        Ok(find(map, self.term(key, &mut word)?))
    }

    fn is_record(
        &self,
        value: Value<'r>,
        tag: Value<'r>,
        size: Value<'r>,
    ) -> std::result::Result<bool, Failure> {
        let (tag, size) = match (tag, size) {
            (Value::Word(tag), Value::Word(size))
                if immediate::is_atom(tag) && immediate::is_small(size) =>
            {
                (tag, immediate::small_value(size))
            }
            _ => return Err(Failure::Exit),
        };
        let Some(elements) = self.elements(value).filter(|elements| elements.len() > 0) else {
            return Ok(false);
        };
        let first = self.element_at(value, elements, 0);
        Ok(size == elements.len() as i64 && matches!(first, Value::Word(word) if word == tag))
    }

    fn is_function(
        &self,
        value: Value<'r>,
        arity: Value<'r>,
    ) -> std::result::Result<bool, Failure> {
        let arity = self.integer(arity).filter(|arity| !arity.is_negative());
        let arity = arity.ok_or(Failure::Exit)?;
        Ok(match value {
            Value::Block(term) if block_is(Type::Function, term) => {
                let known = (host().fun_arity)(term);
                known.is_some_and(|known| arity == Int::Small(known as i64))
            }
            _ => false,
        })
    }

    /// A part of a binary; a negative length counts backwards.
    fn binary_part(&self, binary: Value<'r>, at: Value<'r>, length: Value<'r>) -> Result<'r> {
        let Value::Block(term) = binary else { return Err(Failure::Exit) };
        let (bits, bytes) = term.bit_string().ok_or(Failure::Exit)?;
        let (Some(Int::Small(at)), Some(Int::Small(length))) =
            (self.integer(at), self.integer(length))
        else {
            return Err(Failure::Exit);
        };
        let other = at.checked_add(length).ok_or(Failure::Exit)?;
        let (from, to) = (at.min(other), at.max(other));
        if from < 0 || to as u64 > bytes.len() as u64 || !bits.is_multiple_of(8) {
            return Err(Failure::Exit);
        }
        let part = &bytes[from as usize..to as usize];
        Ok(self.heap.build(|buffer| Ok(buffer.bits(0, part, 8 * part.len())?))?)
    }

    /// The node of a pid, port or reference.
    fn node_of(&self, value: Value<'r>) -> Result<'r> {
        match value {
            Value::Word(word) if immediate::is_pid(word) || immediate::is_port(word) => {
                Ok(Value::Word(self.caller.node))
            }
            Value::Block(term) if has_node(term) => {
                Ok(Value::Word((host().node_of)(term).unwrap_or(self.caller.node)))
            }
            _ => Err(Failure::Exit),
        }
    }
}

fn has_node(term: Term) -> bool {
    match term.view() {
        View::External(_) => true,
        View::Foreign(foreign) => foreign.what == Foreign::Reference,
        _ => false,
    }
}

fn block_is(test: Type, term: Term) -> bool {
    match (test, term.view()) {
        (Type::Float, View::Float(_))
        | (Type::Integer, View::Integer { .. })
        | (Type::Number, View::Float(_) | View::Integer { .. })
        | (Type::List, View::List { .. })
        | (Type::Tuple, View::Tuple(_))
        | (Type::Map, View::Map(_)) => true,
        (Type::Binary, _) => term.bit_string().is_some_and(|(bits, _)| bits.is_multiple_of(8)),
        (Type::BitString, _) => term.bit_string().is_some(),
        (Type::Function, View::Foreign(foreign)) => foreign.what == Foreign::Fun,
        (Type::Reference, View::Foreign(foreign)) => foreign.what == Foreign::Reference,
        (Type::Pid, View::External(etf)) => !is_port(etf),
        (Type::Port, View::External(etf)) => is_port(etf),
        _ => false,
    }
}

/// Port tags of the external term format; a leading version byte is skipped.
fn is_port(etf: &[u8]) -> bool {
    let tag = etf.iter().find(|&&byte| byte != 131);
    tag.is_some_and(|tag| b"fYx".contains(tag))
}

fn map<'r>(value: Value<'r>) -> Option<Map<'r>> {
    match value {
        Value::Block(term) => term.map(),
        _ => None,
    }
}

/// A list of at least one element.
pub(super) fn list<'r>(value: Value<'r>) -> std::result::Result<ListView<'r>, Failure> {
    let view = match value {
        Value::Block(term) => ListView::of(term, 0),
        Value::Rest(term, skip) => ListView::of(term, skip),
        _ => None,
    };
    view.ok_or(Failure::Exit)
}

fn proper_length(value: Value) -> Option<usize> {
    if matches!(value, Value::Word(immediate::NIL)) {
        return Some(0);
    }
    let list = list(value).ok()?;
    (list.tail.root() == immediate::NIL).then(|| list.len())
}

/// The value of a key.
#[inline]
pub(super) fn find<'r>(map: Map<'r>, key: Term) -> Option<Term<'r>> {
    /// Below this a scan is faster than a search.
    const FEW: usize = 16;
    let root = key.root();
    let keys = map.keys();
    let at = if let Some(words) = map.shared_keys() {
        words.iter().position(|&word| word == root)
    } else if layout::is_immediate(root) && map.len() <= FEW {
        (0..map.len()).find(|&i| keys.get(i).root() == root)
    } else if map.is_sorted() && map.len() > FEW {
        search(keys, key)
    } else {
        (0..map.len()).find(|&i| equal(keys.get(i), key))
    };
    at.map(|at| map.value(at))
}

fn search(keys: Roots, key: Term) -> Option<usize> {
    let (mut low, mut high) = (0, keys.len());
    while low < high {
        let middle = low.midpoint(high);
        match compare_exact(keys.get(middle), key) {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return Some(middle),
        }
    }
    None
}
