//! The token of this process: which privileges it holds, and how errors of hardware are reported to it.
//!
//! Source: Microsoft's `OpenProcessToken`, `LookupPrivilegeValueW`, `AdjustTokenPrivileges` (which succeeds and sets
//! `ERROR_NOT_ALL_ASSIGNED` for a privilege that the token lacks), `GetTokenInformation(TokenElevation)`, `SetErrorMode`.

use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{GetLastError, SetLastError, ERROR_NOT_ALL_ASSIGNED, ERROR_SUCCESS, HANDLE, LUID};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, LookupPrivilegeValueW, LUID_AND_ATTRIBUTES, SE_PRIVILEGE_ENABLED, TOKEN_ADJUST_PRIVILEGES,
    TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Diagnostics::Debug::{SetErrorMode, SEM_FAILCRITICALERRORS, SEM_NOOPENFILEERRORBOX};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::text::wide;

fn own_token(access: u32) -> io::Result<OwnedHandle> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the pseudo handle of this process is always valid, and `token` can be written to.
    let opened = unsafe { OpenProcessToken(GetCurrentProcess(), access, &mut token) };
    if opened == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so `token` is an open handle, and nobody else owns it.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

/// Enables a privilege by its name, such as `SeBackupPrivilege`. `false`: this process does not hold it.
///
/// # Errors
/// What the system reports, such as a name that it does not know.
pub fn enable_privilege(name: &str) -> io::Result<bool> {
    let name = wide(name)?;
    let token = own_token(TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY)?;
    let mut luid = LUID { LowPart: 0, HighPart: 0 };
    // SAFETY: `name` ends with a NUL and lives through the call; `luid` can be written to.
    if unsafe { LookupPrivilegeValueW(null(), name.as_ptr(), &mut luid) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = TOKEN_PRIVILEGES {
        PrivilegeCount: 1,
        Privileges: [LUID_AND_ATTRIBUTES { Luid: luid, Attributes: SE_PRIVILEGE_ENABLED }],
    };
    // SAFETY: the token is open with the access that this needs, `wanted` holds the one entry that it counts, and no
    // previous state is asked for, so its length 0 and null pointers are what the documentation allows.
    let (adjusted, error) = unsafe {
        SetLastError(ERROR_SUCCESS);
        let adjusted = AdjustTokenPrivileges(token.as_raw_handle(), 0, &wanted, 0, null_mut(), null_mut());
        (adjusted, GetLastError())
    };
    match (adjusted, error) {
        (0, code) => Err(io::Error::from_raw_os_error(code as i32)),
        (_, ERROR_NOT_ALL_ASSIGNED) => Ok(false),
        _ => Ok(true),
    }
}

/// Errors of drives come back as errors: no window ("There is no disk in the drive") waits for somebody to click.
pub fn no_error_dialogs() {
    // SAFETY: takes and gives a number; it changes only how this process hears of errors.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX) };
}
