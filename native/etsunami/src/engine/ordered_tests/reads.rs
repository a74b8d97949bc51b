//! Readers beside what does not concern them.

use super::{Map, Ordered, item};
use crate::engine::{Change, Delta, Direction};
use crate::reclaim;
use std::ops::Bound;

/// The key that is being updated, and the others, are read meanwhile.
pub fn a_held_lock_stops_no_reader<M: Ordered>() {
    let map = Map::<M>::new(0);
    (0..10).for_each(|key| assert_eq!(map.put(key, key), None));
    for key in 0..10 {
        map.map.update(&reclaim::pin(), &key, |_| {
            (0..10).for_each(|key| assert_eq!(map.get(key), Some(key)));
            assert_eq!(map.next(Bound::Included(key)), Some(key));
            assert_eq!(map.prev(Bound::Included(key)), Some(key));
            assert_eq!(map.keys(Direction::Descending, 4).len(), 10);
            (Change::Keep, Delta::ZERO, ())
        });
    }
}

/// `next` and `prev` pass by words that they are not asked for.
pub fn cursors_skip_what_is_not_visible<M: Ordered>() {
    let map = Map::<M>::new(0);
    (0..100).for_each(|key| assert_eq!(map.put(key, key % 10), None));
    let guard = reclaim::pin();
    let shown = |word| item(word).value == 7;
    let next = |from| map.map.next(&guard, Bound::Excluded(&from), shown);
    let prev = |from| map.map.prev(&guard, Bound::Excluded(&from), shown);
    assert_eq!(next(7).map(|word| item(word).key), Some(17));
    assert_eq!(prev(77).map(|word| item(word).key), Some(67));
    assert_eq!(next(97), None);
    assert_eq!(prev(7), None);
}
