//! Models of the batch's races.

use super::*;
use crate::engine::batch::{Outcome, Progress};

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(body);
}

/// Runs a batch to its end.
fn insert(table: &Arc<Table>, value: usize, policy: Policy) -> Outcome {
    let local = table.collector.register();
    let guard = local.pin();
    let batch = Batch::new(List::new(table, &[0, 1], value, policy));
    let outcome = run(&batch, &guard);
    batch.retire(&guard);
    outcome
}

fn run(batch: &Batch<List>, guard: &Guard) -> Outcome {
    loop {
        match batch.run(guard, &mut 100) {
            Progress::Done(outcome) => return outcome,
            Progress::More | Progress::Busy => thread::yield_now(),
        }
    }
}

/// Frees the batches' own memory and accounts for all objects.
fn finish(table: &Table) {
    for _ in 0..3 {
        table.collector.collect();
    }
    table.check();
}

fn new_then_old(keys: [usize; 2]) {
    model(move || {
        let table = Table::new(2);
        let reader = {
            let table = table.clone();
            thread::spawn(move || {
                let local = table.collector.register();
                let guard = local.pin();
                let [first, second] = keys.map(|key| table.get(key, &guard));
                assert!(first.is_none() || second.is_some(), "new, then old");
            })
        };
        assert_eq!(insert(&table, 9, Policy::Replace), Outcome::Committed);
        reader.join().unwrap();
        finish(&table);
    });
}

#[test]
fn loom_reader_never_sees_new_then_old() {
    new_then_old([0, 1]);
}

#[test]
fn loom_reader_in_the_other_order_never_sees_new_then_old() {
    new_then_old([1, 0]);
}

#[test]
fn loom_reader_of_objects_that_a_batch_replaces() {
    model(|| {
        let table = Table::new(2);
        let local = table.collector.register();
        for key in [0, 1] {
            table.write(key, table.object(key, 7), &local.pin());
        }
        let reader = {
            let table = table.clone();
            thread::spawn(move || {
                let local = table.collector.register();
                let guard = local.pin();
                let [first, second] = [0, 1].map(|key| table.get(key, &guard));
                assert!(first == Some(7) || second == Some(9), "new, then old");
            })
        };
        insert(&table, 9, Policy::Replace);
        table.collector.collect();
        reader.join().unwrap();
        finish(&table);
    });
}

#[test]
fn loom_single_key_writer_helps_or_normalises() {
    model(|| {
        let table = Table::new(2);
        let writer = {
            let table = table.clone();
            thread::spawn(move || {
                let local = table.collector.register();
                let guard = local.pin();
                table.write(0, table.object(0, 5), &guard);
                assert!(table.get(0, &guard).is_some());
            })
        };
        assert_eq!(insert(&table, 9, Policy::Replace), Outcome::Committed);
        writer.join().unwrap();
        finish(&table);
    });
}

#[test]
fn loom_insert_new_against_single_key_writer() {
    model(|| {
        let table = Table::new(2);
        let writer = {
            let table = table.clone();
            thread::spawn(move || {
                let local = table.collector.register();
                table.write(1, table.object(1, 5), &local.pin());
            })
        };
        let outcome = insert(&table, 9, Policy::Refuse);
        writer.join().unwrap();
        let local = table.collector.register();
        let values = [0, 1].map(|key| table.get(key, &local.pin()));
        match outcome {
            Outcome::Committed => assert_eq!(values, [Some(9), Some(5)]),
            _ => assert_eq!(values, [None, Some(5)]),
        }
        finish(&table);
    });
}

#[test]
fn loom_batch_against_abort() {
    model(|| {
        let table = Table::new(2);
        let batch = Arc::new(Batch::new(List::new(&table, &[0, 1], 9, Policy::Replace)));
        let killer = {
            let batch = batch.clone();
            thread::spawn(move || batch.abort())
        };
        let local = table.collector.register();
        let guard = local.pin();
        let outcome = run(&batch, &guard);
        killer.join().unwrap();
        let expected = (outcome == Outcome::Committed).then_some(9);
        assert_eq!([0, 1].map(|key| table.get(key, &guard)), [expected; 2]);
        Arc::try_unwrap(batch).unwrap().retire(&guard);
        drop(guard);
        finish(&table);
    });
}

#[test]
fn loom_two_batches_of_the_same_keys() {
    model(|| {
        let table = Table::new(2);
        let other = {
            let table = table.clone();
            thread::spawn(move || insert(&table, 1, Policy::Replace))
        };
        insert(&table, 2, Policy::Replace);
        other.join().unwrap();
        let local = table.collector.register();
        let [first, second] = [0, 1].map(|key| table.get(key, &local.pin()));
        assert_eq!(first, second, "half of each");
        finish(&table);
    });
}

#[test]
fn loom_writer_against_cleaning_of_an_aborted_batch() {
    model(|| {
        let table = Table::new(2);
        let local = table.collector.register();
        let guard = local.pin();
        table.write(0, table.object(0, 7), &guard);
        let batch = Batch::new(List::new(&table, &[0, 1], 9, Policy::Replace));
        assert_eq!(batch.run(&guard, &mut 1), Progress::More);
        let writer = {
            let table = table.clone();
            thread::spawn(move || {
                let local = table.collector.register();
                table.write(0, table.object(0, 5), &local.pin());
            })
        };
        batch.abort();
        run(&batch, &guard);
        writer.join().unwrap();
        assert_eq!(table.get(0, &guard), Some(5));
        batch.retire(&guard);
        drop(guard);
        finish(&table);
    });
}
