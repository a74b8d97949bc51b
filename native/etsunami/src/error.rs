//! Why an operation was refused.
//!
//! The variants are those causes of ETS's errors that a table can find; those about owners, access
//! and names are the boundary's. It turns each into the exception and `error_info` cause of ETS.

/// A refusal. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The table does not exist, or no longer.
    Id,
    /// The operation is not defined for this table type.
    TableType,
    /// No object has this key.
    BadKey,
    /// The key element itself was to be changed.
    KeyPosition,
    /// The position is outside the object.
    Position,
    /// An argument, or the element to be changed, has the wrong type.
    BadArgument,
    /// The object would be too large, or memory is exhausted.
    SystemLimit,
}

/// How a call ended without a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It was refused.
    Refused(Error),
    /// It met a list insert that is still being published and has used up its budget helping:
    /// nothing was done, call again.
    Busy,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Refused(error)
    }
}

/// The result of a table operation.
pub type Result<T = ()> = std::result::Result<T, Stop>;
