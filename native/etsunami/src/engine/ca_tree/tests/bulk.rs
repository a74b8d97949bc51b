//! Contents that are built apart.

use super::{Narrow, Tree};
use crate::engine::ca_tree::{Geometry, Wide};
use crate::engine::{Delta, Direction, OrderSchema};
use crate::reclaim::pin;
use std::sync::atomic::Ordering;
use std::thread;

/// Publishes these keys, in ascending order, if the tree is empty.
fn publish<G: Geometry>(tree: &Tree<G>, keys: impl Iterator<Item = u64>) -> bool {
    let words: Vec<_> = keys.map(|key| (key, tree.make(key, 10 * key))).collect();
    let mut bulk = tree.map.bulk();
    let guard = pin();
    for &(key, word) in &words {
        bulk.push(&guard, tree.map.schema().prefix(&key), word);
    }
    let done = bulk.publish(&guard, Delta { objects: words.len() as i64, words: 0 });
    if !done {
        words.into_iter().for_each(|(_, word)| tree.retire(&guard, word));
    }
    done
}

fn all_sizes<G: Geometry>(coarse: u32) {
    for count in [1, 2, 3, 4, 5, 7, 12, 13, 29, 48, 49, 97, 500, 2500] {
        let tree = Tree::<G>::new(coarse);
        assert!(publish(&tree, (0..count).map(|key| 2 * key)));
        let ascending: Vec<u64> = (0..count).map(|key| 2 * key).collect();
        assert_eq!(tree.keys(Direction::Ascending, 100), ascending);
        let descending: Vec<u64> = ascending.iter().rev().copied().collect();
        assert_eq!(tree.keys(Direction::Descending, 7), descending);
        assert_eq!(tree.map.counters().objects(), count);
        // It goes on as any other.
        for key in 0..2 * count {
            let old = (key % 2 == 0).then_some(10 * key);
            assert_eq!((tree.get(key), tree.put(key, 1)), (old, old));
        }
        for key in 0..2 * count {
            assert_eq!(tree.take(key), Some(1));
        }
        let live = tree.live.clone();
        drop(tree);
        assert_eq!(crate::reclaim::flush(), crate::reclaim::Flushed::Done);
        assert_eq!(live.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn contents_of_all_sizes_are_those_of_a_tree() {
    all_sizes::<Wide>(0);
    all_sizes::<Narrow>(0);
    all_sizes::<Narrow>(3);
}

#[test]
fn a_tree_that_is_not_empty_keeps_its_contents() {
    for keys in [1, 200] {
        let tree = Tree::<Narrow>::new(0);
        (0..keys).for_each(|key| assert_eq!(tree.put(key, key), None));
        assert!(!tree.map.seems_vacant(&pin()));
        assert!(!publish(&tree, 500..600));
        assert_eq!(tree.keys(Direction::Ascending, 100), (0..keys).collect::<Vec<_>>());
    }
}

#[test]
fn an_emptied_leaf_is_replaced() {
    let tree = Tree::<Wide>::new(0);
    tree.put(1, 1);
    tree.take(1);
    let before = tree.map.shape().leaves;
    assert_eq!(before, 1);
    assert!(publish(&tree, 0..100));
    assert_eq!(tree.keys(Direction::Ascending, 30).len(), 100);
    assert_eq!(tree.map.shape().leaves, 3);
}

#[test]
fn what_is_not_published_is_given_up() {
    let tree = Tree::<Narrow>::new(0);
    let words: Vec<_> = (0..100).map(|key| tree.make(key, 0)).collect();
    let guard = pin();
    let mut bulk = tree.map.bulk();
    words.iter().enumerate().for_each(|(key, &word)| bulk.push(&guard, key as u64, word));
    drop(bulk);
    words.into_iter().for_each(|word| tree.retire(&guard, word));
    assert_eq!((tree.map.shape().leaves, tree.map.shape().bytes), (0, 0));
}

/// Writers that come between are not lost, nor is the contents, whoever is first.
#[test]
fn writers_beside_a_publication() {
    for round in 1..60 {
        let tree = &Tree::<Narrow>::new(0);
        thread::scope(|scope| {
            let writer = scope
                .spawn(move || (0..20).for_each(|key| assert_eq!(tree.put(10_000 + key, 1), None)));
            let built = publish(tree, 0..10 * round);
            writer.join().expect("the writer");
            let count = 20 + if built { 10 * round } else { 0 };
            assert_eq!(tree.keys(Direction::Ascending, 100).len() as u64, count);
            assert_eq!(tree.map.counters().objects(), count);
        });
    }
}
