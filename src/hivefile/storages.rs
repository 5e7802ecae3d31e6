//! A hive and its logs, open and locked for writing, as the engine takes them. Relies on `volume` for opening and locking.

use std::io;

use coldmend_hives::{LogFiles, LogStorages, Storage};

use crate::error::{Context, Result};
use crate::volume::{VolPath, Volume};

/// A hive file and its logs, open (and locked) for writing.
pub(crate) struct HiveStorages<'v> {
    primary: Box<dyn Storage + 'v>,
    logs: [Option<Box<dyn Storage + 'v>>; 3],
}

impl<'v> HiveStorages<'v> {
    /// Opens the primary file and the logs that are there.
    pub(crate) fn open(volume: &'v dyn Volume, path: &VolPath, log_paths: &[Option<VolPath>; 3]) -> Result<Self> {
        let doing = || format!("opening {} for writing", path.display_escaped());
        let primary = volume.open_storage(path).doing(doing)?;
        let mut logs = [None, None, None];
        for (storage, path) in logs.iter_mut().zip(log_paths) {
            if let Some(path) = path {
                *storage = Some(volume.open_storage(path).doing(doing)?);
            }
        }
        Ok(HiveStorages { primary, logs })
    }

    /// The primary file.
    pub(crate) fn primary(&self) -> &(dyn Storage + 'v) {
        &*self.primary
    }

    /// All of the primary file: through the handle that holds the lock, which on Windows no other could pass.
    ///
    /// # Errors
    /// What the system reports; too large.
    pub(crate) fn read_primary(&self, limit: u64) -> io::Result<Vec<u8>> {
        read_all(&*self.primary, limit)
    }

    /// All of the logs that are there.
    ///
    /// # Errors
    /// What the system reports; too large.
    pub(crate) fn read_logs(&self, limit: u64) -> io::Result<LogFiles> {
        let read = |log: &Option<Box<dyn Storage + 'v>>| log.as_ref().map(|log| read_all(&**log, limit)).transpose();
        let [log, log1, log2] = &self.logs;
        Ok(LogFiles { log: read(log)?, log1: read(log1)?, log2: read(log2)? })
    }

    /// As the engine takes them.
    pub(crate) fn parts(&mut self) -> (&mut dyn Storage, LogStorages<'_>) {
        fn part<'b, 'v>(log: &'b mut Option<Box<dyn Storage + 'v>>) -> Option<&'b mut dyn Storage> {
            match log {
                Some(storage) => Some(&mut **storage),
                None => None,
            }
        }
        let [log, log1, log2] = &mut self.logs;
        (&mut *self.primary, LogStorages { log: part(log), log1: part(log1), log2: part(log2) })
    }
}

fn read_all(storage: &dyn Storage, limit: u64) -> io::Result<Vec<u8>> {
    let len = storage.len()?;
    let size = usize::try_from(len).ok().filter(|_| len <= limit).ok_or(io::ErrorKind::FileTooLarge)?;
    // Whether there is as much memory is asked first; what is then taken is zero already, and untouched.
    Vec::<u8>::new().try_reserve_exact(size).map_err(|e| io::Error::new(io::ErrorKind::OutOfMemory, e))?;
    let mut bytes = vec![0; size];
    storage.read_at(0, &mut bytes)?;
    Ok(bytes)
}
