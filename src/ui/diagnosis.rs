//! A diagnosis as text for people: the causes, the most likely first, each with its findings, what `repair` would do and what has
//! to be done elsewhere; then the notes, what could not be checked, and one line that says what to do next.

use std::fmt::Write as _;

use crate::evidence::WindowsVersion;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::verdict::{Asked, Cause, Step, Verdict};

use super::text::{describe, headline, plural, Style};
use super::wrap::whole;

/// As many changes of one remedy as are shown; `repair --dry-run` shows all.
const MAX_CHANGES: usize = 6;

/// What is rendered.
pub struct Diagnosis<'a> {
    /// The installation.
    pub version: &'a WindowsVersion,
    /// What was found.
    pub findings: &'a Findings,
    /// What it comes to.
    pub verdict: &'a Verdict,
    /// What to do next.
    pub next: &'a str,
}

/// A diagnosis.
pub fn render_diagnosis(style: Style, diagnosis: &Diagnosis<'_>) -> String {
    let Diagnosis { version, findings, verdict, next } = diagnosis;
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", style.bold(&headline(version)));
    if let Some(asked) = &verdict.error {
        render_asked(&mut out, style, asked);
    }
    let at = |place: &usize| findings.findings.get(*place);
    for (number, cause) in verdict.causes.iter().enumerate() {
        render_cause(&mut out, style, number + 1, cause);
        for finding in cause.findings.iter().filter_map(at) {
            render_finding(&mut out, style, finding);
        }
        let shown = verdict.causes.get(..number).unwrap_or_default();
        render_cure(&mut out, style, cause, shown);
    }
    let rest = verdict.other_notes(findings);
    if !verdict.related_notes.is_empty() {
        let _ = writeln!(out, "{}\n", style.bold("Worth a look for this error"));
        verdict.related_notes.iter().filter_map(at).for_each(|f| render_finding(&mut out, style, f));
    }
    if !rest.is_empty() {
        let _ = writeln!(out, "{}\n", style.bold("Worth knowing"));
        rest.iter().filter_map(at).for_each(|f| render_finding(&mut out, style, f));
    }
    if !findings.could_not_check.is_empty() {
        let _ = writeln!(out, "could not check");
        for item in &findings.could_not_check {
            let _ = writeln!(out, "  {}: {}", item.id, item.why);
        }
        out.push('\n');
    }
    render_looked_at(&mut out, verdict);
    let _ = writeln!(out, "{}. {next}", conclusion(style, findings, verdict));
    out
}

/// What was found, in numbers.
pub(super) fn conclusion(style: Style, findings: &Findings, verdict: &Verdict) -> String {
    let count = |severity| findings.findings.iter().filter(|f| f.severity == severity).count();
    let (problems, suspects, notes) = (count(Severity::Problem), count(Severity::Suspect), count(Severity::Note));
    let mut parts = Vec::new();
    if problems + suspects == 0 {
        parts.push(style.good(&format!("Nothing wrong found, {}", plural(findings.made, "check"))));
    } else {
        parts.push(plural(verdict.causes.len(), "cause"));
        parts.push(plural(problems, "problem"));
        parts.push(plural(suspects, "suspect"));
    }
    if notes > 0 {
        parts.push(plural(notes, "note"));
    }
    match findings.could_not_check.len() {
        0 => {}
        n => parts.push(format!("{n} could not be checked")),
    }
    if !findings.not_applicable.is_empty() {
        parts.push(format!("{} not applicable", findings.not_applicable.len()));
    }
    let mut text = parts.join(", ");
    if let Some(asked) = &verdict.error {
        let explaining = verdict.causes.iter().filter(|cause| cause.explains == Some(true)).count();
        let _ = match (explaining, asked.name) {
            (0, None) => write!(text, "; whether that explains {} is not known", asked.code),
            (0, Some(_)) => write!(text, "; nothing that explains {} was found", asked.code),
            (1, _) => write!(text, "; the first explains {}", asked.code),
            (n, _) => write!(text, "; the first {n} can explain {}", asked.code),
        };
    }
    text
}

fn render_asked(out: &mut String, style: Style, asked: &Asked) {
    let code = style.bold(&asked.code.to_string());
    let _ = match (asked.name, asked.meaning) {
        (Some(name), Some(meaning)) => writeln!(out, "{code} ({name}): {meaning}."),
        _ => writeln!(out, "{code} is not in the tables; what was found is ranked by its evidence alone."),
    };
    if asked.logged.is_empty() {
        let _ = writeln!(out, "Windows' logs on this volume do not have it.");
    } else {
        let _ = writeln!(out, "In Windows' logs, newest first:");
        asked.logged.iter().for_each(|line| render_evidence(out, line));
    }
    out.push('\n');
}

/// Nothing explains it: what was looked at, so that nobody looks there again.
fn render_looked_at(out: &mut String, verdict: &Verdict) {
    if let Some(asked) = &verdict.error {
        let explained = verdict.causes.iter().any(|cause| cause.explains == Some(true));
        if !explained && !asked.checks.is_empty() {
            let _ = writeln!(out, "For {} these checks were made: {}.\n", asked.code, asked.checks.join(", "));
        }
    }
}

fn render_cause(out: &mut String, style: Style, number: usize, cause: &Cause) {
    let _ = writeln!(out, "{}", style.bold(&format!("{number}. {}", cause.title)));
    let mut facts = vec![cause.confidence.as_str().to_owned()];
    match cause.explains {
        Some(true) => facts.push("explains the error".into()),
        Some(false) => facts.push("does not explain the error".into()),
        None => {}
    }
    if let Some(since) = &cause.since {
        facts.push(format!("{} ({})", since.time, since.what));
    }
    let _ = writeln!(out, "   {}\n", facts.join("; "));
}

/// `shown`: the causes before this one; what has to be done for them is not told in full again.
fn render_cure(out: &mut String, style: Style, cause: &Cause, shown: &[Cause]) {
    for mending in &cause.repair {
        let _ = writeln!(out, "    {} would ({}):", style.good("repair"), mending.remedy);
        for change in mending.changes.iter().take(MAX_CHANGES) {
            let _ = writeln!(out, "      {}", describe(change));
        }
        if let more @ 1.. = mending.changes.len().saturating_sub(MAX_CHANGES) {
            let _ = writeln!(out, "      and {more} more");
        }
    }
    for step in &cause.elsewhere {
        match shown.iter().position(|earlier| earlier.elsewhere.contains(step)) {
            Some(at) => {
                let _ = writeln!(out, "    {} {}, as for {}", style.bold("elsewhere:"), step.what, at + 1);
            }
            None => render_step(out, style, step),
        }
    }
    if !(cause.repair.is_empty() && cause.elsewhere.is_empty()) {
        out.push('\n');
    }
}

fn render_step(out: &mut String, style: Style, step: &Step) {
    let _ = writeln!(out, "    {} {}:", style.bold("elsewhere:"), step.what);
    let _ = writeln!(out, "      {}", whole(&step.command));
    let _ = writeln!(out, "      where     {}", step.place);
    if let Some(needs) = &step.needs {
        let _ = writeln!(out, "      needs     {needs}");
    }
    let _ = writeln!(out, "      source    {}", step.source);
}

fn render_evidence(out: &mut String, evidence: &Evidence) {
    let _ = writeln!(out, "    {}", whole(&evidence.place));
    let _ = writeln!(out, "      found     {}", evidence.found);
    if let Some(expected) = &evidence.expected {
        let _ = writeln!(out, "      expected  {expected}");
    }
}

fn render_finding(out: &mut String, style: Style, finding: &Finding) {
    let _ = writeln!(out, "{} {} — {}", style.severity(finding.severity), style.bold(&finding.subject), finding.title);
    finding.evidence.iter().for_each(|evidence| render_evidence(out, evidence));
    let _ = writeln!(out, "    check     {} (source: {})", finding.id, finding.source);
    if let Some(remedy) = finding.remedy {
        let _ = writeln!(out, "    remedy    {remedy}");
    }
    out.push('\n');
}
