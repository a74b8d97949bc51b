//! Contention splits leaves, calm joins them, and a held lock stops no reader.

use super::{Narrow, Tree};
use crate::engine::ca_tree::Wide;
use crate::engine::{Change, Delta, Direction};
use crate::reclaim;
use std::ops::Bound;
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

#[test]
fn a_held_lock_stops_no_reader() {
    let tree = Tree::<Narrow>::new(0);
    (0..10).for_each(|key| assert_eq!(tree.put(key, key), None));
    for key in 0..10 {
        tree.map.update(&reclaim::pin(), &key, |_| {
            (0..10).for_each(|key| assert_eq!(tree.get(key), Some(key)));
            assert_eq!(tree.next(Bound::Included(key)), Some(key));
            assert_eq!(tree.prev(Bound::Included(key)), Some(key));
            assert_eq!(tree.keys(Direction::Descending, 4).len(), 10);
            (Change::Keep, Delta::ZERO, ())
        });
    }
}

#[test]
fn cursors_skip_what_is_not_visible() {
    let tree = Tree::<Narrow>::new(0);
    (0..100).for_each(|key| assert_eq!(tree.put(key, key % 10), None));
    let guard = reclaim::pin();
    let shown = |word| super::item(word).value == 7;
    let next = |from| tree.map.next(&guard, Bound::Excluded(&from), shown);
    let prev = |from| tree.map.prev(&guard, Bound::Excluded(&from), shown);
    assert_eq!(next(7).map(|word| super::item(word).key), Some(17));
    assert_eq!(prev(77).map(|word| super::item(word).key), Some(67));
    assert_eq!(next(97), None);
    assert_eq!(prev(7), None);
}
