//! `coldmend hive export`: a key and everything under it as a `.reg` file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::regfile::{self, Naming};
use crate::ui::Ui;

use super::{key, open, output, resolve, HiveArguments, Status};

/// Arguments of `hive export`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    coldmend hive export SYSTEM > system.reg\n  \
    coldmend hive export SYSTEM 'CurrentControlSet\\Services\\BITS' --output bits.reg\n  \
    coldmend hive export SOFTWARE --prefix 'HKEY_LOCAL_MACHINE\\SOFTWARE' --output software.reg")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// The key, from the hive's root; everything if it is left out
    #[arg(value_name = "KEY", default_value = "")]
    key: String,
    /// Write into this new file, in UTF-16 as regedit does, instead of to stdout in UTF-8
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to put before the hive's root in key names, such as HKEY_LOCAL_MACHINE\SYSTEM
    #[arg(long, value_name = "KEY")]
    prefix: Option<String>,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let opened = open(ui, &arguments.hive.hive)?;
    let path = resolve(&opened.hive, &arguments.key)?;
    let key = key(&opened.hive, &path)?;
    // The hive's own spelling of the path.
    let path = key.path().unwrap_or(path);
    let naming = arguments.prefix.clone().map_or(Naming::FromRoot, Naming::Prefix);
    let written =
        output::reg(ui, arguments.output.as_deref(), "exporting", |out| regfile::export(out, &key, &path, &naming))?;
    ui.json(&json!({
        "schema": "coldmend.hive-export/1", "tool": env!("CARGO_PKG_VERSION"), "path": opened.file.shown, "key": path,
        "output": arguments.output.as_ref().map(|o| o.display().to_string()),
        "reg": written.text,
    }))?;
    Ok(0)
}
