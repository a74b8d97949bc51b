//! Shapes: the keys of maps, stored once for all maps that have them.
//!
//! A map or struct is one of millions with the same keys. If its keys are all atoms, and not more
//! than the VM's flat maps have, it is stored as a reference to its *shape* and its values
//! ([`Kind::Shaped`](super::layout::Kind::Shaped)).
//!
//! Shapes live for ever, so objects neither count nor free them, and whoever reads an object reads
//! the keys without looking whether they are still there. What keeps them from being a leak is that
//! their room is fixed: so many words, and half as many shapes as the index has
//! slots. A map whose keys found no room is stored with its own keys. So maps of the same keys may
//! stand in both forms, and everything that compares or hashes terms takes both.
//!
//! # Admission
//!
//! Maps may be used as dictionaries, with other keys in each. In a quarter of the room every new
//! shape is taken at once; then one has to be seen twice, and with each further eighth twice as
//! often, lately: sights are counted in a small table in which fingerprints displace each other. So
//! key sets that come once cannot fill the room, and those that are frequent find some for long.
//!
//! # Concurrency
//!
//! Shapes are found without a lock: slots of an open-addressed index, of which each goes once from
//! empty to a shape. They are added under a lock. The store of the slot publishes the keys (Release,
//! with the Acquire in `find`); who meets the shape in an object has it from somebody who found it
//! there, by the edge that published the object. Sights are hints, and may be lost.

#[cfg(all(test, loom))]
mod loom_shapes;
mod room;
#[cfg(all(test, not(loom)))]
mod tests;

/// The most keys of a map with a shape, which is what the VM's flat maps have; the least are two.
pub const MAX_KEYS: usize = 32;

/// The keys of a map, by where they stand: their number in bits 0..8, the place of the first in
/// bits 8..32. Maps outside keys have one order of keys in a run of the VM, so two shapes are two
/// sets of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Shape(u32);

impl Shape {
    /// The shape of a set of keys, given in the VM's order: known, or taken in now. None for maps
    /// that have to be stored with their own keys.
    #[inline]
    pub fn of_keys(keys: &[u64]) -> Option<Shape> {
        global::intern(keys)
    }

    /// The shape of a set of keys, if it is known: keys that are not have not been seen by this.
    #[inline]
    pub fn known(keys: &[u64]) -> Option<Shape> {
        global::known(keys)
    }

    /// The shape in the first word of a `Shaped` block.
    ///
    /// # Safety
    /// It is such a word.
    #[inline(always)]
    pub unsafe fn of_header(header: u64) -> Shape {
        Shape(header as u32)
    }

    /// What stands in the first word of a `Shaped` block in place of a count.
    #[inline(always)]
    pub(super) fn bits(self) -> u64 {
        self.0.into()
    }

    /// The number of keys.
    #[inline(always)]
    #[expect(clippy::len_without_is_empty, reason = "a shape has at least two keys")]
    pub fn len(self) -> usize {
        (self.0 & 0xff) as usize
    }

    /// The keys: atoms.
    #[inline(always)]
    pub fn keys(self) -> &'static [u64] {
        global::keys(self)
    }

    fn new(at: usize, len: usize) -> Shape {
        Shape((at << 8 | len) as u32)
    }

    #[inline(always)]
    fn at(self) -> usize {
        (self.0 >> 8) as usize
    }
}

/// The shapes of the process: 4 MiB for their keys, 256 KiB for the index, as far as they are used.
#[cfg(not(loom))]
mod global {
    use super::Shape;
    use super::room::Room;

    static SHAPES: Room<{ 1 << 19 }, { 1 << 15 }, { 1 << 12 }> = Room::new();

    #[inline]
    pub(super) fn intern(keys: &[u64]) -> Option<Shape> {
        SHAPES.intern(keys)
    }

    #[inline]
    pub(super) fn known(keys: &[u64]) -> Option<Shape> {
        SHAPES.known(keys)
    }

    #[inline(always)]
    pub(super) fn keys(shape: Shape) -> &'static [u64] {
        SHAPES.keys(shape)
    }
}

/// Loom's primitives cannot live in statics, and no model stores maps.
#[cfg(loom)]
mod global {
    use super::Shape;

    pub(super) fn intern(_: &[u64]) -> Option<Shape> {
        None
    }

    pub(super) fn known(_: &[u64]) -> Option<Shape> {
        None
    }

    pub(super) fn keys(_: Shape) -> &'static [u64] {
        &[]
    }
}
