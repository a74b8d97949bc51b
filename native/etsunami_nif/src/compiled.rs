//! Compiled match specifications: the resource behind the reference that `match_spec_compile` gives
//! and that continuations carry.
//!
//! The plan for the table that it runs over is kept beside the program, so that a continuation need
//! not judge the specification again.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex};

use etsunami::matchspec::{Caller, Machine, Plan, Program};
use etsunami::reclaim;
use etsunami::table::Table;
use etsunami::table::options::Kind;
use etsunami::term::object::release;
use etsunami::term::view::Term;
use rustler::sys::{
    ErlNifEnv, ErlNifResourceFlags, ErlNifResourceType, ErlNifResourceTypeInit, c_void,
    enif_alloc_resource, enif_get_resource, enif_make_resource, enif_open_resource_type_x,
    enif_release_resource,
};

use crate::budget;
use crate::codec::encode::{self, Keep, Role, Scratch};
use crate::codec::host;
use crate::error::{BADARG, Raise, SYSTEM_LIMIT};
use crate::vm::{Env, VmTerm};

static RESOURCE_TYPE: AtomicPtr<ErlNifResourceType> = AtomicPtr::new(null_mut());

/// The words of a specification that is compiled, and of a program that runs, on a normal
/// scheduler: compiling costs up to 100 ns a word.
const SHORT_SPEC: usize = 1 << 12;

/// A program larger than this is freed in the background.
const FREED_AT_ONCE: usize = 1 << 14;

/// A compiled match specification.
pub struct Compiled {
    /// What runs.
    pub program: Program,
    plan: Mutex<Option<Arc<TablePlan>>>,
}

/// How a program runs over the tables of one kind.
pub struct TablePlan {
    keypos: usize,
    ordered: bool,
    /// Where it looks, and why.
    pub plan: Plan,
}

/// Registers the resource type; called once, at load.
pub fn register(env: Env) -> bool {
    let init = ErlNifResourceTypeInit {
        dtor: destroy as *const _,
        stop: std::ptr::null(),
        down: std::ptr::null(),
        members: 1,
        dyncall: std::ptr::null(),
    };
    let flags = ErlNifResourceFlags::ERL_NIF_RT_CREATE;
    let name = c"etsunami_match_spec".as_ptr();
    // SAFETY: the callback has the type that the VM expects.
    let kind = unsafe { enif_open_resource_type_x(env.raw(), name, &init, flags, null_mut()) };
    // Relaxed: the VM calls no NIF before the load function has returned.
    RESOURCE_TYPE.store(kind.cast_mut(), Ordering::Relaxed);
    !kind.is_null()
}

unsafe extern "C" fn destroy(_env: *mut ErlNifEnv, object: *mut c_void) {
    // SAFETY: every resource of this type was initialised by `Compiled::into_term`; the VM calls
    // this once, when nothing refers to it.
    let compiled = unsafe { object.cast::<Compiled>().read() };
    if compiled.program.words() > FREED_AT_ONCE {
        reclaim::defer(Box::new(move || drop(compiled)));
    }
}

/// An encoded specification.
struct Spec(Scratch);

impl Spec {
    /// Encodes a specification.
    fn read<'e>(env: Env<'e>, spec: VmTerm<'e>) -> Result<Spec, Raise<'e>> {
        let mut buffer = Scratch::take();
        encode::encode_term(env, spec, Role::Key, Keep::Retain, &mut buffer)?;
        Ok(Spec(buffer))
    }

    /// The specification.
    fn term(&self) -> Term<'_> {
        // SAFETY: `read` has encoded it.
        unsafe { Term::at(self.0.words(), 0) }
    }

    /// Compiles it.
    fn compile<'e>(&self) -> Result<Compiled, Raise<'e>> {
        if self.term().words() > SHORT_SPEC && budget::on_normal_scheduler() {
            return Err(Raise::Dirty);
        }
        let program = Program::compile(self.term()).map_err(|_| BADARG)?;
        Ok(Compiled { program, plan: Mutex::new(None) })
    }
}

impl Drop for Spec {
    fn drop(&mut self) {
        // A program that was compiled has retained the keepers for itself.
        release(self.term());
    }
}

impl Compiled {
    /// Compiles a specification.
    pub fn parse<'e>(env: Env<'e>, spec: VmTerm<'e>) -> Result<Compiled, Raise<'e>> {
        Spec::read(env, spec)?.compile()
    }

    /// The compiled specification that a term refers to.
    pub fn find<'e>(env: Env<'e>, term: VmTerm<'e>) -> Option<&'e Compiled> {
        let mut object: *mut c_void = null_mut();
        let (kind, out) = (RESOURCE_TYPE.load(Ordering::Relaxed), (&raw mut object).cast());
        // SAFETY: an out pointer of the right type; the type was registered at load; the term keeps
        // the resource for as long as its environment lives.
        unsafe {
            let found = enif_get_resource(env.raw(), term.raw(), kind, out) != 0;
            found.then(|| &*object.cast::<Compiled>())
        }
    }

    /// How a program that has just been compiled runs over a table. Kept with it only by
    /// [`Compiled::keep`]: most searches end in the call that they begin in.
    pub fn fresh_plan(&self, table: &Table) -> TablePlan {
        let (keypos, ordered) = shape(table);
        TablePlan { keypos, ordered, plan: table.plan(&self.program) }
    }

    /// The reference to it and a plan.
    pub fn keep<'e>(mut self, plan: TablePlan, env: Env<'e>) -> Result<VmTerm<'e>, Raise<'e>> {
        self.plan = Mutex::new(Some(Arc::new(plan)));
        self.into_term(env)
    }

    /// The reference to it.
    pub fn into_term<'e>(self, env: Env<'e>) -> Result<VmTerm<'e>, Raise<'e>> {
        const { assert!(align_of::<Compiled>() <= 8) };
        let kind = RESOURCE_TYPE.load(Ordering::Relaxed);
        // SAFETY: the type was registered at load; fresh memory of this size, which the VM aligns
        // to 8 bytes; the term takes over our reference.
        unsafe {
            let object = enif_alloc_resource(kind, size_of::<Compiled>());
            if object.is_null() {
                return Err(SYSTEM_LIMIT);
            }
            object.cast::<Compiled>().write(self);
            let term = VmTerm::from_raw(enif_make_resource(env.raw(), object));
            enif_release_resource(object);
            Ok(term)
        }
    }

    /// A program that takes long for a single object does not run on a normal scheduler.
    pub fn require_short<'e>(&self) -> Result<(), Raise<'e>> {
        if self.program.words() > SHORT_SPEC && budget::on_normal_scheduler() {
            Err(Raise::Dirty)
        } else {
            Ok(())
        }
    }

    /// How it runs over a table.
    pub fn plan(&self, table: &Table) -> Arc<TablePlan> {
        let (keypos, ordered) = shape(table);
        let mut kept = self.plan.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*kept {
            Some(plan) if plan.keypos == keypos && plan.ordered == ordered => plan.clone(),
            _ => kept.insert(Arc::new(self.fresh_plan(table))).clone(),
        }
    }

    /// A machine to run it for the calling process.
    pub fn machine(&self, env: Env) -> Machine {
        let asks = self.program.asks_for_self();
        let pid = if asks { env.self_pid().map_or(0, VmTerm::word) } else { 0 };
        let node = if self.program.asks_for_node() { node(env) } else { 0 };
        Machine::new(Caller { pid, node })
    }
}

/// What a plan depends on: the key position, and whether the table is ordered.
fn shape(table: &Table) -> (usize, bool) {
    (table.spec().keypos, table.spec().kind == Kind::OrderedSet)
}

fn node(env: Env) -> u64 {
    env.node().map_or(0, |node| host::atom_word(env, node))
}
