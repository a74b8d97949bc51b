//! ETS tables: the semantics over the engines.
//!
//! A [`Table`] holds a pointer to its current `generation`, what ETS knows about a table (type,
//! key position, fixations) and nothing of the BEAM: who owns it, which names it has and whether
//! its owner lives is the business of [`crate::catalog`] and of the boundary.
//!
//! | file | what |
//! | --- | --- |
//! | [`options`] | what is fixed when a table is made |
//! | `keys` | how engines read keys out of slot words |
//! | `generation` | the contents between two clears; deciding and changing one key atomically |
//! | `ordered` | the two engines of an `ordered_set` |
//! | `groups` | what a slot word owns, and who frees it |
//! | `draft` | an encoded object before it is stored |
//! | `read`, `write`, `update`, `list` | the operations |
//! | `counter`, `few`, `touched` | the steps of an update, and the elements that it changes |
//! | `build`, `scatter` | a list insert into an empty table; the order of a list |
//! | `traverse` | first, next, prev, slot, chunked scans |
//! | `search` | visiting what a match specification's plan finds |
//! | `select` | `select` and its family |
//! | `fixation` | `safe_fixtable`: ghosts of deleted keys |
//!
//! Guards are opened by the caller of an operation and live as long as the borrowed results.
//!
//! # Atomicity
//!
//! Each single-key operation is one engine operation and linearizes there. A list insert is
//! published by one store (see [`crate::engine::batch`]). Clearing swaps the generation.
//!
//! What changes a stored object stores another one in its place, or one word into it: that of its
//! *mutable element*, see [`crate::term::object`]. Bags change no object that is stored.

mod build;
mod counter;
mod draft;
mod few;
mod fixation;
mod generation;
mod groups;
mod keys;
mod list;
pub mod options;
mod ordered;
mod read;
mod scatter;
mod search;
pub mod select;
#[cfg(test)]
mod tests;
mod touched;
mod traverse;
mod update;
mod write;

use crate::error::{Error, Stop};
use crate::reclaim::{Guard, Swap};
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::term::hash::hash;
use crate::term::prefix::prefix;
use crate::term::view::Term;

pub use counter::{CounterOp, Small};
pub use draft::{Detached, Draft};
pub use few::{FEW, Few};
use fixation::Fixation;
pub use fixation::Fixer;
use generation::{Engine, Generation};
pub use keys::Key;
pub use list::ListInsert;
use options::{Kind, Spec};
pub use read::{Hit, Objects};
pub use search::Quota;
pub use select::Failure;
pub use traverse::{Cursor, Direction, Place};
pub use update::{Assigned, Update, Verdict};
pub use write::Early;

/// One table. All operations take `&self` and may run on any number of threads.
pub struct Table {
    spec: Spec,
    seed: u64,
    /// Replaced by `clear`, taken away once the table is gone.
    generation: Swap<Generation>,
    dropped: AtomicBool,
    fixation: Fixation,
}

impl Table {
    /// An empty table. The seed decides the order of hash tables; take it from a random source.
    pub fn new(spec: Spec, seed: u64) -> Table {
        let generation = Generation::new(&spec, seed);
        Table {
            spec,
            seed,
            generation: Swap::new(generation),
            dropped: AtomicBool::new(false),
            fixation: Fixation::default(),
        }
    }

    /// What the table is made of.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// A key to look up.
    #[inline(always)]
    pub fn key<'a>(&self, term: Term<'a>) -> Key<'a> {
        let digest = match self.spec.kind {
            Kind::OrderedSet => prefix(term),
            _ => hash(term, self.seed),
        };
        Key { term, digest }
    }

    /// The current generation; [`Error::Id`] if the table is gone.
    #[inline(always)]
    fn generation<'g>(&self, guard: &'g Guard) -> Result<&'g Generation, Error> {
        self.generation.get(guard).ok_or(Error::Id)
    }

    /// A counted reference to the current generation.
    fn share_generation(&self, guard: &Guard) -> Result<Arc<Generation>, Error> {
        self.generation.share(guard).ok_or(Error::Id)
    }

    /// Swaps in an empty generation and gives up the old one. `None` if the table is gone.
    fn replace(&self, guard: &Guard) -> Option<Arc<Generation>> {
        self.generation.replace(guard, Generation::new(&self.spec, self.seed))
    }

    /// Removes all objects, atomically. O(1); the memory is freed in the background.
    pub fn clear(&self, guard: &Guard) {
        if self.spec.kind == Kind::OrderedSet || !self.fixation.is_fixed() {
            self.replace(guard);
        } else {
            self.fixation.remember_cleared(guard, || self.replace(guard));
        }
    }

    /// Marks the table as gone and frees its contents in the background. Operations that began
    /// before may still finish on the old contents; those that begin later find it gone.
    /// Gives false if it was gone already.
    pub fn drop_contents(&self, guard: &Guard) -> bool {
        // Acquire and Release: pairs with itself, so that whoever comes second comes after the
        // first; and with the load in `is_dropped`.
        if self.dropped.swap(true, Ordering::AcqRel) {
            return false;
        }
        if let Some(generation) = self.generation.take(guard) {
            generation.close();
        }
        self.fixation.forget(guard);
        true
    }

    /// True after `drop_contents`.
    #[inline(always)]
    pub fn is_dropped(&self) -> bool {
        // Acquire: pairs with the swap in `drop_contents`.
        self.dropped.load(Ordering::Acquire)
    }

    /// The number of objects: exact at rest, never negative, never decreasing while only inserts
    /// run.
    pub fn size(&self, guard: &Guard) -> u64 {
        self.generation(guard).map_or(0, |generation| generation.counters().objects())
    }

    /// Memory words, a function of the contents: see the module `groups`.
    pub fn memory_words(&self, guard: &Guard) -> u64 {
        TABLE_WORDS + self.generation(guard).map_or(0, Generation::memory_words)
    }

    fn require_unique(&self) -> Result<(), Stop> {
        if self.spec.kind.is_unique() { Ok(()) } else { Err(Error::TableType.into()) }
    }

    /// Figures of the engine, by name: its shape, how it has adapted, what contention it met.
    /// Walks over the engine's structure, not over the objects.
    pub fn statistics(&self, guard: &Guard) -> Vec<(&'static str, u64)> {
        let Ok(generation) = self.generation(guard) else { return Vec::new() };
        let mut figures = generation_figures(generation);
        figures.push(("kept_objects", self.fixation.kept_objects()));
        figures
    }
}

/// Figures of an engine: see [`Table::statistics`].
fn generation_figures(generation: &Generation) -> Vec<(&'static str, u64)> {
    match &generation.engine {
        Engine::Hash(table) => {
            let shape = table.shape();
            vec![
                ("segments", shape.segments),
                ("splits", shape.splits),
                ("merges", shape.merges),
                ("overflow_lines", shape.overflow_lines),
                ("contended_locks", shape.contended_locks),
                ("engine_bytes", shape.bytes),
            ]
        }
        Engine::Ordered(ordered) => ordered.statistics(),
    }
}

/// The fixed share of a table in `info(memory)`, in words: handle, generation, first bucket.
const TABLE_WORDS: u64 = 64;
