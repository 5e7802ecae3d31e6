//! `coldmend hive …`: building blocks on a hive file, useful without the rest of the tool. One file per command.

mod check;
mod diff;
mod edit;
mod export;
mod info;
mod output;
mod read;
mod recover;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use coldmend_hives::{Hive, KeyRef};

use crate::error::{Failure, Kind, Result};
use crate::hivefile::{Contents, HiveOnDisk, ToRead};
use crate::ui::Ui;
use crate::volume::escape::escape_text;

use super::Status;

/// `hive …`.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Base block, version, sizes, clean or dirty and why, logs, keys and values
    Info(info::Arguments),
    /// The structural check: one line per fault; what Windows tolerates is a note
    Check(check::Arguments),
    /// Replay the logs beside a dirty hive, in place or into a new file
    Recover(recover::Arguments),
    /// List the subkeys and values of a key
    Ls(read::LsArguments),
    /// Show a value, or all values of a key
    Get(read::GetArguments),
    /// Set a value, or apply a .reg file
    Set(edit::SetArguments),
    /// Delete a value, or a key with everything under it
    Delete(edit::DeleteArguments),
    /// Write a key and everything under it as a .reg file
    Export(export::Arguments),
    /// Show what makes the second hive out of the first, as .reg
    Diff(diff::Arguments),
}

/// Which hive.
#[derive(Args, Debug)]
pub(in crate::cli) struct HiveArguments {
    /// A hive file; its logs are looked for beside it
    #[arg(value_name = "HIVE")]
    hive: PathBuf,
}

/// A hive to be written.
#[derive(Args, Debug)]
pub(in crate::cli) struct WriteArguments {
    /// Take a hive that was not closed cleanly as it is when its logs can't be replayed; what they held is lost
    #[arg(long)]
    force_dirty_hive: bool,
}

pub(super) fn run(ui: &Ui, command: &Command) -> Status {
    match command {
        Command::Info(arguments) => info::run(ui, arguments),
        Command::Check(arguments) => check::run(ui, arguments),
        Command::Recover(arguments) => recover::run(ui, arguments),
        Command::Ls(arguments) => read::ls(ui, arguments),
        Command::Get(arguments) => read::get(ui, arguments),
        Command::Set(arguments) => edit::set(ui, arguments),
        Command::Delete(arguments) => edit::delete(ui, arguments),
        Command::Export(arguments) => export::run(ui, arguments),
        Command::Diff(arguments) => diff::run(ui, arguments),
    }
}

/// A hive that is open for reading.
struct Opened {
    file: HiveOnDisk,
    hive: Hive,
}

/// Opens a hive for reading; a dirty one is recovered in memory and that is said.
fn open(ui: &Ui, hive: &Path) -> Result<Opened> {
    let file = HiveOnDisk::find(hive)?;
    let read = file.open(file.read()?, false)?;
    say_how(ui, &file, &read);
    Ok(Opened { hive: read.hive, file })
}

/// The failure for a file that has no base block.
fn no_hive(file: &HiveOnDisk, contents: &Contents) -> Failure {
    let found = match contents.bytes.get(..4) {
        None if contents.bytes.is_empty() => "it is empty".to_string(),
        None => format!("it has {} bytes", contents.bytes.len()),
        Some(start) => format!("it begins with {start:02x?} instead of \"regf\""),
    };
    Failure::unreadable(format!("{} is no registry hive: {found}", file.shown))
        .hint("Name a hive file. Those of a Windows are in Windows\\System32\\config, such as SYSTEM and SOFTWARE.")
}

/// A hive whose base block is lost: bins begin where they should. That is a hive with a fault, and not some other file.
fn is_headless(contents: &Contents) -> bool {
    contents.base().is_none() && contents.bytes.get(4096..4100) == Some(b"hbin")
}

/// Says what was done in memory to read a hive.
fn say_how(ui: &Ui, file: &HiveOnDisk, read: &ToRead) {
    if let Some(how) = &read.how {
        ui.status(&format!(
            "{} was {how}; that was done in memory only (`coldmend hive recover` writes it).",
            file.shown
        ));
    }
}

/// A failure of the engine while reading or editing.
fn engine(doing: &str) -> impl Fn(coldmend_hives::HiveError) -> Failure + '_ {
    move |error| {
        use coldmend_hives::HiveError as E;
        let kind = match error {
            E::KeyNotFound { .. } | E::ValueNotFound { .. } | E::Exists { .. } | E::InvalidName { .. } => Kind::Usage,
            E::Refused { .. } | E::TooLarge { .. } => Kind::Refused,
            _ => Kind::Unreadable,
        };
        Failure::from_error(kind, error).context(doing.to_string())
    }
}

/// The path with single backslashes between names, and `CurrentControlSet`, which does not exist in a file, through `Select`.
fn resolve(hive: &Hive, path: &str) -> Result<String> {
    // As a shell completes it, or a person ends a folder. Two spellings of a key must not pass for two keys.
    let path = path.split('\\').filter(|name| !name.is_empty()).collect::<Vec<_>>().join("\\");
    let (first, rest) = path.split_once('\\').unwrap_or((&path, ""));
    if !first.eq_ignore_ascii_case("CurrentControlSet")
        || hive.find_key(first).map_err(engine("looking for a key"))?.is_some()
    {
        return Ok(path);
    }
    let select = hive.find_key("Select").map_err(engine("reading Select"))?;
    let number = |name: &str| -> Option<u32> {
        let value = select.as_ref()?.value(name).ok()??;
        let data = value.data().ok()?;
        Some(u32::from_le_bytes(data.get(..4)?.try_into().ok()?))
    };
    let number = number("Default").or_else(|| number("Current")).ok_or_else(|| {
        Failure::usage("there is no CurrentControlSet in a file, and this hive has no Select key that names one")
    })?;
    let set = format!("ControlSet{number:03}");
    if hive.find_key(&set).map_err(engine("looking for a key"))?.is_none() {
        return Err(Failure::unreadable(format!("this hive's Select key names {set}, which is not there"))
            .hint("Name the control set itself, such as ControlSet001. `coldmend hive ls` shows which there are."));
    }
    Ok(if rest.is_empty() { set } else { format!("{set}\\{rest}") })
}

/// The key at `path`.
fn key<'h>(hive: &'h Hive, path: &str) -> Result<KeyRef<'h>> {
    hive.find_key(path).map_err(engine("looking for a key"))?.ok_or_else(|| {
        Failure::usage(format!("there is no key \"{}\"", escape_text(path.as_ref()))).hint(
            "Keys are paths from the hive's root, such as ControlSet001\\Services. `coldmend hive ls` shows what is there.",
        )
    })
}
