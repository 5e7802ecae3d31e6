//! `update-stack-file`: a program or library of the update stack itself that is missing, empty or no program.
//!
//! What it relies on: the table `knowledge/files.toml`; what a service's own check has told already is not told again. A file that reads
//! as zeros from 8.1 on, or stands behind a reparse point, may be one that Windows has compressed: that is "could not check".

use super::cut;
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::{look, Program};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::knowledge::Knowledge;

const ID: &str = "update-stack-file";

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let build = context.installation.version.build;
    let current = "Microsoft\\Windows NT\\CurrentVersion";
    let kind = super::software_text(&context.software, current, "InstallationType")?;
    if kind.is_some_and(|k| k.to_lowercase().contains("nano")) {
        findings.could_not(ID, "Nano Server has another update stack");
        return Ok(());
    }
    let mut found: Vec<(Evidence, String)> = Vec::new();
    let mut opaque = Vec::new();
    for row in Knowledge::builtin().files().stack(build) {
        for file in &row.files {
            findings.made += 1;
            let place = context.in_windows(file)?;
            let shown = place.display_escaped();
            let seen = match look(context.volume, &place, build, true) {
                Program::Good => continue,
                Program::Absent if !row.needed => continue,
                Program::Opaque => {
                    opaque.push(shown);
                    continue;
                }
                Program::Absent => "nothing",
                Program::Empty => "a file of 0 bytes",
                Program::NoProgram => "a file that is no Windows program (no MZ and PE header)",
            };
            let told =
                |f: &Finding| f.id == "service-file" && f.evidence.iter().any(|e| e.place.eq_ignore_ascii_case(&shown));
            if !findings.findings.iter().any(told) {
                found.push((Evidence::new(shown, seen, "Windows' own file"), row.source.clone()));
            }
        }
    }
    if !opaque.is_empty() {
        let first: Vec<&str> = opaque.iter().take(8).map(String::as_str).collect();
        findings
            .could_not(ID, format!("{} can't be read from here (compressed by Windows, or a link)", first.join(", ")));
    }
    let Some((_, source)) = found.first() else { return Ok(()) };
    let (source, count) = (source.clone(), found.len());
    let subject = found.first().and_then(|(e, _)| e.place.rsplit('\\').next()).unwrap_or_default().to_owned();
    findings.push(Finding {
        id: ID,
        severity: Severity::Problem,
        subject: if count == 1 { subject } else { format!("{subject} and {} more", count - 1) },
        title: "files of the update stack are missing or damaged; SFC brings them back offline (sfc /scannow /offbootdir=… /offwindir=…)".into(),
        evidence: cut(found.into_iter().map(|(evidence, _)| evidence).collect()),
        remedy: None,
        source,
        defect: None,
    });
    Ok(())
}
