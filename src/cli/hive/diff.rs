//! `coldmend hive diff`: what makes the second hive out of the first, as `.reg`; exit status 1 when there is something.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::regfile::{self, Naming};
use crate::ui::Ui;

use super::{engine, open, output, Status};

/// Arguments of `hive diff`.
#[derive(Args, Debug)]
#[command(
    after_help = "Keys and values are compared; class names, security descriptors and times are not, since .reg can't tell them.\n\n\
    Example: what a repair has changed, and how to take exactly that over into a third hive\n  \
    coldmend hive diff SYSTEM.before SYSTEM --output changes.reg\n  \
    coldmend hive set OTHER --reg changes.reg"
)]
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
    let before = open(ui, &arguments.before)?;
    let after = open(ui, &arguments.after)?;
    let naming = arguments.prefix.clone().map_or(Naming::FromRoot, Naming::Prefix);
    let doing = engine("comparing");
    let (old, new) = (before.hive.root().map_err(&doing)?, after.hive.root().map_err(&doing)?);
    let mut found = false;
    let written =
        output::reg(ui, arguments.output.as_deref(), "comparing", before.hive.bytes().len(), &|| Ok(()), |out| {
            found = regfile::diff(out, &old, &new, &naming)?;
            Ok(())
        })?;
    // Where the reader has closed the pipe, the comparison ended early, but after a difference.
    let different = found || !written.is_empty;
    if written.left_out > 0 {
        ui.status(&format!(
            "{} keys or values differ, but are left out of the text: the .reg format can't tell their names (backslashes, unpaired surrogates).",
            written.left_out
        ));
    }
    ui.json(&json!({
        "schema": "coldmend.hive-diff/1", "tool": env!("CARGO_PKG_VERSION"),
        "before": before.file.shown, "after": after.file.shown,
        "different": different, "reg": written.text.filter(|_| !written.is_empty),
    }))?;
    Ok(u8::from(different))
}
