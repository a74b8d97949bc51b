//! Batches over a tiny engine: an array of slots, each with its lock.

#[cfg(loom)]
mod loom_batch;
#[cfg(not(loom))]
mod protocol;

use super::{Batch, BatchTarget, Helped, Placed, Settled, help, key_word, resolve, settle};
use crate::engine::{Change, Delta, Spot, Word};
use crate::reclaim::{Collector, Guard};
use crate::sync::{Arc, AtomicI64, AtomicUsize, Mutex, Ordering, thread};
use std::pin::Pin;

/// A stored object. Never freed before the end of a test; its ends are counted instead.
#[derive(Default)]
struct Object {
    key: usize,
    value: usize,
    retired: AtomicUsize,
    freed: AtomicUsize,
}

/// Counts an object as freed.
///
/// # Safety
/// `ptr` points to a live [`Object`].
unsafe fn count_freed(ptr: *mut u8) {
    // SAFETY: promised by the caller.
    unsafe { &*ptr.cast::<Object>() }.freed.fetch_add(1, Ordering::Relaxed);
}

/// The object behind a plain word.
fn object<'a>(word: Word) -> &'a Object {
    // SAFETY: the tests keep all objects until their end; plain words point to objects.
    unsafe { &*std::ptr::with_exposed_provenance::<Object>(word.0) }
}

/// One key's slot.
struct Slot {
    lock: Mutex<()>,
    word: AtomicUsize,
}

/// The engine, and whatever was ever stored in it.
struct Table {
    collector: Collector,
    slots: Vec<Slot>,
    objects: Mutex<Vec<Pin<Box<Object>>>>,
    size: AtomicI64,
}

impl Table {
    fn new(keys: usize) -> Arc<Table> {
        let slot = |_| Slot { lock: Mutex::new(()), word: AtomicUsize::new(0) };
        Arc::new(Table {
            collector: Collector::new(),
            slots: (0..keys).map(slot).collect(),
            objects: Mutex::new(Vec::new()),
            size: AtomicI64::new(0),
        })
    }

    /// A new object, not stored yet.
    fn object(&self, key: usize, value: usize) -> Word {
        let object = Box::pin(Object { key, value, ..Object::default() });
        let word = Word(std::ptr::from_ref(&*object).expose_provenance());
        self.objects.lock().unwrap().push(object);
        word
    }

    fn update(&self, key: usize, change: &mut dyn FnMut(Option<Word>) -> (Change, Delta)) {
        let slot = &self.slots[key];
        let _locked = slot.lock.lock().unwrap();
        let word = Word(slot.word.load(Ordering::Relaxed));
        let (change, delta) = change((!word.is_empty()).then_some(word));
        match change {
            Change::Keep => {}
            Change::Put(word) => slot.word.store(word.0, Ordering::Release),
            Change::Remove => slot.word.store(0, Ordering::Release),
        }
        self.size.fetch_add(delta.objects, Ordering::Relaxed);
    }

    /// A reader: the value of a key.
    fn get(&self, key: usize, _guard: &Guard) -> Option<usize> {
        let word = Word(self.slots[key].word.load(Ordering::Acquire));
        // SAFETY: loaded under the guard.
        let (visible, named) = unsafe { (resolve(word), key_word(word)) };
        if named.is_empty() {
            return None;
        }
        assert_eq!(object(named).key, key, "the slot's key");
        (!visible.is_empty()).then(|| {
            let object = object(visible);
            assert_eq!(object.freed.load(Ordering::Relaxed), 0, "freed under a guard");
            object.value
        })
    }

    fn retire(&self, guard: &Guard, word: Word) {
        let before = object(word).retired.fetch_add(1, Ordering::Relaxed);
        assert_eq!(before, 0, "retired twice");
        let ptr = std::ptr::with_exposed_provenance_mut(word.0);
        // SAFETY: the counters have just told that this is the only time.
        unsafe { guard.retire(ptr, count_freed, 1) };
    }

    /// Takes back an object that nobody has seen.
    fn undo(&self, guard: &Guard, visible: Word, undone: Word) {
        let key = object(undone).key;
        assert!(visible.is_empty() || object(visible).key == key, "one slot, one key");
        assert!(self.slots[key].lock.try_lock().is_err(), "the slot is locked");
        self.retire(guard, undone);
    }

    /// A single-key writer: puts a new object, or removes the key. `help` when it is blocked.
    fn write(&self, key: usize, new: Word, guard: &Guard) {
        loop {
            let mut blocked = None;
            let mut lost = [Word::EMPTY; 2];
            self.update(key, &mut |current| {
                let word = current.unwrap_or(Word::EMPTY);
                // SAFETY: the slot is locked, and we are pinned.
                lost = match unsafe { settle(word) } {
                    Settled::Plain(visible) => [visible, Word::EMPTY],
                    Settled::Decided { visible, loser, committed: false } => {
                        if !loser.is_empty() {
                            self.undo(guard, visible, loser);
                        }
                        [visible, Word::EMPTY]
                    }
                    Settled::Decided { visible, loser, .. } => [visible, loser],
                    Settled::Pending => {
                        blocked = Some(word);
                        return (Change::Keep, Delta::ZERO);
                    }
                };
                let objects = i64::from(!new.is_empty()) - i64::from(!lost[0].is_empty());
                let change = if new.is_empty() { Change::Remove } else { Change::Put(new) };
                (change, Delta { objects, words: 0 })
            });
            lost.into_iter().filter(|word| !word.is_empty()).for_each(|w| self.retire(guard, w));
            match blocked {
                None => return,
                // SAFETY: found in a slot under the guard.
                Some(word) => match unsafe { help(word, guard, &mut 8) } {
                    Helped::Cleared => {}
                    Helped::More | Helped::Busy => thread::yield_now(),
                },
            }
        }
    }

    /// At the end, when no batch is left: each object is in its slot or was retired, never both,
    /// and the size is right.
    fn check(&self) {
        let stored = self.slots.iter().map(|slot| slot.word.load(Ordering::Acquire));
        let stored: Vec<usize> = stored.filter(|&word| word != 0).collect();
        assert!(stored.iter().all(|&word| !Word(word).is_version()), "a node was left");
        for object in self.objects.lock().unwrap().iter() {
            let word = std::ptr::from_ref(&**object).expose_provenance();
            let ends = usize::from(stored.contains(&word)) + object.retired.load(Ordering::Relaxed);
            assert_eq!(ends, 1, "key {} value {}", object.key, object.value);
        }
        assert_eq!(self.size.load(Ordering::Relaxed), stored.len() as i64);
    }
}

/// What the list does with keys that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Replace,
    Refuse,
    #[cfg(not(loom))]
    Skip,
}

/// A list of objects to insert; the first belongs to key 0, and so on.
struct List {
    table: Arc<Table>,
    entries: Vec<(usize, AtomicUsize)>,
    policy: Policy,
    /// The answer to whether the table is still there.
    valid: fn() -> bool,
}

impl List {
    fn new(table: &Arc<Table>, keys: &[usize], value: usize, policy: Policy) -> List {
        let entry = |&key: &usize| (key, AtomicUsize::new(table.object(key, value).0));
        let entries = keys.iter().map(entry).collect();
        List { table: table.clone(), entries, policy, valid: || true }
    }
}

// SAFETY: `Table::update` has the properties; `place` gives the entry's own object.
unsafe impl BatchTarget for List {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn update(
        &self,
        index: usize,
        _guard: &Guard,
        change: &mut dyn FnMut(Option<Word>) -> (Change, Delta),
    ) -> Spot {
        let key = self.entries[index].0;
        self.table.update(key, change);
        // The addresses of slots are not needed here.
        Spot { node: 1, slot: key }
    }

    unsafe fn exchange(
        &self,
        _guard: &Guard,
        spot: Spot,
        [old, new]: [Word; 2],
        stays: &dyn Fn() -> bool,
    ) -> bool {
        let mut done = false;
        self.table.update(spot.slot, &mut |current| {
            done = current == Some(old);
            assert!(!done || stays(), "displaced, but there");
            (if done { Change::Put(new) } else { Change::Keep }, Delta::ZERO)
        });
        done
    }

    fn place(&self, index: usize, visible: Word) -> Placed {
        match self.policy {
            Policy::Refuse if !visible.is_empty() => Placed::Refuse,
            #[cfg(not(loom))]
            Policy::Skip if !visible.is_empty() => Placed::Skip,
            _ => {
                let word = Word(self.entries[index].1.swap(0, Ordering::Relaxed));
                assert!(!word.is_empty(), "placed twice");
                let delta = Delta { objects: i64::from(visible.is_empty()), words: 0 };
                Placed::Put { word, delta }
            }
        }
    }

    fn is_valid(&self, _guard: &Guard) -> bool {
        (self.valid)()
    }

    fn committed(&self, _guard: &Guard, delta: Delta) {
        self.table.size.fetch_add(delta.objects, Ordering::Relaxed);
    }

    fn retire(&self, guard: &Guard, loser: Word, survivor: Word) {
        assert_ne!(loser, survivor);
        self.table.retire(guard, loser);
    }

    fn undo(&self, guard: &Guard, visible: Word, undone: Word) {
        self.table.undo(guard, visible, undone);
    }
}

impl Drop for List {
    fn drop(&mut self) {
        for (_, word) in &self.entries {
            let word = Word(word.load(Ordering::Relaxed));
            if !word.is_empty() {
                object(word).retired.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
