//! What belongs together, what is told first, and that the tables cover every check.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::rank::Evidenced;
use super::{group, Confidence, ErrorCode};
use crate::findings::{Defect, Finding, Findings, Severity};
use crate::knowledge::{ExplanationKind, Knowledge};
use crate::logs::Object;

fn finding(id: &'static str, severity: Severity, subject: &str) -> Finding {
    Finding {
        id,
        severity,
        subject: subject.into(),
        title: String::new(),
        evidence: Vec::new(),
        remedy: None,
        source: String::new(),
        defect: None,
    }
}

fn logged(subject: &str, object: Object, code: u32) -> Finding {
    let defect = Defect::Logged { object, codes: vec![code], first: None };
    Finding { defect: Some(defect), ..finding("logs", Severity::Problem, subject) }
}

fn service(name: &str) -> Finding {
    logged(name, Object::Service(name.into()), 0x8007_0002)
}

/// Cause and the subjects in it.
fn grouped(all: Vec<Finding>) -> Vec<(&'static str, Vec<String>)> {
    let findings = Findings { findings: all, ..Findings::default() };
    let subject = |at: &usize| format!("{}:{}", findings.findings[*at].id, findings.findings[*at].subject);
    group::groups(&findings).iter().map(|g| (&*g.row.id, g.findings.iter().map(subject).collect())).collect()
}

#[test]
fn a_log_and_the_missing_file_of_one_service_are_one_cause() {
    let all = vec![
        service("Xsvc"),
        finding("service-file", Severity::Problem, "xSVC"),
        finding("service-file", Severity::Suspect, "other"),
        finding("service-start", Severity::Problem, "BITS"),
        finding("service-descriptor", Severity::Problem, "wuauserv"),
    ];
    assert_eq!(
        grouped(all),
        [
            ("missing-program", vec!["logs:Xsvc".into(), "service-file:xSVC".into()]),
            ("missing-program", vec!["service-file:other".into()]),
            ("services", vec!["service-start:BITS".into(), "service-descriptor:wuauserv".into()]),
        ]
    );
}

#[test]
fn what_a_log_names_decides_where_it_belongs() {
    let all = vec![
        logged("a", Object::Inf("a.inf".into()), 1),
        logged("b", Object::Package("b".into()), 1),
        logged("c", Object::Component("c".into()), 1),
        logged("d", Object::File("C:\\d".into()), 1),
    ];
    let causes: Vec<&str> = grouped(all).into_iter().map(|(id, _)| id).collect();
    assert_eq!(causes, ["driver-packages", "component-store", "named-file"]);
}

#[test]
fn notes_are_told_with_their_cause_and_are_none_themselves() {
    let note = |subject| finding("service-file", Severity::Note, subject);
    assert!(grouped(vec![note("a"), finding("earlier-reset", Severity::Note, "x")]).is_empty());
    let all = vec![
        finding("service-file", Severity::Problem, "a"),
        note("A"),
        note("b"),
        finding("logs", Severity::Note, "a"),
    ];
    assert_eq!(grouped(all), [("missing-program", vec!["service-file:a".into(), "service-file:A".into()])]);
}

#[test]
fn many_of_a_kind_are_told_together() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let all: Vec<Finding> = names.map(|n| finding("service-file", Severity::Suspect, n)).into();
    assert_eq!(grouped(all.clone()).len(), 1);
    assert_eq!(grouped(all[..5].to_vec()).len(), 5);
    let findings = Findings { findings: all, ..Findings::default() };
    let title = group::groups(&findings)[0].title(&findings);
    assert!(title.ends_with(": a, b, c and 3 more"), "{title}");
}

#[test]
fn evidence_of_two_kinds_is_surer_than_one() {
    let not_found = ErrorCode(0x8007_0002);
    let order: Vec<&str> = not_found.row().unwrap().checks.iter().map(|c| &**c).collect();
    let judged = |all: &[Finding], order: Option<&[&str]>, asked| {
        let rank = Evidenced::new(all.iter(), order, asked);
        (rank.confidence, rank.explains)
    };
    let file = finding("service-file", Severity::Problem, "x");
    let start = finding("service-start", Severity::Problem, "x");
    let odd = finding("profile-list", Severity::Suspect, "x");
    assert_eq!(judged(std::slice::from_ref(&file), None, None), (Confidence::Likely, None));
    assert_eq!(judged(&[file.clone(), service("x")], None, None), (Confidence::Certain, None));
    assert_eq!(judged(std::slice::from_ref(&odd), None, None), (Confidence::Possible, None));
    // The tables say what the error can come from, or the log itself has the code.
    assert_eq!(judged(&[file], Some(&order), Some(not_found)), (Confidence::Certain, Some(true)));
    assert_eq!(judged(&[start], Some(&order), Some(not_found)), (Confidence::Likely, Some(false)));
    assert_eq!(judged(&[odd], Some(&order), Some(not_found)), (Confidence::Possible, Some(true)));
    let other = logged("x", Object::File("x".into()), 0x8007_0003);
    assert_eq!(judged(std::slice::from_ref(&other), Some(&order), Some(not_found)).1, Some(false));
    let unknown = ErrorCode(0x8765_4321);
    assert_eq!(judged(&[other], None, Some(unknown)).1, None);
    assert_eq!(judged(&[logged("x", Object::File("x".into()), unknown.0)], None, Some(unknown)).1, Some(true));
}

/// No check is without a cause, or in two; no error and no advice speaks of what there is not.
#[test]
fn the_tables_fit_the_checks() {
    let knowledge = Knowledge::builtin();
    let mut checks: BTreeSet<&str> =
        knowledge.explanations().iter().filter(|e| e.kind == ExplanationKind::Check).map(|e| e.id.as_str()).collect();
    // What diagnose finds about coldmend's own work.
    checks.insert("unfinished-repair");
    let table = knowledge.causes();
    let mut seen = BTreeSet::new();
    for check in table.causes.iter().flat_map(|row| &row.checks) {
        assert!(seen.insert(check.as_str()), "{check} has two causes");
    }
    assert_eq!(seen, checks);
    let ids: BTreeSet<&str> = table.causes.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), table.causes.len());
    let mut codes = BTreeSet::new();
    for row in knowledge.errors() {
        assert!(row.same.iter().chain([&row.code]).all(|code| codes.insert(*code)), "{:#x} is there twice", row.code);
        assert!(!row.checks.is_empty() && !row.meaning.is_empty() && !row.source.is_empty(), "{row:?}");
        for check in &row.checks {
            assert!(checks.contains(check.as_str()), "{:#x}: there is no check {check}", row.code);
        }
        assert_eq!(row.checks.iter().collect::<BTreeSet<_>>().len(), row.checks.len(), "{row:?}");
    }
    let wanted: BTreeSet<&str> = table.causes.iter().flat_map(|row| &row.elsewhere).map(String::as_str).collect();
    let there: BTreeSet<&str> = table.advice.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(wanted, there);
    for (at, row) in table.advice.iter().enumerate() {
        assert!(!row.source.is_empty() && !row.place.is_empty(), "{row:?}");
        assert!(row.checks.iter().all(|check| checks.contains(check.as_str())), "{row:?}");
        let overlaps = |other: &crate::knowledge::AdviceRow| {
            other.id == row.id && other.builds.first <= row.builds.last && row.builds.first <= other.builds.last
        };
        assert!(!table.advice[at + 1..].iter().any(overlaps), "{row:?}");
    }
}
