//! `service-svchost-group`: svchost hosts a service only when the group's list in SOFTWARE names it (error 1083 otherwise).

use super::context::{shown, Context};
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::knowledge::Knowledge;
use crate::plan::{HiveName, RegValue};

/// The key with one list per group.
pub(crate) const KEY: &str = "Microsoft\\Windows NT\\CurrentVersion\\Svchost";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let bad = |e| hive_failure(HiveName::Software, e);
    if !context.software.key_exists(KEY).map_err(bad)? {
        findings.could_not("service-svchost-group", format!("there is no {}\\{KEY}", HiveName::Software));
        return Ok(());
    }
    let mut seen: Vec<&str> = Vec::new();
    // A service whose key is made again needs its place in the list as well.
    let made_again = context.missing_services().filter(|s| {
        let version = &context.installation.version;
        Knowledge::builtin().definition(&s.name, version.build, context.installation.product_type).is_some()
    });
    for service in context.services().chain(made_again) {
        let Some(group) = service.expected.svchost_group() else { continue };
        if seen.contains(&service.name.as_str()) {
            continue;
        }
        seen.push(&service.name);
        findings.made += 1;
        let found = context.software.value(KEY, &group).map_err(bad)?;
        let names = found.as_ref().and_then(RegValue::as_list);
        if names.as_ref().is_some_and(|n| n.iter().any(|n| n.eq_ignore_ascii_case(&service.name))) {
            continue;
        }
        // A list that is gone held other services too, which nobody here knows: then it can't be made again.
        let mendable = names.is_some();
        findings.push(Finding {
            id: "service-svchost-group",
            severity: Severity::Problem,
            subject: service.name.clone(),
            title: format!("svchost does not know the service: it is missing from the group {group}"),
            evidence: vec![Evidence::new(
                format!("{}\\{KEY}\\{group}", HiveName::Software),
                shown(found.as_ref()),
                format!("a list with {}", service.name),
            )],
            remedy: mendable.then_some("services-config"),
            source: service.expected.source(if service.expected.row.svchost_group().is_some() {
                "image"
            } else {
                "group"
            }),
            defect: mendable.then(|| Defect::SvchostGroup { group, service: service.name.clone(), found }),
        });
    }
    Ok(())
}
