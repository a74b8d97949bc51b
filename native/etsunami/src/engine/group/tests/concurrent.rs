//! Readers on real threads against one writer.

use super::*;
use crate::reclaim::pin;
use crate::sync::{Arc, AtomicUsize, thread};

/// These values are in the group before the readers start, and are never removed.
const LASTING: u64 = 6;
const CHANGES: u64 = 4000;

struct Slot {
    word: AtomicUsize,
    done: AtomicBool,
    groups: Groups<Integers>,
}

impl Slot {
    /// Acquire: pairs with the release in `change`.
    fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// The one writer's change: made, perhaps undone, and made again and stored.
    fn change(&self, undo: bool, make: impl Fn(Word) -> Word) {
        let (guard, old) = (pin(), self.word());
        if undo {
            // SAFETY: the word is the newest one, and nobody has seen what was made of it.
            unsafe { self.groups.rollback(&guard, old, make(old)) };
        }
        let new = make(old);
        self.word.store(new.0, Ordering::Release);
        // SAFETY: `new` was made from `old` and took its place.
        unsafe { self.groups.superseded(&guard, old, new) };
    }

    /// Appends a pair of values at once.
    fn append_pair(&self, value: u64, undo: bool) {
        self.change(undo, |old| {
            let pair = [Object::leak(value), Object::leak(value + 1)];
            let refused = |_| panic!("not there yet");
            // SAFETY: the word is the newest one.
            unsafe { self.groups.append_many(old, &pair, Repeats::Refuse, refused) }
        });
    }

    /// Removes all pairs from `value` to before `end` at once.
    fn remove_pairs(&self, value: u64, end: u64, undo: bool) {
        self.change(undo, |old| {
            let guard = pin();
            // SAFETY: the word is the newest one.
            let all = unsafe { members(old, &guard) };
            let gone = all.filter(|&(_, object)| (value..end).contains(&Object::value(object)));
            let gone: Vec<u64> = gone.map(|(number, _)| number).collect();
            // SAFETY: the word is the newest one, and the numbers were read from it.
            match unsafe { self.groups.remove_numbers(old, &gone) } {
                Removed::Unchanged => old,
                Removed::Word { word, .. } => word,
            }
        });
    }
}

/// Pairs come and go; the group grows to hundreds of members and shrinks to the lasting ones.
fn write(slot: &Slot) {
    let (mut low, mut high) = (LASTING, LASTING);
    for i in 0..CHANGES {
        let undo = i % 7 == 3;
        match i % 400 {
            0..300 => {
                slot.append_pair(high, undo);
                high += 2;
                if i % 3 == 1 {
                    slot.remove_pairs(low, low + 2, undo);
                    low += 2;
                }
            }
            300..398 => {
                slot.remove_pairs(low, low + 2, undo);
                low += 2;
            }
            _ => {
                slot.remove_pairs(low, high, undo);
                low = high;
            }
        }
    }
    slot.done.store(true, Ordering::Release);
}

/// One word is one state: no pair is torn, values are in the order in which they came.
fn read_at_once(slot: &Slot) {
    let guard = pin();
    let seen = values(slot.word(), &guard);
    assert!(seen.is_sorted());
    let pairs = seen.iter().filter(|&&value| value >= LASTING);
    assert!(pairs.collect::<Vec<_>>().chunks(2).all(|pair| *pair[0] + 1 == *pair[1]));
    assert_eq!(seen.iter().filter(|&&value| value < LASTING).count() as u64, LASTING);
}

/// A scan with a new guard for each few members: it meets each lasting one once.
fn read_in_chunks(slot: &Slot) {
    let (mut from, mut seen) = (0, Vec::new());
    loop {
        let guard = pin();
        // SAFETY: the word was loaded under this guard.
        let chunk: Vec<_> = unsafe { members_from(slot.word(), from, &guard) }.take(7).collect();
        let Some(&(last, _)) = chunk.last() else { break };
        seen.extend(chunk.iter().map(|&(_, object)| Object::value(object)));
        from = last + 1;
    }
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert_eq!(seen.iter().filter(|&&value| value < LASTING).count() as u64, LASTING);
}

#[test]
fn readers_see_whole_states_while_a_writer_works() {
    let slot = Arc::new(Slot {
        word: AtomicUsize::new(0),
        done: AtomicBool::new(false),
        groups: Groups::new(Integers),
    });
    (0..LASTING).step_by(2).for_each(|value| slot.append_pair(value, false));
    let readers: Vec<_> = [read_at_once, read_in_chunks]
        .into_iter()
        .map(|read| {
            let slot = slot.clone();
            thread::spawn(move || {
                while !slot.done.load(Ordering::Acquire) {
                    read(&slot);
                }
            })
        })
        .collect();
    write(&slot);
    readers.into_iter().for_each(|reader| reader.join().expect("a reader"));
    read_at_once(&slot);
    // SAFETY: the readers are gone.
    unsafe { Groups::<Integers>::release(slot.word()) };
}
