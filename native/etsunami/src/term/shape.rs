//! Shapes: the keys of maps, stored once for all maps that have them.
//!
//! A map or struct is one of millions with the same keys. If its keys are all atoms, and not more
//! than the VM's flat maps have, it is stored as a reference to its *shape* and its values
//! ([`Kind::Shaped`](super::layout::Kind::Shaped)).
//!
//! Shapes live for ever, so objects neither count nor free them, and whoever reads an object reads
//! the keys without looking whether they are still there. What keeps them from being a leak is that
//! their room is fixed: [`WORDS`](Shapes) words of keys and half as many shapes as the index has
//! slots. A map whose keys found no room is stored with its own keys. So maps of the same keys may
//! stand in both forms, and everything that compares or hashes terms takes both.
//!
//! # Admission
//!
//! Maps may be used as dictionaries, with other keys in each. In a quarter of the room every new
//! shape is taken at once; then one has to be seen twice, and with each further eighth twice as
//! often, lately: sights are counted in a small table in which fingerprints displace each other. So
//! key sets that come once cannot fill the room, and those that are frequent find some for long.
//!
//! # Concurrency
//!
//! Shapes are found without a lock: slots of an open-addressed index, of which each goes once from
//! empty to a shape. They are added under a lock. The store of the slot publishes the keys (Release,
//! with the Acquire in `find`); who meets the shape in an object has it from somebody who found it
//! there, by the edge that published the object. Sights are hints, and may be lost.

use super::hash::fold;
use super::layout::immediate;
use crate::sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, UnsafeCell};

/// The least keys for which a shape pays.
pub const MIN_KEYS: usize = 2;
/// The most keys of a flat map in the VM.
pub const MAX_KEYS: usize = 32;

/// How far from its home a shape may stand in the index.
const PROBES: usize = 16;

/// The keys of a map, by where they stand: their number in bits 0..8, the place of the first in
/// bits 8..32. Maps outside keys have one order of keys in a run of the VM, so two shapes are two
/// sets of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Shape(u32);

impl Shape {
    /// The shape of a set of keys, given in the VM's order: known, or taken in now. None for maps
    /// that have to be stored with their own keys.
    #[inline]
    pub fn of_keys(keys: &[u64]) -> Option<Shape> {
        global::intern(keys)
    }

    /// The shape in the first word of a `Shaped` block.
    ///
    /// # Safety
    /// It is such a word.
    #[inline(always)]
    pub unsafe fn of_header(header: u64) -> Shape {
        Shape(header as u32)
    }

    /// What stands in the first word of a `Shaped` block in place of a count.
    #[inline(always)]
    pub(super) fn bits(self) -> u64 {
        self.0.into()
    }

    /// The number of keys.
    #[inline(always)]
    #[expect(clippy::len_without_is_empty, reason = "a shape has at least two keys")]
    pub fn len(self) -> usize {
        (self.0 & 0xff) as usize
    }

    /// The keys: atoms.
    #[inline(always)]
    pub fn keys(self) -> &'static [u64] {
        global::keys(self)
    }

    fn new(at: usize, len: usize) -> Shape {
        Shape((at << 8 | len) as u32)
    }

    #[inline(always)]
    fn at(self) -> usize {
        (self.0 >> 8) as usize
    }
}

/// The shapes of the process: 2 MiB for their keys, 256 KiB for the index, as far as they are used.
#[cfg(not(loom))]
mod global {
    use super::{Shape, Shapes};

    static SHAPES: Shapes<{ 1 << 18 }, { 1 << 15 }, { 1 << 12 }> = Shapes::new();

    #[inline]
    pub(super) fn intern(keys: &[u64]) -> Option<Shape> {
        SHAPES.intern(keys)
    }

    #[inline(always)]
    pub(super) fn keys(shape: Shape) -> &'static [u64] {
        SHAPES.keys(shape)
    }
}

/// Loom's primitives cannot live in statics, and no model stores maps.
#[cfg(loom)]
mod global {
    use super::Shape;

    pub(super) fn intern(_: &[u64]) -> Option<Shape> {
        None
    }

    pub(super) fn keys(_: Shape) -> &'static [u64] {
        &[]
    }
}

/// Room for shapes: so many words of keys, slots of the index and counters of sights. The latter
/// two are powers of two.
pub(super) struct Shapes<const WORDS: usize, const SLOTS: usize, const SIGHTS: usize> {
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

// SAFETY: a word of keys is written once, by who holds the lock, and read only by who has its
// shape, which is published after that.
unsafe impl<const WORDS: usize, const SLOTS: usize, const SIGHTS: usize> Sync
    for Shapes<WORDS, SLOTS, SIGHTS>
{
}

impl<const WORDS: usize, const SLOTS: usize, const SIGHTS: usize> Shapes<WORDS, SLOTS, SIGHTS> {
    /// No shapes. (No shape stands at word 0, so that no slot that is used is 0.)
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Shapes {
            words: [const { UnsafeCell::new(0) }; WORDS],
            index: [const { AtomicU64::new(0) }; SLOTS],
            sights: [const { AtomicU64::new(0) }; SIGHTS],
            needed: AtomicU32::new(1),
            used: Mutex::new(Used { words: 1, shapes: 0 }),
        }
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Shapes {
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
        // SAFETY: a shape tells where its keys stand, inside `words`; they were written before it
        // was made, and do not change. (A cell is as its word in memory.)
        unsafe { std::slice::from_raw_parts(words.add(shape.at()), shape.len()) }
    }

    /// The shape of these keys, if it is known or can be taken.
    #[inline]
    pub(super) fn intern(&self, keys: &[u64]) -> Option<Shape> {
        let [first, .., last] = keys else { return None };
        if keys.len() > MAX_KEYS || !immediate::is_atom(*first) || !immediate::is_atom(*last) {
            return None;
        }
        let hash = hash(keys);
        self.find(keys, hash).or_else(|| self.admit(keys, hash))
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
        let at = used.words;
        let room = self.words.get(at..at + keys.len()).filter(|_| used.shapes < SLOTS / 2)?;
        for (word, key) in room.iter().zip(keys) {
            // SAFETY: we hold the lock, and no shape leads to words that are not in use.
            word.with_mut(|word| unsafe { *word = *key });
        }
        *used = Used { words: at + keys.len(), shapes: used.shapes + 1 };
        // Relaxed: a hint.
        self.needed.store(Self::needed(*used), Ordering::Relaxed);
        let shape = Shape::new(at, keys.len());
        // Release pairs with the Acquire in `find`.
        let release = if cfg!(feature = "weaken_shape_publish") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
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

/// The hash of a set of keys. Nobody gains by finding keys of one hash: what finds no place in the
/// few slots of its window is stored with its own keys.
#[inline(always)]
fn hash(keys: &[u64]) -> u64 {
    const SALT: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];
    let (pairs, rest) = keys.as_chunks();
    let pairs = pairs.iter().map(|[a, b]| fold(a ^ SALT[0], b ^ SALT[1]));
    let rest = rest.iter().map(|a| fold(a ^ SALT[1], SALT[0]));
    pairs.chain(rest).fold(keys.len() as u64, u64::wrapping_add)
}
