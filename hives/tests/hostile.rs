//! Hostile bytes: mutations of hives and logs never panic, hang or take memory, and what the check accepts the reader can walk.
//!
//! Deterministic. The number of inputs is `COLDMEND_HOSTILE` (default 200,000 hives and a quarter of that of logs).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use coldmend_hives::{check_bytes, Commit, Hive, LogFiles, LogRegime, NewHive, RecoveryCommit};
use common::{corpus, descriptor, hives, logs, Random, NOW};

fn inputs() -> usize {
    std::env::var("COLDMEND_HOSTILE").ok().and_then(|s| s.parse().ok()).unwrap_or(200_000)
}

/// Small hives of every version, and small ones of the corpus if it is there.
fn seeds() -> Vec<(Vec<u8>, LogFiles)> {
    let mut seeds = Vec::new();
    for minor in 3..=6 {
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
        let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12Dirt, NOW).unwrap();
        seeds.push((commit.after().to_vec(), LogFiles::default()));
    }
    if let Some(corpus) = corpus("mutations of real hives") {
        for (_, path) in hives(&corpus) {
            if path.metadata().unwrap().len() <= 270_000 {
                seeds.push((std::fs::read(&path).unwrap(), logs(&path)));
            }
        }
    }
    seeds
}

fn length(bytes: &[u8]) -> usize {
    bytes.get(40..44).map_or(0, |b| u32::from_le_bytes(b.try_into().unwrap()) as usize)
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random, used: usize) {
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

fn seal(bytes: &mut [u8]) {
    if bytes.len() >= 512 {
        let second: [u8; 4] = bytes[4..8].try_into().unwrap();
        bytes[8..12].copy_from_slice(&second);
        let sum = bytes[..508].chunks(4).fold(0, |a, c| a ^ u32::from_le_bytes(c.try_into().unwrap()));
        bytes[508..512].copy_from_slice(&sum.to_le_bytes());
    }
}

fn edit(hive: &mut Hive, random: &mut Random) {
    let paths: Vec<String> =
        hive.walk().into_iter().flatten().filter_map(Result::ok).filter_map(|(_, k)| k.path()).take(300).collect();
    if paths.is_empty() {
        return;
    }
    for _ in 0..4 {
        let path = random.pick(&paths).clone();
        let length = *random.pick(&[0usize, 3, 9, 200, 20_000]);
        let data = random.bytes(length);
        let _ = match random.below(6) {
            0 => hive.set_value(&path, "V", 3, &data, NOW),
            1 => hive.delete_key(&path, NOW),
            2 => hive.create_key(&format!("{path}\\New"), NOW),
            3 => hive.set_key_security(&path, &descriptor(length as u32), NOW),
            4 => hive.set_class(&path, Some("Another class"), NOW),
            _ => hive.delete_value(&path, "V", NOW),
        };
    }
}

#[test]
fn mutated_hives_never_panic() {
    let seeds = seeds();
    let mut random = Random(11);
    let (mut opened, mut sound) = (0, 0);
    for _ in 0..inputs() {
        let (seed, _) = random.pick(&seeds);
        let mut bytes = seed.clone();
        let used = (4096 + length(&bytes)).min(bytes.len());
        mutate(&mut bytes, &mut random, used);
        if random.below(8) != 0 {
            seal(&mut bytes);
        }
        let report = check_bytes(&bytes);
        let Ok(mut hive) = Hive::open(bytes) else { continue };
        opened += 1;
        let mut keys = 0;
        for key in hive.walk().into_iter().flatten() {
            let Ok((_, key)) = key else {
                assert!(!report.is_sound());
                continue;
            };
            keys += 1;
            let read = || -> Result<(), coldmend_hives::HiveError> {
                key.class()?;
                key.security_descriptor()?;
                for value in key.values()? {
                    value.data()?;
                }
                Ok(())
            };
            let result = read();
            assert!(result.is_ok() || !report.is_sound(), "the check accepts what can't be read: {result:?}");
        }
        if report.is_sound() {
            sound += 1;
            assert_eq!(keys, report.stats.keys);
        }
        edit(&mut hive, &mut random);
        let _ = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW);
    }
    println!("{} mutated hives: {opened} opened, {sound} sound", inputs());
    assert!(opened > inputs() / 2);
}

#[test]
fn mutated_logs_never_panic() {
    let Some(_) = corpus("mutated logs") else { return };
    let seeds: Vec<_> = seeds().into_iter().filter(|(_, l)| l.log1.is_some()).collect();
    let mut random = Random(12);
    let mut recovered = 0;
    for _ in 0..inputs() / 4 {
        let (hive, logs) = random.pick(&seeds);
        let (mut hive, mut logs) = (hive.clone(), logs.clone());
        for log in [&mut logs.log1, &mut logs.log2].into_iter().flatten() {
            if log.is_empty() || random.below(3) == 0 {
                continue;
            }
            // Mostly near the front, where header and entry headers are.
            let used = if random.below(2) == 0 { 700 } else { log.len() };
            mutate(log, &mut random, used);
            if random.below(2) == 0 {
                seal(log);
            }
        }
        if random.below(3) == 0 {
            mutate(&mut hive, &mut random, 600);
        }
        if let Ok(result) = Hive::recover(hive, &logs) {
            recovered += 1;
            let _ = RecoveryCommit::prepare(result);
        }
    }
    println!("{} mutated logs: {recovered} applied", inputs() / 4);
    assert!(recovered > 0);
}

/// Thousands of keys that name one long list: the walk neither hangs nor takes memory by their product.
#[test]
fn a_list_named_by_many_keys_is_walked_once() {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    for i in 0..20_000 {
        hive.create_key(&format!("Many\\{i}"), NOW).unwrap();
    }
    let many = hive.find_key("Many").unwrap().unwrap();
    let at = |key: &coldmend_hives::KeyRef<'_>| key.file_offset() as usize + 4;
    let from = at(&many);
    let children: Vec<usize> = many.subkeys().unwrap().iter().map(at).collect();
    let mut bytes = hive.bytes().to_vec();
    for child in children {
        bytes.copy_within(from + 20..from + 32, child + 20);
    }
    seal(&mut bytes);
    let report = check_bytes(&bytes);
    assert!(report.stats.faults >= 20_000);
    let hive = Hive::open(bytes).unwrap();
    assert!(hive.walk().unwrap().count() <= 20_002);
    let mut hive = hive;
    assert!(hive.delete_key("Many", NOW).is_err());
}
