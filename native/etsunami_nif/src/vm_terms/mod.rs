//! How the terms of the VM are read and made: one boundary with two implementations.
//!
//! - The *interface* uses the public C interface alone ([`crate::vm`]). It works on every release.
//! - The *layout* reads and writes terms in memory, as the VM lays them out ([`layout`], [`heap`]).
//!   It saves a call of the C interface for each term, which is most of what a small term costs.
//!
//! The choice is made once, in [`load`], before any NIF can be called. The layout is used if the
//! release is one of those it was verified on ([`release`]), and if what the VM does at load agrees
//! with it ([`probe`]). `ETSUNAMI_VM_TERMS` in the environment of the operating system changes the
//! first condition: `interface` forbids the layout, `layout` allows it on other releases too. The
//! probes have to agree in any case.
//!
//! The proof that the layout may be used is a value of type [`Layout`]: there is none unless
//! [`load`] allowed it, and every function that looks into memory takes one. Code that works with
//! both implementations is generic over [`Reader`], or asks [`layout()`](layout()) and falls back to
//! the C interface, as [`make`] does.
//!
//! Immediates are the exception: the encoding stores their words as they are, with either
//! implementation. [`tags`] checks that once, and translates them on a VM where it does not hold.
//!
//! Large binaries are held by reference through public calls with either implementation
//! ([`held_binary`]).

pub mod heap;
pub mod held_binary;
pub mod large_map;
pub mod layout;
pub mod make;
mod probe;
pub mod reader;
mod release;
pub mod tags;

pub use layout::{Layout, layout};
pub use reader::{Interface, Reader};

use crate::vm::Env;

/// Chooses the implementation.
pub fn load(env: Env) {
    tags::load(env);
    if !tags::portable() && release::may_use_layout() {
        layout::load(probe::layout(env));
    }
    held_binary::load(env);
}
