//! `service-type`: the service's type. Own and shared process are both healthy (Windows and administrators switch between
//! them); a service that calls itself a driver is not.

use super::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::plan::{HiveName, RegValue};

/// `SERVICE_INTERACTIVE_PROCESS`.
const INTERACTIVE: u32 = 0x100;
const OWN_OR_SHARED: [u32; 2] = [0x10, 0x20];

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let row = &service.expected.row;
        let (Some(healthy), Some(default)) = (&row.healthy_types, row.service_type) else { continue };
        findings.made += 1;
        let found = context.value(&service.key, "Type")?;
        let number = found.as_ref().and_then(RegValue::as_dword);
        let severity = match number.map(|n| n & !INTERACTIVE) {
            Some(n) if healthy.contains(&n) => continue,
            Some(n) if OWN_OR_SHARED.contains(&n) => Severity::Note,
            _ => Severity::Problem,
        };
        let title = if severity == Severity::Note {
            "the service runs in its own process instead of a shared one, or the other way round"
        } else {
            "the service's type is not one of a service"
        };
        findings.push(Finding {
            id: "service-type",
            severity,
            subject: service.name.clone(),
            title: title.into(),
            evidence: vec![Evidence::new(
                service.place("Type"),
                number.map_or_else(|| shown(found.as_ref()), |n| format!("{n:#x}")),
                format!("{default:#x}"),
            )],
            remedy: Some("services-config"),
            source: service.expected.source("type"),
            defect: Some(Defect::Value {
                hive: HiveName::System,
                key: service.key.clone(),
                name: "Type".into(),
                found,
                expected: Some(RegValue::dword(default)),
            }),
        });
    }
    Ok(())
}
