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

/// `{1, Reference}`, with a reference that this keeper keeps.
struct Owner {
    keeper: &'static Keeper,
    words: Buffer,
}

impl Owner {
    fn new() -> Owner {
        let (keeper, mut words) = (Keeper::leak(), Buffer::new());
        words.reserve(2).unwrap();
        words.set(0, immediate::small(1).unwrap());
        words.foreign(1, Foreign::Reference, 1, 1, keeper.word()).unwrap();
        Owner { keeper, words }
    }

    /// A draft, for which the reference is held once more.
    fn draft(&self) -> Draft<'_> {
        // SAFETY: a well-formed encoding of two elements; its keeper is counted here.
        unsafe {
            retain(Term::at(self.words.words(), 1));
            Draft::new(self.words.words(), 2)
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
    for (kind, write) in KINDS.into_iter().flat_map(|kind| WRITES.map(|write| (kind, write))) {
        let (table, owner) = (table(kind, 1), Owner::new());
        table.drop_contents(&pin());
        assert_eq!(write(&table, &pin(), owner.draft()), Err(Stop::Refused(Error::Id)));
        assert_eq!(owner.holders(), 0);
    }
}

#[test]
fn an_object_that_is_there_already_holds_its_keepers_once() {
    for kind in KINDS {
        let (table, owner) = (table(kind, 1), Owner::new());
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
