//! What criterion has measured.

use engines::keys::{Encoded, Key};
use engines::map::{Map, OrderedMap, Visitor, each_hash, each_ordered};
use serde_json::Value;
use std::io;
use std::path::Path;

/// One map in one row.
pub struct Cell {
    /// The map's name.
    pub map: String,
    /// The median, in nanoseconds.
    pub median: f64,
    /// Where the confidence interval of the median begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

impl Cell {
    /// True for an engine of Etsunami.
    pub fn is_ours(&self) -> bool {
        self.map.starts_with("etsunami")
    }
}

/// All maps under one workload.
pub struct Row {
    /// `hash` or `ordered`.
    pub family: String,
    /// The workload's name.
    pub workload: String,
    /// The kind of keys.
    pub keys: String,
    /// How many threads.
    pub threads: String,
    /// The maps, in the order of the list.
    pub cells: Vec<Cell>,
}

impl Row {
    /// The fastest.
    pub fn best(&self) -> &Cell {
        self.cells.iter().min_by(|a, b| a.median.total_cmp(&b.median)).expect("a row has cells")
    }

    /// The fastest of ours.
    pub fn ours(&self) -> Option<&Cell> {
        let ours = self.cells.iter().filter(|cell| cell.is_ours());
        ours.min_by(|a, b| a.median.total_cmp(&b.median))
    }
}

/// The names of all maps in the order of the list.
struct Names(Vec<&'static str>);

impl<K: Key> Visitor<K> for Names {
    fn hash<M: Map<K>>(&mut self) {
        self.0.push(M::NAME);
    }
    fn ordered<M: OrderedMap<K>>(&mut self) {
        self.0.push(M::NAME);
    }
}

fn names() -> Vec<&'static str> {
    let mut names = Names(Vec::new());
    each_hash::<Encoded>(&mut names);
    each_ordered::<Encoded>(&mut names);
    names.0
}

/// Reads all results of a folder of criterion's, sorted as they are to be shown.
pub fn read(folder: &Path) -> io::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for group in std::fs::read_dir(folder)? {
        let group = group?.path();
        if !group.is_dir() {
            continue;
        }
        for function in std::fs::read_dir(group)? {
            let newest = function?.path().join("new");
            if newest.join("estimates.json").exists() {
                add(&mut rows, &newest)?;
            }
        }
    }
    let names = names();
    let place = |cell: &Cell| names.iter().position(|&name| name == cell.map);
    rows.iter_mut().for_each(|row| row.cells.sort_by_key(place));
    let workload = |row: &Row| super::WORKLOADS.iter().position(|&name| name == row.workload);
    rows.sort_by_key(|row| {
        (row.keys == "encoded", row.family.clone(), workload(row), row.threads.clone())
    });
    Ok(rows)
}

fn json(path: &Path) -> io::Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

/// Adds the cell of one function to its row.
fn add(rows: &mut Vec<Row>, newest: &Path) -> io::Result<()> {
    let what = json(&newest.join("benchmark.json"))?;
    let median = &json(&newest.join("estimates.json"))?["median"];
    let text = |name: &str| what[name].as_str().unwrap_or_default().to_owned();
    let group = text("group_id");
    let parts: Vec<&str> = group.split('/').collect();
    let [family, workload, keys, threads] = parts[..] else { return Ok(()) };
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let interval = &median["confidence_interval"];
    let cell = Cell {
        map: text("function_id"),
        median: number(&median["point_estimate"]),
        low: number(&interval["lower_bound"]),
        high: number(&interval["upper_bound"]),
    };
    let is_of = |row: &Row| {
        (&*row.family, &*row.workload, &*row.keys, &*row.threads)
            == (family, workload, keys, threads)
    };
    match rows.iter_mut().find(|row| is_of(row)) {
        Some(row) => row.cells.push(cell),
        None => rows.push(Row {
            family: family.into(),
            workload: workload.into(),
            keys: keys.into(),
            threads: threads.into(),
            cells: vec![cell],
        }),
    }
    Ok(())
}
