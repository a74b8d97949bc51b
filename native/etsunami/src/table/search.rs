//! Visiting the objects where a plan says that matches can be, in chunks.
//!
//! A chunk ends when its [`Quota`] is used up, behind any object, or before an object that is
//! refused: so a cursor may stand between objects that the engine hands out together. What a cursor
//! means depends on the plan, so a search has to go on with the plan that it began with:
//!
//! - ordered tables: [`Cursor::After`] the key of the last object;
//! - hash tables, everywhere: at a position, or at a position behind a key's member of some number;
//! - hash tables, at some keys: the same, where the position is the key's index in the plan.
//!
//! As in a scan, a key that is present throughout is met once, any other at most once.

use std::cmp::Ordering;
use std::ops::Bound;

use crate::engine::hash::HashTable;
use crate::engine::{Word, batch};
use crate::error::Error;
use crate::faults::{self, Point};
use crate::matchspec::{Access, Interval};
use crate::reclaim::Guard;
use crate::term::object::ObjectPtr;
use crate::term::order::compare_exact;
use crate::term::probe::{Kept, OwnedKey};
use crate::term::view::Term;

use super::generation::{Engine, Generation};
use super::groups;
use super::keys::{GHOST, GROUP, Held, Keys, held, object, word_of};
use super::ordered::Ordered;
use super::traverse::position_of;
use super::{Cursor, Direction, Table};

/// What is left of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Objects that match.
    pub matches: usize,
    /// Objects that are looked at; a large one counts as several.
    pub visits: usize,
    /// Objects of more words are not looked at: the chunk ends before one.
    pub largest: usize,
    /// The chunk has ended before such an object.
    pub met_large: bool,
}

impl Default for Quota {
    /// Everything.
    fn default() -> Quota {
        Quota { matches: usize::MAX, visits: usize::MAX, largest: usize::MAX, met_large: false }
    }
}

/// The words of an object that cost as much to look at as another object does to be found.
const WORDS_PER_VISIT: usize = 256;

impl Quota {
    fn is_used_up(&self) -> bool {
        self.matches == 0 || self.visits == 0
    }

    /// How many objects may be looked at without a question between.
    fn step(&self) -> usize {
        self.matches.min(self.visits)
    }
}

/// The most words that are asked of an engine at once.
const BATCH: usize = 128;
/// The words that are asked for first, because a range may be narrow.
const FIRST_BATCH: usize = 32;
/// The words that a scan of a hash table may give beyond those that it is asked for, as a rule.
const SPARE: usize = 8;
/// How many words ahead objects are asked of memory.
const AHEAD: usize = 6;
/// The number behind all members of a key.
const ALL: u64 = u64::MAX;

/// What became of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// It matches.
    Match,
    /// It does not.
    Other,
    /// It is not for this chunk, which ends before it.
    Refused,
}

/// What a search does with the objects that it finds: a closure that looks at them, or more.
pub(super) trait Visit {
    /// What ends a search.
    type Error;

    /// Looks at an object, which has this number among those of its key.
    fn look(&mut self, object: ObjectPtr, number: u64) -> Result<Look, Self::Error>;

    /// How many objects of one key are looked at, at most, before [`Visit::settle`].
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Does what was put off for the objects looked at since the last call, all of which belong to
    /// this resolved word of one key. If that gives false, nothing more was done for them: the
    /// chunk ends before the first of them.
    fn settle(&mut self, _word: Word) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

impl<E, F: FnMut(ObjectPtr, u64) -> Result<Look, E>> Visit for F {
    type Error = E;

    #[inline(always)]
    fn look(&mut self, object: ObjectPtr, number: u64) -> Result<Look, E> {
        self(object, number)
    }
}

/// Where a chunk ended; none at the end of the search.
pub(super) type Ended<E> = Result<Option<Cursor>, E>;

impl Table {
    /// Visits objects where a plan says, from a cursor on. An error ends the search.
    pub(super) fn search<E: From<Error>>(
        &self,
        guard: &Guard,
        access: &Access,
        cursor: Cursor,
        direction: Direction,
        quota: &mut Quota,
        visit: impl Visit<Error = E>,
    ) -> Ended<E> {
        let search = Search::<_, true>::new(self, guard, quota, visit)?;
        search.run(access, cursor, direction)
    }

    /// As [`Table::search`], for a glance at each object that takes no longer if it is large.
    pub(super) fn search_light<E: From<Error>>(
        &self,
        guard: &Guard,
        access: &Access,
        cursor: Cursor,
        direction: Direction,
        quota: &mut Quota,
        visit: impl Visit<Error = E>,
    ) -> Ended<E> {
        let search = Search::<_, false>::new(self, guard, quota, visit)?;
        search.run(access, cursor, direction)
    }
}

/// A search of which `visit` looks at objects, whose words count only if they are `WEIGHED`.
struct Search<'a, V, const WEIGHED: bool> {
    table: &'a Table,
    generation: &'a Generation,
    guard: &'a Guard,
    quota: &'a mut Quota,
    visit: V,
}

impl<'a, V, const WEIGHED: bool> Search<'a, V, WEIGHED> {
    fn new(
        table: &'a Table,
        guard: &'a Guard,
        quota: &'a mut Quota,
        visit: V,
    ) -> Result<Self, Error> {
        let generation = table.generation(guard)?;
        Ok(Search { table, generation, guard, quota, visit })
    }
}

impl<V: Visit<Error = E>, E, const WEIGHED: bool> Search<'_, V, WEIGHED> {
    #[inline]
    fn run(mut self, access: &Access, cursor: Cursor, direction: Direction) -> Ended<E> {
        if self.quota.is_used_up() {
            return Ok(Some(cursor));
        }
        let (generation, search) = (self.generation, &mut self);
        match (&generation.engine, access) {
            (Engine::Ordered(tree), Access::Ranges(ranges)) => {
                search.ranges(tree, ranges, cursor, direction)
            }
            (Engine::Ordered(tree), Access::Scan) => {
                search.ranges(tree, &[Interval::default()], cursor, direction)
            }
            (Engine::Ordered(_), Access::Keys(keys)) => {
                search.ordered_keys(keys, cursor, direction)
            }
            (Engine::Hash(_), Access::Keys(keys)) => search.hashed_keys(keys, cursor),
            (Engine::Hash(hash), _) => search.everywhere(hash, cursor),
        }
    }

    /// Looks at an object; false if it is refused.
    #[inline(always)]
    fn look(&mut self, object: ObjectPtr, number: u64) -> Result<bool, E> {
        let words = if WEIGHED { object.words() } else { 0 };
        if words > self.quota.largest {
            self.quota.met_large = true;
            return Ok(false);
        }
        faults::pass(Point::Visit);
        let look = self.visit.look(object, number)?;
        self.quota.visits = self.quota.visits.saturating_sub(1 + words / WORDS_PER_VISIT);
        self.quota.matches -= usize::from(look == Look::Match);
        Ok(look != Look::Refused)
    }

    /// Looks at what a key holds, from a member on; the number to go on with if the quota ends
    /// inside, or something is refused. Something that holds nothing costs a visit too.
    #[inline(always)]
    fn members(&mut self, found: Held, from: u64) -> Result<Option<u64>, E> {
        match found {
            _ if from == ALL => Ok(None),
            Held::Absent => {
                self.quota.visits = self.quota.visits.saturating_sub(1);
                Ok(None)
            }
            Held::Object(object) => Ok((!self.alone(object)?).then_some(from)),
            Held::Group(group) => self.group(group, from),
        }
    }

    /// Looks at the only object of a key; false if it is refused.
    #[inline(always)]
    fn alone(&mut self, object: ObjectPtr) -> Result<bool, E> {
        Ok(self.look(object, 0)? && self.visit.settle(word_of(object))?)
    }

    fn group(&mut self, group: Word, from: u64) -> Result<Option<u64>, E> {
        let mut next = Some(from);
        while let Some(number) = next {
            if self.quota.is_used_up() {
                return Ok(Some(number));
            }
            let (guard, mut result) = (self.guard, Ok(true));
            let step = self.quota.step().min(self.visit.room());
            next = groups::visit_from(group, guard, number, step, &mut |object, number| {
                result = self.look(object, number);
                matches!(result, Ok(true))
            });
            if !self.visit.settle(group)? {
                return Ok(Some(number));
            }
            if !result? {
                return Ok(next);
            }
        }
        Ok(None)
    }
}

/// Ordered tables.
impl<V: Visit<Error = E>, E, const WEIGHED: bool> Search<'_, V, WEIGHED> {
    fn ranges(
        &mut self,
        tree: &Ordered,
        ranges: &[Interval],
        cursor: Cursor,
        direction: Direction,
    ) -> Ended<E> {
        let mut passed = Passed::until(&cursor);
        for range in in_direction(ranges, direction) {
            if !self.range(tree, range, &mut passed, direction)? {
                return Ok(Some(passed.cursor()));
            }
        }
        Ok(None)
    }

    /// One range, behind what has been passed; false if the chunk ends in it.
    fn range<'k>(
        &mut self,
        tree: &Ordered,
        range: &'k Interval,
        passed: &mut Passed<'k>,
        direction: Direction,
    ) -> Result<bool, E>
    where
        Self: 'k,
    {
        let Some(mut from) = beginning(range, passed.0, direction) else { return Ok(true) };
        let (mut words, mut batch_size) = (Vec::with_capacity(2 * FIRST_BATCH), FIRST_BATCH);
        loop {
            words.clear();
            // SAFETY: the engine does not keep the key after the call.
            let key = from.map(|term| unsafe { self.table.key(term).erase() });
            let limit = self.quota.visits.min(batch_size);
            let more = tree.scan(self.guard, key.as_ref(), direction, limit, &mut words);
            batch_size = BATCH;
            // SAFETY: the words were loaded under this guard.
            let key_of = |word| unsafe { self.generation.keys().key_of(word) };
            let inside = |&word: &Word| !is_behind(range, key_of(word), direction);
            let within = count_inside(&words, inside);
            let wide = within == words.len();
            words.truncate(within);
            for (i, &word) in words.iter().enumerate() {
                prefetch(&words, i + AHEAD);
                // SAFETY: as above.
                let refused = self.members(held(unsafe { batch::resolve(word) }), 0)?.is_some();
                if refused || self.quota.is_used_up() {
                    let last = if refused { i.checked_sub(1) } else { Some(i) };
                    passed.0 = last.map(|i| key_of(words[i])).or(passed.0);
                    return Ok(false);
                }
            }
            passed.0 = words.last().map(|&word| key_of(word)).or(passed.0);
            match passed.0 {
                Some(key) if more && wide && !words.is_empty() => from = Bound::Excluded(key),
                _ => return Ok(true),
            }
        }
    }

    fn ordered_keys(&mut self, keys: &[Kept], cursor: Cursor, direction: Direction) -> Ended<E> {
        let mut passed = Passed::until(&cursor);
        for key in in_direction(keys, direction) {
            let key = key.term();
            let point = Interval::only(key);
            if passed.0.is_some_and(|after| passes(&point, after, direction).is_ge()) {
                continue;
            }
            let found = self.generation.get(self.guard, self.table.key(key));
            if self.members(found, 0)?.is_some() {
                return Ok(Some(passed.cursor()));
            }
            passed.0 = Some(key);
            // One key leaves nothing to be looked for.
            if self.quota.is_used_up() && keys.len() > 1 {
                return Ok(Some(passed.cursor()));
            }
        }
        Ok(None)
    }
}

/// How many words are inside, which those are that stand in front. As a rule they are few or all: the
/// keys of others, each of which may be far away in memory, are not looked at.
fn count_inside(words: &[Word], inside: impl Fn(&Word) -> bool) -> usize {
    let (mut known, mut next) = (0, 1);
    if words.len() > FIRST_BATCH && words.last().is_some_and(&inside) {
        return words.len();
    }
    while next <= words.len() && inside(&words[next - 1]) {
        known = next;
        next *= 2;
    }
    let end = words.len().min(next - 1);
    known + words[known..end].partition_point(inside)
}

/// The last key that a search in an ordered table has passed.
struct Passed<'k>(Option<Term<'k>>);

impl<'k> Passed<'k> {
    fn until(cursor: &'k Cursor) -> Passed<'k> {
        match cursor {
            Cursor::After(key) => Passed(Some(key.term())),
            _ => Passed(None),
        }
    }

    fn cursor(&self) -> Cursor {
        self.0.map_or(Cursor::Start, |key| Cursor::After(OwnedKey::new(key)))
    }
}

/// Ranges or keys in the direction of the search.
fn in_direction<T>(items: &[T], direction: Direction) -> impl Iterator<Item = &T> {
    let n = items.len();
    (0..n).map(move |i| match direction {
        Direction::Ascending => &items[i],
        Direction::Descending => &items[n - 1 - i],
    })
}

/// Where a key stands, in the direction of the search: before the range, in it, or behind it.
fn passes(range: &Interval, key: Term, direction: Direction) -> Ordering {
    match direction {
        Direction::Ascending => range.place(key),
        Direction::Descending => range.place(key).reverse(),
    }
}

/// True for a key behind the range, in the direction of the search.
fn is_behind(range: &Interval, key: Term, direction: Direction) -> bool {
    match direction {
        Direction::Ascending => range.is_below(key),
        Direction::Descending => range.is_above(key),
    }
}

/// Where a search of a range begins that has come to a key; none if it is through.
fn beginning<'k>(
    range: &'k Interval,
    after: Option<Term<'k>>,
    direction: Direction,
) -> Option<Bound<Term<'k>>> {
    if let Some(key) = after {
        match passes(range, key, direction) {
            Ordering::Less => (),
            Ordering::Equal => return Some(Bound::Excluded(key)),
            Ordering::Greater => return None,
        }
    }
    let end = match direction {
        Direction::Ascending => &range.low,
        Direction::Descending => &range.high,
    };
    Some(match end {
        None => Bound::Unbounded,
        Some(bound) if bound.is_inclusive() => Bound::Included(bound.key()),
        Some(bound) => Bound::Excluded(bound.key()),
    })
}

/// Hash tables.
impl<V: Visit<Error = E>, E, const WEIGHED: bool> Search<'_, V, WEIGHED> {
    fn hashed_keys(&mut self, keys: &[Kept], cursor: Cursor) -> Ended<E> {
        let (first, number) = match cursor {
            Cursor::Position(index) => (index as usize, 0),
            Cursor::Member(index, _, number) => (index as usize, number),
            _ => (0, 0),
        };
        for (index, key) in keys.iter().enumerate().skip(first) {
            let from = if index == first { number } else { 0 };
            let found = self.generation.get(self.guard, self.table.key(key.term()));
            if let Some(number) = self.members(found, from)? {
                let key = OwnedKey::new(key.term());
                return Ok(Some(Cursor::Member(index as u64, key, number)));
            }
            if self.quota.is_used_up() && index + 1 < keys.len() {
                return Ok(Some(Cursor::Position(index as u64 + 1)));
            }
        }
        Ok(None)
    }

    fn everywhere(&mut self, hash: &HashTable<Keys>, cursor: Cursor) -> Ended<E> {
        let (mut from, mut inside) = match cursor {
            Cursor::Position(position) => (position, None),
            Cursor::Member(position, key, number) => (position, Some((key, number))),
            _ => (0, None),
        };
        let mut words = Vec::with_capacity(BATCH + SPARE);
        loop {
            words.clear();
            let next = hash.scan(self.guard, from, self.quota.visits.min(BATCH), &mut words);
            for &word in &words {
                // The scan has read the beginning of the object.
                let next = match lone(word).filter(|_| inside.is_none()) {
                    Some(object) => (!self.alone(object)?).then_some(0),
                    None => self.word(hash, word, from, &inside)?,
                };
                if next.is_some() || self.quota.is_used_up() {
                    return Ok(Some(behind(hash, word, next.unwrap_or(ALL))));
                }
            }
            // Buckets without objects cost a visit together.
            self.quota.visits = self.quota.visits.saturating_sub(usize::from(words.is_empty()));
            inside = None;
            match next {
                None => return Ok(None),
                Some(position) if self.quota.is_used_up() => {
                    return Ok(Some(Cursor::Position(position)));
                }
                Some(position) => from = position,
            }
        }
    }

    /// Looks at a word, unless the search has passed it; the number to go on with if the quota ends
    /// inside, or something is refused.
    #[inline(never)]
    fn word(
        &mut self,
        hash: &HashTable<Keys>,
        word: Word,
        from: u64,
        inside: &Option<(OwnedKey, u64)>,
    ) -> Result<Option<u64>, E> {
        // SAFETY: the word was loaded under this guard.
        let (key, position) =
            unsafe { (|| hash.schema().key_of(word), || position_of(hash, word)) };
        let number = match inside {
            Some((at, number)) if position() == from => match compare_exact(key(), at.term()) {
                Ordering::Less => return Ok(None),
                Ordering::Equal => *number,
                Ordering::Greater => 0,
            },
            _ => 0,
        };
        // SAFETY: as above.
        self.members(held(unsafe { batch::resolve(word) }), number)
    }
}

/// The object of a word that is no more than that.
#[inline(always)]
fn lone(word: Word) -> Option<ObjectPtr> {
    let tags = Word::VERSION | GROUP | GHOST;
    (word.0 & tags == 0).then(|| object(word))
}

/// Where a search goes on that ends in a key, from a member on.
#[cold]
fn behind(hash: &HashTable<Keys>, word: Word, number: u64) -> Cursor {
    // SAFETY: the caller's guard is the one that the word was loaded under.
    let (key, position) = unsafe { (hash.schema().key_of(word), position_of(hash, word)) };
    Cursor::Member(position, OwnedKey::new(key), number)
}

/// Asks for the object behind a word.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn prefetch(words: &[Word], at: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    if let Some(word) = words.get(at) {
        // SAFETY: a prefetch has no effect but on the cache, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(word.0 & !7)) };
    }
}

/// Other processors are left to their own devices.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn prefetch(_words: &[Word], _at: usize) {}
