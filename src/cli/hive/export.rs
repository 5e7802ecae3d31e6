//! `coldmend hive export`: a key and everything under it as a `.reg` file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::hivefile::HiveOnDisk;
use crate::regfile::{self, Naming};
use crate::ui::Ui;

use super::{key, output, resolve, say_how, HiveArguments, Status};

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
    let file = HiveOnDisk::find(&arguments.hive.hive)?;
    let (read, is_unchecked) = file.open_unchecked(file.read()?)?;
    say_how(ui, &file, &read);
    let judge = || if is_unchecked { file.judge(&read.hive) } else { Ok(()) };
    // What is wrong with a damaged hive matters more than that a key was not found in it.
    let found = resolve(&read.hive, &arguments.key).and_then(|path| Ok((key(&read.hive, &path)?, path)));
    let (key, path) = match found {
        Ok(found) => found,
        Err(failure) => return Err(judge().err().unwrap_or(failure)),
    };
    // The hive's own spelling of the path.
    let path = key.path().unwrap_or(path);
    let naming = arguments.prefix.clone().map_or(Naming::FromRoot, Naming::Prefix);
    let size = read.hive.bytes().len();
    let written = output::reg(ui, arguments.output.as_deref(), "exporting", size, &judge, |out| {
        regfile::export(out, &key, &path, &naming)
    })?;
    if written.left_out > 0 {
        ui.status(&format!(
            "{} keys or values were left out: the .reg format can't tell their names (backslashes, unpaired surrogates).",
            written.left_out
        ));
    }
    ui.json(&json!({
        "schema": "coldmend.hive-export/1", "tool": env!("CARGO_PKG_VERSION"), "path": file.shown, "key": path,
        "output": arguments.output.as_ref().map(|o| o.display().to_string()),
        "reg": written.text,
    }))?;
    Ok(0)
}
