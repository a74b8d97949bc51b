//! Reads: one engine lookup each, no lock, no store.

use crate::error::{Error, Result};
use crate::reclaim::Guard;
use crate::term::object::{Object, ObjectPtr};
use crate::term::view::Term;

use super::groups::{self, Members};
use super::keys::Held;
use super::{Key, Table};

/// What a key holds, borrowed from the table under a guard.
///
/// ```compile_fail,E0505
/// # use etsunami::{reclaim::pin, table::{Key, Table}};
/// fn outlive_the_guard(table: &Table, key: Key<'_>) -> usize {
///     let guard = pin();
///     let object = table.find(&guard, key).single().unwrap();
///     drop(guard);
///     object.arity() // freed, perhaps
/// }
/// ```
pub struct Hit<'g> {
    held: Held,
    guard: &'g Guard,
}

/// The objects of a hit, in insertion order.
pub enum Objects<'g> {
    /// At most one object.
    One(Option<Object<'g>>),
    /// The objects of a bag's group.
    Many(Members<'g>),
}

impl<'g> Iterator for Objects<'g> {
    type Item = Object<'g>;

    #[inline]
    fn next(&mut self) -> Option<Object<'g>> {
        match self {
            Objects::One(object) => object.take(),
            Objects::Many(members) => members.next(),
        }
    }
}

impl<'g> Hit<'g> {
    pub(crate) fn new(guard: &'g Guard, held: Held) -> Hit<'g> {
        Hit { held, guard }
    }

    /// Nothing.
    pub fn absent(guard: &'g Guard) -> Hit<'g> {
        Hit::new(guard, Held::Absent)
    }

    /// The one object, if there is exactly one.
    #[inline(always)]
    pub fn single(&self) -> Option<Object<'g>> {
        match self.held {
            // SAFETY: the guard keeps it.
            Held::Object(object) => Some(unsafe { object.borrow() }),
            _ => None,
        }
    }

    /// True if the key holds nothing.
    #[inline(always)]
    pub fn is_absent(&self) -> bool {
        matches!(self.held, Held::Absent)
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        match self.held {
            Held::Absent => 0,
            Held::Object(_) => 1,
            Held::Group(word) => groups::len(word),
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.is_absent()
    }

    /// All objects, in insertion order.
    #[inline]
    pub fn objects(&self) -> Objects<'g> {
        match self.held {
            Held::Absent => Objects::One(None),
            Held::Object(_) => Objects::One(self.single()),
            Held::Group(word) => Objects::Many(groups::members(word, self.guard)),
        }
    }

    /// An upper bound for the encoded words of all objects, to decide where to decode them.
    pub fn words(&self) -> usize {
        match self.held {
            Held::Absent => 0,
            Held::Object(object) => object.words(),
            Held::Group(word) => groups::memory_words(word) as usize,
        }
    }

    /// Element `position` (1-based) of the one object of a `set` or `ordered_set`.
    #[inline(always)]
    pub fn element(&self, position: usize) -> Result<Term<'g>> {
        match self.held {
            Held::Object(object) => element(object, position),
            _ => Err(Error::BadKey.into()),
        }
    }

    /// Element `position` (1-based) of each object, checked.
    pub fn elements(&self, position: usize) -> Result<Vec<Term<'g>>> {
        let mut elements = Vec::with_capacity(1);
        for object in self.objects() {
            elements.push(element(object.pointer(), position)?);
        }
        Ok(elements)
    }
}

/// Element `position` (1-based) of an object.
#[inline(always)]
pub(crate) fn element<'g>(object: ObjectPtr, position: usize) -> Result<Term<'g>> {
    if position == 0 || position > object.arity() {
        return Err(Error::Position.into());
    }
    // SAFETY: in bounds; the guard behind the hit keeps the object for 'g.
    Ok(unsafe { object.element(position - 1) })
}

impl Table {
    /// What a key holds. O(1) in hash tables, O(log n) in ordered ones.
    #[inline(always)]
    pub fn find<'g>(&self, guard: &'g Guard, key: Key<'_>) -> Hit<'g> {
        let held = self.generation(guard).map_or(Held::Absent, |now| now.get(guard, key));
        Hit::new(guard, held)
    }
}
