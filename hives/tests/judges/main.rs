//! Other readers as judges: after each kind of edit they list the intended tree.
//!
//! In the process: the crates `regf` 0.2 (the strictest) and `nt-hive`. As programs, where installed: `hivexml` (hivex) and `regfexport` (libregf).
//! A judge that refuses or misreads a hive before any edit is not asked about it. Each program gets a copy of its own.
//! `COLDMEND_JUDGES=all` (see `scripts/hives-campaign.sh`) takes large hives as well and asks the programs after every kind of edit.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use coldmend_hives::{Commit, Hive, HiveError, LogFiles, LogRegime};
use common::{corpus, descriptor, healthy, NOW};

/// Key paths without the root's name, and values with type and data. As a multiset: lossy names may collide.
type Listing = BTreeMap<String, usize>;

fn add(listing: &mut Listing, line: String) {
    *listing.entry(line).or_default() += 1;
}

fn value_line(path: &str, name: &str, data_type: u32, data: &[u8]) -> String {
    let sum = data.iter().fold(0u64, |h, &b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
    format!("{path}|{name}|{data_type}|{}|{sum:x}", data.len())
}

fn ours(bytes: &[u8]) -> Listing {
    let hive = Hive::open(bytes.to_vec()).unwrap();
    let mut listing = Listing::new();
    for key in hive.walk().unwrap() {
        let (_, key) = key.unwrap();
        let path = key.path().unwrap();
        for value in key.values().unwrap() {
            add(&mut listing, value_line(&path, &value.name(), value.data_type(), &value.data().unwrap()));
        }
        add(&mut listing, path);
    }
    listing
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}\\{name}")
    }
}

fn by_regf(bytes: &[u8]) -> Option<Listing> {
    let hive = regf::RegistryHive::from_bytes(bytes.to_vec()).ok()?;
    let mut listing = Listing::new();
    let mut stack = vec![(hive.root_key().ok()?, String::new())];
    while let Some((key, path)) = stack.pop() {
        for value in key.values().ok()? {
            let name = if value.is_default() { String::new() } else { value.name() };
            add(&mut listing, value_line(&path, &name, value.raw_data_type(), &value.raw_data().ok()?));
        }
        for subkey in key.subkeys().ok()? {
            let path = join(&path, &subkey.name());
            stack.push((subkey, path));
        }
        add(&mut listing, path);
    }
    Some(listing)
}

fn by_nt_hive(bytes: &[u8]) -> Option<Listing> {
    // It panics on some damage; the check of ours has been passed here, so a panic would be news.
    let hive = nt_hive::Hive::new(bytes).ok()?;
    let mut listing = Listing::new();
    nt_hive_key(&hive.root_key_node().ok()?, "", &mut listing)?;
    Some(listing)
}

fn nt_hive_key(key: &nt_hive::KeyNode<'_, &[u8]>, path: &str, listing: &mut Listing) -> Option<()> {
    add(listing, path.to_owned());
    if let Some(values) = key.values() {
        for value in values.ok()? {
            let value = value.ok()?;
            let name = value.name().ok()?.to_string_lossy();
            let data = if value.data_size() == 0 { Vec::new() } else { value.data().ok()?.into_vec().ok()? };
            let data_type = value.data_type().ok()? as u32;
            add(listing, value_line(path, &name, data_type, &data));
        }
    }
    if let Some(subkeys) = key.subkeys() {
        for subkey in subkeys.ok()? {
            let subkey = subkey.ok()?;
            nt_hive_key(&subkey, &join(path, &subkey.name().ok()?.to_string_lossy()), listing)?;
        }
    }
    Some(())
}

/// Runs a program on a copy; `None` when it is not installed or refuses.
fn run(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hive");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new(program).args(arguments).arg(&path).env("LC_ALL", "C.UTF-8").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Only counts what can be told without a parser of its own: keys by name and depth, values by name.
fn by_hivexml(bytes: &[u8]) -> Option<Listing> {
    let text = run("hivexml", &["-k"], bytes)?;
    let mut listing = Listing::new();
    let mut depth = 0usize;
    for tag in text.split('<').skip(1) {
        let attribute = |name: &str| {
            let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
            Some(tag[from..].split('"').next()?.to_owned())
        };
        if tag.starts_with("node ") {
            let name = if depth == 0 { String::new() } else { attribute("name")? };
            add(&mut listing, format!("{depth} {name}"));
            if !tag.split('>').next()?.ends_with('/') {
                depth += 1;
            }
        } else if tag.starts_with("/node") {
            depth -= 1;
        } else if tag.starts_with("value ") {
            add(&mut listing, format!("{depth} value {}", attribute("key").unwrap_or_default()));
        }
    }
    Some(listing)
}

/// Our tree in hivexml's terms.
fn as_hivexml(bytes: &[u8]) -> Listing {
    let hive = Hive::open(bytes.to_vec()).unwrap();
    let escape =
        |name: String| name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut listing = Listing::new();
    for key in hive.walk().unwrap() {
        let (depth, key) = key.unwrap();
        let name = if depth == 0 { String::new() } else { escape(key.name()) };
        add(&mut listing, format!("{depth} {name}"));
        for value in key.values().unwrap() {
            add(&mut listing, format!("{} value {}", depth + 1, escape(value.name())));
        }
    }
    listing
}

fn by_regfexport(bytes: &[u8]) -> Option<Listing> {
    let text = run("regfexport", &[], bytes)?;
    let mut listing = Listing::new();
    let mut path = String::new();
    for line in text.lines() {
        if let Some(found) = line.strip_prefix("Key path: ") {
            path = found.split_once('\\').map_or(String::new(), |(_, rest)| rest.to_owned());
            add(&mut listing, path.clone());
        } else if let Some(value) = line.strip_prefix("Value: ") {
            if let Some((number, name)) = value.split_once(' ') {
                if number.bytes().all(|b| b.is_ascii_digit()) {
                    let name = if name == "(default)" { "" } else { name };
                    add(&mut listing, format!("{path}|{name}"));
                }
            }
        }
    }
    Some(listing)
}

fn as_regfexport(bytes: &[u8]) -> Listing {
    let hive = Hive::open(bytes.to_vec()).unwrap();
    let mut listing = Listing::new();
    for key in hive.walk().unwrap() {
        let (_, key) = key.unwrap();
        let path = key.path().unwrap();
        for value in key.values().unwrap() {
            add(&mut listing, format!("{path}|{}", value.name()));
        }
        add(&mut listing, path);
    }
    listing
}

type Judge = (&'static str, bool, fn(&[u8]) -> Option<Listing>, fn(&[u8]) -> Listing);

const JUDGES: [Judge; 4] = [
    ("regf", false, by_regf, ours),
    ("nt-hive", false, by_nt_hive, ours),
    ("hivexml", true, by_hivexml, as_hivexml),
    ("regfexport", true, by_regfexport, as_regfexport),
];

type Edit = (&'static str, fn(&mut Hive, usize) -> Result<(), HiveError>);

/// Each kind of edit. The number is the longest data that all judges read in that version.
const EDITS: [Edit; 15] = [
    ("create keys", |h, _| h.create_key("Judge\\One\\Two\\Three", NOW)),
    ("set dword", |h, _| h.set_value("Judge", "Dword", 4, &[1, 2, 3, 4], NOW)),
    ("set string", |h, _| h.set_value("Judge", "String", 1, &[65, 0, 66, 0, 0, 0], NOW)),
    ("set default", |h, _| h.set_value("Judge\\One", "", 1, &[65, 0, 66, 0, 67, 0, 0, 0], NOW)),
    ("empty data", |h, _| h.set_value("Judge", "Empty", 3, &[], NOW)),
    ("large data", |h, big| h.set_value("Judge", "Large", 3, &vec![7; big], NOW)),
    ("large to larger", |h, big| h.set_value("Judge", "Large", 3, &vec![8; big * 2 / 3], NOW)),
    ("large to small", |h, _| h.set_value("Judge", "Large", 3, &[9; 40], NOW)),
    ("many values", |h, _| {
        (0..300).try_for_each(|i| h.set_value("Judge\\One", &format!("Value{i}"), 4, &[i as u8; 4], NOW))
    }),
    ("rename value", |h, _| h.rename_value("Judge", "Dword", "A much longer name than before", NOW)),
    ("delete values", |h, _| (0..150).try_for_each(|i| h.delete_value("Judge\\One", &format!("Value{}", i * 2), NOW))),
    ("security", |h, _| h.set_key_security("Judge\\One", &descriptor(0x20019), NOW)),
    ("class", |h, _| h.set_class("Judge\\One\\Two", Some("A class"), NOW)),
    ("index root", |h, _| (0..1100).try_for_each(|i| h.create_key(&format!("Judge\\Many\\{i:04}"), NOW))),
    ("delete a subtree", |h, _| h.delete_key("Judge\\One", NOW)),
];

#[test]
fn judges_list_the_intended_tree_after_each_edit() {
    let Some(corpus) = corpus("the judges") else { return };
    let all = std::env::var("COLDMEND_JUDGES").is_ok_and(|v| v == "all");
    for (name, is_program, ..) in JUDGES {
        if is_program && Command::new(name).arg("-V").output().is_err() {
            println!("skipped: the judge {name} is not installed");
        }
    }
    let mut judgments: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hives = 0;
    for (name, start) in healthy(&corpus, if all { u64::MAX } else { 300_000 }) {
        let accepted: Vec<_> = JUDGES
            .iter()
            .filter(|(_, _, judge, ours)| judge(&start).is_some_and(|found| found == ours(&start)))
            .collect();
        let minor = Hive::open(start.clone()).unwrap().base_block().minor;
        let big = if minor >= 4 { 50_000 } else { 16_000 };
        let mut bytes = start;
        hives += 1;
        for (number, (kind, edit)) in EDITS.iter().enumerate() {
            let mut hive = Hive::open(bytes).unwrap();
            edit(&mut hive, big).unwrap_or_else(|e| panic!("{name}: {kind}: {e}"));
            let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW).unwrap();
            bytes = commit.after().to_vec();
            for (judge_name, is_program, judge, ours) in &accepted {
                // The programs take their time: after the last edits unless asked for all.
                if *is_program && !all && number % 7 != 6 && number != EDITS.len() - 1 {
                    continue;
                }
                let found = judge(&bytes).unwrap_or_else(|| panic!("{name}: after {kind}, {judge_name} refuses"));
                let expected = ours(&bytes);
                if found != expected {
                    let missing: Vec<_> = expected.iter().filter(|(k, v)| found.get(*k) != Some(v)).take(3).collect();
                    let extra: Vec<_> = found.iter().filter(|(k, v)| expected.get(*k) != Some(v)).take(3).collect();
                    panic!("{name}: after {kind}, {judge_name} lacks {missing:?} and has {extra:?}");
                }
                *judgments.entry(judge_name).or_default() += 1;
            }
        }
    }
    println!("{hives} hives, judgments: {judgments:?}");
    assert!(judgments["regf"] > 300 && judgments["nt-hive"] > 300, "{judgments:?}");
}
