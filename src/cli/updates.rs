//! `coldmend updates`: the packages that are installed, staged, pending or superseded. Writes nothing.

use clap::Args;
use serde::Serialize;

use crate::evidence::WindowsVersion;
use crate::safety::rights::Access;
use crate::transaction::StateDir;
use crate::ui::{render_updates, Ui};
use crate::updates::{self, Update};

use super::report::TargetReport;
use super::{context, Status, TargetArguments};

/// Arguments of `updates`.
#[derive(Args, Debug)]
#[command(
    after_help = "Pending ones come first. A superseded package is one that a newer one has taken the place of; a staged one is there, and not \
    switched on.\n\n\
    Examples:\n  \
    coldmend updates D:\\\n  \
    coldmend updates --all /mnt/win | grep KB5031356"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// All packages: also the features of Windows, and the parts that updates are made of
    #[arg(long)]
    all: bool,
}

/// `coldmend.updates/1`.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    tool: &'static str,
    target: TargetReport,
    windows: &'a WindowsVersion,
    /// Whether everything is in here, or only updates.
    all: bool,
    updates: &'a [Update],
    could_not_read: &'a [String],
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let target = context::target(&arguments.target, Access::Look)?;
    let state = StateDir::on_target(&target.volume);
    ui.progress("reading the hives");
    let installation = context::installation(&target.volume, &target, &state, None)?;
    let mut found = updates::gather(&installation)?;
    let everything = found.updates.len();
    if !arguments.all {
        found.updates.retain(|u| u.is_update() || u.state.is_pending());
    }
    ui.out(&render_updates(ui.style, &installation.version, &found, everything));
    ui.json(&Report {
        schema: "coldmend.updates/1",
        tool: env!("CARGO_PKG_VERSION"),
        target: TargetReport::of(&target),
        windows: &installation.version,
        all: arguments.all,
        updates: &found.updates,
        could_not_read: &found.unreadable,
    })?;
    Ok(0)
}
