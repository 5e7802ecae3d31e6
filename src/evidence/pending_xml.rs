//! `WinSxS\pending.xml`: the operations that servicing left for the next start, read as a stream.
//!
//! What it does: counts the operations, keeps the transaction's identifier, the last operation and, up to a limit, the files that
//! operations want to link or move. The file may have hundreds of megabytes and anything in it: memory is bounded, and what is not
//! understood is a fault, not a failure. Source of the form: published descriptions of the file (root `PendingTransaction` with
//! `Identifier`; operations inside `POQ`, with NT paths); seen in UTF-8 and UTF-16.

use std::collections::BTreeMap;

use crate::volume::{VolPath, Volume, VolumeError};

/// More than any real file has.
const MAX_BYTES: u64 = 512 << 20;
const CHUNK: usize = 256 << 10;
/// A tag's text beyond this many units is dropped (values of the registry may be long).
const MAX_TAG: usize = 16 << 10;
/// As many operations with a source are kept.
const MAX_KEPT: usize = 5_000;
/// As many kinds of operations are counted apart.
const MAX_KINDS: usize = 64;

/// An operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operation {
    /// Its number, from 1.
    pub number: u64,
    /// Its element's name, such as `HardlinkFile`.
    pub name: String,
    /// The attribute `source`.
    pub source: Option<String>,
    /// The attribute `destination`.
    pub destination: Option<String>,
    /// The first attribute that looks like a path or key, to be shown.
    pub subject: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct PendingXml {
    /// The transaction's identifier, in lower case.
    pub identifier: Option<String>,
    /// How many operations there are.
    pub operations: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// The last one.
    pub last: Option<Operation>,
    /// The first ones that link or move a file.
    pub sources: Vec<Operation>,
    /// What is wrong with the file.
    pub fault: Option<String>,
}

impl PendingXml {
    /// Reads the file of `len` bytes.
    ///
    /// # Errors
    /// The volume can't be read.
    pub fn read(volume: &dyn Volume, path: &VolPath, len: u64) -> Result<PendingXml, VolumeError> {
        let mut reader = Reader::default();
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        while offset < MAX_BYTES && reader.xml.fault.is_none() {
            let got = volume.read_at(path, offset, &mut buffer)?;
            let Some(bytes) = buffer.get(..got).filter(|b| !b.is_empty()) else { break };
            reader.take(bytes, offset == 0);
            offset = offset.saturating_add(got as u64);
        }
        let cut = offset < len && reader.xml.fault.is_none();
        Ok(reader.finish(cut))
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    #[default]
    Utf8,
    Utf16Le,
    Utf16Be,
}

#[derive(Default)]
struct Reader {
    xml: PendingXml,
    encoding: Encoding,
    /// Half of a unit, from the chunk before.
    half: Option<u8>,
    /// The tag that is being read, without its brackets.
    tag: Option<Vec<u16>>,
    quote: Option<u16>,
    /// The last two units, to see the end of a comment when its text is dropped.
    before: [u16; 2],
    depth: u32,
    seen_root: bool,
    in_queue: bool,
}

impl Reader {
    fn take(&mut self, bytes: &[u8], first: bool) {
        let mut bytes = bytes;
        if first {
            (self.encoding, bytes) = match bytes {
                [0xff, 0xfe, rest @ ..] => (Encoding::Utf16Le, rest),
                [0xfe, 0xff, rest @ ..] => (Encoding::Utf16Be, rest),
                [0xef, 0xbb, 0xbf, rest @ ..] => (Encoding::Utf8, rest),
                [b'<', 0, ..] => (Encoding::Utf16Le, bytes),
                [0, b'<', ..] => (Encoding::Utf16Be, bytes),
                _ => (Encoding::Utf8, bytes),
            };
        }
        for &byte in bytes {
            let unit = match (self.encoding, self.half.take()) {
                (Encoding::Utf8, _) => u16::from(byte),
                (_, None) => {
                    self.half = Some(byte);
                    continue;
                }
                (Encoding::Utf16Le, Some(low)) => u16::from_le_bytes([low, byte]),
                (Encoding::Utf16Be, Some(high)) => u16::from_be_bytes([high, byte]),
            };
            self.unit(unit);
            if self.xml.fault.is_some() {
                return;
            }
        }
    }

    fn unit(&mut self, unit: u16) {
        const OPEN: u16 = b'<' as u16;
        const CLOSE: u16 = b'>' as u16;
        let before = self.before;
        self.before = [before[1], unit];
        let Some(tag) = &mut self.tag else {
            if unit == OPEN {
                self.tag = Some(Vec::new());
                self.quote = None;
            } else if !self.seen_root && unit > u16::from(b' ') {
                self.xml.fault = Some("it does not begin as XML".into());
            }
            return;
        };
        let dash = u16::from(b'-');
        let is_comment = tag.starts_with(&[u16::from(b'!'), dash, dash]);
        let ends = if is_comment {
            unit == CLOSE && before == [dash, dash] && tag.len() >= 5
        } else {
            match self.quote {
                Some(quote) => {
                    if unit == quote {
                        self.quote = None;
                    }
                    false
                }
                None => {
                    if unit == u16::from(b'"') || unit == u16::from(b'\'') {
                        self.quote = Some(unit);
                    }
                    unit == CLOSE
                }
            }
        };
        if !ends {
            if tag.len() < MAX_TAG {
                tag.push(unit);
            } else if let Some(last) = tag.last_mut() {
                // A slash at the very end still closes the element.
                *last = unit;
            }
            return;
        }
        let tag = self.tag.take().unwrap_or_default();
        if !is_comment {
            let text = match self.encoding {
                Encoding::Utf8 => {
                    let bytes: Vec<u8> = tag.iter().filter_map(|u| u8::try_from(*u).ok()).collect();
                    String::from_utf8_lossy(&bytes).into_owned()
                }
                _ => String::from_utf16_lossy(&tag),
            };
            self.tag_read(&text);
        }
    }

    fn tag_read(&mut self, text: &str) {
        if text.starts_with(['?', '!']) {
            return;
        }
        if let Some(name) = text.strip_prefix('/') {
            match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => {
                    self.xml.fault = Some(format!("the element {} is closed and was never opened", short(name.trim())))
                }
            }
            if self.depth <= 1 {
                self.in_queue = false;
            }
            return;
        }
        let (text, closed) = text.strip_suffix('/').map_or((text, false), |t| (t, true));
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if self.depth == 0 {
            if self.seen_root || !name.eq_ignore_ascii_case("PendingTransaction") {
                self.xml.fault = Some(format!("its root is {}, not PendingTransaction", short(name)));
                return;
            }
            self.seen_root = true;
            self.xml.identifier = attribute(rest, "Identifier").map(|t| short(t.trim()).to_lowercase());
        } else if self.depth == 1 {
            self.in_queue = name.eq_ignore_ascii_case("POQ") && !closed;
        } else if self.depth == 2 && self.in_queue {
            self.operation(name, rest);
        }
        if !closed {
            self.depth = self.depth.saturating_add(1);
        }
    }

    fn operation(&mut self, name: &str, attributes: &str) {
        self.xml.operations = self.xml.operations.saturating_add(1);
        let name = short(name);
        if self.xml.kinds.len() < MAX_KINDS || self.xml.kinds.contains_key(&name) {
            *self.xml.kinds.entry(name.clone()).or_default() += 1;
        }
        let of = |name: &str| attribute(attributes, name).map(|t| short(&t));
        let operation = Operation {
            number: self.xml.operations,
            source: of("source"),
            destination: of("destination"),
            subject: ["destination", "path", "key", "source", "name"].iter().find_map(|n| of(n)),
            name,
        };
        let is_file = ["hardlinkfile", "movefile"].contains(&operation.name.to_lowercase().as_str());
        if is_file && operation.source.is_some() && self.xml.sources.len() < MAX_KEPT {
            self.xml.sources.push(operation.clone());
        }
        self.xml.last = Some(operation);
    }

    fn finish(mut self, cut: bool) -> PendingXml {
        if self.xml.fault.is_none() {
            if cut {
                self.xml.fault = Some(format!("only {} MiB of it were read", MAX_BYTES >> 20));
            } else if !self.seen_root {
                self.xml.fault = Some("it is empty".into());
            } else if self.depth != 0 || self.tag.is_some() {
                self.xml.fault = Some("it ends in the middle".into());
            } else if self.xml.identifier.is_none() {
                self.xml.fault = Some("its root has no identifier".into());
            }
        }
        self.xml
    }
}

fn short(text: &str) -> String {
    text.chars().take(1000).collect()
}

/// An attribute's value, its name matched without case.
fn attribute(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        let (value, next) = after.get(1..)?.split_once(quote)?;
        if name.trim().eq_ignore_ascii_case(wanted) {
            let plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
            return Some(plain.replace("&amp;", "&"));
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = "<?xml version='1.0' encoding='utf-8'?>\r\n<!-- > a \"comment -->\n<PendingTransaction Version=\"3.1\" Identifier=\"916AE75EDB30DA0146730000DC1BE027\">\n<Transactions><T a='x'/></Transactions>\n<POQ postAction=\"reboot\">\n<HardlinkFile source=\"\\SystemRoot\\WinSxS\\a&amp;b\\x.dll\" destination=\"\\??\\C:\\Windows\\x.dll\"/><SetKeyValue path='\\Registry\\Machine' value=\"a>b\"><Nested/></SetKeyValue>\n</POQ><POQ>\n<DeleteFile path=\"\\??\\C:\\ä\"/></POQ><InstallerQueue Length=\"0x00000000\"></InstallerQueue></PendingTransaction>\r\n";

    fn read(bytes: &[u8], chunk: usize) -> PendingXml {
        let mut reader = Reader::default();
        let mut first = true;
        for part in bytes.chunks(chunk) {
            reader.take(part, first);
            first = false;
        }
        reader.finish(false)
    }

    fn utf16(text: &str, mark: bool) -> Vec<u8> {
        let mark = if mark { vec![0xfeff] } else { Vec::new() };
        mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn operations_are_counted_in_every_encoding_and_at_every_cut() {
        let big: Vec<u8> = [0xfeff].into_iter().chain(TEXT.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        for bytes in [
            TEXT.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", TEXT.as_bytes()].concat(),
            utf16(TEXT, true),
            utf16(TEXT, false),
            big,
        ] {
            for chunk in [2, 3, 7, 100_000] {
                if chunk == 2 && bytes.starts_with(&[0xef]) {
                    continue;
                }
                let xml = read(&bytes, chunk);
                assert_eq!(xml.fault, None);
                assert_eq!(xml.identifier.as_deref(), Some("916ae75edb30da0146730000dc1be027"));
                assert_eq!(xml.operations, 3);
                assert_eq!(xml.kinds.len(), 3);
                assert_eq!(xml.sources.len(), 1);
                assert_eq!(xml.sources[0].source.as_deref(), Some("\\SystemRoot\\WinSxS\\a&b\\x.dll"));
                assert_eq!(xml.last.unwrap().subject.as_deref(), Some("\\??\\C:\\ä"));
            }
        }
    }

    #[test]
    fn what_is_cut_or_something_else_is_a_fault() {
        for (bytes, fault) in [
            (&b""[..], "empty"),
            (b"\0\0\0\0", "empty"),
            (b"garbage", "XML"),
            (b"<a/>", "root"),
            (b"<PendingTransaction>", "middle"),
            (b"<PendingTransaction Identifier='1'><POQ><X", "middle"),
            (b"<PendingTransaction></PendingTransaction>", "identifier"),
            (b"<PendingTransaction Identifier='1'></a></b>", "never opened"),
            (b"<PendingTransaction Identifier='1'/><PendingTransaction/>", "root"),
        ] {
            let xml = read(bytes, 4);
            assert!(xml.fault.as_deref().is_some_and(|f| f.contains(fault)), "{fault}: {:?}", xml.fault);
        }
        for end in 0..TEXT.len() - 4 {
            assert!(read(&TEXT.as_bytes()[..end], 64).fault.is_some(), "{end}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut text = String::from("<PendingTransaction Identifier='1'><POQ>");
        for n in 0..20_000 {
            text.push_str(&format!("<HardlinkFile source='a'/><K{n}/>"));
        }
        text.push_str(&format!("<SetKeyValue value='{}'/></POQ></PendingTransaction>", "x".repeat(1 << 20)));
        let xml = read(text.as_bytes(), 1000);
        assert_eq!((xml.fault, xml.operations), (None, 40_001));
        assert!(xml.kinds.len() <= MAX_KINDS && xml.sources.len() <= MAX_KEPT);
    }
}
