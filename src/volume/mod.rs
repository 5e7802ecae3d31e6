//! The only part of coldmend that touches a file system.
//!
//! A [`Volume`] is a tree of folders and files: the Windows volume that is being mended, or the
//! folder that holds coldmend's own state. Three rules hold for every operation:
//!
//! * **Names are matched as NTFS does**, ignoring case ([`fold`]), in every component, also where
//!   something is created: no second `SOFTWAREDISTRIBUTION.OLD` on a file system that could hold both.
//!   Two entries that differ only in case are an error, never a guess.
//! * **Nothing leads out.** No link (symbolic link, junction, mount point, any other reparse point)
//!   is followed, in the middle or at the end; no other file system that is mounted inside is
//!   entered; no device or pipe is opened. A link is renamed as itself.
//! * **Nothing is overwritten.** Creating and renaming fail when the name is taken.
//!
//! [`HostVolume`] is a folder of this machine, by handles throughout. [`Overlay`] lies over any
//! volume and keeps every change in memory: a dry run is a repair of an overlay. One suite of
//! tests runs against both.
//!
//! [`Volume::list`], [`Volume::find`] and the reading functions write nothing, access times
//! excepted where the system refuses to leave them alone.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use coldmend_hives::Storage;
use serde::{Deserialize, Serialize};

mod error;
pub mod escape;
pub mod fold;
mod host;
pub mod hostpath;
mod overlay;
mod path;
mod walk;

#[cfg(test)]
mod tests;

#[cfg(unix)]
pub(crate) use host::mountinfo;

pub use error::{Cause, Doing, ErrorKind, VolumeError};
pub use host::{HostStorage, HostVolume};
pub use overlay::Overlay;
pub use path::{BadPath, VolPath};

/// The most entries that a folder may have: WinSxS, the largest folder of a real Windows, has some
/// tens of thousands.
pub const MAX_ENTRIES: usize = 1_000_000;

/// What sort of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link, junction, mount point or another reparse point. Linux' drivers for NTFS
    /// show all of these as symbolic links.
    Link,
    /// A device, a pipe, a socket.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "a file",
            Kind::Dir => "a folder",
            Kind::Link => "a symbolic link or junction",
            Kind::Other => "a device, pipe or socket",
        })
    }
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as it is spelled on the volume.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
}

/// What [`Volume::find`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path as it is spelled on the volume.
    pub path: VolPath,
    /// What it is; a link is a link, wherever it leads.
    pub kind: Kind,
    /// Length in bytes; of a file only, 0 otherwise.
    pub len: u64,
    /// How many names (hard links) a file has, as far as they may lie outside of this volume: on
    /// NTFS, where they can't, and for anything but a file, always 1.
    pub links: u64,
    /// When the content was last changed, if the file system says.
    pub modified: Option<SystemTime>,
}

/// Whether a volume can be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writability {
    /// As far as the mount tells, yes.
    ReadWrite,
    /// No, for this reason (a sentence for people).
    ReadOnly {
        /// Why, and where.
        why: String,
    },
}

/// How the target is mounted (Linux: from `/proc/self/mountinfo`; Windows: what it says of the volume).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// The file system's type: `ntfs3` is the kernel's driver; `fuseblk`, or `fuse` over an image
    /// file, is ntfs-3g or another driver in user space. On Windows as that names it: `NTFS`, `FAT32`.
    pub fs_type: String,
    /// Whether it is NTFS, whatever the driver: files have Windows' security descriptors.
    pub is_ntfs: bool,
    /// What is mounted, as the kernel has it: usually the block device, `\Device\HarddiskVolume3` on Windows.
    pub source: PathBuf,
    /// Major and minor number of the device; zeros on Windows.
    pub device: (u32, u32),
    /// Where it is mounted; on Windows the target itself under the name that the system gives it, if any.
    pub mount_point: PathBuf,
    /// Which folder of the file system is mounted there; `/` except for bind mounts.
    pub root: PathBuf,
    /// Options of the mount and of the file system, comma-separated.
    pub options: String,
    /// Whether the volume that was opened is the mount's top folder.
    pub target_is_mount_root: bool,
}

/// How a folder that is created should be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// As any other folder.
    Plain,
    /// For SYSTEM and Administrators only, and so what is created inside.
    AdministratorsOnly,
}

/// What protection a folder has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protected {
    /// None was asked for, or the file system can't.
    Plain,
    /// For this user only: the owner's permission bits (0700), which Windows does not see; on Windows a DACL that lets
    /// this user in beside SYSTEM and Administrators.
    Mode,
    /// A protected DACL of Windows: SYSTEM and Administrators, nobody else.
    Dacl,
}

/// What NTFS keeps beside the contents and decides who may use a folder or file, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSecurity {
    /// Owner, group and DACL (the SACL where it comes along) as self-relative bytes, as they are on the volume.
    pub descriptor: Vec<u8>,
    /// The file attributes ([MS-FSCC] 2.6); `None` where the driver does not tell.
    pub attributes: Option<u32>,
}

/// A tree of folders and files; see the module for the rules that hold everywhere.
///
/// Every path is matched ignoring case. Every operation that changes something returns after it is
/// flushed to disk.
///
/// Errors are [`VolumeError`]; besides those named at each function, every one may return
/// [`LinkOnPath`](VolumeError::LinkOnPath), [`Ambiguous`](VolumeError::Ambiguous),
/// [`OtherFileSystem`](VolumeError::OtherFileSystem),
/// [`TooManyEntries`](VolumeError::TooManyEntries) and what the system reports.
pub trait Volume {
    /// What this volume is, for messages: where it is mounted.
    fn describe(&self) -> String;

    /// The entries of a folder, without `.` and `..`, in no order to rely on.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`; `TooManyEntries` beyond [`MAX_ENTRIES`].
    fn list(&self, dir: &VolPath) -> Result<Vec<Entry>, VolumeError>;

    /// Looks a path up. `None` if it, or a folder on the way, does not exist, or if a file stands
    /// where a folder should (then there can be nothing of that name). The last component may be a
    /// link, which is then what is found; a link on the way is an error.
    ///
    /// # Errors
    /// Only those that any operation has.
    fn find(&self, path: &VolPath) -> Result<Option<Found>, VolumeError>;

    /// What [`Volume::find`] finds of each of these names in the folder `dir`, in their order. For many names of one folder:
    /// the way there is gone once.
    ///
    /// # Errors
    /// As [`Volume::find`], and a name that can't be one.
    fn find_in(&self, dir: &VolPath, names: &[&OsStr]) -> Result<Vec<Option<Found>>, VolumeError> {
        names.iter().map(|name| self.find(&dir.child(name)?)).collect()
    }

    /// A whole file.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `NotAFile` (also for a link); `TooLarge` if it is longer than
    /// `limit` bytes.
    fn read(&self, path: &VolPath, limit: u64) -> Result<Vec<u8>, VolumeError>;

    /// A part of a file: fills `buf` from `offset` (bytes) on, and returns how many bytes there
    /// were; fewer than asked only at the end of the file.
    ///
    /// # Errors
    /// As [`Volume::read`].
    fn read_at(&self, path: &VolPath, offset: u64, buf: &mut [u8]) -> Result<usize, VolumeError>;

    /// The first `n` bytes of a file, or all of it if it is shorter.
    ///
    /// # Errors
    /// As [`Volume::read`].
    fn read_head(&self, path: &VolPath, n: usize) -> Result<Vec<u8>, VolumeError> {
        let mut head = vec![0; n];
        let got = self.read_at(path, 0, &mut head)?;
        head.truncate(got);
        Ok(head)
    }

    /// Where a link says it leads, as the file system gives it; to be shown, never to be followed.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `NotALink`.
    fn read_link(&self, path: &VolPath) -> Result<OsString, VolumeError>;

    /// Bytes that this user can still write.
    ///
    /// # Errors
    /// What the system reports.
    fn free_space(&self) -> Result<u64, VolumeError>;

    /// Whether the volume can be written to. Looks at the mount itself and writes nothing:
    /// ntfs-3g falls back to a read-only mount without a word.
    ///
    /// # Errors
    /// What the system reports.
    fn writable(&self) -> Result<Writability, VolumeError>;

    /// How it is mounted; `None` where that is not known (other systems than Linux and Windows, images).
    fn mount_info(&self) -> Option<MountInfo> {
        None
    }

    /// The serial number that NTFS got when it was formatted: what tells one volume from another.
    /// `None` on other file systems, or where it can't be read (on Linux it is read from the
    /// device, which needs root).
    fn serial(&self) -> Option<u64> {
        None
    }

    /// Whether this is the volume that the running Windows (or WinPE) was started from. On Linux
    /// never: a Windows can't run from what Linux has mounted.
    fn is_running_system(&self) -> bool {
        false
    }

    /// Opens a regular file for reading and writing in place, and locks it against other programs
    /// that ask (and against a second `open_storage`) until the storage is dropped.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `NotAFile`, `Locked`, `Denied`, `ReadOnly`, `HardLinked`.
    fn open_storage(&self, path: &VolPath) -> Result<Box<dyn Storage + '_>, VolumeError>;

    /// Creates a folder; its parent must exist. Returns the protection that was achieved, which
    /// the caller judges. On NTFS what is created inherits as on Windows (ntfs-3g itself would give
    /// everybody full access), and in a folder that is protected by a DACL it is protected likewise.
    ///
    /// # Errors
    /// `Exists`, `NotFound` (the parent), `Full`, `ReadOnly`, `Denied`.
    fn create_dir(&self, path: &VolPath, protection: Protection) -> Result<Protected, VolumeError>;

    /// Restricts a folder that exists to SYSTEM and Administrators, as `create_dir` would have; what
    /// is in it already stays as it is. Returns what was achieved.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `ReadOnly`.
    fn protect(&self, dir: &VolPath) -> Result<Protected, VolumeError>;

    /// How a folder or file is protected now: `Dacl` only if its DACL lets nobody but SYSTEM and
    /// Administrators in, `Mode` only if nobody but this user (or root) gets in.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`.
    fn protection(&self, path: &VolPath) -> Result<Protected, VolumeError>;

    /// The security descriptor and the attributes of a folder or file. `None` where the file system keeps none (a plain folder of
    /// Linux, FAT), for a link, and for what exists in memory only.
    ///
    /// # Errors
    /// `NotFound`; `Denied` where this user may not read them.
    fn security(&self, path: &VolPath) -> Result<Option<FileSecurity>, VolumeError> {
        let _ = path;
        Ok(None)
    }

    /// Creates a file with this content. If that fails, what was created is removed again.
    ///
    /// # Errors
    /// `Exists`, `NotFound` (the folder), `Full`, `ReadOnly`, `Denied`.
    fn write_new(&self, path: &VolPath, data: &[u8]) -> Result<(), VolumeError>;

    /// Appends to an existing file. If that fails part-way, the file is cut back to its former
    /// length if possible; a reader must still expect a torn end, since power can fail.
    ///
    /// # Errors
    /// `NotFound`, `NotAFile`, `Full`, `ReadOnly`, `Denied`.
    fn append(&self, path: &VolPath, data: &[u8]) -> Result<(), VolumeError>;

    /// Gives a file, a folder with all that is in it, or a link itself, another name in the same or
    /// another folder of the volume. Never overwrites.
    ///
    /// # Errors
    /// `NotFound` (source, or the folder of the destination), `Exists`, `IntoItself`,
    /// `NotAsExpected` if the volume afterwards looks otherwise (somebody else is at work there).
    fn rename(&self, from: &VolPath, to: &VolPath) -> Result<(), VolumeError>;

    /// Removes a file or a link itself. For taking back what coldmend created.
    ///
    /// # Errors
    /// `NotFound`, `NotAFile` for a folder.
    fn remove_file(&self, path: &VolPath) -> Result<(), VolumeError>;

    /// Removes an empty folder. For taking back what coldmend created.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `NotEmpty`.
    fn remove_empty_dir(&self, path: &VolPath) -> Result<(), VolumeError>;

    /// Flushes whatever the system still holds of the whole volume, where it has a call for that and this user may use it
    /// (Windows, as administrator). Every operation flushes what it did by itself: this comes on top, at the end.
    ///
    /// # Errors
    /// The disk reports that it could not be written.
    fn sync_volume(&self) -> Result<(), VolumeError> {
        Ok(())
    }

    /// Flushes a folder's entries to disk (the operations above do so by themselves).
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`.
    fn sync_dir(&self, dir: &VolPath) -> Result<(), VolumeError>;
}

/// The error of a storage that is read past its end.
fn ends_early(offset: u64, got: usize, wanted: usize) -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::UnexpectedEof,
        format!("the file ends {got} bytes after offset {offset}, {wanted} bytes were to be read"),
    )
}
