//! Volumes as Windows' mount manager has them: their names, letters, file systems, sizes, first sectors and disks.
//!
//! A volume's name is `\\?\Volume{GUID}\`, with the backslash at the end for its root folder and without it for the device.
//! Source: Microsoft's "Volume Management Functions" (`FindFirstVolumeW`, `GetVolumePathNamesForVolumeNameW`,
//! `GetVolumeInformationW`, …), and the control codes of `winioctl.h`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA, ERROR_NO_MORE_FILES, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    FindFirstVolumeW, FindNextVolumeW, FindVolumeClose, GetDiskFreeSpaceExW, GetDriveTypeW, GetLogicalDrives,
    GetVolumeInformationW, GetVolumeNameForVolumeMountPointW, GetVolumePathNameW, GetVolumePathNamesForVolumeNameW,
    QueryDosDeviceW, FILE_FLAG_BACKUP_SEMANTICS, FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FILE_SHARE_READ,
    FILE_SHARE_WRITE, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS,
};
use windows_sys::Win32::System::Ioctl::{
    FSCTL_DISMOUNT_VOLUME, FSCTL_LOCK_VOLUME, IOCTL_DISK_GET_DRIVE_LAYOUT_EX, IOCTL_DISK_GET_LENGTH_INFO,
    IOCTL_STORAGE_GET_DEVICE_NUMBER,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemDirectoryW, GetSystemWindowsDirectoryW};
use windows_sys::Win32::System::IO::DeviceIoControl;

use super::text::{list, until_nul, wide};
use super::volume_info::{self, Naming};

/// Longer than any path of Windows, in characters.
const LONG: usize = 32_768;
/// More volumes than a machine has.
const MOST: usize = 4096;
const SHARE_ALL: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// An open enumeration.
struct Search(HANDLE);

impl Drop for Search {
    fn drop(&mut self) {
        // SAFETY: the handle came from FindFirstVolumeW, and is closed only here.
        unsafe { FindVolumeClose(self.0) };
    }
}

/// The names of all volumes, `\\?\Volume{GUID}\`, in the system's own order.
///
/// # Errors
/// What the system reports.
pub fn names() -> io::Result<Vec<OsString>> {
    let mut name = [0u16; 260];
    // SAFETY: the buffer is as long as is said.
    let handle = unsafe { FindFirstVolumeW(name.as_mut_ptr(), name.len() as u32) };
    if handle == INVALID_HANDLE_VALUE {
        return match io::Error::last_os_error() {
            e if e.raw_os_error() == Some(ERROR_NO_MORE_FILES as i32) => Ok(Vec::new()),
            e => Err(e),
        };
    }
    let search = Search(handle);
    let mut names = vec![until_nul(&name)];
    while names.len() < MOST {
        // SAFETY: the enumeration is open, and the buffer is as long as is said.
        if unsafe { FindNextVolumeW(search.0, name.as_mut_ptr(), name.len() as u32) } == 0 {
            return match io::Error::last_os_error() {
                e if e.raw_os_error() == Some(ERROR_NO_MORE_FILES as i32) => Ok(names),
                e => Err(e),
            };
        }
        names.push(until_nul(&name));
    }
    Ok(names)
}

/// Where a volume is mounted: drive letters (`D:\`) and folders; empty where it has none.
///
/// # Errors
/// What the system reports.
pub fn mount_points(volume: &OsStr) -> io::Result<Vec<OsString>> {
    let volume = wide(volume)?;
    let mut buffer = vec![0u16; LONG];
    let mut got = 0u32;
    // SAFETY: `volume` ends with a NUL; the buffer is as long as is said; `got` can be written to.
    let asked = unsafe {
        GetVolumePathNamesForVolumeNameW(volume.as_ptr(), buffer.as_mut_ptr(), buffer.len() as u32, &mut got)
    };
    if asked == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(list(buffer.get(..got as usize).unwrap_or(&buffer)))
}

/// `GetDriveTypeW`: `DRIVE_FIXED` and so on. `root` ends with a backslash.
pub fn drive_type(root: &OsStr) -> u32 {
    let Ok(root) = wide(root) else { return 0 };
    // SAFETY: `root` ends with a NUL and lives through the call.
    unsafe { GetDriveTypeW(root.as_ptr()) }
}

/// The letters that are in use, as capital letters.
pub fn letters() -> Vec<char> {
    // SAFETY: takes nothing, and gives a number.
    let mask = unsafe { GetLogicalDrives() };
    ('A'..='Z').enumerate().filter(|(bit, _)| mask >> bit & 1 != 0).map(|(_, letter)| letter).collect()
}

/// The label and the name of the file system of a volume. `root` ends with a backslash.
///
/// # Errors
/// No medium, no file system, locked by BitLocker: what the system reports.
pub fn information(root: &OsStr) -> io::Result<(OsString, OsString)> {
    let root = wide(root)?;
    let (mut label, mut file_system) = ([0u16; 261], [0u16; 261]);
    // SAFETY: `root` ends with a NUL; both buffers are as long as is said; what is not wanted may be null.
    let asked = unsafe {
        GetVolumeInformationW(
            root.as_ptr(),
            label.as_mut_ptr(),
            label.len() as u32,
            null_mut(),
            null_mut(),
            null_mut(),
            file_system.as_mut_ptr(),
            file_system.len() as u32,
        )
    };
    if asked == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((until_nul(&label), until_nul(&file_system)))
}

/// The size of the file system on a volume, in bytes. `root` ends with a backslash.
///
/// # Errors
/// What the system reports.
pub fn file_system_size(root: &OsStr) -> io::Result<u64> {
    let root = wide(root)?;
    let mut total = 0u64;
    // SAFETY: `root` ends with a NUL; `total` can be written to; what is not wanted may be null.
    if unsafe { GetDiskFreeSpaceExW(root.as_ptr(), null_mut(), &mut total, null_mut()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(total)
}

/// The name `\\?\Volume{GUID}\` of the volume that is mounted at `mount_point`, which ends with a backslash.
///
/// # Errors
/// Nothing is mounted there, or the mount manager does not know it.
pub fn name_at(mount_point: &OsStr) -> io::Result<OsString> {
    let mount_point = wide(mount_point)?;
    let mut name = [0u16; 260];
    // SAFETY: `mount_point` ends with a NUL, and the buffer is as long as is said.
    let asked =
        unsafe { GetVolumeNameForVolumeMountPointW(mount_point.as_ptr(), name.as_mut_ptr(), name.len() as u32) };
    if asked == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(until_nul(&name))
}

/// Where the volume that holds `path` is mounted, with a backslash at the end.
///
/// # Errors
/// What the system reports.
pub fn mount_point_of(path: &Path) -> io::Result<OsString> {
    let path = wide(path)?;
    let mut buffer = vec![0u16; LONG];
    // SAFETY: `path` ends with a NUL, and the buffer is as long as is said.
    if unsafe { GetVolumePathNameW(path.as_ptr(), buffer.as_mut_ptr(), buffer.len() as u32) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(until_nul(&buffer))
}

/// What a drive letter (`D:`) stands for in the object manager, such as `\Device\HarddiskVolume3`; one made with `subst` begins
/// with `\??\`.
///
/// # Errors
/// What the system reports.
pub fn device_of_letter(letter: &str) -> io::Result<OsString> {
    let letter = wide(letter)?;
    let mut buffer = vec![0u16; LONG];
    // SAFETY: `letter` ends with a NUL, and the buffer is as long as is said.
    if unsafe { QueryDosDeviceW(letter.as_ptr(), buffer.as_mut_ptr(), buffer.len() as u32) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(until_nul(&buffer))
}

fn directory(ask: impl Fn(*mut u16, u32) -> u32) -> io::Result<OsString> {
    let mut buffer = vec![0u16; LONG];
    match ask(buffer.as_mut_ptr(), buffer.len() as u32) as usize {
        0 => Err(io::Error::last_os_error()),
        got => Ok(until_nul(buffer.get(..got).ok_or(io::ErrorKind::InvalidData)?)),
    }
}

/// The Windows folder of the running system, such as `C:\Windows`; in WinPE `X:\windows`.
///
/// # Errors
/// What the system reports.
pub fn system_windows_directory() -> io::Result<OsString> {
    // SAFETY: `directory` gives a buffer and its length.
    directory(|buffer, len| unsafe { GetSystemWindowsDirectoryW(buffer, len) })
}

/// The `System32` of the running system.
///
/// # Errors
/// What the system reports.
pub fn system_directory() -> io::Result<OsString> {
    // SAFETY: `directory` gives a buffer and its length.
    directory(|buffer, len| unsafe { GetSystemDirectoryW(buffer, len) })
}

/// How a file or folder is named. Asks only for its attributes, which is possible while somebody else has it open for himself alone.
///
/// # Errors
/// It is not there; there is no such name (a volume without a letter has none for [`Naming::Mounted`]).
pub fn final_path(path: &Path, naming: Naming) -> io::Result<OsString> {
    let file = OpenOptions::new()
        .access_mode(FILE_READ_ATTRIBUTES)
        .share_mode(SHARE_ALL)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)?;
    volume_info::final_path(&file, naming)
}

/// The device of a volume or disk: its name without the backslash at the end.
fn device(name: &OsStr, access: u32) -> io::Result<File> {
    let text = name.to_string_lossy();
    let name = text.strip_suffix('\\').unwrap_or(&text);
    // `\\?\D:` and `D:` are folders, `\\.\D:` is the volume.
    let name = match name.as_bytes() {
        [letter, b':'] if letter.is_ascii_alphabetic() => format!(r"\\.\{name}"),
        _ => name.to_string(),
    };
    OpenOptions::new().access_mode(access).share_mode(SHARE_ALL).open(name)
}

const GENERIC_READ: u32 = 0x8000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;

/// Sends a control code without input, and returns what came back.
fn control(device: &File, code: u32, room: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0u8; room];
    let mut got = 0u32;
    let out = if room == 0 { null_mut() } else { buffer.as_mut_ptr().cast() };
    // SAFETY: the handle is open and synchronous (no overlapped structure is needed), there is no input, the output
    // buffer is as long as is said, and `got` can be written to.
    let done =
        unsafe { DeviceIoControl(device.as_raw_handle(), code, null(), 0, out, room as u32, &mut got, null_mut()) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    buffer.truncate(got as usize);
    Ok(buffer)
}

/// The same, for answers whose length is not known beforehand.
fn control_growing(device: &File, code: u32) -> io::Result<Vec<u8>> {
    let mut room = 4096usize;
    loop {
        match control(device, code, room) {
            Err(e)
                if room < 1 << 20
                    && matches!(
                        e.raw_os_error().map(|code| code as u32),
                        Some(ERROR_MORE_DATA | ERROR_INSUFFICIENT_BUFFER)
                    ) =>
            {
                room *= 4;
            }
            other => return other,
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The first 4096 bytes of a volume, past its file system: what it begins with when none can be mounted.
///
/// # Errors
/// Not an administrator, no medium, locked.
pub fn first_sectors(volume: &OsStr) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    device(volume, GENERIC_READ)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The size of a volume's device, in bytes; also where no file system is on it.
///
/// # Errors
/// Not an administrator, no medium.
pub fn device_size(volume: &OsStr) -> io::Result<u64> {
    let answer = control(&device(volume, GENERIC_READ)?, IOCTL_DISK_GET_LENGTH_INFO, 8)?;
    let bytes = answer.get(..8).and_then(|bytes| bytes.try_into().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The numbers of the disks that a volume lies on, as in `\\.\PhysicalDrive3`.
///
/// # Errors
/// It lies on none (a CD-ROM, a RAM disk), or the system does not say.
pub fn disks(volume: &OsStr) -> io::Result<Vec<u32>> {
    // VOLUME_DISK_EXTENTS: a number, then from byte 8 on DISK_EXTENTs of 24 bytes that begin with the disk's number.
    let answer = control_growing(&device(volume, 0)?, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS)?;
    let extents = answer.get(8..).unwrap_or_default().chunks_exact(24);
    Ok(extents.filter_map(|extent| number(extent, 0)).collect())
}

/// The number of the partition that a volume is, counted from 1, where it is one.
///
/// # Errors
/// What the system reports.
pub fn partition_number(volume: &OsStr) -> io::Result<Option<u32>> {
    // STORAGE_DEVICE_NUMBER: type, number of the device, number of the partition (-1 for none).
    let answer = control(&device(volume, 0)?, IOCTL_STORAGE_GET_DEVICE_NUMBER, 12)?;
    Ok(number(&answer, 8).filter(|number| *number != 0 && *number != u32::MAX))
}

/// The partition table of a disk, as a `DRIVE_LAYOUT_INFORMATION_EX`.
///
/// # Errors
/// What the system reports.
pub fn drive_layout(disk: u32) -> io::Result<Vec<u8>> {
    let disk = OsString::from(format!(r"\\.\PhysicalDrive{disk}"));
    // Documented to need read access; looked at without it first, since that works too and asks for less.
    let open = device(&disk, 0).and_then(|d| control_growing(&d, IOCTL_DISK_GET_DRIVE_LAYOUT_EX));
    open.or_else(|_| control_growing(&device(&disk, GENERIC_READ)?, IOCTL_DISK_GET_DRIVE_LAYOUT_EX))
}

/// Writes what Windows still holds of a volume, and takes its file system off, if nobody uses it.
///
/// # Errors
/// Somebody does, or what the system reports.
pub fn flush_and_dismount(volume: &OsStr) -> io::Result<()> {
    let device = device(volume, GENERIC_READ | GENERIC_WRITE)?;
    device.sync_all()?;
    control(&device, FSCTL_LOCK_VOLUME, 0)?;
    control(&device, FSCTL_DISMOUNT_VOLUME, 0)?;
    Ok(())
}
