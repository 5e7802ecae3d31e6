//! `coldmend service list|show|set`: start types and security descriptors of services, of any service.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::checks::Context;
use crate::error::{Failure, Kind, Result};
use crate::evidence::hive_failure;
use crate::knowledge::StartType;
use crate::plan::{Action, Change, HiveName, Purpose, RegValue};
use crate::remedies::{descriptor_changes, finish};
use crate::safety;
use crate::safety::rights::Access;
use crate::security::{known_wrong_on, Descriptor};
use crate::transaction;
use crate::ui::{render_plan, Ui};
use crate::volume::escape::escape_text;
use crate::volume::{Overlay, Volume};

use super::report::{Reporter, TargetReport};
use super::{context, StateArguments, Status, TargetArguments};

/// `service …`.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// List the services with their start types
    List(List),
    /// Show one service: start type, account, program, descriptor
    Show(Show),
    /// Set a service's start type or descriptor
    Set(Set),
}

/// Arguments of `service list`.
#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    target: TargetArguments,
    /// List every service and driver, not only those that updating needs
    #[arg(long)]
    all: bool,
}

/// Arguments of `service show`.
#[derive(Args, Debug)]
pub(super) struct Show {
    #[command(flatten)]
    target: TargetArguments,
    /// The service's name
    #[arg(value_name = "SERVICE")]
    service: String,
}

/// Arguments of `service set`.
#[derive(Args, Debug)]
pub(super) struct Set {
    #[command(flatten)]
    target: TargetArguments,
    /// The service's name
    #[arg(value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    state: StateArguments,
    /// The start type
    #[arg(long, value_enum, value_name = "TYPE", required_unless_present = "sddl")]
    start: Option<Start>,
    /// The security descriptor, in SDDL; parts that are left out stay as they are
    #[arg(long, value_name = "SDDL")]
    sddl: Option<String>,
    /// Run everything on an overlay in memory; nothing is written
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

/// A start type as `sc config` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Start {
    /// Started by the boot loader (drivers)
    Boot,
    /// Started by the kernel (drivers)
    System,
    /// Started with Windows
    Auto,
    /// Started some time after Windows
    DelayedAuto,
    /// Started on demand, or by a trigger
    Demand,
    /// Not started
    Disabled,
}

impl Start {
    fn start_type(self) -> StartType {
        match self {
            Start::Boot => StartType::Boot,
            Start::System => StartType::System,
            Start::Auto | Start::DelayedAuto => StartType::Auto,
            Start::Demand => StartType::Demand,
            Start::Disabled => StartType::Disabled,
        }
    }
}

pub(super) fn run(ui: &Ui, command: &Command) -> Status {
    match command {
        Command::List(arguments) => list(ui, arguments),
        Command::Show(arguments) => show(ui, arguments),
        Command::Set(arguments) => set(ui, arguments),
    }
}

fn start_word(context: &Context<'_>, key: &str) -> Result<(Option<u32>, bool, String)> {
    let start = context.dword(key, "Start")?;
    let delayed = context.dword(key, "DelayedAutoStart")?.unwrap_or(0) != 0;
    let word = match start.and_then(StartType::from_value) {
        Some(StartType::Auto) if delayed => "2 (automatic, delayed)".to_string(),
        Some(start) => start.to_string(),
        None => start.map_or_else(|| "none".into(), |n| n.to_string()),
    };
    Ok((start, delayed, word))
}

fn list(ui: &Ui, arguments: &List) -> Status {
    let target = context::target(&arguments.target, Access::Look)?;
    let state = crate::transaction::StateDir::on_target(&target.volume);
    let installation = context::installation(&target.volume, &target, &state, None)?;
    let context = Context::new(&target.volume, &installation)?;
    let root = format!("{}\\Services", installation.version.control_set);
    let mut names: Vec<String> = if arguments.all {
        context.system.subkeys(&root).map_err(|e| hive_failure(HiveName::System, e))?
    } else {
        context.services().filter(|s| s.key.starts_with(&root)).map(|s| s.name.clone()).collect()
    };
    if arguments.all {
        names.sort_by_key(|n| n.to_lowercase());
    }
    let mut rows = Vec::new();
    for name in names {
        let key = format!("{root}\\{name}");
        let (start, delayed, word) = start_word(&context, &key)?;
        if start.is_none() && arguments.all {
            // Keys without a start type belong to services that only register something.
            continue;
        }
        let image = context.value(&key, "ImagePath")?.and_then(|v| v.as_text());
        let shown = escape_text(image.as_deref().unwrap_or("").as_ref());
        ui.out(&format!("{:<28} {:<24} {shown}\n", escape_text(name.as_ref()), word));
        rows.push(json!({"name": name, "start": start, "delayed": delayed, "image_path": image}));
    }
    ui.json(&json!({
        "schema": "coldmend.services/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "target": TargetReport::of(&target),
        "windows": installation.version,
        "services": rows,
    }))?;
    Ok(0)
}

fn show(ui: &Ui, arguments: &Show) -> Status {
    let target = context::target(&arguments.target, Access::Look)?;
    let state = crate::transaction::StateDir::on_target(&target.volume);
    let installation = context::installation(&target.volume, &target, &state, None)?;
    let context = Context::new(&target.volume, &installation)?;
    let name = &arguments.service;
    let key = format!("{}\\Services\\{name}", installation.version.control_set);
    if !context.system.key_exists(&key).map_err(|e| hive_failure(HiveName::System, e))? {
        return Err(unknown_service(name));
    }
    let (start, delayed, word) = start_word(&context, &key)?;
    let text = |value: &str| -> Result<Option<String>> { Ok(context.value(&key, value)?.and_then(|v| v.as_text())) };
    let raw = context.value(&format!("{key}\\Security"), "Security")?;
    let descriptor = raw.as_ref().map(|v| Descriptor::parse(&v.data));
    let shown = match (&raw, &descriptor) {
        (None, _) => "absent (Windows uses its built-in one)".to_string(),
        (_, Some(Ok(d))) => d.to_sddl(),
        (Some(raw), _) => format!("not a descriptor: {raw}"),
    };
    let warning = descriptor
        .as_ref()
        .and_then(|d| d.as_ref().ok())
        .and_then(|d| known_wrong_on(name, installation.version.build, d));
    let list = |value: &str| -> Result<Vec<String>> {
        Ok(context.value(&key, value)?.and_then(|v| v.as_list()).unwrap_or_default())
    };
    let (image, account) = (text("ImagePath")?, text("ObjectName")?);
    let (depends, privileges) = (list("DependOnService")?, list("RequiredPrivileges")?);
    ui.out(&format!(
        "{}\n  key          SYSTEM\\{key}\n  start        {word}\n  program      {}\n  account      {}\n  depends on   {}\n  privileges   {}\n  descriptor   {shown}\n",
        ui.style.bold(name),
        escape_text(image.as_deref().unwrap_or("absent").as_ref()),
        escape_text(account.as_deref().unwrap_or("absent").as_ref()),
        escape_text(depends.join(", ").as_ref()),
        escape_text(privileges.join(", ").as_ref()),
    ));
    if let Some(warning) = &warning {
        ui.out(&format!("  mind         {warning}\n"));
    }
    ui.json(&json!({
        "schema": "coldmend.service/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "target": TargetReport::of(&target),
        "windows": installation.version,
        "service": {
            "name": name, "key": format!("SYSTEM\\{key}"), "start": start, "delayed": delayed,
            "image_path": image, "account": account, "depends_on": depends, "privileges": privileges,
            "descriptor": descriptor.and_then(|d| d.ok()).map(|d| d.to_sddl()), "warning": warning,
        },
    }))?;
    Ok(0)
}

fn unknown_service(name: &str) -> Failure {
    Failure::usage(format!("there is no service {name:?} in this installation"))
        .hint("`coldmend service list --all TARGET` shows the names.")
}

fn set(ui: &Ui, arguments: &Set) -> Status {
    if arguments.service.is_empty() || arguments.service.contains('\\') {
        return Err(Failure::usage(format!("{:?} is not a service's name", arguments.service)));
    }
    let given = arguments
        .sddl
        .as_ref()
        .map(|text| Descriptor::from_sddl(text).map_err(|e| Failure::usage(format!("--sddl: {e}"))))
        .transpose()?;
    let target = context::target(&arguments.target, context::access(arguments.dry_run))?;
    let elsewhere = context::state_volume(&arguments.state, &target)?;
    let overlays =
        arguments.dry_run.then(|| (Overlay::new(&target.volume), elsewhere.as_ref().map(|v| Overlay::new(v))));
    let (volume, state_volume): (&dyn Volume, Option<&dyn Volume>) = match &overlays {
        Some((target, state)) => (target, state.as_ref().map(|s| s as &dyn Volume)),
        None => (&target.volume, elsewhere.as_ref().map(|v| v as &dyn Volume)),
    };
    let state = context::state_dir(volume, state_volume, &arguments.state, &target)?;
    let records = state.records()?;
    if let Some(record) = context::unfinished(&records) {
        return Err(Failure::refused(format!("{} was interrupted", record.id))
            .hint("Run `coldmend repair` to finish it, or `coldmend undo` to take it back, first."));
    }
    let installation = context::installation(volume, &target, &state, None)?;
    if !arguments.dry_run {
        safety::refuse_unsafe(&target.volume, &installation)?;
    }
    let checks = Context::new(volume, &installation)?;
    let mut changes = Vec::new();
    let mut warnings = Vec::new();
    if let Some(start) = arguments.start {
        changes.extend(start_changes(&checks, &arguments.service, start)?);
    }
    if let Some(descriptor) = &given {
        let (more, said) = descriptor_changes(&checks, &arguments.service, descriptor)?;
        changes.extend(more);
        warnings.extend(said);
    }
    let actions = changes.into_iter().map(|change| Action { remedy: "service-set".into(), change }).collect();
    let plan = finish(volume, &installation, Purpose::ServiceSet, actions, warnings);
    let reporter = Reporter { ui, target: &target, state: &state };
    let report = |id, state_word| reporter.print(&installation, &plan, &[], id, state_word);
    if plan.actions.is_empty() {
        ui.out("Nothing to do; nothing was written.\n");
        report(None, "nothing-to-do")?;
        return Ok(0);
    }
    ui.out(&format!("{}\n", render_plan(ui.style, &plan)));
    if !arguments.dry_run && !arguments.yes && !ui.confirm("Make these changes?", "service set")? {
        return Err(Failure::new(Kind::Interrupted, "not agreed; nothing was written"));
    }
    let applied = transaction::apply(volume, &state, &plan)?;
    if arguments.dry_run {
        ui.out("Dry run: all of this was done and verified in memory, and thrown away. Nothing was written.\n");
        report(None, "planned")?;
        return Ok(0);
    }
    ui.out(&format!(
        "{} It is kept as {}; `coldmend undo{} {}` takes it back.\n",
        ui.style.good("Done."),
        applied.id,
        arguments.state.again(),
        target.given.display()
    ));
    report(Some(&applied.id), "done")?;
    Ok(0)
}

fn start_changes(context: &Context<'_>, name: &str, start: Start) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut found = false;
    let hive = HiveName::System;
    for set in &context.installation.control_sets {
        let key = format!("{}\\Services\\{name}", set.key);
        if !context.system.key_exists(&key).map_err(|e| hive_failure(hive, e))? {
            continue;
        }
        found = true;
        let before = context.value(&key, "Start")?;
        let after = RegValue::dword(start.start_type().value());
        if before.as_ref() != Some(&after) {
            changes.push(Change::SetValue { hive, key: key.clone(), name: "Start".into(), before, after });
        }
        let delayed = "DelayedAutoStart".to_string();
        let before = context.value(&key, &delayed)?;
        let is = before.as_ref().and_then(RegValue::as_dword).unwrap_or(0) != 0;
        match (start, is) {
            (Start::DelayedAuto, false) => {
                changes.push(Change::SetValue { hive, key, name: delayed, before, after: RegValue::dword(1) })
            }
            (Start::Auto, true) => {
                changes.push(Change::SetValue { hive, key, name: delayed, before, after: RegValue::dword(0) })
            }
            _ => {}
        }
    }
    if found {
        Ok(changes)
    } else {
        Err(unknown_service(name))
    }
}
