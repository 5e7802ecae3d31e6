//! The svchost groups of the services that updating needs: names that the reference has in a list and the target has not.

use std::collections::BTreeSet;

use super::side::Side;
use super::{names, Base};
use crate::checks::SVCHOST_KEY;
use crate::error::Result;
use crate::evidence::{hive_failure, Registry};
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::Knowledge;
use crate::plan::{HiveName, RegValue};

/// More groups than any Windows has.
const MOST_GROUPS: usize = 200;

/// The groups that these services are hosted in, by the reference's own image paths, with their members.
pub(super) fn of_services(
    reference: &Side<'_>,
    software: &Registry<'_>,
    services: &[&str],
) -> Result<Vec<(String, Vec<String>)>> {
    let mut hosting = BTreeSet::new();
    for service in services {
        if let Some(group) = reference.read(service)?.and_then(|picture| picture.svchost_group().map(str::to_string)) {
            hosting.insert(group);
        }
    }
    let mut lists = lists(software)?;
    lists.retain(|(group, _)| hosting.contains(&group.to_lowercase()));
    Ok(lists)
}

/// Every group with its members.
fn lists(software: &Registry<'_>) -> Result<Vec<(String, Vec<String>)>> {
    let values = software.values(SVCHOST_KEY).map_err(|e| hive_failure(HiveName::Software, e))?;
    let list = |(group, value): (String, RegValue)| Some((group, value.as_list()?));
    Ok(values.into_iter().filter_map(list).take(MOST_GROUPS).collect())
}

/// Compares the groups that hold a service of the tables or, where the reference has a SYSTEM, any of `wanted`.
pub(super) fn run(
    base: &Base<'_>,
    software: &Registry<'_>,
    wanted: &BTreeSet<String>,
    findings: &mut Findings,
) -> Result<()> {
    let ours: BTreeSet<String> = Knowledge::builtin().services().iter().map(|name| name.to_lowercase()).collect();
    let root = base.context.system_root.as_deref();
    for (group, members) in lists(software)? {
        let of_updating = members.iter().any(|name| ours.contains(&name.to_lowercase()));
        if !of_updating {
            continue;
        }
        findings.made += 1;
        let bad = |e| hive_failure(HiveName::Software, e);
        let found = base.context.software.value(SVCHOST_KEY, &group).map_err(bad)?;
        let has = found.as_ref().and_then(RegValue::as_list).unwrap_or_default();
        let (mut hosted, mut other) = (Vec::new(), Vec::new());
        for name in members {
            let lower = name.to_lowercase();
            let told = findings
                .findings
                .iter()
                .any(|finding| finding.id == "service-svchost-group" && finding.subject.eq_ignore_ascii_case(&name));
            if told || base.unhealthy.contains_key(&lower) || has.iter().any(|h| h.eq_ignore_ascii_case(&name)) {
                continue;
            }
            // A service that is there and says that it is hosted in this group can't start without its place in the list.
            if is_hosted(base, &name, &group, root)? {
                hosted.push(name);
            } else if wanted.is_empty() || wanted.contains(&lower) {
                other.push(name);
            }
        }
        let place = format!("{}\\{SVCHOST_KEY}\\{group}", HiveName::Software);
        let text = crate::checks::context::shown(found.as_ref());
        for (severity, missing, title) in [
            (Severity::Suspect, hosted, "svchost does not know services that it knows in the reference"),
            (
                Severity::Note,
                other,
                "names that the reference has in this group are not in it, nor are services of it here",
            ),
        ] {
            if !missing.is_empty() {
                let expected = format!("a list with {}", names(&missing));
                let title = format!("{title}: {}", names(&missing));
                let evidence = vec![Evidence::new(place.clone(), text.clone(), expected)];
                base.push(severity, &group, title, evidence, findings);
            }
        }
    }
    Ok(())
}

/// Whether the target has the service, hosted in this group.
fn is_hosted(base: &Base<'_>, name: &str, group: &str, system_root: Option<&str>) -> Result<bool> {
    if name.contains('\\') {
        return Ok(false);
    }
    for set in &base.context.installation.control_sets {
        let side = Side { system: &base.context.system, set: &set.key, system_root };
        let picture = side.read(name)?;
        if picture.is_some_and(|picture| picture.svchost_group().is_some_and(|g| g.eq_ignore_ascii_case(group))) {
            return Ok(true);
        }
    }
    Ok(false)
}
