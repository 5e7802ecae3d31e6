//! `coldmend diagnose`: what is wrong, with evidence. Writes nothing, ever.

use clap::Args;
use serde::Serialize;

use crate::checks;
use crate::evidence::WindowsVersion;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::safety::rights::{self, Access};
use crate::ui::{render_diagnosis, Ui};

use super::report::TargetReport;
use super::{context, StateArguments, Status, TargetArguments};

/// Arguments of `diagnose`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    state: StateArguments,
}

impl Arguments {
    /// The arguments `diagnose DIR`.
    pub(super) fn of(dir: &std::path::Path) -> Self {
        Arguments { target: TargetArguments::of(dir), state: StateArguments::default() }
    }
}

/// `coldmend.diagnosis/1`.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    tool: &'static str,
    target: TargetReport,
    windows: &'a WindowsVersion,
    #[serde(flatten)]
    findings: &'a Findings,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let target = context::target(&arguments.target, Access::Look)?;
    if let Some(remark) = rights::remark(rights::Rights::current(), target.place) {
        ui.status(&remark);
    }
    let elsewhere = context::state_volume(&arguments.state, &target)?;
    let state = context::state_dir(
        &target.volume,
        elsewhere.as_ref().map(|v| v as &dyn crate::volume::Volume),
        &arguments.state,
        &target,
    )?;
    // A state directory that can't be believed must not keep anybody from looking.
    let mut untrusted = None;
    let records = state.records().unwrap_or_else(|failure| {
        untrusted = Some(failure.to_string());
        Vec::new()
    });
    let unfinished = context::unfinished(&records);
    ui.progress("reading the hives");
    let installation = context::installation(&target.volume, &target, &state, unfinished)?;
    ui.progress("checking");
    let mut findings = checks::run(&checks::Context::new(&target.volume, &installation)?);
    if let Some(record) = unfinished {
        findings.push(Finding {
            id: "unfinished-repair",
            severity: Severity::Problem,
            subject: record.id.clone(),
            title: "a repair was interrupted before it was complete".into(),
            evidence: vec![Evidence::new(state.shown_folder(&record.id), "a journal without an end", "done")],
            remedy: None,
            source: "coldmend's own journal; `coldmend repair` finishes it, `coldmend undo` takes it back".into(),
            defect: None,
        });
    }
    if let Some(why) = untrusted {
        findings.could_not("unfinished-repair", why);
    }
    findings.sort();
    let next = next_step(&findings, unfinished.is_some(), &target.given.display().to_string());
    ui.out(&render_diagnosis(ui.style, &installation.version, &findings, &next));
    ui.json(&Report {
        schema: "coldmend.diagnosis/1",
        tool: env!("CARGO_PKG_VERSION"),
        target: TargetReport::of(&target),
        windows: &installation.version,
        findings: &findings,
    })?;
    Ok(u8::from(findings.any_alarm()))
}

/// The one line that says what to do next.
fn next_step(findings: &Findings, unfinished: bool, target: &str) -> String {
    let mendable = findings.findings.iter().any(|f| f.severity != Severity::Note && f.remedy.is_some());
    if unfinished {
        format!(
            "Next: `coldmend repair {target}` finishes the interrupted repair, `coldmend undo {target}` takes it back."
        )
    } else if mendable {
        format!("Next: `coldmend repair {target}` shows the changes and asks; --dry-run only shows them.")
    } else if findings.any_alarm() {
        "None of this can be mended by coldmend.".into()
    } else {
        format!("If updating still fails, `coldmend repair --reset {target}` resets the update components: that is what is left to try here.")
    }
}
