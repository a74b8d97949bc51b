//! A table as plain as possible: a list of keys in the table's order, each with its objects.

use std::cmp::Ordering;

use num_bigint::BigInt;

use super::super::options::{Kind, OrderedEngine};
use super::super::{TABLE_WORDS, Table};
use super::operations::Step;
use super::{Object, key_buffer};
use crate::engine::group::overhead_words;
use crate::term::order::{compare, compare_exact};
use crate::term::testing::{Sample, term};

/// One key with its objects, in insertion order.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: Sample,
    pub objects: Vec<Object>,
}

/// Why the model refuses an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

/// The table's contents, and what is remembered of those that are gone.
pub struct Model<'t> {
    table: &'t Table,
    pub entries: Vec<Entry>,
    /// Who has fixed the table.
    fixers: Vec<u64>,
    /// Keys that were deleted since the table was fixed.
    ghosts: Vec<Sample>,
}

impl<'t> Model<'t> {
    pub fn new(table: &'t Table) -> Model<'t> {
        Model { table, entries: Vec::new(), fixers: Vec::new(), ghosts: Vec::new() }
    }

    fn kind(&self) -> Kind {
        self.table.spec().kind
    }

    /// The order of keys in the table.
    pub fn order(&self, a: &Sample, b: &Sample) -> Ordering {
        let (a, b) = (key_buffer(a), key_buffer(b));
        let (x, y) = (term(&a), term(&b));
        if self.kind() == Kind::OrderedSet {
            return compare(x, y);
        }
        let position = |term| self.table.key(term).digest >> 32;
        position(x).cmp(&position(y)).then_with(|| compare_exact(x, y))
    }

    fn find(&self, key: &Sample) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| self.order(&entry.key, key))
    }

    pub fn lookup(&self, key: &Sample) -> &[Object] {
        self.find(key).map_or(&[], |at| &self.entries[at].objects)
    }

    pub fn key_of<'a>(&self, object: &'a Object) -> &'a Sample {
        &object.samples[self.table.spec().keypos - 1]
    }

    pub fn insert(&mut self, object: &Object) {
        let key = self.key_of(object).clone();
        match self.find(&key) {
            Err(at) => self.entries.insert(at, Entry { key, objects: vec![object.clone()] }),
            Ok(at) => {
                let kind = self.kind();
                let entry = &mut self.entries[at];
                if kind.is_unique() {
                    *entry = Entry { key, objects: vec![object.clone()] };
                } else if kind == Kind::DuplicateBag
                    || entry.objects.iter().all(|known| known.words != object.words)
                {
                    entry.objects.push(object.clone());
                }
            }
        }
    }

    pub fn insert_new(&mut self, objects: &[Object]) -> bool {
        let free = objects.iter().all(|object| self.lookup(self.key_of(object)).is_empty());
        if free {
            objects.iter().for_each(|object| self.insert(object));
        }
        free
    }

    pub fn take(&mut self, key: &Sample) -> Vec<Object> {
        let Ok(at) = self.find(key) else { return Vec::new() };
        let entry = self.entries.remove(at);
        self.bury(entry.key);
        entry.objects
    }

    pub fn delete_object(&mut self, object: &Object) {
        let Ok(at) = self.find(self.key_of(object)) else { return };
        self.entries[at].objects.retain(|known| known.words != object.words);
        if self.entries[at].objects.is_empty() {
            let entry = self.entries.remove(at);
            self.bury(entry.key);
        }
    }

    pub fn clear(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().for_each(|entry| self.bury(entry.key));
    }

    fn bury(&mut self, key: Sample) {
        if !self.fixers.is_empty() {
            self.ghosts.push(key);
        }
    }

    pub fn fix(&mut self, process: u64) -> bool {
        let first = !self.fixers.contains(&process);
        self.fixers.push(process);
        first
    }

    pub fn unfix(&mut self, process: u64, all: bool) -> bool {
        let Some(at) = self.fixers.iter().position(|&known| known == process) else { return false };
        self.fixers.swap_remove(at);
        if all {
            self.fixers.retain(|&known| known != process);
        }
        if self.fixers.is_empty() {
            self.ghosts.clear();
        }
        !self.fixers.contains(&process)
    }

    /// May `next` go on from this key?
    pub fn knows(&self, key: &Sample) -> bool {
        self.kind() == Kind::OrderedSet
            || self.find(key).is_ok()
            || self.ghosts.iter().any(|ghost| self.order(ghost, key).is_eq())
    }

    pub fn next(&self, key: &Sample) -> Option<&Entry> {
        let at = self.find(key).map_or_else(|at| at, |at| at + 1);
        self.entries.get(at)
    }

    pub fn prev(&self, key: &Sample) -> Option<&Entry> {
        if self.kind() != Kind::OrderedSet {
            return self.next(key);
        }
        let at = self.find(key).unwrap_or_else(|at| at);
        at.checked_sub(1).map(|at| &self.entries[at])
    }

    /// The object that an update begins with: the stored one, or the default under this key.
    fn base(&self, key: &Sample, default: Option<&Object>) -> Option<Object> {
        let stored = self.lookup(key).first().cloned();
        stored.or_else(|| {
            let mut samples = default?.samples.clone();
            samples[self.table.spec().keypos - 1] = key.clone();
            Some(Object::new(samples))
        })
    }

    pub fn counter(
        &mut self,
        key: &Sample,
        steps: &[Step],
        default: Option<&Object>,
    ) -> Result<Vec<BigInt>, Refused> {
        let base = self.base(key, default).filter(|_| self.kind().is_unique()).ok_or(Refused)?;
        let mut samples = base.samples;
        let mut values = Vec::new();
        for (position, increment, limit) in steps {
            if *position == self.table.spec().keypos {
                return Err(Refused);
            }
            let place = samples.get_mut(position.wrapping_sub(1)).ok_or(Refused)?;
            let Sample::Int(value) = place else { return Err(Refused) };
            *value += increment;
            if let Some((threshold, set)) = limit {
                let down = increment < &BigInt::ZERO;
                if down && &*value < threshold || !down && &*value > threshold {
                    *value = set.clone();
                }
            }
            values.push(value.clone());
        }
        self.insert(&Object::new(samples));
        Ok(values)
    }

    pub fn update(
        &mut self,
        key: &Sample,
        updates: &[(usize, Sample)],
        default: Option<&Object>,
    ) -> Result<bool, Refused> {
        let keypos = self.table.spec().keypos;
        if !self.kind().is_unique() {
            return Err(Refused);
        }
        let Some(base) = self.base(key, default) else { return Ok(false) };
        if updates.iter().any(|(position, _)| *position == keypos) {
            return Err(Refused);
        }
        let mut samples = base.samples;
        for (position, value) in updates {
            *samples.get_mut(position.wrapping_sub(1)).ok_or(Refused)? = value.clone();
        }
        self.insert(&Object::new(samples));
        Ok(true)
    }

    pub fn size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.objects.len() as u64).sum()
    }

    /// What objects take, and groups.
    pub fn memory_words(&self) -> u64 {
        // Header, slot and rounding; a node of a skip list is a word larger than a tree's share.
        let each = 4 + usize::from(self.table.spec().engine == OrderedEngine::SkipList);
        let words = |entry: &Entry| {
            let objects = entry.objects.iter().map(|object| object.words.len() + each);
            let objects: usize = objects.sum();
            objects + overhead_words(entry.objects.len())
        };
        TABLE_WORDS + self.entries.iter().map(words).sum::<usize>() as u64
    }
}
