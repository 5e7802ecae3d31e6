//! `bits-queue`: the queue of the Background Intelligent Transfer Service: `qmgr0.dat`/`qmgr1.dat` up to Windows 10 1703, the
//! ESE database `qmgr.db` since.

use super::cache::{database_damage, place, Place};
use super::context::Context;
use crate::error::{Failure, Result};
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::volume::{Kind, VolPath, Volume};

const SOURCE: &str = "the BITS service's own files; header of qmgr*.dat as published by ANSSI; ESE file header";
/// The first sixteen bytes of a `qmgr*.dat` on XP to 10 1703.
const QUEUE_SIGNATURE: [u8; 16] =
    [0x13, 0xf7, 0x2b, 0xc8, 0x40, 0x99, 0x12, 0x4a, 0x9f, 0x1a, 0x3a, 0xae, 0xbd, 0x89, 0x4e, 0xea];

/// The queue's folder on a Windows of this build.
pub fn queue_folder(build: u32) -> VolPath {
    if build < 6000 {
        VolPath::literal("Documents and Settings\\All Users\\Application Data\\Microsoft\\Network\\Downloader")
    } else {
        VolPath::literal("ProgramData\\Microsoft\\Network\\Downloader")
    }
}

/// The queue's own files in the folder: `qmgr*` and the ESE files beside `qmgr.db`.
///
/// # Errors
/// The folder can't be listed.
pub fn queue_files(volume: &dyn Volume, folder: &VolPath) -> Result<Vec<VolPath>> {
    let mut files = Vec::new();
    for entry in volume.list(folder)? {
        let Some(name) = entry.name.to_str().map(str::to_ascii_lowercase) else { continue };
        let is_queue = name.starts_with("qmgr") && [".dat", ".db", ".jfm"].iter().any(|e| name.ends_with(e));
        let is_log =
            name.starts_with("edb") && [".log", ".chk", ".jrs", ".jcp", ".jtx"].iter().any(|e| name.ends_with(e));
        if entry.kind != Kind::Dir && (is_queue || is_log) {
            files.push(folder.child(&entry.name)?);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let volume = context.volume;
    let folder = queue_folder(context.installation.version.build);
    let (path, evidence) = match place(volume, &folder)? {
        Place::Absent => return Ok(()),
        Place::Elsewhere(path, target) => {
            findings.push(Finding {
                id: "bits-queue",
                severity: Severity::Note,
                subject: "Downloader".into(),
                title: "the BITS queue's folder is a link to another place, which is never followed".into(),
                evidence: vec![Evidence::seen(path.display_escaped(), format!("a link to {target}"))],
                remedy: None,
                source: SOURCE.into(),
                defect: None,
            });
            return Ok(());
        }
        Place::Damaged(path, evidence) => (path, vec![evidence]),
        Place::Folder(path) => {
            let mut evidence = Vec::new();
            evidence.extend(database_damage(volume, &path.join("qmgr.db")?, &path)?);
            for name in ["qmgr0.dat", "qmgr1.dat"] {
                evidence.extend(queue_damage(volume, &path.join(name)?)?);
            }
            (path, evidence)
        }
    };
    if !evidence.is_empty() {
        findings.push(Finding {
            id: "bits-queue",
            severity: Severity::Problem,
            subject: "Downloader".into(),
            title: "the queue of the background transfer service is damaged".into(),
            evidence,
            remedy: Some("bits-queue"),
            source: SOURCE.into(),
            defect: Some(Defect::Cache { path }),
        });
    }
    Ok(())
}

fn queue_damage(volume: &dyn Volume, path: &VolPath) -> Result<Option<Evidence>> {
    let Some(found) = volume.find(path)? else { return Ok(None) };
    let place = found.path.display_escaped();
    let expected = "a BITS queue file";
    if found.kind == Kind::Link {
        return Err(Failure::unreadable(format!("{place} is a reparse point, and is not looked into")));
    }
    if found.kind != Kind::File {
        return Ok(Some(Evidence::new(place, found.kind.to_string(), expected)));
    }
    let head = volume.read_head(&found.path, QUEUE_SIGNATURE.len())?;
    if head == QUEUE_SIGNATURE {
        return Ok(None);
    }
    let seen = if head.is_empty() { "a file of 0 bytes".to_string() } else { format!("begins with {head:02x?}") };
    Ok(Some(Evidence::new(place, seen, expected)))
}
