//! Reading a `.reg` file into edits. Every fault has its line.

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
    CreateKey(String),
    /// Delete the key and everything under it, if it is there.
    DeleteKey(String),
    /// Set a value.
    SetValue(String, String, RegValue),
    /// Delete a value, if it is there.
    DeleteValue(String, String),
}

/// Reads the bytes of a `.reg` file: UTF-16LE with a byte order mark, or UTF-8. Sections may name keys with a leading
/// backslash, without one, or with `prefix` in front.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(bytes: &[u8], prefix: Option<&str>) -> Result<Vec<Edit>, RegFileError> {
    let text = decode(bytes)?;
    let mut edits = Vec::new();
    let mut section: Option<Option<String>> = None;
    let mut lines = text.lines().enumerate().map(|(i, l)| (i + 1, l));
    let (_, first) = lines.next().unwrap_or((1, ""));
    if first.trim() != super::HEADER {
        return Err(fault(1, first, "the line \"Windows Registry Editor Version 5.00\""));
    }
    while let Some((line, raw)) = lines.next() {
        let mut content = raw.trim().to_string();
        if content.is_empty() || content.starts_with(';') {
            continue;
        }
        if let Some(inner) = content.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(|| fault(line, &content, "a section that ends with ]"))?;
            let (delete, name) = inner.strip_prefix('-').map_or((false, inner), |n| (true, n));
            let key = key_path(name, prefix);
            edits.push(if delete { Edit::DeleteKey(key.clone()) } else { Edit::CreateKey(key.clone()) });
            section = Some((!delete).then_some(key));
            continue;
        }
        while content.ends_with('\\') && is_hex_line(&content) {
            content.pop();
            let Some((_, next)) = lines.next() else {
                return Err(fault(line, "the end of the file", "the continuation of a line"));
            };
            content.push_str(next.trim());
        }
        let key = match &section {
            Some(Some(key)) => key,
            Some(None) => return Err(fault(line, &content, "no values in a section that is deleted")),
            None => return Err(fault(line, &content, "a section")),
        };
        edits.push(value_edit(key, &content, line)?);
    }
    Ok(edits)
}

fn fault(line: usize, found: &str, expected: &'static str) -> RegFileError {
    let short: String = found.chars().take(80).collect();
    RegFileError { line, found: format!("{short:?}"), expected }
}

fn decode(bytes: &[u8]) -> Result<String, RegFileError> {
    if let Some(body) = bytes.strip_prefix(&[0xff, 0xfe]) {
        let units: Vec<u16> = body.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        return String::from_utf16(&units).map_err(|_| fault(1, "an unpaired surrogate", "UTF-16"));
    }
    let body = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    String::from_utf8(body.to_vec()).map_err(|e| {
        let line = body.iter().take(e.utf8_error().valid_up_to()).filter(|&&b| b == b'\n').count() + 1;
        fault(line, "bytes that are no text", "UTF-16 with a byte order mark, or UTF-8")
    })
}

fn key_path(name: &str, prefix: Option<&str>) -> String {
    let name = name.trim();
    if let Some(prefix) = prefix {
        let prefix = prefix.trim_end_matches('\\');
        if name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            let rest = name.get(prefix.len()..).unwrap_or_default();
            if rest.is_empty() || rest.starts_with('\\') {
                return rest.trim_start_matches('\\').to_string();
            }
        }
    }
    name.strip_prefix('\\').unwrap_or(name).to_string()
}

/// Whether a backslash at the end continues the line: only hex data does (text may end with one, inside its quotes).
fn is_hex_line(content: &str) -> bool {
    content.rsplit_once("=hex").is_some_and(|(_, rest)| rest.starts_with(':') || rest.starts_with('('))
}

fn value_edit(key: &str, content: &str, line: usize) -> Result<Edit, RegFileError> {
    let (name, rest) = if let Some(rest) = content.strip_prefix('@') {
        (String::new(), rest)
    } else {
        quoted(content).ok_or_else(|| fault(line, content, "a value: \"name\"=… or @=…"))?
    };
    let data = rest.trim_start().strip_prefix('=').ok_or_else(|| fault(line, rest, "an equals sign"))?.trim();
    if data == "-" {
        return Ok(Edit::DeleteValue(key.into(), name));
    }
    let value = if data.starts_with('"') {
        match quoted(data) {
            Some((text, "")) => RegValue::string(&text),
            _ => return Err(fault(line, data, "text in quotes")),
        }
    } else if let Some(digits) = data.strip_prefix("dword:") {
        let number = u32::from_str_radix(digits.trim(), 16).map_err(|_| fault(line, digits, "eight hex digits"))?;
        RegValue::dword(number)
    } else if let Some(rest) = data.strip_prefix("hex") {
        let (kind, bytes) = rest.split_once(':').ok_or_else(|| fault(line, data, "hex: or hex(TYPE):"))?;
        let data_type = if kind.is_empty() {
            REG_BINARY
        } else {
            kind.strip_prefix('(')
                .and_then(|k| k.strip_suffix(')'))
                .and_then(|k| u32::from_str_radix(k, 16).ok())
                .ok_or_else(|| fault(line, kind, "a type in parentheses, in hex"))?
        };
        let data = bytes
            .split(',')
            .map(str::trim)
            .filter(|b| !b.is_empty())
            .map(|b| u8::from_str_radix(b, 16).map_err(|_| fault(line, b, "bytes of two hex digits")))
            .collect::<Result<Vec<u8>, _>>()?;
        RegValue { data_type, data }
    } else {
        return Err(fault(line, data, "\"text\", dword:…, hex:… or -"));
    };
    Ok(Edit::SetValue(key.into(), name, value))
}

/// A quoted text at the start, unescaped, and what follows it.
fn quoted(content: &str) -> Option<(String, &str)> {
    let body = content.strip_prefix('"')?;
    let mut text = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, body.get(at + 1..)?)),
            '\\' => text.push(chars.next()?.1),
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEAD: &str = "Windows Registry Editor Version 5.00\r\n\r\n";

    fn edits(body: &str) -> Result<Vec<Edit>, RegFileError> {
        parse(format!("{HEAD}{body}").as_bytes(), Some("HKEY_LOCAL_MACHINE\\SYSTEM"))
    }

    #[test]
    fn every_kind_of_line() {
        let body = "[\\A\\B]\r\n@=\"x\"\r\n\"a\\\"b\\\\\"=dword:0000000a\r\n\"h\"=hex(7):41,00,\\\r\n  00,00\r\n\"gone\"=-\r\n\r\n[-HKEY_LOCAL_MACHINE\\SYSTEM\\Old]\r\n[C]\r\n";
        assert_eq!(
            edits(body).unwrap(),
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
        assert_eq!(parse(b"REGEDIT4\n", None).unwrap_err().line, 1);
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
        assert_eq!(parse(text.as_bytes(), None), parse(&super::super::encode(&text), None));
    }
}
