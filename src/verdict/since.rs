//! Since when something is broken, as far as the volume tells: the first failure in the logs, or the time at which the key with
//! the wrong value was last written.
//!
//! The time of a key comes from the hive's key node through `coldmend-hives`: nt-hive, through which every reported value
//! comes, does not show it.

use coldmend_hives::FileTime;
use serde::Serialize;

use crate::evidence::{date_and_time, Installation};
use crate::findings::{Defect, Finding};
use crate::plan::HiveName;

/// A time, and what it is the time of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Since {
    /// `2026-03-01 12:00:00`.
    pub time: String,
    /// What happened then.
    pub what: &'static str,
}

/// The earliest failure in the logs; without one, when the newest of the wrong keys was written.
pub(super) fn since<'f>(
    installation: &Installation,
    findings: impl Iterator<Item = &'f Finding> + Clone,
) -> Option<Since> {
    let logged = findings.clone().filter_map(|finding| match &finding.defect {
        Some(Defect::Logged { first, .. }) => *first,
        _ => None,
    });
    if let Some(first) = logged.min() {
        return Some(Since { time: first.to_string(), what: "first failure in the logs, local time" });
    }
    let written = findings.filter_map(|finding| {
        let (hive, key) = place(finding.defect.as_ref()?)?;
        written(installation, hive, key)
    });
    Some(Since { time: date_and_time(written.max()?)?, what: "the key was last written, UTC" })
}

fn place(defect: &Defect) -> Option<(HiveName, &str)> {
    match defect {
        Defect::Value { hive, key, .. } => Some((*hive, key)),
        Defect::Triggers { key, .. } => Some((HiveName::System, key)),
        // The time of the key `Security` is that of the descriptor; the service's own says nothing about it.
        Defect::Descriptor { .. } | Defect::ServiceMissing { .. } | Defect::SvchostGroup { .. } => None,
        Defect::Cache { .. } | Defect::StuckPackage { .. } | Defect::Logged { .. } => None,
    }
}

fn written(installation: &Installation, hive: HiveName, key: &str) -> Option<FileTime> {
    let key = installation.hive(hive).hive.find_key(key).ok()??;
    Some(key.last_written())
}
