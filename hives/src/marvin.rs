//! Marvin32, the hash in the entries of new logs (HvLE), with the seed that Windows uses there.
//!
//! The seed is 0x82EF4D887A4E55C5 (regf specification; verified on entries of real Windows 10 logs).

use crate::bytes::array;

/// The hash of `bytes`.
pub(crate) fn marvin32(bytes: &[u8]) -> u64 {
    let mut state = Marvin { low: 0x7A4E_55C5, high: 0x82EF_4D88 };
    let words = bytes.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        state.mix(array(word, 0).map_or(0, u32::from_le_bytes));
    }
    let last = tail.iter().rev().fold(0x80u32, |last, &byte| (last << 8) | u32::from(byte));
    state.mix(last);
    state.mix(0);
    (u64::from(state.high) << 32) | u64::from(state.low)
}

struct Marvin {
    low: u32,
    high: u32,
}

impl Marvin {
    fn mix(&mut self, value: u32) {
        self.low = self.low.wrapping_add(value);
        self.high ^= self.low;
        self.low = self.low.rotate_left(20).wrapping_add(self.high);
        self.high = self.high.rotate_left(9) ^ self.low;
        self.low = self.low.rotate_left(27).wrapping_add(self.high);
        self.high = self.high.rotate_left(19);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_every_length_count() {
        let sums: Vec<u64> = (0..6).map(|n| marvin32(&[7; 6][..n])).collect();
        for (i, a) in sums.iter().enumerate() {
            assert!(!sums[..i].contains(a));
        }
    }
}
