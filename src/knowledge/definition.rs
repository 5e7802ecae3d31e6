//! Full definitions of services, to make a missing key anew.
//!
//! They hold every value of the key and its subkeys as a real hive has them, with these exceptions:
//! what Windows writes at run time (`Enum`, performance counters' registration, event sources under
//! EventLog, counters and times), and absolute paths into the Windows folder, which are written with
//! `%SystemRoot%` (the values are REG_EXPAND_SZ).

use serde::Deserialize;

use super::builds::{BuildRange, Product};
use super::service::Trust;
use super::KnowledgeError;

/// A value's data, with its registry type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueData {
    /// REG_DWORD.
    Dword(u32),
    /// REG_SZ, without the terminating zero.
    String(String),
    /// REG_EXPAND_SZ, without the terminating zero.
    ExpandString(String),
    /// REG_MULTI_SZ, without the zeros.
    MultiString(Vec<String>),
    /// REG_BINARY.
    Binary(Vec<u8>),
}

/// One value of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionValue {
    /// The key relative to the service's, with backslashes; empty for the service's own key.
    pub key: String,
    /// The value's name.
    pub name: String,
    /// Type and data.
    pub data: ValueData,
}

/// Everything that the key of a service holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDefinition {
    /// The service's name, as the key is spelled.
    pub service: String,
    /// The builds.
    pub builds: BuildRange,
    /// The products.
    pub product: Product,
    /// Where it comes from.
    pub source: String,
    /// How far to trust it.
    pub trust: Trust,
    /// The values, in the order in which to write them. Their keys are to be created as they come.
    pub values: Vec<DefinitionValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDefinition {
    service: String,
    builds: BuildRange,
    product: Product,
    source: String,
    trust: Trust,
    values: Vec<RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawValue {
    #[serde(default)]
    key: String,
    name: String,
    dword: Option<u32>,
    sz: Option<String>,
    expand: Option<String>,
    multi: Option<Vec<String>>,
    hex: Option<String>,
}

impl ServiceDefinition {
    /// The value `name` of `key` (both in any case), if the definition has it.
    #[must_use]
    pub fn value(&self, key: &str, name: &str) -> Option<&ValueData> {
        self.values
            .iter()
            .find(|v| v.key.eq_ignore_ascii_case(key) && v.name.eq_ignore_ascii_case(name))
            .map(|v| &v.data)
    }

    pub(super) fn from_raw(raw: RawDefinition) -> Result<ServiceDefinition, KnowledgeError> {
        let table = format!("definition of {} {}", raw.service, raw.builds);
        let values = raw
            .values
            .into_iter()
            .map(|value| {
                let what = format!(r"{}\{}", value.key, value.name);
                value.into_value().ok_or_else(|| KnowledgeError::Row {
                    table: table.clone(),
                    message: format!("{what}: exactly one of dword, sz, expand, multi, hex"),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ServiceDefinition {
            service: raw.service,
            builds: raw.builds,
            product: raw.product,
            source: raw.source,
            trust: raw.trust,
            values,
        })
    }
}

impl RawValue {
    fn into_value(self) -> Option<DefinitionValue> {
        let data = match (self.dword, self.sz, self.expand, self.multi, self.hex) {
            (Some(number), None, None, None, None) => ValueData::Dword(number),
            (None, Some(text), None, None, None) => ValueData::String(text),
            (None, None, Some(text), None, None) => ValueData::ExpandString(text),
            (None, None, None, Some(list), None) => ValueData::MultiString(list),
            (None, None, None, None, Some(digits)) => ValueData::Binary(from_hex(&digits)?),
            _ => return None,
        };
        Some(DefinitionValue { key: self.key, name: self.name, data })
    }
}

/// Bytes from pairs of hexadecimal digits; `None` for anything else.
pub(super) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}
