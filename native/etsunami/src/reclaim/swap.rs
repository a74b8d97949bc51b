//! A shared value that is replaced as a whole.
//!
//! One word points to the current value. Who uses it for a moment loads the word under a guard; who
//! works longer takes a counted reference. A writer swaps in another value by one exchange, and the
//! reference that the word stood for is given up after a grace period.
//!
//! # Linearization points
//!
//! The load of the word in [`Swap::get`] and [`Swap::share`], the exchange in [`Swap::replace`] and
//! [`Swap::take`].

use super::Guard;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{Arc, AtomicPtr, Ordering};

/// What a [`Swap`] holds.
pub trait Swapped: Send + Sync + Sized {
    /// The bytes that it will give back, for back-pressure.
    fn bytes(&self) -> usize;

    /// Gives up one reference. This runs on any thread that helps to free, so what takes long is
    /// [deferred](super::defer).
    fn give_up(reference: Arc<Self>) {
        drop(reference);
    }
}

/// Gives up one reference to a value that was swapped out, after a grace period.
pub fn retire_reference<T: Swapped>(guard: &Guard, reference: Arc<T>) {
    /// # Safety
    /// `pointer` was made by `Arc::into_raw` of such a reference, which nobody else gives up.
    unsafe fn give_up<T: Swapped>(pointer: *mut u8) {
        // SAFETY: by contract.
        T::give_up(unsafe { Arc::from_raw(pointer.cast_const().cast()) });
    }
    let bytes = reference.bytes();
    let pointer = Arc::into_raw(reference).cast_mut();
    if weakened(Weak::SwapRetire) {
        // SAFETY: none, on purpose: readers may be using it.
        unsafe { give_up::<T>(pointer.cast()) };
        return;
    }
    // SAFETY: the caller had the reference, and gives it up here alone; `give_up` takes back exactly
    // this one.
    unsafe { guard.retire(pointer.cast(), give_up::<T>, bytes) };
}

/// A shared value that is replaced as a whole, by one exchange of the word that points to it.
pub struct Swap<T: Swapped>(AtomicPtr<T>);

impl<T: Swapped> Swap<T> {
    /// Holds this value.
    pub fn new(value: Arc<T>) -> Swap<T> {
        Swap(AtomicPtr::new(Arc::into_raw(value).cast_mut()))
    }

    /// The current value; `None` after it was taken.
    #[inline(always)]
    pub fn get<'g>(&self, _guard: &'g Guard) -> Option<&'g T> {
        // Acquire: pairs with the exchanges: what they put in is initialised.
        let pointer = self.0.load(Ordering::Acquire);
        // SAFETY: the word stands for one reference, which is given up by retiring it after the
        // word has changed, so it outlives every guard that was live when the word was loaded.
        unsafe { pointer.as_ref() }
    }

    /// A counted reference to the current value.
    pub fn share(&self, guard: &Guard) -> Option<Arc<T>> {
        let value: *const T = self.get(guard)?;
        // SAFETY: it came from `Arc::into_raw`, and the guard keeps the word's reference.
        unsafe {
            Arc::increment_strong_count(value);
            Some(Arc::from_raw(value))
        }
    }

    /// Puts another value in place of the current one, which is given back with its reference
    /// retired; nothing is done after the value was taken.
    pub fn replace(&self, guard: &Guard, fresh: Arc<T>) -> Option<Arc<T>> {
        let fresh = Arc::into_raw(fresh).cast_mut();
        let publish =
            if weakened(Weak::SwapPublish) { Ordering::Relaxed } else { Ordering::AcqRel };
        // Release: pairs with the load in `get`: the new value is initialised. Acquire: pairs with
        // the exchange that brought the old one. A value that was taken stays so.
        let swapped = self
            .0
            .fetch_update(publish, Ordering::Acquire, |old| (!old.is_null()).then_some(fresh));
        match swapped {
            Ok(old) => Some(Self::retired(guard, old)),
            Err(_taken) => {
                // SAFETY: made above, and not published.
                drop(unsafe { Arc::from_raw(fresh) });
                None
            }
        }
    }

    /// Takes the value away for good: given back as by [`Swap::replace`].
    pub fn take(&self, guard: &Guard) -> Option<Arc<T>> {
        // AcqRel: as in `replace`.
        let old = self.0.swap(std::ptr::null_mut(), Ordering::AcqRel);
        (!old.is_null()).then(|| Self::retired(guard, old))
    }

    /// Retires the word's own reference of a value that it no longer points to; gives another one.
    fn retired(guard: &Guard, old: *mut T) -> Arc<T> {
        // SAFETY: the word's own reference, which an exchange handed to our caller alone.
        let old = unsafe { Arc::from_raw(old) };
        retire_reference(guard, old.clone());
        old
    }
}

impl<T: Swapped> Drop for Swap<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self`, nobody uses the word any more.
        if !self.0.load(Ordering::Relaxed).is_null() {
            // What was read under guards may outlive us.
            self.take(&super::pin());
        }
    }
}
