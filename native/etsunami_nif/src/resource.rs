//! Table handles: the resource behind a table identifier.
//!
//! A handle is alive as long as a term refers to it, or the catalog does; the catalog's reference
//! is given up when the table is deleted. A pointer to a handle comes from a term (which keeps it
//! for the call) or from a name (kept for the guard, because a handle is released only a grace
//! period after its name).

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use etsunami::catalog::names::Names;
use etsunami::catalog::registry::{Registry, Ticket};
use etsunami::catalog::slot::Meaning;
use etsunami::reclaim::Guard;
use etsunami::table::Table;
use etsunami::table::options::{Access, Need};
use etsunami::term::probe::OwnedKey;
use rustler::sys::{
    ErlNifEnv, ErlNifMonitor, ErlNifResourceFlags, ErlNifResourceType, ErlNifResourceTypeInit,
    c_void, enif_alloc_resource, enif_get_resource, enif_keep_resource, enif_make_resource,
    enif_open_resource_type_x, enif_release_resource,
};

use crate::belongings::Place;
use crate::error::{Cause, Raise};
use crate::owner;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::tags;

/// The names of named tables.
pub static NAMES: Names<Handle> = Names::new();
/// All tables.
pub static TABLES: Registry<Handle> = Registry::new();

static RESOURCE_TYPE: AtomicPtr<ErlNifResourceType> = AtomicPtr::new(null_mut());

/// One table with what only the boundary knows about it.
pub struct Handle {
    /// The table itself.
    pub table: Table,
    /// True if the name stands for the table.
    pub named: bool,
    access: AtomicU8,
    /// The owner's pid word.
    owner: AtomicU64,
    /// The name's atom word.
    name: AtomicU64,
    control: Mutex<Control>,
}

/// The rarely used part of a handle.
pub struct Control {
    /// Who inherits the table.
    pub heir: Heir,
    /// The place among the owner's tables; `None` before it has one, and once it is gone.
    pub place: Option<Place>,
    /// The monitor of the heir: its pid may be given to another process after its death.
    pub heir_monitor: Option<ErlNifMonitor>,
    /// The processes that have the table fixed, with their monitors.
    pub fixers: Vec<(u64, ErlNifMonitor)>,
    /// The place in the list of all tables.
    pub ticket: Option<Ticket>,
    /// What is about to change: at most one thing at a time.
    pub change: Option<Change>,
}

/// What a call is about to change, while it waits for operations that began before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The table gets the name of this atom.
    Name(u64),
    /// Fewer processes may use it.
    Access,
}

/// Who inherits a table when its owner dies.
pub enum Heir {
    /// Nobody: the table is deleted.
    None,
    /// This process, told by an `'ETS-TRANSFER'` message if there is data for one.
    Process {
        /// The pid word.
        pid: u64,
        /// The last element of the message.
        data: Option<OwnedKey>,
    },
    /// Nobody, but `info` still names the process that died: the pid word.
    Dead(u64),
}

// SAFETY: monitors are plain data for the VM, used under the mutex that holds them.
unsafe impl Send for Control {}
// SAFETY: all fields are atomics, immutable, or behind the mutex; `Table` is shared by design.
unsafe impl Sync for Handle {}

/// Registers the resource type; called once, at load.
pub fn register(env: Env) -> bool {
    let init = ErlNifResourceTypeInit {
        dtor: destroy as *const _,
        stop: std::ptr::null(),
        down: owner::down as *const _,
        members: 3,
        dyncall: std::ptr::null(),
    };
    let flags = ErlNifResourceFlags::ERL_NIF_RT_CREATE;
    let name = c"etsunami_table".as_ptr();
    // SAFETY: the callbacks have the types that the VM expects.
    let kind = unsafe { enif_open_resource_type_x(env.raw(), name, &init, flags, null_mut()) };
    // Relaxed: the VM calls no NIF before the load function has returned.
    RESOURCE_TYPE.store(kind.cast_mut(), Ordering::Relaxed);
    !kind.is_null()
}

unsafe extern "C" fn destroy(_env: *mut ErlNifEnv, object: *mut c_void) {
    // SAFETY: every resource of this type was initialised by `Handle::create`; the VM calls this
    // once, when nothing refers to it.
    unsafe { object.cast::<Handle>().drop_in_place() };
}

/// What a new handle is made of.
pub struct Parts {
    /// The table itself.
    pub table: Table,
    /// The owner's pid word.
    pub owner: u64,
    /// Who may use it.
    pub access: Access,
    /// The name's atom word.
    pub name: u64,
    /// True if the name stands for the table.
    pub named: bool,
    /// Who inherits it.
    pub heir: Heir,
}

impl Handle {
    /// A reader that finds nothing has to ask: the table may have been deleted since it was
    /// admitted, and what was there until then must not be missing in a table that is there.
    #[inline]
    pub fn require_there(&self) -> Result<(), Cause> {
        if self.table.is_dropped() { Err(Cause::Id) } else { Ok(()) }
    }

    /// A handle for a new table, with one reference, which belongs to the catalog. `None` if the
    /// VM has no memory.
    pub fn create(parts: Parts) -> Option<&'static Handle> {
        const { assert!(align_of::<Handle>() <= 8) };
        let control = Control {
            heir: parts.heir,
            place: None,
            heir_monitor: None,
            fixers: Vec::new(),
            ticket: None,
            change: None,
        };
        let handle = Handle {
            table: parts.table,
            named: parts.named,
            access: AtomicU8::new(parts.access as u8),
            owner: AtomicU64::new(parts.owner),
            name: AtomicU64::new(parts.name),
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
    pub fn keep(&self) -> Kept {
        // SAFETY: a live handle.
        unsafe { enif_keep_resource(self.as_ptr().cast()) };
        Kept(self.as_ptr())
    }

    /// Gives the catalog's reference up.
    ///
    /// # Safety
    /// The caller owns it and does not use the handle afterwards.
    pub unsafe fn release(&self) {
        // SAFETY: by contract.
        unsafe { enif_release_resource(self.as_ptr().cast()) }
    }

    /// The table identifier, a reference.
    pub fn id<'e>(&self, env: Env<'e>) -> VmTerm<'e> {
        // SAFETY: a live handle and a valid environment.
        unsafe { VmTerm::from_raw(enif_make_resource(env.raw(), self.as_ptr().cast())) }
    }

    /// What `new` answers: the name of a named table, or the identifier.
    pub fn public_id<'e>(&self, env: Env<'e>) -> VmTerm<'e> {
        if self.named { self.name_term() } else { self.id(env) }
    }

    /// The name.
    pub fn name_term<'e>(&self) -> VmTerm<'e> {
        // SAFETY: an atom's word, valid in every environment.
        unsafe { VmTerm::from_word(self.name()) }
    }

    /// The name's atom word.
    pub fn name(&self) -> u64 {
        // Relaxed: the word carries its whole meaning itself.
        self.name.load(Ordering::Relaxed)
    }

    /// Sets the name; the caller has settled it with [`NAMES`].
    pub fn set_name(&self, name: u64) {
        self.name.store(name, Ordering::Relaxed);
    }

    /// The owner's pid word.
    #[inline(always)]
    pub fn owner(&self) -> u64 {
        // Acquire: pairs with `set_owner`; what the old owner did is seen by the new one.
        self.owner.load(Ordering::Acquire)
    }

    /// Changes the owner; the control lock is held.
    pub fn set_owner(&self, _control: &Control, owner: u64) {
        self.owner.store(owner, Ordering::Release);
    }

    /// Who may use the table.
    pub fn access(&self) -> Access {
        // Relaxed: the byte carries its whole meaning itself.
        access_of(self.access.load(Ordering::Relaxed) & !NARROWING)
    }

    /// Changes who may use the table; the control lock is held.
    pub fn set_access(&self, _control: &Control, access: Access) {
        // Release: pairs with the load in `admit`; what was done under the old access is seen by
        // those who are admitted under the new one.
        self.access.store(access as u8, Ordering::Release);
    }

    /// Marks the access as one that is about to be narrowed; the control lock is held. Until
    /// [`Handle::set_access`] operations of other processes than the owner begin again later.
    pub fn mark_access(&self, _control: &Control) {
        // Relaxed: the caller passes a barrier before it relies on the mark.
        self.access.fetch_or(NARROWING, Ordering::Relaxed);
    }

    /// Locks the rarely used part.
    pub fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Checks that the table is there and that the calling process may use it so. An owner that
    /// is found dead is followed by its heir, or the table deleted, on the spot.
    #[inline(always)]
    fn admit(&self, env: Env, guard: &Guard, need: Need) -> Result<(), Raise<'static>> {
        if self.table.is_dropped() {
            return Err(Cause::Id.into());
        }
        let mut owner = self.owner();
        if !env.is_alive(owner) {
            owner = self.next_owner(env, guard, owner)?;
        }
        // Acquire: pairs with the store in `set_access`.
        let access = self.access.load(Ordering::Acquire);
        let open = match access {
            PUBLIC => true,
            PROTECTED => need != Need::Write,
            PRIVATE => need == Need::Info,
            _ => return self.admit_while_narrowing(env, owner, need),
        };
        if open || env.is_self(owner) { Ok(()) } else { Err(Cause::Access.into()) }
    }

    /// [`Handle::admit`] while the access is about to be narrowed: the owner may do everything, and
    /// others do not know yet what they may do.
    #[cold]
    #[inline(never)]
    fn admit_while_narrowing(
        &self,
        env: Env,
        owner: u64,
        need: Need,
    ) -> Result<(), Raise<'static>> {
        if need == Need::Info || env.is_self(owner) { Ok(()) } else { Err(Raise::Again) }
    }

    /// Who owns the table after the dead.
    #[cold]
    #[inline(never)]
    fn next_owner(&self, env: Env, guard: &Guard, dead: u64) -> Result<u64, Cause> {
        let mut owner = dead;
        while !env.is_alive(owner) {
            owner::settle(env, guard, self, owner)?;
            if self.table.is_dropped() {
                return Err(Cause::Id);
            }
            owner = self.owner();
        }
        Ok(owner)
    }
}

const PUBLIC: u8 = Access::Public as u8;
const PROTECTED: u8 = Access::Protected as u8;
const PRIVATE: u8 = Access::Private as u8;

/// Beside the access: it is about to be narrowed.
const NARROWING: u8 = 4;

fn access_of(byte: u8) -> Access {
    match byte {
        PUBLIC => Access::Public,
        PROTECTED => Access::Protected,
        _ => Access::Private,
    }
}

/// A handle that is kept alive without a guard.
pub struct Kept(*mut Handle);

// SAFETY: handles are `Sync`, and the reference may be given up on any thread.
unsafe impl Send for Kept {}
// SAFETY: as above; a shared reference gives a shared handle.
unsafe impl Sync for Kept {}

impl std::ops::Deref for Kept {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        // SAFETY: `self` holds a reference.
        unsafe { &*self.0 }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: the reference that `keep` took.
        unsafe { self.release() };
    }
}

/// The table of a term, checked: an identifier, or the atom of a named table. [`Raise::Again`]
/// while the name or the access is about to change.
///
/// What the caller does under the same guard takes effect before any later change of the name or
/// the access: such a change waits for the guard.
#[inline(always)]
pub fn table<'g>(
    env: Env,
    guard: &'g Guard,
    term: VmTerm,
    need: Need,
) -> Result<&'g Handle, Raise<'static>> {
    let handle = find(env, guard, term)?;
    handle.admit(env, guard, need)?;
    Ok(handle)
}

/// What a caller was admitted for: to write to a table, which it called so.
pub struct Admitted {
    handle: Kept,
    /// The number of the atom that it called the table; none for an identifier.
    name: Option<usize>,
    /// Its pid word.
    caller: u64,
}

impl Admitted {
    /// What the calling process may write to, as [`table`] has just said.
    pub fn new(env: Env, handle: &Handle, table: VmTerm) -> Admitted {
        let caller = env.self_pid().map_or(0, VmTerm::word);
        Admitted { handle: handle.keep(), name: tags::atom_number(env, table), caller }
    }

    /// Whether it would be admitted under this guard as well, on any thread.
    pub fn still_holds(&self, guard: &Guard) -> bool {
        let is_named = |name| matches!(NAMES.get(guard, name), Meaning::Table(table) if table == self.handle.as_ptr());
        // Acquire: pairs with the store in `set_access`.
        let is_public = || self.handle.access.load(Ordering::Acquire) == PUBLIC;
        self.name.is_none_or(is_named) && (is_public() || self.handle.owner() == self.caller)
    }
}

/// The handle of a term, unchecked.
#[inline(always)]
fn find<'g>(env: Env, guard: &'g Guard, term: VmTerm) -> Result<&'g Handle, Raise<'static>> {
    if let Some(atom) = tags::atom_number(env, term) {
        return match NAMES.get(guard, atom) {
            // SAFETY: `NAMES` holds handles whose release waits for the guard.
            Meaning::Table(handle) => Ok(unsafe { &*handle }),
            Meaning::Nothing => Err(Cause::Id.into()),
            Meaning::Changing => Err(Raise::Again),
        };
    }
    let mut object: *mut c_void = null_mut();
    let out = (&raw mut object).cast();
    // SAFETY: an out pointer of the right type; the type was registered at load; the term keeps
    // the resource for the call, which outlives the guard.
    unsafe {
        if enif_get_resource(env.raw(), term.raw(), resource_type(), out) != 0 {
            Ok(&*object.cast::<Handle>())
        } else {
            Err(Cause::Type.into())
        }
    }
}

#[inline(always)]
fn resource_type() -> *const ErlNifResourceType {
    RESOURCE_TYPE.load(Ordering::Relaxed)
}
