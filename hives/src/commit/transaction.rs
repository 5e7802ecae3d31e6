//! The writes of a commit, and where a file is between them.

use crate::base_block::HEADER;
use crate::error::CommitError;
use crate::log_file::{LogFormat, LogSlot};
use crate::storage::Storage;

use super::LogStorages;

/// The part of a base block that is written, as one sector.
pub(super) type Header = [u8; HEADER];

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

/// One changed page. Both sides are as long as the page is in the longer of the files; past the end of the file it was zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Absolute offset in the file.
    pub(super) offset: u64,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
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

/// What changes in the primary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) before: Header,
    pub(super) after: Header,
    pub(super) before_len: u64,
    pub(super) after_len: u64,
    /// Besides the header, ascending.
    pub(super) pages: Vec<Change>,
    /// Headers that stand for the way between.
    pub(super) between: Vec<Header>,
}

fn io(step: &'static str) -> impl Fn(std::io::Error) -> CommitError {
    move |source| CommitError::Io { step, source }
}

fn count(written: &mut u64, bytes: usize) {
    *written = written.saturating_add(bytes as u64);
}

impl Transaction {
    /// Where the file is, and where the first difference from before lies (for [`DiskState::Foreign`]: the first sector that is neither).
    pub(super) fn look(&self, primary: &dyn Storage) -> Result<(DiskState, u64), CommitError> {
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
        for change in &self.pages {
            // Past the end there is nothing, as it was.
            let there =
                usize::try_from(len.saturating_sub(change.offset)).unwrap_or(usize::MAX).min(change.after.len());
            buffer.resize(there, 0);
            if there > 0 {
                primary.read_at(change.offset, &mut buffer).map_err(&reading)?;
            }
            buffer.resize(change.after.len(), 0);
            let sectors = buffer.chunks(HEADER).zip(change.before.chunks(HEADER).zip(change.after.chunks(HEADER)));
            for (number, (found, (old, new))) in sectors.enumerate() {
                let at = change.offset.saturating_add((number as u64).saturating_mul(HEADER as u64));
                if found != old {
                    before = false;
                    difference = difference.or(Some(at));
                }
                if found != new {
                    after = false;
                    if found != old {
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

    pub(super) fn write_pages(
        &self,
        primary: &mut dyn Storage,
        side: Side,
        written: &mut u64,
    ) -> Result<(), CommitError> {
        let writing = io("writing the changed pages");
        for change in &self.pages {
            let bytes = match side {
                Side::Before => {
                    // What was past the end goes with the file's length.
                    let there = usize::try_from(self.before_len.saturating_sub(change.offset)).unwrap_or(usize::MAX);
                    change.before.get(..there).unwrap_or(&change.before)
                }
                Side::After => &change.after,
            };
            if !bytes.is_empty() {
                primary.write_at(change.offset, bytes).map_err(&writing)?;
                count(written, bytes.len());
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
