//! The protocol step by step, and under real threads.

use super::*;
use crate::engine::batch::{Outcome, Progress};
use crate::reclaim::{self, Flushed};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn run(batch: &Batch<List>, guard: &Guard, budget: usize) -> Progress {
    batch.run(guard, &mut budget.clone())
}

/// Frees the batch's own memory, so that what its list still holds is accounted for.
fn settle_all(table: &Table) {
    for _ in 0..3 {
        table.collector.collect();
    }
    table.check();
}

#[test]
fn nothing_is_visible_before_the_decision_and_everything_after_it() {
    let table = Table::new(3);
    let local = table.collector.register();
    let guard = local.pin();
    table.write(1, table.object(1, 7), &guard);
    let batch = Batch::new(List::new(&table, &[0, 1, 2], 9, Policy::Replace));
    assert_eq!(run(&batch, &guard, 2), Progress::More);
    assert_eq!([0, 1, 2].map(|key| table.get(key, &guard)), [None, Some(7), None]);
    assert_eq!(run(&batch, &guard, 2), Progress::More);
    assert_eq!([0, 1, 2].map(|key| table.get(key, &guard)), [Some(9); 3]);
    assert_eq!(run(&batch, &guard, 2), Progress::Done(Outcome::Committed));
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn a_refused_list_leaves_everything_as_it_was() {
    let table = Table::new(3);
    let local = table.collector.register();
    let guard = local.pin();
    table.write(2, table.object(2, 7), &guard);
    let batch = Batch::new(List::new(&table, &[0, 1, 2], 9, Policy::Refuse));
    assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Refused));
    assert_eq!([0, 1, 2].map(|key| table.get(key, &guard)), [None, None, Some(7)]);
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn a_target_that_is_not_valid_any_more_aborts() {
    let table = Table::new(2);
    let local = table.collector.register();
    let guard = local.pin();
    let mut list = List::new(&table, &[0, 1], 9, Policy::Replace);
    list.valid = || false;
    let batch = Batch::new(list);
    assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Aborted));
    assert_eq!([0, 1].map(|key| table.get(key, &guard)), [None, None]);
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn a_target_that_panics_aborts_and_leaves_no_flag_behind() {
    let table = Table::new(2);
    let local = table.collector.register();
    let guard = local.pin();
    let mut list = List::new(&table, &[0, 1], 9, Policy::Replace);
    list.valid = || std::panic::resume_unwind(Box::new(()));
    let batch = Batch::new(list);
    let panic = catch_unwind(AssertUnwindSafe(|| run(&batch, &guard, 100)));
    assert!(panic.is_err());
    assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Aborted));
    assert_eq!([0, 1].map(|key| table.get(key, &guard)), [None, None]);
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn a_writer_of_a_skipped_key_finishes_the_batch() {
    let table = Table::new(2);
    let local = table.collector.register();
    let guard = local.pin();
    table.write(0, table.object(0, 7), &guard);
    let batch = Batch::new(List::new(&table, &[0, 1], 9, Policy::Skip));
    assert_eq!(run(&batch, &guard, 1), Progress::More);
    assert_eq!([0, 1].map(|key| table.get(key, &guard)), [Some(7), None]);
    table.write(0, Word::EMPTY, &guard);
    assert_eq!([0, 1].map(|key| table.get(key, &guard)), [None, Some(9)]);
    assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Committed));
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn skipped_entries_keep_what_is_visible() {
    let table = Table::new(2);
    let local = table.collector.register();
    let guard = local.pin();
    table.write(0, table.object(0, 7), &guard);
    let batch = Batch::new(List::new(&table, &[0, 1], 9, Policy::Skip));
    assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Committed));
    assert_eq!([0, 1].map(|key| table.get(key, &guard)), [Some(7), Some(9)]);
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn a_writer_that_is_blocked_finishes_the_suspended_batch() {
    let table = Table::new(3);
    let local = table.collector.register();
    let guard = local.pin();
    let batch = Batch::new(List::new(&table, &[0, 1, 2], 9, Policy::Replace));
    assert_eq!(run(&batch, &guard, 1), Progress::More);
    table.write(0, table.object(0, 5), &guard);
    assert_eq!(batch.outcome(), Some(Outcome::Committed));
    assert_eq!([0, 1, 2].map(|key| table.get(key, &guard)), [Some(5), Some(9), Some(9)]);
    assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Committed));
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn a_chain_of_blocked_batches_is_resolved_from_its_end() {
    let table = Table::new(4);
    let local = table.collector.register();
    let guard = local.pin();
    let late = Batch::new(List::new(&table, &[2, 3], 1, Policy::Replace));
    let middle = Batch::new(List::new(&table, &[1, 2], 2, Policy::Replace));
    let early = Batch::new(List::new(&table, &[0, 1], 3, Policy::Replace));
    assert_eq!(run(&late, &guard, 1), Progress::More);
    assert_eq!(run(&middle, &guard, 1), Progress::More);
    assert_eq!(run(&early, &guard, 100), Progress::Done(Outcome::Committed));
    assert_eq!(
        [0, 1, 2, 3].map(|key| table.get(key, &guard)),
        [Some(3), Some(3), Some(2), Some(1)]
    );
    for batch in [late, middle, early] {
        assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Committed));
        batch.retire(&guard);
    }
    drop(guard);
    settle_all(&table);
}

#[test]
fn an_aborted_batch_is_undone() {
    let table = Table::new(2);
    let local = table.collector.register();
    let guard = local.pin();
    table.write(0, table.object(0, 7), &guard);
    let batch = Batch::new(List::new(&table, &[0, 1], 9, Policy::Replace));
    assert_eq!(run(&batch, &guard, 1), Progress::More);
    batch.abort();
    assert_eq!(run(&batch, &guard, 100), Progress::Done(Outcome::Aborted));
    assert_eq!([0, 1].map(|key| table.get(key, &guard)), [Some(7), None]);
    batch.retire(&guard);
    drop(guard);
    settle_all(&table);
}

#[test]
fn a_batch_that_is_dropped_is_aborted_and_cleaned_in_the_background() {
    // The background thread retires into the default collector: everybody must pin that one.
    let table = Table::new(2);
    let batch = Batch::new(List::new(&table, &[0, 1], 9, Policy::Replace));
    assert_eq!(run(&batch, &reclaim::pin(), 1), Progress::More);
    drop(batch);
    assert_eq!(table.get(0, &reclaim::pin()), None);
    assert_eq!(reclaim::flush(), Flushed::Done);
    table.check();
}

#[test]
fn overlapping_batches_and_single_writers_under_threads() {
    const ROUNDS: usize = 200;
    let table = Table::new(6);
    let write = |seed: usize, table: Arc<Table>| {
        move || {
            let local = table.collector.register();
            for round in 0..ROUNDS {
                let guard = local.pin();
                let value = round * 10 + seed;
                let keys = if round % 2 == 0 { [0, 2, 4] } else { [1, 2, 5] };
                let batch = Batch::new(List::new(&table, &keys, value, Policy::Replace));
                while !matches!(run(&batch, &guard, 2), Progress::Done(_)) {
                    thread::yield_now();
                }
                batch.retire(&guard);
                let key = (round + seed) % 6;
                let new = if round % 3 == 0 { Word::EMPTY } else { table.object(key, value) };
                table.write(key, new, &guard);
            }
        }
    };
    let threads = [1, 2, 3].map(|seed| thread::spawn(write(seed, table.clone())));
    for thread in threads {
        thread.join().unwrap();
    }
    settle_all(&table);
}
