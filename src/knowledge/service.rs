//! What is expected of a service, one row per range of builds.

use std::fmt;

use serde::Deserialize;

use super::builds::{BuildRange, Product};
use super::definition::from_hex;
use super::image_path::ImagePath;
use super::KnowledgeError;
use crate::security::Descriptor;

/// `Start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartType {
    /// 0, loaded by the boot loader.
    Boot,
    /// 1, started by the kernel.
    System,
    /// 2, started by the service control manager.
    Auto,
    /// 3, started on demand (also by a trigger).
    Demand,
    /// 4, cannot be started.
    Disabled,
}

impl StartType {
    /// The registry value.
    #[must_use]
    pub fn value(self) -> u32 {
        match self {
            StartType::Boot => 0,
            StartType::System => 1,
            StartType::Auto => 2,
            StartType::Demand => 3,
            StartType::Disabled => 4,
        }
    }

    /// From the registry value; `None` above 4.
    #[must_use]
    pub fn from_value(value: u32) -> Option<StartType> {
        Some(match value {
            0 => StartType::Boot,
            1 => StartType::System,
            2 => StartType::Auto,
            3 => StartType::Demand,
            4 => StartType::Disabled,
            _ => return None,
        })
    }
}

/// The number and the word, as in `4 (disabled)`; 3 is called manual, as in Windows' own windows.
impl fmt::Display for StartType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            StartType::Boot => "boot",
            StartType::System => "system",
            StartType::Auto => "automatic",
            StartType::Demand => "manual",
            StartType::Disabled => "disabled",
        };
        write!(f, "{} ({word})", self.value())
    }
}

/// How far a row can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Read out of real hives of these builds, or of builds on both sides that agree.
    Measured,
    /// Taken from documents.
    Documents,
}

/// Whether a Windows of these builds has the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It has; a missing key is damage.
    Present,
    /// It has not; a key of this name is not Windows' own.
    Absent,
    /// Nobody says; a missing key means nothing, one that is there is checked.
    Unknown,
}

/// The start type that a repair writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartDefault {
    /// `Start`.
    pub start: StartType,
    /// `DelayedAutoStart`: 1, absent (or 0), or `None` for "leave it as it is" (BITS and DoSvc
    /// change it themselves).
    pub delayed: Option<bool>,
}

/// Data of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerData {
    /// `DataTypeN`.
    #[serde(rename = "type")]
    pub data_type: u32,
    /// `DataN`, as hexadecimal digits.
    pub hex: String,
}

/// A subkey of `TriggerInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// `Type`.
    #[serde(rename = "type")]
    pub trigger_type: u32,
    /// `Action`: 1 start, 2 stop.
    pub action: u32,
    /// `GUID` as stored, 16 bytes in hexadecimal digits, lower case.
    pub guid: String,
    /// `DataN` and `DataTypeN`, in order.
    #[serde(default)]
    pub data: Vec<TriggerData>,
}

/// A row as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRow {
    builds: BuildRange,
    product: Product,
    source: String,
    trust: Trust,
    presence: Presence,
    start: Option<StartType>,
    delayed: Option<bool>,
    #[serde(default)]
    healthy_starts: Vec<StartType>,
    #[serde(default)]
    auto_while_pending: bool,
    service_type: Option<u32>,
    healthy_types: Option<Vec<u32>>,
    image_path: Option<String>,
    service_dll: Option<String>,
    service_dll_key: Option<String>,
    service_dll_files: Option<Vec<String>>,
    accounts: Option<Vec<String>>,
    depends_on: Option<Vec<String>>,
    depends_default: Option<Vec<String>>,
    #[serde(default)]
    depends_on_nothing_else: bool,
    privileges: Option<Vec<String>>,
    privileges_default: Option<Vec<String>>,
    sid_type: Option<u32>,
    triggers: Option<Vec<Trigger>>,
    triggers_at_least: Option<u32>,
    descriptors: Option<Vec<String>>,
    #[serde(default)]
    absent_descriptor_is_healthy: bool,
    #[serde(default)]
    opaque_descriptor_lengths: Vec<usize>,
    opaque_descriptor: Option<String>,
    #[serde(default)]
    security_key_is_shared: bool,
}

/// What is expected of a service on a range of builds. `None` means that nobody knows: no check.
/// Names, paths, accounts and privileges are compared without regard to case.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceRow {
    /// The service's name in Windows' spelling.
    pub service: String,
    /// The builds.
    pub builds: BuildRange,
    /// The products.
    pub product: Product,
    /// Where the row comes from, for the finding's `source`.
    pub source: String,
    /// How far to trust it.
    pub trust: Trust,
    /// Whether the service exists there. When absent, everything below is empty.
    pub presence: Presence,
    /// The start type that a repair writes.
    pub start: Option<StartDefault>,
    /// The start types that are no damage; empty only when the service does not exist.
    pub healthy_starts: Vec<StartType>,
    /// `Start` 2 is right while an update is pending (TrustedInstaller), and must stay then.
    pub auto_while_pending: bool,
    /// The `Type` that a repair writes.
    pub service_type: Option<u32>,
    /// The `Type`s that are no damage.
    pub healthy_types: Option<Vec<u32>>,
    /// `ImagePath` (REG_EXPAND_SZ) that a repair writes. Compare with [`ServiceRow::image`].
    pub image_path: Option<String>,
    /// `ServiceDll` (REG_EXPAND_SZ) that a repair writes.
    pub service_dll: Option<String>,
    /// The subkey where a repair writes it: `Parameters`, or empty for the service's own key.
    /// Windows looks in both; so must a check.
    pub service_dll_key: String,
    /// The file names in `System32` that are no damage.
    pub service_dll_files: Option<Vec<String>>,
    /// `ObjectName`s that are no damage; the first is the one that a repair writes.
    pub accounts: Option<Vec<String>>,
    /// What `DependOnService` must name.
    pub depends_on: Option<Vec<String>>,
    /// The whole `DependOnService` that a repair writes; empty: no such value.
    pub depends_default: Option<Vec<String>>,
    /// Windows' own list is empty or exactly `depends_on`, and other names are a known trick to
    /// keep the service from starting (TrustedInstaller).
    pub depends_on_nothing_else: bool,
    /// What `RequiredPrivileges` must name: the core of all measured versions.
    pub privileges: Option<Vec<String>>,
    /// The whole `RequiredPrivileges` that a repair writes.
    pub privileges_default: Option<Vec<String>>,
    /// `ServiceSidType`.
    pub sid_type: Option<u32>,
    /// Triggers that must be there, compared by type, action and GUID.
    pub triggers: Option<Vec<Trigger>>,
    /// How many start triggers there must be at least, where not all of them are known.
    pub triggers_at_least: Option<u32>,
    /// Windows' own descriptors for these builds, as SDDL; the first is the one that a repair
    /// writes. Others are healthy too, unless [`crate::security::judge`] says broken.
    pub descriptors: Option<Vec<String>>,
    /// Real installations have no `Security` subkey here: its absence is healthy.
    pub absent_descriptor_is_healthy: bool,
    /// Lengths in bytes of a `Security` value that is no descriptor and yet normal (CryptSvc's five
    /// bytes up to Windows 7).
    pub opaque_descriptor_lengths: Vec<usize>,
    /// Those bytes, as real installations of these builds have them.
    pub opaque_descriptor: Option<Vec<u8>>,
    /// The `Security` subkey has another purpose besides (EventLog's is the Security log): it must
    /// never be deleted.
    pub security_key_is_shared: bool,
}

impl ServiceRow {
    /// A service that the installation itself defines, on a build that the tables do not know: whatever the definition does not
    /// say is not checked, and what Windows is known to change by itself is healthy either way.
    #[must_use]
    pub fn unlisted(service: &str, build: u32) -> ServiceRow {
        ServiceRow {
            service: service.to_owned(),
            builds: BuildRange { first: build, last: build },
            product: Product::Any,
            source: "not in the tables".to_owned(),
            trust: Trust::Documents,
            presence: Presence::Present,
            start: None,
            healthy_starts: vec![StartType::Auto, StartType::Demand],
            auto_while_pending: true,
            service_type: None,
            healthy_types: Some(vec![0x10, 0x20]),
            image_path: None,
            service_dll: None,
            service_dll_key: String::new(),
            service_dll_files: None,
            accounts: None,
            depends_on: None,
            depends_default: None,
            depends_on_nothing_else: false,
            privileges: None,
            privileges_default: None,
            sid_type: None,
            triggers: None,
            triggers_at_least: None,
            descriptors: None,
            absent_descriptor_is_healthy: true,
            opaque_descriptor_lengths: Vec::new(),
            opaque_descriptor: None,
            security_key_is_shared: false,
        }
    }

    pub(super) fn from_raw(service: &str, raw: RawRow) -> Result<ServiceRow, KnowledgeError> {
        let fault = |message: String| KnowledgeError::Row {
            table: format!("{service} {} {:?}", raw.builds, raw.product),
            message,
        };
        if raw.source.trim().is_empty() {
            return Err(fault("no source".to_owned()));
        }
        if (raw.presence == Presence::Absent) != raw.healthy_starts.is_empty() {
            return Err(fault("healthy_starts and presence disagree".to_owned()));
        }
        let start = match raw.start {
            Some(start) => {
                if !raw.healthy_starts.contains(&start) {
                    return Err(fault("the default start is not healthy".to_owned()));
                }
                Some(StartDefault { start, delayed: raw.delayed })
            }
            None => None,
        };
        if let (Some(default), Some(healthy)) = (raw.service_type, &raw.healthy_types) {
            if !healthy.contains(&default) {
                return Err(fault("the default type is not healthy".to_owned()));
            }
        }
        for sddl in raw.descriptors.iter().flatten() {
            Descriptor::from_sddl(sddl).map_err(|e| fault(e.to_string()))?;
        }
        for trigger in raw.triggers.iter().flatten() {
            if trigger.guid.len() != 32 || !trigger.guid.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err(fault(format!("trigger GUID `{}`", trigger.guid)));
            }
        }
        let opaque_descriptor = match &raw.opaque_descriptor {
            None => None,
            Some(digits) => {
                let bytes = from_hex(digits)
                    .filter(|bytes| raw.opaque_descriptor_lengths.contains(&bytes.len()))
                    .ok_or_else(|| fault(format!("opaque_descriptor `{digits}`")))?;
                Some(bytes)
            }
        };
        Ok(ServiceRow {
            service: service.to_owned(),
            builds: raw.builds,
            product: raw.product,
            source: raw.source,
            trust: raw.trust,
            presence: raw.presence,
            start,
            healthy_starts: raw.healthy_starts,
            auto_while_pending: raw.auto_while_pending,
            service_type: raw.service_type,
            healthy_types: raw.healthy_types,
            image_path: raw.image_path,
            service_dll: raw.service_dll,
            service_dll_key: raw.service_dll_key.unwrap_or_else(|| "Parameters".to_owned()),
            service_dll_files: raw.service_dll_files,
            accounts: raw.accounts,
            depends_on: raw.depends_on,
            depends_default: raw.depends_default,
            depends_on_nothing_else: raw.depends_on_nothing_else,
            privileges: raw.privileges,
            privileges_default: raw.privileges_default,
            sid_type: raw.sid_type,
            triggers: raw.triggers,
            triggers_at_least: raw.triggers_at_least,
            descriptors: raw.descriptors,
            absent_descriptor_is_healthy: raw.absent_descriptor_is_healthy,
            opaque_descriptor_lengths: raw.opaque_descriptor_lengths,
            opaque_descriptor,
            security_key_is_shared: raw.security_key_is_shared,
        })
    }

    /// The expected image path, taken apart for comparison.
    #[must_use]
    pub fn image(&self) -> Option<ImagePath> {
        ImagePath::parse(self.image_path.as_deref()?, None)
    }

    /// The svchost group that the expected image path names.
    #[must_use]
    pub fn svchost_group(&self) -> Option<String> {
        self.image()?.svchost_group
    }

    /// The descriptor that a repair writes.
    #[must_use]
    pub fn default_descriptor(&self) -> Option<Descriptor> {
        let sddl = self.descriptors.as_ref()?.first()?;
        // Checked when the table was read.
        Descriptor::from_sddl(sddl).ok()
    }
}
