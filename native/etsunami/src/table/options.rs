//! What a table is made of: type, key position and the options that only `info` reports; and the
//! words for access, which the boundary grants or refuses.

/// The four table types of ETS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// One object per key, keys compared with `=:=`.
    Set,
    /// One object per key, in term order, keys compared with `==`.
    OrderedSet,
    /// Many different objects per key.
    Bag,
    /// Many objects per key, equal ones too.
    DuplicateBag,
}

impl Kind {
    /// True if a key has at most one object.
    #[inline(always)]
    pub fn is_unique(self) -> bool {
        matches!(self, Kind::Set | Kind::OrderedSet)
    }
}

/// The data structures for an `ordered_set`: its meaning is the same with each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderedEngine {
    /// A contention-adapting search tree, see [`crate::engine::ca_tree`].
    CaTree,
    /// A lock-free skip list, see [`crate::engine::skip_list`].
    SkipList,
}

/// Who may do what to a table besides its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Access {
    /// Everybody may read and write.
    Public,
    /// Everybody may read.
    Protected,
    /// Nobody else.
    Private,
}

/// What a caller wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Read objects.
    Read,
    /// Change objects.
    Write,
    /// Read facts about the table; always allowed.
    Info,
}

/// `{write_concurrency, _}` as given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteConcurrency {
    /// `false`, the default.
    Off,
    /// `true`.
    On,
    /// `auto`.
    Auto,
    /// `{debug_hash_fixed_number_of_locks, N}`.
    Locks(usize),
}

/// Everything that is fixed when a table is made.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The table type.
    pub kind: Kind,
    /// The data structure, if it is an `ordered_set`.
    pub engine: OrderedEngine,
    /// The 1-based position of the key element.
    pub keypos: usize,
    /// Reported by `info`.
    pub read_concurrency: bool,
    /// Reported by `info`; decides, with `decentralized_counters`, when stripes of counters are made.
    pub write_concurrency: WriteConcurrency,
    /// Stripe the counters as soon as a second thread writes.
    pub decentralized_counters: bool,
    /// Reported by `info`.
    pub compressed: bool,
}

impl Default for Spec {
    /// What `ets:new(_, [])` gives.
    fn default() -> Spec {
        Spec {
            kind: Kind::Set,
            engine: OrderedEngine::CaTree,
            keypos: 1,
            read_concurrency: false,
            write_concurrency: WriteConcurrency::Off,
            decentralized_counters: false,
            compressed: false,
        }
    }
}
