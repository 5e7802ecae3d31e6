//! Checking changes against the whole check: the same ledger after any edit, and never sound where the whole check is not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{bins_and_keys, check_bytes, conclude, crew, examine, Checker};
use crate::create::NewHive;
use crate::filetime::FileTime;
use crate::hive::{view_of, Hive};

const NOW: FileTime = FileTime(133_800_000_000_000_000);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

fn descriptor(mask: u8) -> Vec<u8> {
    let mut descriptor = NewHive::default().descriptor;
    let at = descriptor.len() - 20;
    descriptor[at] = mask;
    descriptor
}

/// One random edit; failing ones (a name that is not there) are part of it.
fn edit(hive: &mut Hive, random: &mut Random) {
    let key = match random.below(3) {
        0 => format!("A\\{}", random.below(40)),
        1 => format!("A\\{}\\{}", random.below(40), random.below(4)),
        _ => format!("Many\\{:04}", random.below(2200)),
    };
    let name = format!("v{}", random.below(6));
    let data = vec![7; [0, 1, 4, 5, 80, 3000, 16_345, 40_000][random.below(8)]];
    let _ = match random.below(13) {
        // Fails half-way, and is rolled back.
        12 => hive.set_value(&key, &"n".repeat(17_000), 3, &data, NOW),
        0..=3 => hive.set_value(&key, &name, 3, &data, NOW),
        4 | 5 => hive.create_key(&key, NOW),
        6 => hive.delete_key(&key, NOW),
        7 => hive.delete_value(&key, &name, NOW),
        8 => hive.rename_value(&key, &name, &"n".repeat(random.below(40)), NOW),
        9 => hive.set_class(&key, [None, Some("C"), Some("A longer class")][random.below(3)], NOW),
        _ => hive.set_key_security(&key, &descriptor(random.below(5) as u8), NOW),
    };
}

fn start(minor: u32) -> Hive {
    let mut hive = Hive::create(&NewHive { minor, ..NewHive::default() }, NOW).unwrap();
    for i in 0..2050 {
        hive.create_key(&format!("Many\\{i:04}"), NOW).unwrap();
    }
    for i in 0..30 {
        hive.create_key(&format!("A\\{i}\\1"), NOW).unwrap();
    }
    hive.image.rebase();
    assert!(hive.verify().is_sound());
    hive
}

#[test]
fn the_ledger_is_the_one_of_the_whole_check() {
    for minor in 3..=6 {
        let mut hive = start(minor);
        let mut random = Random(u64::from(minor));
        for step in 0..400 {
            for _ in 0..1 + random.below(4) {
                edit(&mut hive, &mut random);
                if random.below(20) == 0 {
                    assert!(hive.verify().is_sound(), "1.{minor}, step {step}: damaged by an edit");
                    // What was verified on top of changes is only trusted with them as the past.
                    hive.image.rebase();
                }
            }
            assert!(hive.changes_are_sound(), "1.{minor}, step {step}: left to the whole check");
            hive.image.rebase();
            let mut whole = examine(hive.bytes()).1.unwrap();
            // The editor keeps its own.
            whole.free = None;
            assert!(hive.ledger().unwrap() == &whole, "1.{minor}, step {step}: another ledger");
        }
    }
}

#[test]
fn damage_beside_an_edit_is_never_passed() {
    let (mut passed, mut seen) = (0, 0);
    let sound = start(5);
    let mut random = Random(99);
    for _ in 0..3000 {
        let mut hive = sound.clone();
        for _ in 0..1 + random.below(3) {
            edit(&mut hive, &mut random);
        }
        let pages = hive.changed_pages();
        for _ in 0..1 + random.below(2) {
            let page = if pages.is_empty() || random.below(4) == 0 {
                random.below(hive.bytes().len() / 4096) * 4096
            } else {
                pages[random.below(pages.len())] as usize
            };
            let at = page + random.below(1024) * 4;
            let value: u32 = [0, 1, 0x20, u32::MAX, hive.bytes()[at].into()][random.below(5)];
            hive.image.write(at, &value.to_le_bytes()).unwrap();
        }
        let whole = check_bytes(hive.bytes()).is_sound();
        let quick = hive.changes_are_sound();
        assert!(whole || !quick, "passed what the whole check refuses: {:?}", check_bytes(hive.bytes()).faults);
        passed += usize::from(quick);
        seen += usize::from(!whole);
    }
    assert!(passed > 100 && seen > 1000, "{passed} passed, {seen} damaged");
}

/// The check on several processors finds what the one on one processor finds, on sound and on damaged hives.
#[test]
fn however_many_check_the_report_is_the_same() {
    let mut hive = start(5);
    for i in 0..9000 {
        hive.create_key(&format!("Wide\\{}\\{i}", i % 90), NOW).unwrap();
        hive.set_value(&format!("Wide\\{}\\{i}", i % 90), "Data", 3, &[i as u8; 250], NOW).unwrap();
    }
    let bytes = hive.bytes().to_vec();
    assert!(bytes.len() > 3 << 20, "{} bytes: too few to share", bytes.len());
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        println!("skipped: one processor");
        return;
    }
    let alone = |bytes: &[u8]| {
        let mut base = Checker::bare(bytes, view_of(bytes));
        base.base_block();
        conclude(base.report, bins_and_keys(bytes, view_of(bytes)))
    };
    assert!(crew::check(&bytes, view_of(&bytes)).is_some());
    assert_eq!(examine(&bytes), alone(&bytes));
    let mut random = Random(5);
    let mut refused = 0;
    for _ in 0..60 {
        let mut bytes = bytes.clone();
        for _ in 0..1 + random.below(2) {
            let at = 4096 + random.below((bytes.len() - 4096) / 4) * 4;
            bytes[at] ^= 1 << random.below(8);
        }
        let shared = crew::check(&bytes, view_of(&bytes)).is_some();
        let single = bins_and_keys(&bytes, view_of(&bytes)).report.is_sound();
        assert_eq!(shared, single);
        assert_eq!(examine(&bytes), alone(&bytes));
        refused += usize::from(!single);
    }
    assert!((10..60).contains(&refused), "{refused}");
}

/// The free cells that a check met are out of date once there were edits: a failing one must not bring them back.
#[test]
fn a_failed_edit_after_a_second_check_brings_nothing_old_back() {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    for key in ["K", "L", "M"] {
        hive.create_key(key, NOW).unwrap();
        hive.set_value(key, "old", 3, &[1; 300], NOW).unwrap();
        hive.delete_value(key, "old", NOW).unwrap();
    }
    assert!(hive.verify().is_sound());
    hive.set_value("K", "v", 3, &[0x11; 100], NOW).unwrap();
    hive.set_value("K", "w", 3, &[0x22; 100], NOW).unwrap();
    assert!(hive.set_value("M", &"x".repeat(17_000), 3, &[0x33; 100], NOW).is_err());
    hive.set_value("L", "x", 3, &[0x44; 100], NOW).unwrap();
    for (key, name, byte) in [("K", "v", 0x11), ("K", "w", 0x22), ("L", "x", 0x44)] {
        let key = hive.find_key(key).unwrap().unwrap();
        assert_eq!(*key.value(name).unwrap().unwrap().data().unwrap(), [byte; 100], "{name}");
    }
    assert!(hive.check().is_sound());
}
