//! `helper-services`: services beside the update services that updating leans on, disabled or gone.
//!
//! Relies on `knowledge/helpers.toml`, which says for each what follows and where that comes from. Only disabled, marked for deletion or
//! without a key counts: which other start type a service has is its administrator's choice. Nothing is mended: these are other
//! components' services (design, safety rule 8), and `coldmend service set` changes them by name.

use super::context::{shown, Context};
use super::policy::somebody_manages;
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::{reported, Evidence, Findings, Severity};
use crate::knowledge::{HelperRow, HelperWeight, Knowledge, StartType};
use crate::plan::{HiveName, RegValue};

const ID: &str = "helper-services";

/// What is wrong with a service in one control set.
struct Fault {
    weight: Option<HelperWeight>,
    what: &'static str,
    seen: Evidence,
}

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    for row in Knowledge::builtin().helpers(build, context.installation.product_type) {
        findings.made += 1;
        let (mut severity, mut what, mut evidence) = (Severity::Note, "", Vec::new());
        for set in &context.installation.control_sets {
            let root = format!("{}\\Services", set.key);
            // That there are no services at all is told where they are gathered.
            if !context.system.key_exists(&root).map_err(|e| hive_failure(HiveName::System, e))? {
                continue;
            }
            let Some(fault) = look(context, row, &format!("{root}\\{}", row.name))? else { continue };
            let Some(weight) = fault.weight else { continue };
            severity = severity.min(severity_of(context, row, weight)?);
            what = fault.what;
            evidence.push(fault.seen);
        }
        if evidence.is_empty() {
            continue;
        }
        let title = format!("the service {what}: {}", row.effect);
        findings.push(reported(ID, severity, &row.name, title, evidence, &row.source));
    }
    Ok(())
}

fn severity_of(context: &Context<'_>, row: &HelperRow, weight: HelperWeight) -> Result<Severity> {
    let weight = match row.managed {
        Some(managed) if somebody_manages(context)? => managed,
        _ => weight,
    };
    Ok(match weight {
        HelperWeight::Suspect => Severity::Suspect,
        HelperWeight::Note => Severity::Note,
    })
}

fn look(context: &Context<'_>, row: &HelperRow, key: &str) -> Result<Option<Fault>> {
    let place = format!("{}\\{key}", HiveName::System);
    if !context.system.key_exists(key).map_err(|e| hive_failure(HiveName::System, e))? {
        let seen = Evidence::new(place, "no such key", "the service's key");
        return Ok(Some(Fault { weight: row.missing, what: "has been deleted", seen }));
    }
    let flag = context.value(key, "DeleteFlag")?;
    if flag.as_ref().and_then(RegValue::as_dword).is_some_and(|n| n != 0) {
        let seen = Evidence::new(format!("{place}\\DeleteFlag"), shown(flag.as_ref()), "absent");
        return Ok(Some(Fault { weight: row.missing, what: "is marked for deletion at the next boot", seen }));
    }
    let start = context.value(key, "Start")?;
    let known = start.as_ref().and_then(RegValue::as_dword).and_then(StartType::from_value);
    if known.is_some_and(|start| start != StartType::Disabled) {
        return Ok(None);
    }
    let what = if known.is_some() { "is disabled" } else { "has no valid start type" };
    let found = known.map_or_else(|| shown(start.as_ref()), |start| start.to_string());
    let seen = Evidence::new(format!("{place}\\Start"), found, row.start.to_string());
    Ok(Some(Fault { weight: row.disabled, what, seen }))
}
