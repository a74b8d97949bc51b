//! How high towers are.

use super::MAX_HEIGHT;
use crate::sync::thread_local;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Gives each new node its height. A type, so that models choose them.
pub trait Heights: Send + Sync + 'static {
    /// A height from 1 on; one that is too much is cut. The prefix of the node's key is for
    /// models.
    fn draw(prefix: u64) -> usize;
}

/// The heights that ship: each level has a quarter of the nodes of the one below, by chance. Each
/// thread has a generator of its own, so drawing shares nothing, and nobody outside can foresee
/// which keys get high towers.
#[derive(Debug)]
pub struct Random;

/// How many nodes of a level there are for one of the next, as a power of two.
pub(super) const SPARSITY: u32 = 2;

impl Heights for Random {
    #[inline]
    fn draw(_prefix: u64) -> usize {
        thread_local! {
            // Not `const`: loom's macro does not know it.
            #[allow(clippy::missing_const_for_thread_local)]
            static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8) | 1);
        }
        let random = STATE.with(|state| {
            let next = step(state.get());
            state.set(next);
            // The upper bits are the better ones (Vigna, "An experimental exploration of
            // Marsaglia's xorshift generators, scrambled", 2016).
            next.wrapping_mul(0x2545_f491_4f6c_dd1d)
        });
        1 + ((random.leading_zeros() / SPARSITY) as usize).min(MAX_HEIGHT - 1)
    }
}

/// Marsaglia's xorshift; never zero, if it was not.
fn step(mut x: u64) -> u64 {
    x ^= x >> 12;
    x ^= x << 25;
    x ^ x >> 27
}
