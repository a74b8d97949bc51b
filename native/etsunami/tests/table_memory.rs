//! What tables allocate: all of it comes back, each thing once, however an operation ends. And
//! nothing is read after it was freed: freed words are overwritten so that following them crashes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicIsize, Ordering};

use etsunami::reclaim::{self, Flushed, pin};
use etsunami::table::options::{Kind, OrderedEngine, Spec};
use etsunami::table::{CounterOp, Cursor, Detached, Direction, Draft, Key, ListInsert, Table};
use etsunami::term::buffer::Buffer;
use etsunami::term::host::{self, Host};
use etsunami::term::layout::{self, Foreign, immediate};
use etsunami::term::number::Int;
use etsunami::term::view::Term;

/// Counts the bytes that are allocated, and spoils what is freed.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);
/// Counted holders of the one keeper.
static HOLDERS: AtomicI64 = AtomicI64::new(0);

// SAFETY: passes everything on to the system's allocator; memory that is given back is ours.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as the caller states.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        if layout.align() == 8 {
            // A reference to a tuple far out of all memory.
            let spoiled = layout::block_ref(layout::Kind::Tuple, 1 << 50);
            for word in 0..layout.size() / 8 {
                // SAFETY: inside the allocation, which nobody uses any more.
                unsafe { ptr.cast::<u64>().add(word).write_volatile(spoiled) };
            }
        }
        // SAFETY: as the caller states.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static HOST: Host = Host {
    foreign_retain: |_| _ = HOLDERS.fetch_add(1, Ordering::Relaxed),
    foreign_release: |_| _ = HOLDERS.fetch_sub(1, Ordering::Relaxed),
    ..host::DEFAULT
};

/// A type of table, and of an `ordered_set` the engine.
type Form = (Kind, OrderedEngine);

const FORMS: [Form; 5] = [
    (Kind::Set, OrderedEngine::CaTree),
    (Kind::OrderedSet, OrderedEngine::CaTree),
    (Kind::OrderedSet, OrderedEngine::SkipList),
    (Kind::Bag, OrderedEngine::CaTree),
    (Kind::DuplicateBag, OrderedEngine::CaTree),
];

fn small(n: i64) -> u64 {
    immediate::small(n).unwrap()
}

/// Key number `n`: an integer, `{n}`, a float or a reference, in turn. True if it is irregular.
fn put_key(buffer: &mut Buffer, at: usize, n: i64, keeper: u64) -> bool {
    match n % 4 {
        0 => buffer.set(at, small(n)),
        1 => {
            let block = buffer.open_tuple(at, 1).unwrap();
            buffer.set(block + 1, small(n));
            buffer.close(block);
        }
        2 => buffer.float(at, n as f64 + 0.5).unwrap(),
        _ => {
            let hash = n as u64 % 7;
            buffer.foreign(at, Foreign::Reference, hash, n as u64, keeper).unwrap();
            HOLDERS.fetch_add(i64::from(keeper != 0), Ordering::Relaxed);
            return true;
        }
    }
    false
}

fn key(n: i64) -> Buffer {
    let mut buffer = Buffer::new();
    let at = buffer.reserve(1).unwrap();
    put_key(&mut buffer, at, n, 0);
    buffer
}

fn lend<'a>(table: &Table, key: &'a Buffer) -> Key<'a> {
    // SAFETY: made by `key`.
    table.key(unsafe { Term::at(key.words(), 0) })
}

/// `{value, Key, [Key]}`: the list has a keeper of its own if the key is a reference.
fn object(n: i64, value: i64) -> Buffer {
    let mut buffer = Buffer::new();
    let at = buffer.reserve(ARITY).unwrap();
    buffer.set(at, small(value));
    put_key(&mut buffer, at + 1, n, 1);
    let list = buffer.open_list(at + 2, 1).unwrap();
    if put_key(&mut buffer, list + 1, n, 1) {
        buffer.mark_irregular(list);
    }
    buffer.close(list);
    buffer
}

const ARITY: usize = 3;

fn draft(buffer: &Buffer) -> Draft<'_> {
    // SAFETY: made by `object`, which counted the keepers; callers use each object once.
    unsafe { Draft::new(buffer.words(), ARITY) }
}

fn table((kind, engine): Form) -> Table {
    Table::new(Spec { kind, engine, keypos: 2, ..Spec::default() }, 5)
}

fn insert(table: &Table, n: i64, value: i64) {
    table.insert(&pin(), draft(&object(n, value))).unwrap();
}

fn delete(table: &Table, n: i64) {
    table.delete(&pin(), lend(table, &key(n))).unwrap();
}

fn list(table: &Table, keys: impl IntoIterator<Item = i64>, value: i64) -> ListInsert<'_> {
    let mut list = ListInsert::with_capacity(table, 4);
    keys.into_iter().for_each(|n| list.push(draft(&object(n, value))).unwrap());
    list
}

fn flush() {
    assert_eq!(reclaim::flush(), Flushed::Done);
}

fn singles(form: Form) {
    let table = table(form);
    for n in 0..300 {
        insert(&table, n, 0);
        insert(&table, n, n % 2);
        assert_eq!(table.insert_new(&pin(), draft(&object(n, 2))), Ok(false));
    }
    for n in 0..100 {
        delete(&table, n);
        table.take(&pin(), lend(&table, &key(n + 100))).unwrap();
        table.delete_object(&pin(), draft(&object(n + 200, 1))).unwrap();
    }
}

fn counters(form: Form) {
    let table = table(form);
    let big = Int::from(i64::MAX);
    let steps = [Ok(CounterOp { position: 1, increment: big, limit: None })];
    let wrong = [Ok(CounterOp { position: 3, increment: Int::from(1), limit: None })];
    for n in 0..40 {
        let (key, default) = (key(n / 2), object(1000, 7));
        let key = lend(&table, &key);
        let default = Detached::new(draft(&default), key).unwrap();
        let guard = pin();
        // An error in bags, a new object on even numbers, a default that is not used on odd ones.
        let _ = table.update_counter(&guard, key, &steps, Some(&default));
        let _ = table.update_counter(&guard, key, &wrong, Some(&default));
        let word = small(3);
        let _ =
            table.update_element(&guard, key, &[Ok((1, Term::immediate(&word)))], Some(&default));
        let _ =
            table.update_element(&guard, key, &[Ok((9, Term::immediate(&word)))], Some(&default));
    }
}

fn clears(form: Form) {
    let table = table(form);
    for fixed in [false, true, true] {
        (0..200).for_each(|n| insert(&table, n, 1));
        if fixed {
            table.fix(1, 0);
            (0..50).for_each(|n| delete(&table, n));
        }
        table.clear(&pin());
        (100..150).for_each(|n| insert(&table, n, 2));
        table.fix(2, 0);
        (100..120).for_each(|n| delete(&table, n));
        table.unfix_all(&pin(), 1);
        table.unfix(&pin(), 2);
    }
}

fn ghosts(form: Form) {
    let table = table(form);
    table.fix(1, 0);
    for n in 0..700 {
        insert(&table, n, 1);
        delete(&table, n);
        if n % 3 == 0 {
            insert(&table, n, 2);
        }
    }
    // Over some of the ghosts.
    list(&table, 0..100, 3).insert(|| true).unwrap();
    assert_eq!(list(&table, (500..600).rev(), 3).insert_new(|| true), Ok(false));
    table.unfix(&pin(), 1);
}

fn lists(form: Form) {
    let table = table(form);
    insert(&table, 50, 1);
    // Each key twice, one object of which a bag has already; then refused, aborted, thrown away.
    list(&table, (0..100).chain(0..100), 1).insert(|| true).unwrap();
    assert_eq!(list(&table, 90..200, 1).insert_new(|| true), Ok(false));
    assert_eq!(list(&table, 200..300, 1).insert_new(|| true), Ok(true));
    assert!(list(&table, 0..300, 2).insert(|| false).is_err());
    let asked = std::cell::Cell::new(0);
    let once = || asked.replace(asked.get() + 1) == 0;
    assert!(list(&table, 0..3000, 2).insert(once).is_err());
    drop(list(&table, 0..100, 1));
    list(&table, [], 1).insert(|| true).unwrap();
}

/// The table is cleared or deleted while a list is published.
fn lost_lists(form: Form) {
    for end in
        [|table: &Table| table.clear(&pin()), |table: &Table| _ = table.drop_contents(&pin())]
    {
        let table = table(form);
        (0..100).for_each(|n| insert(&table, n, 1));
        let asked = std::cell::Cell::new(0);
        let done = list(&table, 0..2500, 2).insert(|| {
            if asked.replace(asked.get() + 1) == 1 {
                end(&table);
            }
            true
        });
        assert_eq!(done.is_err(), table.is_dropped());
        assert_eq!(table.size(&pin()), 0);
    }
}

/// The objects of a list, and with them its keys, may be freed before the list is cleaned away.
fn freed_keys(form: Form) {
    let table = table(form);
    // Not empty, so that the list needs version nodes.
    insert(&table, 3000, 0);
    let asked = std::cell::Cell::new(0);
    let new = list(&table, 0..3000, 1);
    new.insert(|| {
        if table.size(&pin()) == 3001 {
            asked.set(asked.get() + 1);
        }
        if asked.get() == 1 {
            for n in 0..3000 {
                delete(&table, n);
                insert(&table, n, 2);
            }
            flush();
        }
        true
    })
    .unwrap();
    assert!(asked.get() > 0, "it was asked after the decision");
    assert_eq!(table.size(&pin()), 3001);
    let mut values = 0;
    let mut cursor = Some(Cursor::Start);
    let guard = pin();
    while let Some(from) = cursor {
        cursor = table.scan(&guard, from, Direction::Ascending, 100, |object| {
            values += immediate::small_value(object.element(0).root());
        });
    }
    assert_eq!(values, 6000);
}

/// Borrowed results outlive the table, if not the guard.
fn dropped_tables(form: Form) {
    let table = table(form);
    insert(&table, 1, 77);
    let guard = pin();
    let key = key(1);
    let hit = table.find(&guard, lend(&table, &key));
    drop(table);
    let object = hit.objects().next().unwrap();
    assert_eq!(immediate::small_value(object.element(0).root()), 77);
}

/// A panic of the caller's question leaves the list to the background thread.
fn panics(form: Form) {
    let table = table(form);
    insert(&table, 3000, 0);
    let asked = std::cell::Cell::new(0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        list(&table, 0..3000, 1).insert(|| {
            assert_ne!(asked.replace(asked.get() + 1), 2);
            true
        })
    }));
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        table.scan(&pin(), Cursor::Start, Direction::Ascending, 10, |_| panic!("visitor"));
    }));
    std::panic::set_hook(hook);
    assert!(caught.is_err());
    (0..3000).for_each(|n| insert(&table, n, 2));
    flush();
    assert_eq!(table.size(&pin()), 3001);
}

/// Lists for an empty table: whole, stopped, overtaken by another writer, thrown away by a panic.
fn builds(form: Form) {
    let whole = table(form);
    list(&whole, (0..2500).chain(0..50), 1).insert(|| true).unwrap();
    for last in 0..4 {
        let table = table(form);
        let asked = std::cell::Cell::new(0);
        let wanted = || asked.replace(asked.get() + 1) < last;
        let stopped = list(&table, (0..2500).chain(0..50), 1).insert(wanted).is_err();
        assert_eq!(table.size(&pin()) == 0, stopped);
    }
    let overtaken = table(form);
    let done = list(&overtaken, (0..2500).chain(0..50), 1).insert(|| {
        insert(&overtaken, 5000, 1);
        true
    });
    assert!(done.is_ok() && overtaken.size(&pin()) > 2500);
}

/// Writers panic where they meet entries of a list that is decided, but not cleaned away yet.
#[cfg(feature = "faults")]
fn panics_over_lists(form: Form) {
    use etsunami::faults::{Point, arm, disarm};
    for committed in [true, false] {
        let table = table(form);
        (0..2000).for_each(|n| insert(&table, n, 1));
        let (asked, struck) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let strike = |n| {
            let key = key(n);
            arm(Point::Decide, 0);
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                table.delete(&pin(), lend(&table, &key)).unwrap();
            }));
            assert!(disarm().is_none() && ended.is_err());
            struck.set(struck.get() + 1);
        };
        let before = table.size(&pin());
        let done = list(&table, 0..3000, 2).insert(|| {
            let turn = asked.replace(asked.get() + 1);
            // Decided by now: three turns install all, and the next one cleans a third.
            if turn == 4 {
                (0..3000).for_each(strike);
            }
            committed || turn < 2
        });
        assert_eq!((done.is_ok(), struck.get() > 0), (committed, true));
        flush();
        assert_eq!(table.size(&pin()) == before, !committed);
        (0..3000).for_each(|n| insert(&table, n, 3));
        (0..3000).for_each(|n| delete(&table, n));
        assert_eq!(table.size(&pin()), 0);
    }
}

/// What is done to a table of a type.
type Scenario = fn(Form);

#[test]
fn everything_comes_back_once() {
    host::set(&HOST);
    let scenarios: &[(&str, Scenario)] = &[
        ("singles", singles),
        ("counters", counters),
        ("clears", clears),
        ("ghosts", ghosts),
        ("lists", lists),
        ("lost lists", lost_lists),
        ("freed keys", freed_keys),
        ("dropped tables", dropped_tables),
        ("panics", panics),
        #[cfg(feature = "faults")]
        ("panics over lists", panics_over_lists),
        ("builds", builds),
    ];
    for &(name, scenario) in scenarios {
        for form in FORMS {
            // What is made once, or kept for the next time, does not come back at once. But what a
            // scenario leaks, it leaks each time.
            let whole = (0..8).any(|_| {
                let before = LIVE.load(Ordering::Relaxed);
                scenario(form);
                flush();
                LIVE.load(Ordering::Relaxed) == before
            });
            assert!(whole, "{name}, {form:?}: not all memory comes back");
            assert_eq!(HOLDERS.load(Ordering::Relaxed), 0, "{name}, {form:?}");
        }
    }
}
