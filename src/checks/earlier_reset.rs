//! `earlier-reset`: folders that an earlier reset has left; a note, because they explain a lost history and take room.

use super::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::volume::VolPath;

const IN_WINDOWS: &[&str] = &["sdtemp", "softwaredistributionold", "softwaredistribution.", "softwaredistribution_"];
const IN_SYSTEM32: &[&str] = &["catroot2.", "catroot2old", "catroot2_"];

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let mut evidence = Vec::new();
    let system32 = context.in_windows("System32")?;
    for (folder, names) in [(&context.installation.windows, IN_WINDOWS), (&system32, IN_SYSTEM32)] {
        evidence.extend(leftovers(context, folder, names)?);
    }
    if !evidence.is_empty() {
        findings.push(Finding {
            id: "earlier-reset",
            severity: Severity::Note,
            subject: "earlier resets".into(),
            title: "somebody has reset the update components before".into(),
            evidence,
            remedy: None,
            source: "the names that the how-to documents and common reset scripts use".into(),
            defect: None,
        });
    }
    Ok(())
}

fn leftovers(context: &Context<'_>, folder: &VolPath, names: &[&str]) -> Result<Vec<Evidence>> {
    if context.volume.find(folder)?.is_none() {
        return Ok(Vec::new());
    }
    let mut found: Vec<String> = Vec::new();
    for entry in context.volume.list(folder)? {
        let lower = entry.name.to_string_lossy().to_lowercase();
        if names.iter().any(|n| lower.starts_with(n)) {
            found.push(folder.child(&entry.name)?.display_escaped());
        }
    }
    found.sort();
    Ok(found.into_iter().map(|place| Evidence::seen(place, "left by an earlier reset")).collect())
}
