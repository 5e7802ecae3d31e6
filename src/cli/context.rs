//! What most commands begin with: the target, the installation on it, the state directory, and what is unfinished there.

use crate::error::{Context as _, Failure, Result};
use crate::evidence::Installation;
use crate::target::Target;
use crate::transaction::{self, Record, StateDir};
use crate::volume::{HostVolume, Volume};

use super::{StateArguments, TargetArguments};

/// A target that was found.
pub(super) fn target(arguments: &TargetArguments) -> Result<Target> {
    Target::resolve(&arguments.target, arguments.windows.as_deref())
}

/// The folder given with `--state-dir`, opened; `None` for the default place.
pub(super) fn state_volume(arguments: &StateArguments) -> Result<Option<HostVolume>> {
    arguments
        .state_dir
        .as_ref()
        .map(|dir| {
            HostVolume::open(dir)
                .map_err(Failure::from)
                .doing(|| format!("opening the state directory {}", dir.display()))
                .map_err(|f| f.hint("Create the folder first."))
        })
        .transpose()
}

/// The state directory on `target`, or the one that was named.
pub(super) fn state_dir<'a>(
    target: &'a dyn Volume,
    elsewhere: Option<&'a dyn Volume>,
    arguments: &StateArguments,
) -> StateDir<'a> {
    match (elsewhere, &arguments.state_dir) {
        (Some(volume), Some(dir)) => StateDir::elsewhere(volume, dir.display().to_string()),
        _ => StateDir::on_target(target),
    }
}

pub(super) use crate::transaction::unfinished;

/// Loads the installation. Where an unfinished transaction of ours was cut in the middle of a hive, that hive is read as
/// the transaction meant it, in memory.
pub(super) fn installation(
    volume: &dyn Volume,
    target: &Target,
    state: &StateDir<'_>,
    cut: Option<&Record>,
) -> Result<Installation> {
    forced_installation(volume, target, state, cut, false)
}

/// The same; with `force`, dirty hives without usable logs are taken as they are.
pub(super) fn forced_installation(
    volume: &dyn Volume,
    target: &Target,
    state: &StateDir<'_>,
    cut: Option<&Record>,
    force: bool,
) -> Result<Installation> {
    transaction::load_installation(volume, &target.windows, state, cut, force)
}
