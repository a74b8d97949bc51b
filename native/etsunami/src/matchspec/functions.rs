//! The functions that guards and bodies may call, by name: those of the newest OTP.

use std::cmp::Ordering;

use super::arith::{Binary, Unary};

/// What a type test asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Atom,
    Boolean,
    Float,
    Integer,
    Number,
    List,
    Tuple,
    Map,
    Binary,
    BitString,
    Function,
    Pid,
    Port,
    Reference,
}

/// What a comparison asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Exact,
    NotExact,
}

impl Relation {
    /// True if values that compare so, and are equal numbers of one type if they compare equal, have
    /// the relation.
    #[inline(always)]
    pub(super) fn of(self, order: Ordering) -> bool {
        match self {
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
            Relation::Equal | Relation::Exact => order.is_eq(),
            Relation::NotEqual | Relation::NotExact => order.is_ne(),
        }
    }

    /// The relation with its sides exchanged.
    pub(super) fn turned(self) -> Relation {
        match self {
            Relation::Less => Relation::Greater,
            Relation::LessOrEqual => Relation::GreaterOrEqual,
            Relation::Greater => Relation::Less,
            Relation::GreaterOrEqual => Relation::LessOrEqual,
            other => other,
        }
    }
}

/// What a measure counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    Length,
    Size,
    TupleSize,
    MapSize,
    BitSize,
    ByteSize,
}

/// A function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    Is(Type),
    Compare(Relation),
    Binary(Binary),
    Unary(Unary),
    Measure(Measure),
    Not,
    Xor,
    Max,
    Min,
    Head,
    Tail,
    Element,
    MapGet,
    IsMapKey,
    IsRecord,
    IsFunctionOfArity,
    IsIntegerBetween,
    BinaryPart,
    BinaryPartOf,
    Node,
    NodeOf,
}

impl Function {
    /// The function of a name and number of arguments.
    pub(super) fn lookup(name: &[u8], arity: usize) -> Option<Function> {
        match arity {
            0 => (name == b"node").then_some(Function::Node),
            1 => Function::of_one(name),
            2 => Function::of_two(name),
            3 => Function::of_three(name),
            _ => None,
        }
    }

    fn of_one(name: &[u8]) -> Option<Function> {
        use Function::{Measure as Count, Unary as One};
        if let Some(test) = name.strip_prefix(b"is_") {
            return Type::lookup(test).map(Function::Is);
        }
        Some(match name {
            b"abs" => One(Unary::Abs),
            b"hd" => Function::Head,
            b"tl" => Function::Tail,
            b"length" => Count(Measure::Length),
            b"size" => Count(Measure::Size),
            b"tuple_size" => Count(Measure::TupleSize),
            b"map_size" => Count(Measure::MapSize),
            b"bit_size" => Count(Measure::BitSize),
            b"byte_size" => Count(Measure::ByteSize),
            b"node" => Function::NodeOf,
            b"round" => One(Unary::Round),
            b"trunc" => One(Unary::Trunc),
            b"ceil" => One(Unary::Ceil),
            b"floor" => One(Unary::Floor),
            b"float" => One(Unary::Float),
            b"+" => One(Unary::Plus),
            b"-" => One(Unary::Minus),
            b"bnot" => One(Unary::BitNot),
            b"not" => Function::Not,
            _ => return None,
        })
    }

    fn of_two(name: &[u8]) -> Option<Function> {
        use Function::{Binary as Two, Compare};
        Some(match name {
            b"+" => Two(Binary::Add),
            b"-" => Two(Binary::Subtract),
            b"*" => Two(Binary::Multiply),
            b"/" => Two(Binary::Divide),
            b"div" => Two(Binary::Div),
            b"rem" => Two(Binary::Rem),
            b"band" => Two(Binary::BitAnd),
            b"bor" => Two(Binary::BitOr),
            b"bxor" => Two(Binary::BitXor),
            b"bsl" => Two(Binary::ShiftLeft),
            b"bsr" => Two(Binary::ShiftRight),
            b"<" => Compare(Relation::Less),
            b"=<" => Compare(Relation::LessOrEqual),
            b">" => Compare(Relation::Greater),
            b">=" => Compare(Relation::GreaterOrEqual),
            b"==" => Compare(Relation::Equal),
            b"/=" => Compare(Relation::NotEqual),
            b"=:=" => Compare(Relation::Exact),
            b"=/=" => Compare(Relation::NotExact),
            b"xor" => Function::Xor,
            b"max" => Function::Max,
            b"min" => Function::Min,
            b"element" => Function::Element,
            b"map_get" => Function::MapGet,
            b"is_map_key" => Function::IsMapKey,
            b"is_function" => Function::IsFunctionOfArity,
            b"binary_part" => Function::BinaryPart,
            _ => return None,
        })
    }

    fn of_three(name: &[u8]) -> Option<Function> {
        Some(match name {
            b"is_record" => Function::IsRecord,
            b"is_integer" => Function::IsIntegerBetween,
            b"binary_part" => Function::BinaryPartOf,
            _ => return None,
        })
    }

    /// The number of arguments.
    pub(super) fn arity(self) -> usize {
        use Function::*;
        match self {
            Node => 0,
            Is(_) | Unary(_) | Measure(_) | Not | Head | Tail | NodeOf => 1,
            IsRecord | IsIntegerBetween | BinaryPartOf => 3,
            _ => 2,
        }
    }
}

impl Type {
    fn lookup(name: &[u8]) -> Option<Type> {
        Some(match name {
            b"atom" => Type::Atom,
            b"boolean" => Type::Boolean,
            b"float" => Type::Float,
            b"integer" => Type::Integer,
            b"number" => Type::Number,
            b"list" => Type::List,
            b"tuple" => Type::Tuple,
            b"map" => Type::Map,
            b"binary" => Type::Binary,
            b"bitstring" => Type::BitString,
            b"function" => Type::Function,
            b"pid" => Type::Pid,
            b"port" => Type::Port,
            b"reference" => Type::Reference,
            _ => return None,
        })
    }
}
