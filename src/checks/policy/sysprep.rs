//! `sysprep-marker`: the mark that tells the update service not to start while an image is generalized, left behind.

use super::{finding, software_failure};
use crate::checks::context::Context;
use crate::checks::setup_in_progress;
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::plan::HiveName;

const ID: &str = "sysprep-marker";
const KEY: &str = "Microsoft\\Windows\\CurrentVersion\\WindowsUpdateSysprepInProgress";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    if !context.software.key_exists(KEY).map_err(|e| software_failure(e, KEY))? {
        return Ok(());
    }
    let in_setup = !setup_in_progress(context.installation)?.is_empty();
    let severity = if in_setup { Severity::Note } else { Severity::Suspect };
    findings.push(finding(
        ID,
        severity,
        "WindowsUpdateSysprepInProgress",
        "the update service believes that an image is being generalized, and does not start",
        vec![Evidence::new(format!("{}\\{KEY}", HiveName::Software), "the key is there", "absent")],
        "the start of the update service in wuaueng.dll; a diagnosis script that many use (MAS)",
    ));
    Ok(())
}
