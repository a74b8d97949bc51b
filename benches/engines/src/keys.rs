//! The two kinds of keys.

use crate::integers::{IntegerHash, IntegerList, IntegerTree};
use crate::map::{Map, OrderedMap};
use crate::tables::{HashedTable, ListTable, TreeTable};
use etsunami::term::buffer::Buffer;
use etsunami::term::equal::equal;
use etsunami::term::hash::hash_wide;
use etsunami::term::order::compare;
use etsunami::term::view::Term;
use std::cmp::Ordering;
use std::hash::{BuildHasher, Hash, Hasher};

/// A kind of key, and our engines for it.
pub trait Key: Hash + Ord + Clone + Send + Sync + 'static {
    /// How results call it.
    const NAME: &'static str;
    /// How each map that hashes does it.
    type Build: BuildHasher + Default + Clone + Send + Sync + 'static;
    /// Our hash table.
    type Hash: Map<Self>;
    /// Our contention-adapting tree.
    type Tree: OrderedMap<Self>;
    /// Our skip list.
    type List: OrderedMap<Self>;

    /// Key number `i`. Their order looks random.
    fn make(i: u64) -> Self;
}

/// Numbers in an order that looks random: multiplication by an odd number is a bijection.
fn shuffled(i: u64) -> u64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Key for u64 {
    const NAME: &'static str = "u64";
    type Build = foldhash::fast::FixedState;
    type Hash = IntegerHash;
    type Tree = IntegerTree;
    type List = IntegerList;

    fn make(i: u64) -> u64 {
        shuffled(i)
    }
}

/// An encoded term: the binary `<<"user:012345678901">>`. Equality, hash and order are those of
/// Erlang, by the functions of the core.
#[derive(Clone)]
pub struct Encoded(Box<[u64]>);

impl Encoded {
    /// The term.
    #[inline(always)]
    pub fn term(&self) -> Term<'_> {
        // SAFETY: `make` has encoded one term at the beginning of the words.
        unsafe { Term::at(&self.0, 0) }
    }
}

impl PartialEq for Encoded {
    fn eq(&self, other: &Encoded) -> bool {
        equal(self.term(), other.term())
    }
}

impl Eq for Encoded {}

impl PartialOrd for Encoded {
    fn partial_cmp(&self, other: &Encoded) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Encoded {
    fn cmp(&self, other: &Encoded) -> Ordering {
        compare(self.term(), other.term())
    }
}

impl Hash for Encoded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(hash_wide(self.term(), 0x5eed));
    }
}

/// Takes the hash that a term has already: mixing it once more would only cost.
#[derive(Clone, Copy, Default)]
pub struct Digest(u64);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Key for Encoded {
    const NAME: &'static str = "encoded";
    type Build = std::hash::BuildHasherDefault<Digest>;
    type Hash = HashedTable;
    type Tree = TreeTable;
    type List = ListTable;

    fn make(i: u64) -> Encoded {
        let text = format!("user:{:012}", shuffled(i) % 1_000_000_000_000);
        let mut buffer = Buffer::new();
        let at = buffer.reserve(1).expect("a short key");
        buffer.bits(at, text.as_bytes(), 8 * text.len()).expect("a short key");
        Encoded(buffer.words().into())
    }
}
