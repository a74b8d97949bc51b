//! Throughput of the engines over the number of threads.
//!
//! One program that needs nothing beside it: `ci/scale.sh` links it statically. Copied to a bigger
//! machine and started there, it runs all maps under all workloads by 1, 2, 4, … threads up to the
//! machine's, and leaves `scale.csv` and `scale.html` (charts) in the folder `scale-results`.
//!
//! Where threads run is left to the system. Each number is the median of some rounds; the maps take
//! turns, so that what happens to the machine meanwhile happens to all of them.

mod chart;
mod matrix;
mod options;

use matrix::Point;
use options::Options;
use std::fmt::Write;
use std::process::ExitCode;

/// The first lines of the CSV tell about the run, behind `#`.
fn csv(machine: &str, points: &[Point]) -> String {
    let mut text = format!("# {machine}\n");
    text += "family,workload,keys,map,threads,operations_per_second,least,most\n";
    for point in points {
        let panel = &point.panel;
        let _ = writeln!(
            text,
            "{},{},{},{},{},{:.0},{:.0},{:.0}",
            panel.family,
            panel.workload,
            panel.keys,
            point.map,
            point.threads,
            point.median,
            point.least,
            point.most,
        );
    }
    text
}

/// What a reader has to know about the machine: its processor, cores and load.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown processor");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}; {} cores; load before the run {load}", options::cores())
}

fn run(options: &Options) -> std::io::Result<()> {
    std::fs::create_dir_all(&options.folder)?;
    let machine = machine();
    let points = matrix::measure(options);
    let write = |name, text| std::fs::write(options.folder.join(name), text);
    write("scale.csv", csv(&machine, &points))?;
    write("scale.html", chart::page(&machine, &points))?;
    println!("{}", options.folder.join("scale.html").display());
    Ok(())
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{}", options::USAGE);
            return ExitCode::FAILURE;
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", options.folder.display());
            ExitCode::FAILURE
        }
    }
}
