//! `setup-in-progress`: an installation in the middle of setup or upgrade; it is not repaired. An old `CmdLine` alone is normal.

use super::context::Context;
use crate::error::Result;
use crate::evidence::{hive_failure, Installation};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;

/// The values of `SYSTEM\Setup` that say so, with what they hold.
///
/// # Errors
/// The hive can't be read.
pub fn setup_in_progress(installation: &Installation) -> Result<Vec<(&'static str, u32)>> {
    let system = installation.system()?;
    let mut found = Vec::new();
    for name in ["SystemSetupInProgress", "SetupType"] {
        let number = system.dword("Setup", name).map_err(|e| hive_failure(HiveName::System, e))?;
        if let Some(number) = number.filter(|n| *n != 0) {
            found.push((name, number));
        }
    }
    Ok(found)
}

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let found = setup_in_progress(context.installation)?;
    if found.is_empty() {
        return Ok(());
    }
    findings.push(Finding {
        id: "setup-in-progress",
        severity: Severity::Suspect,
        subject: "Setup".into(),
        title: "Windows is in the middle of setup or an upgrade; coldmend does not repair it in this state".into(),
        evidence: found
            .into_iter()
            .map(|(name, n)| Evidence::new(format!("SYSTEM\\Setup\\{name}"), n.to_string(), "0"))
            .collect(),
        remedy: None,
        source: "Windows Setup's own state".into(),
        defect: None,
    });
    Ok(())
}
