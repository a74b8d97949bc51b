//! A rename against operations by both names.

use super::{Meaning, NameSlot, Taken};
use crate::reclaim::{Collector, Drained};
use crate::sync::{Arc, AtomicU64, Ordering, thread};

/// Two names and two tables, which are numbers.
struct World {
    collector: Collector,
    old: NameSlot<AtomicU64>,
    new: NameSlot<AtomicU64>,
    table: Box<AtomicU64>,
    other: Box<AtomicU64>,
}

impl World {
    fn new() -> Arc<World> {
        let world = World {
            collector: Collector::new(),
            old: NameSlot::default(),
            new: NameSlot::default(),
            table: Box::new(AtomicU64::new(0)),
            other: Box::new(AtomicU64::new(0)),
        };
        assert_eq!(world.old.claim(world.table()), Ok(()));
        Arc::new(world)
    }

    fn table(&self) -> *mut AtomicU64 {
        (&raw const *self.table).cast_mut()
    }

    /// Adds one by a name. False if there is no table of the name, or not yet.
    fn write(&self, name: &NameSlot<AtomicU64>) -> bool {
        let local = self.collector.register();
        let _guard = local.pin();
        let Meaning::Table(table) = name.get() else { return false };
        // SAFETY: the table lives as long as the model.
        unsafe { &*table }.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The number by the new name, twice under one guard, and once more by the table itself.
    fn read_by_new_name(&self) {
        let local = self.collector.register();
        let _guard = local.pin();
        let Meaning::Table(table) = self.new.get() else { return };
        // SAFETY: the table lives as long as the model.
        let table = unsafe { &*table };
        let first = table.load(Ordering::Relaxed);
        thread::yield_now();
        assert_eq!(table.load(Ordering::Relaxed), first, "a write by the old name came later");
    }

    /// Gives the table its new name. False if it was called off.
    fn rename(&self) -> bool {
        let table = self.table();
        assert!(self.old.mark(table));
        assert_eq!(self.new.reserve(table), Ok(()));
        let mut tries = 0;
        let drained = self.collector.drain(|| {
            tries += 1;
            thread::yield_now();
            tries < 3
        });
        let done = drained == Drained::Done;
        self.old.settle(table, !done);
        self.new.settle(table, done);
        done
    }
}

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(body);
}

#[test]
fn loom_rename_against_a_write_by_the_old_name() {
    model(|| {
        let world = World::new();
        let writer = {
            let world = world.clone();
            thread::spawn(move || world.write(&world.old))
        };
        if world.rename() {
            let now = world.table.load(Ordering::Relaxed);
            assert!(!world.write(&world.old), "the old name still works");
            let wrote = writer.join().unwrap();
            // What was written by the old name was there when the rename returned.
            assert_eq!(now, u64::from(wrote));
            assert!(world.write(&world.new));
        } else {
            writer.join().unwrap();
            assert!(world.write(&world.old));
        }
    });
}

#[test]
fn loom_rename_against_a_write_and_a_read_by_the_new_name() {
    model(|| {
        let world = World::new();
        let writer = {
            let world = world.clone();
            thread::spawn(move || world.write(&world.old))
        };
        let reader = {
            let world = world.clone();
            thread::spawn(move || world.read_by_new_name())
        };
        world.rename();
        writer.join().unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn loom_rename_against_a_claim_of_the_new_name() {
    model(|| {
        let world = World::new();
        let claimant = {
            let world = world.clone();
            thread::spawn(move || world.new.claim((&raw const *world.other).cast_mut()))
        };
        let table = world.table();
        assert!(world.old.mark(table));
        let reserved = world.new.reserve(table);
        if reserved.is_ok() {
            world.old.settle(table, false);
            world.new.settle(table, true);
            assert!(matches!(world.new.get(), Meaning::Table(found) if found == table));
        } else {
            assert_eq!(reserved, Err(Taken::InUse));
            world.old.settle(table, true);
        }
        assert_ne!(claimant.join().unwrap().is_ok(), reserved.is_ok());
    });
}
