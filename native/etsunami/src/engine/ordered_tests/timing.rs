//! Figures for steering, not checks:
//! `cargo test -p etsunami --lib --release ordered_figures -- --ignored --nocapture`.

use super::{Integers, Map, Ordered};
use crate::engine::ca_tree::{CaTree, Wide};
use crate::engine::skip_list::SkipList;
use crate::engine::{Change, Delta, Direction, Word};
use crate::reclaim;
use crate::sync::Counters;
use std::hint::black_box;
use std::ops::Bound;

/// Keys in an order that looks random: multiplication by an odd number is a bijection.
fn shuffled(i: u64) -> u64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The processor time of this thread, which other work on the machine disturbs less than the clock.
fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Prints the least time of `rounds` runs, per item.
fn timed(what: &str, n: u64, rounds: u32, mut work: impl FnMut()) {
    let run = |_| {
        let start = cpu_time();
        work();
        cpu_time() - start
    };
    let best = (0..rounds).map(run).min().unwrap_or(0);
    println!("{what:24} {:8.1} ns", best as f64 / n as f64);
}

fn baseline(n: u64, key: impl Fn(u64) -> u64 + Copy, words: &[Word]) {
    let mut map = std::collections::BTreeMap::new();
    timed("BTreeMap insert", n, 3, || {
        map.clear();
        for i in 0..n {
            map.insert(key(i), words[i as usize]);
        }
    });
    timed("BTreeMap get", n, 10, || {
        for i in 0..n {
            let word = map.get(&key(i * 40503 % n)).expect("there");
            black_box(super::item(*word).key);
        }
    });
}

fn put(map: &impl Ordered, key: u64, word: Word) {
    let guard = reclaim::pin();
    map.update(&guard, &key, |_| (Change::Put(word), Delta { objects: 1, words: 3 }, ()));
}

fn take(map: &impl Ordered, key: u64) {
    let guard = reclaim::pin();
    map.update(&guard, &key, |_| (Change::Remove, Delta { objects: -1, words: -3 }, ()));
}

fn figures(n: u64, key: impl Fn(u64) -> u64 + Copy) {
    let keeper = Map::<CaTree<Integers, Wide>>::new(0);
    let words: Vec<Word> = (0..n).map(|i| keeper.make(key(i), i)).collect();
    baseline(n, key, &words);
    println!("- contention-adapting tree");
    figures_of::<CaTree<Integers, Wide>>(n, key, &words);
    println!("- skip list");
    figures_of::<SkipList<Integers>>(n, key, &words);
}

fn figures_of<M: Ordered>(n: u64, key: impl Fn(u64) -> u64 + Copy, words: &[Word]) {
    let map = M::new(Integers { coarse: 0 }, Counters::new(4));
    let fill = || (0..n).for_each(|i| put(&map, key(i), words[i as usize]));
    let empty = || (0..n).for_each(|i| take(&map, key(i * 40503 % n)));
    timed("insert, first", n, 1, fill);
    empty();
    let _ = reclaim::flush();
    timed("insert, again", n, 1, fill);
    println!("{:.1} bytes per entry", map.bytes() as f64 / n as f64);
    points(n, key, &map);
    timed("replace", n, 10, || {
        for i in 0..n {
            let i = i * 40503 % n;
            put(&map, key(i), words[i as usize]);
        }
    });
    scans(n, key, &map);
    timed("remove", n, 1, empty);
}

fn points(n: u64, key: impl Fn(u64) -> u64, map: &impl Ordered) {
    timed("get", n, 10, || {
        for i in 0..n {
            let guard = reclaim::pin();
            black_box(map.get(&guard, &key(i * 40503 % n)));
        }
    });
    timed("get missing", n, 10, || {
        for i in 0..n {
            let guard = reclaim::pin();
            black_box(map.get(&guard, &(key(i * 40503 % n) ^ 1 << 62)));
        }
    });
    timed("next", n, 10, || {
        for i in 0..n {
            let guard = reclaim::pin();
            let from = key(i * 40503 % n);
            black_box(map.next(&guard, Bound::Excluded(&from), |_| true));
        }
    });
}

fn scans(n: u64, key: impl Fn(u64) -> u64, map: &impl Ordered) {
    let mut out = Vec::with_capacity(10_000);
    for limit in [100, 2_000] {
        // Twice as much as there is, because a scan that begins near the end is short.
        let times = 2 * n / limit;
        timed(&format!("scan of {limit}"), times * limit, 10, || {
            let mut scanned = 0;
            for i in 0.. {
                let guard = reclaim::pin();
                out.clear();
                let from = key(i * 40503 % n);
                let from = Bound::Included(&from);
                map.scan(&guard, from, Direction::Ascending, limit as usize, &mut out);
                scanned += out.len() as u64;
                if scanned >= times * limit {
                    break;
                }
            }
        });
    }
}

#[test]
#[ignore = "figures for steering"]
fn ordered_figures() {
    println!("4 Ki random");
    figures(1 << 12, shuffled);
    if std::env::var_os("TREE_FIGURES_SHORT").is_some() {
        return;
    }
    println!("64 Ki random");
    figures(1 << 16, shuffled);
    println!("64 Ki ascending");
    figures(1 << 16, |i| i);
    println!("1 Mi random");
    figures(1 << 20, shuffled);
    println!("1 Mi ascending");
    figures(1 << 20, |i| i);
}
