//! Models of the protocol's races. The memory that a model retires is not freed but marked, so
//! that a reader that still reaches it can tell.

use crate::reclaim::Collector;
use crate::sync::{Arc, AtomicBool, AtomicPtr, Ordering, thread};
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
    objects: Vec<Box<Object>>,
}

impl World {
    fn new(objects: usize) -> Arc<World> {
        let objects: Vec<_> = (0..objects).map(|_| Box::new(Object::new())).collect();
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
        let guard = local.pin();
        let object = self.shared.load(Ordering::Acquire);
        if !object.is_null() {
            // SAFETY: the models keep their objects until the end.
            let object = unsafe { &*object };
            assert!(!object.freed.load(Ordering::Relaxed), "freed under a guard");
        }
        drop(guard);
    }

    /// Unlinks the current object and retires it.
    fn unlink(&self, local: &crate::reclaim::Local) {
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
    model(2, || {
        let world = World::new(1);
        let reader = {
            let world = world.clone();
            thread::spawn(move || world.read())
        };
        let local = world.collector.register();
        world.unlink(&local);
        local.seal();
        for _ in 0..2 {
            world.collector.collect();
        }
        reader.join().unwrap();
    });
}
