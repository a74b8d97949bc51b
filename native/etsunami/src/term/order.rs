//! The Erlang term order over encoded terms.
//!
//! number < atom < reference < fun < port < pid < tuple < map < `[]` < list < bit string. Tuples
//! compare by size, then element by element; lists element by element, then tails; maps by size,
//! then keys in ascending order, then values in the order of their keys; atoms and bit strings by
//! their bytes, then by length.
//!
//! Three modes share the walk:
//!
//! - [`Mode::Value`] is the order that `<` and `==` show: numbers compare by value;
//! - [`Mode::Exact`] tells integers from floats, every integer before every float. Map keys always
//!   compare so, whatever the mode around them;
//! - [`Mode::Same`] only answers whether the terms are `=:=`: foreign terms are asked for equality,
//!   and any other answer than `Equal` means no more than "different".
//!
//! The walk is iterative: what is left to compare stands on an explicit stack of runs of root words,
//! and a run's last pair leaves no frame behind, so that lists nested in last elements cost none.
//! The keys of a map outside keys stand in the VM's order and are sorted through an index; only
//! there does the walk recurse, and each level needs two keys that are themselves maps of two such
//! keys, so the depth is at most the logarithm of the term's size.

use std::cmp::Ordering;

use super::host::host;
use super::layout::{self, Foreign, Kind, immediate};
use super::number::Number;
use super::stack::Stack;
use super::view::{Block, Map, Roots, Term};

/// What counts as different.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Value,
    Exact,
    Same,
}

impl Mode {
    /// How the keys of a map compare.
    fn of_keys(self) -> Mode {
        if self == Mode::Value { Mode::Exact } else { self }
    }
}

/// The term order: `Equal` means `==`.
#[inline]
pub fn compare(a: Term, b: Term) -> Ordering {
    compare_in(a, b, Mode::Value)
}

/// The order of map keys: `Equal` means `=:=`, every integer comes before every float.
///
/// (Funs that the VM's own order calls equal although they are `=/=`, their environments differing
/// as `1` and `1.0` do, are told apart by their hashes.)
#[inline]
pub fn compare_exact(a: Term, b: Term) -> Ordering {
    compare_in(a, b, Mode::Exact)
}

#[inline]
pub(super) fn compare_in(a: Term, b: Term, mode: Mode) -> Ordering {
    let (x, y) = (a.root(), b.root());
    if layout::is_immediate(x & y) {
        return compare_immediates(x, y);
    }
    compare_blocks(a, x, b, y, mode)
}

/// The order of two immediates, the same in every mode.
#[inline]
fn compare_immediates(x: u64, y: u64) -> Ordering {
    if immediate::is_small(x & y) {
        return (x as i64).cmp(&(y as i64));
    }
    if x == y { Ordering::Equal } else { compare_other_immediates(x, y) }
}

fn compare_other_immediates(x: u64, y: u64) -> Ordering {
    let (a, b) = (rank_immediate(x), rank_immediate(y));
    if a == rank::ATOM && b == rank::ATOM {
        let text = host().atom_text;
        return text(x).cmp(text(y));
    }
    // Local pids and ports of one node are ordered as their words.
    a.cmp(&b).then(x.cmp(&y))
}

/// The leaves that are hot as keys need no walk.
#[inline]
fn compare_blocks(a: Term, x: u64, b: Term, y: u64, mode: Mode) -> Ordering {
    if Kind::of(x) == Kind::Bits && Kind::of(y) == Kind::Bits && !layout::is_immediate(x | y) {
        return compare_bits(a.block(x).bits(), b.block(y).bits());
    }
    Walk::new().compare(a, b, mode)
}

/// Unused bits are 0, so bytes decide unless one string is a prefix of the other.
#[inline]
fn compare_bits(a: (usize, &[u8]), b: (usize, &[u8])) -> Ordering {
    let common = a.1.len().min(b.1.len());
    a.1[..common].cmp(&b.1[..common]).then(a.0.cmp(&b.0))
}

/// The types, in order.
pub(super) mod rank {
    pub(crate) const NUMBER: u8 = 0;
    pub(crate) const ATOM: u8 = 1;
    pub(crate) const REFERENCE: u8 = 2;
    pub(crate) const FUN: u8 = 3;
    pub(crate) const PORT: u8 = 4;
    pub(crate) const PID: u8 = 5;
    pub(crate) const TUPLE: u8 = 6;
    pub(crate) const OTHER: u8 = 7;
    pub(crate) const MAP: u8 = 8;
    pub(crate) const NIL: u8 = 9;
    pub(crate) const LIST: u8 = 10;
    pub(crate) const BITS: u8 = 11;
}

#[inline]
pub(super) fn rank_immediate(word: u64) -> u8 {
    if immediate::is_small(word) {
        rank::NUMBER
    } else if immediate::is_atom(word) {
        rank::ATOM
    } else if immediate::is_pid(word) {
        rank::PID
    } else if immediate::is_port(word) {
        rank::PORT
    } else {
        rank::NIL
    }
}

#[inline]
fn rank_block(block: Block) -> u8 {
    match block.kind {
        Kind::Tuple => rank::TUPLE,
        Kind::List => rank::LIST,
        Kind::Map => rank::MAP,
        Kind::Float | Kind::Integer => rank::NUMBER,
        Kind::Bits => rank::BITS,
        Kind::Foreign => match Foreign::of(block.head()) {
            Foreign::Reference => rank::REFERENCE,
            Foreign::Fun => rank::FUN,
            Foreign::Binary => rank::BITS,
            Foreign::Other => rank::OTHER,
        },
        Kind::External => rank_external(block.external()),
    }
}

/// Port tags of the external term format; a leading version byte is skipped.
fn rank_external(etf: &[u8]) -> u8 {
    const VERSION: u8 = 131;
    const PORTS: [u8; 3] = [b'f', b'Y', b'x'];
    let tag = etf.iter().find(|&&byte| byte != VERSION);
    if tag.is_some_and(|tag| PORTS.contains(tag)) { rank::PORT } else { rank::PID }
}

#[inline]
pub(super) fn rank_of(term: Term) -> u8 {
    let root = term.root();
    if layout::is_immediate(root) { rank_immediate(root) } else { rank_block(term.block(root)) }
}

/// The length in bits and the bytes of a bit string, wherever they are.
pub(super) fn bit_string<'a>(term: Term<'a>) -> Option<(usize, &'a [u8])> {
    let root = term.root();
    if layout::is_immediate(root) {
        return None;
    }
    let block = term.block(root);
    match block.kind {
        Kind::Bits => Some(block.bits()),
        Kind::Foreign if Foreign::of(block.head()) == Foreign::Binary => {
            let (bytes, len) = (host().foreign_bytes)(term);
            // SAFETY: the host promises that the contents live as long as the term.
            Some((8 * len, unsafe { std::slice::from_raw_parts(bytes, len) }))
        }
        _ => None,
    }
}

/// What is left to compare.
#[derive(Clone, Copy)]
enum Frame {
    /// Two runs of root words, side by side.
    Run { a: *const u64, b: *const u64, left: usize, mode: Mode },
    /// All before it was equal: this decides.
    Decided(Ordering),
    /// The topmost pair of maps.
    Maps,
}

/// Two maps of equal size of which at least one has to be read through an index.
struct MapPair<'a> {
    a: Indexed<'a>,
    b: Indexed<'a>,
    at: usize,
    mode: Mode,
}

/// A map's pairs in the exact order of its keys.
struct Indexed<'a> {
    map: Map<'a>,
    index: Option<Vec<u32>>,
}

impl<'a> Indexed<'a> {
    fn new(map: Map<'a>) -> Indexed<'a> {
        let keys = map.keys();
        if map.is_sorted() {
            return Indexed { map, index: None };
        }
        let mut index: Vec<u32> = (0..map.len() as u32).collect();
        index.sort_by(|&i, &j| compare_exact(keys.get(i as usize), keys.get(j as usize)));
        let moved = index.iter().enumerate().any(|(at, &i)| at != i as usize);
        Indexed { map, index: moved.then_some(index) }
    }

    fn place(&self, at: usize) -> usize {
        self.index.as_ref().map_or(at, |index| index[at] as usize)
    }
}

enum Next<'a> {
    Done(Ordering),
    Pair(Term<'a>, Term<'a>, Mode),
}

struct Walk<'a> {
    frames: Stack<Frame, 12>,
    maps: Vec<MapPair<'a>>,
}

impl<'a> Walk<'a> {
    #[inline(always)]
    fn new() -> Walk<'a> {
        Walk { frames: Stack::new(), maps: Vec::new() }
    }

    fn compare(mut self, a: Term<'a>, b: Term<'a>, mode: Mode) -> Ordering {
        let mut order = self.step(a, b, mode);
        while order.is_eq() {
            match self.next() {
                Next::Done(decided) => return decided,
                Next::Pair(a, b, mode) => order = self.step(a, b, mode),
            }
        }
        order
    }

    /// Compares two terms as far as their own words go; pushes what is behind them.
    fn step(&mut self, a: Term<'a>, b: Term<'a>, mode: Mode) -> Ordering {
        let (x, y) = (a.root(), b.root());
        if layout::is_immediate(x & y) {
            return compare_immediates(x, y);
        }
        let (p, q) = (rank_of(a), rank_of(b));
        if p != q {
            return p.cmp(&q);
        }
        match p {
            rank::NUMBER => compare_numbers(a, b, mode),
            rank::TUPLE => self.tuples(a.block(x), b.block(y), mode),
            rank::LIST => self.lists(a.block(x), b.block(y), mode),
            rank::MAP => self.maps(a.block(x), b.block(y), mode),
            rank::BITS => compare_bit_strings(a, b),
            _ => compare_exotic(a, b, mode),
        }
    }

    fn run(&mut self, a: Roots<'a>, b: Roots<'a>, mode: Mode) {
        let left = a.len().min(b.len());
        if left > 0 {
            self.frames.push(Frame::Run { a: a.as_ptr(), b: b.as_ptr(), left, mode });
        }
    }

    fn tuples(&mut self, a: Block<'a>, b: Block<'a>, mode: Mode) -> Ordering {
        let (m, n) = (layout::count(a.head()), layout::count(b.head()));
        if m == n {
            self.run(a.roots(0, m), b.roots(0, n), mode);
        }
        m.cmp(&n)
    }

    /// Lists of unequal length that agree in the common elements are decided by the shorter one's
    /// tail, which is compared with a list: only a bit string is greater.
    fn lists(&mut self, a: Block<'a>, b: Block<'a>, mode: Mode) -> Ordering {
        let (m, n) = (layout::count(a.head()), layout::count(b.head()));
        if m == n {
            self.run(a.roots(0, m + 1), b.roots(0, n + 1), mode);
            return Ordering::Equal;
        }
        if mode == Mode::Same {
            return m.cmp(&n);
        }
        let decided = if m < n {
            rank_of(a.roots(m, 1).get(0)).cmp(&rank::LIST)
        } else {
            rank::LIST.cmp(&rank_of(b.roots(n, 1).get(0)))
        };
        self.frames.push(Frame::Decided(decided));
        self.run(a.roots(0, m), b.roots(0, n), mode);
        Ordering::Equal
    }

    fn maps(&mut self, a: Block<'a>, b: Block<'a>, mode: Mode) -> Ordering {
        let (a, b) = (a.map(), b.map());
        if a.len() != b.len() {
            return a.len().cmp(&b.len());
        }
        if mode == Mode::Same && a.leaf_keys().is_some_and(|keys| b.leaf_keys() == Some(keys)) {
            self.run(a.values(), b.values(), mode);
            return Ordering::Equal;
        }
        let (a, b) = (Indexed::new(a), Indexed::new(b));
        if a.index.is_none() && b.index.is_none() {
            self.run(a.map.values(), b.map.values(), mode);
            self.run(a.map.keys(), b.map.keys(), mode.of_keys());
        } else {
            self.maps.push(MapPair { a, b, at: 0, mode });
            self.frames.push(Frame::Maps);
        }
        Ordering::Equal
    }

    fn next(&mut self) -> Next<'a> {
        loop {
            match self.frames.pop() {
                None => return Next::Done(Ordering::Equal),
                Some(Frame::Decided(order)) => return Next::Done(order),
                Some(Frame::Run { a, b, left, mode }) => {
                    // SAFETY: `run` took the pointers from runs of at least `left` root words.
                    let (a, b) = unsafe { (Roots::new(a, left), Roots::new(b, left)) };
                    if let Some(next) = self.resume(a, b, mode) {
                        return next;
                    }
                }
                Some(Frame::Maps) => {
                    if let Some(next) = self.resume_maps() {
                        return next;
                    }
                }
            }
        }
    }

    /// Skips equal immediates; none if the run is through.
    #[inline]
    fn resume(&mut self, mut a: Roots<'a>, mut b: Roots<'a>, mode: Mode) -> Option<Next<'a>> {
        while let (Some(p), Some(q)) = (a.next(), b.next()) {
            let (x, y) = (p.root(), q.root());
            if !layout::is_immediate(x & y) {
                self.run(a, b, mode);
                return Some(Next::Pair(p, q, mode));
            }
            let order = compare_immediates(x, y);
            if order.is_ne() {
                return Some(Next::Done(order));
            }
        }
        None
    }

    /// The next pair of keys, then of values; none if the maps are through.
    fn resume_maps(&mut self) -> Option<Next<'a>> {
        let pair = self.maps.last_mut()?;
        let (at, len) = (pair.at, pair.a.map.len());
        if at == 2 * len {
            self.maps.pop();
            return None;
        }
        pair.at += 1;
        let next = if at < len {
            let (i, j) = (pair.a.place(at), pair.b.place(at));
            Next::Pair(pair.a.map.key(i), pair.b.map.key(j), pair.mode.of_keys())
        } else {
            let (i, j) = (pair.a.place(at - len), pair.b.place(at - len));
            Next::Pair(pair.a.map.value(i), pair.b.map.value(j), pair.mode)
        };
        self.frames.push(Frame::Maps);
        Some(next)
    }
}

fn compare_numbers(a: Term, b: Term, mode: Mode) -> Ordering {
    match (Number::of(a), Number::of(b)) {
        (Some(a), Some(b)) => a.compare(b, mode),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

fn compare_bit_strings(a: Term, b: Term) -> Ordering {
    match (bit_string(a), bit_string(b)) {
        (Some(a), Some(b)) => compare_bits(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// References, funs, unknown terms; pids and ports of which one belongs to another node.
fn compare_exotic(a: Term, b: Term, mode: Mode) -> Ordering {
    let (p, q) = (a.block_words(), b.block_words());
    let external = |term: Term| Kind::of(term.root()) == Kind::External;
    if p.is_empty() || q.is_empty() || external(a) || external(b) {
        // A local pid is never equal to one of another node; the external format is canonical.
        if p == q {
            return Ordering::Equal;
        }
        return (host().foreign_compare)(a, b);
    }
    let same = || (host().foreign_equal)(a, b);
    match mode {
        Mode::Same if same() => Ordering::Equal,
        Mode::Same => Ordering::Less,
        Mode::Value => (host().foreign_compare)(a, b),
        Mode::Exact => match (host().foreign_compare)(a, b) {
            Ordering::Equal if !same() => p[1].cmp(&q[1]),
            order => order,
        },
    }
}
