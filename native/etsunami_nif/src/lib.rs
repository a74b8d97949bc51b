//! The BEAM boundary: decode, one call of the core, encode.

#[cfg(not(feature = "system_allocator"))]
use allocator::Allocator;
#[cfg(feature = "system_allocator")]
use std::alloc::System as Allocator;

#[cfg(not(feature = "count_memory"))]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[cfg(all(feature = "count_memory", not(feature = "faults")))]
#[global_allocator]
static ALLOCATOR: accounting::Counting<Allocator> = accounting::Counting(Allocator);

#[cfg(feature = "faults")]
#[global_allocator]
static ALLOCATOR: faults::Scarce<accounting::Counting<Allocator>> =
    faults::Scarce(accounting::Counting(Allocator));

/// Schedulers allocate, the background thread frees; what it freed comes back to the system when
/// it asks for that.
fn tidy() {
    #[cfg(not(feature = "system_allocator"))]
    allocator::give_back();
}

#[cfg(feature = "count_memory")]
pub mod accounting;
#[cfg(not(feature = "system_allocator"))]
pub mod allocator;
pub mod args;
pub mod atoms;
pub mod belongings;
pub mod budget;
pub mod codec;
mod codec_test;
pub mod compiled;
pub mod error;
#[cfg(feature = "faults")]
pub mod faults;
pub mod nifs;
pub mod owner;
pub mod pinned;
pub mod raw;
pub mod resource;
pub mod results;
pub mod vm;
pub mod vm_terms;

use rustler::{Env, Term};

/// Runs once, when the VM loads the library and before any NIF can be called.
fn load(env: Env, _info: Term) -> bool {
    // SAFETY: the environment of the load callback lives until it returns.
    let env = unsafe { vm::Env::new(env.as_c_arg()) };
    pinned::stay();
    etsunami::reclaim::set_tidy_hook(tidy);
    atoms::load(env);
    vm_terms::load(env);
    codec::host::load(env);
    resource::register(env) && belongings::register(env) && compiled::register(env)
}

rustler::init!("Elixir.Etsunami.Native", load = load);
