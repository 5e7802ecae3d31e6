//! The file in memory, with the original bytes of every 4 KiB page that was changed.
//!
//! That is all a commit needs to know what to write and what was there before, and costs memory by what
//! changes. Of the pages that a recovery overwrites only sums are kept: their old bytes are never written again. Edits run between [`Image::begin`] and [`Image::keep`]: one that fails half-way is taken back.

use std::collections::BTreeMap;

use crate::error::HiveError;

/// Size of a page, in bytes: the unit of Windows' dirty tracking, of HvLE entries and of bins.
pub(crate) const PAGE: usize = 4096;

/// Sectors of a page: what a disk writes whole or not at all.
pub(crate) const SECTORS: usize = 8;
/// Size of a sector, in bytes.
pub(crate) const SECTOR: usize = 512;

/// A sum for each sector of a page, zeros past the end of the file included.
pub(crate) type Sums = [u64; SECTORS];

/// A sum that tells a sector from another one: for noticing that somebody changed a file, not against forgery.
pub(crate) fn sector_sum(sector: &[u8]) -> u64 {
    let words = sector.chunks_exact(8).filter_map(|word| word.first_chunk::<8>().copied().map(u64::from_le_bytes));
    words.fold(0x9E37_79B9_7F4A_7C15, |sum, word| (sum ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(29))
}

/// The sums of a page, which may be cut off by the end of the file.
pub(crate) fn page_sums(page: &[u8]) -> Sums {
    let mut sums = [sector_sum(&[0; SECTOR]); SECTORS];
    for (sum, sector) in sums.iter_mut().zip(page.chunks(SECTOR)) {
        if sector.len() == SECTOR {
            *sum = sector_sum(sector);
        } else {
            let mut whole = [0; SECTOR];
            whole.iter_mut().zip(sector).for_each(|(to, from)| *to = *from);
            *sum = sector_sum(&whole);
        }
    }
    sums
}

/// A file image that remembers what it was.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    bytes: Vec<u8>,
    /// Page number -> its bytes as found (shorter than a page only at the end of the file).
    originals: BTreeMap<usize, Vec<u8>>,
    /// While a recovery runs: page number -> sums of its bytes as found, in the place of those.
    sums: Option<BTreeMap<usize, Sums>>,
    original_len: usize,
    journal: Option<Journal>,
}

#[derive(Debug, Clone, Default)]
struct Journal {
    /// Offset and previous bytes of each write, in order.
    writes: Vec<(usize, Vec<u8>)>,
    len: usize,
}

impl Image {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let original_len = bytes.len();
        Self { bytes, originals: BTreeMap::new(), sums: None, original_len, journal: None }
    }

    /// An image that keeps sums only, until [`Image::recovered`].
    pub(crate) fn recovering(bytes: Vec<u8>) -> Self {
        Self { sums: Some(BTreeMap::new()), ..Self::new(bytes) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of the file as found.
    pub(crate) fn original_len(&self) -> usize {
        self.original_len
    }

    /// Writes inside the present length.
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) -> Result<(), HiveError> {
        let end = offset.saturating_add(data.len());
        let Some(current) = self.bytes.get(offset..end) else {
            return Err(HiveError::TooLarge { what: "the file", size: end as u64, limit: self.bytes.len() as u64 });
        };
        if current == data {
            return Ok(());
        }
        if let Some(journal) = &mut self.journal {
            journal.writes.push((offset, current.to_vec()));
        }
        let last = end.saturating_sub(1) / PAGE;
        for page in offset / PAGE..=last {
            self.preserve(page);
        }
        if let Some(target) = self.bytes.get_mut(offset..end) {
            target.copy_from_slice(data);
        }
        Ok(())
    }

    fn preserve(&mut self, page: usize) {
        let start = page.saturating_mul(PAGE);
        if start >= self.original_len {
            return;
        }
        let end = start.saturating_add(PAGE).min(self.original_len);
        let Some(bytes) = self.bytes.get(start..end) else { return };
        match &mut self.sums {
            Some(sums) => {
                sums.entry(page).or_insert_with(|| page_sums(bytes));
            }
            None => {
                self.originals.entry(page).or_insert_with(|| bytes.to_vec());
            }
        }
    }

    /// Makes the file at least `len` bytes long; new bytes are zero.
    pub(crate) fn grow(&mut self, len: usize) {
        if len > self.bytes.len() {
            self.bytes.resize(len, 0);
        }
    }

    /// From here on every write can be taken back.
    pub(crate) fn begin(&mut self) {
        self.journal = Some(Journal { writes: Vec::new(), len: self.bytes.len() });
    }

    /// Keeps what was written since [`Image::begin`].
    pub(crate) fn keep(&mut self) {
        self.journal = None;
    }

    /// Takes back what was written since [`Image::begin`].
    pub(crate) fn roll_back(&mut self) {
        let Some(journal) = self.journal.take() else { return };
        for (offset, old) in journal.writes.into_iter().rev() {
            let end = offset.saturating_add(old.len());
            if let Some(target) = self.bytes.get_mut(offset..end) {
                target.copy_from_slice(&old);
            }
        }
        self.bytes.truncate(journal.len);
    }

    /// Whether a page was written to, and its original bytes kept.
    pub(crate) fn is_preserved(&self, page: usize) -> bool {
        self.originals.contains_key(&page)
    }

    /// The bytes as found of a page, now. Empty for a page that lies past the original end.
    pub(crate) fn original_page(&self, page: usize) -> &[u8] {
        if let Some(bytes) = self.originals.get(&page) {
            return bytes;
        }
        let start = page.saturating_mul(PAGE).min(self.original_len);
        let end = start.saturating_add(PAGE).min(self.original_len);
        self.bytes.get(start..end).unwrap_or(&[])
    }

    /// Numbers of the pages whose bytes differ from those found, ascending. Pages past the original end count as changed.
    pub(crate) fn changed_pages(&self) -> Vec<usize> {
        let mut pages: Vec<usize> = self
            .originals
            .iter()
            .filter(|&(&page, old)| {
                let start = page.saturating_mul(PAGE);
                let end = start.saturating_add(PAGE).min(self.bytes.len());
                self.bytes.get(start..end) != Some(old.as_slice())
            })
            .map(|(&page, _)| page)
            .collect();
        let mut next = self.original_len / PAGE;
        if pages.last() == Some(&next) {
            next = next.saturating_add(1);
        }
        if self.bytes.len() > self.original_len {
            pages.extend(next..self.bytes.len().div_ceil(PAGE));
        }
        pages
    }

    /// Forgets the past: the present bytes are the original ones now.
    pub(crate) fn rebase(&mut self) {
        self.journal = None;
        self.original_len = self.bytes.len();
        self.originals.clear();
    }

    /// Ends a recovery: the present bytes are the original ones now. Answers the sums of the pages that it wrote to.
    pub(crate) fn recovered(&mut self) -> BTreeMap<usize, Sums> {
        self.rebase();
        self.sums.take().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_real_changes_count() {
        let mut image = Image::new(vec![7; 3 * PAGE]);
        image.write(PAGE + 5, &[7, 7]).unwrap();
        assert!(image.changed_pages().is_empty());
        image.write(PAGE - 1, &[1, 2]).unwrap();
        assert_eq!(image.changed_pages(), [0, 1]);
        image.write(PAGE, &[7]).unwrap();
        assert_eq!(image.changed_pages(), [0]);
        assert_eq!(image.original_page(0), &[7; PAGE][..]);
        assert_eq!(image.original_page(3), &[] as &[u8]);
    }

    #[test]
    fn a_recovery_keeps_sums() {
        let mut image = Image::recovering(vec![7; PAGE + 700]);
        image.grow(3 * PAGE);
        image.write(PAGE + 600, &[1]).unwrap();
        image.write(PAGE + 600, &[2]).unwrap();
        let mut cut = vec![7; 700];
        let sums = image.recovered();
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[&1], page_sums(&cut));
        cut.resize(PAGE, 0);
        assert_eq!(sums[&1], page_sums(&cut));
        cut[PAGE - 1] = 1;
        assert_ne!(sums[&1], page_sums(&cut));
        assert!(image.changed_pages().is_empty());
    }

    #[test]
    fn growth_counts_as_change_and_can_be_taken_back() {
        let mut image = Image::new(vec![1; PAGE + 10]);
        image.begin();
        image.grow(3 * PAGE);
        image.write(2 * PAGE, &[5]).unwrap();
        image.write(3, &[9]).unwrap();
        assert_eq!(image.changed_pages(), [0, 1, 2]);
        image.roll_back();
        assert_eq!(image.bytes(), &vec![1; PAGE + 10][..]);
        assert!(image.changed_pages().is_empty());
    }

    #[test]
    fn writing_past_the_end_is_refused() {
        let mut image = Image::new(vec![1; 8]);
        assert!(image.write(6, &[1, 2, 3]).is_err());
        assert_eq!(image.bytes(), &[1; 8]);
    }
}
