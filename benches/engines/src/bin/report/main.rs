//! Writes `benches/RESULTS.md` from what criterion left: `report CRITERION_DIR NOTES` prints it.
//! `NOTES` is a file with what is to be said about the machine.

mod reasons;
mod results;

use results::{Cell, Row};
use std::process::ExitCode;

const WORKLOADS: [&str; 7] =
    ["read", "mixed 90-10", "mixed 50-50", "hot key read", "hot key count", "churn", "scan of 100"];

const HEAD: &str = "\
# Our engines beside other concurrent maps

Written by `ci/bench-engines.sh` from the estimates of criterion, not by hand. The workload is
`engines/src/workload.rs`, the adapters stand beside it.

Medians, in nanoseconds for one operation of a thread (with two threads both are busy all the time,
so the same number for one and two threads means twice the throughput). 65,536 keys, in cache. All
maps allocate by mimalloc and hash by the same function. `u64` keys: our engines by themselves, each
word leading to a box of key and value (papaya and crossbeam-skiplist allocate too, for the others
both lie in the table). `encoded` keys: a binary of 17 bytes, as our tables hold it; ours are whole
tables of pairs, with everything that `insert` and `lookup` of the core do; the peers have the words
of the key boxed, and our functions of hash, equality and order. The fastest of a row is bold; ours
are the columns that begin with \"etsunami\".
";

const LOST: &str = "
## Rows that we lose

Where the best of our engines of that kind is not the first. \"Noise\" is said where the confidence
intervals (95 %) of the two touch.

| row | ours | first | ours takes | why | what it would cost to follow |
| --- | --- | --- | --- | --- | --- |
";

fn family_title(family: &str) -> &'static str {
    if family == "hash" { "Hash tables" } else { "Ordered maps" }
}

/// One table of results.
fn print_table(family: &str, keys: &str, rows: &[Row]) {
    let chosen: Vec<&Row> =
        rows.iter().filter(|row| row.family == family && row.keys == keys).collect();
    let Some(first) = chosen.first() else { return };
    println!("\n## {}, {keys} keys\n", family_title(family));
    let names: Vec<&str> = first.cells.iter().map(|cell| cell.map.as_str()).collect();
    println!("| workload | threads | {} |", names.join(" | "));
    println!("| --- | --- |{}", " ---: |".repeat(names.len()));
    for row in chosen {
        let best = row.best();
        let show = |cell: &Cell| match cell.map == best.map {
            true => format!("**{}**", nanoseconds(cell.median)),
            false => nanoseconds(cell.median),
        };
        let cells: Vec<String> = row.cells.iter().map(show).collect();
        println!("| {} | {} | {} |", row.workload, row.threads, cells.join(" | "));
    }
}

/// Three digits.
fn nanoseconds(time: f64) -> String {
    if time < 100.0 { format!("{time:.1}") } else { format!("{time:.0}") }
}

fn print_losses(rows: &[Row]) {
    print!("{LOST}");
    for row in rows {
        let (Some(ours), best) = (row.ours(), row.best()) else { continue };
        if best.is_ours() {
            continue;
        }
        let reason = reasons::of(row, best);
        let why = if ours.low <= best.high { "noise" } else { reason.why };
        println!(
            "| {}, {}, {}, {} | {} {} | {} {} | {:.2} × | {why} | {} |",
            row.family,
            row.workload,
            row.keys,
            row.threads,
            ours.map,
            nanoseconds(ours.median),
            best.map,
            nanoseconds(best.median),
            ours.median / best.median,
            if why == "noise" { "" } else { reason.price },
        );
    }
    let won = rows.iter().filter(|row| row.best().is_ours()).count();
    println!("\nFirst in {won} of {} rows.", rows.len());
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, notes] = arguments.as_slice() else {
        eprintln!("usage: report CRITERION_DIR NOTES");
        return ExitCode::FAILURE;
    };
    let rows = match results::read(folder.as_ref()) {
        Ok(rows) if !rows.is_empty() => rows,
        Ok(_none) => {
            eprintln!("no results in {folder}");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("{folder}: {error}");
            return ExitCode::FAILURE;
        }
    };
    print!("{HEAD}");
    println!("\n{}", std::fs::read_to_string(notes).unwrap_or_default().trim_end());
    for keys in ["u64", "encoded"] {
        for family in ["hash", "ordered"] {
            print_table(family, keys, &rows);
        }
    }
    print_losses(&rows);
    ExitCode::SUCCESS
}
