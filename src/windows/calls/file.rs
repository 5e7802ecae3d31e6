//! Files and folders by handle: opening, listing, renaming, deleting, asking.
//!
//! Everything is relative to the handle of a folder (`RootDirectory` of `OBJECT_ATTRIBUTES`, `NtCreateFile`), one name at a
//! time: no path is put together, so letters, long paths, and names that the Win32 layer would change (a trailing dot, `CON`)
//! don't matter, and nothing can be exchanged on the way. Every handle is opened with `FILE_OPEN_FOR_BACKUP_INTENT`: with
//! `SeBackupPrivilege` and `SeRestorePrivilege` enabled the system then lets an administrator read, write, rename and delete
//! what belongs to TrustedInstaller, with owner and descriptor as they are; without these it is an ordinary access. Links are
//! opened as themselves (`FILE_OPEN_REPARSE_POINT`) unless [`Request::through_reparse_point`] says otherwise.
//!
//! Sources: Microsoft's documentation of `NtCreateFile`, `NtQueryDirectoryFile`, `NtSetInformationFile`
//! (`FILE_RENAME_INFORMATION`, `FILE_DISPOSITION_INFORMATION`, `FILE_BASIC_INFORMATION`), `GetFileInformationByHandle`,
//! and [MS-FSCC] 2.1.2 (reparse points), 2.4 (information classes). All of them are in Windows 7.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::{offset_of, size_of};
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::windows::io::{AsHandle, AsRawHandle as _, BorrowedHandle, FromRawHandle as _, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Foundation::{
    RtlNtStatusToDosError, ERROR_CANT_ACCESS_FILE, ERROR_DELETE_PENDING, ERROR_INVALID_NAME, HANDLE, NTSTATUS,
    STATUS_BUFFER_OVERFLOW, STATUS_DELETE_PENDING, STATUS_NO_MORE_FILES, STATUS_NO_SUCH_FILE, UNICODE_STRING,
};
use windows_sys::Win32::Storage::FileSystem as win32;
use windows_sys::Win32::System::Ioctl::FSCTL_GET_REPARSE_POINT;
use windows_sys::Win32::System::IO::{DeviceIoControl, IO_STATUS_BLOCK};

use super::security;

/// `FILE_ATTRIBUTE_DIRECTORY`.
const DIRECTORY: u32 = win32::FILE_ATTRIBUTE_DIRECTORY;
/// The bit of a reparse tag that says that it stands for another place (`IsReparseTagNameSurrogate`): links and mount points.
const NAME_SURROGATE: u32 = 0x2000_0000;
/// `MAXIMUM_REPARSE_DATA_BUFFER_SIZE`.
const REPARSE_BYTES: usize = 16 << 10;
/// For one call of `NtQueryDirectoryFile`; some hundreds of names.
const LISTING_BYTES: usize = 64 << 10;

/// The rights that are asked for; Microsoft's names.
pub mod access {
    use windows_sys::Win32::Storage::FileSystem as win32;
    /// To read a file.
    pub const READ: u32 = win32::FILE_READ_DATA | ATTRIBUTES;
    /// To write to a file, at any place.
    pub const WRITE: u32 = win32::FILE_WRITE_DATA | win32::FILE_APPEND_DATA | ATTRIBUTES;
    /// To list a folder.
    pub const LIST: u32 = win32::FILE_LIST_DIRECTORY | ATTRIBUTES;
    /// To create in a folder; flushing it needs this, too.
    pub const ADD: u32 = win32::FILE_ADD_FILE | win32::FILE_ADD_SUBDIRECTORY | ATTRIBUTES;
    /// To ask only.
    pub const ATTRIBUTES: u32 = win32::FILE_READ_ATTRIBUTES | win32::SYNCHRONIZE;
    /// To change attributes.
    pub const SET_ATTRIBUTES: u32 = win32::FILE_WRITE_ATTRIBUTES;
    /// To rename or delete.
    pub const DELETE: u32 = win32::DELETE;
    /// To read a descriptor.
    pub const READ_CONTROL: u32 = win32::READ_CONTROL;
    /// To write a descriptor: the DACL, the owner.
    pub const WRITE_CONTROL: u32 = win32::WRITE_DAC | win32::WRITE_OWNER;
}

/// What others may do with what is open; Microsoft's names.
pub mod share {
    use windows_sys::Win32::Storage::FileSystem as win32;
    /// Read.
    pub const READ: u32 = win32::FILE_SHARE_READ;
    /// Whatever they like.
    pub const ALL: u32 = win32::FILE_SHARE_READ | win32::FILE_SHARE_WRITE | win32::FILE_SHARE_DELETE;
}

/// What sort of thing must be there, or is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Whatever is there.
    Any,
}

/// How to open; by default an existing thing of any sort, itself if it is a link, shared with everybody.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which rights, of [`access`].
    pub access: u32,
    /// What others may do meanwhile, of [`share`].
    pub share: u32,
    /// What it must be.
    pub sort: Sort,
    /// Makes it; fails if the name is taken.
    pub create: bool,
    /// With this descriptor (self-relative), from the first moment on.
    pub descriptor: Option<&'a [u8]>,
    /// Writing returns when the disk has it (`FILE_WRITE_THROUGH`).
    pub write_through: bool,
    /// As what a driver makes of its reparse point (deduplicated, compressed files).
    pub through_reparse_point: bool,
}

impl Request<'_> {
    /// To open what exists with these rights.
    #[must_use]
    pub fn new(access: u32) -> Self {
        Request {
            access,
            share: share::ALL,
            sort: Sort::Any,
            create: false,
            descriptor: None,
            write_through: false,
            through_reparse_point: false,
        }
    }
}

/// The error of a native call, under the number that Win32 has for it.
pub(super) fn check(status: NTSTATUS) -> io::Result<()> {
    if status >= 0 {
        return Ok(());
    }
    if status == STATUS_DELETE_PENDING {
        // Else "access denied".
        return Err(system_error(ERROR_DELETE_PENDING));
    }
    // SAFETY: takes and returns a number.
    Err(system_error(unsafe { RtlNtStatusToDosError(status) }))
}

/// The error with this number.
pub(super) fn system_error(code: u32) -> io::Error {
    io::Error::from_raw_os_error(code as i32) // the same bits
}

/// The raw handle, good as long as what is borrowed.
pub(super) fn raw(handle: &impl AsHandle) -> HANDLE {
    handle.as_handle().as_raw_handle()
}

/// One name as Windows takes it. Names that would lead elsewhere (a path, a stream, `..`) are refused.
fn wide_name(name: &OsStr) -> io::Result<Vec<u16>> {
    let wide: Vec<u16> = name.encode_wide().collect();
    let bad = |c: &u16| [u16::from(b'\\'), u16::from(b'/'), u16::from(b':'), 0].contains(c);
    if wide.is_empty() || wide.iter().any(bad) || name == "." || name == ".." {
        return Err(system_error(ERROR_INVALID_NAME));
    }
    Ok(wide)
}

fn open_wide(folder: BorrowedHandle<'_>, mut name: Vec<u16>, request: &Request<'_>) -> io::Result<OwnedHandle> {
    let bytes = name.len().checked_mul(2).and_then(|n| u16::try_from(n).ok());
    let bytes = bytes.ok_or_else(|| system_error(ERROR_INVALID_NAME))?;
    let object_name = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: name.as_mut_ptr() };
    let descriptor = request.descriptor.map(security::checked_descriptor).transpose()?;
    let attributes = OBJECT_ATTRIBUTES {
        Length: u32::try_from(size_of::<OBJECT_ATTRIBUTES>()).unwrap_or(0),
        RootDirectory: raw(&folder),
        ObjectName: &raw const object_name,
        Attributes: 0,
        SecurityDescriptor: descriptor.as_ref().map_or(null(), |d| d.as_ptr().cast()),
        SecurityQualityOfService: null(),
    };
    let mut options = wdk::FILE_SYNCHRONOUS_IO_NONALERT | wdk::FILE_OPEN_FOR_BACKUP_INTENT;
    options |= match request.sort {
        Sort::File => wdk::FILE_NON_DIRECTORY_FILE,
        Sort::Folder => wdk::FILE_DIRECTORY_FILE,
        Sort::Any => 0,
    };
    if request.write_through {
        options |= wdk::FILE_WRITE_THROUGH;
    }
    if !request.through_reparse_point {
        options |= wdk::FILE_OPEN_REPARSE_POINT;
    }
    let file_attributes = if request.sort == Sort::Folder { DIRECTORY } else { win32::FILE_ATTRIBUTE_NORMAL };
    let mut handle: HANDLE = null_mut();
    let mut status_block = IO_STATUS_BLOCK::default();
    // SAFETY: `attributes`, with the name and the descriptor that it points to, and both results live until the call
    // returns, which is when it is done (FILE_SYNCHRONOUS_IO_NONALERT); the name's length is that of its buffer, the
    // descriptor's inner offsets were checked against its length.
    let status = unsafe {
        wdk::NtCreateFile(
            &raw mut handle,
            request.access,
            &raw const attributes,
            &raw mut status_block,
            null(),
            file_attributes,
            request.share,
            if request.create { wdk::FILE_CREATE } else { wdk::FILE_OPEN },
            options,
            null(),
            0,
        )
    };
    drop((name, descriptor));
    check(status)?;
    // SAFETY: the call succeeded, so this is a handle, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Opens or makes `name` in `folder`.
///
/// # Errors
/// What the system reports, under Win32's numbers: a taken name is `ERROR_ALREADY_EXISTS`.
pub fn open_at(folder: impl AsHandle, name: &OsStr, request: &Request<'_>) -> io::Result<OwnedHandle> {
    open_wide(folder.as_handle(), wide_name(name)?, request)
}

/// Opens what is open once more, with other rights, and with a position of its own.
///
/// # Errors
/// What the system reports.
pub fn reopen(open: impl AsHandle, request: &Request<'_>) -> io::Result<OwnedHandle> {
    open_wide(open.as_handle(), Vec::new(), request)
}

/// What a handle's file or folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Information {
    /// `FILE_ATTRIBUTE_…`.
    pub attributes: u32,
    /// The tag of its reparse point, if it has one.
    pub reparse_tag: Option<u32>,
    /// Length in bytes.
    pub len: u64,
    /// How many names it has.
    pub links: u32,
    /// The serial number of the volume, as `vol` shows it.
    pub volume: u32,
    /// What identifies it on that volume: on NTFS the number of its file record (48 bits) and how often that was used.
    pub index: u64,
    /// When it was made, in units of 100 nanoseconds since 1601, as the following.
    pub created: u64,
    /// When the content was last changed; of a folder, what is in it.
    pub written: u64,
}

impl Information {
    /// Whether it is a folder (a junction or a link to a folder is one, too).
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.attributes & DIRECTORY != 0
    }

    /// Whether it is a link, a junction or another thing that stands for another place.
    #[must_use]
    pub fn is_link(&self) -> bool {
        is_link(self.attributes, self.reparse_tag.unwrap_or(0))
    }
}

/// Whether something with these attributes and this reparse tag stands for another place: any folder with a reparse point,
/// and files whose tag says so. Other files with one (deduplicated, compressed, in a cloud) are what the driver makes of them.
fn is_link(attributes: u32, tag: u32) -> bool {
    attributes & win32::FILE_ATTRIBUTE_REPARSE_POINT != 0 && (attributes & DIRECTORY != 0 || tag & NAME_SURROGATE != 0)
}

fn join(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Asks what an open file or folder is (`GetFileInformationByHandle`).
///
/// # Errors
/// What the system reports.
pub fn information(open: impl AsHandle) -> io::Result<Information> {
    let handle = raw(&open);
    let mut info = win32::BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and `info` is the structure that the call fills.
    if unsafe { win32::GetFileInformationByHandle(handle, &raw mut info) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let reparse_tag = if info.dwFileAttributes & win32::FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        None
    } else {
        let mut tag = win32::FILE_ATTRIBUTE_TAG_INFO::default();
        let size = u32::try_from(size_of_val(&tag)).unwrap_or(0);
        // SAFETY: the handle is open, and `tag` is the structure of this class, `size` its length.
        let done = unsafe {
            win32::GetFileInformationByHandleEx(handle, win32::FileAttributeTagInfo, (&raw mut tag).cast(), size)
        };
        // A link as far as we know, if its tag can't be had.
        Some(if done == 0 { NAME_SURROGATE } else { tag.ReparseTag })
    };
    Ok(Information {
        attributes: info.dwFileAttributes,
        reparse_tag,
        len: join(info.nFileSizeHigh, info.nFileSizeLow),
        links: info.nNumberOfLinks,
        volume: info.dwVolumeSerialNumber,
        index: join(info.nFileIndexHigh, info.nFileIndexLow),
        created: join(info.ftCreationTime.dwHighDateTime, info.ftCreationTime.dwLowDateTime),
        written: join(info.ftLastWriteTime.dwHighDateTime, info.ftLastWriteTime.dwLowDateTime),
    })
}

fn basic_information(open: BorrowedHandle<'_>) -> io::Result<win32::FILE_BASIC_INFO> {
    let mut info = win32::FILE_BASIC_INFO::default();
    let size = u32::try_from(size_of_val(&info)).unwrap_or(0);
    // SAFETY: the handle is open, and `info` is the structure of this class, `size` its length.
    let done =
        unsafe { win32::GetFileInformationByHandleEx(raw(&open), win32::FileBasicInfo, (&raw mut info).cast(), size) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info)
}

/// When anything of it was last changed, attributes included (`ChangeTime` of `FILE_BASIC_INFO`), in units of 100
/// nanoseconds since 1601; 0 where the file system has no such time.
///
/// # Errors
/// What the system reports.
pub fn change_time(open: impl AsHandle) -> io::Result<u64> {
    Ok(u64::try_from(basic_information(open.as_handle())?.ChangeTime).unwrap_or(0))
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: OsString,
    /// Whether it stands for another place, see [`Information::is_link`].
    pub is_link: bool,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// The names in an open folder, `.` and `..` left out, each given to `found` until that returns false. Needs a handle that
/// nobody else lists with: the position in the folder is the handle's.
///
/// # Errors
/// What the system reports; `InvalidData` if it hands out a list that can't be.
pub fn list(folder: impl AsHandle, mut found: impl FnMut(Listed) -> bool) -> io::Result<()> {
    let handle = raw(&folder);
    let mut buffer = vec![0u64; LISTING_BYTES / size_of::<u64>()];
    let mut restart = true;
    loop {
        let mut status_block = IO_STATUS_BLOCK::default();
        let length = u32::try_from(LISTING_BYTES).unwrap_or(0);
        // SAFETY: the handle is open for synchronous use; the buffer is writable, aligned for the structure (8 bytes) and
        // as long as the call is told; no name to look for is given.
        let status = unsafe {
            wdk::NtQueryDirectoryFile(
                handle,
                null_mut(),
                None,
                null(),
                &raw mut status_block,
                buffer.as_mut_ptr().cast(),
                length,
                wdk::FileFullDirectoryInformation,
                false,
                null(),
                restart,
            )
        };
        restart = false;
        if status == STATUS_NO_MORE_FILES || status == STATUS_NO_SUCH_FILE {
            return Ok(());
        }
        if status != STATUS_BUFFER_OVERFLOW {
            check(status)?;
        }
        let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let valid = bytes.get(..status_block.Information).ok_or_else(bad_list)?;
        if valid.is_empty() {
            return Ok(());
        }
        if !entries(valid, &mut found)? {
            return Ok(());
        }
    }
}

fn bad_list() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the system's list of the folder is not well-formed")
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?)))
}

fn wide_at(bytes: &[u8], at: usize, len: usize) -> Option<Vec<u16>> {
    let bytes = bytes.get(at..at.checked_add(len)?)?;
    Some(bytes.chunks_exact(2).filter_map(|pair| Some(u16::from_le_bytes(pair.try_into().ok()?))).collect())
}

/// Goes through a list of `FILE_FULL_DIR_INFORMATION` ([MS-FSCC] 2.4.18); whether there may be more.
fn entries(bytes: &[u8], found: &mut impl FnMut(Listed) -> bool) -> io::Result<bool> {
    type Entry = wdk::FILE_FULL_DIR_INFORMATION;
    let mut rest = bytes;
    loop {
        let one = || -> Option<(usize, Listed)> {
            let next = usize::try_from(u32_at(rest, offset_of!(Entry, NextEntryOffset))?).ok()?;
            let attributes = u32_at(rest, offset_of!(Entry, FileAttributes))?;
            let len = usize::try_from(u32_at(rest, offset_of!(Entry, FileNameLength))?).ok()?;
            // "If FILE_ATTRIBUTE_REPARSE_POINT is set, this field MUST contain a reparse tag."
            let tag = u32_at(rest, offset_of!(Entry, EaSize))?;
            let name = OsString::from_wide(&wide_at(rest, offset_of!(Entry, FileName), len)?);
            let is_link = is_link(attributes, tag);
            Some((next, Listed { name, is_link, is_folder: attributes & DIRECTORY != 0 }))
        };
        let (next, entry) = one().ok_or_else(bad_list)?;
        if entry.name != "." && entry.name != ".." && !found(entry) {
            return Ok(false);
        }
        if next == 0 {
            return Ok(true);
        }
        rest = rest.get(next..).ok_or_else(bad_list)?;
    }
}

/// Gives what is open with [`access::DELETE`] another name: `name` in `folder`, or where it is if that is `None`. Fails
/// with `AlreadyExists` if the name is taken (`FILE_RENAME_INFORMATION` with `ReplaceIfExists` FALSE): one step, no gap.
///
/// # Errors
/// What the system reports.
pub fn rename(open: impl AsHandle, folder: Option<BorrowedHandle<'_>>, name: &OsStr) -> io::Result<()> {
    type Rename = wdk::FILE_RENAME_INFORMATION;
    let name = wide_name(name)?;
    let name_bytes = name.len().saturating_mul(2);
    let len = size_of::<Rename>().max(offset_of!(Rename, FileName).saturating_add(name_bytes));
    let invalid = || system_error(ERROR_INVALID_NAME);
    let (len32, name32) = match (u32::try_from(len), u32::try_from(name_bytes)) {
        (Ok(len), Ok(name)) if name <= u32::from(u16::MAX) => (len, name),
        _ => return Err(invalid()),
    };
    let mut buffer = vec![0u64; len.div_ceil(size_of::<u64>())];
    let info: *mut Rename = buffer.as_mut_ptr().cast();
    // SAFETY: the buffer is at least as long as the structure with the whole name behind it, zeroed (so ReplaceIfExists is
    // FALSE), and aligned for it (8 bytes); the fields are written through raw pointers into it.
    unsafe {
        (&raw mut (*info).RootDirectory).write(folder.map_or(null_mut(), |f| raw(&f)));
        (&raw mut (*info).FileNameLength).write(name32);
        std::ptr::copy_nonoverlapping(name.as_ptr(), (&raw mut (*info).FileName).cast::<u16>(), name.len());
    }
    let mut status_block = IO_STATUS_BLOCK::default();
    // SAFETY: the handle is open for synchronous use; the buffer is `len32` bytes of this class' structure.
    check(unsafe {
        wdk::NtSetInformationFile(
            raw(&open),
            &raw mut status_block,
            buffer.as_ptr().cast(),
            len32,
            wdk::FileRenameInformation,
        )
    })
}

/// Sets what a structure of fixed size says (`NtSetInformationFile`).
///
/// # Safety
/// `class` must be the one that takes a `T`.
unsafe fn set_information<T>(open: BorrowedHandle<'_>, class: wdk::FILE_INFORMATION_CLASS, info: &T) -> io::Result<()> {
    let mut status_block = IO_STATUS_BLOCK::default();
    let size = u32::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the handle is open for synchronous use; `info` is this class' structure by the caller's word, `size` its length.
    check(unsafe {
        wdk::NtSetInformationFile(raw(&open), &raw mut status_block, std::ptr::from_ref(info).cast(), size, class)
    })
}

fn set_attributes(open: BorrowedHandle<'_>, attributes: u32) -> io::Result<()> {
    // Times of 0: as they are.
    let info = wdk::FILE_BASIC_INFORMATION { FileAttributes: attributes, ..Default::default() };
    // SAFETY: that is this class' structure.
    unsafe { set_information(open, wdk::FileBasicInformation, &info) }
}

fn dispose(open: BorrowedHandle<'_>) -> io::Result<()> {
    let info = wdk::FILE_DISPOSITION_INFORMATION { DeleteFile: true };
    // SAFETY: that is this class' structure.
    unsafe { set_information(open, wdk::FileDispositionInformation, &info) }
}

/// Deletes what is open with [`access::DELETE`], when the last handle is closed; a folder must be empty, and a link goes
/// itself. What is marked read-only needs [`access::SET_ATTRIBUTES`], too; if it has other names, these stay read-only.
///
/// # Errors
/// What the system reports.
pub fn delete(open: impl AsHandle) -> io::Result<()> {
    let open = open.as_handle();
    let info = information(open)?;
    if info.attributes & win32::FILE_ATTRIBUTE_READONLY == 0 {
        return dispose(open);
    }
    let without = match info.attributes & !win32::FILE_ATTRIBUTE_READONLY {
        0 => win32::FILE_ATTRIBUTE_NORMAL,
        some => some,
    };
    set_attributes(open, without)?;
    let deleted = dispose(open);
    if deleted.is_err() || info.links > 1 {
        let restored = set_attributes(open, info.attributes);
        return deleted.and(restored);
    }
    deleted
}

/// Flushes what is open for writing; a folder that is open with [`access::ADD`], too (`FlushFileBuffers`).
///
/// # Errors
/// What the system reports.
pub fn flush(open: impl AsHandle) -> io::Result<()> {
    // SAFETY: the handle is open.
    if unsafe { win32::FlushFileBuffers(raw(&open)) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Where the reparse point that is open says it leads: what Windows itself goes by (the substitute name), with the `\??\`
/// that absolute ones begin with.
///
/// # Errors
/// What the system reports; `Unsupported` for what is neither a symbolic link nor a mount point or junction.
pub fn link_target(open: impl AsHandle) -> io::Result<OsString> {
    let mut buffer = vec![0u64; REPARSE_BYTES / size_of::<u64>()];
    let mut got = 0;
    // SAFETY: the handle is open for synchronous use; the buffer is writable and as long as the call is told; there is no
    // input.
    let done = unsafe {
        DeviceIoControl(
            raw(&open),
            FSCTL_GET_REPARSE_POINT,
            null(),
            0,
            buffer.as_mut_ptr().cast(),
            u32::try_from(REPARSE_BYTES).unwrap_or(0),
            &raw mut got,
            null_mut(),
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let bytes = usize::try_from(got).ok().and_then(|n| bytes.get(..n)).unwrap_or_default();
    target_in(bytes)
}

/// Reads a `REPARSE_DATA_BUFFER` ([MS-FSCC] 2.1.2.4 and 2.1.2.5).
fn target_in(bytes: &[u8]) -> io::Result<OsString> {
    let broken = || system_error(ERROR_CANT_ACCESS_FILE);
    let tag = u32_at(bytes, 0).ok_or_else(broken)?;
    let names = match tag {
        0xa000_0003 => 16, // IO_REPARSE_TAG_MOUNT_POINT
        0xa000_000c => 20, // IO_REPARSE_TAG_SYMLINK
        _ => {
            let text = format!("a reparse point of type {tag:#010x}, which is no link or junction");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
    };
    let target = || wide_at(bytes, u16_at(bytes, 8)?.checked_add(names)?, u16_at(bytes, 10)?);
    let target = target().ok_or_else(broken)?;
    Ok(OsString::from_wide(&target))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mount_point(tag: u32, extra: usize, target: &str) -> Vec<u8> {
        let wide: Vec<u8> = target.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut bytes = tag.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(0u16.to_le_bytes());
        bytes.extend(u16::try_from(wide.len()).unwrap().to_le_bytes());
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + extra, 0);
        bytes.extend(wide);
        bytes
    }

    #[test]
    fn targets_of_links() {
        let junction = mount_point(0xa000_0003, 0, r"\??\C:\Elsewhere");
        assert_eq!(target_in(&junction).unwrap(), r"\??\C:\Elsewhere");
        assert_eq!(target_in(&mount_point(0xa000_000c, 4, r"..\x")).unwrap(), r"..\x");
        assert_eq!(target_in(&mount_point(0x8000_0013, 0, "x")).unwrap_err().kind(), io::ErrorKind::Unsupported);
        for cut in 0..junction.len() {
            assert!(target_in(junction.get(..cut).unwrap()).is_err());
        }
    }

    #[test]
    fn only_a_name_is_a_name() {
        for bad in ["", ".", "..", r"a\b", "a/b", "a:b", "a\0"] {
            assert!(wide_name(OsStr::new(bad)).is_err(), "{bad:?}");
        }
        for good in ["a", "a.", " ", "CON", "..."] {
            assert!(wide_name(OsStr::new(good)).is_ok(), "{good:?}");
        }
    }
}
