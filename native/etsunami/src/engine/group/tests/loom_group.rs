//! The races of groups. Arrays hold two members here and blocks two numbers, so that a few
//! objects reach the trie.

use super::*;
use crate::reclaim::Collector;
use crate::sync::{Arc, AtomicUsize, thread};

/// A slot, as an engine has it, and the groups of its table.
struct Slot {
    word: AtomicUsize,
    groups: Groups<Integers>,
}

impl Slot {
    /// A slot with the members 0 to `n` - 1. One writer at a time, from here on.
    fn new(n: u64) -> Slot {
        let slot = Slot { word: AtomicUsize::new(0), groups: Groups::new(Integers) };
        for value in 0..n {
            let word = slot.word();
            let Append::Word(new) = slot.append(word, value) else { panic!("not there yet") };
            slot.word.store(new.0, Ordering::Relaxed);
            // The old word is left to the end of the process: no other thread is there yet to
            // hold it back, but no guard either to retire it with.
        }
        slot
    }

    /// Acquire: pairs with the release in `publish`, as in the engines.
    fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    fn append(&self, word: Word, value: u64) -> Append {
        // SAFETY: each model has one writer, and it passes the newest word.
        unsafe { self.groups.append(word, Object::leak(value), Repeats::Refuse) }
    }

    fn remove(&self, word: Word, value: u64) -> Word {
        // SAFETY: as above.
        match unsafe { self.groups.remove_equal(word, Object::leak(value)) } {
            Removed::Unchanged => panic!("it was there"),
            Removed::Word { word, .. } => word,
        }
    }

    fn publish(&self, guard: &Guard, old: Word, new: Word) {
        self.word.store(new.0, Ordering::Release);
        // SAFETY: `new` was made from `old` and took its place.
        unsafe { self.groups.superseded(guard, old, new) };
    }
}

fn check(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(body);
}

/// A writer makes two changes while a reader reads twice: the reader sees whole states, and never
/// an older one after a newer one.
fn reader_sees_states(
    members: u64,
    first: fn(&Slot, Word) -> Word,
    second: fn(&Slot, Word) -> Word,
    states: &'static [&'static [u64]],
) {
    check(3, move || {
        let collector = Collector::new();
        let slot = Arc::new(Slot::new(members));
        let reader = {
            let (slot, collector) = (slot.clone(), collector.clone());
            thread::spawn(move || {
                let local = collector.register();
                let mut at = 0;
                for _ in 0..2 {
                    let guard = local.pin();
                    let word = slot.word();
                    let seen = values(word, &guard);
                    at += states[at..].iter().position(|&state| state == seen).expect("a state");
                    assert_eq!(values(word, &guard), seen, "a word does not change");
                }
            })
        };
        let local = collector.register();
        for change in [first, second] {
            let guard = local.pin();
            let old = slot.word();
            let new = change(&slot, old);
            slot.publish(&guard, old, new);
        }
        local.seal();
        // Enough to free everything, unless the reader holds it back.
        (0..3).for_each(|_| collector.collect());
        reader.join().expect("the reader");
    });
}

fn appended(slot: &Slot, word: Word, value: u64) -> Word {
    match slot.append(word, value) {
        Append::Word(word) => word,
        Append::Duplicate => panic!("not there yet"),
    }
}

#[test]
fn loom_group_append_into_the_tail_against_reader() {
    reader_sees_states(
        3,
        |slot, word| appended(slot, word, 3),
        |slot, word| appended(slot, word, 4),
        &[&[0, 1, 2], &[0, 1, 2, 3], &[0, 1, 2, 3, 4]],
    );
}

#[test]
fn loom_group_array_becomes_large_against_reader() {
    reader_sees_states(
        2,
        |slot, word| appended(slot, word, 2),
        |slot, word| slot.remove(word, 0),
        &[&[0, 1], &[0, 1, 2], &[1, 2]],
    );
}

#[test]
fn loom_group_removal_against_reader_of_the_old_view() {
    reader_sees_states(
        5,
        |slot, word| slot.remove(word, 4),
        |slot, word| slot.remove(word, 1),
        &[&[0, 1, 2, 3, 4], &[0, 1, 2, 3], &[0, 2, 3]],
    );
}

/// Members of two blocks of the trie and of the tail go in one change.
#[test]
fn loom_group_removal_of_several_against_reader() {
    reader_sees_states(
        6,
        |slot, word| {
            // SAFETY: as in `Slot::append`.
            match unsafe { slot.groups.remove_numbers(word, &[0, 1, 3, 5]) } {
                Removed::Unchanged => panic!("they were there"),
                Removed::Word { word, .. } => word,
            }
        },
        |slot, word| appended(slot, word, 6),
        &[&[0, 1, 2, 3, 4, 5], &[2, 4], &[2, 4, 6]],
    );
}

fn replaced(slot: &Slot, word: Word, number: u64, value: u64) -> Word {
    // SAFETY: as in `Slot::append`.
    unsafe { slot.groups.replace(word, number, Object::leak(value)) }.expect("a member")
}

#[test]
fn loom_group_replacement_in_the_tail_against_reader() {
    reader_sees_states(
        3,
        |slot, word| replaced(slot, word, 2, 7),
        |slot, word| appended(slot, word, 3),
        &[&[0, 1, 2], &[0, 1, 7], &[0, 1, 7, 3]],
    );
}

#[test]
fn loom_group_replacement_in_the_trie_against_reader() {
    reader_sees_states(
        5,
        |slot, word| replaced(slot, word, 1, 8),
        |slot, word| replaced(slot, word, 0, 9),
        &[&[0, 1, 2, 3, 4], &[0, 8, 2, 3, 4], &[9, 8, 2, 3, 4]],
    );
}

#[test]
fn loom_group_number_of_an_undone_append_is_used_again() {
    reader_sees_states(
        3,
        |slot, word| {
            let undone = appended(slot, word, 9);
            let guard = crate::reclaim::pin();
            // SAFETY: `undone` was made from `word`, and nobody else has seen it.
            unsafe { slot.groups.rollback(&guard, word, undone) };
            appended(slot, word, 3)
        },
        |slot, word| slot.remove(word, 2),
        &[&[0, 1, 2], &[0, 1, 2, 3], &[0, 1, 3]],
    );
}
