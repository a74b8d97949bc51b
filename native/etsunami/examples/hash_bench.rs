//! Nanoseconds per operation of the hash table, for tuning. Keys are random integers in boxed
//! objects of 32 bytes.
//!
//! `cargo run --release -p etsunami --example hash_bench [log2 of the number of keys]...`

use etsunami::engine::hash::HashTable;
use etsunami::engine::{Change, Delta, HashSchema, Word};
use etsunami::reclaim::{Guard, pin};
use etsunami::sync::Counters;
use std::hint::black_box;
use std::time::Duration;

/// A stored object.
struct Object {
    hash: u64,
    key: u64,
    value: [u64; 2],
}

/// Integer keys, mixed by one wide multiplication.
struct Integers {
    seed: u64,
}

// SAFETY: a word is a box's address; all answers follow from its key.
unsafe impl HashSchema for Integers {
    type Key = u64;

    #[inline]
    fn hash(&self, key: &u64) -> u64 {
        let wide = u128::from(key ^ self.seed) * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
        (wide >> 64) as u64 ^ wide as u64
    }

    #[inline]
    unsafe fn hash_of(&self, word: Word) -> u64 {
        object(word).hash
    }

    #[inline]
    unsafe fn matches(&self, key: &u64, word: Word) -> bool {
        object(word).key == *key
    }

    unsafe fn tie(&self, key: &u64, word: Word) -> std::cmp::Ordering {
        key.cmp(&object(word).key)
    }

    unsafe fn tie_words(&self, a: Word, b: Word) -> std::cmp::Ordering {
        object(a).key.cmp(&object(b).key)
    }

    unsafe fn release(&self, word: Word) {
        // SAFETY: `new_object` made a box of it, and nobody else can reach it.
        drop(unsafe { Box::from_raw(word.0 as *mut Object) });
    }
}

/// What a word of this bench leads to.
#[inline(always)]
fn object<'a>(word: Word) -> &'a Object {
    // SAFETY: all callers hold a guard from before the word was loaded.
    unsafe { &*(word.0 as *const Object) }
}

fn new_object(schema: &Integers, key: u64, value: u64) -> Word {
    let object = Object { hash: schema.hash(&key), key, value: [value; 2] };
    Word(Box::into_raw(Box::new(object)) as usize)
}

unsafe fn free(pointer: *mut u8) {
    // SAFETY: by the caller's promise.
    drop(unsafe { Box::from_raw(pointer.cast::<Object>()) });
}

fn retire(guard: &Guard, word: Word) {
    // SAFETY: the word has just been taken out of the table.
    unsafe { guard.retire(word.0 as *mut u8, free, size_of::<Object>()) };
}

fn insert(table: &HashTable<Integers>, key: u64, value: u64) {
    let new = new_object(table.schema(), key, value);
    let guard = pin();
    let old = table.update(&guard, &key, |old| {
        let delta = if old.is_none() { Delta { objects: 1, words: 2 } } else { Delta::ZERO };
        (Change::Put(new), delta, old)
    });
    if let Some(old) = old {
        retire(&guard, old);
    }
}

#[inline(never)]
fn remove(table: &HashTable<Integers>, key: u64) {
    let guard = pin();
    let old = table.update(&guard, &key, |old| match old {
        Some(_) => (Change::Remove, Delta { objects: -1, words: -2 }, old),
        None => (Change::Keep, Delta::ZERO, old),
    });
    if let Some(old) = old {
        retire(&guard, old);
    }
}

#[inline(never)]
fn get(table: &HashTable<Integers>, key: u64) -> u64 {
    let guard = pin();
    table.get(&guard, &key).map_or(0, |word| object(word).value[0])
}

/// A random sequence that visits each state once.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn shuffle(&mut self, keys: &mut [u64]) {
        for index in (1..keys.len()).rev() {
            keys.swap(index, (self.next() % (index as u64 + 1)) as usize);
        }
    }
}

/// Processor time of this thread: unlike a clock on the wall it does not run while other
/// processes do.
#[derive(Clone, Copy)]
struct Instant(Duration);

impl Instant {
    fn now() -> Instant {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a valid place for the result.
        let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        assert_eq!(status, 0, "the thread has a clock");
        Instant(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    fn elapsed(self) -> Duration {
        Instant::now().0 - self.0
    }
}

/// Runs `f` on all keys, several times over for short lists, and prints the best time of each.
fn time(name: &str, keys: &[u64], rounds: usize, mut f: impl FnMut(u64)) {
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        keys.iter().for_each(|&key| f(key));
        best = best.min(start.elapsed().as_nanos() as f64 / keys.len() as f64);
    }
    print!("  {name} {best:.1}");
}

fn bench(bits: u32) {
    let mut random = Random(42);
    let mut keys: Vec<u64> = (0..1u64 << bits).map(|_| random.next()).collect();
    let absent: Vec<u64> = (0..1u64 << bits).map(|_| random.next()).collect();
    let table = HashTable::new(Integers { seed: random.next() }, Counters::new(2));
    let rounds = (1 << 23 >> bits).clamp(1, 200);
    print!("2^{bits}:");
    time("fill", &keys, 1, |key| insert(&table, key, key));
    random.shuffle(&mut keys);
    time("get", &keys, rounds, |key| assert_ne!(black_box(get(&table, key)), key.wrapping_add(1)));
    time("miss", &absent, rounds, |key| assert_eq!(get(&table, key), 0));
    time("replace", &keys, rounds, |key| insert(&table, key, key + 1));
    let half = &keys[..keys.len() / 2];
    let mut best = [f64::MAX; 2];
    for _ in 0..rounds {
        let start = Instant::now();
        half.iter().for_each(|&key| remove(&table, key));
        let removed = start.elapsed();
        half.iter().for_each(|&key| insert(&table, key, key));
        let inserted = start.elapsed() - removed;
        for (best, time) in best.iter_mut().zip([removed, inserted]) {
            *best = best.min(time.as_nanos() as f64 / half.len() as f64);
        }
    }
    print!("  delete {:.1}  insert {:.1}", best[0], best[1]);
    let start = Instant::now();
    let mut words = Vec::new();
    let mut position = Some(0);
    let mut count = 0;
    while let Some(from) = position {
        words.clear();
        position = table.scan(&pin(), from, 200, &mut words);
        count += words.len();
    }
    print!("  scan {:.1}", start.elapsed().as_nanos() as f64 / count as f64);
    time("(alloc, retire", &keys, rounds, |key| {
        retire(&pin(), black_box(new_object(table.schema(), key, key)));
    });
    time("count)", &keys, rounds, |_| table.counters().add(pin().stripe(), 1, 2));
    println!("\n      {:?}", table.shape());
}

fn main() {
    let sizes: Vec<u32> = std::env::args().skip(1).filter_map(|bits| bits.parse().ok()).collect();
    for &bits in if sizes.is_empty() { &[10, 16, 22][..] } else { &sizes[..] } {
        bench(bits);
    }
}
