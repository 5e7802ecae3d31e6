//! The JSON documents of the commands that change something (`coldmend.repair/1`), and what they share.

use serde::Serialize;
use serde_json::{json, Value};

use crate::error::Result;
use crate::evidence::{Installation, WindowsVersion};
use crate::plan::{Action, ActionState, Change, Plan};
use crate::target::Target;
use crate::transaction::{Conflict, StateDir};
use crate::ui::Ui;

/// The `target` of a report.
#[derive(Serialize)]
pub(super) struct TargetReport {
    path: String,
    kind: &'static str,
    /// Of a disk image.
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<u32>,
}

impl TargetReport {
    pub(super) fn of(target: &Target) -> Self {
        TargetReport {
            path: target.given.display().to_string(),
            kind: target.kind(),
            partition: target.image.as_ref().and_then(|image| image.partition),
        }
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

/// What all reports of one run share.
pub(super) struct Reporter<'a> {
    pub ui: &'a Ui,
    pub target: &'a Target,
    pub state: &'a StateDir<'a>,
}

impl Reporter<'_> {
    /// Prints the document (JSON mode only). `id` is the transaction's, where there is one; `state` is one of the schema's.
    pub(super) fn print(
        &self,
        installation: &Installation,
        plan: &Plan,
        conflicts: &[Conflict],
        id: Option<&str>,
        state: &'static str,
    ) -> Result<()> {
        // What is reported as complete was read back.
        let action_state =
            if matches!(state, "done" | "undone") { ActionState::Verified } else { ActionState::Planned };
        self.ui.json(&RepairReport {
            schema: "coldmend.repair/1",
            tool: env!("CARGO_PKG_VERSION"),
            target: TargetReport::of(self.target),
            windows: &installation.version,
            id,
            state,
            actions: plan.actions.iter().map(|a| action(a, action_state)).collect(),
            conflicts,
            warnings: &plan.warnings,
            state_dir: id.map(|id| self.state.shown_folder(id)),
        })
    }
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
