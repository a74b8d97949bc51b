//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

/// How to call it.
pub const USAGE: &str = "\
usage: etsunami-scale [--threads 1,2,4] [--milliseconds 200] [--rounds 3] [--only TEXT] [--out DIR]
  --threads       numbers of threads; as a rule the powers of two up to the cores, and the cores
  --milliseconds  how long each round of a map takes
  --rounds        how often each is measured
  --only          panels whose name, as \"hash/read/u64\", has this in it
  --out           the folder of results, scale-results as a rule";

/// The options of a run.
pub struct Options {
    /// Numbers of threads, increasing.
    pub threads: Vec<usize>,
    /// How long each round of a map takes.
    pub time: Duration,
    /// How often each is measured.
    pub rounds: usize,
    /// What a panel's name has to have in it.
    pub only: String,
    /// Where results go.
    pub folder: PathBuf,
}

/// The cores that this program may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The powers of two up to the cores, and the cores.
fn doubling(cores: usize) -> Vec<usize> {
    let mut threads: Vec<usize> =
        std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|&n| n < cores).collect();
    threads.push(cores);
    threads
}

fn number(name: &str, text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number @ 1..=100_000) => Ok(number),
        _ => Err(format!("{name} {text}: not a number above zero")),
    }
}

impl Options {
    /// Reads the command line.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            threads: doubling(cores()),
            time: Duration::from_millis(200),
            rounds: 3,
            only: String::new(),
            folder: PathBuf::from("scale-results"),
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name}: what?"))?;
            match name.as_str() {
                "--threads" => {
                    let numbers = value.split(',').map(|text| number(&name, text));
                    options.threads = numbers.collect::<Result<_, _>>()?;
                    options.threads.sort_unstable();
                    options.threads.dedup();
                }
                "--milliseconds" => {
                    options.time = Duration::from_millis(number(&name, &value)? as u64);
                }
                "--rounds" => options.rounds = number(&name, &value)?,
                "--only" => options.only = value,
                "--out" => options.folder = PathBuf::from(value),
                _ => return Err(format!("{name}: no such option")),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn threads_double_up_to_the_cores() {
        assert_eq!(doubling(1), [1]);
        assert_eq!(doubling(16), [1, 2, 4, 8, 16]);
        assert_eq!(doubling(24), [1, 2, 4, 8, 16, 24]);
    }

    #[test]
    fn a_command_line_is_read_or_refused() {
        let options =
            parse("--threads 8,1,8 --rounds 5 --only hash/").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((options.threads, options.rounds, &*options.only), (vec![1, 8], 5, "hash/"));
        for wrong in ["--threads 0", "--threads 1,x", "--rounds", "--cores 4"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
