//! Groups against a vector, one change after another.

use std::collections::HashMap;

use super::*;
use crate::reclaim::{Collector, Flushed, Local};
use proptest::prelude::*;

/// A change of the group.
#[derive(Clone, Debug)]
enum Change {
    Append(u64),
    /// So many values in a row, from this one on.
    AppendMany(u64, usize),
    /// The same in two parts, while a batch is pending.
    AppendMore(u64, usize),
    RemoveEqual(u64),
    /// All members whose place, in units of the step, is in this part of the group: from the
    /// begin, in percent, so many percent.
    RemovePart {
        step: usize,
        begin: usize,
        part: usize,
    },
    /// The member at this place, in percent, by a new object of this value. It cannot be undone.
    Replace(usize, u64),
    Discard,
}

#[derive(Clone, Debug)]
struct Step {
    change: Change,
    after: After,
}

/// What becomes of a change.
#[derive(Clone, Copy, Debug)]
enum After {
    Stored,
    Undone,
    /// Undone, made again, and stored.
    MadeAgain,
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..40u64).prop_map(Change::Append),
        4 => (0..2000u64, 1..30usize).prop_map(|(from, n)| Change::AppendMany(from, n)),
        4 => (0..2000u64, 1..150usize).prop_map(|(from, n)| Change::AppendMore(from, n)),
        2 => (0..2000u64, 100..700usize).prop_map(|(from, n)| Change::AppendMany(from, n)),
        6 => (0..2000u64).prop_map(Change::RemoveEqual),
        6 => (0..40u64).prop_map(Change::RemoveEqual),
        4 => (1..5usize, 0..100usize, 0..100usize)
            .prop_map(|(step, begin, part)| Change::RemovePart { step, begin, part }),
        1 => Just(Change::Discard),
    ]
}

/// Bags have no replacement.
fn steps(repeats: Repeats) -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![
        8 => Just(After::Stored),
        1 => Just(After::Undone),
        1 => Just(After::MadeAgain),
    ];
    let replace = (0..100usize, 0..40u64).prop_map(|(place, value)| Change::Replace(place, value));
    let replace = replace.prop_map(|change| Step { change, after: After::Stored });
    let step = (changes(), after).prop_map(|(change, after)| Step { change, after });
    let weight = if repeats == Repeats::Allow { 6 } else { 0 };
    let step = prop_oneof![36 => step, weight => replace];
    prop::collection::vec(step, 1..60)
}

/// The group, what it should hold, and all objects ever made for it.
struct Subject {
    groups: Groups<Integers>,
    repeats: Repeats,
    word: Word,
    /// Addresses, in order.
    expected: Vec<usize>,
    numbers: HashMap<usize, u64>,
    made: Vec<usize>,
    /// Objects that were refused, and so belong to nobody.
    refused: Vec<usize>,
    local: Local,
    collector: Collector,
}

impl Subject {
    fn new(repeats: Repeats) -> Subject {
        let collector = Collector::new();
        Subject {
            groups: Groups::new(Integers),
            repeats,
            word: Word::EMPTY,
            expected: Vec::new(),
            numbers: HashMap::new(),
            made: Vec::new(),
            refused: Vec::new(),
            local: collector.register(),
            collector,
        }
    }

    fn object(&mut self, value: u64) -> usize {
        let object = Object::leak(value);
        self.made.push(object);
        object
    }

    fn expects(&self, expected: &[usize], value: u64) -> bool {
        expected.iter().any(|&object| Object::value(object) == value)
    }

    /// Makes a change; gives the new word and what it should hold.
    fn change(&mut self, change: &Change, guard: &Guard) -> (Word, Vec<usize>) {
        match *change {
            Change::Append(value) => self.append(value),
            Change::AppendMany(from, n) => self.append_many(from, n, usize::MAX, guard),
            Change::AppendMore(from, n) => self.append_many(from, n, n / 3, guard),
            Change::RemoveEqual(value) => self.remove_equal(value),
            Change::RemovePart { step, begin, part } => self.remove_part(step, begin, part),
            Change::Replace(place, value) => self.replace(place, value),
            Change::Discard => (Word::EMPTY, Vec::new()),
        }
    }

    fn append(&mut self, value: u64) -> (Word, Vec<usize>) {
        let (object, mut expected) = (self.object(value), self.expected.clone());
        let known = self.repeats == Repeats::Refuse && self.expects(&expected, value);
        // SAFETY: the word is the newest one, of this thread alone.
        match unsafe { self.groups.append(self.word, object, self.repeats) } {
            Append::Duplicate => {
                assert!(known);
                self.refused.push(object);
                (self.word, expected)
            }
            Append::Word(word) => {
                assert!(!known);
                expected.push(object);
                (word, expected)
            }
        }
    }

    /// Appends in chunks of a size.
    fn append_many(
        &mut self,
        from: u64,
        n: usize,
        chunk: usize,
        guard: &Guard,
    ) -> (Word, Vec<usize>) {
        // Some values stand in the list twice.
        let objects: Vec<usize> =
            (0..n as u64).map(|i| self.object(from + if i % 5 == 4 { i - 1 } else { i })).collect();
        let (mut expected, mut refused) = (self.expected.clone(), Vec::new());
        for &object in &objects {
            let known = self.expects(&expected, Object::value(object));
            if self.repeats == Repeats::Refuse && known {
                refused.push(object);
            } else {
                expected.push(object);
            }
        }
        let (mut said, mut word) = (Vec::new(), self.word);
        for part in objects.chunks(chunk.max(1)) {
            let note = |place: usize| said.push(part[place]);
            // SAFETY: the word is the newest one, of this thread alone, as is what is made of it.
            word = unsafe {
                match chunk {
                    usize::MAX => self.groups.append_many(word, part, self.repeats, note),
                    _ => self.groups.append_more(guard, self.word, word, part, self.repeats, note),
                }
            };
        }
        assert_eq!(said, refused);
        self.refused.extend(refused);
        (word, expected)
    }

    fn remove_equal(&mut self, value: u64) -> (Word, Vec<usize>) {
        let probe = self.object(value);
        self.refused.push(probe);
        let mut expected = self.expected.clone();
        expected.retain(|&object| Object::value(object) != value);
        // SAFETY: the word is the newest one, of this thread alone.
        let (removed, known) = unsafe {
            let known = has_equal(&self.groups, self.word, probe);
            (self.groups.remove_equal(self.word, probe), known)
        };
        assert_eq!(known, expected.len() < self.expected.len());
        (self.removed(removed, &expected), expected)
    }

    fn remove_part(&mut self, step: usize, begin: usize, part: usize) -> (Word, Vec<usize>) {
        let len = self.expected.len();
        let (from, to) = (len * begin / 100, len * (begin + part).min(100) / 100);
        let goes = |place: &usize| (from..to).contains(place) && place.is_multiple_of(step);
        let numbers: Vec<u64> =
            (0..len).filter(goes).map(|place| self.numbers[&self.expected[place]]).collect();
        let expected: Vec<usize> =
            (0..len).filter(|place| !goes(place)).map(|place| self.expected[place]).collect();
        // SAFETY: the word is the newest one, of this thread alone.
        let removed = unsafe { self.groups.remove_numbers(self.word, &numbers) };
        (self.removed(removed, &expected), expected)
    }

    fn replace(&mut self, place: usize, value: u64) -> (Word, Vec<usize>) {
        let mut expected = self.expected.clone();
        if expected.is_empty() {
            return (self.word, expected);
        }
        let (place, object) = (expected.len() * place / 100, self.object(value));
        let (old, number) = (expected[place], self.numbers[&expected[place]]);
        // SAFETY: the word is the newest one, of this thread alone.
        unsafe {
            assert_eq!(member(self.word, number), Some(old));
            assert_eq!(self.groups.replace(self.word, u64::MAX, object), None);
            let word = self.groups.replace(self.word, number, object).unwrap();
            expected[place] = object;
            self.numbers.insert(object, number);
            (word, expected)
        }
    }

    fn removed(&self, removed: Removed, expected: &[usize]) -> Word {
        let gone = self.expected.len() - expected.len();
        match removed {
            Removed::Unchanged => {
                assert_eq!(gone, 0);
                self.word
            }
            Removed::Word { word, objects } => {
                assert_eq!(objects, gone);
                word
            }
        }
    }

    /// One step: a change, which is taken back or stored.
    fn step(&mut self, step: &Step) {
        let guard = self.local.pin();
        let (old, before) = (self.word, self.expected.clone());
        let (new, expected) = self.change(&step.change, &guard);
        check(new, &expected, &guard);
        check(old, &before, &guard);
        // SAFETY: `new` was made from `old`, and both are of this thread alone.
        unsafe {
            match step.after {
                After::Stored => {
                    self.word = new;
                    self.expected = expected;
                    self.groups.superseded(&guard, old, new);
                }
                After::Undone | After::MadeAgain => self.groups.rollback(&guard, old, new),
            }
        }
        check(old, &before, &guard);
        self.check_numbers(&guard);
        if let After::MadeAgain = step.after {
            self.step(&Step { change: step.change.clone(), after: After::Stored });
        }
    }

    /// Numbers do not change, and chunks of any length make up the whole.
    fn check_numbers(&mut self, guard: &Guard) {
        let (mut from, mut seen) = (0, Vec::new());
        // SAFETY: the word is the newest one.
        while let Some((number, object)) = unsafe { members_from(self.word, from, guard) }.next() {
            seen.push((object, number));
            from = number + 1;
        }
        for &(object, number) in &seen {
            assert_eq!(*self.numbers.entry(object).or_insert(number), number);
        }
        assert_eq!(seen.len(), self.expected.len());
        self.numbers = seen.into_iter().collect();
    }

    /// Everything is freed once, and not before its time.
    fn finish(self, release: bool) {
        check(self.word, &self.expected, &self.local.pin());
        if release {
            // SAFETY: the word is of this thread alone.
            unsafe { Groups::<Integers>::release(self.word) };
        } else {
            // SAFETY: as above.
            unsafe { self.groups.discard(&self.local.pin(), self.word) };
        }
        drop(self.local);
        drop(self.collector);
        assert_eq!(crate::reclaim::flush(), Flushed::Done, "large groups are freed by jobs");
        for object in self.made {
            assert_ne!(Object::is_freed(object), self.refused.contains(&object));
        }
    }
}

fn check(word: Word, expected: &[usize], guard: &Guard) {
    // SAFETY: the callers hold a guard since before the word was superseded.
    unsafe {
        let objects: Vec<usize> = members(word, guard).map(|(_, object)| object).collect();
        assert_eq!(objects, expected);
        objects.iter().for_each(|&object| assert_ne!(Object::value(object), u64::MAX));
        assert_eq!(len(word), expected.len());
        assert_eq!(first(word), expected.first().copied().unwrap_or(0));
        let words: usize = expected.iter().map(|&object| Integers::words(object)).sum();
        let overhead = overhead_words(expected.len());
        assert_eq!(Groups::<Integers>::memory_words(word), words + overhead);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_bag_is_a_vector_without_repeats(steps in steps(Repeats::Refuse), release: bool) {
        let mut subject = Subject::new(Repeats::Refuse);
        steps.iter().for_each(|step| subject.step(step));
        subject.finish(release);
    }

    #[test]
    fn a_duplicate_bag_is_a_vector(steps in steps(Repeats::Allow), release: bool) {
        let mut subject = Subject::new(Repeats::Allow);
        steps.iter().for_each(|step| subject.step(step));
        subject.finish(release);
    }
}
