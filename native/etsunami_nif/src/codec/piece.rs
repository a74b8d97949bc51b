//! Small nested tuples and lists, made in one piece.
//!
//! One call of the C interface per compound is most of what a small nested term costs. Here the
//! whole of it is planned on the stack first: tuples, list cells and floats as the VM has them, with
//! references from word to word. Then one call makes a tuple of as many words, over which the plan
//! is written. So the VM's allocator gave the memory, and all of it is what the VM itself would have
//! made of the same parts: a piece of a heap, in which no term need stand alone.
//!
//! The blocks of an encoded term stand one behind the other in the order in which they are referred
//! to, so the plan is made in one pass. A block does not tell its kind, but whoever refers to it
//! does, and stands before it: [`Plan::referred`] notes who does.
//!
//! How tuples, cells and floats look is checked at load, as the words of immediates are
//! ([`super::tags`]): by terms that the VM made, and by terms that are made here, which have to be
//! the same. Where they are not, and for whatever is too large, the general way remains.
//!
//! What is neither tuple, cell, float nor immediate is made on its own and referred to.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use etsunami::term::layout::{Kind, block_words, count, distance, immediate, is_immediate};

use super::tags;
use crate::vm::{Env, VmTerm};

/// The most words of a piece, and of what it is made of.
const ROOM: usize = 64;
/// The most floats.
const FLOATS: usize = 8;
/// The most parts that are made on their own.
const OTHERS: usize = 8;
/// A list of more elements, all immediates, is made on its own: one call writes all its cells.
const LONG_LIST: usize = 8;

/// The tags of references to list cells and to all else.
const CELL: u64 = 0b01;
pub(super) const BOXED: u64 = 0b10;
/// The word in front of a float.
const FLOAT: u64 = 0x58;

/// The word in front of a tuple's elements.
#[inline(always)]
pub(super) fn tuple_header(arity: usize) -> u64 {
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

/// A part that is made on its own.
#[derive(Clone, Copy)]
pub struct Other {
    /// Its place in the piece.
    to: usize,
    /// What it is.
    pub kind: Kind,
    /// Its block.
    pub block: *const u64,
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
    let mut plan = Plan::new(first);
    let base = plan.take(1 + roots.len())?;
    plan.set(base, tuple_header(roots.len()));
    for (i, &root) in roots.iter().enumerate() {
        plan.put(base + 1 + i, root, i)?;
    }
    // SAFETY: by contract.
    unsafe { plan.complete(roots.len())? };
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
    // SAFETY: the block stands at its distance, at least one word behind its root word.
    let mut plan = Plan::new(unsafe { from.add(distance(root) - 1) });
    // Nothing stands where it is referred from: the piece begins with the block itself.
    plan.refer(0, root, 1);
    // SAFETY: by contract.
    unsafe { plan.complete(1)? };
    Some(plan.make(env, other))
}

/// The plan of a piece. References are distances from its start, in bytes, with their tags.
struct Plan {
    words: [MaybeUninit<u64>; ROOM],
    len: usize,
    /// Where the encoding begins.
    from: *const u64,
    /// For each word of the encoding: 0, or the kind of the block that begins there, and the place
    /// of its reference in the piece.
    referred: [u16; ROOM],
    /// How many blocks have been referred to but not planned.
    ahead: usize,
    floats: [MaybeUninit<(usize, u64)>; FLOATS],
    float_count: usize,
    others: [MaybeUninit<Other>; OTHERS],
    other_count: usize,
}

/// Marks what is not 0.
const REFERRED: u16 = 1 << 15;
/// The bits of a kind.
const KIND: u16 = 0x3f;

impl Plan {
    #[inline(always)]
    fn new(from: *const u64) -> Plan {
        Plan {
            words: [const { MaybeUninit::uninit() }; ROOM],
            len: 0,
            from,
            referred: [0; ROOM],
            ahead: 0,
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

    /// Notes that word `to` of the piece refers to the block at word `target` of the encoding.
    #[inline(always)]
    fn refer(&mut self, to: usize, root: u64, target: usize) {
        self.referred[target] = REFERRED | (to as u16) << 6 | (root >> 2) as u16 & KIND;
        self.ahead += 1;
    }

    /// Plans a root word, number `at` of the encoding.
    #[inline(always)]
    fn put(&mut self, to: usize, root: u64, at: usize) -> Option<()> {
        if is_immediate(root) {
            self.set(to, root);
        } else {
            let target = at + distance(root);
            if target >= ROOM {
                return None;
            }
            self.refer(to, root, target);
        }
        Some(())
    }

    /// Plans blocks from word `at` of the encoding on, until none is referred to.
    ///
    /// # Safety
    /// As for [`elements`].
    #[inline(always)]
    unsafe fn complete(&mut self, mut at: usize) -> Option<()> {
        while self.ahead > 0 {
            let noted = *self.referred.get(at)?;
            if noted == 0 {
                return None;
            }
            self.ahead -= 1;
            let to = usize::from(noted >> 6) & (ROOM - 1);
            // SAFETY: somebody refers to the block that begins here.
            let head = unsafe { *self.from.add(at) };
            let kind = Kind::of(u64::from(noted & KIND) << 2);
            // SAFETY: such a block, by contract.
            at += unsafe { self.block(kind, head, to, at)? };
        }
        Some(())
    }

    /// Plans a block, to which word `to` refers: how many words of the encoding it was.
    ///
    /// # Safety
    /// A well-formed block with this header is at word `at`.
    #[inline(always)]
    unsafe fn block(&mut self, kind: Kind, head: u64, to: usize, at: usize) -> Option<usize> {
        let n = count(head);
        let long = n > LONG_LIST && block_words(head) == 2 + n;
        match kind {
            // SAFETY: by contract.
            Kind::Tuple if n > 0 => unsafe { self.tuple(n, to, at) },
            // SAFETY: by contract.
            Kind::List if !long => unsafe { self.list(n, to, at) },
            Kind::Float => self.float(head, to),
            _ => {
                let block = self.from.wrapping_add(at);
                self.set(to, immediate::NIL);
                self.others.get_mut(self.other_count)?.write(Other { to, kind, block });
                self.other_count += 1;
                Some(if kind == Kind::Bits {
                    1 + (head as usize).div_ceil(64)
                } else {
                    block_words(head)
                })
            }
        }
    }

    /// # Safety
    /// The encoding has that many root words behind word `at`.
    #[inline(always)]
    unsafe fn tuple(&mut self, n: usize, to: usize, at: usize) -> Option<usize> {
        let base = self.take(1 + n)?;
        self.set(to, (base as u64) << 3 | BOXED);
        self.set(base, tuple_header(n));
        for i in 1..=n {
            // SAFETY: by contract.
            self.put(base + i, unsafe { *self.from.add(at + i) }, at + i)?;
        }
        Some(1 + n)
    }

    /// # Safety
    /// The encoding has that many root words behind word `at`, and one for the tail.
    #[inline(always)]
    unsafe fn list(&mut self, n: usize, to: usize, at: usize) -> Option<usize> {
        let base = self.take(2 * n)?;
        self.set(to, (base as u64) << 3 | CELL);
        for i in 0..n {
            let (cell, at) = (base + 2 * i, at + 1 + i);
            // SAFETY: by contract.
            self.put(cell, unsafe { *self.from.add(at) }, at)?;
            self.set(cell + 1, (cell as u64 + 2) << 3 | CELL);
        }
        let tail = at + 1 + n;
        // SAFETY: by contract.
        self.put(base + 2 * n - 1, unsafe { *self.from.add(tail) }, tail)?;
        Some(2 + n)
    }

    /// Plans a float. Its bits are kept apart, lest they be taken for a reference.
    #[inline(always)]
    fn float(&mut self, bits: u64, to: usize) -> Option<usize> {
        let base = self.take(2)?;
        self.set(to, (base as u64) << 3 | BOXED);
        self.set(base, FLOAT);
        self.set(base + 1, immediate::NIL);
        self.floats.get_mut(self.float_count)?.write((base + 1, bits));
        self.float_count += 1;
        Some(1)
    }

    /// The words, all of which have been planned.
    fn words(&self) -> &[u64] {
        // SAFETY: whoever took words has set them, or referred to a block that did.
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
pub(super) fn behind(term: VmTerm, tag: u64) -> Option<*const u64> {
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
