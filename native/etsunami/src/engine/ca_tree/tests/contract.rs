//! The contract of ordered engines.

use super::Narrow;
use crate::engine::ca_tree::{CaTree, Wide};
use crate::engine::ordered_tests::{Integers, model, ownership, reads, stress};
use proptest::prelude::*;

type Small = CaTree<Integers, Narrow>;
type Large = CaTree<Integers, Wide>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn narrow_trees_behave_as_btreemap(
        coarse in prop_oneof![Just(0), Just(3), Just(64)],
        ops in prop::collection::vec(model::op(60), 0..200),
    ) {
        model::behaves_as_btreemap::<Small>(coarse, &ops);
    }

    #[test]
    fn wide_trees_behave_as_btreemap(
        coarse in prop_oneof![Just(0), Just(5), Just(64)],
        ops in prop::collection::vec(model::op(600), 0..100),
    ) {
        model::behaves_as_btreemap::<Large>(coarse, &ops);
    }
}

#[test]
fn readers_of_a_narrow_tree_see_what_stays() {
    stress::readers_see_what_stays::<Small>(400, 0, 120);
    stress::readers_see_what_stays::<Small>(60, 64, 500);
}

#[test]
fn readers_of_a_wide_tree_see_what_stays() {
    stress::readers_see_what_stays::<Large>(5000, 4, 12);
}

#[test]
fn stress_of_neighbours_that_go_together() {
    stress::neighbours_go_together::<Small>(64, 500);
    stress::neighbours_go_together::<Large>(0, 500);
}

#[test]
fn updates_of_one_key_are_atomic() {
    stress::updates_of_one_key_are_atomic::<Small>();
}

#[test]
fn updates_of_an_absent_key_follow_one_another() {
    stress::updates_of_an_absent_key_follow_one_another::<Small>(0);
    stress::updates_of_an_absent_key_follow_one_another::<Small>(64);
}

#[test]
fn drop_releases_every_word_of_small_trees() {
    ownership::drop_releases_every_word::<Large>(0);
    ownership::drop_releases_every_word::<Large>(1);
    ownership::drop_releases_every_word::<Small>(5);
}

#[test]
fn drop_releases_every_word_of_deep_trees() {
    ownership::drop_releases_every_word::<Small>(2000);
    ownership::drop_releases_every_word::<Large>(10_000);
}

#[test]
fn a_panic_in_an_update_changes_nothing() {
    ownership::a_panic_in_an_update_changes_nothing::<Small>();
}

#[test]
fn a_held_lock_stops_no_reader() {
    reads::a_held_lock_stops_no_reader::<Small>();
}

#[test]
fn cursors_skip_what_is_not_visible() {
    reads::cursors_skip_what_is_not_visible::<Small>();
}
