//! Reading a `.reg` file into edits. Every fault has its line.
//!
//! Line ends count outside quotes only: a value's name, or its text, may hold some, and so may a key's name.

use std::sync::Arc;

use thiserror::Error;

use crate::plan::{RegValue, REG_BINARY};

/// Why a `.reg` file is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: found {found}, expected {expected}")]
pub struct RegFileError {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub found: String,
    /// What belongs there.
    pub expected: &'static str,
}

/// One change that a `.reg` file asks for. Keys are paths from the hive's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Make the key, if it is not there.
    CreateKey(Arc<str>),
    /// Delete the key and everything under it, if it is there.
    DeleteKey(Arc<str>),
    /// Set a value.
    SetValue(Arc<str>, String, RegValue),
    /// Delete a value, if it is there.
    DeleteValue(Arc<str>, String),
}

impl Edit {
    /// The key that it is about.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Edit::CreateKey(key) | Edit::DeleteKey(key) | Edit::SetValue(key, ..) | Edit::DeleteValue(key, _) => key,
        }
    }
}

/// What is expected where a section is not one of the hive.
const FROM_THE_ROOT: &str = "a key named from the hive's root, or the prefix that stands before it";
const THE_PREFIX: &str = "the prefix, or a leading backslash: another section is not meant for this hive";

impl RegFileError {
    /// Whether another prefix may make good of it.
    pub fn is_about_the_prefix(&self) -> bool {
        [FROM_THE_ROOT, THE_PREFIX].contains(&self.expected)
    }
}

/// Reads the bytes of a `.reg` file: UTF-16LE with a byte order mark, or UTF-8. Sections may name keys with a leading
/// backslash, or with `prefix` in front; without one if no prefix is given, but not as `HKEY_…`: regedit's names would become
/// keys inside the hive.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(bytes: Vec<u8>, prefix: Option<&str>) -> Result<Vec<Edit>, RegFileError> {
    let text = decode(bytes)?;
    let mut reader = Reader { rest: &text, line: 1 };
    let first = reader.rest.split('\n').next().unwrap_or_default();
    if first.trim() != super::HEADER {
        let expected = match first.trim() {
            "REGEDIT4" => "version 5, which begins with \"Windows Registry Editor Version 5.00\" (open the file in regedit and export it anew)",
            _ => "the line \"Windows Registry Editor Version 5.00\"",
        };
        return Err(fault(1, first, expected));
    }
    reader.skip(first.len());
    let mut edits = Vec::new();
    let mut section: Option<Option<Arc<str>>> = None;
    loop {
        reader.blank();
        let line = reader.line;
        match reader.rest.as_bytes().first() {
            None => return Ok(edits),
            Some(b';') => reader.skip(reader.to_line_end()),
            Some(b'[') => {
                let (delete, key) = reader.section(prefix)?;
                let key: Arc<str> = key.into();
                edits.push(if delete { Edit::DeleteKey(key.clone()) } else { Edit::CreateKey(key.clone()) });
                section = Some((!delete).then_some(key));
            }
            Some(_) => {
                let here = || reader.rest.split('\n').next().unwrap_or_default();
                let key = match &section {
                    Some(Some(key)) => key.clone(),
                    Some(None) => return Err(fault(line, here(), "no values in a section that is deleted")),
                    None => return Err(fault(line, here(), "a section")),
                };
                edits.push(reader.value(key)?);
            }
        }
    }
}

fn fault(line: usize, found: &str, expected: &'static str) -> RegFileError {
    let short: String = found.trim_end_matches(['\r', '\n']).chars().take(80).collect();
    RegFileError { line, found: if found.is_empty() { "the end".into() } else { format!("{short:?}") }, expected }
}

fn decode(bytes: Vec<u8>) -> Result<String, RegFileError> {
    if let Some(body) = bytes.strip_prefix(&[0xff, 0xfe]) {
        if body.len() % 2 != 0 {
            return Err(fault(lines(body, 2), "half a character, at the end", "whole characters: the file is cut"));
        }
        let units = body.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
        let mut text = String::with_capacity(body.len() / 2 + body.len() / 8);
        for (at, c) in char::decode_utf16(units).enumerate() {
            let Ok(c) = c else {
                let before = body.get(..at * 2).unwrap_or(body);
                return Err(fault(lines(before, 2) + 1, "an unpaired surrogate", "UTF-16"));
            };
            text.push(c);
        }
        return Ok(text);
    }
    let bytes = match bytes.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        Some(body) => body.to_vec(),
        None => bytes,
    };
    String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let line = lines(e.as_bytes().get(..valid).unwrap_or_default(), 1) + 1;
        fault(line, "bytes that are no text", "UTF-16 with a byte order mark, or UTF-8")
    })
}

/// Line ends in text of units of that many bytes.
fn lines(bytes: &[u8], unit: usize) -> usize {
    bytes.chunks_exact(unit).filter(|c| c.first() == Some(&b'\n') && c.iter().skip(1).all(|byte| *byte == 0)).count()
}

/// The path from the hive's root, or what belongs in the section.
fn key_path<'n>(name: &'n str, prefix: Option<&str>) -> Result<&'n str, &'static str> {
    let starts_with = |start: &str| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let prefix = prefix.map(|prefix| prefix.trim_end_matches('\\')).filter(|prefix| !prefix.is_empty());
    if let Some(prefix) = prefix {
        if starts_with(prefix) {
            let rest = name.get(prefix.len()..).unwrap_or_default();
            if rest.is_empty() || rest.starts_with('\\') {
                return Ok(rest.strip_prefix('\\').unwrap_or(rest));
            }
        }
    }
    match (name.strip_prefix('\\'), prefix) {
        (Some(path), _) => Ok(path),
        (None, Some(_)) => Err(THE_PREFIX),
        (None, None) if starts_with("HKEY_") => Err(FROM_THE_ROOT),
        (None, None) => Ok(name),
    }
}

/// What is left of the text, and where that is.
struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Reader<'t> {
    /// Goes on, counting lines.
    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += gone.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }

    /// Skips white space and empty lines.
    fn blank(&mut self) {
        self.skip(self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len());
    }

    /// Skips white space inside a line.
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn to_line_end(&self) -> usize {
        self.rest.find('\n').unwrap_or(self.rest.len())
    }

    fn here(&self) -> &'t str {
        self.rest.get(..self.to_line_end()).unwrap_or_default()
    }

    fn expect(&self, expected: &'static str) -> RegFileError {
        fault(self.line, self.here(), expected)
    }

    /// Nothing may follow on this line but a remark.
    fn end_of_line(&mut self) -> Result<(), RegFileError> {
        self.space();
        let left = self.here().trim_end();
        if !left.is_empty() && !left.starts_with(';') {
            return Err(self.expect("the end of the line"));
        }
        self.skip(self.to_line_end());
        Ok(())
    }

    /// `[KEY]` or `[-KEY]`. It ends with the first `]` that ends a line: names may hold others.
    fn section(&mut self, prefix: Option<&str>) -> Result<(bool, &'t str), RegFileError> {
        const EXPECTED: &str = "a section that ends with ]";
        let body = self.rest.get(1..).unwrap_or_default();
        let mut from = 0;
        let end = loop {
            let Some(at) = body.get(from..).and_then(|rest| rest.find(']')).map(|at| from + at) else {
                return Err(self.expect(EXPECTED));
            };
            let after = body.get(at + 1..).unwrap_or_default().trim_start_matches([' ', '\t', '\r']);
            if after.is_empty() || after.starts_with('\n') {
                break at;
            }
            from = at + 1;
        };
        let inner = body.get(..end).unwrap_or_default();
        // A bracket that was forgotten is not made good by one further on.
        if inner.contains("\n[") || inner.contains("\n\"") || inner.contains("\n@") {
            return Err(self.expect(EXPECTED));
        }
        let (delete, name) = inner.strip_prefix('-').map_or((false, inner), |name| (true, name));
        let path = key_path(name, prefix).map_err(|expected| self.expect(expected))?;
        self.skip(end + 2);
        Ok((delete, path))
    }

    /// `"name"=…` or `@=…`.
    fn value(&mut self, key: Arc<str>) -> Result<Edit, RegFileError> {
        let name = if self.rest.starts_with('@') {
            self.skip(1);
            String::new()
        } else {
            self.quoted("a value: \"name\"=… or @=…")?
        };
        self.space();
        if !self.rest.starts_with('=') {
            return Err(self.expect("an equals sign"));
        }
        self.skip(1);
        self.space();
        let value = if self.rest.starts_with('"') {
            RegValue::string(&self.quoted("text in quotes")?)
        } else if self.rest.starts_with('-') {
            self.skip(1);
            self.end_of_line()?;
            return Ok(Edit::DeleteValue(key, name));
        } else if self.rest.starts_with("dword:") {
            self.skip("dword:".len());
            let digits = self.digits();
            let number = u32::from_str_radix(digits, 16).map_err(|_| self.expect("one to eight hex digits"))?;
            self.skip(digits.len());
            RegValue::dword(number)
        } else if self.rest.starts_with("hex") {
            self.skip("hex".len());
            let data_type = self.hex_type()?;
            RegValue { data_type, data: self.hex()? }
        } else {
            return Err(self.expect("\"text\", dword:…, hex:… or -"));
        };
        self.end_of_line()?;
        Ok(Edit::SetValue(key, name, value))
    }

    fn digits(&self) -> &'t str {
        let end = self.rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        self.rest.get(..end).unwrap_or_default()
    }

    fn hex_type(&mut self) -> Result<u32, RegFileError> {
        const EXPECTED: &str = "hex: or hex(TYPE):, the type in hex";
        let mut data_type = REG_BINARY;
        if self.rest.starts_with('(') {
            self.skip(1);
            let digits = self.digits();
            data_type = u32::from_str_radix(digits, 16).map_err(|_| self.expect(EXPECTED))?;
            self.skip(digits.len());
            if !self.rest.starts_with(')') {
                return Err(self.expect(EXPECTED));
            }
            self.skip(1);
        }
        if !self.rest.starts_with(':') {
            return Err(self.expect(EXPECTED));
        }
        self.skip(1);
        Ok(data_type)
    }

    /// Bytes with commas between them, and a backslash where the line goes on.
    fn hex(&mut self) -> Result<Vec<u8>, RegFileError> {
        let mut bytes = self.rest.as_bytes();
        let mut data = Vec::new();
        let mut at = 0;
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let mut wants_comma = false;
        loop {
            match bytes.get(at).copied() {
                Some(b' ' | b'\t' | b'\r') => at += 1,
                Some(b',') => {
                    wants_comma = false;
                    at += 1;
                }
                Some(b'\\') => {
                    let after = bytes.get(at + 1..).unwrap_or_default();
                    let blank = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
                    self.skip(at);
                    if after.get(blank) != Some(&b'\n') {
                        return Err(match after.get(blank) {
                            None => fault(self.line, "the end of the file", "the continuation of a line"),
                            Some(_) => self.expect("the end of the line behind a backslash"),
                        });
                    }
                    let line = self.line;
                    self.skip(blank + 2);
                    if self.rest.trim().is_empty() {
                        return Err(fault(line, "the end of the file", "the continuation of a line"));
                    }
                    bytes = self.rest.as_bytes();
                    at = 0;
                }
                None | Some(b'\n' | b';') => {
                    self.skip(at);
                    return Ok(data);
                }
                Some(byte) => {
                    let high = digit(byte);
                    let low = bytes.get(at + 1).copied().and_then(digit);
                    let (Some(high), false) = (high, wants_comma) else {
                        self.skip(at);
                        return Err(self.expect("bytes of two hex digits, with commas between them"));
                    };
                    data.push(low.map_or(high, |low| high << 4 | low));
                    at += if low.is_some() { 2 } else { 1 };
                    wants_comma = true;
                }
            }
        }
    }

    /// Text in quotes, unescaped.
    fn quoted(&mut self, expected: &'static str) -> Result<String, RegFileError> {
        let Some(body) = self.rest.strip_prefix('"') else { return Err(self.expect(expected)) };
        let mut text = String::new();
        let mut from = 0;
        loop {
            let Some(at) = body.get(from..).and_then(|rest| rest.find(['"', '\\'])).map(|at| from + at) else {
                return Err(self.expect(expected));
            };
            text.push_str(body.get(from..at).unwrap_or_default());
            if body.as_bytes().get(at) == Some(&b'"') {
                self.skip(at + 2);
                return Ok(text);
            }
            let Some(escaped) = body.get(at + 1..).and_then(|rest| rest.chars().next()) else {
                return Err(self.expect(expected));
            };
            text.push(escaped);
            from = at + 1 + escaped.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEAD: &str = "Windows Registry Editor Version 5.00\r\n\r\n";

    fn edits(body: &str) -> Result<Vec<Edit>, RegFileError> {
        parse(format!("{HEAD}{body}").into_bytes(), None)
    }

    fn prefixed(body: &str) -> Result<Vec<Edit>, RegFileError> {
        parse(format!("{HEAD}{body}").into_bytes(), Some("HKEY_LOCAL_MACHINE\\SYSTEM"))
    }

    #[test]
    fn sections_of_other_hives_are_refused() {
        for body in ["[HKEY_LOCAL_MACHINE\\SYSTEM\\K]\n", "[-hkey_current_user]\n", "[\\A]\n[HKEY_X]\n"] {
            let fault = edits(body).unwrap_err();
            assert!(fault.is_about_the_prefix() && fault.line == 2 + body.lines().count(), "{fault}");
        }
        assert_eq!(edits("[\\HKEY_X]\n").unwrap(), [Edit::CreateKey("HKEY_X".into())]);
        for body in ["[HKEY_LOCAL_MACHINE\\SOFTWARE\\K]\n", "[K]\n", "[HKEY_LOCAL_MACHINE\\SYSTEM2]\n"] {
            assert!(prefixed(body).unwrap_err().is_about_the_prefix(), "{body}");
        }
        let good = prefixed("[hkey_local_machine\\system]\n[-\\K]\n").unwrap();
        assert_eq!(good, [Edit::CreateKey("".into()), Edit::DeleteKey("K".into())]);
    }

    #[test]
    fn every_kind_of_line() {
        let body = "[\\A\\B]\r\n@=\"x\"\r\n\"a\\\"b\\\\\"=dword:0000000a\r\n\"h\"=hex(7):41,00,\\\r\n  00,00\r\n\"gone\"=-\r\n\r\n[-HKEY_LOCAL_MACHINE\\SYSTEM\\Old]\r\n[\\C]\r\n";
        assert_eq!(
            prefixed(body).unwrap(),
            [
                Edit::CreateKey("A\\B".into()),
                Edit::SetValue("A\\B".into(), String::new(), RegValue::string("x")),
                Edit::SetValue("A\\B".into(), "a\"b\\".into(), RegValue::dword(10)),
                Edit::SetValue("A\\B".into(), "h".into(), RegValue { data_type: 7, data: vec![0x41, 0, 0, 0] }),
                Edit::DeleteValue("A\\B".into(), "gone".into()),
                Edit::DeleteKey("Old".into()),
                Edit::CreateKey("C".into()),
            ]
        );
    }

    #[test]
    fn faults_name_their_line() {
        assert_eq!(parse(b"REGEDIT4\n".to_vec(), None).unwrap_err().line, 1);
        assert_eq!(edits("\"a\"=\"b\"\n").unwrap_err().line, 3);
        assert_eq!(edits("[A]\n\"a\"=dword:xyz\n").unwrap_err().line, 4);
        assert_eq!(edits("[A\n").unwrap_err().line, 3);
        assert_eq!(edits("[A]\n\"a\n").unwrap_err().line, 4);
        assert_eq!(edits("[-A]\n\"a\"=\"b\"\n").unwrap_err().line, 4);
        assert_eq!(edits("[A]\n\"a\"=hex:1,\\\n").unwrap_err().line, 4);
    }

    #[test]
    fn both_encodings_are_read() {
        let text = format!("{HEAD}[Ä]\r\n");
        let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let narrow = parse(text.clone().into_bytes(), None);
        assert_eq!(narrow, Ok(vec![Edit::CreateKey("Ä".into())]));
        assert_eq!(parse(wide.clone(), None), narrow);
        assert_eq!(parse(format!("\u{feff}{text}").into_bytes(), None), narrow);
        assert!(parse(wide[..wide.len() - 1].to_vec(), None).unwrap_err().expected.contains("cut"));
    }

    #[test]
    fn names_and_text_may_hold_anything() {
        let body = "[\\a]b [c]x\r\nd]\r\n\"x\r\ny\"=\"1\n2\" ; remark\r\n\"=hex:\"=\"\\\\\"\r\n[ e ]\n[-\\-f]";
        assert_eq!(
            edits(body).unwrap(),
            [
                Edit::CreateKey("a]b [c]x\r\nd".into()),
                Edit::SetValue("a]b [c]x\r\nd".into(), "x\r\ny".into(), RegValue::string("1\n2")),
                Edit::SetValue("a]b [c]x\r\nd".into(), "=hex:".into(), RegValue::string("\\")),
                Edit::CreateKey(" e ".into()),
                Edit::DeleteKey("-f".into()),
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for body in [
            "\"a\"=dword:123456789\n",
            "\"a\"=dword:\n",
            "\"a\"=dword:+1\n",
            "\"a\"=hex:+1\n",
            "\"a\"=hex:123\n",
            "\"a\"=hex:12 34\n",
            "\"a\"=hex(x):12\n",
            "\"a\"=hex(7:12\n",
            "\"a\"=hex:12,\\ 13\n",
            "\"a\"=\"b\" c\n",
            "\"a\"\n",
            "\"a\\",
            "a=1\n",
        ] {
            let fault = edits(&format!("[A]\n{body}")).unwrap_err();
            assert_eq!(fault.line, 4, "{body:?}: {fault}");
        }
        assert_eq!(edits("[A]\n\"a\"=hex:12,\\\n  zz\n").unwrap_err().line, 5);
        assert_eq!(edits("[A\n\"a\"=\"b\"\n[B]\n").unwrap_err().line, 3);
    }
}
