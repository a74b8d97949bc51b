//! The default collector, and how a thread finds its slot in it.
//!
//! The hot path is one thread-local pointer without a destructor. A second thread-local with a
//! destructor gives the slot back when the thread ends. A thread that pins even later, in the
//! destructor of another thread-local, gets a slot that is never given back.

#[cfg(not(loom))]
pub(super) use shipped::{collector, pin};

#[cfg(loom)]
pub(super) use modelled::{collector, pin};

#[cfg(not(loom))]
mod shipped {
    use crate::reclaim::collector::Slot;
    use crate::reclaim::guard::{Collector, Guard, Local};
    use crate::sync::thread_local;
    use std::cell::{Cell, OnceCell};
    use std::ptr::{NonNull, null_mut};
    use std::sync::OnceLock;

    static DEFAULT: OnceLock<Collector> = OnceLock::new();

    /// Forgets the thread's slot when the thread ends.
    struct Registration(Local);

    thread_local! {
        static SLOT: Cell<*mut Slot> = const { Cell::new(null_mut()) };
        static REGISTRATION: OnceCell<Registration> = const { OnceCell::new() };
    }

    impl Drop for Registration {
        fn drop(&mut self) {
            SLOT.set(null_mut());
        }
    }

    /// The default collector.
    pub fn collector() -> &'static Collector {
        DEFAULT.get_or_init(|| Collector::with_service(Some(serve)))
    }

    /// The background thread.
    fn serve() {
        let shared = collector().shared();
        shared.worker().serve(shared)
    }

    /// Pins this thread in the default collector.
    #[inline]
    pub fn pin() -> Guard {
        let slot = NonNull::new(SLOT.get()).unwrap_or_else(register);
        // SAFETY: `SLOT` is null or the slot that this thread claimed in a collector that is never
        // dropped; `Local` does not give it up while it is pinned.
        unsafe { Guard::new(slot) }
    }

    #[cold]
    fn register() -> NonNull<Slot> {
        let slot = REGISTRATION
            .try_with(|registration| {
                registration.get_or_init(|| Registration(collector().register())).0.as_slot()
            })
            .unwrap_or_else(|_ended| {
                let local = collector().register();
                let slot = local.as_slot();
                std::mem::forget(local);
                slot
            });
        SLOT.set(slot.as_ptr());
        slot
    }
}

#[cfg(loom)]
mod modelled {
    use crate::reclaim::guard::{Collector, Guard, Local};
    use crate::sync::{lazy_static, thread_local};

    lazy_static! {
        static ref DEFAULT: Collector = Collector::with_service(None);
    }

    thread_local! {
        static LOCAL: Local = collector().register();
    }

    /// The default collector of this execution.
    pub fn collector() -> &'static Collector {
        &DEFAULT
    }

    /// Pins this thread in the default collector.
    pub fn pin() -> Guard {
        LOCAL.with(Local::pin)
    }
}
