//! What is wrong with a match specification, in ETS's words.

use crate::term::view::Term;

/// The bytes of the longest message: ETS cuts what is longer.
const LONGEST: usize = 99;

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
    /// The message, in bytes; `shown` is the term as the VM prints it.
    pub fn message(&self, shown: &[u8]) -> Vec<u8> {
        let (before, after) = self.words();
        let shown = if self.term.is_some() { shown } else { &[] };
        let mut message = [before.as_bytes(), shown, after.as_bytes()].concat();
        message.truncate(LONGEST);
        message
    }

    /// What stands before and behind the term that is shown.
    fn words(&self) -> (String, String) {
        let whole = |text: &str| (text.into(), String::new());
        let function = |behind: String| ("Function ".into(), behind);
        let form = |what: String| (format!("Special form {what} in "), ".".into());
        match self.problem {
            Problem::NotAList => whole("Match programs are not in a list."),
            Problem::ImproperList => whole("Match programs are not in a proper list."),
            Problem::NotAClause => whole("Match program part is not a tuple of arity 3."),
            Problem::VariableAsKey => whole("Variable found in map key."),
            Problem::AnyAsKey => whole("Underscore found in map key."),
            Problem::NoResult => whole("Body clause does not return anything."),
            Problem::NotExpressions => whole("Match expression is not a list."),
            Problem::ImproperExpressions => whole("Match expression is not a proper list."),
            Problem::NotACall => (
                String::new(),
                " is neither a function call, nor a tuple (tuples are written {{ ... }}).".into(),
            ),
            Problem::Unbound(number) => whole(&format!("Variable ${number} is unbound.")),
            Problem::UnknownFunction(n) => function(format!("/{n} does_not_exist.")),
            Problem::TraceFunction(n) => {
                function(format!("/{n} cannot be called in this context."))
            }
            Problem::TraceForm(name) => {
                whole(&format!("Special form '{name}' used in wrong dialect."))
            }
            Problem::NoArguments(name) => form(format!("'{name}' called without arguments")),
            Problem::ConstArguments => form("'const' called with more than one argument".into()),
            Problem::SelfArguments => form("'self' called with arguments".into()),
        }
    }
}
