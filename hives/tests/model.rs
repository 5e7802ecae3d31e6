//! Long random sequences of edits against a tree in memory. After each the check passes, the trees are equal, no allocated cell is lost, and the security
//! reference counts add up; a hive that Windows made had its lost cells before, and has as many after. An edit that fails changes no byte.
//!
//! The number of steps is `COLDMEND_MODEL_STEPS` (default 400) for each of twelve new hives, and a sixteenth of it for each real one.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, clippy::type_complexity)]

mod common;

use std::collections::BTreeMap;

use coldmend_hives::{Commit, Hive, HiveError, LogFiles, LogRegime, NewHive};
use common::model::{upper, Both};
use common::seal::seal;
use common::{corpus, descriptor, healthy, tree, Random, NOW};

fn steps() -> usize {
    std::env::var("COLDMEND_MODEL_STEPS").ok().and_then(|s| s.parse().ok()).unwrap_or(400)
}

fn data_length(random: &mut Random) -> usize {
    const LENGTHS: [usize; 17] =
        [0, 1, 3, 4, 5, 8, 20, 100, 600, 4000, 16_343, 16_344, 16_345, 16_348, 32_688, 32_689, 60_000];
    *random.pick(&LENGTHS)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}\\{name}")
    }
}

/// One random edit on both; answers its name.
fn step(both: &mut Both, random: &mut Random) -> &'static str {
    const NAMES: [&str; 12] =
        ["Alpha", "beta", "GAMMA", "delta_1", "a", "Zz-top", "Ünïcode", "Ключ", "with space", "x[0]", "Type", "Start"];
    let all = both.model.paths();
    let choice = random.below(26);
    let mut path = random.pick(&all).clone();
    if (6..=10).contains(&choice) {
        // Most keys have no values.
        let with_values = |p: &&String| !both.model.at(p).unwrap().values.is_empty();
        let found: Vec<&String> = all.iter().filter(with_values).collect();
        path = if found.is_empty() { path } else { (*random.pick(&found)).clone() };
    }
    let name =
        if random.below(3) == 0 { format!("n{}", random.below(3000)) } else { (*random.pick(&NAMES)).to_owned() };
    let existing: Vec<String> = both.model.at(&path).unwrap().values.values().map(|v| v.0.clone()).collect();
    match choice {
        0..=5 => {
            let (data_type, length) = (random.below(13) as u32, data_length(random));
            both.set(&path, &name, data_type, &random.bytes(length));
            "set"
        }
        6 if !existing.is_empty() => {
            // Other data for a value that is there: in place, inline, big, and back.
            let (data_type, length) = (random.below(12) as u32, data_length(random));
            both.set(&path, &random.pick(&existing).clone(), data_type, &random.bytes(length));
            "set again"
        }
        6..=8 if !existing.is_empty() => {
            both.delete_value(&path, &random.pick(&existing).clone());
            "delete value"
        }
        9 | 10 if !existing.is_empty() => {
            let old = random.pick(&existing).clone();
            let new = match random.below(4) {
                0 => old.to_ascii_lowercase(),
                1 => format!("{name} and a longer name than before {}", "x".repeat(random.below(60))),
                _ => name,
            };
            if upper(&new) != upper(&old) && existing.iter().any(|e| upper(e) == upper(&new)) {
                let before = both.hive.bytes().to_vec();
                let result = both.hive.rename_value(&path, &old, &new, NOW);
                assert!(matches!(result, Err(HiveError::Exists { .. })));
                assert!(both.hive.bytes() == before, "a refused renaming changed something");
                return "rename refused";
            }
            both.rename_value(&path, &old, &new);
            "rename value"
        }
        11..=15 => {
            let deep = if random.below(4) == 0 { format!("{name}\\Sub\\Deep") } else { name };
            both.create(&join(&path, &deep));
            "create key"
        }
        16 | 17 if !path.is_empty() && (all.len() > 40 || random.below(4) == 0) => {
            both.delete_key(&path);
            "delete key"
        }
        18 | 19 => {
            both.set_security(&path, &descriptor(*random.pick(&[0xF003F, 0x20019, 0x1, 0x2, 0x3])));
            "security"
        }
        20 => {
            // What another key has: shared again.
            let other = random.pick(&all).clone();
            let security = both.model.at(&other).unwrap().security.clone();
            both.set_security(&path, &security);
            "security of another"
        }
        21 | 22 => {
            const CLASSES: [Option<&str>; 3] = [None, Some("Class"), Some("A longer class name, of a few words")];
            both.set_class(&path, CLASSES[random.below(3)]);
            "class"
        }
        23 if random.below(6) == 0 && both.model.size() < 4000 => {
            // Over the limit of one list, with an index root of several.
            let (from, to) = (random.below(500), 1200 + random.below(1500));
            (from..to).for_each(|i| both.create(&join("Many", &format!("{:05}", i * 7919 % 65_521))));
            "many keys"
        }
        24 if both.model.at("Many").is_some_and(|m| m.keys.len() > 1000) => {
            let keys: Vec<String> = both.model.keys["MANY"].keys.values().map(|k| k.name.clone()).collect();
            let (from, count) = (random.below(keys.len()), 200 + random.below(1500));
            keys.iter().skip(from).take(count).for_each(|key| both.delete_key(&join("Many", key)));
            "many keys deleted"
        }
        _ => {
            fail(both, &path, random);
            "refused"
        }
    }
}

/// Edits that must fail, and change no byte.
fn fail(both: &mut Both, path: &str, random: &mut Random) {
    let hive = &mut both.hive;
    let before = hive.bytes().to_vec();
    let depth = path.split('\\').filter(|p| !p.is_empty()).count();
    let result = match random.below(11) {
        0 => hive.delete_value(path, "no such value", NOW),
        1 => hive.rename_value(path, "no such value", "new", NOW),
        2 => hive.delete_key("", NOW),
        3 => hive.delete_key(&join(path, "no such key"), NOW),
        4 => hive.create_key(&join(path, &format!("New\\{}", "x".repeat(256))), NOW),
        5 => hive.create_key(&join(path, &"d\\".repeat(513 - depth)), NOW),
        6 => hive.create_key(&join(path, "unsettled \u{180}"), NOW),
        7 => hive.set_value(&join(path, "no such key"), "v", 4, &[1; 4], NOW),
        8 => hive.set_value(path, &"n".repeat(16_384), 3, &[1; 50_000], NOW),
        9 => hive.set_key_security(path, &descriptor(1)[..40], NOW),
        _ => hive.set_class(path, Some(&"c".repeat(33_000)), NOW),
    };
    assert!(result.is_err());
    assert!(hive.bytes() == before, "an edit that failed changed something: {result:?}");
}

fn verify(both: &Both, lost: u64, what: &str) {
    let mut clean = both.hive.bytes().to_vec();
    // The base block's checksum is made at the commit; here the check runs in between.
    seal(&mut clean);
    let report = coldmend_hives::check_bytes(&clean);
    assert!(report.is_sound(), "{what}: {:?}", report.faults);
    assert_eq!(report.stats.unreferenced_cells, lost, "{what}: cells were lost");
    assert!(tree(&both.hive) == both.model, "{what}: another tree");
    security_adds_up(&both.hive, what);
}

/// Counts the users of every security cell by hand, apart from the check.
fn security_adds_up(hive: &Hive, what: &str) {
    let bytes = hive.bytes();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut users: BTreeMap<u32, u32> = BTreeMap::new();
    for key in hive.walk().unwrap() {
        *users.entry(u32_at(key.unwrap().1.file_offset() as usize + 4 + 44)).or_default() += 1;
    }
    let start = u32_at(hive.root().unwrap().file_offset() as usize + 4 + 44);
    let (mut at, mut ring) = (start, BTreeMap::new());
    loop {
        let cell = at as usize + 4100;
        assert!(ring.insert(at, u32_at(cell + 12)).is_none(), "{what}: the security ring does not close");
        let next = u32_at(cell + 4);
        assert_eq!(u32_at(next as usize + 4108), at, "{what}: the security ring is not the same in both directions");
        at = next;
        if at == start {
            break;
        }
    }
    assert_eq!(ring, users, "{what}: references to security cells");
}

#[test]
fn random_edits_of_a_new_hive_follow_the_model() {
    for minor in [3, 4, 5, 6] {
        let mut kinds = BTreeMap::new();
        let mut largest = 0;
        for seed in 0..3 {
            let mut random = Random(seed * 1000 + u64::from(minor));
            let hive = Hive::create(&NewHive { minor, ..NewHive::default() }, NOW).unwrap();
            let mut both = Both { model: tree(&hive), hive };
            for number in 0..steps() {
                let kind = step(&mut both, &mut random);
                *kinds.entry(kind).or_insert(0) += 1;
                verify(&both, 0, &format!("1.{minor}, seed {seed}, step {number}: {kind}"));
                largest = largest.max(both.model.keys.get("MANY").map_or(0, |m| m.keys.len()));
                if number % 97 == 96 {
                    let commit = Commit::prepare(both.hive, &LogFiles::default(), LogRegime::Log12Dirt, NOW).unwrap();
                    both.hive = Hive::open(commit.after().to_vec()).unwrap();
                }
            }
        }
        println!("1.{minor}: {kinds:?}, longest list {largest}");
        assert!(steps() < 400 || (largest > 1500 && kinds.len() >= 12), "not every kind of edit was made");
    }
}

#[test]
fn random_edits_of_real_hives_follow_the_model() {
    let Some(corpus) = corpus("edits of real hives") else { return };
    let mut hives = 0;
    for (name, bytes) in healthy(&corpus, 400_000) {
        let hive = Hive::open(bytes).unwrap();
        let lost = hive.check().stats.unreferenced_cells;
        let mut both = Both { model: tree(&hive), hive };
        if both.model.paths().iter().any(|n| n.contains('\u{FFFD}')) {
            println!("{name}: has names with unpaired surrogates, which a path can't tell apart");
            continue;
        }
        let mut random = Random(hives);
        for number in 0..(steps() / 16).max(20) {
            let kind = step(&mut both, &mut random);
            verify(&both, lost, &format!("{name}, step {number}: {kind}"));
        }
        hives += 1;
    }
    println!("{hives} real hives edited");
    assert!(hives > 40);
}

#[test]
fn a_list_grows_to_an_index_root_and_back() {
    for minor in [3, 4, 5, 6] {
        let hive = Hive::create(&NewHive { minor, ..NewHive::default() }, NOW).unwrap();
        let mut both = Both { model: tree(&hive), hive };
        let mut random = Random(7);
        let mut names: Vec<String> = (0..5000).map(|i| format!("Key{i:05}")).collect();
        for i in (1..names.len()).rev() {
            names.swap(i, random.below(i + 1));
        }
        for (number, name) in names.iter().enumerate() {
            both.create(&format!("Many\\{name}"));
            if [1, 1011, 1012, 1013, 2500, 4999].contains(&number) {
                verify(&both, 0, &format!("1.{minor}, {number}"));
            }
        }
        let found = |n: &String| both.hive.find_key(&format!("many\\{}", n.to_ascii_lowercase())).unwrap().is_some();
        assert!(names.iter().all(found));
        for (number, name) in names.iter().enumerate() {
            both.delete_key(&format!("Many\\{name}"));
            if number % 700 == 0 || number > 4995 {
                verify(&both, 0, &format!("1.{minor}, back, {number}"));
            }
        }
        both.delete_key("Many");
        verify(&both, 0, "all gone");
        assert_eq!(both.hive.check().stats.keys, 1);
    }
}

/// Damage that an edit meets half-way: what it did before is taken back, the growth of the file too.
#[test]
fn an_edit_that_fails_half_way_is_taken_back() {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    for i in 0..40 {
        hive.create_key(&format!("A\\B{i:02}\\C"), NOW).unwrap();
        hive.set_value(&format!("A\\B{i:02}\\C"), "V", 3, &[i; 300], NOW).unwrap();
        hive.set_value(&format!("A\\B{i:02}\\C"), "Big", 3, &vec![i; 20_000], NOW).unwrap();
    }
    let mut whole = hive.bytes().to_vec();
    seal(&mut whole);
    let at = |path: &str, value: &str| {
        let key = hive.find_key(path).unwrap().unwrap();
        (key.file_offset() as usize + 4, key.value(value).unwrap().map_or(0, |v| v.file_offset() as usize + 4))
    };
    let mut tried = 0;
    for path in ["A\\B00\\C", "A\\B20\\C", "A\\B39\\C"] {
        let (key, small) = at(path, "V");
        let (_, big) = at(path, "Big");
        // Data, list of values, security, the big data's header: each leads to no cell.
        for field in [small + 8, key + 40, key + 44, big + 8] {
            for bad in [8u32, 0xFFFF_FFF0, 0x7FFF_FFF8] {
                let mut bytes = whole.clone();
                bytes[field..field + 4].copy_from_slice(&bad.to_le_bytes());
                let mut damaged = Hive::open(bytes.clone()).unwrap();
                let edits: [fn(&mut Hive, &str) -> Result<(), HiveError>; 6] = [
                    |h, _| h.delete_key("A", NOW),
                    |h, p| h.delete_key(p, NOW),
                    |h, p| h.set_value(p, "Big", 3, &[1; 100_000], NOW),
                    |h, p| h.set_value(p, "V", 3, &[1; 100_000], NOW),
                    |h, p| h.set_key_security(p, &descriptor(9), NOW),
                    |h, p| h.create_key(&format!("{p}\\{}", "New\\".repeat(200)), NOW),
                ];
                for edit in edits {
                    if edit(&mut damaged, path).is_err() {
                        assert!(damaged.bytes() == bytes, "an edit that failed changed something");
                        tried += 1;
                    } else {
                        damaged = Hive::open(bytes.clone()).unwrap();
                    }
                }
            }
        }
    }
    println!("{tried} edits failed and were taken back");
    assert!(tried > 60);
}

#[test]
fn only_pages_of_the_edit_change() {
    let Some(corpus) = corpus("the pages of an edit") else { return };
    let bytes = std::fs::read(corpus.join("hives/mkorman90+regipy/SYSTEM")).unwrap();
    let mut hive = Hive::open(bytes.clone()).unwrap();
    hive.set_value("ControlSet001\\Services\\wuauserv", "Start", 4, &[3, 0, 0, 0], NOW).unwrap();
    hive.set_value("ControlSet001\\Services\\BITS", "Start", 4, &[2, 0, 0, 0], NOW).unwrap();
    let changed = hive.changed_pages();
    assert!(!changed.is_empty() && changed.len() <= 4, "{changed:?}");
    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW).unwrap();
    let after = commit.after();
    assert_eq!(after.len(), bytes.len());
    for page in 0..bytes.len() / 4096 {
        let range = page * 4096..(page + 1) * 4096;
        let same = bytes[range.clone()] == after[range];
        assert!(same || page == 0 || changed.contains(&(page as u64 * 4096)), "page {page}");
    }
}

#[test]
fn what_can_not_be_done_changes_nothing() {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    hive.create_key("A", NOW).unwrap();
    let before = hive.bytes().to_vec();
    let long = "x".repeat(256);
    let cases: Vec<Result<(), HiveError>> = vec![
        hive.create_key(&format!("B\\{long}"), NOW),
        hive.create_key("B\\unsettled \u{180}", NOW),
        hive.create_key(&"d\\".repeat(513), NOW),
        hive.set_value("Missing", "v", 4, &[1, 0, 0, 0], NOW),
        hive.set_value("A", &"n".repeat(16_384), 4, &[1, 0, 0, 0], NOW),
        hive.delete_value("A", "v", NOW),
        hive.delete_key("Missing", NOW),
        hive.delete_key("", NOW),
        hive.set_key_security("A", &[1, 2, 3], NOW),
        hive.set_class("A", Some(&"c".repeat(33_000)), NOW),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        assert!(case.is_err(), "case {number}");
    }
    assert!(hive.bytes() == before);
}
