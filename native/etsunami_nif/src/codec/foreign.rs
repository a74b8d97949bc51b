//! Keepers: environments of the VM in which references, funs and unknown terms live. (So do very
//! long binaries, where they cannot be held by reference: see [`crate::vm_terms::held_binary`].)
//!
//! Such a term cannot live as bytes (a counters reference is freed with its last holder, a decoded
//! reference differs from the original once the node has a name, a closure's bytes differ between
//! processes). It is copied into an environment that belongs to no process, and the encoding holds
//! its word there, its hash, and the address of the [`Keeper`] that keeps the environment.
//!
//! One environment costs about a kilobyte, so terms share them: the threads are spread over
//! `STRIPES` of *open* keepers, each behind a lock, and a keeper closes after a number of terms
//! that depends on how much one of them may pin. The VM frees an environment only as a whole: one
//! living term pins the others of its keeper. Big binaries have one keeper each.
//!
//! A keeper counts its holders: the encoded terms in it, and its open slot. Whoever takes the last
//! away frees the environment, on whatever thread (the VM allows all): usually the reclaiming one.
//! Whoever leaves the open slot as the only holder empties it: a counters array, of any size, goes
//! when no object of its keeper is left, and not only when the keeper has been filled. Counting up
//! is relaxed (whoever counts holds one already, or holds the slot's lock); counting down is a
//! release, and the last one acquires all others before it frees.
//!
//! Copying into an open keeper needs its lock; reading a term of it does not: the VM never moves or
//! changes a term in an environment.
//!
//! The hash of a foreign term is the VM's internal hash with a salt drawn at load: it is a function
//! of what `=:=` compares (a reference's numbers and node, a fun's module, index, version and
//! environment), so equal funs made by two processes hash alike, and naming the node changes no
//! local reference.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use etsunami::term::layout::Foreign;

use super::external;
use crate::vm::{Env, OwnEnv, VmTerm};
use crate::vm_terms::{held_binary, layout};

const STRIPES: usize = 16;
/// References have a fixed size of a few words.
const REFERENCES_PER_KEEPER: usize = 64;
/// A fun pins its environment, of any size.
const FUNS_PER_KEEPER: usize = 8;

/// An environment and the number of its holders.
pub struct Keeper {
    holders: AtomicUsize,
    env: OwnEnv,
    /// Where it is, or was, open for more terms.
    slot: Option<&'static Mutex<Open>>,
}

// SAFETY: the environment is written only before the keeper is shared or under its slot's lock; the
// holders are atomic.
unsafe impl Send for Keeper {}
// SAFETY: as above.
unsafe impl Sync for Keeper {}

/// A place for one open keeper.
struct Open {
    keeper: *const Keeper,
    left: usize,
}

// SAFETY: the pointer is one counted holder of a `Keeper`, which is Send and Sync.
unsafe impl Send for Open {}

/// A stripe on its own cache lines: one open keeper for references, one for all else.
#[repr(align(128))]
struct Stripe {
    references: Mutex<Open>,
    funs: Mutex<Open>,
}

static KEEPERS: [Stripe; STRIPES] =
    [const { Stripe { references: Mutex::new(Open::NONE), funs: Mutex::new(Open::NONE) } };
        STRIPES];

/// A kept term: its word, and the address of the keeper, which the receiver holds.
#[derive(Clone, Copy)]
pub struct Kept {
    /// The term's word in the keeper.
    pub word: u64,
    /// The keeper's address, to be given to [`release`] once.
    pub keeper: u64,
}

impl Keeper {
    fn new(slot: Option<&'static Mutex<Open>>) -> Box<Keeper> {
        Box::new(Keeper { holders: AtomicUsize::new(1), env: OwnEnv::new(), slot })
    }
}

impl Open {
    const NONE: Open = Open { keeper: ptr::null(), left: 0 };

    /// Copies a term into the open keeper of `slot`, which is this one, or into a new one for
    /// `capacity` terms.
    fn keep(&mut self, slot: &'static Mutex<Open>, term: VmTerm, capacity: usize) -> Kept {
        if self.keeper.is_null() {
            *self = Open { keeper: Box::into_raw(Keeper::new(Some(slot))), left: capacity };
        }
        // SAFETY: the slot is a holder.
        let keeper = unsafe { &*self.keeper };
        let kept = Kept {
            word: keeper.env.env().copy(term).word(),
            keeper: self.keeper.expose_provenance() as u64,
        };
        self.left -= 1;
        if self.left == 0 {
            // The slot's hold goes over to the last term.
            self.keeper = ptr::null();
        } else {
            retain(kept.keeper);
        }
        kept
    }
}

/// Frees the open keepers that hold no term any more: without it each would wait for more.
#[cfg(feature = "count_memory")]
pub fn close_idle() {
    for slot in KEEPERS.iter().flat_map(|stripe| [&stripe.references, &stripe.funs]) {
        let mut open = slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // SAFETY: the slot is a holder, if there is a keeper. Relaxed: holders that come do so
        // under the slot's lock.
        let idle = unsafe { open.keeper.as_ref() }
            .is_some_and(|keeper| keeper.holders.load(Ordering::Relaxed) == 1);
        if idle {
            release(open.keeper.expose_provenance() as u64);
            *open = Open::NONE;
        }
    }
}

/// Copies a term into a keeper. The receiver holds it once.
pub fn keep(what: Foreign, term: VmTerm) -> Kept {
    let stripe = &KEEPERS[stripe()];
    let (slot, capacity) = match what {
        Foreign::Reference | Foreign::LocalReference => (&stripe.references, REFERENCES_PER_KEEPER),
        Foreign::Fun | Foreign::Other | Foreign::Binary => (&stripe.funs, FUNS_PER_KEEPER),
    };
    lock(slot).keep(slot, term, capacity)
}

fn lock(slot: &Mutex<Open>) -> MutexGuard<'_, Open> {
    // A panic under the lock can only come before the slot is changed.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies a binary into a keeper of its own: its bytes there, its word, and the keeper's address.
pub fn keep_binary<'k>(term: VmTerm) -> (&'k [u8], u64, u64) {
    let keeper = Box::into_raw(Keeper::new(None));
    // SAFETY: fresh; it lives as long as it is held, and the bytes with it.
    let env = unsafe { &*keeper }.env.env();
    let copy = env.copy(term);
    let bytes = env.binary(copy).expect("a copied binary");
    (bytes, copy.word(), keeper.expose_provenance() as u64)
}

/// The hash of a foreign term. The salt keeps closures with colliding hashes from being prepared.
///
/// Where references of this node stand as their words, others are hashed by the same numbers, because
/// they may be equal to one of those.
pub fn hash(env: Env, what: Foreign, term: VmTerm) -> u64 {
    static SALT: OnceLock<u64> = OnceLock::new();
    if what == Foreign::Reference
        && layout().is_some()
        && let Some(hash) =
            env.to_external(term).and_then(|term| external::reference_hash(term.bytes()))
    {
        return hash;
    }
    term.internal_hash(*SALT.get_or_init(|| RandomState::new().hash_one(0)))
}

/// The stripe of the calling thread.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    STRIPE.with(|stripe| {
        if stripe.get() == usize::MAX {
            // Relaxed: any distribution will do.
            stripe.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        stripe.get()
    })
}

fn pointer(keeper: u64) -> *const Keeper {
    ptr::with_exposed_provenance(keeper as usize)
}

/// Counts one more holder of a keeper that the caller knows to be held.
pub fn retain(keeper: u64) {
    if held_binary::is_held(keeper) {
        // SAFETY: the caller knows it to be held.
        return unsafe { held_binary::retain(keeper) };
    }
    // SAFETY: held, so it lives. Relaxed: see the module's documentation.
    unsafe { &(*pointer(keeper)).holders }.fetch_add(1, Ordering::Relaxed);
}

/// Counts one holder less, and frees the keeper with the last one, or the last one but its slot.
pub fn release(keeper: u64) {
    if held_binary::is_held(keeper) {
        // SAFETY: the caller is a holder, and gives that up.
        return unsafe { held_binary::release(keeper) };
    }
    let keeper = pointer(keeper);
    // SAFETY: the caller is a holder, so it lives.
    let Keeper { holders, slot, .. } = unsafe { &*keeper };
    let slot = *slot;
    // Release: pairs with the acquire of whoever frees.
    match (holders.fetch_sub(1, Ordering::Release), slot) {
        (1, _) => {
            // Acquire: pairs with the release of every other holder.
            fence(Ordering::Acquire);
            // SAFETY: made by `Box::into_raw`; this was the last holder.
            drop(unsafe { Box::from_raw(keeper.cast_mut()) });
        }
        (2, Some(slot)) => empty(slot, keeper),
        _ => {}
    }
}

/// Frees the keeper if its open slot is all that holds it. It need not live any more.
fn empty(slot: &Mutex<Open>, keeper: *const Keeper) {
    let mut open = lock(slot);
    if !ptr::eq(open.keeper, keeper) {
        return;
    }
    // SAFETY: the slot is a holder; of a younger keeper at the same address all of this holds, too.
    let holders = unsafe { &(*keeper).holders };
    // Acquire: pairs with the release of every other holder. Only under the lock would it grow.
    if holders.load(Ordering::Acquire) == 1 {
        *open = Open::NONE;
        // What dies with the environment may release other keepers.
        drop(open);
        // SAFETY: made by `Box::into_raw`; the slot was the last holder.
        drop(unsafe { Box::from_raw(keeper.cast_mut()) });
    }
}
