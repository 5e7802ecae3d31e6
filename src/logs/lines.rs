//! Lines of a log as a stream, in whatever encoding it is, with bounded memory.
//!
//! UTF-8 and UTF-16LE with or without a mark; everything else is taken as one byte per character. Lines end in CRLF or LF. What
//! a crash leaves behind (runs of zero bytes, a line that stops in the middle, one of hundreds of megabytes) costs no
//! more than [`MAX_LINE`] bytes: the rest of such a line is skipped.

use std::borrow::Cow;
use std::io::{self, Read};

use super::reader::WINDOW;

/// The most of a line that is kept.
pub(super) const MAX_LINE: usize = 64 << 10;

/// The most that [`Lines::ahead`] shows at once.
const AHEAD: usize = 16 << 10;

/// How a log is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or a code page: told apart line by line.
    Bytes,
    /// UTF-16, little-endian.
    Utf16,
}

impl Encoding {
    /// Tells the encoding by the first bytes of a file, and how many of them are a mark.
    pub(super) fn of(head: &[u8]) -> (Encoding, usize) {
        if head.starts_with(&[0xef, 0xbb, 0xbf]) {
            return (Encoding::Bytes, 3);
        }
        if head.starts_with(&[0xff, 0xfe]) {
            return (Encoding::Utf16, 2);
        }
        // Without a mark: most high bytes are zero and hardly any low byte is.
        let pairs = head.len() / 2;
        let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|&&b| b == 0).count();
        if pairs >= 4 && zeros(1) * 10 >= pairs * 7 && zeros(0) * 10 <= pairs {
            (Encoding::Utf16, 0)
        } else {
            (Encoding::Bytes, 0)
        }
    }
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Its bytes without the end of the line: UTF-8 where the log is UTF-16; may hold zero bytes.
    pub bytes: &'a [u8],
    /// Its number, from 1 on, counted from where reading began.
    pub number: u64,
    /// Where it begins, in bytes from where reading began.
    pub offset: u64,
}

/// Windows-1252's own part; the rest is Latin-1.
const CP1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}',
    '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}',
    '\u{17e}', '\u{178}',
];

/// A line's text without zero bytes, and whether it is certain: what is not UTF-8 is taken as Windows-1252, which is a guess.
pub(super) fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let bytes: Cow<'_, [u8]> = if memchr::memchr(0, bytes).is_some() {
        Cow::Owned(bytes.iter().copied().filter(|&b| b != 0).collect())
    } else {
        Cow::Borrowed(bytes)
    };
    let of_code_page = |bytes: &[u8]| -> String {
        bytes.iter().map(|&b| CP1252.get(usize::from(b).wrapping_sub(0x80)).copied().unwrap_or(char::from(b))).collect()
    };
    match bytes {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), true),
            Err(_) => (Cow::Owned(of_code_page(bytes)), false),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => (Cow::Owned(text), true),
            Err(e) => (Cow::Owned(of_code_page(e.as_bytes())), false),
        },
    }
}

/// Reads lines.
pub(super) struct Lines<R> {
    source: R,
    encoding: Encoding,
    window: Vec<u8>,
    /// Where in the window the next line begins.
    at: usize,
    /// Up to where the window holds something.
    end: usize,
    /// The part of a line that was in earlier windows.
    carry: Vec<u8>,
    number: u64,
    offset: u64,
    limit: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of `source`, which begins with a line (not with a mark); at most `limit` bytes of it are read.
    pub(super) fn new(source: R, encoding: Encoding, limit: u64) -> Self {
        Lines {
            source,
            encoding,
            window: Vec::new(),
            at: 0,
            end: 0,
            carry: Vec::new(),
            number: 0,
            offset: 0,
            limit,
            ended: false,
        }
    }

    /// Reads the next window; what is left of the old one (an odd byte) goes first.
    fn fill(&mut self) -> io::Result<()> {
        let kept = self.end - self.at;
        self.window.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, kept);
        let room = usize::try_from(self.limit).unwrap_or(usize::MAX).min(WINDOW);
        if self.window.len() < kept + room {
            self.window.resize(kept + room, 0);
        }
        let mut got = 0;
        while let Some(buf) = self.window.get_mut(kept + got..kept + room).filter(|buf| !buf.is_empty()) {
            match self.source.read(buf) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.end = kept + got;
                    self.ended = true;
                    return Err(e);
                }
            }
        }
        self.limit = self.limit.saturating_sub(got as u64);
        self.end = kept + got;
        self.ended = got < room || room == 0;
        Ok(())
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.at..self.end).unwrap_or_default()
    }

    /// Some of the next lines, whole ones, as far as they are in memory; for [`Lines::pass`]. Nothing of UTF-16.
    pub(super) fn ahead(&self) -> &[u8] {
        if self.encoding == Encoding::Utf16 {
            return &[];
        }
        let rest = self.rest();
        let rest = rest.get(..AHEAD).unwrap_or(rest);
        rest.get(..memchr::memrchr(b'\n', rest).map_or(0, |end| end + 1)).unwrap_or_default()
    }

    /// Goes on behind so many bytes of [`Lines::ahead`], which are so many lines.
    pub(super) fn pass(&mut self, bytes: usize, lines: u64) {
        self.number += lines;
        self.at += bytes;
        self.offset = self.offset.saturating_add(bytes as u64);
    }

    /// The next line; `None` at the end. After an error there are no more lines.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let unit = if self.encoding == Encoding::Utf16 { 2 } else { 1 };
        self.carry.clear();
        let offset = self.offset;
        let mut carried = false;
        loop {
            let rest = self.window.get(self.at..self.end).unwrap_or_default();
            let end = match self.encoding {
                Encoding::Bytes => memchr::memchr(b'\n', rest),
                Encoding::Utf16 => rest.chunks_exact(2).position(|pair| pair == [b'\n', 0]).map(|n| n * 2),
            };
            let whole = match (end, self.ended) {
                (Some(end), _) => Some((end, end + unit)),
                (None, true) if rest.is_empty() && !carried => return Ok(None),
                (None, true) => Some((rest.len(), rest.len())),
                (None, false) => None,
            };
            if let Some((end, next)) = whole {
                let from = self.at;
                self.at += next;
                self.offset = self.offset.saturating_add(next as u64);
                self.number += 1;
                let line = self.window.get(from..from + end).unwrap_or_default();
                if carried || line.len() > MAX_LINE || self.encoding == Encoding::Utf16 {
                    keep(&mut self.carry, line, self.encoding);
                    let bytes = trimmed(&self.carry);
                    return Ok(Some(Line { bytes, number: self.number, offset }));
                }
                return Ok(Some(Line { bytes: trimmed(line), number: self.number, offset }));
            }
            let taken = rest.len() - rest.len() % unit;
            keep(&mut self.carry, rest.get(..taken).unwrap_or_default(), self.encoding);
            carried = carried || taken > 0;
            self.at += taken;
            self.offset = self.offset.saturating_add(taken as u64);
            self.fill()?;
        }
    }
}

/// Adds a part of a line, without zero bytes, to what is kept of it.
fn keep(carry: &mut Vec<u8>, part: &[u8], encoding: Encoding) {
    match encoding {
        Encoding::Bytes => {
            for run in part.split(|&b| b == 0) {
                let room = MAX_LINE.saturating_sub(carry.len());
                carry.extend_from_slice(run.get(..run.len().min(room)).unwrap_or_default());
            }
        }
        Encoding::Utf16 => {
            let units = part.chunks_exact(2).map(|pair| pair.first_chunk().map_or(0, |pair| u16::from_le_bytes(*pair)));
            for c in char::decode_utf16(units.filter(|&unit| unit != 0)) {
                if carry.len() + 4 > MAX_LINE {
                    break;
                }
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                carry.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// How many lines end in these bytes of a file, which begin at an even place.
pub(super) fn count(bytes: &[u8], encoding: Encoding) -> u64 {
    match encoding {
        Encoding::Bytes => memchr::memchr_iter(b'\n', bytes).count() as u64,
        Encoding::Utf16 => bytes.chunks_exact(2).filter(|pair| *pair == [b'\n', 0]).count() as u64,
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
