//! Logs in the new format (Windows 8.1 and later): entries with hashes.
//!
//! The header is a base block of 512 bytes, type 6; entries follow from 512, each at a multiple of 512. An entry:
//! 0 "HvLE"; 4 size; 8 flags; 12 sequence number; 16 length of the bins; 20 count of pages; 24 hash of what follows byte 40; 32 hash of the first 32
//! bytes; 40 offset and size of each page; then the pages.

use crate::bytes::{array, as_u32, index, round_up, slice, u32_at, u64_at};
use crate::marvin::marvin32;

/// Signature of an entry.
pub(crate) const HVLE: &[u8] = b"HvLE";
/// Bytes before the references.
const ENTRY_HEADER: usize = 40;
/// Alignment of entries, and the unit of offsets and sizes of pages.
const SECTOR: usize = 512;

/// A valid entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'l> {
    pub(crate) flags: u32,
    pub(crate) sequence: u32,
    /// Length of all bins after this entry.
    pub(crate) length: u32,
    count: usize,
    bytes: &'l [u8],
}

impl<'l> Entry<'l> {
    /// Reads the entry at the start of `bytes`; both hashes must be right.
    fn parse(bytes: &'l [u8]) -> Option<Self> {
        if !bytes.starts_with(HVLE) {
            return None;
        }
        // The hash of the header first: nothing in it is believed before.
        if u64_at(bytes, 32)? != marvin32(bytes.get(..32)?) {
            return None;
        }
        let size = index(u32_at(bytes, 4)?);
        if size < SECTOR || !size.is_multiple_of(SECTOR) {
            return None;
        }
        let entry = bytes.get(..size)?;
        if u64_at(entry, 24)? != marvin32(entry.get(ENTRY_HEADER..)?) {
            return None;
        }
        let (length, count) = (u32_at(entry, 16)?, index(u32_at(entry, 20)?));
        if length == 0 || length & 4095 != 0 || count == 0 {
            return None;
        }
        slice(entry, ENTRY_HEADER, count.checked_mul(8)?)?;
        Some(Self { flags: u32_at(entry, 8)?, sequence: u32_at(entry, 12)?, length, count, bytes: entry })
    }

    /// Offset in the bins and bytes of each page; `None` in the place of one that is not valid.
    pub(crate) fn pages(&self) -> impl Iterator<Item = Option<(u32, &'l [u8])>> + 'l {
        let (bytes, length) = (self.bytes, self.length);
        let mut next = ENTRY_HEADER.saturating_add(self.count.saturating_mul(8));
        let references = slice(bytes, ENTRY_HEADER, self.count.saturating_mul(8)).unwrap_or(&[]);
        references.chunks_exact(8).map(move |r| {
            let (offset, size) = (u32_at(r, 0)?, u32_at(r, 4)?);
            let end = offset.checked_add(size)?;
            if !index(offset).is_multiple_of(SECTOR) || !index(size).is_multiple_of(SECTOR) || end > length {
                return None;
            }
            let page = slice(bytes, next, index(size))?;
            next = next.saturating_add(index(size));
            Some((offset, page))
        })
    }
}

/// The entries of a log that may be applied: from 512 on without a gap, numbered from the header's sequence number.
pub(crate) fn entries(log: &[u8], first: u32) -> impl Iterator<Item = Entry<'_>> {
    let mut at = SECTOR;
    let mut expected = first;
    std::iter::from_fn(move || {
        let entry = Entry::parse(log.get(at..)?)?;
        if entry.sequence != expected {
            return None;
        }
        at = at.saturating_add(entry.bytes.len());
        expected = expected.wrapping_add(1);
        Some(entry)
    })
}

/// Sequence numbers of all entries, old ones too, whose header is intact.
pub(crate) fn stale_sequences(log: &[u8]) -> impl Iterator<Item = u32> + '_ {
    log.chunks_exact(SECTOR).filter_map(|sector| {
        let intact = sector.starts_with(HVLE) && u64_at(sector, 32)? == marvin32(sector.get(..32)?);
        if intact {
            u32_at(sector, 12)
        } else {
            None
        }
    })
}

/// An entry with these runs of bytes (offset in the bins, multiples of 512).
pub(crate) fn encode_entry(flags: u32, sequence: u32, length: u32, runs: &[(u32, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut entry = HVLE.to_vec();
    entry.resize(ENTRY_HEADER, 0);
    for (offset, bytes) in runs {
        entry.extend_from_slice(&offset.to_le_bytes());
        entry.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_le_bytes());
    }
    for (_, bytes) in runs {
        entry.extend_from_slice(bytes);
    }
    let size = round_up(u32::try_from(entry.len()).ok()?, as_u32(SECTOR))?;
    entry.resize(index(size), 0);
    let count = u32::try_from(runs.len()).ok()?;
    for (at, value) in [(4usize, size), (8, flags), (12, sequence), (16, length), (20, count)] {
        entry.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&value.to_le_bytes());
    }
    let body = marvin32(entry.get(ENTRY_HEADER..)?);
    entry.get_mut(24..32)?.copy_from_slice(&body.to_le_bytes());
    let head = marvin32(&array::<32>(&entry, 0)?);
    entry.get_mut(32..40)?.copy_from_slice(&head.to_le_bytes());
    Some(entry)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let runs = [(0u32, vec![1; 4096]), (8192, vec![2; 512])];
        let mut log = vec![0; 512];
        log.extend(encode_entry(1, 7, 0x3000, &runs).unwrap());
        log.extend(encode_entry(0, 8, 0x4000, &runs[..1]).unwrap());
        log.extend(encode_entry(0, 10, 0x4000, &runs[..1]).unwrap());
        let found: Vec<_> = entries(&log, 7).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].flags, found[0].length, found[1].sequence), (1, 0x3000, 8));
        let pages: Vec<_> = found[0].pages().map(Option::unwrap).map(|(o, b)| (o, b.to_vec())).collect();
        assert_eq!(pages, runs);
        assert_eq!(stale_sequences(&log).collect::<Vec<_>>(), [7, 8, 10]);
        assert_eq!(entries(&log, 8).count(), 0);
    }

    #[test]
    fn a_flipped_bit_anywhere_ends_the_log() {
        let mut log = vec![0; 512];
        log.extend(encode_entry(1, 7, 0x3000, &[(0, vec![1; 512])]).unwrap());
        for at in 512..log.len() {
            let mut broken = log.clone();
            broken[at] ^= 4;
            assert_eq!(entries(&broken, 7).count(), 0, "byte {at}");
        }
    }
}
