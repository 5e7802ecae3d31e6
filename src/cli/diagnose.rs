//! `coldmend diagnose`: what is wrong, with evidence. Writes nothing, ever.

use clap::Args;
use serde::Serialize;

use crate::checks;
use crate::error::Result;
use crate::evidence::{Installation, WindowsVersion};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::safety::rights::{self, Access};
use crate::target::Target;
use crate::transaction::{Record, StateDir};
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
    let diagnosis = look(ui, &target, &state)?;
    let Diagnosis { installation, findings, .. } = &diagnosis;
    let unfinished = diagnosis.unfinished();
    let next = next_step(findings, unfinished.is_some(), &arguments.target);
    ui.out(&render_diagnosis(ui.style, &installation.version, findings, &next));
    ui.json(&Report {
        schema: "coldmend.diagnosis/1",
        tool: env!("CARGO_PKG_VERSION"),
        target: TargetReport::of(&target),
        windows: &installation.version,
        findings,
    })?;
    Ok(u8::from(findings.any_alarm()))
}

/// What was found on a volume.
pub(super) struct Diagnosis {
    pub installation: Installation,
    pub findings: Findings,
    /// The repairs made there, as far as their records can be believed.
    pub records: Vec<Record>,
}

impl Diagnosis {
    /// The repair that was interrupted, if one was.
    pub(super) fn unfinished(&self) -> Option<&Record> {
        context::unfinished(&self.records)
    }
}

/// Diagnoses. Writes nothing.
pub(super) fn look(ui: &Ui, target: &Target, state: &StateDir<'_>) -> Result<Diagnosis> {
    // A state directory that can't be believed must not keep anybody from looking.
    let mut untrusted = None;
    let records = state.records().unwrap_or_else(|failure| {
        untrusted = Some(failure.to_string());
        Vec::new()
    });
    let unfinished = context::unfinished(&records);
    ui.progress("reading the hives");
    let installation = context::installation(&target.volume, target, state, unfinished)?;
    ui.progress("checking");
    let progress = |what: &str| ui.progress(what);
    let mut findings = checks::run(&checks::Context::new(&target.volume, &installation)?.telling(&progress));
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
    Ok(Diagnosis { installation, findings, records })
}

/// The one line that says what to do next.
fn next_step(findings: &Findings, unfinished: bool, target: &TargetArguments) -> String {
    let mendable = findings.findings.iter().any(|f| f.severity != Severity::Note && f.remedy.is_some());
    if unfinished {
        format!(
            "Next: `{}` finishes the interrupted repair, `{}` takes it back.",
            target.command("repair"),
            target.command("undo")
        )
    } else if mendable {
        format!("Next: `{}` shows the changes and asks; --dry-run only shows them.", target.command("repair"))
    } else if findings.any_alarm() {
        "None of this can be mended by coldmend.".into()
    } else {
        format!(
            "If updating still fails, `{}` resets the update components: that is what is left to try here.",
            target.command("repair --reset")
        )
    }
}
