//! The table layer against plain models, and under threads.

mod histories;
mod in_place;
mod keepers;
mod memory;
mod model;
mod operations;
mod scans;
mod select;
mod threads;

use num_bigint::BigInt;

use super::options::{Kind, OrderedEngine, Spec};
use super::{Draft, Key, Table};
use crate::term::buffer::Buffer;
use crate::term::testing::{Place, Sample, encode, encode_object, term};

/// A type of table, and of an `ordered_set` the engine too.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Form {
    kind: Kind,
    engine: OrderedEngine,
}

impl Form {
    const LIST: Form = Form { kind: Kind::OrderedSet, engine: OrderedEngine::SkipList };

    const fn of(kind: Kind) -> Form {
        Form { kind, engine: OrderedEngine::CaTree }
    }

    fn is_unique(self) -> bool {
        self.kind.is_unique()
    }

    fn spec(self) -> Spec {
        Spec { kind: self.kind, engine: self.engine, ..Spec::default() }
    }
}

impl From<Kind> for Form {
    fn from(kind: Kind) -> Form {
        Form::of(kind)
    }
}

impl PartialEq<Kind> for Form {
    fn eq(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }
}

const KINDS: [Form; 5] = [
    Form::of(Kind::Set),
    Form::of(Kind::OrderedSet),
    Form::LIST,
    Form::of(Kind::Bag),
    Form::of(Kind::DuplicateBag),
];
const SEED: u64 = 7;

fn table(form: impl Into<Form>, keypos: usize) -> Table {
    crate::term::testing::install();
    Table::new(Spec { keypos, ..form.into().spec() }, SEED)
}

fn int(n: i64) -> Sample {
    Sample::Int(BigInt::from(n))
}

/// An encoded object, not stored.
#[derive(Clone, Debug)]
struct Object {
    samples: Vec<Sample>,
    words: Vec<u64>,
}

impl Object {
    fn new(samples: Vec<Sample>) -> Object {
        let words = encode_object(&samples, Place::Key).words().to_vec();
        Object { samples, words }
    }

    fn draft(&self) -> Draft<'_> {
        // SAFETY: made by `encode_object`; the samples have no keepers.
        unsafe { Draft::new(&self.words, self.samples.len()) }
    }
}

/// The words of a stored object without its header: the canonical encoding of its elements.
fn words_of(object: crate::term::object::Object<'_>) -> Vec<u64> {
    // SAFETY: the callers' guards keep the object; its words stand behind each other.
    unsafe { std::slice::from_raw_parts(object.element(0).as_ptr(), object.words() - 1).to_vec() }
}

fn key_buffer(sample: &Sample) -> Buffer {
    encode(sample, Place::Key)
}

fn key<'a>(table: &Table, buffer: &'a Buffer) -> Key<'a> {
    table.key(term(buffer))
}
