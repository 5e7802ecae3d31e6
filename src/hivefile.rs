//! A hive file on its own, without the rest of a Windows around it: what `coldmend hive` works on.
//!
//! Relies on `volume` for every access (the folder that holds the file is a volume of its own: nothing is followed out
//! of it, files are locked while they are written) and on `coldmend-hives` for everything inside. An edit is committed
//! by Windows' own protocol. Where there is no log file to hold the redo entry, a copy of the hive stands beside it
//! (`NAME.coldmend-before`) until the commit is complete; `hive recover` puts it back.

use std::path::Path;

use coldmend_hives::{
    Commit, FileTime, Hive, LogFiles, LogFormat, LogRegime, LogSlot, LogStorages, RecoveryCommit, Storage,
};

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::evidence::{now, open_image, Recovery, LOG_SUFFIXES};
use crate::volume::{HostVolume, Kind, VolPath, Volume};

/// The ending of the copy that stands in for a log.
const BEFORE: &str = "coldmend-before";
const LIMIT: u64 = 1 << 31;

/// A hive file and its logs, open (and locked) for writing.
pub(crate) struct HiveStorages<'v> {
    primary: Box<dyn Storage + 'v>,
    logs: [Option<Box<dyn Storage + 'v>>; 3],
}

impl<'v> HiveStorages<'v> {
    /// Opens the primary file and the logs that are there.
    pub(crate) fn open(volume: &'v dyn Volume, path: &VolPath, log_paths: &[Option<VolPath>; 3]) -> Result<Self> {
        let doing = || format!("opening {} for writing", path.display_escaped());
        let primary = volume.open_storage(path).doing(doing)?;
        let mut logs = [None, None, None];
        for (storage, path) in logs.iter_mut().zip(log_paths) {
            if let Some(path) = path {
                *storage = Some(volume.open_storage(path).doing(doing)?);
            }
        }
        Ok(HiveStorages { primary, logs })
    }

    /// As the engine takes them.
    pub(crate) fn parts(&mut self) -> (&mut dyn Storage, LogStorages<'_>) {
        fn part<'b, 'v>(log: &'b mut Option<Box<dyn Storage + 'v>>) -> Option<&'b mut dyn Storage> {
            match log {
                Some(storage) => Some(&mut **storage),
                None => None,
            }
        }
        let [log, log1, log2] = &mut self.logs;
        (&mut *self.primary, LogStorages { log: part(log), log1: part(log1), log2: part(log2) })
    }
}

/// A hive file, found and read.
pub struct HiveOnDisk {
    volume: HostVolume,
    path: VolPath,
    log_paths: [Option<VolPath>; 3],
    before: VolPath,
    /// How the file is shown.
    pub shown: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// The logs beside it.
    pub logs: LogFiles,
}

impl HiveOnDisk {
    /// Reads a hive file and the logs beside it.
    ///
    /// # Errors
    /// Not there, no regular file, unreadable.
    pub fn read(file: &Path) -> Result<Self> {
        let doing = || format!("opening the hive {}", file.display());
        let full = file
            .canonicalize()
            .map_err(|e| Failure::from_error(FailureKind::Unreadable, e).hint("Name a hive file."))
            .doing(doing)?;
        let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
            return Err(Failure::unreadable(format!("{} is not a file", file.display())));
        };
        let volume = HostVolume::open(folder).doing(doing)?;
        let path = VolPath::root().child(name)?;
        let found = volume.find(&path).doing(doing)?;
        if found.map(|f| f.kind) != Some(Kind::File) {
            return Err(Failure::unreadable(format!("{} is not a file", file.display())).hint("Name a hive file."));
        }
        let beside = |ending: &str| -> Result<VolPath> {
            let mut name = name.to_os_string();
            name.push(".");
            name.push(ending);
            Ok(VolPath::root().child(name)?)
        };
        let bytes = volume.read(&path, LIMIT).doing(doing)?;
        let mut log_paths = [None, None, None];
        let mut contents = [None, None, None];
        for (i, suffix) in LOG_SUFFIXES.iter().enumerate() {
            if let Some(log) = volume.find(&beside(suffix)?).doing(doing)?.filter(|f| f.kind == Kind::File) {
                contents[i] = Some(volume.read(&log.path, LIMIT).doing(doing)?);
                log_paths[i] = Some(log.path);
            }
        }
        let [log, log1, log2] = contents;
        let before = beside(BEFORE)?;
        let logs = LogFiles { log, log1, log2 };
        Ok(HiveOnDisk { volume, path, log_paths, before, shown: file.display().to_string(), bytes, logs })
    }

    /// The image to read from: recovered in memory where the file is dirty.
    ///
    /// # Errors
    /// Not a hive, dirty without usable logs, damaged; or an edit of ours was cut and has to be recovered first.
    pub fn open(&self, force: bool) -> Result<(Hive, LogFiles, Option<Recovery>)> {
        if let Some(bytes) = self.interrupted()? {
            // What the copy holds is what the hive was before the edit that was cut.
            return open_image(&self.shown, bytes, self.logs.clone(), force);
        }
        open_image(&self.shown, self.bytes.clone(), self.logs.clone(), force)
    }

    /// The copy that an edit which was cut has left, if the file is not what the copy holds.
    ///
    /// # Errors
    /// The copy can't be read.
    pub fn interrupted(&self) -> Result<Option<Vec<u8>>> {
        match self.volume.find(&self.before)? {
            Some(found) if found.kind == Kind::File => {
                let copy = self.volume.read(&self.before, LIMIT)?;
                // A hive that is clean and sound was written completely; the copy is only left over.
                let whole = Hive::open(self.bytes.clone()).is_ok_and(|hive| hive.check().is_sound());
                if whole {
                    return Ok(None);
                }
                // A copy that is the hive's own beginning belongs to an edit that had not begun, or was cut itself.
                Ok((!self.bytes.starts_with(&copy)).then_some(copy))
            }
            _ => Ok(None),
        }
    }

    /// Writes a recovered hive, and nothing else.
    ///
    /// # Errors
    /// A write fails (partial).
    pub fn write_recovered(&self, commit: &RecoveryCommit) -> Result<()> {
        self.with_storages(|primary, logs| commit.execute(primary, logs).map(|_| ()).map_err(anyhow::Error::from))
    }

    /// Puts back the copy that an edit which was cut has left.
    ///
    /// # Errors
    /// A write fails (partial).
    pub fn put_back(&self, copy: &[u8]) -> Result<()> {
        self.with_storages(|primary, _| {
            // The base block last: until it is whole, the hive is not clean.
            let (head, rest) = copy.split_at(copy.len().min(4096));
            primary.set_len(copy.len() as u64)?;
            primary.write_at(head.len() as u64, rest)?;
            primary.flush()?;
            primary.write_at(0, head)?;
            primary.flush()?;
            Ok(())
        })?;
        self.volume.remove_file(&self.before)?;
        Ok(())
    }

    /// Makes edits and commits them, recovering a dirty hive first. Returns whether anything changed.
    ///
    /// # Errors
    /// Refused or unreadable with nothing written; partial when a write fails.
    pub fn edit(&self, force: bool, edits: impl FnOnce(&mut Hive, FileTime) -> Result<()>) -> Result<bool> {
        if self.interrupted()?.is_some() {
            return Err(Failure::refused(format!("an earlier edit of {} was cut", self.shown))
                .hint("Run `coldmend hive recover` on it first: it puts the hive back as it was before that edit."));
        }
        let (mut hive, logs, recovery) = self.open(force)?;
        let time = now();
        edits(&mut hive, time)?;
        let commit = Commit::prepare(hive, &logs, self.regime(), time).map_err(|e| {
            Failure::from_error(FailureKind::Unreadable, e).context("preparing the new hive; nothing was written")
        })?;
        if commit.is_empty() && recovery.is_none() {
            return Ok(false);
        }
        let redo = self.log_paths.iter().any(Option::is_some);
        if !redo {
            if self.volume.find(&self.before)?.is_some() {
                self.volume.remove_file(&self.before)?;
            }
            self.volume.write_new(&self.before, &self.bytes)?;
        }
        self.with_storages(|primary, logs| {
            if let Some(recovery) = &recovery {
                recovery.commit.execute(primary, logs)?;
            }
            commit.execute(primary, logs)?;
            Ok(())
        })?;
        let written = self.volume.read(&self.path, LIMIT)?;
        if written != commit.after() {
            return Err(Failure::partial(format!("{} does not hold what was written", self.shown)));
        }
        if !redo {
            self.volume.remove_file(&self.before)?;
        }
        Ok(true)
    }

    /// The log that this hive's Windows reads: told by the logs that are there.
    fn regime(&self) -> LogRegime {
        let format = |slot: LogSlot| self.logs.get(slot).and_then(|b| coldmend_hives::inspect_log(b).format);
        if self.log_paths[1].is_none() && self.log_paths[2].is_none() {
            return LogRegime::Dot;
        }
        match format(LogSlot::Log1).or(format(LogSlot::Log2)) {
            Some(LogFormat::Dirt) => LogRegime::Log12Dirt,
            _ => LogRegime::Log12HvLe,
        }
    }

    fn with_storages(
        &self,
        write: impl FnOnce(&mut dyn coldmend_hives::Storage, &mut LogStorages<'_>) -> anyhow::Result<()>,
    ) -> Result<()> {
        let mut open = HiveStorages::open(&self.volume, &self.path, &self.log_paths)?;
        let (primary, mut logs) = open.parts();
        write(primary, &mut logs).map_err(|e| {
            Failure::from_error(FailureKind::Partial, e)
                .context(format!("writing the hive {}", self.shown))
                .hint("Run `coldmend hive recover` on it when the cause is mended.")
        })
    }
}
