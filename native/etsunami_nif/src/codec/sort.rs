//! The canonical form of maps inside keys: keys in the exact term order.
//!
//! A map is encoded in the VM's order first. When it is complete, [`sort_map`] orders its pairs by
//! moving root words only: their distances are adjusted, the blocks stay where they are. That makes
//! the encoding well-formed, so that maps around it can be sorted by comparing it, but not
//! canonical: siblings' blocks stand out of order. When the whole key is complete, [`lay_out`]
//! copies it once, depth first. So nested maps cost no more than one copy in all, and a comparison
//! costs at most the smaller of two keys of one map: O(n log n) in the worst case.

use std::cmp::Ordering;

use etsunami::term::buffer::{Buffer, TooLarge};
use etsunami::term::layout::{Kind, block_ref, block_words, count, distance, is_immediate};
use etsunami::term::order::compare_exact;
use etsunami::term::view::Term;

/// Sorts the map whose complete block starts at `block`. True if blocks are out of order now.
pub fn sort_map(buffer: &mut Buffer, block: usize) -> bool {
    let pairs = count(buffer.words()[block]);
    let keys = block + 1;
    let order = sorted(buffer.words(), keys, pairs);
    let moved = order.is_some_and(|order| {
        let keys_moved = permute(buffer, keys, &order);
        permute(buffer, keys + pairs, &order) | keys_moved
    });
    buffer.mark_sorted(block);
    moved
}

/// The order of `pairs` keys, unless it is the one in which they stand.
fn sorted(words: &[u64], keys: usize, pairs: usize) -> Option<Vec<u32>> {
    let compare = |a: usize, b: usize| compare_keys(words, keys + a, keys + b);
    if (1..pairs).all(|i| compare(i - 1, i).is_lt()) {
        return None;
    }
    let mut order: Vec<u32> = (0..pairs as u32).collect();
    order.sort_unstable_by(|&a, &b| compare(a as usize, b as usize));
    Some(order)
}

fn compare_keys(words: &[u64], a: usize, b: usize) -> Ordering {
    // SAFETY: both are root positions of a complete map: well-formed encodings.
    unsafe { compare_exact(Term::at(words, a), Term::at(words, b)) }
}

/// Puts the root word `order[i]` of those from `first` on at place `i`. True if a reference moved.
fn permute(buffer: &mut Buffer, first: usize, order: &[u32]) -> bool {
    let old = buffer.words()[first..first + order.len()].to_vec();
    let mut moved = false;
    for (to, &from) in order.iter().enumerate() {
        let root = old[from as usize];
        if is_immediate(root) {
            buffer.set(first + to, root);
        } else {
            let distance = distance(root) + from as usize - to;
            buffer.set(first + to, block_ref(Kind::of(root), distance));
            moved |= to != from as usize;
        }
    }
    moved
}

/// A compound that has been copied, whose parts from `next` on have not.
struct Copied {
    from: usize,
    to: usize,
    next: usize,
    end: usize,
}

/// Brings the blocks of the term with its root word at `at`, the last in the buffer, into
/// depth-first order.
pub fn lay_out(buffer: &mut Buffer, at: usize) -> Result<(), TooLarge> {
    let root = buffer.words()[at];
    let start = at + distance(root);
    let mut out = Vec::new();
    out.try_reserve_exact(buffer.words().len() - start).map_err(|_| TooLarge)?;
    let mut stack = vec![copy(buffer.words(), start, Kind::of(root), &mut out)];
    while let Some(frame) = stack.last_mut() {
        if frame.next == frame.end {
            stack.pop();
            continue;
        }
        let (from, to) = (frame.from + frame.next, frame.to + frame.next);
        frame.next += 1;
        let root = buffer.words()[from];
        if !is_immediate(root) {
            out[to] = block_ref(Kind::of(root), out.len() - to);
            let part = copy(buffer.words(), from + distance(root), Kind::of(root), &mut out);
            stack.push(part);
        }
    }
    buffer.fill(start, &out);
    Ok(())
}

/// Copies a leaf block, or a compound's header and root words.
fn copy(words: &[u64], from: usize, kind: Kind, out: &mut Vec<u64>) -> Copied {
    let first = words[from];
    let (length, roots) = match kind {
        Kind::Tuple => (1 + count(first), count(first)),
        Kind::List => (2 + count(first), 1 + count(first)),
        Kind::Map => (1 + 2 * count(first), 2 * count(first)),
        Kind::Shaped => unreachable!("maps inside keys have their own keys"),
        Kind::Float => (1, 0),
        Kind::Bits => (1 + (first as usize).div_ceil(64), 0),
        Kind::Integer | Kind::Foreign | Kind::External => (block_words(first), 0),
    };
    let to = out.len();
    out.extend_from_slice(&words[from..from + length]);
    Copied { from, to, next: 1, end: 1 + roots }
}
