//! The conversation around a change: showing what would be done, asking, saying how it went. The commands have one way to
//! talk, the guide another; what is planned and written is the same code for both.

use crate::error::{Failure, Kind, Result};
use crate::plan::Plan;
use crate::transaction::Conflict;
use crate::ui::{render_plan, Ui};

use super::{StateArguments, TargetArguments};

/// What is shown before the question.
pub(super) struct Proposal<'a> {
    /// The changes.
    pub plan: &'a Plan,
    /// What is wrong and not mended by them.
    pub left: &'a [String],
    /// What was changed since the repair that is taken back, and is left alone.
    pub conflicts: &'a [Conflict],
}

impl<'a> Proposal<'a> {
    /// Changes, and nothing to say besides.
    pub(super) fn of(plan: &'a Plan) -> Self {
        Proposal { plan, left: &[], conflicts: &[] }
    }
}

/// How it went.
pub(super) enum Outcome {
    /// A repair is complete, and kept under this id.
    Repaired { id: String },
    /// A repair that was interrupted is complete.
    Finished { id: String },
    /// An undo that was interrupted is complete.
    UndoFinished { id: String },
    /// This repair has been taken back, except for so many conflicts.
    TakenBack { id: String, conflicts: usize },
    /// There is nothing to repair; `hint` says whether a reset may be left to try.
    NothingToDo { hint: bool },
    /// There is nothing to take back.
    NothingToTakeBack,
}

/// Who talks with the user.
pub(super) trait Talk {
    /// Shows what would be done.
    fn propose(&self, proposal: &Proposal<'_>);

    /// Asks whether to do it.
    ///
    /// # Errors
    /// There is no terminal to ask on.
    fn agree(&self, question: &str, command: &str) -> Result<bool>;

    /// Says how it went.
    fn tell(&self, outcome: Outcome);
}

/// The failure of a question that was not answered with yes.
pub(super) fn not_agreed() -> Failure {
    Failure::new(Kind::Interrupted, "not agreed; nothing was written")
}

/// How the commands themselves talk.
pub(super) struct Plain<'a> {
    ui: &'a Ui,
    /// The command that takes it back.
    undo: String,
}

impl<'a> Plain<'a> {
    pub(super) fn new(ui: &'a Ui, target: &TargetArguments, state: &StateArguments) -> Self {
        Plain { ui, undo: target.command(&format!("undo{}", state.again())) }
    }
}

impl Talk for Plain<'_> {
    fn propose(&self, proposal: &Proposal<'_>) {
        for conflict in proposal.conflicts {
            self.ui.out(&format!("{}\n", conflict_line(conflict)));
        }
        if !proposal.plan.actions.is_empty() {
            self.ui.out(&format!("{}\n", render_plan(self.ui.style, proposal.plan)));
        }
        for line in proposal.left {
            self.ui.out(&format!("Not mended: {line}\n"));
        }
    }

    fn agree(&self, question: &str, command: &str) -> Result<bool> {
        self.ui.confirm(question, command)
    }

    fn tell(&self, outcome: Outcome) {
        let done = self.ui.style.good("Done.");
        let undo = format!("`{}`", self.undo);
        self.ui.out(&match outcome {
            Outcome::Repaired { id } => format!(
                "{done} Every change was read back. It is kept as {id}; {undo} takes it back.\n\
                 Next: start Windows and search for updates. The first search takes longer than usual.\n"
            ),
            Outcome::Finished { id } => {
                format!("{done} {id} is complete, and every change was read back. {undo} takes it back.\n")
            }
            Outcome::UndoFinished { id } => format!("{done} {id} is complete.\n"),
            Outcome::TakenBack { id, conflicts } => {
                let but = match conflicts {
                    0 => String::new(),
                    n => format!(", except {n} that somebody has changed since (undo --force {id} overwrites them)"),
                };
                format!("{done} {id} has been taken back{but}; every change was read back.\n")
            }
            Outcome::NothingToDo { hint: true } => {
                "Nothing to do; nothing was written. If updating still fails, --reset resets the update components.\n"
                    .into()
            }
            Outcome::NothingToDo { hint: false } => "Nothing to do; nothing was written.\n".into(),
            Outcome::NothingToTakeBack => "Nothing to take back; nothing was written.\n".into(),
        });
    }
}

/// A conflict in words.
pub(super) fn conflict_line(conflict: &Conflict) -> String {
    format!(
        "Conflict: {} was changed since the repair (found {}, the repair left {}); left alone.",
        conflict.place, conflict.found, conflict.expected
    )
}
