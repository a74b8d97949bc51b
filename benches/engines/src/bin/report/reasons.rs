//! Why a row is lost, and what it would cost to follow.

use crate::results::{Cell, Row};

/// An explanation.
pub struct Reason {
    /// Why the other is faster.
    pub why: &'static str,
    /// What it would cost to do the same.
    pub price: &'static str,
}

/// Not found out.
const UNKNOWN: Reason = Reason { why: "not explained yet", price: "" };

const IN_THE_TABLE: Reason = Reason {
    why: "key and value lie in the table; our word leads to an object, one load more that waits",
    price: "entries of one size, which objects do not have; or keys twice in memory",
};

const OVERWRITTEN: Reason = Reason {
    why: "writes over the value where it lies, under a lock that its readers take too; ours makes an \
          object, exchanges the word and retires the old one",
    price: "readers that lock: see `hot key read` with two threads",
};

const FREED_AT_ONCE: Reason = Reason {
    why: "frees what is removed at once, under the lock, and gives the memory to the next insert; ours \
          waits until no reader can have it",
    price: "readers that lock: see `hot key read` with two threads",
};

const WHOLE_TABLE: Reason = Reason {
    why: "ours is a whole table there: guard, current contents, entries of lists that are not decided; \
          with `u64` keys, where it is the engine alone, we are first",
    price: "lists inserted as one step, clearing at once",
};

const ONE_LOCK: Reason = Reason {
    why: "one lock for all, which nobody else wants, and a short way down; ours finds a leaf, locks or \
          checks it, and keeps statistics of contention",
    price: "one thread at a time: see the same row with two threads",
};

const IN_THE_LEAVES: Reason = Reason {
    why: "keys and values lie side by side in its nodes, and nobody can change them meanwhile; ours \
          follows each word to its object, and checks each leaf afterwards",
    price: "entries of one size, and a lock for as long as a scan takes",
};

const TURNS: Reason = Reason {
    why: "two threads take turns on one key; how each waits for the other decides (not measured)",
    price: "",
};

/// The explanation of a row that `first` wins.
pub fn of(row: &Row, first: &Cell) -> &'static Reason {
    let locks = matches!(&*first.map, "dashmap" | "scc HashMap");
    match (&*row.family, &*row.workload) {
        ("hash", "read" | "mixed 90-10") => &IN_THE_TABLE,
        ("hash", "mixed 50-50") if locks => &OVERWRITTEN,
        ("hash", "churn") if locks => &FREED_AT_ONCE,
        ("hash", "hot key read" | "hot key count") if row.keys == "encoded" => &WHOLE_TABLE,
        ("ordered", "scan of 100") => &IN_THE_LEAVES,
        ("ordered", _) if first.map == "RwLock<BTreeMap>" => &ONE_LOCK,
        ("ordered", "hot key count") => &TURNS,
        _ => &UNKNOWN,
    }
}
