//! Every fault that coldmend is there to find, made on healthy volumes with tools that are not ours (but for one kind: no other tool
//! writes the descriptor of a registry key): each is found, named rightly, with the right remedy, and nothing else is reported. The
//! table is printed, and kept in docs/checks.md.
//!
//! **To add a row:** write it into the list of the module that its check belongs to, as the rows there are (`table::Row` lists what a
//! row can say), try it with `COLDMEND_FAULTS=ID cargo test --test faults` (the rows of that check only), and run
//! `scripts/generate-docs`, which tries all rows and writes the page. A row says on which versions the fault is
//! made: one for each range of versions in which the check behaves differently. A row that expects nothing is no row: what is healthy is
//! shown by `check_servicing.rs`, `check_policies.rs` and `check_logs.rs`.
//!
//! Needs `hivexregedit`, `hivexsh` and `hivexget`, and for the checks of files' descriptors and of free space `mkntfs`, `ntfs-3g`,
//! `setfattr` and root. Rows whose tool is missing are named as skipped.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod caches;
mod files;
mod logs;
mod network;
mod page;
mod policies;
mod preconditions;
mod run;
mod services;
mod servicing;
mod settings;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use coldmend_fixtures::Version;
use table::Row;

/// The whole table, in the order of the page.
fn rows() -> Vec<Row> {
    [
        preconditions::rows(),
        services::rows(),
        caches::rows(),
        files::rows(),
        servicing::rows(),
        policies::rows(),
        settings::rows(),
        network::rows(),
        access::rows(),
        logs::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_fault_is_found_and_nothing_else() {
    let rows = rows();
    let outcome = run::all(&rows);
    let mut wrong = Vec::new();
    for (number, seen) in &outcome.seen {
        for (version, what) in seen {
            if let Err(why) = what {
                let row = &rows[*number];
                wrong.push(format!("{:?}: {}: {}: {why}", Version::ALL[*version], row.check, row.fault));
            }
        }
    }
    for (number, why) in outcome.skipped.iter().filter(|(_, why)| !why.contains("COLDMEND_FAULTS")) {
        let test = format!("{}: {}", rows[*number].check, rows[*number].fault);
        if why.contains("not installed") {
            common::skip(&test, why);
        } else {
            common::leave_out(&test, why);
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    page::publish(&rows, &outcome);
}

/// The families of Windows that checks tell apart first of all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Family {
    Xp,
    VistaTo8,
    SinceTen,
}

fn family(version: Version) -> Family {
    match version.build() {
        ..=5999 => Family::Xp,
        6000..=9600 => Family::VistaTo8,
        _ => Family::SinceTen,
    }
}

/// No check without a fault that it finds, in each family of Windows that `explain` says it is for, on clients and on servers.
#[test]
fn every_check_has_its_faults() {
    let document = common::run(&["explain", "--format", "json"]).expect(0).json();
    let all = document["explanations"].as_array().unwrap();
    let rows = rows();
    let mut lacking = Vec::new();
    let mut known = BTreeSet::new();
    for check in all.iter().filter(|e| e["kind"] == "check") {
        let (id, windows) = (check["id"].as_str().unwrap(), check["windows"].as_str().unwrap());
        known.insert(id);
        let mut seen: BTreeMap<Family, BTreeSet<String>> = BTreeMap::new();
        let mut servers = false;
        for row in rows.iter().filter(|row| row.check == id && (row.refused || !row.found.is_empty())) {
            for version in &row.versions {
                seen.entry(family(*version)).or_default().insert(format!("{version:?}"));
                servers |= version.product_type() == "ServerNT";
            }
        }
        // `windows` begins with the oldest: "XP to 11 and servers", "all", "8 and later", "10 1607 and later", "7 and 8.1; …".
        let first = windows.split([' ', ',', ';']).next().unwrap();
        let from = match first {
            "all" | "XP" | "where" => Family::Xp,
            "Vista" | "7" | "8" | "8.1" => Family::VistaTo8,
            "10" | "11" => Family::SinceTen,
            _ => panic!("{id}: which Windows does {windows:?} begin with?"),
        };
        let wanted = [Family::Xp, Family::VistaTo8, Family::SinceTen].into_iter().filter(|family| *family >= from);
        lacking.extend(wanted.filter(|f| !seen.contains_key(f)).map(|f| format!("{id} ({windows}): none on {f:?}")));
        if seen.values().map(BTreeSet::len).sum::<usize>() < 2 {
            lacking.push(format!("{id}: fewer than two versions"));
        }
        if !servers {
            lacking.push(format!("{id}: none on a server"));
        }
    }
    let strange: Vec<&str> = rows.iter().map(|row| row.check).filter(|id| !known.contains(id)).collect();
    assert!(strange.is_empty(), "checks that there are not: {strange:?}");
    assert!(lacking.is_empty(), "{lacking:#?}");
    assert!(!known.is_empty());
}

/// Rows say what they are: no two are the same, and each expects something.
#[test]
fn rows_are_whole() {
    let mut seen = BTreeSet::new();
    println!("{} volumes", rows().iter().map(|row| row.versions.len()).sum::<usize>());
    for row in rows() {
        assert!(seen.insert((row.check, row.fault.clone())), "twice: {} on {}", row.fault, row.check);
        let expects = row.refused || !row.found.is_empty() || !row.unchecked.is_empty();
        assert!(expects && !row.versions.is_empty() && !row.tools.is_empty(), "{}: {}", row.check, row.fault);
        let versions: BTreeSet<u32> = row.versions.iter().map(|v| *v as u32).collect();
        assert_eq!(versions.len(), row.versions.len(), "{}: a version twice", row.fault);
    }
}
