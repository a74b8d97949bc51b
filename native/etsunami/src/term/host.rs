//! What only the VM knows: atom text, and the order and life of terms that live in its
//! environments.
//!
//! The boundary sets one [`Host`] when it is loaded. Without it (tests, benches, models) a default
//! stands in: it interns atoms itself, and orders foreign terms by their hash and word.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::RwLock;

use super::view::{Term, View};
use crate::sync::word::StaticRef;

/// The questions that this crate asks the VM.
#[derive(Debug)]
pub struct Host {
    /// The text of an atom, in UTF-8, by its word.
    pub atom_text: fn(atom: u64) -> &'static [u8],
    /// A number that depends on the text of an atom alone.
    pub atom_digest: fn(atom: u64) -> u32,
    /// The order (`==` semantics) of two terms of the same type of which at least one is a
    /// `Foreign` block other than a binary, or an `External` block: references, funs, unknown
    /// terms; pids or ports of which at least one belongs to another node.
    pub foreign_compare: fn(a: Term, b: Term) -> Ordering,
    /// `=:=` of two `Foreign` blocks of the same subkind (never binaries).
    pub foreign_equal: fn(a: Term, b: Term) -> bool,
    /// Counts one more holder of what keeps a foreign term alive. Never called with 0.
    pub foreign_retain: fn(keeper: u64),
    /// Counts one holder less. Never called with 0.
    pub foreign_release: fn(keeper: u64),
    /// The word of the atom of a text. Atoms live for ever.
    pub atom: fn(text: &str) -> u64,
    /// The node of a reference, or of a pid or port of another node, as an atom's word.
    pub node_of: fn(term: Term) -> Option<u64>,
    /// The arity of a fun.
    pub fun_arity: fn(fun: Term) -> Option<usize>,
    /// True on releases where `0.0 =:= -0.0` (OTP 25 and 26).
    pub zero_floats_equal: bool,
}

static HOST: StaticRef<Host> = StaticRef::new(&DEFAULT);

/// The running host.
#[inline(always)]
pub fn host() -> &'static Host {
    HOST.get()
}

/// Sets the host. To be done once, before the first term is made: hashes, prefixes and atom words
/// made under another host lose their meaning.
pub fn set(host: &'static Host) {
    HOST.set(host);
}

/// The host until one is set: what it does not know of foreign terms, it takes from their words.
pub const DEFAULT: Host = Host {
    atom_text: interned_text,
    atom_digest: |atom| {
        interned_text(atom).iter().fold(0, |sum, &byte| 31 * (sum & 0xff_ffff) + u32::from(byte))
    },
    foreign_compare: compare_by_word,
    foreign_equal: |a, b| compare_by_word(a, b).is_eq(),
    foreign_retain: |_| (),
    foreign_release: |_| (),
    atom,
    node_of: |_| None,
    fun_arity: |_| None,
    zero_floats_equal: false,
};

/// Atoms of the default host. A plain lock: a static cannot be a loom object, and no model uses it.
static ATOMS: RwLock<Option<Interned>> = RwLock::new(None);

#[derive(Default)]
struct Interned {
    words: HashMap<&'static [u8], u64>,
    texts: Vec<&'static [u8]>,
}

/// The word of an atom under the default host. Atoms live for ever, as in the VM.
pub fn atom(text: &str) -> u64 {
    let mut guard = ATOMS.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let atoms = guard.get_or_insert_default();
    if let Some(&word) = atoms.words.get(text.as_bytes()) {
        return word;
    }
    let text: &'static [u8] = text.as_bytes().to_vec().leak();
    let word = (atoms.texts.len() as u64) << 6 | 0x0b;
    atoms.texts.push(text);
    atoms.words.insert(text, word);
    word
}

fn interned_text(atom: u64) -> &'static [u8] {
    let guard = ATOMS.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    let texts = guard.as_ref().map_or(&[][..], |atoms| &atoms.texts);
    texts.get(super::layout::immediate::atom_index(atom)).copied().unwrap_or_default()
}

/// Foreign terms by hash, then word; pids and ports of other nodes after local ones, by their
/// bytes.
fn compare_by_word(a: Term, b: Term) -> Ordering {
    fn key<'a>(term: Term<'a>) -> (u64, u64, &'a [u8]) {
        match term.view() {
            View::Foreign(foreign) => (foreign.hash, foreign.word, &[]),
            View::External(etf) => (u64::MAX, 0, etf),
            _ => (0, term.root(), &[]),
        }
    }
    key(a).cmp(&key(b))
}
