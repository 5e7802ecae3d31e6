//! `coldmend hive recover`: a dirty hive recovered from its logs, in place or into a new file; or an edit of ours that was
//! cut, put back.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::error::{Context as _, Failure, Kind};
use crate::hivefile::HiveOnDisk;
use crate::ui::Ui;

use super::{HiveArguments, Status, WriteArguments};

/// Arguments of `hive recover`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// Write the recovered hive into this new file, and leave the hive and its logs alone
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    write: WriteArguments,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let file = HiveOnDisk::read(&arguments.hive.hive)?;
    let (hive, _, recovery) = file.open(arguments.write.force_dirty_hive)?;
    let interrupted = file.interrupted()?;
    let how = match (&interrupted, &recovery) {
        (Some(_), _) => "an edit that was cut has been taken back".to_string(),
        (None, Some(recovery)) => recovery.how.clone(),
        (None, None) => "clean already".to_string(),
    };
    if let Some(output) = &arguments.output {
        let write = || -> std::io::Result<()> {
            let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(output)?;
            out.write_all(hive.bytes())?;
            out.sync_all()
        };
        write()
            .map_err(|e| Failure::from_error(Kind::Refused, e).hint("Name a file that is not there yet."))
            .doing(|| format!("writing the recovered hive to {}", output.display()))?;
        ui.out(&format!("{how}; the hive was written to {}.\n", output.display()));
    } else {
        match (&interrupted, &recovery) {
            (Some(copy), _) => file.put_back(copy)?,
            (None, Some(recovery)) => file.write_recovered(&recovery.commit)?,
            (None, None) => {}
        }
        ui.out(&format!("{}: {how}.\n", file.shown));
    }
    ui.json(&json!({
        "schema": "coldmend.hive-recover/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "path": file.shown,
        "output": arguments.output.as_ref().map(|o| o.display().to_string()),
        "was_dirty": interrupted.is_some() || recovery.is_some(),
        "how": how,
    }))?;
    Ok(0)
}
