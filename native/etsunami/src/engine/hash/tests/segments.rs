//! How positions are shared out over buckets.

use super::super::geometry::{POSITION_BITS, SEGMENT_BITS};
use super::super::segment::{Segment, Size, State};

/// The sizes of lone segments and some of others, the smallest intervals included.
fn sizes() -> impl Iterator<Item = Size> {
    let all = std::iter::successors(Some(Size::ONE), |size| Some(size.next()));
    all.take_while(|size| size.level < POSITION_BITS)
}

/// Each bucket's interval ends where that of the next one begins; the last one ends with the
/// segment's.
#[test]
fn intervals_of_buckets_follow_one_another() {
    for size in sizes() {
        let begin = if size.depth() == 0 { 0 } else { 5 << (POSITION_BITS - size.depth()) };
        let begin = begin & ((1 << POSITION_BITS) - 1);
        let segment = Segment::allocate(size, begin, State::Born);
        let mut position = begin;
        for index in 0..size.buckets() {
            let end = segment.bucket_end(position);
            for at in [position, (position + end) / 2, end - 1] {
                assert!(std::ptr::eq(segment.bucket(at), segment.line(index)), "{size:?} {at}");
                assert_eq!(segment.bucket_end(at), end, "{size:?} {at}");
            }
            position = end;
        }
        assert_eq!(position, begin + (1 << (POSITION_BITS - size.depth())), "{size:?}");
        // SAFETY: nobody else knows it.
        unsafe { segment.free() };
    }
}

/// A wide segment has half as many buckets more, and its two heirs a third more than it has.
#[test]
fn sizes_grow_by_half_and_by_a_third() {
    let full = Size { level: SEGMENT_BITS, wide: false };
    let wide = Size { level: SEGMENT_BITS, wide: true };
    let split = Size { level: SEGMENT_BITS + 1, wide: false };
    assert_eq!([full.next(), wide.next()], [wide, split]);
    assert_eq!(wide.previous(), full);
    assert_eq!([full, wide, split].map(|size| size.buckets() << size.depth()), {
        let whole = 1 << SEGMENT_BITS;
        [whole, whole / 2 * 3, whole * 2]
    });
    assert!(full < wide && wide < split);
}
