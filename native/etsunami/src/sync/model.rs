//! The same names from loom.

pub use loom::cell::UnsafeCell;
pub use loom::hint::spin_loop;
pub use loom::sync::atomic::{
    AtomicBool, AtomicI16, AtomicI64, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};
pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
pub use loom::{lazy_static, thread, thread_local};
