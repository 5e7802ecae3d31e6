//! The JSON documents of the commands that change something (`coldmend.repair/1`), and what they share.

use serde::Serialize;
use serde_json::{json, Value};

use crate::error::Result;
use crate::evidence::{Installation, WindowsVersion};
use crate::plan::{Action, ActionState, Change, Plan};
use crate::target::Target;
use crate::transaction::Conflict;
use crate::ui::Ui;

/// The `target` of a report.
#[derive(Serialize)]
pub(super) struct TargetReport {
    path: String,
    kind: &'static str,
}

impl TargetReport {
    pub(super) fn of(target: &Target) -> Self {
        TargetReport { path: target.given.display().to_string(), kind: "directory" }
    }
}

/// `coldmend.repair/1`.
#[derive(Serialize)]
pub(super) struct RepairReport<'a> {
    schema: &'static str,
    tool: &'static str,
    target: TargetReport,
    windows: &'a WindowsVersion,
    id: Option<&'a str>,
    state: &'static str,
    actions: Vec<ActionReport<'a>>,
    conflicts: &'a [Conflict],
    warnings: &'a [String],
    state_dir: Option<String>,
}

#[derive(Serialize)]
struct ActionReport<'a> {
    remedy: &'a str,
    kind: &'static str,
    #[serde(rename = "where")]
    place: String,
    before: Value,
    after: Value,
    state: ActionState,
}

/// Everything a report is made of.
pub(super) struct Outcome<'a> {
    pub target: &'a Target,
    pub installation: &'a Installation,
    pub id: Option<&'a str>,
    pub state: &'static str,
    pub plan: &'a Plan,
    pub action_state: ActionState,
    pub conflicts: &'a [Conflict],
    pub state_dir: Option<String>,
}

/// Prints the document (JSON mode only).
pub(super) fn print(ui: &Ui, outcome: Outcome<'_>) -> Result<()> {
    ui.json(&RepairReport {
        schema: "coldmend.repair/1",
        tool: env!("CARGO_PKG_VERSION"),
        target: TargetReport::of(outcome.target),
        windows: &outcome.installation.version,
        id: outcome.id,
        state: outcome.state,
        actions: outcome.plan.actions.iter().map(|a| action(a, outcome.action_state)).collect(),
        conflicts: outcome.conflicts,
        warnings: &outcome.plan.warnings,
        state_dir: outcome.state_dir,
    })
}

fn action(action: &Action, state: ActionState) -> ActionReport<'_> {
    let (before, after) = match &action.change {
        Change::SetValue { before, after, .. } => (json!(before), json!(after)),
        Change::DeleteValue { before, .. } => (json!(before), Value::Null),
        Change::Rename { from, to, .. } => (json!(from), json!(to)),
        Change::CreateKey { .. } | Change::CreateFolder { .. } => (Value::Null, json!("present")),
        Change::DeleteKey { .. } | Change::RemoveFolder { .. } => (json!("present"), Value::Null),
    };
    ActionReport {
        remedy: &action.remedy,
        kind: action.change.kind(),
        place: action.change.place(),
        before,
        after,
        state,
    }
}
