//! Lookups.

use etsunami::error::Error;
use etsunami::reclaim::pin;
use etsunami::table::options::{Kind, Need};
use etsunami::term::Term;

use super::{Answer, Env, NifTerm, require_short};
use crate::args;
use crate::atoms;
use crate::codec::{decode, encode};
use crate::resource;

/// `lookup(Table, Key)`
#[inline(always)]
pub fn lookup(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    encode::with_key(env, argv[1], |key| {
        let hit = handle.table.find(&guard, handle.table.key(key));
        super::objects(env, &hit)
    })?
}

/// `member(Table, Key)`
#[inline(always)]
pub fn member(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    encode::with_key(env, argv[1], |key| {
        let hit = handle.table.find(&guard, handle.table.key(key));
        Ok(atoms::boolean(!hit.is_absent()))
    })?
}

/// `lookup_element(Table, Key, Position)`
pub fn lookup_element(env: Env, argv: &[NifTerm]) -> Answer {
    element_or(env, argv, None)
}

/// `lookup_element(Table, Key, Position, Default)`
pub fn lookup_element_or(env: Env, argv: &[NifTerm]) -> Answer {
    element_or(env, argv, Some(argv[3]))
}

#[inline(always)]
fn element_or(env: Env, argv: &[NifTerm], default: Option<NifTerm>) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    let position = args::position(argv[2])?;
    encode::with_key(env, argv[1], |key| {
        let hit = handle.table.find(&guard, handle.table.key(key));
        if hit.is_absent() {
            return default.ok_or(Error::BadKey.into());
        }
        if handle.table.spec().kind.is_unique() {
            let element = hit.element(position)?;
            return short_term(env, element);
        }
        let elements = hit.elements(position)?;
        require_short(env, elements.iter().map(|element| element.words()).sum())?;
        let terms: Vec<NifTerm> =
            // SAFETY: the calling process's environment.
            elements.into_iter().map(|element| unsafe { decode::term(env, element) }).collect();
        Ok(args::make_list(env, &terms))
    })?
}

fn short_term(env: Env, term: Term<'_>) -> Answer {
    require_short(env, term.words())?;
    // SAFETY: the calling process's environment.
    Ok(unsafe { decode::term(env, term) })
}

/// `slot(Table, Index)`
pub fn slot(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    let index = args::natural(argv[1])?;
    if handle.table.spec().kind == Kind::OrderedSet {
        // An ordered table counts its objects up to the index.
        require_short(env, index as usize)?;
    }
    match handle.table.slot(&guard, index)? {
        None => Ok(atoms::end_of_table()),
        Some(objects) => {
            let terms: Vec<NifTerm> =
                // SAFETY: the calling process's environment; the guard keeps the objects.
                objects.into_iter().map(|object| unsafe { decode::object(env, object) }).collect();
            Ok(args::make_list(env, &terms))
        }
    }
}
