//! How long each step takes on a hive named on the command line, or on a generated one: `speed FILE`, `speed generate KEYS FILE`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use coldmend_hives::{Commit, FileTime, Hive, LogFiles, LogRegime, LogStorages, MemoryStorage, NewHive};

const NOW: FileTime = FileTime(133_800_000_000_000_000);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [generate, keys, file] if generate == "generate" => {
            let hive = generated(keys.parse().unwrap());
            let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW).unwrap();
            std::fs::write(file, commit.after()).unwrap();
        }
        [file] => {
            for _ in 0..5 {
                measure(&std::fs::read(file).unwrap());
            }
        }
        _ => println!("speed FILE | speed generate KEYS FILE"),
    }
}

/// Keys of three levels with values of usual sizes.
fn generated(keys: usize) -> Hive {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    let start = Instant::now();
    for i in 0..keys {
        let path = format!("ControlSet001\\Group{:03}\\Key{i:07}", i % 700);
        hive.create_key(&path, NOW).unwrap();
        hive.set_value(&path, "Start", 4, &(i as u32).to_le_bytes(), NOW).unwrap();
        hive.set_value(&path, "ImagePath", 2, &[65; 80], NOW).unwrap();
    }
    println!("{keys} keys in {:?}", start.elapsed());
    hive
}

fn measure(bytes: &[u8]) {
    let mut laps = Vec::new();
    let mut lap = Instant::now();
    let mut next = |name: &'static str| {
        laps.push((name, lap.elapsed()));
        lap = Instant::now();
    };
    let copy = bytes.to_vec();
    next("copy");
    let mut hive = Hive::open(copy).unwrap();
    next("open");
    black_box(hive.check());
    next("check");
    let mut data = 0usize;
    for key in hive.walk().unwrap() {
        for value in key.unwrap().1.values().unwrap() {
            data += value.data().unwrap().len();
        }
    }
    black_box(data);
    next("walk");
    let path = hive.walk().unwrap().filter_map(Result::ok).last().unwrap().1.path().unwrap();
    next("last key");
    hive.set_value(&path, "Speed", 4, &[1; 4], NOW).unwrap();
    next("first edit");
    for i in 0..100u32 {
        hive.set_value(&path, &format!("Speed{i}"), 4, &[1; 4], NOW).unwrap();
    }
    next("100 edits");
    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW).unwrap();
    next("prepare");
    let mut primary = MemoryStorage(bytes.to_vec());
    next("copy");
    let report = commit.execute(&mut primary, &mut LogStorages::default()).unwrap();
    next("execute");
    println!("{laps:?} {} bytes written", report.bytes_written);
}
