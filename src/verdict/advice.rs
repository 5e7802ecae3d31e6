//! The exact lines for Windows' own tools, for this volume, version and edition (`knowledge/advice.toml`).

use serde::Serialize;

use crate::checks::Context;
use crate::findings::{Defect, Finding, Severity};
use crate::knowledge::{CauseRow, Knowledge};
use crate::scan::for_cmd;
use crate::volume::escape::escape_text;

/// The letter in examples: what WinPE and WinRE most often give the volume with Windows.
const USUAL: char = 'D';

/// Something to be done with another tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it does.
    pub what: String,
    /// The line to type.
    pub command: String,
    /// Where it is typed.
    #[serde(rename = "where")]
    pub place: String,
    /// What it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Where that comes from.
    pub source: String,
}

/// The steps for a cause with these findings.
pub(super) fn steps<'f>(
    context: &Context<'_>,
    row: &CauseRow,
    findings: impl Iterator<Item = &'f Finding> + Clone,
    drive: Option<char>,
) -> Vec<Step> {
    let version = &context.installation.version;
    let advice = &Knowledge::builtin().causes().advice;
    let alarms = findings.filter(|f| f.severity != Severity::Note);
    let asked_for = |checks: &[String]| checks.is_empty() || alarms.clone().any(|f| checks.iter().any(|c| c == f.id));
    let wanted = row
        .elsewhere
        .iter()
        .flat_map(|id| advice.iter().filter(move |a| a.id == *id && a.builds.contains(version.build)));
    let letter = drive.unwrap_or(USUAL);
    let package = alarms.clone().find_map(|f| match &f.defect {
        Some(Defect::StuckPackage { identity }) => Some(identity.as_str()),
        _ => None,
    });
    wanted
        .filter(|row| asked_for(&row.checks) && (package.is_some() || !row.command.contains("{package}")))
        .map(|row| {
            let fill = |text: &str| fill(text, context, letter);
            let place = match drive {
                Some(_) => row.place.clone(),
                None => format!("{}; {USUAL}: stands for the letter that this volume has there", row.place),
            };
            Step {
                what: row.what.clone(),
                command: fill(&row.command).replace("{package}", package.unwrap_or_default()),
                place,
                needs: row.needs.as_deref().map(fill),
                source: row.source.clone(),
            }
        })
        .collect()
}

fn fill(text: &str, context: &Context<'_>, letter: char) -> String {
    let version = &context.installation.version;
    let full = version.ubr.map_or_else(|| version.build.to_string(), |ubr| format!("{}.{ubr}", version.build));
    let edition = match context.software.text("Microsoft\\Windows NT\\CurrentVersion", "EditionID") {
        Ok(Some(edition)) => format!("edition {}", escape_text(edition.chars().take(60).collect::<String>().as_ref())),
        _ => "the same edition".into(),
    };
    text.replace("{drive}", &format!("{letter}:"))
        .replace("{windows}", &for_cmd(&format!("{letter}:\\{}", version.path.display_escaped())))
        .replace("{build}", &version.build.to_string())
        .replace("{full}", &full)
        .replace("{edition}", &edition)
        .replace("{arch}", version.arch.as_deref().unwrap_or("of the same architecture"))
}
