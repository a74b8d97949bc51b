//! Models of the protocol's races. The memory that a model retires is not freed but marked, so
//! that a reader that still reaches it can tell.

use crate::reclaim::{self, Collector, Flushed, Local};
use crate::sync::{Arc, AtomicBool, AtomicPtr, Ordering, thread};
use std::pin::Pin;
use std::ptr::null_mut;

/// An object with a mark in place of a free.
struct Object {
    freed: AtomicBool,
}

impl Object {
    fn new() -> Object {
        Object { freed: AtomicBool::new(false) }
    }
}

/// Marks an [`Object`].
///
/// # Safety
/// `ptr` points to a live `Object`.
unsafe fn mark(ptr: *mut u8) {
    // SAFETY: promised by the caller; the models keep their objects until the end.
    unsafe { &*ptr.cast::<Object>() }.freed.store(true, Ordering::Relaxed);
}

/// One shared pointer, the objects that it may point to, and a collector.
struct World {
    collector: Collector,
    shared: AtomicPtr<Object>,
    objects: Vec<Pin<Box<Object>>>,
}

impl World {
    fn new(objects: usize) -> Arc<World> {
        let objects: Vec<_> = (0..objects).map(|_| Box::pin(Object::new())).collect();
        let first: *const Object = &*objects[0];
        Arc::new(World {
            collector: Collector::new(),
            shared: AtomicPtr::new(first.cast_mut()),
            objects,
        })
    }

    /// Reads through the pointer under a guard: what it finds must not be freed.
    fn read(&self) {
        let local = self.collector.register();
        let _guard = local.pin();
        self.look();
    }

    /// The same under the caller's guard.
    fn look(&self) {
        let object = self.shared.load(Ordering::Acquire);
        if !object.is_null() {
            // SAFETY: the models keep their objects until the end.
            let object = unsafe { &*object };
            assert!(!object.freed.load(Ordering::Relaxed), "freed under a guard");
        }
    }

    /// Retires the second object, which was never shared.
    fn retire_second(&self, local: &Local) {
        let object: *const Object = &*self.objects[1];
        // SAFETY: never shared; `mark` fits it and takes no lock.
        unsafe { local.pin().retire(object.cast_mut().cast(), mark, 1) };
    }

    /// Unlinks the current object and retires it.
    fn unlink(&self, local: &Local) {
        let guard = local.pin();
        let object = self.shared.swap(null_mut(), Ordering::AcqRel);
        // SAFETY: unlinked; `mark` fits it and takes no lock.
        unsafe { guard.retire(object.cast(), mark, 1) };
    }
}

fn model(limit: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(limit);
    builder.check(body);
}

#[test]
fn loom_reader_against_retire_and_advances() {
    model(3, || {
        let world = World::new(1);
        let reader = {
            let world = world.clone();
            thread::spawn(move || world.read())
        };
        let local = world.collector.register();
        world.unlink(&local);
        local.seal();
        world.collector.collect();
        reader.join().unwrap();
        world.collector.collect();
        world.collector.collect();
        assert!(world.objects[0].freed.load(Ordering::Relaxed), "never freed");
    });
}

#[test]
fn loom_two_readers_against_retire_and_two_advances() {
    model(2, || {
        let world = World::new(1);
        let readers = [(); 2].map(|()| {
            let world = world.clone();
            thread::spawn(move || world.read())
        });
        let local = world.collector.register();
        world.unlink(&local);
        world.collector.collect();
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn loom_reader_that_repins_against_retire() {
    model(2, || {
        let world = World::new(1);
        let reader = {
            let world = world.clone();
            thread::spawn(move || {
                let local = world.collector.register();
                let mut guard = local.pin();
                world.look();
                guard.repin();
                world.look();
            })
        };
        let local = world.collector.register();
        world.unlink(&local);
        world.collector.collect();
        reader.join().unwrap();
    });
}

#[test]
fn loom_owner_retires_while_its_bag_is_stolen() {
    model(3, || {
        let world = World::new(2);
        let owner = {
            let world = world.clone();
            thread::spawn(move || {
                let local = world.collector.register();
                world.unlink(&local);
                // The second item finds the bag with the owner, being taken, or gone.
                world.retire_second(&local);
            })
        };
        world.collector.round();
        world.collector.round();
        owner.join().unwrap();
        world.collector.collect();
        world.collector.collect();
        assert!(world.objects.iter().all(|object| object.freed.load(Ordering::Relaxed)));
    });
}

#[test]
fn loom_thread_ends_and_leaves_garbage_to_the_next_owner() {
    model(2, || {
        let world = World::new(2);
        let first = {
            let world = world.clone();
            thread::spawn(move || world.unlink(&world.collector.register()))
        };
        let second = {
            let world = world.clone();
            thread::spawn(move || world.retire_second(&world.collector.register()))
        };
        world.collector.round();
        first.join().unwrap();
        second.join().unwrap();
        world.collector.collect();
        world.collector.collect();
        assert!(world.objects.iter().all(|object| object.freed.load(Ordering::Relaxed)));
    });
}

#[test]
fn loom_two_collectors_of_one_queue() {
    model(2, || {
        let world = World::new(1);
        let local = world.collector.register();
        world.unlink(&local);
        let other = {
            let world = world.clone();
            thread::spawn(move || world.collector.collect())
        };
        world.collector.collect();
        world.read();
        other.join().unwrap();
        world.collector.collect();
        assert!(world.objects[0].freed.load(Ordering::Relaxed), "never freed");
    });
}

#[test]
fn loom_retire_before_the_store_that_unlinks() {
    model(2, || {
        let world = World::new(2);
        let reader = {
            let world = world.clone();
            thread::spawn(move || {
                world.collector.round();
                world.read();
            })
        };
        let local = world.collector.register();
        let guard = local.pin();
        guard.hold();
        let first: *const Object = &*world.objects[0];
        // SAFETY: unlinked before the guard ends; `mark` fits it and takes no lock.
        unsafe { guard.retire(first.cast_mut().cast(), mark, 1) };
        // The bag is full with the second.
        world.retire_second(&local);
        world.shared.store(null_mut(), Ordering::Release);
        drop(guard);
        world.collector.collect();
        world.collector.collect();
        reader.join().unwrap();
        world.collector.collect();
        world.collector.collect();
        assert!(world.objects.iter().all(|object| object.freed.load(Ordering::Relaxed)));
    });
}

#[test]
fn loom_default_collector_of_an_execution() {
    model(2, || {
        let object = Arc::new(Object::new());
        let retiring = {
            let object = object.clone();
            thread::spawn(move || {
                let ptr = std::ptr::from_ref::<Object>(&object).cast_mut();
                // SAFETY: `object` is kept by the model; `mark` fits it and takes no lock.
                unsafe { reclaim::pin().retire(ptr.cast(), mark, 1) };
            })
        };
        drop(reclaim::pin());
        retiring.join().unwrap();
        assert_eq!(reclaim::flush(), Flushed::Done);
        assert!(object.freed.load(Ordering::Relaxed), "never freed");
    });
}
