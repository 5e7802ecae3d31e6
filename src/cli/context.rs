//! What most commands begin with: the target, the installation on it, the state directory, and what is unfinished there.

use std::path::PathBuf;

use crate::error::{Context as _, Failure, Result};
use crate::evidence::Installation;
use crate::plan::HiveName;
use crate::safety::loaded::refuse_loaded;
use crate::safety::refuse_running;
use crate::safety::rights::Access;
use crate::target::{Choice, Target};
use crate::transaction::{self, Record, StateDir};
use crate::volume::{HostVolume, VolPath, Volume};

use super::{StateArguments, TargetArguments};

/// A target that was found; with [`Access::Write`] one that this process may write.
pub(super) fn target(arguments: &TargetArguments, access: Access) -> Result<Target> {
    let choice = Choice { windows: arguments.windows.as_deref(), partition: arguments.partition };
    let target = Target::resolve(&arguments.target, choice, access)?;
    if access == Access::Write {
        refuse_running(&target.volume)?;
    }
    Ok(target)
}

/// The access for a command that only rehearses with `rehearse`.
pub(super) fn access(rehearse: bool) -> Access {
    if rehearse {
        Access::Look
    } else {
        Access::Write
    }
}

/// The folder given with `--state-dir`, or the one that holds the disk image, opened; `None` for the target's own volume.
pub(super) fn state_volume(arguments: &StateArguments, target: &Target) -> Result<Option<HostVolume>> {
    let beside = target.image.as_ref().and_then(|image| image.file.parent());
    match (&arguments.state_dir, beside) {
        (Some(dir), _) => HostVolume::open(dir)
            .map_err(Failure::from)
            .doing(|| format!("opening the state directory {}", dir.display()))
            .map_err(|f| f.hint("Create the folder first."))
            .map(Some),
        (None, Some(folder)) => HostVolume::open(folder)
            .map_err(Failure::from)
            .doing(|| format!("opening the image's folder {}, where the state is kept", folder.display()))
            .map_err(|f| f.hint("Name another folder with --state-dir."))
            .map(Some),
        (None, None) => Ok(None),
    }
}

/// The state directory on the target's volume, beside its image, or the one that was named.
pub(super) fn state_dir<'a>(
    volume: &'a dyn Volume,
    elsewhere: Option<&'a dyn Volume>,
    arguments: &StateArguments,
    target: &Target,
) -> Result<StateDir<'a>> {
    Ok(match (elsewhere, &arguments.state_dir, &target.image) {
        (Some(elsewhere), Some(dir), _) => StateDir::elsewhere(elsewhere, dir.display().to_string()),
        (Some(elsewhere), None, Some(image)) => {
            let mut shown = image.file.clone().into_os_string();
            shown.push(".coldmend");
            let shown = PathBuf::from(shown);
            let base = VolPath::root().child(shown.file_name().unwrap_or_default())?;
            StateDir::beside(elsewhere, base, shown.display().to_string())
        }
        _ => StateDir::on_target(volume),
    })
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
    for name in [HiveName::System, HiveName::Software] {
        refuse_loaded(&target.host_path(&["System32", "config", name.file_name()]))?;
    }
    transaction::load_installation(volume, &target.windows, state, cut, force)
}
