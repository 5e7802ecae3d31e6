//! `environment`: the machine's folders that servicing relies on: `TEMP` and `TMP`, `system32` in `Path`, Program Files, ProgramData.
//! What lies on another drive can't be looked up. Source: the values of hives of XP, 7 and 10; 0x80070003 is "path not found".

use super::{cut, program_paths, shown, software_text};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::{has_short_name, hive_failure, ProgramPaths};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;
use crate::volume::VolumeError;

const ID: &str = "environment";
const CURRENT: &str = "Microsoft\\Windows\\CurrentVersion";
const PROFILES: &str = "Microsoft\\Windows NT\\CurrentVersion\\ProfileList";

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(set) = context.installation.control_sets.first() else { return Ok(()) };
    let paths = program_paths(context, &set.key)?;
    let environment = format!("{}\\Control\\Session Manager\\Environment", set.key);
    let mut evidence = Vec::new();
    let mut folder = |findings: &mut Findings, place: String, text: Option<String>| -> Result<()> {
        let Some(text) = text.filter(|t| !t.trim().is_empty()) else { return Ok(()) };
        findings.made += 1;
        if !there(context, &paths, &text, &place, findings)? {
            evidence.push(Evidence::new(place, format!("{}, where nothing is", shown(&text)), "a folder that exists"));
        }
        Ok(())
    };
    for name in ["TEMP", "TMP"] {
        let text = context.system.text(&environment, name).map_err(|e| hive_failure(HiveName::System, e))?;
        folder(findings, format!("{}\\{environment}\\{name}", HiveName::System), text)?;
    }
    for (key, name) in [(CURRENT, "ProgramFilesDir"), (CURRENT, "CommonFilesDir"), (PROFILES, "ProgramData")] {
        let text = software_text(&context.software, key, name)?;
        folder(findings, format!("{}\\{key}\\{name}", HiveName::Software), text)?;
    }
    let path = context.system.text(&environment, "Path").map_err(|e| hive_failure(HiveName::System, e))?;
    if let Some(path) = path {
        findings.made += 1;
        let system32 = context.in_windows("System32")?;
        let is_system32 =
            |entry: &str| paths.place(entry.trim().trim_end_matches('\\')).is_ok_and(|p| p.same_place(&system32));
        if !path.split(';').any(is_system32) {
            let place = format!("{}\\{environment}\\Path", HiveName::System);
            evidence.push(Evidence::new(place, shown(&path), "%SystemRoot%\\system32 among the folders"));
        }
    }
    if !evidence.is_empty() {
        findings.push(Finding {
            id: ID,
            severity: Severity::Suspect,
            subject: "environment".into(),
            title: "folders that servicing relies on are named wrongly, or are gone (0x80070003)".into(),
            evidence: cut(evidence),
            remedy: None,
            source: "values of hives of XP, 7 and 10; 0x80070003 is \"path not found\"".into(),
            defect: None,
        });
    }
    Ok(())
}

fn there(
    context: &Context<'_>,
    paths: &ProgramPaths,
    text: &str,
    place: &str,
    findings: &mut Findings,
) -> Result<bool> {
    let folder = match paths.place(text) {
        Ok(folder) => folder,
        Err(why) => {
            findings.could_not(ID, format!("{place}: {}", shown(&why)));
            return Ok(true);
        }
    };
    match context.volume.find(&folder) {
        Ok(found) => Ok(found.is_some() || has_short_name(&folder)),
        Err(VolumeError::LinkOnPath { .. } | VolumeError::OtherFileSystem { .. }) => {
            findings.could_not(ID, format!("{place}: behind a link, which is never followed"));
            Ok(true)
        }
        Err(e) => Err(e.into()),
    }
}
