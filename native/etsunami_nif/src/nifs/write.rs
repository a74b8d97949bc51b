//! Inserts and deletes.

use etsunami::error::{Error, Stop};
use etsunami::reclaim::pin;
use etsunami::table::options::Need;
use etsunami::table::{Early, Hit, ListInsert};
use etsunami::term::view::Term;

use super::{asked, objects, require_short, with_key, with_object};
use crate::args;
use crate::atoms::{atoms, boolean};
use crate::budget;
use crate::error::{Cause, Raise};
use crate::owner;
use crate::raw::Answer;
use crate::resource::{self, Admitted, Handle};
use crate::vm::{Env, VmTerm};
use crate::{answering_nif, raw_nif};

answering_nif! {
    /// `insert(Table, Object | [Object])`
    #[inline(always)]
    fn insert/2(env, &[table, objects]) {
        if args::may_be_list(env, objects) {
            return insert_list(env, table, objects, Mode::Insert);
        }
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        let early = |key: Term<'_>| handle.table.prefetch_key(&guard, key);
        with_object(env, &handle.table, objects, early, |draft, early| {
            handle.table.insert_early(&guard, draft, early)?;
            Ok(atoms().r#true)
        })
    }
}

answering_nif! {
    /// `insert_new(Table, Object | [Object])`
    fn insert_new/2(env, &[table, objects]) {
        if args::may_be_list(env, objects) {
            return insert_list(env, table, objects, Mode::InsertNew);
        }
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        let early = |key: Term<'_>| handle.table.prefetch_key(&guard, key);
        with_object(env, &handle.table, objects, early, |draft, _| {
            Ok(boolean(handle.table.insert_new(&guard, draft)?))
        })
    }
}

/// Which of the two functions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Insert,
    InsertNew,
}

/// Lists of more objects than this go to a dirty scheduler: some 0.2 ms of work, half a millisecond
/// where every object misses the caches.
const LONG_LIST: usize = 2048;

/// So do lists of more words.
const LONG_LIST_WORDS: usize = budget::INDIVISIBLE_WORDS / 2;

/// Room for this many objects is made before a list on a normal scheduler is looked at.
const SHORT_LIST: usize = 128;

/// Shorter lists are not charged for.
const CHARGED_LIST: usize = 64;

/// How many objects of a long list are encoded before it is asked again whether the table and the
/// caller are still there.
const ASK_EVERY: usize = 1024;

/// Inserts all objects of a list, or none, as one atomic step. Long lists are encoded and
/// published on a dirty scheduler. The table is looked up again before anything is published: if
/// it has gone or lost its name meanwhile, nothing is inserted.
#[inline(never)]
fn insert_list<'e>(env: Env<'e>, table: VmTerm<'e>, objects: VmTerm<'e>, mode: Mode) -> Answer<'e> {
    let handle = {
        let guard = pin();
        resource::table(env, &guard, table, Need::Write)?.keep()
    };
    let normal = budget::on_normal_scheduler();
    let room = if normal { SHORT_LIST } else { args::list_length(env, objects)? };
    let mut list = ListInsert::with_capacity(&handle.table, room);
    let wanted = || env.is_current_alive() && !handle.table.is_dropped();
    let (mut count, mut words) = (0, 0);
    args::for_each(env, objects, |object| {
        if normal && (count == LONG_LIST || words > LONG_LIST_WORDS) {
            return Err(Raise::Dirty);
        }
        count += 1;
        if count % ASK_EVERY == 0 && !wanted() {
            return Err(Cause::Id.into());
        }
        with_object(
            env,
            &handle.table,
            object,
            |_| Early::default(),
            |draft, _| {
                words += draft.words();
                Ok(list.push(draft)?)
            },
        )
    })?;
    if normal && count > CHARGED_LIST {
        budget::consume(env, words + count * super::WORDS_PER_OBJECT);
    }
    // A short list is published under the guard under which it was admitted. A long one would hold
    // back too much for too long, so it is asked again in the moment of its publication.
    let guard = pin();
    let admitted = resource::table(env, &guard, table, Need::Write)?;
    if admitted.as_ptr() != handle.as_ptr() {
        return Err(Cause::Id.into());
    }
    if !normal {
        let admitted = Admitted::new(env, admitted, table);
        drop(guard);
        list.require(move |guard| admitted.still_holds(guard));
    }
    let result = match mode {
        Mode::Insert => list.insert(wanted).map(|()| atoms().r#true),
        Mode::InsertNew => list.insert_new(wanted).map(boolean),
    };
    result.map_err(|stop| match stop {
        Stop::Refused(Error::Id) => not_inserted(env, &handle, table),
        stop => stop.into(),
    })
}

/// Why a list was not inserted. If there is no reason any more, a change of the table's name or
/// access was on its way, which has given way: the call begins again.
#[cold]
fn not_inserted(env: Env, handle: &Handle, table: VmTerm) -> Raise<'static> {
    let guard = pin();
    match resource::table(env, &guard, table, Need::Write) {
        Ok(found) if found.as_ptr() == handle.as_ptr() && env.is_current_alive() => Raise::Again,
        Ok(_) => Cause::Id.into(),
        Err(raise) => raise,
    }
}

answering_nif! {
    /// `delete_key(Table, Key)`
    #[inline(always)]
    fn delete_key/2(env, &[table, key]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_key(env, key, |key| {
            handle.table.delete(&guard, handle.table.key(key))?;
            Ok(atoms().r#true)
        })
    }
}

answering_nif! {
    /// `take(Table, Key)`
    #[inline(always)]
    fn take/2(env, &[table, key]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        with_key(env, key, |sought| {
            // Decided before anything is taken: a long answer is made on a dirty scheduler.
            let short = |hit: &Hit| require_short(hit.words()).is_ok();
            let mut hit = Hit::absent(&guard);
            handle.table.take_if(&guard, handle.table.key(sought), &mut hit, short)?;
            objects(env, &hit, Some(asked(&handle.table, key, sought)))
        })
    }
}

answering_nif! {
    /// `delete_object(Table, Object)`
    fn delete_object/2(env, &[table, object]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        let early = |key: Term<'_>| handle.table.prefetch_key(&guard, key);
        with_object(env, &handle.table, object, early, |draft, _| {
            handle.table.delete_object(&guard, draft)?;
            Ok(atoms().r#true)
        })
    }
}

raw_nif! {
    /// `delete_all_objects(Table)`
    fn delete_all_objects/1(env, &[table]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Write)?;
        owner::clear(&guard, handle);
        Ok(atoms().r#true)
    }
}
