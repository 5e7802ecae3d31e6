//! The partition table of a disk as Windows hands it out, read as far as is needed to know which volumes will appear.
//!
//! Source: Microsoft's `DRIVE_LAYOUT_INFORMATION_EX` and `PARTITION_INFORMATION_EX` (`IOCTL_DISK_GET_DRIVE_LAYOUT_EX`), and the
//! partition types of GPT and MBR. Bytes only; tested on every system.

/// Header of the answer, and length of one entry.
const HEADER: usize = 48;
const ENTRY: usize = 144;
/// Where in an entry its parts are.
const NUMBER: usize = 24;
const TYPE: usize = 32;

const MBR: u32 = 0;
const GPT: u32 = 1;
/// {E3C9E316-0B5C-4DB8-817D-F92DF00215AE}, Microsoft's reserved partition, on which no volume is.
const RESERVED: [u8; 16] =
    [0x16, 0xe3, 0xc9, 0xe3, 0x5c, 0x0b, 0xb8, 0x4d, 0x81, 0x7d, 0xf9, 0x2d, 0xf0, 0x02, 0x15, 0xae];

/// How many volumes the partitions of a disk make; `None` where there is no table that says it.
pub fn expected_volumes(layout: &[u8]) -> Option<usize> {
    let word = |bytes: &[u8], at: usize| bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes);
    let style = word(layout, 0)?;
    let count = usize::try_from(word(layout, 4)?).ok()?;
    let entries = layout.get(HEADER..)?.chunks_exact(ENTRY).take(count);
    let makes_volume = |entry: &&[u8]| {
        word(entry, NUMBER).is_some_and(|number| number != 0)
            && match style {
                // Empty and extended ones.
                MBR => !matches!(entry.get(TYPE), Some(0x00 | 0x05 | 0x0f) | None),
                GPT => entry.get(TYPE..TYPE.saturating_add(16)).is_some_and(|kind| kind != RESERVED),
                _ => false,
            }
    };
    matches!(style, MBR | GPT).then(|| entries.filter(makes_volume).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(style: u32, entries: &[(u32, [u8; 16])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[..4].copy_from_slice(&style.to_le_bytes());
        bytes[4..8].copy_from_slice(&(entries.len() as u32).to_le_bytes());
        for (number, kind) in entries {
            let mut entry = vec![0; ENTRY];
            entry[NUMBER..NUMBER + 4].copy_from_slice(&number.to_le_bytes());
            entry[TYPE..TYPE + 16].copy_from_slice(kind);
            bytes.extend(entry);
        }
        bytes
    }

    #[test]
    fn partitions_with_volumes_are_counted() {
        let basic = [0xa2; 16];
        assert_eq!(expected_volumes(&layout(GPT, &[(1, basic), (2, RESERVED), (3, basic)])), Some(2));
        let mbr = |kind| {
            let mut bytes = [0; 16];
            bytes[0] = kind;
            bytes
        };
        // MBR always has four entries, most of them empty.
        assert_eq!(expected_volumes(&layout(MBR, &[(1, mbr(7)), (0, mbr(0x0f)), (2, mbr(7)), (0, mbr(0))])), Some(2));
        assert_eq!(expected_volumes(&layout(2, &[])), None);
        assert_eq!(expected_volumes(&[]), None);
        // More promised than there is.
        let mut cut = layout(GPT, &[(1, basic)]);
        cut[4] = 200;
        assert_eq!(expected_volumes(&cut), Some(1));
    }
}
