//! Writing a hive: edits and recoveries, under a lock that is taken before the file is read and kept until it was read back.
//!
//! From the first write on, Ctrl-C waits: a commit is short, and then it is whole. A write that fails is taken back at once.

use std::sync::Arc;

use coldmend_hives::{
    Commit, CommitError, FileTime, Hive, LogFiles, LogFormat, LogRegime, LogSlot, LogStorages, RecoveryCommit, Storage,
};

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::evidence::{describe_recovery, now, recover_image, Opened};
use crate::regfile::Edit;
use crate::safety::loaded::refuse_own_hive;
use crate::safety::rights::{Rights, HOW};
use crate::transaction::writing;
use crate::volume::{ErrorKind, Volume, VolumeError};

use super::before::Before;
use super::readback::check_edits;
use super::storages::HostStorages;
use super::{Contents, HiveOnDisk, LIMIT, TAKEN_BACK};

/// Room that the file system itself may want besides what is written, in bytes.
const SLACK: u64 = 64 << 10;

/// From here on Ctrl-C waits, to the program's end: it would say that nothing was written.
fn from_here_on_written() {
    std::mem::forget(writing());
}

/// A hive that may not be written without an administrator's rights, and they are missing: said so.
fn explain_denied(rights: Rights, failure: Failure, shown: &str) -> Failure {
    let denied = failure.error.downcast_ref::<VolumeError>().is_some_and(|e| e.kind() == ErrorKind::Denied);
    if !denied || rights.are_full() {
        return failure;
    }
    Failure { hint: Some(HOW.into()), ..failure }
        .context(format!("coldmend needs an administrator's rights to write {shown}; nothing was touched"))
}

/// Makes edits in memory; answers the key of each as it was resolved.
pub type Make<'m> = &'m mut dyn FnMut(&mut Hive, FileTime) -> Result<Vec<Arc<str>>>;

impl HiveOnDisk {
    /// Opens the hive and its logs for writing, and locks them.
    fn lock(&self) -> Result<HostStorages> {
        refuse_own_hive(&self.volume.host_path().join(self.path.file_name().unwrap_or_default()))?;
        HostStorages::open_on_host(&self.volume, &self.path, &self.log_paths).map_err(|failure| {
            explain_denied(Rights::current(), failure, &self.shown).hint(
                "A hive that a running Windows has loaded, or that another program has open, is never written. Close it, and try again.",
            )
        })
    }

    fn read_locked(&self, storages: &HostStorages) -> Result<Contents> {
        let bytes = self.bytes_locked(storages)?;
        let logs = storages
            .read_logs(LIMIT)
            .map_err(|e| Failure::from_error(FailureKind::Unreadable, e))
            .doing(|| format!("reading the logs of {}", self.shown))?;
        let cut = self.trace()?.filter(|before| before.is_cut(&bytes));
        Ok(Contents { bytes, logs, cut })
    }

    fn bytes_locked(&self, storages: &HostStorages) -> Result<Vec<u8>> {
        storages
            .read_primary(LIMIT)
            .map_err(|e| Failure::from_error(FailureKind::Unreadable, e))
            .doing(|| format!("reading the hive {}", self.shown))
    }

    /// Recovers the hive in place: an edit of ours that was cut is taken back, a dirty hive gets what its logs hold. Returns what was
    /// done, in words; `None` when it was clean already.
    ///
    /// # Errors
    /// Refused or unreadable with nothing written; partial when a write fails.
    pub fn recover(&self, force: bool) -> Result<Option<String>> {
        let mut storages = self.lock()?;
        let contents = self.read_locked(&storages)?;
        if contents.is_cut() {
            self.put_back(contents, &mut storages)?;
            return Ok(Some(TAKEN_BACK.into()));
        }
        let Contents { bytes, logs, .. } = contents;
        let Opened { recovered, .. } =
            recover_image(&self.shown, bytes, &logs, force, || self.bytes_locked(&storages))?;
        if recovered.report.was_clean {
            self.remove_left_over()?;
            return Ok(None);
        }
        let how = describe_recovery(&recovered.report);
        let commit = RecoveryCommit::prepare(recovered)
            .map_err(|e| Failure::from_error(FailureKind::Unreadable, e))
            .doing(|| format!("recovering {}; nothing was written", self.shown))?;
        self.write_recovery(&commit, &mut storages)?;
        self.compare(&storages, commit.after())?;
        Ok(Some(how))
    }

    /// Makes edits and commits them, recovering a dirty hive first. `make` is called twice for a dirty hive, which is only
    /// written when it is known that the edits can be made. Answers whether anything was written.
    ///
    /// # Errors
    /// Refused or unreadable with nothing written; partial when a write fails.
    pub fn edit(&self, force: bool, edits: &[Edit], make: Make<'_>) -> Result<bool> {
        let mut storages = self.lock()?;
        let contents = self.read_locked(&storages)?;
        if contents.is_cut() {
            return Err(Failure::refused(format!("an earlier edit of {} was cut", self.shown))
                .hint("Run `coldmend hive recover` on it first: it puts the hive back as it was before that edit."));
        }
        let time = now();
        let Contents { bytes, mut logs, .. } = contents;
        let regime = self.regime(&logs);
        let Opened { mut recovered, .. } =
            recover_image(&self.shown, bytes, &logs, force, || self.bytes_locked(&storages))?;
        let dirty = !recovered.report.was_clean;
        let nothing_yet = || format!("preparing the new contents of {}; nothing was written", self.shown);
        let mut hive = recovered.hive;
        if dirty {
            // Once for show. To keep this hive and to recover the file would be two of them in memory.
            make(&mut hive, time)?;
            drop(Self::prepare(hive, &LogFiles::default(), regime, time).doing(nothing_yet)?);
            let bytes = self.bytes_locked(&storages)?;
            let again = recover_image(&self.shown, bytes, &logs, force, || self.bytes_locked(&storages))?;
            recovered = again.recovered;
            let commit = RecoveryCommit::prepare(recovered)
                .map_err(|e| Failure::from_error(FailureKind::Unreadable, e))
                .doing(|| format!("recovering {}; nothing was written", self.shown))?;
            self.write_recovery(&commit, &mut storages)?;
            self.compare(&storages, commit.after())?;
            logs.neutralise();
            hive = commit.into_hive();
        }
        let keys = make(&mut hive, time)?;
        let commit = Self::prepare(hive, &logs, regime, time).doing(|| {
            let written =
                if dirty { "what its logs held was written, and nothing else" } else { "nothing was written" };
            format!("preparing the new contents of {}; {written}", self.shown)
        })?;
        drop(logs);
        if commit.is_empty() {
            self.remove_left_over()?;
            return Ok(dirty);
        }
        self.write(&commit, &mut storages)?;
        check_edits(commit.after(), edits, &keys).doing(|| format!("reading {} back", self.shown))?;
        Ok(true)
    }

    fn prepare(hive: Hive, logs: &LogFiles, regime: LogRegime, time: FileTime) -> Result<Commit> {
        Commit::prepare(hive, logs, regime, time).map_err(|e| Failure::from_error(FailureKind::Unreadable, e))
    }

    /// The log that this hive's Windows reads: told by the logs that are there. One that a commit has made unreadable still has its first
    /// entry's signature behind the empty header.
    fn regime(&self, logs: &LogFiles) -> LogRegime {
        let format = |slot: LogSlot| {
            let log = logs.get(slot)?;
            coldmend_hives::inspect_log(log).format.or(match log.get(512..516)? {
                b"DIRT" => Some(LogFormat::Dirt),
                b"HvLE" => Some(LogFormat::HvLE),
                _ => None,
            })
        };
        if self.log_paths[1].is_none() && self.log_paths[2].is_none() {
            return LogRegime::Dot;
        }
        match format(LogSlot::Log1).or(format(LogSlot::Log2)) {
            Some(LogFormat::Dirt) => LogRegime::Log12Dirt,
            _ => LogRegime::Log12HvLe,
        }
    }

    /// Whether there is a trace of an edit. Beside a hive that is clean it is a left-over: the edit was done, or had not begun.
    pub fn has_left_over(&self) -> bool {
        matches!(self.volume.find(&self.before), Ok(Some(_)))
    }

    fn remove_left_over(&self) -> Result<()> {
        if self.has_left_over() {
            self.volume.remove_file(&self.before)?;
        }
        Ok(())
    }

    fn write_recovery(&self, commit: &RecoveryCommit, storages: &mut HostStorages) -> Result<()> {
        from_here_on_written();
        let (primary, mut logs) = storages.parts();
        commit.execute(primary, &mut logs).map(|_| ()).map_err(|e| match e {
            CommitError::Foreign { .. } => self.changed(e),
            CommitError::Io { .. } => self.failed(e).hint(
                "Nothing is lost: the logs are as they were. Mend the cause, and run `coldmend hive recover` on it.",
            ),
        })
    }

    /// Writes a commit and reads the file back.
    fn write(&self, commit: &Commit, storages: &mut HostStorages) -> Result<()> {
        from_here_on_written();
        let (primary, mut logs) = storages.parts();
        let has_log = self.log_paths.iter().any(Option::is_some);
        self.ask_for_room(commit, &*primary, has_log)?;
        if !has_log {
            self.remove_left_over()?;
            let before = Before::of(commit, &*primary)
                .map_err(|e| Failure::from_error(FailureKind::Unreadable, e))
                .doing(|| format!("reading {}; nothing was written", self.shown))?;
            self.volume.write_new(&self.before, &before.to_bytes())?;
        }
        if let Err(error) = commit.execute(primary, &mut logs) {
            return Err(self.after_failed_write(commit, primary, &mut logs, error, has_log));
        }
        self.compare(storages, commit.after())?;
        if !has_log {
            self.volume.remove_file(&self.before)?;
        }
        Ok(())
    }

    /// What can be seen beforehand is refused, rather than failing half-way.
    fn ask_for_room(&self, commit: &Commit, primary: &dyn Storage, has_log: bool) -> Result<()> {
        let ranges: u64 = commit.ranges().iter().map(|(_, len)| *len as u64).sum();
        let len = primary.len().map_err(|e| Failure::from_error(FailureKind::Unreadable, e))?;
        let grown = (commit.after().len() as u64).saturating_sub(len);
        // A log, at worst one that has to grow from nothing; or both sides of every page.
        let kept = if has_log { ranges } else { ranges.saturating_mul(2) };
        let needed = grown.saturating_add(kept).saturating_add(SLACK);
        // Where that is not known, it shows when it is written.
        let Ok(free) = self.volume.free_space() else { return Ok(()) };
        if free < needed {
            return Err(Failure::refused(format!(
                "too little room beside {}: {needed} bytes are needed, {free} are free; nothing was written",
                self.shown
            ))
            .hint("Free some room on that file system, or edit a copy of the hive elsewhere."));
        }
        Ok(())
    }

    fn after_failed_write(
        &self,
        commit: &Commit,
        primary: &mut dyn Storage,
        logs: &mut LogStorages<'_>,
        error: CommitError,
        has_log: bool,
    ) -> Failure {
        if matches!(error, CommitError::Foreign { .. }) {
            if !has_log {
                let _ = self.volume.remove_file(&self.before);
            }
            return self.changed(error);
        }
        if commit.take_back(primary, logs).is_err() {
            return self
                .failed(error)
                .hint("It could not be put back now. Mend the cause, and run `coldmend hive recover` on it.");
        }
        if !has_log {
            let _ = self.volume.remove_file(&self.before);
        }
        self.failed(error)
            .context("the edit was taken back: the hive is as it was before")
            .hint("Mend the cause, and try again.")
    }

    /// Puts the hive back as it was before an edit that was cut.
    fn put_back(&self, contents: Contents, storages: &mut HostStorages) -> Result<()> {
        let Some(before) = contents.cut else { return Ok(()) };
        let image = before.take_back(contents.bytes);
        from_here_on_written();
        let (primary, _) = storages.parts();
        before
            .write_back(primary)
            .map_err(|e| self.failed(e).hint("Mend the cause, and run `coldmend hive recover` again."))?;
        self.compare(storages, &image)?;
        self.volume.remove_file(&self.before)?;
        Ok(())
    }

    fn failed(&self, error: impl Into<anyhow::Error>) -> Failure {
        Failure::from_error(FailureKind::Partial, error).context(format!("writing the hive {}", self.shown))
    }

    fn changed(&self, error: CommitError) -> Failure {
        Failure::from_error(FailureKind::Refused, error)
            .context(format!("{} was changed by another program; nothing was written", self.shown))
            .hint("Close the program that writes it, and try again.")
    }

    /// Reads the file back.
    fn compare(&self, storages: &HostStorages, image: &[u8]) -> Result<()> {
        match storages.primary_is(image) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::partial(format!("{} does not hold what was written", self.shown)).hint(
                "The disk, or another program, has changed it. Look at it with `coldmend hive check`, and at the disk.",
            )),
            Err(e) => Err(Failure::from_error(FailureKind::Partial, e)
                .context(format!("reading {} back", self.shown))
                .hint("Look at the disk, and at the hive with `coldmend hive check`.")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::volume::{Doing, VolPath};

    #[test]
    fn missing_rights_are_named_where_the_system_denies() {
        let error = |kind: std::io::ErrorKind| {
            let path = VolPath::literal("SYSTEM");
            Failure::from(VolumeError::from_io(Doing::OpeningForWriting, &path, kind.into())).context("opening")
        };
        let none = Rights { backup: false, restore: false };
        let full = Rights { backup: true, restore: true };
        let denied = explain_denied(none, error(std::io::ErrorKind::PermissionDenied), "SYSTEM");
        assert_eq!(denied.kind.exit_status(), 3);
        assert!(denied.message().starts_with("coldmend needs an administrator's rights"), "{denied}");
        assert_eq!(denied.hint.as_deref(), Some(HOW));
        let held = explain_denied(full, error(std::io::ErrorKind::PermissionDenied), "SYSTEM");
        assert_eq!(held.message(), "opening");
        let other = explain_denied(none, error(std::io::ErrorKind::StorageFull), "SYSTEM");
        assert_eq!(other.message(), "opening");
    }
}
