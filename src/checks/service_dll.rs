//! `service-dll`: the library that svchost loads for a service, under `Parameters` or on the service's own key.

use super::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::knowledge::windows_path;
use crate::plan::{HiveName, RegValue};

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let row = &service.expected.row;
        let Some(files) = &row.service_dll_files else { continue };
        findings.made += 1;
        // svchost looks under Parameters first.
        let under_parameters = format!("{}\\Parameters", service.key);
        let mut place = (under_parameters.clone(), context.value(&under_parameters, "ServiceDll")?);
        if place.1.is_none() {
            if let Some(value) = context.value(&service.key, "ServiceDll")? {
                place = (service.key.clone(), Some(value));
            } else if row.service_dll_key.is_empty() {
                place.0 = service.key.clone();
            }
        }
        let (key, found) = place;
        let path = found.as_ref().and_then(RegValue::as_text).map(|t| windows_path(&t, context.system_root.as_deref()));
        let healthy = path
            .as_deref()
            .and_then(|p| p.strip_prefix("system32\\"))
            .is_some_and(|name| files.iter().any(|f| f.eq_ignore_ascii_case(name)));
        if healthy {
            continue;
        }
        findings.push(Finding {
            id: "service-dll",
            severity: Severity::Problem,
            subject: service.name.clone(),
            title: "the service loads another library, or none".into(),
            evidence: vec![Evidence::new(
                format!("{}\\{key}\\ServiceDll", HiveName::System),
                shown(found.as_ref()),
                row.service_dll.as_ref().map_or_else(|| files.join(" or "), |default| format!("\"{default}\"")),
            )],
            remedy: row.service_dll.is_some().then_some("services-config"),
            source: service.expected.source("dll"),
            defect: row.service_dll.as_ref().map(|default| Defect::Value {
                hive: HiveName::System,
                key,
                name: "ServiceDll".into(),
                found,
                expected: Some(RegValue::expand_string(default)),
            }),
        });
    }
    Ok(())
}
