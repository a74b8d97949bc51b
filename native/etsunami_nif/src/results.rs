//! What a match specification gives, as terms of the VM.

use etsunami::matchspec::{Outcome, Part, Subject};
use etsunami::term::object::Object;

use crate::atoms::atoms;
use crate::budget;
use crate::codec::decode;
use crate::vm::{Env, VmTerm};
use crate::vm_terms::{make, tags};

/// What finding and listing a result costs beside its words, in words.
const WORDS_PER_RESULT: usize = 4;

/// The words of results that one chunk may bring from a dirty scheduler.
const DIRTY_WORDS: usize = 1 << 20;

/// The results that there is room for from the first one on.
const FIRST_RESULTS: usize = 64;

/// The elements of a row that need no allocation.
const INLINE: usize = 16;

/// The results of one chunk, as many as this thread may make.
pub struct Results<'e> {
    env: Env<'e>,
    /// Those made.
    pub terms: Vec<VmTerm<'e>>,
    words: usize,
    most: usize,
    /// One was too much for this chunk.
    refused: bool,
}

impl<'e> Results<'e> {
    /// None yet, on a normal scheduler or not.
    pub fn new(env: Env<'e>, normal: bool) -> Results<'e> {
        let most = if normal { budget::INDIVISIBLE_WORDS } else { DIRTY_WORDS };
        Results { env, terms: Vec::new(), words: 0, most, refused: false }
    }

    /// One was refused.
    pub fn is_full(&self) -> bool {
        self.refused
    }

    /// The very first one is too much for this scheduler.
    pub fn is_too_long(&self) -> bool {
        self.refused && self.terms.is_empty()
    }

    /// Makes a result, or refuses it: a dirty scheduler makes at least one.
    #[inline]
    pub fn take(
        &mut self,
        words: usize,
        outcome: Outcome<'_>,
        whole: impl Fn() -> VmTerm<'e>,
    ) -> bool {
        self.words += WORDS_PER_RESULT + outcome_words(outcome, words);
        let forced = self.terms.is_empty() && self.most == DIRTY_WORDS;
        self.refused = self.words > self.most && !forced;
        if !self.refused {
            if self.terms.capacity() == 0 {
                // As dear as a place for one, and enough for most searches.
                self.terms.reserve(FIRST_RESULTS);
            }
            self.terms.push(term(self.env, outcome, whole));
        }
        !self.refused
    }
}

/// The result of a stored object that matches and is the subject.
#[inline(always)]
pub fn one<'e>(
    env: Env<'e>,
    stored: Object<'_>,
    subject: Subject<'_>,
    outcome: Outcome<'_>,
) -> VmTerm<'e> {
    term(env, outcome, || object(env, stored, subject))
}

/// The words of a result about a subject of so many.
fn outcome_words(outcome: Outcome<'_>, subject: usize) -> usize {
    let of = |part: &Part| match part {
        Part::Object => subject,
        Part::Word(_) => 1,
        Part::Term(term) => term.words(),
    };
    match outcome {
        Outcome::Part(part) => of(&part),
        Outcome::Tuple(row) | Outcome::List(row) => row.iter().map(of).sum(),
    }
}

fn term<'e>(env: Env<'e>, outcome: Outcome<'_>, whole: impl Fn() -> VmTerm<'e>) -> VmTerm<'e> {
    match outcome {
        Outcome::Part(part) => self::part(env, part, &whole),
        Outcome::Tuple(row) => with_row(env, row, &whole, |parts| make::tuple(env, parts)),
        Outcome::List(row) => with_row(env, row, &whole, |parts| env.make_list(parts)),
    }
}

fn with_row<'e>(
    env: Env<'e>,
    row: &[Part<'_>],
    whole: &impl Fn() -> VmTerm<'e>,
    make: impl FnOnce(&[VmTerm<'e>]) -> VmTerm<'e>,
) -> VmTerm<'e> {
    let parts = row.iter().map(|&part| self::part(env, part, whole));
    if row.len() > INLINE {
        return make(&parts.collect::<Vec<_>>());
    }
    let mut terms = [atoms().none; INLINE];
    for (term, part) in terms.iter_mut().zip(parts) {
        *term = part;
    }
    make(&terms[..row.len()])
}

#[inline]
fn part<'e>(env: Env<'e>, part: Part<'_>, whole: &impl Fn() -> VmTerm<'e>) -> VmTerm<'e> {
    match part {
        Part::Object => whole(),
        Part::Word(word) => immediate(env, word),
        Part::Term(term) => decode::term(env, term),
    }
}

fn immediate<'e>(env: Env<'e>, word: u64) -> VmTerm<'e> {
    if tags::portable() {
        return tags::export(env, word);
    }
    // SAFETY: an immediate is a term of every environment.
    unsafe { VmTerm::from_word(word) }
}

/// A stored object as a program has seen it: one element may be changed in place, and the result
/// is to be what the guards have looked at. The subject is of this object.
#[inline]
pub fn object<'e>(env: Env<'e>, object: Object<'_>, subject: Subject<'_>) -> VmTerm<'e> {
    if subject.arity() == Some(2) {
        let element = |i| match subject.element(i) {
            Part::Word(word) => immediate(env, word),
            Part::Term(term) => decode::term(env, term),
            Part::Object => unreachable!("an element is no object"),
        };
        return make::tuple(env, &[element(0), element(1)]);
    }
    decode::elements(env, object.elements(), subject.mutable())
}
