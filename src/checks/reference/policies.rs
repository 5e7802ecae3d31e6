//! The policies of updating in SOFTWARE, side by side. Which of them an owner sets is the owner's business: what differs is a note.

use std::collections::{BTreeMap, BTreeSet};

use super::{reported, Base};
use crate::checks::context::shown;
use crate::checks::policy::{shown_text, software_place};
use crate::error::Result;
use crate::evidence::{hive_failure, Registry};
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::policies::SwitchHive;
use crate::knowledge::Knowledge;
use crate::plan::{HiveName, RegValue};

/// The keys whose every value is compared.
const KEYS: [&str; 4] = [
    "Policies\\Microsoft\\Windows\\WindowsUpdate",
    "Policies\\Microsoft\\Windows\\WindowsUpdate\\AU",
    "Policies\\Microsoft\\Windows\\DeliveryOptimization",
    "Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing",
];
/// More values than these keys can have by the policy templates.
const MOST_VALUES: usize = 500;
/// The most lines of evidence.
const MOST_SHOWN: usize = 40;

type Values = BTreeMap<String, (String, RegValue)>;

pub(super) fn run(base: &Base<'_>, reference: &Registry<'_>, findings: &mut Findings) -> Result<()> {
    let mut evidence = Vec::new();
    for key in KEYS {
        findings.made += 1;
        let (here, there) = (values(&base.context.software, key)?, values(reference, key)?);
        for name in here.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
            let (here, there) = (here.get(name), there.get(name));
            let spelling = here.or(there).map_or(name.as_str(), |(spelling, _)| spelling);
            evidence.extend(difference(key, spelling, here.map(|v| &v.1), there.map(|v| &v.1)));
        }
    }
    let build = base.context.installation.version.build;
    for switch in Knowledge::builtin().policies().switches(SwitchHive::Machine, build) {
        if KEYS.iter().any(|key| key.eq_ignore_ascii_case(&switch.key)) {
            continue;
        }
        let read = |registry: &Registry<'_>| {
            registry.value(&switch.key, &switch.name).map_err(|e| hive_failure(HiveName::Software, e))
        };
        let (here, there) = (read(&base.context.software)?, read(reference)?);
        evidence.extend(difference(&switch.key, &switch.name, here.as_ref(), there.as_ref()));
    }
    evidence.retain(|e| !reported(findings, &e.place));
    if evidence.is_empty() {
        return Ok(());
    }
    let count = evidence.len();
    evidence.truncate(MOST_SHOWN);
    if count > MOST_SHOWN {
        evidence.push(Evidence::seen(HiveName::Software.to_string(), format!("{} more", count - MOST_SHOWN)));
    }
    let title = format!("{count} policies of updating are not as in the reference");
    base.push(Severity::Note, "policies", title, evidence, findings);
    Ok(())
}

fn values(software: &Registry<'_>, key: &str) -> Result<Values> {
    let all = software.values(key).map_err(|e| hive_failure(HiveName::Software, e))?;
    Ok(all.into_iter().take(MOST_VALUES).map(|(name, value)| (name.to_lowercase(), (name, value))).collect())
}

fn difference(key: &str, name: &str, here: Option<&RegValue>, there: Option<&RegValue>) -> Option<Evidence> {
    (here != there).then(|| Evidence::new(software_place(key, name), short(here), short(there)))
}

/// A value, not too long.
fn short(value: Option<&RegValue>) -> String {
    shown_text(&shown(value))
}
