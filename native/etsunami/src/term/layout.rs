//! The words of an encoded term.
//!
//! A term is one *root word*. Its two lowest bits tell what it is:
//!
//! - `11`: an immediate (small integer, atom, local pid, local port, `[]`), stored as the very word
//!   that the VM uses (OTP 25 to 29 on 64 bits, see [`immediate`]);
//! - `10`: a reference to a *block*: bits 2..8 hold the block's [`Kind`], bits 8.. the distance in
//!   words from the root word to the block's first word. Distances are self-relative, so that a
//!   term may be copied anywhere together with its blocks, and always positive.
//!
//! Blocks of one term are contiguous and in depth-first order: a compound's words, then the whole
//! of its first compound element, then of its second, … So the bytes of a *regular* term (no
//! [`IRREGULAR`] flag) are canonical: two keys are equal (`=:=`) exactly when their root words are
//! equal immediates, or their kinds agree and their blocks are equal word for word.
//!
//! | kind | first word | then |
//! | --- | --- | --- |
//! | `Tuple` | header(arity) | arity root words, blocks of the elements |
//! | `List` | header(n) | n root words, the tail's root word (`[]` if proper), blocks |
//! | `Map` | header(n), [`SORTED`] or [`TREE`] | n keys, n values (root words), the words of a tree, blocks |
//! | `Shaped` | header([`Shape`]) | n values (root words), blocks: a map whose keys stand in its shape |
//! | `Float` | the bits of the double | |
//! | `Integer` | header(limbs), [`NEGATIVE`] | limbs, least significant first, top limb not 0 |
//! | `Bits` | length in bits | the bytes in memory order, unused bits and bytes 0 |
//! | `Foreign` | header(subkind) | hash, VM word, keeper (a term that lives in the VM) |
//! | `Foreign`, a local reference | header(subkind) | the header and two words of the VM's term |
//! | `Foreign`, a binary | header(subkind) | length in bytes, their address, VM word, keeper |
//! | `External` | header(bytes) | external term format of a pid or port of another node |
//!
//! A `header` holds the count in its low 32 bits and the words of the whole block, nested blocks
//! and header included, in bits 32..61; bit 61 is [`TREE`], bit 62 is [`NEGATIVE`] or [`SORTED`], bit 63
//! is [`IRREGULAR`].
//!
//! Map keys: inside a *key* they stand in the exact term order (all integers before all floats),
//! and the map is flagged [`SORTED`]; elsewhere in the VM's own order, which is the same for equal
//! maps of one VM run. There, a large map may keep the tree that the VM has made of its keys: a word
//! with the number of nodes, and a word for each, of which this crate knows nothing more. And a map whose keys are atoms may be `Shaped`, in the same order, or not:
//! equal maps may differ in that. In keys no map is. Small integers are those of the VM: 60 bits. `Integer` blocks hold only what
//! does not fit. A list is one block for all its cells. `Bits` of the root level hold binaries of
//! any size.

use super::shape::Shape;

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A tuple.
    Tuple = 0,
    /// A non-empty list, proper or improper.
    List = 1,
    /// A map.
    Map = 2,
    /// A float.
    Float = 3,
    /// An integer of more than 60 bits.
    Integer = 4,
    /// A binary or bit string.
    Bits = 5,
    /// A term that the VM keeps alive: see [`Foreign`].
    Foreign = 6,
    /// A pid or port of another node, in the external term format.
    External = 7,
    /// A map outside keys that shares its keys with others: see [`Shape`].
    Shaped = 8,
}

impl Kind {
    /// The kind in a block reference.
    #[inline(always)]
    pub fn of(root: u64) -> Kind {
        match (root >> 2) & 0x3f {
            0 => Kind::Tuple,
            1 => Kind::List,
            2 => Kind::Map,
            3 => Kind::Float,
            4 => Kind::Integer,
            5 => Kind::Bits,
            6 => Kind::Foreign,
            7 => Kind::External,
            _ => Kind::Shaped,
        }
    }
}

/// What stands behind a [`Kind::Foreign`] or [`Kind::External`] block (the count of its header
/// for `Foreign`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Foreign {
    /// A reference, of this node or another.
    Reference = 0,
    /// A fun, local or external.
    Fun = 1,
    /// A long binary held by reference (only outside keys).
    Binary = 2,
    /// Anything this release of the library does not know (a native record, say).
    Other = 3,
    /// A reference of this node that has no memory elsewhere: the block has all words of the VM's
    /// term, and nothing keeps it. It is regular: equal references have equal words.
    LocalReference = 4,
}

impl Foreign {
    /// The subkind in the header of a `Foreign` block.
    #[inline(always)]
    pub fn of(header: u64) -> Foreign {
        match count(header) {
            0 => Foreign::Reference,
            1 => Foreign::Fun,
            2 => Foreign::Binary,
            4 => Foreign::LocalReference,
            _ => Foreign::Other,
        }
    }
}

/// Set in a block's header if the term cannot be compared word for word: it contains a zero float
/// on a release where `0.0 =:= -0.0`, a foreign or an external term. Inherited by all enclosing
/// blocks.
pub const IRREGULAR: u64 = 1 << 63;
/// Set in an `Integer` header if the number is negative.
pub const NEGATIVE: u64 = 1 << 62;
/// Set in a `Map` header if the keys stand in the exact term order. Every map inside a key has it,
/// so comparing keys never has to sort.
pub const SORTED: u64 = 1 << 62;
/// Set in a `Map` header if the words of a tree follow the root words. Never inside a key.
pub const TREE: u64 = 1 << 61;
/// The most words of one encoded object (1 GiB). Beyond it: `system_limit`.
pub const MAX_WORDS: usize = 1 << 27;

/// True if the root word is an immediate.
#[inline(always)]
pub fn is_immediate(root: u64) -> bool {
    root & 3 == 3
}

/// A root word that refers to a block of this kind, `distance` words ahead of it.
#[inline(always)]
pub fn block_ref(kind: Kind, distance: usize) -> u64 {
    (distance as u64) << 8 | (kind as u64) << 2 | 0b10
}

/// The distance in words from a root word to its block.
#[inline(always)]
pub fn distance(root: u64) -> usize {
    (root >> 8) as usize
}

/// A block header.
#[inline(always)]
pub fn header(count: usize, words: usize) -> u64 {
    count as u64 | (words as u64) << 32
}

/// The header of a `Shaped` block.
#[inline(always)]
pub fn shaped_header(shape: Shape, words: usize) -> u64 {
    shape.bits() | (words as u64) << 32
}

/// The block of a binary that is held by reference: its length in bytes and their address, what the
/// VM knows it by, and the address of what keeps it alive (0 in a probe, which borrows the caller's
/// term).
#[inline(always)]
pub fn binary_block(bytes: &[u8], vm_word: u64, keeper: u64) -> [u64; 5] {
    let head = header(Foreign::Binary as usize, 5) | IRREGULAR;
    [head, bytes.len() as u64, bytes.as_ptr().expose_provenance() as u64, vm_word, keeper]
}

/// The count of a header.
#[inline(always)]
pub fn count(header: u64) -> usize {
    (header & 0xffff_ffff) as usize
}

/// The words of the whole block of a header.
#[inline(always)]
pub fn block_words(header: u64) -> usize {
    ((header >> 32) & 0x1fff_ffff) as usize
}

/// The block of a local reference, of the words of the VM's term. It is irregular, because the VM has
/// other forms of references that may be equal to it: an alias of a dead process that was read from a
/// file is an ordinary reference.
#[inline(always)]
pub fn local_reference_block(words: [u64; 3]) -> [u64; 4] {
    let [head, first, second] = words;
    [header(Foreign::LocalReference as usize, 4) | IRREGULAR, head, first, second]
}

/// The tags of immediates, as OTP 25 to 29 lays them out on 64 bits.
pub mod immediate {
    /// The empty list.
    pub const NIL: u64 = 0x3b;

    /// No term, but greater than all of them: for the ends of ranges.
    pub const GREATEST: u64 = 0x2b;

    /// True for a small integer.
    #[inline(always)]
    pub fn is_small(word: u64) -> bool {
        word & 0xf == 0xf
    }
    /// The value of a small integer.
    #[inline(always)]
    pub fn small_value(word: u64) -> i64 {
        (word as i64) >> 4
    }
    /// The word of the integer 0.
    pub const ZERO: u64 = 0xf;
    /// The word of a small integer, if it fits into 60 bits.
    #[inline(always)]
    pub fn small(value: i64) -> Option<u64> {
        ((value << 4) >> 4 == value).then_some((value << 4) as u64 | ZERO)
    }
    /// True for an atom.
    #[inline(always)]
    pub fn is_atom(word: u64) -> bool {
        word & 0x3f == 0x0b
    }
    /// The index of an atom in the VM's atom table.
    #[inline(always)]
    pub fn atom_index(word: u64) -> usize {
        (word >> 6) as usize
    }
    /// True for a pid of this node.
    #[inline(always)]
    pub fn is_pid(word: u64) -> bool {
        word & 0xf == 0x3
    }
    /// True for a port of this node.
    #[inline(always)]
    pub fn is_port(word: u64) -> bool {
        word & 0xf == 0x7
    }
}
