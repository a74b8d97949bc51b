//! Models of list inserts into a skip list: new keys stand in it before the decision.

use super::Tall;
use crate::engine::batch::{self, Batch, BatchTarget, Outcome, Placed, Progress};
use crate::engine::skip_list::SkipList;
use crate::engine::{Change, Delta, OrderSchema, Spot, Word};
use crate::reclaim::{self, Guard};
use crate::sync::{Arc, Counters, thread};
use std::cmp::Ordering as Order;
use std::ops::Bound;

/// Plain words point to numbers, which are their keys. They are freed by nobody.
struct Numbers;

fn number(word: Word) -> u64 {
    // SAFETY: the models follow words under the guard that they got them with.
    let plain = unsafe { batch::key_word(word) };
    // SAFETY: a plain word is the address of a number that is leaked.
    unsafe { *(plain.0 as *const u64) }
}

fn word(key: u64) -> Word {
    Word(Box::into_raw(Box::new(key)) as usize)
}

// SAFETY: keys are integers in their natural order; all prefixes are equal.
unsafe impl OrderSchema for Numbers {
    type Key = u64;
    type Separator = u64;

    fn prefix(&self, _key: &u64) -> u64 {
        0
    }
    unsafe fn prefix_of(&self, _word: Word) -> u64 {
        0
    }
    type Stem = ();
    fn stem(&self, _low: &u64, _high: &u64) -> Option<()> {
        None
    }
    fn compare_stem(&self, _key: &u64, _with: &u64, _stem: ()) -> Order {
        Order::Equal
    }
    fn prefix_behind(&self, _key: &u64, _stem: ()) -> u64 {
        0
    }
    unsafe fn prefix_of_behind(&self, _word: Word, _stem: ()) -> u64 {
        0
    }
    unsafe fn compare(&self, key: &u64, word: Word) -> Order {
        key.cmp(&number(word))
    }
    unsafe fn compare_words(&self, a: Word, b: Word) -> Order {
        number(a).cmp(&number(b))
    }
    fn compare_keys(&self, a: &u64, b: &u64) -> Order {
        a.cmp(b)
    }
    unsafe fn separator(&self, word: Word) -> u64 {
        number(word)
    }
    fn separator_key<'a>(&self, separator: &'a u64) -> &'a u64 {
        separator
    }
    unsafe fn release(&self, _word: Word) {}
}

type List = SkipList<Numbers, Tall>;

/// Inserts these keys, all or none.
struct Insert {
    list: Arc<List>,
    keys: &'static [u64],
    valid: bool,
}

// SAFETY: `SkipList::update` has the properties, and `place` gives a word with the entry's key.
unsafe impl BatchTarget for Insert {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn update(
        &self,
        index: usize,
        guard: &Guard,
        change: &mut dyn FnMut(Option<Word>) -> (Change, Delta),
    ) -> Spot {
        self.list.update(guard, &self.keys[index], |current| {
            let (change, delta) = change(current);
            (change, delta, Spot::NONE)
        })
    }

    unsafe fn exchange(
        &self,
        _guard: &Guard,
        _spot: Spot,
        _words: [Word; 2],
        _stays: &dyn Fn() -> bool,
    ) -> bool {
        false
    }

    fn place(&self, index: usize, visible: Word) -> Placed {
        assert!(visible.is_empty());
        let delta = Delta { objects: 1, words: 0 };
        Placed::Put { word: word(self.keys[index]), delta }
    }

    fn is_valid(&self, _guard: &Guard) -> bool {
        self.valid
    }

    fn committed(&self, guard: &Guard, delta: Delta) {
        self.list.counters().add(guard.stripe(), delta.objects, delta.words);
    }

    fn retire(&self, _guard: &Guard, _loser: Word, _survivor: Word) {}

    fn undo(&self, _guard: &Guard, _visible: Word, _undone: Word) {}
}

fn insert(list: &Arc<List>, keys: &'static [u64], valid: bool) -> Outcome {
    let guard = reclaim::pin();
    let batch = Batch::new(Insert { list: list.clone(), keys, valid });
    loop {
        if let Progress::Done(outcome) = batch.run(&guard, &mut 100) {
            batch.retire(&guard);
            return outcome;
        }
        thread::yield_now();
    }
}

fn is_visible(word: Word) -> bool {
    // SAFETY: the list asks about words that it loaded under the caller's guard.
    !unsafe { batch::resolve(word) }.is_empty()
}

fn model(race: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 4000;
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(race);
}

/// Runs a batch beside a reader.
fn batch_against(keys: &'static [u64], valid: bool, reader: fn(&List, &Guard)) {
    model(move || {
        let list = Arc::new(List::new(Numbers, Counters::new(1)));
        let other = list.clone();
        let side = thread::spawn(move || reader(&other, &reclaim::pin()));
        let outcome = insert(&list, keys, valid);
        assert_eq!(outcome.is_committed(), valid);
        side.join().expect("the reader failed");
        let guard = reclaim::pin();
        let mut left = Vec::new();
        list.scan(&guard, Bound::Unbounded, crate::engine::Direction::Ascending, 9, &mut left);
        let left_keys: Vec<u64> = left.iter().map(|&word| number(word)).collect();
        assert_eq!(left_keys, if valid { keys } else { &[] });
        assert!(left.iter().all(|word| !word.is_version()), "a node was left");
    });
}

#[test]
fn loom_skip_batch_against_get() {
    batch_against(&[1, 2], true, |list, guard| {
        let seen = [2, 1].map(|key| list.get(guard, &key).is_some_and(is_visible));
        assert!(seen != [true, false], "new, then old");
    });
}

#[test]
fn loom_skip_batch_against_next_and_prev() {
    batch_against(&[1, 2], true, |list, guard| {
        // Neither is a snapshot: one may pass a key before the decision, and come to the other
        // after it. But then the decision has been seen.
        let last = list.prev(guard, Bound::Unbounded, is_visible).map(number);
        let first = list.next(guard, Bound::Unbounded, is_visible).map(number);
        assert!(last.is_none() || first == Some(1), "{first:?} after {last:?}");
    });
}

#[test]
fn loom_skip_batch_that_does_not_commit_against_reads() {
    batch_against(&[1], false, |list, guard| {
        assert!(!list.get(guard, &1).is_some_and(is_visible));
        assert!(list.prev(guard, Bound::Included(&2), is_visible).is_none());
    });
}
