//! Small nested terms, made in one piece.
//!
//! One call of the C interface per compound is most of what a small nested term costs. Here tuples,
//! list cells, floats, short binaries ([`short_binary`]) and maps of a shape ([`flatmap`]) are written
//! as the VM writes them, one behind the other, where the VM would put them ([`heap`]): there is room
//! for what the encoding can take at most, and what was not needed is left to whatever comes next.
//!
//! How tuples, cells and floats look is checked at load, as the words of immediates are
//! ([`super::tags`]): by terms that the VM made, and by terms that are made here, which have to be the
//! same. Where they are not, and for whatever is too large, the general way remains.
//!
//! What is none of these is made on its own and referred to.

use std::sync::atomic::{AtomicBool, Ordering};

use etsunami::term::buffer::Buffer;
use etsunami::term::layout::{
    Kind, block_ref, block_words, count, distance, immediate, is_immediate,
};
use etsunami::term::shape::Shape;

use super::encode::{self, Keep};
use super::{flatmap, short_binary};
use crate::heap;
use crate::vm::{Env, VmTerm};

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

/// The elements of a tuple, read in place where that is known to be right.
#[inline(always)]
pub fn tuple_elements<'e>(env: Env<'e>, term: VmTerm<'e>) -> Option<&'e [VmTerm<'e>]> {
    if !usable() {
        return env.tuple(term);
    }
    // SAFETY: asked; `VmTerm` is a transparent word, and these are terms of the same environment.
    unsafe {
        let words = tuple(term)?;
        Some(std::slice::from_raw_parts(words.as_ptr().cast(), words.len()))
    }
}

/// A tuple.
#[inline(always)]
pub fn make_tuple<'e>(env: Env<'e>, elements: &[VmTerm<'e>]) -> VmTerm<'e> {
    if !usable() || !(1..heap::MOST).contains(&elements.len()) {
        return env.make_tuple(elements);
    }
    let to = heap::take(env, 1 + elements.len());
    // SAFETY: room for a header and the elements.
    unsafe {
        to.write(tuple_header(elements.len()));
        for (i, element) in elements.iter().enumerate() {
            to.add(1 + i).write(element.word());
        }
        VmTerm::from_word(to as u64 | BOXED)
    }
}

/// A list's cell.
#[inline(always)]
pub fn make_cell<'e>(env: Env<'e>, head: VmTerm<'e>, tail: VmTerm<'e>) -> VmTerm<'e> {
    if !usable() {
        return env.make_cell(head, tail);
    }
    let to = heap::take(env, 2);
    // SAFETY: room for a cell.
    unsafe {
        to.write(head.word());
        to.add(1).write(tail.word());
        VmTerm::from_word(to as u64 | CELL)
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
/// [`usable`]. The root words are well-formed where they were loaded from, and what they refer to does
/// not change.
#[inline]
pub unsafe fn elements<'e>(
    env: Env<'e>,
    roots: &[u64],
    first: *const u64,
    other: impl Fn(Kind, *const u64) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    // SAFETY: by contract; a header and what the elements take.
    unsafe {
        let (writer, to) = Writer::open(env, 1 + room_of_all(roots, first), other)?;
        let next = writer.tuple(roots, first, to);
        heap::close(env, next);
        Some(VmTerm::from_word(to as u64 | BOXED))
    }
}

/// A list of the one tuple that [`elements`] makes. Root words may be those of [`finished`] terms.
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
    // SAFETY: by contract; a cell, a header and what the elements take.
    unsafe {
        let (writer, cell) = Writer::open(env, 3 + room_of_all(roots, first), other)?;
        let tuple = cell.add(2);
        cell.write(tuple as u64 | BOXED);
        cell.add(1).write(immediate::NIL);
        let next = writer.tuple(roots, first, tuple);
        heap::close(env, next);
        Some(VmTerm::from_word(cell as u64 | CELL))
    }
}

/// What stands among root words for a tuple that is a term of the call already: its reference
/// without the tag, which no root word is without.
#[inline(always)]
pub fn finished(tuple: VmTerm) -> u64 {
    tuple.word() ^ BOXED
}

/// The word of a term that is [`finished`].
#[inline(always)]
fn of_finished(root: u64) -> Option<u64> {
    (root & 0b11 == 0).then_some(root | BOXED)
}

/// A list of one tuple with these elements, immediates or terms of the call, of which there are a few.
#[inline(always)]
pub fn flat_list<'e>(env: Env<'e>, elements: &[VmTerm<'e>]) -> VmTerm<'e> {
    let first = heap::take(env, 3 + elements.len());
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
        let (writer, to) = Writer::open(env, room_of(root, from), other)?;
        let (word, next) = writer.term(root, from, to);
        heap::close(env, next);
        Some(VmTerm::from_word(word))
    }
}

/// Words that suffice for terms, the root words of which stand at `first`, with all that is written
/// behind them.
///
/// # Safety
/// As for [`elements`].
#[inline(always)]
unsafe fn room_of_all(roots: &[u64], first: *const u64) -> usize {
    let behind = |(i, &root): (usize, &u64)| match is_immediate(root) {
        true => 0,
        false if of_finished(root).is_some() => 0,
        // SAFETY: by contract.
        false => unsafe { room_of(root, first.add(i)) },
    };
    roots.len() + roots.iter().enumerate().map(behind).sum::<usize>()
}

/// Words that suffice for the block of a root word; 0 if nothing of it is written here.
///
/// Twice the words of the encoding: with `n` elements a tuple takes `1 + n`, a list `2 n` and a map of
/// a shape `2 n + 4`, where root word and block have `2 + n` or `3 + n`; a float takes 2 as there, and
/// a short binary one more than there.
///
/// # Safety
/// As for [`elements`].
#[inline(always)]
unsafe fn room_of(root: u64, at: *const u64) -> usize {
    // SAFETY: a well-formed root word's block stands at its distance.
    let head = unsafe { *at.add(distance(root)) };
    match Kind::of(root) {
        Kind::Tuple | Kind::List | Kind::Shaped => 2 * (1 + block_words(head)),
        Kind::Float => 2,
        Kind::Bits => short_binary::words(head as usize),
        _ => 0,
    }
}

/// True for the root word of a block of this kind.
#[inline(always)]
pub(super) fn is_kind(root: u64, kind: Kind) -> bool {
    root & 0xff == block_ref(kind, 0)
}

/// Writes terms one behind the other from the top of the heap on. Where the next one goes is handed on
/// in a register, and known to the VM when all are written.
///
/// Methods call each other as deep as terms are nested, of which every level takes two words: at most
/// [`heap::MOST`] / 4 deep.
struct Writer<'e, F> {
    env: Env<'e>,
    /// What suffices for all.
    room: usize,
    /// Makes what is not written here.
    other: F,
}

/// A term, and where the next one goes.
type Written = (u64, *mut u64);

impl<'e, F: Fn(Kind, *const u64) -> VmTerm<'e>> Writer<'e, F> {
    /// A writer with room for so many words, unless they are too many, and where they are.
    ///
    /// # Safety
    /// [`usable`].
    #[inline(always)]
    unsafe fn open(env: Env<'e>, room: usize, other: F) -> Option<(Writer<'e, F>, *mut u64)> {
        // SAFETY: words can be taken if pieces are usable.
        (room <= heap::MOST)
            .then(|| unsafe { (Writer { env, room, other }, heap::open(env, room)) })
    }

    /// A tuple of these root words, which stand at `first`.
    #[inline(always)]
    unsafe fn tuple(&self, roots: &[u64], first: *const u64, to: *mut u64) -> *mut u64 {
        // SAFETY: as for all methods: there is room for what the encoding has.
        unsafe {
            to.write(tuple_header(roots.len()));
            self.parts(roots, first, to.add(1), to.add(1 + roots.len()))
        }
    }

    /// Writes parts side by side, and what they refer to from `next` on.
    #[inline(always)]
    unsafe fn parts(
        &self,
        roots: &[u64],
        first: *const u64,
        to: *mut u64,
        mut next: *mut u64,
    ) -> *mut u64 {
        for (i, &root) in roots.iter().enumerate() {
            let mut word = root;
            // SAFETY: as above.
            unsafe {
                if !is_immediate(root) {
                    (word, next) = self.part(root, first.add(i), next);
                }
                to.add(i).write(word);
            }
        }
        next
    }

    /// The term of a root word inside a compound. Tuples and floats are what is nested most.
    #[inline(always)]
    unsafe fn part(&self, root: u64, at: *const u64, to: *mut u64) -> Written {
        // SAFETY: as above.
        unsafe {
            if let Some(word) = of_finished(root) {
                return (word, to);
            }
            let block = at.add(distance(root));
            if is_kind(root, Kind::Tuple) && count(*block) > 0 {
                (to as u64 | BOXED, self.inner_tuple(block, to))
            } else if is_kind(root, Kind::Float) {
                write_float(*block, to)
            } else {
                self.other_part(root, at, to)
            }
        }
    }

    /// [`tuple`](Writer::tuple), behind a call.
    #[inline(never)]
    unsafe fn inner_tuple(&self, block: *const u64, to: *mut u64) -> *mut u64 {
        // SAFETY: as above; a tuple's block.
        unsafe {
            let first = block.add(1);
            self.tuple(std::slice::from_raw_parts(first, count(*block)), first, to)
        }
    }

    /// [`term`](Writer::term), behind a call.
    #[inline(never)]
    unsafe fn other_part(&self, root: u64, at: *const u64, to: *mut u64) -> Written {
        // SAFETY: as above.
        unsafe { self.term(root, at, to) }
    }

    /// The term of a root word that is no immediate, which stands at `at`.
    #[inline(always)]
    unsafe fn term(&self, root: u64, at: *const u64, to: *mut u64) -> Written {
        // SAFETY: as above; a well-formed root word's block stands at its distance.
        unsafe {
            let (kind, block) = (Kind::of(root), at.add(distance(root)));
            let (head, first) = (*block, block.add(1));
            let roots = |n| std::slice::from_raw_parts(first, n);
            match kind {
                Kind::Tuple if count(head) > 0 => {
                    (to as u64 | BOXED, self.tuple(roots(count(head)), first, to))
                }
                Kind::List => (to as u64 | CELL, self.list(roots(count(head) + 1), first, to)),
                Kind::Shaped if flatmap::words(Shape::of_header(head)).is_some() => {
                    let shape = Shape::of_header(head);
                    let next = to.add(flatmap::words(shape).unwrap_or(0));
                    let (map, values) = flatmap::open(shape.keys(), to);
                    (map, self.parts(roots(shape.len()), first, values, next))
                }
                Kind::Float => write_float(head, to),
                Kind::Bits if short_binary::words(head as usize) > 0 => {
                    short_binary::write(to, head as usize, first);
                    (to as u64 | BOXED, to.add(short_binary::words(head as usize)))
                }
                _ => self.others(kind, block, to),
            }
        }
    }

    /// What is not written here: the VM takes words for it behind those that are in use.
    #[inline(never)]
    unsafe fn others(&self, kind: Kind, block: *const u64, to: *mut u64) -> Written {
        // SAFETY: pieces are usable; `to` is the end of what is in use of the room.
        unsafe {
            heap::close(self.env, to);
            let word = (self.other)(kind, block).word();
            (word, heap::open(self.env, self.room))
        }
    }

    /// A list; the last root word is its tail.
    #[inline(always)]
    unsafe fn list(&self, roots: &[u64], first: *const u64, to: *mut u64) -> *mut u64 {
        let n = roots.len() - 1;
        // SAFETY: as above; the tail stands in the last cell.
        unsafe {
            for (i, &root) in roots[..n].iter().enumerate() {
                let cell = to.add(2 * i);
                cell.write(root);
                cell.add(1).write(cell.add(2) as u64 | CELL);
            }
            let next = to.add(2 * n);
            next.sub(1).write(roots[n]);
            // Apart from the loop above, which so takes several cells at once.
            match is_immediate(roots.iter().fold(u64::MAX, |all, word| all & word)) {
                true => next,
                false => self.list_parts(roots, first, to, next),
            }
        }
    }

    /// Writes the parts of a list that are no immediates.
    #[inline(never)]
    unsafe fn list_parts(
        &self,
        roots: &[u64],
        first: *const u64,
        to: *mut u64,
        mut next: *mut u64,
    ) -> *mut u64 {
        let n = roots.len() - 1;
        for (i, &root) in roots.iter().enumerate().filter(|(_, root)| !is_immediate(**root)) {
            // SAFETY: as above.
            unsafe {
                let word;
                (word, next) = self.part(root, first.add(i), next);
                to.add(2 * i - usize::from(i == n)).write(word);
            }
        }
        next
    }
}

/// Writes a float of these bits.
///
/// # Safety
/// There is room for two words.
#[inline(always)]
unsafe fn write_float(bits: u64, to: *mut u64) -> Written {
    // SAFETY: by contract.
    unsafe {
        to.write(FLOAT);
        to.add(1).write(bits);
        (to as u64 | BOXED, to.add(2))
    }
}

/// Finds out whether pieces may be made.
pub fn load(env: Env) {
    USABLE.store(heap::is_known() && as_assumed(env), Ordering::Relaxed);
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
