//! Groups of integers.

use super::*;
use crate::sync::{AtomicBool, Ordering};

#[cfg(not(loom))]
mod concurrent;
#[cfg(loom)]
mod loom_group;
#[cfg(not(loom))]
mod model;
#[cfg(not(loom))]
mod timing;

/// An object: a value that outlives its freeing, so that a mistake is seen and not undefined.
#[repr(align(8))]
pub(super) struct Object {
    value: u64,
    freed: AtomicBool,
}

impl Object {
    /// A new object's address. Its memory is never given back.
    pub(super) fn leak(value: u64) -> usize {
        Box::into_raw(Box::new(Object { value, freed: AtomicBool::new(false) })) as usize
    }

    /// The value of an object that was not freed.
    pub(super) fn value(address: usize) -> u64 {
        let object = Self::at(address);
        assert!(!object.freed.load(Ordering::Acquire), "{} was freed", object.value);
        object.value
    }

    /// True if the object was freed.
    pub(super) fn is_freed(address: usize) -> bool {
        Self::at(address).freed.load(Ordering::Acquire)
    }

    fn at<'a>(address: usize) -> &'a Object {
        assert_ne!(address, 0, "not an object");
        // SAFETY: tests pass addresses from `leak` alone, and that memory stays.
        unsafe { &*(address as *const Object) }
    }
}

/// Integers as members; few of them share a hash.
pub(super) struct Integers;

// SAFETY: `hash` and `same` depend on the value alone, and `free` marks the object.
unsafe impl Member for Integers {
    unsafe fn hash(&self, object: usize) -> u64 {
        // One hash for each pair of neighbours.
        let mut hash = (Object::value(object) / 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
        hash.wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    unsafe fn same(&self, a: usize, b: usize) -> bool {
        Object::value(a) == Object::value(b)
    }

    unsafe fn words(object: usize) -> usize {
        Object::value(object) as usize % 7 + 1
    }

    unsafe fn retire(guard: &Guard, object: usize) {
        unsafe fn drop_object(object: *mut u8) {
            // SAFETY: as for `retire`, and the grace period is over.
            unsafe { Integers::free(object as usize) }
        }
        // SAFETY: as the caller states.
        unsafe { guard.retire(object as *mut u8, drop_object, size_of::<Object>()) }
    }

    unsafe fn free(object: usize) {
        let again = Object::at(object).freed.swap(true, Ordering::AcqRel);
        assert!(!again, "freed twice");
    }
}

/// The values of a word, in order.
pub(super) fn values(word: Word, guard: &Guard) -> Vec<u64> {
    // SAFETY: tests pass words that are alive under the guard.
    unsafe { members(word, guard) }.map(|(_, object)| Object::value(object)).collect()
}

/// True if a member of a group is equal to the probe.
///
/// # Safety
/// As for [`Groups::contains`]; the probe is alive.
#[cfg(not(loom))]
unsafe fn has_equal<M: Member>(groups: &Groups<M>, current: Word, probe: usize) -> bool {
    let member = &groups.member;
    // SAFETY: by contract.
    unsafe { Groups::<M>::contains(current, || member.hash(probe), |one| member.same(one, probe)) }
}
