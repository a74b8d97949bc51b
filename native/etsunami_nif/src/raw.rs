//! Raw entry points: NIFs without rustler's `Vec` of arguments.
//!
//! [`raw_nif!`](crate::raw_nif) defines a NIF as a Rust function over an array of its arguments, and submits a C
//! entry point into the table of NIFs that `rustler::init!` collects. The entry point catches
//! panics, and is the one place where a failure becomes an exception or a change of scheduler.
//!
//! A *continuation* is a raw NIF that is not in the table: it is reached by
//! [`budget::reschedule`] only, with terms that another call passes on.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustler::sys::{ErlNifEnv, ErlNifTerm};

use crate::atoms::atoms;
use crate::budget;
use crate::error::Raise;
use crate::vm::{Env, NifFunction, VmTerm};

/// What a raw NIF returns.
pub type Answer<'e> = Result<VmTerm<'e>, Raise<'e>>;

/// A NIF of `N` arguments, implemented by the types that [`raw_nif!`](crate::raw_nif) makes.
pub trait RawNif<const N: usize> {
    /// Its name.
    const NAME: &'static CStr;
    /// What the VM calls.
    const ENTRY: NifFunction;

    /// Its body.
    fn call<'e>(env: Env<'e>, argv: &[VmTerm<'e>; N]) -> Answer<'e>;
}

/// Runs a raw NIF: called by the entry points that [`raw_nif!`](crate::raw_nif) makes.
///
/// # Safety
/// The arguments are those that the VM passed to a NIF of arity `N`.
#[inline(always)]
pub unsafe fn enter<const N: usize, F: RawNif<N>>(
    raw: *mut ErlNifEnv,
    argc: c_int,
    argv: *const ErlNifTerm,
) -> ErlNifTerm {
    debug_assert_eq!(argc as usize, N);
    // SAFETY: the VM passes the calling process's environment, which lives until the NIF returns.
    let env = unsafe { Env::new(raw) };
    // SAFETY: the VM passes `N` terms; `VmTerm` is a transparent word as `ErlNifTerm` is.
    let argv = unsafe { &*argv.cast::<[VmTerm; N]>() };
    let answer = match catch_unwind(AssertUnwindSafe(|| F::call(env, argv))) {
        Ok(Ok(term)) => term,
        Ok(Err(raise)) => fail::<N, F>(env, raise, argv),
        Err(_) => env.raise(atoms().nif_panicked),
    };
    answer.raw()
}

#[cold]
#[inline(never)]
fn fail<'e, const N: usize, F: RawNif<N>>(
    env: Env<'e>,
    raise: Raise<'e>,
    argv: &[VmTerm<'e>; N],
) -> VmTerm<'e> {
    match raise {
        Raise::Dirty => budget::on_dirty::<N, F>(env, argv),
        Raise::Error(reason, cause) => {
            let reason = env.make_tuple(&[atoms().etsunami_error, reason.atom(), cause.atom()]);
            env.raise(reason)
        }
        Raise::Term(reason) => env.raise(reason),
    }
}

/// Defines a raw NIF: `raw_nif! { fn lookup/2(env, &[table, key]) { … } }`. The body gives an
/// [`Answer`](crate::raw::Answer), and may use `?` on anything that converts into [`Raise`](crate::error::Raise). `fn lookup` is then a
/// registered NIF, and `lookup` also a type, for [`budget`](crate::budget)'s functions. With `continuation`
/// before `fn` it is not registered.
#[macro_export]
macro_rules! raw_nif {
    ($(#[$doc:meta])* fn $name:ident/$arity:literal($env:ident, $argv:pat) $body:block) => {
        $crate::raw_nif! { $(#[$doc])* continuation fn $name/$arity($env, $argv) $body }

        ::rustler::codegen_runtime::inventory::submit! {
            ::rustler::Nif {
                name: <$name as $crate::raw::RawNif<$arity>>::NAME.as_ptr(),
                arity: $arity,
                flags: 0,
                raw_func: <$name as $crate::raw::RawNif<$arity>>::ENTRY,
            }
        }
    };
    ($(#[$doc:meta])* continuation fn $name:ident/$arity:literal($env:ident, $argv:pat) $body:block)
    => {
        $(#[$doc])*
        #[allow(non_camel_case_types, reason = "a function in the shape of a type")]
        pub enum $name {}

        impl $crate::raw::RawNif<$arity> for $name {
            const NAME: &'static ::std::ffi::CStr =
                $crate::raw::c_name(concat!(stringify!($name), "\0"));
            const ENTRY: $crate::vm::NifFunction = {
                unsafe extern "C" fn entry(
                    env: *mut ::rustler::sys::ErlNifEnv,
                    argc: ::std::ffi::c_int,
                    argv: *const ::rustler::sys::ErlNifTerm,
                ) -> ::rustler::sys::ErlNifTerm {
                    // SAFETY: the VM calls this with as many arguments as the NIF was registered
                    // or scheduled with.
                    unsafe { $crate::raw::enter::<$arity, $name>(env, argc, argv) }
                }
                entry
            };

            #[inline(always)]
            fn call<'e>(
                $env: $crate::vm::Env<'e>,
                $argv: &[$crate::vm::VmTerm<'e>; $arity],
            ) -> $crate::raw::Answer<'e> $body
        }
    };
}

/// A name with its terminating zero, at compile time.
pub const fn c_name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a NIF's name contains no zero"),
    }
}
