//! `catalogs`: `System32\catroot\{F750E6C3-…}`, the signed catalogs of Windows itself. Without them every signature check fails, and
//! catroot2 is made of nothing. Source: what every Windows has there; Microsoft's articles that reset catroot2 and never catroot.

use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::volume::Kind;

const FOLDER: &str = "System32\\catroot\\{F750E6C3-38EE-11D1-85E5-00C04FC295EE}";

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let path = context.in_windows(FOLDER)?;
    let found = context.volume.find(&path)?;
    let seen = match &found {
        None => "nothing".to_string(),
        Some(f) if f.kind == Kind::Link => {
            findings.could_not("catalogs", format!("{} is a link, which is never followed", path.display_escaped()));
            return Ok(());
        }
        Some(f) if f.kind != Kind::Dir => f.kind.to_string(),
        Some(f) => {
            let is_catalog = |name: &std::ffi::OsStr| name.to_string_lossy().to_ascii_lowercase().ends_with(".cat");
            let any = context.volume.list(&f.path)?.iter().any(|e| e.kind != Kind::Dir && is_catalog(&e.name));
            if any {
                return Ok(());
            }
            "a folder without catalogs".into()
        }
    };
    findings.push(Finding {
        id: "catalogs",
        severity: Severity::Problem,
        subject: "catroot".into(),
        title: "Windows' own catalogs are gone: no signature can be checked; DISM and SFC with a source of the same build bring them back".into(),
        evidence: vec![Evidence::new(path.display_escaped(), seen, "the signed catalogs of Windows")],
        remedy: None,
        source: "what every Windows has there; Microsoft's articles that reset catroot2 and never catroot".into(),
        defect: None,
    });
    Ok(())
}
