//! `coldmend hive info`: what a hive file is, without judging its inside.

use clap::Args;
use coldmend_hives::{check_bytes, inspect_log, BaseBlock, LogSlot};
use serde_json::json;

use crate::error::Failure;
use crate::hivefile::HiveOnDisk;
use crate::ui::Ui;

use super::{HiveArguments, Status};

/// Arguments of `hive info`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    hive: HiveArguments,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let file = HiveOnDisk::read(&arguments.hive.hive)?;
    let base = BaseBlock::parse(&file.bytes).ok_or_else(|| {
        Failure::unreadable(format!(
            "{} is not a hive: found {:02x?} at offset 0, expected \"regf\"",
            file.shown,
            file.bytes.get(..4).unwrap_or_default()
        ))
    })?;
    let clean = base.is_clean();
    let state = if clean {
        "clean".to_string()
    } else if base.checksum_valid() {
        format!("dirty: sequence numbers {} and {} differ", base.primary_sequence, base.secondary_sequence)
    } else {
        format!("dirty: checksum {:#010x}, computed {:#010x}", base.checksum, base.computed_checksum)
    };
    let logs: Vec<_> = [LogSlot::Log, LogSlot::Log1, LogSlot::Log2]
        .into_iter()
        .filter_map(|slot| file.logs.get(slot).map(|bytes| (slot, bytes.len(), inspect_log(bytes))))
        .collect();
    let recovered = file.open(false);
    let stats = match &recovered {
        Ok((hive, _, _)) => hive.check().stats,
        Err(_) => check_bytes(&file.bytes).stats,
    };
    ui.out(&format!(
        "{}\n  name        {}\n  version     {}.{}\n  file        {} bytes, bins {} bytes, root cell {:#x}, flags {:#x}\n  state       {state}\n  sequence    {} / {}\n  keys        {}, values {}, security cells {}\n",
        ui.style.bold(&file.shown),
        base.file_name,
        base.major,
        base.minor,
        file.bytes.len(),
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
        ui.out(&format!("  {:<10}  {len} bytes, {what}\n", format!(".{}", slot.extension())));
    }
    if let Ok((_, _, Some(recovery))) = &recovered {
        ui.out(&format!("  recovery    {}\n", recovery.how));
    }
    if let Err(failure) = &recovered {
        ui.out(&format!("  unusable    {failure}\n"));
    }
    ui.json(&json!({
        "schema": "coldmend.hive-info/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "path": file.shown,
        "name": base.file_name, "major": base.major, "minor": base.minor,
        "size": file.bytes.len(), "bins_length": base.length, "root": base.root, "flags": base.flags,
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
