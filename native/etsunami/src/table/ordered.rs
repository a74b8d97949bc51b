//! The engine of an `ordered_set`: one of two.

use std::ops::Bound;

use crate::engine::ca_tree::CaTree;
use crate::engine::skip_list::SkipList;
use crate::engine::{Change, Delta, Direction, Spot, Word};
use crate::reclaim::Guard;
use crate::sync::Counters;

use super::keys::{Key, Keys};
use super::options::OrderedEngine;

/// See the module's documentation.
#[expect(clippy::large_enum_variant, reason = "the tree is the usual one, and spared the pointer")]
pub(crate) enum Ordered {
    /// The contention-adapting tree.
    Tree(CaTree<Keys>),
    /// The lock-free skip list. Behind a pointer, because it is larger, and a table of any kind
    /// would take as much.
    List(Box<SkipList<Keys>>),
}

/// Runs the same call on either engine.
macro_rules! on {
    ($ordered:expr, $engine:ident => $call:expr) => {
        match $ordered {
            Ordered::Tree($engine) => $call,
            Ordered::List($engine) => $call,
        }
    };
}

impl Ordered {
    /// An empty map.
    pub(crate) fn new(engine: OrderedEngine, keys: Keys, counters: Counters) -> Ordered {
        match engine {
            OrderedEngine::CaTree => Ordered::Tree(CaTree::new(keys, counters)),
            OrderedEngine::SkipList => Ordered::List(Box::new(SkipList::new(keys, counters))),
        }
    }

    /// The schema.
    #[inline(always)]
    pub(crate) fn schema(&self) -> &Keys {
        on!(self, engine => engine.schema())
    }

    /// The counters of objects and memory words.
    #[inline(always)]
    pub(crate) fn counters(&self) -> &Counters {
        on!(self, engine => engine.counters())
    }

    /// The word of a key.
    #[inline(always)]
    pub(crate) fn get(&self, guard: &Guard, key: &Key<'static>) -> Option<Word> {
        on!(self, engine => engine.get(guard, key))
    }

    /// Decides and changes one key under its lock.
    #[inline(always)]
    pub(crate) fn update<R>(
        &self,
        guard: &Guard,
        key: &Key<'static>,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> R {
        on!(self, engine => engine.update(guard, key, f))
    }

    /// [`Ordered::update`] that also tells where the key stands now, if the engine knows.
    pub(crate) fn update_spot<R>(
        &self,
        guard: &Guard,
        key: &Key<'static>,
        f: impl FnOnce(Option<Word>) -> (Change, Delta, R),
    ) -> (R, Spot) {
        match self {
            Ordered::Tree(tree) => tree.update_spot(guard, key, f),
            Ordered::List(list) => (list.update(guard, key, f), Spot::NONE),
        }
    }

    /// The word of the least visible key within the bound.
    pub(crate) fn next(
        &self,
        guard: &Guard,
        from: Bound<&Key<'static>>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        on!(self, engine => engine.next(guard, from, visible))
    }

    /// The word of the greatest visible key within the bound.
    pub(crate) fn prev(
        &self,
        guard: &Guard,
        from: Bound<&Key<'static>>,
        visible: impl Fn(Word) -> bool,
    ) -> Option<Word> {
        on!(self, engine => engine.prev(guard, from, visible))
    }

    /// Appends raw words in the order of the direction; true if there may be more.
    pub(crate) fn scan(
        &self,
        guard: &Guard,
        from: Bound<&Key<'static>>,
        direction: Direction,
        limit: usize,
        out: &mut Vec<Word>,
    ) -> bool {
        on!(self, engine => engine.scan(guard, from, direction, limit, out))
    }

    /// What the engine takes for an object beyond what every engine does, in words.
    pub(crate) fn extra_words(&self) -> u64 {
        match self {
            Ordered::Tree(_) => 0,
            // A node with a third of a link above its lowest one, against a leaf's share.
            Ordered::List(_) => 1,
        }
    }

    /// Figures, by name.
    pub(crate) fn statistics(&self) -> Vec<(&'static str, u64)> {
        match self {
            Ordered::Tree(tree) => {
                let shape = tree.shape();
                vec![
                    ("base_nodes", shape.leaves),
                    ("route_nodes", shape.routes),
                    ("depth", shape.depth),
                    ("splits", shape.splits),
                    ("joins", shape.joins),
                    ("contended_locks", shape.waits),
                    ("engine_bytes", shape.bytes),
                ]
            }
            Ordered::List(list) => {
                let shape = list.shape();
                vec![
                    ("levels", shape.levels),
                    ("retries", shape.retries),
                    ("contended_locks", shape.waits),
                    ("engine_bytes", shape.bytes),
                ]
            }
        }
    }
}
