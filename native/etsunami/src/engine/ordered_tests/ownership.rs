//! Who frees what, and what a panic leaves behind.

use super::{Map, Ordered};
use crate::engine::Direction;
use crate::reclaim;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// Fills an engine, removes some keys, and drops it.
pub fn drop_releases_every_word<M: Ordered>(keys: u64) {
    let map = Map::<M>::new(0);
    (0..keys).for_each(|key| assert_eq!(map.put(key * 7 % keys, key), None));
    (0..keys).step_by(3).for_each(|key| assert!(map.take(key).is_some()));
    (0..keys).step_by(2).for_each(|key| {
        map.put(key, 0);
    });
    let live = map.live.clone();
    drop(map);
    assert_eq!(reclaim::flush(), reclaim::Flushed::Done);
    assert_eq!(live.load(Ordering::Relaxed), 0);
}

/// Of a key that is there, and of one that is not.
pub fn a_panic_in_an_update_changes_nothing<M: Ordered>() {
    let map = Map::<M>::new(0);
    map.put(1, 1);
    for key in [1, 2] {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            map.map.update(&reclaim::pin(), &key, |_| -> (_, _, ()) { panic!("on purpose") })
        }));
        assert!(panicked.is_err());
    }
    assert_eq!((map.get(1), map.get(2)), (Some(1), None));
    assert_eq!(map.keys(Direction::Ascending, 9), [1]);
    assert_eq!(map.put(2, 2), None);
    assert_eq!(map.put(1, 2), Some(1));
    assert_eq!(map.get(1), Some(2));
}
