//! `hive-state`: a hive that was not closed cleanly, and was recovered in memory from its logs to be read at all. A note:
//! Windows does the same at its next boot.

use super::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for name in [HiveName::System, HiveName::Software] {
        findings.made += 1;
        let hive = context.installation.hive(name);
        let Some(recovery) = &hive.recovery else { continue };
        findings.push(Finding {
            id: "hive-state",
            severity: Severity::Note,
            subject: name.to_string(),
            title: "the hive was not closed cleanly; what follows is read with its logs replayed in memory".into(),
            evidence: vec![Evidence::seen(hive.path.display_escaped(), recovery.how.clone())],
            remedy: None,
            source: "the hive's base block and its transaction logs".into(),
            defect: None,
        });
    }
    Ok(())
}
