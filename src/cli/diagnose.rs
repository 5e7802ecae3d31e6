//! `coldmend diagnose`: what is wrong, with evidence. Writes nothing, ever.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::checks;
use crate::error::Result;
use crate::evidence::{Installation, WindowsVersion};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::knowledge::Knowledge;
use crate::reference::Reference;
use crate::remedies::{self, Options};
use crate::safety::rights::{self, Access, Place};
use crate::target::Target;
use crate::transaction::{Record, StateDir};
use crate::ui::{self, render_diagnosis, Ui};
use crate::verdict::{self, Cause, ErrorCode, Verdict};

use super::report::TargetReport;
use super::report_file::ReportArguments;
use super::{context, StateArguments, Status, TargetArguments};

/// Arguments of `diagnose`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// The error that Windows shows, such as 0x80070002: what can explain it comes first
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    error: Option<String>,
    #[command(flatten)]
    state: StateArguments,
    #[command(flatten)]
    report: ReportArguments,
    /// A healthy Windows of the same build to compare with: its volume, its Windows folder, or one of its hives, SYSTEM or SOFTWARE
    #[arg(long, value_name = "PATH")]
    reference: Option<PathBuf>,
}

impl Arguments {
    /// The arguments `diagnose DIR`.
    pub(super) fn of(dir: &std::path::Path) -> Self {
        Arguments {
            target: TargetArguments::of(dir),
            error: None,
            state: StateArguments::default(),
            report: ReportArguments::default(),
            reference: None,
        }
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
    verdict: &'a Verdict,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let asked = arguments.error.as_deref().map(ErrorCode::parse).transpose()?;
    let target = context::target(&arguments.target, Access::Look)?;
    arguments.report.check(&target)?;
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
    let reference = arguments.reference.as_deref().map(|path| Reference::open(path, &target)).transpose()?;
    let diagnosis = look_for(ui, &target, &state, Question { error: asked, reference: reference.as_ref() })?;
    let Diagnosis { installation, findings, verdict, .. } = &diagnosis;
    let unfinished = diagnosis.unfinished();
    let next = next_step(&diagnosis, unfinished.is_some(), &arguments.target);
    ui.out(&render_diagnosis(ui.style, &diagnosis.shown(&next)));
    ui.json(&Report {
        schema: "coldmend.diagnosis/1",
        tool: env!("CARGO_PKG_VERSION"),
        target: TargetReport::of(&target),
        windows: &installation.version,
        findings,
        verdict,
    })?;
    let given = target.given.display().to_string();
    let page = |made: &str| {
        let about = ui::About { target: &given, version: &installation.version, made };
        ui::diagnosis_page(&about, &diagnosis.shown(&next))
    };
    if let Some(said) = arguments.report.write(page)? {
        ui.status(&said);
    }
    Ok(u8::from(findings.any_alarm()))
}

/// What was found on a volume.
pub(super) struct Diagnosis {
    pub installation: Installation,
    pub findings: Findings,
    /// What the findings come to.
    pub verdict: Verdict,
    /// The repairs made there, as far as their records can be believed.
    pub records: Vec<Record>,
}

impl Diagnosis {
    /// For the terminal.
    pub(super) fn shown<'a>(&'a self, next: &'a str) -> ui::Diagnosis<'a> {
        let Diagnosis { installation, findings, verdict, .. } = self;
        ui::Diagnosis { version: &installation.version, findings, verdict, next }
    }

    /// The repair that was interrupted, if one was.
    pub(super) fn unfinished(&self) -> Option<&Record> {
        context::unfinished(&self.records)
    }
}

/// Diagnoses. Writes nothing.
pub(super) fn look(ui: &Ui, target: &Target, state: &StateDir<'_>) -> Result<Diagnosis> {
    look_for(ui, target, state, Question::default())
}

/// What the user asks beside what is wrong.
#[derive(Default)]
struct Question<'a> {
    /// What explains this error.
    error: Option<ErrorCode>,
    /// What differs from this healthy Windows.
    reference: Option<&'a Reference>,
}

/// Diagnoses, with these questions. Writes nothing.
fn look_for(ui: &Ui, target: &Target, state: &StateDir<'_>, question: Question<'_>) -> Result<Diagnosis> {
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
    let context =
        checks::Context::new(&target.volume, &installation)?.with_reference(question.reference).telling(&progress);
    let mut findings = checks::run(&context);
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
    let plan = remedies::plan(&context, &findings, &Options::default())?;
    let verdict = verdict::judge(&context, &findings, &plan, drive_letter(target), question.error);
    drop(context);
    Ok(Diagnosis { installation, findings, verdict, records })
}

/// The volume's letter, where it has one that can be seen: not that of the disk on which an image or a folder lies.
fn drive_letter(target: &Target) -> Option<char> {
    let is_volume = cfg!(windows) && target.image.is_none() && target.place == Place::Volume;
    is_volume.then(|| letter_of(target.given.to_str()?, &target.windows.to_string())).flatten()
}

/// The letter in `D:`, `D:\\` and `D:\\Windows`, where the last is the Windows folder; anything else may be a volume mounted in a folder.
fn letter_of(given: &str, windows: &str) -> Option<char> {
    let (drive, rest) = given.split_once(':')?;
    let rest = rest.trim_matches(['\\', '/']);
    let mut letters = drive.chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    let is_root = rest.is_empty() || rest.eq_ignore_ascii_case(windows);
    (letters.next().is_none() && is_root).then(|| letter.to_ascii_uppercase())
}

/// The one line that says what to do next.
fn next_step(diagnosis: &Diagnosis, unfinished: bool, target: &TargetArguments) -> String {
    let Diagnosis { findings, verdict, .. } = diagnosis;
    let numbers = |wanted: fn(&Cause) -> bool| {
        let all = verdict.causes.iter().enumerate().filter(|(_, cause)| wanted(cause));
        all.map(|(at, _)| (at + 1).to_string()).collect::<Vec<_>>()
    };
    let mendable = numbers(|cause| !cause.repair.is_empty());
    let elsewhere = numbers(|cause| cause.repair.is_empty() && !cause.elsewhere.is_empty());
    let left = match elsewhere.as_slice() {
        [] => String::new(),
        [one] => format!(" What to do about {one} with Windows' own tools stands there."),
        numbers => format!(" What to do about {} with Windows' own tools stands there.", numbers.join(" and ")),
    };
    if unfinished {
        format!(
            "Next: `{}` finishes the interrupted repair, `{}` takes it back.",
            target.command("repair"),
            target.command("undo")
        )
    } else if !mendable.is_empty() {
        let which =
            if mendable.len() == verdict.causes.len() { "" } else { &format!(" (for {})", mendable.join(", ")) };
        format!(
            "Next: `{}` shows the changes{which} and asks; --dry-run only shows them.{left}",
            target.command("repair")
        )
    } else if findings.any_alarm() {
        format!("None of this can be mended by coldmend.{left}")
    } else if Knowledge::builtin()
        .edition(diagnosis.installation.version.build, diagnosis.installation.product_type)
        .is_none()
    {
        // A reset of what is not known would be a guess.
        format!(
            "But coldmend does not know this build, and most could not be checked: a newer coldmend may, and `{}` compares with a healthy machine of the same build.",
            target.command("diagnose --reference PATH")
        )
    } else {
        format!(
            "If updating still fails, `{}` resets the update components: that is what is left to try here.",
            target.command("repair --reset")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::letter_of;

    #[test]
    fn only_the_volumes_own_letter_stands_in_a_line_to_type() {
        for given in ["d:", "D:\\", "D:/", "D:\\windows", "d:\\Windows\\"] {
            assert_eq!(letter_of(given, "Windows"), Some('D'), "{given}");
        }
        for given in ["", "D", "D:\\mnt", "D:\\a\\Windows", "\\\\?\\Volume{0-1}\\", "\\\\?\\D:\\", "/mnt/d:"] {
            assert_eq!(letter_of(given, "Windows"), None, "{given}");
        }
    }
}
