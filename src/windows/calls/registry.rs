//! The registry of the running system, read-only: whether a key is there, and the texts in one.
//!
//! Source: Microsoft's `RegOpenKeyExW`, `RegEnumValueW`, `RegCloseKey`.

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt as _;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS};
use windows_sys::Win32::System::Registry::{
    RegCloseKey, RegEnumValueW, RegOpenKeyExW, HKEY, HKEY_LOCAL_MACHINE, KEY_READ, REG_EXPAND_SZ, REG_SZ,
};

use super::text::{until_nul, wide};

/// The longest value name there is, with its NUL; a path in the object manager is no longer than twice that.
const NAME: usize = 16_384;
const DATA: usize = 65_536;
/// More values than a key with one entry per loaded hive can have.
const MOST: u32 = 65_536;

/// An open key.
struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key was opened by `open`, and is closed only here.
        unsafe { RegCloseKey(self.0) };
    }
}

fn open(path: &str) -> io::Result<Key> {
    let path = wide(path)?;
    let mut key: HKEY = null_mut();
    // SAFETY: `path` ends with a NUL and lives through the call; `key` can be written to.
    match unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.as_ptr(), 0, KEY_READ, &mut key) } {
        ERROR_SUCCESS => Ok(Key(key)),
        code => Err(io::Error::from_raw_os_error(code as i32)),
    }
}

/// Whether a key below `HKEY_LOCAL_MACHINE` is there.
pub fn machine_key_exists(path: &str) -> bool {
    open(path).is_ok()
}

/// The values of a key below `HKEY_LOCAL_MACHINE` that are texts, with their names. What is longer than a path can be is left
/// out.
///
/// # Errors
/// The key is not there, or may not be read.
pub fn machine_texts(path: &str) -> io::Result<Vec<(OsString, OsString)>> {
    let key = open(path)?;
    let mut name = vec![0u16; NAME];
    let mut data = vec![0u8; DATA];
    let mut found = Vec::new();
    for index in 0..MOST {
        let (mut name_len, mut data_len, mut kind) = (NAME as u32, DATA as u32, 0u32);
        // SAFETY: the key is open; both buffers are as long as the lengths say (characters and bytes), and the lengths
        // and the type can be written to.
        let code = unsafe {
            RegEnumValueW(
                key.0,
                index,
                name.as_mut_ptr(),
                &mut name_len,
                null(),
                &mut kind,
                data.as_mut_ptr(),
                &mut data_len,
            )
        };
        match code {
            ERROR_SUCCESS => {}
            ERROR_MORE_DATA => continue,
            ERROR_NO_MORE_ITEMS => break,
            code => return Err(io::Error::from_raw_os_error(code as i32)),
        }
        if !matches!(kind, REG_SZ | REG_EXPAND_SZ) {
            continue;
        }
        let text: Vec<u16> = data
            .get(..data_len as usize)
            .unwrap_or_default()
            .chunks_exact(2)
            .filter_map(|pair| Some(u16::from_le_bytes(pair.try_into().ok()?)))
            .collect();
        let name = OsString::from_wide(name.get(..name_len as usize).unwrap_or_default());
        found.push((name, until_nul(&text)));
    }
    Ok(found)
}
