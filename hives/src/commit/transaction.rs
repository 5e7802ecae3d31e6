//! The writes of a commit, and where a file is between them.

use std::collections::BTreeMap;

use crate::base_block::HEADER;
use crate::error::CommitError;
use crate::image::{sector_sum, Image, Sums, PAGE, SECTOR};
use crate::log_file::{LogFormat, LogSlot};
use crate::storage::Storage;

use super::LogStorages;

/// The part of a base block that is written, as one sector.
pub(super) type Header = [u8; HEADER];

/// Most bytes that are read or written at once.
const CHUNK: usize = 1 << 20;

/// Where a primary file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskState {
    /// As it was when the commit was prepared.
    Before,
    /// As the commit makes it.
    After,
    /// Between: every 512-byte sector is from before or after, and the base block is one that the commit, or Windows replaying its log, writes.
    Cut,
    /// Anything else: somebody changed the file since.
    Foreign,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// What is known of the pages as they were.
#[derive(Debug, Clone, Copy)]
pub(super) enum Past<'p> {
    /// The image kept their bytes.
    Bytes(&'p Image),
    /// Only sums are known, by page number.
    Sums(&'p BTreeMap<usize, Sums>),
}

impl Past<'_> {
    /// Whether a sector is what it was. Past the end of the file it was zero.
    fn is(&self, page: usize, sector: usize, found: &[u8]) -> bool {
        match self {
            Past::Bytes(image) => {
                let old = image.original_page(page);
                let start = sector.saturating_mul(SECTOR).min(old.len());
                let end = start.saturating_add(found.len()).min(old.len());
                let old = old.get(start..end).unwrap_or(&[]);
                let (same, past_the_end) = found.split_at(old.len().min(found.len()));
                same == old && past_the_end.iter().all(|&byte| byte == 0)
            }
            Past::Sums(sums) => {
                let zeros = || sector_sum(&[0; SECTOR]);
                let old = sums.get(&page).map_or_else(zeros, |sums| sums.get(sector).copied().unwrap_or_else(zeros));
                let mut whole = [0; SECTOR];
                whole.iter_mut().zip(found).for_each(|(to, from)| *to = *from);
                sector_sum(&whole) == old
            }
        }
    }
}

/// A redo entry as it is written to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogPlan {
    pub(super) slot: LogSlot,
    pub(super) format: LogFormat,
    pub(super) header: Header,
    /// What follows the header.
    pub(super) body: Vec<u8>,
}

/// What changes in the primary file. The bytes themselves are in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) before: Header,
    pub(super) after: Header,
    pub(super) before_len: u64,
    pub(super) after_len: u64,
    /// Numbers of the pages besides the first one, ascending.
    pub(super) pages: Vec<usize>,
    /// Headers that stand for the way between.
    pub(super) between: Vec<Header>,
}

fn io(step: &'static str) -> impl Fn(std::io::Error) -> CommitError {
    move |source| CommitError::Io { step, source }
}

fn count(written: &mut u64, bytes: usize) {
    *written = written.saturating_add(bytes as u64);
}

/// Offset of a page in the file.
fn offset_of(page: usize) -> u64 {
    (page as u64).saturating_mul(PAGE as u64)
}

impl Transaction {
    /// Runs of neighbouring pages, none longer than [`CHUNK`]: first page and number of pages.
    fn runs(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for &page in &self.pages {
            match runs.last_mut() {
                Some((first, len)) if first.saturating_add(*len) == page && *len < CHUNK / PAGE => {
                    *len = len.saturating_add(1);
                }
                _ => runs.push((page, 1)),
            }
        }
        runs
    }

    /// Offset and length of the pages as they will be.
    pub(super) fn ranges(&self) -> Vec<(u64, usize)> {
        let there = |page: usize| {
            let left = self.after_len.saturating_sub(offset_of(page));
            usize::try_from(left).unwrap_or(PAGE).min(PAGE)
        };
        self.pages.iter().map(|&page| (offset_of(page), there(page))).collect()
    }

    /// Where the file is, and where the first difference from before lies (for [`DiskState::Foreign`]: the first sector that is neither). `image` has the
    /// bytes after, and must be as long as the longer of the files.
    pub(super) fn look(
        &self,
        primary: &dyn Storage,
        image: &[u8],
        past: Past<'_>,
    ) -> Result<(DiskState, u64), CommitError> {
        let reading = io("reading the hive");
        let len = primary.len().map_err(&reading)?;
        if len < self.before_len || (len != self.before_len && len != self.after_len) {
            return Ok((DiskState::Foreign, len));
        }
        let mut header = [0; HEADER];
        primary.read_at(0, &mut header).map_err(&reading)?;
        let (mut before, mut after) = (header == self.before, header == self.after);
        if !before && !after && !self.between.contains(&header) {
            return Ok((DiskState::Foreign, 0));
        }
        before &= len == self.before_len;
        after &= len == self.after_len;
        let mut difference = if before { None } else { Some(0) };
        let mut buffer = Vec::new();
        for (first, pages) in self.runs() {
            let offset = offset_of(first);
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(pages.saturating_mul(PAGE)).min(image.len());
            let wanted = image.get(start..end).unwrap_or(&[]);
            // Past the end there is nothing, as it was.
            let there = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX).min(wanted.len());
            buffer.clear();
            buffer.resize(there, 0);
            if there > 0 {
                primary.read_at(offset, &mut buffer).map_err(&reading)?;
            }
            buffer.resize(wanted.len(), 0);
            for (number, (found, new)) in buffer.chunks(SECTOR).zip(wanted.chunks(SECTOR)).enumerate() {
                let page = first.saturating_add(number / (PAGE / SECTOR));
                let old = past.is(page, number % (PAGE / SECTOR), found);
                let at = offset.saturating_add((number as u64).saturating_mul(SECTOR as u64));
                if !old {
                    before = false;
                    difference = difference.or(Some(at));
                }
                if found != new {
                    after = false;
                    if !old {
                        return Ok((DiskState::Foreign, at));
                    }
                }
            }
        }
        let state = match (before, after) {
            (true, _) => DiskState::Before,
            (_, true) => DiskState::After,
            _ => DiskState::Cut,
        };
        Ok((state, difference.unwrap_or(0)))
    }

    pub(super) fn header_is(&self, primary: &dyn Storage, header: &Header) -> Result<bool, CommitError> {
        let mut found = [0; HEADER];
        primary.read_at(0, &mut found).map_err(io("reading the hive"))?;
        Ok(found == *header)
    }

    pub(super) fn grow(&self, primary: &mut dyn Storage) -> Result<(), CommitError> {
        let growing = io("extending the hive");
        if primary.len().map_err(&growing)? < self.after_len {
            primary.set_len(self.after_len).map_err(&growing)?;
            primary.flush().map_err(&growing)?;
        }
        Ok(())
    }

    pub(super) fn shrink(&self, primary: &mut dyn Storage) -> Result<(), CommitError> {
        let shrinking = io("shortening the hive");
        if primary.len().map_err(&shrinking)? > self.before_len {
            primary.set_len(self.before_len).map_err(&shrinking)?;
            primary.flush().map_err(&shrinking)?;
        }
        Ok(())
    }

    /// Writes the pages as they will be.
    pub(super) fn write_pages(
        &self,
        primary: &mut dyn Storage,
        image: &[u8],
        written: &mut u64,
    ) -> Result<(), CommitError> {
        let writing = io("writing the changed pages");
        for (first, pages) in self.runs() {
            let offset = offset_of(first);
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(pages.saturating_mul(PAGE)).min(image.len());
            let bytes = image.get(start..end).unwrap_or(&[]);
            if !bytes.is_empty() {
                primary.write_at(offset, bytes).map_err(&writing)?;
                count(written, bytes.len());
            }
        }
        primary.flush().map_err(&writing)
    }

    /// Writes the pages as they were; what was past the end goes with the file's length.
    pub(super) fn write_old_pages(
        &self,
        primary: &mut dyn Storage,
        image: &Image,
        written: &mut u64,
    ) -> Result<(), CommitError> {
        let writing = io("writing the changed pages");
        let len = primary.len().map_err(&writing)?;
        for &page in &self.pages {
            let bytes = image.original_page(page);
            if !bytes.is_empty() {
                // Up to the file's present end: the sector that the old end cuts must not keep half of what is new.
                let there = usize::try_from(len.saturating_sub(offset_of(page))).unwrap_or(PAGE).min(PAGE);
                let mut whole = bytes.to_vec();
                whole.resize(there.max(bytes.len()), 0);
                primary.write_at(offset_of(page), &whole).map_err(&writing)?;
                count(written, whole.len());
            }
        }
        primary.flush().map_err(&writing)
    }

    pub(super) fn write_header(
        &self,
        primary: &mut dyn Storage,
        header: &Header,
        step: &'static str,
        written: &mut u64,
    ) -> Result<(), CommitError> {
        primary.write_at(0, header).map_err(io(step))?;
        count(written, HEADER);
        primary.flush().map_err(io(step))
    }

    /// Writes the redo entry to its log, the other logs made unreadable first. Answers where it is, if the log is there.
    pub(super) fn arm(
        &self,
        logs: &mut LogStorages<'_>,
        redo: Option<&LogPlan>,
        written: &mut u64,
    ) -> Result<Option<(LogSlot, LogFormat)>, CommitError> {
        self.neutralise(logs, redo.map(|r| r.slot), written)?;
        let Some(redo) = redo else { return Ok(None) };
        let Some(log) = logs.get(redo.slot) else { return Ok(None) };
        let writing = io("writing the log");
        log.write_at(HEADER as u64, &redo.body).map_err(&writing)?;
        count(written, redo.body.len());
        log.flush().map_err(&writing)?;
        log.write_at(0, &redo.header).map_err(&writing)?;
        count(written, HEADER);
        log.flush().map_err(&writing)?;
        Ok(Some((redo.slot, redo.format)))
    }

    /// Makes the logs unreadable but for one: their first sector zero, their size kept.
    pub(super) fn neutralise(
        &self,
        logs: &mut LogStorages<'_>,
        but: Option<LogSlot>,
        written: &mut u64,
    ) -> Result<(), CommitError> {
        let clearing = io("clearing a log");
        for slot in LogSlot::ALL {
            if Some(slot) == but {
                continue;
            }
            let Some(log) = logs.get(slot) else { continue };
            let len = log.len().map_err(&clearing)?;
            let mut found = vec![0; HEADER.min(usize::try_from(len).unwrap_or(HEADER))];
            log.read_at(0, &mut found).map_err(&clearing)?;
            if found.iter().any(|&b| b != 0) {
                log.write_at(0, &vec![0; found.len()]).map_err(&clearing)?;
                count(written, found.len());
                log.flush().map_err(&clearing)?;
            }
        }
        Ok(())
    }
}
