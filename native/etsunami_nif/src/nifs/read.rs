//! Lookups.

use etsunami::reclaim::pin;
use etsunami::table::options::{Kind, Need};

use super::{WORDS_PER_OBJECT, asked, objects, require_short, with_key};
use crate::args;
use crate::atoms::{atoms, boolean};
use crate::codec::decode;
use crate::error::Cause;
use crate::raw::{Answer, stored};
use crate::resource;
use crate::vm::{Env, VmTerm};
use crate::{answering_nif, raw_nif};

answering_nif! {
    /// `lookup(Table, Key)`
    #[inline(always)]
    fn lookup/2(env, &[table, key]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Read)?;
        with_key(env, key, |sought| {
            let hit = handle.table.find(&guard, handle.table.key(sought));
            if hit.is_absent() {
                handle.require_there()?;
            }
            objects(env, &hit, Some(asked(&handle.table, key, sought)))
        })
    }
}

answering_nif! {
    /// `member(Table, Key)`
    #[inline(always)]
    fn member/2(env, &[table, key]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Read)?;
        with_key(env, key, |key| {
            let absent = handle.table.find(&guard, handle.table.key(key)).is_absent();
            if absent {
                handle.require_there()?;
            }
            Ok(boolean(!absent))
        })
    }
}

answering_nif! {
    /// `lookup_element(Table, Key, Position)`
    #[inline(always)]
    fn lookup_element/3(env, &[table, key, position]) {
        element_or(env, table, key, position, None)
    }
}

answering_nif! {
    /// `lookup_element(Table, Key, Position, Default)`
    #[inline(always)]
    fn lookup_element_or as ("lookup_element")/4(env, &[table, key, position, default]) {
        element_or(env, table, key, position, Some(default))
    }
}

#[inline(always)]
fn element_or<'e>(
    env: Env<'e>,
    table: VmTerm<'e>,
    key: VmTerm<'e>,
    position: VmTerm<'e>,
    default: Option<VmTerm<'e>>,
) -> Answer<'e> {
    let guard = pin();
    let handle = resource::table(env, &guard, table, Need::Read)?;
    let position = args::position(env, position)?;
    with_key(env, key, |key| {
        let hit = handle.table.find(&guard, handle.table.key(key));
        if hit.is_absent() {
            handle.require_there()?;
            return default.map(|term| stored(env, term)).ok_or(Cause::BadKey.into());
        }
        if handle.table.spec().kind.is_unique() {
            let element = hit.element(position)?;
            require_short(element.words())?;
            return Ok(stored(env, decode::term(env, element)));
        }
        // Looking at each object takes time by itself.
        require_short(hit.len() * WORDS_PER_OBJECT)?;
        let elements = hit.elements(position)?;
        require_short(elements.iter().map(|element| element.words()).sum())?;
        let terms: Vec<_> =
            elements.into_iter().map(|element| decode::term(env, element)).collect();
        Ok(env.make_list(&terms))
    })
}

raw_nif! {
    /// `slot(Table, Index)`
    fn slot/2(env, &[table, index]) {
        let guard = pin();
        let handle = resource::table(env, &guard, table, Need::Read)?;
        let index = args::natural(env, index)?;
        if handle.table.spec().kind == Kind::OrderedSet {
            // An ordered table counts its objects up to the index.
            require_short(usize::try_from(index).unwrap_or(usize::MAX))?;
        }
        match handle.table.slot(&guard, index)? {
            None => Ok(atoms().end_of_table),
            Some(objects) => {
                let terms: Vec<_> =
                    objects.into_iter().map(|one| decode::object(env, one)).collect();
                Ok(env.make_list(&terms))
            }
        }
    }
}
