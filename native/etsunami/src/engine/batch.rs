//! Atomic inserts of several keys, with readers that never wait.
//!
//! A composition of known parts: the descriptor in the slot of multi-word compare-and-swap
//! (Harris, Fraser and Pratt, DISC 2002), and the transaction whose one decision word tells which
//! of two versions is valid (Hekaton: Larson et al., VLDB 2011).
//!
//! # Definitions
//!
//! - A *batch* is a list of entries with distinct keys, and one *decision*: pending, then once
//!   and for all committed or not.
//! - A *version node* stands for one entry in its key's slot: a word with
//!   [`Word::VERSION`](crate::engine::Word::VERSION) set. It holds the word that was visible
//!   before (`prev`) and the one that shall be (`new`); an empty word means absent. Both are plain
//!   words, and never change once the node is in a slot.
//!   An entry that is skipped (a duplicate in a bag) has a node whose two words are one.
//! - The *visible* word of a slot is the slot's word if that is plain, the node's `new` if its
//!   batch is committed, and the node's `prev` otherwise ([`resolve`]).
//! - The *loser* of a decided node is the one of its words that is not visible.
//!
//! # The life of a batch
//!
//! 1. *Install*: entry by entry, in the global order of keys, under the lock of the key's bucket
//!    or leaf, the slot's word is replaced by the node. No lock is kept between entries.
//! 2. *Decide*: one compare-and-swap of the decision. This is the linearization point of the
//!    whole list.
//! 3. *Clean*: entry by entry, a slot that still holds the node gets its visible word. An entry
//!    whose node a writer has displaced is passed over: its key may be gone. Under the guard of the
//!    installation a committed node is exchanged where it was put; else its key is looked for.
//! 4. The batch is retired.
//!
//! A batch advances in chunks of bounded work, and whoever holds its worker flag advances it: its
//! owner, or a writer that met one of its pending nodes and helps. The flag is held by running
//! threads only, so a suspended owner stops nobody.
//!
//! # Invariants
//!
//! 1. A pending node is a lock on its key for writers; readers pass through it.
//! 2. A word under a node is plain: a writer that puts a node or a word in place of a decided node
//!    builds on what is visible there. So a look at a slot takes at most one step aside.
//! 3. Whoever changes a slot's word away from a decided node retires the loser, so each word is
//!    retired once. (The visible word, if it is replaced as well, is the writer's to retire as any
//!    other.)
//! 4. All batches install in the same order of keys and hold no flag while they help others: a
//!    batch that is blocked waits for one that has come further, so there is no circle.
//! 5. After cleaning no slot holds a node of the batch, and none ever will.
//!
//! # Why it is atomic
//!
//! Before the decision every reader of every key gets `prev`, after it `new`; the decision is one
//! word. A reader that has seen it committed (Acquire, pairing with the Release of the decision)
//! and whoever is told by that reader see it committed, or a slot that was written later.
//!
//! # Not guaranteed
//!
//! A reader of several keys, one after another, may see other writers' changes between them, as
//! with any single-key reads.

mod descriptor;
mod node;
#[cfg(test)]
mod tests;

pub use descriptor::{Batch, BatchTarget, Helped, Outcome, Placed, Progress, help};
pub use node::{Settled, displace, key_word, resolve, settle};
