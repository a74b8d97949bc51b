//! Operations on contention-adapting trees, narrow and as they ship, beside a `BTreeMap`.
#![no_main]

use etsunami::engine::ca_tree::{CaTree, Geometry, Wide};
use etsunami_fuzz::ordered::{Beside, Integers, Op};
use libfuzzer_sys::fuzz_target;

/// Leaves and routing nodes as small as they may be.
struct Narrow;

impl Geometry for Narrow {
    const LEAVES: &'static [usize] = &[2, 4];
    const FANOUT: usize = 4;
}

fuzz_target!(|input: (bool, u8, Vec<Op>)| {
    let (narrow, coarse, ops) = input;
    if narrow {
        Beside::<CaTree<Integers, Narrow>>::run(coarse, &ops);
    } else {
        Beside::<CaTree<Integers, Wide>>::run(coarse, &ops);
    }
});
