//! `service-dependencies`: what a service waits for. A dependency that is not there, or disabled, keeps it from starting;
//! blockers add such ones on purpose.

use super::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::plan::{HiveName, RegValue};

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let row = &service.expected.row;
        let (Some(needed), Some(default)) = (&row.depends_on, &row.depends_default) else { continue };
        let Some((services, _)) = service.key.rsplit_once('\\') else { continue };
        findings.made += 1;
        let found = context.value(&service.key, "DependOnService")?;
        let names = found.as_ref().map_or(Some(Vec::new()), RegValue::as_list);
        let mut reasons = Vec::new();
        let mut severity = Severity::Suspect;
        match &names {
            None => {
                severity = Severity::Problem;
                reasons.push("not a list of names".to_string());
            }
            Some(names) => {
                let has = |list: &[String], name: &str| list.iter().any(|n| n.eq_ignore_ascii_case(name));
                for name in names.iter().filter(|n| !has(default, n) && !has(needed, n)) {
                    if let Some(reason) = obstacle(context, services, name)? {
                        severity = Severity::Problem;
                        reasons.push(reason);
                    } else if row.depends_on_nothing_else {
                        severity = Severity::Problem;
                        reasons.push(format!("{name} does not belong there"));
                    }
                }
                reasons.extend(needed.iter().filter(|n| !has(names, n)).map(|n| format!("{n} is missing")));
            }
        }
        if reasons.is_empty() {
            continue;
        }
        let expected = (!default.is_empty()).then(|| RegValue::multi_string(default));
        findings.push(Finding {
            id: "service-dependencies",
            severity,
            subject: service.name.clone(),
            title: format!("the service's dependencies are not right: {}", reasons.join("; ")),
            evidence: vec![Evidence::new(
                service.place("DependOnService"),
                shown(found.as_ref()),
                if default.is_empty() { "absent".to_string() } else { format!("[{}]", default.join(", ")) },
            )],
            remedy: Some("services-config"),
            source: service.expected.source("dependencies"),
            defect: Some(Defect::Value {
                hive: HiveName::System,
                key: service.key.clone(),
                name: "DependOnService".into(),
                found,
                expected,
            }),
        });
    }
    Ok(())
}

/// Why a service that depends on `name` can't start, if it can't; `services` is the key of all services.
pub(super) fn obstacle(context: &Context<'_>, services: &str, name: &str) -> Result<Option<String>> {
    // A name with a plus is a load-order group.
    if name.starts_with('+') || name.contains('\\') {
        return Ok(None);
    }
    let key = format!("{services}\\{name}");
    let there = context.system.key_exists(&key).map_err(|e| crate::evidence::hive_failure(HiveName::System, e))?;
    if !there {
        return Ok(Some(format!("there is no service {name}")));
    }
    if context.dword(&key, "Start")? == Some(4) {
        return Ok(Some(format!("{name} is disabled")));
    }
    Ok(None)
}
