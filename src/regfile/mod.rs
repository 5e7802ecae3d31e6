//! The `.reg` format, version 5, as regedit reads and writes it: export, differences, and changes to apply.
//!
//! Relies on `coldmend-hives` for reading a hive. The format is the one that regedit's own exports show: a header line,
//! sections `[KEY]` (`[-KEY]` deletes), values `"name"=…` or `@=…` (`=-` deletes), text, `dword:` and `hex(TYPE):` data
//! with backslash continuation; UTF-16LE with a byte order mark in files.

mod diff;
mod export;
mod parse;
#[cfg(test)]
mod tests;
mod writer;

pub use diff::diff;
pub use export::{export, ExportError, Naming};
pub use parse::{parse, Edit, RegFileError};
pub use writer::{Encoding, RegWriter};

/// The first line.
pub const HEADER: &str = "Windows Registry Editor Version 5.00";
