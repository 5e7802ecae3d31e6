//! `service-privileges`: the privileges that a service asks for. A list that was cut short takes away what it needs; no list
//! at all means all privileges of the account, and is healthy.

use super::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::plan::{HiveName, RegValue};

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let row = &service.expected.row;
        let Some(needed) = &row.privileges else { continue };
        findings.made += 1;
        let Some(found) = context.value(&service.key, "RequiredPrivileges")? else { continue };
        let names = found.as_list();
        let missing: Vec<&str> = match &names {
            Some(names) => needed
                .iter()
                .filter(|n| !names.iter().any(|have| have.eq_ignore_ascii_case(n)))
                .map(String::as_str)
                .collect(),
            None => needed.iter().map(String::as_str).collect(),
        };
        if missing.is_empty() {
            continue;
        }
        // What somebody added stays. Where only a part of the default list is known, nothing is written.
        let default = row.privileges_default.as_ref();
        let mut wanted = default.unwrap_or(needed).clone();
        for name in names.unwrap_or_default() {
            if !wanted.iter().any(|w| w.eq_ignore_ascii_case(&name)) {
                wanted.push(name);
            }
        }
        findings.push(Finding {
            id: "service-privileges",
            severity: Severity::Problem,
            subject: service.name.clone(),
            title: format!("the service lacks privileges that it needs: {}", missing.join(", ")),
            evidence: vec![Evidence::new(
                service.place("RequiredPrivileges"),
                shown(Some(&found)),
                format!("[{}]", wanted.join(", ")),
            )],
            remedy: default.map(|_| "services-config"),
            source: service.expected.source("privileges"),
            defect: default.map(|_| Defect::Value {
                hive: HiveName::System,
                key: service.key.clone(),
                name: "RequiredPrivileges".into(),
                found: Some(found),
                expected: Some(RegValue::multi_string(&wanted)),
            }),
        });
    }
    Ok(())
}
