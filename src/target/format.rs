//! What kind of disk image a file is, told by its content, never by its name.
//!
//! Sources: Microsoft's "Virtual Hard Disk Image Format Specification" (a footer of 512 bytes with the cookie `conectix` at the end, in
//! dynamic and differencing disks with a copy at the start) and "[MS-VHDX]" (`vhdxfile` at the start; region table at 192 KiB; the
//! file parameters say whether there is a parent). Nothing of it is believed further than to choose words: Windows reads the disk.

use std::io::{self, Read, Seek, SeekFrom};

/// The formats that Windows can attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Microsoft's VHD.
    Vhd,
    /// Microsoft's VHDX.
    Vhdx,
}

impl Format {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Vhd => "vhd",
            Format::Vhdx => "vhdx",
        }
    }

    /// The format's name for people.
    pub fn name(self) -> &'static str {
        match self {
            Format::Vhd => "VHD",
            Format::Vhdx => "VHDX",
        }
    }
}

/// A disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// Its format.
    pub format: Format,
    /// Whether it holds only what differs from another disk, its parent (a snapshot, AVHD, AVHDX).
    pub differencing: bool,
}

/// Tells what a file is; `None`: no VHD and no VHDX.
///
/// # Errors
/// It can't be read.
pub fn recognise(file: &mut (impl Read + Seek)) -> io::Result<Option<Recognised>> {
    let start = at(file, 0, 512)?;
    if start.starts_with(b"vhdxfile") {
        return Ok(Some(Recognised { format: Format::Vhdx, differencing: vhdx_has_parent(file)? }));
    }
    let len = file.seek(SeekFrom::End(0))?;
    let end = at(file, len.saturating_sub(512), 512)?;
    // Virtual PC before 2004 wrote footers of 511 bytes.
    let footers = [end.as_slice(), end.get(1..).unwrap_or_default(), start.as_slice()];
    let kind = footers
        .into_iter()
        .filter(|footer| footer.starts_with(b"conectix"))
        .find_map(|footer| disk_type(footer).filter(|kind| matches!(kind, 2..=4)));
    Ok(kind.map(|kind| Recognised { format: Format::Vhd, differencing: kind == DIFFERENCING }))
}

const DIFFERENCING: u32 = 4;

fn disk_type(footer: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(footer.get(60..64)?.try_into().ok()?))
}

/// Up to `len` bytes from `offset` on.
fn at(file: &mut (impl Read + Seek), offset: u64, len: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.by_ref().take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
/// {8B7CA206-4790-4B9A-B8FE-575F050F886E}
const METADATA_REGION: [u8; 16] =
    [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e];
/// {CAA16737-FA36-4D43-B3B6-33F0AA44E76B}
const FILE_PARAMETERS: [u8; 16] =
    [0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b];
const HAS_PARENT: u32 = 2;

/// Whether the file parameters name a parent. A table that can't be made out is Windows' to complain about.
fn vhdx_has_parent(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    for table in REGION_TABLES {
        let regions = at(file, table, 64 << 10)?;
        if !regions.starts_with(b"regi") {
            continue;
        }
        let Some(offset) = entry(&regions, 16, &METADATA_REGION).and_then(|entry| long(entry, 16)) else { continue };
        let metadata = at(file, offset, 64 << 10)?;
        if !metadata.starts_with(b"metadata") {
            continue;
        }
        let Some(place) = entry(&metadata, 32, &FILE_PARAMETERS).and_then(|entry| word(entry, 16)) else { continue };
        let parameters = at(file, offset.saturating_add(place.into()), 8)?;
        if let Some(flags) = word(&parameters, 4) {
            return Ok(flags & HAS_PARENT != 0);
        }
    }
    Ok(false)
}

/// The entry of 32 bytes that begins with `id`, in a table whose entries begin at `first`.
fn entry<'t>(table: &'t [u8], first: usize, id: &[u8; 16]) -> Option<&'t [u8]> {
    table.get(first..)?.chunks_exact(32).find(|entry| entry.starts_with(id))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn told(bytes: Vec<u8>) -> Option<Recognised> {
        recognise(&mut Cursor::new(bytes)).unwrap()
    }

    fn footer(kind: u32) -> Vec<u8> {
        let mut footer = vec![0; 512];
        footer[..8].copy_from_slice(b"conectix");
        footer[60..64].copy_from_slice(&kind.to_be_bytes());
        footer
    }

    fn vhdx(flags: u32) -> Vec<u8> {
        let mut file = vec![0; 3 << 20];
        file[..8].copy_from_slice(b"vhdxfile");
        let table = 192 << 10;
        file[table..table + 4].copy_from_slice(b"regi");
        // The second entry, behind one for the block table.
        let at = table + 16 + 32;
        file[at..at + 16].copy_from_slice(&METADATA_REGION);
        file[at + 16..at + 24].copy_from_slice(&(2u64 << 20).to_le_bytes());
        let metadata = 2 << 20;
        file[metadata..metadata + 8].copy_from_slice(b"metadata");
        file[metadata + 32..metadata + 48].copy_from_slice(&FILE_PARAMETERS);
        file[metadata + 48..metadata + 52].copy_from_slice(&0x10000u32.to_le_bytes());
        let parameters = metadata + 0x10000;
        file[parameters + 4..parameters + 8].copy_from_slice(&flags.to_le_bytes());
        file
    }

    #[test]
    fn a_vhd_is_told_by_its_footer_or_its_copy() {
        let fixed = [vec![0; 4096], footer(2)].concat();
        let some = |differencing| Some(Recognised { format: Format::Vhd, differencing });
        assert_eq!(told(fixed), some(false));
        // Cut at the end: the copy is still there.
        assert_eq!(told([footer(3), vec![0; 4096]].concat()), some(false));
        assert_eq!(told([footer(4), vec![0; 4096], footer(4)].concat()), some(true));
        assert_eq!(told([vec![0; 4096], footer(2)[..511].to_vec()].concat()), some(false));
        assert_eq!(told([vec![0; 4096], footer(9)].concat()), None);
    }

    #[test]
    fn a_vhdx_is_told_by_its_start_and_its_parent_by_the_file_parameters() {
        let some = |differencing| Some(Recognised { format: Format::Vhdx, differencing });
        assert_eq!(told(vhdx(0)), some(false));
        assert_eq!(told(vhdx(1)), some(false));
        assert_eq!(told(vhdx(2)), some(true));
        assert_eq!(told(vhdx(3)), some(true));
        assert_eq!(told(b"vhdxfile".to_vec()), some(false));
    }

    #[test]
    fn other_files_are_no_images() {
        assert_eq!(told(Vec::new()), None);
        assert_eq!(told(b"conectix".to_vec()), None);
        assert_eq!(told(vec![0; 600]), None);
        assert_eq!(told(b"QFI\xfb".to_vec()), None);
    }
}
