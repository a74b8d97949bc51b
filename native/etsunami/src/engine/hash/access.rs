//! Who loads an atomic, which decides how.

use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// Who loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// Somebody without a lock, concurrently with stores. Acquire: pairs with the Release stores
    /// of tags, words, links, entries and `MOVED`, and orders what they lead to.
    Reader,
    /// Who excludes all stores of others: by the lock under which alone the atomic is changed, or
    /// because nobody else can reach it (yet, or any more). Nothing is left to be ordered.
    Owner,
}

/// Loading, as a reader or as the owner.
pub(super) trait Access {
    /// What is loaded.
    type Value;

    /// Loads the value.
    fn load_by(&self, by: By) -> Self::Value;
}

macro_rules! access {
    ($($atomic:ty => $value:ty $(, $parameter:ident)?;)*) => {$(
        impl$(<$parameter>)? Access for $atomic {
            type Value = $value;

            #[inline(always)]
            fn load_by(&self, by: By) -> $value {
                match by {
                    By::Reader => self.load(Ordering::Acquire),
                    #[cfg(not(loom))]
                    By::Owner => self.load(Ordering::Relaxed),
                    // Loom remembers only the last load of an atomic: an owner's load before its
                    // store would hide from it that the store races with the loads of readers, and
                    // it would not explore their orders. This load is none, and is checked.
                    #[cfg(loom)]
                    // SAFETY: owners exclude stores.
                    By::Owner => unsafe { self.unsync_load() },
                }
            }
        }
    )*};
}

access! {
    AtomicU64 => u64;
    AtomicUsize => usize;
    AtomicPtr<T> => *mut T, T;
}
