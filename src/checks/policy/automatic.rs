//! `policy-automatic-updates`: automatic updates are switched off. Always a note: searching by hand still works, servers are
//! commonly set up like this, and somebody may have meant it.

use super::setting::Setting;
use super::{finding, gathered, number};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Findings, Severity};
use crate::knowledge::policies::SwitchHive;
use crate::knowledge::Knowledge;

const ID: &str = "policy-automatic-updates";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    let gathered = gathered(context)?;
    let rows = Knowledge::builtin().policies().switches(SwitchHive::Machine, build);
    for row in rows.filter(|row| row.name == "NoAutoUpdate" || row.name == "AUOptions") {
        let Some(setting) = Setting::read(context, gathered, &row.key, &row.name)? else { continue };
        let Some(judged) = setting.judged(|value| number(value).filter(|&n| n == 1)) else { continue };
        let title = judged.title(format!("automatic updates are off ({})", row.effect));
        let evidence = setting.evidence("0 or absent, if updates should come by themselves");
        findings.push(finding(ID, Severity::Note, row.name.clone(), title, evidence, row.source.clone()));
    }
    Ok(())
}
