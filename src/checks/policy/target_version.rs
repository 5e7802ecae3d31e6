//! `policy-target-version`: a policy that keeps Windows at a feature update. Always a note: security updates still come, and after the
//! end of service of the version Windows moves on by itself.

use super::setting::Setting;
use super::wsus::KEY;
use super::{finding, gathered, number, shown_text};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Findings, Severity};

const ID: &str = "policy-target-version";
const SOURCE: &str =
    "WindowsUpdate.admx, TargetReleaseVersion: \"Select the target Feature Update version\" (1803 and later)";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let gathered = gathered(context)?;
    let Some(switch) = Setting::read(context, gathered, KEY, "TargetReleaseVersion")? else { return Ok(()) };
    let Some(judged) = switch.judged(|value| number(value).filter(|&n| n == 1)) else { return Ok(()) };
    let mut evidence = switch.evidence("0 or absent, if feature updates should come");
    let mut target = Vec::new();
    for name in ["ProductVersion", "TargetReleaseVersionInfo"] {
        let Some(setting) = Setting::read(context, gathered, KEY, name)? else { continue };
        target.extend(setting.value().and_then(crate::plan::RegValue::as_text));
        evidence.extend(setting.evidence("absent, or the version that is wanted"));
    }
    let target = match target.join(" ").trim() {
        "" => "a version that is not named".to_owned(),
        named => shown_text(named),
    };
    let title = judged.title(format!(
        "feature updates are held at {target} by policy ({} is installed)",
        shown_text(&context.installation.version.product)
    ));
    findings.push(finding(ID, Severity::Note, "TargetReleaseVersion", title, evidence, SOURCE));
    Ok(())
}
