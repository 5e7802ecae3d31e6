//! Hostile bytes: seeds, mutations of them, and edits of whatever opens.
#![allow(dead_code, clippy::unwrap_used)]

use std::cell::Cell;
use std::io;

use coldmend_hives::{Commit, Hive, HiveError, LogFiles, LogRegime, LogStorages, MemoryStorage, NewHive, Storage};

use super::seal::seal;
use super::{corpus, descriptor, hives, logs, Random, NOW};

/// A small hive with one of everything.
fn generated(minor: u32) -> Hive {
    let mut hive = Hive::create(&NewHive { minor, ..NewHive::default() }, NOW).unwrap();
    for i in 0..12u8 {
        hive.create_key(&format!("A\\B{i}\\C"), NOW).unwrap();
        hive.set_value(&format!("A\\B{i}"), "V", 3, &vec![i; usize::from(i) * 7], NOW).unwrap();
    }
    hive.set_value("A", "Big", 3, &[5; 40_000], NOW).unwrap();
    hive.set_key_security("A\\B3", &descriptor(3), NOW).unwrap();
    hive.set_class("A\\B4", Some("Class"), NOW).unwrap();
    for i in 0..if minor == 5 { 1100 } else { 0 } {
        hive.create_key(&format!("Many\\{i}"), NOW).unwrap();
    }
    hive
}

/// Small hives of every version, and small ones of the corpus if it is there.
pub fn seeds() -> Vec<(Vec<u8>, LogFiles)> {
    let mut seeds = Vec::new();
    for minor in 3..=6 {
        let commit = Commit::prepare(generated(minor), &LogFiles::default(), LogRegime::Log12Dirt, NOW).unwrap();
        seeds.push((commit.after().to_vec(), LogFiles::default()));
    }
    seeds.push((too_deep(), LogFiles::default()));
    if let Some(corpus) = corpus("mutations of real hives") {
        for (_, path) in hives(&corpus) {
            if path.metadata().unwrap().len() <= 270_000 {
                seeds.push((std::fs::read(&path).unwrap(), logs(&path)));
            }
        }
    }
    seeds
}

/// A key below the deepest one that is allowed: the list of another key is grafted there.
pub fn too_deep() -> Vec<u8> {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    let deepest = vec!["d"; 512].join("\\");
    hive.create_key(&deepest, NOW).unwrap();
    hive.create_key("Z\\Y", NOW).unwrap();
    let at = |path: &str| hive.find_key(path).unwrap().unwrap().file_offset() as usize;
    let (deepest, other, child) = (at(&deepest) + 4, at("Z") + 4, at("Z\\Y") + 4);
    let mut bytes = hive.bytes().to_vec();
    bytes.copy_within(other + 20..other + 32, deepest + 20);
    bytes[other + 20..other + 24].copy_from_slice(&[0; 4]);
    bytes[other + 28..other + 32].copy_from_slice(&[0xFF; 4]);
    bytes[child + 16..child + 20].copy_from_slice(&((deepest - 4100) as u32).to_le_bytes());
    seal(&mut bytes);
    bytes
}

/// A file that takes a number of writes and then fails.
struct Cut<'c> {
    file: MemoryStorage,
    left: &'c Cell<usize>,
}

impl Storage for Cut<'_> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buf)
    }
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let left = self.left.get().checked_sub(1).ok_or(io::ErrorKind::Other)?;
        self.left.set(left);
        self.file.write_at(offset, data)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Dirty hives with the logs that finish them: commits cut after each write, in both formats.
pub fn dirty_seeds() -> Vec<(Vec<u8>, LogFiles)> {
    let mut seeds = Vec::new();
    for (minor, regime) in [(3, LogRegime::Log12Dirt), (5, LogRegime::Log12HvLe), (6, LogRegime::Log12HvLe)] {
        let commit = Commit::prepare(generated(minor), &LogFiles::default(), regime, NOW).unwrap();
        let before = commit.after().to_vec();
        let mut hive = Hive::open(before.clone()).unwrap();
        hive.set_value("A\\B5", "Another", 3, &[9; 9000], NOW).unwrap();
        hive.delete_key("A\\B7", NOW).unwrap();
        let logs = LogFiles { log1: Some(vec![0; 1024]), log2: Some(vec![0; 512]), ..LogFiles::default() };
        let commit = Commit::prepare(hive, &logs, regime, NOW).unwrap();
        for writes in 0..20 {
            let left = Cell::new(writes);
            let file = |bytes: &[u8]| Cut { file: MemoryStorage(bytes.to_vec()), left: &left };
            let (mut primary, mut log1, mut log2) = (file(&before), file(&[0; 1024]), file(&[0; 512]));
            let mut storages = LogStorages { log1: Some(&mut log1), log2: Some(&mut log2), ..LogStorages::default() };
            let done = commit.execute(&mut primary, &mut storages).is_ok();
            if matches!(Hive::open(primary.file.0.clone()), Err(HiveError::Dirty { .. })) {
                let logs = LogFiles { log1: Some(log1.file.0), log2: Some(log2.file.0), ..LogFiles::default() };
                seeds.push((primary.file.0, logs));
            }
            if done {
                break;
            }
        }
    }
    assert!(seeds.len() > 6);
    seeds
}

/// Length of the bins as stated.
pub fn length(bytes: &[u8]) -> usize {
    bytes.get(40..44).map_or(0, |b| u32::from_le_bytes(b.try_into().unwrap()) as usize)
}

/// One to four changes in the first `used` bytes.
pub fn mutate(bytes: &mut Vec<u8>, random: &mut Random, used: usize) {
    const VALUES: [u32; 12] =
        [0, 1, 4, 8, 0x20, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0004, 0xFFFF_FFF8, 0xFFFF_FFFF, 0x1000, 0xFFFF];
    for _ in 0..1 + random.below(4) {
        let end = bytes.len().min(used.max(64));
        let at = random.below(end);
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 | 3 => {
                let value = if random.below(2) == 0 { *random.pick(&VALUES) } else { random.below(end) as u32 & !7 };
                let at = at & !3;
                for (slot, byte) in bytes[at..].iter_mut().zip(value.to_le_bytes()) {
                    *slot = byte;
                }
            }
            4 => {
                // One structure over another.
                let from = random.below(end) & !7;
                let copy: Vec<u8> = bytes[from..(from + 8 + random.below(80)).min(bytes.len())].to_vec();
                let at = at & !7;
                for (slot, byte) in bytes[at..].iter_mut().zip(copy) {
                    *slot = byte;
                }
            }
            _ if random.below(20) == 0 => bytes.truncate(at),
            _ => bytes[at] = 0,
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

/// Four edits of keys that the hive seems to have; one that fails must change nothing. Answers how many were made.
pub fn edit(hive: &mut Hive, random: &mut Random, compare: bool) -> usize {
    let paths: Vec<String> = hive
        .walk()
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|(_, k)| k.path())
        .filter(|p| p.len() < 2000)
        .take(300)
        .collect();
    if paths.is_empty() {
        return 0;
    }
    let mut made = 0;
    for _ in 0..4 {
        let path = random.pick(&paths).clone();
        let length = *random.pick(&[0usize, 3, 9, 200, 20_000]);
        let data = random.bytes(length);
        let key = hive.find_key(&path).ok().flatten().filter(|k| k.value_count() < 1000);
        let values = key.and_then(|k| k.values().ok());
        let value = values.and_then(|v| v.first().map(|v| v.name())).unwrap_or_else(|| "V".into());
        let before = compare.then(|| hive.bytes().to_vec());
        let result = match random.below(8) {
            0 => hive.set_value(&path, "V", 3, &data, NOW),
            1 => hive.delete_key(&path, NOW),
            2 => hive.create_key(&format!("{path}\\New"), NOW),
            3 => hive.set_key_security(&path, &descriptor(length as u32), NOW),
            4 => hive.set_class(&path, Some("Another class"), NOW),
            5 => hive.rename_value(&path, &value, "Another name for the value", NOW),
            6 => hive.set_value(&path, &value, 1, &data, NOW),
            _ => hive.delete_value(&path, &value, NOW),
        };
        made += usize::from(result.is_ok());
        if let (Err(error), Some(before)) = (result, before) {
            assert!(hive.bytes() == before, "an edit that failed changed something: {error}");
        }
    }
    made
}
