//! `coldmend history`: the repairs made on a volume, with their state.

use clap::Args;
use serde_json::json;

use crate::safety::rights::Access;
use crate::ui::{render_history, Ui};
use crate::volume::Volume;

use super::report::TargetReport;
use super::{context, StateArguments, Status, TargetArguments};

/// Arguments of `history`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    state: StateArguments,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let target = context::target(&arguments.target, Access::Look)?;
    let elsewhere = context::state_volume(&arguments.state, &target)?;
    let elsewhere = elsewhere.as_ref().map(|v| v as &dyn Volume);
    let state = context::state_dir(&target.volume, elsewhere, &arguments.state, &target)?;
    let records = state.records()?;
    ui.out(&render_history(ui.style, &records, &state.shown));
    let repairs: Vec<_> = records
        .iter()
        .map(|r| {
            json!({
                "id": r.id,
                "state": r.state,
                "purpose": r.plan.as_ref().map(|p| &p.purpose),
                "actions": r.plan.as_ref().map_or(0, |p| p.actions.len()),
                "state_dir": state.shown_folder(&r.id),
            })
        })
        .collect();
    ui.json(&json!({
        "schema": "coldmend.history/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "target": TargetReport::of(&target),
        "repairs": repairs,
    }))?;
    Ok(0)
}
