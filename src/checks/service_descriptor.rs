//! `service-descriptor`: who may query, start and change a service. An absent descriptor is healthy (Windows uses its
//! built-in one), and so are CryptSvc's five bytes on XP and 7.

use super::context::{Context, Service};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::plan::RegValue;
use crate::security::{account_sid, judge, known_wrong_on, service_sid, Descriptor};

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let build = context.installation.version.build;
    for service in context.services() {
        findings.made += 1;
        let Some(found) = context.value(&format!("{}\\Security", service.key), "Security")? else { continue };
        if service.expected.row.opaque_descriptor_lengths.contains(&found.data.len()) {
            continue;
        }
        let account = context.value(&service.key, "ObjectName")?.and_then(|v| v.as_text());
        let (severity, title, evidence) = match faults(service, build, &found, account.as_deref()) {
            Verdict::Healthy => continue,
            Verdict::Wrong(why, sddl) => (
                Severity::Note,
                format!("the service's descriptor works, but is a known wrong one: {why}"),
                vec![Evidence::seen(service.place("Security\\Security"), sddl)],
            ),
            Verdict::Broken(faults, shown) => (
                Severity::Problem,
                format!("the service's descriptor is broken: {}", faults.join("; ")),
                vec![Evidence::new(
                    service.place("Security\\Security"),
                    shown,
                    service.expected.row.default_descriptor().map_or_else(|| "absent".into(), |d| d.to_sddl()),
                )],
            ),
        };
        let row = &service.expected.row;
        let mendable =
            severity == Severity::Problem && (row.default_descriptor().is_some() || row.absent_descriptor_is_healthy);
        findings.push(Finding {
            id: "service-descriptor",
            severity,
            subject: service.name.clone(),
            title,
            evidence,
            remedy: mendable.then_some("services-security"),
            source: service.expected.source("descriptor"),
            defect: mendable.then(|| Defect::Descriptor {
                key: service.key.clone(),
                service: service.name.clone(),
                found,
            }),
        });
    }
    Ok(())
}

enum Verdict {
    Healthy,
    Wrong(String, String),
    Broken(Vec<String>, String),
}

fn faults(service: &Service, build: u32, found: &RegValue, account: Option<&str>) -> Verdict {
    let descriptor = match Descriptor::parse(&found.data) {
        Ok(descriptor) => descriptor,
        Err(error) => return Verdict::Broken(vec![format!("it does not parse ({error})")], found.to_string()),
    };
    let mut faults = Vec::new();
    for sid in [account.and_then(account_sid), Some(service_sid(&service.name))].into_iter().flatten() {
        for fault in judge(&descriptor, Some(&sid)) {
            let text = fault.to_string();
            if !faults.contains(&text) {
                faults.push(text);
            }
        }
    }
    if !faults.is_empty() {
        return Verdict::Broken(faults, descriptor.to_sddl());
    }
    match known_wrong_on(&service.name, build, &descriptor) {
        Some(why) => Verdict::Wrong(why, descriptor.to_sddl()),
        None => Verdict::Healthy,
    }
}
