//! Writing a recovered hive to disk.
//!
//! The logs stay untouched until the hive is clean, so a cut at any moment leaves what was there: a dirty hive and its logs.

use std::collections::BTreeMap;

use crate::base_block;
use crate::error::{CommitError, HiveError};
use crate::hive::Hive;
use crate::image::{Sums, PAGE};
use crate::recover::Recovered;
use crate::storage::Storage;

use super::plan::{header_of, safe_sequence};
use super::transaction::{DiskState, Past, Transaction};
use super::{CommitReport, LogStorages};

/// A recovered hive, ready to be written in place.
#[derive(Debug, Clone)]
pub struct RecoveryCommit {
    hive: Hive,
    /// `None` when the hive was clean.
    transaction: Option<Transaction>,
    /// Sums of the pages that the recovery wrote to, as they were.
    sums: BTreeMap<usize, Sums>,
    sequence: u32,
}

impl RecoveryCommit {
    /// Prepares the writing of what [`Hive::recover`] made; writes nothing. The hive keeps the sequence number Windows would give it, unless an older log
    /// entry has a higher one. When it is done, the logs are what [`crate::LogFiles::neutralise`] makes of them.
    ///
    /// # Errors
    /// [`HiveError::CheckFailed`] when the recovered hive is not sound; [`HiveError::SequenceExhausted`]; [`HiveError::Refused`] when it was edited:
    /// edits are a commit of their own, made on [`RecoveryCommit::into_hive`].
    pub fn prepare(recovered: Recovered) -> Result<Self, HiveError> {
        let Recovered { mut hive, report, before, before_len, sums, highest } = recovered;
        if hive.is_changed() {
            return Err(HiveError::Refused {
                path: String::new(),
                reason: "a recovery is written before the edits that come on top of it",
            });
        }
        if report.was_clean {
            return Ok(Self { hive, transaction: None, sums, sequence: report.sequence });
        }
        let mut sequence = report.sequence;
        if sequence <= highest {
            sequence = safe_sequence(sequence, highest)?;
        }
        let mut after = header_of(hive.bytes())?;
        base_block::seal(&mut after, sequence, sequence);
        hive.image.write(0, &after)?;
        if !hive.changes_are_sound() {
            let check = hive.verify();
            if !check.is_sound() {
                return Err(HiveError::CheckFailed(check.faults));
            }
        }
        hive.image.rebase();
        // A page that a later entry made again what it was would be written as it is.
        let mut pages: Vec<usize> = sums.keys().copied().filter(|&page| page != 0).collect();
        // Pages that begin past the old end have no sums; one that the old end cuts has them if it was written to.
        let new = before_len.div_ceil(PAGE)..hive.bytes().len().div_ceil(PAGE);
        pages.extend(new.filter(|&page| page != 0));
        let transaction = Transaction {
            before,
            after,
            before_len: before_len as u64,
            after_len: hive.bytes().len() as u64,
            pages,
            between: Vec::new(),
        };
        Ok(Self { hive, transaction: Some(transaction), sums, sequence })
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
        self.transaction.as_ref().map_or(Vec::new(), Transaction::ranges)
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
        match self.look(t, primary)? {
            (DiskState::Foreign, offset) => return Err(CommitError::Foreign { offset }),
            (DiskState::After, _) => {}
            _ => {
                t.grow(primary)?;
                t.write_pages(primary, self.hive.bytes(), &mut report.bytes_written)?;
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
            Some(t) => Ok(self.look(t, primary)?.0),
            None => Ok(DiskState::After),
        }
    }

    fn look(&self, t: &Transaction, primary: &dyn Storage) -> Result<(DiskState, u64), CommitError> {
        t.look(primary, self.hive.bytes(), Past::Sums(&self.sums))
    }
}
