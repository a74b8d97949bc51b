//! Operations on skip lists, whose heights are drawn or follow from the keys, beside a `BTreeMap`.
#![no_main]

use etsunami::engine::skip_list::{Heights, Random, SkipList};
use etsunami_fuzz::ordered::{Beside, Integers, Op};
use libfuzzer_sys::fuzz_target;

/// Heights that the input decides, so that what it finds can be found again.
struct Chosen;

impl Heights for Chosen {
    fn draw(prefix: u64) -> usize {
        1 + (prefix % 7) as usize
    }
}

fuzz_target!(|input: (bool, u8, Vec<Op>)| {
    let (chosen, coarse, ops) = input;
    if chosen {
        Beside::<SkipList<Integers, Chosen>>::run(coarse, &ops);
    } else {
        Beside::<SkipList<Integers, Random>>::run(coarse, &ops);
    }
});
