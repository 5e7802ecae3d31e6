//! `update-pause`: updates are paused, longer than Windows lets anybody pause them.
//!
//! Settings pauses for some weeks; tools write a date decades away into the same values. A pause within the limit, or twice it (Windows
//! may have extended one), is a note; an old one is nothing. Where the start is not known, the end is held against this computer's clock.

use super::clock::{days_of, today};
use super::{finding, number, shown_text, software, software_place};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::Knowledge;

const ID: &str = "update-pause";
const KEY: &str = "Microsoft\\WindowsUpdate\\UX\\Settings";
/// The values of each pause: its start and its end.
const PAUSES: [(&str, &str); 3] = [
    ("PauseUpdatesStartTime", "PauseUpdatesExpiryTime"),
    ("PauseFeatureUpdatesStartTime", "PauseFeatureUpdatesEndTime"),
    ("PauseQualityUpdatesStartTime", "PauseQualityUpdatesEndTime"),
];

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    let Some(row) = Knowledge::builtin().policies().pause(build) else { return Ok(()) };
    let Some(limit) = row.days.map(i64::from) else { return Ok(()) };
    let (mut evidence, mut worst, mut until) = (Vec::new(), None, String::new());
    for (start_name, end_name) in PAUSES {
        let text = |name| -> Result<Option<String>> {
            Ok(software(context, KEY, name)?.and_then(|v| v.as_text()).filter(|t| !t.trim().is_empty()))
        };
        let (start, end) = (text(start_name)?, text(end_name)?);
        let Some(end_text) = end else { continue };
        let Some(end) = days_of(&end_text) else { continue };
        let today = today();
        if end < today {
            continue;
        }
        let start = start.as_deref().and_then(days_of).filter(|start| *start <= end);
        // Both count: a start that was moved into the future does not make a pause short.
        let length = end.saturating_sub(start.map_or(today, |start| start.min(today)));
        let severity = if length > limit.saturating_mul(2) { Severity::Suspect } else { Severity::Note };
        let expected = format!("absent, or at most {limit} days after the start");
        evidence.push(Evidence::new(software_place(KEY, end_name), shown_text(&end_text), expected));
        if worst.is_none_or(|worst| severity < worst) {
            (worst, until) = (Some(severity), end_text);
        }
    }
    if let Some(severity) = worst {
        let until = shown_text(&until);
        let title = match severity {
            Severity::Note => format!("updates are paused until {until}"),
            _ => format!("updates are paused until {until}, far longer than Windows lets anybody pause them"),
        };
        findings.push(finding(ID, severity, "pause", title, evidence, row.source.clone()));
    }
    let longest = software(context, KEY, "FlightSettingsMaxPauseDays")?;
    if longest.as_ref().and_then(number).is_some_and(|days| i64::from(days) > limit.saturating_mul(2)) {
        let evidence = vec![Evidence::new(
            software_place(KEY, "FlightSettingsMaxPauseDays"),
            shown(longest.as_ref()),
            format!("absent, or at most {limit}"),
        )];
        let title = "Settings has been changed to offer longer pauses";
        findings.push(finding(ID, Severity::Note, "FlightSettingsMaxPauseDays", title, evidence, row.source.clone()));
    }
    Ok(())
}
