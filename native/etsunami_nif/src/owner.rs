//! Owners, heirs and fixing processes: who a table belongs to, and what their death does to it.
//!
//! A monitor's `down` callback comes after the exit signals of the owner's links and may come
//! after the `DOWN` messages of other monitors. So every access also checks that the owner lives
//! (see `resource`), and whoever finds it dead first does here what `down` would have done.

use std::mem::MaybeUninit;
use std::sync::MutexGuard;

use etsunami::catalog::names::Taken;
use etsunami::reclaim::{self, Guard};
use etsunami::table::options::Access;
use etsunami::term::probe::OwnedKey;
use rustler::sys::{
    ErlNifEnv, ErlNifMonitor, ErlNifPid, c_void, enif_compare_monitors, enif_demonitor_process,
    enif_monitor_process,
};

use crate::atoms::atoms;
use crate::belongings;
use crate::codec;
use crate::error::{BADARG, Cause, Raise, SYSTEM_LIMIT};
use crate::resource::{Control, Handle, Heir, NAMES, TABLES};
use crate::vm::{Env, OwnEnv, VmTerm, pid_of, pid_word};
use crate::vm_terms::tags;

/// Called by the VM when a process that a handle monitors, an heir or a fixing one, has died.
///
/// # Safety
/// The VM calls it, with its environment, a handle, and the pid and monitor of that process.
pub unsafe extern "C" fn down(
    _env: *mut ErlNifEnv,
    object: *mut c_void,
    pid: *const ErlNifPid,
    monitor: *const ErlNifMonitor,
) {
    // SAFETY: the VM passes the resource that made the monitor, a pid and that monitor.
    let (handle, process, monitor) =
        unsafe { (&*object.cast::<Handle>(), pid_word(&*pid), &*monitor) };
    // A panic must not cross into the VM.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        process_died(handle, process, monitor);
    }));
}

fn process_died(handle: &Handle, process: u64, monitor: &ErlNifMonitor) {
    let guard = reclaim::pin();
    let mut control = handle.control();
    if let Some(at) = control.fixers.iter().position(|(_, known)| same(known, monitor)) {
        control.fixers.swap_remove(at);
        drop(control);
        handle.table.unfix_all(&guard, process);
        return;
    }
    if control.heir_monitor.as_ref().is_some_and(|known| same(known, monitor)) {
        control.heir_monitor = None;
        control.heir = Heir::Dead(process);
    }
}

fn same(a: &ErlNifMonitor, b: &ErlNifMonitor) -> bool {
    // SAFETY: two monitors made by the VM.
    unsafe { enif_compare_monitors(a, b) == 0 }
}

/// Does what the death of this owner calls for: the heir gets the table, or it is deleted
/// (then: `Err(Id)`). Does nothing if the owner is another one by now.
#[cold]
pub fn settle(env: Env, guard: &Guard, handle: &Handle, dead: u64) -> Result<(), Cause> {
    let mut control = handle.control();
    if handle.table.is_dropped() {
        return Err(Cause::Id);
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
        return Err(Cause::Id);
    }
    if let Heir::Process { data: Some(data), .. } = &control.heir {
        announce(env, handle, heir, dead, data);
    }
    Ok(())
}

/// Makes a process the owner. False if it is dead.
pub fn own(env: Env, handle: &Handle, control: &mut Control, process: u64) -> bool {
    let Some(place) = belongings::assign(env, process, handle) else { return false };
    if let Some(old) = control.place.replace(place) {
        old.give_back();
    }
    handle.set_owner(control, process);
    true
}

/// Watches the present heir instead of the one before. A dead one is none.
fn watch_heir(env: Env, handle: &Handle, control: &mut Control) {
    if let Some(old) = control.heir_monitor.take() {
        demonitor(env, handle, &old);
    }
    if let Heir::Process { pid, .. } = control.heir {
        control.heir_monitor = monitor(env, handle, pid);
        if control.heir_monitor.is_none() {
            control.heir = Heir::None;
        }
    }
}

fn monitor(env: Env, handle: &Handle, process: u64) -> Option<ErlNifMonitor> {
    let pid = pid_of(process);
    let mut monitor = MaybeUninit::<ErlNifMonitor>::uninit();
    let object = handle.as_ptr().cast::<c_void>();
    // SAFETY: a live handle of a type with a `down` callback, a local pid, an out pointer.
    let done = unsafe { enif_monitor_process(env.raw(), object, &pid, monitor.as_mut_ptr()) };
    // SAFETY: initialised when the answer is 0.
    (done == 0).then(|| unsafe { monitor.assume_init() })
}

fn demonitor(env: Env, handle: &Handle, monitor: &ErlNifMonitor) {
    // SAFETY: a monitor of this handle; one that has fired already is ignored.
    unsafe { enif_demonitor_process(env.raw(), handle.as_ptr().cast(), monitor) };
}

/// Sends `{'ETS-TRANSFER', Table, From, Data}`.
fn announce(env: Env, handle: &Handle, to: u64, from: u64, data: &OwnedKey) {
    let message_env = OwnEnv::new();
    let message = {
        let env = message_env.env();
        // SAFETY: a local pid is an immediate, valid in every environment.
        let from = unsafe { VmTerm::from_word(from) };
        let data = codec::decode::term(env, data.term());
        env.make_tuple(&[atoms().ets_transfer, handle.public_id(env), from, data]).word()
    };
    env.send(to, message_env, message);
}

/// Gives the table to another process, with a message.
pub fn give_away(
    env: Env,
    handle: &Handle,
    from: u64,
    to: u64,
    gift: &OwnedKey,
) -> Result<(), Cause> {
    let mut control = handle.control();
    if handle.table.is_dropped() {
        return Err(Cause::Id);
    }
    if !env.is_alive(to) {
        return Err(Cause::None);
    }
    if handle.owner() != from {
        return Err(Cause::NotOwner);
    }
    if to == from {
        return Err(Cause::Owner);
    }
    if !own(env, handle, &mut control, to) {
        return Err(Cause::None);
    }
    announce(env, handle, to, from, gift);
    Ok(())
}

/// Enters a new table into the catalog: owner's monitor, name, list of all.
pub fn enter(env: Env, guard: &Guard, handle: &Handle) -> Result<(), Raise<'static>> {
    if handle.named {
        settle_name(env, guard, handle.name_term());
    }
    let mut control = handle.control();
    if handle.named {
        claim(env, handle, handle.name_term())?;
    }
    let owner = handle.owner();
    control.ticket = Some(TABLES.enter(guard.stripe(), handle.as_ptr()));
    watch_heir(env, handle, &mut control);
    if !own(env, handle, &mut control, owner) {
        // The caller itself is the owner, and it is running: only memory can be missing.
        remove(env, guard, handle, control);
        return Err(SYSTEM_LIMIT);
    }
    Ok(())
}

fn claim(env: Env, handle: &Handle, name: VmTerm) -> Result<(), Raise<'static>> {
    let number = tags::atom_number(env, name).ok_or(BADARG)?;
    match NAMES.claim(number, handle.as_ptr()) {
        Ok(()) => Ok(()),
        Err(Taken::InUse) => Err(Raise::badarg(Cause::AlreadyExists)),
        Err(Taken::TooMany) => Err(SYSTEM_LIMIT),
    }
}

/// A name whose table has a dead owner is free, or belongs to the heir: sees to it. Before any
/// control lock is taken, because this takes that of the other table.
fn settle_name(env: Env, guard: &Guard, name: VmTerm) {
    let known = tags::atom_number(env, name).map(|number| NAMES.get(guard, number));
    // SAFETY: `NAMES` holds handles whose release waits for the guard.
    let Some(known) = known.and_then(|known| unsafe { known.as_ref() }) else { return };
    let owner = known.owner();
    if !env.is_alive(owner) {
        // An error only says that the table is gone.
        let _ = settle(env, guard, known, owner);
    }
}

fn release_name(env: Env, handle: &Handle) {
    if let Some(number) = tags::atom_number(env, handle.name_term()) {
        NAMES.release(number, handle.as_ptr());
    }
}

/// Gives a table another name; its own counts as taken, as in ETS.
pub fn rename(
    env: Env,
    guard: &Guard,
    handle: &Handle,
    name: VmTerm,
) -> Result<(), Raise<'static>> {
    if handle.named {
        settle_name(env, guard, name);
    }
    let _control = handle.control();
    if handle.table.is_dropped() {
        return Err(Raise::badarg(Cause::Id));
    }
    if handle.named {
        claim(env, handle, name)?;
        release_name(env, handle);
    }
    handle.set_name(name.word());
    Ok(())
}

/// Changes heir and access, for the owner.
pub fn set_options(
    env: Env,
    handle: &Handle,
    caller: u64,
    heir: Option<Heir>,
    access: Option<Access>,
) -> Result<(), Cause> {
    let mut control = handle.control();
    if handle.table.is_dropped() {
        return Err(Cause::Id);
    }
    if handle.owner() != caller {
        return Err(Cause::NotOwner);
    }
    if let Some(heir) = heir {
        control.heir = heir;
        watch_heir(env, handle, &mut control);
    }
    if let Some(access) = access {
        handle.set_access(access);
    }
    Ok(())
}

/// Removes all objects, unless the table is gone.
pub fn clear(guard: &Guard, handle: &Handle) {
    let _control = handle.control();
    if !handle.table.is_dropped() {
        handle.table.clear(guard);
    }
}

/// Deletes a table: gone for everybody when this returns. False if somebody else did it first.
pub fn delete(env: Env, guard: &Guard, handle: &Handle) -> bool {
    remove(env, guard, handle, handle.control())
}

fn remove(env: Env, guard: &Guard, handle: &Handle, mut control: MutexGuard<'_, Control>) -> bool {
    if !handle.table.drop_contents(guard) {
        return false;
    }
    if handle.named {
        release_name(env, handle);
    }
    if let Some(ticket) = control.ticket.take() {
        TABLES.leave(ticket);
    }
    if let Some(place) = control.place.take() {
        place.give_back();
    }
    if let Some(monitor) = control.heir_monitor.take() {
        demonitor(env, handle, &monitor);
    }
    // Memory and all: a term may keep the handle for long.
    for (_, monitor) in std::mem::take(&mut control.fixers) {
        demonitor(env, handle, &monitor);
    }
    control.heir = Heir::None;
    drop(control);
    release(guard, handle);
    true
}

/// Gives the catalog's reference up, once nobody can still hold what the name gave.
fn release(guard: &Guard, handle: &Handle) {
    unsafe fn give_up(pointer: *mut u8) {
        // SAFETY: the catalog's reference, handed over below.
        unsafe { (*pointer.cast::<Handle>()).release() };
    }
    // SAFETY: the catalog's reference; no name leads to the handle any more.
    unsafe { guard.retire(handle.as_ptr().cast(), give_up, size_of::<Handle>()) };
}

/// Fixes the table for a process, and watches it.
pub fn fix(env: Env, guard: &Guard, handle: &Handle, process: u64) {
    let mut control = handle.control();
    if handle.table.is_dropped() || !handle.table.fix(process, env.monotonic_time()) {
        return;
    }
    match monitor(env, handle, process) {
        Some(monitor) => control.fixers.push((process, monitor)),
        None => {
            handle.table.unfix_all(guard, process);
        }
    }
}

/// Takes one fixation back; nothing happens if the process has none.
pub fn unfix(env: Env, guard: &Guard, handle: &Handle, process: u64) {
    let mut control = handle.control();
    if !handle.table.unfix(guard, process) {
        return;
    }
    if let Some(at) = control.fixers.iter().position(|(known, _)| *known == process) {
        let (_, monitor) = control.fixers.swap_remove(at);
        demonitor(env, handle, &monitor);
    }
}

/// Whether a living process has the table fixed. What dead ones had is taken back on the spot, as
/// `down` would do, because others may see their end before that.
pub fn is_fixed(env: Env, guard: &Guard, handle: &Handle) -> bool {
    if !handle.table.is_fixed() {
        return false;
    }
    let mut control = handle.control();
    let (alive, dead) = std::mem::take(&mut control.fixers)
        .into_iter()
        .partition::<Vec<_>, _>(|(process, _)| env.is_alive(*process));
    control.fixers = alive;
    for (process, monitor) in dead {
        demonitor(env, handle, &monitor);
        handle.table.unfix_all(guard, process);
    }
    handle.table.is_fixed()
}
