//! Where shapes stand, and how they are found and taken in.

use super::super::hash::fold;
use super::super::layout::immediate;
use super::{MAX_KEYS, Shape};
use crate::sync::weaken::{Weak, weakened};
use crate::sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, UnsafeCell};

/// How far from its home a shape may stand in the index.
const PROBES: usize = 16;

/// Room for shapes: so many words of keys, slots of the index and counters of sights. The latter
/// two are powers of two.
pub(super) struct Room<const WORDS: usize, const SLOTS: usize, const SIGHTS: usize> {
    words: [UnsafeCell<u64>; WORDS],
    /// The upper half of the keys' hash, and the shape; 0 if empty.
    index: [AtomicU64; SLOTS],
    /// Fingerprint and count (8 bits).
    sights: [AtomicU64; SIGHTS],
    /// How often a shape has to be seen before it is taken.
    needed: AtomicU32,
    used: Mutex<Used>,
}

/// What is taken.
#[derive(Clone, Copy)]
struct Used {
    words: usize,
    shapes: usize,
}

/// In place of the sights that are needed: there is no room left.
const FULL: u32 = u32::MAX;

// SAFETY: a word is written once, by who holds the lock, and read only by who has its
// shape, which is published after that.
unsafe impl<const WORDS: usize, const SLOTS: usize, const SIGHTS: usize> Sync
    for Room<WORDS, SLOTS, SIGHTS>
{
}

impl<const WORDS: usize, const SLOTS: usize, const SIGHTS: usize> Room<WORDS, SLOTS, SIGHTS> {
    /// No shapes. (No shape stands at word 0, so that no slot that is used is 0.)
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Room {
            words: [const { UnsafeCell::new(0) }; WORDS],
            index: [const { AtomicU64::new(0) }; SLOTS],
            sights: [const { AtomicU64::new(0) }; SIGHTS],
            needed: AtomicU32::new(1),
            used: Mutex::new(Used { words: 1, shapes: 0 }),
        }
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Room {
            words: std::array::from_fn(|_| UnsafeCell::new(0)),
            index: std::array::from_fn(|_| AtomicU64::new(0)),
            sights: std::array::from_fn(|_| AtomicU64::new(0)),
            needed: AtomicU32::new(1),
            used: Mutex::new(Used { words: 1, shapes: 0 }),
        }
    }

    /// The keys of a shape.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(super) fn keys(&self, shape: Shape) -> &[u64] {
        let words: *const u64 = self.words.as_ptr().cast();
        // SAFETY: a shape tells where its keys stand, inside `words`; they were written before the
        // shape was made, and do not change. (A cell is as its word in memory.)
        unsafe { std::slice::from_raw_parts(words.add(shape.at()), shape.len()) }
    }

    /// The shape of these keys, if it is known or can be taken.
    #[inline]
    pub(super) fn intern(&self, keys: &[u64]) -> Option<Shape> {
        let hash = candidate(keys)?;
        self.find(keys, hash).or_else(|| self.admit(keys, hash))
    }

    /// The shape of these keys, if it is known.
    #[cfg(not(loom))]
    #[inline]
    pub(super) fn known(&self, keys: &[u64]) -> Option<Shape> {
        self.find(keys, candidate(keys)?)
    }

    #[inline]
    fn find(&self, keys: &[u64], hash: u64) -> Option<Shape> {
        for slot in self.window(hash) {
            // Acquire pairs with the Release in `publish`: the keys are visible.
            let entry = slot.load(Ordering::Acquire);
            if entry == 0 {
                return None;
            }
            if (entry ^ hash) >> 32 == 0 && self.is(Shape(entry as u32), keys) {
                return Some(Shape(entry as u32));
            }
        }
        None
    }

    /// Where a shape of this hash may stand in the index.
    #[inline(always)]
    fn window(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        (0..PROBES.min(SLOTS)).map(move |i| &self.index[(hash as usize + i) & (SLOTS - 1)])
    }

    #[inline(always)]
    fn is(&self, shape: Shape, keys: &[u64]) -> bool {
        let words = &self.words[shape.at()..];
        // SAFETY: the keys of a shape do not change.
        shape.len() == keys.len()
            && words.iter().zip(keys).all(|(word, key)| word.with(|word| unsafe { *word } == *key))
    }

    #[cold]
    fn admit(&self, keys: &[u64], hash: u64) -> Option<Shape> {
        // Relaxed: a hint; the lock decides what room there is.
        let needed = self.needed.load(Ordering::Relaxed);
        let wanted = needed != FULL
            && keys.iter().all(|&key| immediate::is_atom(key))
            && (needed == 1 || self.see(hash) >= needed);
        if !wanted {
            return None;
        }
        let mut used = self.lock();
        // Somebody may have come first.
        self.find(keys, hash).or_else(|| self.publish(&mut used, keys, hash))
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        // Whatever is in use is counted before it can be seen.
        self.used.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Counts a sight of a hash; gives how many there were. One that is counted is displaced by
    /// others of the same place when those have come as often.
    fn see(&self, hash: u64) -> u32 {
        const COUNT: u64 = 0xff;
        let counter = &self.sights[(hash >> 32) as usize & (SIGHTS - 1)];
        // Relaxed, and no exchange: a sight that is lost is seen again.
        let old = counter.load(Ordering::Relaxed);
        let new = match (old & COUNT, (old ^ hash) & !COUNT) {
            (COUNT, 0) => old,
            (_, 0) => old + 1,
            (0, _) => hash & !COUNT | 1,
            _ => old - 1,
        };
        counter.store(new, Ordering::Relaxed);
        if (new ^ hash) & !COUNT == 0 { (new & COUNT) as u32 } else { 0 }
    }

    /// Writes the keys and shows them, if there is room.
    fn publish(&self, used: &mut Used, keys: &[u64], hash: u64) -> Option<Shape> {
        // Relaxed: only who holds the lock writes slots.
        let slot = self.window(hash).find(|slot| slot.load(Ordering::Relaxed) == 0)?;
        let (at, end) = (used.words, used.words + keys.len());
        let room = self.words.get(at..end).filter(|_| used.shapes < SLOTS / 2)?;
        for (word, &key) in room.iter().zip(keys) {
            // SAFETY: we hold the lock, and no shape leads to words that are not in use.
            word.with_mut(|word| unsafe { *word = key });
        }
        *used = Used { words: end, shapes: used.shapes + 1 };
        // Relaxed: a hint.
        self.needed.store(Self::needed(*used), Ordering::Relaxed);
        let shape = Shape::new(at, keys.len());
        // Release pairs with the Acquire in `find`.
        let release =
            if weakened(Weak::ShapePublish) { Ordering::Relaxed } else { Ordering::Release };
        slot.store(hash & !0xffff_ffff | shape.bits(), release);
        Some(shape)
    }

    /// How often a new shape has to be seen when so much is taken.
    fn needed(used: Used) -> u32 {
        if used.words + MAX_KEYS > WORDS || used.shapes == SLOTS / 2 {
            return FULL;
        }
        match (8 * used.words / WORDS).max(8 * used.shapes / (SLOTS / 2)) {
            0 | 1 => 1,
            eighths => 1 << (eighths - 1),
        }
    }
}
/// The hash of keys that may have a shape.
#[inline(always)]
fn candidate(keys: &[u64]) -> Option<u64> {
    let [first, .., last] = keys else { return None };
    let fits = keys.len() <= MAX_KEYS && immediate::is_atom(*first) && immediate::is_atom(*last);
    fits.then(|| hash(keys))
}

/// The hash of a set of keys. Nobody gains by finding keys of one hash: what finds no place in the
/// few slots of its window is stored with its own keys.
#[inline(always)]
fn hash(keys: &[u64]) -> u64 {
    const SALT: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];
    let (pairs, rest) = keys.as_chunks();
    let mut hash = keys.len() as u64;
    for [a, b] in pairs {
        hash = hash.wrapping_add(fold(a ^ SALT[0], b ^ SALT[1]));
    }
    for a in rest {
        hash = hash.wrapping_add(fold(a ^ SALT[1], SALT[0]));
    }
    hash
}
