//! The bits of epochs, and the two rules that make reclamation safe.

use crate::sync::weaken::{Weak, weakened};

/// What a participant announces while it is not pinned.
pub(super) const IDLE: u64 = 0;

/// The first epoch. Not 0, so that no announcement of a pinned participant equals [`IDLE`] even
/// without its low bit.
pub(super) const FIRST: u64 = 1;

/// How many advances must lie between the epoch stamped on a bag and its freeing. A participant
/// may be pinned one epoch behind the global one, so one advance is not enough.
const GRACE: u64 = 2;

/// What a participant announces that pinned itself in `epoch`.
#[inline(always)]
pub(super) fn announcement(epoch: u64) -> u64 {
    epoch << 1 | 1
}

/// Whether a participant with this announcement allows the global epoch to leave `epoch`.
pub(super) fn permits_advance(announced: u64, epoch: u64) -> bool {
    announced == IDLE || announced == announcement(epoch)
}

/// Whether a bag stamped with `stamp` may be freed in `epoch`.
pub(super) fn is_ripe(stamp: u64, epoch: u64) -> bool {
    let grace = if weakened(Weak::ReclaimGrace) { GRACE - 1 } else { GRACE };
    epoch >= stamp + grace
}
