//! `coldmend hive info`: what a hive file is, without judging its inside.

use clap::Args;
use coldmend_hives::{check_bytes, inspect_log, LogSlot};
use serde_json::json;

use crate::error::Failure;
use crate::hivefile::{Contents, HiveOnDisk};
use crate::ui::Ui;
use crate::volume::escape::escape_text;

use super::{is_headless, no_hive, HiveArguments, Status};

/// Arguments of `hive info`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    hive: HiveArguments,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let file = HiveOnDisk::find(&arguments.hive.hive)?;
    let contents = file.read()?;
    let Some(base) = contents.base() else { return Err(headless(&file, contents)) };
    let size = contents.bytes.len();
    let clean = base.is_clean();
    let state = if clean {
        "clean".to_string()
    } else if base.checksum_valid() {
        format!("dirty: sequence numbers {} and {} differ", base.primary_sequence, base.secondary_sequence)
    } else {
        format!("dirty: checksum {:#010x}, computed {:#010x}", base.checksum, base.computed_checksum)
    };
    let logs: Vec<_> = LogSlot::ALL
        .into_iter()
        .filter_map(|slot| contents.logs.get(slot).map(|bytes| (slot, bytes.len(), inspect_log(bytes))))
        .collect();
    let opened = file.open(contents, false).map(|read| (read.report.stats, read.how));
    let stats = match &opened {
        Ok((stats, _)) => *stats,
        // Read again: what could not be opened was used up.
        Err(_) => check_bytes(&file.read()?.bytes).stats,
    };
    ui.out(&format!(
        "{}\n  name        {}\n  version     {}.{}\n  file        {} bytes, bins {} bytes, root cell {:#x}, flags {:#x}\n  state       {state}\n  sequence    {} / {}\n  keys        {}, values {}, security cells {}\n",
        ui.style.bold(&file.shown),
        escape_text(base.file_name.as_ref()),
        base.major,
        base.minor,
        size,
        base.length,
        base.root,
        base.flags,
        base.primary_sequence,
        base.secondary_sequence,
        stats.keys,
        stats.values,
        stats.security_cells,
    ));
    for (slot, len, info) in &logs {
        let what = match (&info.format, &info.problem) {
            (Some(format), _) => format!(
                "{format:?}, sequence {}, {} entries",
                info.sequence.map_or_else(|| "none".into(), |s| s.to_string()),
                info.entries
            ),
            (None, Some(problem)) => problem.clone(),
            (None, None) => "empty".into(),
        };
        ui.out(&format!("  {:<10}  {len} bytes, {what}\n", slot.extension()));
    }
    match &opened {
        Ok((_, Some(how))) => ui.out(&format!("  recovery    {how}, in memory; `coldmend hive recover` writes it\n")),
        Ok((_, None)) => {}
        Err(failure) => ui.out(&format!("  unusable    {failure}\n")),
    }
    ui.json(&json!({
        "schema": "coldmend.hive-info/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "path": file.shown,
        "name": base.file_name, "major": base.major, "minor": base.minor,
        "size": size, "bins_length": base.length, "root": base.root, "flags": base.flags,
        "clean": clean, "state": state,
        "primary_sequence": base.primary_sequence, "secondary_sequence": base.secondary_sequence,
        "keys": stats.keys, "values": stats.values, "security_cells": stats.security_cells,
        "logs": logs.iter().map(|(slot, len, info)| json!({
            "file": slot.extension(), "size": len, "format": info.format.map(|f| format!("{f:?}")),
            "sequence": info.sequence, "entries": info.entries, "problem": info.problem,
        })).collect::<Vec<_>>(),
    }))?;
    Ok(0)
}

/// The failure for a file without a base block: where its logs still have one, the way out is to recover it.
fn headless(file: &HiveOnDisk, contents: Contents) -> Failure {
    let failure = no_hive(file, &contents);
    if !is_headless(&contents) {
        return failure;
    }
    match file.open(contents, false) {
        Ok(_) => Failure::unreadable(format!("the base block of {} is destroyed", file.shown))
            .hint("Its logs hold another one, and with that the hive is sound: `coldmend hive recover` writes it."),
        Err(_) => failure,
    }
}
