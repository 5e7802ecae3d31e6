//! Reading back what was written: the whole hive against the intended image, every value through the independent reader,
//! the structure through the check, every renamed object in its place.

use coldmend_hives::Hive;

use crate::error::{Failure, Kind as FailureKind, Result};
use crate::evidence::Registry;
use crate::plan::{Change, HiveName, Plan, RegValue};
use crate::volume::Volume;

use super::apply::Prepared;
use super::files::{self, FileState};

/// Verifies a finished run.
///
/// # Errors
/// Anything that is not as planned (partial).
pub(super) fn verify(volume: &dyn Volume, plan: &Plan, prepared: &Prepared) -> Result<()> {
    for hive in &prepared.hives {
        let bytes = volume.read(&hive.path, u64::MAX)?;
        let place = hive.path.display_escaped().to_string();
        if bytes != hive.commit.after() {
            return Err(wrong(&place, "the file does not hold what was written"));
        }
        verify_values(plan, hive.name, &bytes, &place)?;
        let image = Hive::open(bytes).map_err(|e| wrong(&place, &e.to_string()))?;
        if let Some(fault) = image.check().faults.first() {
            return Err(wrong(&place, &format!("fault at offset {:#x}: {}", fault.offset, fault.found)));
        }
    }
    // What later changes have moved on is not where the earlier ones left it: only the last word on each path counts.
    for (index, change) in plan.file_changes() {
        let superseded = plan.file_changes().any(|(later, other)| later > index && overlaps(change, other));
        if !superseded && files::state(volume, change)? == FileState::Before {
            return Err(wrong(&change.place(), "the change is not there"));
        }
    }
    Ok(())
}

fn overlaps(earlier: &Change, later: &Change) -> bool {
    match (earlier, later) {
        (Change::Rename { from: left, to: taken, .. }, Change::Rename { from, to, .. }) => taken == from || left == to,
        (Change::CreateFolder { path }, Change::Rename { from, .. }) => path == from,
        _ => false,
    }
}

fn verify_values(plan: &Plan, name: HiveName, bytes: &[u8], place: &str) -> Result<()> {
    let registry = Registry::new(bytes).map_err(|e| wrong(place, &e.to_string()))?;
    let read = |e: crate::evidence::RegistryError| wrong(place, &e.to_string());
    for (_, change) in plan.hive_changes(name) {
        let expect = |found: Option<RegValue>, expected: Option<&RegValue>| {
            if found.as_ref() == expected {
                Ok(())
            } else {
                Err(wrong(&change.place(), "the independent reader does not see the new value"))
            }
        };
        match change {
            Change::SetValue { key, name, after, .. } => {
                expect(registry.value(key, name).map_err(read)?, Some(after))?;
            }
            Change::DeleteValue { key, name, .. } => expect(registry.value(key, name).map_err(read)?, None)?,
            Change::CreateKey { key, .. } | Change::DeleteKey { key, .. } => {
                let wanted = matches!(change, Change::CreateKey { .. });
                if registry.key_exists(key).map_err(read)? != wanted {
                    return Err(wrong(&change.place(), "the independent reader does not see the change"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn wrong(place: &str, what: &str) -> Failure {
    Failure::new(FailureKind::Partial, format!("verifying {place}: {what}"))
}
