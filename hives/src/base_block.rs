//! The base block: the first 4096 bytes of a primary file, the first 512 of a log.
//!
//! Layout from the regf specification (msuhanov), checksum rules as Windows computes it: exclusive-or of the first 127
//! dwords, where 0 becomes 1 and 0xFFFFFFFF becomes 0xFFFFFFFE.

use crate::bytes::{array, u32_at, u64_at};

/// Size of the base block of a primary file, in bytes: bins start here.
pub(crate) const BASE_BLOCK: usize = 4096;
/// Size of the part that counts (checksum included), and of a log's base block; written as one sector.
pub(crate) const HEADER: usize = 512;

/// Field offsets.
pub(crate) mod field {
    pub(crate) const PRIMARY_SEQUENCE: usize = 4;
    pub(crate) const SECONDARY_SEQUENCE: usize = 8;
    pub(crate) const TIMESTAMP: usize = 12;
    pub(crate) const MAJOR: usize = 20;
    pub(crate) const MINOR: usize = 24;
    pub(crate) const TYPE: usize = 28;
    pub(crate) const FORMAT: usize = 32;
    pub(crate) const ROOT: usize = 36;
    pub(crate) const LENGTH: usize = 40;
    pub(crate) const CLUSTER: usize = 44;
    pub(crate) const FILE_NAME: usize = 48;
    pub(crate) const FLAGS: usize = 144;
    pub(crate) const CHECKSUM: usize = 508;
}

/// What a file with a base block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileType {
    /// A hive's primary file (0).
    #[default]
    Primary,
    /// A log in the old format (1; 2 in Windows 2000): DIRT.
    LogDirt,
    /// A log in the new format (6): HvLE.
    LogHvLE,
    /// Anything else.
    Unknown(u32),
}

/// The fields of a base block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseBlock {
    /// First sequence number: incremented before a write.
    pub primary_sequence: u32,
    /// Second sequence number: made equal after a write. Different: the hive is dirty.
    pub secondary_sequence: u32,
    /// Time of the last write, FILETIME (not updated by Windows 8.1 and later).
    pub timestamp: u64,
    /// Major version, 1.
    pub major: u32,
    /// Minor version, 3 to 6.
    pub minor: u32,
    /// Primary file or log.
    pub file_type: FileType,
    /// Format, 1 (direct memory load).
    pub format: u32,
    /// Cell offset of the root key, relative to the first bin.
    pub root: u32,
    /// Length of all bins in bytes.
    pub length: u32,
    /// Clustering factor, 1.
    pub cluster: u32,
    /// Last part of the path the hive was loaded from, as far as it fits.
    pub file_name: String,
    /// Flags: 1 = pending kernel transactions, 2 = layered keys or defragmented.
    pub flags: u32,
    /// The checksum field.
    pub checksum: u32,
    /// The checksum computed.
    pub computed_checksum: u32,
}

impl BaseBlock {
    /// Reads the first 512 bytes; `None` when there are fewer or the signature is not `regf`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header: [u8; HEADER] = array(bytes, 0)?;
        if !header.starts_with(b"regf") {
            return None;
        }
        let u = |at| u32_at(&header, at);
        let name: [u8; 64] = array(&header, field::FILE_NAME)?;
        let units = name.chunks_exact(2).filter_map(|c| array(c, 0).map(u16::from_le_bytes));
        Some(Self {
            primary_sequence: u(field::PRIMARY_SEQUENCE)?,
            secondary_sequence: u(field::SECONDARY_SEQUENCE)?,
            timestamp: u64_at(&header, field::TIMESTAMP)?,
            major: u(field::MAJOR)?,
            minor: u(field::MINOR)?,
            file_type: match u(field::TYPE)? {
                0 => FileType::Primary,
                1 | 2 => FileType::LogDirt,
                6 => FileType::LogHvLE,
                other => FileType::Unknown(other),
            },
            format: u(field::FORMAT)?,
            root: u(field::ROOT)?,
            length: u(field::LENGTH)?,
            cluster: u(field::CLUSTER)?,
            file_name: char::decode_utf16(units.take_while(|&u| u != 0))
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
            flags: u(field::FLAGS)?,
            checksum: u(field::CHECKSUM)?,
            computed_checksum: checksum(&header),
        })
    }

    /// Whether the checksum is right.
    pub fn checksum_valid(&self) -> bool {
        self.checksum == self.computed_checksum
    }

    /// Whether the file was closed properly: checksum right, sequence numbers equal.
    pub fn is_clean(&self) -> bool {
        self.checksum_valid() && self.primary_sequence == self.secondary_sequence
    }
}

/// The checksum over the first 508 bytes of a base block.
pub(crate) fn checksum(header: &[u8; HEADER]) -> u32 {
    let sum =
        header.chunks_exact(4).take(127).filter_map(|c| array(c, 0).map(u32::from_le_bytes)).fold(0, |a, b| a ^ b);
    match sum {
        0 => 1,
        u32::MAX => 0xFFFF_FFFE,
        other => other,
    }
}

/// Puts a dword into a header; the offset is one of [`field`].
pub(crate) fn put(header: &mut [u8; HEADER], at: usize, value: u32) {
    if let Some(slot) = at.checked_add(4).and_then(|end| header.get_mut(at..end)) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

/// Puts a time stamp into a header.
pub(crate) fn put_timestamp(header: &mut [u8; HEADER], value: u64) {
    if let Some(slot) = header.get_mut(field::TIMESTAMP..field::MAJOR) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

/// Puts both sequence numbers into a header and makes the checksum right.
pub(crate) fn seal(header: &mut [u8; HEADER], primary: u32, secondary: u32) {
    put(header, field::PRIMARY_SEQUENCE, primary);
    put(header, field::SECONDARY_SEQUENCE, secondary);
    let sum = checksum(header);
    put(header, field::CHECKSUM, sum);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn checksum_has_two_special_cases() {
        let mut header = [0; HEADER];
        assert_eq!(checksum(&header), 1);
        put(&mut header, 0, u32::MAX);
        assert_eq!(checksum(&header), 0xFFFF_FFFE);
        put(&mut header, 4, 5);
        assert_eq!(checksum(&header), u32::MAX ^ 5);
    }

    #[test]
    fn sealed_is_clean() {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(b"regf");
        seal(&mut header, 3, 3);
        let b = BaseBlock::parse(&header).unwrap();
        assert!(b.is_clean());
        seal(&mut header, 4, 3);
        let b = BaseBlock::parse(&header).unwrap();
        assert!(b.checksum_valid() && !b.is_clean());
        assert_eq!(BaseBlock::parse(&header[..511]), None);
    }
}
