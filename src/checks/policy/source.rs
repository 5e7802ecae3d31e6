//! `policy-update-source`: kinds of updates that are to come from the owner's server only, where there is no such server.

use super::setting::Setting;
use super::wsus::{Server, KEY};
use super::{finding, gathered, number};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Findings, Severity};

const ID: &str = "policy-update-source";
const SOURCE: &str = "Microsoft, \"Use Windows Update client policies and WSUS together\" (SetPolicyDrivenUpdateSourceFor…Updates: 1 is WSUS)";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let gathered = gathered(context)?;
    for kind in ["Feature", "Quality", "Driver", "Other"] {
        let name = format!("SetPolicyDrivenUpdateSourceFor{kind}Updates");
        let Some(setting) = Setting::read(context, gathered, KEY, &name)? else { continue };
        let Some(judged) = setting.judged(|value| number(value).filter(|&n| n == 1)) else { continue };
        // With a server this is how WSUS and Windows Update are used together; without one the policy is a leftover.
        let (severity, why) = match (&gathered.wsus.now, gathered.mdm.is_some()) {
            (Server::Alive(_), _) => continue,
            (_, true) => (Severity::Note, "there is none; the device is managed through MDM"),
            (Server::Dead(_), false) => (Severity::Suspect, "that server can't exist"),
            (Server::None, false) => (Severity::Suspect, "there is none"),
        };
        let title =
            judged.title(format!("{} updates are to come from the owner's server, and {why}", kind.to_lowercase()));
        let evidence = setting.evidence("0 or absent, or an update server in WUServer");
        findings.push(finding(ID, judged.severity(severity), name, title, evidence, SOURCE));
    }
    Ok(())
}
