//! `service-account`: the account that a service runs under (blockers give it a guest's).

use super::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::plan::{HiveName, RegValue};
use crate::security::account_sid;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let Some(accounts) = &service.expected.row.accounts else { continue };
        let Some(default) = accounts.first() else { continue };
        findings.made += 1;
        let found = context.value(&service.key, "ObjectName")?;
        // Without a name the service control manager takes LocalSystem.
        let name = match &found {
            None => Some("LocalSystem".to_string()),
            Some(value) => value.as_text(),
        };
        let healthy = name.is_some_and(|name| {
            accounts.iter().any(|a| {
                a.eq_ignore_ascii_case(&name) || (account_sid(a).is_some() && account_sid(a) == account_sid(&name))
            })
        });
        if healthy {
            continue;
        }
        findings.push(Finding {
            id: "service-account",
            severity: Severity::Problem,
            subject: service.name.clone(),
            title: "the service runs under another account".into(),
            evidence: vec![Evidence::new(service.place("ObjectName"), shown(found.as_ref()), format!("\"{default}\""))],
            remedy: Some("services-config"),
            source: service.expected.source("account"),
            defect: Some(Defect::Value {
                hive: HiveName::System,
                key: service.key.clone(),
                name: "ObjectName".into(),
                found,
                expected: Some(RegValue::string(default)),
            }),
        });
    }
    Ok(())
}
