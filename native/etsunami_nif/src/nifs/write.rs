//! Inserts and deletes.

use etsunami::error::Error;
use etsunami::reclaim::pin;
use etsunami::table::options::Need;
use etsunami::table::{Draft, ListInsert, Table};
use rustler::sys::enif_is_tuple;

use super::{Answer, Env, Leave, NifTerm, on_dirty_thread};
use crate::args;
use crate::atoms;
use crate::codec::encode;
use crate::owner;
use crate::resource::{self, Handle};

/// `insert(Table, Object | [Object])`
#[inline(always)]
pub fn insert(env: Env, argv: &[NifTerm]) -> Answer {
    // SAFETY: the calling process's environment and argument.
    if unsafe { enif_is_tuple(env, argv[1]) } == 0 {
        return insert_list(env, argv, false);
    }
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    with_object(env, &handle.table, argv[1], |draft| {
        handle.table.insert(&guard, draft)?;
        Ok(atoms::true_())
    })
}

/// `insert_new(Table, Object | [Object])`
pub fn insert_new(env: Env, argv: &[NifTerm]) -> Answer {
    // SAFETY: the calling process's environment and argument.
    if unsafe { enif_is_tuple(env, argv[1]) } == 0 {
        return insert_list(env, argv, true);
    }
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    with_object(env, &handle.table, argv[1], |draft| {
        Ok(atoms::boolean(handle.table.insert_new(&guard, draft)?))
    })
}

/// Encodes an object for a table and passes it on.
#[inline(always)]
fn with_object<R>(
    env: Env,
    table: &Table,
    term: NifTerm,
    f: impl FnOnce(Draft<'_>) -> Result<R, Leave>,
) -> Result<R, Leave> {
    encode::with_object(env, term, table.spec().keypos, f)?
}

/// A handle that is kept alive without a guard.
struct Kept<'a>(&'a Handle);

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference that `keep` took.
        unsafe { self.0.release() };
    }
}

/// Inserts all objects of a list, or none, as one atomic step. Long lists are encoded and
/// published on a dirty scheduler. The table is looked up again before anything is published: if
/// it has gone or lost its name meanwhile, nothing is inserted.
#[cold]
fn insert_list(env: Env, argv: &[NifTerm], only_new: bool) -> Answer {
    let kept = {
        let guard = pin();
        let handle = resource::table(env, &guard, argv[0], Need::Write)?;
        handle.keep();
        // SAFETY: the reference just taken keeps it beyond the guard.
        Kept(unsafe { &*handle.as_ptr() })
    };
    let length = args::list_length(env, argv[1])?;
    if length > LONG_LIST && !on_dirty_thread() {
        return Err(Leave::Long);
    }
    let table = &kept.0.table;
    let mut list = ListInsert::with_capacity(table, length);
    args::for_each(env, argv[1], |term| {
        with_object(env, table, term, |draft| Ok(list.push(draft)?))
    })?;
    let admitted = {
        let guard = pin();
        resource::table(env, &guard, argv[0], Need::Write)?.as_ptr()
    };
    if admitted != kept.0.as_ptr() {
        return Err(Error::Id.into());
    }
    let inserted = if only_new { list.insert_new()? } else { list.insert().map(|()| true)? };
    Ok(atoms::boolean(inserted))
}

/// Lists longer than this go to a dirty scheduler.
const LONG_LIST: usize = 256;

/// `delete_key(Table, Key)`
#[inline(always)]
pub fn delete_key(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    encode::with_key(env, argv[1], |key| {
        handle.table.delete(&guard, handle.table.key(key))?;
        Ok(atoms::true_())
    })?
}

/// `take(Table, Key)`
#[inline(always)]
pub fn take(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    encode::with_key(env, argv[1], |key| {
        let key = handle.table.key(key);
        if !on_dirty_thread() {
            // Decided before anything is taken: a long answer is made on a dirty scheduler.
            super::require_short(env, handle.table.find(&guard, key).words())?;
        }
        let hit = handle.table.take(&guard, key)?;
        super::all_objects(env, &hit)
    })?
}

/// `delete_object(Table, Object)`
pub fn delete_object(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    with_object(env, &handle.table, argv[1], |draft| {
        handle.table.delete_object(&guard, draft)?;
        Ok(atoms::true_())
    })
}

/// `delete_all_objects(Table)`
pub fn delete_all_objects(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Write)?;
    owner::clear(&guard, handle);
    Ok(atoms::true_())
}
