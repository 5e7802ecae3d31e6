//! The plan: the exact changes of a repair, an undo or a service edit, as data.
//!
//! A plan can be printed, saved, reviewed, applied later and taken back. Every change carries the state
//! that it expects to find; nothing is applied to anything else. A plan says which installation and which
//! hive contents it was made for ([`Binding`]) and is checked against both, wherever it comes from:
//! a plan that was read from a volume is never believed (design, safety rule 9; `scope`).

mod scope;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use scope::{check_scope, OutOfScope};
pub use value::{from_hex, to_hex, RegValue, REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_QWORD, REG_SZ};

use crate::volume::VolPath;

/// The schema name of a plan file.
pub const PLAN_SCHEMA: &str = "coldmend.plan/1";

/// The hives that coldmend edits. SAM and SECURITY are never opened (safety rule 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HiveName {
    /// `System32\config\SYSTEM`: control sets, services.
    System,
    /// `System32\config\SOFTWARE`: version, svchost groups, Windows Update's own settings.
    Software,
}

impl HiveName {
    /// The file name under `System32\config`.
    pub fn file_name(self) -> &'static str {
        match self {
            HiveName::System => "SYSTEM",
            HiveName::Software => "SOFTWARE",
        }
    }
}

impl fmt::Display for HiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name())
    }
}

/// What a renamed object is. A link is renamed as itself and never followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symlink, junction or mount point.
    Link,
}

/// One change. Keys are paths from the hive's root, separated by single backslashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// Sets a value; `before` is `None` where the value is not there yet.
    SetValue {
        /// The hive.
        hive: HiveName,
        /// The key, which is there when this change runs.
        key: String,
        /// The value's name.
        name: String,
        /// What must be found.
        before: Option<RegValue>,
        /// What is written.
        after: RegValue,
    },
    /// Deletes a value.
    DeleteValue {
        /// The hive.
        hive: HiveName,
        /// The key.
        key: String,
        /// The value's name.
        name: String,
        /// What must be found.
        before: RegValue,
    },
    /// Creates a key that is not there; its parent is.
    CreateKey {
        /// The hive.
        hive: HiveName,
        /// The key.
        key: String,
    },
    /// Deletes a key that holds neither values nor subkeys: what takes a `create-key` back.
    DeleteKey {
        /// The hive.
        hive: HiveName,
        /// The key.
        key: String,
    },
    /// Creates a folder that is not there.
    CreateFolder {
        /// The folder.
        path: VolPath,
    },
    /// Removes a folder that is empty: what takes a `create-folder` back.
    RemoveFolder {
        /// The folder.
        path: VolPath,
    },
    /// Renames within the volume, never over anything.
    Rename {
        /// What is renamed.
        object: ObjectKind,
        /// Its path now.
        from: VolPath,
        /// Its path then; nothing is there now.
        to: VolPath,
    },
}

impl Change {
    /// The hive that the change is in, if it is one of a hive.
    pub fn hive(&self) -> Option<HiveName> {
        match self {
            Change::SetValue { hive, .. }
            | Change::DeleteValue { hive, .. }
            | Change::CreateKey { hive, .. }
            | Change::DeleteKey { hive, .. } => Some(*hive),
            _ => None,
        }
    }

    /// The kind as JSON spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Change::SetValue { .. } => "set-value",
            Change::DeleteValue { .. } => "delete-value",
            Change::CreateKey { .. } => "create-key",
            Change::DeleteKey { .. } => "delete-key",
            Change::CreateFolder { .. } => "create-folder",
            Change::RemoveFolder { .. } => "remove-folder",
            Change::Rename { .. } => "rename",
        }
    }

    /// Where it happens: `SYSTEM\ControlSet001\…\Start`, or a path on the volume.
    pub fn place(&self) -> String {
        match self {
            Change::SetValue { hive, key, name, .. } | Change::DeleteValue { hive, key, name, .. } => {
                format!("{hive}\\{key}\\{}", if name.is_empty() { "(default)" } else { name })
            }
            Change::CreateKey { hive, key } | Change::DeleteKey { hive, key } => format!("{hive}\\{key}"),
            Change::CreateFolder { path } | Change::RemoveFolder { path } => path.to_string(),
            Change::Rename { from, .. } => from.to_string(),
        }
    }
}

/// How far an action has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionState {
    /// In the plan, not done.
    Planned,
    /// Written.
    Done,
    /// Written, and seen by the independent reader.
    Verified,
    /// Taken back.
    Undone,
    /// Found in a state that it does not expect; left alone.
    Conflict,
}

/// A change and the remedy that wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The remedy's id, or `service-set`.
    pub remedy: String,
    /// The change.
    #[serde(flatten)]
    pub change: Change,
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// `coldmend repair`.
    Repair,
    /// `coldmend service set`.
    ServiceSet,
    /// `coldmend undo`: takes back the transaction with this id.
    Undo(String),
}

/// The contents that a hive had when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HiveBinding {
    /// SHA-256 of the whole file, lower-case hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Which installation a plan belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The Windows folder on the volume.
    pub windows: VolPath,
    /// The build number.
    pub build: u32,
    /// `SOFTWARE\Microsoft\Cryptography\MachineGuid`, where there is one.
    pub machine: Option<String>,
    /// `SOFTWARE\…\CurrentVersion\InstallDate` (seconds since 1970), where there is one.
    pub installed: Option<u32>,
    /// The volume's serial number in hex, where the file system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The hives that the plan changes, as they were.
    pub hives: BTreeMap<HiveName, HiveBinding>,
}

/// The changes of one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// The version of coldmend that made it.
    pub tool: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The time that every written key gets, as a FILETIME (100 ns since 1601 UTC). Part of the plan, so that
    /// applying it twice gives the same bytes.
    pub time: u64,
    /// What it was made for.
    pub binding: Binding,
    /// The changes, in order.
    pub actions: Vec<Action>,
    /// Whether a dirty hive without usable logs may be taken as it is (`--force-dirty-hive`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_dirty_hive: bool,
    /// Undo: how many changes could not be taken back, because somebody has changed them since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_alone: usize,
    /// What the user should know before agreeing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

// serde wants a function over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Plan {
    /// The hives that the plan changes, in the order in which they are committed.
    pub fn hives(&self) -> Vec<HiveName> {
        let mut hives: Vec<HiveName> = self.actions.iter().filter_map(|a| a.change.hive()).collect();
        hives.sort_unstable();
        hives.dedup();
        hives
    }

    /// The changes to one hive, with their place in the plan.
    pub fn hive_changes(&self, hive: HiveName) -> impl Iterator<Item = (usize, &Change)> {
        self.actions.iter().enumerate().map(|(i, a)| (i, &a.change)).filter(move |(_, c)| c.hive() == Some(hive))
    }

    /// The changes to files and folders, with their place in the plan.
    pub fn file_changes(&self) -> impl DoubleEndedIterator<Item = (usize, &Change)> {
        self.actions.iter().enumerate().map(|(i, a)| (i, &a.change)).filter(|(_, c)| c.hive().is_none())
    }
}
