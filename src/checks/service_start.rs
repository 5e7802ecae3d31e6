//! `service-start`: a service that is disabled, or starts otherwise than its Windows needs.
//!
//! What Windows switches itself (BITS and DoSvc between 2 and 3, TrustedInstaller to 2 while an update is pending) is
//! healthy. `Automatic` where the default is manual is harmless: a note.

use super::context::{shown, Context, Service};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::knowledge::StartType;
use crate::plan::{HiveName, RegValue};

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let row = &service.expected.row;
        let Some(default) = row.start else { continue };
        findings.made += 1;
        let found = context.value(&service.key, "Start")?;
        let start = found.as_ref().and_then(RegValue::as_dword).and_then(StartType::from_value);
        let wanted = wanted(context, service, default.start);
        let (severity, title) = match start {
            Some(start) if row.healthy_starts.contains(&start) => continue,
            Some(StartType::Auto) if row.auto_while_pending && context.pending => continue,
            None => (Severity::Problem, "the service has no valid start type"),
            Some(StartType::Disabled) => (Severity::Problem, "the service is disabled"),
            Some(StartType::Boot | StartType::System) => {
                (Severity::Problem, "the service has the start type of a driver")
            }
            Some(StartType::Auto) => (Severity::Note, "the service starts automatically; its default is manual"),
            Some(StartType::Demand) => {
                (Severity::Suspect, "the service starts on demand only; its default is automatic")
            }
        };
        findings.push(Finding {
            id: "service-start",
            severity,
            subject: service.name.clone(),
            title: title.into(),
            evidence: vec![Evidence::new(
                service.place("Start"),
                start.map_or_else(|| shown(found.as_ref()), |s| s.to_string()),
                wanted.to_string(),
            )],
            remedy: Some("services-start"),
            source: service.expected.source("start"),
            defect: Some(Defect::Value {
                hive: HiveName::System,
                key: service.key.clone(),
                name: "Start".into(),
                found,
                expected: Some(RegValue::dword(wanted.value())),
            }),
        });
    }
    Ok(())
}

/// The start type that belongs there now: the default, but 2 for a service that Windows itself sets to 2 while an update
/// is pending (at 3 the pending transaction would never end).
pub(crate) fn wanted(context: &Context<'_>, service: &Service, default: StartType) -> StartType {
    if service.expected.row.auto_while_pending && context.pending {
        StartType::Auto
    } else {
        default
    }
}
