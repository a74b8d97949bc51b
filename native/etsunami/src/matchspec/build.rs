//! Builds compounds from nodes in depth-first order, without recursion.
//!
//! The open compounds stand on a stack; each node goes to the next free root word of the topmost
//! one, and a compound that is full is closed. A list whose tail turns out to be a list again becomes
//! one block with it. A map whose keys do not come out in the exact order is sorted once it is full;
//! of equal keys the last one stays.

use crate::term::buffer::Buffer;
use crate::term::layout::{self, Kind};
use crate::term::order::compare_exact;
use crate::term::view::{Term, View};

use super::call::list;
use super::heap::SystemLimit;
use super::program::{Constant, Node, Var};
use super::value::{ListView, Part, Subject, Value};

type Result<T = ()> = std::result::Result<T, SystemLimit>;

/// Where the values of simple nodes come from.
pub(super) trait Source<'r> {
    fn constant(&self, constant: Constant) -> Value<'r>;
    fn variable(&self, var: Var) -> Value<'r>;
    /// The value of the leaf of this number.
    fn leaf(&self, number: usize) -> Value<'r>;
    fn subject(&self) -> Option<Subject<'r>>;
}

/// An open compound.
struct Frame<'r> {
    /// Its own root word.
    root: usize,
    block: usize,
    /// The root word to be filled next.
    next: usize,
    /// Behind the last root word to be filled by nodes.
    end: usize,
    irregular: bool,
    then: Then<'r>,
}

/// What is to be done when the nodes of a compound are through.
enum Then<'r> {
    Close,
    /// The rest of a list comes from another list.
    Append(ListView<'r>),
    /// The tail is this.
    Tail(Value<'r>),
    /// The keys are to be in order.
    Map,
}

/// Writes the compound of `nodes` to root word `at`; true if it is irregular.
pub(super) fn build<'r>(
    buffer: &mut Buffer,
    at: usize,
    nodes: &[Node],
    source: &impl Source<'r>,
) -> Result<bool> {
    let mut builder = Builder { buffer, leaf: 0, source, frames: Vec::new(), at };
    for node in nodes {
        builder.node(*node)?;
        builder.close_full()?;
    }
    Ok(builder.buffer_irregular())
}

struct Builder<'b, 'r, S> {
    buffer: &'b mut Buffer,
    leaf: usize,
    source: &'b S,
    frames: Vec<Frame<'r>>,
    at: usize,
}

impl<'r, S: Source<'r>> Builder<'_, 'r, S> {
    fn buffer_irregular(&self) -> bool {
        // SAFETY: the root word and its blocks have just been written.
        unsafe { Term::at(self.buffer.words(), self.at) }.is_irregular()
    }

    /// The root word that the next node goes to.
    fn slot(&mut self) -> usize {
        match self.frames.last_mut() {
            Some(frame) => {
                frame.next += 1;
                frame.next - 1
            }
            None => self.at,
        }
    }

    fn node(&mut self, node: Node) -> Result {
        let at = self.slot();
        match node {
            Node::Tuple(n) => {
                let block = self.buffer.open_tuple(at, n as usize)?;
                self.open(at, block, n as usize, Then::Close);
            }
            Node::List(n) => {
                let block = self.buffer.open_list(at, n as usize)?;
                self.open(at, block, n as usize + 1, Then::Close);
            }
            Node::ListTo { elements, leaf } => {
                self.open_list_to(at, elements as usize, leaf as usize)?;
            }
            Node::Map(n) => {
                let block = self.buffer.open_map(at, n as usize)?;
                self.open(at, block, 2 * n as usize, Then::Map);
            }
            Node::Constant(constant) => self.put(at, self.source.constant(constant))?,
            Node::Var(var) => self.put(at, self.source.variable(var))?,
            Node::Object => self.put(at, Value::Object)?,
            Node::Leaf => {
                self.leaf += 1;
                self.put(at, self.source.leaf(self.leaf - 1))?;
            }
        }
        Ok(())
    }

    fn open_list_to(&mut self, at: usize, elements: usize, leaf: usize) -> Result {
        let tail = self.source.leaf(leaf);
        match list(tail) {
            Ok(list) => {
                let block = self.buffer.open_list(at, elements + list.len())?;
                self.open(at, block, elements, Then::Append(list));
            }
            Err(_) => {
                let block = self.buffer.open_list(at, elements)?;
                self.open(at, block, elements, Then::Tail(tail));
            }
        }
        Ok(())
    }

    fn open(&mut self, root: usize, block: usize, nodes: usize, then: Then<'r>) {
        let next = block + 1;
        self.frames.push(Frame { root, block, next, end: next + nodes, irregular: false, then });
    }

    /// Writes a value, and tells the compound around it.
    fn put(&mut self, at: usize, value: Value<'r>) -> Result {
        let irregular = write(self.buffer, at, value, self.source.subject())?;
        if let Some(frame) = self.frames.last_mut() {
            frame.irregular |= irregular;
        }
        Ok(())
    }

    /// Closes the topmost compounds as far as they are full.
    fn close_full(&mut self) -> Result {
        while let Some(frame) = self.frames.pop_if(|frame| frame.next == frame.end) {
            let irregular = self.finish(frame)?;
            if let Some(outer) = self.frames.last_mut() {
                outer.irregular |= irregular;
            }
        }
        Ok(())
    }

    fn finish(&mut self, frame: Frame<'r>) -> Result<bool> {
        let mut irregular = frame.irregular;
        let sort = matches!(frame.then, Then::Map);
        match frame.then {
            Then::Close | Then::Map => (),
            Then::Append(list) => {
                self.leaf += 1;
                irregular |= append(self.buffer, frame.end, &list)?;
            }
            Then::Tail(tail) => {
                self.leaf += 1;
                irregular |= write(self.buffer, frame.end, tail, self.source.subject())?;
            }
        }
        if irregular {
            self.buffer.mark_irregular(frame.block);
        }
        self.buffer.close(frame.block);
        if sort {
            sort_map(self.buffer, frame.root, frame.block)?;
        }
        Ok(irregular)
    }
}

/// Writes a value to a root word; true if it is irregular.
pub(super) fn write<'r>(
    buffer: &mut Buffer,
    at: usize,
    value: Value<'r>,
    subject: Option<Subject<'r>>,
) -> Result<bool> {
    match value {
        Value::Word(word) => {
            buffer.set(at, word);
            Ok(false)
        }
        Value::Block(term) => Ok(buffer.copy(at, term)?),
        Value::Rest(..) => match list(value) {
            Ok(list) => {
                let block = buffer.open_list(at, list.len())?;
                let irregular = append(buffer, block + 1, &list)?;
                finish(buffer, block, irregular);
                Ok(irregular)
            }
            Err(_) => Err(SystemLimit),
        },
        Value::Object => match subject {
            Some(subject) => write_object(buffer, at, &subject),
            None => Err(SystemLimit),
        },
    }
}

impl Part<'_> {
    /// Writes a part of a result to a root word; true if it is irregular. Keepers are copied, not
    /// counted.
    pub fn write(&self, subject: &Subject, buffer: &mut Buffer, at: usize) -> Result<bool> {
        match *self {
            Part::Object => write_object(buffer, at, subject),
            Part::Word(word) => {
                buffer.set(at, word);
                Ok(false)
            }
            Part::Term(term) => Ok(buffer.copy(at, term)?),
        }
    }
}

fn write_object(buffer: &mut Buffer, at: usize, subject: &Subject) -> Result<bool> {
    let arity = subject.arity().unwrap_or(0);
    let block = buffer.open_tuple(at, arity)?;
    let mut irregular = false;
    for i in 0..arity {
        match subject.element(i) {
            Part::Word(word) => buffer.set(block + 1 + i, word),
            Part::Term(term) => irregular |= buffer.copy(block + 1 + i, term)?,
            Part::Object => (),
        }
    }
    finish(buffer, block, irregular);
    Ok(irregular)
}

fn finish(buffer: &mut Buffer, block: usize, irregular: bool) {
    if irregular {
        buffer.mark_irregular(block);
    }
    buffer.close(block);
}

/// Writes what is left of a list, and its tail, to the root words from `at` on.
fn append(buffer: &mut Buffer, at: usize, list: &ListView) -> Result<bool> {
    let mut irregular = false;
    for i in 0..list.len() {
        irregular |= write(buffer, at + i, list.get(i), None)?;
    }
    Ok(irregular | buffer.copy(at + list.len(), list.tail)?)
}

/// Puts the pairs of the map whose root word is at `root` and whose block ends the buffer into the
/// exact order of their keys.
fn sort_map(buffer: &mut Buffer, root: usize, block: usize) -> Result {
    // SAFETY: the root word and the block have just been written.
    let View::Map(map) = unsafe { Term::at(buffer.words(), root) }.view() else { return Ok(()) };
    let keys = map.keys();
    let ascending = |i: usize| compare_exact(keys.get(i - 1), keys.get(i)).is_lt();
    if !(1..map.len()).all(ascending) {
        resort_map(buffer, block)?;
    }
    buffer.mark_sorted(block);
    Ok(())
}

fn resort_map(buffer: &mut Buffer, block: usize) -> Result {
    let mut copy = vec![layout::block_ref(Kind::Map, 1)];
    copy.extend_from_slice(&buffer.words()[block..]);
    // SAFETY: a root word and the map's block right behind it.
    let View::Map(map) = unsafe { Term::at(&copy, 0) }.view() else { return Ok(()) };
    let keys = map.keys();
    let mut order: Vec<usize> = (0..map.len()).collect();
    // Of equal keys the later one comes first, and stays.
    order.sort_by(|&i, &j| compare_exact(keys.get(i), keys.get(j)).then(j.cmp(&i)));
    order.dedup_by(|later, kept| compare_exact(keys.get(*later), keys.get(*kept)).is_eq());
    buffer.truncate(block);
    let n = order.len();
    buffer.reserve(1 + 2 * n)?;
    buffer.set(block, layout::header(n, 1 + 2 * n));
    let mut irregular = false;
    for (to, &i) in order.iter().enumerate() {
        irregular |= buffer.copy(block + 1 + to, map.key(i))?;
    }
    for (to, &i) in order.iter().enumerate() {
        irregular |= buffer.copy(block + 1 + n + to, map.value(i))?;
    }
    finish(buffer, block, irregular);
    Ok(())
}
