//! What is refused before anything is written, each with the way out (design, safety rule 2).

pub mod loaded;
pub mod rights;

use crate::checks::{is_hibernated, setup_in_progress, HiberState};
use crate::error::{Failure, Result};
use crate::evidence::Installation;
use crate::volume::{Volume, Writability};

/// Refuses to write to this volume if that would be unsafe or useless.
///
/// # Errors
/// A refusal (exit status 3); nothing was written.
pub fn refuse_unsafe(volume: &dyn Volume, installation: &Installation) -> Result<()> {
    refuse_running(volume)?;
    if let Writability::ReadOnly { why } = volume.writable()? {
        return Err(Failure::refused(format!("{} can't be written to: {why}", volume.describe()))
            .hint("Mount it read-write. ntfs-3g falls back to read-only by itself when Windows is hibernated or was not shut down."));
    }
    refuse_hibernated(volume)?;
    let setup = setup_in_progress(installation)?;
    if let Some((name, number)) = setup.first() {
        return Err(Failure::refused(format!(
            "Windows is in the middle of setup or an upgrade: SYSTEM\\Setup\\{name} is {number}"
        ))
        .hint("Let setup finish or roll back first; changing services underneath it can leave a machine that does not start."));
    }
    Ok(())
}

/// Refuses the volume of the Windows (or Windows PE) that is running.
///
/// # Errors
/// A refusal (exit status 3); nothing was written.
pub fn refuse_running(volume: &dyn Volume) -> Result<()> {
    if volume.is_running_system() {
        return Err(Failure::refused("this is the Windows that is running; coldmend mends one that is not")
            .hint("Start the machine from other media (WinPE, a recovery stick, a Linux system), or attach its disk to another machine."));
    }
    Ok(())
}

/// Refuses a volume with a memory image that Windows would come back with.
///
/// # Errors
/// A refusal (exit status 3); nothing was written.
pub fn refuse_hibernated(volume: &dyn Volume) -> Result<()> {
    if let HiberState::Active(path) = is_hibernated(volume)? {
        return Err(Failure::refused(format!(
            "Windows is hibernated, or was shut down with Fast Startup: {} holds a memory image that would come back and overwrite the repair",
            path.display_escaped()
        ))
        .hint("Start Windows and shut it down completely (hold Shift while choosing Shut down), or restart it into the recovery environment from its own menu."));
    }
    Ok(())
}
