//! The functions that `Etsunami.Native` calls, by topic: find the table, decode, one call of the
//! core, encode.

mod cursor;
mod info;
mod lifecycle;
mod lint;
mod match_spec;
mod read;
mod select;
mod sweep;
mod traverse;
mod update;
mod write;

use etsunami::table::{Draft, Early, Hit, Table};
use etsunami::term::object::release;
use etsunami::term::probe::OwnedKey;
use etsunami::term::view::Term;

use crate::budget;
use crate::codec::decode::{self, Asked};
use crate::codec::encode::{self, Keep, Role, Scratch};
use crate::codec::key::{self, Slot};
use crate::codec::quick::Quick;
use crate::error::{Raise, SYSTEM_LIMIT};
use crate::raw::Answer;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::tags;

/// Lends a looked up key to `f`.
#[inline(always)]
fn with_key<'e, R>(
    env: Env<'e>,
    term: VmTerm<'e>,
    f: impl FnOnce(Term<'_>) -> Result<R, Raise<'e>>,
) -> Result<R, Raise<'e>> {
    let mut slot = Slot::default();
    f(key::encode_key(env, term, &mut slot)?)
}

/// Encodes an object that is going to be stored in a table, and lends the draft to `f`, which has
/// to make an object of it. `early` may get the key before the rest is encoded; what it gives goes to
/// `f`, too.
#[inline(always)]
fn with_object<'e, R>(
    env: Env<'e>,
    table: &Table,
    term: VmTerm<'e>,
    early: impl FnOnce(Term<'_>) -> Early,
    f: impl FnOnce(Draft<'_>, Early) -> Result<R, Raise<'e>>,
) -> Result<R, Raise<'e>> {
    let keypos = table.spec().keypos;
    if let Some(words) = encode::flat_object(env, term, keypos) {
        // SAFETY: immediates are their own encoding, without keepers.
        return f(unsafe { Draft::new(words, words.len()) }, Early::default());
    }
    let (mut quick, mut known) = (Quick::default(), Early::default());
    let early = |key: Term<'_>| known = early(key);
    if let Some((words, arity)) = quick.object(env, term, keypos, early) {
        // SAFETY: just encoded, with its keeper if it has one.
        return f(unsafe { Draft::new(words, arity) }, known);
    }
    let mut buffer = Scratch::take();
    let first = quick.next();
    let arity = encode::encode_object_by(first, env, term, keypos, Keep::Retain, &mut buffer)?;
    // SAFETY: just encoded, with its keepers.
    f(unsafe { Draft::new(buffer.words(), arity) }, known)
}

/// A copy of a term that may outlive the call.
fn owned<'e>(env: Env<'e>, term: VmTerm<'e>, role: Role) -> Result<OwnedKey, Raise<'e>> {
    let mut buffer = Scratch::take();
    encode::encode_term(env, term, role, Keep::Retain, &mut buffer)?;
    // SAFETY: just encoded.
    let encoded = unsafe { Term::at(buffer.words(), 0) };
    let copy = OwnedKey::try_new(encoded);
    // The copy has retained the keepers for itself.
    release(encoded);
    copy.map_err(|_| SYSTEM_LIMIT)
}

/// What finding and listing an object costs beside its words, in words.
const WORDS_PER_OBJECT: usize = 16;

/// An answer of so many words may be made on this thread.
#[inline(always)]
fn require_short<'e>(words: usize) -> Result<(), Raise<'e>> {
    if words > budget::INDIVISIBLE_WORDS && budget::on_normal_scheduler() {
        Err(Raise::Dirty)
    } else {
        Ok(())
    }
}

/// What [`with_key`] was given and lends, as a key that a table is asked for.
#[inline(always)]
fn asked<'k, 'e>(table: &Table, term: VmTerm<'e>, key: Term<'k>) -> Asked<'k, 'e> {
    Asked { term, key, at: table.spec().keypos - 1 }
}

/// The objects of a hit as a list; the key that was asked for helps to make it.
#[inline(always)]
fn objects<'e>(env: Env<'e>, hit: &Hit<'_>, asked: Option<Asked<'_, 'e>>) -> Answer<'e> {
    if let Some(object) = hit.single()
        && let Some(list) = decode::flat_list(env, object, asked)
    {
        return Ok(list);
    }
    if hit.is_absent() {
        return Ok(tags::nil(env));
    }
    require_short(hit.words())?;
    Ok(all_objects(env, hit, asked))
}

/// The objects of a hit as a list, however many.
#[inline(always)]
fn all_objects<'e>(env: Env<'e>, hit: &Hit<'_>, asked: Option<Asked<'_, 'e>>) -> VmTerm<'e> {
    if let Some(object) = hit.single() {
        return decode::list_of_one(env, object, asked);
    }
    let terms: Vec<_> = hit.objects().map(|object| decode::object(env, object)).collect();
    env.make_list(&terms)
}
