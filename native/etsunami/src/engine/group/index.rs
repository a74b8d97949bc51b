//! The writers' index of a large group: hash of the whole object to insertion numbers.
//!
//! Linear hashing (Litwin) over small hash tables: there are `n` tables, and when they hold more
//! than [`TABLE_LOAD`] entries each on average, the next one in turn is split in two. So no insert
//! moves more than the entries of one small table, and memory follows the contents both ways.
//! Equal hashes (equal objects in a duplicate bag, as a rule) share one entry with a list of
//! numbers, so that thousands of equal objects do not lengthen anybody's probe sequence.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Entries for each table on average, at most. Tables that wait for their split hold up to twice
/// as many, those just split half as many as these. 400 is a little less than what hashbrown puts
/// into 512 buckets (448), and so 800 into 1024: tables are well filled at all times. Rehashing or
/// splitting one takes some ten microseconds.
const TABLE_LOAD: usize = 400;
/// A table is merged when the average falls below this part of [`TABLE_LOAD`].
const SHRINK: usize = 4;

struct Single {
    hash: u64,
    number: u64,
}

struct Several {
    hash: u64,
    /// Ascending, never empty.
    numbers: Vec<u64>,
}

/// One of the small tables. A hash stands in one of the two parts alone.
#[derive(Default)]
struct Table {
    single: HashTable<Single>,
    several: HashTable<Several>,
}

/// Hash to numbers.
pub(super) struct Index {
    tables: Vec<Table>,
    len: usize,
}

impl Index {
    /// An empty index.
    pub(super) fn new() -> Index {
        Index { tables: vec![Table::default()], len: 0 }
    }

    /// Which of `tables` tables holds a hash. Bits from 24 up decide; inside a table hashbrown
    /// uses the lowest and the top seven.
    fn place(hash: u64, tables: usize) -> usize {
        let bits = (hash >> 24) as usize;
        let low = tables.next_power_of_two();
        let at = bits & (low - 1);
        if at < tables { at } else { bits & (low / 2 - 1) }
    }

    fn table(&mut self, hash: u64) -> &mut Table {
        let at = Self::place(hash, self.tables.len());
        &mut self.tables[at]
    }

    /// Adds a number.
    pub(super) fn insert(&mut self, hash: u64, number: u64) {
        self.table(hash).insert(hash, number);
        self.len += 1;
        if self.len > self.tables.len() * TABLE_LOAD {
            self.split();
        }
    }

    /// The first number of this hash for which `wanted` holds.
    pub(super) fn find(&self, hash: u64, mut wanted: impl FnMut(u64) -> bool) -> Option<u64> {
        let table = &self.tables[Self::place(hash, self.tables.len())];
        table.numbers(hash).iter().copied().find(|&number| wanted(number))
    }

    /// All numbers of this hash for which `wanted` holds, ascending.
    pub(super) fn find_all(&self, hash: u64, mut wanted: impl FnMut(u64) -> bool) -> Vec<u64> {
        let table = &self.tables[Self::place(hash, self.tables.len())];
        table.numbers(hash).iter().copied().filter(|&number| wanted(number)).collect()
    }

    /// Removes a number of a hash.
    pub(super) fn remove(&mut self, hash: u64, number: u64) {
        self.remove_all(&mut vec![(hash, number)]);
    }

    /// Removes numbers, each with its hash. What is left of `pairs` means nothing.
    ///
    /// Numbers of one hash are removed at once: equal objects share a list, which is walked once.
    pub(super) fn remove_all(&mut self, pairs: &mut Vec<(u64, u64)>) {
        let before = pairs.len();
        pairs.retain(|&(hash, number)| !self.table(hash).remove_single(hash, number));
        self.len -= before - pairs.len();
        pairs.sort_unstable();
        for equal in pairs.chunk_by(|a, b| a.0 == b.0) {
            let is_one = |number: u64| equal.binary_search_by_key(&number, |pair| pair.1).is_ok();
            self.len -= self.table(equal[0].0).retain(equal[0].0, |number| !is_one(number));
        }
        self.shrink_all();
    }

    /// Removes the numbers of one hash from `from` on. Costs what it removes.
    pub(super) fn cut(&mut self, hash: u64, from: u64) {
        self.len -= self.table(hash).cut(hash, from);
        self.shrink();
    }

    /// Moves about half of the next table in turn into a new one.
    fn split(&mut self) {
        let count = self.tables.len();
        let bit = if count.is_power_of_two() { count } else { count.next_power_of_two() / 2 };
        let old = std::mem::take(&mut self.tables[count - bit]);
        self.tables.push(Table::default());
        self.scatter(old);
    }

    /// Merges the last table into the one that it was split from.
    fn shrink(&mut self) {
        if self.tables.len() == 1 || self.len * SHRINK >= (self.tables.len() - 1) * TABLE_LOAD {
            return;
        }
        if let Some(last) = self.tables.pop() {
            self.scatter(last);
        }
    }

    /// Merges tables until they are as full as they should be.
    fn shrink_all(&mut self) {
        loop {
            let before = self.tables.len();
            self.shrink();
            if self.tables.len() == before {
                return;
            }
        }
    }

    fn scatter(&mut self, table: Table) {
        for entry in table.single {
            self.table(entry.hash).put_single(entry);
        }
        for entry in table.several {
            self.table(entry.hash).put_several(entry);
        }
    }
}

impl Table {
    fn put_single(&mut self, entry: Single) {
        self.single.insert_unique(entry.hash, entry, |entry| entry.hash);
    }

    fn put_several(&mut self, entry: Several) {
        self.several.insert_unique(entry.hash, entry, |entry| entry.hash);
    }

    fn insert(&mut self, hash: u64, number: u64) {
        if let Some(entry) = self.several.find_mut(hash, |entry| entry.hash == hash) {
            // As a rule at the end; elsewhere when a removal is taken back, or a member replaced.
            let at = match entry.numbers.last() {
                Some(&last) if last < number => entry.numbers.len(),
                _ => entry.numbers.partition_point(|&other| other < number),
            };
            entry.numbers.insert(at, number);
            return;
        }
        match self.single.entry(hash, |entry| entry.hash == hash, |entry| entry.hash) {
            Entry::Vacant(free) => {
                free.insert(Single { hash, number });
            }
            Entry::Occupied(found) => {
                let (first, _) = found.remove();
                let numbers = vec![first.number.min(number), first.number.max(number)];
                self.put_several(Several { hash, numbers });
            }
        }
    }

    fn numbers(&self, hash: u64) -> &[u64] {
        if let Some(entry) = self.single.find(hash, |entry| entry.hash == hash) {
            return std::slice::from_ref(&entry.number);
        }
        self.several.find(hash, |entry| entry.hash == hash).map_or(&[], |entry| &entry.numbers)
    }

    /// Removes a number if it is the only one of its hash; false if it is not.
    fn remove_single(&mut self, hash: u64, number: u64) -> bool {
        let found = self.single.find_entry(hash, |entry| entry.hash == hash);
        match found {
            Ok(found) if found.get().number == number => {
                found.remove();
                true
            }
            _ => false,
        }
    }

    fn retain(&mut self, hash: u64, mut keep: impl FnMut(u64) -> bool) -> usize {
        if let Ok(found) = self.single.find_entry(hash, |entry| entry.hash == hash) {
            if keep(found.get().number) {
                return 0;
            }
            found.remove();
            return 1;
        }
        self.shorten(hash, |numbers| numbers.retain(|&number| keep(number)))
    }

    fn cut(&mut self, hash: u64, from: u64) -> usize {
        if !self.several.is_empty() {
            let removed = self.shorten(hash, |numbers| {
                while numbers.last().is_some_and(|&last| last >= from) {
                    numbers.pop();
                }
            });
            if removed > 0 {
                return removed;
            }
        }
        self.retain(hash, |number| number < from)
    }

    /// Shortens a list of numbers; lists of one number and empty ones do not stay.
    fn shorten(&mut self, hash: u64, change: impl FnOnce(&mut Vec<u64>)) -> usize {
        let Ok(mut found) = self.several.find_entry(hash, |entry| entry.hash == hash) else {
            return 0;
        };
        let numbers = &mut found.get_mut().numbers;
        let before = numbers.len();
        change(numbers);
        let (removed, rest) = (before - numbers.len(), numbers.len());
        if rest <= 1 {
            let (entry, _) = found.remove();
            if let Some(&number) = entry.numbers.first() {
                self.put_single(Single { hash, number });
            }
        }
        removed
    }
}
