//! coldmend-hives, by the same operations as the others, without the program around it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use coldmend_hives::{CheckReport, Hive, LogFiles, LogSlot, LogStorages, RecoveryCommit, Storage};

use crate::{Failure, Seen};

/// All keys, values and data.
///
/// # Errors
/// A hive that is dirty or damaged.
pub fn walk(bytes: Vec<u8>) -> Result<Seen, Failure> {
    let hive = Hive::open(bytes)?;
    let mut seen = Seen::default();
    for key in hive.walk()? {
        seen.key();
        for value in key?.1.each_value()? {
            seen.value();
            seen.data(&value?.data()?);
        }
    }
    Ok(seen)
}

/// The full check.
///
/// # Errors
/// A hive that cannot be opened.
pub fn check(bytes: Vec<u8>) -> Result<CheckReport, Failure> {
    Ok(Hive::open(bytes)?.check())
}

/// Replays the logs beside a hive file, checks the result, and writes it, every step flushed.
///
/// # Errors
/// No usable logs; damage; input and output.
pub fn recover(path: &Path) -> Result<usize, Failure> {
    let mut logs = LogFiles::default();
    for slot in LogSlot::ALL {
        let bytes = std::fs::read(beside(path, slot)).ok();
        match slot {
            LogSlot::Log => logs.log = bytes,
            LogSlot::Log1 => logs.log1 = bytes,
            LogSlot::Log2 => logs.log2 = bytes,
        }
    }
    let recovered = Hive::recover(std::fs::read(path)?, &logs)?;
    let commit = RecoveryCommit::prepare(recovered)?;
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path).map(OnDisk);
    let mut primary = open(path)?;
    let mut files = LogSlot::ALL.map(|slot| open(&beside(path, slot)).ok());
    let [log, log1, log2] = &mut files;
    let mut storages = LogStorages { log: part(log), log1: part(log1), log2: part(log2) };
    Ok(commit.execute(&mut primary, &mut storages)?.pages)
}

fn part(file: &mut Option<OnDisk>) -> Option<&mut dyn Storage> {
    file.as_mut().map(|file| file as &mut dyn Storage)
}

/// The log beside a hive file.
fn beside(path: &Path, slot: LogSlot) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(slot.extension());
    name.into()
}

/// A file as the engine writes to it.
struct OnDisk(File);

impl Storage for OnDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buf, offset)
    }
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
