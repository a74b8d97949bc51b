//! One change of a group's persistent structure: what it makes and what it replaces.
//!
//! Every node and block carries the generation of the view that it was made for. What carries the
//! generation of the edit itself is not known to any other thread yet: it may be changed in place
//! and freed at once. All else is shared with views that readers may hold: it is copied before a
//! change, and the original is noted here, to be freed after the grace period of its last view.

use super::block::{Block, Leaf};
use super::trie::Node;

/// A generation: how many changes the group had when something was made.
pub(super) type Born = u64;

/// A piece of structure on its own.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// A trie node (without what is below it).
    Node(*mut Node),
    /// A block (without the objects in it).
    Block(*mut Block),
}

impl Part {
    /// The bytes of the piece.
    ///
    /// # Safety
    /// The piece is alive.
    pub(super) unsafe fn bytes(self) -> usize {
        match self {
            // SAFETY: by contract.
            Part::Node(node) => unsafe { Node::bytes(Node::items(node).len()) },
            // SAFETY: by contract.
            Part::Block(block) => unsafe { Block::bytes(Block::items(block).len()) },
        }
    }

    /// Frees the piece.
    ///
    /// # Safety
    /// Nobody can reach it any more, and it was not freed before.
    pub(super) unsafe fn free(self) {
        match self {
            // SAFETY: by contract.
            Part::Node(node) => unsafe { Node::free(node) },
            // SAFETY: by contract.
            Part::Block(block) => unsafe { Block::free(block) },
        }
    }
}

/// A change in the making.
pub(super) struct Edit {
    /// The generation of what the change makes.
    pub(super) born: Born,
    /// What the change takes out of the structure, still reachable from older views.
    pub(super) replaced: Vec<Part>,
}

impl Edit {
    /// A change that leads to the given generation.
    pub(super) fn new(born: Born) -> Edit {
        Edit { born, replaced: Vec::new() }
    }

    /// Takes a node out of the structure.
    ///
    /// # Safety
    /// The new structure no longer leads to the node.
    pub(super) unsafe fn drop_node(&mut self, node: *mut Node) {
        // SAFETY: the node is alive: it was part of the structure until now.
        let born = unsafe { Node::head(node) }.born;
        // SAFETY: as the caller states.
        unsafe { self.drop_part(Part::Node(node), born) }
    }

    /// Takes a block out of the structure.
    ///
    /// # Safety
    /// The new structure no longer leads to the block.
    pub(super) unsafe fn drop_block(&mut self, leaf: Leaf) {
        // SAFETY: the block is alive: it was part of the structure until now.
        unsafe { self.drop_part(Part::Block(leaf.block), leaf.born()) }
    }

    unsafe fn drop_part(&mut self, part: Part, born: Born) {
        if born == self.born {
            // SAFETY: made by this very change, so no view and no other thread ever knew it.
            unsafe { part.free() }
        } else {
            self.replaced.push(part);
        }
    }
}
