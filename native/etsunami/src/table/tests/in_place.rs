//! What changes in place, what in a copy, and what readers see of it meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::{Assigned, CounterOp, Small, Table};
use super::{Form, KINDS, Object, int, key, key_buffer, table};
use crate::reclaim::{Guard, pin};
use crate::table::options::{Spec, WriteConcurrency};
use crate::term::layout::immediate;
use crate::term::object;
use crate::term::testing::{Place, Sample, encode, term};

fn unique() -> impl Iterator<Item = Form> {
    KINDS.into_iter().filter(|form| form.is_unique())
}

fn block() -> Sample {
    Sample::Float(0.5)
}

/// The object of key 1.
fn stored<'g>(table: &Table, guard: &'g Guard) -> object::Object<'g> {
    let buffer = key_buffer(&int(1));
    table.find(guard, key(table, &buffer)).single().unwrap()
}

fn add(table: &Table, guard: &Guard, position: usize) -> Option<i64> {
    let buffer = key_buffer(&int(1));
    let step = CounterOp { position, increment: Small::new(1)?, limit: None };
    let mut values = [Small::ZERO];
    let done = table.count_few(guard, key(table, &buffer), &[step], &mut values);
    done.then(|| values[0].value())
}

fn assign(table: &Table, guard: &Guard, position: usize, value: &Sample) -> Assigned {
    let (buffer, value) = (key_buffer(&int(1)), encode(value, Place::Value));
    table.assign_few(guard, key(table, &buffer), &[(position, term(&value))])
}

/// True if `f` leaves the object of key 1 where it is.
fn in_place<T>(table: &Table, guard: &Guard, f: impl FnOnce() -> T) -> bool {
    let before = stored(table, guard);
    f();
    stored(table, guard) == before
}

/// By position of the key and elements: which elements are changed in place.
#[test]
fn one_element_changes_in_place() {
    let cases: [(usize, Vec<Sample>, Option<usize>); 6] = [
        (1, vec![int(1), int(5)], Some(2)),
        (2, vec![int(5), int(1)], Some(1)),
        (1, vec![int(1), int(5), int(6)], Some(2)),
        (3, vec![int(5), int(6), int(1)], Some(1)),
        (1, vec![int(1), block(), int(5), int(6)], Some(3)),
        (1, vec![int(1), block(), block()], None),
    ];
    for form in unique() {
        for (keypos, samples, place) in &cases {
            let (table, guard) = (table(form, *keypos), pin());
            table.insert(&guard, Object::new(samples.clone()).draft()).unwrap();
            for position in (1..=samples.len()).filter(|position| position != keypos) {
                let here = Some(position) == *place;
                let case = format!("{form:?} {keypos} {samples:?} {position}");
                let number = !matches!(samples[position - 1], Sample::Float(_));
                let counted = in_place(&table, &guard, || add(&table, &guard, position));
                assert_eq!(counted, here || !number, "{case}");
                let set = || assert_eq!(assign(&table, &guard, position, &int(9)), Assigned::Done);
                assert_eq!(in_place(&table, &guard, set), here, "{case}");
                let back = || assign(&table, &guard, position, &samples[position - 1]);
                assert_eq!(in_place(&table, &guard, back), here, "{case}");
            }
        }
    }
}

/// A whole object of immediates is put in place of one that differs in the mutable element alone.
#[test]
fn flat_objects_are_replaced_in_place() {
    for form in unique() {
        let (table, guard) = (table(form, 1), pin());
        let put = |samples: [i64; 4]| {
            let object = Object::new(samples.map(int).to_vec());
            table.insert(&guard, object.draft()).unwrap();
        };
        put([1, 5, 6, 7]);
        assert!(in_place(&table, &guard, || put([1, 5, 6, 7])));
        assert!(in_place(&table, &guard, || put([1, 8, 6, 7])));
        assert!(!in_place(&table, &guard, || put([1, 8, 9, 7])));
        assert!(!in_place(&table, &guard, || {
            let shorter = Object::new(vec![int(1), int(8), int(9)]);
            table.insert(&guard, shorter.draft()).unwrap();
        }));
        assert!(!in_place(&table, &guard, || {
            let block = Object::new(vec![int(1), block(), int(9)]);
            table.insert(&guard, block.draft()).unwrap();
        }));
        assert!(!in_place(&table, &guard, || {
            let flat = Object::new(vec![int(1), int(8), int(9)]);
            table.insert(&guard, flat.draft()).unwrap();
        }));
    }
}

#[test]
fn what_is_unusual_is_left_to_the_general_functions() {
    for form in KINDS {
        let (table, guard) = (table(form, 2), pin());
        let missing = if form.is_unique() { Assigned::Absent } else { Assigned::Undecided };
        assert_eq!(add(&table, &guard, 1), None);
        assert_eq!(assign(&table, &guard, 1, &int(1)), missing);
        let object = Object::new(vec![block(), int(1), int((1 << 59) - 1)]);
        table.insert(&guard, object.draft()).unwrap();
        for position in [0, 1, 2, 3, 4] {
            assert_eq!(add(&table, &guard, position), None);
        }
        for position in [0, 2, 4] {
            assert_eq!(assign(&table, &guard, position, &int(1)), Assigned::Undecided);
        }
    }
}

/// The second and the third element of the object of key 1, loaded in either order.
fn numbers(table: &Table, turned: bool) -> [i64; 2] {
    let guard = pin();
    // SAFETY: the guard keeps the object.
    let elements = stored(table, &guard).elements();
    let number = |i| immediate::small_value(elements.get(i).root());
    if turned {
        let later = number(2);
        [number(1), later]
    } else {
        [number(1), number(2)]
    }
}

/// Two numbers of one object are raised in turn, the second element first: nobody sees the third
/// ahead of it, in whatever order the words are loaded.
#[test]
fn changes_are_seen_in_the_order_in_which_they_were_made() {
    for form in unique() {
        crate::term::testing::install();
        let spec = Spec { write_concurrency: WriteConcurrency::On, ..form.spec() };
        let (table, writing) = (&Table::new(spec, 3), &AtomicBool::new(true));
        table.insert(&pin(), Object::new(vec![int(1), int(0), int(0)]).draft()).unwrap();
        thread::scope(|scope| {
            for turned in [false, true] {
                scope.spawn(move || {
                    while writing.load(Ordering::Acquire) {
                        for _ in 0..100 {
                            let [first, second] = numbers(table, turned);
                            assert!(first == second || first == second + 1, "{first} {second}");
                        }
                    }
                });
            }
            for n in 1..30_000 {
                assert_eq!(add(table, &pin(), 2), Some(n));
                if n % 2 == 0 {
                    assert_eq!(add(table, &pin(), 3), Some(n));
                } else {
                    assert_eq!(assign(table, &pin(), 3, &int(n)), Assigned::Done);
                }
            }
            writing.store(false, Ordering::Release);
        });
        assert_eq!(numbers(table, false), [29_999; 2]);
    }
}
