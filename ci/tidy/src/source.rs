//! A crate as files, and which of them use which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::imports::{self, Names};

/// One source file, tests left out.
pub struct File {
    /// Relative to the crate's `src`.
    pub path: String,
    /// The module's path without `crate`.
    pub module: Vec<String>,
    pub text: String,
    pub syntax: syn::File,
    /// Paths that begin at the crate's root and are used here.
    pub uses: BTreeSet<Vec<String>>,
    names: Names,
}

/// All files of a crate.
pub struct Crate {
    pub files: Vec<File>,
    /// From each file to those that it uses, by index.
    pub arrows: BTreeMap<usize, BTreeSet<usize>>,
}

impl Crate {
    /// Reads a `src` directory.
    pub fn read(src: &Path) -> Crate {
        let mut paths = Vec::new();
        collect(src, &mut paths);
        paths.sort();
        let files: Vec<File> = paths.iter().map(|path| read(src, path)).collect();
        let mut sources = Crate { files, arrows: BTreeMap::new() };
        sources.arrows = (0..sources.files.len()).map(|from| (from, sources.used(from))).collect();
        sources
    }

    pub fn arrow_count(&self) -> usize {
        self.arrows.values().map(BTreeSet::len).sum()
    }

    /// The files that one uses. What a module uses of its own children is no arrow: it presents
    /// them, and they are parts of it.
    fn used(&self, from: usize) -> BTreeSet<usize> {
        let module = &self.files[from].module;
        let targets = self.files[from].uses.iter().filter_map(|path| self.resolve(path, 0));
        targets.filter(|&to| to != from && !self.files[to].module.starts_with(module)).collect()
    }

    /// The file that defines what a path names, through the imports of other modules.
    fn resolve(&self, path: &[String], depth: usize) -> Option<usize> {
        let prefix = |file: &&(usize, &File)| path.starts_with(&file.1.module);
        let indexed: Vec<_> = self.files.iter().enumerate().collect();
        let (index, file) =
            *indexed.iter().filter(prefix).max_by_key(|(_, file)| file.module.len())?;
        let rest = &path[file.module.len()..];
        let behind = rest.first().and_then(|name| file.names.get(name));
        match behind {
            Some(behind) if depth < 8 => {
                let full: Vec<String> = behind.iter().chain(&rest[1..]).cloned().collect();
                self.resolve(&full, depth + 1)
            }
            _ => Some(index),
        }
    }
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        if is_test(&path) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem == "tests" || stem.ends_with("_tests") || stem == "testing"
}

fn read(src: &Path, path: &Path) -> File {
    let relative = path.strip_prefix(src).expect("below src");
    let text = fs::read_to_string(path).expect("a readable file");
    let syntax =
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let module = module(relative);
    let (uses, names) = imports::of(&syntax, &module);
    File { path: relative.display().to_string(), module, text, syntax, uses, names }
}

fn module(relative: &Path) -> Vec<String> {
    let parts = relative.with_extension("");
    let mut parts: Vec<String> =
        parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}
