//! The contract of ordered engines, and what chance and threads do to the levels.

use super::{List, Tall, audit};
use crate::engine::ordered_tests::{Integers, Map, model, ownership, reads, stress};
use crate::engine::skip_list::{Heights, Random, SkipList};
use crate::engine::{Change, Delta, Direction};
use crate::reclaim;
use proptest::prelude::*;
use std::sync::mpsc;
use std::thread;

type Usual = SkipList<Integers, Random>;
type Dense = SkipList<Integers, Tall>;
type Flat = SkipList<Integers, Low>;

/// No levels above the lowest.
struct Low;

impl Heights for Low {
    fn draw(_prefix: u64) -> usize {
        1
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn skip_lists_behave_as_btreemap(
        coarse in prop_oneof![Just(0), Just(3), Just(64)],
        ops in prop::collection::vec(model::op(60), 0..200),
    ) {
        model::behaves_as_btreemap::<Usual>(coarse, &ops);
        model::behaves_as_btreemap::<Dense>(coarse, &ops);
    }

    #[test]
    fn large_skip_lists_behave_as_btreemap(
        coarse in prop_oneof![Just(0), Just(5), Just(64)],
        ops in prop::collection::vec(model::op(600), 0..100),
    ) {
        model::behaves_as_btreemap::<Usual>(coarse, &ops);
        model::behaves_as_btreemap::<Flat>(coarse, &ops);
    }
}

#[test]
fn readers_see_what_stays() {
    stress::readers_see_what_stays::<Usual>(5000, 4, 12);
    stress::readers_see_what_stays::<Usual>(60, 64, 500);
}

#[test]
fn readers_of_dense_levels_see_what_stays() {
    stress::readers_see_what_stays::<Dense>(400, 0, 60);
    stress::readers_see_what_stays::<Dense>(60, 64, 300);
}

#[test]
fn stress_of_neighbours_that_go_together() {
    stress::neighbours_go_together::<Usual>(0, 300);
    stress::neighbours_go_together::<Usual>(64, 2000);
}

#[test]
fn updates_of_one_key_are_atomic() {
    stress::updates_of_one_key_are_atomic::<Usual>();
    stress::updates_of_one_key_are_atomic::<Dense>();
}

#[test]
fn updates_of_an_absent_key_follow_one_another() {
    stress::updates_of_an_absent_key_follow_one_another::<Usual>(0);
    stress::updates_of_an_absent_key_follow_one_another::<Usual>(64);
}

#[test]
fn drop_releases_every_word() {
    ownership::drop_releases_every_word::<Usual>(0);
    ownership::drop_releases_every_word::<Usual>(1);
    ownership::drop_releases_every_word::<Dense>(50);
    ownership::drop_releases_every_word::<Usual>(10_000);
}

#[test]
fn a_panic_in_an_update_changes_nothing() {
    ownership::a_panic_in_an_update_changes_nothing::<Usual>();
}

/// Threads insert and remove the same few keys, so that each works on the other's nodes.
fn levels_hold_after_churn<H: Heights>(coarse: u32) {
    let list = List::<H>::new(coarse);
    thread::scope(|scope| {
        for seed in 0..3_u64 {
            let list = &list;
            scope.spawn(move || {
                for i in 0..6000_u64 {
                    let key = (i * 7919 + seed * 13) % 24;
                    if (i / 3 + seed) % 2 == 0 {
                        list.put(key, i);
                    } else {
                        list.take(key);
                    }
                }
            });
        }
    });
    audit(&list);
    assert_eq!(list.map.counters().objects(), list.keys(Direction::Ascending, 64).len() as u64);
}

#[test]
fn levels_hold_after_churn_of_different_prefixes() {
    levels_hold_after_churn::<Random>(0);
    levels_hold_after_churn::<Tall>(0);
}

#[test]
fn levels_hold_after_churn_of_equal_prefixes() {
    levels_hold_after_churn::<Random>(64);
    levels_hold_after_churn::<Tall>(2);
}

/// A quarter of the nodes stands on each next level, and removed nodes leave all of them.
#[test]
fn levels_get_sparser() {
    const KEYS: u64 = 40_000;
    let list = Map::<Usual>::new(0);
    (0..KEYS).for_each(|key| {
        list.put(key * 7919 % KEYS, 0);
    });
    let count = |level: usize| {
        let guard = reclaim::pin();
        let mut next = list.map.head[level].load(&guard).node;
        let mut count = 0_u64;
        while let Some(node) = next {
            count += 1;
            next = node.next(level, &guard).node;
        }
        count
    };
    assert_eq!(count(0), KEYS);
    for level in 1..4 {
        let expected = KEYS >> (2 * level);
        assert!((expected / 2..expected * 2).contains(&count(level)), "{}", count(level));
    }
    assert!((6..=13).contains(&list.map.shape().levels), "{:?}", list.map.shape());
    (0..KEYS).for_each(|key| assert!(list.take(key).is_some()));
    assert!(list.map.head.iter().all(|link| link.load(&reclaim::pin()).node.is_none()));
}

/// While one key is being updated, its neighbours are inserted, removed and read.
#[test]
fn a_held_key_stops_nobody_else() {
    let list = List::<Tall>::new(0);
    [10, 20, 30].iter().for_each(|&key| assert_eq!(list.put(key, key), None));
    for held in [20, 25] {
        let (entered, is_held) = mpsc::channel();
        let (release, is_released) = mpsc::channel();
        thread::scope(|scope| {
            let list = &list;
            scope.spawn(move || {
                list.map.update(&reclaim::pin(), &held, |_| {
                    entered.send(()).expect("somebody listens");
                    is_released.recv().expect("the test goes on");
                    (Change::Keep, Delta::ZERO, ())
                });
            });
            is_held.recv().expect("the update runs");
            assert_eq!(list.get(20), Some(20));
            assert_eq!(list.put(held - 1, 1), None);
            assert_eq!(list.put(held + 1, 1), None);
            assert_eq!(list.take(30), Some(30));
            let keys = [10, 20, held - 1, held + 1].into_iter();
            let keys = keys.collect::<std::collections::BTreeSet<_>>();
            assert_eq!(
                list.keys(Direction::Ascending, 2),
                keys.iter().copied().collect::<Vec<_>>()
            );
            assert!(list.take(held - 1).is_some() && list.take(held + 1).is_some());
            assert_eq!(list.put(30, 30), None);
            release.send(()).expect("the update waits");
        });
    }
    audit(&list);
}

#[test]
fn a_held_lock_stops_no_reader() {
    reads::a_held_lock_stops_no_reader::<Dense>();
    reads::a_held_lock_stops_no_reader::<Usual>();
}

#[test]
fn cursors_skip_what_is_not_visible() {
    reads::cursors_skip_what_is_not_visible::<Dense>();
    reads::cursors_skip_what_is_not_visible::<Usual>();
}
