//! Panics and failing allocations where tests plant them (feature `faults`).
//!
//! A process plants one fault at a time, and it strikes only in calls of that process. Tests ask
//! afterwards whether it has struck.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::CStr;
use std::panic::resume_unwind;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use etsunami::faults::{self, Injected, POINTS, Point};

use crate::args;
use crate::atoms::{atoms, boolean};
use crate::error::{BADARG, Raise};
use crate::raw::Answer;
use crate::raw_nif;
use crate::vm::{Env, VmTerm};

/// Where a fault is planted.
#[derive(Clone, PartialEq, Eq)]
enum Place {
    /// Before the body of the NIF with this name and arity: a panic.
    Entry(Vec<u8>, usize),
    /// Behind it, when its answer is known.
    Exit(Vec<u8>, usize),
    /// At a point of the core.
    Core(Point),
    /// An allocation of at least so many bytes fails.
    Allocation(usize),
}

/// A fault, and how often its place is passed before it strikes.
struct Fault {
    process: u64,
    place: Place,
    passages: u64,
}

/// The fault of the moment.
static PLANTED: Mutex<Option<Fault>> = Mutex::new(None);

thread_local! {
    /// The size from which on an allocation fails, and how many succeed before.
    static SCARCE: Cell<Option<(usize, u64)>> = const { Cell::new(None) };
}

/// Takes the fault out if it is the calling process's.
fn take(env: Env) -> Option<Fault> {
    let mut planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    planted.take_if(|fault| env.is_self(fault.process))
}

fn put(fault: Fault) {
    *PLANTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
}

/// Runs the body of a NIF, with the fault that its process has planted, if any.
pub fn around<'e, const N: usize>(
    env: Env<'e>,
    name: &CStr,
    body: impl FnOnce() -> Answer<'e>,
) -> Answer<'e> {
    // Who asks what has become of a fault does not meet it.
    let fault = if name == c"pull_fault" { None } else { take(env) };
    let Some(fault) = fault else { return body() };
    let here = |known: &[u8], arity: usize| known == name.to_bytes() && arity == N;
    match &fault.place {
        Place::Entry(name, arity) if here(name, *arity) => strike(fault, true),
        Place::Exit(name, arity) if here(name, *arity) => {
            let answer = body();
            strike(fault, !matches!(answer, Err(Raise::Dirty | Raise::Again)));
            return answer;
        }
        Place::Core(point) => {
            faults::arm(*point, fault.passages);
            let _armed = Armed(fault);
            return body();
        }
        Place::Allocation(size) => {
            SCARCE.set(Some((*size, fault.passages)));
            let _armed = Armed(fault);
            return body();
        }
        Place::Entry(..) | Place::Exit(..) => put(fault),
    }
    body()
}

/// Panics, or keeps the fault for another time.
fn strike(mut fault: Fault, counts: bool) {
    if counts && fault.passages == 0 {
        resume_unwind(Box::new(Injected));
    }
    fault.passages -= u64::from(counts);
    put(fault);
}

/// A fault that this thread carries: taken back when dropped, unless it has struck.
struct Armed(Fault);

impl Drop for Armed {
    fn drop(&mut self) {
        let left = match self.0.place {
            Place::Allocation(_) => SCARCE.take().map(|(_, left)| left),
            _ => faults::disarm(),
        };
        if let Some(passages) = left {
            put(Fault { process: self.0.process, place: self.0.place.clone(), passages });
        }
    }
}

/// An allocator that fails where it is asked to.
pub struct Scarce<A>(pub A);

// SAFETY: it gives what `A` gives, or nothing.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Scarce<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match SCARCE.get() {
            Some((size, 0)) if layout.size() >= size => {
                SCARCE.set(None);
                return null_mut();
            }
            Some((size, left)) if layout.size() >= size => SCARCE.set(Some((size, left - 1))),
            _ => {}
        }
        // SAFETY: as promised to this function.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as promised to this function.
        unsafe { self.0.dealloc(block, layout) }
    }
}

/// `{entry | exit, Name, Arity}`, `{core, Point}`, `{allocation, Bytes}`.
fn place_of<'e>(env: Env<'e>, term: VmTerm<'e>) -> Option<Place> {
    let parts = env.tuple(term)?;
    let kind = parts.first()?.print();
    match (kind.as_slice(), &parts[1..]) {
        (b"entry", &[name, arity]) => Some(Place::Entry(name.print(), env.uint64(arity)? as usize)),
        (b"exit", &[name, arity]) => Some(Place::Exit(name.print(), env.uint64(arity)? as usize)),
        (b"core", &[point]) => {
            let name = point.print();
            let known = POINTS.iter().find(|(known, _)| known.as_bytes() == name.as_slice())?;
            Some(Place::Core(known.1))
        }
        (b"allocation", &[bytes]) => Some(Place::Allocation(env.uint64(bytes)? as usize)),
        _ => None,
    }
}

raw_nif! {
    /// `plant_fault(Place, Passages)`: the fault strikes when the caller has passed the place so
    /// often.
    fn plant_fault/2(env, &[place, passages]) {
        let place = place_of(env, place).ok_or(BADARG)?;
        let process = env.self_pid().ok_or(BADARG)?.word();
        put(Fault { process, place, passages: args::natural(env, passages)? });
        Ok(atoms().r#true)
    }
}

raw_nif! {
    /// `pull_fault()`: takes the fault away; true if it was still there, and so has not struck.
    fn pull_fault/0(_env, _argv) {
        Ok(boolean(PLANTED.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()))
    }
}

raw_nif! {
    /// `fault_points()`: the points of the core.
    fn fault_points/0(env, _argv) {
        Ok(env.make_list(&POINTS.map(|(name, _)| env.atom(name))))
    }
}
