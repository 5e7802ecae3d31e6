//! Which findings have one cause: the row of the check, or of what a log names; where every subject is a cause of its own, the
//! subject too, so that the log's line about a service and the missing file of that service come together.

use crate::findings::{Defect, Finding, Findings, Severity};
use crate::knowledge::{CauseRow, Knowledge};

/// As many causes of one row as are told apart; more are told together.
const MAX_EACH: usize = 5;
/// As many subjects as a title names.
const MAX_NAMED: usize = 3;

/// Findings with one cause.
pub(super) struct Group {
    pub row: &'static CauseRow,
    /// Places in the list of findings.
    pub findings: Vec<usize>,
    subject: Option<String>,
}

impl Group {
    /// What is wrong, with the names of what it is wrong with where there are few.
    pub fn title(&self, findings: &Findings) -> String {
        if !self.row.each {
            return self.row.title.clone();
        }
        let mut names: Vec<&str> = Vec::new();
        for finding in self.findings.iter().filter_map(|&at| findings.findings.get(at)) {
            let known = names.iter().any(|name| name.eq_ignore_ascii_case(&finding.subject));
            if finding.severity != Severity::Note && !known {
                names.push(&finding.subject);
            }
        }
        let more = match names.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        names.truncate(MAX_NAMED);
        format!("{}: {}{more}", self.row.title, names.join(", "))
    }
}

/// The groups with at least one problem or suspect, in the order of the table; notes about the same thing are in them.
pub(super) fn groups(findings: &Findings) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let alarms = |f: &&Finding| f.severity != Severity::Note;
    for at in 0..findings.findings.len() {
        let Some(finding) = findings.findings.get(at).filter(alarms) else { continue };
        let Some(row) = row_of(finding) else { continue };
        let subject = row.each.then(|| finding.subject.to_lowercase());
        match groups.iter_mut().find(|g| g.row.id == row.id && g.subject == subject) {
            Some(group) => group.findings.push(at),
            None => groups.push(Group { row, findings: vec![at], subject }),
        }
    }
    for row in &Knowledge::builtin().causes().causes {
        if row.each && groups.iter().filter(|g| g.row.id == row.id).count() > MAX_EACH {
            let (of_row, others): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|g| g.row.id == row.id);
            groups = others;
            let mut all: Vec<usize> = of_row.into_iter().flat_map(|g| g.findings).collect();
            all.sort_unstable();
            groups.push(Group { row, findings: all, subject: None });
        }
    }
    for at in 0..findings.findings.len() {
        let Some(finding) = findings.findings.get(at).filter(|f| f.severity == Severity::Note) else { continue };
        let Some(row) = row_of(finding) else { continue };
        // A log's note is told with the others: that something is over, or that it can't be said.
        let of_log = finding.id == "logs";
        let about = |g: &&mut Group| g.subject.as_ref().is_none_or(|s| *s == finding.subject.to_lowercase());
        if let (false, Some(group)) = (of_log, groups.iter_mut().find(|g| g.row.id == row.id && about(g))) {
            group.findings.push(at);
        }
    }
    groups
}

/// The row that a finding belongs to.
pub(super) fn row_of(finding: &Finding) -> Option<&'static CauseRow> {
    let table = Knowledge::builtin().causes();
    let at = match &finding.defect {
        Some(Defect::Logged { object, .. }) => object.kind().and_then(|kind| table.of_object(kind)),
        _ => None,
    };
    table.causes.get(at.or_else(|| table.of_check(finding.id))?)
}
