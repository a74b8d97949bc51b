//! Places where tests interfere (feature `faults`; in any other build nothing is left of them).
//!
//! [`delay`] stands at the steps of protocols, between which other threads may come: with
//! `ETSUNAMI_DELAYS=SEED:N` in the environment one passage in N yields, spins or sleeps, as the
//! thread's own generator says. [`pass`] stands where code of the layer above runs, under a lock or
//! with a protocol half done: there a test may have a call panic (`arm`).

/// Where a panic can be planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// Under the lock of a key, before an update decides.
    Decide,
    /// An object of a list insert has been made, others have not.
    Push,
    /// Under the lock of a key and a batch's worker flag, before an entry is installed.
    Place,
    /// All entries of a batch are installed, and it is not decided.
    Commit,
    /// A batch is decided, and this entry is not cleaned; under the lock of its key.
    Clean,
    /// A search has come to an object.
    Visit,
}

/// A step of a protocol.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn delay() {}

/// A place where a panic can be planted, which is a step as well.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn pass(_: Point) {}

#[cfg(feature = "faults")]
pub use armed::{Injected, POINTS, arm, delay, disarm, pass};

#[cfg(feature = "faults")]
mod armed {
    use super::Point;
    use std::cell::Cell;
    use std::panic::resume_unwind;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// All points, with the names that tests use.
    pub const POINTS: [(&str, Point); 6] = [
        ("decide", Point::Decide),
        ("push", Point::Push),
        ("place", Point::Place),
        ("commit", Point::Commit),
        ("clean", Point::Clean),
        ("visit", Point::Visit),
    ];

    /// What a planted panic carries.
    #[derive(Debug)]
    pub struct Injected;

    thread_local! {
        /// The point at which this thread shall panic, and how often it is passed before.
        static ARMED: Cell<Option<(Point, u64)>> = const { Cell::new(None) };
        static RANDOM: Cell<u64> = const { Cell::new(0) };
    }

    /// Lets this thread panic when it comes to a point once more after `passages`.
    pub fn arm(point: Point, passages: u64) {
        ARMED.set(Some((point, passages)));
    }

    /// Takes that back; how many passages are left if it has not panicked.
    pub fn disarm() -> Option<u64> {
        ARMED.take().map(|(_, left)| left)
    }

    /// A place where a panic can be planted, which is a step as well.
    pub fn pass(point: Point) {
        delay();
        match ARMED.get() {
            Some((armed, 0)) if armed == point => {
                ARMED.set(None);
                // Without the message of a panic that nobody expects.
                resume_unwind(Box::new(Injected));
            }
            Some((armed, left)) if armed == point => ARMED.set(Some((armed, left - 1))),
            _ => {}
        }
    }

    /// The seed, and one in how many passages is delayed; no delays if the variable is not set.
    fn plan() -> Option<(u64, u64)> {
        static PLAN: OnceLock<Option<(u64, u64)>> = OnceLock::new();
        *PLAN.get_or_init(|| {
            let text = std::env::var("ETSUNAMI_DELAYS").ok()?;
            let (seed, one_in) = text.split_once(':').expect("ETSUNAMI_DELAYS=SEED:N");
            let number = |text: &str| text.parse::<u64>().expect("ETSUNAMI_DELAYS=SEED:N");
            Some((number(seed), number(one_in).max(1)))
        })
    }

    /// The next number of this thread's generator (xorshift), which begins by the seed and the
    /// number of threads before it.
    fn random(seed: u64) -> u64 {
        static THREADS: AtomicU64 = AtomicU64::new(1);
        let mut state = RANDOM.get();
        if state == 0 {
            let number = THREADS.fetch_add(1, Ordering::Relaxed);
            state = (seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        RANDOM.set(state);
        state
    }

    /// A step of a protocol.
    pub fn delay() {
        let Some((seed, one_in)) = plan() else { return };
        let drawn = random(seed);
        if !drawn.is_multiple_of(one_in) {
            return;
        }
        match drawn >> 56 {
            0..2 => std::thread::sleep(Duration::from_micros(50)),
            2..128 => std::thread::yield_now(),
            spins => (0..spins * 16).for_each(|_| std::hint::spin_loop()),
        }
    }
}
