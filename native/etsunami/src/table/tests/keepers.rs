//! What a draft owns is given back, or goes to the object that is made of it, whatever happens.

use super::super::{Draft, Table};
use super::{KINDS, table};
use crate::error::{Error, Stop};
use crate::reclaim::{self, Guard, pin};
use crate::term::buffer::Buffer;
use crate::term::layout::{Foreign, immediate};
use crate::term::object::retain;
use crate::term::testing::Keeper;
use crate::term::view::Term;

/// `{1, Reference}` or `{1, 2, Reference}`, with a reference that this keeper keeps.
struct Owner {
    keeper: &'static Keeper,
    words: Buffer,
    arity: usize,
}

impl Owner {
    fn new(arity: usize) -> Owner {
        let (keeper, mut words) = (Keeper::leak(), Buffer::new());
        words.reserve(arity).unwrap();
        (1..arity).for_each(|at| words.set(at - 1, immediate::small(at as i64).unwrap()));
        words.foreign(arity - 1, Foreign::Reference, 1, 1, keeper.word()).unwrap();
        Owner { keeper, words, arity }
    }

    /// A draft, for which the reference is held once more.
    fn draft(&self) -> Draft<'_> {
        // SAFETY: a well-formed encoding of so many elements; its keeper is counted here.
        unsafe {
            retain(Term::at(self.words.words(), self.arity - 1));
            Draft::new(self.words.words(), self.arity)
        }
    }

    fn holders(&self) -> i64 {
        self.keeper.holders()
    }
}

type Write = fn(&Table, &Guard, Draft<'_>) -> Result<(), Stop>;

const WRITES: [Write; 3] = [
    |table, guard, draft| table.insert(guard, draft),
    |table, guard, draft| table.insert_new(guard, draft).map(|_| ()),
    |table, guard, draft| table.delete_object(guard, draft),
];

#[test]
fn a_table_that_is_gone_gives_the_keepers_of_drafts_back() {
    let cases = KINDS.into_iter().flat_map(|kind| WRITES.map(|write| (kind, write)));
    for ((kind, write), arity) in cases.flat_map(|case| [2, 3].map(|arity| (case, arity))) {
        let (table, owner) = (table(kind, 1), Owner::new(arity));
        table.drop_contents(&pin());
        assert_eq!(write(&table, &pin(), owner.draft()), Err(Stop::Refused(Error::Id)));
        assert_eq!(owner.holders(), 0);
    }
}

#[test]
fn an_object_that_is_there_already_holds_its_keepers_once() {
    // With three elements a set finds that nothing but its mutable element could differ.
    for (kind, arity) in KINDS.into_iter().flat_map(|kind| [2, 3].map(|arity| (kind, arity))) {
        let (table, owner) = (table(kind, 1), Owner::new(arity));
        for _ in 0..3 {
            table.insert(&pin(), owner.draft()).unwrap();
            table.insert_new(&pin(), owner.draft()).unwrap();
        }
        let mut freed = (0..500).map(|_| {
            assert_eq!(reclaim::flush(), reclaim::Flushed::Done);
            owner.holders()
        });
        let stored = table.size(&pin()) as i64;
        assert!(freed.any(|holders| holders == stored), "{stored} stored");
        table.delete_object(&pin(), owner.draft()).unwrap();
        assert_eq!(table.size(&pin()), 0);
        assert!(freed.any(|holders| holders == 0));
    }
}
