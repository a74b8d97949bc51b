//! Which of up to 64 bytes are equal to a given one: all of them are compared at once.

/// A bit for each byte of the first `cells` cells that equals `byte`. The lowest byte of cell 0 is
/// bit 0.
#[inline(always)]
pub(super) fn equal_bytes(cells: usize, byte: u8, cell: impl Fn(usize) -> u64) -> u64 {
    let pair = |i: usize| equal_in_pair(cell(i), cell(i + 1), byte) << (8 * i);
    match cells {
        8 => pair(0) | pair(2) | pair(4) | pair(6),
        2 => pair(0),
        _ => (0..cells).fold(0, |all, i| all | equal_in_cell(cell(i), byte) << (8 * i)),
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn equal_in_pair(low: u64, high: u64, byte: u8) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    // SAFETY: SSE2, which these need, is a part of every x86_64.
    let equal = unsafe {
        let bytes = _mm_set_epi64x(high as i64, low as i64);
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8)))
    };
    u64::from(equal as u32)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn equal_in_pair(low: u64, high: u64, byte: u8) -> u64 {
    equal_in_cell(low, byte) | equal_in_cell(high, byte) << 8
}

/// The same for the eight bytes of one cell.
#[inline(always)]
fn equal_in_cell(cell: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const REST: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let different = cell ^ (LOW * u64::from(byte));
    // The highest bit of each byte that is 0; nothing is carried from byte to byte.
    let zero = !(((different & REST) + REST) | different | REST);
    // Gathers the highest bits: byte i goes to bit 56 + i.
    (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{equal_bytes, equal_in_cell, equal_in_pair};
    use proptest::prelude::*;

    fn expected(bytes: &[u8], byte: u8) -> u64 {
        bytes.iter().enumerate().map(|(i, &b)| u64::from(b == byte) << i).sum()
    }

    proptest! {
        #[test]
        fn each_equal_byte_has_its_bit(bytes in prop::collection::vec(0u8..4, 64), of in 0u8..4) {
            let bytes: Vec<u8> = bytes.iter().map(|b| b.wrapping_mul(0x55)).collect();
            let byte = of.wrapping_mul(0x55);
            let cell = |i: usize| {
                u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("eight"))
            };
            for cells in [1, 2, 8] {
                prop_assert_eq!(equal_bytes(cells, byte, cell), expected(&bytes[..8 * cells], byte));
            }
            let (low, high) = (equal_in_cell(cell(0), byte), equal_in_cell(cell(1), byte));
            prop_assert_eq!(low | high << 8, equal_in_pair(cell(0), cell(1), byte));
        }
    }
}
