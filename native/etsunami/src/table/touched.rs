//! The elements that an update changes, each once.

use std::collections::BTreeMap;

use super::few::Few;

/// Something for each element that is changed, by ascending index: a few on the stack, more in a
/// tree, so that a long list of changes takes no quadratic time.
pub(super) struct Touched<V> {
    few: Few<(usize, V)>,
    /// All of them, if there are more than a few.
    many: BTreeMap<usize, V>,
    /// The same, once there are no more to come.
    listed: Vec<(usize, V)>,
}

impl<V: Copy> Touched<V> {
    /// No elements.
    #[inline(always)]
    pub(super) fn new() -> Touched<V> {
        Touched { few: Few::new(), many: BTreeMap::new(), listed: Vec::new() }
    }

    /// Puts something at an element; gives what was there.
    #[inline(always)]
    pub(super) fn put(&mut self, at: usize, value: V) -> Option<V> {
        // As a rule elements come in order.
        let behind = self.few.as_slice().last().is_none_or(|last| last.0 < at);
        if behind && self.many.is_empty() && self.few.push((at, value)).is_some() {
            return None;
        }
        self.put_between(at, value)
    }

    #[inline(never)]
    fn put_between(&mut self, at: usize, value: V) -> Option<V> {
        if !self.many.is_empty() {
            return self.many.insert(at, value);
        }
        let few = self.few.as_mut_slice();
        let place = few.partition_point(|entry| entry.0 < at);
        if let Some(known) = few.get_mut(place)
            && known.0 == at
        {
            return Some(std::mem::replace(&mut known.1, value));
        }
        match self.few.push((at, value)) {
            Some(()) => self.few.as_mut_slice()[place..].rotate_right(1),
            None => {
                let few = self.few.as_slice().iter().copied();
                self.many = few.chain([(at, value)]).collect();
            }
        }
        None
    }

    /// What stands at each element, by ascending index.
    #[inline(always)]
    pub(super) fn entries(&mut self) -> &[(usize, V)] {
        if self.many.is_empty() && self.listed.is_empty() {
            return self.few.as_slice();
        }
        self.listed.extend(std::mem::take(&mut self.many));
        &self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many elements in any order, some of them several times, against a map.
    #[test]
    fn elements_are_in_order_and_the_last_value_stays() {
        for count in [0, 1, 2, 7, 8, 9, 10, 100] {
            for stride in [1, 3, 7, 97] {
                let (mut touched, mut model) = (Touched::new(), BTreeMap::new());
                for i in 0..count {
                    let at = i * stride % 101 % (1 + count * 2 / 3);
                    assert_eq!(touched.put(at, i), model.insert(at, i), "{count} {stride} {i}");
                }
                let expected: Vec<_> = model.into_iter().collect();
                assert_eq!(touched.entries(), expected, "{count} {stride}");
                assert_eq!(touched.entries(), expected, "asked again");
            }
        }
    }
}
