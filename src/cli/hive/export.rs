//! `coldmend hive export`: a key and everything under it as a `.reg` file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::error::{Context as _, Failure, Kind, Result};
use crate::regfile::{self, Naming};
use crate::ui::Ui;

use super::{engine, key, open, resolve, HiveArguments, Status};

/// Arguments of `hive export`.
#[derive(Args, Debug)]
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
    let (file, hive) = open(ui, &arguments.hive)?;
    let path = resolve(&hive, &arguments.key)?;
    let key = key(&hive, &path)?;
    // The hive's own spelling of the path.
    let path = key.path().unwrap_or(path);
    let naming = arguments.prefix.clone().map_or(Naming::FromRoot, Naming::Prefix);
    let text = regfile::export(&key, &path, &naming).map_err(engine("exporting"))?;
    write(ui, arguments.output.as_deref(), &text)?;
    ui.json(&json!({
        "schema": "coldmend.hive-export/1", "tool": env!("CARGO_PKG_VERSION"), "path": file.shown, "key": path,
        "output": arguments.output.as_ref().map(|o| o.display().to_string()),
        "reg": arguments.output.is_none().then_some(&text),
    }))?;
    Ok(0)
}

/// Writes `.reg` text to a new file, or to stdout.
pub(super) fn write(ui: &Ui, output: Option<&Path>, text: &str) -> Result<()> {
    let Some(output) = output else {
        ui.raw(text);
        return Ok(());
    };
    let write = || -> std::io::Result<()> {
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(output)?;
        out.write_all(&regfile::encode(text))
    };
    write()
        .map_err(|e| Failure::from_error(Kind::Refused, e).hint("Name a file that is not there yet."))
        .doing(|| format!("writing {}", output.display()))
}
