//! Error codes of Windows Update, and which checks can explain each (`errors.toml`).

use serde::{Deserialize, Deserializer};

use super::{read, KnowledgeError};

/// A code, and where to look for what it means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRow {
    /// The code: an HRESULT, or an NTSTATUS that people are shown.
    #[serde(deserialize_with = "code")]
    pub code: u32,
    /// Microsoft's name for it.
    pub name: String,
    /// What it says, in plain words.
    pub meaning: String,
    /// Codes that mean the same.
    #[serde(default, deserialize_with = "codes")]
    pub same: Vec<u32>,
    /// The checks whose findings can explain it, most telling first.
    pub checks: Vec<String>,
    /// Where that comes from.
    pub source: String,
}

impl ErrorRow {
    /// Whether `code` is this one or means the same.
    #[must_use]
    pub fn is(&self, code: u32) -> bool {
        self.code == code || self.same.contains(&code)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorFile {
    error: Vec<ErrorRow>,
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    hexadecimal(&text).ok_or_else(|| serde::de::Error::custom(format!("{text} is no code")))
}

fn codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    all.iter()
        .map(|text| hexadecimal(text).ok_or_else(|| serde::de::Error::custom(format!("{text} is no code"))))
        .collect()
}

/// Reads the table.
pub(super) fn load() -> Result<Vec<ErrorRow>, KnowledgeError> {
    let file: ErrorFile = read("errors.toml", include_str!("errors.toml"))?;
    Ok(file.error)
}
