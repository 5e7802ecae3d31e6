//! Reports as text for people: plans, histories, and what all reports share.

use std::fmt::Write as _;

use crate::evidence::WindowsVersion;
use crate::findings::Severity;
use crate::plan::{Action, Change, Plan, Purpose};
use crate::transaction::Record;
use crate::volume::escape::escape_text;

use super::wrap::whole;

/// Colours; plain where they are off.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether colour sequences are written.
    pub colored: bool,
}

impl Style {
    fn paint(self, code: u8, text: &str) -> String {
        if self.colored {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    /// Bold.
    pub fn bold(self, text: &str) -> String {
        self.paint(1, text)
    }

    /// For what is well.
    pub fn good(self, text: &str) -> String {
        self.paint(32, text)
    }

    pub(super) fn severity(self, severity: Severity) -> String {
        match severity {
            Severity::Problem => self.paint(31, "problem"),
            Severity::Suspect => self.paint(33, "suspect"),
            Severity::Note => self.paint(36, "note"),
        }
    }
}

/// The line that names the installation.
pub fn headline(version: &WindowsVersion) -> String {
    format!("{}, control set {}", short_headline(version), version.control_set)
}

/// Product, build and folder of an installation.
pub fn short_headline(version: &WindowsVersion) -> String {
    let revision = version.ubr.map(|u| format!(".{u}")).unwrap_or_default();
    let arch = version.arch.as_deref().unwrap_or("unknown architecture");
    format!(
        "{} (build {}{revision}, {}) in {}",
        escape_text(version.product.as_ref()),
        version.build,
        escape_text(arch.as_ref()),
        whole(&version.path.display_escaped())
    )
}

/// `1 change`, `2 changes`.
pub fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A plan, grouped by remedy.
pub fn render_plan(style: Style, plan: &Plan) -> String {
    let mut out = String::new();
    let what = match &plan.purpose {
        Purpose::Repair => "The repair would make these changes".to_string(),
        Purpose::ServiceSet => "These changes would be made".to_string(),
        Purpose::Undo(id) => format!("Taking back {id} would make these changes"),
    };
    let _ = writeln!(out, "{what} ({}):\n", plural(plan.actions.len(), "change"));
    let mut last = "";
    for Action { remedy, change } in &plan.actions {
        if remedy != last {
            let _ = writeln!(out, "  {}", style.bold(remedy));
            last = remedy;
        }
        let _ = writeln!(out, "    {}", describe(change));
    }
    for warning in &plan.warnings {
        let _ = writeln!(out, "\n  {} {warning}", style.paint(33, "Mind:"));
    }
    out
}

/// One change in a line.
pub fn describe(change: &Change) -> String {
    let place = whole(&change.place());
    match change {
        Change::SetValue { before: None, after, .. } => format!("set    {place}: absent → {after}"),
        Change::SetValue { before: Some(before), after, .. } => format!("set    {place}: {before} → {after}"),
        Change::DeleteValue { before, .. } => format!("delete {place} (was {before})"),
        Change::CreateKey { .. } => format!("create key {place}"),
        Change::DeleteKey { .. } => format!("delete key {place} (empty)"),
        Change::CreateFolder { .. } => format!("create folder {place}"),
        Change::RemoveFolder { .. } => format!("remove folder {place} (empty)"),
        Change::Rename { to, .. } => format!("rename {place} → {}", whole(&to.display_escaped())),
    }
}

/// The list of earlier transactions.
pub fn render_history(style: Style, records: &[Record], shown: &str) -> String {
    if records.is_empty() {
        return format!("No repairs in {shown}.\n");
    }
    let mut out = String::new();
    for record in records {
        let changes = record.plan.as_ref().map_or(0, |p| p.actions.len());
        let _ = writeln!(
            out,
            "{}  {}  {}{}",
            style.bold(&record.id),
            record.state,
            plural(changes, "change"),
            record.undoes().map(|id| format!(", takes back {id}")).unwrap_or_default()
        );
    }
    out
}
