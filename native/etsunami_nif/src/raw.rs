//! Raw entry points: NIFs without rustler's `Vec` of arguments.
//!
//! [`raw_nif!`](crate::raw_nif) defines a NIF as a Rust function over an array of its arguments and
//! submits a C entry point into the table of NIFs that `rustler::init!` collects. The entry point
//! catches panics, and is the one place where a failure becomes an exception or a change of
//! scheduler.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustler::sys::{ErlNifEnv, ErlNifTerm};

use crate::atoms::atoms;
use crate::budget;
use crate::error::Raise;
use crate::vm::{Env, NifFunction, VmTerm};

/// What a raw NIF returns.
pub type Answer<'e> = Result<VmTerm<'e>, Raise<'e>>;

/// The body of a raw NIF of `N` arguments.
pub type Body<const N: usize> = for<'e> fn(Env<'e>, &[VmTerm<'e>; N]) -> Answer<'e>;

/// Runs a raw NIF's body: called by the entry points that [`raw_nif!`](crate::raw_nif) makes.
///
/// # Safety
/// The arguments are those that the VM passed to a NIF registered with arity `N`.
#[inline(always)]
pub unsafe fn enter<const N: usize>(
    raw: *mut ErlNifEnv,
    argv: *const ErlNifTerm,
    name: &CStr,
    entry: NifFunction,
    body: impl for<'e> FnOnce(Env<'e>, &[VmTerm<'e>; N]) -> Answer<'e>,
) -> ErlNifTerm {
    // SAFETY: the VM passes the calling process's environment, which lives until the NIF returns.
    let env = unsafe { Env::new(raw) };
    // SAFETY: the VM passes `N` terms; `VmTerm` is a transparent word as `ErlNifTerm` is.
    let argv = unsafe { &*argv.cast::<[VmTerm; N]>() };
    let body = || body(env, argv);
    #[cfg(feature = "faults")]
    let body = || crate::faults::around::<N>(env, name, body);
    // One word comes out of it: an answer of several would be stored piece by piece and loaded as a
    // whole, for which the processor waits until all stores before are done.
    let settled = || body().unwrap_or_else(|raise| fail(env, raise, argv, name, entry)).raw();
    catch_unwind(AssertUnwindSafe(settled))
        .unwrap_or_else(|_| env.raise(atoms().nif_panicked).raw())
}

#[cold]
#[inline(never)]
fn fail<'e>(
    env: Env<'e>,
    raise: Raise<'e>,
    argv: &[VmTerm<'e>],
    name: &CStr,
    entry: NifFunction,
) -> VmTerm<'e> {
    match raise {
        Raise::Dirty => budget::on_dirty(env, name, entry, argv),
        Raise::Again => budget::reschedule(env, name, entry, argv),
        Raise::Error(reason, cause) => {
            let reason = env.make_tuple(&[atoms().etsunami_error, reason.atom(), cause.atom()]);
            env.raise(reason)
        }
        Raise::Term(reason) => env.raise(reason),
    }
}

/// The count of arguments, checked in debug builds only: the VM knows the arity it was given.
#[inline(always)]
pub fn check_arity(argc: c_int, arity: usize) {
    debug_assert_eq!(argc as usize, arity);
}

/// Defines and registers a raw NIF:
/// `raw_nif! { fn lookup/2(env, &[table, key]) { … } }`. The body gives an
/// [`Answer`](crate::raw::Answer), and may use `?` on anything that converts into
/// [`Raise`](crate::error::Raise). `fn name as ("nif")/2(…)` registers it under another name.
#[macro_export]
macro_rules! raw_nif {
    ($(#[$doc:meta])* fn $name:ident/$arity:literal($env:ident, $argv:pat) $body:block) => {
        $crate::raw_nif! {
            $(#[$doc])* fn $name as (stringify!($name))/$arity($env, $argv) $body
        }
    };
    ($(#[$doc:meta])* fn $name:ident as ($nif:expr)/$arity:literal($env:ident, $argv:pat) $body:block) => {
        $(#[$doc])*
        fn $name<'e>(
            $env: $crate::vm::Env<'e>,
            $argv: &[$crate::vm::VmTerm<'e>; $arity],
        ) -> $crate::raw::Answer<'e> $body

        const _: () = {
            /// The entry point that the VM calls.
            unsafe extern "C" fn entry(
                env: *mut ::rustler::sys::ErlNifEnv,
                argc: ::std::ffi::c_int,
                argv: *const ::rustler::sys::ErlNifTerm,
            ) -> ::rustler::sys::ErlNifTerm {
                const NAME: &::std::ffi::CStr = $crate::raw::c_name(concat!($nif, "\0"));
                $crate::raw::check_arity(argc, $arity);
                // SAFETY: the VM calls this as the NIF of that arity, registered below.
                unsafe { $crate::raw::enter::<$arity>(env, argv, NAME, entry, $name) }
            }

            ::rustler::codegen_runtime::inventory::submit! {
                ::rustler::Nif {
                    name: concat!($nif, "\0").as_ptr().cast(),
                    arity: $arity,
                    flags: 0,
                    raw_func: entry,
                }
            }
        };
    };
}

/// A name with its terminating zero, at compile time.
pub const fn c_name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a NIF's name contains no zero"),
    }
}
