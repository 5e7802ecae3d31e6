//! Makes a large dirty hive that needs its log, for benchmarks of recovery: `dirty_hive CLEAN DIRTY MEGABYTES`.
//!
//! It takes a clean hive, changes values until so many megabytes of pages are changed, and commits that with HvLE logs; the
//! power fails once the log is armed and the base block says "dirty", before any page is written. `DIRTY`, `DIRTY.LOG1` and
//! `DIRTY.LOG2` are what lies on the disk then.

use std::error::Error;
use std::io;

use coldmend_hives::{Commit, FileTime, Hive, LogFiles, LogRegime, LogStorages, MemoryStorage, Storage};

const NOW: FileTime = FileTime(133_800_000_000_000_000);
const PAGE: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [clean, dirty, megabytes] = arguments.as_slice() else {
        println!("usage: dirty_hive CLEAN DIRTY MEGABYTES");
        return Ok(());
    };
    let bytes = std::fs::read(clean)?;
    let mut hive = Hive::open(bytes.clone())?;
    let pages = change(&mut hive, megabytes.parse::<usize>()?.saturating_mul(1 << 20) / PAGE)?;

    let logs = LogFiles { log1: Some(Vec::new()), log2: Some(Vec::new()), ..LogFiles::default() };
    let commit = Commit::prepare(hive, &logs, LogRegime::Log12HvLe, NOW)?;
    let mut primary = Failing(MemoryStorage(bytes));
    let (mut log1, mut log2) = (MemoryStorage::default(), MemoryStorage::default());
    let mut storages = LogStorages { log1: Some(&mut log1), log2: Some(&mut log2), ..LogStorages::default() };
    if commit.execute(&mut primary, &mut storages).is_ok() {
        return Err("the commit was not cut".into());
    }
    println!("{pages} pages changed, logs of {} and {} bytes", log1.0.len(), log2.0.len());
    std::fs::write(dirty, primary.0 .0)?;
    std::fs::write(format!("{dirty}.LOG1"), log1.0)?;
    std::fs::write(format!("{dirty}.LOG2"), log2.0)?;
    Ok(())
}

/// Turns around the first byte of small values until so many pages are changed. Answers how many are.
fn change(hive: &mut Hive, wanted: usize) -> Result<usize, Box<dyn Error>> {
    let mut values = Vec::new();
    for key in hive.walk()? {
        let key = key?.1;
        for value in key.values()?.iter().take(1) {
            let data = value.data()?;
            if let (Some(path), 1..=1000) = (key.path(), data.len()) {
                values.push((path, value.name(), value.data_type(), data.into_owned()));
            }
        }
    }
    for (done, (path, name, data_type, mut data)) in values.into_iter().enumerate() {
        if let Some(first) = data.first_mut() {
            *first ^= 1;
        }
        hive.set_value(&path, &name, data_type, &data, NOW)?;
        if done % 500 == 0 && hive.changed_pages().len() >= wanted {
            break;
        }
    }
    Ok(hive.changed_pages().len())
}

/// The primary file: the power fails at the first write behind its base block.
struct Failing(MemoryStorage);

impl Storage for Failing {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset > 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.write_at(offset, data)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
