//! Names from a disk, made harmless for a terminal and for a JSON file.
//!
//! A name on a hostile volume may hold line feeds, terminal control sequences, characters that
//! reverse the direction of writing, or bytes that are no Unicode at all. Two forms are made of it:
//!
//! * for people ([`escape_name`]): such characters become `<U+202E>`, such bytes `<0xFF>`. `<` and
//!   `>` can't be in a Windows name, so nothing looks like an escape that is none on NTFS;
//! * for machines ([`encode_name`], [`decode_name`]): exact and reversible; what is not plain text
//!   becomes `%XX` per byte, and a `%` that two hexadecimal digits follow becomes `%25`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

/// Whether a character is shown as its number: it would act on the terminal, vanish, or mislead.
fn is_hostile(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'            // control characters
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'                           // invisible
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' // zero width, line ends, direction
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        | '\u{2005}' | '\u{2000}'..='\u{2004}' | '\u{2006}'..='\u{200a}' | '\u{205f}' | '\u{3000}'
        | '\u{a0}' | '\u{1680}'                             // spaces that look like a space
        | '\\' | '/') // separators: a component holds none on Windows
}

/// One name (a path's component) for people: hostile characters as `<U+202E>`, bytes that are not
/// Unicode as `<0xFF>`, everything else as it is.
#[must_use]
pub fn escape_name(name: &OsStr) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_hostile(c) {
                let _ = write!(out, "<U+{:04X}>", u32::from(c));
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "<0x{byte:02X}>");
        }
    }
    out
}

/// A text (a host's path, a message of the system) for people: as [`escape_name`], separators kept.
#[must_use]
pub fn escape_text(text: &OsStr) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_hostile(c) && c != '/' && c != '\\' {
                let _ = write!(out, "<U+{:04X}>", u32::from(c));
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "<0x{byte:02X}>");
        }
    }
    out
}

fn two_hex_digits(bytes: &[u8]) -> Option<u8> {
    let (Some(&high), Some(&low)) = (bytes.first(), bytes.get(1)) else {
        return None;
    };
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// One name as text that gives the same name back through [`decode_name`], on either system.
#[must_use]
pub fn encode_name(name: &OsStr) -> String {
    let bytes = name.as_encoded_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0usize;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let escape = match c {
                '\\' | '/' => true,
                '%' => bytes.get(at.saturating_add(1)..).is_some_and(|rest| two_hex_digits(rest).is_some()),
                _ => false,
            };
            if escape {
                let _ = write!(out, "%{:02X}", u32::from(c));
            } else {
                out.push(c);
            }
            at = at.saturating_add(c.len_utf8());
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "%{byte:02X}");
        }
        at = at.saturating_add(chunk.invalid().len());
    }
    out
}

/// The name that [`encode_name`] made `text` of; `None` if the bytes can't be a name on this
/// system (on Windows: bytes that are neither Unicode nor an unpaired surrogate).
#[must_use]
pub fn decode_name(text: &str) -> Option<OsString> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            if let Some(byte) = two_hex_digits(tail) {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
                continue;
            }
        }
        bytes.push(first);
        rest = tail;
    }
    from_bytes(bytes)
}

#[cfg(unix)]
// A name of NTFS that holds unpaired surrogates reaches us, through ntfs-3g, as three bytes each,
// the same bytes that Windows' side encodes and decodes below.
fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(OsString::from_vec(bytes))
}

#[cfg(windows)]
fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    use std::os::windows::ffi::OsStringExt as _;
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                units.extend(text.encode_utf16());
                return Some(OsString::from_wide(&units));
            }
            Err(e) => {
                let (valid, bad) = rest.split_at_checked(e.valid_up_to())?;
                units.extend(std::str::from_utf8(valid).ok()?.encode_utf16());
                let [0xed, b @ 0xa0..=0xbf, c @ 0x80..=0xbf, tail @ ..] = bad else {
                    return None;
                };
                units.push(0xd000 | u16::from(b & 0x3f) << 6 | u16::from(c & 0x3f));
                rest = tail;
            }
        }
    }
}
