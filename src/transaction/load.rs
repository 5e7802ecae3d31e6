//! An installation as it is meant to be: where a transaction was cut in the middle of a hive, that hive is read as the
//! transaction meant it, in memory.

use crate::error::Result;
use crate::evidence::{HiveFile, Installation};
use crate::plan::HiveName;
use crate::volume::{VolPath, Volume};

use super::{position_of, Position, Record, RecordState, StateDir};

/// The transaction that was begun and not ended, if there is one: the newest.
pub fn unfinished(records: &[Record]) -> Option<&Record> {
    records.iter().rev().find(|r| r.state == RecordState::Unfinished)
}

/// Loads the installation in the folder `windows`. `cut` is the transaction that was interrupted, if one was; with `force`,
/// dirty hives without usable logs are taken as they are.
///
/// # Errors
/// As [`Installation::load`].
pub fn load_installation(
    volume: &dyn Volume,
    windows: &VolPath,
    state: &StateDir<'_>,
    cut: Option<&Record>,
    force: bool,
) -> Result<Installation> {
    let load = |name: HiveName| {
        let mut file = HiveFile::read(volume, windows, name)?;
        if let Some(record) = cut {
            if let Ok((Position::Cut, image)) = position_of(volume, state, record, name) {
                file.take_as(image);
            }
        }
        file.open(force)
    };
    let mut installation = Installation::from_hives(windows, load(HiveName::System)?, load(HiveName::Software)?)?;
    installation.forced_dirty = force;
    Ok(installation)
}
