//! The batch itself: decision, worker flag, and the steps of the protocol.

use super::node::{Node, Settled, displace, settle};
use crate::engine::{Change, Delta, Spot, Word};
use crate::faults::{self, Point};
use crate::reclaim::{self, Guard};
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicBool, AtomicU8, Backoff, Ordering, UnsafeCell};
use std::fmt;
use std::ptr::NonNull;

const PENDING: u8 = 0;
const COMMITTED: u8 = 1;
const REFUSED: u8 = 2;
const ABORTED: u8 = 3;

/// How often a worker flag that somebody holds is tried again before the caller is sent away.
const FLAG_TRIES: usize = if cfg!(loom) { 1 } else { 16 };

/// How a batch ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All entries are visible.
    Committed,
    /// [`BatchTarget::place`] refused an entry: none is visible.
    Refused,
    /// Somebody called [`Batch::abort`], or the target was not valid any more: none is visible.
    Aborted,
}

impl Outcome {
    /// True for [`Outcome::Committed`].
    pub fn is_committed(self) -> bool {
        self == Outcome::Committed
    }
}

/// How far a call of [`Batch::run`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Progress {
    /// The batch is decided and cleaned: it may be retired.
    Done(Outcome),
    /// The budget is spent.
    More,
    /// Another thread is working on this batch, or on one that blocks it. Try again later.
    Busy,
}

/// How a call of [`help`] ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Helped {
    /// What stood in the way is decided: begin again at once.
    Cleared,
    /// The budget is spent.
    More,
    /// Another thread is working on it. Try again later.
    Busy,
}

/// What shall happen to the slot of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placed {
    /// This word becomes visible if the batch commits. The batch owns it from now on: it will end
    /// in the slot, or be retired.
    Put {
        /// A plain word; [`Word::EMPTY`] if the key, which is present, is to be removed.
        word: Word,
        /// What the change adds to the counters if the batch commits.
        delta: Delta,
    },
    /// What is visible stays (a duplicate in a bag).
    Skip,
    /// The whole batch ends without effect (`insert_new` of a key that is there).
    Refuse,
}

/// Where the entries of a batch go, and what they are. Implemented by the layer that knows keys.
///
/// Its methods are called under the batch's worker flag, one at a time, but by any thread. The
/// entries have distinct keys and stand in the global order of keys.
///
/// # Safety
///
/// - `update` runs the closure once, under the lock of entry `index`'s key, with the slot's word,
///   and stores what the closure asks for with Release before it returns; readers load slots with
///   Acquire. It always reaches the same engine, which outlives the target, for the same index.
/// - `place` gives a word with the entry's key.
/// - `exchange` tells the truth, and stores as `update` does.
pub unsafe trait BatchTarget: Send + Sync + 'static {
    /// The number of entries.
    fn len(&self) -> usize;

    /// True if there are no entries.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads, changes and stores the slot of entry `index`'s key, atomically. Gives a hint of where
    /// it stands then.
    fn update(
        &self,
        index: usize,
        guard: &Guard,
        change: &mut dyn FnMut(Option<Word>) -> (Change, Delta),
    ) -> Spot;

    /// Puts the second word in place of the first where an update has left it, under the lock of
    /// its key. False, and nothing is done, if it does not stand there any more, or nobody can tell.
    /// `stays` tells under the lock whether somebody has displaced the first word.
    ///
    /// # Safety
    /// `update` gave the spot under this guard, for the entry to whose node the first word belongs.
    unsafe fn exchange(
        &self,
        guard: &Guard,
        spot: Spot,
        words: [Word; 2],
        stays: &dyn Fn() -> bool,
    ) -> bool;

    /// Entry `index` will be updated soon.
    fn prefetch(&self, _index: usize, _guard: &Guard) {}

    /// What shall be visible in place of `visible`, which is [`Word::EMPTY`] if the key is
    /// absent. Called inside the closure of `update`: it must neither lock nor block. Not called
    /// again for an entry after it has answered [`Placed::Put`] or [`Placed::Skip`].
    fn place(&self, index: usize, visible: Word) -> Placed;

    /// The last question before the batch commits: is the table still there, may its caller still
    /// write?
    fn is_valid(&self, guard: &Guard) -> bool;

    /// The batch has just committed: these are the changes of all its entries.
    fn committed(&self, guard: &Guard, delta: Delta);

    /// Retires `loser`, which was visible before a batch committed `survivor` in its place, and is
    /// not reachable any more (a reader may still be looking at it).
    fn retire(&self, guard: &Guard, loser: Word, survivor: Word);

    /// Takes back `undone`, which `place` made from `visible` in a batch that did not commit, so
    /// that nobody ever saw it. Called under the key's lock, before anybody builds on `visible`:
    /// it must neither lock nor block.
    fn undo(&self, guard: &Guard, visible: Word, undone: Word);
}

/// The part of a batch that does not depend on its target. Nodes point to it.
pub(super) struct Header {
    decision: AtomicU8,
    /// Held by the thread that advances the batch.
    worker: AtomicBool,
    /// Advances the batch that this header is part of until it is decided.
    advance: unsafe fn(*const Header, &Guard, &mut usize) -> Step,
}

impl Header {
    /// The decision, if there is one.
    pub fn outcome(&self) -> Option<Outcome> {
        // Acquire: pairs with the Release in `decide`.
        let order =
            if weakened(Weak::BatchDecision) { Ordering::Relaxed } else { Ordering::Acquire };
        match self.decision.load(order) {
            PENDING => None,
            COMMITTED => Some(Outcome::Committed),
            REFUSED => Some(Outcome::Refused),
            _ => Some(Outcome::Aborted),
        }
    }

    /// Decides, if that has not been done; true if it was done by this call.
    fn decide(&self, decision: u8) -> bool {
        // Release: pairs with the Acquire in `outcome`; who sees the decision sees all nodes in
        // their slots. Acquire, because the worker goes on to clean after somebody's abort.
        self.decision
            .compare_exchange(PENDING, decision, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// How far a worker came.
enum Step {
    /// Up to the end that was asked for.
    Reached(Outcome),
    /// The budget is spent.
    Spent,
    /// A pending node of another batch stands in the way.
    Blocked(Word),
    /// The worker flag is taken.
    Busy,
}

/// How far a worker shall go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Decided,
    Cleaned,
}

/// Where the batch stands.
enum Phase {
    /// The next entry to install.
    Install(usize),
    /// The entries from `next` to before `end` are to be cleaned.
    Clean { outcome: Outcome, next: usize, end: usize },
    /// Everything is done.
    Over(Outcome),
}

/// What only the holder of the worker flag touches.
struct Work {
    phase: Phase,
    delta: Delta,
}

/// A batch and its nodes.
#[repr(C)]
struct Descriptor<T> {
    /// First, so that a pointer to it is a pointer to the whole.
    header: Header,
    work: UnsafeCell<Work>,
    nodes: Box<[Node]>,
    target: T,
}

/// The worker flag, taken. Given back when dropped.
struct Flag<'a> {
    header: &'a Header,
    /// False while a step of the protocol is under way. If a panic of the target ends that step,
    /// the batch is aborted: its entries are in doubt.
    settled: bool,
}

impl<'a> Flag<'a> {
    fn take(header: &'a Header) -> Option<Flag<'a>> {
        let mut backoff = Backoff::new();
        for _ in 0..FLAG_TRIES {
            // Acquire: pairs with the Release in `drop`; hands over `Work`.
            let taken =
                header.worker.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                return Some(Flag { header, settled: false });
            }
            backoff.wait();
        }
        None
    }
}

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.header.decide(ABORTED);
        }
        self.header.worker.store(false, Ordering::Release);
    }
}

/// How the installation of one entry went.
enum Installed {
    /// The node is in the slot, or the entry needs none; what it adds.
    Next(Delta),
    /// A decided node of another batch was in the slot, which has its visible word now; a loser as
    /// above. The entry is still to be installed.
    Cleaned(Option<(Word, Word)>),
    /// The target refuses.
    Refused,
    /// This pending node of another batch is in the slot.
    Blocked(Word),
}

impl<T: BatchTarget> Descriptor<T> {
    /// Advances the batch as far as asked, within the budget (entries).
    fn advance(&self, guard: &Guard, budget: &mut usize, until: Until) -> Step {
        let Some(mut flag) = Flag::take(&self.header) else { return Step::Busy };
        let step = self.work.with_mut(|work| {
            // SAFETY: `work` belongs to the holder of the flag, which is us.
            self.work_on(unsafe { &mut *work }, guard, budget, until)
        });
        flag.settled = true;
        step
    }

    fn work_on(&self, work: &mut Work, guard: &Guard, budget: &mut usize, until: Until) -> Step {
        let mut trail = Trail::default();
        loop {
            match work.phase {
                Phase::Install(next) => {
                    if let Some(outcome) = self.header.outcome() {
                        // A panic may have left one more node in its slot than is counted.
                        let end = (next + 1).min(self.nodes.len());
                        work.phase = Phase::Clean { outcome, next: 0, end };
                    } else if next == self.nodes.len() {
                        self.commit(work.delta, guard);
                    } else if let Some(step) =
                        self.install_next(work, next, guard, budget, &mut trail)
                    {
                        return step;
                    }
                }
                Phase::Clean { outcome, .. } if until == Until::Decided => {
                    return Step::Reached(outcome);
                }
                Phase::Clean { outcome, next, end } => {
                    if next == end {
                        work.phase = Phase::Over(outcome);
                    } else if spend(budget) {
                        self.clean(next, guard, trail.spot(next));
                        work.phase = Phase::Clean { outcome, next: next + 1, end };
                    } else {
                        return Step::Spent;
                    }
                }
                Phase::Over(outcome) => return Step::Reached(outcome),
            }
        }
    }

    /// The linearization point of the batch, unless somebody has aborted it.
    fn commit(&self, delta: Delta, guard: &Guard) {
        faults::pass(Point::Commit);
        if !self.target.is_valid(guard) {
            self.header.decide(ABORTED);
        } else if self.header.decide(COMMITTED) {
            self.target.committed(guard, delta);
        }
    }

    /// Installs one entry; a step if that ends the work for now.
    fn install_next(
        &self,
        work: &mut Work,
        next: usize,
        guard: &Guard,
        budget: &mut usize,
        trail: &mut Trail,
    ) -> Option<Step> {
        if !spend(budget) {
            return Some(Step::Spent);
        }
        if next + AHEAD < self.nodes.len() {
            self.target.prefetch(next + AHEAD, guard);
        }
        let (installed, spot) = self.install(next, guard);
        trail.note(next, spot, self.nodes.len() - next);
        match installed {
            Installed::Next(delta) => {
                work.delta.objects += delta.objects;
                work.delta.words += delta.words;
                work.phase = Phase::Install(next + 1);
                None
            }
            Installed::Cleaned(loser) => {
                self.retire(guard, loser);
                None
            }
            Installed::Refused => {
                self.header.decide(REFUSED);
                None
            }
            Installed::Blocked(word) => Some(Step::Blocked(word)),
        }
    }

    /// Puts entry `index`'s node into its slot.
    fn install(&self, index: usize, guard: &Guard) -> (Installed, Spot) {
        let mut installed = Installed::Next(Delta::ZERO);
        let spot = self.target.update(index, guard, &mut |current| {
            let word = current.unwrap_or(Word::EMPTY);
            let (answer, change) = self.decide_install(index, word, guard);
            installed = answer;
            (change, Delta::ZERO)
        });
        (installed, spot)
    }

    /// What [`Descriptor::install`] does with a slot that holds `word`.
    fn decide_install(&self, index: usize, word: Word, guard: &Guard) -> (Installed, Change) {
        // SAFETY: the engine has loaded the word under the worker's guard, and the slot is locked.
        let visible = match unsafe { settle(word) } {
            Settled::Plain(word) => word,
            // Nothing else is done now: if `place` panicked, the displaced node would stay.
            Settled::Decided { visible, loser, committed } => {
                // SAFETY: as above; the slot gets its visible word.
                unsafe { displace(word) };
                let loser = self.dispose(guard, loser, visible, committed);
                return (Installed::Cleaned(loser), plain(visible));
            }
            Settled::Pending => return (Installed::Blocked(word), Change::Keep),
        };
        faults::pass(Point::Place);
        match self.target.place(index, visible) {
            Placed::Put { word: new, delta } => {
                let node = &self.nodes[index];
                node.fill(visible, new);
                (Installed::Next(delta), Change::Put(node.word()))
            }
            // The key is locked all the same: what is skipped must still be there when the batch
            // is decided.
            Placed::Skip if !visible.is_empty() => {
                let node = &self.nodes[index];
                node.fill(visible, visible);
                (Installed::Next(Delta::ZERO), Change::Put(node.word()))
            }
            Placed::Skip => (Installed::Next(Delta::ZERO), Change::Keep),
            Placed::Refuse => (Installed::Refused, Change::Keep),
        }
    }

    /// Undoes the loser of a batch that did not commit; gives that of a committed one, which is to
    /// be retired after the slot has changed, with what is visible in its place.
    fn dispose(
        &self,
        guard: &Guard,
        loser: Word,
        visible: Word,
        committed: bool,
    ) -> Option<(Word, Word)> {
        if loser.is_empty() {
            return None;
        }
        if !committed {
            self.target.undo(guard, visible, loser);
            return None;
        }
        Some((loser, visible))
    }

    /// Gives the slot of entry `index` its visible word, if it still holds the node. If not, the
    /// objects that the entry's key is read from may have been freed.
    fn clean(&self, index: usize, guard: &Guard, spot: Spot) {
        let node = &self.nodes[index];
        if node.is_displaced() || self.clean_at(node, guard, spot) {
            return;
        }
        let mut lost = None;
        self.target.update(index, guard, &mut |current| {
            faults::pass(Point::Clean);
            let change = match node.settle() {
                Settled::Decided { visible, loser, committed }
                    if current == Some(node.word()) || weakened(Weak::BatchClean) =>
                {
                    lost = self.dispose(guard, loser, visible, committed);
                    plain(visible)
                }
                _ => Change::Keep,
            };
            (change, Delta::ZERO)
        });
        self.retire(guard, lost);
    }

    /// Cleans the slot of a committed node without looking for it; false if that cannot be done.
    #[inline]
    fn clean_at(&self, node: &Node, guard: &Guard, spot: Spot) -> bool {
        let Settled::Decided { visible, loser, committed: true } = node.settle() else {
            return false;
        };
        if spot == Spot::NONE || visible.is_empty() {
            return false;
        }
        let stays = || !node.is_displaced();
        // SAFETY: the trail gave the spot, which this call's guard has kept. Who displaces a node
        // says so under the key's lock.
        let done = unsafe { self.target.exchange(guard, spot, [node.word(), visible], &stays) };
        if done && !loser.is_empty() {
            self.target.retire(guard, loser, visible);
        }
        done
    }

    fn retire(&self, guard: &Guard, lost: Option<(Word, Word)>) {
        if let Some((loser, survivor)) = lost {
            self.target.retire(guard, loser, survivor);
        }
    }
}

/// The change that gives a slot this plain word.
fn plain(word: Word) -> Change {
    if word.is_empty() { Change::Remove } else { Change::Put(word) }
}

/// How many entries ahead the next one is announced.
const AHEAD: usize = 4;

/// The spots of entries that were installed under the present guard, so that cleaning need not
/// look for them again.
#[derive(Default)]
struct Trail {
    first: usize,
    spots: Vec<Spot>,
}

impl Trail {
    /// The longest trail: beyond it, caches have forgotten its beginning.
    const LONGEST: usize = 1024;

    /// Notes an entry's spot; at most so many more will follow, in the order of entries.
    fn note(&mut self, index: usize, spot: Spot, left: usize) {
        if self.spots.is_empty() {
            self.first = index;
            self.spots.reserve_exact(left.min(Trail::LONGEST));
        }
        // An entry that was blocked comes again.
        self.spots.truncate(index - self.first);
        if self.spots.len() < Trail::LONGEST {
            self.spots.push(spot);
        }
    }

    /// The spot of an entry, if it was noted.
    fn spot(&self, index: usize) -> Spot {
        let at = index.checked_sub(self.first);
        at.and_then(|at| self.spots.get(at)).copied().unwrap_or(Spot::NONE)
    }
}

/// Takes one entry's work from the budget; false if nothing is left.
fn spend(budget: &mut usize) -> bool {
    let left = *budget > 0;
    *budget = budget.saturating_sub(1);
    left
}

/// `Header::advance` of batches with targets of this type.
///
/// # Safety
/// `header` is the header of a live `Descriptor<T>`.
unsafe fn advance_until_decided<T: BatchTarget>(
    header: *const Header,
    guard: &Guard,
    budget: &mut usize,
) -> Step {
    // SAFETY: promised by the caller; the header is the first field (`repr(C)`).
    unsafe { &*header.cast::<Descriptor<T>>() }.advance(guard, budget, Until::Decided)
}

/// Helps the batch whose pending node a writer met, or the one that blocks it, so that the writer
/// can begin again.
///
/// # Safety
/// `word` is a version word that was loaded from a slot under `guard`.
pub unsafe fn help(word: Word, guard: &Guard, budget: &mut usize) -> Helped {
    let mut word = word;
    loop {
        // SAFETY: promised by the caller, or the word was found under the same guard.
        let header = unsafe { Node::behind(word) }.header;
        // SAFETY: the guard keeps the node's batch alive, and the header is part of it.
        if unsafe { &*header }.outcome().is_some() {
            return Helped::Cleared;
        }
        // SAFETY: as above; the function in the header fits the batch that it is part of.
        match unsafe { ((*header).advance)(header, guard, budget) } {
            Step::Reached(_) => return Helped::Cleared,
            Step::Spent => return Helped::More,
            Step::Busy => return Helped::Busy,
            // That one is further on in the order of keys (invariant 4).
            Step::Blocked(other) => word = other,
        }
    }
}

/// The owner's handle on a batch.
///
/// The owner calls [`Batch::run`] until it is done, then [`Batch::retire`]. Dropping the handle
/// earlier aborts the batch if it is still pending, and lets the background thread finish it.
///
/// That thread pins and retires in the default collector ([`reclaim::pin`]); so whoever uses the
/// target's engine must do so too, unless no batch is ever dropped early.
pub struct Batch<T: BatchTarget> {
    /// From `Box`; freed by reclamation after `retire`.
    descriptor: NonNull<Descriptor<T>>,
}

// SAFETY:
// - the descriptor is shared by its nature: `header` and `nodes` are `Sync`, `work` is guarded by
//   the worker flag, and the target is `Send + Sync`;
// - the handle gives it up only by value.
unsafe impl<T: BatchTarget> Send for Batch<T> {}
// SAFETY: as above.
unsafe impl<T: BatchTarget> Sync for Batch<T> {}

impl<T: BatchTarget> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("outcome", &self.outcome()).finish()
    }
}

impl<T: BatchTarget> Batch<T> {
    /// A batch of the target's entries. Nothing is visible of it yet.
    pub fn new(target: T) -> Batch<T> {
        let len = target.len();
        let descriptor = Box::into_raw(Box::new(Descriptor {
            header: Header {
                decision: AtomicU8::new(PENDING),
                worker: AtomicBool::new(false),
                advance: advance_until_decided::<T>,
            },
            work: UnsafeCell::new(Work { phase: Phase::Install(0), delta: Delta::ZERO }),
            nodes: Box::default(),
            target,
        }));
        let header = descriptor.cast::<Header>();
        // SAFETY: freshly allocated, ours alone, and complete (nobody has seen the empty nodes).
        unsafe { (*descriptor).nodes = (0..len).map(|_| Node::new(header)).collect() };
        // SAFETY: `Box::into_raw` gives no null.
        Batch { descriptor: unsafe { NonNull::new_unchecked(descriptor) } }
    }

    fn descriptor(&self) -> &Descriptor<T> {
        // SAFETY: the descriptor is retired by the handle's end only.
        unsafe { self.descriptor.as_ref() }
    }

    /// What the batch inserts.
    pub fn target(&self) -> &T {
        &self.descriptor().target
    }

    /// The decision, if there is one.
    pub fn outcome(&self) -> Option<Outcome> {
        self.descriptor().header.outcome()
    }

    /// Advances the batch by at most `budget` entries, each counted when it is installed and when
    /// it is cleaned, entries of batches that it helps included.
    pub fn run(&self, guard: &Guard, budget: &mut usize) -> Progress {
        loop {
            match self.descriptor().advance(guard, budget, Until::Cleaned) {
                Step::Reached(outcome) => return Progress::Done(outcome),
                Step::Spent => return Progress::More,
                Step::Busy => return Progress::Busy,
                // SAFETY: the word was found in a slot under this guard.
                Step::Blocked(word) => match unsafe { help(word, guard, budget) } {
                    Helped::Cleared => {}
                    Helped::More => return Progress::More,
                    Helped::Busy => return Progress::Busy,
                },
            }
        }
    }

    /// Aborts the batch if it is pending. It still has to be run to its end.
    pub fn abort(&self) {
        self.descriptor().header.decide(ABORTED);
    }

    /// Retires a batch for which [`Batch::run`] has told that it is done. For one that is not, as
    /// dropping it.
    pub fn retire(self, guard: &Guard) {
        let mut budget = 0;
        if let Progress::Done(_) = self.run(guard, &mut budget) {
            let bytes = size_of::<Descriptor<T>>() + self.target().len() * size_of::<Node>();
            let descriptor = self.descriptor.as_ptr();
            std::mem::forget(self);
            // SAFETY: from `Box`; cleaned, so no slot leads to it (invariant 5), and the only
            // handle has just been forgotten. The descriptor is `Send`.
            unsafe { guard.retire_box(descriptor, bytes) };
        }
    }

    /// Runs an aborted or decided batch to its end and retires it.
    fn finish(self, guard: &Guard) {
        let mut backoff = Backoff::new();
        let mut budget = usize::MAX;
        while !matches!(self.run(guard, &mut budget), Progress::Done(_)) {
            budget = usize::MAX;
            backoff.wait();
        }
        self.retire(guard);
    }
}

impl<T: BatchTarget> Drop for Batch<T> {
    fn drop(&mut self) {
        self.abort();
        let rest = Batch { descriptor: self.descriptor };
        reclaim::defer(Box::new(move || rest.finish(&reclaim::pin())));
    }
}
