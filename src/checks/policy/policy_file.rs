//! `policy-file`: a `Registry.pol` that group policy can't read. Then no policy of it is applied, and what is in the registry stays.

use super::{finding, gathered};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};

const ID: &str = "policy-file";
const SOURCE: &str = "[MS-GPREG] 2.2; Microsoft, event 1096 of group policy (Registry.pol is damaged)";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let gathered = gathered(context)?;
    for why in &gathered.unread {
        findings.could_not(ID, why.clone());
    }
    for file in gathered.machine.iter().chain(&gathered.users) {
        let Err(why) = &file.entries else { continue };
        let evidence = vec![Evidence::new(file.place.clone(), why.clone(), "a policy file, or none")];
        let title = "a policy file is damaged: group policy can't be applied, and old policies stay";
        findings.push(finding(ID, Severity::Suspect, "Registry.pol", title, evidence, SOURCE));
    }
    Ok(())
}
