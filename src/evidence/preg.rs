//! `Registry.pol`: the registry values that a group policy sets again whenever policies are applied.
//!
//! What it does: reads the whole file into a list of values, and says where a damaged one stops making sense. What it relies on:
//! nothing but bytes. Where the format comes from: [MS-GPREG] 2.2: a header of eight bytes (`PReg`, version 1), then
//! `[key;value;type;size;data]` in UTF-16LE, type and size as 32-bit numbers between the semicolons. A value's name that begins with
//! `**` is an instruction to delete, not a value.

use thiserror::Error;

use crate::plan::RegValue;

/// More than any policy file holds; local ones have some kilobytes.
pub const PREG_LIMIT: u64 = 16 << 20;
/// The longest key or value name in characters: more than the registry itself allows.
const LONGEST_NAME: usize = 1 << 15;
const HEADER: &[u8] = b"PReg\x01\0\0\0";

/// One value that a policy sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEntry {
    /// The key, below the hive that the file is for (`Software\Policies\…`).
    pub key: String,
    /// The value's name, or an instruction such as `**del.NAME`.
    pub name: String,
    /// What it is set to.
    pub value: RegValue,
}

/// Why a file is no `Registry.pol`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PregError {
    /// No bytes at all.
    #[error("a file of 0 bytes")]
    Empty,
    /// Another header.
    #[error("the file does not begin with \"PReg\" and version 1")]
    Header,
    /// An entry that is cut off or malformed.
    #[error("the entry at offset {offset} is malformed ({what})")]
    Entry {
        /// Where the entry begins, in bytes.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Reads a file.
///
/// # Errors
/// What is no policy file, or is damaged.
pub fn parse(bytes: &[u8]) -> Result<Vec<PolicyEntry>, PregError> {
    if bytes.is_empty() {
        return Err(PregError::Empty);
    }
    let Some(mut rest) = bytes.strip_prefix(HEADER) else { return Err(PregError::Header) };
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let offset = bytes.len().saturating_sub(rest.len());
        let mut at = Reader(rest);
        entries.push(at.entry().map_err(|what| PregError::Entry { offset, what })?);
        rest = at.0;
    }
    Ok(entries)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn entry(&mut self) -> Result<PolicyEntry, &'static str> {
        self.mark('[')?;
        let key = self.text()?;
        self.mark(';')?;
        let name = self.text()?;
        self.mark(';')?;
        let data_type = self.number()?;
        self.mark(';')?;
        let size = usize::try_from(self.number()?).map_err(|_| "its size is too large")?;
        self.mark(';')?;
        let data = self.take(size)?.to_vec();
        self.mark(']')?;
        Ok(PolicyEntry { key, name, value: RegValue { data_type, data } })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it is cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    fn unit(&mut self) -> Result<u16, &'static str> {
        self.take(2)?.try_into().map(u16::from_le_bytes).map_err(|_| "it is cut off")
    }

    fn number(&mut self) -> Result<u32, &'static str> {
        self.take(4)?.try_into().map(u32::from_le_bytes).map_err(|_| "it is cut off")
    }

    fn mark(&mut self, wanted: char) -> Result<(), &'static str> {
        if u32::from(self.unit()?) == u32::from(wanted) {
            Ok(())
        } else {
            Err("a separator is missing")
        }
    }

    /// A text with its terminating zero.
    fn text(&mut self) -> Result<String, &'static str> {
        let mut units = Vec::new();
        loop {
            match self.unit()? {
                0 => return Ok(String::from_utf16_lossy(&units)),
                _ if units.len() >= LONGEST_NAME => return Err("a name does not end"),
                unit => units.push(unit),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn entry(key: &str, name: &str, data_type: u32, data: &[u8]) -> Vec<u8> {
        let size = u32::try_from(data.len()).unwrap();
        let mut out = wide(&format!("[{key}\0;{name}\0;"));
        out.extend(data_type.to_le_bytes());
        out.extend(wide(";"));
        out.extend(size.to_le_bytes());
        out.extend(wide(";"));
        out.extend(data);
        out.extend(wide("]"));
        out
    }

    fn file(entries: &[Vec<u8>]) -> Vec<u8> {
        [HEADER.to_vec(), entries.concat()].concat()
    }

    #[test]
    fn entries_are_read() {
        let key = "Software\\Policies\\Microsoft\\Windows\\WindowsUpdate";
        // A key may hold what separates entries.
        let odd = "Software\\a;b]c[d";
        let bytes = file(&[
            entry(key, "DisableWindowsUpdateAccess", 4, &[1, 0, 0, 0]),
            entry(key, "WUServer", 1, &wide("http://wsus:8530\0")),
            entry(odd, "**del.x", 1, &wide(" \0")),
            entry(odd, "", 0, &[]),
        ]);
        let entries = parse(&bytes).unwrap();
        assert_eq!(entries.len(), 4);
        assert_eq!(entries[0].value.as_dword(), Some(1));
        assert_eq!(entries[1].value.as_text().as_deref(), Some("http://wsus:8530"));
        assert_eq!((entries[2].key.as_str(), entries[2].name.as_str()), (odd, "**del.x"));
        assert_eq!(parse(HEADER), Ok(vec![]));
    }

    #[test]
    fn damaged_files_are_told_apart_and_never_panic() {
        assert_eq!(parse(&[]), Err(PregError::Empty));
        assert_eq!(parse(b"PReg\x02\0\0\0"), Err(PregError::Header));
        let whole = file(&[entry("a", "b", 4, &[1, 0, 0, 0]), entry("c", "d", 3, &[9; 40])]);
        for cut in 0..whole.len() {
            let result = parse(whole.get(..cut).unwrap());
            let at_a_border = cut == HEADER.len() || cut == HEADER.len() + entry("a", "b", 4, &[1, 0, 0, 0]).len();
            assert_eq!(result.is_ok(), at_a_border, "cut at {cut}: {result:?}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            let _ = parse(&bytes);
        }
        let huge =
            [HEADER, &wide("[a\0;b\0;"), &4u32.to_le_bytes(), &wide(";"), &u32::MAX.to_le_bytes(), &wide(";")].concat();
        assert!(matches!(parse(&huge), Err(PregError::Entry { offset: 8, .. })));
        let endless = [HEADER.to_vec(), wide("["), wide("a").repeat(LONGEST_NAME + 2)].concat();
        assert!(matches!(parse(&endless), Err(PregError::Entry { .. })));
    }
}
