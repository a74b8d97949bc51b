//! The background thread: it frees what is ripe, and runs deferred jobs.
//!
//! It starts with the first garbage or job. While anything is pending it wakes up every
//! [`TICK`]; otherwise it sleeps until it is roused, and costs nothing.
//!
//! # Falling asleep without missing anything
//!
//! The thread stores `PARKED`, passes a heavy barrier, and looks for garbage once more. A thread
//! that puts the first item into its bag passes a light barrier and then looks at the state.
//! Either the one finds the item, or the other finds `PARKED`.

use super::collector::{Shared, lock};
use crate::sync::barrier::{heavy_barrier, light_barrier};
use crate::sync::{AtomicU8, Condvar, Mutex, Ordering, thread};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How long garbage waits at most for the next attempt to free it.
const TICK: Duration = Duration::from_millis(10);

/// There is no thread, and there shall be none.
const NONE: u8 = 0;
/// The thread has not been started.
const UNBORN: u8 = 1;
/// The thread works, or sleeps for a tick.
const AWAKE: u8 = 2;
/// The thread sleeps until somebody calls.
const PARKED: u8 = 3;

/// Something to be done in the background.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// The background thread's mailbox.
pub(super) struct Worker {
    state: AtomicU8,
    service: Option<fn()>,
    mail: Mutex<Mail>,
    called: Condvar,
}

#[derive(Default)]
struct Mail {
    jobs: VecDeque<Job>,
    /// Jobs handed in so far.
    posted: u64,
    /// Serials of jobs that are running.
    running: Vec<u64>,
    /// Somebody wants the thread not to sleep.
    call: bool,
}

impl Mail {
    fn take(&mut self) -> Option<(u64, Job)> {
        let serial = self.posted - self.jobs.len() as u64;
        let job = self.jobs.pop_front()?;
        self.running.push(serial);
        Some((serial, job))
    }
}

impl Worker {
    pub fn new(service: Option<fn()>) -> Worker {
        Worker {
            state: AtomicU8::new(if service.is_some() { UNBORN } else { NONE }),
            service,
            mail: Mutex::new(Mail::default()),
            called: Condvar::new(),
        }
    }

    /// Makes sure that somebody takes care of garbage that the caller has just retired.
    #[inline]
    pub fn rouse(&self, shared: &Shared) {
        // Pairs with the heavy barrier in `sleep`.
        light_barrier();
        let state = self.state.load(Ordering::Relaxed);
        if state == PARKED || state == UNBORN {
            self.wake(shared);
        }
    }

    #[cold]
    fn wake(&self, _shared: &Shared) {
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
        let thread = thread::Builder::new().name("etsunami-reclaim".into()).spawn(service);
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
    pub fn post(&self, job: Job, shared: &Shared) {
        {
            let mut mail = lock(&self.mail);
            mail.jobs.push_back(job);
            mail.posted += 1;
            mail.call = true;
        }
        self.called.notify_one();
        self.rouse(shared);
    }

    /// All jobs handed in so far have serials below this.
    pub fn watermark(&self) -> u64 {
        lock(&self.mail).posted
    }

    /// Whether all jobs handed in before `watermark` was taken have been run.
    pub fn is_done(&self, watermark: u64) -> bool {
        let mail = lock(&self.mail);
        let waiting = mail.posted - mail.jobs.len() as u64;
        waiting >= watermark && mail.running.iter().all(|&serial| serial >= watermark)
    }

    /// Runs the jobs that wait now if there is no thread to run them.
    pub fn assist(&self) {
        if self.state.load(Ordering::Relaxed) == NONE {
            self.run_jobs();
        }
    }

    /// Runs the jobs that wait. A job that panics hurts nobody else.
    pub fn run_jobs(&self) {
        loop {
            let taken = lock(&self.mail).take();
            let Some((serial, job)) = taken else { return };
            let _ = catch_unwind(AssertUnwindSafe(job));
            lock(&self.mail).running.retain(|&other| other != serial);
        }
    }

    /// The thread's life.
    #[cfg(not(loom))]
    pub fn serve(&self, shared: &Shared) -> ! {
        loop {
            self.run_jobs();
            shared.collect();
            self.sleep(shared);
        }
    }

    /// Sleeps for a tick, or until somebody calls if there is nothing to wait for.
    #[cfg(not(loom))]
    fn sleep(&self, shared: &Shared) {
        let mail = lock(&self.mail);
        // If the barrier has failed the garbage can never be freed: do not wake up for it.
        let tick = shared.pending_items() > 0 && !shared.is_barrier_lost();
        if tick || !self.park(shared) {
            self.doze(mail);
            return;
        }
        let mut mail = mail;
        while !mail.call {
            mail = self.called.wait(mail).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        mail.call = false;
        // Relaxed: whoever called has done the same; this covers spurious calls.
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    #[cfg(not(loom))]
    fn doze(&self, mut mail: crate::sync::MutexGuard<'_, Mail>) {
        if !mail.call {
            let woken = self.called.wait_timeout(mail, TICK);
            mail = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        mail.call = false;
    }

    /// Announces that the thread will sleep; false if it must not (module documentation).
    #[cfg(not(loom))]
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
