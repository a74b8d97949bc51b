//! Who frees what, and what a panic leaves behind.

use super::{Narrow, Tree};
use crate::engine::ca_tree::{Geometry, Wide};
use crate::reclaim;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

fn drop_releases_every_word<G: Geometry>(keys: u64) {
    let tree = Tree::<G>::new(0);
    (0..keys).for_each(|key| assert_eq!(tree.put(key * 7 % keys, key), None));
    (0..keys).step_by(3).for_each(|key| assert!(tree.take(key).is_some()));
    (0..keys).step_by(2).for_each(|key| {
        tree.put(key, 0);
    });
    let live = tree.live.clone();
    drop(tree);
    assert_eq!(reclaim::flush(), reclaim::Flushed::Done);
    assert_eq!(live.load(Ordering::Relaxed), 0);
}

#[test]
fn drop_releases_every_word_of_small_trees() {
    drop_releases_every_word::<Wide>(0);
    drop_releases_every_word::<Wide>(1);
    drop_releases_every_word::<Narrow>(5);
}

#[test]
fn drop_releases_every_word_of_deep_trees() {
    drop_releases_every_word::<Narrow>(2000);
    drop_releases_every_word::<Wide>(10_000);
}

#[test]
fn a_panic_in_an_update_unlocks_the_leaf() {
    let tree = Tree::<Narrow>::new(0);
    tree.put(1, 1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        tree.map.update(&reclaim::pin(), &1, |_| -> (_, _, ()) { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    assert_eq!(tree.put(1, 2), Some(1));
    assert_eq!(tree.get(1), Some(2));
}
