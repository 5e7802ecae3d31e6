//! Files and folders of Unix (Linux above all): `cap-std`, and `rustix` for what that lacks (a rename that
//! does not overwrite, mounts, access control, flushing a folder).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::ambient_authority;
pub(super) use cap_std::fs::Dir;
use cap_std::fs::{DirBuilder, DirBuilderExt as _, Metadata, MetadataExt as _, OpenOptions};
use cap_std::fs::{OpenOptionsExt as _, PermissionsExt as _};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, XattrFlags};
use rustix::io::{retry_on_intr, Errno};

use super::super::error::{Doing, VolumeError};
use super::super::path::VolPath;
use super::super::walk::too_many;
use super::super::{Entry, FileSecurity, Kind, MountInfo, Protected, Protection};
use super::dacl;
use super::listing::Stamp;
use super::{Access, Meta};

/// Which mount an open file or folder lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MountId {
    /// The kernel's number of the mount: tells bind mounts apart, too.
    #[cfg(target_os = "linux")]
    Mount(u64),
    /// The device, where the kernel does not give the mount (Linux before 5.8, other systems).
    Device(u64),
}

pub(super) fn mount_id(fd: impl AsFd) -> io::Result<MountId> {
    #[cfg(target_os = "linux")]
    if let Ok((id, _)) = statx_mount(&fd) {
        return Ok(MountId::Mount(id));
    }
    #[allow(clippy::useless_conversion)] // not a u64 on every system
    Ok(MountId::Device(u64::from(rustix::fs::fstat(fd)?.st_dev)))
}

/// The mount's number, and whether the open folder is the mount's top.
#[cfg(target_os = "linux")]
fn statx_mount(fd: impl AsFd) -> io::Result<(u64, Option<bool>)> {
    use rustix::fs::{StatxAttributes, StatxFlags};
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    let stat = retry_on_intr(|| rustix::fs::statx(&fd, c"", flags, StatxFlags::MNT_ID))?;
    if stat.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let top = stat
        .stx_attributes_mask
        .contains(StatxAttributes::MOUNT_ROOT)
        .then(|| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    Ok((stat.stx_mnt_id, top))
}

/// What tells whether a name still means the same thing: device, inode number, type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64, u32);

/// NTFS' reparse points are symbolic links here.
fn meta_of(meta: &Metadata) -> Meta {
    let file_type = meta.file_type();
    Meta {
        kind: if file_type.is_symlink() {
            Kind::Link
        } else if meta.is_dir() {
            Kind::Dir
        } else if meta.is_file() {
            Kind::File
        } else {
            Kind::Other
        },
        len: meta.len(),
        links: meta.nlink(),
        modified: meta.modified().ok().map(cap_std::time::SystemTime::into_std),
        identity: Identity(meta.dev(), meta.ino(), meta.mode() & 0o170_000),
    }
}

/// Opens the folder that the user gave.
pub(super) fn open_root(path: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(path, ambient_authority())
}

pub(super) fn clone_dir(dir: &Dir) -> io::Result<Dir> {
    dir.try_clone()
}

/// Opens a folder in `dir`, never through a link.
pub(super) fn open_dir(dir: &Dir, name: &OsStr) -> io::Result<Dir> {
    dir.open_dir_nofollow(name)
}

pub(super) fn stat(dir: &Dir, name: &OsStr) -> io::Result<Meta> {
    dir.symlink_metadata(name).map(|meta| meta_of(&meta))
}

pub(super) fn stat_dir(dir: &Dir) -> io::Result<Meta> {
    dir.dir_metadata().map(|meta| meta_of(&meta))
}

pub(super) fn read_link(dir: &Dir, name: &OsStr) -> io::Result<OsString> {
    dir.read_link_contents(name).map(std::path::PathBuf::into_os_string)
}

/// Removes a file, or a link itself.
pub(super) fn remove_file(dir: &Dir, name: &OsStr) -> io::Result<()> {
    dir.remove_file(name)
}

/// Removes an empty folder.
pub(super) fn remove_dir(dir: &Dir, name: &OsStr) -> io::Result<()> {
    dir.remove_dir(name)
}

/// Opens a file, never through a link.
pub(super) fn open_file(dir: &Dir, name: &OsStr, access: Access) -> io::Result<(File, Meta)> {
    let mut options = OpenOptions::new();
    match access {
        Access::Read => options.read(true),
        Access::InPlace => options.read(true).write(true),
        Access::Append => options.append(true),
        Access::Create => options.write(true).create_new(true),
    };
    options.follow(FollowSymlinks::No);
    let file = open_quietly(dir, name, &mut options)?;
    let meta = meta_of(&file.metadata()?);
    Ok((file.into_std(), meta))
}

pub(super) fn stamp(dir: &Dir) -> io::Result<Stamp> {
    let meta = dir.dir_metadata()?;
    let time = |seconds: i64, nanos: i64| {
        let base = std::time::UNIX_EPOCH;
        let nanos = std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        let whole = std::time::Duration::from_secs(seconds.unsigned_abs());
        let moment = if seconds < 0 { base.checked_sub(whole) } else { base.checked_add(whole) };
        moment.and_then(|m| m.checked_add(nanos)).unwrap_or(base)
    };
    Ok(Stamp {
        id: (meta.dev(), meta.ino()),
        times: [time(meta.mtime(), meta.mtime_nsec()), time(meta.ctime(), meta.ctime_nsec())],
    })
}

/// Leaves access times alone, where the system lets us (owner or root only).
#[cfg(target_os = "linux")]
const NOATIME: OFlags = OFlags::NOATIME;
#[cfg(not(target_os = "linux"))]
const NOATIME: OFlags = OFlags::empty();

/// An independent handle to a folder that can be read and flushed (cap-std's own can be neither
/// on Linux, `O_PATH`).
fn reopen(dir: &Dir) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = |extra: OFlags| retry_on_intr(|| rustix::fs::openat(dir, c".", flags | extra, Mode::empty()));
    let opened = match open(NOATIME) {
        Err(Errno::PERM) => open(OFlags::empty()),
        other => other,
    };
    Ok(opened?)
}

pub(super) fn list(dir: &Dir, doing: &Doing, path: &VolPath) -> Result<Vec<Entry>, VolumeError> {
    let io = |e: io::Error| VolumeError::from_io(doing.clone(), path, e);
    let fd = reopen(dir).map_err(io)?;
    let mut entries = Vec::new();
    let stream = rustix::fs::Dir::new(fd).map_err(|e| io(e.into()))?;
    for entry in stream {
        let entry = match entry {
            Ok(entry) => entry,
            Err(Errno::INTR) => continue,
            Err(e) => return Err(io(e.into())),
        };
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        too_many(entries.len(), doing, path)?;
        let name: OsString = OsStr::from_bytes(name).to_owned();
        let file_type = match entry.file_type() {
            FileType::Unknown => {
                let stat =
                    retry_on_intr(|| rustix::fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT));
                match stat {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue, // gone meanwhile
                    Err(e) => return Err(io(e.into())),
                }
            }
            known => known,
        };
        let kind = match file_type {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        entries.push(Entry { name, kind });
    }
    Ok(entries)
}

/// Opens a file without waiting (a pipe that was put in its place) and, where allowed, without
/// touching its access time. A file that is created is for its owner only.
fn open_quietly(dir: &Dir, name: &OsStr, options: &mut OpenOptions) -> io::Result<cap_std::fs::File> {
    let mut open = |extra: OFlags| {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | extra;
        // The bits of open flags are an i32 to the standard library, an u32 to rustix.
        options.custom_flags(flags.bits() as i32);
        options.mode(0o600);
        loop {
            match dir.open_with(name, options) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    };
    match open(NOATIME) {
        Err(e) if e.raw_os_error() == Some(Errno::PERM.raw_os_error()) => open(OFlags::empty()),
        other => other,
    }
}

/// Locks an open file against others that lock it; `false` if somebody has. A file system that
/// knows no locks has no others.
pub(super) fn lock(file: &File) -> io::Result<bool> {
    match retry_on_intr(|| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOLCK) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

pub(super) fn free_space(dir: &Dir) -> io::Result<u64> {
    let stat = retry_on_intr(|| rustix::fs::fstatvfs(dir))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

pub(super) fn is_read_only(dir: &Dir) -> io::Result<bool> {
    let stat = retry_on_intr(|| rustix::fs::fstatvfs(dir))?;
    if stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Ok(true);
    }
    // The same, as the mount table tells it: a bind mount can be read-only by itself.
    Ok(mount_info(dir).is_some_and(|m| m.options.split(',').any(|o| o == "ro")))
}

#[cfg(target_os = "linux")]
pub(super) fn mount_info(dir: &Dir) -> Option<MountInfo> {
    let (id, top) = statx_mount(dir).ok()?;
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    let mount = super::mountinfo::parse(&table).find(|m| m.id == id)?;
    Some(MountInfo {
        is_ntfs: is_ntfs(dir),
        fs_type: mount.fs_type,
        source: mount.source,
        device: mount.device,
        mount_point: mount.mount_point,
        root: mount.root,
        options: mount.options,
        target_is_mount_root: top.unwrap_or(false),
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn mount_info(_: &Dir) -> Option<MountInfo> {
    None
}

/// The serial number in an NTFS boot sector (offset 0x48, 8 bytes; "NTFS    " at 3) of the device or
/// image that is mounted.
pub(super) fn ntfs_serial(dir: &Dir) -> Option<u64> {
    use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
    let source = mount_info(dir).filter(|mount| mount.is_ntfs)?.source;
    let nonblock = OFlags::NONBLOCK | OFlags::NOCTTY;
    let device = std::fs::OpenOptions::new().read(true).custom_flags(nonblock.bits() as i32).open(source).ok()?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&device).ok()?.st_mode);
    if !matches!(kind, FileType::BlockDevice | FileType::RegularFile) {
        return None;
    }
    let mut sector = [0; 512];
    device.read_exact_at(&mut sector, 0).ok()?;
    if sector.get(3..11)? != b"NTFS    " {
        return None;
    }
    Some(u64::from_le_bytes(sector.get(0x48..0x50)?.try_into().ok()?))
}

pub(super) fn is_running_system(_: &Dir, _: &Path) -> bool {
    false
}

pub(super) fn sync_dir(dir: &Dir) -> io::Result<()> {
    match retry_on_intr(|| rustix::fs::fsync(reopen(dir).map_err(errno)?)) {
        // A file system without this notion writes through, or has nothing to flush.
        Ok(()) | Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Files and folders were flushed one by one; to flush all else on the file system is nobody's wish here.
#[allow(clippy::unnecessary_wraps)] // as on Windows
pub(super) fn sync_volume(_: &Dir) -> io::Result<()> {
    Ok(())
}

fn errno(e: io::Error) -> Errno {
    Errno::from_io_error(&e).unwrap_or(Errno::IO)
}

/// Renames without overwriting. `RENAME_NOREPLACE` makes that one step; ntfs-3g (and others)
/// answer EINVAL to it, there it is look, then rename; the caller looks afterwards.
pub(super) fn rename(from_dir: &Dir, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::RenameFlags;
        match retry_on_intr(|| rustix::fs::renameat_with(from_dir, from, to_dir, to, RenameFlags::NOREPLACE)) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            other => return Ok(other?),
        }
    }
    match retry_on_intr(|| rustix::fs::statat(to_dir, to, AtFlags::SYMLINK_NOFOLLOW)) {
        Err(Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
    }
    Ok(retry_on_intr(|| rustix::fs::renameat(from_dir, from, to_dir, to))?)
}

pub(super) fn create_dir(dir: &Dir, name: &OsStr, protection: Protection) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    if protection == Protection::AdministratorsOnly {
        builder.mode(0o700);
    }
    dir.create_dir_with(name, &builder)
}

/// Under which name the drivers for NTFS show a file's security descriptor: ntfs-3g, the kernel.
const DESCRIPTOR: [&std::ffi::CStr; 2] = [c"system.ntfs_acl", c"system.ntfs_security"];

/// The descriptor of an open file or folder, and the attribute's name; `None` where there is no
/// such thing.
fn descriptor(fd: impl AsFd) -> Option<(&'static std::ffi::CStr, Vec<u8>)> {
    DESCRIPTOR.into_iter().find_map(|name| {
        let mut bytes = vec![0u8; 0x1_0000]; // what an extended attribute can hold at most
        let len = retry_on_intr(|| rustix::fs::fgetxattr(&fd, name, &mut bytes[..])).ok()?;
        bytes.truncate(len);
        Some((name, bytes))
    })
}

/// Under which names the drivers show the attributes: ntfs-3g and newer kernels big-endian, all of them as the machine has it.
const ATTRIBUTES: [&std::ffi::CStr; 2] = [c"system.ntfs_attrib_be", c"system.ntfs_attrib"];

/// The descriptor and the attributes of the folder `dir` itself, or of the file `name` in it; `None` where there are none.
pub(super) fn security(dir: &Dir, name: Option<&OsStr>) -> io::Result<Option<FileSecurity>> {
    let fd: OwnedFd = match name {
        None => reopen(dir)?,
        Some(name) => {
            let mut options = OpenOptions::new();
            options.read(true);
            options.follow(FollowSymlinks::No);
            OwnedFd::from(open_quietly(dir, name, &mut options)?.into_std())
        }
    };
    let read = |name: &std::ffi::CStr| -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0u8; 0x1_0000];
        match retry_on_intr(|| rustix::fs::fgetxattr(&fd, name, &mut bytes[..])) {
            Ok(len) => {
                bytes.truncate(len);
                Ok(Some(bytes))
            }
            // Another file system, or a driver without this one.
            Err(Errno::OPNOTSUPP | Errno::NODATA | Errno::NOSYS | Errno::INVAL) => Ok(None),
            Err(e) => Err(e.into()),
        }
    };
    for name in DESCRIPTOR {
        let Some(descriptor) = read(name)? else { continue };
        let [big_endian, native] = ATTRIBUTES.map(&read);
        let number = |bytes: Vec<u8>, of: fn([u8; 4]) -> u32| bytes.try_into().ok().map(of);
        let attributes = match big_endian? {
            Some(bytes) => number(bytes, u32::from_be_bytes),
            None => native?.and_then(|bytes| number(bytes, u32::from_ne_bytes)),
        };
        return Ok(Some(FileSecurity { descriptor, attributes }));
    }
    Ok(None)
}

/// Whether a folder lies on NTFS. The type of the mount does not tell with ntfs-3g.
fn is_ntfs(dir: &Dir) -> bool {
    reopen(dir).ok().and_then(descriptor).is_some()
}

/// Sets a descriptor; `false` if this user may not, or the driver can't.
fn set_descriptor(fd: impl AsFd, attribute: &std::ffi::CStr, sd: &[u8]) -> io::Result<bool> {
    match retry_on_intr(|| rustix::fs::fsetxattr(&fd, attribute, sd, XattrFlags::empty())) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS | Errno::NOSYS) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Gives something new in `parent` the descriptor that it should have: administrators only if that
/// is asked for or `parent` is for them only and passes nothing else on; else what it inherits.
/// Whether nobody but administrators gets in now.
fn give_descriptor(
    parent: &Dir,
    new: impl AsFd,
    attribute: &std::ffi::CStr,
    folder: bool,
    asked: bool,
) -> io::Result<bool> {
    let above = reopen(parent).ok().and_then(descriptor).map(|(_, sd)| sd).unwrap_or_default();
    let closed = dacl::lets_only_administrators_in(&above);
    let from_above = dacl::inherited(&above, folder);
    let sd = match from_above {
        Some(sd) if !asked && !dacl::is_ours(&above) => sd,
        _ if asked || closed => dacl::administrators_only(folder),
        // Nothing is inherited: as the driver has made it.
        _ => return Ok(false),
    };
    // Looked at afterwards: done is what is there.
    Ok(set_descriptor(&new, attribute, &sd)?
        && descriptor(&new).is_some_and(|(_, sd)| dacl::lets_only_administrators_in(&sd)))
}

/// Protects the folder `dir`, new or not, in `parent`, and says what was achieved.
pub(super) fn protect_dir(parent: &Dir, dir: &Dir, protection: Protection) -> io::Result<Protected> {
    let fd = reopen(dir)?;
    let asked = protection == Protection::AdministratorsOnly;
    if let Some((attribute, _)) = descriptor(&fd) {
        return Ok(if give_descriptor(parent, &fd, attribute, true, asked)? {
            Protected::Dacl
        } else {
            Protected::Plain
        });
    }
    if !asked {
        return Ok(Protected::Plain);
    }
    match retry_on_intr(|| rustix::fs::fchmod(&fd, Mode::RWXU)) {
        // Not ours to change, or nothing to change: what there is tells.
        Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => self::protection(dir, None),
        Err(e) => Err(e.into()),
    }
}

/// Protects a new, still empty file in `parent` as its folder demands.
pub(super) fn protect_file(parent: &Dir, file: &File) -> io::Result<()> {
    let Some((attribute, _)) = descriptor(file) else {
        return Ok(());
    };
    let done = give_descriptor(parent, file, attribute, false, false)?;
    if !done && self::protection(parent, None)? == Protected::Dacl {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file can't be restricted to administrators"));
    }
    Ok(())
}

/// The protection of the folder `dir` itself, or of the entry `name` in it.
pub(super) fn protection(dir: &Dir, name: Option<&OsStr>) -> io::Result<Protected> {
    let (fd, meta): (OwnedFd, Metadata) = match name {
        None => (reopen(dir)?, dir.dir_metadata()?),
        Some(name) => {
            let meta = dir.symlink_metadata(name)?;
            if !meta.is_file() {
                return Ok(Protected::Plain);
            }
            let mut options = OpenOptions::new();
            options.read(true);
            options.follow(FollowSymlinks::No);
            let file = open_quietly(dir, name, &mut options)?;
            (OwnedFd::from(file.into_std()), meta)
        }
    };
    if let Some((_, sd)) = descriptor(&fd) {
        // On NTFS the permission bits are made up by the driver, and Windows does not know them.
        return Ok(if dacl::lets_only_administrators_in(&sd) { Protected::Dacl } else { Protected::Plain });
    }
    let owner = meta.uid();
    let trusted = owner == 0 || owner == rustix::process::geteuid().as_raw();
    Ok(if trusted && meta.permissions().mode() & 0o077 == 0 { Protected::Mode } else { Protected::Plain })
}
