//! `policy-mdm`: the update policies that device management (MDM) has set, which come back when they are only deleted.
//!
//! An update server that can't exist is a problem here as in group policy. That the update service is not allowed is a suspect unless
//! the device is enrolled; the rest is one note that lists it.
//!
//! `WindowsUpdate\UpdatePolicy\PolicyState`, where the orchestrator keeps what it has made of both kinds of policy, is not judged: it is
//! written anew at every scan, and what it is made of is looked at here and in the checks of group policy.

use super::address::dead_url;
use super::{finding, gathered, number, shown_text, software_failure, software_place};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};

const ID: &str = "policy-mdm";
const CURRENT: &str = "Microsoft\\PolicyManager\\current\\device\\Update";
const DEFAULT: &str = "Microsoft\\PolicyManager\\default\\device\\Update";
const SOURCE: &str = "Microsoft, Policy CSP - Update";
/// Values that a note lists; a policy has some forty.
const MOST_LISTED: usize = 20;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let gathered = gathered(context)?;
    for key in [CURRENT, DEFAULT] {
        let values = context.software.values(key).map_err(|e| software_failure(e, key))?;
        let mut rest = Vec::new();
        for (name, value) in &values {
            // Beside each policy stand the server that set it and other marks.
            if name.contains('_') || name.is_empty() {
                continue;
            }
            let place = software_place(key, name);
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            let dead = value.as_text().filter(|text| !is_unset(text)).and_then(|text| dead_url(&text));
            if let Some(why) = dead.filter(|_| key == CURRENT && is("UpdateServiceUrl")) {
                let title = format!("device management sends Windows to an update server that can't exist ({why})");
                let evidence = Evidence::new(place, shown(Some(value)), "the address of an update server, or absent");
                findings.push(finding(ID, Severity::Problem, shown_text(name), title, vec![evidence], SOURCE));
            } else if is("AllowUpdateService") && number(value) == Some(0) {
                let severity = if gathered.is_managed() { Severity::Note } else { Severity::Suspect };
                let mut evidence = vec![Evidence::new(place, shown(Some(value)), "1 or absent")];
                evidence.extend(gathered.management());
                let title = "device management does not allow the update service";
                findings.push(finding(ID, severity, shown_text(name), title, evidence, SOURCE));
            } else {
                rest.push(Evidence::seen(place, shown(Some(value))));
            }
        }
        if key == CURRENT && !rest.is_empty() {
            rest.truncate(MOST_LISTED);
            rest.extend(gathered.mdm.clone());
            let title =
                "device management (MDM) has set update policies; what is deleted here comes back from its server";
            findings.push(finding(ID, Severity::Note, "PolicyManager", title, rest, SOURCE));
        }
    }
    Ok(())
}

/// Whether an address is the policy's own default, which names no server.
fn is_unset(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.eq_ignore_ascii_case("CorpWSUS")
}
