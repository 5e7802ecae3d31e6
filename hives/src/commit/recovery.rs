//! Writing a recovered hive to disk.
//!
//! The logs stay untouched until the hive is clean, so a cut at any moment leaves what was there: a dirty hive and its logs.

use crate::base_block;
use crate::error::{CommitError, HiveError};
use crate::hive::Hive;
use crate::image::PAGE;
use crate::log_file::LogFiles;
use crate::recover::Recovered;
use crate::storage::Storage;

use super::plan::{header_of, safe_sequence};
use super::transaction::{Change, DiskState, Side, Transaction};
use super::{CommitReport, LogStorages};

/// A recovered hive, ready to be written in place.
#[derive(Debug, Clone)]
pub struct RecoveryCommit {
    hive: Hive,
    transaction: Option<Transaction>,
    sequence: u32,
    logs_after: LogFiles,
}

impl RecoveryCommit {
    /// Prepares the writing of what [`Hive::recover`] made; writes nothing. The hive keeps the sequence number Windows would give it, unless an older log
    /// entry has a higher one.
    ///
    /// # Errors
    /// [`HiveError::CheckFailed`] when the recovered hive is not sound; [`HiveError::SequenceExhausted`].
    pub fn prepare(recovered: Recovered, logs: &LogFiles) -> Result<Self, HiveError> {
        let Recovered { mut hive, report, before: pages_before, before_len, highest } = recovered;
        let logs_after = if report.was_clean { logs.clone() } else { logs.neutralised() };
        if report.was_clean {
            return Ok(Self { hive, transaction: None, sequence: report.sequence, logs_after });
        }
        let mut sequence = report.sequence;
        if sequence <= highest {
            sequence = safe_sequence(sequence, highest)?;
        }
        let mut after = header_of(hive.bytes())?;
        base_block::seal(&mut after, sequence, sequence);
        hive.image.write(0, &after)?;
        hive.image.rebase();
        let check = hive.check();
        if !check.is_sound() {
            return Err(HiveError::CheckFailed(check.faults));
        }
        let before = header_of(pages_before.get(&0).map_or(hive.bytes(), Vec::as_slice))?;
        let mut pages = Vec::new();
        let grown = before_len / PAGE..hive.bytes().len().div_ceil(PAGE);
        let mut numbers: Vec<usize> = pages_before.keys().copied().filter(|&p| p != 0).collect();
        if hive.bytes().len() > before_len {
            numbers.extend(grown.filter(|p| !pages_before.contains_key(p) && *p != 0));
        }
        for page in numbers {
            let start = page.saturating_mul(PAGE);
            let end = start.saturating_add(PAGE).min(hive.bytes().len());
            let bytes = hive.bytes().get(start..end).unwrap_or(&[]).to_vec();
            let mut old = match pages_before.get(&page) {
                Some(old) => old.clone(),
                // Not written by the replay: what the file has of it stays.
                None => bytes.get(..before_len.saturating_sub(start).min(bytes.len())).unwrap_or(&[]).to_vec(),
            };
            old.resize(bytes.len(), 0);
            if old != bytes {
                pages.push(Change { offset: start as u64, before: old, after: bytes });
            }
        }
        let after_len = hive.bytes().len() as u64;
        let transaction =
            Transaction { before, after, before_len: before_len as u64, after_len, pages, between: Vec::new() };
        Ok(Self { hive, transaction: Some(transaction), sequence, logs_after })
    }

    /// The primary file as it will be.
    pub fn after(&self) -> &[u8] {
        self.hive.bytes()
    }

    /// Whether there is nothing to write: the hive was clean.
    pub fn is_empty(&self) -> bool {
        self.transaction.is_none()
    }

    /// Absolute offset and length of what is written to the primary file besides the first 512 bytes, ascending.
    pub fn ranges(&self) -> Vec<(u64, usize)> {
        self.transaction.as_ref().map_or(Vec::new(), |t| t.pages.iter().map(|c| (c.offset, c.after.len())).collect())
    }

    /// The logs as they are when this is done: for preparing the edit that follows.
    pub fn logs_after(&self) -> &LogFiles {
        &self.logs_after
    }

    /// The recovered hive, to be edited: the bytes of [`RecoveryCommit::after`] are its original ones.
    pub fn hive(&self) -> &Hive {
        &self.hive
    }

    /// As [`RecoveryCommit::hive`], without a copy.
    pub fn into_hive(self) -> Hive {
        self.hive
    }

    /// Writes the recovered hive, then neutralises the logs. May be cut, and be called again.
    ///
    /// # Errors
    /// [`CommitError::Foreign`] when the file is neither as found nor between there and the result; [`CommitError::Io`].
    pub fn execute(&self, primary: &mut dyn Storage, logs: &mut LogStorages<'_>) -> Result<CommitReport, CommitError> {
        let Some(t) = &self.transaction else { return Ok(CommitReport::default()) };
        let mut report = CommitReport { log: None, pages: t.pages.len(), bytes_written: 0, sequence: self.sequence };
        match t.look(primary)? {
            (DiskState::Foreign, offset) => return Err(CommitError::Foreign { offset }),
            (DiskState::After, _) => {}
            _ => {
                t.grow(primary)?;
                t.write_pages(primary, Side::After, &mut report.bytes_written)?;
                t.write_header(primary, &t.after, "marking the hive clean", &mut report.bytes_written)?;
            }
        }
        t.neutralise(logs, None, &mut report.bytes_written)?;
        Ok(report)
    }

    /// The same as [`RecoveryCommit::execute`], which can start anywhere.
    ///
    /// # Errors
    /// As there.
    pub fn finish(&self, primary: &mut dyn Storage, logs: &mut LogStorages<'_>) -> Result<CommitReport, CommitError> {
        self.execute(primary, logs)
    }

    /// Where the file is between the dirty hive and the recovered one.
    ///
    /// # Errors
    /// [`CommitError::Io`] when it can't be read.
    pub fn position(&self, primary: &dyn Storage) -> Result<DiskState, CommitError> {
        match &self.transaction {
            Some(t) => Ok(t.look(primary)?.0),
            None => Ok(DiskState::After),
        }
    }
}
