//! A hive, or a key and what is under it, as `.reg` text.

use std::fmt::Write as _;

use coldmend_hives::{HiveError, KeyRef};

use super::HEADER;
use crate::plan::{REG_BINARY, REG_DWORD, REG_SZ};

/// How sections are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// `[\Key\Sub]`: from the hive's root, with one leading backslash.
    FromRoot,
    /// `[PREFIX\Key\Sub]`, such as `HKEY_LOCAL_MACHINE\SYSTEM`.
    Prefix(String),
}

impl Naming {
    /// The section of the key at `path` (no leading backslash; empty for the root), without brackets.
    pub fn section(&self, path: &str) -> String {
        match (self, path.is_empty()) {
            (Naming::FromRoot, _) => format!("\\{path}"),
            (Naming::Prefix(prefix), true) => prefix.clone(),
            (Naming::Prefix(prefix), false) => format!("{prefix}\\{path}"),
        }
    }
}

/// Exports `key` and everything under it. `path` is the key's path from the root.
///
/// # Errors
/// Damage that the structural check would have found.
pub fn export(key: &KeyRef<'_>, path: &str, naming: &Naming) -> Result<String, HiveError> {
    let mut out = String::with_capacity(1 << 20);
    out.push_str(HEADER);
    out.push_str("\r\n");
    let mut section = naming.section(path);
    write_tree(&mut out, key, &mut section)?;
    Ok(out)
}

/// `section` grows and shrinks with the walk, so that no path is put together twice.
fn write_tree(out: &mut String, key: &KeyRef<'_>, section: &mut String) -> Result<(), HiveError> {
    let _ = write!(out, "\r\n[{section}]\r\n");
    for value in key.values()? {
        write_value(out, &value.name(), value.data_type(), &value.data()?);
    }
    for subkey in key.subkeys()? {
        let len = section.len();
        if !section.ends_with('\\') {
            section.push('\\');
        }
        section.push_str(&subkey.name());
        write_tree(out, &subkey, section)?;
        section.truncate(len);
    }
    Ok(())
}

/// A section heading on its own.
pub(super) fn write_section(out: &mut String, section: &str) {
    let _ = write!(out, "\r\n[{section}]\r\n");
}

/// A value as a line of its section.
pub(super) fn write_value(out: &mut String, name: &str, data_type: u32, data: &[u8]) {
    write_name(out, name);
    match data_type {
        REG_SZ => match plain_text(data) {
            Some(text) => {
                write_quoted(out, &text);
                out.push_str("\r\n");
            }
            None => write_hex(out, name, "hex(1):", data),
        },
        REG_DWORD if data.len() == 4 => {
            let number = data.iter().rev().fold(0u32, |n, &b| (n << 8) | u32::from(b));
            let _ = write!(out, "dword:{number:08x}\r\n");
        }
        REG_BINARY => write_hex(out, name, "hex:", data),
        other => write_hex(out, name, &format!("hex({other:x}):"), data),
    }
}

/// `"name"=` or `@=`.
pub(super) fn write_name(out: &mut String, name: &str) {
    if name.is_empty() {
        out.push('@');
    } else {
        write_quoted(out, name);
    }
    out.push('=');
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// The text of a string that a quoted line can hold and that comes back the same: UTF-16, one NUL, at the end.
fn plain_text(data: &[u8]) -> Option<String> {
    if data.len() % 2 != 0 {
        return None;
    }
    let mut units = data.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
    let mut text = String::with_capacity(data.len() / 2);
    let count = data.len() / 2;
    let body: Vec<u16> = units.by_ref().take(count.checked_sub(1)?).collect();
    if units.next() != Some(0) {
        return None;
    }
    for c in char::decode_utf16(body) {
        let c = c.ok()?;
        // Line ends and other control characters would break the line.
        if c.is_control() {
            return None;
        }
        text.push(c);
    }
    Some(text)
}

/// Hex with regedit's line breaks: at most 80 characters, continued with a backslash.
fn write_hex(out: &mut String, name: &str, prefix: &str, data: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push_str(prefix);
    let mut column = name.chars().count() + 3 + prefix.len();
    for (i, byte) in data.iter().enumerate() {
        if i > 0 {
            out.push(',');
            column += 1;
            if column > 76 {
                out.push_str("\\\r\n  ");
                column = 2;
            }
        }
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
        column += 2;
    }
    out.push_str("\r\n");
}
