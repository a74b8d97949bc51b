//! How long a call may run, and where it goes on.
//!
//! A call on a normal scheduler has about a millisecond. Work is counted in encoded words, which
//! cost 2 to 10 ns each to encode, copy or compare. Divisible work stops at the limit and goes on
//! by a continuation ([`reschedule`]); indivisible work (one huge object) starts again on a dirty
//! CPU scheduler, where it may run to its end.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use etsunami::table::Quota;
use rustler::sys;

use crate::vm::{Env, NifFunction, VmTerm};

/// The words that one indivisible piece of work may handle on a normal scheduler: some 0.3 ms, so
/// that starting again on a dirty scheduler wastes little.
pub const INDIVISIBLE_WORDS: usize = 1 << 16;

/// The words that one chunk of divisible work may handle: some 0.5 ms.
pub const CHUNK_WORDS: usize = 1 << 17;

/// True on a normal scheduler: not on a dirty one, nor on a thread of ours.
pub fn on_normal_scheduler() -> bool {
    // SAFETY: may be called from any thread.
    unsafe { sys::enif_thread_type() == sys::ERL_NIF_THR_NORMAL_SCHEDULER }
}

/// Starts the NIF again on a dirty CPU scheduler; to be returned at once.
pub fn on_dirty<'e>(
    env: Env<'e>,
    name: &CStr,
    function: NifFunction,
    argv: &[VmTerm<'e>],
) -> VmTerm<'e> {
    env.schedule(name, sys::ERL_NIF_DIRTY_JOB_CPU_BOUND, function, argv)
}

/// Goes on with `function` when the scheduler comes back to this process, on a normal scheduler; to
/// be returned at once.
pub fn reschedule<'e>(
    env: Env<'e>,
    name: &CStr,
    function: NifFunction,
    argv: &[VmTerm<'e>],
) -> VmTerm<'e> {
    env.schedule(name, sys::ERL_NIF_NORMAL_JOB, function, argv)
}

/// Charges the calling process for work done. True if its time is up.
pub fn consume(env: Env, words: usize) -> bool {
    let percent = (words * 50 / CHUNK_WORDS).clamp(1, 100);
    // SAFETY: a valid environment; a percentage from 1 to 100.
    unsafe { sys::enif_consume_timeslice(env.raw(), percent as i32) != 0 }
}

/// The words that an object may have for a program to run over it on this thread.
pub fn largest_object(normal: bool) -> usize {
    if normal { INDIVISIBLE_WORDS } else { usize::MAX }
}

/// How long a chunk of a search may take, on a normal and on a dirty scheduler. Two chunks and what
/// a process does between them are one stay on a scheduler, mostly of half a millisecond: what the
/// clock does not see, lists of results and interrupts, stays within a whole one.
const CHUNK_TIME: [Duration; 2] = [Duration::from_micros(250), Duration::from_millis(4)];

/// The objects of the first step.
const FIRST_STEP: usize = 16;

/// The objects of the first step where each takes no long time.
const FIRST_SHORT_STEP: usize = 128;

/// The words of a program that takes no long time over one object.
const SHORT_PROGRAM: usize = 64;

/// Divides a chunk whose work cannot be told beforehand into steps, between which the clock is read.
pub struct Pace {
    /// Not yet read before the first step of short work: most searches are through by then, and
    /// reading the clock costs a tenth of what they do.
    started: Option<Instant>,
    limit: Duration,
    spent: Duration,
    /// The objects since the clock was started.
    done: usize,
    step: usize,
    first: bool,
}

impl Pace {
    /// Starts the clock.
    pub fn start(normal: bool) -> Pace {
        Pace::with(normal, Some(Instant::now()), FIRST_STEP)
    }

    /// Starts for a program of so many words.
    pub fn of_program(normal: bool, words: usize) -> Pace {
        if words > SHORT_PROGRAM {
            Pace::start(normal)
        } else {
            Pace::with(normal, None, FIRST_SHORT_STEP)
        }
    }

    fn with(normal: bool, started: Option<Instant>, step: usize) -> Pace {
        let limit = CHUNK_TIME[usize::from(!normal)];
        Pace { started, limit, spent: Duration::ZERO, done: 0, step, first: true }
    }

    /// How many objects the next step may look at.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The very first object is too large for this thread.
    pub fn is_stuck(&self, left: &Quota) -> bool {
        left.met_large && self.first && left.visits == self.step
    }

    /// A step was made; false if the time is up. Steps grow twofold, as far as the time that is
    /// left will do for them.
    pub fn goes_on(&mut self) -> bool {
        self.first = false;
        let Some(started) = self.started else {
            self.started = Some(Instant::now());
            return true;
        };
        self.done += self.step;
        self.spent = started.elapsed();
        let spent = self.spent.as_nanos().max(1) as usize;
        let left = (self.limit.as_nanos() as usize).saturating_sub(spent);
        self.step = (self.done.saturating_mul(left) / spent).min(2 * self.step);
        self.step > 0
    }

    /// Charges the calling process for the time: more than half of its stay for a whole chunk, so
    /// that there is no third.
    pub fn charge(&self, env: Env) {
        let percent = (60 * self.spent.as_micros() / CHUNK_TIME[0].as_micros()).clamp(1, 100);
        // SAFETY: a valid environment; a percentage from 1 to 100.
        unsafe { sys::enif_consume_timeslice(env.raw(), percent as i32) };
    }
}
