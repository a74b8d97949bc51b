//! An asymmetric memory barrier: almost free for those who pass often, dear for those who pass
//! seldom.
//!
//! # Semantics
//!
//! For a light barrier `L` in thread T and a heavy barrier `H` in thread U, one of these holds:
//! - everything that T did before `L` is visible to what U does after `H`, or
//! - everything that U did before `H` is visible to what T does after `L`.
//!
//! Two heavy barriers relate in the same way. Two light barriers do not.
//!
//! # Implementation
//!
//! On Linux the heavy side is `membarrier(PRIVATE_EXPEDITED)`: the kernel makes every thread of
//! the process that runs at the moment execute a full fence (one that does not run passes a fence
//! when it is switched in), so the light side needs to stop the compiler only. Where the call is
//! missing (other systems, old kernels, sandboxes), both sides are sequentially consistent fences.
//!
//! The choice is made once, by [`init`], before any other thread can pass a light barrier: a
//! process in which some threads assume the other mode would be unsound. A sandbox may kill a
//! process for the question alone; the environment variable `ETSUNAMI_MEMBARRIER=off` keeps it
//! from being asked.
//!
//! The kernel may withdraw the call later (a process restored on another kernel). [`heavy_barrier`]
//! then fails, and its callers must do without whatever they wanted to prove.

/// How the two sides of the barrier are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The light side stops the compiler, the heavy side interrupts all threads.
    Asymmetric,
    /// Both sides are sequentially consistent fences.
    Fenced,
}

/// The heavy barrier failed: nothing may be concluded about other threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierLost;

#[cfg(not(loom))]
pub use chosen::{heavy_barrier, init, light_barrier, mode};

#[cfg(loom)]
pub use modelled::{heavy_barrier, init, light_barrier, mode};

#[cfg(not(loom))]
mod chosen {
    use super::{BarrierLost, Mode};
    use crate::sync::{AtomicBool, Ordering, fence};
    use std::sync::Once;
    use std::sync::atomic::compiler_fence;

    /// Whether `membarrier` is registered. Relaxed everywhere: it is written once, inside `INIT`,
    /// and whoever passes a barrier has returned from `init` before or was handed what it works
    /// on by a thread that had.
    static ASYMMETRIC: AtomicBool = AtomicBool::new(false);
    static INIT: Once = Once::new();

    /// Chooses the mode, the first time. Must have returned before the process passes its first
    /// barrier.
    pub fn init() {
        INIT.call_once(|| ASYMMETRIC.store(super::membarrier::register(), Ordering::Relaxed));
    }

    /// The chosen mode.
    #[inline(always)]
    pub fn mode() -> Mode {
        if ASYMMETRIC.load(Ordering::Relaxed) { Mode::Asymmetric } else { Mode::Fenced }
    }

    /// The cheap side.
    #[inline(always)]
    pub fn light_barrier() {
        match mode() {
            Mode::Asymmetric => compiler_fence(Ordering::SeqCst),
            Mode::Fenced => fence(Ordering::SeqCst),
        }
    }

    /// The dear side: a quarter of a microsecond when the process is quiet, up to some tens of
    /// microseconds when all processors run its threads.
    pub fn heavy_barrier() -> Result<(), BarrierLost> {
        fence(Ordering::SeqCst);
        match mode() {
            Mode::Asymmetric => super::membarrier::issue(),
            Mode::Fenced => Ok(()),
        }
    }
}

/// Under loom both sides are fences, which is all that its memory model knows.
#[cfg(loom)]
mod modelled {
    use super::{BarrierLost, Mode};
    use crate::sync::{Ordering, fence};

    /// Nothing to choose.
    pub fn init() {}

    /// Always fenced.
    pub fn mode() -> Mode {
        Mode::Fenced
    }

    /// A fence.
    pub fn light_barrier() {
        fence(Ordering::SeqCst);
    }

    /// A fence.
    pub fn heavy_barrier() -> Result<(), BarrierLost> {
        fence(Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(all(not(loom), target_os = "linux"))]
mod membarrier {
    use super::BarrierLost;
    use libc::{
        MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_QUERY,
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, c_int, c_long,
    };

    fn call(command: c_int) -> c_long {
        // SAFETY: membarrier takes three integers, reads and writes no memory of ours, and
        // reports whatever it does not know or may not do by a negative result.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0 as c_int, 0 as c_int) }
    }

    /// Registers the process. False if the kernel cannot, or the user does not want it asked.
    pub fn register() -> bool {
        if std::env::var_os("ETSUNAMI_MEMBARRIER").is_some_and(|value| value == "off") {
            return false;
        }
        let wanted = MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
        let known = call(MEMBARRIER_CMD_QUERY);
        known >= 0
            && known & c_long::from(wanted) == c_long::from(wanted)
            && call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0
            && issue().is_ok()
    }

    /// A full fence in every running thread of the process.
    pub fn issue() -> Result<(), BarrierLost> {
        if call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0 { Ok(()) } else { Err(BarrierLost) }
    }
}

#[cfg(all(not(loom), not(target_os = "linux")))]
mod membarrier {
    use super::BarrierLost;

    /// There is no such call here.
    pub fn register() -> bool {
        false
    }

    /// Never reached, because `register` refuses.
    pub fn issue() -> Result<(), BarrierLost> {
        Err(BarrierLost)
    }
}
