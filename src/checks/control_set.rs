//! `control-set`: which control set boots next, and whether Windows has fallen back to an older one. Notes.

use super::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let [current, default, failed, last_good] = context.installation.select;
    let show = |n: Option<u32>| n.map_or_else(|| "absent".to_string(), |n| n.to_string());
    let missing = default.filter(|n| {
        let key = format!("ControlSet{n:03}");
        !context.installation.control_sets.iter().any(|c| c.key == key)
    });
    if let Some(number) = missing.or(if default.is_none() { Some(0) } else { None }) {
        findings.push(Finding {
            id: "control-set",
            severity: Severity::Problem,
            subject: "Select".into(),
            title: "the control set that the next boot uses is not there".into(),
            evidence: vec![Evidence::new(
                "SYSTEM\\Select\\Default",
                if default.is_none() { "absent".to_string() } else { number.to_string() },
                "the number of a control set in this hive",
            )],
            remedy: None,
            source: "Windows' own boot configuration in SYSTEM\\Select".into(),
            defect: None,
        });
        return Ok(());
    }
    let mut note = |title: &str, name: &str, found: String, expected: String| {
        findings.push(Finding {
            id: "control-set",
            severity: Severity::Note,
            subject: "Select".into(),
            title: title.into(),
            evidence: vec![Evidence::new(format!("SYSTEM\\Select\\{name}"), found, expected)],
            remedy: None,
            source: "Windows' own boot configuration in SYSTEM\\Select".into(),
            defect: None,
        });
    };
    if current != default {
        note(
            "the next boot uses another control set than the last one; both are looked at and edited",
            "Default",
            show(default),
            format!("{} (Current)", show(current)),
        );
    }
    if failed.is_some_and(|n| n != 0) {
        let detail = format!("{} (LastKnownGood is {})", show(failed), show(last_good));
        note("Windows has fallen back to the last known good configuration", "Failed", detail, "0".into());
    }
    Ok(())
}
