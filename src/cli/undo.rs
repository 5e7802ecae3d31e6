//! `coldmend undo`: take a repair back, value by value, through the same transaction.

use clap::Args;

use crate::error::{Failure, Kind, Result};
use crate::plan::ActionState;
use crate::safety;
use crate::transaction::{self, Conflict, Record, RecordState, StateDir, UndoPlan};
use crate::ui::{render_plan, Ui};
use crate::volume::Volume;

use super::report::{self, Outcome};
use super::{context, StateArguments, Status, TargetArguments};

/// Arguments of `undo`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// The id of the repair, from `history`; the last one if it is left out
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    state: StateArguments,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Also overwrite values that somebody has changed since the repair
    #[arg(long)]
    force: bool,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let target = context::target(&arguments.target)?;
    let elsewhere = context::state_volume(&arguments.state)?;
    let volume: &dyn Volume = &target.volume;
    let state = context::state_dir(volume, elsewhere.as_ref().map(|v| v as &dyn Volume), &arguments.state);
    let records = state.records()?;
    let chosen = choose(&records, arguments.id.as_deref(), &state)?;

    let unfinished = context::unfinished(&records);
    let installation = context::installation(volume, &target, &state, unfinished)?;
    if let Some(plan) = &chosen.plan {
        transaction::check_binding(volume, plan, &installation)?;
    }
    safety::refuse_unsafe(&target.volume, &installation)?;

    // An undo that was interrupted itself is finished as it was planned.
    let interrupted_undo = unfinished.filter(|r| r.undoes().is_some()).and_then(|r| Some((r, r.plan.as_ref()?)));
    if let Some((record, plan)) = interrupted_undo {
        ui.status(&format!("{} was interrupted; it will be finished.", record.id));
        ui.out(&format!("{}\n", render_plan(ui.style, plan)));
        agree(ui, arguments, "Finish taking it back?")?;
        transaction::resume(volume, &state, record)?;
        ui.out(&format!("{} {} is complete.\n", ui.style.good("Done."), record.id));
        return report_undone(ui, &target, &installation, plan, &[], &record.id, &state);
    }

    // A commit of ours that was cut goes back first: then every hive is whole again. What will be there then is known
    // only after the question, so the question comes with the plan of the repair itself.
    if chosen.state == RecordState::Unfinished {
        if let Some(plan) = &chosen.plan {
            ui.status(&format!("{} was interrupted; what it did will be taken back. It meant to do this:", chosen.id));
            ui.out(&format!("{}\n", render_plan(ui.style, plan)));
        }
        agree(ui, arguments, "Take it back?")?;
        transaction::take_back(volume, &state, chosen)?;
        let installation = context::installation(volume, &target, &state, None)?;
        let UndoPlan { plan, conflicts } = transaction::undo_plan(volume, &installation, chosen, arguments.force)?;
        show_conflicts(ui, &conflicts);
        let id =
            if plan.actions.is_empty() { chosen.id.clone() } else { transaction::apply(volume, &state, &plan)?.id };
        transaction::close(&state, chosen, "taken back by undo")?;
        ui.out(&format!("{} {} has been taken back.\n", ui.style.good("Done."), chosen.id));
        return report_undone(ui, &target, &installation, &plan, &conflicts, &id, &state);
    }

    let UndoPlan { plan, conflicts } = transaction::undo_plan(volume, &installation, chosen, arguments.force)?;
    show_conflicts(ui, &conflicts);
    if plan.actions.is_empty() {
        if !conflicts.is_empty() {
            return Err(Failure::refused(format!(
                "nothing of {} can be taken back: everything was changed since; nothing was written",
                chosen.id
            ))
            .hint("--force overwrites values that were changed since."));
        }
        ui.out("Nothing to take back; nothing was written.\n");
        report::print(
            ui,
            Outcome {
                target: &target,
                installation: &installation,
                id: None,
                state: "nothing-to-do",
                plan: &plan,
                action_state: ActionState::Planned,
                conflicts: &conflicts,
                state_dir: None,
            },
        )?;
        return Ok(0);
    }
    ui.out(&format!("{}\n", render_plan(ui.style, &plan)));
    agree(ui, arguments, "Take it back?")?;
    let applied = transaction::apply(volume, &state, &plan)?;
    ui.out(&format!("{} {} has been taken back, and every change was read back.\n", ui.style.good("Done."), chosen.id));
    report_undone(ui, &target, &installation, &plan, &conflicts, &applied.id, &state)
}

fn report_undone(
    ui: &Ui,
    target: &crate::target::Target,
    installation: &crate::evidence::Installation,
    plan: &crate::plan::Plan,
    conflicts: &[Conflict],
    id: &str,
    state: &StateDir<'_>,
) -> Status {
    report::print(
        ui,
        Outcome {
            target,
            installation,
            id: Some(id),
            state: "undone",
            plan,
            action_state: ActionState::Verified,
            conflicts,
            state_dir: Some(state.shown_folder(id)),
        },
    )?;
    Ok(0)
}

fn agree(ui: &Ui, arguments: &Arguments, question: &str) -> Result<()> {
    if arguments.yes || ui.confirm(question, "undo")? {
        return Ok(());
    }
    Err(Failure::new(Kind::Interrupted, "not agreed; nothing was written"))
}

fn show_conflicts(ui: &Ui, conflicts: &[Conflict]) {
    for conflict in conflicts {
        ui.out(&format!(
            "Conflict: {} was changed since the repair (found {}, the repair left {}); left alone.\n",
            conflict.place, conflict.found, conflict.expected
        ));
    }
}

/// The record to take back: the one with this id, or the last repair that still stands.
fn choose<'a>(records: &'a [Record], id: Option<&str>, state: &StateDir<'_>) -> Result<&'a Record> {
    let standing = |r: &&Record| matches!(r.state, RecordState::Done | RecordState::Unfinished);
    match id {
        Some(id) => {
            let record = records
                .iter()
                .find(|r| r.id == id)
                .ok_or_else(|| Failure::usage(format!("there is no repair {id:?} in {}", state.shown)))
                .map_err(|f| f.hint("`coldmend history` lists them."))?;
            if !standing(&record) {
                return Err(Failure::refused(format!("{id} is {} already; nothing was written", record.state)));
            }
            Ok(record)
        }
        None => records
            .iter()
            .rev()
            .filter(standing)
            .find(|r| r.undoes().is_none() || r.state == RecordState::Unfinished)
            .ok_or_else(|| Failure::usage(format!("there is no repair to take back in {}", state.shown)))
            .map_err(|f| f.hint("If the backups were kept elsewhere, name the folder with --state-dir.")),
    }
}
