//! `SusClientId`, by which an update server tells machines apart: the same in two machines that were cloned without sysprep.
//!
//! A reference may also be an earlier copy of the very same machine: then the computer's name is the same as well, and nothing is wrong.

use super::Base;
use crate::error::Result;
use crate::evidence::{hive_failure, Registry};
use crate::findings::{Evidence, Findings, Severity};
use crate::plan::HiveName;
use crate::reference::Reference;

const KEY: &str = "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate";
const SOURCE: &str =
    "Microsoft, WSUS 3.0 client requirements (special considerations for computers set up from an image)";

pub(super) fn run(
    base: &Base<'_>,
    reference: &Reference,
    software: &Registry<'_>,
    findings: &mut Findings,
) -> Result<()> {
    findings.made += 1;
    let read = |registry: &Registry<'_>| {
        let text = registry.text(KEY, "SusClientId").map_err(|e| hive_failure(HiveName::Software, e))?;
        Ok::<_, crate::error::Failure>(text.filter(|text| !text.trim().is_empty()))
    };
    let (Some(here), Some(there)) = (read(&base.context.software)?, read(software)?) else { return Ok(()) };
    if !here.trim().eq_ignore_ascii_case(there.trim()) {
        return Ok(());
    }
    let own_set = &base.context.installation.version.control_set;
    let own_name = computer_name(&base.context.system, own_set)?;
    let other_name = match reference.system()? {
        Some((system, set)) => computer_name(&system, set)?,
        None => None,
    };
    let same_machine = own_name.is_some() && own_name == other_name;
    let (severity, title) = if same_machine {
        (
            Severity::Note,
            "the reference has the same name and SusClientId: it is an earlier copy of this machine, or a clone of it",
        )
    } else {
        (Severity::Suspect, "this machine and the reference were cloned without sysprep (XP, 2003: or with it): an update server (WSUS) sees one machine in both")
    };
    let evidence = Evidence::new(
        format!("{}\\{KEY}\\SusClientId", HiveName::Software),
        format!("\"{}\", the same as in the reference", super::shown_text(&here)),
        "another on each machine",
    );
    base.push(severity, "SusClientId", title, vec![evidence], findings);
    if let Some(finding) = findings.findings.last_mut() {
        finding.source = format!("{}; {SOURCE}", finding.source);
    }
    Ok(())
}

fn computer_name(system: &Registry<'_>, set: &str) -> Result<Option<String>> {
    let key = format!("{set}\\Control\\ComputerName\\ComputerName");
    let name = system.text(&key, "ComputerName").map_err(|e| hive_failure(HiveName::System, e))?;
    Ok(name.map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()))
}
