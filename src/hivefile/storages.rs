//! A hive and its logs, open and locked for writing, as the engine takes them. Relies on `volume` for opening and locking.

use std::io;

use coldmend_hives::{LogFiles, LogStorages, Storage};

use crate::error::{Context, Result};
use crate::volume::{HostStorage, HostVolume, VolPath, Volume, VolumeError};

use super::pair::at_once;

/// Compared at once: small enough for the processor's cache.
const CHUNK: usize = 256 << 10;

/// A hive file and its logs, open (and locked) for writing.
pub(crate) struct HiveStorages<S> {
    primary: S,
    logs: [Option<S>; 3],
}

/// Those of a file of this machine.
pub(crate) type HostStorages = HiveStorages<HostStorage>;

impl<'v> HiveStorages<Box<dyn Storage + 'v>> {
    /// Opens the primary file and the logs that are there, on any volume.
    pub(crate) fn open(volume: &'v dyn Volume, path: &VolPath, log_paths: &[Option<VolPath>; 3]) -> Result<Self> {
        Self::open_each(path, log_paths, |path| volume.open_storage(path))
    }
}

impl HostStorages {
    /// Opens the primary file and the logs that are there, in a folder of this machine.
    pub(crate) fn open_on_host(volume: &HostVolume, path: &VolPath, log_paths: &[Option<VolPath>; 3]) -> Result<Self> {
        Self::open_each(path, log_paths, |path| volume.open_host_storage(path))
    }

    /// All of the primary file: through the handle that holds the lock, which on Windows no other could pass.
    ///
    /// # Errors
    /// What the system reports; too large.
    pub(crate) fn read_primary(&self, limit: u64) -> io::Result<Vec<u8>> {
        read_all(&self.primary, limit)
    }

    /// All of the logs that are there.
    ///
    /// # Errors
    /// What the system reports; too large.
    pub(crate) fn read_logs(&self, limit: u64) -> io::Result<LogFiles> {
        let read = |log: &Option<HostStorage>| log.as_ref().map(|log| read_all(log, limit)).transpose();
        let [log, log1, log2] = &self.logs;
        Ok(LogFiles { log: read(log)?, log1: read(log1)?, log2: read(log2)? })
    }

    /// Whether the primary file holds exactly these bytes.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn primary_is(&self, image: &[u8]) -> io::Result<bool> {
        if self.primary.len()? != image.len() as u64 {
            return Ok(false);
        }
        let (one, two) = halves(image);
        let (one, two) =
            at_once(image.len(), || holds(&self.primary, 0, one), || holds(&self.primary, one.len() as u64, two));
        Ok(one? && two?)
    }
}

impl<S: Storage> HiveStorages<S> {
    fn open_each(
        path: &VolPath,
        log_paths: &[Option<VolPath>; 3],
        open: impl Fn(&VolPath) -> std::result::Result<S, VolumeError>,
    ) -> Result<Self> {
        let doing = || format!("opening {} for writing", path.display_escaped());
        let primary = open(path).doing(doing)?;
        let mut logs = [None, None, None];
        for (storage, path) in logs.iter_mut().zip(log_paths) {
            if let Some(path) = path {
                *storage = Some(open(path).doing(doing)?);
            }
        }
        Ok(HiveStorages { primary, logs })
    }

    /// As the engine takes them.
    pub(crate) fn parts(&mut self) -> (&mut S, LogStorages<'_>) {
        let [log, log1, log2] = &mut self.logs;
        fn part<S: Storage>(log: &mut Option<S>) -> Option<&mut dyn Storage> {
            log.as_mut().map(|log| log as &mut dyn Storage)
        }
        (&mut self.primary, LogStorages { log: part(log), log1: part(log1), log2: part(log2) })
    }
}

fn read_all(file: &HostStorage, limit: u64) -> io::Result<Vec<u8>> {
    let len = file.len()?;
    let size = usize::try_from(len).ok().filter(|_| len <= limit).ok_or(io::ErrorKind::FileTooLarge)?;
    // Whether there is as much memory is asked first; what is then taken is zero already, and untouched.
    Vec::<u8>::new().try_reserve_exact(size).map_err(|e| io::Error::new(io::ErrorKind::OutOfMemory, e))?;
    let mut bytes = vec![0; size];
    let middle = size / 2;
    let (one, two) = bytes.split_at_mut(middle);
    let (one, two) = at_once(size, || file.read_at(0, one), || file.read_at(middle as u64, two));
    one?;
    two?;
    Ok(bytes)
}

fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len() / 2)
}

fn holds(file: &HostStorage, offset: u64, expected: &[u8]) -> io::Result<bool> {
    let mut buffer = vec![0; CHUNK.min(expected.len())];
    let mut at = offset;
    for chunk in expected.chunks(CHUNK) {
        let Some(buffer) = buffer.get_mut(..chunk.len()) else { return Ok(false) };
        file.read_at(at, buffer)?;
        if buffer != chunk {
            return Ok(false);
        }
        at = at.saturating_add(chunk.len() as u64);
    }
    Ok(true)
}
