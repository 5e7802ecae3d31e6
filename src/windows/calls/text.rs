//! Text as Windows' wide functions take and give it: UTF-16 that ends with a NUL. No call of Windows, and no `unsafe`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};

/// UTF-16 with a NUL at the end.
///
/// # Errors
/// There is a NUL inside: Windows would see only what stands before it.
pub fn wide(text: impl AsRef<OsStr>) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = text.as_ref().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name has a NUL character in it"));
    }
    wide.push(0);
    Ok(wide)
}

/// What stands before the first NUL, or all of it.
pub fn until_nul(wide: &[u16]) -> OsString {
    OsString::from_wide(wide.split(|unit| *unit == 0).next().unwrap_or_default())
}

/// A list of texts, each ended by a NUL and the list by another one.
pub fn list(wide: &[u16]) -> Vec<OsString> {
    wide.split(|unit| *unit == 0).take_while(|text| !text.is_empty()).map(OsString::from_wide).collect()
}
