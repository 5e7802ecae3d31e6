//! Security descriptors of what is open, as their self-relative bytes ([MS-DTYP] 2.4.6), and who this process runs as.
//!
//! `GetKernelObjectSecurity` and `SetKernelObjectSecurity` change the one object and nothing in it; the system itself
//! passes inheritable entries on to what is created later.

use std::io;
use std::mem::size_of;
use std::os::windows::io::{AsHandle, AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::null_mut;

use windows_sys::Wdk::System::SystemServices::RtlValidRelativeSecurityDescriptor;
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_SECURITY_DESCR, HANDLE};
use windows_sys::Win32::Security as sec;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::file::{raw, system_error};

/// More than any descriptor has: an ACL has at most 64 KiB, and there are two.
const MOST_BYTES: u32 = 1 << 18;

/// Owner, group and DACL.
const PARTS: u32 = sec::OWNER_SECURITY_INFORMATION | sec::GROUP_SECURITY_INFORMATION | sec::DACL_SECURITY_INFORMATION;

/// What of a descriptor is to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Owner, group, and the DACL, which no longer inherits from above.
    All,
    /// The DACL, which no longer inherits from above.
    Dacl,
}

/// The bytes in words, so that they are aligned, if they are a well-formed descriptor in which nothing leads out of it.
pub(super) fn checked_descriptor(descriptor: &[u8]) -> io::Result<Vec<u64>> {
    let mut words: Vec<u64> = Vec::with_capacity(descriptor.len().div_ceil(size_of::<u64>()));
    for chunk in descriptor.chunks(size_of::<u64>()) {
        let mut word = [0; size_of::<u64>()];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        words.push(u64::from_ne_bytes(word));
    }
    let bad = || system_error(ERROR_INVALID_SECURITY_DESCR);
    let len = u32::try_from(descriptor.len()).map_err(|_| bad())?;
    // SAFETY: the words hold `len` bytes, aligned; that is as far as the call looks.
    let good =
        unsafe { RtlValidRelativeSecurityDescriptor(words.as_mut_ptr().cast(), len, sec::DACL_SECURITY_INFORMATION) };
    if good {
        Ok(words)
    } else {
        Err(bad())
    }
}

/// Takes `len` bytes out of words.
fn bytes_of(words: &[u64], len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.truncate(len);
    bytes
}

/// Calls `fill` with a buffer that grows until what there is fits in; returns those bytes. `fill` gets the buffer and its
/// length in bytes, and says whether it succeeded and how many bytes it needs.
fn grown(mut fill: impl FnMut(&mut [u64], u32) -> (bool, u32)) -> io::Result<Vec<u8>> {
    let mut size = 512u32;
    loop {
        let words = usize::try_from(size).unwrap_or(0).div_ceil(size_of::<u64>());
        let mut buffer = vec![0u64; words];
        let (done, needed) = fill(&mut buffer, size);
        if done {
            return Ok(bytes_of(&buffer, usize::try_from(needed.min(size)).unwrap_or(0)));
        }
        let error = io::Error::last_os_error();
        let short = error.raw_os_error() == system_error(ERROR_INSUFFICIENT_BUFFER).raw_os_error();
        if !short || needed <= size || needed > MOST_BYTES {
            return Err(error);
        }
        size = needed;
    }
}

/// Owner, group and DACL of what is open with [`READ_CONTROL`](super::file::access::READ_CONTROL).
///
/// # Errors
/// What the system reports.
pub fn descriptor(open: impl AsHandle) -> io::Result<Vec<u8>> {
    let handle = raw(&open);
    grown(|buffer, size| {
        let mut needed = size;
        // SAFETY: the handle is open; the buffer is aligned, writable and at least `size` bytes long.
        let done =
            unsafe { sec::GetKernelObjectSecurity(handle, PARTS, buffer.as_mut_ptr().cast(), size, &raw mut needed) };
        (done != 0, needed)
    })
}

/// Sets owner, group and DACL of what is open with [`WRITE_CONTROL`](super::file::access::WRITE_CONTROL), or the DACL only.
///
/// # Errors
/// What the system reports: `ERROR_INVALID_OWNER` if this user may not give it to the descriptor's owner.
pub fn set_descriptor(open: impl AsHandle, descriptor: &[u8], part: Part) -> io::Result<()> {
    let mut words = checked_descriptor(descriptor)?;
    let parts = sec::PROTECTED_DACL_SECURITY_INFORMATION
        | match part {
            Part::All => PARTS,
            Part::Dacl => sec::DACL_SECURITY_INFORMATION,
        };
    // SAFETY: the handle is open; the descriptor is aligned, and its inner offsets were checked against its length.
    if unsafe { sec::SetKernelObjectSecurity(raw(&open), parts, words.as_mut_ptr().cast()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The SID of the user that this process runs as.
///
/// # Errors
/// What the system reports.
pub fn this_user() -> io::Result<Vec<u8>> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the pseudo-handle of this process is always good; the result is written to `token`.
    if unsafe { OpenProcessToken(GetCurrentProcess(), sec::TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so this is a handle, and nobody else has it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut base = 0;
    let bytes = grown(|buffer, size| {
        let mut needed = size;
        base = buffer.as_ptr().addr();
        // SAFETY: the token is open; the buffer is aligned, writable and at least `size` bytes long.
        let done = unsafe {
            sec::GetTokenInformation(
                token.as_raw_handle(),
                sec::TokenUser,
                buffer.as_mut_ptr().cast(),
                size,
                &raw mut needed,
            )
        };
        (done != 0, needed)
    })?;
    // TOKEN_USER begins with a pointer to the SID, which follows in the same buffer.
    let sid = || -> Option<Vec<u8>> {
        let pointer = usize::from_ne_bytes(bytes.get(..size_of::<usize>())?.try_into().ok()?);
        let at = pointer.checked_sub(base)?;
        let count = usize::from(*bytes.get(at.checked_add(1)?)?);
        let len = count.checked_mul(4)?.checked_add(8)?;
        Some(bytes.get(at..at.checked_add(len)?)?.to_vec())
    };
    sid().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
