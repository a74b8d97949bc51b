//! The witness of being pinned, and explicit handles for those who do not use the default
//! collector.

use super::bag::Retired;
use super::collector::{Flushed, Shared, Slot};
use super::memo::Memo;
use super::worker::Job;
use crate::sync::Arc;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// The witness that this thread is pinned: what it loads from shared memory while the guard lives
/// is not freed.
///
/// Guards nest; only the outermost one counts. A guard stays on its thread. A guard that lives
/// long holds back all freeing: a long scan calls [`Guard::repin`] now and then.
pub struct Guard {
    /// Claimed by this thread, and alive as long as it is claimed.
    slot: NonNull<Slot>,
    _not_send: PhantomData<*mut ()>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("stripe", &self.stripe()).finish()
    }
}

impl Guard {
    /// Pins the owner of `slot`.
    ///
    /// # Safety
    /// The calling thread owns the slot, and neither gives it up nor lets its collector be
    /// dropped before the guard is.
    #[inline(always)]
    pub(super) unsafe fn new(slot: NonNull<Slot>) -> Guard {
        // SAFETY: promised by the caller.
        unsafe { slot.as_ref() }.pin();
        Guard { slot, _not_send: PhantomData }
    }

    #[inline(always)]
    fn slot(&self) -> &Slot {
        // SAFETY: `new`'s caller promised that the slot outlives the guard.
        unsafe { self.slot.as_ref() }
    }

    /// A small number of this thread, for striped counters.
    #[inline]
    pub fn stripe(&self) -> usize {
        self.slot().index()
    }

    /// What the thread has noted for itself.
    #[inline(always)]
    pub fn memo(&self) -> &Memo {
        self.slot().memo()
    }

    /// Frees `ptr` by `drop` once no guard that is live now is live any more. `bytes` is what
    /// that will give back, for back-pressure.
    ///
    /// As a rule `drop` runs on the background thread; if much garbage waits, also on a thread
    /// that has just dropped its last guard. It may pin and retire.
    ///
    /// # Safety
    /// Nothing that is still shared leads to `ptr` (after [`Guard::hold`]: nothing will when the
    /// thread's last guard ends). It is retired once. `drop` frees it, may run
    /// on any thread, and takes no lock that a thread may hold while it drops a guard.
    #[inline]
    pub unsafe fn retire(&self, ptr: *mut u8, drop: unsafe fn(*mut u8), bytes: usize) {
        self.slot().retire(Retired { ptr, drop, bytes });
    }

    /// From now on and until the thread's last guard ends, what this thread retires may still be
    /// reachable: its grace period begins then. For who has to retire before the store that unlinks.
    pub fn hold(&self) {
        self.slot().hold();
    }

    /// [`Guard::retire`] for a `Box`.
    ///
    /// # Safety
    /// `ptr` came from `Box::into_raw`, and what [`Guard::retire`] demands holds for it.
    pub unsafe fn retire_box<T: Send>(&self, ptr: *mut T, bytes: usize) {
        /// Frees a box of this type.
        ///
        /// # Safety
        /// `ptr` came from `Box::<T>::into_raw` and nobody uses it any more.
        unsafe fn free<T>(ptr: *mut u8) {
            // SAFETY: promised by the caller.
            drop(unsafe { Box::from_raw(ptr.cast::<T>()) });
        }
        // SAFETY: promised by the caller; `T: Send`, so that it may be dropped elsewhere.
        unsafe { self.retire(ptr.cast(), free::<T>, bytes) };
    }

    /// Runs a job on the background thread, soon.
    pub fn defer(&self, job: Job) {
        self.slot().shared().worker().post(job);
    }

    /// Unpins and pins again, unless there is an outer guard: lets reclamation advance in a long
    /// scan. Pointers loaded before are dead after it.
    #[inline]
    pub fn repin(&mut self) {
        self.slot().repin();
    }
}

impl Drop for Guard {
    #[inline(always)]
    fn drop(&mut self) {
        self.slot().unpin();
    }
}

/// A collector of its own, with explicit handles. It has no background thread: garbage is freed
/// by [`Collector::collect`], by its handles under pressure, and when it is dropped.
#[derive(Clone)]
pub struct Collector {
    shared: Arc<Shared>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("pending_items", &self.pending_items()).finish()
    }
}

impl Default for Collector {
    fn default() -> Collector {
        Collector::new()
    }
}

impl Collector {
    /// A new collector.
    pub fn new() -> Collector {
        Collector { shared: Arc::new(Shared::new(None)) }
    }

    /// The default collector's form: with a background thread that runs `service`.
    pub(super) fn with_service(service: Option<fn()>) -> Collector {
        Collector { shared: Arc::new(Shared::new(service)) }
    }

    /// What the participants share.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A handle for one thread.
    pub fn register(&self) -> Local {
        Local { slot: NonNull::from(self.shared.claim()), shared: self.shared.clone() }
    }

    /// Runs the jobs that wait, tries to advance, and frees what is ripe.
    pub fn collect(&self) {
        self.shared.worker().assist();
        self.shared.collect();
    }

    /// Tries to advance by one epoch, without freeing anything.
    #[cfg(all(test, loom))]
    pub(super) fn round(&self) -> super::collector::Round {
        self.shared.round()
    }

    /// [`reclaim::drain`](super::drain), for as long as `wait` gives true.
    #[cfg(all(test, loom))]
    pub fn drain(&self, wait: impl FnMut() -> bool) -> super::Drained {
        self.shared.drain(wait)
    }

    /// Bytes that were retired and are not freed yet.
    pub fn pending_bytes(&self) -> usize {
        self.shared.pending_bytes()
    }

    /// Items that were retired and are not freed yet.
    pub fn pending_items(&self) -> usize {
        self.shared.pending_items()
    }

    /// Waits for some seconds at most until everything that was retired before by idle threads
    /// has been freed.
    pub fn flush(&self) -> Flushed {
        self.shared.flush()
    }
}

/// One thread's handle on a collector.
pub struct Local {
    slot: NonNull<Slot>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("pinned", &self.slot().is_pinned()).finish()
    }
}

impl Local {
    fn slot(&self) -> &Slot {
        // SAFETY: the slot is freed with the collector, which `shared` keeps.
        unsafe { self.slot.as_ref() }
    }

    /// The slot, for the thread's fast path to it.
    #[cfg(not(loom))]
    pub(super) fn as_slot(&self) -> NonNull<Slot> {
        self.slot
    }

    /// Pins this thread. Not public: a guard protects nothing that is retired in another collector,
    /// and tables retire in the default one.
    ///
    /// ```compile_fail,E0624
    /// let collector = etsunami::reclaim::Collector::new();
    /// let guard = collector.register().pin(); // a table would accept it
    /// ```
    pub(crate) fn pin(&self) -> Guard {
        // SAFETY: the handle owns the slot, is bound to this thread (`NonNull` is neither `Send`
        // nor `Sync`), and does not give it up while guards are live (see `drop`).
        unsafe { Guard::new(self.slot) }
    }

    /// Pins this thread, for tests outside of this crate.
    ///
    /// # Safety
    /// The guard is only used for structures that retire their memory in this collector.
    #[doc(hidden)]
    pub unsafe fn pin_apart(&self) -> Guard {
        self.pin()
    }

    /// Hands in the open bag, as if it were full.
    pub fn seal(&self) {
        let _guard = self.pin();
        self.slot().seal();
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.slot().is_pinned() {
            // A guard outlives its handle: it keeps the slot and the collector for ever.
            std::mem::forget(self.shared.clone());
        } else {
            self.slot().release();
        }
    }
}
