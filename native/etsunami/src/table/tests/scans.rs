//! Scans in chunks while the table changes.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::{Cursor, Direction};
use super::{KINDS, Object, SEED, int, key_buffer, table, words_of};
use crate::reclaim::pin;
use crate::term::hash::hash;
use crate::term::testing::term;

/// Two integers whose hashes have the same position in tables with `SEED`.
pub fn tie() -> [i64; 2] {
    static TIE: OnceLock<[i64; 2]> = OnceLock::new();
    *TIE.get_or_init(|| {
        let mut seen = HashMap::new();
        (1000..)
            .find_map(|n: i64| {
                let buffer = key_buffer(&int(n));
                seen.insert(hash(term(&buffer), SEED) >> 32, n).map(|other| [other, n])
            })
            .unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Objects that stay are seen once, keys that come or go at most once, in any chunks, while the
    /// table grows and shrinks; objects of one big bag key that stay once as well.
    #[test]
    fn stayers_are_seen_once(
        limit in 1usize..40,
        keys in 1i64..400,
        backward in any::<bool>(),
        changes in proptest::collection::vec((any::<bool>(), 0i64..2000), 1..300),
    ) {
        for kind in KINDS {
            let table = table(kind, 1);
            let [a, b] = tie();
            // In bags all objects of few keys; odd values come and go.
            let object = |n: i64| {
                let k = if kind.is_unique() { n } else { [a, b, 1][(n % keys % 3) as usize] };
                Object::new(vec![int(k), int(n)])
            };
            (0..2 * keys).for_each(|n| table.insert(&pin(), object(n).draft()).unwrap());
            let (mut seen, mut cursor) = (Vec::new(), Some(Cursor::Start));
            let mut changes = changes.iter();
            let direction = if backward { Direction::Descending } else { Direction::Ascending };
            while let Some(from) = cursor {
                let guard = pin();
                let before = seen.len();
                cursor = table.scan(&guard, from, direction, limit, |o| seen.push(words_of(o)));
                prop_assert!(seen.len() <= before + limit);
                for &(insert, n) in changes.by_ref().take(5) {
                    let changed = object(2 * n + 1);
                    if insert {
                        table.insert(&guard, changed.draft()).unwrap();
                    } else {
                        table.delete_object(&guard, changed.draft()).unwrap();
                    }
                }
                // Replaced by itself.
                if kind.is_unique() {
                    table.insert(&guard, object(0).draft()).unwrap();
                }
            }
            let distinct: HashSet<_> = seen.iter().cloned().collect();
            if kind.is_unique() {
                prop_assert_eq!(distinct.len(), seen.len(), "each at most once");
            }
            for n in (0..2 * keys).step_by(2) {
                let words = object(n).words;
                let times = seen.iter().filter(|&one| *one == words).count();
                prop_assert_eq!(times, 1, "{:?}: {} of {}", kind, n, keys);
            }
        }
    }
}
