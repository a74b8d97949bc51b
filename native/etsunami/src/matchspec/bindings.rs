//! The variables that a head binds.
//!
//! Mostly they are few, and are found by a look at each of them; many of them are kept in a tree, so
//! that a head with any number of variables is compiled in time.

use std::collections::BTreeMap;

use super::program::Var;

/// How many variables are kept without an allocation.
const FEW: usize = 8;

/// Where the values of variables are, by their numbers.
pub(super) struct Bindings {
    /// In the order of the numbers.
    few: [(u32, Var); FEW],
    len: usize,
    /// All of them, if they are not few.
    many: BTreeMap<u32, Var>,
}

impl Bindings {
    /// No variables.
    pub(super) fn new() -> Bindings {
        Bindings { few: [(0, Var::Element(0)); FEW], len: 0, many: BTreeMap::new() }
    }

    fn few(&self) -> &[(u32, Var)] {
        &self.few[..self.len]
    }

    /// A variable, if it is bound.
    pub(super) fn get(&self, number: u32) -> Option<Var> {
        let found = self.few().iter().find(|(known, _)| *known == number);
        found.map(|&(_, var)| var).or_else(|| self.many.get(&number).copied())
    }

    /// Binds a variable that is not bound.
    pub(super) fn insert(&mut self, number: u32, var: Var) {
        if self.len == FEW {
            self.many = self.few.into_iter().collect();
            self.len = 0;
        }
        if self.len > 0 || self.many.is_empty() {
            let at = self.few().partition_point(|&(known, _)| known < number);
            self.few.copy_within(at..self.len, at + 1);
            self.few[at] = (number, var);
            self.len += 1;
        } else {
            self.many.insert(number, var);
        }
    }

    /// All variables, in the order of their numbers.
    pub(super) fn values(&self) -> impl Iterator<Item = Var> {
        self.few().iter().map(|&(_, var)| var).chain(self.many.values().copied())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len + self.many.len()
    }
}
