//! Is the structure of the Rust sources what ARCHITECTURE.md says?
//!
//! Reads both crates and checks layers, circles between files, lengths, and that all atomics, locks
//! and threads of the core come from its `sync` module. What is allowed is in [`rules`].
//! `etsunami_tidy ROOT` prints each violation on a line and fails if there is one.

mod circles;
mod imports;
mod lengths;
mod rules;
mod source;

use std::path::Path;
use std::process::ExitCode;

use source::Crate;

fn main() -> ExitCode {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let mut found = Vec::new();
    for name in ["etsunami", "etsunami_nif"] {
        let sources = Crate::read(&Path::new(&root).join("native").join(name).join("src"));
        println!("{name}: {} files, {} arrows", sources.files.len(), sources.arrow_count());
        found.extend(
            check(name, &sources).into_iter().map(|violation| format!("{name}/{violation}")),
        );
    }
    for violation in &found {
        eprintln!("{violation}");
    }
    println!("tidy: {} violations", found.len());
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(name: &str, sources: &Crate) -> Vec<String> {
    let mut found = lengths::check(sources);
    found.extend(circles::check(sources, rules::circles(name)));
    if name == "etsunami" {
        found.extend(imports::layers(sources, rules::LAYERS));
        found.extend(imports::outside_of_sync(sources));
    }
    found
}
