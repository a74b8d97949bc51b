//! Models of the list's races, with two levels; on both stands every node of which nothing else is
//! said.

use super::{List, audit};
use crate::engine::ordered_tests::{Integers, item};
use crate::engine::skip_list::{Heights, SkipList};
use crate::engine::{Change, Delta, Direction, Word};
use crate::reclaim::{Collector, Guard};
use crate::sync::{Arc, Counters, thread};
use std::cell::Cell;
use std::ops::Bound;

/// All keys have one prefix: then a node without a word may have any of them.
const ALIKE: u32 = 64;
/// Each key is its own prefix.
const APART: u32 = 0;

fn model(race: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Some models begin with many operations.
    builder.max_branches = 4000;
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(race);
}

thread_local! {
    /// The height of the next node. Loom runs all threads of a model on one.
    static HEIGHT: Cell<usize> = const { Cell::new(2) };
}

/// Towers as high as the model says.
struct Chosen;

impl Heights for Chosen {
    fn draw(_prefix: u64) -> usize {
        HEIGHT.get()
    }
}

/// Makes nodes of this height.
fn with_height<R>(height: usize, make: impl FnOnce() -> R) -> R {
    let before = HEIGHT.replace(height);
    let made = make();
    HEIGHT.set(before);
    made
}

/// A list with these keys; the value of each is ten times the key.
fn list(coarse: u32, keys: &[u64]) -> Arc<List<Chosen>> {
    let list = List::new(coarse);
    for &key in keys {
        list.put(key, 10 * key);
    }
    Arc::new(list)
}

/// Runs `main` in this thread and `side` in another one, then gives the list back, with its levels
/// in order. Readers are the side: loom starts with this thread, and finds orders better from loads
/// that come after stores.
fn race(
    list: Arc<List<Chosen>>,
    main: impl FnOnce(&List<Chosen>),
    side: impl FnOnce(&List<Chosen>) + Send + 'static,
) -> Arc<List<Chosen>> {
    let other = list.clone();
    let side = thread::spawn(move || side(&other));
    main(&list);
    side.join().expect("the other thread failed");
    audit(&list);
    list
}

fn ascending(list: &List<Chosen>) -> Vec<u64> {
    list.keys(Direction::Ascending, 100)
}

fn descending(list: &List<Chosen>) -> Vec<u64> {
    list.keys(Direction::Descending, 100)
}

#[test]
fn loom_skip_insert_against_insert_of_one_key() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[]),
                |list| assert!(matches!(list.put(1, 10), None | Some(11))),
                |list| assert!(matches!(list.put(1, 11), None | Some(10))),
            );
            assert_eq!(ascending(&list), [1]);
            assert_eq!(list.map.counters().objects(), 1);
        });
    }
}

#[test]
fn loom_skip_insert_against_insert_of_a_neighbour() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[]),
                |list| assert_eq!(list.put(1, 10), None),
                |list| assert_eq!(list.put(2, 20), None),
            );
            assert_eq!(ascending(&list), [1, 2]);
            assert_eq!(descending(&list), [2, 1]);
        });
    }
}

#[test]
fn loom_skip_remove_against_insert_of_the_next_key() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[1]),
                |list| assert_eq!(list.take(1), Some(10)),
                |list| {
                    assert_eq!(list.put(2, 20), None);
                    assert_eq!(list.get(2), Some(20));
                },
            );
            assert_eq!(ascending(&list), [2]);
        });
    }
}

#[test]
fn loom_skip_remove_against_insert_of_the_previous_key() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[2]),
                |list| assert_eq!(list.take(2), Some(20)),
                |list| assert_eq!(list.put(1, 10), None),
            );
            assert_eq!(ascending(&list), [1]);
        });
    }
}

#[test]
fn loom_skip_remove_against_remove_of_the_next_key() {
    model(|| {
        let list = race(
            list(APART, &[1, 2, 3]),
            |list| assert_eq!(list.take(2), Some(20)),
            |list| assert_eq!(list.take(1), Some(10)),
        );
        assert_eq!(ascending(&list), [3]);
    });
}

/// The upper level has only a node that is being removed, and whose key cannot be read: it does not
/// hide from the search for the dead what stands before it.
#[test]
fn loom_skip_remove_against_remove_of_a_tower_behind_it() {
    model(|| {
        let list = with_height(1, || list(ALIKE, &[1]));
        list.put(2, 20);
        let list = race(
            list,
            |list| assert_eq!(list.take(1), Some(10)),
            |list| assert_eq!(list.take(2), Some(20)),
        );
        assert_eq!(ascending(&list), []);
    });
}

/// The tower of a new node grows while its key is removed.
#[test]
fn loom_skip_remove_against_raise() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[2]),
                |list| assert_eq!(list.put(1, 10), None),
                |list| {
                    let taken = list.take(1);
                    assert!(taken.is_none() || list.get(1).is_none(), "removed");
                },
            );
            assert!(matches!(ascending(&list)[..], [2] | [1, 2]));
            list.take(1);
            audit(&list);
        });
    }
}

/// The old node of a key leaves its levels while the new one comes.
#[test]
fn loom_skip_remove_against_insert_of_the_same_key() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[1]),
                |list| assert_eq!(list.take(1), Some(10)),
                |list| {
                    let old = list.put_new(1, 11);
                    assert!(old == Some(10) || list.get(1) == Some(11), "it stays");
                },
            );
            assert!(matches!(list.get(1), None | Some(11)));
        });
    }
}

#[test]
fn loom_skip_replace_against_remove() {
    model(|| {
        let list = race(
            list(APART, &[1]),
            |list| match list.take(1) {
                Some(10) | Some(11) => {}
                other => panic!("{other:?} was never there"),
            },
            |list| match list.put(1, 11) {
                Some(10) => {}
                None => assert_eq!(list.get(1), Some(11), "inserted after the removal"),
                other => panic!("{other:?} was never there"),
            },
        );
        let left = list.get(1);
        assert!(matches!(left, None | Some(11)));
        assert_eq!(list.map.counters().objects(), u64::from(left.is_some()));
    });
}

/// An update that stores nothing leaves nothing, whoever meets its node.
#[test]
fn loom_skip_update_of_an_absent_key_against_insert() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[]),
                |list| assert!(matches!(list.take(1), None | Some(10))),
                |list| assert_eq!(list.put(1, 10), None),
            );
            assert!(matches!(list.get(1), None | Some(10)));
        });
    }
}

/// What has been seen to come or to go does not go back.
#[test]
fn loom_skip_reinsert_against_get() {
    model(|| {
        race(
            list(APART, &[1]),
            |list| {
                assert_eq!(list.take(1), Some(10));
                assert_eq!(list.put(1, 11), None);
            },
            |list| {
                let first = list.get(1);
                assert!(matches!(first, None | Some(10 | 11)));
                let second = list.get(1);
                assert!(first == Some(10) || second != Some(10), "no way back");
                assert!(first != Some(11) || second == Some(11), "no way back");
            },
        );
    });
}

/// A key beside one that is being removed is found, though the other's key cannot be read.
#[test]
fn loom_skip_remove_against_get_of_a_neighbour() {
    for coarse in [APART, ALIKE] {
        model(move || {
            race(
                list(coarse, &[1, 2, 3]),
                |list| assert_eq!(list.take(2), Some(20)),
                |list| {
                    assert_eq!(list.get(1), Some(10));
                    assert_eq!(list.get(3), Some(30));
                },
            );
        });
    }
}

/// The only node of the upper level is being removed: it does not hide those before it.
#[test]
fn loom_skip_remove_of_a_tower_against_reads_before_it() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = with_height(1, || list(coarse, &[1, 3]));
            list.put(2, 20);
            race(
                list,
                |list| assert_eq!(list.take(2), Some(20)),
                |list| {
                    assert_eq!(list.get(1), Some(10));
                    assert_eq!(list.get(3), Some(30));
                    assert_eq!(list.next(Bound::Included(1)), Some(1));
                },
            );
        });
    }
}

/// A new key comes behind the only node of the upper level, while that is removed.
#[test]
fn loom_skip_remove_of_a_tower_against_insert_behind_it() {
    for coarse in [APART, ALIKE] {
        model(move || {
            let list = race(
                list(coarse, &[1]),
                |list| assert_eq!(list.take(1), Some(10)),
                |list| {
                    with_height(1, || assert_eq!(list.put(2, 20), None));
                    assert_eq!(list.get(2), Some(20));
                },
            );
            assert_eq!(descending(&list), [2]);
        });
    }
}

#[test]
fn loom_skip_remove_and_insert_against_next() {
    for coarse in [APART, ALIKE] {
        model(move || {
            race(
                list(coarse, &[1, 3]),
                |list| {
                    assert_eq!(list.take(1), Some(10));
                    assert_eq!(list.put(2, 20), None);
                },
                |list| {
                    let next = list.next(Bound::Included(1));
                    assert!(matches!(next, Some(1..=3)));
                    assert!(matches!(list.next(Bound::Excluded(2)), Some(3)));
                },
            );
        });
    }
}

#[test]
fn loom_skip_remove_and_insert_against_prev() {
    for coarse in [APART, ALIKE] {
        model(move || {
            race(
                list(coarse, &[1, 2, 4]),
                |list| {
                    assert_eq!(list.take(2), Some(20));
                    assert_eq!(list.put(3, 30), None);
                },
                |list| {
                    assert!(matches!(list.prev(Bound::Excluded(4)), Some(1..=3)));
                    assert_eq!(list.prev(Bound::Included(1)), Some(1));
                },
            );
        });
    }
}

#[test]
fn loom_skip_remove_and_insert_against_scans() {
    for direction in [Direction::Ascending, Direction::Descending] {
        model(move || {
            race(
                list(APART, &[1, 2]),
                |list| {
                    assert_eq!(list.take(1), Some(10));
                    assert_eq!(list.put(3, 30), None);
                },
                move |list| {
                    let mut keys = list.keys(direction, 100);
                    keys.sort_unstable();
                    assert!(matches!(keys[..], [1, 2] | [2] | [2, 3] | [1, 2, 3]), "{keys:?}");
                },
            );
        });
    }
}

/// A map whose nodes are freed by a collector of its own, while they are looked at.
struct Freed {
    collector: Collector,
    map: SkipList<Integers, Chosen>,
    items: List<Chosen>,
}

impl Freed {
    fn put(&self, guard: &Guard, key: u64) {
        let word = self.items.make(key, 10 * key);
        self.map.update(guard, &key, |_| (Change::Put(word), Delta::ZERO, ()));
    }

    fn take(&self, guard: &Guard, key: u64) -> Option<Word> {
        self.map.update(guard, &key, |old| (Change::Remove, Delta::ZERO, old))
    }
}

/// A node is freed after its last reader. Items are never freed here.
#[test]
fn loom_skip_reader_of_a_node_that_is_freed() {
    model(|| {
        let freed = Arc::new(Freed {
            collector: Collector::new(),
            map: SkipList::new(Integers { coarse: APART }, Counters::new(1)),
            items: List::new(APART),
        });
        let local = freed.collector.register();
        [1, 2].iter().for_each(|&key| freed.put(&local.pin(), key));
        let reader = {
            let freed = freed.clone();
            thread::spawn(move || {
                let local = freed.collector.register();
                let guard = local.pin();
                let word = freed.map.get(&guard, &2).expect("it stays");
                assert_eq!(item(word).value, 20);
            })
        };
        assert!(freed.take(&local.pin(), 1).is_some());
        local.seal();
        (0..3).for_each(|_| freed.collector.collect());
        reader.join().expect("the reader failed");
    });
}
