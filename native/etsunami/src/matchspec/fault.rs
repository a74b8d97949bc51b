//! What is wrong with a match specification, in ETS's words.

use crate::term::view::Term;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// The specification is no list.
    NotAList,
    /// The specification is an improper list.
    ImproperList,
    /// A clause is no tuple of three.
    NotAClause,
    /// A variable as a key of a map in the head.
    VariableAsKey,
    /// `'_'` as a key of a map in the head.
    AnyAsKey,
    /// The body is empty or no list.
    NoResult,
    /// The guards are no list.
    NotExpressions,
    /// The guards or the body are an improper list.
    ImproperExpressions,
    /// A tuple that is neither a call nor `{{…}}`.
    NotACall,
    /// A variable that the head does not bind.
    Unbound(u32),
    /// A call of a function that does not exist, with so many arguments.
    UnknownFunction(usize),
    /// A function that only trace specifications may call, with so many arguments.
    TraceFunction(usize),
    /// A special form that only trace specifications know.
    TraceForm(&'static str),
    /// A special form that needs arguments.
    NoArguments(&'static str),
    /// `const` with other than one argument.
    ConstArguments,
    /// `self` with arguments.
    SelfArguments,
}

/// A problem and the term that has it.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'s> {
    /// What is wrong.
    pub problem: Problem,
    /// The term that the message shows, where it shows one.
    pub term: Option<Term<'s>>,
}

impl Fault<'_> {
    /// The message; `shown` is the term as the shell prints it.
    pub fn message(&self, shown: &str) -> String {
        match self.problem {
            Problem::NotAList => "Match programs are not in a list.".into(),
            Problem::ImproperList => "Match programs are not in a proper list.".into(),
            Problem::NotAClause => "Match program part is not a tuple of arity 3.".into(),
            Problem::VariableAsKey => "Variable found in map key.".into(),
            Problem::AnyAsKey => "Underscore found in map key.".into(),
            Problem::NoResult => "Body clause does not return anything.".into(),
            Problem::NotExpressions => "Match expression is not a list.".into(),
            Problem::ImproperExpressions => "Match expression is not a proper list.".into(),
            Problem::NotACall => format!(
                "{shown} is neither a function call, nor a tuple (tuples are written {{{{ ... }}}})."
            ),
            Problem::Unbound(number) => format!("Variable ${number} is unbound."),
            Problem::UnknownFunction(n) => format!("Function {shown}/{n} does_not_exist."),
            Problem::TraceFunction(n) => {
                format!("Function {shown}/{n} cannot be called in this context.")
            }
            Problem::TraceForm(name) => format!("Special form '{name}' used in wrong dialect."),
            Problem::NoArguments(name) => {
                format!("Special form '{name}' called without arguments in {shown}.")
            }
            Problem::ConstArguments => {
                format!("Special form 'const' called with more than one argument in {shown}.")
            }
            Problem::SelfArguments => {
                format!("Special form 'self' called with arguments in {shown}.")
            }
        }
    }
}
