//! Table handles: the resource behind a table identifier.
//!
//! A handle is alive as long as a term refers to it, or the catalog does; the catalog's reference
//! is given up when the table is deleted. A pointer to a handle comes from a term (which keeps it
//! for the call) or from a name (kept for the guard, because a named handle is released only a
//! grace period after its name).

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use etsunami::catalog::names::Names;
use etsunami::catalog::registry::{Registry, Ticket};
use etsunami::error::Error;
use etsunami::reclaim::Guard;
use etsunami::table::Table;
use etsunami::table::options::{Access, Need};
use etsunami::term::OwnedTerm;
use etsunami::term::layout::immediate;
use rustler::sys::{
    ErlNifEnv, ErlNifMonitor, ErlNifPid, ErlNifResourceFlags, ErlNifResourceType,
    ErlNifResourceTypeInit, ErlNifTerm, c_void, enif_alloc_resource, enif_get_resource,
    enif_is_process_alive, enif_keep_resource, enif_make_resource, enif_open_resource_type_x,
    enif_release_resource, enif_self,
};

use crate::owner;

/// The names of named tables.
pub static NAMES: Names<Handle> = Names::new();
/// All tables.
pub static TABLES: Registry<Handle> = Registry::new();

static RESOURCE_TYPE: AtomicPtr<ErlNifResourceType> = AtomicPtr::new(null_mut());

/// One table with what only the boundary knows about it.
pub struct Handle {
    /// The table itself.
    pub table: Table,
    /// The owner's pid word.
    owner: AtomicUsize,
    access: AtomicU8,
    /// The name's atom word.
    name: AtomicUsize,
    /// True if the name stands for the table.
    pub named: bool,
    control: Mutex<Control>,
}

/// The rarely used part of a handle.
pub struct Control {
    /// Who inherits the table.
    pub heir: Heir,
    /// The monitor of the owner.
    pub owner_monitor: Option<ErlNifMonitor>,
    /// The processes that have the table fixed, with their monitors.
    pub fixers: Vec<(usize, ErlNifMonitor)>,
    /// The place in the list of all tables.
    pub ticket: Option<Ticket>,
}

/// Who inherits a table when its owner dies.
pub enum Heir {
    /// Nobody: the table is deleted.
    None,
    /// This process, told by an `'ETS-TRANSFER'` message if there is data for one.
    Process {
        /// The pid word.
        pid: usize,
        /// The last element of the message.
        data: Option<OwnedTerm>,
    },
}

// SAFETY: monitors are plain data for the VM, used under the mutex that holds them.
unsafe impl Send for Control {}
// SAFETY: all fields are atomics, immutable, or behind the mutex; `Table` is shared by design.
unsafe impl Sync for Handle {}

/// Registers the resource type; called once, by `load`.
///
/// # Safety
/// `env` is the environment that the VM gave to `load`.
pub unsafe fn register(env: *mut ErlNifEnv) -> bool {
    let init = ErlNifResourceTypeInit {
        dtor: destroy as *const _,
        stop: std::ptr::null(),
        down: owner::down as *const _,
        members: 3,
        dyncall: std::ptr::null(),
    };
    let flags = ErlNifResourceFlags::ERL_NIF_RT_CREATE;
    // SAFETY: by contract; the callbacks have the types that the VM expects.
    let kind = unsafe {
        enif_open_resource_type_x(env, c"etsunami_table".as_ptr(), &init, flags, null_mut())
    };
    RESOURCE_TYPE.store(kind.cast_mut(), Ordering::Release);
    !kind.is_null()
}

unsafe extern "C" fn destroy(_env: *mut ErlNifEnv, object: *mut c_void) {
    // SAFETY: every resource of this type was initialised by `Handle::create`; the VM calls this
    // once, when nothing refers to it.
    unsafe { object.cast::<Handle>().drop_in_place() };
}

impl Handle {
    /// A handle for a new table, with one reference, which belongs to the catalog. `None` if the
    /// VM has no memory.
    pub fn create(
        table: Table,
        owner: usize,
        access: Access,
        name: usize,
        named: bool,
        heir: Heir,
    ) -> Option<&'static Handle> {
        const { assert!(align_of::<Handle>() <= 8) };
        let control = Control { heir, owner_monitor: None, fixers: Vec::new(), ticket: None };
        let handle = Handle {
            table,
            owner: AtomicUsize::new(owner),
            access: AtomicU8::new(access as u8),
            name: AtomicUsize::new(name),
            named,
            control: Mutex::new(control),
        };
        // SAFETY: the type was registered at load.
        let object = unsafe { enif_alloc_resource(resource_type(), size_of::<Handle>()) };
        if object.is_null() {
            return None;
        }
        let object = object.cast::<Handle>();
        // SAFETY: fresh memory of this size; the VM aligns resources to 8 bytes.
        unsafe {
            object.write(handle);
            Some(&*object)
        }
    }

    /// The pointer that the catalog and the VM know.
    pub fn as_ptr(&self) -> *mut Handle {
        (self as *const Handle).cast_mut()
    }

    /// Takes one more reference.
    pub fn keep(&self) {
        // SAFETY: a live handle.
        unsafe { enif_keep_resource(self.as_ptr().cast()) }
    }

    /// Gives one reference up.
    ///
    /// # Safety
    /// The caller owns it and does not use the handle afterwards.
    pub unsafe fn release(&self) {
        // SAFETY: by contract.
        unsafe { enif_release_resource(self.as_ptr().cast()) }
    }

    /// The table identifier, a reference.
    pub fn id(&self, env: *mut ErlNifEnv) -> ErlNifTerm {
        // SAFETY: a live handle and the caller's environment.
        unsafe { enif_make_resource(env, self.as_ptr().cast()) }
    }

    /// What `new` answers: the name of a named table, or the identifier.
    pub fn public_id(&self, env: *mut ErlNifEnv) -> ErlNifTerm {
        if self.named { self.name() } else { self.id(env) }
    }

    /// The name's atom.
    pub fn name(&self) -> usize {
        self.name.load(Ordering::Acquire)
    }

    /// Sets the name's atom; the caller has settled it with `NAMES`.
    pub fn set_name(&self, name: usize) {
        self.name.store(name, Ordering::Release);
    }

    /// The owner's pid word.
    #[inline(always)]
    pub fn owner(&self) -> usize {
        self.owner.load(Ordering::Acquire)
    }

    /// Changes the owner; under the control lock.
    pub fn set_owner(&self, _control: &Control, owner: usize) {
        self.owner.store(owner, Ordering::Release);
    }

    /// Who may use the table.
    #[inline(always)]
    pub fn access(&self) -> Access {
        match self.access.load(Ordering::Relaxed) {
            0 => Access::Public,
            1 => Access::Protected,
            _ => Access::Private,
        }
    }

    /// Changes who may use the table.
    pub fn set_access(&self, access: Access) {
        self.access.store(access as u8, Ordering::Relaxed);
    }

    /// Locks the rarely used part.
    pub fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Checks that the table is there and that the calling process may use it so. An owner that
    /// is found dead is followed by its heir, or the table deleted, on the spot.
    #[inline(always)]
    fn admit(&self, env: *mut ErlNifEnv, guard: &Guard, need: Need) -> Result<(), Error> {
        if self.table.is_dropped() {
            return Err(Error::Id);
        }
        let owner = self.owner();
        if !is_alive(env, owner) {
            owner::settle(env, guard, self, owner)?;
            return self.admit(env, guard, need);
        }
        let open = match self.access() {
            Access::Public => true,
            Access::Protected => need != Need::Write,
            Access::Private => need == Need::Info,
        };
        if open || owner == self_pid(env) { Ok(()) } else { Err(Error::Access) }
    }
}

/// The table of a term, checked: an identifier, or the atom of a named table.
#[inline(always)]
pub fn table<'g>(
    env: *mut ErlNifEnv,
    guard: &'g Guard,
    term: ErlNifTerm,
    need: Need,
) -> Result<&'g Handle, Error> {
    let handle = find(env, guard, term).ok_or(Error::Id)?;
    handle.admit(env, guard, need)?;
    Ok(handle)
}

/// The handle of a term, unchecked.
#[inline(always)]
pub fn find<'g>(env: *mut ErlNifEnv, guard: &'g Guard, term: ErlNifTerm) -> Option<&'g Handle> {
    if immediate::is_atom(term as u64) {
        let handle = NAMES.get(guard, immediate::atom_index(term as u64));
        // SAFETY: `NAMES` holds handles whose release waits for the guard.
        return unsafe { handle.as_ref() };
    }
    let mut object = MaybeUninit::<*const c_void>::uninit();
    // SAFETY: out pointer of the right type; the type was registered at load.
    unsafe {
        if enif_get_resource(env, term, resource_type(), object.as_mut_ptr()) == 0 {
            return None;
        }
        Some(&*object.assume_init().cast::<Handle>())
    }
}

#[inline(always)]
fn resource_type() -> *const ErlNifResourceType {
    RESOURCE_TYPE.load(Ordering::Relaxed)
}

/// The calling process.
#[inline(always)]
pub fn self_pid(env: *mut ErlNifEnv) -> usize {
    let mut pid = MaybeUninit::<ErlNifPid>::uninit();
    // SAFETY: `env` is the environment of a process.
    unsafe {
        enif_self(env, pid.as_mut_ptr());
        pid_word(&pid.assume_init())
    }
}

/// The pid word of the VM's pid structure.
pub fn pid_word(pid: &ErlNifPid) -> usize {
    const { assert!(size_of::<ErlNifPid>() == size_of::<ErlNifTerm>()) };
    // SAFETY: the C structure has one field, the term.
    unsafe { *(pid as *const ErlNifPid).cast::<usize>() }
}

/// The VM's pid structure of a pid word.
#[inline(always)]
pub fn pid_of(word: usize) -> ErlNifPid {
    // SAFETY: as for `pid_word`.
    unsafe { std::mem::transmute::<usize, ErlNifPid>(word) }
}

/// True if the process has not begun to exit.
#[inline(always)]
pub fn is_alive(env: *mut ErlNifEnv, process: usize) -> bool {
    let pid = pid_of(process);
    // SAFETY: a local pid.
    unsafe { enif_is_process_alive(env, &pid) != 0 }
}
