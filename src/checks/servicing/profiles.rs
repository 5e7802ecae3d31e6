//! `profile-list`: profiles that the registry lists and whose folder is gone, and keys that end in `.bak`.
//!
//! What it relies on: `ProfileList` in SOFTWARE. Only users' profiles are judged (SIDs of a domain, of the machine, of Entra): services'
//! and virtual accounts may have none. Source: accounts of feature updates that end with 0x80070002 or 0x80070003 until the key is removed.

use super::{cut, program_paths, shown, software_text};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::{has_short_name, hive_failure};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;
use crate::volume::VolumeError;

const ID: &str = "profile-list";
const KEY: &str = "Microsoft\\Windows NT\\CurrentVersion\\ProfileList";
const MAX_PROFILES: usize = 10_000;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(set) = context.installation.control_sets.first() else { return Ok(()) };
    let paths = program_paths(context, &set.key)?;
    let (mut gone, mut backups) = (Vec::new(), Vec::new());
    for sid in
        context.software.subkeys(KEY).map_err(|e| hive_failure(HiveName::Software, e))?.into_iter().take(MAX_PROFILES)
    {
        if !["S-1-5-21-", "S-1-12-1-"].iter().any(|p| sid.get(..p.len()).is_some_and(|s| s.eq_ignore_ascii_case(p))) {
            continue;
        }
        let key = format!("{KEY}\\{sid}");
        let place = format!("{}\\{}", HiveName::Software, shown(&key));
        if sid.to_ascii_lowercase().ends_with(".bak") {
            backups.push(Evidence::new(place, "a key that Windows set aside", "nothing"));
            continue;
        }
        let Some(text) = software_text(&context.software, &key, "ProfileImagePath")? else { continue };
        let place = format!("{place}\\ProfileImagePath");
        match paths.place(&text) {
            Err(why) => findings.could_not(ID, format!("{place}: {}", shown(&why))),
            Ok(folder) => match context.volume.find(&folder) {
                Ok(None) if !has_short_name(&folder) => {
                    gone.push(Evidence::new(
                        place,
                        format!("{}, where nothing is", shown(&text)),
                        "the profile's folder",
                    ));
                }
                Ok(_) => {}
                Err(VolumeError::LinkOnPath { .. } | VolumeError::OtherFileSystem { .. }) => {
                    findings.could_not(ID, format!("{} lies behind a link", folder.display_escaped()));
                }
                Err(e) => return Err(e.into()),
            },
        }
    }
    // Before 10 there are no feature updates that look at profiles.
    let severity = if context.installation.version.build >= 10240 { Severity::Suspect } else { Severity::Note };
    for (evidence, title) in [
        (gone, "user profiles are listed whose folder is gone; feature updates may fail until their keys are removed"),
        (backups, "user profiles were set aside (.bak): Windows could not load them; feature updates may fail"),
    ] {
        if evidence.is_empty() {
            continue;
        }
        findings.push(Finding {
            id: ID,
            severity,
            subject: "ProfileList".into(),
            title: title.into(),
            evidence: cut(evidence),
            remedy: None,
            source: "accounts of feature updates that ended with 0x80070002 or 0x80070003".into(),
            defect: None,
        });
    }
    Ok(())
}
