//! `service-triggers`: what starts a service that is started on demand. Without its triggers nothing ever does.

use super::context::Context;
use crate::error::Result;
use crate::evidence::{hive_failure, Registry, RegistryError};
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::knowledge::{StartType, Trigger};
use crate::plan::{to_hex, HiveName, RegValue};

/// `SERVICE_TRIGGER_ACTION_SERVICE_START`.
const START: u32 = 1;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let row = &service.expected.row;
        if row.triggers.is_none() && row.triggers_at_least.is_none() {
            continue;
        }
        findings.made += 1;
        let root = format!("{}\\TriggerInfo", service.key);
        let found = found_triggers(context, &root)?;
        let missing: Vec<&Trigger> = row
            .triggers
            .iter()
            .flatten()
            .filter(|t| !found.iter().any(|f| f.0 == t.trigger_type && f.1 == t.action && f.2 == t.guid))
            .collect();
        let starts = found.iter().filter(|f| f.1 == START).count();
        let too_few = row.triggers_at_least.is_some_and(|n| starts < n as usize);
        if missing.is_empty() && !too_few {
            continue;
        }
        let on_demand = row.start.is_some_and(|s| s.start == StartType::Demand);
        let expected = row.triggers.as_ref().map_or(row.triggers_at_least.unwrap_or(0) as usize, Vec::len);
        findings.push(Finding {
            id: "service-triggers",
            severity: if on_demand { Severity::Problem } else { Severity::Suspect },
            subject: service.name.clone(),
            title: "the service lacks the triggers that start it".into(),
            evidence: vec![Evidence::new(
                format!("{}\\{root}", HiveName::System),
                format!("{} triggers", found.len()),
                format!("{expected} triggers"),
            )],
            remedy: (!missing.is_empty()).then_some("services-config"),
            source: service.expected.source("triggers"),
            defect: (!missing.is_empty())
                .then(|| Defect::Triggers { key: service.key.clone(), service: service.name.clone() }),
        });
    }
    Ok(())
}

/// Type, action and GUID (lower-case hex) of each trigger.
pub(crate) fn found_triggers(context: &Context<'_>, root: &str) -> Result<Vec<(u32, u32, String)>> {
    triggers_of(&context.system, root).map_err(|e| hive_failure(HiveName::System, e))
}

/// The same, of any SYSTEM hive.
pub(super) fn triggers_of(system: &Registry<'_>, root: &str) -> Result<Vec<(u32, u32, String)>, RegistryError> {
    let mut found = Vec::new();
    for name in system.subkeys(root)? {
        let key = format!("{root}\\{name}");
        let guid = system.value(&key, "GUID")?;
        if let (Some(kind), Some(action), Some(RegValue { data, .. })) =
            (system.dword(&key, "Type")?, system.dword(&key, "Action")?, guid)
        {
            found.push((kind, action, to_hex(&data)));
        }
    }
    Ok(found)
}
