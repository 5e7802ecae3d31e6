//! The `.reg` format, version 5, as regedit reads and writes it: export, differences, and changes to apply.
//!
//! Relies on `coldmend-hives` for reading a hive. The format is the one that regedit's own exports show: a header line,
//! sections `[KEY]` (`[-KEY]` deletes), values `"name"=…` or `@=…` (`=-` deletes), text, `dword:` and `hex(TYPE):` data
//! with backslash continuation; UTF-16LE with a byte order mark in files.

mod diff;
mod export;
mod parse;

pub use diff::diff;
pub use export::{export, Naming};
pub use parse::{parse, Edit, RegFileError};

/// The first line.
pub const HEADER: &str = "Windows Registry Editor Version 5.00";

/// The text as regedit stores it: UTF-16LE with a byte order mark.
pub fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 2 + 2);
    bytes.extend_from_slice(&[0xff, 0xfe]);
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}
