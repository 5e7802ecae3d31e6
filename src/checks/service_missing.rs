//! `service-missing`: a service that this Windows has is gone, or marked for deletion.

use super::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::knowledge::Knowledge;
use crate::plan::HiveName;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let version = &context.installation.version;
    for service in context.missing_services() {
        findings.made += 1;
        let definition =
            Knowledge::builtin().definition(&service.name, version.build, context.installation.product_type);
        let mut evidence =
            vec![Evidence::new(format!("{}\\{}", HiveName::System, service.key), "no such key", "the service's key")];
        if definition.is_none() {
            evidence.push(Evidence::seen(
                "the tables",
                "no full definition of this service for this build, so it can't be made again",
            ));
        }
        findings.push(Finding {
            id: "service-missing",
            severity: Severity::Problem,
            subject: service.name.clone(),
            title: "the service has been deleted".into(),
            evidence,
            remedy: definition.map(|_| "services-config"),
            source: service.expected.source("presence"),
            defect: definition
                .map(|_| Defect::ServiceMissing { key: service.key.clone(), service: service.name.clone() }),
        });
    }
    for service in context.services() {
        findings.made += 1;
        let flag = context.value(&service.key, "DeleteFlag")?;
        if flag.as_ref().and_then(crate::plan::RegValue::as_dword).is_none_or(|n| n == 0) {
            continue;
        }
        findings.push(Finding {
            id: "service-missing",
            severity: Severity::Problem,
            subject: service.name.clone(),
            title: "the service is marked for deletion at the next boot".into(),
            evidence: vec![Evidence::new(service.place("DeleteFlag"), shown(flag.as_ref()), "absent")],
            remedy: Some("services-config"),
            source: service.expected.source("presence"),
            defect: Some(Defect::Value {
                hive: HiveName::System,
                key: service.key.clone(),
                name: "DeleteFlag".into(),
                found: flag,
                expected: None,
            }),
        });
    }
    Ok(())
}
