//! `coldmend repair`: diagnose, show the plan, ask, apply, verify.

use std::path::PathBuf;

use clap::Args;

use crate::checks;
use crate::error::{Context, Failure, Kind, Result};
use crate::evidence::Installation;
use crate::findings::{Findings, Severity};
use crate::plan::{Plan, Purpose};
use crate::remedies::{self, Options};
use crate::safety;
use crate::target::Target;
use crate::transaction::{self, check_binding, parse_plan, Record, StateDir};
use crate::ui::{self, Ui};
use crate::volume::{HostVolume, Overlay, Volume};

use super::new_file::new_file;
use super::report::Reporter;
use super::report_file::ReportArguments;
use super::talk::{not_agreed, Outcome, Plain, Proposal, Talk};
use super::{context, StateArguments, Status, TargetArguments};

/// Arguments of `repair`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    state: StateArguments,
    /// Run everything, verification included, on an overlay in memory; nothing is written
    #[arg(long)]
    dry_run: bool,
    /// Take a hive that was not closed cleanly as it is when its logs can't be replayed; what they held is lost
    #[arg(long)]
    force_dirty_hive: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Use only these remedies
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these remedies out
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    skip: Vec<String>,
    /// Run these remedies too, whether something asks for them or not
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    with: Vec<String>,
    /// Reset the update components completely: start types and the three caches
    #[arg(long)]
    reset: bool,
    /// Write the plan to a file, and stop
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "plan"])]
    save_plan: Option<PathBuf>,
    /// Apply a plan that was saved, instead of making one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "skip", "with", "reset", "keep_history", "sddl"])]
    plan: Option<PathBuf>,
    #[command(flatten)]
    report: ReportArguments,
    /// update-cache: move only Download aside, and keep the update history in DataStore
    #[arg(long)]
    keep_history: bool,
    /// services-security: give a service this descriptor, in SDDL
    #[arg(long, value_name = "SERVICE=SDDL")]
    sddl: Vec<String>,
}

impl Arguments {
    /// A choice of remedies or plans has no meaning for a repair that is only finished: refused rather than ignored.
    fn refuse_choices(&self, record: &Record) -> Result<()> {
        let lists = [&self.only, &self.skip, &self.with, &self.sddl];
        let chosen = self.plan.is_some()
            || self.save_plan.is_some()
            || self.reset
            || self.keep_history
            || lists.iter().any(|l| !l.is_empty());
        if !chosen {
            return Ok(());
        }
        Err(Failure::refused(format!("{} is unfinished, and is finished as it was planned", record.id))
            .hint("Run `coldmend repair` without choosing remedies or plans to finish it, or `coldmend undo` to take it back; then repair anew."))
    }

    /// The arguments `repair --yes DIR`.
    pub(super) fn of(dir: &std::path::Path) -> Self {
        Arguments { yes: true, ..Self::asking(TargetArguments::of(dir), false) }
    }

    /// The arguments `repair TARGET`, with `--reset` or without.
    pub(super) fn asking(target: TargetArguments, reset: bool) -> Self {
        Arguments {
            target,
            state: StateArguments::default(),
            dry_run: false,
            force_dirty_hive: false,
            yes: false,
            only: Vec::new(),
            skip: Vec::new(),
            with: Vec::new(),
            reset,
            save_plan: None,
            report: ReportArguments::default(),
            plan: None,
            keep_history: false,
            sddl: Vec::new(),
        }
    }
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    run_with(ui, arguments, &Plain::new(ui, &arguments.target, &arguments.state))
}

/// The same, with somebody else talking.
pub(super) fn run_with(ui: &Ui, arguments: &Arguments, talk: &dyn Talk) -> Status {
    let options = Options::parse(
        &arguments.only,
        &arguments.skip,
        &arguments.with,
        arguments.reset,
        arguments.keep_history,
        &arguments.sddl,
    )?;
    let rehearse = arguments.dry_run || arguments.save_plan.is_some();
    let target = context::target(&arguments.target, context::access(rehearse))?;
    arguments.report.check(&target)?;
    let elsewhere = context::state_volume(&arguments.state, &target)?;
    // A dry run is the same run over storages that do not write.
    let overlays =
        rehearse.then(|| (Overlay::new(&target.volume), elsewhere.as_ref().map(|v: &HostVolume| Overlay::new(v))));
    let (volume, state_volume): (&dyn Volume, Option<&dyn Volume>) = match &overlays {
        Some((target, state)) => (target, state.as_ref().map(|s| s as &dyn Volume)),
        None => (&target.volume, elsewhere.as_ref().map(|v| v as &dyn Volume)),
    };
    let state = context::state_dir(volume, state_volume, &arguments.state, &target)?;
    let job = Job { ui, talk, arguments, target: &target, volume, state, rehearse };

    let records = job.state.records()?;
    if let Some(record) = context::unfinished(&records) {
        arguments.refuse_choices(record)?;
        return job.finish(record);
    }
    ui.progress("reading the hives");
    let installation = context::forced_installation(volume, &target, &job.state, None, arguments.force_dirty_hive)?;
    if !rehearse {
        safety::refuse_unsafe(&target.volume, &installation)?;
    }
    let (mut plan, left) = match &arguments.plan {
        Some(file) => {
            let plan = read_plan(file)?;
            check_binding(volume, &plan, &installation)?;
            (plan, Vec::new())
        }
        None => {
            ui.progress("checking");
            let progress = |what: &str| ui.progress(what);
            let context = checks::Context::new(volume, &installation)?.telling(&progress);
            let findings = checks::run(&context);
            let plan = remedies::plan(&context, &findings, &options)?;
            let left = unmended(&findings, &plan);
            (plan, left)
        }
    };
    if plan.actions.is_empty() {
        return job.nothing_to_do(&installation, &plan, &left);
    }
    if rehearse {
        if let Err(refusal) = safety::refuse_unsafe(&target.volume, &installation) {
            plan.warnings.push(format!("as things stand, the repair itself would be refused: {refusal}"));
        }
    }
    job.go(&installation, &plan, &left)
}

/// One run of `repair`.
struct Job<'a> {
    ui: &'a Ui,
    talk: &'a dyn Talk,
    arguments: &'a Arguments,
    target: &'a Target,
    volume: &'a dyn Volume,
    state: StateDir<'a>,
    rehearse: bool,
}

impl Job<'_> {
    fn go(&self, installation: &Installation, plan: &Plan, left: &[String]) -> Status {
        self.talk.propose(&Proposal { left, ..Proposal::of(plan) });
        if let Some(file) = &self.arguments.save_plan {
            save_plan(file, plan)?;
            self.ui.out(&format!(
                "The plan was written to {}; nothing was changed. Apply it with `coldmend repair --plan {} {}`.\n",
                file.display(),
                file.display(),
                self.target.given.display()
            ));
            self.report(installation, plan, None, "planned")?;
            return Ok(0);
        }
        self.agree("Make these changes?")?;
        self.ui.progress("writing");
        let applied = transaction::apply(self.volume, &self.state, plan)?;
        if self.rehearse {
            self.ui
                .out("Dry run: all of this was done and verified in memory, and thrown away. Nothing was written.\n");
            self.report(installation, plan, None, "planned")?;
            return Ok(0);
        }
        self.talk.tell(Outcome::Repaired { id: applied.id.clone() });
        self.report(installation, plan, Some(&applied.id), "done")?;
        Ok(0)
    }

    fn nothing_to_do(&self, installation: &Installation, plan: &Plan, left: &[String]) -> Status {
        self.talk.propose(&Proposal { left, ..Proposal::of(plan) });
        self.talk.tell(Outcome::NothingToDo { hint: left.is_empty() && !self.arguments.reset });
        self.report(installation, plan, None, "nothing-to-do")?;
        Ok(0)
    }

    /// Finishes an interrupted repair, after its plan was shown.
    fn finish(&self, record: &Record) -> Status {
        let Some(plan) = &record.plan else {
            return Err(transaction::no_plan(record));
        };
        if let Purpose::Undo(of) = &plan.purpose {
            return Err(Failure::refused(format!("{} was taking back {of} and was interrupted", record.id))
                .hint("Run `coldmend undo` to finish taking it back."));
        }
        let installation = context::installation(self.volume, self.target, &self.state, Some(record))?;
        check_binding(self.volume, plan, &installation)?;
        if !self.rehearse {
            safety::refuse_unsafe(&self.target.volume, &installation)?;
        }
        self.ui.status(&format!("{} was interrupted; it will be finished.", record.id));
        self.talk.propose(&Proposal::of(plan));
        self.agree("Finish these changes?")?;
        transaction::resume(self.volume, &self.state, record)?;
        if self.rehearse {
            self.ui
                .out("Dry run: the interrupted repair was finished in memory, and thrown away. Nothing was written.\n");
            self.report(&installation, plan, Some(&record.id), "unfinished")?;
            return Ok(0);
        }
        self.talk.tell(Outcome::Finished { id: record.id.clone() });
        self.report(&installation, plan, Some(&record.id), "done")?;
        Ok(0)
    }

    fn agree(&self, question: &str) -> Result<()> {
        if self.rehearse || self.arguments.yes || self.talk.agree(question, "repair")? {
            return Ok(());
        }
        Err(not_agreed())
    }

    fn report(&self, installation: &Installation, plan: &Plan, id: Option<&str>, state: &'static str) -> Result<()> {
        Reporter { ui: self.ui, target: self.target, state: &self.state }.print(installation, plan, &[], id, state)?;
        let given = self.target.given.display().to_string();
        let said = match (state, id) {
            ("done", Some(id)) => format!("Done and read back; `coldmend undo` takes {id} back."),
            ("nothing-to-do", _) => "Nothing to do: nothing was changed.".into(),
            _ => "Planned only: nothing was changed.".into(),
        };
        let page = |made: &str| {
            let about = ui::About { target: &given, version: &installation.version, made };
            ui::repair_page(&about, plan, &said)
        };
        if let Some(said) = self.arguments.report.write(page)? {
            self.ui.status(&said);
        }
        Ok(())
    }
}

/// Alarms that the plan does nothing about, and what could not be looked at.
fn unmended(findings: &Findings, plan: &Plan) -> Vec<String> {
    findings
        .findings
        .iter()
        .filter(|f| f.severity != Severity::Note)
        .filter(|f| f.remedy.is_none_or(|r| !plan.actions.iter().any(|a| a.remedy == r)))
        .map(|f| format!("{} — {}", f.subject, f.title))
        .chain(findings.could_not_check.iter().map(|c| format!("{} — could not be checked: {}", c.id, c.why)))
        .collect()
}

fn save_plan(file: &std::path::Path, plan: &Plan) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(plan).map_err(|e| Failure::from_error(Kind::Partial, e))?;
    json.push(b'\n');
    new_file(file, |out| out.write_all(&json).map_err(|e| Failure::from_error(Kind::Partial, e)))
        .doing(|| format!("writing the plan to {}", file.display()))
}

fn read_plan(file: &std::path::Path) -> Result<Plan> {
    use std::io::Read;
    /// Far more than any plan; a device would never end.
    const LIMIT: u64 = 64 << 20;
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|f| f.take(LIMIT).read_to_end(&mut bytes))
        .map_err(|e| Failure::from_error(Kind::Unreadable, e))
        .doing(|| format!("reading the plan {}", file.display()))?;
    parse_plan(&bytes).doing(|| format!("reading the plan {}", file.display()))
}
