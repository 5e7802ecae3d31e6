//! How strong the evidence for a cause is, and which is told first.
//!
//! First what explains the error that was asked about; then the worse severity, the surer evidence, the check that Microsoft's
//! articles name earlier for that error, and the order of the table.

use serde::Serialize;

use super::{Cause, ErrorCode};
use crate::findings::{Defect, Finding, Findings, Severity};
use crate::knowledge::Knowledge;

/// How sure it is that something is a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It is broken, and Windows' own logs name it, or it is known to make the very error that was asked about.
    Certain,
    /// It is broken; or it is unusual, and the logs name it.
    Likely,
    /// It is unusual.
    Possible,
}

impl Confidence {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Certain => "certain",
            Confidence::Likely => "likely",
            Confidence::Possible => "possible",
        }
    }
}

/// What the findings of a cause show together.
pub(super) struct Evidenced {
    pub severity: Severity,
    pub confidence: Confidence,
    pub explains: Option<bool>,
}

impl Evidenced {
    /// `order`: the checks that can explain the error that was asked about.
    pub fn new<'f>(
        findings: impl Iterator<Item = &'f Finding> + Clone,
        order: Option<&[&str]>,
        asked: Option<ErrorCode>,
    ) -> Self {
        let alarms = findings.filter(|f| f.severity != Severity::Note);
        let severity = alarms.clone().map(|f| f.severity).min().unwrap_or(Severity::Note);
        let is_logged = alarms.clone().any(|f| matches!(f.defect, Some(Defect::Logged { .. })));
        let has_code = |finding: &Finding| match (&finding.defect, asked) {
            (Some(Defect::Logged { codes, .. }), Some(asked)) => codes.iter().any(|&code| asked.is(code)),
            _ => false,
        };
        let explains = match order {
            Some(order) => Some(alarms.clone().any(|f| has_code(f) || (f.id != "logs" && order.contains(&f.id)))),
            // The tables do not know it: only a log can say so.
            None => alarms.clone().any(has_code).then_some(true),
        };
        let known = is_logged || explains == Some(true);
        let confidence = match severity {
            Severity::Problem if known => Confidence::Certain,
            Severity::Problem => Confidence::Likely,
            _ if is_logged => Confidence::Likely,
            _ => Confidence::Possible,
        };
        Evidenced { severity, confidence, explains }
    }
}

/// The most likely first.
pub(super) fn sort(causes: &mut [Cause], findings: &Findings, order: Option<&[&str]>) {
    let table = &Knowledge::builtin().causes().causes;
    causes.sort_by_cached_key(|cause| {
        let place = |at: &usize| {
            let id = findings.findings.get(*at).map_or("", |f| f.id);
            order.and_then(|order| order.iter().position(|check| *check == id))
        };
        let named = cause.findings.iter().filter_map(place).min().unwrap_or(usize::MAX);
        let row = table.iter().position(|row| row.id == cause.id);
        (cause.explains != Some(true), cause.severity, cause.confidence, named, row)
    });
}
