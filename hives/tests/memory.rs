//! Memory: whatever the input, no more than a small multiple of it is taken, by open, walk, check, recovery and edit.
//!
//! A counting allocator measures the peak above what was taken before. The bound is [`TIMES`] the input (hive and logs) plus [`MORE`]. Alone in its
//! program, and one test, because the counter counts all threads. The hand-made hives claim much with little; a watchdog of a minute each says
//! "hang", and they take well under a second.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use coldmend_hives::{check_bytes, Commit, Hive, LogFiles, LogRegime, NewHive, RecoveryCommit};
use common::hostile::{dirty_seeds, edit, length, mutate, seeds};
use common::seal::{entry_hashes, seal};
use common::{Random, NOW};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Times the input.
const TIMES: f64 = 4.0;
/// And bytes on top: a thousand faults and a thousand notes with their texts, the structures of a hive of a few kilobytes.
const MORE: usize = 2 << 20;

/// The highest share of the bound that was reached, with what did.
#[derive(Default)]
struct Highest(f64, String);

impl Highest {
    /// Runs the work, and measures what it takes at most.
    fn measure(&mut self, name: &str, input: usize, work: impl FnOnce()) {
        let start = Instant::now();
        let base = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        work();
        let peak = MEMORY.peak_usage().saturating_sub(base);
        let share = peak as f64 / (TIMES * input as f64 + MORE as f64);
        if share > self.0 {
            *self = Self(share, format!("{name}: {peak} bytes for an input of {input}"));
        }
        if start.elapsed() > Duration::from_secs(1) {
            println!("{name}: {:?}", start.elapsed());
        }
        assert!(share <= 1.0, "{name} takes {peak} bytes for an input of {input}");
        assert!(start.elapsed() < Duration::from_secs(60), "{name} hangs");
    }

    fn all(&mut self, name: &str, bytes: &[u8], logs: &LogFiles, random: &mut Random) {
        let logs_size = [&logs.log, &logs.log1, &logs.log2].into_iter().flatten().map(Vec::len).sum::<usize>();
        let input = bytes.len() + logs_size;
        self.measure(&format!("{name}, check"), input, || drop(check_bytes(bytes)));
        self.measure(&format!("{name}, open and walk"), input, || {
            let Ok(hive) = Hive::open(bytes.to_vec()) else { return };
            for (_, key) in hive.walk().into_iter().flatten().flatten() {
                let _ = (key.path(), key.class(), key.security_descriptor());
            }
        });
        self.measure(&format!("{name}, all subkeys and values of a key at once"), input, || {
            let Ok(hive) = Hive::open(bytes.to_vec()) else { return };
            for (_, key) in hive.walk().into_iter().flatten().flatten().take(20) {
                drop(key.subkeys());
                for value in key.values().into_iter().flatten().take(20) {
                    let _ = value.data();
                }
            }
        });
        self.measure(&format!("{name}, recovery"), input, || {
            if let Ok(recovered) = Hive::recover(bytes.to_vec(), logs) {
                let _ = RecoveryCommit::prepare(recovered);
            }
        });
        self.measure(&format!("{name}, edits"), input, || {
            let Ok(mut hive) = Hive::open(bytes.to_vec()) else { return };
            edit(&mut hive, random, false);
            let _ = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW);
        });
        self.measure(&format!("{name}, deleting the first keys"), input, || {
            let Ok(mut hive) = Hive::open(bytes.to_vec()) else { return };
            let keys = hive.root().and_then(|root| root.walk().take(3).map(|k| k.map(|(_, k)| k.path())).collect());
            let keys: Vec<Option<String>> = keys.unwrap_or_default();
            for key in keys.into_iter().flatten() {
                let _ = hive.set_value(&key, "V", 3, &[1; 8], NOW);
                let _ = hive.delete_key(&key, NOW);
            }
        });
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// A hive of version 1.3 with keys `A`, `B` and `A\C`, and a value in `A` whose data, in one cell, is `data`; then its bytes, where the payloads of `A` and of the
/// value are, and the offset of the data's cell.
fn with_cell(data: &[u8]) -> (Vec<u8>, usize, usize, u32) {
    let mut hive = Hive::create(&NewHive { minor: 3, ..NewHive::default() }, NOW).unwrap();
    hive.create_key("A\\C", NOW).unwrap();
    hive.create_key("B", NOW).unwrap();
    hive.set_value("A", "Data", 3, data, NOW).unwrap();
    let key = hive.find_key("A").unwrap().unwrap();
    let (at, value) = (key.file_offset() as usize + 4, key.value("Data").unwrap().unwrap().file_offset() as usize + 4);
    let bytes = hive.bytes().to_vec();
    let cell = u32_at(&bytes, value + 8);
    (bytes, at, value, cell)
}

fn offset(hive: &[u8], path: &str) -> u32 {
    let mut bytes = hive.to_vec();
    seal(&mut bytes);
    Hive::open(bytes).unwrap().find_key(path).unwrap().unwrap().file_offset() as u32 - 4096
}

/// Hives that claim much with little.
fn hand_made() -> Vec<(&'static str, Vec<u8>)> {
    let mut hives = Vec::new();
    let repeat = |value: u32, count: usize| value.to_le_bytes().repeat(count);

    // Keys that all name one list.
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    (0..20_000).for_each(|i| hive.create_key(&format!("Many\\{i}"), NOW).unwrap());
    let many = hive.find_key("Many").unwrap().unwrap();
    let children: Vec<usize> = many.subkeys().unwrap().iter().map(|k| k.file_offset() as usize + 4).collect();
    let from = many.file_offset() as usize + 4;
    let mut bytes = hive.bytes().to_vec();
    children.iter().for_each(|&child| bytes.copy_within(from + 20..from + 32, child + 20));
    hives.push(("a list that 20,000 keys name", bytes));

    // A leaf that names one key 60,000 times, and an index root that names one leaf of 20,000 as often.
    let (mut bytes, key, _, cell) = with_cell(&repeat(0, 60_001));
    let child = offset(&bytes, "A\\C");
    let data = cell as usize + 4100;
    bytes[data..data + 4].copy_from_slice(&[b'l', b'i', 0x60, 0xEA]);
    bytes[data + 4..data + 4 + 240_000].copy_from_slice(&repeat(child, 60_000));
    put(&mut bytes, key + 20, 60_000);
    put(&mut bytes, key + 28, cell);
    hives.push(("a leaf that names one key 60,000 times", bytes.clone()));
    bytes[data + 2..data + 4].copy_from_slice(&20_000u16.to_le_bytes());
    let second = data + 100_000;
    bytes[second - 4..second].copy_from_slice(&(-120_000i32).to_le_bytes());
    bytes[second..second + 4].copy_from_slice(&[b'r', b'i', 0x20, 0x4E]);
    bytes[second + 4..second + 4 + 80_000].copy_from_slice(&repeat(cell, 20_000));
    put(&mut bytes, cell as usize + 4096, (-100_000i32 + 4 - 4) as u32);
    put(&mut bytes, key + 20, 400_000_000);
    put(&mut bytes, key + 28, (second - 4 - 4096) as u32);
    hives.push(("an index root that names one leaf 20,000 times", bytes));

    // A value list that names one value 60,000 times.
    let (mut bytes, key, value, cell) = with_cell(&repeat(0, 60_001));
    let data = cell as usize + 4100;
    bytes[data..data + 240_000].copy_from_slice(&repeat((value - 4100) as u32, 60_000));
    put(&mut bytes, value + 4, 0x8000_0000);
    put(&mut bytes, key + 36, 60_000);
    put(&mut bytes, key + 40, cell);
    hives.push(("a value list that names one value 60,000 times", bytes));

    // Big data whose 60,000 segments are one.
    let (mut bytes, _, value, cell) = with_cell(&vec![7; 262_000]);
    let data = cell as usize + 4100;
    bytes[data..data + 240_000].copy_from_slice(&repeat(cell, 60_000));
    let header = data + 240_012 - (data + 240_012) % 8 + 4;
    bytes[header - 4..header].copy_from_slice(&(-16i32).to_le_bytes());
    bytes[header..header + 4].copy_from_slice(&[b'd', b'b', 0x60, 0xEA]);
    put(&mut bytes, header + 4, cell);
    put(&mut bytes, value + 4, 60_000 * 16_344);
    put(&mut bytes, value + 8, (header - 4100) as u32);
    put(&mut bytes, 24, 5);
    hives.push(("big data of one segment 60,000 times", bytes));

    // Cycles: a key whose list leads to its parent.
    let (mut bytes, key, ..) = with_cell(&[7; 100]);
    let child = offset(&bytes, "A\\C") as usize + 4100;
    bytes.copy_within(key + 20..key + 32, child + 20);
    hives.push(("a key that is its own subkey", bytes.clone()));
    let root = u32_at(&bytes, 36) as usize + 4100;
    bytes.copy_within(root + 20..root + 32, child + 20);
    hives.push(("a key under itself", bytes));

    // Claims: every count and length there is, at its highest.
    for (what, field) in [("subkeys", 20), ("values", 36), ("lengths of names", 72), ("longest data", 64)] {
        for claim in [u32::MAX, 0x7FFF_FFFF, 0x00FF_FFFF] {
            let (mut bytes, key, ..) = with_cell(&[7; 5000]);
            put(&mut bytes, key + field, claim);
            let name = ["claimed subkeys", "claimed values", "claimed name", "claimed maximum"];
            let at = ["subkeys", "values", "lengths of names", "longest data"].iter().position(|w| *w == what).unwrap();
            hives.push((name[at], bytes));
        }
    }
    for claim in [0x7FFF_FFFF, 0x7FFF_E000, 0x00FF_0000] {
        let (mut bytes, _, value, cell) = with_cell(&[7; 5000]);
        put(&mut bytes, value + 4, claim);
        hives.push(("claimed data", bytes.clone()));
        put(&mut bytes, 24, 5);
        hives.push(("claimed big data", bytes.clone()));
        put(&mut bytes, cell as usize + 4096, claim.wrapping_neg());
        hives.push(("a claimed cell", bytes.clone()));
        put(&mut bytes, 40, claim & !4095);
        hives.push(("claimed bins", bytes));
    }

    hives.push(("some faults under the deepest and longest path", deep_faults(6)));
    hives
}

/// A deep path of long names, with faults at its end: each tells its path.
fn deep_faults(count: usize) -> Vec<u8> {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    let deep = vec!["\u{0439}".repeat(255); 511].join("\\");
    hive.create_key(&deep, NOW).unwrap();
    (0..count).for_each(|i| hive.set_value(&deep, &i.to_string(), 4, &[1; 4], NOW).unwrap());
    let values = hive.find_key(&deep).unwrap().unwrap().values().unwrap();
    let values: Vec<usize> = values.iter().map(|v| v.file_offset() as usize + 4).collect();
    let mut bytes = hive.bytes().to_vec();
    values.iter().for_each(|&value| bytes[value] = b'x');
    seal(&mut bytes);
    bytes
}

/// Logs that claim much with little, for a dirty hive.
fn claiming_logs(logs: &LogFiles) -> Vec<LogFiles> {
    let mut claims = Vec::new();
    for (at, claim) in [
        (516, 0x7FFF_FE00u32),
        (516, 0xFFFF_FE00),
        (528, 0x7FFF_E000),
        (528, 0x1000_0000),
        (532, 0x1FFF_FFFF),
        (532, 0xFFFF_FFFF),
        (552, 0x7FFF_E000),
        (556, 0x7FFF_E000),
        (40, 0x7FFF_E000),
        (40, 0x0100_0000),
    ] {
        let mut claiming = logs.clone();
        for log in [&mut claiming.log1, &mut claiming.log2].into_iter().flatten().filter(|l| l.len() > 600) {
            put(log, at, claim);
            seal(log);
            entry_hashes(log);
        }
        claims.push(claiming);
    }
    claims
}

#[test]
fn memory_is_bounded_by_the_input() {
    let mut random = Random(13);
    let none = LogFiles::default();
    let mut highest = Highest::default();
    let hives = hand_made();
    for (name, bytes) in &hives {
        let mut bytes = bytes.clone();
        seal(&mut bytes);
        let mut own = Highest::default();
        own.all(name, &bytes, &none, &mut random);
        println!("{:4.0} % of the bound: {}", own.0 * 100.0, own.1);
        if own.0 > highest.0 {
            highest = own;
        }
    }
    let mut logs_tried = 0;
    for (hive, logs) in dirty_seeds() {
        for claiming in claiming_logs(&logs) {
            highest.all("claiming logs", &hive, &claiming, &mut random);
            let mut broken = hive.clone();
            broken[508] ^= 1;
            highest.all("claiming logs, base block broken", &broken, &claiming, &mut random);
            logs_tried += 2;
        }
    }
    let mut seeds = seeds();
    seeds.extend(dirty_seeds());
    let mutated = 4000;
    for _ in 0..mutated {
        let (seed, logs) = random.pick(&seeds);
        let (mut bytes, mut logs) = (seed.clone(), logs.clone());
        let used = (4096 + length(&bytes)).min(bytes.len());
        mutate(&mut bytes, &mut random, used);
        if random.below(3) != 0 {
            seal(&mut bytes);
        }
        for log in [&mut logs.log1, &mut logs.log2].into_iter().flatten().filter(|l| !l.is_empty()) {
            mutate(log, &mut random, 700);
            seal(log);
            entry_hashes(log);
        }
        highest.all("a mutation", &bytes, &logs, &mut random);
    }
    println!("{} hand-made hives, {logs_tried} claiming logs, {mutated} mutations; at most {:.0} % of {TIMES} x + {MORE}: {}",
        hives.len(), highest.0 * 100.0, highest.1);
}

#[test]
fn faults_under_a_long_path_take_no_more() {
    let bytes = deep_faults(1200);
    Highest::default()
        .measure("a thousand faults under the longest path, check", bytes.len(), || drop(check_bytes(&bytes)));
}
