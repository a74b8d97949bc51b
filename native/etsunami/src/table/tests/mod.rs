//! The table layer against plain models, and under threads.

mod model;
mod operations;
mod scans;
mod select;
mod threads;

use num_bigint::BigInt;

use super::options::{Kind, Spec};
use super::{Draft, Key, Table};
use crate::term::buffer::Buffer;
use crate::term::object::ObjectPtr;
use crate::term::testing::{Place, Sample, encode, encode_object, term};

const KINDS: [Kind; 4] = [Kind::Set, Kind::OrderedSet, Kind::Bag, Kind::DuplicateBag];
const SEED: u64 = 7;

fn table(kind: Kind, keypos: usize) -> Table {
    crate::term::testing::install();
    Table::new(Spec { kind, keypos, ..Spec::default() }, SEED)
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
fn words_of(object: ObjectPtr) -> Vec<u64> {
    // SAFETY: the callers' guards keep the object; its words stand behind each other.
    unsafe { std::slice::from_raw_parts(object.element(0).as_ptr(), object.words() - 1).to_vec() }
}

fn key_buffer(sample: &Sample) -> Buffer {
    encode(sample, Place::Key)
}

fn key<'a>(table: &Table, buffer: &'a Buffer) -> Key<'a> {
    table.key(term(buffer))
}
