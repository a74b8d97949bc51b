//! Raw entry points: NIFs without rustler's `Vec` of arguments.
//!
//! [`raw_nif!`](crate::raw_nif) defines a NIF as a Rust function over an array of its arguments and
//! submits a C entry point into the table of NIFs that `rustler::init!` collects. The entry point
//! catches panics, and is the one place where a failure becomes an exception or a change of
//! scheduler. [`answering_nif!`](crate::answering_nif) does the same for functions that are called
//! millions of times a second: their failures are answers ([`Failing`]).

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use etsunami::term::layout::is_immediate;
use rustler::sys::{ErlNifEnv, ErlNifTerm};

use crate::atoms::atoms;
use crate::budget;
use crate::error::Raise;
use crate::vm::{Env, NifFunction, VmTerm};
use crate::vm_terms::{make, tags};

/// What a raw NIF returns.
pub type Answer<'e> = Result<VmTerm<'e>, Raise<'e>>;

/// The body of a raw NIF of `N` arguments.
pub type Body<const N: usize> = for<'e> fn(Env<'e>, &[VmTerm<'e>; N]) -> Answer<'e>;

/// What becomes of a failure, `{etsunami_error, Reason, Cause, Arguments}`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// It is raised.
    Raised,
    /// It is the answer, which the caller looks at: that costs less than a `try`. What a user stored
    /// is answered by way of [`stored`], so that it cannot be taken for a failure.
    Answered,
}

/// A term that a user stored or gave, as the answer of a NIF whose failures are answers. One that
/// looks like a failure is put into one, `{etsunami_error, answer, none, Term}`.
#[inline(always)]
pub fn stored<'e>(env: Env<'e>, term: VmTerm<'e>) -> VmTerm<'e> {
    if !tags::portable() && is_immediate(term.word()) { term } else { disguised(env, term) }
}

fn disguised<'e>(env: Env<'e>, term: VmTerm<'e>) -> VmTerm<'e> {
    let atoms = atoms();
    match make::tuple_elements(env, term) {
        Some([tag, _, _, _]) if tag.word() == atoms.etsunami_error.word() => {
            env.make_tuple(&[atoms.etsunami_error, atoms.answer, atoms.none, term])
        }
        _ => term,
    }
}

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
    failing: Failing,
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
    let settled =
        || body().unwrap_or_else(|raise| fail(env, raise, argv, name, entry, failing)).raw();
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
    failing: Failing,
) -> VmTerm<'e> {
    match raise {
        Raise::Dirty => budget::on_dirty(env, name, entry, argv),
        Raise::Again => budget::reschedule(env, name, entry, argv),
        Raise::Error(reason, cause) => {
            let parts = [atoms().etsunami_error, reason.atom(), cause.atom(), env.make_list(argv)];
            let failure = env.make_tuple(&parts);
            match failing {
                Failing::Raised => env.raise(failure),
                Failing::Answered => failure,
            }
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
    ($($definition:tt)*) => { $crate::define_nif! { Raised; $($definition)* } };
}

/// [`raw_nif!`](crate::raw_nif) for a NIF whose failures are answers.
#[macro_export]
macro_rules! answering_nif {
    ($($definition:tt)*) => { $crate::define_nif! { Answered; $($definition)* } };
}

/// What [`raw_nif!`](crate::raw_nif) and [`answering_nif!`](crate::answering_nif) do.
#[doc(hidden)]
#[macro_export]
macro_rules! define_nif {
    ($failing:ident;
     $(#[$doc:meta])* fn $name:ident/$arity:literal($env:ident, $argv:pat) $body:block) => {
        $crate::define_nif! {
            $failing; $(#[$doc])* fn $name as (stringify!($name))/$arity($env, $argv) $body
        }
    };
    ($failing:ident;
     $(#[$doc:meta])* fn $name:ident as ($nif:expr)/$arity:literal($env:ident, $argv:pat) $body:block) => {
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
                let failing = $crate::raw::Failing::$failing;
                // SAFETY: the VM calls this as the NIF of that arity, registered below.
                unsafe { $crate::raw::enter::<$arity>(env, argv, NAME, entry, failing, $name) }
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
