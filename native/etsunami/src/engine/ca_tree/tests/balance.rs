//! The shapes that insertions and removals lead to.

use super::{Narrow, Tree};
use crate::engine::Direction;
use crate::engine::ca_tree::{Geometry, Wide};

#[test]
fn ascending_and_descending_insertions_leave_full_leaves() {
    const KEYS: u64 = 6400;
    let up = Tree::<Wide>::new(0);
    (0..KEYS).for_each(|key| assert_eq!(up.put(key, key), None));
    assert_eq!(up.map.shape().leaves, KEYS / 64);
    let down = Tree::<Wide>::new(0);
    (0..KEYS).rev().for_each(|key| assert_eq!(down.put(key, key), None));
    assert_eq!(down.map.shape().leaves, KEYS / 64);
}

/// Each key is the greatest of its kind so far; other kinds stand behind it.
#[test]
fn ascending_insertions_before_other_keys_leave_full_leaves() {
    const KINDS: u64 = 8;
    const KEYS: u64 = 1600;
    let tree = Tree::<Wide>::new(0);
    for key in 0..KEYS {
        (0..KINDS).for_each(|kind| assert_eq!(tree.put(kind << 32 | key, key), None));
    }
    let leaves = tree.map.shape().leaves;
    assert!(leaves <= KINDS * (KEYS / 64 + 2), "{leaves}");
}

#[test]
fn a_small_table_is_small() {
    let tree = Tree::<Wide>::new(0);
    assert_eq!(tree.map.shape().bytes, 0);
    tree.put(1, 1);
    assert!(tree.map.shape().bytes < 200, "{:?}", tree.map.shape());
}

/// Removes all but each hundredth key, in the given order.
fn shrink<G: Geometry>(keys: u64, order: impl Iterator<Item = u64>) -> super::super::Shape {
    let tree = Tree::<G>::new(0);
    (0..keys).for_each(|key| assert_eq!(tree.put(key * 7919 % keys, key), None));
    for key in order {
        if key % 100 != 0 {
            tree.take(key);
        }
    }
    let rest: Vec<u64> = (0..keys).step_by(100).collect();
    assert_eq!(tree.keys(Direction::Ascending, 1000), rest);
    tree.map.shape()
}

#[test]
fn removals_join_leaves_and_drop_routes() {
    const KEYS: u64 = 50_000;
    let left = KEYS / 100;
    let orders: [Box<dyn Iterator<Item = u64>>; 3] = [
        Box::new(0..KEYS),
        Box::new((0..KEYS).rev()),
        Box::new((0..KEYS).map(|key| key * 7919 % KEYS)),
    ];
    for order in orders {
        let shape = shrink::<Wide>(KEYS, order);
        assert!(shape.leaves <= left / 8, "{shape:?}");
        assert!(shape.routes <= 4, "{shape:?}");
    }
    let shape = shrink::<Narrow>(5_000, 0..5_000);
    assert!(shape.leaves <= 50, "{shape:?}");
}

#[test]
fn an_emptied_tree_is_one_leaf() {
    for coarse in [0, 64] {
        let tree = Tree::<Narrow>::new(coarse);
        (0..500).for_each(|key| assert_eq!(tree.put(key * 3 % 500, key), None));
        (0..500).for_each(|key| assert!(tree.take(key * 7 % 500).is_some()));
        let shape = tree.map.shape();
        assert_eq!((shape.leaves, shape.routes), (1, 0), "{shape:?}");
    }
}
