//! Makes the sums of a damaged hive or log right again, so that what lies behind them is reached. Written apart from the engine's own.
#![allow(dead_code)]

/// Sets the base block's checksum.
pub fn checksum(bytes: &mut [u8]) {
    if bytes.len() >= 512 {
        let words = bytes[..508].chunks_exact(4);
        let sum = words.fold(0, |sum, w| sum ^ u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
        let sum = match sum {
            0 => 1,
            u32::MAX => u32::MAX - 1,
            other => other,
        };
        bytes[508..512].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Makes a base block clean: the second sequence number is the first, and the checksum right.
pub fn seal(bytes: &mut [u8]) {
    if bytes.len() >= 512 {
        bytes.copy_within(4..8, 8);
        checksum(bytes);
    }
}

/// Sets both hashes of every HvLE entry that is where the sizes of those before say.
pub fn entry_hashes(log: &mut [u8]) {
    let mut at = 512;
    while let Some(entry) = log.get_mut(at..).filter(|e| e.len() >= 512 && e.starts_with(b"HvLE")) {
        let size = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]) as usize;
        if let Some(body) = entry.get(40..size) {
            let hash = marvin(body);
            entry[24..32].copy_from_slice(&hash.to_le_bytes());
        }
        let hash = marvin(&entry[..32]);
        entry[32..40].copy_from_slice(&hash.to_le_bytes());
        if size < 512 || !size.is_multiple_of(512) {
            return;
        }
        at = at.saturating_add(size);
    }
}

/// Marvin32 with the seed of the logs.
pub fn marvin(bytes: &[u8]) -> u64 {
    let (mut low, mut high) = (0x7A4E_55C5u32, 0x82EF_4D88u32);
    let mut mix = |word: u32| {
        low = low.wrapping_add(word);
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        high = high.rotate_left(19);
    };
    let words = bytes.chunks_exact(4);
    let tail = words.remainder().iter().rev().fold(0x80u32, |last, &byte| (last << 8) | u32::from(byte));
    words.for_each(|w| mix(u32::from_le_bytes([w[0], w[1], w[2], w[3]])));
    mix(tail);
    mix(0);
    (u64::from(high) << 32) | u64::from(low)
}
