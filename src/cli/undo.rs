//! `coldmend undo`: take a repair back, value by value, through the same transaction.

use clap::Args;

use crate::error::{Failure, Result};
use crate::evidence::Installation;
use crate::plan::{HiveName, Plan};
use crate::safety;
use crate::safety::rights::Access;
use crate::target::Target;
use crate::transaction::{self, Conflict, Position, Record, RecordState, StateDir, UndoPlan};
use crate::ui::Ui;
use crate::volume::{Overlay, Volume};

use super::report::Reporter;
use super::talk::{not_agreed, Outcome, Plain, Proposal, Talk};
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

impl Arguments {
    /// The arguments `undo TARGET`.
    pub(super) fn asking(target: TargetArguments) -> Self {
        Arguments { target, id: None, state: StateArguments::default(), yes: false, force: false }
    }
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    run_with(ui, arguments, &Plain::new(ui, &arguments.target, &arguments.state))
}

/// The same, with somebody else talking.
pub(super) fn run_with(ui: &Ui, arguments: &Arguments, talk: &dyn Talk) -> Status {
    let target = context::target(&arguments.target, Access::Write)?;
    let elsewhere = context::state_volume(&arguments.state, &target)?;
    let volume: &dyn Volume = &target.volume;
    let state = context::state_dir(volume, elsewhere.as_ref().map(|v| v as &dyn Volume), &arguments.state, &target)?;
    let records = state.records()?;
    let chosen = choose(&records, arguments.id.as_deref(), arguments.force, &state)?;

    let unfinished = context::unfinished(&records);
    let installation = context::installation(volume, &target, &state, unfinished)?;
    if let Some(plan) = &chosen.plan {
        transaction::check_place(volume, plan, &installation, arguments.force)?;
    }
    safety::refuse_unsafe(&target.volume, &installation)?;
    let job = Job { ui, talk, arguments, target: &target, volume, state: &state };

    let interrupted_undo = unfinished.filter(|r| r.undoes().is_some()).and_then(|r| Some((r, r.plan.as_ref()?)));
    if let Some((record, plan)) = interrupted_undo {
        let named_another = arguments.id.as_deref().is_some_and(|id| id != record.id && Some(id) != record.undoes());
        if named_another {
            return Err(Failure::refused(format!("{} was interrupted and has to be finished first", record.id))
                .hint("Run `coldmend undo` without an id."));
        }
        if !job.moved_on(record)? {
            return job.finish(&installation, record, plan);
        }
        // Somebody (Windows, most likely) has written since: the plan of then no longer fits, and a fresh one is made.
        ui.status(&format!("{} was interrupted, and the volume was used since; it is planned anew.", record.id));
        let original = records.iter().find(|r| Some(r.id.as_str()) == record.undoes()).unwrap_or(record);
        return job.undo_cut(&[record, original], original);
    }
    if let Some(record) = unfinished.filter(|r| r.id != chosen.id) {
        return Err(Failure::refused(format!(
            "{} is unfinished and has to be finished or taken back first",
            record.id
        ))
        .hint(format!("Run `coldmend undo` with the id {} or without one, or `coldmend repair`.", record.id)));
    }
    if chosen.state == RecordState::Unfinished {
        ui.status(&format!("{} was interrupted; what it did will be taken back.", chosen.id));
        return job.undo_cut(&[chosen], chosen);
    }
    job.undo(&installation, chosen)
}

/// One run of `undo`.
struct Job<'a> {
    ui: &'a Ui,
    talk: &'a dyn Talk,
    arguments: &'a Arguments,
    target: &'a Target,
    volume: &'a dyn Volume,
    state: &'a StateDir<'a>,
}

impl Job<'_> {
    /// Whether somebody has written a hive since this transaction was interrupted.
    fn moved_on(&self, record: &Record) -> Result<bool> {
        for name in [HiveName::System, HiveName::Software] {
            if transaction::position_of(self.volume, self.state, record, name)?.0 == Position::Foreign {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finishes an undo that was interrupted itself, as it was planned.
    fn finish(&self, installation: &Installation, record: &Record, plan: &Plan) -> Status {
        self.ui.status(&format!("{} was interrupted; it will be finished.", record.id));
        self.talk.propose(&Proposal::of(plan));
        self.agree("Finish taking it back?")?;
        transaction::resume(self.volume, self.state, record)?;
        self.talk.tell(Outcome::UndoFinished { id: record.id.clone() });
        self.report(installation, plan, &[], Some(&record.id), "undone")
    }

    /// Takes `original` back where transactions were cut: first every cut commit goes back, then the rest value by value.
    /// What that will be is found on a storage that does not write, and shown before the question.
    fn undo_cut(&self, cut: &[&Record], original: &Record) -> Status {
        {
            let rehearsal = Overlay::new(self.volume);
            let elsewhere = Overlay::new(self.state.volume);
            let state = self.state.over(if self.state.on_target { &rehearsal } else { &elsewhere });
            let (_, undo) = self.take_cut_back(&rehearsal, &state, cut, original)?;
            self.propose(&undo);
        }
        self.agree("Take it back?")?;
        let _writing = transaction::writing();
        let (installation, undo) = self.take_cut_back(self.volume, self.state, cut, original)?;
        // The one that is taken back stays unfinished until the new undo is complete; another that was cut is history now.
        let (last, earlier): (Vec<&Record>, Vec<&Record>) = cut.iter().partition(|r| r.id == original.id);
        for record in earlier {
            transaction::close(self.state, record, "planned anew by undo")?;
        }
        let id = match undo.plan.actions.is_empty() {
            true => original.id.clone(),
            false => transaction::apply(self.volume, self.state, &undo.plan)?.id,
        };
        for record in last.iter().filter(|r| r.state == RecordState::Unfinished) {
            transaction::close(self.state, record, "taken back by undo")?;
        }
        self.say_done(original, &undo);
        self.report(&installation, &undo.plan, &undo.conflicts, Some(&id), "undone")
    }

    fn take_cut_back(
        &self,
        volume: &dyn Volume,
        state: &StateDir<'_>,
        cut: &[&Record],
        original: &Record,
    ) -> Result<(Installation, UndoPlan)> {
        for record in cut {
            transaction::take_back(volume, state, record)?;
        }
        let installation = context::installation(volume, self.target, state, None)?;
        let undo = transaction::undo_plan(volume, &installation, original, self.arguments.force)?;
        Ok((installation, undo))
    }

    fn undo(&self, installation: &Installation, chosen: &Record) -> Status {
        let undo = transaction::undo_plan(self.volume, installation, chosen, self.arguments.force)?;
        self.propose(&undo);
        if undo.plan.actions.is_empty() {
            if !undo.conflicts.is_empty() {
                return Err(Failure::refused(format!(
                    "nothing of {} can be taken back: everything was changed since; nothing was written",
                    chosen.id
                ))
                .hint("--force overwrites values that were changed since."));
            }
            self.talk.tell(Outcome::NothingToTakeBack);
            return self.report(installation, &undo.plan, &undo.conflicts, None, "nothing-to-do");
        }
        self.agree("Take it back?")?;
        let applied = transaction::apply(self.volume, self.state, &undo.plan)?;
        self.say_done(chosen, &undo);
        self.report(installation, &undo.plan, &undo.conflicts, Some(&applied.id), "undone")
    }

    fn propose(&self, undo: &UndoPlan) {
        self.talk.propose(&Proposal { conflicts: &undo.conflicts, ..Proposal::of(&undo.plan) });
    }

    fn say_done(&self, record: &Record, undo: &UndoPlan) {
        self.talk.tell(Outcome::TakenBack { id: record.id.clone(), conflicts: undo.conflicts.len() });
    }

    fn report(
        &self,
        installation: &Installation,
        plan: &Plan,
        conflicts: &[Conflict],
        id: Option<&str>,
        state: &'static str,
    ) -> Status {
        let reporter = Reporter { ui: self.ui, target: self.target, state: self.state };
        reporter.print(installation, plan, conflicts, id, state)?;
        Ok(0)
    }

    fn agree(&self, question: &str) -> Result<()> {
        if self.arguments.yes || self.talk.agree(question, "undo")? {
            return Ok(());
        }
        Err(not_agreed())
    }
}

/// The record to take back: the one with this id, or the last repair that still stands.
fn choose<'a>(records: &'a [Record], id: Option<&str>, force: bool, state: &StateDir<'_>) -> Result<&'a Record> {
    match id {
        Some(id) => {
            let record = records
                .iter()
                .find(|r| r.id == id)
                .ok_or_else(|| Failure::usage(format!("there is no repair {id:?} in {}", state.shown)))
                .map_err(|f| f.hint("`coldmend history` lists them."))?;
            // With force, what an earlier undo has left alone is taken back as well.
            let again = force && record.state == RecordState::Undone;
            if !(stands(record) || again) {
                return Err(Failure::refused(format!("{id} is {} already; nothing was written", record.state)));
            }
            Ok(record)
        }
        None => last_standing(records)
            .ok_or_else(|| Failure::usage(format!("there is no repair to take back in {}", state.shown)))
            .map_err(|f| f.hint("If the backups were kept elsewhere, name the folder with --state-dir.")),
    }
}

fn stands(record: &Record) -> bool {
    matches!(record.state, RecordState::Done | RecordState::Unfinished)
}

/// The last repair that was not taken back.
pub(super) fn last_standing(records: &[Record]) -> Option<&Record> {
    let is_undo_of_its_own = |r: &&Record| r.undoes().is_some() && r.state != RecordState::Unfinished;
    records.iter().rev().filter(|r| stands(r)).find(|r| !is_undo_of_its_own(r))
}
