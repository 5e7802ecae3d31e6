//! Files and folders of Windows, through its native calls ([`crate::windows::calls`]).
//!
//! `cap-std`, which does this on Unix, is not used here. Of what it has, only `open_dir_nofollow`, `symlink_metadata`,
//! `open_with` and `read_link_contents` work by handle (`NtCreateFile` with `RootDirectory`), and these ask for backup intent
//! only together with `GENERIC_READ` on a folder, so privileges don't help with a file of TrustedInstaller's; `entries`,
//! `create_dir`, `remove_file`, `remove_dir` and `rename` put a path together (`GetFinalPathNameByHandleW`, its `\\?\` cut
//! off, which a volume without a letter does not survive), and its `rename` replaces. So here:
//!
//! * Every call is relative to a folder's handle, for one name, with backup intent, never through a reparse point, and the
//!   only path that the system gets is the one that the user gave.
//! * Reading shares the file with everybody, so that looking disturbs nobody; writing lets others read, which is the lock: a
//!   second writer, or a hive that Windows has loaded, is a sharing violation. Hives that are written in place are written
//!   through (`FILE_FLAG_WRITE_THROUGH`).
//! * A rename is `FILE_RENAME_INFORMATION` without replace on the thing's own handle: one step.
//! * A folder for administrators only is made with its descriptor, and what is reported is what reading it back says. To this
//!   user alone (not elevated, or Wine, which keeps permission bits) is [`Protected::Mode`], as on Unix.
//! * Windows keeps a folder's times current on NTFS and ReFS, not on FAT: what a folder holds is remembered only there. The
//!   same goes for the numbers that identify a file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::path::{Component, Path, PathBuf, Prefix};
use std::time::{Duration, SystemTime};

use super::super::error::{Doing, VolumeError};
use super::super::path::VolPath;
use super::super::walk::too_many;
use super::super::{Entry, FileSecurity, Kind, MountInfo, Protected, Protection};
use super::listing::Stamp;
use super::{dacl, Access, Meta};
use crate::windows::calls::file::{self, access, share, Information, Request, Sort};
use crate::windows::calls::security::{self, Part};
use crate::windows::calls::volume_info::{self, Naming};
use crate::windows::calls::volumes;

/// `FILE_FLAG_BACKUP_SEMANTICS`: without it no folder can be opened.
const BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// `FILE_ATTRIBUTE_DEVICE`.
const DEVICE: u32 = 0x40;

// Windows' numbers of errors, which the standard library does not name.
const INVALID_FUNCTION: i32 = 1;
const FILE_NOT_FOUND: i32 = 2;
const PATH_NOT_FOUND: i32 = 3;
const ACCESS_DENIED: i32 = 5;
const INVALID_HANDLE: i32 = 6;
const NOT_SUPPORTED: i32 = 50;
const INVALID_PARAMETER: i32 = 87;
const INVALID_NAME: i32 = 123;
const BAD_PATHNAME: i32 = 161;
const DIRECTORY: i32 = 267;
const STOPPED_ON_SYMLINK: i32 = 681;
const INVALID_OWNER: i32 = 1307;
const PRIVILEGE_NOT_HELD: i32 = 1314;

/// There is no such call for it, or not for this user, or no such device.
const CANT_FLUSH: [i32; 8] = [
    INVALID_FUNCTION,
    FILE_NOT_FOUND,
    PATH_NOT_FOUND,
    ACCESS_DENIED,
    INVALID_HANDLE,
    NOT_SUPPORTED,
    INVALID_PARAMETER,
    BAD_PATHNAME,
];

fn is(e: &io::Error, codes: &[i32]) -> bool {
    e.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// A folder, open.
#[derive(Debug)]
pub(super) struct Dir {
    handle: OwnedHandle,
    /// Whether its file system identifies files by lasting numbers, and keeps folders' times: NTFS and ReFS do.
    lasting: bool,
}

impl AsHandle for Dir {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }
}

/// Which volume an open file or folder lies on: its serial number. A mounted folder is a reparse point, and as such not
/// entered; this is the second guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MountId(u32);

pub(super) fn mount_id(open: impl AsHandle) -> io::Result<MountId> {
    Ok(MountId(file::information(open)?.volume))
}

/// What tells whether a name still means the same thing: the volume and the file's number there; where numbers don't last
/// (FAT, where it is the place of the entry), the length and when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(Kind, u32, u64, u64);

fn kind_of(info: &Information) -> Kind {
    if info.is_link() {
        Kind::Link
    } else if info.is_folder() {
        Kind::Dir
    } else if info.attributes & DEVICE != 0 {
        Kind::Other
    } else {
        Kind::File
    }
}

/// A moment that Windows counts from 1601, in units of 100 nanoseconds; `None` for 0, which is no time.
fn moment(units: u64) -> Option<SystemTime> {
    const UNTIL_1970: u64 = 11_644_473_600;
    let since_1601 = Duration::from_secs(units / 10_000_000)
        .checked_add(Duration::from_nanos((units % 10_000_000).checked_mul(100)?))?;
    let until_1970 = Duration::from_secs(UNTIL_1970);
    if units == 0 {
        return None;
    }
    match since_1601.checked_sub(until_1970) {
        Some(after) => SystemTime::UNIX_EPOCH.checked_add(after),
        None => SystemTime::UNIX_EPOCH.checked_sub(until_1970.checked_sub(since_1601)?),
    }
}

fn meta_of(info: &Information, lasting: bool) -> Meta {
    let kind = kind_of(info);
    Meta {
        kind,
        len: info.len,
        links: u64::from(info.links),
        modified: moment(info.written),
        identity: if lasting {
            Identity(kind, info.volume, info.index, 0)
        } else {
            Identity(kind, info.volume, info.len, info.created)
        },
    }
}

/// Opens the folder that the user gave.
pub(super) fn open_root(path: &Path) -> io::Result<Dir> {
    let root = std::fs::OpenOptions::new()
        .access_mode(access::LIST)
        .share_mode(share::ALL)
        .custom_flags(BACKUP_SEMANTICS)
        .open(path)?;
    if !file::information(&root)?.is_folder() {
        return Err(io::Error::from_raw_os_error(DIRECTORY));
    }
    // Unknown is as good as FAT.
    let lasting = volume_info::file_system(&root).is_ok_and(|fs| fs.name == "NTFS" || fs.name == "ReFS");
    Ok(Dir { handle: root.into(), lasting })
}

/// The same folder, with a handle (and a position in its list) of its own.
pub(super) fn clone_dir(dir: &Dir) -> io::Result<Dir> {
    Ok(Dir { handle: file::reopen(dir, &Request::new(access::LIST))?, lasting: dir.lasting })
}

/// Opens a folder in `dir`, never through a link.
pub(super) fn open_dir(dir: &Dir, name: &OsStr) -> io::Result<Dir> {
    let handle = file::open_at(dir, name, &Request { sort: Sort::Folder, ..Request::new(access::LIST) })?;
    if file::information(&handle)?.is_link() {
        return Err(io::Error::from_raw_os_error(STOPPED_ON_SYMLINK));
    }
    Ok(Dir { handle, lasting: dir.lasting })
}

pub(super) fn stat(dir: &Dir, name: &OsStr) -> io::Result<Meta> {
    let open = file::open_at(dir, name, &Request::new(access::ATTRIBUTES))?;
    Ok(meta_of(&file::information(open)?, dir.lasting))
}

pub(super) fn stat_dir(dir: &Dir) -> io::Result<Meta> {
    Ok(meta_of(&file::information(dir)?, dir.lasting))
}

pub(super) fn stamp(dir: &Dir) -> io::Result<Stamp> {
    let info = file::information(dir)?;
    let times = if dir.lasting { moment(info.written).zip(moment(file::change_time(dir)?)) } else { None };
    // Never the same where times don't tell, so nothing is kept.
    let now = SystemTime::now();
    let (written, changed) = times.unwrap_or((now, now));
    Ok(Stamp { id: (u64::from(info.volume), info.index), times: [written, changed] })
}

pub(super) fn list(dir: &Dir, doing: &Doing, path: &VolPath) -> Result<Vec<Entry>, VolumeError> {
    let mut entries = Vec::new();
    let mut too_long = Ok(());
    let listed = file::list(dir, |entry| {
        too_long = too_many(entries.len(), doing, path);
        let kind = match (entry.is_link, entry.is_folder) {
            (true, _) => Kind::Link,
            (false, true) => Kind::Dir,
            (false, false) => Kind::File,
        };
        entries.push(Entry { name: entry.name, kind });
        too_long.is_ok()
    });
    too_long?;
    listed.map_err(|e| VolumeError::from_io(doing.clone(), path, e))?;
    Ok(entries)
}

pub(super) fn read_link(dir: &Dir, name: &OsStr) -> io::Result<OsString> {
    file::link_target(file::open_at(dir, name, &Request::new(access::ATTRIBUTES))?)
}

/// Opens a file, never through a link.
pub(super) fn open_file(dir: &Dir, name: &OsStr, wanted: Access) -> io::Result<(File, Meta)> {
    let request = |rights| Request { sort: Sort::File, share: share::READ, ..Request::new(rights) };
    let request = match wanted {
        Access::Read => Request { share: share::ALL, ..request(access::READ) },
        Access::InPlace => Request { write_through: true, ..request(access::READ | access::WRITE) },
        Access::Append => request(access::WRITE),
        Access::Create => {
            Request { create: true, ..request(access::WRITE | access::READ_CONTROL | access::WRITE_CONTROL) }
        }
    };
    let mut handle = match file::open_at(dir, name, &request) {
        // On a share the right to change descriptors may be missing; needed is it only for a folder of our own.
        Err(e) if wanted == Access::Create && is(&e, &[ACCESS_DENIED]) => {
            file::open_at(dir, name, &Request { access: access::WRITE, ..request })?
        }
        other => other?,
    };
    let mut info = file::information(&handle)?;
    if info.reparse_tag.is_some() && !info.is_link() {
        // What its driver makes of it is the content: opened again, and it must be the same file.
        drop(handle);
        handle = file::open_at(dir, name, &Request { through_reparse_point: true, ..request })?;
        let real = file::information(&handle)?;
        if (real.volume, real.index) != (info.volume, info.index) {
            return Err(io::Error::from_raw_os_error(STOPPED_ON_SYMLINK));
        }
        info = real;
    }
    let mut file = File::from(handle);
    if wanted == Access::Append {
        file.seek(SeekFrom::End(0))?;
    }
    Ok((file, meta_of(&info, dir.lasting)))
}

/// The share mode is the lock.
pub(super) fn lock(_: &File) -> io::Result<bool> {
    Ok(true)
}

pub(super) fn free_space(dir: &Dir) -> io::Result<u64> {
    volume_info::free_space(dir)
}

/// A file system that does not answer such questions (Wine over some of Linux', some redirectors) is not known to be
/// read-only: then the first write tells.
pub(super) fn is_read_only(dir: &Dir) -> io::Result<bool> {
    match volume_info::file_system(dir) {
        Ok(fs) => Ok(fs.read_only),
        Err(e) if is(&e, &[INVALID_FUNCTION, NOT_SUPPORTED, INVALID_PARAMETER]) => Ok(false),
        Err(e) => Err(e),
    }
}

/// The device that an open folder lies on, such as `\Device\HarddiskVolume3`, and the path there.
fn device(open: impl AsHandle) -> Option<(OsString, OsString)> {
    let open = open.as_handle();
    let whole = volume_info::final_path(open, Naming::Device).ok()?;
    let inside = volume_info::final_path(open, Naming::None).ok()?;
    let (whole, tail): (Vec<u16>, Vec<u16>) = (whole.encode_wide().collect(), inside.encode_wide().collect());
    let device = whole.strip_suffix(tail.as_slice()).filter(|device| !device.is_empty())?;
    Some((OsString::from_wide(device), inside))
}

/// What Windows says of the volume: its file system, its device, where it is mounted.
pub(super) fn mount_info(dir: &Dir) -> Option<MountInfo> {
    /// The number of the root folder's file record in the MFT.
    const ROOT_RECORD: u64 = 5;
    let fs = volume_info::file_system(dir).ok()?;
    let is_ntfs = fs.name == "NTFS";
    let (source, root) = device(dir).unwrap_or_default();
    let record = file::information(dir).ok()?.index & 0xffff_ffff_ffff;
    let mounted = volume_info::final_path(dir, Naming::Mounted).unwrap_or_default();
    Some(MountInfo {
        fs_type: fs.name.to_string_lossy().into_owned(),
        is_ntfs,
        source: PathBuf::from(source),
        device: (0, 0),
        mount_point: PathBuf::from(mounted),
        target_is_mount_root: if is_ntfs { record == ROOT_RECORD } else { root == r"\" },
        root: PathBuf::from(root),
        options: if fs.read_only { "ro" } else { "rw" }.to_string(),
    })
}

pub(super) fn ntfs_serial(dir: &Dir) -> Option<u64> {
    volume_info::ntfs_serial(dir)
}

/// Whether what was opened lies on the volume of the running Windows (of WinPE in WinPE), by the device below: a volume may
/// have several letters or none, and a copy of it has the same serial number. The letter is asked only if no device is known.
pub(super) fn is_running_system(dir: &Dir, given: &Path) -> bool {
    let running = volumes::system_windows_directory().map(PathBuf::from);
    let system = running.as_ref().ok().and_then(|path| open_root(path).ok());
    if let (Some((ours, _)), Some((theirs, _))) = (device(dir), system.and_then(device)) {
        return ours == theirs;
    }
    let drive = |path: &Path| match path.components().next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => Some(letter.to_ascii_uppercase()),
            _ => None,
        },
        _ => None,
    };
    let system = running.ok().and_then(|path| drive(&path));
    let target = std::path::absolute(given).ok().and_then(|path| drive(&path));
    system.is_some() && system == target
}

/// Flushes a folder's entries. That needs the right to write in it, and not every file system does it for a folder: there
/// Windows writes them with its journal, or when it likes, and nothing more can be asked for.
pub(super) fn sync_dir(dir: &Dir) -> io::Result<()> {
    match file::reopen(dir, &Request::new(access::ADD)).and_then(file::flush) {
        Err(e) if is(&e, &[ACCESS_DENIED, INVALID_FUNCTION, INVALID_HANDLE, NOT_SUPPORTED, INVALID_PARAMETER]) => {
            Ok(())
        }
        other => other,
    }
}

/// Flushes the volume as a whole (`FlushFileBuffers` on the device). That needs an administrator, and a device: a share has none.
pub(super) fn sync_volume(dir: &Dir) -> io::Result<()> {
    let Some((device, _)) = device(dir) else { return Ok(()) };
    let mut path = OsString::from(r"\\?\GLOBALROOT");
    path.push(device);
    let flush = || std::fs::OpenOptions::new().write(true).share_mode(share::ALL).open(path)?.sync_all();
    match flush() {
        Err(e) if is(&e, &CANT_FLUSH) => Ok(()),
        other => other,
    }
}

/// Renames without overwriting.
pub(super) fn rename(from_dir: &Dir, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
    let open = file::open_at(from_dir, from, &Request::new(access::DELETE | access::ATTRIBUTES))?;
    let (source, target) = (file::information(from_dir)?, file::information(to_dir)?);
    if (source.volume, source.index) == (target.volume, target.index) {
        // Within a folder its name is all that changes: no right to create in it is asked for.
        match file::rename(&open, None, to) {
            // Wine takes no name without a folder.
            Err(e) if is(&e, &[INVALID_NAME, BAD_PATHNAME, INVALID_PARAMETER, NOT_SUPPORTED]) => {}
            other => return other,
        }
    }
    file::rename(&open, Some(to_dir.as_handle()), to)
}

fn remove(dir: &Dir, name: &OsStr, fits: impl Fn(Kind) -> bool) -> io::Result<()> {
    let rights = access::DELETE | access::ATTRIBUTES;
    let with = Request::new(rights | access::SET_ATTRIBUTES);
    let open = match file::open_at(dir, name, &with) {
        // Attributes are changed only if it is marked read-only.
        Err(e) if is(&e, &[ACCESS_DENIED]) => file::open_at(dir, name, &Request::new(rights))?,
        other => other?,
    };
    if !fits(kind_of(&file::information(&open)?)) {
        return Err(io::Error::from_raw_os_error(ACCESS_DENIED));
    }
    file::delete(open)
}

/// Removes a file, or a link itself, also one to a folder.
pub(super) fn remove_file(dir: &Dir, name: &OsStr) -> io::Result<()> {
    remove(dir, name, |kind| kind != Kind::Dir)
}

/// Removes an empty folder.
pub(super) fn remove_dir(dir: &Dir, name: &OsStr) -> io::Result<()> {
    remove(dir, name, |kind| kind == Kind::Dir)
}

/// Whether this user may not give something to Administrators: he is none of them, and can't restore.
fn is_no_administrator(e: &io::Error) -> bool {
    is(e, &[INVALID_OWNER, PRIVILEGE_NOT_HELD])
}

pub(super) fn create_dir(dir: &Dir, name: &OsStr, protection: Protection) -> io::Result<()> {
    let make = |descriptor: Option<&[u8]>| {
        let request = Request { sort: Sort::Folder, create: true, descriptor, ..Request::new(access::ATTRIBUTES) };
        file::open_at(dir, name, &request).map(drop)
    };
    match protection {
        Protection::Plain => make(None),
        Protection::AdministratorsOnly => match make(Some(&dacl::administrators_only(true))) {
            Err(e) if is_no_administrator(&e) => make(Some(&dacl::administrators_and(&security::this_user()?, true))),
            other => other,
        },
    }
}

/// What a descriptor lets in.
fn judge(descriptor: &[u8]) -> Protected {
    if dacl::lets_only_administrators_in(descriptor) {
        return Protected::Dacl;
    }
    match security::this_user() {
        Ok(user) if dacl::lets_only_administrators_in_and(&user, descriptor) => Protected::Mode,
        _ => Protected::Plain,
    }
}

/// The protection of what is open with the right to read its descriptor; where there is none, none.
fn protection_of(open: impl AsHandle) -> io::Result<Protected> {
    match security::descriptor(open) {
        Ok(descriptor) => Ok(judge(&descriptor)),
        Err(e) if is(&e, &[INVALID_FUNCTION, NOT_SUPPORTED]) => Ok(Protected::Plain),
        Err(e) => Err(e),
    }
}

/// Restricts what is open with the right to change its descriptor, as far as this user may and the file system can.
fn restrict(open: impl AsHandle, folder: bool) -> io::Result<()> {
    let open = open.as_handle();
    match security::set_descriptor(open, &dacl::administrators_only(folder), Part::All) {
        Err(e) if is_no_administrator(&e) => {
            let theirs = dacl::administrators_and(&security::this_user()?, folder);
            security::set_descriptor(open, &theirs, Part::Dacl)
        }
        Err(e) if is(&e, &[ACCESS_DENIED, INVALID_FUNCTION, NOT_SUPPORTED]) => Ok(()),
        other => other,
    }
}

/// The protection of a folder, none if this user may not read its descriptor: who sees that little keeps nobody out.
fn protection_if_told(dir: &Dir) -> io::Result<Protected> {
    match protection(dir, None) {
        Err(e) if is(&e, &[ACCESS_DENIED]) => Ok(Protected::Plain),
        other => other,
    }
}

/// Protects the folder `dir`, new or not, in `parent`, and says what was achieved. What is created inherits by itself.
pub(super) fn protect_dir(parent: &Dir, dir: &Dir, protection: Protection) -> io::Result<Protected> {
    let asked = protection == Protection::AdministratorsOnly;
    let now = protection_if_told(dir)?;
    if now == Protected::Dacl {
        return Ok(now);
    }
    // In a folder for administrators one may still belong to this user.
    if !asked && protection_if_told(parent)? != Protected::Dacl {
        return Ok(Protected::Plain);
    }
    match file::reopen(dir, &Request::new(access::READ_CONTROL | access::WRITE_CONTROL | access::ATTRIBUTES)) {
        Ok(open) => {
            restrict(&open, true)?;
            protection_of(&open)
        }
        Err(e) if is(&e, &[ACCESS_DENIED]) => Ok(now),
        Err(e) => Err(e),
    }
}

/// Protects a new, still empty file in `parent` as its folder demands.
pub(super) fn protect_file(parent: &Dir, file: &File) -> io::Result<()> {
    if protection_if_told(parent)? != Protected::Dacl || protection_of(file)? == Protected::Dacl {
        return Ok(());
    }
    restrict(file, false)?;
    if protection_of(file)? != Protected::Dacl {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file can't be restricted to administrators"));
    }
    Ok(())
}

/// The protection of the folder `dir` itself, or of the entry `name` in it.
pub(super) fn protection(dir: &Dir, name: Option<&OsStr>) -> io::Result<Protected> {
    let request = Request::new(access::READ_CONTROL | access::ATTRIBUTES);
    let Some(name) = name else {
        return protection_of(file::reopen(dir, &request)?);
    };
    let open = file::open_at(dir, name, &request)?;
    if kind_of(&file::information(&open)?) != Kind::File {
        return Ok(Protected::Plain);
    }
    protection_of(open)
}

/// The descriptor and the attributes of the folder `dir` itself, or of the file `name` in it; `None` where the volume is no NTFS: what
/// Wine and some redirectors say of another file system is made up.
pub(super) fn security(dir: &Dir, name: Option<&OsStr>) -> io::Result<Option<FileSecurity>> {
    if volume_info::ntfs_serial(dir).is_none() {
        return Ok(None);
    }
    let request = Request::new(access::READ_CONTROL | access::ATTRIBUTES);
    let open = match name {
        None => file::reopen(dir, &request)?,
        Some(name) => file::open_at(dir, name, &request)?,
    };
    let attributes = Some(file::information(&open)?.attributes);
    match security::descriptor(&open) {
        Ok(descriptor) => Ok(Some(FileSecurity { descriptor, attributes })),
        Err(e) if is(&e, &[INVALID_FUNCTION, NOT_SUPPORTED]) => Ok(None),
        Err(e) => Err(e),
    }
}
