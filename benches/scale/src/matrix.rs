//! All maps under all workloads.

use crate::options::Options;
use engines::keys::{Encoded, Key};
use engines::map::{Map, OrderedMap, Visitor, each_hash, each_ordered};
use engines::workload::{self, Contest, Workload};
use std::time::Duration;

/// What is compared with each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Panel {
    /// `hash` or `ordered`.
    pub family: &'static str,
    /// The workload.
    pub workload: &'static str,
    /// The kind of keys.
    pub keys: &'static str,
}

/// One result: operations per second of all threads together.
pub struct Point {
    /// What it belongs to.
    pub panel: Panel,
    /// The map.
    pub map: &'static str,
    /// Is it one of ours?
    pub ours: bool,
    /// How many threads.
    pub threads: usize,
    /// Of all rounds.
    pub median: f64,
    /// The slowest round.
    pub least: f64,
    /// The fastest round.
    pub most: f64,
}

/// What runs a number of operations of each thread of a contest.
type Runner<'k> = Box<dyn Fn(u64) -> Duration + 'k>;

/// The maps of a panel, filled and ready.
struct Field<'k, K> {
    keys: &'k [K],
    workload: Workload,
    threads: usize,
    runners: Vec<(&'static str, bool, Runner<'k>)>,
}

impl<'k, K: Key> Visitor<K> for Field<'k, K> {
    fn hash<M: Map<K>>(&mut self) {
        let contest = Contest::<'k, K, M>::new(self.keys, self.workload, self.threads);
        let runner: Runner<'k> = Box::new(move |each| contest.run(each));
        self.runners.push((M::NAME, M::OURS, runner));
    }

    fn ordered<M: OrderedMap<K>>(&mut self) {
        let (contest, scans) = (
            Contest::<'k, K, M>::new(self.keys, self.workload, self.threads),
            self.workload == Workload::Scan,
        );
        let runner: Runner<'k> =
            Box::new(move |each| if scans { contest.run_scans(each) } else { contest.run(each) });
        self.runners.push((M::NAME, M::OURS, runner));
    }
}

/// How many operations of each thread take about this long.
fn calibrate(run: &Runner<'_>, time: Duration) -> u64 {
    let mut each = 64;
    loop {
        let taken = run(each).max(Duration::from_nanos(1));
        let wanted = each as f64 * time.as_secs_f64() / taken.as_secs_f64();
        // A tenth of the time tells enough; and the maps are warm then.
        if taken * 10 >= time || each > 1 << 40 {
            return (wanted as u64).max(1);
        }
        each = (each * 8).min((wanted as u64).max(each * 2));
    }
}

impl<K: Key> Field<'_, K> {
    /// Measures all maps, in turns.
    fn measure(&self, panel: &Panel, options: &Options, points: &mut Vec<Point>) {
        let each: Vec<u64> =
            self.runners.iter().map(|(.., run)| calibrate(run, options.time)).collect();
        let mut speeds = vec![Vec::with_capacity(options.rounds); self.runners.len()];
        for _ in 0..options.rounds {
            for (i, (.., run)) in self.runners.iter().enumerate() {
                let operations = (each[i] * self.threads as u64) as f64;
                speeds[i].push(operations / run(each[i]).as_secs_f64());
            }
        }
        for ((map, ours, _), mut speeds) in self.runners.iter().zip(speeds) {
            speeds.sort_by(f64::total_cmp);
            points.push(Point {
                panel: panel.clone(),
                map,
                ours: *ours,
                threads: self.threads,
                median: speeds[speeds.len() / 2],
                least: speeds[0],
                most: speeds[speeds.len() - 1],
            });
        }
    }
}

/// One panel, by each number of threads.
fn panel<K: Key>(
    family: &'static str,
    workload: Workload,
    keys: &[K],
    options: &Options,
    points: &mut Vec<Point>,
) {
    let panel = Panel { family, workload: workload.name(), keys: K::NAME };
    let name = format!("{}/{}/{}", panel.family, panel.workload, panel.keys);
    if !name.contains(&options.only) {
        return;
    }
    for &threads in &options.threads {
        eprintln!("{name}, threads: {threads}");
        let mut field = Field { keys, workload, threads, runners: Vec::new() };
        match family {
            "hash" => each_hash(&mut field),
            _ => each_ordered(&mut field),
        }
        field.measure(&panel, options, points);
    }
}

fn of_keys<K: Key>(options: &Options, points: &mut Vec<Point>) {
    let keys = workload::keys::<K>();
    for family in ["hash", "ordered"] {
        for workload in Workload::OF_ALL {
            panel(family, workload, &keys, options, points);
        }
    }
    panel("ordered", Workload::Scan, &keys, options, points);
}

/// Measures everything that the options ask for.
pub fn measure(options: &Options) -> Vec<Point> {
    let mut points = Vec::new();
    of_keys::<u64>(options, &mut points);
    of_keys::<Encoded>(options, &mut points);
    points
}
