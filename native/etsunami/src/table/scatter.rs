//! Sorting a list of some hundred objects by their digests.
//!
//! The digests of most lists are spread evenly between the least and the greatest: those of hash
//! tables by the hash, those of ordered ones as far as the keys are. So one pass puts each object
//! about where it belongs, and an insertion sort does the rest. Where many would come to one place,
//! the library's sort is used, which is three times as dear for a list of a hundred.

use std::cmp::Ordering as Order;

use super::list::Item;

/// The longest list that is sorted in this way, a power of two.
const LONGEST: usize = 1024;

/// The shortest.
const SHORTEST: usize = 24;

/// The most objects that may come to one place.
const CROWD: u16 = 16;

/// Sorts items by an order that does not contradict that of their ranks. Stable.
pub(super) fn sort(
    items: &mut [Item],
    rank: impl Fn(Item) -> u64,
    order: impl Fn(Item, Item) -> Order,
) {
    if !(SHORTEST..=LONGEST).contains(&items.len()) || !scatter(items, rank) {
        return items.sort_by(|&a, &b| order(a, b));
    }
    for at in 1..items.len() {
        let item = items[at];
        let mut to = at;
        while to > 0 && order(items[to - 1], item) == Order::Greater {
            items[to] = items[to - 1];
            to -= 1;
        }
        items[to] = item;
    }
}

/// Moves each item about to where its rank belongs. Stable. False, and nothing is changed, if many
/// items would come to one place.
fn scatter(items: &mut [Item], rank: impl Fn(Item) -> u64) -> bool {
    let (least, greatest) = items.iter().fold((u64::MAX, 0), |(least, greatest), &item| {
        let rank = rank(item);
        (least.min(rank), greatest.max(rank))
    });
    let places = items.len().next_power_of_two();
    let bits = u64::BITS - (greatest - least).leading_zeros();
    let shift = bits.saturating_sub(places.trailing_zeros());
    let place = |item| ((rank(item) - least) >> shift) as usize & (LONGEST - 1);
    let mut ends = [0u16; LONGEST];
    let mut most = 0;
    for &item in &*items {
        let count = &mut ends[place(item)];
        *count += 1;
        most = most.max(*count);
    }
    if most > CROWD {
        return false;
    }
    let mut end = 0;
    for count in &mut ends[..places] {
        end += *count;
        *count = end;
    }
    let unsorted = items.to_vec();
    for &item in unsorted.iter().rev() {
        let end = &mut ends[place(item)];
        *end -= 1;
        items[usize::from(*end)] = item;
    }
    true
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Item, sort};
    use crate::term::object::ObjectPtr;

    /// Items of these ranks; objects, which are never looked at, tell where they stood.
    fn items(ranks: &[u64]) -> Vec<Item> {
        let item = |(at, &digest): (usize, &u64)| {
            // SAFETY: an address that is not null, and never followed.
            let object = unsafe { ObjectPtr::from_addr(8 * at + 8) };
            Item { digest, object }
        };
        ranks.iter().enumerate().map(item).collect()
    }

    fn check(ranks: &[u64]) {
        let mut sorted = items(ranks);
        sort(&mut sorted, |item| item.digest, |a, b| a.digest.cmp(&b.digest));
        let mut expected = items(ranks);
        expected.sort_by_key(|item| item.digest);
        let key = |items: &[Item]| -> Vec<(u64, usize)> {
            items.iter().map(|item| (item.digest, item.object.addr())).collect()
        };
        assert_eq!(key(&sorted), key(&expected));
    }

    #[test]
    fn lists_of_all_kinds_are_sorted_and_stable() {
        for len in [0, 1, 2, 23, 24, 25, 100, 128, 129, 1000, 1024, 1025, 3000u64] {
            let mix = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let of = |f: &dyn Fn(u64) -> u64| (0..len).map(f).collect::<Vec<_>>();
            check(&of(&mix));
            check(&of(&|n| mix(n) >> 40));
            check(&of(&|n| mix(n) % 7));
            check(&of(&|n| n));
            check(&of(&|n| len - n));
            check(&of(&|_| 5));
            check(&of(&|n| if n == 3 { u64::MAX } else { n % 50 }));
            check(&of(&|n| u64::MAX - mix(n) % 3));
        }
    }
}
