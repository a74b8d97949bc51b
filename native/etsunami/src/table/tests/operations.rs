//! Random operations, one after the other, against the model.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::super::{
    Assigned, CounterOp, Cursor, Detached, Direction, ListInsert, Place as Walk, Small, Table,
};
use super::model::Model;
use super::{KINDS, Object, int, key, key_buffer, table, words_of};
use crate::error::{Error, Stop};
use crate::reclaim::{self, Guard, pin};
use crate::table::options::Kind;
use crate::term::number::Int;
use crate::term::testing::{Place, Sample, encode, integers, samples, term};

pub type Step = (usize, BigInt, Option<(BigInt, BigInt)>);

/// Keys are numbers into a pool.
#[derive(Clone, Debug)]
enum Operation {
    Insert(Parts),
    InsertNew(Parts),
    DeleteObject(Parts),
    Delete(usize),
    Take(usize),
    Counter(usize, Vec<Step>, Option<Parts>),
    Update(usize, Vec<(usize, Sample)>, Option<Parts>),
    List(Vec<Parts>),
    ListNew(Vec<Parts>),
    ListRefused(Vec<Parts>),
    /// So many objects of one key, each twice.
    Many(usize, i64),
    /// Deletes each third of them.
    Fewer(usize, i64),
    Clear,
    Fix(u64),
    Unfix(u64, bool),
    Walk(usize),
    Scan(usize, bool),
    Slots,
}

/// A key and the other elements.
type Parts = (usize, Vec<Sample>);

const POOL: usize = 24;

fn pool() -> impl Strategy<Value = Vec<Sample>> {
    proptest::collection::vec(samples(), POOL - 8).prop_map(|mut keys| {
        keys.extend((0..3).map(int));
        keys.extend([Sample::Float(1.0), Sample::Float(0.0), Sample::Float(-0.0)]);
        // Two integers whose hashes have one position.
        keys.extend(super::scans::tie().map(int));
        keys
    })
}

fn parts() -> impl Strategy<Value = Parts> {
    let value = prop_oneof![2 => (-2i64..3).prop_map(int), 1 => integers().prop_map(Sample::Int), 1 => samples()];
    (
        0..POOL,
        prop_oneof![3 => proptest::collection::vec((0i64..3).prop_map(int), 1..2), 2 => proptest::collection::vec(value, 1..4)],
    )
}

fn step() -> impl Strategy<Value = Step> {
    let limit = proptest::option::of((integers(), integers()));
    (1usize..5, integers(), limit)
}

fn operations() -> impl Strategy<Value = Operation> {
    let list = || proptest::collection::vec(parts(), 0..20);
    let steps = proptest::collection::vec(step(), 0..4);
    let updates = proptest::collection::vec((0usize..5, samples()), 0..4);
    let default = || proptest::option::of(parts());
    prop_oneof![
        6 => parts().prop_map(Operation::Insert),
        3 => parts().prop_map(Operation::InsertNew),
        3 => parts().prop_map(Operation::DeleteObject),
        3 => (0..POOL).prop_map(Operation::Delete),
        2 => (0..POOL).prop_map(Operation::Take),
        4 => (0..POOL, steps, default()).prop_map(|(k, s, d)| Operation::Counter(k, s, d)),
        4 => (0..POOL, updates, default()).prop_map(|(k, u, d)| Operation::Update(k, u, d)),
        3 => list().prop_map(Operation::List),
        2 => list().prop_map(Operation::ListNew),
        1 => list().prop_map(Operation::ListRefused),
        1 => (0..POOL, 1i64..60).prop_map(|(k, n)| Operation::Many(k, n)),
        1 => (0..POOL, 1i64..60).prop_map(|(k, n)| Operation::Fewer(k, n)),
        1 => Just(Operation::Clear),
        2 => (0u64..3).prop_map(Operation::Fix),
        2 => (0u64..3, any::<bool>()).prop_map(|(p, all)| Operation::Unfix(p, all)),
        4 => (0..POOL).prop_map(Operation::Walk),
        2 => (1usize..12, any::<bool>()).prop_map(|(limit, back)| Operation::Scan(limit, back)),
        1 => Just(Operation::Slots),
    ]
}

struct Run<'t> {
    table: &'t Table,
    model: Model<'t>,
    pool: &'t [Sample],
}

impl Run<'_> {
    fn object(&self, (key, rest): &Parts) -> Object {
        let mut samples = rest.clone();
        samples.insert(self.table.spec().keypos - 1, self.pool[*key].clone());
        Object::new(samples)
    }

    fn list(&self, parts: &[Parts]) -> (Vec<Object>, ListInsert<'_>) {
        let objects: Vec<_> = parts.iter().map(|parts| self.object(parts)).collect();
        let mut list = ListInsert::with_capacity(self.table, 0);
        objects.iter().for_each(|object| list.push(object.draft()).unwrap());
        (objects, list)
    }

    fn apply(&mut self, operation: &Operation) {
        let (table, guard) = (self.table, pin());
        match operation {
            Operation::Insert(parts) => {
                let object = self.object(parts);
                table.insert(&guard, object.draft()).unwrap();
                self.model.insert(&object);
            }
            Operation::InsertNew(parts) => {
                let object = self.object(parts);
                let done = table.insert_new(&guard, object.draft());
                assert_eq!(done, Ok(self.model.insert_new(&[object])));
            }
            Operation::DeleteObject(parts) => {
                let object = self.object(parts);
                table.delete_object(&guard, object.draft()).unwrap();
                self.model.delete_object(&object);
            }
            Operation::Delete(k) => {
                let buffer = key_buffer(&self.pool[*k]);
                table.delete(&guard, key(table, &buffer)).unwrap();
                self.model.take(&self.pool[*k]);
            }
            Operation::Take(k) => {
                let buffer = key_buffer(&self.pool[*k]);
                let taken = table.take(&guard, key(table, &buffer)).unwrap();
                let expected = self.model.take(&self.pool[*k]);
                assert_same(taken.objects().map(words_of), &expected);
            }
            Operation::Counter(k, steps, default) => self.counter(*k, steps, default.as_ref()),
            Operation::Update(k, updates, default) => self.update(*k, updates, default.as_ref()),
            Operation::List(parts) => {
                let (objects, list) = self.list(parts);
                list.insert(|| true).unwrap();
                objects.iter().for_each(|object| self.model.insert(object));
            }
            Operation::ListNew(parts) => {
                let (objects, list) = self.list(parts);
                let done = list.insert_new(|| true);
                assert_eq!(done, Ok(self.model.insert_new(&objects)));
            }
            Operation::ListRefused(parts) => {
                let (objects, list) = self.list(parts);
                let done = list.insert(|| false);
                assert_eq!(done, if objects.is_empty() { Ok(()) } else { Err(Error::Id.into()) });
            }
            Operation::Many(k, n) => {
                for value in (0..*n).chain(0..*n) {
                    let object = self.object(&(*k, vec![int(value)]));
                    table.insert(&guard, object.draft()).unwrap();
                    self.model.insert(&object);
                }
            }
            Operation::Fewer(k, n) => {
                for value in (0..*n).step_by(3) {
                    let object = self.object(&(*k, vec![int(value)]));
                    table.delete_object(&guard, object.draft()).unwrap();
                    self.model.delete_object(&object);
                }
            }
            Operation::Clear => {
                table.clear(&guard);
                self.model.clear();
            }
            Operation::Fix(p) => assert_eq!(table.fix(*p, 0), self.model.fix(*p)),
            Operation::Unfix(p, all) => {
                let last = if *all { table.unfix_all(&guard, *p) } else { table.unfix(&guard, *p) };
                assert_eq!(last, self.model.unfix(*p, *all));
            }
            Operation::Walk(k) => self.walk(&guard, *k),
            Operation::Scan(limit, backward) => self.scan(&guard, *limit, *backward),
            Operation::Slots => self.slots(&guard),
        }
        assert_eq!(table.size(&guard), self.model.size(), "size after {operation:?}");
        assert_eq!(table.memory_words(&guard), self.model.memory_words(), "after {operation:?}");
    }

    fn default(&self, k: usize, default: Option<&Parts>) -> Option<(Object, Detached)> {
        let object = self.object(default?);
        let buffer = key_buffer(&self.pool[k]);
        let detached = Detached::new(object.draft(), key(self.table, &buffer)).unwrap();
        Some((object, detached))
    }

    fn counter(&mut self, k: usize, steps: &[Step], default: Option<&Parts>) {
        let buffer = key_buffer(&self.pool[k]);
        let default = self.default(k, default);
        let ops: Vec<_> = steps
            .iter()
            .cloned()
            .map(|(position, increment, limit)| {
                let limit = limit.map(|(threshold, set)| (threshold.into(), set.into()));
                Ok(CounterOp { position, increment: increment.into(), limit })
            })
            .collect();
        let (key, guard) = (key(self.table, &buffer), pin());
        // The short way does the same, or nothing.
        let mut values = vec![Small::ZERO; steps.len()];
        if let Some(small) = small_steps(steps)
            && self.table.count_few(&guard, key, &small, &mut values)
        {
            let sums = values.into_iter().map(|value| BigInt::from(value.value())).collect();
            assert_eq!(self.model.counter(&self.pool[k], steps, None), Ok(sums));
            return;
        }
        let done = self.table.update_counter(&guard, key, &ops, default.as_ref().map(|d| &d.1));
        let expected = self.model.counter(&self.pool[k], steps, default.as_ref().map(|d| &d.0));
        match (done, expected) {
            (Ok(values), Ok(expected)) => {
                assert_eq!(values, expected.into_iter().map(Int::from).collect::<Vec<_>>());
            }
            (Err(Stop::Refused(_)), Err(_)) => {}
            (done, expected) => panic!("{done:?} is not {expected:?}"),
        }
    }

    fn update(&mut self, k: usize, updates: &[(usize, Sample)], default: Option<&Parts>) {
        let buffer = key_buffer(&self.pool[k]);
        let default = self.default(k, default);
        let values: Vec<_> =
            updates.iter().map(|(at, value)| (*at, encode(value, Place::Key))).collect();
        let terms: Vec<_> = values.iter().map(|(at, value)| Ok((*at, term(value)))).collect();
        let (key, guard) = (key(self.table, &buffer), pin());
        // The short way does the same, or nothing.
        let few: Vec<_> = terms.iter().flatten().copied().collect();
        let missing = match self.table.assign_few(&guard, key, &few) {
            Assigned::Undecided => None,
            Assigned::Absent => Some(Ok(false)),
            Assigned::Done => Some(Ok(true)),
        };
        if let Some(done) = missing.filter(|done| *done == Ok(true) || default.is_none()) {
            assert_eq!(self.model.update(&self.pool[k], updates, None), done);
            return;
        }
        let done = self.table.update_element(&guard, key, &terms, default.as_ref().map(|d| &d.1));
        let expected = self.model.update(&self.pool[k], updates, default.as_ref().map(|d| &d.0));
        match (done, expected) {
            (Ok(done), Ok(expected)) => assert_eq!(done, expected),
            (Err(Stop::Refused(_)), Err(_)) => {}
            (done, expected) => panic!("{done:?} is not {expected:?}"),
        }
    }

    /// Lookup, first, last, next and prev.
    fn walk(&self, guard: &Guard, k: usize) {
        let (table, model) = (self.table, &self.model);
        let sample = &self.pool[k];
        let buffer = key_buffer(sample);
        let key = key(table, &buffer);
        assert_same(table.find(guard, key).objects().map(words_of), model.lookup(sample));
        let ends = (model.entries.first(), model.entries.last());
        assert_place(table.first(guard), ends.0);
        let last = if table.spec().kind == Kind::OrderedSet { ends.1 } else { ends.0 };
        assert_place(table.last(guard), last);
        match (table.next(guard, key), table.prev(guard, key)) {
            (Ok(next), Ok(prev)) => {
                assert!(model.knows(sample));
                assert_place(next, model.next(sample));
                assert_place(prev, model.prev(sample));
            }
            (next, _) => {
                assert!(!model.knows(sample));
                assert_eq!(next.map(|_| ()), Err(Error::BadKey.into()));
            }
        }
    }

    fn scan(&self, guard: &Guard, limit: usize, backward: bool) {
        let direction = if backward { Direction::Descending } else { Direction::Ascending };
        let (mut cursor, mut seen) = (Some(Cursor::Start), Vec::new());
        while let Some(from) = cursor {
            let before = seen.len();
            cursor = self.table.scan(guard, from, direction, limit, |o| seen.push(words_of(o)));
            assert!(seen.len() - before <= limit, "a chunk is not larger than asked");
        }
        let mut expected: Vec<_> =
            self.model.entries.iter().flat_map(|entry| entry.objects.clone()).collect();
        if backward && self.table.spec().kind == Kind::OrderedSet {
            expected.reverse();
        }
        assert_same(seen.into_iter(), &expected);
    }

    fn slots(&self, guard: &Guard) {
        let mut seen = Vec::new();
        let mut index = 0;
        while let Some(objects) = self.table.slot(guard, index).unwrap() {
            seen.extend(objects.into_iter().map(words_of));
            index += 1;
        }
        assert!(self.table.slot(guard, index + 1).is_err());
        let expected: Vec<_> =
            self.model.entries.iter().flat_map(|entry| entry.objects.clone()).collect();
        assert_same(seen.into_iter(), &expected);
    }
}

fn assert_same(found: impl Iterator<Item = Vec<u64>>, expected: &[Object]) {
    let found: Vec<_> = found.collect();
    let expected: Vec<_> = expected.iter().map(|object| object.words.clone()).collect();
    assert_eq!(found, expected);
}

fn assert_place(place: Walk<'_>, expected: Option<&super::model::Entry>) {
    assert_eq!(place.is_some(), expected.is_some());
    if let (Some((key, hit)), Some(entry)) = (place, expected) {
        let buffer = key_buffer(&entry.key);
        assert_eq!(key.words(), buffer.words().len());
        assert!(crate::term::equal::equal(key, term(&buffer)));
        assert_same(hit.objects().map(words_of), &entry.objects);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn tables_agree_with_the_model(
        pool in pool(),
        keypos in 1usize..3,
        operations in proptest::collection::vec(operations(), 1..80),
    ) {
        for kind in KINDS {
            let table = table(kind, keypos);
            let mut run = Run { table: &table, model: Model::new(&table), pool: &pool };
            operations.iter().for_each(|operation| run.apply(operation));
            let guard = pin();
            run.scan(&guard, 7, false);
            (0..POOL).for_each(|k| run.walk(&guard, k));
            table.clear(&guard);
            prop_assert_eq!((table.size(&guard), table.memory_words(&guard)), (0, super::super::TABLE_WORDS));
        }
    }
}

/// More ghosts than the last unfix removes itself.
#[test]
fn many_ghosts_go_in_the_background() {
    let table = table(Kind::Set, 1);
    table.fix(1, 0);
    let objects: Vec<_> = (0..1500).map(|n| Object::new(vec![int(n), int(0)])).collect();
    for object in &objects {
        let guard = pin();
        table.insert(&guard, object.draft()).unwrap();
        table.delete(&guard, table.key_of_draft(&object.draft())).unwrap();
        assert!(table.next(&guard, table.key_of_draft(&object.draft())).is_ok());
    }
    table.unfix(&pin(), 1);
    for object in &objects {
        assert!(table.next(&pin(), table.key_of_draft(&object.draft())).is_err());
    }
    assert_eq!(reclaim::flush(), reclaim::Flushed::Done);
    let guard = pin();
    for object in &objects {
        assert!(
            table
                .generation(&guard)
                .unwrap()
                .raw(&guard, table.key_of_draft(&object.draft()))
                .is_none()
        );
    }
}

/// A ghost under a list insert that fails does not outlive its fixation.
#[test]
fn ghosts_under_a_failed_list_insert_go() {
    let table = table(Kind::Set, 1);
    let object = |n| Object::new(vec![int(n), int(0)]);
    table.fix(1, 0);
    for n in 0..10 {
        let guard = pin();
        table.insert(&guard, object(n).draft()).unwrap();
        table.delete(&guard, table.key_of_draft(&object(n).draft())).unwrap();
    }
    let mut list = ListInsert::with_capacity(&table, 0);
    (0..3000).for_each(|n| list.push(object(n).draft()).unwrap());
    let asked = std::cell::Cell::new(0);
    let done = list.insert(|| {
        // The first chunks are installed, among them most keys with ghosts.
        asked.set(asked.get() + 1);
        if asked.get() == 3 {
            table.unfix(&pin(), 1);
        }
        asked.get() < 3
    });
    assert_eq!(reclaim::flush(), reclaim::Flushed::Done);
    let guard = pin();
    for n in 0..10 {
        let object = object(n);
        let known = table.next(&guard, table.key_of_draft(&object.draft())).is_ok();
        // The background thread may have helped the list to its end before it was given up.
        assert_eq!(known, done.is_ok());
    }
}

/// The steps, if their numbers are small.
fn small_steps(steps: &[Step]) -> Option<Vec<CounterOp<Small>>> {
    let small = |n: &BigInt| i64::try_from(n).ok().and_then(Small::new);
    let step = |(position, increment, limit): &Step| {
        let limit = match limit {
            Some((threshold, set)) => Some((small(threshold)?, small(set)?)),
            None => None,
        };
        Some(CounterOp { position: *position, increment: small(increment)?, limit })
    };
    steps.iter().map(step).collect()
}
