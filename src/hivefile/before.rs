//! What stands in for a log where a hive has none: a small file beside it, `NAME.coldmend-before`, that holds the places an
//! edit changes, as they were and as they will be. It is written and flushed before the edit, and removed after it.
//!
//! It is believed only where it can be nothing else but the trace of an edit that was cut: it is whole (hash), there is still no log
//! beside the hive (a Windows that has run since has made some), the hive's base block is the one that this very edit leaves
//! while it writes, and every sector in question is from before or after it. Anything else is a left-over and is passed over.

use coldmend_hives::{BaseBlock, Commit, Storage};
use sha2::{Digest, Sha256};

/// The first bytes of the file.
const MAGIC: &[u8; 16] = b"coldmend-before2";
/// The part of the base block that changes as one.
const HEADER: usize = 512;
/// A sector: what a disk writes whole or not at all.
const SECTOR: usize = 512;
/// Where a hive's bins begin.
const BASE_BLOCK: u64 = 4096;

/// One place: the first page, or a page that the edit changes.
struct Place {
    offset: u64,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// The places of an edit.
pub(super) struct Before {
    before_len: u64,
    after_len: u64,
    places: Vec<Place>,
}

impl Before {
    /// Of a commit that is ready, and of the file that it will change.
    pub(super) fn of(commit: &Commit, primary: &dyn Storage) -> std::io::Result<Self> {
        let after = commit.after();
        let before_len = primary.len()?;
        let mut places = Vec::new();
        for (offset, len) in [(0, HEADER)].into_iter().chain(commit.ranges()) {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let new = after.get(from..from.saturating_add(len)).unwrap_or_default().to_vec();
            let there = usize::try_from(before_len.saturating_sub(offset)).unwrap_or(usize::MAX).min(len);
            let mut old = vec![0; there];
            if there > 0 {
                primary.read_at(offset, &mut old)?;
            }
            places.push(Place { offset, before: old, after: new });
        }
        Ok(Before { before_len, after_len: after.len() as u64, places })
    }

    /// As the file holds it: all numbers 64 bits little-endian, a hash of everything at the end.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let number = |out: &mut Vec<u8>, n: u64| out.extend_from_slice(&n.to_le_bytes());
        for n in [self.before_len, self.after_len, self.places.len() as u64] {
            number(&mut out, n);
        }
        for place in &self.places {
            for n in [place.offset, place.before.len() as u64, place.after.len() as u64] {
                number(&mut out, n);
            }
            out.extend_from_slice(&place.before);
            out.extend_from_slice(&place.after);
        }
        let hash = Sha256::digest(&out);
        out.extend_from_slice(&hash);
        out
    }

    /// `None` when it is not whole.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        if Sha256::digest(body).as_slice() != hash {
            return None;
        }
        let mut rest = body.strip_prefix(MAGIC)?;
        let before_len = number(&mut rest)?;
        let after_len = number(&mut rest)?;
        let count = number(&mut rest)?;
        let mut places = Vec::new();
        for _ in 0..count {
            let offset = number(&mut rest)?;
            let [old, new] = [number(&mut rest)?, number(&mut rest)?];
            let before = take(&mut rest, old)?.to_vec();
            let after = take(&mut rest, new)?.to_vec();
            places.push(Place { offset, before, after });
        }
        Some(Before { before_len, after_len, places })
    }

    /// Whether a hive is what this edit leaves when it is cut.
    pub(super) fn is_cut(&self, bytes: &[u8]) -> bool {
        let (Some(header), Some(first)) = (bytes.get(..HEADER), self.places.first()) else { return false };
        let len = bytes.len() as u64;
        first.offset == 0
            && (len == self.before_len || len == self.after_len)
            && is_between(header, &first.before, &first.after)
            && self.places.iter().skip(1).all(|place| place.fits(bytes))
    }

    /// The hive as it was.
    pub(super) fn take_back(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        for place in &self.places {
            let from = usize::try_from(place.offset).unwrap_or(usize::MAX);
            let old = &place.before;
            if let Some(there) = bytes.get_mut(from..from.saturating_add(old.len())) {
                there.copy_from_slice(old);
            }
        }
        bytes.truncate(usize::try_from(self.before_len).unwrap_or(usize::MAX));
        bytes
    }

    /// Writes the hive as it was; the base block last, so that it is not clean before it is whole. May be cut, and done again.
    pub(super) fn write_back(&self, primary: &mut dyn Storage) -> std::io::Result<()> {
        let len = primary.len()?;
        for place in self.places.iter().filter(|place| place.offset >= BASE_BLOCK && !place.before.is_empty()) {
            // Zeros up to the present end, so that no sector is half of each.
            let there = usize::try_from(len.saturating_sub(place.offset)).unwrap_or(usize::MAX).min(place.after.len());
            let mut whole = place.before.clone();
            whole.resize(there.max(whole.len()), 0);
            primary.write_at(place.offset, &whole)?;
        }
        primary.flush()?;
        for place in self.places.iter().filter(|place| place.offset < BASE_BLOCK) {
            primary.write_at(place.offset, &place.before)?;
        }
        primary.flush()?;
        if primary.len()? > self.before_len {
            primary.set_len(self.before_len)?;
            primary.flush()?;
        }
        Ok(())
    }
}

impl Place {
    /// Whether every sector of a hive here is from before or after; what lies past the end was not there before.
    fn fits(&self, bytes: &[u8]) -> bool {
        let from = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let found = bytes.get(from.min(bytes.len())..from.saturating_add(self.after.len()).min(bytes.len()));
        let found = found.unwrap_or_default();
        found.chunks(SECTOR).enumerate().all(|(number, sector)| {
            let at = number * SECTOR;
            // A file that has grown reads as zeros behind its old end until the page is written.
            let is =
                |side: &[u8]| sector.iter().zip(at..).all(|(byte, at)| side.get(at).copied().unwrap_or(0) == *byte);
            is(&self.before) || is(&self.after)
        })
    }
}

/// Whether a base block is the one that says "being written" on the way from one to the other: the sequence numbers are those
/// of the end, the second one less (or, on the way back, the two that follow), and nothing else differs but time stamp, length and checksum; or it is torn.
fn is_between(found: &[u8], before: &[u8], after: &[u8]) -> bool {
    let (Some(now), Some(new)) = (BaseBlock::parse(found), BaseBlock::parse(after)) else { return false };
    if found == before || found == after {
        return false;
    }
    /// Fields that a commit writes: sequence numbers and time stamp, length, checksum.
    const WRITTEN: [std::ops::Range<usize>; 3] = [4..20, 40..44, 508..512];
    let same = (0..HEADER)
        .filter(|at| !WRITTEN.iter().any(|range| range.contains(at)))
        .all(|at| found.get(at) == before.get(at));
    let number = |ahead: u32| new.primary_sequence.wrapping_add(ahead);
    let numbers = (now.primary_sequence, now.secondary_sequence);
    // On the way there, or on the way back after a write that failed.
    let known = numbers == (number(0), number(0).wrapping_sub(1)) || numbers == (number(2), number(1));
    same && (known || !now.checksum_valid())
}

fn take<'b>(rest: &mut &'b [u8], len: u64) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use coldmend_hives::{FileTime, Hive, LogFiles, LogRegime, LogStorages, MemoryStorage, NewHive};

    const NOW: FileTime = FileTime(133_500_000_000_000_000);

    fn edited(data: &[u8]) -> (Vec<u8>, Commit) {
        let before = Hive::create(&NewHive::default(), NOW).unwrap().bytes().to_vec();
        let mut hive = Hive::open(before.clone()).unwrap();
        hive.create_key("A", NOW).unwrap();
        hive.set_value("A", "x", 3, data, NOW).unwrap();
        (before, Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW).unwrap())
    }

    /// A storage whose writes end after some bytes.
    struct Cut(MemoryStorage, usize);

    impl Storage for Cut {
        fn len(&self) -> std::io::Result<u64> {
            self.0.len()
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
            self.0.read_at(offset, buf)
        }
        fn write_at(&mut self, offset: u64, data: &[u8]) -> std::io::Result<()> {
            let whole = data.len().min(self.1) / SECTOR * SECTOR;
            self.0.write_at(offset, &data[..whole])?;
            self.1 -= whole;
            if whole < data.len() {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }
        fn set_len(&mut self, len: u64) -> std::io::Result<()> {
            self.0.set_len(len)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_edit_cut_at_any_sector_is_seen_and_taken_back() {
        for data in [vec![7; 40], vec![7; 60_000]] {
            let (before, commit) = edited(&data);
            let trace = Before::of(&commit, &MemoryStorage(before.clone())).unwrap();
            let trace = Before::parse(&trace.to_bytes()).unwrap();
            let mut seen = 0;
            for bytes in (0..).step_by(SECTOR) {
                let mut disk = Cut(MemoryStorage(before.clone()), bytes);
                let done = commit.execute(&mut disk, &mut LogStorages::default()).is_ok();
                let mut disk = disk.0;
                let cut = trace.is_cut(&disk.0);
                // Grown, and not marked yet: the hive is clean, and longer than it need be.
                let untouched = disk.0.get(..before.len()) == Some(&before[..]) && Hive::open(disk.0.clone()).is_ok();
                assert_eq!(cut, !untouched && !done, "after {bytes} bytes");
                if cut {
                    seen += 1;
                    assert_eq!(trace.take_back(disk.0.clone()), before);
                    trace.write_back(&mut disk).unwrap();
                    assert_eq!(disk.0, before);
                    assert!(!trace.is_cut(&disk.0));
                }
                if done {
                    break;
                }
            }
            assert!(seen > 2, "{seen}");
        }
    }

    #[test]
    fn a_taking_back_cut_at_any_sector_is_seen_and_completed() {
        for data in [vec![7; 40], vec![7; 60_000]] {
            let (before, commit) = edited(&data);
            let trace = Before::of(&commit, &MemoryStorage(before.clone())).unwrap();
            let mut seen = 0;
            for bytes in (0..).step_by(SECTOR) {
                let mut disk = Cut(MemoryStorage(commit.after().to_vec()), bytes);
                let done = commit.take_back(&mut disk, &mut LogStorages::default()).is_ok();
                let mut disk = disk.0;
                if trace.is_cut(&disk.0) {
                    seen += 1;
                    assert_eq!(trace.take_back(disk.0.clone()), before, "after {bytes} bytes");
                    trace.write_back(&mut disk).unwrap();
                    assert_eq!(disk.0, before, "after {bytes} bytes");
                } else {
                    assert!(Hive::open(disk.0).is_ok(), "after {bytes} bytes: neither clean nor known");
                }
                if done {
                    break;
                }
            }
            assert!(seen > 2, "{seen}");
        }
    }

    #[test]
    fn left_overs_are_not_believed() {
        let (before, commit) = edited(&[1; 5000]);
        let trace = Before::of(&commit, &MemoryStorage(before.clone())).unwrap();
        let bytes = trace.to_bytes();
        for cut in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            assert!(Before::parse(&bytes[..cut]).is_none());
        }
        let mut torn = bytes.clone();
        torn[100] ^= 1;
        assert!(Before::parse(&torn).is_none());
        // Windows has begun a flush of its own: the numbers are others.
        let mut windows = before;
        let first = u32::from_le_bytes(windows[4..8].try_into().unwrap()) + 1;
        windows[4..8].copy_from_slice(&first.to_le_bytes());
        let sum = windows[..508].chunks(4).fold(0, |sum, b| sum ^ u32::from_le_bytes(b.try_into().unwrap()));
        windows[508..512].copy_from_slice(&u32::to_le_bytes(sum));
        assert!(!trace.is_cut(&windows));
    }
}
