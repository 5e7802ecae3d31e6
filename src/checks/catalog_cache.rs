//! `catalog-cache`: `System32\catroot2`, the database that Windows makes of the catalogs in `catroot`. Damage there makes
//! every signature check fail; `catroot` itself is the source and never touched.

use super::cache::{database_damage, place, Place};
use super::context::Context;
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::volume::{Kind, VolPath};

/// The folder, under the Windows folder.
pub const FOLDER: &str = "System32\\catroot2";
const SOURCE: &str = "the Windows Update articles on 0x800B0100 and 0x80246007; ESE file header";
/// `dberr.txt` grows over years; its end says what happened last.
const LOG_LIMIT: u64 = 16 << 20;
/// A database that was written this much later than the last error has been made anew since, in seconds.
const LATER: u64 = 24 * 60 * 60;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let volume = context.volume;
    let finding = |severity, title: &str, evidence, path: Option<VolPath>| Finding {
        id: "catalog-cache",
        severity,
        subject: "catroot2".into(),
        title: title.into(),
        evidence,
        remedy: path.is_some().then_some("catalog-cache"),
        source: SOURCE.into(),
        defect: path.map(|path| Defect::Cache { path }),
    };
    let path = match place(volume, &context.in_windows(FOLDER)?)? {
        Place::Absent => return Ok(()),
        Place::Elsewhere(path, target) => {
            let evidence = vec![Evidence::seen(path.display_escaped(), format!("a link to {target}"))];
            findings.push(finding(
                Severity::Note,
                "the catalog cache is a link to another place, which is never followed",
                evidence,
                None,
            ));
            return Ok(());
        }
        Place::Damaged(path, evidence) => {
            findings.push(finding(Severity::Problem, "the catalog cache is damaged", vec![evidence], Some(path)));
            return Ok(());
        }
        Place::Folder(path) => path,
    };
    let mut evidence = Vec::new();
    let mut newest = None;
    let mut entries = volume.list(&path)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in &entries {
        let is_store = entry.name.to_str().is_some_and(|n| n.starts_with('{') && n.ends_with('}'));
        if entry.kind != Kind::Dir || !is_store {
            continue;
        }
        let database = path.child(&entry.name)?.child("catdb")?;
        if let Some(found) = volume.find(&database)? {
            newest = newest.max(found.modified);
        }
        evidence.extend(database_damage(volume, &database, &path)?);
    }
    let log = path.join("dberr.txt")?;
    if let Some(found) = volume.find(&log)?.filter(|f| f.kind == Kind::File) {
        if let Some(line) = last_error(&volume.read(&found.path, LOG_LIMIT)?) {
            let seen = Evidence::new(found.path.display_escaped(), line, "no errors");
            let settled = match (newest, found.modified) {
                (Some(database), Some(log)) => database.duration_since(log).is_ok_and(|d| d.as_secs() > LATER),
                _ => false,
            };
            if !settled {
                evidence.push(seen);
            } else if evidence.is_empty() {
                findings.push(finding(
                    Severity::Note,
                    "an old error of the catalog database is on record; the database has been written since",
                    vec![seen],
                    None,
                ));
            }
        }
    }
    if !evidence.is_empty() {
        findings.push(finding(Severity::Problem, "the catalog cache is damaged", evidence, Some(path)));
    }
    Ok(())
}

/// The last line of `dberr.txt` that speaks of an error.
fn last_error(bytes: &[u8]) -> Option<String> {
    let text = if bytes.starts_with(&[0xff, 0xfe]) {
        let units: Vec<u16> = bytes.chunks_exact(2).skip(1).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    };
    // What was added successfully after an error shows that the database works again.
    let last = text.lines().rev().map(str::to_ascii_lowercase).find(|l| is_error(l) || l.contains("done"))?;
    if !is_error(&last) {
        return None;
    }
    let line = text.lines().rev().find(|line| is_error(&line.to_ascii_lowercase()))?;
    Some(line.trim().chars().take(300).collect())
}

fn is_error(lower: &str) -> bool {
    lower.contains("error") && !lower.contains("error 0x00000000") && !lower.contains("no error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_messages() {
        assert_eq!(last_error(b"CatalogDB: 10:00:00 1/1/2020: SyncDB:: AddCatalog: Done\r\n"), None);
        assert_eq!(
            last_error(b"a: Done\r\nb: encountered error 0xc80003f3\r\nc: Start\r\n").as_deref(),
            Some("b: encountered error 0xc80003f3")
        );
        assert_eq!(last_error(b"a: encountered error 0x0000045b\r\nb: DONE Adding Catalog File\r\n"), None);
        assert_eq!(last_error(b"File #2 at line #1: encountered error 0x00000000\r\n"), None);
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("x error 5\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(last_error(&wide).as_deref(), Some("x error 5"));
    }
}
