//! The atoms that mean something in a match specification.

use std::cell::Cell;

use crate::term::host::host;
use crate::term::view::{Term, View};

use super::functions::{Function, Relation};

/// The text of an atom.
pub(super) fn text(atom: u64) -> &'static [u8] {
    (host().atom_text)(atom)
}

/// The number of a variable `'$N'`. As in ETS, `'$01'` is an ordinary atom; so is a number beyond
/// 31 bits.
pub(super) fn variable(atom: u64) -> Option<u32> {
    let digits = text(atom).strip_prefix(b"$")?;
    if digits.is_empty() || digits.len() > 10 || (digits[0] == b'0' && digits.len() > 1) {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |sum, digit| {
        digit.is_ascii_digit().then(|| 10 * sum + u64::from(digit - b'0'))
    });
    number.filter(|&number| number <= i32::MAX as u64).map(|number| number as u32)
}

/// What an atom stands for in a head, a guard or a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    /// `'$N'`
    Variable(u32),
    /// `'_'`
    Any,
    /// `'$_'`
    Object,
    /// `'$$'`
    Bindings,
    /// Itself.
    Plain,
}

thread_local! {
    /// What the last atoms stood for: a specification asks several times for the same few, and their
    /// texts are far away in memory. (No word of an atom is 0.)
    static MEMO: [Cell<(u64, Name)>; 32] = const { [const { Cell::new((0, Name::Plain)) }; 32] };
}

impl Name {
    pub(super) fn of(atom: u64) -> Name {
        MEMO.with(|memo| {
            let place = &memo[(atom >> 6) as usize % memo.len()];
            let (known, name) = place.get();
            if known == atom {
                return name;
            }
            let name = Name::read(atom);
            place.set((atom, name));
            name
        })
    }

    fn read(atom: u64) -> Name {
        match text(atom) {
            b"_" => Name::Any,
            b"$_" => Name::Object,
            b"$$" => Name::Bindings,
            [b'$', ..] => variable(atom).map_or(Name::Plain, Name::Variable),
            _ => Name::Plain,
        }
    }

    /// What a term stands for, if it is an atom.
    pub(super) fn of_term(term: Term) -> Name {
        match term.view() {
            View::Atom(atom) => Name::of(atom),
            _ => Name::Plain,
        }
    }
}

thread_local! {
    /// The comparison that an atom named last.
    static RELATION: Cell<(u64, Relation)> = const { Cell::new((0, Relation::Equal)) };
}

/// The comparison that an atom is the name of.
pub(super) fn relation_of(atom: u64) -> Option<Relation> {
    let (known, relation) = RELATION.get();
    if known == atom {
        return Some(relation);
    }
    match Form::of(atom, 2) {
        Form::Call(Function::Compare(relation)) => {
            RELATION.set((atom, relation));
            Some(relation)
        }
        _ => None,
    }
}

/// What stands at the head of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Const,
    And,
    Or,
    AndAlso,
    OrElse,
    SelfPid,
    Call(Function),
    /// Allowed in trace specifications only; a special form.
    Trace(&'static str),
    /// Allowed in trace specifications only; a function.
    TraceFunction,
    Unknown,
}

/// The special forms that only trace specifications know.
const TRACE: [&str; 15] = [
    "message",
    "is_seq_trace",
    "set_seq_token",
    "get_seq_token",
    "return_trace",
    "exception_trace",
    "display",
    "process_dump",
    "enable_trace",
    "disable_trace",
    "trace",
    "caller",
    "caller_line",
    "current_stacktrace",
    "silent",
];

impl Form {
    /// The form of a name with so many arguments.
    pub(super) fn of(atom: u64, arity: usize) -> Form {
        match text(atom) {
            b"const" => Form::Const,
            b"and" => Form::And,
            b"or" => Form::Or,
            b"andalso" | b"andthen" => Form::AndAlso,
            b"orelse" => Form::OrElse,
            b"self" => Form::SelfPid,
            b"get_tcw" if arity == 0 => Form::TraceFunction,
            b"set_tcw" if arity == 1 => Form::TraceFunction,
            name => match TRACE.iter().find(|trace| trace.as_bytes() == name) {
                Some(trace) => Form::Trace(trace),
                None => Function::lookup(name, arity).map_or(Form::Unknown, Form::Call),
            },
        }
    }
}
