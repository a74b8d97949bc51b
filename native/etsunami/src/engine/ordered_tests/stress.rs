//! Real threads: keys present throughout are found by every reader, whatever the engine does.

use super::{Map, Ordered};
use crate::engine::Direction;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Keys that are multiples of this stay, the others come and go.
const STAY: u64 = 5;

/// Fills and empties the map around the keys that stay, and replaces those.
fn churn<M: Ordered>(map: &Map<M>, keys: u64, seed: u64, rounds: u64) {
    for round in 0..rounds {
        for i in 0..keys {
            let key = (i * 7919 + seed) % keys;
            if key.is_multiple_of(STAY) || round % 2 == 0 {
                map.put(key, round);
            } else {
                map.take(key);
            }
        }
    }
}

fn check_scan<M: Ordered>(map: &Map<M>, keys: u64, direction: Direction, limit: usize) {
    let mut seen = map.keys(direction, limit);
    if direction == Direction::Descending {
        seen.reverse();
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "keys strictly increase");
    let stayed: Vec<u64> = seen.into_iter().filter(|key| key % STAY == 0).collect();
    assert_eq!(stayed, (0..keys).step_by(STAY as usize).collect::<Vec<_>>());
}

fn read<M: Ordered>(map: &Map<M>, keys: u64, stop: &AtomicBool) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        check_scan(map, keys, Direction::Ascending, 1 + turn % 97);
        check_scan(map, keys, Direction::Descending, 1 + turn % 89);
        for key in (0..keys).step_by(STAY as usize) {
            assert!(map.get(key).is_some(), "{key} stays");
            let next = map.next(Bound::Excluded(key)).unwrap_or(u64::MAX);
            assert!(next > key && next <= key + STAY || key + STAY >= keys);
            let prev = map.prev(Bound::Excluded(key + 1));
            assert_eq!(prev, Some(key));
        }
    }
}

/// Reads a map, of which every fifth key stays, while two threads change it.
pub fn readers_see_what_stays<M: Ordered>(keys: u64, coarse: u32, rounds: u64) {
    let map = Map::<M>::new(coarse);
    (0..keys).step_by(STAY as usize).for_each(|key| assert_eq!(map.put(key, 0), None));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(|| read(&map, keys, &stop))).collect();
        let write = |seed| churn(&map, keys, seed, rounds);
        let writers = [1, 4001].map(|seed| scope.spawn(move || write(seed)));
        // All have ended before one is judged: the readers have to be told.
        let written = writers.map(|writer| writer.join());
        stop.store(true, Ordering::Relaxed);
        written.into_iter().for_each(|writer| writer.expect("a writer failed"));
        readers.into_iter().for_each(|reader| reader.join().expect("a reader failed"));
    });
    assert_eq!(map.map.counters().objects(), map.keys(Direction::Ascending, 64).len() as u64);
    let live = map.live.clone();
    drop(map);
    // A busy thread of another test may have taken over the bag of one that has ended: a flush does not
    // wait for that, so it is repeated.
    let freed = |_| {
        assert_eq!(crate::reclaim::flush(), crate::reclaim::Flushed::Done);
        live.load(Ordering::Relaxed) == 0 || {
            thread::sleep(std::time::Duration::from_millis(10));
            false
        }
    };
    assert!((0..500).any(freed), "{} left", live.load(Ordering::Relaxed));
}

/// Removes and inserts stretches of neighbours that overlap with those of other threads.
fn sweep<M: Ordered>(map: &Map<M>, keys: u64, seed: u64, rounds: u64) {
    const STRETCH: u64 = 40;
    let mut random = seed;
    for _ in 0..rounds {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(seed);
        let first = (random >> 33) % keys;
        for key in first..(first + STRETCH).min(keys) {
            match random >> 63 {
                0 => drop(map.take(key)),
                _ => drop(map.put(key, random)),
            }
        }
    }
}

/// Threads remove and insert the same stretches, others walk over them.
pub fn neighbours_go_together<M: Ordered>(coarse: u32, rounds: u64) {
    const KEYS: u64 = 600;
    let map = Map::<M>::new(coarse);
    let stop = AtomicBool::new(false);
    let walk = || {
        while !stop.load(Ordering::Relaxed) {
            let keys = map.keys(Direction::Ascending, 64);
            assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "keys strictly increase");
            let mut at = 0;
            while let Some(next) = map.next(Bound::Excluded(at)) {
                assert!(at < next && next < KEYS, "{next} after {at}");
                at = next;
            }
        }
    };
    thread::scope(|scope| {
        let walkers = [0; 2].map(|_| scope.spawn(walk));
        let sweepers = [1, 3, 5, 7].map(|seed| {
            let map = &map;
            scope.spawn(move || sweep(map, KEYS, seed, rounds))
        });
        // All have ended before one is judged: the walkers have to be told.
        let swept = sweepers.map(|sweeper| sweeper.join());
        stop.store(true, Ordering::Relaxed);
        swept.into_iter().for_each(|sweeper| sweeper.expect("a sweeper failed"));
        walkers.into_iter().for_each(|walker| walker.join().expect("a walker failed"));
    });
    assert_eq!(map.map.counters().objects(), map.keys(Direction::Ascending, 64).len() as u64);
}

/// Each thread counts on shared keys: no update is lost.
pub fn updates_of_one_key_are_atomic<M: Ordered>() {
    const EACH: u64 = 3000;
    let map = Map::<M>::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for i in 0..EACH {
                    add_one(&map, i % 7);
                }
            });
        }
    });
    let total: u64 = (0..7).map(|key| map.get(key).unwrap_or(0)).sum();
    assert_eq!(total, 3 * EACH);
}

fn add_one<M: Ordered>(map: &Map<M>, key: u64) {
    use crate::engine::{Change, Delta};
    let guard = crate::reclaim::pin();
    let old = map.map.update(&guard, &key, |old| {
        let value = old.map_or(0, |word| super::item(word).value);
        let objects = i64::from(old.is_none());
        (Change::Put(map.make(key, value + 1)), Delta { objects, words: 0 }, old)
    });
    if let Some(old) = old {
        map.retire(&guard, old);
    }
}

/// Who comes second finds what the first has stored, however long that took: a key that is absent
/// is locked like any other.
pub fn updates_of_an_absent_key_follow_one_another<M: Ordered>(coarse: u32) {
    use crate::engine::{Change, Delta};
    let map = Map::<M>::new(coarse);
    map.put(4, 0);
    for key in [1, 5] {
        let (entered, is_held) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let map = &map;
            scope.spawn(move || {
                map.map.update(&crate::reclaim::pin(), &key, |old| {
                    assert!(old.is_none());
                    entered.send(()).expect("somebody listens");
                    thread::sleep(std::time::Duration::from_millis(20));
                    (Change::Put(map.make(key, 1)), Delta { objects: 1, words: 3 }, ())
                });
            });
            is_held.recv().expect("the update runs");
            assert_eq!(map.put(key, 2), Some(1));
        });
        assert_eq!(map.get(key), Some(2));
    }
    assert_eq!(map.map.counters().objects(), 3);
}
