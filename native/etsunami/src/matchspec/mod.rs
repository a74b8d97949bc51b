//! Match specifications: `[{Head, Guards, Body}]`, compiled once and run over encoded objects.
//!
//! A head becomes a list of steps from compound to compound; guards become jumps between conditions,
//! and guards and bodies compute with the instructions of a register machine. Values are views of
//! the object, of the program's
//! constants, or of terms in the run's own heap; nothing is copied to be looked at. Neither
//! compiling nor running recurses, so specifications may be nested as deeply as terms.
//!
//! What a specification means is what ETS of the newest OTP makes of it:
//!
//! - a repeated variable must be `=:=`; a map in a head matches maps with more keys; a float in a head
//!   matches a float of the same bits;
//! - an exception in a guard makes the guard fail; in a body the failing call alone gives `'EXIT'`,
//!   and what is around it goes on with that value;
//! - what is an error of the specification is decided when it is compiled ([`Invalid`]), whatever
//!   the table holds; [`Program::lint`] says why, in ETS's words;
//! - keys of maps in bodies are expressions too; of keys that turn out equal the later one stays.
//!
//! | file | what |
//! | --- | --- |
//! | `names` | the atoms that mean something |
//! | `compile`, `head`, `bindings`, `condition`, `expr` | from terms to instructions |
//! | `fault` | what is wrong with a specification |
//! | `program` | the instructions |
//! | `glance`, `run` | what shows without running, and the machine |
//! | `functions`, `call`, `arith` | the functions that guards and bodies may call |
//! | `set` | constants and clauses that are found by a search |
//! | `build`, `heap`, `packed`, `value` | values, and how terms are built |
//! | `plan`, `bound`, `few` | where the objects that can match are |
//! | `plain` | patterns that run without being compiled |
//! | `replace` | whether a specification keeps keys |

mod arith;
mod bindings;
mod bound;
mod build;
mod call;
mod compile;
mod condition;
mod expr;
mod fault;
mod few;
mod functions;
mod glance;
mod head;
mod heap;
mod names;
mod packed;
mod plain;
mod plan;
mod program;
mod replace;
mod run;
mod set;
mod value;

pub use bound::{Bound, Interval};
pub use compile::Invalid;
pub use fault::{Fault, Problem};
pub use few::Few;
pub use heap::SystemLimit;
pub use plain::Plain;
pub use plan::{Access, Plan, Reason};
pub use program::Program;
pub use run::{Caller, Machine, Outcome};
pub use value::{Part, Subject};

#[cfg(test)]
pub(crate) mod tests;
