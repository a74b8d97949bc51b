//! Contention splits leaves, and calm joins them.

use super::Tree;
use crate::engine::ca_tree::Wide;
use crate::engine::ca_tree::node::{Gap, Probe};
use crate::engine::ordered_tests::Integers;
use crate::engine::{Change, Delta, Direction};
use crate::reclaim;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// One update waits for another one of the same leaf.
fn contend(tree: &Tree<Wide>) {
    let (entered, is_held) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            tree.map.update(&reclaim::pin(), &1, |_| {
                entered.send(()).expect("somebody listens");
                thread::sleep(Duration::from_millis(2));
                (Change::Keep, Delta::ZERO, ())
            });
        });
        is_held.recv().expect("the update runs");
        tree.map.update(&reclaim::pin(), &2, |_| (Change::Keep, Delta::ZERO, ()));
    });
}

#[test]
fn contention_splits_and_calm_joins() {
    let tree = Tree::<Wide>::new(0);
    (0..30).for_each(|key| assert_eq!(tree.put(key, key), None));
    for _ in 0..100 {
        if tree.map.shape().splits > 0 {
            break;
        }
        contend(&tree);
    }
    let shape = tree.map.shape();
    assert_eq!((shape.leaves, shape.routes, shape.splits), (2, 1, 1), "{shape:?}");
    assert!(shape.waits >= 4, "{shape:?}");
    for _ in 0..2100 {
        tree.map.update(&reclaim::pin(), &1, |_| (Change::Keep, Delta::ZERO, ()));
    }
    let shape = tree.map.shape();
    assert_eq!((shape.leaves, shape.routes, shape.joins), (1, 0, 1), "{shape:?}");
    assert_eq!(tree.keys(Direction::Ascending, 100), (0..30).collect::<Vec<_>>());
}

/// Two searches that end in one leaf point a finger there, which a split of the leaf withdraws.
#[test]
fn fingers_point_to_live_leaves() {
    let tree = Tree::<Wide>::new(0);
    let points_to = |key: u64| {
        let gap = Gap::Before(Probe::new(&Integers { coarse: 0 }, &key));
        tree.map.pointed(&reclaim::pin(), &gap).is_some()
    };
    (0..64).for_each(|key| assert_eq!(tree.put(2 * key, key), None));
    assert_eq!((tree.get(20), tree.get(90)), (Some(10), Some(45)));
    assert_eq!((tree.get(20), tree.get(90)), (Some(10), Some(45)));
    assert!(points_to(20) && points_to(91) && points_to(1000));
    assert_eq!(tree.put(61, 0), None);
    assert_eq!(tree.map.shape().leaves, 2);
    assert!(!points_to(20) && !points_to(91));
    (0..3).for_each(|_| assert_eq!(tree.get(90), Some(45)));
    assert!(points_to(91) && points_to(1000) && !points_to(20));
}
