//! `coldmend guide`, and `coldmend` alone on a terminal: leads somebody who is tired and afraid from the search for their
//! Windows to the mended one, a screen at a time, in plain words.
//!
//! It decides and writes nothing by itself: it calls `scan`, `diagnose`, `repair` and `undo`, and only talks differently
//! ([`Guided`]).

mod screen;
mod talk;
mod texts;
mod words;

use std::path::PathBuf;

use clap::Args;

use crate::error::{Failure, Kind, Result};
use crate::findings::Severity;
use crate::safety;
use crate::safety::rights::Access;
use crate::scan::{FoundWindows, ScannedVolume};
use crate::transaction::{Record, StateDir};
use crate::ui::{installation_line, render_diagnosis, volume_line, Format, Ui};
use crate::volume::Volume;

use super::diagnose::{self, Diagnosis};
use super::talk::Outcome;
use super::{context, repair, undo, StateArguments, Status, TargetArguments};
use screen::{Choice, Screen};
use talk::Guided;

/// Arguments of `guide`.
#[derive(Args, Debug, Default)]
pub(super) struct Arguments {
    /// A mounted Windows volume's root, or its Windows folder; every attached volume is looked at if it is left out
    #[arg(value_name = "TARGET")]
    target: Option<PathBuf>,
}

/// The user left, and nothing was changed.
const LEFT: u8 = 130;

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    if ui.format == Format::Json {
        return Err(Failure::usage("the guide talks with people, and --format json is for programs")
            .hint("Use scan, diagnose, repair and undo with --format json."));
    }
    if !Ui::can_ask() {
        return Err(Failure::refused("the guide asks before each step, and there is no terminal to ask on")
            .hint("Use `coldmend scan` and `coldmend diagnose TARGET`; neither asks nor writes."));
    }
    let screen = Screen { ui };
    screen.heading("coldmend");
    screen.say(texts::WELCOME);
    let targets: Vec<PathBuf> = arguments.target.iter().cloned().collect();
    let volumes = super::scan::look(ui, &targets)?;
    let found: Vec<(&ScannedVolume, &FoundWindows)> = volumes
        .iter()
        .flat_map(|v| v.installations.iter().map(move |i| (v, i)))
        .filter(|(_, i)| i.command.is_some())
        .collect();
    let chosen = match found.as_slice() {
        [] => return none_found(screen, &volumes),
        [(volume, only)] => {
            screen.say(&format!("Found: {}\non {}", installation_line(only), volume_line(volume)));
            mention_locked(screen, &volumes);
            *only
        }
        several => match choose(screen, several, &volumes)? {
            Some(chosen) => chosen,
            None => return Ok(left(screen)),
        },
    };
    Job { screen, found: chosen }.run()
}

/// Says goodbye without a change.
fn left(screen: Screen<'_>) -> u8 {
    screen.say(texts::LEFT);
    LEFT
}

fn choose<'v>(
    screen: Screen<'_>,
    several: &[(&ScannedVolume, &'v FoundWindows)],
    volumes: &[ScannedVolume],
) -> Result<Option<&'v FoundWindows>> {
    let mut list = format!("There are {} Windows installations:\n\n", several.len());
    for (number, (volume, found)) in several.iter().enumerate() {
        let states: Vec<&str> = found.states.iter().map(|s| s.what.as_str()).collect();
        list.push_str(&format!(
            "  {}. {}, on {}\n     {}\n",
            number + 1,
            installation_line(found),
            volume_line(volume),
            states.join("; ")
        ));
    }
    // Enough was read to choose, even if the rest was not.
    screen.long(&list)?;
    screen.ui.out("\n");
    mention_locked(screen, volumes);
    let numbers: Vec<String> = (1..=several.len()).map(|n| n.to_string()).collect();
    let words: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let question = "Type the number of the one to look at, or just press Enter to leave. Looking changes nothing.";
    let answer = screen.choose(&Choice { question, words: &words, enter: None })?;
    let index = answer.and_then(|a| words.iter().position(|w| *w == a));
    Ok(index.and_then(|i| several.get(i)).map(|(_, found)| *found))
}

/// The right one may be on a volume that is locked.
fn mention_locked(screen: Screen<'_>, volumes: &[ScannedVolume]) {
    let locked = texts::locked_volumes(volumes);
    if !locked.is_empty() {
        screen.ui.out(&format!("{locked}\n"));
    }
}

fn none_found(screen: Screen<'_>, volumes: &[ScannedVolume]) -> Status {
    screen.heading("No Windows was found");
    if !volumes.is_empty() && !screen.long(&texts::what_was_seen(volumes))? {
        return Ok(Kind::Unreadable.exit_status());
    }
    screen.ui.out(&texts::what_to_do_without_windows());
    Ok(Kind::Unreadable.exit_status())
}

/// The repair that `undo` would take back, if it is one of this installation.
fn earlier(diagnosis: &Diagnosis) -> Option<&Record> {
    let is_of_this =
        |r: &&Record| r.plan.as_ref().is_some_and(|p| p.binding.windows.same_place(&diagnosis.installation.windows));
    undo::last_standing(&diagnosis.records).filter(is_of_this)
}

/// One installation.
struct Job<'a> {
    screen: Screen<'a>,
    found: &'a FoundWindows,
}

/// What the user chose to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Repair,
    Reset,
    Undo,
    Leave,
}

impl Job<'_> {
    fn target(&self) -> TargetArguments {
        TargetArguments { target: self.found.target.clone(), windows: self.found.chosen.clone(), partition: None }
    }

    /// A command line for this installation.
    fn command(&self, command: &str) -> String {
        self.target().command(command)
    }

    fn run(&self) -> Status {
        let (diagnosis, refusal) = self.look()?;
        let nothing_wrong = !diagnosis.findings.any_alarm();
        let step = match (diagnosis.unfinished(), refusal) {
            (_, Some(refusal)) if !nothing_wrong => {
                if self.show_wrong(&diagnosis, false)? {
                    self.screen.heading("It can't be mended as it is");
                    self.screen.say(&texts::refusal(&refusal));
                }
                return Ok(refusal.kind.exit_status());
            }
            (Some(record), _) => self.unfinished(record)?,
            (None, _) if nothing_wrong => self.nothing_wrong(&diagnosis)?,
            (None, _) => self.wrong(&diagnosis)?,
        };
        match step {
            Step::Leave if nothing_wrong => {
                self.screen.say(texts::LEFT);
                Ok(0)
            }
            Step::Leave => Ok(left(self.screen)),
            step => self.change(step),
        }
    }

    /// Diagnoses, and asks whether a repair would be refused.
    fn look(&self) -> Result<(Diagnosis, Option<Failure>)> {
        let target = context::target(&self.target(), Access::Look)?;
        let arguments = StateArguments::default();
        let elsewhere = context::state_volume(&arguments, &target)?;
        let elsewhere = elsewhere.as_ref().map(|v| v as &dyn Volume);
        let state: StateDir<'_> = context::state_dir(&target.volume, elsewhere, &arguments, &target)?;
        let diagnosis = diagnose::look(self.screen.ui, &target, &state)?;
        let refusal = safety::refuse_unsafe(&target.volume, &diagnosis.installation).err();
        Ok((diagnosis, refusal))
    }

    /// The list of what is wrong. Returns whether the user reads on.
    fn show_wrong(&self, diagnosis: &Diagnosis, numbered: bool) -> Result<bool> {
        self.screen.heading("What is wrong");
        let list = texts::findings(diagnosis, numbered);
        let reads_on = self.screen.long(&list)?;
        self.screen.ui.out("\n");
        let elsewhere = texts::elsewhere(diagnosis);
        if reads_on && numbered && !elsewhere.is_empty() {
            let reads_on = self.screen.long(&elsewhere)?;
            self.screen.ui.out("\n");
            return Ok(reads_on);
        }
        Ok(reads_on)
    }

    fn more(&self, diagnosis: &Diagnosis) -> Result<()> {
        let text = render_diagnosis(self.screen.ui.style, &diagnosis.shown(""));
        self.screen.long(&text)?;
        self.screen.ui.out("\n");
        Ok(())
    }

    fn wrong(&self, diagnosis: &Diagnosis) -> Result<Step> {
        if !self.show_wrong(diagnosis, true)? {
            return Ok(Step::Leave);
        }
        let mendable = diagnosis.findings.findings.iter().any(|f| f.severity != Severity::Note && f.remedy.is_some());
        let earlier = earlier(diagnosis);
        let first = if mendable {
            "Press Enter to see what would be changed; nothing is changed yet."
        } else {
            "coldmend changes nothing about this. Press Enter to leave."
        };
        let undo = texts::or_undo(earlier);
        let question = format!("{first} Type more to see what exactly was found{undo}, or q to leave.");
        let words: Vec<&str> = std::iter::once("more").chain(earlier.map(|_| "undo")).collect();
        let choice = Choice { question: &question, words: &words, enter: mendable.then_some("go on") };
        Ok(match self.ask(diagnosis, &choice)? {
            Some("undo") => Step::Undo,
            Some(_) => Step::Repair,
            None => Step::Leave,
        })
    }

    /// Asks, and shows the evidence as often as it is wanted.
    fn ask<'w>(&self, diagnosis: &Diagnosis, choice: &Choice<'w>) -> Result<Option<&'w str>> {
        loop {
            match self.screen.choose(choice)? {
                Some("more") => self.more(diagnosis)?,
                other => return Ok(other),
            }
        }
    }

    fn nothing_wrong(&self, diagnosis: &Diagnosis) -> Result<Step> {
        self.screen.heading("Nothing wrong was found");
        self.screen.say(&texts::nothing_wrong(diagnosis));
        let earlier = earlier(diagnosis);
        let question = format!(
            "Type reset to see what the reset would change{}, more to see what was looked at, or just press Enter to leave.",
            texts::or_undo(earlier)
        );
        let words: Vec<&str> = ["reset", "more"].into_iter().chain(earlier.map(|_| "undo")).collect();
        Ok(match self.ask(diagnosis, &Choice { question: &question, words: &words, enter: None })? {
            Some("undo") => Step::Undo,
            Some(_) => Step::Reset,
            None => Step::Leave,
        })
    }

    fn unfinished(&self, record: &Record) -> Result<Step> {
        self.screen.heading("An earlier run was interrupted");
        self.screen.say(&texts::unfinished(record));
        let is_undo = record.undoes().is_some();
        let (question, words): (&str, &[&str]) = if is_undo {
            ("Type finish to see how taking it back would be finished, or just press Enter to leave.", &["finish"])
        } else {
            (
                "Type finish to see how it would be finished, undo to see how it would be taken back, or just press Enter to leave.",
                &["finish", "undo"],
            )
        };
        Ok(match self.screen.choose(&Choice { question, words, enter: None })? {
            Some("finish") if is_undo => Step::Undo,
            Some("finish") => Step::Repair,
            Some(_) => Step::Undo,
            None => Step::Leave,
        })
    }

    /// Runs `repair` or `undo`, with the guide talking.
    fn change(&self, step: Step) -> Status {
        let ui = self.screen.ui;
        let talk = Guided::new(self.screen, self.command("undo"));
        let result = match step {
            Step::Undo => undo::run_with(ui, &undo::Arguments::asking(self.target()), &talk),
            _ => repair::run_with(ui, &repair::Arguments::asking(self.target(), step == Step::Reset), &talk),
        };
        match result {
            Ok(status) => {
                self.done(talk.outcome.take())?;
                Ok(status)
            }
            Err(failure) if failure.kind == Kind::Interrupted => Ok(left(self.screen)),
            Err(failure) if failure.kind == Kind::Refused => {
                self.screen.heading("It can't be done as it is");
                self.screen.say(&texts::refusal(&failure));
                Ok(failure.kind.exit_status())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Looks once more after a change, and says what comes next.
    fn done(&self, outcome: Option<Outcome>) -> Result<()> {
        let Some(outcome) = outcome else { return Ok(()) };
        if matches!(outcome, Outcome::NothingToDo { .. } | Outcome::NothingToTakeBack) {
            self.screen.say("There is nothing to change; nothing was written.");
            return Ok(());
        }
        let again = self.look().ok().map(|(diagnosis, _)| texts::looked_again(&diagnosis));
        self.screen.heading("Done");
        self.screen.ui.prose(&texts::done(&outcome, again.as_deref(), &self.command("undo"), &self.found.target));
        Ok(())
    }
}
