//! The primitives that ship.

pub use std::hint::spin_loop;
pub use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};
pub use std::sync::{Arc, Condvar, Mutex};
pub use std::thread;
