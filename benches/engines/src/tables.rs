//! Our engines as users of the core get them: tables of pairs `{Key, Value}`.

use crate::keys::Encoded;
use crate::map::{Map, OrderedMap};
use etsunami::reclaim::pin;
use etsunami::table::options::{Kind, OrderedEngine, Spec, WriteConcurrency};
use etsunami::table::{CounterOp, Cursor, Direction, Draft, Small, Table};
use etsunami::term::buffer::Buffer;
use etsunami::term::layout::immediate;
use etsunami::term::object::Object;
use etsunami::term::probe::OwnedKey;
use etsunami::term::view::Term;
use std::cell::RefCell;

/// The position of the value, 1-based.
const VALUE: usize = 2;

/// What is added to a counter.
fn one() -> Small {
    Small::new(1).expect("a small integer")
}

fn table(kind: Kind, engine: OrderedEngine) -> Table {
    let write_concurrency = WriteConcurrency::Auto;
    Table::new(Spec { kind, engine, write_concurrency, ..Spec::default() }, 0x7ab1e)
}

fn small(value: u64) -> u64 {
    immediate::small(value as i64).expect("a value of the workload")
}

fn number(value: Term<'_>) -> u64 {
    immediate::small_value(value.root()) as u64
}

/// Encodes `{Key, Value}` into the thread's buffer, as the boundary does, and inserts it.
fn insert(table: &Table, key: &Encoded, value: u64) {
    thread_local! {
        static SCRATCH: RefCell<Buffer> = const { RefCell::new(Buffer::new()) };
    }
    SCRATCH.with_borrow_mut(|buffer| {
        buffer.clear();
        let at = buffer.reserve(2).expect("a short pair");
        buffer.copy(at, key.term()).expect("a short pair");
        buffer.set(at + 1, small(value));
        // SAFETY: the buffer holds a well-formed encoding of two elements, without foreign blocks.
        let draft = unsafe { Draft::new(buffer.words(), 2) };
        table.insert(&pin(), draft).expect("a table without an owner");
    });
}

/// An adapter for one kind of table.
macro_rules! table {
    ($(#[$doc:meta])* $adapter:ident, $kind:ident, $engine:ident, $name:literal) => {
        $(#[$doc])*
        pub struct $adapter(Table);

        impl Map<Encoded> for $adapter {
            const NAME: &'static str = $name;
            const OURS: bool = true;

            fn new() -> Self {
                $adapter(table(Kind::$kind, OrderedEngine::$engine))
            }
            #[inline]
            fn get(&self, key: &Encoded) -> Option<u64> {
                let guard = pin();
                let hit = self.0.find(&guard, self.0.key(key.term()));
                hit.element(VALUE).ok().map(number)
            }
            #[inline]
            fn put(&self, key: &Encoded, value: u64) {
                insert(&self.0, key, value);
            }
            #[inline]
            fn remove(&self, key: &Encoded) -> bool {
                let taken = pin();
                self.0.take(&taken, self.0.key(key.term())).is_ok_and(|hit| !hit.is_absent())
            }
            #[inline]
            fn count(&self, key: &Encoded) {
                let step = CounterOp { position: VALUE, increment: one(), limit: None };
                self.0.count_few(&pin(), self.0.key(key.term()), &[step], &mut [Small::ZERO]);
            }
        }
    };
}

table!(
    /// A `set`.
    HashedTable, Set, CaTree, "etsunami hash"
);
table!(
    /// An `ordered_set` in the contention-adapting tree.
    TreeTable, OrderedSet, CaTree, "etsunami tree"
);
table!(
    /// An `ordered_set` in the skip list.
    ListTable, OrderedSet, SkipList, "etsunami list"
);

/// The sum of the values of `limit` objects behind a key.
fn scan(table: &Table, from: &Encoded, limit: usize) -> u64 {
    let mut sum = 0;
    let from = Cursor::After(OwnedKey::new(from.term()));
    let add = |object: Object<'_>| sum += number(object.element(VALUE - 1));
    table.scan(&pin(), from, Direction::Ascending, limit, add);
    sum
}

impl OrderedMap<Encoded> for TreeTable {
    fn scan(&self, from: &Encoded, limit: usize) -> u64 {
        scan(&self.0, from, limit)
    }
}

impl OrderedMap<Encoded> for ListTable {
    fn scan(&self, from: &Encoded, limit: usize) -> u64 {
        scan(&self.0, from, limit)
    }
}
