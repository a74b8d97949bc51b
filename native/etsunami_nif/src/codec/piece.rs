//! Small nested terms, made in one piece.
//!
//! One call of the C interface per compound is most of what a small nested term costs. Where the
//! layout of terms is known ([`Layout`]), tuples, list cells, floats, short binaries, big integers and
//! maps are written as the VM writes them, one behind the other, where the VM would put them
//! ([`heap`]): there is room for what the encoding can take at most, and what was not needed is left
//! for the next term.
//!
//! What cannot be written here is made by the caller's function and referred to. A term that is too
//! large for one piece is left to the general way ([`super::decode`]).

use etsunami::term::layout::{
    Foreign, Kind, NEGATIVE, SORTED, TREE, block_ref, block_words, count, distance, immediate,
    is_immediate,
};
use etsunami::term::shape::{MAX_KEYS, Shape};

use crate::vm::{Env, VmTerm};
use crate::vm_terms::layout::{BOXED, CELL, Layout, Written, tuple_header};
use crate::vm_terms::{heap, large_map};

/// The tuple with these root words, which were loaded from `first` on; `other` makes, of a block and
/// its kind, what is not made here. `None` if it is too large.
///
/// # Safety
/// The root words are well-formed where they were loaded from, and what they refer to does
/// not change.
#[inline]
pub unsafe fn elements<'e>(
    layout: Layout,
    env: Env<'e>,
    roots: &[u64],
    first: *const u64,
    other: impl Fn(Kind, *const u64) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    // SAFETY: by contract; a header and what the elements take.
    unsafe {
        let (writer, to) = Writer::open(layout, env, 1 + room_of_all(layout, roots, first), other)?;
        let next = writer.tuple(roots, first, to);
        heap::close(layout, env, next);
        Some(VmTerm::from_word(to as u64 | BOXED))
    }
}

/// A list of the one tuple that [`elements`] makes. Root words may be those of [`finished`] terms.
///
/// # Safety
/// As for [`elements`].
#[inline]
pub unsafe fn list_of_one<'e>(
    layout: Layout,
    env: Env<'e>,
    roots: &[u64],
    first: *const u64,
    other: impl Fn(Kind, *const u64) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    // SAFETY: by contract; a cell, a header and what the elements take.
    unsafe {
        let (writer, cell) =
            Writer::open(layout, env, 3 + room_of_all(layout, roots, first), other)?;
        let tuple = cell.add(2);
        cell.write(tuple as u64 | BOXED);
        cell.add(1).write(immediate::NIL);
        let next = writer.tuple(roots, first, tuple);
        heap::close(layout, env, next);
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
pub(super) fn of_finished(root: u64) -> Option<u64> {
    (root & 0b11 == 0).then_some(root | BOXED)
}

/// The term of a root word that is no immediate, which was loaded from `from`, as [`elements`] makes
/// it.
///
/// # Safety
/// As for [`elements`].
#[inline]
pub unsafe fn term<'e>(
    layout: Layout,
    env: Env<'e>,
    root: u64,
    from: *const u64,
    other: impl Fn(Kind, *const u64) -> VmTerm<'e>,
) -> Option<VmTerm<'e>> {
    // SAFETY: by contract.
    unsafe {
        let (writer, to) = Writer::open(layout, env, room_of(layout, root, from), other)?;
        let (word, next) = writer.term(root, from, to);
        heap::close(layout, env, next);
        Some(VmTerm::from_word(word))
    }
}

/// Words that suffice for terms, the root words of which stand at `first`, with all that is written
/// behind them.
///
/// # Safety
/// As for [`elements`].
#[inline(always)]
unsafe fn room_of_all(layout: Layout, roots: &[u64], first: *const u64) -> usize {
    let behind = |(i, &root): (usize, &u64)| match is_immediate(root) {
        true => 0,
        false if of_finished(root).is_some() => 0,
        // SAFETY: by contract.
        false => unsafe { room_of(layout, root, first.add(i)) },
    };
    roots.len() + roots.iter().enumerate().map(behind).sum::<usize>()
}

/// Words that suffice for the block of a root word; 0 if nothing of it is written here.
///
/// Twice the words of the encoding: with `n` elements a tuple takes `1 + n`, a list `2 n`, a map of a
/// shape `2 n + 4`, one with its own keys as many, and a tree `3 n` and two for each node, where root word
/// and block have at least `2 + n`, and maps with their own keys `2 + 2 n`; a float takes 2 as there, a
/// big integer as many as there, and a short binary one more than there.
///
/// # Safety
/// As for [`elements`].
#[inline(always)]
unsafe fn room_of(layout: Layout, root: u64, at: *const u64) -> usize {
    // SAFETY: a well-formed root word's block stands at its distance.
    let head = unsafe { *at.add(distance(root)) };
    match Kind::of(root) {
        Kind::Tuple | Kind::List | Kind::Map | Kind::Shaped => 2 * (1 + block_words(head)),
        Kind::Float => 2,
        Kind::Integer => 1 + count(head),
        Kind::Foreign => 3,
        Kind::Bits => layout.short_binary_words(head as usize),
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
    layout: Layout,
    env: Env<'e>,
    /// What suffices for all.
    room: usize,
    /// Makes what is not written here.
    other: F,
}

impl<'e, F: Fn(Kind, *const u64) -> VmTerm<'e>> Writer<'e, F> {
    /// A writer with room for so many words, unless they are too many, and where they are.
    #[inline(always)]
    fn open(
        layout: Layout,
        env: Env<'e>,
        room: usize,
        other: F,
    ) -> Option<(Writer<'e, F>, *mut u64)> {
        (room <= heap::MOST)
            .then(|| (Writer { layout, env, room, other }, heap::open(layout, env, room)))
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
                self.layout.write_float(*block, to)
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
                Kind::Shaped => {
                    let (shape, layout) = (Shape::of_header(head), self.layout);
                    let next = to.add(layout.flat_map_words(shape.len()));
                    let (map, keys, values) = layout.open_flat_map(shape.len(), to);
                    for (i, &key) in shape.keys().iter().enumerate() {
                        keys.add(i).write(key);
                    }
                    (map, self.parts(roots(shape.len()), first, values, next))
                }
                Kind::Map if head & TREE != 0 => self.large_map(head, first, to),
                Kind::Map if head & SORTED == 0 && (1..=MAX_KEYS).contains(&count(head)) => {
                    let (n, layout) = (count(head), self.layout);
                    let next = to.add(layout.flat_map_words(n));
                    let (map, keys, values) = layout.open_flat_map(n, to);
                    let next = self.parts(roots(n), first, keys, next);
                    let first = first.add(n);
                    let roots = std::slice::from_raw_parts(first, n);
                    (map, self.parts(roots, first, values, next))
                }
                Kind::Foreign if Foreign::of(head) == Foreign::LocalReference => {
                    to.copy_from_nonoverlapping(first, 3);
                    (to as u64 | BOXED, to.add(3))
                }
                Kind::Float => self.layout.write_float(head, to),
                Kind::Integer => {
                    self.layout.write_big_integer(head & NEGATIVE != 0, roots(count(head)), to)
                }
                Kind::Bits if self.layout.short_binary_words(head as usize) > 0 => {
                    self.layout.write_short_binary(head as usize, first, to)
                }
                _ => self.others(kind, block, to),
            }
        }
    }

    /// What is not written here: the VM takes words for it behind those that are in use.
    #[inline(never)]
    unsafe fn others(&self, kind: Kind, block: *const u64, to: *mut u64) -> Written {
        // SAFETY: `to` is the end of what is in use of the room.
        unsafe { heap::close(self.layout, self.env, to) };
        let word = (self.other)(kind, block).word();
        (word, heap::open(self.layout, self.env, self.room))
    }

    /// A map that is a tree: cells of its pairs, what these refer to, and the nodes.
    #[inline(never)]
    unsafe fn large_map(&self, head: u64, first: *const u64, cells: *mut u64) -> Written {
        let n = count(head);
        // SAFETY: as above; behind the root words are the number of nodes and the nodes, as they were
        // read.
        unsafe {
            let mut next = cells.add(2 * n);
            for i in 0..2 * n {
                let root = *first.add(i);
                let mut word = root;
                if !is_immediate(root) {
                    (word, next) = self.part(root, first.add(i), next);
                }
                let to = if i < n { 2 * i } else { 2 * (i - n) + 1 };
                cells.add(to).write(word);
            }
            let nodes =
                std::slice::from_raw_parts(first.add(2 * n + 1), *first.add(2 * n) as usize);
            let mut cell = cells;
            let next_cell = || {
                let word = cell as u64 | CELL;
                cell = cell.add(2);
                word
            };
            let mut take = |words| {
                let at = next;
                next = next.add(words);
                at
            };
            let map = large_map::Writer::new(nodes, next_cell).write(n, &mut take);
            (map, next)
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
