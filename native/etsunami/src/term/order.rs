//! The Erlang term order over encoded terms.
//!
//! number < atom < reference < fun < port < pid < tuple < map < `[]` < list < bit string. Tuples
//! compare by size, then element by element; lists element by element, then tails; maps by size,
//! then keys in ascending order, then values in the order of their keys; atoms and bit strings by
//! their bytes, then by length.
//!
//! Three modes share the walk:
//!
//! - `Value` is the order that `<` and `==` show: numbers compare by value;
//! - `Exact` tells integers from floats, every integer before every float. Map keys always
//!   compare so, whatever the mode around them;
//! - `Same` only answers whether the terms are `=:=`: foreign terms are asked for equality,
//!   and any other answer than `Equal` means no more than "different".
//!
//! The walk is iterative: what is left to compare stands on an explicit stack of runs of root
//! words, and a run's last pair leaves no frame behind, so that lists nested in last elements cost
//! none. The keys of a map outside keys stand in the VM's order and are sorted through an index;
//! only there does the walk recurse, and each level needs two keys that are themselves maps of two
//! such keys, so the depth is at most the logarithm of the term's size.

use std::cmp::Ordering;
use std::slice;

use super::bits::{bit_string, compare_bits};
use super::host::host;
use super::layout::{self, Kind, immediate};
use super::number::Number;
use super::rank;
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
    let (a, b) = (rank::of_immediate(x), rank::of_immediate(y));
    if a == rank::ATOM && b == rank::ATOM {
        let text = host().atom_text;
        return text(x).cmp(text(y));
    }
    // Local pids and ports of one node are ordered as their words.
    a.cmp(&b).then(x.cmp(&y))
}

/// What is hot as a key needs no walk: bit strings, and tuples that differ in an immediate.
#[inline]
fn compare_blocks<'a>(a: Term<'a>, x: u64, b: Term<'a>, y: u64, mode: Mode) -> Ordering {
    if layout::is_immediate(x | y) || Kind::of(x) != Kind::of(y) {
        return Walk::new().compare(a, b, mode);
    }
    let (p, q) = (a.block(x), b.block(y));
    match p.kind {
        Kind::Bits => compare_bits(p.bits(), q.bits()),
        Kind::Tuple => compare_tuples(p, q, mode),
        _ => Walk::new().compare(a, b, mode),
    }
}

fn compare_tuples<'a>(a: Block<'a>, b: Block<'a>, mode: Mode) -> Ordering {
    let (m, n) = (layout::count(a.head()), layout::count(b.head()));
    if m != n {
        return m.cmp(&n);
    }
    let run = Run { a: a.roots(0, m).as_ptr(), b: b.roots(0, n).as_ptr(), left: m, mode };
    match run.advance() {
        Step::Through => Ordering::Equal,
        Step::Decided(order) => order,
        Step::Pair(a, b, rest) => {
            let mut walk = Walk::new();
            walk.push(rest);
            walk.compare(a, b, mode)
        }
    }
}

/// What is left to compare.
#[derive(Clone, Copy)]
enum Frame {
    /// Two runs of root words, side by side.
    Run(Run),
    /// All before it was equal: this decides.
    Decided(Ordering),
    /// The topmost pair of maps.
    Maps,
}

/// Two runs of `left` root words inside blocks.
#[derive(Clone, Copy)]
struct Run {
    a: *const u64,
    b: *const u64,
    left: usize,
    mode: Mode,
}

/// How far the immediates of a run go.
enum Step<'a> {
    Through,
    Decided(Ordering),
    Pair(Term<'a>, Term<'a>, Run),
}

impl Run {
    /// Skips equal immediates.
    #[inline(always)]
    fn advance<'a>(self) -> Step<'a> {
        // SAFETY: the run is inside blocks, which do not change while the terms are compared.
        let (a, b) = unsafe {
            (slice::from_raw_parts(self.a, self.left), slice::from_raw_parts(self.b, self.left))
        };
        let differ = |(x, y): (&u64, &u64)| x != y || !layout::is_immediate(*x);
        let Some(at) = a.iter().zip(b).position(differ) else { return Step::Through };
        if layout::is_immediate(a[at] & b[at]) {
            return Step::Decided(compare_immediates(a[at], b[at]));
        }
        // SAFETY: `at` is inside the run, and the pointers may read the whole of their terms.
        unsafe {
            let rest = Run {
                a: self.a.add(at + 1),
                b: self.b.add(at + 1),
                left: self.left - at - 1,
                ..self
            };
            Step::Pair(Term::new(self.a.add(at)), Term::new(self.b.add(at)), rest)
        }
    }
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
        if !layout::is_immediate(x | y) && Kind::of(x) == Kind::Bits && Kind::of(y) == Kind::Bits {
            return compare_bits(a.block(x).bits(), b.block(y).bits());
        }
        let (p, q) = (rank::of(a), rank::of(b));
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
        self.push(Run { a: a.as_ptr(), b: b.as_ptr(), left, mode });
    }

    /// A run that is through leaves no frame.
    #[inline]
    fn push(&mut self, run: Run) {
        if run.left > 0 {
            self.frames.push(Frame::Run(run));
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
            rank::of(a.roots(m, 1).get(0)).cmp(&rank::LIST)
        } else {
            rank::LIST.cmp(&rank::of(b.roots(n, 1).get(0)))
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
                Some(Frame::Run(run)) => match run.advance() {
                    Step::Through => (),
                    Step::Decided(order) => return Next::Done(order),
                    Step::Pair(a, b, rest) => {
                        self.push(rest);
                        return Next::Pair(a, b, run.mode);
                    }
                },
                Some(Frame::Maps) => {
                    if let Some(next) = self.resume_maps() {
                        return next;
                    }
                }
            }
        }
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
    let hash = |term: Term| term.block(term.root()).foreign().hash;
    let same = || hash(a) == hash(b) && (host().foreign_equal)(a, b);
    match mode {
        Mode::Same if same() => Ordering::Equal,
        Mode::Same => Ordering::Less,
        Mode::Value => (host().foreign_compare)(a, b),
        Mode::Exact => match (host().foreign_compare)(a, b) {
            Ordering::Equal if !same() => hash(a).cmp(&hash(b)),
            order => order,
        },
    }
}
