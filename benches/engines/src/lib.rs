//! The engines of Etsunami beside other concurrent maps: one definition of the work, and a thin
//! adapter for each map.
//!
//! | file | what |
//! | --- | --- |
//! | [`workload`] | sizes, seeds, mixes: what is done, the same for all |
//! | [`keys`] | the two kinds of keys: integers, and encoded terms |
//! | [`map`] | what a map has to offer, and the list of the maps |
//! | [`integers`] | our engines by themselves, over boxed integers |
//! | [`tables`] | our engines as users get them, through a [`Table`](etsunami::table::Table) |
//! | [`peers`] | the others |
//!
//! All maps allocate by the same allocator, that of the library for the BEAM; all hash a key of a
//! kind by the same function; and each operation opens its own guard where a map has guards.

pub mod integers;
pub mod keys;
pub mod map;
pub mod peers;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod workload;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
