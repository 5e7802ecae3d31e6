//! `coldmend hive set` keeps to the log format of the Windows that owns the hive, also when the logs were made unreadable by an edit before.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use coldmend_hives::{Commit, FileTime, Hive, LogFiles, LogRegime, LogStorages, MemoryStorage, NewHive, Storage};

const NOW: FileTime = FileTime(133_500_000_000_000_000);

fn set(hive: &Path, number: u32) {
    let done = Command::new(env!("CARGO_BIN_EXE_coldmend"))
        .args(["hive", "set"])
        .arg(hive)
        .args(["Coldmend", "Value", &number.to_string(), "--type", "dword"])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A hive on a disk that takes no more writes.
struct ReadOnly(Vec<u8>);

impl Storage for ReadOnly {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.0[from..from + buf.len()]);
        Ok(())
    }
    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn set_len(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A new hive's bytes, and the same hive with a key in it that is to be committed.
fn new_and_edited() -> (Vec<u8>, Hive) {
    let bytes = Hive::create(&NewHive::default(), NOW).unwrap().bytes().to_vec();
    let mut hive = Hive::open(bytes.clone()).unwrap();
    hive.create_key("Coldmend", NOW).unwrap();
    (bytes, hive)
}

/// Commits it, with two logs that are empty so far; the logs afterwards, and what came of it.
fn commit(hive: Hive, regime: LogRegime, primary: &mut dyn Storage) -> ([Vec<u8>; 2], bool) {
    let logs = LogFiles { log1: Some(Vec::new()), log2: Some(Vec::new()), ..LogFiles::default() };
    let (mut log1, mut log2) = (MemoryStorage::default(), MemoryStorage::default());
    let mut storages = LogStorages { log1: Some(&mut log1), log2: Some(&mut log2), ..LogStorages::default() };
    let done = Commit::prepare(hive, &logs, regime, NOW).unwrap().execute(primary, &mut storages);
    ([log1.0, log2.0], done.is_ok())
}

fn signature(log: &Path) -> Vec<u8> {
    fs::read(log).unwrap()[512..516].to_vec()
}

#[test]
fn one_edit_after_the_other_keeps_the_format() {
    for (regime, expected) in [(LogRegime::Log12Dirt, b"DIRT"), (LogRegime::Log12HvLe, b"HvLE")] {
        let (bytes, edited) = new_and_edited();
        let mut primary = MemoryStorage(bytes);
        let ([log1, log2], done) = commit(edited, regime, &mut primary);
        assert!(done);
        let folder = tempfile::tempdir().unwrap();
        let hive = folder.path().join("SYSTEM");
        let log = folder.path().join("SYSTEM.LOG1");
        for (path, bytes) in [(&hive, &primary.0), (&log, &log1), (&folder.path().join("SYSTEM.LOG2"), &log2)] {
            fs::write(path, bytes).unwrap();
        }
        for number in 1..4 {
            set(&hive, number);
            assert_eq!(signature(&log), expected, "edit {number}");
        }
    }
}

#[test]
fn a_dirty_hive_of_windows_7_is_edited_with_its_log() {
    let Some(corpus) = std::env::var_os("COLDMEND_CORPUS") else {
        println!("skipped: a dirty hive of Windows 7 needs COLDMEND_CORPUS");
        return;
    };
    let source = Path::new(&corpus).join("hives/msuhanov+yarp/OldDirtyHive__OldDirtyHive");
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("hive");
    for ending in ["", ".LOG1", ".LOG2"] {
        let from = format!("{}{ending}", source.display());
        if Path::new(&from).exists() {
            fs::copy(from, format!("{}{ending}", hive.display())).unwrap();
        }
    }
    let log = folder.path().join("hive.LOG1");
    assert_eq!(signature(&log), b"DIRT");
    for number in 1..3 {
        set(&hive, number);
        assert_eq!(signature(&log), b"DIRT", "edit {number}");
    }
}

#[test]
fn a_destroyed_base_block_is_told_with_the_way_out() {
    let (mut bytes, edited) = new_and_edited();
    // The disk dies when the logs are complete.
    let (logs, done) = commit(edited, LogRegime::Log12HvLe, &mut ReadOnly(bytes.clone()));
    assert!(!done);
    bytes[..512].fill(0);
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("SYSTEM");
    fs::write(&hive, &bytes).unwrap();
    let run = |command: &str| {
        let done = Command::new(env!("CARGO_BIN_EXE_coldmend")).args(["hive", command]).arg(&hive).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    // Without logs it is a fault, and nothing can be done about it.
    let (status, said) = run("check");
    assert!(status == 1 && said.contains("from a backup"), "{status}: {said}");
    let (status, said) = run("info");
    assert!(status == 4 && said.contains("no registry hive"), "{status}: {said}");
    for (ending, log) in ["LOG1", "LOG2"].iter().zip(&logs) {
        fs::write(folder.path().join(format!("SYSTEM.{ending}")), log).unwrap();
    }
    let (status, said) = run("check");
    assert!(status == 0 && said.contains("in memory only"), "{status}: {said}");
    let (status, said) = run("info");
    assert!(status == 4 && said.contains("coldmend hive recover"), "{status}: {said}");
    assert_eq!(run("recover").0, 0);
    let (status, said) = run("info");
    assert!(status == 0, "{status}: {said}");
    assert_eq!(run("check").0, 0);
}
