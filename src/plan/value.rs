//! A registry value as plans, journals and reports carry it: type and bytes, readable where that loses nothing.
//!
//! The JSON form shows numbers and text as such when writing them again gives the same bytes, and hex
//! otherwise, so that a plan can be reviewed by a person and still restores every byte.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::volume::escape::escape_text;

/// `REG_SZ`.
pub const REG_SZ: u32 = 1;
/// `REG_EXPAND_SZ`.
pub const REG_EXPAND_SZ: u32 = 2;
/// `REG_BINARY`.
pub const REG_BINARY: u32 = 3;
/// `REG_DWORD`, little-endian.
pub const REG_DWORD: u32 = 4;
/// `REG_MULTI_SZ`.
pub const REG_MULTI_SZ: u32 = 7;
/// `REG_QWORD`, little-endian.
pub const REG_QWORD: u32 = 11;

/// As many strings of a list with empty strings are shown.
const MOST_STRINGS: usize = 12;

/// A registry value: its type number and its bytes as they are stored (strings are UTF-16LE).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegValue {
    /// The type, `REG_…`.
    pub data_type: u32,
    /// The data, as stored.
    pub data: Vec<u8>,
}

impl RegValue {
    /// A `REG_DWORD`.
    pub fn dword(number: u32) -> Self {
        RegValue { data_type: REG_DWORD, data: number.to_le_bytes().to_vec() }
    }

    /// A `REG_SZ` with its terminating NUL.
    pub fn string(text: &str) -> Self {
        RegValue { data_type: REG_SZ, data: utf16z(text) }
    }

    /// A `REG_EXPAND_SZ` with its terminating NUL.
    pub fn expand_string(text: &str) -> Self {
        RegValue { data_type: REG_EXPAND_SZ, data: utf16z(text) }
    }

    /// A `REG_MULTI_SZ` with its terminating NULs.
    pub fn multi_string<S: AsRef<str>>(items: &[S]) -> Self {
        let mut data: Vec<u8> = items.iter().flat_map(|item| utf16z(item.as_ref())).collect();
        data.extend_from_slice(&[0, 0]);
        RegValue { data_type: REG_MULTI_SZ, data }
    }

    /// A `REG_BINARY`.
    pub fn binary(data: Vec<u8>) -> Self {
        RegValue { data_type: REG_BINARY, data }
    }

    /// The number of a `REG_DWORD` of four bytes.
    pub fn as_dword(&self) -> Option<u32> {
        let bytes: [u8; 4] = self.data.as_slice().try_into().ok()?;
        (self.data_type == REG_DWORD).then(|| u32::from_le_bytes(bytes))
    }

    /// The text of a string value up to its first NUL; unpaired surrogates are replaced.
    pub fn as_text(&self) -> Option<String> {
        matches!(self.data_type, REG_SZ | REG_EXPAND_SZ).then(|| {
            let units = units(&self.data);
            let end = units.iter().position(|&u| u == 0).unwrap_or(units.len());
            String::from_utf16_lossy(units.get(..end).unwrap_or_default())
        })
    }

    /// The strings of a `REG_MULTI_SZ`; a lone string value counts as a list of one.
    pub fn as_list(&self) -> Option<Vec<String>> {
        match self.data_type {
            REG_MULTI_SZ => Some(
                units(&self.data).split(|&u| u == 0).filter(|s| !s.is_empty()).map(String::from_utf16_lossy).collect(),
            ),
            REG_SZ | REG_EXPAND_SZ => self.as_text().map(|t| if t.is_empty() { vec![] } else { vec![t] }),
            _ => None,
        }
    }

    /// The name of the type as the command line and JSON spell it.
    pub fn type_name(&self) -> String {
        match self.data_type {
            REG_SZ => "string".into(),
            REG_EXPAND_SZ => "expand-string".into(),
            REG_BINARY => "binary".into(),
            REG_DWORD => "dword".into(),
            REG_MULTI_SZ => "multi-string".into(),
            REG_QWORD => "qword".into(),
            other => format!("{other:#x}"),
        }
    }

    fn type_from_name(name: &str) -> Option<u32> {
        Some(match name {
            "string" => REG_SZ,
            "expand-string" => REG_EXPAND_SZ,
            "binary" => REG_BINARY,
            "dword" => REG_DWORD,
            "multi-string" => REG_MULTI_SZ,
            "qword" => REG_QWORD,
            other => u32::from_str_radix(other.strip_prefix("0x")?, 16).ok()?,
        })
    }

    /// A list in which empty strings stand: the first of them, the empty ones as `""`.
    fn show_strings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = units(&self.data);
        // Without the list's own end, and the end of the last string.
        let strings = units.get(..units.len().saturating_sub(2)).unwrap_or_default().split(|&u| u == 0);
        let count = strings.clone().count();
        let first: Vec<String> = strings
            .take(MOST_STRINGS)
            .map(|s| if s.is_empty() { "\"\"".into() } else { String::from_utf16_lossy(s) })
            .collect();
        write!(f, "[{}", escape_text(first.join(", ").as_ref()))?;
        if count > MOST_STRINGS {
            write!(f, ", and {} more", count - MOST_STRINGS)?;
        }
        f.write_str("]")
    }

    fn readable(&self) -> Data {
        let candidate = match self.data_type {
            REG_DWORD => self.as_dword().map(|n| Data::Number(n.into())),
            REG_QWORD => <[u8; 8]>::try_from(self.data.as_slice()).ok().map(|b| Data::Number(u64::from_le_bytes(b))),
            REG_SZ | REG_EXPAND_SZ => self.as_text().map(Data::Text),
            REG_MULTI_SZ => self.as_list().map(Data::List),
            _ => None,
        };
        let hex = || Data::Hex { hex: to_hex(&self.data) };
        match candidate {
            Some(data) if data.encode(self.data_type).as_deref() == Some(&self.data) => data,
            _ => hex(),
        }
    }
}

impl fmt::Display for RegValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.readable() {
            Data::Number(n) => write!(f, "{n}"),
            // A hive is not believed: what it holds must not move the cursor, colour the text or forge a line.
            Data::Text(t) => write!(f, "\"{}\"", escape_text(t.as_ref())),
            Data::List(items) => write!(f, "[{}]", escape_text(items.join(", ").as_ref())),
            Data::Hex { .. } if self.data_type == REG_MULTI_SZ && self.data.ends_with(&[0; 4]) => self.show_strings(f),
            Data::Hex { hex } if hex.len() > 64 => {
                write!(f, "{} ({} bytes: {}…)", self.type_name(), self.data.len(), hex.get(..32).unwrap_or(&hex))
            }
            Data::Hex { hex } => write!(f, "{} {}", self.type_name(), hex),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Data {
    Number(u64),
    Text(String),
    List(Vec<String>),
    Hex { hex: String },
}

impl Data {
    fn encode(&self, data_type: u32) -> Option<Vec<u8>> {
        Some(match (self, data_type) {
            (Data::Number(n), REG_DWORD) => u32::try_from(*n).ok()?.to_le_bytes().to_vec(),
            (Data::Number(n), REG_QWORD) => n.to_le_bytes().to_vec(),
            (Data::Text(t), REG_SZ | REG_EXPAND_SZ) if !t.contains('\0') => utf16z(t),
            (Data::List(items), REG_MULTI_SZ) if items.iter().all(|i| !i.is_empty() && !i.contains('\0')) => {
                RegValue::multi_string(items).data
            }
            (Data::Hex { hex }, _) => from_hex(hex)?,
            _ => return None,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "type")]
    data_type: String,
    data: Data,
}

impl Serialize for RegValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire { data_type: self.type_name(), data: self.readable() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RegValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let wire = Wire::deserialize(deserializer)?;
        let data_type = RegValue::type_from_name(&wire.data_type)
            .ok_or_else(|| D::Error::custom(format!("unknown registry value type {:?}", wire.data_type)))?;
        let data = wire
            .data
            .encode(data_type)
            .ok_or_else(|| D::Error::custom(format!("data that does not fit a {} value", wire.data_type)))?;
        Ok(RegValue { data_type, data })
    }
}

fn units(data: &[u8]) -> Vec<u16> {
    data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn utf16z(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// Lower-case hex of `bytes`.
pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes of a hex string; `None` when it is not one.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn round_trip(value: &RegValue) -> String {
        let json = serde_json::to_string(value).unwrap();
        assert_eq!(&serde_json::from_str::<RegValue>(&json).unwrap(), value, "{json}");
        json
    }

    #[test]
    fn lists_with_empty_strings_are_shown() {
        let shown = |text: &str| {
            let data = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            RegValue { data_type: REG_MULTI_SZ, data }.to_string()
        };
        assert_eq!(shown("a\0\0b\0c\0\0"), r#"[a, "", b, c]"#);
        assert_eq!(shown("a\0\0\0"), r#"[a, ""]"#);
        assert_eq!(shown("a\0\u{1b}[2J\0\0\0"), "[a, <U+001B>[2J, \"\"]");
        let many = shown(&("a\0\0".repeat(20) + "\0"));
        assert!(many.ends_with(r#", "", and 28 more]"#), "{many}");
        // Without an end it is bytes.
        assert_eq!(shown("a"), "multi-string 6100");
    }

    #[test]
    fn readable_forms_are_used_where_they_lose_nothing() {
        assert_eq!(round_trip(&RegValue::dword(4)), r#"{"type":"dword","data":4}"#);
        assert_eq!(round_trip(&RegValue::string("LocalSystem")), r#"{"type":"string","data":"LocalSystem"}"#);
        assert_eq!(round_trip(&RegValue::multi_string(&["a", "b"])), r#"{"type":"multi-string","data":["a","b"]}"#);
    }

    #[test]
    fn odd_bytes_stay_as_they_are() {
        for value in [
            RegValue { data_type: REG_DWORD, data: vec![1, 2] },
            RegValue { data_type: REG_SZ, data: b"a\0b".to_vec() },
            RegValue { data_type: REG_SZ, data: vec![0x00, 0xd8, 0, 0] },
            RegValue { data_type: REG_SZ, data: b"a\0".to_vec() },
            RegValue { data_type: REG_SZ, data: b"a\0\0\0x\0\0\0".to_vec() },
            RegValue { data_type: REG_MULTI_SZ, data: vec![] },
            RegValue { data_type: 0x0002_0000, data: vec![7] },
            RegValue::binary(vec![]),
        ] {
            round_trip(&value);
        }
    }

    #[test]
    fn data_that_does_not_fit_its_type_is_refused() {
        assert!(serde_json::from_str::<RegValue>(r#"{"type":"dword","data":"x"}"#).is_err());
        assert!(serde_json::from_str::<RegValue>(r#"{"type":"dword","data":4294967296}"#).is_err());
        assert!(serde_json::from_str::<RegValue>(r#"{"type":"nonsense","data":1}"#).is_err());
    }
}
