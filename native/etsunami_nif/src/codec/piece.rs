//! Small nested tuples and lists, made in one piece.
//!
//! One call of the C interface per compound is most of what a small nested term costs. Here the
//! whole of it is planned on the stack first: tuples, list cells and floats as the VM has them, with
//! references from word to word. Then one call makes a tuple of as many words, over which the plan
//! is written. So the VM's allocator gave the memory, and all of it is what the VM itself would have
//! made of the same parts: a piece of a heap, in which no term need stand alone.
//!
//! How tuples, cells and floats look is checked at load, as the words of immediates are
//! ([`super::tags`]): by terms that the VM made, and by terms that are made here, which have to be
//! the same. Where they are not, and for whatever is too large, the general way remains.
//!
//! What is neither tuple, cell, float nor immediate is made on its own and referred to.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use etsunami::term::layout::{Kind, count, distance, immediate, is_immediate};

use super::tags;
use crate::vm::{Env, VmTerm};

/// The most words of a piece.
const ROOM: usize = 64;
/// The most compounds.
const RUNS: usize = 16;
/// The most floats.
const FLOATS: usize = 8;
/// The most parts that are made on their own.
const OTHERS: usize = 8;
/// A list of more elements is made on its own: one call writes all its cells.
const LONG_LIST: usize = 8;

/// The tags of references to list cells and to all else.
const CELL: u64 = 0b01;
const BOXED: u64 = 0b10;
/// The word in front of a float.
const FLOAT: u64 = 0x58;

/// The word in front of a tuple's elements.
#[inline(always)]
fn tuple_header(arity: usize) -> u64 {
    (arity as u64) << 6
}

/// Set once at load, before any term is made.
static USABLE: AtomicBool = AtomicBool::new(false);

/// True if pieces may be made.
#[inline(always)]
pub fn usable() -> bool {
    // Relaxed: written before the NIFs can be called, never changed.
    USABLE.load(Ordering::Relaxed)
}

/// The head and tail of a list's cell, where they stand; nothing for other terms.
///
/// # Safety
/// [`usable`] has told that this is how cells look.
#[inline(always)]
pub unsafe fn cell<'e>(term: VmTerm<'e>) -> Option<(VmTerm<'e>, VmTerm<'e>)> {
    // SAFETY: a list's reference is to the two words of its cell, terms of the same environment.
    behind(term, CELL).map(|at| unsafe { (VmTerm::from_word(*at), VmTerm::from_word(*at.add(1))) })
}

/// Root words that are to be copied, and where to: every `step`th word from `to` on.
#[derive(Clone, Copy)]
struct Run {
    from: *const u64,
    to: u32,
    left: u32,
    step: u32,
}

/// A part that is made on its own: its place, and its root word, which was loaded from `from`.
#[derive(Clone, Copy)]
pub struct Other {
    to: usize,
    /// The root word.
    pub root: u64,
    /// Where it was loaded from.
    pub from: *const u64,
}

/// The tuple with these root words, which were loaded from `first` on, with its other parts as
/// `other` makes them. `None` if it is too large.
///
/// # Safety
/// The root words are well-formed where they were loaded from, and what they refer to does not
/// change.
#[inline]
pub unsafe fn elements<'e>(
    env: Env<'e>,
    roots: &[u64],
    first: *const u64,
    other: impl Fn(&Other) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    let mut plan = Plan::new();
    let base = plan.take(1 + roots.len())?;
    plan.set(base, tuple_header(roots.len()));
    for (i, &root) in roots.iter().enumerate() {
        // SAFETY: by contract.
        unsafe { plan.put(base + 1 + i, root, first.add(i))? };
    }
    // SAFETY: by contract.
    unsafe { plan.complete()? };
    Some(plan.make(env, other))
}

/// A list of one tuple with these elements, immediates, of which there are a few.
#[inline(always)]
pub fn flat_list<'e>(env: Env<'e>, elements: &[VmTerm<'e>]) -> VmTerm<'e> {
    let first = env.make_words(3 + elements.len());
    // SAFETY: room for as many words: a cell, and the tuple behind it.
    unsafe {
        first.write((first as u64 + 2 * 8) | BOXED);
        first.add(1).write(immediate::NIL);
        first.add(2).write(tuple_header(elements.len()));
        for (i, element) in elements.iter().enumerate() {
            first.add(3 + i).write(element.word());
        }
        VmTerm::from_word(first as u64 | CELL)
    }
}

/// The tuple or list of a root word, which was loaded from `from`, as [`elements`] makes it.
///
/// # Safety
/// As for [`elements`].
#[inline]
pub unsafe fn compound<'e>(
    env: Env<'e>,
    root: u64,
    from: *const u64,
    other: impl Fn(&Other) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    let mut plan = Plan::new();
    // SAFETY: by contract.
    unsafe {
        plan.open(root, from)?;
        plan.complete()?;
    }
    Some(plan.make(env, other))
}

/// The plan of a piece. References are distances from its start, in bytes, with their tags.
struct Plan {
    words: [MaybeUninit<u64>; ROOM],
    len: usize,
    runs: [MaybeUninit<Run>; RUNS],
    opened: usize,
    floats: [MaybeUninit<(usize, u64)>; FLOATS],
    float_count: usize,
    others: [MaybeUninit<Other>; OTHERS],
    other_count: usize,
}

impl Plan {
    #[inline(always)]
    fn new() -> Plan {
        Plan {
            words: [const { MaybeUninit::uninit() }; ROOM],
            len: 0,
            runs: [const { MaybeUninit::uninit() }; RUNS],
            opened: 0,
            floats: [const { MaybeUninit::uninit() }; FLOATS],
            float_count: 0,
            others: [const { MaybeUninit::uninit() }; OTHERS],
            other_count: 0,
        }
    }

    /// Room for more words: the first one's index.
    #[inline(always)]
    fn take(&mut self, words: usize) -> Option<usize> {
        let base = self.len;
        self.len += words;
        (words <= ROOM && self.len <= ROOM).then_some(base)
    }

    #[inline(always)]
    fn set(&mut self, at: usize, word: u64) {
        self.words[at].write(word);
    }

    #[inline(always)]
    fn run(&mut self, run: Run) -> Option<()> {
        self.runs.get_mut(self.opened)?.write(run);
        self.opened += 1;
        Some(())
    }

    /// Copies the root words of compounds, one compound after the other, until none is left.
    ///
    /// # Safety
    /// As for [`elements`].
    #[inline(always)]
    unsafe fn complete(&mut self) -> Option<()> {
        let mut next = 0;
        while next < self.opened {
            // SAFETY: written by `run`.
            let Run { mut from, mut to, mut left, step } = unsafe { self.runs[next].assume_init() };
            next += 1;
            while left > 0 {
                // SAFETY: inside a compound's root words, by contract.
                unsafe {
                    self.put(to as usize, *from, from)?;
                    from = from.add(1);
                }
                to += step;
                left -= 1;
            }
        }
        Some(())
    }

    /// Plans a word.
    ///
    /// # Safety
    /// As for [`elements`].
    #[inline(always)]
    unsafe fn put(&mut self, to: usize, root: u64, from: *const u64) -> Option<()> {
        if is_immediate(root) {
            self.set(to, root);
            return Some(());
        }
        // SAFETY: by contract.
        if let Some(word) = unsafe { self.block(root, from)? } {
            self.set(to, word);
        } else {
            self.set(to, immediate::NIL);
            self.others.get_mut(self.other_count)?.write(Other { to, root, from });
            self.other_count += 1;
        }
        Some(())
    }

    /// Plans a block: its reference, or nothing for a part that is to be made on its own.
    ///
    /// # Safety
    /// As for [`elements`].
    unsafe fn block(&mut self, root: u64, from: *const u64) -> Option<Option<u64>> {
        // SAFETY: a well-formed root word's block stands at its distance.
        let head = unsafe { *from.add(distance(root)) };
        match Kind::of(root) {
            Kind::Float => self.float(head).map(Some),
            Kind::Tuple if count(head) > 0 => {
                // SAFETY: by contract.
                unsafe { self.open(root, from) }.map(Some)
            }
            Kind::List if count(head) <= LONG_LIST => {
                // SAFETY: by contract.
                unsafe { self.open(root, from) }.map(Some)
            }
            _ => Some(None),
        }
    }

    /// Plans a float: its reference. Its bits are kept apart, lest they be taken for a reference.
    fn float(&mut self, bits: u64) -> Option<u64> {
        let base = self.take(2)?;
        self.set(base, FLOAT);
        self.set(base + 1, immediate::NIL);
        self.floats.get_mut(self.float_count)?.write((base + 1, bits));
        self.float_count += 1;
        Some((base as u64) << 3 | BOXED)
    }

    /// Opens a tuple or list: its reference.
    ///
    /// # Safety
    /// As for [`elements`].
    unsafe fn open(&mut self, root: u64, from: *const u64) -> Option<u64> {
        // SAFETY: a well-formed root word's block stands at its distance, its root words behind the
        // header: as many as it counts, and a list's tail.
        let (n, roots) = unsafe {
            let block = from.add(distance(root));
            (count(*block), block.add(1))
        };
        if Kind::of(root) == Kind::Tuple {
            let base = self.take(1 + n)?;
            self.set(base, tuple_header(n));
            self.run(Run { from: roots, to: base as u32 + 1, left: n as u32, step: 1 })?;
            return Some((base as u64) << 3 | BOXED);
        }
        let base = self.take(2 * n)?;
        for i in 1..n {
            let cell = base + 2 * i;
            self.set(cell - 1, (cell as u64) << 3 | CELL);
        }
        self.run(Run { from: roots, to: base as u32, left: n as u32, step: 2 })?;
        let last = (base + 2 * n - 1) as u32;
        // SAFETY: as above.
        self.run(Run { from: unsafe { roots.add(n) }, to: last, left: 1, step: 1 })?;
        Some((base as u64) << 3 | CELL)
    }

    /// The words, all of which have been planned.
    fn words(&self) -> &[u64] {
        // SAFETY: whoever took words has set them, or opened runs that did.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }

    /// Makes the piece. It begins with the outermost term: with a cell, or else with a header.
    #[inline(always)]
    fn make<'e>(&self, env: Env<'e>, other: impl Fn(&Other) -> VmTerm<'e>) -> VmTerm<'e> {
        let words = self.words();
        let first = env.make_words(words.len());
        // SAFETY: `make_words` gave memory for as many words, which nobody knows yet.
        unsafe { write(words, first) };
        for float in &self.floats[..self.float_count] {
            // SAFETY: written by `float`; its place is inside the piece.
            unsafe {
                let (to, bits) = float.assume_init();
                first.add(to).write(bits);
            }
        }
        for part in &self.others[..self.other_count] {
            // SAFETY: written by `put`; its place is inside the piece.
            unsafe {
                let part = part.assume_init_ref();
                first.add(part.to).write(other(part).word());
            }
        }
        let tag = if words[0] & 3 == 0 { BOXED } else { CELL };
        // SAFETY: the term that has just been written there.
        unsafe { VmTerm::from_word(first as u64 | tag) }
    }
}

/// Writes planned words where they belong. (Without branches: references and other words alternate.)
///
/// # Safety
/// There is room for them.
#[inline(always)]
unsafe fn write(words: &[u64], first: *mut u64) {
    let base = first as u64;
    for (i, &word) in words.iter().enumerate() {
        // The tags of references are those with one bit set.
        let refers = (word ^ word >> 1) & 1;
        // SAFETY: room by contract.
        unsafe { first.add(i).write(word + (base & refers.wrapping_neg())) };
    }
}

/// Finds out whether pieces may be made.
pub fn load(env: Env) {
    USABLE.store(!tags::portable() && as_assumed(env), Ordering::Relaxed);
}

/// True if the VM's terms look as assumed, and pieces are the same terms.
fn as_assumed(env: Env) -> bool {
    tuples(env) && cells(env) && floats(env) && pieces(env)
}

/// The words behind a reference, if it has this tag.
#[inline(always)]
fn behind(term: VmTerm, tag: u64) -> Option<*const u64> {
    let address = (term.word() & !3) as usize;
    (term.word() & 3 == tag).then(|| std::ptr::with_exposed_provenance(address))
}

fn tuples(env: Env) -> bool {
    [1, 2, 3, 63, 64, 300].into_iter().all(|arity| {
        let tuple = env.make_tuple(&vec![env.make_list(&[]); arity]);
        let elements = env.tuple(tuple).map(<[VmTerm]>::as_ptr);
        // SAFETY: the VM showed the elements of a tuple; if the header stands in front of them, the
        // reference tells.
        behind(tuple, BOXED).is_some_and(|at| unsafe {
            elements.is_some_and(|elements| elements.cast() == at.add(1))
                && *at == tuple_header(arity)
        })
    })
}

fn cells(env: Env) -> bool {
    let (head, tail) = (env.make_int64(1), env.make_int64(2));
    // SAFETY: what a list refers to are the two words of its cell, on every VM that has this tag.
    behind(env.make_cell(head, tail), CELL)
        .is_some_and(|at| unsafe { [*at, *at.add(1)] == [head.word(), tail.word()] })
}

fn floats(env: Env) -> bool {
    [1.5, -0.25e300].into_iter().all(|value| {
        // SAFETY: a float takes more than a word, so it has two.
        behind(env.make_float(value), BOXED)
            .is_some_and(|at| unsafe { [*at, *at.add(1)] == [FLOAT, value.to_bits()] })
    })
}

/// `{1, {2.5, [3 | 4]}, [{[]}]}`, planned by hand, beside the VM's own.
fn pieces(env: Env) -> bool {
    let [one, three, four] = [1, 3, 4].map(|value| env.make_int64(value));
    let inner = env.make_tuple(&[env.make_float(2.5), env.make_cell(three, four)]);
    let list = env.make_list(&[env.make_tuple(&[env.make_list(&[])])]);
    let whole = env.make_tuple(&[one, inner, list]);
    let at = |index: u64, tag: u64| index << 3 | tag;
    #[rustfmt::skip]
    let words = [
        tuple_header(3), one.word(), at(4, BOXED), at(11, CELL),
        tuple_header(2), at(7, BOXED), at(9, CELL),
        FLOAT, immediate::NIL,
        three.word(), four.word(),
        at(13, BOXED), immediate::NIL,
        tuple_header(1), immediate::NIL,
    ];
    let first = env.make_words(words.len());
    // SAFETY: room for as many words; the term that they are.
    let piece = unsafe {
        write(&words, first);
        first.add(8).write(2.5f64.to_bits());
        VmTerm::from_word(first as u64 | BOXED)
    };
    piece.identical(whole)
}
