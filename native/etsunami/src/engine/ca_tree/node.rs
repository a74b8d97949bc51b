//! What the tree is made of: links, fences, geometry, and positions between keys.

use super::leaf::Leaf;
use super::route::Route;
use crate::engine::{Direction, OrderSchema};
use crate::reclaim::Guard;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cmp::Ordering as Order;
use std::ops::Bound;

/// The sizes of nodes. A type, so that tests run the shipped code with tiny nodes.
pub trait Geometry: Send + Sync + 'static {
    /// The capacities of leaves, ascending. A full leaf is replaced by one of the next capacity;
    /// a full leaf of the last one is split. At most 64.
    const LEAVES: &'static [usize];
    /// The most children of a routing node; at least 3, at most 64.
    const FANOUT: usize;
}

/// The geometry that ships.
#[derive(Debug)]
pub struct Wide;

impl Geometry for Wide {
    const LEAVES: &'static [usize] = &[4, 16, 64];
    const FANOUT: usize = 64;
}

/// The capacity of a leaf that may have to be split.
pub(super) const fn largest<G: Geometry>() -> usize {
    G::LEAVES[G::LEAVES.len() - 1]
}

/// The smallest capacity that holds this many entries.
pub(super) fn capacity_for<G: Geometry>(entries: usize) -> usize {
    G::LEAVES.iter().copied().find(|&capacity| entries <= capacity).unwrap_or(largest::<G>())
}

/// A separator: keys below it are to its left, all others to its right.
///
/// Each live fence stands in exactly one live routing node and is the `high` of one live leaf and
/// the `low` of the next. The join that removes it from its routing node retires it.
pub(super) struct Fence<S: OrderSchema> {
    pub prefix: u64,
    key: S::Separator,
}

impl<S: OrderSchema> Fence<S> {
    /// A fence at the key of a word.
    ///
    /// # Safety
    /// As for [`OrderSchema::separator`].
    pub unsafe fn at(schema: &S, entry: Entry) -> *mut Fence<S> {
        // SAFETY: passed on to the caller.
        let key = unsafe { schema.separator(entry.word()) };
        let prefix = schema.prefix(schema.separator_key(&key));
        Box::into_raw(Box::new(Fence { prefix, key }))
    }

    /// Frees a fence.
    ///
    /// # Safety
    /// `fence` came from [`Fence::at`] and nobody can reach it any more.
    pub unsafe fn free(fence: *mut u8) {
        // SAFETY: made by `Box::into_raw`; the caller vouches for the rest.
        drop(unsafe { Box::from_raw(fence.cast::<Fence<S>>()) });
    }

    /// The separator as a key.
    #[inline(always)]
    pub fn key<'k>(&'k self, schema: &S) -> &'k S::Key {
        schema.separator_key(&self.key)
    }

    /// The fence as a key to search for.
    pub fn probe<'k>(&'k self, schema: &S) -> Probe<'k, S> {
        Probe { prefix: self.prefix, key: self.key(schema) }
    }
}

/// A key that is searched for, with its prefix.
pub(super) struct Probe<'k, S: OrderSchema> {
    pub prefix: u64,
    pub key: &'k S::Key,
}

impl<S: OrderSchema> Clone for Probe<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: OrderSchema> Copy for Probe<'_, S> {}

impl<'k, S: OrderSchema> Probe<'k, S> {
    #[inline(always)]
    pub fn new(schema: &S, key: &'k S::Key) -> Self {
        Probe { prefix: schema.prefix(key), key }
    }

    /// Compares with a fence.
    #[inline(always)]
    pub fn compare(&self, schema: &S, fence: &Fence<S>) -> Order {
        self.prefix
            .cmp(&fence.prefix)
            .then_with(|| schema.compare_keys(self.key, fence.key(schema)))
    }
}

/// A place between two keys: where a cursor stands.
pub(super) enum Gap<'k, S: OrderSchema> {
    /// Before all keys.
    Start,
    /// After all keys.
    End,
    /// Just before this key.
    Before(Probe<'k, S>),
    /// Just after this key.
    After(Probe<'k, S>),
}

impl<S: OrderSchema> Clone for Gap<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: OrderSchema> Copy for Gap<'_, S> {}

impl<'k, S: OrderSchema> Gap<'k, S> {
    /// Where a cursor starts that has `bound` behind it.
    #[inline]
    pub fn new(schema: &S, bound: Bound<&'k S::Key>, direction: Direction) -> Self {
        match (bound, direction) {
            (Bound::Unbounded, Direction::Ascending) => Gap::Start,
            (Bound::Unbounded, Direction::Descending) => Gap::End,
            (Bound::Included(key), Direction::Ascending)
            | (Bound::Excluded(key), Direction::Descending) => Gap::Before(Probe::new(schema, key)),
            (Bound::Excluded(key), Direction::Ascending)
            | (Bound::Included(key), Direction::Descending) => Gap::After(Probe::new(schema, key)),
        }
    }

    /// Is what a cursor reads next, moving in `direction`, to the right of the fence?
    #[inline(always)]
    pub fn is_right_of(&self, schema: &S, fence: &Fence<S>, direction: Direction) -> bool {
        match self {
            Gap::Start => false,
            Gap::End => true,
            Gap::Before(probe) => match probe.compare(schema, fence) {
                Order::Less => false,
                Order::Equal => direction == Direction::Ascending,
                Order::Greater => true,
            },
            Gap::After(probe) => probe.compare(schema, fence) != Order::Less,
        }
    }
}

/// What a leaf keeps of an element: its key's prefix, behind the leaf's stem, and its word.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub prefix: u64,
    pub bits: u64,
}

impl Entry {
    pub fn word(self) -> crate::engine::Word {
        crate::engine::Word(self.bits as usize)
    }
}

/// A pointer to a node, or none. Bit 0 tells routing nodes from leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Link(*mut ());

/// What a link leads to.
pub(super) enum Node<'g, S: OrderSchema> {
    Leaf(&'g Leaf<S>),
    Route(&'g Route<S>),
}

impl Link {
    const ROUTE: usize = 1;

    pub fn to_leaf(leaf: *mut u8) -> Link {
        Link(leaf.cast())
    }

    pub fn to_route(route: *mut u8) -> Link {
        Link(route.cast::<()>().map_addr(|address| address | Link::ROUTE))
    }

    #[inline(always)]
    pub fn from_raw(raw: *mut ()) -> Link {
        Link(raw)
    }

    #[inline(always)]
    pub fn raw(self) -> *mut () {
        self.0
    }

    pub fn is_none(self) -> bool {
        self.0.is_null()
    }

    pub fn is_route(self) -> bool {
        self.0.addr() & Link::ROUTE != 0
    }

    /// The address of the allocation.
    #[inline(always)]
    pub fn address(self) -> *mut u8 {
        self.0.map_addr(|address| address & !Link::ROUTE).cast()
    }

    /// The node.
    ///
    /// # Safety
    /// The link is not [`Link::NONE`] and was loaded, with Acquire or under the lock that guards
    /// its slot, from the tree that has schema `S`, under `guard`.
    #[inline(always)]
    pub unsafe fn node<'g, S: OrderSchema>(self, _guard: &'g Guard) -> Node<'g, S> {
        if self.is_route() {
            // SAFETY: bit 0 is set for routing nodes only; the caller vouches that it is alive.
            Node::Route(unsafe { Route::from_address(self.address()) })
        } else {
            // SAFETY: as above, for leaves.
            Node::Leaf(unsafe { Leaf::from_address(self.address()) })
        }
    }
}

/// Allocates a node: a head of type `H` and a tail of `len` `T`s, as `#[repr(C)]` lays them out.
pub(super) fn allocate<H, T>(
    head: impl FnOnce(*mut u8) -> H,
    len: usize,
    tail: impl Iterator<Item = T>,
    align: usize,
) -> *mut u8 {
    let (layout, offset) = layout::<H, T>(len, align);
    // SAFETY: a head is never of size zero.
    let address = unsafe { alloc(layout) };
    if address.is_null() {
        handle_alloc_error(layout);
    }
    let mut written = 0;
    // SAFETY: the allocation has room for a head at 0 and `len` items from `offset` on; no more
    // are written.
    unsafe {
        address.cast::<H>().write(head(address));
        let items = address.add(offset).cast::<T>();
        tail.take(len).for_each(|item| {
            items.add(written).write(item);
            written += 1;
        });
    }
    assert_eq!(written, len, "every cell of a node is written");
    address
}

/// Frees a node.
///
/// # Safety
/// `address` came from [`allocate`] with the same types, `len` and `align`; nobody can reach it
/// any more. Heads and tails own nothing, so nothing is dropped (under loom their cells are).
pub(super) unsafe fn deallocate<H, T>(address: *mut u8, len: usize, align: usize) {
    let (layout, offset) = layout::<H, T>(len, align);
    // SAFETY: the caller vouches for the contents and the layout.
    unsafe {
        address.cast::<H>().drop_in_place();
        let items = address.add(offset).cast::<T>();
        std::ptr::slice_from_raw_parts_mut(items, len).drop_in_place();
        dealloc(address, layout);
    }
}

/// The bytes of a node.
pub(super) fn bytes<H, T>(len: usize) -> usize {
    layout::<H, T>(len, 1).0.size()
}

fn layout<H, T>(len: usize, align: usize) -> (Layout, usize) {
    let (layout, offset) = Layout::array::<T>(len)
        .and_then(|tail| Layout::new::<H>().extend(tail))
        .expect("a node is small");
    (layout.align_to(align).expect("a small power of two").pad_to_align(), offset)
}

/// What is about to be read of a leaf, as cache lines from its address on.
pub(super) type Lines = std::ops::Range<usize>;

/// Head and tags of a leaf of 64: for a key that is likely to be there.
pub(super) const FOUND: Lines = 0..2;
/// Head, tags, order and prefixes of a leaf of 64: for a place.
pub(super) const SEARCHED: Lines = 0..12;
/// Everything of a leaf of 64: for a scan.
pub(super) const SCANNED: Lines = 0..20;

/// Lets the processor fetch lines of a leaf that are about to be read, which it would otherwise do
/// one after the other. Smaller leaves have fewer lines; the rest is fetched in vain.
#[inline(always)]
pub(super) fn prefetch(address: *const u8, lines: Lines) {
    lines.for_each(|line| prefetch_line(address.wrapping_add(64 * line)));
}

/// The same with one line.
#[inline(always)]
pub(super) fn prefetch_line(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint; it reads nothing that a program could see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    let _ = address;
}
