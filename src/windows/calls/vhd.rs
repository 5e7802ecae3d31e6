//! Virtual disks, by Windows' own `virtdisk.dll`: opened, attached, and detached when the handle is closed.
//!
//! The library is loaded when it is needed, from `System32` and from nowhere else, since a small WinPE 3.0 may lack it. Attached
//! without `ATTACH_VIRTUAL_DISK_FLAG_PERMANENT_LIFETIME`: Windows detaches when the last handle is closed, also that of a process
//! that was killed. Source: Microsoft's `OpenVirtualDisk`, `AttachVirtualDisk`, `DetachVirtualDisk`,
//! `GetVirtualDiskPhysicalPath` in `virtdisk.h` (Windows 7 and later; VHDX from Windows 8 on).

use std::ffi::{c_void, OsString};
use std::io;
use std::mem::transmute;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::core::{GUID, PCSTR};
use windows_sys::Win32::Foundation::{FreeLibrary, ERROR_SUCCESS, HANDLE, HMODULE, WIN32_ERROR};
use windows_sys::Win32::Storage::Vhd::{
    ATTACH_VIRTUAL_DISK_FLAG_NO_DRIVE_LETTER, ATTACH_VIRTUAL_DISK_FLAG_READ_ONLY, ATTACH_VIRTUAL_DISK_PARAMETERS,
    ATTACH_VIRTUAL_DISK_VERSION_1, OPEN_VIRTUAL_DISK_PARAMETERS, OPEN_VIRTUAL_DISK_RW_DEPTH_DEFAULT,
    OPEN_VIRTUAL_DISK_VERSION_1, VIRTUAL_DISK_ACCESS_ATTACH_RO, VIRTUAL_DISK_ACCESS_ATTACH_RW,
    VIRTUAL_DISK_ACCESS_DETACH, VIRTUAL_DISK_ACCESS_GET_INFO, VIRTUAL_STORAGE_TYPE, VIRTUAL_STORAGE_TYPE_DEVICE_VHD,
    VIRTUAL_STORAGE_TYPE_DEVICE_VHDX, VIRTUAL_STORAGE_TYPE_VENDOR_MICROSOFT,
};
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};

use super::text::{until_nul, wide};
use super::volumes::system_directory;

type Open = unsafe extern "system" fn(
    *const VIRTUAL_STORAGE_TYPE,
    *const u16,
    i32,
    i32,
    *const OPEN_VIRTUAL_DISK_PARAMETERS,
    *mut HANDLE,
) -> WIN32_ERROR;
type Attach = unsafe extern "system" fn(
    HANDLE,
    *mut c_void,
    i32,
    u32,
    *const ATTACH_VIRTUAL_DISK_PARAMETERS,
    *const c_void,
) -> WIN32_ERROR;
type Detach = unsafe extern "system" fn(HANDLE, i32, u32) -> WIN32_ERROR;
type PhysicalPath = unsafe extern "system" fn(HANDLE, *mut u32, *mut u16) -> WIN32_ERROR;
type Anything = unsafe extern "system" fn() -> isize;

/// The library, loaded.
struct Library(HMODULE);

// Not a Send problem: a module handle is an address that is valid in the whole process.
impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: it was loaded by `load`; the functions that were taken from it are not called any more, since they live beside it.
        unsafe { FreeLibrary(self.0) };
    }
}

impl Library {
    fn load() -> io::Result<Library> {
        let mut path = system_directory()?;
        path.push(r"\virtdisk.dll");
        let path = wide(path)?;
        // SAFETY: `path` is a full path that ends with a NUL; the library is the system's own.
        let module = unsafe { LoadLibraryW(path.as_ptr()) };
        if module.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Library(module))
    }

    fn function(&self, name: &'static [u8]) -> io::Result<Anything> {
        debug_assert_eq!(name.last(), Some(&0));
        // SAFETY: the module is loaded, and `name` ends with a NUL.
        let found = unsafe { GetProcAddress(self.0, name.as_ptr() as PCSTR) };
        found.ok_or_else(io::Error::last_os_error)
    }
}

/// Which of Microsoft's formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// VHD.
    Vhd,
    /// VHDX; from Windows 8 and WinPE 4.0 on.
    Vhdx,
}

/// What went wrong, and at which step.
#[derive(Debug)]
pub enum VhdError {
    /// There is no `virtdisk.dll` in this system, or it lacks a function.
    NoLibrary(io::Error),
    /// The file could not be opened as a virtual disk.
    Open(io::Error),
    /// It could not be attached.
    Attach(io::Error),
}

/// An attached virtual disk. Detached when it is dropped, and by Windows when the process ends in whatever way.
pub struct VirtualDisk {
    // Dropped in this order: the functions are of the library.
    handle: OwnedHandle,
    detach: Detach,
    physical_path: PhysicalPath,
    _library: Library,
}

fn check(code: WIN32_ERROR) -> io::Result<()> {
    match code {
        ERROR_SUCCESS => Ok(()),
        code => Err(io::Error::from_raw_os_error(code as i32)),
    }
}

impl VirtualDisk {
    /// Opens and attaches a virtual disk, without giving its volumes letters.
    ///
    /// # Errors
    /// No library, no disk of that format, in use, no privilege.
    pub fn attach(file: &Path, format: Format, read_only: bool) -> Result<VirtualDisk, VhdError> {
        let library = Library::load().map_err(VhdError::NoLibrary)?;
        let function = |name| library.function(name).map_err(VhdError::NoLibrary);
        let (open, attach) = (function(b"OpenVirtualDisk\0")?, function(b"AttachVirtualDisk\0")?);
        let (detach, path) = (function(b"DetachVirtualDisk\0")?, function(b"GetVirtualDiskPhysicalPath\0")?);
        // SAFETY: these are the functions of these names, whose documented signatures the types above repeat; pointers to
        // functions are of one size.
        let (open, attach, detach, physical_path) = unsafe {
            (
                transmute::<Anything, Open>(open),
                transmute::<Anything, Attach>(attach),
                transmute::<Anything, Detach>(detach),
                transmute::<Anything, PhysicalPath>(path),
            )
        };
        let vendor: GUID = VIRTUAL_STORAGE_TYPE_VENDOR_MICROSOFT;
        let device = match format {
            Format::Vhd => VIRTUAL_STORAGE_TYPE_DEVICE_VHD,
            Format::Vhdx => VIRTUAL_STORAGE_TYPE_DEVICE_VHDX,
        };
        let storage = VIRTUAL_STORAGE_TYPE { DeviceId: device, VendorId: vendor };
        let access = match read_only {
            true => VIRTUAL_DISK_ACCESS_ATTACH_RO,
            false => VIRTUAL_DISK_ACCESS_ATTACH_RW,
        };
        let access = access | VIRTUAL_DISK_ACCESS_DETACH | VIRTUAL_DISK_ACCESS_GET_INFO;
        let mut parameters =
            OPEN_VIRTUAL_DISK_PARAMETERS { Version: OPEN_VIRTUAL_DISK_VERSION_1, ..Default::default() };
        parameters.Anonymous.Version1.RWDepth = if read_only { 0 } else { OPEN_VIRTUAL_DISK_RW_DEPTH_DEFAULT };
        let name = wide(file).map_err(VhdError::Open)?;
        let mut handle: HANDLE = null_mut();
        // SAFETY: the structures are complete and live through the call, `name` ends with a NUL, `handle` can be written to.
        check(unsafe { open(&storage, name.as_ptr(), access, 0, &parameters, &mut handle) }).map_err(VhdError::Open)?;
        // SAFETY: the call succeeded, so `handle` is open, and nobody else owns it.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        let flags =
            ATTACH_VIRTUAL_DISK_FLAG_NO_DRIVE_LETTER | if read_only { ATTACH_VIRTUAL_DISK_FLAG_READ_ONLY } else { 0 };
        let parameters =
            ATTACH_VIRTUAL_DISK_PARAMETERS { Version: ATTACH_VIRTUAL_DISK_VERSION_1, ..Default::default() };
        // SAFETY: the handle is open with the access that this needs; no security descriptor means that of the file; no
        // overlapped structure means that the call waits.
        check(unsafe { attach(handle.as_raw_handle(), null_mut(), flags, 0, &parameters, null()) })
            .map_err(VhdError::Attach)?;
        Ok(VirtualDisk { handle, detach, physical_path, _library: library })
    }

    /// The disk that it became, such as `\\.\PhysicalDrive3`.
    ///
    /// # Errors
    /// What the system reports.
    pub fn physical_path(&self) -> io::Result<OsString> {
        let mut buffer = [0u16; 260];
        let mut bytes = std::mem::size_of_val(&buffer) as u32;
        // SAFETY: the handle is open, and the buffer has as many bytes as is said.
        check(unsafe { (self.physical_path)(self.handle.as_raw_handle(), &mut bytes, buffer.as_mut_ptr()) })?;
        Ok(until_nul(&buffer))
    }
}

impl Drop for VirtualDisk {
    fn drop(&mut self) {
        // Closing the handle detaches as well; this way it is done when this returns.
        // SAFETY: the handle is open, and the disk was attached through it.
        let _ = unsafe { (self.detach)(self.handle.as_raw_handle(), 0, 0) };
    }
}
