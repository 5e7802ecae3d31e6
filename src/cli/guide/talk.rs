//! How the guide shows a plan, asks, and remembers how it went.

use std::cell::{Cell, RefCell};

use crate::error::Result;
use crate::plan::Purpose;
use crate::ui::{render_plan, whole};

use super::super::talk::{conflict_line, Outcome, Proposal, Talk};
use super::screen::{Choice, Screen};
use super::words;

/// The guide, while something is being changed.
pub(super) struct Guided<'a> {
    screen: Screen<'a>,
    /// The command that takes it back.
    undo: String,
    /// Whether something is taken back.
    is_undo: Cell<bool>,
    plain: RefCell<String>,
    exact: RefCell<String>,
    /// How it went.
    pub outcome: RefCell<Option<Outcome>>,
}

impl<'a> Guided<'a> {
    pub(super) fn new(screen: Screen<'a>, undo: String) -> Self {
        Guided {
            screen,
            undo,
            is_undo: Cell::default(),
            plain: RefCell::default(),
            exact: RefCell::default(),
            outcome: RefCell::default(),
        }
    }
}

impl Talk for Guided<'_> {
    fn propose(&self, proposal: &Proposal<'_>) {
        let mut plain = words::plain(proposal.plan);
        for conflict in proposal.conflicts {
            plain.push_str(&format!("{}\n", conflict_line(conflict)));
        }
        for line in proposal.left {
            plain.push_str(&format!("Not mended: {line}\n"));
        }
        *self.plain.borrow_mut() = plain;
        *self.exact.borrow_mut() = render_plan(self.screen.ui.style, proposal.plan);
        self.is_undo.set(matches!(proposal.plan.purpose, Purpose::Undo(_)));
    }

    fn agree(&self, _: &str, _: &str) -> Result<bool> {
        let screen = self.screen;
        screen.heading(if self.is_undo.get() { "What would be taken back" } else { "What would be changed" });
        if !screen.long(&self.plain.borrow())? {
            return Ok(false);
        }
        let back = match self.is_undo.get() {
            true => "If you want the repair again later, start coldmend again.\n".into(),
            false => format!(
                "You can take all of it back: start coldmend again and choose undo, or type\n  {}\n",
                whole(&self.undo)
            ),
        };
        screen.ui.prose(&format!(
            "\nBefore that, the registry is copied into the folder “coldmend” on that volume. {back}\n"
        ));
        let question = "Type yes to make these changes, more to read each of them, or just press Enter to leave \
                        everything as it is.";
        loop {
            match screen.choose(&Choice { question, words: &["yes", "more"], enter: None })? {
                Some("yes") => return Ok(true),
                Some(_) => {
                    screen.long(&self.exact.borrow())?;
                    screen.ui.out("\n");
                }
                None => return Ok(false),
            }
        }
    }

    fn tell(&self, outcome: Outcome) {
        *self.outcome.borrow_mut() = Some(outcome);
    }
}
