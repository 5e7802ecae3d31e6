//! A hive file on its own, without the rest of a Windows around it: what `coldmend hive` works on.
//!
//! Relies on `volume` for every access (the folder that holds the file is a volume of its own: nothing is followed out
//! of it, files are locked while they are written) and on `coldmend-hives` for everything inside. The file is read once and its
//! bytes handed on to the engine, so that there is one copy of a hive in memory. An edit is committed by Windows' own
//! protocol; where there is no log file to hold the redo entry, `before` keeps what is needed to take the edit back.

mod before;
mod pair;
mod readback;
mod storages;
mod write;

use std::path::Path;

use coldmend_hives::{BaseBlock, CheckReport, Hive, HiveError, LogFiles};

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::evidence::{describe_recovery, recover_image, refuse_faults, Opened, LOG_SUFFIXES};
use crate::safety::loaded::refuse_loaded;
use crate::volume::{hostpath, HostVolume, Kind, VolPath, Volume};

use before::Before;
use pair::at_once;
pub(crate) use storages::HiveStorages;
pub use write::Make;

/// The ending of the file that stands in for a log.
const BEFORE: &str = "coldmend-before";
/// The largest hive, log and trace of an edit that are read: Windows maps a hive below 2 GiB.
const LIMIT: u64 = 1 << 31;
/// From here on both processors read.
const LARGE: u64 = 8 << 20;

/// A hive file, found and not yet read.
pub struct HiveOnDisk {
    volume: HostVolume,
    path: VolPath,
    log_paths: [Option<VolPath>; 3],
    before: VolPath,
    /// How the file is shown.
    pub shown: String,
}

/// A hive file's bytes, its logs, and the trace of an edit of ours that was cut, if there is one.
pub struct Contents {
    /// The file.
    pub bytes: Vec<u8>,
    /// The logs beside it.
    pub logs: LogFiles,
    cut: Option<Before>,
}

impl Contents {
    /// Whether an edit of ours was cut while it wrote this hive.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// The base block, if there is one.
    pub fn base(&self) -> Option<BaseBlock> {
        BaseBlock::parse(&self.bytes)
    }
}

/// A hive to read from.
pub struct ToRead {
    /// The image.
    pub hive: Hive,
    /// Its structural check, which found no fault.
    pub report: CheckReport,
    /// Set when the file itself is not what the image holds: what was done in memory, in words.
    pub how: Option<String>,
}

/// What is said of an edit of ours that was cut.
const TAKEN_BACK: &str = "left by an edit that was cut, which has been taken back";

impl HiveOnDisk {
    /// Finds a hive file and the logs beside it.
    ///
    /// # Errors
    /// Not there, no regular file; loaded by the running system; a log that is none.
    pub fn find(file: &Path) -> Result<Self> {
        let shown = crate::volume::escape::escape_text(file.as_os_str());
        let doing = || format!("opening the hive {shown}");
        let full = hostpath::real(file)
            .map_err(|e| Failure::from_error(FailureKind::Unreadable, e).hint("Name a hive file."))
            .doing(doing)?;
        let not_a_file = |what: &str| {
            Failure::unreadable(format!("{shown} is {what}, not a hive file")).hint(
                "Name a hive file. Those of a Windows are in Windows\\System32\\config, such as SYSTEM and SOFTWARE.",
            )
        };
        let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
            return Err(not_a_file("a folder"));
        };
        refuse_loaded(&full)?;
        let volume = HostVolume::open(folder).doing(doing)?;
        let path = VolPath::root().child(name)?;
        let found = volume.find(&path).doing(doing)?;
        match found.map(|f| f.kind) {
            Some(Kind::File) => {}
            Some(kind) => return Err(not_a_file(&kind.to_string())),
            None => return Err(not_a_file("gone")),
        }
        let beside = |ending: &str| -> Result<VolPath> {
            let mut name = name.to_os_string();
            name.push(".");
            name.push(ending);
            Ok(VolPath::root().child(name)?)
        };
        let mut log_paths = [None, None, None];
        for (slot, suffix) in log_paths.iter_mut().zip(LOG_SUFFIXES) {
            match volume.find(&beside(suffix)?).doing(doing)? {
                Some(log) if log.kind == Kind::File => *slot = Some(log.path),
                // To pass it over would be to pass over what it holds.
                Some(log) => {
                    return Err(Failure::unreadable(format!(
                        "{} beside {shown} is {}, not a log file",
                        log.path.display_escaped(),
                        log.kind
                    ))
                    .hint("Put the log file itself beside the hive, or move what stands in its place away."))
                }
                None => {}
            }
        }
        let before = beside(BEFORE)?;
        Ok(HiveOnDisk { volume, path, log_paths, before, shown })
    }

    /// Whether the file begins as a hive does.
    ///
    /// # Errors
    /// Unreadable.
    pub fn begins_as_hive(&self) -> Result<bool> {
        let head = self.volume.read_head(&self.path, 4).doing(|| format!("reading the hive {}", self.shown))?;
        Ok(head == b"regf")
    }

    /// Reads it: the file in one buffer, and all the logs.
    ///
    /// # Errors
    /// Unreadable, too large.
    pub fn read(&self) -> Result<Contents> {
        let doing = || format!("reading the hive {}", self.shown);
        let bytes = self.bytes()?;
        let mut contents = [None, None, None];
        for (log, path) in contents.iter_mut().zip(&self.log_paths) {
            if let Some(path) = path {
                *log = Some(self.volume.read(path, LIMIT).doing(doing)?);
            }
        }
        let [log, log1, log2] = contents;
        let cut = self.trace()?.filter(|before| before.is_cut(&bytes));
        Ok(Contents { bytes, logs: LogFiles { log, log1, log2 }, cut })
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let doing = || format!("reading the hive {}", self.shown);
        let found = self.volume.find(&self.path).doing(doing)?;
        let len = found.ok_or_else(|| Failure::unreadable("it is gone")).doing(doing)?.len;
        if !(LARGE..=LIMIT).contains(&len) {
            return self.volume.read(&self.path, LIMIT).doing(doing);
        }
        read_with_two(&self.volume, &self.path, len).doing(doing)
    }

    /// The trace of an edit that a hive without logs has beside it, if it is whole. A hive that has logs needs none.
    fn trace(&self) -> Result<Option<Before>> {
        if self.log_paths.iter().any(Option::is_some) {
            return Ok(None);
        }
        match self.volume.find(&self.before)? {
            Some(found) if found.kind == Kind::File => Ok(Before::parse(&self.volume.read(&self.before, LIMIT)?)),
            _ => Ok(None),
        }
    }

    /// Opens what was read; a clean hive is not checked yet, so that the check can run beside other work: until [`HiveOnDisk::judge`] has
    /// passed it, nothing of it may be shown.
    ///
    /// # Errors
    /// As [`HiveOnDisk::open`].
    pub fn open_unchecked(&self, contents: Contents) -> Result<(ToRead, bool)> {
        if contents.is_cut() || !contents.base().is_some_and(|base| base.is_clean()) {
            return Ok((self.open(contents, false)?, false));
        }
        let hive = Hive::open(contents.bytes).map_err(|e| {
            Failure::from_error(FailureKind::Unreadable, e)
                .context(format!("opening the hive {}", self.shown))
                .hint("Restore it from a backup of this installation; a damaged hive is never edited.")
        })?;
        Ok((ToRead { hive, report: CheckReport::default(), how: None }, true))
    }

    /// The structural check that is still owed to a clean hive.
    ///
    /// # Errors
    /// It found a fault.
    pub fn judge(&self, hive: &Hive) -> Result<()> {
        refuse_faults(&self.shown, true, &hive.check())
    }

    /// Replays what was read in memory, and checks nothing but what that needs. Answers the hive, and what was done, in words.
    ///
    /// # Errors
    /// Not a hive, dirty without usable logs, bins that are not whole.
    pub fn replay(&self, contents: Contents) -> Result<(Hive, String)> {
        let Contents { bytes, logs, cut } = contents;
        let unreadable = |e: HiveError| Failure::from_error(FailureKind::Unreadable, e);
        if let Some(before) = &cut {
            return Ok((Hive::open(before.take_back(bytes)).map_err(unreadable)?, TAKEN_BACK.into()));
        }
        let recovered = Hive::recover(bytes, &logs).map_err(unreadable)?;
        Ok((recovered.hive, describe_recovery(&recovered.report)))
    }

    /// Opens what was read: an edit of ours that was cut taken back, a dirty hive recovered, all in memory; and checked.
    ///
    /// # Errors
    /// Not a hive, dirty without usable logs (unless `force`), damaged.
    pub fn open(&self, contents: Contents, force: bool) -> Result<ToRead> {
        let Contents { bytes, logs, cut } = contents;
        let (bytes, mut how) = match &cut {
            Some(before) => (before.take_back(bytes), Some(TAKEN_BACK.to_string())),
            None => (bytes, None),
        };
        let again = || {
            let bytes = self.bytes()?;
            Ok(match &cut {
                Some(before) => before.take_back(bytes),
                None => bytes,
            })
        };
        let Opened { recovered, report } = recover_image(&self.shown, bytes, &logs, force, again)?;
        if !recovered.report.was_clean {
            how = Some(describe_recovery(&recovered.report));
        }
        Ok(ToRead { hive: recovered.hive, report, how })
    }
}

/// Reads both halves of a large file at once: a page that is touched for the first time costs more than the copy into it.
fn read_with_two(volume: &HostVolume, path: &VolPath, len: u64) -> Result<Vec<u8>> {
    /// Read at once.
    const PIECE: usize = 16 << 20;
    let changed = || Failure::unreadable("it changes while it is read").hint("Close the program that writes it.");
    let size = usize::try_from(len).map_err(|_| changed())?;
    // Whether there is as much is asked first; what is then taken is zero already, and untouched.
    Vec::<u8>::new()
        .try_reserve_exact(size)
        .map_err(|e| Failure::from_error(FailureKind::Unreadable, e).hint("Free some memory."))?;
    let mut bytes = vec![0; size];
    let part = |from: usize, half: &mut [u8]| -> Result<()> {
        let mut at = from as u64;
        for piece in half.chunks_mut(PIECE) {
            if volume.read_at(path, at, piece)? != piece.len() {
                return Err(changed());
            }
            at = at.saturating_add(piece.len() as u64);
        }
        Ok(())
    };
    let middle = size / 2;
    let (one, two) = bytes.split_at_mut(middle);
    let (one, two) = at_once(size, || part(0, one), || part(middle, two));
    one?;
    two?;
    if volume.read_at(path, len, &mut [0])? != 0 {
        return Err(changed());
    }
    Ok(bytes)
}
