//! `update-cache`: `Windows\SoftwareDistribution`, where updates are downloaded and the update history is kept.

use super::cache::{database_damage, place, Place};
use super::context::Context;
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::volume::Kind;

/// The folder, under the Windows folder.
pub const FOLDER: &str = "SoftwareDistribution";
const SOURCE: &str = "the Windows Update articles on 0x80070002, 0x80070003 and 0x80248007; ESE file header";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let volume = context.volume;
    let (path, evidence) = match place(volume, &context.in_windows(FOLDER)?)? {
        Place::Absent => return Ok(()),
        Place::Elsewhere(path, target) => {
            findings.push(note(path.display_escaped(), &target));
            return Ok(());
        }
        Place::Damaged(path, evidence) => (path, vec![evidence]),
        Place::Folder(path) => {
            let mut evidence = Vec::new();
            for folder in ["DataStore", "Download"] {
                if let Some(found) = volume.find(&path.join(folder)?)? {
                    if matches!(found.kind, Kind::File | Kind::Other) {
                        evidence.push(Evidence::new(
                            found.path.display_escaped(),
                            found.kind.to_string(),
                            "a folder, or nothing",
                        ));
                    }
                }
            }
            let store = path.join("DataStore")?;
            if volume.find(&store)?.is_some_and(|f| f.kind == Kind::Dir) {
                evidence.extend(database_damage(volume, &store.join("DataStore.edb")?, &store.join("Logs")?)?);
            }
            (path, evidence)
        }
    };
    if !evidence.is_empty() {
        findings.push(Finding {
            id: "update-cache",
            severity: Severity::Problem,
            subject: FOLDER.into(),
            title: "the update cache is damaged".into(),
            evidence,
            remedy: Some("update-cache"),
            source: SOURCE.into(),
            defect: Some(Defect::Cache { path }),
        });
    }
    Ok(())
}

fn note(place: String, target: &str) -> Finding {
    Finding {
        id: "update-cache",
        severity: Severity::Note,
        subject: FOLDER.into(),
        title: "the update cache is a link to another place, which is never followed".into(),
        evidence: vec![Evidence::seen(place, format!("a link to {target}"))],
        remedy: None,
        source: SOURCE.into(),
        defect: None,
    }
}
