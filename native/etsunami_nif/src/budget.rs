//! How long a call may run, and where it goes on.
//!
//! A call on a normal scheduler has about a millisecond. Work is counted in encoded words, which
//! cost 2 to 10 ns each to encode, copy or compare. Divisible work stops at the limit and goes on
//! by a continuation ([`reschedule`]); indivisible work (one huge object) starts again on a dirty
//! CPU scheduler, where it may run to its end.

use std::ffi::CStr;

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
