//! What a map has to offer, and the list of the maps.

use crate::keys::Key;
use crate::peers::{Dash, Index, LockedBTree, Papaya, Scc, Skip, Tree};

/// A concurrent map from keys to numbers. Each method is one operation, atomic unless its map says
/// otherwise.
pub trait Map<K>: Send + Sync + 'static {
    /// How results call it.
    const NAME: &'static str;
    /// True for an engine of Etsunami.
    const OURS: bool = false;

    /// An empty map.
    fn new() -> Self;

    /// The value of a key.
    fn get(&self, key: &K) -> Option<u64>;

    /// Inserts, or replaces what is there.
    fn put(&self, key: &K, value: u64);

    /// Removes a key. True if it was there.
    fn remove(&self, key: &K) -> bool;

    /// Adds one to the value of a key that is there.
    fn count(&self, key: &K);
}

/// A map that knows the order of its keys.
pub trait OrderedMap<K>: Map<K> {
    /// The sum of the values of the first `limit` keys behind `from`.
    fn scan(&self, from: &K, limit: usize) -> u64;
}

/// What is done with each map.
pub trait Visitor<K: Key> {
    /// With a map that has no order.
    fn hash<M: Map<K>>(&mut self);
    /// With one that has.
    fn ordered<M: OrderedMap<K>>(&mut self);
}

/// Shows the visitor all maps without order, ours first.
pub fn each_hash<K: Key>(visitor: &mut impl Visitor<K>) {
    visitor.hash::<K::Hash>();
    visitor.hash::<Papaya<K>>();
    visitor.hash::<Scc<K>>();
    visitor.hash::<Index<K>>();
    visitor.hash::<Dash<K>>();
}

/// Shows the visitor all ordered maps, ours first.
pub fn each_ordered<K: Key>(visitor: &mut impl Visitor<K>) {
    visitor.ordered::<K::Tree>();
    visitor.ordered::<K::List>();
    visitor.ordered::<Skip<K>>();
    visitor.ordered::<Tree<K>>();
    visitor.ordered::<LockedBTree<K>>();
}
