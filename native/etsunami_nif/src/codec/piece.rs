//! Small nested terms, made in one piece.
//!
//! One call of the C interface per compound is most of what a small nested term costs. Here the
//! words that the whole of it takes in the VM are counted first: tuples, list cells, floats, short
//! binaries ([`short_binary`]), maps of a shape ([`flatmap`]). Then one call makes a tuple of as many
//! words, over which the terms are written. So the VM's allocator gave the memory, and all of it is
//! what the VM itself would have made of the same parts: a piece of a heap, in which no term need
//! stand alone.
//!
//! Both passes call themselves at most [`DEPTH`] deep. How tuples, cells and floats look is checked
//! at load, as the words of immediates are ([`super::tags`]): by terms that the VM made, and by terms
//! that are made here, which have to be the same. Where they are not, and for whatever is too large
//! or too deep, the general way remains.
//!
//! What is none of these is made on its own and referred to.

use std::sync::atomic::{AtomicBool, Ordering};

use etsunami::term::buffer::Buffer;
use etsunami::term::layout::{Kind, block_words, count, distance, immediate, is_immediate};
use etsunami::term::shape::Shape;

use super::encode::{self, Keep};
use super::{flatmap, short_binary, tags};
use crate::vm::{Env, MAX_PIECE, VmTerm};

/// The most words of an encoding that is looked at.
const ROOM: usize = MAX_PIECE;
/// The most compounds around a part.
const DEPTH: usize = 6;

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

/// The words of a tuple's elements, where they stand; nothing for other terms.
///
/// # Safety
/// [`usable`] has told that this is how tuples look.
#[inline(always)]
pub unsafe fn tuple<'e>(term: VmTerm<'e>) -> Option<&'e [u64]> {
    let at = behind(term, BOXED)?;
    // SAFETY: such a reference is to a header; one of a tuple tells how many elements follow. Terms
    // do not change while they live.
    unsafe {
        let head = *at;
        is_tuple(head).then(|| std::slice::from_raw_parts(at.add(1), (head >> 6) as usize))
    }
}

/// The value of a float; nothing for other terms.
///
/// # Safety
/// [`usable`] has told that this is how floats look.
#[inline(always)]
pub unsafe fn float(term: VmTerm) -> Option<f64> {
    let at = behind(term, BOXED)?;
    // SAFETY: such a reference is to a header; the bits follow that of a float.
    unsafe { (*at == FLOAT).then(|| f64::from_bits(*at.add(1))) }
}

/// True for the word in front of a tuple's elements.
#[inline(always)]
fn is_tuple(head: u64) -> bool {
    head & 0x3f == 0
}

/// The tuple with these root words, which were loaded from `first` on; `other` makes, of a block and
/// its kind, what is not made here. `None` if it is too large.
///
/// # Safety
/// The root words are well-formed where they were loaded from, and what they refer to does not
/// change.
#[inline]
pub unsafe fn elements<'e>(
    env: Env<'e>,
    roots: &[u64],
    first: *const u64,
    other: impl Fn(Kind, *const u64) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    // SAFETY: by contract.
    let words = unsafe { 1 + all_words(roots, first, DEPTH)? };
    let mut writer = Writer { next: make(env, words)?, other };
    // SAFETY: room for what has been counted.
    unsafe { Some(VmTerm::from_word(writer.tuple(roots, first))) }
}

/// A list of the one tuple that [`elements`] makes.
///
/// # Safety
/// As for [`elements`].
#[inline]
pub unsafe fn list_of_one<'e>(
    env: Env<'e>,
    roots: &[u64],
    first: *const u64,
    other: impl Fn(Kind, *const u64) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    // SAFETY: by contract.
    let words = unsafe { 3 + all_words(roots, first, DEPTH)? };
    let mut writer = Writer { next: make(env, words)?, other };
    // SAFETY: room for a cell and what has been counted.
    unsafe {
        let cell = writer.take(2);
        cell.add(1).write(immediate::NIL);
        cell.write(writer.tuple(roots, first));
        Some(VmTerm::from_word(cell as u64 | CELL))
    }
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

/// The term of a root word that is no immediate, which was loaded from `from`, as [`elements`] makes
/// it.
///
/// # Safety
/// As for [`elements`].
#[inline]
pub unsafe fn term<'e>(
    env: Env<'e>,
    root: u64,
    from: *const u64,
    other: impl Fn(Kind, *const u64) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    // SAFETY: by contract.
    unsafe {
        let words = words(root, from, DEPTH)?;
        let mut writer = Writer { next: make(env, words)?, other };
        Some(VmTerm::from_word(writer.term(root, from)))
    }
}

/// Memory for so many words, unless they are too few or too many.
#[inline(always)]
fn make(env: Env, words: usize) -> Option<*mut u64> {
    (2..=MAX_PIECE).contains(&words).then(|| env.make_words(words))
}

/// What root words that stand at `first` take in the VM, with what they refer to.
///
/// # Safety
/// As for [`elements`].
#[inline(always)]
unsafe fn all_words(roots: &[u64], first: *const u64, depth: usize) -> Option<usize> {
    let mut sum = roots.len();
    for (i, &root) in roots.iter().enumerate() {
        if !is_immediate(root) {
            // SAFETY: by contract.
            sum += unsafe { words(root, first.add(i), depth)? };
        }
    }
    Some(sum)
}

/// What the block of a root word takes in the VM; nothing if it is made on its own.
///
/// # Safety
/// As for [`elements`].
#[inline(always)]
unsafe fn words(root: u64, at: *const u64, depth: usize) -> Option<usize> {
    // SAFETY: a well-formed root word's block stands at its distance.
    let (block, head) = unsafe { (at.add(distance(root)), *at.add(distance(root))) };
    let n = count(head);
    // SAFETY: a compound has so many root words behind its header.
    let (own, roots) = unsafe {
        match Kind::of(root) {
            Kind::Tuple if n > 0 => (1, n),
            Kind::List => (n - 1, n + 1),
            Kind::Shaped => {
                let shape = Shape::of_header(head);
                let Some(words) = flatmap::words(shape) else { return Some(0) };
                (words - shape.len(), shape.len())
            }
            Kind::Float => return Some(2),
            Kind::Bits => return Some(short_binary::words(head as usize)),
            _ => return Some(0),
        }
    };
    let size = block_words(head);
    match size {
        // Nothing is nested.
        _ if size == 1 + roots => Some(own + roots),
        // SAFETY: by contract.
        ..=ROOM => Some(own + unsafe { nested_words(block, roots, depth)? }),
        _ => None,
    }
}

/// [`all_words`] of a compound, behind a call.
///
/// # Safety
/// As for [`elements`].
#[inline(never)]
unsafe fn nested_words(block: *const u64, roots: usize, depth: usize) -> Option<usize> {
    // SAFETY: so many root words follow a compound's header, and do not change.
    unsafe {
        let first = block.add(1);
        all_words(std::slice::from_raw_parts(first, roots), first, depth.checked_sub(1)?)
    }
}

/// Writes terms one behind the other. There is room for all that is asked of it.
struct Writer<F> {
    next: *mut u64,
    other: F,
}

impl<'e, F: Fn(Kind, *const u64) -> VmTerm<'e>> Writer<F> {
    #[inline(always)]
    unsafe fn take(&mut self, words: usize) -> *mut u64 {
        let at = self.next;
        // SAFETY: there is room, by the contract of whoever made the writer.
        self.next = unsafe { at.add(words) };
        at
    }

    /// A tuple of these root words, which stand at `first`.
    #[inline(always)]
    unsafe fn tuple(&mut self, roots: &[u64], first: *const u64) -> u64 {
        // SAFETY: as for all methods: counted by `words` and its like from the same encoding.
        unsafe {
            let to = self.take(1 + roots.len());
            to.write(tuple_header(roots.len()));
            self.parts(roots, first, to.add(1));
            to as u64 | BOXED
        }
    }

    /// Writes parts side by side.
    #[inline(always)]
    unsafe fn parts(&mut self, roots: &[u64], first: *const u64, to: *mut u64) {
        for (i, &root) in roots.iter().enumerate() {
            // SAFETY: as above.
            unsafe {
                let word = if is_immediate(root) { root } else { self.part(root, first.add(i)) };
                to.add(i).write(word);
            }
        }
    }

    /// [`term`](Writer::term), behind a call.
    #[inline(never)]
    unsafe fn part(&mut self, root: u64, at: *const u64) -> u64 {
        // SAFETY: as above.
        unsafe { self.term(root, at) }
    }

    /// The term of a root word that is no immediate, which stands at `at`.
    #[inline(always)]
    unsafe fn term(&mut self, root: u64, at: *const u64) -> u64 {
        // SAFETY: as above; a well-formed root word's block stands at its distance.
        unsafe {
            let (kind, block) = (Kind::of(root), at.add(distance(root)));
            let (head, first) = (*block, block.add(1));
            let roots = |n| std::slice::from_raw_parts(first, n);
            match kind {
                Kind::Tuple if count(head) > 0 => self.tuple(roots(count(head)), first),
                Kind::List => self.list(roots(count(head) + 1), first),
                Kind::Shaped if flatmap::words(Shape::of_header(head)).is_some() => {
                    let shape = Shape::of_header(head);
                    let to = self.take(flatmap::words(shape).unwrap_or(0));
                    let (map, values) = flatmap::open(shape.keys(), to);
                    self.parts(roots(shape.len()), first, values);
                    map
                }
                Kind::Float => {
                    let to = self.take(2);
                    to.write(FLOAT);
                    to.add(1).write(head);
                    to as u64 | BOXED
                }
                Kind::Bits if short_binary::words(head as usize) > 0 => {
                    let words = short_binary::words(head as usize);
                    let to = self.take(words);
                    short_binary::write(to, head as usize, first);
                    to as u64 | BOXED
                }
                _ => (self.other)(kind, block).word(),
            }
        }
    }

    /// A list; the last root word is its tail.
    #[inline(always)]
    unsafe fn list(&mut self, roots: &[u64], first: *const u64) -> u64 {
        let n = roots.len() - 1;
        // SAFETY: as above; the tail stands in the last cell.
        unsafe {
            let to = self.take(2 * n);
            for (i, &root) in roots[..n].iter().enumerate() {
                let cell = to.add(2 * i);
                cell.write(root);
                cell.add(1).write(cell.add(2) as u64 | CELL);
            }
            to.add(2 * n - 1).write(roots[n]);
            // Apart from the loop above, which so takes several cells at once.
            if !is_immediate(roots.iter().fold(u64::MAX, |all, word| all & word)) {
                self.list_parts(roots, first, to);
            }
            to as u64 | CELL
        }
    }

    /// Writes the parts of a list that are no immediates.
    #[inline(never)]
    unsafe fn list_parts(&mut self, roots: &[u64], first: *const u64, to: *mut u64) {
        let n = roots.len() - 1;
        for (i, &root) in roots.iter().enumerate().filter(|(_, root)| !is_immediate(**root)) {
            // SAFETY: as above.
            unsafe { to.add(2 * i - usize::from(i == n)).write(self.part(root, first.add(i))) };
        }
    }
}

/// Finds out whether pieces may be made.
pub fn load(env: Env) {
    USABLE.store(!tags::portable() && as_assumed(env), Ordering::Relaxed);
}

/// True if the VM's terms look as assumed, and pieces are the same terms.
fn as_assumed(env: Env) -> bool {
    tuples(env) && others(env) && cells(env) && floats(env) && pieces(env)
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

/// True if what stands in front of other terms tells them from tuples.
fn others(env: Env) -> bool {
    let number = env.make_int64(1);
    let terms = [
        env.make_float(0.5),
        env.make_uint64(u64::MAX),
        env.make_binary(&[0; 8]),
        env.make_binary(&[0; 200]),
        env.make_map(&[number], &[number]).unwrap_or(number),
    ];
    // SAFETY: a reference with this tag is to the header of a term that was just made.
    terms.into_iter().all(|term| behind(term, BOXED).is_some_and(|at| unsafe { !is_tuple(*at) }))
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

/// `{1, {2.5, [3 | 4]}, [{[]}]}` by way of its encoding, beside the VM's own.
fn pieces(env: Env) -> bool {
    let [one, three, four] = [1, 3, 4].map(|value| env.make_int64(value));
    let inner = env.make_tuple(&[env.make_float(2.5), env.make_cell(three, four)]);
    let list = env.make_list(&[env.make_tuple(&[env.make_list(&[])])]);
    let whole = env.make_tuple(&[one, inner, list]);
    let mut buffer = Buffer::new();
    let Ok(arity) = encode::encode_object(env, whole, 1, Keep::Borrow, &mut buffer) else {
        return false;
    };
    let words = buffer.words();
    let other = |_, _| env.make_list(&[]);
    // SAFETY: root words that have just been encoded.
    let piece = unsafe { elements(env, &words[..arity], words.as_ptr(), other) };
    piece.is_some_and(|piece| piece.identical(whole))
}
