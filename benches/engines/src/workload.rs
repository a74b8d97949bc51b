//! What is done, the same for all maps.

use crate::keys::Key;
use crate::map::{Map, OrderedMap};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Keys that a map begins with; as many again are absent.
pub const KEYS: u64 = 1 << 16;
/// How many keys a scan sees.
pub const SCAN: usize = 100;
/// Operations that a thread has in its plan; it goes round.
const PLAN: usize = 1 << 16;
/// What thread number `t` draws its plan from, with `t` added.
const SEED: u64 = 20_260_801;

/// A mix of operations on uniformly drawn keys, unless it says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// Lookups of keys that are there.
    Read,
    /// 90 % lookups, 10 % replacements, of keys that are there.
    Mixed90,
    /// Half lookups, half replacements, of keys that are there.
    Mixed50,
    /// Lookups of one key.
    HotRead,
    /// Additions to the value of one key.
    HotCount,
    /// Half inserts, half removals, of keys of which about half are there.
    Churn,
    /// Sums over the [`SCAN`] keys behind a key. Ordered maps only.
    Scan,
}

impl Workload {
    /// Those that each map can do.
    pub const OF_ALL: [Workload; 6] = [
        Workload::Read,
        Workload::Mixed90,
        Workload::Mixed50,
        Workload::HotRead,
        Workload::HotCount,
        Workload::Churn,
    ];

    /// How results call it.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Read => "read",
            Workload::Mixed90 => "mixed 90-10",
            Workload::Mixed50 => "mixed 50-50",
            Workload::HotRead => "hot key read",
            Workload::HotCount => "hot key count",
            Workload::Churn => "churn",
            Workload::Scan => "scan of 100",
        }
    }

    /// An operation, by two random numbers.
    fn step(self, dice: u64, key: u64) -> Step {
        let percent = dice % 100;
        let verb = match self {
            Workload::Mixed90 if percent < 10 => Verb::Put,
            Workload::Mixed50 | Workload::Churn if percent < 50 => Verb::Put,
            Workload::Churn => Verb::Remove,
            Workload::HotCount => Verb::Count,
            _ => Verb::Get,
        };
        let key = match self {
            Workload::HotRead | Workload::HotCount => 0,
            Workload::Churn => key % (2 * KEYS),
            _ => key % KEYS,
        };
        Step { verb, key: key as u32 }
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Put,
    Remove,
    Count,
}

/// One operation, on the key of this number.
#[derive(Clone, Copy)]
struct Step {
    verb: Verb,
    key: u32,
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// All keys: those that are there at the beginning, then those that are not.
pub fn keys<K: Key>() -> Vec<K> {
    (0..2 * KEYS).map(K::make).collect()
}

/// A map with the keys that are there at the beginning.
pub fn filled<K: Key, M: Map<K>>(keys: &[K]) -> M {
    let map = M::new();
    for (value, key) in keys[..KEYS as usize].iter().enumerate() {
        map.put(key, value as u64);
    }
    map
}

/// A map under a workload by a number of threads.
pub struct Contest<'k, K, M> {
    map: M,
    keys: &'k [K],
    plans: Vec<Vec<Step>>,
}

impl<'k, K: Key, M: Map<K>> Contest<'k, K, M> {
    /// Fills a map and draws a plan for each thread.
    pub fn new(keys: &'k [K], workload: Workload, threads: usize) -> Self {
        let plan = |thread| {
            let mut dice = Dice(SEED + thread as u64);
            (0..PLAN).map(|_| workload.step(dice.roll(), dice.roll())).collect()
        };
        Contest { map: filled(keys), keys, plans: (0..threads).map(plan).collect() }
    }

    /// The time that the threads take for `each` operations of each of them, all at once.
    pub fn run(&self, each: u64) -> Duration {
        at_once(self.plans.len(), |thread| self.perform(&self.plans[thread], each))
    }

    fn perform(&self, plan: &[Step], count: u64) -> u64 {
        let mut sum = 0_u64;
        for i in 0..count as usize {
            let step = plan[i % PLAN];
            let key = &self.keys[step.key as usize];
            match step.verb {
                Verb::Get => sum = sum.wrapping_add(self.map.get(key).unwrap_or(0)),
                Verb::Put => self.map.put(key, i as u64),
                Verb::Remove => sum += u64::from(self.map.remove(key)),
                Verb::Count => self.map.count(key),
            }
        }
        sum
    }
}

impl<K: Key, M: OrderedMap<K>> Contest<'_, K, M> {
    /// As [`Contest::run`], with scans behind the keys of the plan.
    pub fn run_scans(&self, each: u64) -> Duration {
        at_once(self.plans.len(), |thread| {
            let plan = &self.plans[thread];
            let from = |i: usize| &self.keys[plan[i % PLAN].key as usize];
            (0..each as usize).fold(0_u64, |sum, i| sum.wrapping_add(self.map.scan(from(i), SCAN)))
        })
    }
}

/// The time from the first thread's beginning to the last one's end.
fn at_once(threads: usize, work: impl Fn(usize) -> u64 + Sync) -> Duration {
    let clocked = |thread| {
        let begin = Instant::now();
        black_box(work(thread));
        (begin, Instant::now())
    };
    if threads == 1 {
        let (begin, end) = clocked(0);
        return end - begin;
    }
    let line = Barrier::new(threads);
    let times: Vec<_> = std::thread::scope(|scope| {
        let start = |thread| {
            let line = &line;
            scope.spawn(move || {
                line.wait();
                clocked(thread)
            })
        };
        let started: Vec<_> = (0..threads).map(start).collect();
        started.into_iter().map(|thread| thread.join().expect("no panics")).collect()
    });
    let begin = times.iter().map(|&(begin, _)| begin).min();
    let end = times.iter().map(|&(_, end)| end).max();
    end.zip(begin).map_or(Duration::ZERO, |(end, begin)| end - begin)
}
