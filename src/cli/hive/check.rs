//! `coldmend hive check`: the structural check, one line per fault with its offset and what Windows would do about it.

use clap::Args;
use coldmend_hives::{check_bytes, BaseBlock, CheckReport, Fault};
use serde_json::{json, Value};

use crate::error::Kind;
use crate::hivefile::HiveOnDisk;
use crate::ui::Ui;
use crate::volume::escape::escape_text;

use super::{is_headless, no_hive, HiveArguments, Status};

/// Arguments of `hive check`.
#[derive(Args, Debug)]
#[command(
    after_help = "Each fault says where it is (offset in the file), what was found, what belongs there, in which key, and what Windows does about \
    it when it loads the hive. Exit status: 0 sound, 1 faults, 4 no hive.\n\n\
    Examples:\n  \
    coldmend hive check SYSTEM\n  \
    coldmend -v hive check SYSTEM      with what Windows tolerates"
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// Check the file as it is, without replaying the logs of a dirty hive
    #[arg(long)]
    no_replay: bool,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let file = HiveOnDisk::find(&arguments.hive.hive)?;
    let contents = file.read()?;
    let Some(base) = contents.base().or_else(|| is_headless(&contents).then(BaseBlock::default)) else {
        return Err(no_hive(&file, &contents));
    };
    let mut replayed = false;
    let headless = is_headless(&contents);
    let report = if arguments.no_replay || (base.is_clean() && !contents.is_cut() && !headless) {
        check_bytes(&contents.bytes)
    } else {
        match file.replay(contents) {
            Ok((hive, how)) => {
                ui.status(&format!(
                    "{} was {how}; that was done in memory only, and the result is checked.",
                    file.shown
                ));
                replayed = true;
                hive.check()
            }
            Err(failure) if failure.kind == Kind::Unreadable => {
                let state = if headless { "has lost its base block" } else { "is dirty" };
                ui.status(&format!(
                    "{} {state}, and its logs do not help: {failure}. It is checked as it is.",
                    file.shown
                ));
                check_bytes(&file.read()?.bytes)
            }
            Err(failure) => return Err(failure),
        }
    };
    show(ui, &report);
    let stats = &report.stats;
    let sound = report.is_sound();
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

fn show(ui: &Ui, report: &CheckReport) {
    for fault in &report.faults {
        ui.out(&format!("fault  {}\n", line(fault)));
    }
    let stats = &report.stats;
    let more = stats.faults.saturating_sub(report.faults.len() as u64);
    if more > 0 {
        ui.out(&format!("       and {more} more faults\n"));
    }
    if ui.verbose {
        for note in &report.notes {
            ui.out(&format!("note   {}\n", line(note)));
        }
    }
    ui.out(&format!(
        "{}: {} keys, {} values, {} bins, {} cells; {} faults, {} notes{}\n",
        if report.is_sound() { ui.style.good("sound") } else { "damaged".into() },
        stats.keys,
        stats.values,
        stats.bins,
        stats.allocated_cells,
        stats.faults,
        stats.notes,
        if stats.notes > 0 && !ui.verbose { " (-v shows them)" } else { "" }
    ));
    if !report.is_sound() {
        ui.out("coldmend does not edit a damaged hive. Restore it from a backup of this installation; what can still be read is shown by other readers, such as regfexport.\n");
    }
}

/// One fault on one line, whatever a key is called.
fn line(fault: &Fault) -> String {
    let place = match fault.path.as_deref() {
        Some("") => ", in the root key".into(),
        Some(path) => format!(", in key \"{}\"", escape_text(path.as_ref())),
        None => String::new(),
    };
    format!(
        "offset {:#x}: found {}, expected {}{place}; {} ({:?})",
        fault.offset,
        escape_text(fault.found.as_ref()),
        escape_text(fault.expected.as_ref()),
        fault.effect,
        fault.rule
    )
}
