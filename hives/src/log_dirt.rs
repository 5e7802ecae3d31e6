//! Logs in the old format (up to Windows 8): one set of dirty sectors.
//!
//! The header is a base block of 512 bytes, type 1 (2 in Windows 2000); at 512 stands "DIRT", at 516 a bitmap with one bit per 512-byte
//! sector of the bins (their length is in the log's header), least significant bit first. The sectors of the set bits follow in order, from the next multiple of
//! 512: not always 1024, the bitmap takes more than one sector from 2 MiB on.

use crate::bytes::{as_u32, index, round_up, slice};

/// Signature of the dirty vector.
pub(crate) const DIRT: &[u8] = b"DIRT";
/// Where the bitmap starts.
const BITMAP: usize = 516;
const SECTOR: usize = 512;

/// Where the sectors start, for bins of that length.
fn sectors_start(length: u32) -> Option<usize> {
    // One bit per sector: a byte per 4096 bytes.
    let end = (length / 4096).checked_add(as_u32(BITMAP))?;
    round_up(end, as_u32(SECTOR)).map(index)
}

/// Offset in the bins and bytes of each dirty sector, in order; `None` when the log is cut short.
pub(crate) fn sectors(log: &[u8], length: u32) -> Option<Vec<(u32, &[u8])>> {
    if slice(log, SECTOR, 4)? != DIRT {
        return None;
    }
    let bitmap = slice(log, BITMAP, index(length / 4096))?;
    let mut at = sectors_start(length)?;
    let mut found = Vec::new();
    for (i, byte) in bitmap.iter().enumerate() {
        for bit in 0..8u32 {
            if byte & 1u8.wrapping_shl(bit) != 0 {
                let offset = as_u32(i).checked_mul(4096)?.checked_add(bit.checked_mul(512)?)?;
                found.push((offset, slice(log, at, SECTOR)?));
                at = at.checked_add(SECTOR)?;
            }
        }
    }
    Some(found)
}

/// The body of a log (what follows the header) with these pages (offset in the bins, multiples of 4096; 4096 bytes each).
pub(crate) fn encode_body(length: u32, runs: &[(u32, Vec<u8>)]) -> Option<Vec<u8>> {
    let start = sectors_start(length)?.checked_sub(SECTOR)?;
    let mut body = DIRT.to_vec();
    body.resize(start, 0);
    for (offset, bytes) in runs {
        let first = index(offset / 4096);
        for page in 0..bytes.len() / 4096 {
            // Eight sectors, a whole byte of the bitmap: Windows, too, logs whole pages.
            *body.get_mut(first.checked_add(page)?.checked_add(4)?)? = 0xFF;
        }
    }
    for (_, bytes) in runs {
        body.extend_from_slice(bytes);
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        // 3 MiB: the bitmap takes two sectors.
        let length = 3 << 20;
        let runs = [(4096u32, vec![1; 4096]), (length - 8192, vec![2; 8192])];
        let mut log = vec![0; 512];
        log.extend(encode_body(length, &runs).unwrap());
        assert_eq!(sectors_start(length), Some(1536));
        let found = sectors(&log, length).unwrap();
        assert_eq!(found.len(), 24);
        assert_eq!(found[0], (4096, &[1; 512][..]));
        assert_eq!(found[8], (length - 8192, &[2; 512][..]));
        assert_eq!(found[23].0, length - 512);
        log.truncate(log.len() - 1);
        assert_eq!(sectors(&log, length), None);
    }
}
