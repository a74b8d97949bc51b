//! A persistent radix trie: block key to block, in key order.
//!
//! Nodes are immutable once published, 16-way, and packed: a bitmap of the digits that are there
//! and one child for each. A change copies the path from the root to the block (one node for each
//! level; three levels hold 262 144 members) and leaves all older roots intact, in the manner of
//! the hash array mapped tries of Bagwell. The root lies as deep as it can: a trie whose keys
//! share their upper digits starts below these, so a group that is used as a queue (keys grow, old
//! ones go) does not grow in height with its age.

use super::block::Leaf;
use super::edit::{Born, Edit, Part};
use super::packed::Packed;

const DIGIT_BITS: u32 = 4;
const DIGITS: u64 = 1 << DIGIT_BITS;

/// What a node knows of itself.
pub(super) struct Head {
    /// When it was made.
    pub(super) born: Born,
    /// Bit `d`: there is a child for digit `d`.
    mask: u32,
}

/// What a node refers to: a node below it, or on level 0 a block.
#[derive(Clone, Copy)]
pub(super) struct Child {
    at: *mut u8,
    /// Of a block: which slots are members. Of a node: how many members are below it.
    live: u64,
}

/// An inner node.
pub(super) type Node = Packed<Head, Child>;

impl Child {
    fn of(leaf: Leaf) -> Child {
        Child { at: leaf.block.cast(), live: leaf.live }
    }

    fn leaf(self) -> Leaf {
        Leaf { block: self.at.cast(), live: self.live }
    }

    fn node(self) -> *mut Node {
        self.at.cast()
    }

    fn members(self, level: u32) -> u64 {
        if level == 0 { u64::from(self.live.count_ones()) } else { self.live }
    }
}

/// A trie, as one view sees it. Plain words: copying it does not copy the trie.
#[derive(Clone, Copy)]
pub(super) struct Root {
    node: *mut Node,
    members: u64,
    /// What the keys of this trie have in common: their digits above `level`.
    prefix: u64,
    level: u32,
}

fn digit(key: u64, level: u32) -> u32 {
    ((key >> (DIGIT_BITS * level)) & (DIGITS - 1)) as u32
}

fn prefix(key: u64, level: u32) -> u64 {
    key >> (DIGIT_BITS * (level + 1))
}

/// The least key that agrees with `key` above `level` and has this digit on it.
fn least(key: u64, level: u32, digit: u32) -> u64 {
    (prefix(key, level) << DIGIT_BITS | u64::from(digit)) << (DIGIT_BITS * level)
}

impl Root {
    /// The empty trie.
    pub(super) const EMPTY: Root =
        Root { node: std::ptr::null_mut(), members: 0, prefix: 0, level: 0 };

    /// How many members the blocks have.
    pub(super) fn members(&self) -> usize {
        self.members as usize
    }

    /// The block of a key.
    ///
    /// # Safety
    /// The trie is alive: its view was loaded under a live guard, or is the current one of a
    /// caller that holds the key's lock. (So for all functions here.)
    pub(super) unsafe fn get(&self, key: u64) -> Option<Leaf> {
        if self.node.is_null() || prefix(key, self.level) != self.prefix {
            return None;
        }
        let mut node = self.node;
        for level in (1..=self.level).rev() {
            // SAFETY: nodes of a live trie are alive.
            node = unsafe { child(node, digit(key, level)) }?.node();
        }
        // SAFETY: as above.
        unsafe { child(node, digit(key, 0)) }.map(Child::leaf)
    }

    /// The first block whose key is not below `key`, with its key.
    ///
    /// # Safety
    /// As for [`Root::get`].
    pub(super) unsafe fn ceil(&self, key: u64) -> Option<(u64, Leaf)> {
        let above = prefix(key, self.level);
        if self.node.is_null() || above > self.prefix {
            return None;
        }
        let all = self.prefix << (DIGIT_BITS * (self.level + 1));
        let from = if above < self.prefix { all } else { key };
        // SAFETY: as the caller states.
        unsafe { ceil(self.node, self.level, from) }
    }

    /// Puts a block at a key (which may have had one), or removes the key.
    ///
    /// # Safety
    /// As for [`Root::get`]; the caller is the only writer. What the edit's generation marks is not
    /// published.
    pub(super) unsafe fn put(&mut self, edit: &mut Edit, key: u64, leaf: Option<Leaf>) {
        if self.node.is_null() {
            *self = Root { prefix: prefix(key, 0), ..Root::EMPTY };
        }
        if prefix(key, self.level) != self.prefix && leaf.is_none() {
            return;
        }
        while prefix(key, self.level) != self.prefix {
            self.raise(edit);
        }
        // SAFETY: as the caller states; the key is in the root's range now.
        let top = unsafe { set(edit, self.node, self.level, key, leaf.map(Child::of)) };
        match top {
            None => *self = Root::EMPTY,
            Some(top) => {
                self.node = top.node();
                self.members = top.live;
                // SAFETY: as the caller states.
                unsafe { self.lower(edit) }
            }
        }
    }

    /// One more level above the root.
    fn raise(&mut self, edit: &Edit) {
        let below = Child { at: self.node.cast(), live: self.members };
        self.node = single(edit, (self.prefix & (DIGITS - 1)) as u32, below);
        self.prefix >>= DIGIT_BITS;
        self.level += 1;
    }

    /// Starts below the levels that have one child alone.
    unsafe fn lower(&mut self, edit: &mut Edit) {
        // SAFETY: the root was set just now, so it is alive; a node of one child that is taken
        // out of the path is not part of the new structure.
        unsafe {
            while self.level > 0 && Node::items(self.node).len() == 1 {
                let old = self.node;
                let only = u64::from(Node::head(old).mask.trailing_zeros());
                self.node = Node::items(old)[0].node();
                self.prefix = self.prefix << DIGIT_BITS | only;
                self.level -= 1;
                edit.drop_node(old);
            }
        }
    }

    /// Frees all nodes and blocks (not the objects).
    ///
    /// # Safety
    /// Nobody can reach the trie any more.
    pub(super) unsafe fn free(&self) {
        if !self.node.is_null() {
            // SAFETY: by contract.
            unsafe { free(self.node, self.level) }
        }
    }

    /// Appends everything that was made after generation `since`.
    ///
    /// # Safety
    /// As for [`Root::get`].
    pub(super) unsafe fn younger(&self, since: Born, parts: &mut Vec<Part>) {
        if !self.node.is_null() {
            // SAFETY: by contract.
            unsafe { younger(self.node, self.level, since, parts) }
        }
    }
}

fn single(edit: &Edit, digit: u32, child: Child) -> *mut Node {
    Node::alloc(Head { born: edit.born, mask: 1 << digit }, std::iter::once(child))
}

fn rank(mask: u32, digit: u32) -> usize {
    (mask & ((1 << digit) - 1)).count_ones() as usize
}

unsafe fn child(node: *mut Node, digit: u32) -> Option<Child> {
    // SAFETY: the callers pass live nodes.
    unsafe {
        let mask = Node::head(node).mask;
        (mask & 1 << digit != 0).then(|| Node::items(node)[rank(mask, digit)])
    }
}

unsafe fn ceil(node: *mut Node, level: u32, key: u64) -> Option<(u64, Leaf)> {
    let from = digit(key, level);
    for d in from..DIGITS as u32 {
        // SAFETY: the callers pass live nodes; a child of a live node is alive.
        let Some(child) = (unsafe { child(node, d) }) else { continue };
        let key = if d == from { key } else { least(key, level, d) };
        if level == 0 {
            return Some((key, child.leaf()));
        }
        // SAFETY: as above.
        if let Some(found) = unsafe { ceil(child.node(), level - 1, key) } {
            return Some(found);
        }
    }
    None
}

/// What stands for `node` (null: nothing yet) once `key` has `leaf`: the node itself, a copy, or
/// nothing. At most 15 calls deep.
unsafe fn set(
    edit: &mut Edit,
    node: *mut Node,
    level: u32,
    key: u64,
    leaf: Option<Child>,
) -> Option<Child> {
    let at = digit(key, level);
    // SAFETY: the callers pass live nodes or null; children of live nodes are alive.
    let old = if node.is_null() { None } else { unsafe { child(node, at) } };
    let new = if level == 0 {
        leaf
    } else {
        let below = old.map_or(std::ptr::null_mut(), Child::node);
        // SAFETY: as above.
        unsafe { set(edit, below, level - 1, key, leaf) }
    };
    // SAFETY: as above.
    let node = unsafe { with_child(edit, node, at, new) };
    // SAFETY: as above; `with_child` gives a live node or null.
    (!node.is_null()).then(|| unsafe {
        let live = Node::items(node).iter().map(|child| child.members(level)).sum();
        Child { at: node.cast(), live }
    })
}

/// The node with one child set or removed: changed in place if it is this edit's own, else copied.
unsafe fn with_child(edit: &mut Edit, node: *mut Node, at: u32, new: Option<Child>) -> *mut Node {
    if node.is_null() {
        return new.map_or(node, |child| single(edit, at, child));
    }
    // SAFETY: the callers pass live nodes.
    let (&Head { born, mask }, children) = unsafe { (Node::head(node), Node::items(node)) };
    let (present, place) = (mask & 1 << at != 0, rank(mask, at));
    let mut copy = [Child { at: std::ptr::null_mut(), live: 0 }; DIGITS as usize];
    let (low, high) = (&children[..place], &children[place + usize::from(present)..]);
    let mut len = place;
    copy[..len].copy_from_slice(low);
    if let Some(child) = new {
        if present && born == edit.born {
            // SAFETY: the node is this edit's own: no other thread knows it. `children` is not
            // used after this.
            unsafe { Node::items_mut(node)[place] = child };
            return node;
        }
        copy[len] = child;
        len += 1;
    } else if !present {
        return node;
    }
    copy[len..len + high.len()].copy_from_slice(high);
    len += high.len();
    let mask = if new.is_some() { mask | 1 << at } else { mask & !(1 << at) };
    // SAFETY: the copy takes the node's place; `children` is not used after this.
    unsafe { edit.drop_node(node) };
    if len == 0 {
        return std::ptr::null_mut();
    }
    Node::alloc(Head { born: edit.born, mask }, copy[..len].iter().copied())
}

unsafe fn free(node: *mut Node, level: u32) {
    // SAFETY: by contract of `Root::free`; each node and block has one place in a trie.
    unsafe {
        for child in Node::items(node) {
            match level {
                0 => Part::Block(child.leaf().block).free(),
                _ => free(child.node(), level - 1),
            }
        }
        Part::Node(node).free();
    }
}

unsafe fn younger(node: *mut Node, level: u32, since: Born, parts: &mut Vec<Part>) {
    // SAFETY: by contract of `Root::younger`. A node is never older than what is below it, so an
    // old node leads to nothing young.
    unsafe {
        if Node::head(node).born <= since {
            return;
        }
        for child in Node::items(node) {
            if level > 0 {
                younger(child.node(), level - 1, since, parts);
            } else if child.leaf().born() > since {
                parts.push(Part::Block(child.leaf().block));
            }
        }
        parts.push(Part::Node(node));
    }
}
