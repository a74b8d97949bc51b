//! `cargo bench`: each map under each workload, by one thread and by two. A filter behind `--`
//! picks: `cargo bench -- 'churn/u64/2'`. The time is that of one operation of each thread.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use engines::keys::{Encoded, Key};
use engines::map::{Map, OrderedMap, Visitor, each_hash, each_ordered};
use engines::workload::{self, Contest, Workload};
use std::time::Duration;

/// One table of results: a workload on keys of one kind by a number of threads.
struct Round<'c, K> {
    group: BenchmarkGroup<'c, WallTime>,
    keys: &'c [K],
    workload: Workload,
    threads: usize,
}

impl<'c, K: Key> Round<'c, K> {
    fn measure<M: Map<K>>(&mut self, run: impl Fn(&Contest<'c, K, M>, u64) -> Duration) {
        let (keys, workload, threads) = (self.keys, self.workload, self.threads);
        self.group.bench_function(M::NAME, |bencher| {
            let contest = Contest::new(keys, workload, threads);
            bencher.iter_custom(|count| run(&contest, count));
        });
    }
}

impl<K: Key> Visitor<K> for Round<'_, K> {
    fn hash<M: Map<K>>(&mut self) {
        self.measure::<M>(Contest::run);
    }

    fn ordered<M: OrderedMap<K>>(&mut self) {
        match self.workload {
            Workload::Scan => self.measure::<M>(Contest::run_scans),
            _ => self.measure::<M>(Contest::run),
        }
    }
}

/// A group `Family/workload/keys/threads`, visited by `all`.
fn group<K: Key>(
    criterion: &mut Criterion,
    keys: &[K],
    (family, workload, threads): (&str, Workload, usize),
    all: impl Fn(&mut Round<'_, K>),
) {
    let name = format!("{family}/{}/{}/{threads}", workload.name(), K::NAME);
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    all(&mut Round { group, keys, workload, threads });
}

fn of_keys<K: Key>(criterion: &mut Criterion) {
    let keys = workload::keys::<K>();
    for threads in [1, 2] {
        for workload in Workload::OF_ALL {
            group(criterion, &keys, ("hash", workload, threads), |round| each_hash(round));
            group(criterion, &keys, ("ordered", workload, threads), |round| each_ordered(round));
        }
        let scan = ("ordered", Workload::Scan, threads);
        group(criterion, &keys, scan, |round| each_ordered(round));
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    of_keys::<u64>(&mut criterion);
    of_keys::<Encoded>(&mut criterion);
    criterion.final_summary();
}
