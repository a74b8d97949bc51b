//! Sets of constants: `where x in list` decided by a search instead of one comparison after another.
//!
//! A [`Set`] answers a row of comparisons of one value with constants, all by `=:=` or all by `==`.
//! A [`Switch`] chooses among clauses that all want a different immediate of one element.

use std::cmp::Ordering;

use crate::term::layout;
use crate::term::order::{compare, compare_exact};
use crate::term::probe::OwnedKey;
use crate::term::view::Term;

use super::functions::Relation;
use super::glance::{Need, Spot};
use super::program::Parts;

/// From how many constants or clauses on a search is faster.
pub(super) const MANY: usize = 4;

/// The constants that a value is compared with.
#[derive(Debug)]
pub(super) struct Set {
    /// By `=:=`, not by `==`.
    exact: bool,
    /// The immediates, in the order of their words.
    words: Vec<u64>,
    /// All constants that an immediate does not rule out, in the term order.
    terms: Vec<OwnedKey>,
    /// No immediate is equal to a constant with another word.
    words_decide: bool,
}

impl Set {
    /// The set of some constants.
    pub(super) fn of<'s>(exact: bool, constants: impl Iterator<Item = Term<'s>> + Clone) -> Set {
        let is_word = |term: &Term| layout::is_immediate(term.root());
        let mut words: Vec<u64> = constants.clone().filter(is_word).map(Term::root).collect();
        words.sort_unstable();
        let words_decide = exact || constants.clone().all(|term| is_word(&term));
        let searched = constants.filter(|term| !exact || !is_word(term));
        let mut set =
            Set { exact, words, terms: searched.map(OwnedKey::new).collect(), words_decide };
        set.terms.sort_by(|a, b| order(exact, a.term(), b.term()));
        set
    }

    /// True if it has this immediate.
    #[inline(always)]
    pub(super) fn has_word(&self, word: u64) -> Option<bool> {
        let found = self.words.binary_search(&word).is_ok();
        (found || self.words_decide).then_some(found)
    }

    /// True if a constant is equal to this term.
    pub(super) fn has(&self, term: Term) -> bool {
        let root = term.root();
        if layout::is_immediate(root)
            && let Some(decided) = self.has_word(root)
        {
            return decided;
        }
        self.terms.binary_search_by(|constant| order(self.exact, constant.term(), term)).is_ok()
    }

    /// The words that it occupies, roughly.
    pub(super) fn size(&self) -> usize {
        let terms: usize = self.terms.iter().map(|key| key.term().words()).sum();
        self.words.len() + terms
    }
}

fn order(exact: bool, a: Term, b: Term) -> Ordering {
    if exact { compare_exact(a, b) } else { compare(a, b) }
}

/// Which clauses an immediate of one element leaves.
#[derive(Debug)]
pub(super) struct Switch {
    pub element: u32,
    /// The immediates and the clauses that want them, in this order.
    cases: Vec<(u64, u32)>,
}

impl Switch {
    /// The switch over all clauses, if there are many and all want an immediate of the same element.
    pub(super) fn of(parts: &Parts) -> Option<Switch> {
        /// How many elements are tried.
        const TRIED: usize = 4;
        if parts.clauses.len() < MANY {
            return None;
        }
        let wanted = |clause: usize| {
            parts.clauses[clause].glance.needs.of(&parts.needs).iter().filter_map(wanted)
        };
        wanted(0).take(TRIED).find_map(|(element, _)| {
            let case = |clause: usize| {
                let (_, word) = wanted(clause).find(|&(at, _)| at == element)?;
                Some((word, clause as u32))
            };
            let mut cases = (0..parts.clauses.len()).map(case).collect::<Option<Vec<_>>>()?;
            cases.sort_unstable();
            Some(Switch { element, cases })
        })
    }

    /// The clauses that want a word, in their order.
    #[inline]
    pub(super) fn clauses(&self, word: u64) -> impl Iterator<Item = u32> {
        let first = self.cases.partition_point(|&(case, _)| case < word);
        let cases = self.cases[first..].iter().take_while(move |&&(case, _)| case == word);
        cases.map(|&(_, clause)| clause)
    }
}

/// The element of the object that a need is about, and the word that it has to be.
fn wanted(need: &Need) -> Option<(u32, u64)> {
    match *need {
        Need::Word { at: Spot::Own(element), word }
        | Need::Small { at: Spot::Own(element), relation: Relation::Exact, word } => {
            Some((element, word))
        }
        _ => None,
    }
}
