//! `coldmend hive diff`: what makes the second hive out of the first, as `.reg`; exit status 1 when there is something.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::regfile::{self, Naming};
use crate::ui::Ui;

use super::{engine, open, HiveArguments, Status};

/// Arguments of `hive diff`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// The first hive file
    #[arg(value_name = "HIVE")]
    before: PathBuf,
    /// The second hive file
    #[arg(value_name = "HIVE")]
    after: PathBuf,
    /// Write into this new file, in UTF-16 as regedit does, instead of to stdout in UTF-8
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to put before the hives' root in key names, such as HKEY_LOCAL_MACHINE\SYSTEM
    #[arg(long, value_name = "KEY")]
    prefix: Option<String>,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let (before_file, before) = open(ui, &HiveArguments { hive: arguments.before.clone() })?;
    let (after_file, after) = open(ui, &HiveArguments { hive: arguments.after.clone() })?;
    let naming = arguments.prefix.clone().map_or(Naming::FromRoot, Naming::Prefix);
    let doing = engine("comparing");
    let text =
        regfile::diff(&before.root().map_err(&doing)?, &after.root().map_err(&doing)?, &naming).map_err(&doing)?;
    if let Some(text) = &text {
        super::export::write(ui, arguments.output.as_deref(), text)?;
    }
    ui.json(&json!({
        "schema": "coldmend.hive-diff/1", "tool": env!("CARGO_PKG_VERSION"),
        "before": before_file.shown, "after": after_file.shown,
        "different": text.is_some(), "reg": text,
    }))?;
    Ok(u8::from(text.is_some()))
}
