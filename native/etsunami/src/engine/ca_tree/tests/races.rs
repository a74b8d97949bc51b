//! Models of the tree's races, with leaves of three entries and routing nodes of three children.

use super::{Narrow, Tree};
use crate::engine::ordered_tests::item;
use crate::engine::{Change, Delta, Direction};
use crate::reclaim::{self, Collector, Guard};
use crate::sync::{Arc, AtomicBool, Ordering, thread};
use std::ops::Bound;

fn model(race: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Some models begin with many operations.
    builder.max_branches = 4000;
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(race);
}

/// A tree with these keys, inserted in this order; the value of each is ten times the key.
fn tree(keys: &[u64]) -> Arc<Tree<Narrow>> {
    let tree = Tree::new(0);
    for &key in keys {
        tree.put(key, 10 * key);
    }
    Arc::new(tree)
}

/// Runs `main` in this thread and `side` in another one, then gives the tree back. Readers are the
/// side: loom starts with this thread, and finds orders better from loads that come after stores.
fn race(
    tree: Arc<Tree<Narrow>>,
    main: impl FnOnce(&Tree<Narrow>),
    side: impl FnOnce(&Tree<Narrow>) + Send + 'static,
) -> Arc<Tree<Narrow>> {
    let other = tree.clone();
    let side = thread::spawn(move || side(&other));
    main(&tree);
    side.join().expect("the other thread failed");
    tree
}

fn ascending(tree: &Tree<Narrow>) -> Vec<u64> {
    tree.keys(Direction::Ascending, 100)
}

fn descending(tree: &Tree<Narrow>) -> Vec<u64> {
    tree.keys(Direction::Descending, 100)
}

#[test]
fn loom_first_leaf_is_made_once() {
    model(|| {
        let tree = race(
            tree(&[]),
            |tree| assert_eq!(tree.put(1, 10), None),
            |tree| assert_eq!(tree.put(2, 20), None),
        );
        assert_eq!(ascending(&tree), [1, 2]);
    });
}

#[test]
fn loom_updates_of_one_key_follow_one_another() {
    model(|| {
        let tree = race(
            tree(&[1]),
            |tree| {
                let old = tree.put(1, 11).expect("it stays");
                assert!(old == 10 || old == 12);
            },
            |tree| {
                let old = tree.put(1, 12).expect("it stays");
                assert!(old == 10 || old == 11);
            },
        );
        assert!(tree.get(1) == Some(11) || tree.get(1) == Some(12));
    });
}

#[test]
fn loom_slot_reuse_against_get() {
    model(|| {
        race(
            tree(&[1, 2]),
            |tree| {
                assert_eq!(tree.take(1), Some(10));
                assert_eq!(tree.put(3, 30), None);
            },
            |tree| assert_eq!(tree.get(2), Some(20)),
        );
    });
}

#[test]
fn loom_slot_reuse_against_get_of_the_slot() {
    model(|| {
        race(
            tree(&[1, 2]),
            |tree| {
                assert_eq!(tree.take(2), Some(20));
                assert_eq!(tree.put(2, 21), None);
            },
            |tree| {
                let value = tree.get(2);
                assert!(matches!(value, None | Some(20 | 21)));
                assert!(value != Some(21) || tree.get(2) == Some(21), "no way back");
            },
        );
    });
}

#[test]
fn loom_slot_reuse_against_scan() {
    model(|| {
        race(
            tree(&[1, 2]),
            |tree| {
                assert_eq!(tree.take(1), Some(10));
                assert_eq!(tree.put(3, 30), None);
            },
            |tree| assert!(matches!(ascending(tree)[..], [1, 2] | [2] | [2, 3])),
        );
    });
}

#[test]
fn loom_slot_reuse_against_prev() {
    model(|| {
        race(
            tree(&[1, 2]),
            |tree| {
                assert_eq!(tree.take(1), Some(10));
                assert_eq!(tree.put(3, 30), None);
            },
            |tree| assert_eq!(tree.prev(Bound::Included(2)), Some(2)),
        );
    });
}

#[test]
fn loom_split_against_get() {
    model(|| {
        race(
            tree(&[1, 2, 4]),
            |tree| assert_eq!(tree.put(3, 30), None),
            |tree| {
                assert_eq!(tree.get(4), Some(40));
                assert_eq!(tree.get(1), Some(10));
            },
        );
    });
}

/// Once an inserted key has been seen, it is seen again.
#[test]
fn loom_split_is_one_instant() {
    model(|| {
        race(
            tree(&[1, 2, 4]),
            |tree| assert_eq!(tree.put(3, 30), None),
            |tree| {
                let first = tree.get(3);
                let second = tree.get(3);
                assert!(first.is_none() || second.is_some(), "no way back");
            },
        );
    });
}

/// Who arrives at a leaf that has been split meanwhile must not miss what was inserted since.
#[test]
fn loom_insert_after_a_split_is_seen() {
    model(|| {
        let flag = Arc::new(crate::sync::AtomicBool::new(false));
        let raised = flag.clone();
        race(
            tree(&[1, 2, 4]),
            move |tree| {
                assert_eq!(tree.put(3, 30), None);
                assert_eq!(tree.take(1), Some(10));
                raised.store(true, crate::sync::Ordering::Release);
            },
            move |tree| {
                let done = flag.load(crate::sync::Ordering::Acquire);
                let found = tree.get(1);
                assert!(!done || found.is_none(), "removed before the read began");
            },
        );
    });
}

#[test]
fn loom_split_against_scans() {
    model(|| {
        race(
            tree(&[1, 2, 4]),
            |tree| assert_eq!(tree.put(3, 30), None),
            |tree| assert!(matches!(ascending(tree)[..], [1, 2, 4] | [1, 2, 3, 4])),
        );
    });
    model(|| {
        race(
            tree(&[1, 2, 4]),
            |tree| assert_eq!(tree.put(3, 30), None),
            |tree| assert!(matches!(descending(tree)[..], [4, 2, 1] | [4, 3, 2, 1])),
        );
    });
}

#[test]
fn loom_split_against_insert() {
    model(|| {
        let tree = race(
            tree(&[1, 2, 4]),
            |tree| assert_eq!(tree.put(3, 30), None),
            |tree| assert_eq!(tree.put(5, 50), None),
        );
        assert_eq!(ascending(&tree), [1, 2, 3, 4, 5]);
        assert_eq!(tree.map.counters().objects(), 5);
    });
}

/// Removing the only key of a leaf joins it with the next one.
#[test]
fn loom_join_against_get() {
    model(|| {
        race(
            tree(&[1, 2, 3, 4]),
            |tree| assert_eq!(tree.take(4), Some(40)),
            |tree| {
                assert_eq!(tree.get(3), Some(30));
                assert_eq!(tree.get(1), Some(10));
            },
        );
    });
}

#[test]
fn loom_join_against_scans() {
    model(|| {
        race(
            tree(&[1, 2, 3, 4]),
            |tree| assert_eq!(tree.take(4), Some(40)),
            |tree| assert!(matches!(ascending(tree)[..], [1, 2, 3] | [1, 2, 3, 4])),
        );
    });
    model(|| {
        race(
            tree(&[1, 2, 3, 4]),
            |tree| assert_eq!(tree.take(4), Some(40)),
            |tree| assert!(matches!(descending(tree)[..], [3, 2, 1] | [4, 3, 2, 1])),
        );
    });
}

#[test]
fn loom_join_against_update_of_the_neighbour() {
    model(|| {
        let tree = race(
            tree(&[1, 2, 3, 4]),
            |tree| assert_eq!(tree.take(4), Some(40)),
            |tree| assert_eq!(tree.take(2), Some(20)),
        );
        assert_eq!(ascending(&tree), [1, 3]);
    });
}

#[test]
fn loom_join_against_insert_into_the_empty_leaf() {
    model(|| {
        let tree = race(
            tree(&[1, 2, 3, 4]),
            |tree| assert_eq!(tree.take(4), Some(40)),
            |tree| assert_eq!(tree.put(5, 50), None),
        );
        assert_eq!(ascending(&tree), [1, 2, 3, 5]);
    });
}

/// Three leaves below one routing node; both ends are emptied.
#[test]
fn loom_join_against_join() {
    model(|| {
        let tree = race(
            tree(&[5, 6, 7, 8, 4]),
            |tree| assert_eq!(tree.take(8), Some(80)),
            |tree| assert_eq!(tree.take(4), Some(40)),
        );
        assert_eq!(ascending(&tree), [5, 6, 7]);
        assert_eq!(descending(&tree), [7, 6, 5]);
    });
}

/// Two leaves of one routing node are split; the second one to get there fills it.
#[test]
fn loom_split_against_split() {
    model(|| {
        let tree = race(
            tree(&[1, 2, 3, 4, 5, 6]),
            |tree| assert_eq!(tree.put(7, 70), None),
            |tree| assert_eq!(tree.put(0, 0), None),
        );
        assert_eq!(ascending(&tree), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(descending(&tree), [7, 6, 5, 4, 3, 2, 1, 0]);
    });
}

/// The routing node is full: a fourth leaf divides it, while its first leaf goes away.
#[test]
fn loom_join_against_division_of_the_routing_node() {
    model(|| {
        let tree = race(
            tree(&[5, 6, 7, 8, 9, 10, 4]),
            |tree| assert_eq!(tree.put(11, 110), None),
            |tree| assert_eq!(tree.take(4), Some(40)),
        );
        assert_eq!(ascending(&tree), [5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(descending(&tree), [11, 10, 9, 8, 7, 6, 5]);
    });
}

/// A reader on its way through a routing node that is divided.
#[test]
fn loom_division_of_the_routing_node_against_get() {
    model(|| {
        race(
            tree(&[5, 6, 7, 8, 9, 10, 4]),
            |tree| {
                assert_eq!(tree.put(11, 110), None);
                assert_eq!(tree.take(4), Some(40));
            },
            |tree| {
                assert_eq!(tree.get(8), Some(80));
                assert_eq!(tree.prev(Bound::Excluded(8)), Some(7));
            },
        );
    });
}

/// A tree whose last leaf stands beside a routing node: `[4] [5 6 7]` below it, then `[8]`.
fn uneven() -> Arc<Tree<Narrow>> {
    let tree = tree(&[5, 6, 7, 8, 9, 10, 4, 11]);
    for key in [11, 10, 9] {
        assert!(tree.take(key).is_some());
    }
    let shape = tree.map.shape();
    assert_eq!((shape.leaves, shape.routes), (3, 2), "{shape:?}");
    tree
}

#[test]
fn loom_join_with_a_deeper_neighbour_against_join() {
    model(|| {
        let tree = race(
            uneven(),
            |tree| assert_eq!(tree.take(8), Some(80)),
            |tree| assert_eq!(tree.take(4), Some(40)),
        );
        assert_eq!(ascending(&tree), [5, 6, 7]);
        assert_eq!(descending(&tree), [7, 6, 5]);
    });
}

#[test]
fn loom_join_with_a_deeper_neighbour_against_insert() {
    model(|| {
        let tree = race(
            uneven(),
            |tree| assert_eq!(tree.take(8), Some(80)),
            |tree| assert_eq!(tree.put(9, 90), None),
        );
        assert_eq!(ascending(&tree), [4, 5, 6, 7, 9]);
    });
}

#[test]
fn loom_join_with_a_deeper_neighbour_against_reads() {
    model(|| {
        race(
            uneven(),
            |tree| assert_eq!(tree.take(8), Some(80)),
            |tree| {
                assert_eq!(tree.prev(Bound::Excluded(8)), Some(7));
                assert!(matches!(ascending(tree)[..], [4, 5, 6, 7] | [4, 5, 6, 7, 8]));
            },
        );
    });
}

/// Publishes these keys, in ascending order, if the tree is empty; frees them if not.
fn publish(tree: &Tree<Narrow>, keys: &[u64]) -> bool {
    let guard = reclaim::pin();
    let words: Vec<_> = keys.iter().map(|&key| tree.make(key, 10 * key)).collect();
    let mut bulk = tree.map.bulk();
    keys.iter().zip(&words).for_each(|(&key, &word)| bulk.push(&guard, key, word));
    let done = bulk.publish(&guard, Delta::ZERO);
    if !done {
        words.into_iter().for_each(|word| tree.retire(&guard, word));
    }
    done
}

#[test]
fn loom_bulk_is_seen_whole() {
    for emptied in [false, true] {
        model(move || {
            let tree = tree(if emptied { &[7] } else { &[] });
            if emptied {
                tree.take(7);
            }
            race(
                tree,
                |tree| assert!(publish(tree, &[1, 2, 3, 4])),
                |tree| {
                    let [first, second] = [1, 4].map(|key| tree.get(key));
                    assert!(first.is_none() || second.is_some(), "new, then old");
                },
            );
        });
    }
}

#[test]
fn loom_bulk_against_first_leaf() {
    for emptied in [false, true] {
        model(move || {
            let tree = tree(if emptied { &[7] } else { &[] });
            if emptied {
                tree.take(7);
            }
            let tree = race(
                tree,
                |tree| {
                    let done = publish(tree, &[1, 2, 3]);
                    assert_eq!(tree.get(1).is_some(), done);
                },
                |tree| assert_eq!(tree.put(9, 90), None),
            );
            assert!(matches!(ascending(&tree)[..], [9] | [1, 2, 3, 9]));
        });
    }
}

/// A writer takes the key away whose spot is known, and may put another one into its slot.
#[test]
fn loom_exchange_against_another_key_in_the_slot() {
    for again in [false, true] {
        model(move || {
            let removed = Arc::new(AtomicBool::new(false));
            let (gone, tree) = (removed.clone(), tree(&[]));
            let tree = race(
                tree,
                |tree| {
                    let guard = reclaim::pin();
                    let words = [1, 2].map(|value| tree.make(1, value));
                    let put = |_| (Change::Put(words[0]), Delta::ZERO, ());
                    let ((), spot) = tree.map.update_spot(&guard, &1, put);
                    let stays = || !removed.load(Ordering::Relaxed);
                    // SAFETY: from this tree, under this guard; the words have one key, and the
                    // other thread tells under the lock that it removes one.
                    let done = unsafe { tree.map.exchange(&guard, spot, words, stays) };
                    tree.retire(&guard, words[usize::from(!done)]);
                },
                move |tree| {
                    let guard = reclaim::pin();
                    let old = tree.map.update(&guard, &1, |old| {
                        if old.is_some() {
                            gone.store(true, Ordering::Relaxed);
                        }
                        (Change::Remove, Delta::ZERO, old)
                    });
                    old.into_iter().for_each(|word| tree.retire(&guard, word));
                    if again {
                        assert_eq!(tree.put(2, 20), None);
                    }
                },
            );
            assert_eq!(tree.get(2), again.then_some(20), "overwritten");
            tree.take(1);
        });
    }
}

/// A thread that has pointed its finger at a leaf looks there for a key that another one inserts,
/// which splits this leaf.
#[test]
fn loom_split_against_a_finger() {
    model(|| {
        race(
            tree(&[1, 2, 4]),
            |tree| assert_eq!(tree.put(5, 50), None),
            |tree| {
                // Twice the same leaf.
                assert_eq!(tree.get(1), Some(10));
                assert_eq!(tree.get(1), Some(10));
                // From the root: the end of all keys is nowhere near a finger.
                let seen = tree.prev(Bound::Unbounded) == Some(5);
                assert!(tree.get(5).is_some() || !seen, "no way back");
            },
        );
    });
}

/// A leaf is freed after the last who came to it by his finger. Items are never freed here.
#[test]
fn loom_finger_at_a_leaf_that_is_freed() {
    model(|| {
        let collector = Collector::new();
        let tree = Arc::new(Tree::<Narrow>::new(0));
        let put = |guard: &Guard, key: u64| {
            let word = tree.make(key, 10 * key);
            tree.map.update(guard, &key, |_| (Change::Put(word), Delta::ZERO, ()));
        };
        let local = collector.register();
        [1, 2, 4].iter().for_each(|&key| put(&local.pin(), key));
        let reader = {
            let (collector, tree) = (collector.clone(), tree.clone());
            thread::spawn(move || {
                let local = collector.register();
                for _ in 0..3 {
                    let word = tree.map.get(&local.pin(), &1);
                    assert!(word.is_some_and(|word| item(word).value == 10));
                }
            })
        };
        put(&local.pin(), 5);
        local.seal();
        (0..3).for_each(|_| collector.collect());
        reader.join().expect("the reader failed");
    });
}
