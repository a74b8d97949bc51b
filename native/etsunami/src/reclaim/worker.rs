//! The background thread: it frees what is ripe, and runs deferred jobs.
//!
//! It starts with the first garbage or job. While anything is pending it wakes up every
//! ten milliseconds; otherwise it sleeps until it is roused, and costs nothing.
//!
//! # Falling asleep without missing anything
//!
//! The thread stores `PARKED`, passes a heavy barrier, and looks for garbage once more. A thread
//! that puts the first item into its bag passes a light barrier and then looks at the state.
//! Either the one finds the item, or the other finds `PARKED`.

use super::collector::lock;
use crate::accounting::exempt;
use crate::sync::barrier::light_barrier;
use crate::sync::{AtomicU8, Condvar, Mutex, Ordering, thread};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The thread has not been started.
const UNBORN: u8 = 0;
/// The thread works, or sleeps for a tick.
const AWAKE: u8 = 1;
/// The thread sleeps until somebody calls.
const PARKED: u8 = 2;

/// Something to be done in the background.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// The background thread's mailbox.
pub(super) struct Worker {
    state: AtomicU8,
    /// The thread's body; none in a collector that shall have no thread.
    service: Option<fn()>,
    mail: Mutex<Mail>,
    called: Condvar,
}

#[derive(Default)]
struct Mail {
    jobs: VecDeque<Job>,
    /// How many jobs are running.
    running: usize,
    /// Somebody wants the thread not to sleep.
    call: bool,
}

impl Mail {
    fn take(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.running += 1;
        Some(job)
    }
}

impl Worker {
    pub fn new(service: Option<fn()>) -> Worker {
        Worker {
            state: AtomicU8::new(UNBORN),
            service,
            mail: Mutex::new(Mail::default()),
            called: Condvar::new(),
        }
    }

    /// Makes sure that somebody takes care of garbage that the caller has just retired.
    #[inline]
    pub fn rouse(&self) {
        if self.service.is_none() {
            return;
        }
        // Pairs with the heavy barrier in `park`.
        light_barrier();
        let state = self.state.load(Ordering::Relaxed);
        if state == PARKED || state == UNBORN {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // Relaxed: the state only selects the one caller who wakes; mail passes under its lock.
        let from = self.state.load(Ordering::Relaxed);
        let won = (from == PARKED || from == UNBORN)
            && self
                .state
                .compare_exchange(from, AWAKE, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        match from {
            UNBORN if won => self.start(),
            PARKED if won => self.hurry(),
            _ => {}
        }
    }

    /// Starts the thread. If the system refuses, the next garbage tries again.
    fn start(&self) {
        let Some(service) = self.service else { return };
        let builder = thread::Builder::new().name("etsunami-reclaim".into());
        let thread = exempt(|| builder.spawn(service));
        if thread.is_err() {
            self.state.store(UNBORN, Ordering::Relaxed);
        }
    }

    /// Ends the thread's sleep early.
    pub fn hurry(&self) {
        lock(&self.mail).call = true;
        self.called.notify_one();
    }

    /// Hands in a job.
    pub fn post(&self, job: Job) {
        {
            let mut mail = lock(&self.mail);
            exempt(|| mail.jobs.push_back(job));
            mail.call = true;
        }
        self.called.notify_one();
        self.rouse();
    }

    /// Whether no job waits or runs.
    pub fn is_idle(&self) -> bool {
        let mail = lock(&self.mail);
        mail.jobs.is_empty() && mail.running == 0
    }

    /// Runs the jobs that wait now if there shall be no thread to run them.
    pub fn assist(&self) {
        if self.service.is_none() {
            self.run_jobs();
        }
    }

    /// Runs the jobs that wait now; what they hand in has to wait for the next call, so that
    /// long work in many jobs leaves room for collecting. A job that panics hurts nobody else.
    fn run_jobs(&self) {
        let waiting = lock(&self.mail).jobs.len();
        for _ in 0..waiting {
            let taken = lock(&self.mail).take();
            let Some(job) = taken else { return };
            let _ = catch_unwind(AssertUnwindSafe(job));
            lock(&self.mail).running -= 1;
        }
    }
}

/// What the thread calls when it has freed a lot and has nothing more to do.
static TIDY: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();

/// Has the background thread call `hook` after it has freed a lot: for allocators that keep what
/// another thread freed until they are asked. The first hook stays.
pub fn set_tidy_hook(hook: fn()) {
    let _ = TIDY.set(hook);
}

#[cfg(not(loom))]
fn tidy() {
    if let Some(hook) = TIDY.get() {
        hook();
    }
}

/// The thread itself. Models do without it: they collect when they like.
#[cfg(not(loom))]
mod life {
    use super::{AWAKE, Mail, PARKED, Worker};
    use crate::reclaim::collector::{Round, Shared, lock};
    use crate::sync::barrier::heavy_barrier;
    use crate::sync::{MutexGuard, Ordering};
    use std::sync::PoisonError;
    use std::time::{Duration, Instant};

    /// After so many bytes of garbage the allocator is asked to give back what it can.
    const TIDY_FROM: usize = 4 << 20;

    /// But not more often than this: what is given back has to be got again.
    const TIDY_EVERY: Duration = Duration::from_millis(500);

    /// How long garbage waits at most for the next attempt to free it.
    const TICK: Duration = Duration::from_millis(10);

    impl Worker {
        /// The thread's life.
        pub fn serve(&self, shared: &Shared) -> ! {
            unbind();
            let (mut most_pending, mut tidied) = (0, Instant::now());
            loop {
                most_pending = shared.pending_bytes().max(most_pending);
                self.run_jobs();
                let last = shared.collect();
                let quiet = shared.pending_items() == 0 && self.is_idle();
                if quiet && most_pending >= TIDY_FROM && tidied.elapsed() >= TIDY_EVERY {
                    super::tidy();
                    (most_pending, tidied) = (0, Instant::now());
                }
                if last != Round::Advanced || !shared.has_backlog() {
                    self.sleep(shared, most_pending >= TIDY_FROM);
                }
            }
        }

        /// Sleeps for a tick, or until somebody calls if there is nothing to wait for.
        fn sleep(&self, shared: &Shared, untidy: bool) {
            let mut mail = lock(&self.mail);
            // If the barrier has failed the garbage can never be freed: do not wake up for it.
            let tick = (shared.pending_items() > 0 || untidy) && !shared.is_barrier_lost();
            if tick || !self.park(shared) {
                self.doze(mail).call = false;
                return;
            }
            while !mail.call {
                mail = self.called.wait(mail).unwrap_or_else(PoisonError::into_inner);
            }
            mail.call = false;
            // Relaxed: whoever called has done the same; this covers spurious calls.
            self.state.store(AWAKE, Ordering::Relaxed);
        }

        /// Sleeps for a tick, unless somebody has called.
        fn doze<'a>(&self, mail: MutexGuard<'a, Mail>) -> MutexGuard<'a, Mail> {
            if mail.call {
                return mail;
            }
            self.called.wait_timeout(mail, TICK).unwrap_or_else(PoisonError::into_inner).0
        }

        /// Announces that the thread will sleep; false if it must not (module documentation).
        fn park(&self, shared: &Shared) -> bool {
            self.state.store(PARKED, Ordering::Relaxed);
            let sure = heavy_barrier().is_ok() || shared.is_barrier_lost();
            let quiet = sure && (shared.pending_items() == 0 || shared.is_barrier_lost());
            if !quiet {
                self.state.store(AWAKE, Ordering::Relaxed);
            }
            quiet
        }
    }

    /// Gives the thread the processors of the process's first thread. It has inherited those of
    /// the thread that happened to start it, which may be bound to a single one (as schedulers
    /// are on request) that it has no business to share.
    #[cfg(target_os = "linux")]
    fn unbind() {
        // SAFETY: a processor set is plain bits, for which zero is valid; the calls read and
        // write that set only. If they fail the thread stays where it is.
        unsafe {
            let mut processors: libc::cpu_set_t = std::mem::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            if libc::sched_getaffinity(libc::getpid(), size, &mut processors) == 0 {
                libc::sched_setaffinity(0, size, &processors);
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn unbind() {}
}
