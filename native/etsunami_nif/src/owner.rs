//! Owners, heirs and fixing processes: who a table belongs to, and what their death does to it.
//!
//! A monitor's `down` callback comes after the exit signals of the owner's links and may come
//! after the `DOWN` messages of other monitors. So every access also checks that the owner lives
//! (see `resource`), and whoever finds it dead first does here what `down` would have done.

use std::mem::MaybeUninit;

use etsunami::error::Error;
use etsunami::reclaim::{self, Guard};
use etsunami::term::OwnedTerm;
use etsunami::term::layout::immediate;
use rustler::sys::{
    ErlNifEnv, ErlNifMonitor, ErlNifPid, ErlNifTerm, c_void, enif_alloc_env, enif_compare_monitors,
    enif_demonitor_process, enif_free_env, enif_make_tuple_from_array, enif_monitor_process,
    enif_send,
};

use crate::atoms;
use crate::codec;
use crate::resource::{Control, Handle, Heir, NAMES, TABLES, is_alive, pid_of, pid_word};

/// Called by the VM when a process that a handle monitors has died.
pub unsafe extern "C" fn down(
    env: *mut ErlNifEnv,
    object: *mut c_void,
    pid: *const ErlNifPid,
    monitor: *const ErlNifMonitor,
) {
    // SAFETY: the VM passes the resource that made the monitor, a pid and that monitor.
    let (handle, process, monitor) =
        unsafe { (&*object.cast::<Handle>(), pid_word(&*pid), &*monitor) };
    // A panic must not cross into the VM.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        process_died(env, handle, process, monitor);
    }));
}

fn process_died(env: *mut ErlNifEnv, handle: &Handle, process: usize, monitor: &ErlNifMonitor) {
    let guard = reclaim::pin();
    let mut control = handle.control();
    if let Some(at) = control.fixers.iter().position(|(_, known)| same(known, monitor)) {
        control.fixers.swap_remove(at);
        drop(control);
        handle.table.unfix_all(&guard, process as u64);
        return;
    }
    drop(control);
    if handle.owner() == process {
        // An error only says that the table is gone.
        let _ = settle(env, &guard, handle, process);
    }
}

fn same(a: &ErlNifMonitor, b: &ErlNifMonitor) -> bool {
    // SAFETY: two monitors made by the VM.
    unsafe { enif_compare_monitors(a, b) == 0 }
}

/// Does what the death of this owner calls for: the heir gets the table, or it is deleted
/// (then: `Err(Id)`). Does nothing if the owner is another one by now.
#[cold]
pub fn settle(
    env: *mut ErlNifEnv,
    guard: &Guard,
    handle: &Handle,
    dead: usize,
) -> Result<(), Error> {
    let mut control = handle.control();
    if handle.table.is_dropped() {
        return Err(Error::Id);
    }
    if handle.owner() != dead {
        return Ok(());
    }
    let heir = match &control.heir {
        Heir::Process { pid, .. } if *pid != dead => *pid,
        _ => 0,
    };
    if heir == 0 || !own(env, handle, &mut control, heir) {
        remove(env, guard, handle, control);
        return Err(Error::Id);
    }
    if let Heir::Process { data: Some(data), .. } = &control.heir {
        announce(env, handle, heir, dead, data);
    }
    Ok(())
}

/// Makes a process the owner and watches it. False if it is dead.
pub fn own(env: *mut ErlNifEnv, handle: &Handle, control: &mut Control, process: usize) -> bool {
    let Some(monitor) = monitor(env, handle, process) else { return false };
    if let Some(old) = control.owner_monitor.replace(monitor) {
        demonitor(env, handle, &old);
    }
    handle.set_owner(control, process);
    true
}

fn monitor(env: *mut ErlNifEnv, handle: &Handle, process: usize) -> Option<ErlNifMonitor> {
    let pid = pid_of(process);
    let mut monitor = MaybeUninit::<ErlNifMonitor>::uninit();
    let object = handle.as_ptr().cast::<c_void>();
    // SAFETY: a live handle of a type with a `down` callback, a local pid, an out pointer.
    let done = unsafe { enif_monitor_process(env, object, &pid, monitor.as_mut_ptr()) };
    // SAFETY: initialised when the answer is 0.
    (done == 0).then(|| unsafe { monitor.assume_init() })
}

fn demonitor(env: *mut ErlNifEnv, handle: &Handle, monitor: &ErlNifMonitor) {
    // SAFETY: a monitor of this handle; one that has fired already is ignored.
    unsafe { enif_demonitor_process(env, handle.as_ptr().cast(), monitor) };
}

/// Sends `{'ETS-TRANSFER', Table, From, Data}`.
fn announce(env: *mut ErlNifEnv, handle: &Handle, to: usize, from: usize, data: &OwnedTerm) {
    // SAFETY: the message environment lives until it is freed below; the elements were made in it
    // or are immediates; `enif_send` copies nothing out of it after it returned.
    unsafe {
        let message_env = enif_alloc_env();
        let data = codec::decode::term(message_env, data.term());
        let elements: [ErlNifTerm; 4] =
            [atoms::ets_transfer(), handle.public_id(message_env), from as ErlNifTerm, data];
        let message = enif_make_tuple_from_array(message_env, elements.as_ptr(), 4);
        let to = pid_of(to);
        enif_send(env, &to, message_env, message);
        enif_free_env(message_env);
    }
}

/// Gives the table to another process, with a message.
pub fn give_away(
    env: *mut ErlNifEnv,
    handle: &Handle,
    from: usize,
    to: usize,
    gift: &OwnedTerm,
) -> Result<(), Error> {
    let mut control = handle.control();
    if handle.table.is_dropped() {
        return Err(Error::Id);
    }
    if handle.owner() != from {
        return Err(Error::NotOwner);
    }
    if to == from {
        return Err(Error::Owner);
    }
    if !is_alive(env, to) || !own(env, handle, &mut control, to) {
        return Err(Error::BadArgument);
    }
    announce(env, handle, to, from, gift);
    Ok(())
}

/// Enters a new table into the catalog: owner's monitor, name, list of all.
pub fn enter(env: *mut ErlNifEnv, guard: &Guard, handle: &Handle) -> Result<(), Error> {
    let mut control = handle.control();
    let index = immediate::atom_index(handle.name() as u64);
    if handle.named && NAMES.claim(index, handle.as_ptr()).is_err() {
        return Err(Error::AlreadyExists);
    }
    let owner = handle.owner();
    control.ticket = Some(TABLES.enter(guard.stripe(), handle.as_ptr()));
    if !own(env, handle, &mut control, owner) {
        // The caller itself is the owner, and it is running: only memory can be missing.
        remove(env, guard, handle, control);
        return Err(Error::SystemLimit);
    }
    Ok(())
}

/// Deletes a table: gone for everybody when this returns. False if somebody else did it first.
pub fn delete(env: *mut ErlNifEnv, guard: &Guard, handle: &Handle) -> bool {
    remove(env, guard, handle, handle.control())
}

fn remove(
    env: *mut ErlNifEnv,
    guard: &Guard,
    handle: &Handle,
    mut control: std::sync::MutexGuard<'_, Control>,
) -> bool {
    if !handle.table.drop_contents(guard) {
        return false;
    }
    if handle.named {
        NAMES.release(immediate::atom_index(handle.name() as u64), handle.as_ptr());
    }
    if let Some(ticket) = control.ticket.take() {
        TABLES.leave(ticket);
    }
    if let Some(monitor) = control.owner_monitor.take() {
        demonitor(env, handle, &monitor);
    }
    for (_, monitor) in control.fixers.drain(..) {
        demonitor(env, handle, &monitor);
    }
    control.heir = Heir::None;
    drop(control);
    release(guard, handle);
    true
}

/// Gives the catalog's reference up: at once if only terms lead to the handle, else when nobody
/// can still hold what the name gave.
fn release(guard: &Guard, handle: &Handle) {
    unsafe fn give_up(pointer: *mut u8) {
        // SAFETY: the catalog's reference, handed over below.
        unsafe { (*pointer.cast::<Handle>()).release() };
    }
    // SAFETY: the catalog's reference; no name leads to the handle any more. An unnamed handle is
    // kept for the rest of this call by the caller's term or by the VM's `down`.
    unsafe { guard.retire(handle.as_ptr().cast(), give_up, size_of::<Handle>()) };
}

/// Fixes the table for a process, and watches it.
pub fn fix(env: *mut ErlNifEnv, guard: &Guard, handle: &Handle, process: usize) {
    let mut control = handle.control();
    if handle.table.is_dropped() || !handle.table.fix(process as u64) {
        return;
    }
    match monitor(env, handle, process) {
        Some(monitor) => control.fixers.push((process, monitor)),
        None => {
            handle.table.unfix_all(guard, process as u64);
        }
    }
}

/// Takes one fixation back; nothing happens if the process has none.
pub fn unfix(env: *mut ErlNifEnv, guard: &Guard, handle: &Handle, process: usize) {
    let mut control = handle.control();
    if !handle.table.unfix(guard, process as u64) {
        return;
    }
    if let Some(at) = control.fixers.iter().position(|(known, _)| *known == process) {
        let (_, monitor) = control.fixers.swap_remove(at);
        demonitor(env, handle, &monitor);
    }
}
