//! What one thread shares with the collector: its announcement, and its open bag.
//!
//! # Who may access what
//!
//! - `depth`, `help`, `large`, `helping`, `held`, `memo`: the owner only.
//! - `announced`: written by the owner, read by rounds of the collector.
//! - `bag`: the owner, while pinned; a thief that has moved `stealing` to [`TAKING`].
//! - `items`, `bytes`: the size of `bag`, written by whoever may access it, read by anybody.
//! - `claimed`: whoever changes it to true is the owner, until he stores false.
//!
//! # The biased lock of the bag
//!
//! A thread that retires a few items and then does something else for an hour must not keep them.
//! The collector therefore steals the bags of threads that are not pinned, at no cost for the
//! owner but one load:
//!
//! 1. the thief stores `stealing = WANTED`, passes a heavy barrier, and gives up unless
//!    `announced` is idle;
//! 2. the owner retires only while pinned, so between its announcement and its load of `stealing`
//!    there is a light barrier. Either the thief finds the announcement, or the owner finds
//!    `stealing` changed. An owner that finds it changed tries to set it back to [`OWNED`]; the
//!    thief moves it on to [`TAKING`] by compare-and-swap, so one of the two wins;
//! 3. the loser gives up: the thief at once, the owner after the few instructions that moving the
//!    bag's three words takes.

use super::bag::{self, Bag, Retired};
use super::collector::Shared;
use super::epoch::{self, IDLE};
use super::memo::Memo;
use crate::sync::barrier::light_barrier;
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Backoff, Ordering, UnsafeCell};
use std::cell::Cell;

/// Nobody wants the bag.
const OWNED: u8 = 0;
/// A thief has asked for it.
const WANTED: u8 = 1;
/// The thief is moving it.
const TAKING: u8 = 2;

/// One slot of the collector; a thread owns it while it is registered.
pub(super) struct Participant {
    /// [`IDLE`], or the epoch in which the owner pinned itself.
    announced: AtomicU64,
    /// How many guards the owner has.
    depth: Cell<u32>,
    /// The owner has been asked to help with freeing when it unpins.
    help: Cell<bool>,
    /// What the owner has handed in is large, and is to be freed by the owner itself if possible.
    large: Cell<bool>,
    /// The owner is helping.
    helping: Cell<bool>,
    /// The bag is kept until the owner's last guard ends.
    held: Cell<bool>,
    /// The owner's notes for itself.
    memo: Memo,
    stealing: AtomicU8,
    claimed: AtomicBool,
    items: AtomicUsize,
    bytes: AtomicUsize,
    bag: UnsafeCell<Bag>,
    index: usize,
    /// Outlives the participant, which only its destructor frees.
    shared: *const Shared,
    /// The next slot of the collector's list; written before the slot is published.
    pub next: Cell<*const super::collector::Slot>,
}

// Why threads may share a slot:
// - the fields that are not atomic are accessed as the module documentation says: `depth`, `help`, `large`,
//   `helping`, `held` and `memo` by the owner, `bag` under the biased lock, `next`, `index` and
//   `shared` do not change after publication;
// - ownership passes from thread to thread through `claimed` (Release and Acquire).
// SAFETY: so no field is accessed by two threads at once, unless it is atomic.
unsafe impl Sync for Participant {}
// SAFETY: as above; nothing is bound to the thread that allocated the slot.
unsafe impl Send for Participant {}

impl Participant {
    /// A slot that its maker owns already.
    pub fn new(shared: *const Shared, index: usize) -> Participant {
        Participant {
            announced: AtomicU64::new(IDLE),
            depth: Cell::new(0),
            help: Cell::new(false),
            large: Cell::new(false),
            helping: Cell::new(false),
            held: Cell::new(false),
            memo: Memo::default(),
            stealing: AtomicU8::new(OWNED),
            claimed: AtomicBool::new(true),
            items: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            bag: UnsafeCell::new(Bag::new()),
            index,
            shared,
            next: Cell::new(std::ptr::null()),
        }
    }

    /// Becomes the owner of a free slot.
    pub fn try_claim(&self) -> bool {
        // Acquire: pairs with the Release in `release`, which hands over the owner's fields.
        !self.claimed.load(Ordering::Relaxed)
            && self
                .claimed
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Gives the slot up. What lies in the bag stays there, for the collector to steal or the
    /// next owner to add to.
    pub fn release(&self) {
        debug_assert_eq!(self.depth.get(), 0);
        self.claimed.store(false, Ordering::Release);
    }

    /// The collector of this slot.
    pub fn shared(&self) -> &Shared {
        // SAFETY: `shared` points to the collector that owns this slot; its destructor frees the
        // slots, and it is never moved (it lives in an `Arc`).
        unsafe { &*self.shared }
    }

    /// A small number that no other slot of the collector has.
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The owner's notes for itself. For the owner.
    #[inline(always)]
    pub fn memo(&self) -> &Memo {
        &self.memo
    }

    /// Whether the owner has a guard. For the owner.
    pub fn is_pinned(&self) -> bool {
        self.depth.get() != 0
    }

    /// Pins the owner.
    #[inline(always)]
    pub fn pin(&self) {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        if depth == 0 {
            self.announce();
        }
    }

    /// Announces the current epoch.
    #[inline(always)]
    fn announce(&self) {
        // Relaxed: an epoch that is too old only delays an advance.
        let epoch = self.shared().epoch().load(Ordering::Relaxed);
        crate::faults::delay();
        // Release: pairs with the Acquire fence of a round that reads this announcement instead
        // of the one before; what this thread read while pinned earlier is over.
        self.announced.store(epoch::announcement(epoch), Ordering::Release);
        // Pairs with the heavy barrier of a round. If our announcement comes first, the round
        // sees it and the epoch cannot pass us; if the round comes first, we see all that was
        // unlinked before it and cannot reach what it will free.
        if !weakened(Weak::ReclaimPin) {
            light_barrier();
        }
    }

    /// Announces the current epoch in place of an older one, if no outer guard forbids it.
    #[inline]
    pub fn repin(&self) {
        if self.depth.get() == 1 {
            self.announce();
        }
    }

    /// Ends one guard.
    #[inline(always)]
    pub fn unpin(&self) {
        if self.held.get() {
            self.let_go();
        }
        let depth = self.depth.get() - 1;
        self.depth.set(depth);
        if depth == 0 {
            // Release: pairs with the Acquire fence of a round; what we read is read.
            self.announced.store(IDLE, Ordering::Release);
            if self.help.get() {
                self.help_to_free();
            }
        }
    }

    /// Keeps the bag until the owner's last guard ends: what is retired meanwhile may still be
    /// reachable until then. For the owner, while it is pinned.
    pub fn hold(&self) {
        debug_assert!(self.is_pinned());
        self.held.set(!weakened(Weak::ReclaimHold));
    }

    /// Ends a hold with the last guard: everything in the bag has been unlinked by now.
    #[cold]
    fn let_go(&self) {
        if self.depth.get() > 1 {
            return;
        }
        self.held.set(false);
        if bag::is_full(self.items(), self.bytes()) {
            self.seal();
        }
    }

    /// Frees what this thread has retired and is ripe, or a few items of anybody's while too much
    /// garbage waits.
    #[cold]
    fn help_to_free(&self) {
        self.help.set(false);
        // A destructor may pin, retire and unpin: it does not get here again.
        if !self.helping.replace(true) {
            if self.large.replace(false) {
                self.shared().free_large(self.index);
            }
            let more = self.shared().help(self.index);
            self.helping.set(false);
            self.help.set(more);
        }
    }

    /// The owner's announcement, if it is pinned. As long as it stays the same the guard may be the
    /// same.
    pub fn session(&self) -> Option<u64> {
        // Acquire: pairs with the Release of the announcement that ends a guard; what was done under
        // that guard is visible to whoever finds it ended.
        Some(self.announced.load(Ordering::Acquire)).filter(|&announced| announced != IDLE)
    }

    /// What the last round said about this slot's announcement.
    pub fn permits_advance(&self, epoch: u64) -> bool {
        // Relaxed: the round's heavy barrier stands before, its Acquire fence after the scan.
        epoch::permits_advance(self.announced.load(Ordering::Relaxed), epoch)
    }

    /// Puts an item into the bag. For the owner, while it is pinned.
    #[inline]
    pub fn retire(&self, item: Retired) {
        crate::faults::delay();
        debug_assert!(self.is_pinned());
        // Acquire: pairs with the Release with which a thief gives the bag back.
        if self.stealing.load(Ordering::Acquire) != OWNED {
            self.repel_thief();
        }
        let (items, full) = self.bag.with_mut(|bag| {
            // SAFETY: we are the owner, pinned, and have found no thief at work: by the protocol
            // of the biased lock (module documentation) nobody else accesses the bag.
            let bag = unsafe { &mut *bag };
            bag.push(item);
            self.note_size(bag);
            (bag.items.len(), bag.is_full())
        });
        if full && !self.held.get() {
            self.hand_in();
        } else if items == 1 {
            self.shared().worker().rouse();
        }
    }

    /// Takes the bag back from a thief that has asked for it, or waits until he has gone with it.
    #[cold]
    fn repel_thief(&self) {
        let mut backoff = Backoff::new();
        loop {
            // Acquire, on failure too: pairs with the Release at the end of `steal`.
            let answer =
                self.stealing.compare_exchange(WANTED, OWNED, Ordering::Acquire, Ordering::Acquire);
            match answer {
                Ok(_) | Err(OWNED) => return,
                Err(_) => backoff.wait(),
            }
        }
    }

    /// Moves the full bag to the collector's queue, and sees to it that earlier ones ripen.
    #[cold]
    fn hand_in(&self) {
        let bag = self.bag.with_mut(|bag| {
            // SAFETY: as in `retire`, whose tail this is.
            let bag = unsafe { &mut *bag };
            let next = Bag::next(bag);
            self.note_size(&next);
            std::mem::replace(bag, next)
        });
        let shared = self.shared();
        if bag.is_of_large_items() {
            self.large.set(true);
        }
        shared.submit(self.index, bag);
        self.help.set(true);
        if shared.is_round_due() {
            shared.round();
        }
    }

    /// Hands in whatever the bag holds. For the owner, while it is pinned.
    pub fn seal(&self) {
        debug_assert!(self.is_pinned());
        if self.stealing.load(Ordering::Acquire) != OWNED {
            self.repel_thief();
        }
        if self.items() > 0 {
            self.hand_in();
        }
    }

    fn note_size(&self, bag: &Bag) {
        // Relaxed: statistics, and hints of whether stealing is worth while.
        self.items.store(bag.items.len(), Ordering::Relaxed);
        self.bytes.store(bag.bytes, Ordering::Relaxed);
    }

    /// How many items the bag holds.
    pub fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    /// How many bytes the bag's items will give back.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The thief's first step, before the round's heavy barrier.
    pub fn want(&self) {
        // Relaxed: the heavy barrier orders the attempt, and compare-and-swap decides it.
        if self.items() > 0 && self.announced.load(Ordering::Relaxed) == IDLE {
            self.stealing.store(WANTED, Ordering::Relaxed);
        }
    }

    /// The thief's second step, after the heavy barrier: the bag, if it was wanted and the owner
    /// is not pinned.
    pub fn steal(&self) -> Option<Bag> {
        if self.stealing.load(Ordering::Relaxed) != WANTED {
            return None;
        }
        // Acquire: pairs with the Release in `unpin`; the owner's last access is over.
        let idle = self.announced.load(Ordering::Acquire) == IDLE;
        if !idle && !weakened(Weak::ReclaimSteal) {
            return self.renounce();
        }
        self.stealing
            .compare_exchange(WANTED, TAKING, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        let bag = self.bag.with_mut(|bag| {
            // SAFETY: the owner was not pinned after our wish became visible to it, and each
            // owner that pins itself later finds the bag being taken: it is ours.
            let bag = std::mem::take(unsafe { &mut *bag });
            self.note_size(&Bag::new());
            bag
        });
        // Release: pairs with the Acquire in `retire` and `repel_thief`.
        self.stealing.store(OWNED, Ordering::Release);
        Some(bag)
    }

    /// The thief gives up; the owner may have repelled him already.
    pub fn renounce(&self) -> Option<Bag> {
        // Relaxed: nothing was accessed. A failure means that the owner was faster.
        let _ = self.stealing.compare_exchange(WANTED, OWNED, Ordering::Relaxed, Ordering::Relaxed);
        None
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        let bag = self.bag.with_mut(|bag| {
            // SAFETY: `&mut self`.
            std::mem::take(unsafe { &mut *bag })
        });
        // SAFETY: the collector is being dropped: there is no guard of it any more.
        unsafe { bag.free() };
    }
}
