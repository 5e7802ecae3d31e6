//! `coldmend hive check`: the structural check, one line per fault with its offset and what Windows would do about it.

use clap::Args;
use coldmend_hives::{check_bytes, BaseBlock, CheckReport, Fault, Hive};
use serde_json::{json, Value};

use crate::hivefile::HiveOnDisk;
use crate::ui::Ui;

use super::{HiveArguments, Status};

/// Arguments of `hive check`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// Check the file as it is, without replaying the logs of a dirty hive
    #[arg(long)]
    no_replay: bool,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let file = HiveOnDisk::read(&arguments.hive.hive)?;
    let dirty = BaseBlock::parse(&file.bytes).is_some_and(|b| !b.is_clean());
    let recovered =
        (dirty && !arguments.no_replay).then(|| Hive::recover(file.bytes.clone(), &file.logs)).and_then(Result::ok);
    let (report, replayed): (CheckReport, bool) = match &recovered {
        Some(recovered) => (recovered.hive.check(), true),
        None => (check_bytes(&file.bytes), false),
    };
    if replayed {
        ui.status(&format!("{} is dirty; it is checked with its logs replayed in memory.", file.shown));
    }
    for fault in &report.faults {
        ui.out(&format!("fault  {fault}\n"));
    }
    if ui.verbose {
        for note in &report.notes {
            ui.out(&format!("note   {note}\n"));
        }
    }
    let stats = &report.stats;
    let sound = report.is_sound();
    ui.out(&format!(
        "{}: {} keys, {} values, {} bins, {} cells; {} faults, {} notes{}\n",
        if sound { ui.style.good("sound") } else { "damaged".into() },
        stats.keys,
        stats.values,
        stats.bins,
        stats.allocated_cells,
        stats.faults,
        stats.notes,
        if stats.notes > 0 && !ui.verbose { " (-v shows them)" } else { "" }
    ));
    let list = |faults: &[Fault]| -> Vec<Value> {
        faults
            .iter()
            .map(|f| {
                json!({
                    "rule": format!("{:?}", f.rule), "offset": f.offset, "found": f.found, "expected": f.expected,
                    "effect": f.effect.to_string(), "key": f.path,
                })
            })
            .collect()
    };
    ui.json(&json!({
        "schema": "coldmend.hive-check/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "path": file.shown, "sound": sound, "replayed": replayed,
        "keys": stats.keys, "values": stats.values, "bins": stats.bins,
        "fault_count": stats.faults, "note_count": stats.notes,
        "faults": list(&report.faults), "notes": list(&report.notes),
    }))?;
    Ok(u8::from(!sound))
}
