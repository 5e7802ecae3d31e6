//! A hive file as it is on the volume: bytes, logs, hash; opened, checked, recovered in memory where needed.
//!
//! Structure comes from `coldmend-hives`; values are then read through [`super::Registry`].

use std::cell::OnceCell;

use coldmend_hives::{
    BaseBlock, CheckReport, FileTime, Hive, HiveError, LogFiles, LogRegime, Recovered, RecoveryCommit, RecoveryReport,
};
use sha2::{Digest, Sha256};

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::plan::{to_hex, HiveBinding, HiveName};
use crate::volume::{Kind, VolPath, Volume};

/// The largest hive that is read: far above any that Windows loads, below what would exhaust a rescue system.
const HIVE_LIMIT: u64 = 1 << 30;
/// The largest log that is read.
const LOG_LIMIT: u64 = 1 << 29;

/// The endings of a hive's log files, in the order of [`LogFiles`].
pub const LOG_SUFFIXES: [&str; 3] = ["LOG", "LOG1", "LOG2"];

/// A hive file and its logs, read from the volume and not yet interpreted.
pub struct HiveFile {
    /// Which hive.
    pub name: HiveName,
    /// Its path on the volume, in its real spelling.
    pub path: VolPath,
    /// The file.
    pub bytes: Vec<u8>,
    /// Size and hash of the file as found, once they were asked for.
    binding: OnceCell<HiveBinding>,
    /// The logs beside it, as found.
    pub logs: LogFiles,
    /// The paths of the logs that are there: `.LOG`, `.LOG1`, `.LOG2`.
    pub log_paths: [Option<VolPath>; 3],
}

impl HiveFile {
    /// Reads a hive and its logs.
    ///
    /// # Errors
    /// The hive is missing, is no regular file, or can't be read.
    pub fn read(volume: &dyn Volume, windows: &VolPath, name: HiveName) -> Result<HiveFile> {
        let config = windows.join("System32\\config")?;
        let wanted = config.child(name.file_name())?;
        let doing = || format!("reading the hive {} on {}", wanted.display_escaped(), volume.describe());
        let (path, log_paths) = Self::locate(volume, windows, name)?;
        let bytes = volume.read(&path, HIVE_LIMIT).doing(doing)?;
        let mut logs = [None, None, None];
        for (log, path) in logs.iter_mut().zip(&log_paths) {
            if let Some(path) = path {
                *log = Some(volume.read(path, LOG_LIMIT).doing(doing)?);
            }
        }
        let [log, log1, log2] = logs;
        Ok(HiveFile::new(name, path, bytes, LogFiles { log, log1, log2 }, log_paths))
    }

    /// A hive that is in memory already.
    pub fn new(
        name: HiveName,
        path: VolPath,
        bytes: Vec<u8>,
        logs: LogFiles,
        log_paths: [Option<VolPath>; 3],
    ) -> HiveFile {
        HiveFile { name, path, bytes, binding: OnceCell::new(), logs, log_paths }
    }

    /// Size and hash of the file as found.
    pub fn binding(&self) -> &HiveBinding {
        self.binding.get_or_init(|| HiveBinding::of(&self.bytes))
    }

    /// Takes these bytes as those that the file was meant to have; its binding stays that of the file as found.
    pub fn take_as(&mut self, bytes: Vec<u8>) {
        self.binding();
        self.bytes = bytes;
    }

    /// Finds a hive and its logs without reading them.
    ///
    /// # Errors
    /// The hive is missing or no regular file.
    pub fn locate(volume: &dyn Volume, windows: &VolPath, name: HiveName) -> Result<(VolPath, [Option<VolPath>; 3])> {
        let config = windows.join("System32\\config")?;
        let wanted = config.child(name.file_name())?;
        let doing = || format!("looking for the hive {} on {}", wanted.display_escaped(), volume.describe());
        let found = volume.find(&wanted).doing(doing)?.ok_or_else(|| {
            Failure::unreadable(format!("there is no {} on {}", wanted.display_escaped(), volume.describe()))
                .hint("Without this hive Windows does not start. Restore it from a backup of this installation; coldmend does not make hives up.")
        })?;
        if found.kind != Kind::File {
            return Err(Failure::unreadable(format!(
                "{} on {} is not a file, and links are never followed",
                found.path.display_escaped(),
                volume.describe()
            )));
        }
        let mut log_paths = [None, None, None];
        for (slot, suffix) in log_paths.iter_mut().zip(LOG_SUFFIXES) {
            let wanted = config.child(format!("{}.{suffix}", name.file_name()))?;
            if let Some(log) = volume.find(&wanted).doing(doing)? {
                if log.kind == Kind::File {
                    *slot = Some(log.path);
                }
            }
        }
        Ok((found.path, log_paths))
    }

    /// Opens the hive ([`open_image`]).
    ///
    /// # Errors
    /// Not a hive, dirty without usable logs, or faults that Windows would not load: exit status 4.
    pub fn open(self, force: bool) -> Result<LoadedHive> {
        // A recovery changes the bytes; of a clean hive the hash can wait until a plan needs it.
        if BaseBlock::parse(&self.bytes).is_none_or(|base| !base.is_clean()) {
            self.binding();
        }
        let HiveFile { name, path, bytes, binding, logs, log_paths } = self;
        let (hive, logs, recovery) = open_image(&path.display_escaped(), bytes, logs, force)?;
        Ok(LoadedHive { name, path, binding, hive, logs, log_paths, recovery })
    }
}

/// A hive that is clean, or was made so in memory, with the report of its structural check, which found no fault.
pub(crate) struct Opened {
    /// The hive, and what was done to get it.
    pub recovered: Recovered,
    /// The structural check of it.
    pub report: CheckReport,
}

/// Opens a hive image with its logs: refuses what is no hive, recovers a dirty one from its logs in memory, and runs the
/// whole structural check. With `force`, a dirty hive without usable logs is taken as it is if it passes the check; `again`
/// then gives the bytes a second time, so that no copy has to be kept for a case that is rare.
///
/// # Errors
/// Not a hive, dirty without usable logs, or faults that Windows would not load: exit status 4.
pub(crate) fn recover_image(
    place: &str,
    bytes: Vec<u8>,
    logs: &LogFiles,
    force: bool,
    again: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Opened> {
    let unreadable = |error: HiveError, doing: &str| {
        Failure::from_error(FailureKind::Unreadable, error).context(format!("{doing} {place}"))
    };
    let without_logs = |again: &mut dyn FnMut() -> Result<Vec<u8>>| {
        Hive::recover_without_logs(again()?, logs).map_err(|e| unreadable(e, "opening the dirty hive"))
    };
    let mut again = Some(again);
    let mut again = || again.take().map_or_else(|| Ok(Vec::new()), |again| again());
    let is_regf = bytes.starts_with(b"regf");
    let is_dirty = BaseBlock::parse(&bytes).is_some_and(|base| !base.is_clean());
    let mut recovered = match Hive::recover(bytes, logs) {
        Err(error @ HiveError::NotRecoverable { .. }) if !is_regf => {
            return Err(unreadable(error, "the file is no registry hive (it does not begin with \"regf\"):")
                .hint("Restore it from a backup of this installation; a damaged hive is never edited."));
        }
        // Logs that can't be replayed, or that break a bin when they are.
        Err(HiveError::NotRecoverable { .. } | HiveError::Damaged(_)) if force && is_dirty => without_logs(&mut again)?,
        Err(error @ HiveError::NotRecoverable { .. }) => {
            return Err(unreadable(error, "recovering the hive").hint(
                "Restore the log files beside it. If they are lost for good, --force-dirty-hive (of repair, and of hive recover, set \
                 and delete) takes the hive as it is, provided that it passes the structural check; what the logs held is lost then.",
            ));
        }
        result => result.map_err(|e| {
            unreadable(e, "opening the hive")
                .hint("Restore it from a backup of this installation; a damaged hive is never edited.")
        })?,
    };
    let mut report = recovered.hive.verify();
    if force && !report.is_sound() && !recovered.report.was_clean && !recovered.report.forced {
        // The logs make it worse: without them it may be sound.
        drop(recovered);
        recovered = without_logs(&mut again)?;
        report = recovered.hive.verify();
    }
    refuse_faults(place, recovered.report.was_clean, &report)?;
    Ok(Opened { recovered, report })
}

/// The failure for a hive that the structural check found faults in.
///
/// # Errors
/// There is a fault.
pub(crate) fn refuse_faults(place: &str, was_clean: bool, report: &CheckReport) -> Result<()> {
    let Some(fault) = report.faults.first() else { return Ok(()) };
    let after = if was_clean { "" } else { ", after its logs were replayed in memory," };
    Err(Failure::unreadable(format!(
        "the hive {place}{after} is damaged: {} fault(s), the first at {fault}",
        report.stats.faults
    ))
    .hint("A damaged hive is never edited. Restore it from a backup of this installation."))
}

/// Opens a hive image with its logs for an edit: recovered in memory where it is dirty, and checked. Returns the logs as that edit will find them.
///
/// # Errors
/// Not a hive, dirty without usable logs, or faults that Windows would not load: exit status 4.
pub fn open_image(
    place: &str,
    bytes: Vec<u8>,
    logs: LogFiles,
    force: bool,
) -> Result<(Hive, LogFiles, Option<Recovery>)> {
    let is_dirty = BaseBlock::parse(&bytes).is_some_and(|base| !base.is_clean());
    let copy = (force && is_dirty).then(|| bytes.clone());
    let Opened { recovered, .. } = recover_image(place, bytes, &logs, force, || Ok(copy.unwrap_or_default()))?;
    if recovered.report.was_clean {
        return Ok((recovered.hive, logs, None));
    }
    let how = describe_recovery(&recovered.report);
    let commit = RecoveryCommit::prepare(recovered)
        .map_err(|e| Failure::from_error(FailureKind::Unreadable, e).context(format!("recovering the hive {place}")))?;
    let hive = commit.hive().clone();
    let mut logs = logs;
    logs.neutralise();
    Ok((hive, logs, Some(Recovery { how, commit })))
}

/// What a recovery did, in words.
pub(crate) fn describe_recovery(report: &RecoveryReport) -> String {
    if report.forced {
        return "not closed cleanly, and taken as it is because no log can be replayed".into();
    }
    let logs: Vec<String> = report
        .applied
        .iter()
        .map(|(slot, format, entries)| format!("{entries} entries of {slot:?} ({format:?})"))
        .collect();
    let base = if report.base_block_from_log { ", base block included" } else { "" };
    format!("not closed cleanly; recovered from {}{base}", logs.join(" and "))
}

/// A hive that is clean (or was made so in memory) and passed the structural check.
pub struct LoadedHive {
    /// Which hive.
    pub name: HiveName,
    /// Its path on the volume.
    pub path: VolPath,
    /// Size and hash of the file as it is on the volume; of a clean one once they were asked for.
    binding: OnceCell<HiveBinding>,
    /// The image.
    pub hive: Hive,
    /// The logs beside it: as found, or as the recovery leaves them.
    pub logs: LogFiles,
    /// The paths of the logs that are there: `.LOG`, `.LOG1`, `.LOG2`.
    pub log_paths: [Option<VolPath>; 3],
    /// Set when the file was dirty and the image was recovered.
    pub recovery: Option<Recovery>,
}

impl LoadedHive {
    /// Size and hash of the file as it is on the volume.
    pub fn binding(&self) -> &HiveBinding {
        self.binding.get_or_init(|| HiveBinding::of(self.hive.bytes()))
    }
}

/// How a dirty hive was recovered in memory, and what writes that to the volume.
pub struct Recovery {
    /// In words.
    pub how: String,
    /// The step that has to be written before any edit.
    pub commit: RecoveryCommit,
}

/// The log that a Windows of this build reads (hive-format rules, section 9).
pub fn log_regime(build: u32) -> LogRegime {
    match build {
        0..6000 => LogRegime::Dot,
        6000..9600 => LogRegime::Log12Dirt,
        _ => LogRegime::Log12HvLe,
    }
}

impl HiveBinding {
    /// That of these contents.
    pub fn of(bytes: &[u8]) -> Self {
        HiveBinding { sha256: sha256_hex(bytes), size: bytes.len() as u64 }
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// The present time as a FILETIME.
pub fn now() -> FileTime {
    /// Seconds between 1601 and 1970.
    const EPOCH: u64 = 11_644_473_600;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    FileTime((since.as_secs().saturating_add(EPOCH)) * 10_000_000 + u64::from(since.subsec_nanos() / 100))
}

/// A time as people read it, in UTC: `2026-03-01 12:00:00`. `None` for years that no Windows has seen.
pub fn date_and_time(time: FileTime) -> Option<String> {
    let time = time::OffsetDateTime::from_unix_timestamp(time.unix_seconds()).ok()?;
    if !(2000..2100).contains(&time.year()) {
        return None;
    }
    let (hour, minute, second) = time.to_hms();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
}
