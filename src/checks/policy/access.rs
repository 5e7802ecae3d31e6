//! `policy-update-access` and `policy-update-internet`: policies that switch Windows Update off altogether, or keep it from the
//! internet.
//!
//! `DisableWindowsUpdateAccess` stops everything: a problem, unless the machine gets its updates another way (an update server, MDM) or
//! its administrators mean it: then a note. In a domain without either it is a suspect. What only hides Settings is a note always.

use super::gathered::Gathered;
use super::setting::Setting;
use super::{finding, gathered, number};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Findings, Severity};
use crate::knowledge::policies::SwitchHive;
use crate::knowledge::Knowledge;

const ID: &str = "policy-update-access";
const INTERNET: &str = "policy-update-internet";
const INTERNET_NAME: &str = "DoNotConnectToWindowsUpdateInternetLocations";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    let gathered = gathered(context)?;
    for name in ["DisableWindowsUpdateAccess", "SetDisableUXWUAccess", "NoWindowsUpdate"] {
        let blocks = name == "DisableWindowsUpdateAccess";
        let severity = match (blocks, gathered.is_managed(), gathered.domain.is_some()) {
            (true, false, false) => Severity::Problem,
            (true, false, true) => Severity::Suspect,
            _ => Severity::Note,
        };
        report(context, gathered, findings, build, ID, name, severity)?;
    }
    Ok(())
}

pub(super) fn run_internet(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(build) = context.known_build(INTERNET, findings) else { return Ok(()) };
    let gathered = gathered(context)?;
    let severity = if gathered.is_managed() { Severity::Note } else { Severity::Suspect };
    report(context, gathered, findings, build, INTERNET, INTERNET_NAME, severity)
}

fn report(
    context: &Context<'_>,
    gathered: &Gathered,
    findings: &mut Findings,
    build: u32,
    id: &'static str,
    name: &str,
    severity: Severity,
) -> Result<()> {
    let rows = Knowledge::builtin().policies().switches(SwitchHive::Machine, build);
    for row in rows.filter(|row| row.name == name) {
        let Some(setting) = Setting::read(context, gathered, &row.key, name)? else { continue };
        let Some(judged) = setting.judged(|value| number(value).filter(|&n| n != 0)) else { continue };
        let mut evidence = setting.evidence("0 or absent");
        let mut title = judged.title(format!("by policy, {}", row.effect));
        if gathered.is_managed() || gathered.domain.is_some() {
            evidence.extend(gathered.management());
            title.push_str("; the machine is managed, so this may be meant");
        }
        findings.push(finding(id, judged.severity(severity), row.name.clone(), title, evidence, row.source.clone()));
    }
    Ok(())
}
