//! Long random sequences of edits against a tree in memory. After each the check passes, the trees are equal and no allocated
//! cell is lost; a hive that Windows made had its lost cells before, and has as many after.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use std::collections::BTreeMap;

use coldmend_hives::{Commit, Hive, HiveError, LogFiles, LogRegime, NewHive};
use common::{corpus, descriptor, healthy, tree, Random, Tree, NOW};

fn at<'t>(tree: &'t mut Tree, path: &str) -> Option<&'t mut Tree> {
    path.split('\\').filter(|p| !p.is_empty()).try_fold(tree, |t, part| t.keys.get_mut(&part.to_ascii_uppercase()))
}

fn paths(tree: &Tree, prefix: &str, found: &mut Vec<String>) {
    found.push(prefix.to_owned());
    for key in tree.keys.values() {
        let path = if prefix.is_empty() { key.name.clone() } else { format!("{prefix}\\{}", key.name) };
        paths(key, &path, found);
    }
}

fn create(tree: &mut Tree, path: &str) {
    let mut key = tree;
    for part in path.split('\\') {
        let security = key.security.clone();
        key = key.keys.entry(part.to_ascii_uppercase()).or_insert_with(|| Tree {
            name: part.to_owned(),
            security,
            ..Tree::default()
        });
    }
}

fn data_length(random: &mut Random, minor: u32) -> usize {
    let lengths: &[usize] = if minor >= 4 {
        &[0, 1, 3, 4, 5, 8, 20, 100, 600, 4000, 16_343, 16_344, 16_345, 32_688, 32_689, 60_000]
    } else {
        &[0, 1, 3, 4, 5, 8, 20, 100, 600, 4000, 16_344, 16_345, 60_000]
    };
    *random.pick(lengths)
}

/// One random edit on both; answers its name.
fn step(hive: &mut Hive, model: &mut Tree, minor: u32, random: &mut Random) -> &'static str {
    const NAMES: [&str; 12] =
        ["Alpha", "beta", "GAMMA", "delta_1", "a", "Zz-top", "Ünïcode", "Ключ", "with space", "x[0]", "Type", "Start"];
    let mut all = Vec::new();
    paths(model, "", &mut all);
    let path = random.pick(&all).clone();
    let name =
        if random.below(3) == 0 { format!("n{}", random.below(3000)) } else { (*random.pick(&NAMES)).to_owned() };
    match random.below(12) {
        0..=3 => {
            let (data_type, length) = (random.below(12) as u32, data_length(random, minor));
            let data = random.bytes(length);
            hive.set_value(&path, &name, data_type, &data, NOW).unwrap();
            let values = &mut at(model, &path).unwrap().values;
            let stored = values.get(&name.to_ascii_uppercase()).map_or(name.clone(), |v| v.0.clone());
            values.insert(name.to_ascii_uppercase(), (stored, data_type, data));
            "set"
        }
        4 => {
            let existing: Vec<String> = at(model, &path).unwrap().values.keys().cloned().collect();
            if existing.is_empty() {
                let missing = hive.delete_value(&path, "no such value", NOW);
                assert!(matches!(missing, Err(HiveError::ValueNotFound { .. })));
            } else {
                let victim = random.pick(&existing);
                hive.delete_value(&path, victim, NOW).unwrap();
                at(model, &path).unwrap().values.remove(victim);
            }
            "delete value"
        }
        5 => {
            let existing: Vec<String> = at(model, &path).unwrap().values.keys().cloned().collect();
            if let Some(victim) = existing.first() {
                let result = hive.rename_value(&path, victim, &name, NOW);
                let values = &mut at(model, &path).unwrap().values;
                let upper = name.to_ascii_uppercase();
                if upper != *victim && values.contains_key(&upper) {
                    assert!(matches!(result, Err(HiveError::Exists { .. })));
                } else {
                    result.unwrap();
                    let (_, data_type, data) = values.remove(victim).unwrap();
                    values.insert(upper, (name, data_type, data));
                }
            }
            "rename value"
        }
        6..=8 => {
            let deep = if random.below(4) == 0 { format!("{name}\\Sub\\Deep") } else { name };
            let path = if path.is_empty() { deep } else { format!("{path}\\{deep}") };
            hive.create_key(&path, NOW).unwrap();
            create(model, &path);
            "create key"
        }
        9 => {
            if path.is_empty() {
                assert!(matches!(hive.delete_key("", NOW), Err(HiveError::Refused { .. })));
            } else if all.len() > 40 || random.below(4) == 0 {
                hive.delete_key(&path, NOW).unwrap();
                let (parent, last) = path.rsplit_once('\\').unwrap_or(("", &path));
                at(model, parent).unwrap().keys.remove(&last.to_ascii_uppercase());
            }
            "delete key"
        }
        10 => {
            let sd = descriptor(*random.pick(&[0xF003F, 0x20019, 0x1, 0x2, 0x3]));
            hive.set_key_security(&path, &sd, NOW).unwrap();
            at(model, &path).unwrap().security = sd;
            "security"
        }
        _ => {
            let class = [None, Some("Class"), Some("A longer class name, of a few words")][random.below(3)];
            hive.set_class(&path, class, NOW).unwrap();
            at(model, &path).unwrap().class = class.map(str::to_owned);
            "class"
        }
    }
}

fn verify(hive: &Hive, model: &Tree, lost: u64, what: &str) {
    let mut clean = hive.bytes().to_vec();
    seal(&mut clean);
    let report = coldmend_hives::check_bytes(&clean);
    assert!(report.is_sound(), "{what}: {:?}", report.faults);
    assert_eq!(report.stats.unreferenced_cells, lost, "{what}: cells were lost");
    assert!(tree(hive) == *model, "{what}: another tree");
}

/// The base block's checksum is made at the commit; here the check runs in between.
fn seal(bytes: &mut [u8]) {
    let sum = bytes[..508].chunks(4).fold(0, |a, c| a ^ u32::from_le_bytes(c.try_into().unwrap()));
    let sum = match sum {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        other => other,
    };
    bytes[508..512].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn random_edits_of_a_new_hive_follow_the_model() {
    let steps: usize = std::env::var("COLDMEND_MODEL_STEPS").ok().and_then(|s| s.parse().ok()).unwrap_or(400);
    for minor in [3, 4, 5, 6] {
        for seed in 0..3 {
            let mut random = Random(seed * 1000 + u64::from(minor));
            let mut hive = Hive::create(&NewHive { minor, ..NewHive::default() }, NOW).unwrap();
            let mut model = tree(&hive);
            let mut kinds = BTreeMap::new();
            for number in 0..steps {
                let kind = step(&mut hive, &mut model, minor, &mut random);
                *kinds.entry(kind).or_insert(0) += 1;
                verify(&hive, &model, 0, &format!("1.{minor}, seed {seed}, step {number}: {kind}"));
                if number % 97 == 96 {
                    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12Dirt, NOW).unwrap();
                    hive = Hive::open(commit.after().to_vec()).unwrap();
                }
            }
            if seed == 0 {
                println!("1.{minor}: {kinds:?}, {} bytes", hive.bytes().len());
            }
        }
    }
}

#[test]
fn random_edits_of_real_hives_follow_the_model() {
    let Some(corpus) = corpus("edits of real hives") else { return };
    let mut hives = 0;
    for (name, bytes) in healthy(&corpus, 400_000) {
        let mut hive = Hive::open(bytes).unwrap();
        let minor = hive.base_block().minor;
        let lost = hive.check().stats.unreferenced_cells;
        let mut model = tree(&hive);
        let mut names = Vec::new();
        paths(&model, "", &mut names);
        if names.iter().any(|n| n.contains('\u{FFFD}')) {
            println!("{name}: has names with unpaired surrogates, which a path can't tell apart");
            continue;
        }
        let mut random = Random(hives);
        for number in 0..25 {
            let kind = step(&mut hive, &mut model, minor, &mut random);
            verify(&hive, &model, lost, &format!("{name}, step {number}: {kind}"));
        }
        hives += 1;
    }
    println!("{hives} real hives edited");
    assert!(hives > 40);
}

#[test]
fn a_list_grows_to_an_index_root_and_back() {
    for minor in [3, 5] {
        let mut hive = Hive::create(&NewHive { minor, ..NewHive::default() }, NOW).unwrap();
        let mut random = Random(7);
        let mut names: Vec<String> = (0..5000).map(|i| format!("Key{i:05}")).collect();
        for i in (1..names.len()).rev() {
            names.swap(i, random.below(i + 1));
        }
        for (number, name) in names.iter().enumerate() {
            hive.create_key(&format!("Many\\{name}"), NOW).unwrap();
            if [1, 1011, 1012, 1013, 2500, 4999].contains(&number) {
                let model = tree(&hive);
                assert_eq!(model.keys["MANY"].keys.len(), number + 1);
                verify(&hive, &model, 0, &format!("1.{minor}, {number}"));
            }
        }
        assert!(names.iter().all(|n| hive.find_key(&format!("many\\{}", n.to_ascii_lowercase())).unwrap().is_some()));
        for (number, name) in names.iter().enumerate() {
            hive.delete_key(&format!("Many\\{name}"), NOW).unwrap();
            if number % 700 == 0 || number > 4995 {
                let model = tree(&hive);
                assert_eq!(model.keys["MANY"].keys.len(), 4999 - number);
                verify(&hive, &model, 0, &format!("1.{minor}, back, {number}"));
            }
        }
        hive.delete_key("Many", NOW).unwrap();
        assert_eq!(hive.check().stats.keys, 1);
    }
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
