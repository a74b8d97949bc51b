//! Whether the calling process is a certain one.
//!
//! Every call asks whether the owner of its table is alive, which is a walk through the VM's table of
//! processes; but who calls is alive, and is the owner often enough. The environment of a call refers
//! to its process, and a process begins with its pid. That is so in releases R13 to 29, and [`load`]
//! looks whether it is in this one; if not, the C interface is asked.

use std::sync::atomic::{AtomicBool, Ordering};

use etsunami::term::layout::immediate;

use crate::codec::tags;
use crate::vm::{Env, OwnEnv};

/// Where the process stands in an environment, in words.
const PROCESS: usize = 1;

/// Set once at load, before any NIF is called.
static KNOWN: AtomicBool = AtomicBool::new(false);

/// True if this is the pid of the calling process.
#[inline(always)]
pub fn is(env: Env, pid: u64) -> bool {
    // Relaxed: written before the NIFs can be called, never changed.
    if KNOWN.load(Ordering::Relaxed) { word(env) == pid } else { env.is_self(pid) }
}

/// The first word of the process of an environment.
#[inline(always)]
fn word(env: Env) -> u64 {
    // SAFETY: environments are longer than that, and have a process, or what stands for one where
    // there is none.
    unsafe { **env.raw().cast::<*const u64>().add(PROCESS) }
}

/// Finds out whether pids stand where they are expected.
pub fn load(env: Env) {
    let known = !tags::portable()
        && env.self_pid().is_some_and(|own| own.word() == word(env))
        && !immediate::is_pid(word(OwnEnv::new().env()));
    KNOWN.store(known, Ordering::Relaxed);
}
