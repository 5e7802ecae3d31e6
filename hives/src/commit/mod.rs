//! Writing an edit to disk so that a power cut at any moment leaves the hive before or after it.
//!
//! Windows' own protocol, with Windows' own log: redo entry → flush → its header → flush → base block with sequence numbers apart → flush → changed
//! pages → flush → base block with equal ones → flush → logs neutralised → flush. Until the base block says "dirty" nothing reads the log; from then on Windows (or
//! [`crate::Hive::recover`]) finishes the job from it. No sequence number that is written occurs in an older log entry, so none of those can
//! be replayed over the edit.
//!
//! Without a log file (none is ever created) only [`Commit::finish`] and [`Commit::take_back`] can complete a commit that was cut, from what the
//! caller kept.

mod plan;
mod recovery;
mod transaction;

use crate::error::CommitError;
use crate::hive::Hive;
use crate::image::Image;
use crate::log_file::{LogFormat, LogSlot};
use crate::storage::Storage;

pub use recovery::RecoveryCommit;
pub use transaction::DiskState;
use transaction::{Header, LogPlan, Past, Transaction};

/// Which log the Windows that owns the hive reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogRegime {
    /// `NAME.LOG` in DIRT format: up to 5.2 (XP, Server 2003).
    Dot,
    /// `NAME.LOG1` and `.LOG2` in DIRT format: 6.0 to 6.2 (Vista to 8).
    Log12Dirt,
    /// `NAME.LOG1` and `.LOG2` in HvLE format: 6.3 and later.
    Log12HvLe,
}

/// The log files to write to, as far as they exist.
#[derive(Default)]
pub struct LogStorages<'a> {
    /// `NAME.LOG`
    pub log: Option<&'a mut dyn Storage>,
    /// `NAME.LOG1`
    pub log1: Option<&'a mut dyn Storage>,
    /// `NAME.LOG2`
    pub log2: Option<&'a mut dyn Storage>,
}

impl<'a> LogStorages<'a> {
    fn get(&mut self, slot: LogSlot) -> Option<&mut (dyn Storage + 'a)> {
        match slot {
            LogSlot::Log => self.log.as_deref_mut(),
            LogSlot::Log1 => self.log1.as_deref_mut(),
            LogSlot::Log2 => self.log2.as_deref_mut(),
        }
    }
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommitReport {
    /// The log that held the redo entry, and its format; `None` when there was no log file to use.
    pub log: Option<(LogSlot, LogFormat)>,
    /// Pages of 4096 bytes written to the primary file.
    pub pages: usize,
    /// Bytes written to all files.
    pub bytes_written: u64,
    /// Sequence number of the hive now.
    pub sequence: u32,
}

/// An edit, ready to be written: a function of the hive, its logs, the edits and the time, and of nothing else.
#[derive(Debug, Clone)]
pub struct Commit {
    hive: Hive,
    /// `None` when nothing changed.
    plan: Option<Plan>,
}

#[derive(Debug, Clone)]
struct Plan {
    transaction: Transaction,
    /// Base block while the pages are written.
    marked: Header,
    /// Redo entry with the pages after the edit.
    redo: Option<LogPlan>,
    /// Base block while the pages are put back.
    marked_back: Header,
    /// Redo entry with the pages before the edit.
    redo_back: Option<LogPlan>,
    sequence: u32,
}

impl Commit {
    /// The primary file as it will be, base block included.
    pub fn after(&self) -> &[u8] {
        self.hive.bytes()
    }

    /// The hive as it will be.
    pub fn hive(&self) -> &Hive {
        &self.hive
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.plan.is_none()
    }

    /// Absolute offset and length of what is written to the primary file besides the first 512 bytes, ascending.
    pub fn ranges(&self) -> Vec<(u64, usize)> {
        self.plan.as_ref().map_or(Vec::new(), |p| p.transaction.ranges())
    }

    /// Writes the edit. Every step is flushed before the next; after a failed write nothing more is written.
    ///
    /// # Errors
    /// [`CommitError::Foreign`] when the file is not the one the commit was prepared for (nothing is written then); [`CommitError::Io`].
    /// After an error see where the file is with [`Commit::position`], and go on with [`Commit::finish`] or [`Commit::take_back`].
    pub fn execute(&self, primary: &mut dyn Storage, logs: &mut LogStorages<'_>) -> Result<CommitReport, CommitError> {
        let Some(plan) = &self.plan else { return Ok(CommitReport::default()) };
        match self.look(plan, primary)? {
            (DiskState::Before, _) => plan.forward(self.bytes(), primary, logs),
            (_, offset) => Err(CommitError::Foreign { offset }),
        }
    }

    /// Where the file is between before and after.
    ///
    /// # Errors
    /// [`CommitError::Io`] when it can't be read.
    pub fn position(&self, primary: &dyn Storage) -> Result<DiskState, CommitError> {
        match &self.plan {
            Some(plan) => Ok(self.look(plan, primary)?.0),
            None => Ok(DiskState::After),
        }
    }

    /// Completes the commit from wherever it was cut. May itself be cut, and be called again.
    ///
    /// # Errors
    /// As [`Commit::execute`].
    pub fn finish(&self, primary: &mut dyn Storage, logs: &mut LogStorages<'_>) -> Result<CommitReport, CommitError> {
        let Some(plan) = &self.plan else { return Ok(CommitReport::default()) };
        match self.look(plan, primary)? {
            (DiskState::Foreign, offset) => Err(CommitError::Foreign { offset }),
            (DiskState::After, _) => {
                let mut report = plan.report();
                plan.transaction.neutralise(logs, None, &mut report.bytes_written)?;
                Ok(report)
            }
            (_, _) if plan.is_marked(primary)? => {
                // The log that is armed stays as it is: from before or after, Windows can still finish either.
                let mut report = plan.report();
                plan.write_forward(self.bytes(), primary, logs, &mut report)?;
                Ok(report)
            }
            (_, _) => plan.forward(self.bytes(), primary, logs),
        }
    }

    /// Puts the primary file back as it was, to the byte, from wherever the commit is. The logs are neutralised, which means nothing
    /// to a clean hive. May itself be cut, and be called again.
    ///
    /// # Errors
    /// As [`Commit::execute`].
    pub fn take_back(
        &self,
        primary: &mut dyn Storage,
        logs: &mut LogStorages<'_>,
    ) -> Result<CommitReport, CommitError> {
        let Some(plan) = &self.plan else { return Ok(CommitReport::default()) };
        match self.look(plan, primary)? {
            (DiskState::Foreign, offset) => Err(CommitError::Foreign { offset }),
            (DiskState::Before, _) => {
                let mut report = plan.report();
                plan.transaction.neutralise(logs, None, &mut report.bytes_written)?;
                Ok(report)
            }
            (_, _) if plan.transaction.header_is(primary, &plan.transaction.after)? => {
                plan.backward(&self.hive.image, primary, logs)
            }
            (_, _) => {
                let mut report = plan.report();
                plan.write_back(&self.hive.image, primary, logs, &mut report)?;
                Ok(report)
            }
        }
    }

    /// The hive, to be edited further once the commit was executed: what it holds now are its original bytes. The next commit looks at
    /// nothing but the next edits.
    pub fn into_hive(self) -> Hive {
        let mut hive = self.hive;
        hive.image.rebase();
        hive
    }

    fn bytes(&self) -> &[u8] {
        self.hive.bytes()
    }

    fn look(&self, plan: &Plan, primary: &dyn Storage) -> Result<(DiskState, u64), CommitError> {
        plan.transaction.look(primary, self.bytes(), Past::Bytes(&self.hive.image))
    }
}

impl Plan {
    fn report(&self) -> CommitReport {
        CommitReport {
            log: self.redo.as_ref().map(|r| (r.slot, r.format)),
            pages: self.transaction.pages.len(),
            bytes_written: 0,
            sequence: self.sequence,
        }
    }

    fn is_marked(&self, primary: &dyn Storage) -> Result<bool, CommitError> {
        Ok(self.transaction.header_is(primary, &self.marked)?
            || self.transaction.header_is(primary, &self.marked_back)?)
    }

    /// The whole way from a hive that is clean and before.
    fn forward(
        &self,
        image: &[u8],
        primary: &mut dyn Storage,
        logs: &mut LogStorages<'_>,
    ) -> Result<CommitReport, CommitError> {
        let mut report = self.report();
        let t = &self.transaction;
        t.grow(primary)?;
        report.log = t.arm(logs, self.redo.as_ref(), &mut report.bytes_written)?;
        t.write_header(primary, &self.marked, "marking the hive dirty", &mut report.bytes_written)?;
        self.write_forward(image, primary, logs, &mut report)?;
        Ok(report)
    }

    /// From a base block that says dirty.
    fn write_forward(
        &self,
        image: &[u8],
        primary: &mut dyn Storage,
        logs: &mut LogStorages<'_>,
        report: &mut CommitReport,
    ) -> Result<(), CommitError> {
        let t = &self.transaction;
        t.grow(primary)?;
        t.write_pages(primary, image, &mut report.bytes_written)?;
        t.write_header(primary, &t.after, "marking the hive clean", &mut report.bytes_written)?;
        t.neutralise(logs, None, &mut report.bytes_written)
    }

    /// The whole way back from a hive that is clean and after: the same protocol with the sides exchanged.
    fn backward(
        &self,
        image: &Image,
        primary: &mut dyn Storage,
        logs: &mut LogStorages<'_>,
    ) -> Result<CommitReport, CommitError> {
        let mut report = self.report();
        let t = &self.transaction;
        report.log = t.arm(logs, self.redo_back.as_ref(), &mut report.bytes_written)?;
        t.write_header(primary, &self.marked_back, "marking the hive dirty", &mut report.bytes_written)?;
        self.write_back(image, primary, logs, &mut report)?;
        Ok(report)
    }

    fn write_back(
        &self,
        image: &Image,
        primary: &mut dyn Storage,
        logs: &mut LogStorages<'_>,
        report: &mut CommitReport,
    ) -> Result<(), CommitError> {
        let t = &self.transaction;
        t.write_old_pages(primary, image, &mut report.bytes_written)?;
        t.write_header(primary, &t.before, "marking the hive clean", &mut report.bytes_written)?;
        t.shrink(primary)?;
        t.neutralise(logs, None, &mut report.bytes_written)
    }
}
