//! Owners, heirs and fixing processes: who a table belongs to, and what their death does to it.
//!
//! A monitor's `down` callback comes after the exit signals of the owner's links and may come
//! after the `DOWN` messages of other monitors. So every access also checks that the owner lives
//! (see `resource`). The first access that finds it dead does here what `down` would have done.
//!
//! A rename, and `setopts` that narrows the access, must not overlap operations by the old name or
//! right. `change` marks the name or the access, so that new operations begin again later, drains those
//! that began before, and then makes the change. Nothing stays marked while a call waits for its next
//! turn: if the drain takes too long, the mark is taken back and the whole call begins again.

use std::mem::MaybeUninit;
use std::sync::MutexGuard;
use std::time::Duration;

use etsunami::catalog::slot::{Meaning, NameSlot, Taken};
use etsunami::reclaim::{self, Drained, Guard};
use etsunami::table::options::Access;
use etsunami::term::probe::OwnedKey;
use rustler::sys::{
    ErlNifEnv, ErlNifMonitor, ErlNifPid, c_void, enif_compare_monitors, enif_demonitor_process,
    enif_monitor_process,
};

use crate::atoms::atoms;
use crate::belongings;
use crate::budget;
use crate::codec;
use crate::error::{BADARG, Cause, Raise, SYSTEM_LIMIT};
use crate::resource::{Change, Control, Handle, Heir, NAMES, TABLES};
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
    abandon(env, handle, &mut control);
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
    abandon(env, handle, &mut control);
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
    NAMES.claim(number, handle.as_ptr()).map_err(not_free)
}

/// Why a name cannot be taken.
fn not_free(taken: Taken) -> Raise<'static> {
    match taken {
        Taken::InUse => Raise::badarg(Cause::AlreadyExists),
        Taken::Changing => Raise::Again,
        Taken::TooMany => SYSTEM_LIMIT,
    }
}

/// A name whose table has a dead owner is free, or belongs to the heir: sees to it. Before any
/// control lock is taken, because this takes that of the other table.
pub fn settle_name(env: Env, guard: &Guard, name: VmTerm) {
    let known = tags::atom_number(env, name).map(|number| NAMES.get(guard, number));
    let Some(Meaning::Table(known)) = known else { return };
    // SAFETY: `NAMES` holds handles whose release waits for the guard.
    let known = unsafe { &*known };
    let owner = known.owner();
    if !env.is_alive(owner) {
        // An error only says that the table is gone.
        let _ = settle(env, guard, known, owner);
    }
}

/// How long a change of a name or an access waits for operations that began before, on a normal and on
/// a dirty scheduler: longer than a chunk of a search takes there. Then it gives way, and the call
/// begins again on the other kind of scheduler.
const PATIENCE: [Duration; 2] = [Duration::from_micros(400), Duration::from_millis(20)];

/// Makes a change that no operation may overlap: marks it, waits for the operations that began
/// before the mark, and settles it. The caller is not pinned, so that such changes do not wait for
/// each other. It does not return to the VM in between: nothing is marked while a process waits.
///
/// `settle` makes the change, or takes the mark back if it is told so.
fn change(
    handle: &Handle,
    mut control: MutexGuard<'_, Control>,
    change: Change,
    settle: impl FnOnce(&mut Control, bool),
) -> Result<(), Raise<'static>> {
    control.change = Some(change);
    drop(control);
    let normal = budget::on_normal_scheduler();
    let drained = reclaim::drain(PATIENCE[usize::from(!normal)]);
    let mut control = handle.control();
    // A table that was deleted or inherited meanwhile has abandoned the change.
    if control.change != Some(change) {
        return Err(if handle.table.is_dropped() { Cause::Id.into() } else { Raise::Again });
    }
    control.change = None;
    // Without a barrier nothing can be proved about others; the change is made all the same.
    let done = drained != Drained::Impatient;
    settle(&mut control, done);
    match (done, normal) {
        (true, _) => Ok(()),
        (false, true) => Err(Raise::Dirty),
        (false, false) => Err(Raise::Again),
    }
}

/// Takes the mark of a change back that another call is waiting to make. The control lock is held.
fn abandon(env: Env, handle: &Handle, control: &mut Control) {
    match control.change.take() {
        Some(Change::Name(name)) => settle_names(env, handle, name, false),
        Some(Change::Access) => handle.set_access(control, handle.access()),
        None => {}
    }
}

fn slot(env: Env, name: u64) -> Option<&'static NameSlot<Handle>> {
    // SAFETY: an atom's word, valid in every environment.
    NAMES.slot(tags::atom_number(env, unsafe { VmTerm::from_word(name) })?)
}

/// Settles the marked names of a table: it gets the new one, or keeps its own. Of the two the one
/// that becomes free is settled first: the other one answers only when that is over.
fn settle_names(env: Env, handle: &Handle, new: u64, done: bool) {
    let (Some(own), Some(new_slot)) = (slot(env, handle.name()), slot(env, new)) else { return };
    let table = handle.as_ptr();
    if done {
        handle.set_name(new);
        own.settle(table, false);
        new_slot.settle(table, true);
    } else {
        new_slot.settle(table, false);
        own.settle(table, true);
    }
}

/// True if `table`, by which a caller has found the handle, still means it: the handle may have got
/// another name since. The control lock is held.
fn is_meant(env: Env, handle: &Handle, table: VmTerm) -> bool {
    !env.is_atom(table) || table.word() == handle.name_term().word()
}

/// The control lock of a table in which no change is under way. `table` is what the caller called it.
fn control_for_change<'h>(
    env: Env,
    handle: &'h Handle,
    table: VmTerm,
) -> Result<MutexGuard<'h, Control>, Raise<'static>> {
    let control = handle.control();
    if handle.table.is_dropped() {
        return Err(Cause::Id.into());
    }
    if control.change.is_some() || !is_meant(env, handle, table) {
        return Err(Raise::Again);
    }
    Ok(control)
}

/// Gives a table another name; its own counts as taken, as in ETS. The caller is not pinned.
/// `table` is what it called the table.
pub fn rename(
    env: Env,
    handle: &Handle,
    table: VmTerm,
    name: VmTerm,
) -> Result<(), Raise<'static>> {
    let control = control_for_change(env, handle, table)?;
    let new = name.word();
    if !handle.named {
        handle.set_name(new);
        return Ok(());
    }
    let number = tags::atom_number(env, name).ok_or(BADARG)?;
    let slot = NAMES.slot(number).ok_or(SYSTEM_LIMIT)?;
    slot.reserve(handle.as_ptr()).map_err(not_free)?;
    if let Some(own) = self::slot(env, handle.name()) {
        own.mark(handle.as_ptr());
    }
    change(handle, control, Change::Name(new), |_control, done| {
        settle_names(env, handle, new, done);
    })
}

/// Changes heir and access, for the owner. The caller is not pinned. `table` is what it called the
/// table.
pub fn set_options(
    env: Env,
    handle: &Handle,
    table: VmTerm,
    caller: u64,
    heir: Option<Heir>,
    access: Option<Access>,
) -> Result<(), Raise<'static>> {
    let mut control = control_for_change(env, handle, table)?;
    if handle.owner() != caller {
        return Err(Cause::NotOwner.into());
    }
    let set_heir = |control: &mut Control| {
        if let Some(heir) = heir {
            control.heir = heir;
            watch_heir(env, handle, control);
        }
    };
    match access {
        // Those who may do less must have done what they are about to do.
        Some(access) if access as u8 > handle.access() as u8 => {
            handle.mark_access(&control);
            change(handle, control, Change::Access, |control, done| {
                handle.set_access(control, if done { access } else { handle.access() });
                if done {
                    set_heir(control);
                }
            })
        }
        Some(access) => {
            handle.set_access(&control, access);
            set_heir(&mut control);
            Ok(())
        }
        None => {
            set_heir(&mut control);
            Ok(())
        }
    }
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

/// Takes a table away: its name is marked meanwhile, so that it stops being taken in the moment in
/// which the table stops being there.
fn remove(env: Env, guard: &Guard, handle: &Handle, mut control: MutexGuard<'_, Control>) -> bool {
    if handle.table.is_dropped() {
        return false;
    }
    abandon(env, handle, &mut control);
    let name = if handle.named { slot(env, handle.name()) } else { None };
    if let Some(name) = name {
        name.mark(handle.as_ptr());
    }
    let dropped = handle.table.drop_contents(guard);
    if let Some(name) = name {
        name.settle(handle.as_ptr(), false);
    }
    if !dropped {
        return false;
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
