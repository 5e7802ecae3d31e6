//! Hives beside SYSTEM and SOFTWARE that are only ever read: users' `NTUSER.DAT`, `DEFAULT`, `COMPONENTS`, `DRIVERS`.
//!
//! What it does: reads the file with its logs, recovers a dirty one in memory, checks its structure and hands out the independent
//! reader. What it relies on: [`super::hive`] for recovery and check. SAM and SECURITY are refused by name (safety rule 1).

use coldmend_hives::{Hive, LogFiles};

use super::hive::{recover_image, LOG_SUFFIXES};
use super::registry::Registry;
use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::volume::{Kind, VolPath, Volume};

/// Larger than any profile that logs on in reasonable time, and than the COMPONENTS of a machine in long use.
const LIMIT: u64 = 256 << 20;

/// A hive that was read and found sound.
pub struct SideHive {
    /// Its path, as it is spelled on the volume.
    pub path: VolPath,
    hive: Hive,
}

impl SideHive {
    /// Reads the hive at `path`; `None` when nothing is there.
    ///
    /// # Errors
    /// Not a file, too large, not a hive, dirty without usable logs, or damaged.
    pub fn read(volume: &dyn Volume, path: &VolPath) -> Result<Option<SideHive>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ["sam", "security"].contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Failure::refused(format!("{} is never opened", path.display_escaped())));
        }
        let Some(found) = volume.find(path)? else { return Ok(None) };
        let place = found.path.display_escaped();
        if found.kind != Kind::File {
            return Err(Failure::unreadable(format!("{place} is {}, which is not looked into", found.kind)));
        }
        let read = |path: &VolPath| volume.read(path, LIMIT).doing(|| format!("reading {place}"));
        let mut logs = [None, None, None];
        for (log, suffix) in logs.iter_mut().zip(LOG_SUFFIXES) {
            let beside = found.path.with_file_name(format!("{name}.{suffix}"))?;
            if let Some(there) = volume.find(&beside)?.filter(|there| there.kind == Kind::File) {
                *log = Some(read(&there.path)?);
            }
        }
        let [log, log1, log2] = logs;
        let opened =
            recover_image(&place, read(&found.path)?, &LogFiles { log, log1, log2 }, false, || Ok(Vec::new()))?;
        Ok(Some(SideHive { path: found.path, hive: opened.recovered.hive }))
    }

    /// The hive, through the independent reader.
    ///
    /// # Errors
    /// nt-hive refuses the image.
    pub fn registry(&self) -> Result<Registry<'_>> {
        Registry::new(self.hive.bytes()).map_err(|e| {
            Failure::from_error(FailureKind::Unreadable, anyhow::anyhow!("{e}"))
                .context(format!("reading {} through nt-hive", self.path.display_escaped()))
        })
    }
}
