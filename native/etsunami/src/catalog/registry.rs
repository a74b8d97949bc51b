//! The list of all tables: a few slabs under locks. Making and dropping a table are rare beside
//! using it, and only they and `all` come here.

use crate::accounting::exempt;
use crate::sync::Mutex;

const SHARDS: usize = 16;

/// Where a table stands in the list; the table keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    shard: usize,
    index: usize,
}

/// See the module's documentation.
pub struct Registry<T> {
    shards: [Mutex<Slab<T>>; SHARDS],
}

struct Slab<T> {
    entries: Vec<*mut T>,
    free: Vec<usize>,
}

// SAFETY: the registry follows no pointer. It keeps them under the shard's lock and hands them back
// as they came; what a caller may do with one is the caller's question, and `T` may be shared.
unsafe impl<T: Sync> Sync for Registry<T> {}

impl<T> Registry<T> {
    /// An empty list.
    #[allow(clippy::new_without_default)] // only ever a static
    pub const fn new() -> Registry<T> {
        Registry {
            shards: [const { Mutex::new(Slab { entries: Vec::new(), free: Vec::new() }) }; SHARDS],
        }
    }

    fn shard(&self, shard: usize) -> std::sync::MutexGuard<'_, Slab<T>> {
        self.shards[shard].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Enters a table; `stripe` spreads the load over the shards.
    pub fn enter(&self, stripe: usize, table: *mut T) -> Ticket {
        let shard = stripe % SHARDS;
        let mut slab = self.shard(shard);
        let index = match slab.free.pop() {
            Some(index) => {
                slab.entries[index] = table;
                index
            }
            None => {
                exempt(|| slab.entries.push(table));
                slab.entries.len() - 1
            }
        };
        Ticket { shard, index }
    }

    /// Removes a table.
    pub fn leave(&self, ticket: Ticket) {
        let mut slab = self.shard(ticket.shard);
        slab.entries[ticket.index] = std::ptr::null_mut();
        exempt(|| slab.free.push(ticket.index));
    }

    /// Visits every table. A table that is visited cannot leave before `visit` returns, so this
    /// is the moment to take a reference; `visit` must be short.
    pub fn for_each(&self, mut visit: impl FnMut(*mut T)) {
        for shard in 0..SHARDS {
            for &table in self.shard(shard).entries.iter().filter(|table| !table.is_null()) {
                visit(table);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_reused() {
        static REGISTRY: Registry<u8> = Registry::new();
        let (mut a, mut b) = (1u8, 2u8);
        let (a, b) = (&raw mut a, &raw mut b);
        let first = REGISTRY.enter(3, a);
        let second = REGISTRY.enter(3, b);
        REGISTRY.leave(first);
        assert_eq!(REGISTRY.enter(3, a), first);
        let mut seen = Vec::new();
        REGISTRY.for_each(|table| seen.push(table));
        assert_eq!(seen, [a, b]);
        REGISTRY.leave(second);
        REGISTRY.leave(first);
        REGISTRY.for_each(|_| panic!("nothing is left"));
    }
}
