//! Several threads: lists are all or nothing, nothing is lost, sizes are right at the end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::super::{CounterOp, Cursor, Direction, ListInsert, Table};
use super::{Form, KINDS, Object, int, key, key_buffer, table};
use crate::error::{Error, Stop};
use crate::reclaim::{self, Guard, pin};
use crate::table::options::{Kind, Spec, WriteConcurrency};
use crate::term::layout::immediate;
use crate::term::object;

const ROUNDS: i64 = 150;

fn shared(form: Form) -> Table {
    crate::term::testing::install();
    let spec = Spec { write_concurrency: WriteConcurrency::On, ..form.spec() };
    Table::new(spec, 3)
}

fn pair(k: i64, value: i64) -> Object {
    Object::new(vec![int(k), int(value)])
}

/// Three elements, so that no write happens in place.
fn triple(k: i64, value: i64) -> Object {
    Object::new(vec![int(k), int(value), int(value)])
}

/// Until no list insert is in the way.
fn retry<T>(mut f: impl FnMut(&Guard) -> Result<T, Stop>) -> T {
    loop {
        match f(&pin()) {
            Ok(done) => return done,
            Err(Stop::Busy) => thread::yield_now(),
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

fn value_of(object: object::Object<'_>) -> i64 {
    // SAFETY: the callers' guards keep the object, whose second element is a small integer.
    immediate::small_value(object.element(1).root())
}

/// The greatest value that a key has, 0 if none.
fn newest(table: &Table, guard: &Guard, k: i64) -> i64 {
    let buffer = key_buffer(&int(k));
    table.find(guard, key(table, &buffer)).objects().map(value_of).max().unwrap_or(0)
}

fn insert_list(table: &Table, objects: impl Iterator<Item = Object>) {
    let mut list = ListInsert::with_capacity(table, 0);
    objects.for_each(|object| list.push(object.draft()).unwrap());
    list.insert(|| true).unwrap();
}

fn delete(table: &Table, k: i64) {
    let buffer = key_buffer(&int(k));
    retry(|guard| table.delete(guard, key(table, &buffer)));
}

fn count(table: &Table) -> u64 {
    let (mut seen, mut cursor, guard) = (0, Some(Cursor::Start), pin());
    while let Some(from) = cursor {
        cursor = table.scan(&guard, from, Direction::Ascending, 50, |_| seen += 1);
    }
    seen
}

/// Lists from two threads, each with a value of its own for all keys: so all keys have one value at
/// any time, and what two looks at one key have shown, a look at another between them shows too.
#[test]
fn lists_are_seen_whole() {
    for kind in KINDS {
        let table = &shared(kind);
        let (next, writing) = (&AtomicU64::new(1), &AtomicU64::new(2));
        thread::scope(|scope| {
            for step in [1, 7] {
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        let value = next.fetch_add(1, Ordering::Relaxed) as i64;
                        insert_list(table, (0..20).map(|k| triple(k * step % 20, value)));
                    }
                    writing.fetch_sub(1, Ordering::Release);
                });
            }
            for reader in 0..2 {
                scope.spawn(move || {
                    let mut k = reader;
                    while writing.load(Ordering::Acquire) > 0 {
                        k = (k + 1) % 20;
                        let looks = [k, 19 - k, k].map(|k| newest(table, &pin(), k));
                        let same = looks[0] != looks[2] || looks[0] == looks[1];
                        assert!(same, "{kind:?}: {looks:?}");
                    }
                });
            }
        });
        let guard = pin();
        let values: Vec<_> = (0..20).map(|k| newest(table, &guard, k)).collect();
        assert!(values.iter().all(|value| *value == values[0]), "{kind:?}: {values:?}");
        assert_eq!(table.size(&guard), count(table));
        assert_eq!(table.size(&guard), if kind.is_unique() { 20 } else { 40 * ROUNDS as u64 });
    }
}

/// One writer of lists: strictly no old object after a new one.
#[test]
fn one_list_after_another_is_seen_in_order() {
    for kind in KINDS {
        let (table, done) = (&shared(kind), &AtomicBool::new(false));
        thread::scope(|scope| {
            for reader in 0..2 {
                scope.spawn(move || {
                    let mut least = 0;
                    while !done.load(Ordering::Acquire) {
                        for k in 0..30 {
                            let k = if reader == 0 { k } else { 29 - k };
                            let value = newest(table, &pin(), k);
                            assert!(value >= least, "{kind:?}: {value} after {least}");
                            least = value;
                        }
                    }
                });
            }
            for value in 1..ROUNDS {
                insert_list(table, (0..30).map(|k| triple(k, value)));
            }
            done.store(true, Ordering::Release);
        });
    }
}

/// Everything at once; at the end size and memory fit what is there, and an emptied table is empty.
#[test]
fn a_melee_leaves_the_counters_right() {
    for kind in KINDS {
        let table = &shared(kind);
        let empty = table.memory_words(&pin());
        thread::scope(|scope| {
            for thread in 0..4i64 {
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let k = (round * 7 + thread) % 40;
                        match (round + thread) % 6 {
                            0 => insert_list(table, (0..40).map(|k| pair(k, round % 3))),
                            1 => {
                                let mut list = ListInsert::with_capacity(table, 0);
                                for k in (k..k + 5).chain(k..k + 5) {
                                    list.push(triple(k, round).draft()).unwrap();
                                }
                                list.insert_new(|| true).unwrap();
                            }
                            2 => delete(table, k),
                            3 => retry(|guard| table.insert(guard, triple(k, round).draft())),
                            4 => retry(|guard| table.delete_object(guard, pair(k, 1).draft())),
                            _ if round % 10 == 0 => table.clear(&pin()),
                            _ if round % 10 < 4 => {
                                let guard = pin();
                                table.fix(thread as u64, 0);
                                delete(table, k);
                                table.unfix(&guard, thread as u64);
                            }
                            _ => drop(retry(|guard| {
                                let buffer = key_buffer(&int(k));
                                table.take(guard, key(table, &buffer)).map(|hit| hit.len())
                            })),
                        }
                        assert!(table.size(&pin()) < 1 << 20);
                        assert!(count(table) < 1 << 20);
                    }
                });
            }
        });
        assert_eq!(table.size(&pin()), count(table), "{kind:?}");
        (0..60).for_each(|k| delete(table, k));
        let guard = pin();
        assert_eq!((table.size(&guard), table.memory_words(&guard)), (0, empty), "{kind:?}");
    }
}

/// Sums are exact, `insert_new` has one winner, the size only grows, stayers are seen once.
#[test]
fn counters_winners_and_stayers() {
    for kind in [Form::of(Kind::Set), Form::of(Kind::OrderedSet), Form::LIST] {
        let table = &shared(kind);
        let (winners, writing) = (&AtomicU64::new(0), &AtomicU64::new(3));
        insert_list(table, (0..100).map(|k| pair(-k - 1, 0)));
        table.insert(&pin(), triple(-1000, 0).draft()).unwrap();
        thread::scope(|scope| {
            for thread in 0..3i64 {
                scope.spawn(move || {
                    let one =
                        |position| Ok(CounterOp { position, increment: 1.into(), limit: None });
                    let buffers = [key_buffer(&int(-1)), key_buffer(&int(-1000))];
                    for round in 0..ROUNDS {
                        retry(|g| {
                            table.update_counter(g, key(table, &buffers[0]), &[one(2)], None)
                        });
                        let both = [one(2), one(3)];
                        retry(|g| table.update_counter(g, key(table, &buffers[1]), &both, None));
                        if retry(|guard| table.insert_new(guard, pair(round, thread).draft())) {
                            winners.fetch_add(1, Ordering::Relaxed);
                        }
                        if thread == 0 && round % 10 == 0 {
                            insert_list(table, (-90..-80).map(|k| pair(k, round)));
                        }
                    }
                    writing.fetch_sub(1, Ordering::Release);
                });
            }
            let mut size = 0;
            while writing.load(Ordering::Acquire) > 0 {
                let now = table.size(&pin());
                assert!(now >= size, "{now} after {size}");
                size = now;
                let (mut stayers, mut cursor) = (0, Some(Cursor::Start));
                while let Some(from) = cursor {
                    cursor = table.scan(&pin(), from, Direction::Ascending, 9, |object| {
                        // SAFETY: the guard keeps the object.
                        let k = object.element(0).root();
                        stayers += u64::from(immediate::small_value(k) < 0);
                    });
                }
                assert_eq!(stayers, 101);
            }
        });
        let guard = pin();
        assert_eq!(winners.load(Ordering::Relaxed), ROUNDS as u64);
        assert_eq!(table.size(&guard), ROUNDS as u64 + 101);
        assert_eq!(newest(table, &guard, -1), 3 * ROUNDS);
        assert_eq!(newest(table, &guard, -1000), 3 * ROUNDS);
    }
}

/// A list insert into a table that is dropped meanwhile ends, and so do writers that it blocks.
#[test]
fn tables_that_go_take_list_inserts_along() {
    for kind in KINDS {
        for _ in 0..20 {
            let table = &table(kind, 1);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut list = ListInsert::with_capacity(table, 0);
                    (0..1500).for_each(|k| list.push(pair(k, 1).draft()).unwrap());
                    let _ = list.insert(|| true);
                });
                scope.spawn(|| {
                    let gone = Err(Stop::Refused(Error::Id));
                    (0..200).for_each(|k| {
                        retry(|guard| match table.insert(guard, pair(k, 2).draft()) {
                            done if done == gone => Ok(()),
                            done => done,
                        });
                    });
                });
                scope.spawn(|| {
                    table.fix(1, 0);
                    (0..50).for_each(|k| delete(table, k));
                    table.clear(&pin());
                    assert!(table.drop_contents(&pin()));
                });
            });
            assert!(table.is_dropped() && !table.is_fixed());
        }
    }
}

/// While a table is fixed, `next` goes on from any key that was there since, a clear or not.
#[test]
fn keys_stay_known_while_a_fixed_table_is_cleared() {
    for kind in KINDS {
        let (table, clearing) = (&shared(kind), &AtomicBool::new(true));
        table.fix(1, 0);
        insert_list(table, (0..10).map(|k| pair(k, 0)));
        thread::scope(|scope| {
            scope.spawn(move || {
                let buffers: Vec<_> = (0..10).map(|k| key_buffer(&int(k))).collect();
                while clearing.load(Ordering::Acquire) {
                    for buffer in &buffers {
                        assert!(table.next(&pin(), key(table, buffer)).is_ok());
                    }
                }
            });
            for round in 0..200 {
                table.clear(&pin());
                if round % 20 == 0 {
                    insert_list(table, (0..10).map(|k| pair(k, 0)));
                }
            }
            clearing.store(false, Ordering::Release);
        });
        table.unfix(&pin(), 1);
        assert!(table.fixed().is_none());
    }
}

/// A reader that stays holds back what is retired meanwhile, and nothing else: others go on, and
/// all of it is freed when it leaves.
#[test]
fn a_reader_that_stays_holds_up_freeing_alone() {
    for kind in KINDS.into_iter().filter(|kind| kind.is_unique()) {
        let table = &shared(kind);
        insert_list(table, (0..100).map(|k| triple(k, 0)));
        let stays = pin();
        let buffer = key_buffer(&int(7));
        let seen = table.find(&stays, key(table, &buffer));
        let rounds = 200;
        let written = thread::scope(|scope| {
            let write = move || {
                for round in 1..=rounds {
                    (0..100).for_each(|k| {
                        retry(|guard| table.insert(guard, triple(k, round).draft()));
                    });
                }
                rounds as usize * 100
            };
            scope.spawn(write).join().unwrap()
        });
        assert!(reclaim::pending_items() >= written);
        assert_eq!(seen.single().map(value_of), Some(0));
        assert_eq!(newest(table, &stays, 7), rounds);
        drop(stays);
        // Guards of other tests may stand in the way for a while.
        assert!((0..10).any(|_| reclaim::flush() == reclaim::Flushed::Done));
    }
}

/// What a list finds in a bag already is part of its one step: a delete that takes it away comes
/// before the list, which then brings it back, or after the list.
#[test]
fn duplicates_in_a_list_are_held_until_it_is_decided() {
    let table = &shared(Form::of(Kind::Bag));
    insert_list(table, (0..3000).map(|k| pair(k, 1)));
    let mut list = ListInsert::with_capacity(table, 0);
    (0..=3000).for_each(|k| list.push(pair(k, 1).draft()).unwrap());
    let (asked, visible) = (AtomicU64::new(0), AtomicBool::new(false));
    list.insert(|| {
        // Some are installed by now.
        if asked.fetch_add(1, Ordering::Relaxed) == 1 {
            (0..3000).for_each(|k| delete(table, k));
            visible.store(newest(table, &pin(), 3000) == 1, Ordering::Relaxed);
        }
        true
    })
    .unwrap();
    let left = if visible.into_inner() { 1 } else { 3001 };
    assert_eq!(table.size(&pin()), left);
}

/// An object of a bag is looked for without the key's lock, then under it, and made only if it is
/// missing: of several who insert equal objects, one does, and who deletes takes away one.
#[test]
fn equal_objects_of_a_bag_are_there_once() {
    let table = &shared(Form::of(Kind::Bag));
    let insert = |k, value| retry(|guard| table.insert(guard, pair(k, value).draft()));
    thread::scope(|scope| {
        for own in 2..5 {
            scope.spawn(move || {
                for round in 0..20 * ROUNDS {
                    let k = round % 3;
                    insert(k, 1);
                    // Groups of several objects, and of one.
                    if round % 7 == own {
                        insert(k, own);
                    }
                    if round % 5 == own {
                        delete(table, k);
                    }
                    let buffer = key_buffer(&int(k));
                    let guard = pin();
                    let hit = table.find(&guard, key(table, &buffer));
                    let equal = hit.objects().filter(|&object| value_of(object) == 1).count();
                    assert!(equal <= 1, "{equal} equal objects");
                }
            });
        }
    });
    (0..3).for_each(|k| delete(table, k));
    let empty = shared(Form::of(Kind::Bag)).memory_words(&pin());
    assert_eq!((table.size(&pin()), table.memory_words(&pin())), (0, empty));
}
