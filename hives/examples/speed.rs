//! How long each step takes on a hive named on the command line, or on a generated one: `speed FILE`, `speed generate KEYS FILE`.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use coldmend_hives::{Commit, FileTime, Hive, LogFiles, LogRegime, LogStorages, MemoryStorage, NewHive};

const NOW: FileTime = FileTime(133_800_000_000_000_000);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [generate, keys, file] if generate == "generate" => {
            let hive = generated(keys.parse()?)?;
            let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW)?;
            std::fs::write(file, commit.after())?;
        }
        [file] => {
            for _ in 0..5 {
                measure(&std::fs::read(file)?)?;
            }
        }
        _ => println!("speed FILE | speed generate KEYS FILE"),
    }
    Ok(())
}

/// Keys of three levels with values of usual sizes.
fn generated(keys: usize) -> Result<Hive, Box<dyn Error>> {
    let mut hive = Hive::create(&NewHive::default(), NOW)?;
    let start = Instant::now();
    for i in 0..keys {
        let path = format!("ControlSet001\\Group{:03}\\Key{i:07}", i % 700);
        hive.create_key(&path, NOW)?;
        hive.set_value(&path, "Start", 4, &u32::try_from(i)?.to_le_bytes(), NOW)?;
        hive.set_value(&path, "ImagePath", 2, &[65; 80], NOW)?;
    }
    println!("{keys} keys in {:?}", start.elapsed());
    Ok(hive)
}

fn measure(bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut laps = Vec::new();
    let mut lap = Instant::now();
    let mut next = |name: &'static str| {
        laps.push((name, lap.elapsed()));
        lap = Instant::now();
    };
    let copy = bytes.to_vec();
    next("copy");
    let mut hive = Hive::open(copy)?;
    next("open");
    assert!(hive.verify().is_sound());
    next("check");
    let mut data = 0usize;
    for key in hive.walk()? {
        for value in key?.1.values()? {
            data += value.data()?.len();
        }
    }
    black_box(data);
    next("walk");
    let last = hive.walk()?.filter_map(Result::ok).last();
    let path = last.and_then(|(_, key)| key.path()).ok_or("the last key has no path")?;
    next("last key");
    hive.set_value(&path, "Speed", 4, &[1; 4], NOW)?;
    next("first edit");
    for i in 0..100u32 {
        hive.set_value(&path, &format!("Speed{i}"), 4, &[1; 4], NOW)?;
    }
    next("100 edits");
    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW)?;
    next("prepare");
    let mut primary = MemoryStorage(bytes.to_vec());
    next("copy");
    let report = commit.execute(&mut primary, &mut LogStorages::default())?;
    next("execute");
    let mut hive = commit.into_hive();
    hive.set_value(&path, "Speed", 4, &[2; 4], NOW)?;
    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW)?;
    commit.execute(&mut primary, &mut LogStorages::default())?;
    next("a further edit, checked and written");
    println!("{laps:?} {} bytes written", report.bytes_written);
    Ok(())
}
