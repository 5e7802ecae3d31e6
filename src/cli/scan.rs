//! `coldmend scan`: every Windows installation on the attached volumes, or on those named. Writes nothing, ever.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::attached;
use crate::error::{Context as _, Failure, Kind, Result};
use crate::scan::{self, ScannedVolume};
use crate::ui::{render_scan, Ui};

use super::Status;

/// Arguments of `scan`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Mounted Windows volumes or Windows folders to look at; every attached volume if none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<PathBuf>,
}

/// `coldmend.scan/1`.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    tool: &'static str,
    found: usize,
    volumes: &'a [ScannedVolume],
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let volumes = look(ui, &arguments.targets)?;
    let found = volumes.iter().map(|v| v.installations.len()).sum();
    ui.out(&render_scan(ui.style, &volumes));
    ui.json(&Report { schema: "coldmend.scan/1", tool: env!("CARGO_PKG_VERSION"), found, volumes: &volumes })?;
    // Nothing found must not look like success to a script.
    Ok(if found == 0 { Kind::Unreadable.exit_status() } else { 0 })
}

/// Looks at the volumes named, or at all that are attached.
pub(super) fn look(ui: &Ui, targets: &[PathBuf]) -> Result<Vec<ScannedVolume>> {
    if !targets.is_empty() {
        return Ok(targets.iter().map(|target| scan::named(target)).collect());
    }
    let attached = attached::volumes()
        .map_err(|e| Failure::from_error(Kind::Unreadable, e).hint("Name the volume to look at: coldmend scan TARGET"))
        .doing(|| "listing the volumes of this machine".into())?;
    let look = |volume| {
        ui.progress("looking at the volumes");
        scan::attached(volume)
    };
    Ok(attached.iter().map(look).collect())
}
