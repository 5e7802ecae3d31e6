//! `coldmend hive recover`: a dirty hive recovered from its logs, in place or into a new file; or an edit of ours that was
//! cut, put back.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::error::{Failure, Kind};
use crate::hivefile::HiveOnDisk;
use crate::ui::Ui;

use crate::cli::new_file::new_file;

use super::{HiveArguments, Status, WriteArguments};

/// Arguments of `hive recover`.
#[derive(Args, Debug)]
#[command(
    after_help = "A hive is dirty when Windows was not shut down: the last changes are still in SYSTEM.LOG1 and .LOG2, which must lie beside it \
    under these names. After an edit by coldmend that was cut, this completes it or takes it back.\n\n\
    Examples:\n  \
    coldmend hive recover SYSTEM\n  \
    coldmend hive recover SYSTEM --output SYSTEM.recovered"
)]
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
    const NOTHING: &str = "clean already";
    let file = HiveOnDisk::find(&arguments.hive.hive)?;
    let force = arguments.write.force_dirty_hive;
    let contents = file.read()?;
    let is_clean = contents.base().is_some_and(|base| base.is_clean()) && !contents.is_cut() && !file.has_left_over();
    let how = if is_clean || arguments.output.is_some() {
        // A clean hive is not written, so it need not be writable.
        let read = file.open(contents, force)?;
        if let Some(output) = &arguments.output {
            new_file(output, |out| {
                out.write_all(read.hive.bytes()).map_err(|e| Failure::from_error(Kind::Partial, e))
            })?;
        }
        read.how
    } else {
        drop(contents);
        file.recover(force)?
    };
    let was_dirty = how.is_some();
    let how = how.unwrap_or_else(|| NOTHING.into());
    match &arguments.output {
        Some(output) => ui.out(&format!(
            "{} was {how}; the hive was written to {}.\n",
            file.shown,
            crate::volume::escape::escape_text(output.as_os_str())
        )),
        None if was_dirty => ui.out(&format!("{} was {how}; written and read back.\n", file.shown)),
        None => ui.out(&format!("{} is {how}; nothing was written.\n", file.shown)),
    }
    ui.json(&json!({
        "schema": "coldmend.hive-recover/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "path": file.shown,
        "output": arguments.output.as_ref().map(|o| o.display().to_string()),
        "was_dirty": was_dirty,
        "how": how,
    }))?;
    Ok(0)
}
