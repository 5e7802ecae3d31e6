//! What `cap-std` lacks, on Windows, as far as the standard library reaches.
//!
//! Missing until the Windows executable is built, because each needs a call of Windows itself
//! (this crate allows no `unsafe`, so they come with a crate that wraps them):
//!
//! * `create_dir` and `protect_*`: a protected DACL (`CreateDirectoryW` with a security
//!   descriptor). Until then a folder is created as any other and reported as `Plain`.
//! * `rename`: `SetFileInformationByHandle(FileRenameInfo)` without replace on a handle with backup
//!   semantics. Until then it is look, then rename, then look, as with ntfs-3g.
//! * `free_space` (`GetDiskFreeSpaceExW`) and `is_read_only` (`GetVolumeInformationW`): reported as
//!   not supported, which stops a repair and not a diagnosis.
//! * Mounted folders are reparse points, which are never entered; so there is one file system.
//! * Backup and restore privileges (`FILE_FLAG_BACKUP_SEMANTICS` with an enabled privilege).

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Component, Path, Prefix};

use cap_std::fs::{Dir, Metadata, OpenOptions, OpenOptionsExt as _};

use super::super::error::{Doing, VolumeError};
use super::super::path::VolPath;
use super::super::walk::too_many;
use super::super::{Entry, MountInfo, Protected, Protection};
use super::listing::Stamp;

const FILE_SHARE_READ: u32 = 1;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;

/// There is one file system: mounted folders are reparse points, which are never entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MountId;

pub(super) fn mount_id<T>(_: &T) -> io::Result<MountId> {
    Ok(MountId)
}

/// Whether it is a folder with a reparse point (junction, mount point, link). Files with one (deduplicated,
/// compressed, in a cloud) are read as what the driver makes of them, links excepted.
pub(super) fn is_reparse_point(meta: &Metadata) -> bool {
    use cap_std::fs::MetadataExt as _;
    meta.is_dir() && meta.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0
}

/// What tells whether a name still means the same thing, without a call of Windows: type, length
/// and time of creation.
pub(super) fn identity(meta: &Metadata) -> (bool, u64, Option<cap_std::time::SystemTime>) {
    (meta.is_dir(), meta.len(), meta.created().ok())
}

/// Hard links stay on the volume, and a volume is what Windows is asked to mend.
pub(super) fn links(_: &Metadata) -> u64 {
    1
}

pub(super) fn stamp(_: &Dir) -> io::Result<Stamp> {
    // NTFS need not change a folder's times at once; never the same, so nothing is kept.
    let now = std::time::SystemTime::now();
    Ok(Stamp { id: (0, 0), times: [now, now] })
}

pub(super) fn list(dir: &Dir, doing: &Doing, path: &VolPath) -> Result<Vec<Entry>, VolumeError> {
    let io = |e: io::Error| VolumeError::from_io(doing.clone(), path, e);
    let mut entries = Vec::new();
    for entry in dir.entries().map_err(io)? {
        let entry = entry.map_err(io)?;
        too_many(entries.len(), doing, path)?;
        let meta = entry.metadata().map_err(io)?;
        entries.push(Entry { name: entry.file_name(), kind: super::kind_of(&meta) });
    }
    Ok(entries)
}

/// Opens a file; others may read it meanwhile, and not write.
pub(super) fn open_quietly(dir: &Dir, name: &OsStr, options: &mut OpenOptions) -> io::Result<cap_std::fs::File> {
    options.share_mode(FILE_SHARE_READ);
    dir.open_with(name, options)
}

/// The share mode is the lock.
pub(super) fn lock(_: &File) -> io::Result<bool> {
    Ok(true)
}

pub(super) fn free_space(_: &Dir) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn is_read_only(_: &Dir) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn mount_info(_: &Dir) -> Option<MountInfo> {
    None
}

/// Needs `FSCTL_GET_NTFS_VOLUME_DATA`; not asked, since there is no mount information yet.
pub(super) fn ntfs_serial(_: &Path) -> Option<u64> {
    None
}

/// Whether `given` lies on the drive that the running system was started from, by its letter. The
/// same volume under a second letter or by its volume GUID is not seen yet.
pub(super) fn is_running_system(given: &Path) -> bool {
    let drive = |path: &Path| match path.components().next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => Some(letter.to_ascii_uppercase()),
            _ => None,
        },
        _ => None,
    };
    let system = std::env::var_os("SystemDrive").and_then(|d| drive(Path::new(&d)));
    let target = std::path::absolute(given).ok().and_then(|p| drive(&p));
    system.is_some() && system == target
}

/// Windows flushes a folder's entries with its journal; there is no call for a folder.
pub(super) fn sync_dir(_: &Dir) -> io::Result<()> {
    Ok(())
}

pub(super) fn rename(from_dir: &Dir, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
    match to_dir.symlink_metadata(to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
    }
    from_dir.rename(from, to_dir, to)
}

pub(super) fn create_dir(dir: &Dir, name: &OsStr, _: Protection) -> io::Result<()> {
    dir.create_dir(name)
}

pub(super) fn protect_dir(_: &Dir, _: &Dir, _: Protection) -> io::Result<Protected> {
    Ok(Protected::Plain)
}

pub(super) fn protect_file(_: &Dir, _: &File) -> io::Result<()> {
    Ok(())
}

pub(super) fn protection(_: &Dir, _: Option<&OsStr>) -> io::Result<Protected> {
    Ok(Protected::Plain)
}
