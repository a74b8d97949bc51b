//! Each adapter does what a plain map does.

use crate::keys::{Encoded, Key};
use crate::map::{Map, OrderedMap, Visitor, each_hash, each_ordered};
use std::collections::BTreeMap;

const KEYS: u64 = 500;

/// Random-looking operations on a map and on a model.
fn agree<K: Key, M: Map<K>>() -> (M, BTreeMap<K, u64>) {
    let (map, mut model) = (M::new(), BTreeMap::new());
    let mut dice = 7_u64;
    for i in 0..20_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = K::make((dice >> 33) % KEYS);
        match dice >> 61 {
            0 | 1 => {
                map.put(&key, i);
                model.insert(key.clone(), i);
            }
            2 => assert_eq!(map.remove(&key), model.remove(&key).is_some(), "{}", M::NAME),
            3 => {
                map.count(&key);
                model.entry(key.clone()).and_modify(|value| *value += 1);
            }
            _ => {}
        }
        assert_eq!(map.get(&key), model.get(&key).copied(), "{} of {}", M::NAME, K::NAME);
    }
    (map, model)
}

struct Agree;

impl<K: Key> Visitor<K> for Agree {
    fn hash<M: Map<K>>(&mut self) {
        agree::<K, M>();
    }

    fn ordered<M: OrderedMap<K>>(&mut self) {
        use std::ops::Bound::{Excluded, Unbounded};
        let (map, model) = agree::<K, M>();
        for key in (0..KEYS).map(K::make) {
            let behind = model.range((Excluded(&key), Unbounded)).take(10);
            let expected: u64 = behind.map(|(_, value)| value).sum();
            assert_eq!(map.scan(&key, 10), expected, "{} of {}", M::NAME, K::NAME);
        }
    }
}

#[test]
fn each_map_does_what_a_plain_one_does() {
    each_hash::<u64>(&mut Agree);
    each_hash::<Encoded>(&mut Agree);
    each_ordered::<u64>(&mut Agree);
    each_ordered::<Encoded>(&mut Agree);
}

#[test]
fn keys_differ() {
    let keys: std::collections::BTreeSet<Encoded> = crate::workload::keys().into_iter().collect();
    assert_eq!(keys.len() as u64, 2 * crate::workload::KEYS);
}
