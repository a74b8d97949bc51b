//! Walking through a table: first, last, next, prev, slot, and scans in chunks.
//!
//! A cursor is a place in the table's order, never a pointer: a key in ordered tables, a position
//! (the upper half of the key's hash) in hash tables. It stays meaningful while the table grows,
//! shrinks, splits and joins, and may be kept across any time. A key that is present throughout a
//! scan is met exactly once; one that comes or goes meanwhile at most once.

use crate::engine::hash::HashTable;
use crate::engine::{Word, batch};
use crate::error::{Error, Result};
use crate::reclaim::Guard;
use crate::term::object::{Object, ObjectPtr};
use crate::term::order::compare_exact;
use crate::term::probe::OwnedKey;
use crate::term::view::Term;

pub use crate::engine::Direction;

use super::generation::{Engine, Generation};
use super::groups;
use super::keys::{Held, Key, Keys, ghost_stamp, held, is_ghost, is_visible};
use super::{Hit, Table};

/// Where a scan goes on.
pub enum Cursor {
    /// At the beginning (or the end, when walking backwards).
    Start,
    /// Ordered tables: behind this key.
    After(OwnedKey),
    /// Hash tables: at this position.
    Position(u64),
    /// Hash tables: at this position, in the bag key, from this member number on.
    Member(u64, OwnedKey, u64),
}

/// The end or start of a walk, or an object's key on it.
pub type Place<'g> = Option<(Term<'g>, Hit<'g>)>;

impl Table {
    /// The first key and its objects.
    pub fn first<'g>(&self, guard: &'g Guard) -> Place<'g> {
        let generation = self.generation(guard).ok()?;
        self.place(guard, generation, generation.next(guard, None, is_visible))
    }

    /// The last key and its objects; in hash tables the first, as in ETS.
    pub fn last<'g>(&self, guard: &'g Guard) -> Place<'g> {
        let generation = self.generation(guard).ok()?;
        self.place(guard, generation, generation.prev(guard, None, is_visible))
    }

    /// The key after this one. In hash tables the key must be present, or have been deleted while
    /// the table is fixed.
    pub fn next<'g>(&self, guard: &'g Guard, key: Key<'_>) -> Result<Place<'g>> {
        self.neighbour(guard, key, &|| (), Direction::Ascending)
    }

    /// The key before this one; in hash tables the same as `next`.
    pub fn prev<'g>(&self, guard: &'g Guard, key: Key<'_>) -> Result<Place<'g>> {
        self.neighbour(guard, key, &|| (), Direction::Descending)
    }

    /// The key next to this one, in a direction. In hash tables the key must be present, or have
    /// been deleted while the table is fixed, and all directions are one. `settle` is called before
    /// it is asked whether the table is fixed, which is of interest only where the key is not present.
    #[inline(always)]
    pub fn neighbour<'g>(
        &self,
        guard: &'g Guard,
        key: Key<'_>,
        settle: &dyn Fn(),
        direction: Direction,
    ) -> Result<Place<'g>> {
        let generation = self.generation(guard)?;
        let found = match (&generation.engine, direction) {
            (Engine::Hash(table), _) => return self.step(guard, generation, table, key, settle),
            (_, Direction::Ascending) => generation.next(guard, Some(key), is_visible),
            (_, Direction::Descending) => generation.prev(guard, Some(key), is_visible),
        };
        Ok(self.place(guard, generation, found))
    }

    #[inline(always)]
    fn step<'g>(
        &self,
        guard: &'g Guard,
        generation: &Generation,
        table: &HashTable<Keys>,
        key: Key<'_>,
        settle: &dyn Fn(),
    ) -> Result<Place<'g>> {
        // SAFETY: the engine does not keep the key after the call.
        let (own, next) = table.step(guard, &unsafe { key.erase() }, is_visible);
        if !own.is_some_and(is_visible) {
            settle();
            let known = own.is_some_and(|word| self.is_known(word))
                || self.is_fixed() && self.was_cleared(guard, key);
            if !known {
                return Err(Error::BadKey.into());
            }
        }
        Ok(self.place(guard, generation, next))
    }

    /// True for the word of a key that is present, or was deleted since the table is fixed: a ghost
    /// of an earlier fixation may wait for its removal. The node of a list insert over a key that
    /// holds nothing yet is none.
    fn is_known(&self, word: Word) -> bool {
        // SAFETY: loaded under the caller's guard.
        let word = unsafe { batch::resolve(word) };
        // SAFETY: as above.
        !word.is_empty() && (!is_ghost(word) || self.remembers(unsafe { ghost_stamp(word) }))
    }

    #[inline(always)]
    fn place<'g>(
        &self,
        guard: &'g Guard,
        generation: &Generation,
        word: Option<Word>,
    ) -> Place<'g> {
        // SAFETY: the word was loaded under this guard. Resolved once, because a list insert may
        // put `1.0` in the place of `1`, and key and object shall be those of one moment.
        let word = unsafe { batch::resolve(word?) };
        // SAFETY: as above.
        let key = unsafe { generation.keys().key_of(word) };
        Some((key, hit(guard, word)))
    }

    /// Visits about `limit` objects from a cursor on, and gives where to go on; `None` at the end.
    /// In hash tables the direction does not matter.
    pub fn scan<'g>(
        &self,
        guard: &'g Guard,
        cursor: Cursor,
        direction: Direction,
        limit: usize,
        mut visit: impl FnMut(Object<'g>),
    ) -> Option<Cursor> {
        self.scan_while(guard, cursor, direction, limit, |object| {
            visit(object);
            true
        })
    }

    /// As [`Table::scan`], but `visit` may refuse an object: then the scan ends before it, and the
    /// cursor leads back to it.
    pub fn scan_while<'g>(
        &self,
        guard: &'g Guard,
        cursor: Cursor,
        direction: Direction,
        limit: usize,
        mut visit: impl FnMut(Object<'g>) -> bool,
    ) -> Option<Cursor> {
        let generation = self.generation(guard).ok()?;
        match &generation.engine {
            Engine::Ordered(_) => {
                self.scan_tree(guard, generation, cursor, direction, limit, visit)
            }
            Engine::Hash(table) => self.scan_hash(guard, table, cursor, limit, &mut visit),
        }
    }

    fn scan_tree<'g>(
        &self,
        guard: &'g Guard,
        generation: &Generation,
        cursor: Cursor,
        direction: Direction,
        limit: usize,
        mut visit: impl FnMut(Object<'g>) -> bool,
    ) -> Option<Cursor> {
        let Engine::Ordered(tree) = &generation.engine else { return None };
        let from = match &cursor {
            Cursor::After(key) => Some(self.key(key.term())),
            _ => None,
        };
        let mut words = Vec::with_capacity(limit);
        let more = generation.scan_tree(tree, guard, from, direction, limit, &mut words);
        // SAFETY: the words were loaded under this guard.
        let after = |word| Cursor::After(OwnedKey::new(unsafe { generation.keys().key_of(word) }));
        let mut last = None;
        for word in words {
            if hit(guard, word).single().is_some_and(|object| !visit(object)) {
                return Some(last.map_or(cursor, after));
            }
            last = Some(word);
        }
        last.filter(|_| more).map(after)
    }

    fn scan_hash<'g>(
        &self,
        guard: &'g Guard,
        table: &HashTable<Keys>,
        cursor: Cursor,
        limit: usize,
        visit: &mut dyn FnMut(Object<'g>) -> bool,
    ) -> Option<Cursor> {
        let (from, inside) = match cursor {
            Cursor::Position(position) => (position, None),
            Cursor::Member(position, key, number) => (position, Some((key, number))),
            _ => (0, None),
        };
        let (mut words, mut visited, limit) = (Vec::with_capacity(limit), 0, limit.max(1));
        let next = table.scan(guard, from, limit, &mut words);
        for word in words {
            // SAFETY: the word was loaded under this guard.
            let (key, position) =
                unsafe { (table.schema().key_of(word), position_of(table, word)) };
            let number = match &inside {
                Some((at, number)) if position == from => match compare_exact(key, at.term()) {
                    std::cmp::Ordering::Less => continue,
                    std::cmp::Ordering::Equal => *number,
                    std::cmp::Ordering::Greater => 0,
                },
                _ => 0,
            };
            if visited >= limit {
                return Some(Cursor::Member(position, OwnedKey::new(key), number));
            }
            let room = limit - visited;
            let mut count = |object: ObjectPtr| {
                visited += 1;
                // SAFETY: loaded under the guard, which keeps it.
                visit(unsafe { object.borrow() })
            };
            if let Some(number) = visit_word(guard, word, number, room, &mut count) {
                return Some(Cursor::Member(position, OwnedKey::new(key), number));
            }
        }
        next.map(Cursor::Position)
    }

    /// The objects of slot `index`: one object in ordered tables, those of an interval of
    /// positions in hash tables. `None` at the index behind the last slot; an error beyond it.
    pub fn slot<'g>(&self, guard: &'g Guard, index: u64) -> Result<Option<Vec<Object<'g>>>> {
        match &self.generation(guard)?.engine {
            Engine::Ordered(_) => self.slot_ordered(guard, index),
            Engine::Hash(table) => self.slot_hashed(guard, table, index),
        }
    }

    fn slot_hashed<'g>(
        &self,
        guard: &'g Guard,
        table: &HashTable<Keys>,
        index: u64,
    ) -> Result<Option<Vec<Object<'g>>>> {
        let bits = table.position_bits();
        if index >> bits != 0 {
            return if index == 1 << bits { Ok(None) } else { Err(Error::BadArgument.into()) };
        }
        let width = 1u64 << (32 - bits);
        let end = (index + 1) * width;
        let (mut from, mut objects, mut words) = (Some(index * width), Vec::new(), Vec::new());
        while let Some(at) = from.filter(|&at| at < end) {
            words.clear();
            from = table.scan(guard, at, 1, &mut words);
            for &word in &words {
                // SAFETY: the word was loaded under this guard.
                if unsafe { position_of(table, word) } < end {
                    objects.extend(hit(guard, word).objects());
                }
            }
        }
        Ok(Some(objects))
    }

    fn slot_ordered<'g>(&self, guard: &'g Guard, index: u64) -> Result<Option<Vec<Object<'g>>>> {
        let (mut cursor, mut left, mut found) = (Some(Cursor::Start), index, None);
        while let (Some(from), None) = (cursor.take(), found) {
            cursor = self.scan(guard, from, Direction::Ascending, SLOT_CHUNK, |object| {
                if left == 0 && found.is_none() {
                    found = Some(object);
                }
                left = left.wrapping_sub(1);
            });
        }
        match found {
            Some(object) => Ok(Some(vec![object])),
            None if left == 0 => Ok(None),
            None => Err(Error::BadArgument.into()),
        }
    }
}

/// How many objects `slot` of an ordered table steps over at a time.
const SLOT_CHUNK: usize = 256;

/// What a raw word shows.
fn hit<'g>(guard: &'g Guard, word: Word) -> Hit<'g> {
    // SAFETY: loaded under this guard.
    Hit::new(guard, held(unsafe { batch::resolve(word) }))
}

/// Visits the objects of a word, from a member number on; at most `limit` at a time of a big
/// group: then the number to go on with.
fn visit_word(
    guard: &Guard,
    word: Word,
    number: u64,
    limit: usize,
    visit: &mut dyn FnMut(ObjectPtr) -> bool,
) -> Option<u64> {
    // SAFETY: loaded under this guard.
    match held(unsafe { batch::resolve(word) }) {
        Held::Absent => None,
        Held::Object(object) => (!visit(object)).then_some(number),
        Held::Group(group) => {
            groups::visit_from(group, guard, number, limit, &mut |object, _| visit(object))
        }
    }
}

/// # Safety
/// The word was loaded under a live guard.
pub(super) unsafe fn position_of(table: &HashTable<Keys>, word: Word) -> u64 {
    use crate::engine::HashSchema;
    // SAFETY: by contract.
    (unsafe { table.schema().hash_of(word) }) >> 32
}
