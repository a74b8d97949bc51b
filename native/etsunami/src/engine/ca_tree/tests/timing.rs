//! Figures for steering, not checks:
//! `cargo test -p etsunami --lib --release tree_figures -- --ignored --nocapture`.

use super::Tree;
use crate::engine::ca_tree::Wide;
use crate::engine::{Change, Delta, Direction, Word};
use crate::reclaim;
use crate::sync::Counters;
use std::hint::black_box;
use std::ops::Bound;
use std::time::Instant;

/// Keys in an order that looks random: multiplication by an odd number is a bijection.
fn shuffled(i: u64) -> u64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn timed(what: &str, n: u64, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    println!("{what:24} {:8.1} ns", start.elapsed().as_nanos() as f64 / n as f64);
}

fn figures(n: u64, key: impl Fn(u64) -> u64 + Copy) {
    use super::CaTree;
    let live = std::sync::Arc::default();
    let map =
        CaTree::<super::Integers, Wide>::new(super::Integers { coarse: 0, live }, Counters::new(4));
    let keeper = Tree::<Wide>::new(0);
    let words: Vec<Word> = (0..n).map(|i| keeper.make(key(i), i)).collect();
    let put = |i: u64| {
        let guard = reclaim::pin();
        map.update(&guard, &key(i), |_| {
            (Change::Put(words[i as usize]), Delta { objects: 1, words: 0 }, ())
        });
    };
    timed("insert", n, || (0..n).for_each(put));
    println!("{:?}", map.shape());
    println!("bytes per entry {:.1}", map.shape().bytes as f64 / n as f64);
    timed("get", n, || {
        for i in 0..n {
            let guard = reclaim::pin();
            black_box(map.get(&guard, &key(i * 40503 % n)));
        }
    });
    timed("get missing", n, || {
        for i in 0..n {
            let guard = reclaim::pin();
            black_box(map.get(&guard, &(key(i * 40503 % n) ^ 1)));
        }
    });
    timed("replace", n, || (0..n).for_each(|i| put(i * 40503 % n)));
    timed("next", n, || {
        for i in 0..n {
            let guard = reclaim::pin();
            let from = key(i * 40503 % n);
            black_box(map.next(&guard, Bound::Excluded(&from), |_| true));
        }
    });
    let mut out = Vec::with_capacity(10_000);
    timed("scan of 100", n, || {
        for i in 0..n / 100 {
            let guard = reclaim::pin();
            out.clear();
            let from = key(i * 40503 % n);
            map.scan(&guard, Bound::Included(&from), Direction::Ascending, 100, &mut out);
        }
    });
    timed("scan of 10000", n / 10_000 * 10_000, || {
        for i in 0..n / 10_000 {
            let guard = reclaim::pin();
            out.clear();
            let from = u64::MAX / n * i;
            map.scan(&guard, Bound::Included(&from), Direction::Ascending, 10_000, &mut out);
        }
    });
    timed("remove", n, || {
        for i in 0..n {
            let guard = reclaim::pin();
            map.update(&guard, &key(i * 40503 % n), |_| {
                (Change::Remove, Delta { objects: -1, words: 0 }, ())
            });
        }
    });
    println!("{:?}\n", map.shape());
}

#[test]
#[ignore = "figures for steering"]
fn tree_figures() {
    println!("64 Ki random");
    figures(1 << 16, shuffled);
    println!("64 Ki ascending");
    figures(1 << 16, |i| i);
    println!("1 Mi random");
    figures(1 << 20, shuffled);
    println!("1 Mi ascending");
    figures(1 << 20, |i| i);
}
