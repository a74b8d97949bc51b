//! What a table needs once it grows or is fought over, and small idle tables do without.

use super::geometry::{POSITION_BITS, SEGMENT_BITS};
use crate::sync::{AtomicPtr, AtomicU64, Mutex, Ordering};

/// How many depths there are.
const DEPTHS: usize = (POSITION_BITS - SEGMENT_BITS + 1) as usize;

/// The number of segments by depth. Its lock is the lock of the directory.
pub(super) struct Depths([u32; DEPTHS]);

impl Depths {
    /// A segment of this depth was replaced by two that are one deeper.
    pub(super) fn split(&mut self, depth: u32) {
        self.0[depth as usize] -= 1;
        self.0[depth as usize + 1] += 2;
    }

    /// The one segment of a table was replaced by all those of this depth.
    pub(super) fn spread(&mut self, depth: u32) {
        self.0[0] -= 1;
        self.0[depth as usize] += 1 << depth;
    }

    /// Two segments of this depth were replaced by one that is less deep.
    pub(super) fn merge(&mut self, depth: u32) {
        self.0[depth as usize] -= 2;
        self.0[depth as usize - 1] += 1;
    }

    /// The greatest depth of a segment.
    pub(super) fn deepest(&self) -> u32 {
        self.0.iter().rposition(|&count| count > 0).unwrap_or(0) as u32
    }
}

/// The lock of the directory, and tallies. Relaxed: they are for statistics.
pub(super) struct Upkeep {
    pub(super) depths: Mutex<Depths>,
    pub(super) splits: AtomicU64,
    pub(super) merges: AtomicU64,
    pub(super) contended: AtomicU64,
}

impl Upkeep {
    /// The state of a table that has one segment.
    fn new() -> Upkeep {
        let mut depths = [0; DEPTHS];
        depths[0] = 1;
        Upkeep {
            depths: Mutex::new(Depths(depths)),
            splits: AtomicU64::new(0),
            merges: AtomicU64::new(0),
            contended: AtomicU64::new(0),
        }
    }
}

/// An [`Upkeep`] that is made when it is needed. It is an allocation of its own also because what
/// writers that meet store there must not share a cache line with the root of the directory.
pub(super) struct LazyUpkeep(AtomicPtr<Upkeep>);

impl LazyUpkeep {
    pub(super) fn new() -> LazyUpkeep {
        LazyUpkeep(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The upkeep, if it was needed already.
    pub(super) fn get(&self) -> Option<&Upkeep> {
        // SAFETY: the pointer is null or that of a box that lives as long as self. Acquire: pairs
        // with the exchange that published it.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// The upkeep.
    #[cold]
    pub(super) fn force(&self) -> &Upkeep {
        if let Some(upkeep) = self.get() {
            return upkeep;
        }
        let made = Box::into_raw(Box::new(Upkeep::new()));
        let null = std::ptr::null_mut();
        match self.0.compare_exchange(null, made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: it lives as long as self.
            Ok(_) => unsafe { &*made },
            Err(other) => {
                // SAFETY: nobody else has seen ours; the other one lives as long as self.
                unsafe {
                    drop(Box::from_raw(made));
                    &*other
                }
            }
        }
    }
}

impl Drop for LazyUpkeep {
    fn drop(&mut self) {
        let upkeep = self.0.load(Ordering::Relaxed);
        if !upkeep.is_null() {
            // SAFETY: it was made of a box, and nobody can use self any more.
            drop(unsafe { Box::from_raw(upkeep) });
        }
    }
}
