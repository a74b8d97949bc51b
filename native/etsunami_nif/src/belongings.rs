//! Which tables each process owns, with one monitor per process.
//!
//! A monitor costs signals to the process when it is made and taken back, which is more than all
//! the rest of making and dropping a small table. So a process is watched from its first table on
//! until it dies, by a resource of its own.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use etsunami::accounting::exempt;
use etsunami::reclaim;
use rustler::sys::{
    ErlNifEnv, ErlNifMonitor, ErlNifPid, ErlNifResourceFlags, ErlNifResourceType,
    ErlNifResourceTypeInit, c_void, enif_alloc_resource, enif_monitor_process,
    enif_open_resource_type_x, enif_release_resource,
};

use crate::owner;
use crate::resource::{Handle, Kept};
use crate::vm::{Env, pid_of};

static RESOURCE_TYPE: AtomicPtr<ErlNifResourceType> = AtomicPtr::new(null_mut());

/// Living owners by pid word.
type Owners = HashMap<u64, Arc<Owner>>;

/// All of them, in a few shards.
static OWNERS: LazyLock<[Mutex<Owners>; SHARDS]> =
    LazyLock::new(|| std::array::from_fn(|_| Mutex::default()));

const SHARDS: usize = 16;

/// How many tables of a dead process are dealt with by the scheduler that hears of its death; the
/// others follow in the background. (Nobody can use them any more: every access asks whether the
/// owner lives.)
const AT_ONCE: usize = 64;

/// A process that owns tables, or did.
pub struct Owner {
    pid: u64,
    /// `None` once it is dead.
    tables: Mutex<Option<Places>>,
}

#[derive(Default)]
struct Places {
    handles: Vec<*mut Handle>,
    free: Vec<usize>,
}

// SAFETY: the pointers are those of handles that are registered here, which are `Sync`; they are
// used under the lock only, while the handles live (see `Place`).
unsafe impl Send for Places {}

/// A table's place among its owner's. To be given back before the catalog lets go of the handle.
pub struct Place {
    owner: Arc<Owner>,
    index: usize,
}

/// What the VM holds for a monitor.
struct Watch(Arc<Owner>);

/// Registers the resource type; called once, at load.
pub fn register(env: Env) -> bool {
    let init = ErlNifResourceTypeInit {
        dtor: destroy as *const _,
        stop: std::ptr::null(),
        down: down as *const _,
        members: 3,
        dyncall: std::ptr::null(),
    };
    let (name, flags) = (c"etsunami_owner".as_ptr(), ErlNifResourceFlags::ERL_NIF_RT_CREATE);
    // SAFETY: the callbacks have the types that the VM expects.
    let kind = unsafe { enif_open_resource_type_x(env.raw(), name, &init, flags, null_mut()) };
    // Relaxed: the VM calls no NIF before the load function has returned.
    RESOURCE_TYPE.store(kind.cast_mut(), Ordering::Relaxed);
    !kind.is_null()
}

unsafe extern "C" fn destroy(_env: *mut ErlNifEnv, object: *mut c_void) {
    // SAFETY: initialised by `Owner::watch`; called once.
    unsafe { object.cast::<Watch>().drop_in_place() };
}

unsafe extern "C" fn down(
    env: *mut ErlNifEnv,
    object: *mut c_void,
    _pid: *const ErlNifPid,
    _monitor: *const ErlNifMonitor,
) {
    // SAFETY: the VM passes the resource that made the monitor, and keeps it during the call.
    let owner = unsafe { &(*object.cast::<Watch>()).0 };
    // A panic must not cross into the VM.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the VM's environment, for the time of this call.
        owner.died(unsafe { Env::new(env) });
    }));
    // SAFETY: the reference that `watch` left for this moment.
    unsafe { enif_release_resource(object) };
}

/// Gives a table to a process. `None` if the process is dead.
pub fn assign(env: Env, pid: u64, handle: &Handle) -> Option<Place> {
    let owner = Owner::of(env, pid)?;
    let mut tables = owner.tables();
    let places = tables.as_mut()?;
    let index = match places.free.pop() {
        Some(index) => {
            places.handles[index] = handle.as_ptr();
            index
        }
        None => {
            exempt(|| places.handles.push(handle.as_ptr()));
            places.handles.len() - 1
        }
    };
    drop(tables);
    Some(Place { owner, index })
}

impl Place {
    /// Takes the table from its owner.
    pub fn give_back(self) {
        if let Some(places) = self.owner.tables().as_mut() {
            places.handles[self.index] = null_mut();
            exempt(|| places.free.push(self.index));
        }
    }
}

fn shard(pid: u64) -> MutexGuard<'static, Owners> {
    // Pid words differ above their tag bits first.
    let shard = &OWNERS[(pid >> 4) as usize % SHARDS];
    shard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Owner {
    /// The record of a process, made and watched if it is new.
    fn of(env: Env, pid: u64) -> Option<Arc<Owner>> {
        let mut owners = shard(pid);
        if let Some(owner) = owners.get(&pid) {
            return Some(owner.clone());
        }
        let owner = exempt(|| Arc::new(Owner { pid, tables: Mutex::new(Some(Places::default())) }));
        if !owner.watch(env) {
            return None;
        }
        exempt(|| owners.insert(pid, owner.clone()));
        Some(owner)
    }

    /// Has the VM call `down` at the process's death. False if it is dead.
    fn watch(self: &Arc<Owner>, env: Env) -> bool {
        let kind = RESOURCE_TYPE.load(Ordering::Relaxed);
        let mut monitor = MaybeUninit::<ErlNifMonitor>::uninit();
        let pid = pid_of(self.pid);
        // SAFETY: the type was registered at load; the VM aligns resources to 8 bytes. The one
        // reference stays until `down`, or is given up here.
        unsafe {
            let object = enif_alloc_resource(kind, size_of::<Watch>());
            if object.is_null() {
                return false;
            }
            object.cast::<Watch>().write(Watch(self.clone()));
            let watched = enif_monitor_process(env.raw(), object, &pid, monitor.as_mut_ptr()) == 0;
            if !watched {
                enif_release_resource(object);
            }
            watched
        }
    }

    fn tables(&self) -> MutexGuard<'_, Option<Places>> {
        self.tables.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Deals with the tables of a process that has died.
    fn died(self: &Arc<Owner>, env: Env) {
        let mut owners = shard(self.pid);
        if owners.get(&self.pid).is_some_and(|known| Arc::ptr_eq(known, self)) {
            owners.remove(&self.pid);
        }
        drop(owners);
        let mut left = self.take_tables();
        let rest = left.split_off(left.len().min(AT_ONCE));
        let dead = self.pid;
        settle_all(env, dead, left);
        if !rest.is_empty() {
            reclaim::defer(Box::new(move || {
                // SAFETY: no environment is what the VM wants from a thread that is not its own.
                settle_all(unsafe { Env::new(null_mut()) }, dead, rest);
            }));
        }
    }

    /// Closes the record and keeps its handles.
    fn take_tables(&self) -> Vec<Kept> {
        let mut tables = self.tables();
        let places = tables.take().unwrap_or_default();
        let handles = places.handles.into_iter().filter(|handle| !handle.is_null());
        // SAFETY: a registered handle lives at least until its place was given back, which waits
        // for this lock.
        handles.map(|handle| unsafe { &*handle }.keep()).collect()
    }
}

fn settle_all(env: Env, dead: u64, handles: Vec<Kept>) {
    for handle in handles {
        // An error only says that the table is gone.
        let _ = owner::settle(env, &reclaim::pin(), &handle, dead);
    }
}
