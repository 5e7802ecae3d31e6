//! Mounted volumes, from `/proc/self/mountinfo`.

use std::io;

use super::AttachedVolume;

pub(super) fn volumes() -> io::Result<Vec<AttachedVolume>> {
    Ok(Vec::new())
}
