//! What the volume is on which an open file or folder lies: its file system, room, serial number, device.
//!
//! All by handle, never by letter or path: a volume may have several, or none.

use std::ffi::OsString;
use std::io;
use std::mem::size_of;
use std::os::windows::io::AsHandle;
use std::ptr::{null, null_mut};

use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Wdk::System::SystemServices::FILE_FS_FULL_SIZE_INFORMATION;
use windows_sys::Win32::Storage::FileSystem as win32;
use windows_sys::Win32::System::Ioctl::{FSCTL_GET_NTFS_VOLUME_DATA, NTFS_VOLUME_DATA_BUFFER};
use windows_sys::Win32::System::IO::{DeviceIoControl, IO_STATUS_BLOCK};

use super::file::{check, raw};
use super::text::until_nul;

/// `MAX_PATH` and one.
const NAME_UNITS: usize = 261;
/// The longest path that Windows has, in UTF-16 units.
const PATH_UNITS: usize = 32_768;
/// `FILE_READ_ONLY_VOLUME`.
const READ_ONLY_VOLUME: u32 = 0x0008_0000;

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Its type, as Windows names it: `NTFS`, `FAT32`, `exFAT`, `ReFS`, `UDF`.
    pub name: OsString,
    /// Whether it is read-only (`FILE_READ_ONLY_VOLUME`).
    pub read_only: bool,
    /// The short serial number, as `vol` shows it.
    pub serial: u32,
}

/// The file system (`GetVolumeInformationByHandleW`).
///
/// # Errors
/// What the system reports.
pub fn file_system(open: impl AsHandle) -> io::Result<FileSystem> {
    let mut name = [0u16; NAME_UNITS];
    let (mut serial, mut flags) = (0, 0);
    // SAFETY: the handle is open; all results live until the call returns, the name's buffer is as long as the call is
    // told, and what is not wanted is null.
    let done = unsafe {
        win32::GetVolumeInformationByHandleW(
            raw(&open),
            null_mut(),
            0,
            &raw mut serial,
            null_mut(),
            &raw mut flags,
            name.as_mut_ptr(),
            u32::try_from(name.len()).unwrap_or(0),
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(FileSystem { name: until_nul(&name), read_only: flags & READ_ONLY_VOLUME != 0, serial })
}

/// How many bytes this user can still write there (`FileFsFullSizeInformation`).
///
/// # Errors
/// What the system reports.
pub fn free_space(open: impl AsHandle) -> io::Result<u64> {
    let mut info = FILE_FS_FULL_SIZE_INFORMATION::default();
    let mut status_block = IO_STATUS_BLOCK::default();
    let size = u32::try_from(size_of_val(&info)).unwrap_or(0);
    // SAFETY: the handle is open for synchronous use; `info` is this class' structure, `size` its length.
    check(unsafe {
        wdk::NtQueryVolumeInformationFile(
            raw(&open),
            &raw mut status_block,
            (&raw mut info).cast(),
            size,
            wdk::FileFsFullSizeInformation,
        )
    })?;
    let units = u64::try_from(info.CallerAvailableAllocationUnits).unwrap_or(0);
    Ok(units.saturating_mul(u64::from(info.SectorsPerAllocationUnit)).saturating_mul(u64::from(info.BytesPerSector)))
}

/// The serial number that NTFS got when it was formatted, all 64 bits (`FSCTL_GET_NTFS_VOLUME_DATA`, which [MS-FSCC]
/// 2.3 allows on any file or folder of the volume); `None` if it can't be had: another file system, Wine.
#[must_use]
pub fn ntfs_serial(open: impl AsHandle) -> Option<u64> {
    let mut data = NTFS_VOLUME_DATA_BUFFER::default();
    let size = size_of_val(&data);
    let mut got = 0;
    // SAFETY: the handle is open for synchronous use; `data` is the structure that this call fills, `size` its length;
    // there is no input.
    let done = unsafe {
        DeviceIoControl(
            raw(&open),
            FSCTL_GET_NTFS_VOLUME_DATA,
            null(),
            0,
            (&raw mut data).cast(),
            u32::try_from(size).unwrap_or(0),
            &raw mut got,
            null_mut(),
        )
    };
    let enough = usize::try_from(got).is_ok_and(|got| got >= size_of::<i64>());
    (done != 0 && enough).then(|| u64::from_ne_bytes(data.VolumeSerialNumber.to_ne_bytes()))
}

/// With which name of its volume a path is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The letter or the folder where it is mounted: `\\?\D:\Windows`.
    Mounted,
    /// The volume's own name: `\\?\Volume{…}\Windows`.
    Volume,
    /// The device: `\Device\HarddiskVolume3\Windows`.
    Device,
    /// None: `\Windows`.
    None,
}

/// The path of what is open (`GetFinalPathNameByHandleW`).
///
/// # Errors
/// What the system reports: there may be no such name.
pub fn final_path(open: impl AsHandle, naming: Naming) -> io::Result<OsString> {
    let flags = match naming {
        Naming::Mounted => win32::VOLUME_NAME_DOS,
        Naming::Volume => win32::VOLUME_NAME_GUID,
        Naming::Device => win32::VOLUME_NAME_NT,
        Naming::None => win32::VOLUME_NAME_NONE,
    };
    let mut buffer = vec![0u16; PATH_UNITS];
    let units = u32::try_from(buffer.len()).unwrap_or(0);
    // SAFETY: the handle is open; the buffer is as long as the call is told.
    let len = unsafe { win32::GetFinalPathNameByHandleW(raw(&open), buffer.as_mut_ptr(), units, flags) };
    match usize::try_from(len).ok().and_then(|len| buffer.get(..len)) {
        Some([]) => Err(io::Error::last_os_error()),
        Some(path) => Ok(until_nul(path)),
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}
