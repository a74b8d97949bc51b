//! Maps of more than 32 pairs, as the VM lays them out: trees over the hashes of their keys.
//!
//! ```text
//! head    header | size | children ...
//! node    header | children ...
//! ```
//!
//! A child is a cell, `[key | value]`, or a node. The header of a head or node has the places of its
//! children in bits 16..32, one bit for each; a node of keys whose hashes are all the same is a tuple of
//! cells. Which keys are where depends on a hash that only the VM knows, which may differ from run to run.
//! So a map is not made anew of its pairs, but of the tree that it had: what [`Layout::large_map`]
//! reads is a word for each node, in depth-first order, its header with a bit from 32 on for each child
//! that is a node; and the pairs in the same order. [`Writer`] makes the map of them.
//!
//! Every large map is read so, and maps with the same keys have the same tree. So equal maps have
//! equal words.

use super::layout::{BOXED, CELL, Layout, TYPE, is_tuple, pointer};
use crate::vm::VmTerm;

/// The headers of flat maps, heads and nodes have the same type. These bits tell them apart: flat maps,
/// nodes, heads with all children, heads with some.
const FORM: u64 = 0b11 << 6;
const NODE: u64 = 0b01 << 6;
const FIRST_HEAD: u64 = 0b10 << 6;

/// Where the places of children, and those that are nodes, begin.
const CHILDREN: u32 = 16;
const NODES: u32 = 32;

/// The most children of a node: of a tuple with more, hashes are the same for too many keys.
const MOST_CHILDREN: usize = 16;
/// More nodes above each other than sixteen children each, by all bits of a hash, can have. Beyond
/// that a map is left to the C interface.
const DEEPEST: usize = 40;

/// True for the header of a head, where flat maps have this type.
#[inline(always)]
fn is_head(head: u64, map: u64) -> bool {
    head & TYPE == map && head & FORM >= FIRST_HEAD
}

/// The children of a node or head of this header, without what the encoding adds.
#[inline(always)]
fn children(head: u64) -> usize {
    let head = head & u64::from(u32::MAX);
    if is_tuple(head) {
        (head >> 6) as usize
    } else {
        (head >> CHILDREN & 0xffff).count_ones() as usize
    }
}

/// A large map.
#[derive(Clone, Copy)]
pub struct LargeMap<'e> {
    head: &'e [u64],
    /// The type of maps.
    map: u64,
}

/// What is read of a map.
pub trait Sink {
    /// A node, before its children.
    fn node(&mut self, node: u64) -> Option<()>;
    /// A pair.
    fn pair(&mut self, key: u64, value: u64);
}

impl Layout {
    /// A map that is a tree.
    #[inline]
    pub fn large_map<'e>(self, term: VmTerm<'e>) -> Option<LargeMap<'e>> {
        let (head, at) = self.boxed(term)?;
        let map = self.flat_map_header() & TYPE;
        if !is_head(head, map) {
            return None;
        }
        // SAFETY: a head has a size and its children behind the header.
        let head = unsafe { std::slice::from_raw_parts(at, 2 + children(head)) };
        Some(LargeMap { head, map })
    }
}

impl LargeMap<'_> {
    /// The number of pairs.
    #[inline(always)]
    pub fn pairs(self) -> usize {
        self.head[1] as usize
    }

    /// Reads nodes and pairs in order; nothing if a node is of an unknown kind, or too deep.
    pub fn read(self, to: &mut impl Sink) -> Option<()> {
        read(self.map, self.head[0], &self.head[2..], 0, to)
    }
}

/// Reads a node with this header and these children. Deep as a tree may be, and no deeper.
fn read(map: u64, head: u64, children_of: &[u64], depth: usize, to: &mut impl Sink) -> Option<()> {
    if head >> NODES != 0 || depth > DEEPEST || children_of.len() > MOST_CHILDREN {
        return None;
    }
    let is_node = |&(_, child): &(usize, &u64)| child & 3 != CELL;
    let nodes = children_of.iter().enumerate().filter(is_node);
    to.node(nodes.fold(head, |node, (i, _)| node | 1 << (NODES as usize + i)))?;
    for &child in children_of {
        let at = pointer(child);
        // SAFETY: a child is a pointer to a cell, or to a node, which begins with a header and has as
        // many children as that says.
        unsafe {
            if child & 3 == CELL {
                to.pair(*at, *at.add(1));
            } else {
                let head = *at;
                if !is_tuple(head) && head & (TYPE | FORM) != map | NODE {
                    return None;
                }
                let children = std::slice::from_raw_parts(at.add(1), children(head));
                read(map, head, children, depth + 1, to)?;
            }
        }
    }
    Some(())
}

/// Makes the nodes of a map.
pub struct Writer<'a, F> {
    /// The nodes to come.
    nodes: std::slice::Iter<'a, u64>,
    /// Gives the word of the next cell.
    cells: F,
}

impl<'a, F: FnMut() -> u64> Writer<'a, F> {
    /// A writer of these nodes; `cells` gives the words of the cells in order.
    pub fn new(nodes: &'a [u64], cells: F) -> Writer<'a, F> {
        Writer { nodes: nodes.iter(), cells }
    }

    /// Writes the map of so many pairs: its word.
    ///
    /// # Safety
    /// The nodes are those that [`LargeMap::read`] gave, and `take` gives memory for as many words as
    /// it is asked for, at most 18.
    pub unsafe fn write(&mut self, pairs: usize, take: &mut impl FnMut(usize) -> *mut u64) -> u64 {
        // SAFETY: by contract.
        unsafe { self.node(Some(pairs), take) }
    }

    /// Deep as the tree that was read.
    unsafe fn node(
        &mut self,
        size: Option<usize>,
        take: &mut impl FnMut(usize) -> *mut u64,
    ) -> u64 {
        let node = self.nodes.next().copied().unwrap_or_default();
        let (count, front) = (children(node), 1 + usize::from(size.is_some()));
        let to = take(front + count);
        // SAFETY: memory for header, size and children.
        unsafe {
            to.write(node & u64::from(u32::MAX));
            if let Some(size) = size {
                to.add(1).write(size as u64);
            }
            for i in 0..count {
                let is_node = node >> (NODES as usize + i) & 1 == 1;
                let child = if is_node { self.node(None, take) } else { (self.cells)() };
                to.add(front + i).write(child);
            }
        }
        to as u64 | BOXED
    }
}
