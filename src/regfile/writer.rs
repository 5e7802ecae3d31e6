//! Writing `.reg` text as a stream: bounded memory, whatever the size of the hive or of one value.
//!
//! Text gathers as UTF-8 and goes out in pieces, as it is or as UTF-16 with a byte order mark, as regedit stores it.
//!
//! The format has no escape for names beyond `\\` and `\"`: a line end in a name stands there as it is, as in regedit's own
//! files. What a reader could not tell apart is not written but counted ([`RegWriter::unwritable`]).

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::HEADER;
use crate::plan::{REG_BINARY, REG_DWORD, REG_SZ};

/// Text goes out when there is this much of it, in bytes.
const PIECE: usize = 64 << 10;
/// The longest line of hex data, as regedit's.
const COLUMNS: usize = 76;

/// How the text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 without a byte order mark.
    Utf8,
    /// UTF-16LE with a byte order mark.
    Utf16,
}

/// A `.reg` file being written. Nothing is written before the first section.
pub struct RegWriter<'w> {
    out: &'w mut dyn Write,
    encoding: Encoding,
    text: Vec<u8>,
    wide: Vec<u8>,
    is_empty: bool,
    unwritable: u64,
    stop: Option<&'w AtomicBool>,
}

impl<'w> RegWriter<'w> {
    /// Writes to `out`, which need not be buffered.
    pub fn new(out: &'w mut dyn Write, encoding: Encoding) -> Self {
        let text = Vec::with_capacity(PIECE + (PIECE >> 2));
        RegWriter { out, encoding, text, wide: Vec::new(), is_empty: true, unwritable: 0, stop: None }
    }

    /// Ends the making of text, with an error, once `stop` is true: what sends no text would not notice that the output is gone.
    #[must_use]
    pub fn stopped_by(mut self, stop: &'w AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Whether to go on; asked for every key and value.
    pub(super) fn go_on(&self) -> io::Result<()> {
        match self.stop {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(io::Error::other("the text is no longer wanted")),
            _ => Ok(()),
        }
    }

    /// The first line, if it is not there yet.
    pub fn header(&mut self) {
        if std::mem::take(&mut self.is_empty) {
            if self.encoding == Encoding::Utf16 {
                self.text.extend_from_slice("\u{feff}".as_bytes());
            }
            self.text.extend_from_slice(HEADER.as_bytes());
            self.text.extend_from_slice(b"\r\n");
        }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Names that can't be told in this format, and were left out.
    pub fn unwritable(&self) -> u64 {
        self.unwritable
    }

    /// Counts something that can't be told.
    pub(super) fn leave_out(&mut self) {
        self.unwritable = self.unwritable.saturating_add(1);
    }

    /// A section's heading.
    ///
    /// # Errors
    /// What the output reports.
    pub fn section(&mut self, minus: bool, section: &str) -> io::Result<()> {
        self.header();
        self.text.extend_from_slice(if minus { b"\r\n[-" } else { b"\r\n[" });
        self.text.extend_from_slice(section.as_bytes());
        self.text.extend_from_slice(b"]\r\n");
        self.send_if_full()
    }

    /// A value.
    ///
    /// # Errors
    /// What the output reports.
    pub fn value(&mut self, name: &str, data_type: u32, data: &[u8]) -> io::Result<()> {
        let start = self.text.len();
        self.name(name);
        match data_type {
            REG_SZ => {
                let end = self.text.len();
                if !self.plain_text(data) {
                    self.text.truncate(end);
                    self.hex(start, b"hex(1):", data)?;
                }
            }
            REG_DWORD if data.len() == 4 => {
                self.text.extend_from_slice(b"dword:");
                for byte in data.iter().rev() {
                    self.text.extend_from_slice(&HEX[usize::from(*byte)]);
                }
                self.text.extend_from_slice(b"\r\n");
            }
            REG_BINARY => self.hex(start, b"hex:", data)?,
            other => self.hex(start, format!("hex({other:x}):").as_bytes(), data)?,
        }
        self.send_if_full()
    }

    /// A value that is deleted.
    ///
    /// # Errors
    /// What the output reports.
    pub fn deleted_value(&mut self, name: &str) -> io::Result<()> {
        self.name(name);
        self.text.extend_from_slice(b"-\r\n");
        self.send_if_full()
    }

    fn name(&mut self, name: &str) {
        if name.is_empty() {
            self.text.extend_from_slice(b"@=");
            return;
        }
        self.text.push(b'"');
        for byte in name.bytes() {
            if matches!(byte, b'"' | b'\\') {
                self.text.push(b'\\');
            }
            self.text.push(byte);
        }
        self.text.extend_from_slice(b"\"=");
    }

    /// The data of a string in quotes, if that comes back the same: UTF-16, one NUL, at the end, and nothing that would break the
    /// line. Otherwise something is left behind the name, and the answer is no.
    fn plain_text(&mut self, data: &[u8]) -> bool {
        let Some((body, [0, 0])) = data.split_last_chunk::<2>() else { return false };
        if body.len() % 2 != 0 {
            return false;
        }
        self.text.push(b'"');
        self.text.reserve(body.len());
        let mut units = body.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        while let Some(unit) = units.next() {
            match unit {
                0x22 | 0x5c => self.text.extend_from_slice(&[b'\\', unit as u8]),
                0x20..=0x7e => self.text.push(unit as u8),
                // Control characters would break the line, or vanish.
                0..=0x9f => return false,
                _ => {
                    let next = if (0xd800..0xdc00).contains(&unit) { units.next() } else { None };
                    let mut decoded = char::decode_utf16([Some(unit), next].into_iter().flatten());
                    let (Some(Ok(c)), None) = (decoded.next(), decoded.next()) else { return false };
                    self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        self.text.extend_from_slice(b"\"\r\n");
        true
    }

    /// Hex with regedit's line breaks: at most 80 characters, continued with a backslash. `start` is where the line begins.
    fn hex(&mut self, start: usize, prefix: &[u8], data: &[u8]) -> io::Result<()> {
        self.text.extend_from_slice(prefix);
        let before = self.text.get(start..).unwrap_or_default();
        // Characters, not bytes.
        let column = before.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let first = COLUMNS.saturating_sub(column).div_ceil(3).max(1).min(data.len());
        let (line, rest) = data.split_at(first);
        self.hex_line(line);
        for line in rest.chunks((COLUMNS - 2).div_ceil(3)) {
            self.text.extend_from_slice(b",\\\r\n  ");
            self.hex_line(line);
            self.send_if_full()?;
        }
        self.text.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn hex_line(&mut self, bytes: &[u8]) {
        let at = self.text.len();
        self.text.resize(at + bytes.len() * 3, b',');
        for (digits, byte) in self.text[at..].chunks_exact_mut(3).zip(bytes) {
            digits[..2].copy_from_slice(&HEX[usize::from(*byte)]);
        }
        if !bytes.is_empty() {
            self.text.pop();
        }
    }

    fn send_if_full(&mut self) -> io::Result<()> {
        if self.text.len() >= PIECE {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        match self.encoding {
            Encoding::Utf8 => self.out.write_all(&self.text)?,
            Encoding::Utf16 => {
                self.wide.clear();
                widen(&self.text, &mut self.wide);
                self.out.write_all(&self.wide)?;
            }
        }
        self.text.clear();
        Ok(())
    }

    /// Writes what is left, and answers how many names were left out.
    ///
    /// # Errors
    /// What the output reports.
    pub fn finish(mut self) -> io::Result<u64> {
        self.send()?;
        self.out.flush()?;
        Ok(self.unwritable)
    }
}

/// UTF-8 as UTF-16LE.
fn widen(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() * 2);
    for chunk in text.utf8_chunks() {
        // Nearly all of it is ASCII.
        if chunk.valid().is_ascii() {
            let at = out.len();
            out.resize(at + chunk.valid().len() * 2, 0);
            for (pair, byte) in out[at..].chunks_exact_mut(2).zip(chunk.valid().bytes()) {
                pair[0] = byte;
            }
        } else {
            out.extend(chunk.valid().encode_utf16().flat_map(u16::to_le_bytes));
        }
    }
}

/// Every byte's two digits.
static HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    table
};
