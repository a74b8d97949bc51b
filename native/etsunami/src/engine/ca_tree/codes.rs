//! The separators of a routing node as 16-bit codes, all of which a search compares at once.
//!
//! A code is a monotone function of the prefix, made for the range of one node: the distance from
//! just below the first separator, in steps of a power of two, so that codes reach to the last. Who
//! has a smaller code is smaller. Equal codes decide nothing.

/// Separators that a routing node may have.
const MOST: usize = 64;
/// Greater than the code of every separator; that of keys far behind the last.
const TOP: u64 = 0xffff;

/// The codes of a routing node.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Codes {
    base: u64,
    shift: u32,
    count: u32,
    /// Shifted by half, because signed numbers are what processors compare many of.
    codes: [i16; MOST],
}

impl Codes {
    /// The codes of ascending prefixes, at least one and less than 64.
    pub fn new(prefixes: &[u64]) -> Codes {
        assert!(prefixes.len() < MOST, "a routing node has at most 64 children");
        let (first, last) = (prefixes[0], prefixes[prefixes.len() - 1]);
        let span = last - first;
        let mut shift = (u64::BITS - span.leading_zeros()).saturating_sub(16);
        if (span >> shift) + 1 >= TOP {
            shift += 1;
        }
        // The first separator has code 1 if it can, so that what stands before it has another one.
        let base = first.saturating_sub(1 << shift);
        let mut codes =
            Codes { base, shift, count: prefixes.len() as u32, codes: [i16::MAX; MOST] };
        for (i, &prefix) in prefixes.iter().enumerate() {
            codes.codes[i] = codes.of(prefix);
        }
        codes
    }

    #[inline(always)]
    fn of(&self, prefix: u64) -> i16 {
        let code = (prefix.saturating_sub(self.base) >> self.shift).min(TOP);
        (code as u16 ^ 0x8000) as i16
    }

    /// How many separators are smaller than the prefix, if no other one can be equal to it.
    #[inline(always)]
    pub fn smaller(&self, prefix: u64) -> Option<usize> {
        let code = self.of(prefix);
        let smaller: i16 = self.codes.iter().map(|&other| i16::from(other < code)).sum();
        let smaller = smaller as usize;
        // What is behind the last separator is never smaller, so there is such an index.
        let decided = smaller == self.count as usize || self.codes[smaller % MOST] != code;
        decided.then_some(smaller)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Codes;
    use proptest::prelude::*;

    fn prefixes() -> impl Strategy<Value = Vec<u64>> {
        let range = (any::<u64>(), 0..64u32).prop_map(|(low, bits)| (low, u64::MAX >> bits));
        range.prop_flat_map(|(low, span)| {
            let one = (0..=span).prop_map(move |more| low.saturating_add(more));
            prop::collection::vec(one, 1..64)
        })
    }

    proptest! {
        #[test]
        fn what_codes_decide_is_right(mut prefixes in prefixes(), probes in prefixes()) {
            prefixes.sort_unstable();
            let codes = Codes::new(&prefixes);
            for probe in probes.iter().chain(&prefixes).chain(&[0, u64::MAX]) {
                let smaller = prefixes.iter().filter(|prefix| *prefix < probe).count();
                if let Some(decided) = codes.smaller(*probe) {
                    prop_assert_eq!(decided, smaller);
                    prop_assert!(!prefixes.contains(probe));
                }
            }
        }

        #[test]
        fn codes_tell_distant_keys_apart(low in 0..1u64 << 40, step in 1..1u64 << 18) {
            let prefixes: Vec<u64> = (1..64).map(|i| low + i * 2 * step).collect();
            let codes = Codes::new(&prefixes);
            for (i, prefix) in prefixes.iter().enumerate() {
                prop_assert_eq!(codes.smaller(prefix - step), Some(i));
            }
        }
    }
}
