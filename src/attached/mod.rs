//! The volumes that are attached to this machine, for `scan` and the guide: what they are called, and in which state.
//!
//! Nothing is mounted, unlocked or written. A volume that can't be read (locked by BitLocker, the one this system runs from)
//! is listed with the reason, since "nothing found" would send people looking in the wrong place.

use std::io;
#[cfg(windows)]
use std::path::Path;
use std::path::PathBuf;

pub mod bitlocker;
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(not(windows), path = "linux.rs")]
mod sys;

/// One volume of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedVolume {
    /// What to give as TARGET: a drive letter (`D:\`), `\\?\Volume{…}\` where there is none, or a mount point.
    pub path: PathBuf,
    /// Further names of the same volume, for people: more letters or folders, the device.
    pub also: Vec<String>,
    /// The label, where there is one and it can be read.
    pub label: Option<String>,
    /// The file system's name as the system has it (`NTFS`, `ntfs3`, `fuseblk`), where it is known.
    pub file_system: Option<String>,
    /// Size in bytes, where it is known.
    pub size: Option<u64>,
    /// Whether it can be looked at.
    pub state: AttachedState,
}

/// Whether a volume can be looked at, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachedState {
    /// It can.
    Readable,
    /// The running system (or WinPE) was started from it; never offered.
    RunningSystem,
    /// BitLocker has locked it; `unlock` is the command line to type.
    Locked {
        /// Such as `manage-bde -unlock D: -RecoveryPassword YOUR-48-DIGIT-KEY`.
        unlock: String,
    },
    /// It can't be read, for this reason (a sentence for people).
    Unreadable {
        /// Why.
        why: String,
    },
}

/// Every volume of this machine that could hold a Windows, in the system's own order. On Linux these are the mounted ones.
///
/// # Errors
/// The system does not list its volumes.
pub fn volumes() -> io::Result<Vec<AttachedVolume>> {
    sys::volumes()
}

/// The attached volume on which `path` lies, where the system can tell; on Windows only.
#[cfg(windows)]
pub fn volume_of(path: &Path) -> Option<AttachedVolume> {
    sys::volume_of(path)
}
