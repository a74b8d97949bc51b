//! Deliberately broken variants of the protocols, for the tests of the tests.
//!
//! A model checker that finds nothing proves nothing until it has found something. So each protocol
//! has variants that break it in up to three lines, and some model must fail with each of them
//! (`ci/loom-weakened.sh`). A crate built with `--cfg etsunami_weaken` contains all variants, and
//! `ETSUNAMI_WEAKEN=HashTag` in the environment selects one. No cargo feature does this, because
//! features of a dependency can be enabled by anyone; in a build without the cfg every question
//! is a constant `false`.

macro_rules! variants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What can be broken.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Weak {
            $($(#[$doc])* $name,)*
        }

        #[cfg(etsunami_weaken)]
        const NAMES: &[(&str, Weak)] = &[$((stringify!($name), Weak::$name),)*];
    };
}

// The script reads this list. A comment names the loom models that must fail with the variant
// ("loom_" is all of them), and these alone are run with it.
variants! {
    GroupSlot, // fails: loom_
    ReclaimPin, // fails: loom_
    ReclaimBarrier, // fails: loom_
    ReclaimGrace, // fails: loom_
    ReclaimSteal, // fails: loom_
    ReclaimHold, // fails: loom_retire_before_the_store_that_unlinks
    DrainWait, // fails: loom_rename_against_a_write_by_the_old_name
    NameMark, // fails: loom_rename_against_a_write_by_the_old_name
    CounterLoad, // fails: loom_object_that_moves_between_stripes_is_counted_once
    CounterClaim, // fails: loom_size_never_decreases_while_only_inserts_run
    TreeDead, // fails: loom_
    TreeEdit, // fails: loom_
    TreeFence, // fails: loom_
    TreeRoute, // fails: loom_
    TreeValidation, // fails: loom_
    TreeBulk, // fails: loom_bulk_against_first_leaf
    TreeBegun, // fails: loom_split_against_a_finger
    TreeDone, // fails: loom_split_against_a_finger
    TreePointing, // fails: loom_split_against_a_finger
    TreeSpot, // fails: loom_exchange_against_another_key_in_the_slot
    BatchDecision, // fails: loom_
    BatchClean, // fails: loom_
    BatchCommit, // fails: loom_
    HashTag, // fails: loom_
    HashUntag, // fails: loom_
    HashOverflow, // fails: loom_
    HashFreeze, // fails: loom_
    HashMerge, // fails: loom_
    HashCursor, // fails: loom_
    HashBulk, // fails: loom_bulk_against_update
    HashSpot, // fails: loom_exchange_against_another_key_in_the_slot
    SkipMark, // fails: loom_skip_remove_against_insert_of_the_next_key
    SkipTower, // fails: loom_skip_remove_against_raise
    SkipUnlink, // fails: loom_skip_reader_of_a_node_that_is_freed
    SkipGone, // fails: loom_skip_remove_against_insert_of_the_same_key
    SkipReservation, // fails: loom_skip_insert_against_insert_of_one_key
    SkipUnknown, // fails: loom_skip_remove_of_a_tower_against_reads_before_it
    SkipStand, // fails: loom_skip_remove_against_remove_of_a_tower_behind_it
    SwapPublish, // fails: loom_clear_against_lookup
    SwapRetire, // fails: loom_clear_against_lookup
    ShapePublish, // fails: loom_shape_found_by_another_thread
    /// The first object is never freed; `ci/otp-suite-leak.sh` must notice.
    LeakOneObject,
    /// Each object is read after it was freed; AddressSanitizer must report it (`ci/sanitize.sh`).
    UseAfterFree,
}

/// Whether this process runs with that variant.
#[cfg(not(etsunami_weaken))]
#[inline(always)]
pub(crate) const fn weakened(_: Weak) -> bool {
    false
}

/// Whether this process runs with that variant.
#[cfg(etsunami_weaken)]
pub(crate) fn weakened(variant: Weak) -> bool {
    // Not a lock of loom: asking is no step of a protocol.
    static SELECTED: std::sync::OnceLock<Option<Weak>> = std::sync::OnceLock::new();
    *SELECTED.get_or_init(selected) == Some(variant)
}

/// As [`weakened`], but true only the first time.
pub(crate) fn weakened_once(variant: Weak) -> bool {
    static DONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    // Relaxed: the exchange alone decides.
    weakened(variant) && !DONE.swap(true, std::sync::atomic::Ordering::Relaxed)
}

/// The variant that the environment names.
#[cfg(etsunami_weaken)]
fn selected() -> Option<Weak> {
    let name = std::env::var("ETSUNAMI_WEAKEN").ok().filter(|name| !name.is_empty())?;
    let known = NAMES.iter().find(|(known, _)| *known == name);
    if known.is_none() {
        // Not a panic, which would count as a failing test.
        eprintln!("ETSUNAMI_WEAKEN={name}: no such variant");
        std::process::exit(2);
    }
    known.map(|&(_, variant)| variant)
}
