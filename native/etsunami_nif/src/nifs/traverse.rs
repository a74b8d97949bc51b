//! Walking from key to key, and scans in chunks.

use etsunami::error::{Error, Result};
use etsunami::reclaim::{Guard, pin};
use etsunami::table::options::{Kind, Need};
use etsunami::table::{Cursor, Direction, Key, Place, Table};
use etsunami::term::layout::immediate;

use super::{Answer, Env, Leave, NifTerm, require_short};
use crate::args;
use crate::atoms;
use crate::codec::{decode, encode};
use crate::resource;

type Step = for<'g> fn(&Table, &'g Guard, Key<'_>) -> Result<Place<'g>>;
type End = for<'g> fn(&Table, &'g Guard) -> Place<'g>;

/// What a walk answers with.
#[derive(Clone, Copy)]
enum Want {
    Key,
    KeyAndObjects,
}

fn end(env: Env, argv: &[NifTerm], end: End, want: Want) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    place(env, end(&handle.table, &guard), want)
}

fn step(env: Env, argv: &[NifTerm], step: Step, want: Want) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    encode::with_key(env, argv[1], |key| {
        place(env, step(&handle.table, &guard, handle.table.key(key))?, want)
    })?
}

fn place(env: Env, place: Place<'_>, want: Want) -> Answer {
    let Some((key, hit)) = place else { return Ok(atoms::end_of_table()) };
    require_short(env, key.words())?;
    // SAFETY: the calling process's environment.
    let key = unsafe { decode::term(env, key) };
    match want {
        Want::Key => Ok(key),
        Want::KeyAndObjects => Ok(args::make_tuple(env, &[key, super::objects(env, &hit)?])),
    }
}

/// `first(Table)`
pub fn first(env: Env, argv: &[NifTerm]) -> Answer {
    end(env, argv, Table::first, Want::Key)
}

/// `last(Table)`
pub fn last(env: Env, argv: &[NifTerm]) -> Answer {
    end(env, argv, Table::last, Want::Key)
}

/// `first_lookup(Table)`
pub fn first_lookup(env: Env, argv: &[NifTerm]) -> Answer {
    end(env, argv, Table::first, Want::KeyAndObjects)
}

/// `last_lookup(Table)`
pub fn last_lookup(env: Env, argv: &[NifTerm]) -> Answer {
    end(env, argv, Table::last, Want::KeyAndObjects)
}

/// `next(Table, Key)`
pub fn next(env: Env, argv: &[NifTerm]) -> Answer {
    step(env, argv, Table::next, Want::Key)
}

/// `prev(Table, Key)`
pub fn prev(env: Env, argv: &[NifTerm]) -> Answer {
    step(env, argv, Table::prev, Want::Key)
}

/// `next_lookup(Table, Key)`
pub fn next_lookup(env: Env, argv: &[NifTerm]) -> Answer {
    step(env, argv, Table::next, Want::KeyAndObjects)
}

/// `prev_lookup(Table, Key)`
pub fn prev_lookup(env: Env, argv: &[NifTerm]) -> Answer {
    step(env, argv, Table::prev, Want::KeyAndObjects)
}

/// `scan(Table, Cursor, Direction, Limit)`: `{Objects, Cursor}` or `'$end_of_table'`.
///
/// A cursor is `start`, `{Key}` in ordered tables; a position or `{Position, Key, Number}` in hash
/// tables; `done` behind the last chunk.
pub fn scan(env: Env, argv: &[NifTerm]) -> Answer {
    let guard = pin();
    let handle = resource::table(env, &guard, argv[0], Need::Read)?;
    if argv[1] == atoms::done() {
        return Ok(atoms::end_of_table());
    }
    let cursor = cursor_of(env, handle.table.spec().kind, argv[1])?;
    let backward = argv[2] == atoms::backward();
    let direction = if backward { Direction::Backward } else { Direction::Forward };
    let limit = args::index(argv[3])?.min(MOST_AT_ONCE);
    let (mut terms, mut budget) = (Vec::with_capacity(limit), 0);
    let next = handle.table.scan(&guard, cursor, direction, limit, |object| {
        budget += object.words();
        // SAFETY: the calling process's environment; the guard keeps the object.
        terms.push(unsafe { decode::object(env, object) });
    });
    super::charge(env, budget);
    let cursor = match next {
        None => atoms::done(),
        Some(cursor) => cursor_term(env, cursor),
    };
    Ok(args::make_tuple(env, &[args::make_list(env, &terms), cursor]))
}

/// The most objects of one chunk.
const MOST_AT_ONCE: usize = 1000;

fn cursor_of(env: Env, kind: Kind, term: NifTerm) -> std::result::Result<Cursor, Leave> {
    if term == atoms::start() {
        return Ok(Cursor::Start);
    }
    if kind == Kind::OrderedSet {
        let [key] = args::tuple(env, term).ok_or(Error::BadArgument)?;
        return Ok(Cursor::After(encode::owned_key(env, key)?));
    }
    if immediate::is_small(term as u64) {
        return Ok(Cursor::Position(args::natural(term)?));
    }
    let [position, key, number] = args::tuple(env, term).ok_or(Error::BadArgument)?;
    let key = encode::owned_key(env, key)?;
    Ok(Cursor::Member(args::natural(position)?, key, args::natural(number)?))
}

fn cursor_term(env: Env, cursor: Cursor) -> NifTerm {
    // SAFETY: the calling process's environment.
    let key_term = |key: &etsunami::term::OwnedTerm| unsafe { decode::term(env, key.term()) };
    match cursor {
        Cursor::Start => atoms::start(),
        Cursor::After(key) => args::make_tuple(env, &[key_term(&key)]),
        Cursor::Position(position) => args::small(position),
        Cursor::Member(position, key, number) => {
            args::make_tuple(env, &[args::small(position), key_term(&key), args::small(number)])
        }
    }
}
