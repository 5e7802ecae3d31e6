//! Makes every fault of the table on volumes that are healthy otherwise, and compares what the program says before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::Mutex;

use coldmend_fixtures::{Version, VolumeSpec};
use serde_json::Value;

use crate::common::ntfs::Ntfs;
use crate::common::{coldmend, copied, copy, volume, Run};
use crate::table::{Found, Row};

/// Programs that run at a time.
const THREADS: usize = 2;

/// What came of the rows: by row and version, what was found, or what was wrong with it; and the rows that could not be tried.
#[derive(Default)]
pub struct Outcome {
    pub seen: BTreeMap<usize, BTreeMap<usize, Result<Vec<Found>, String>>>,
    pub skipped: BTreeMap<usize, String>,
}

/// What a diagnosis says.
struct Said {
    found: Vec<Found>,
    unchecked: BTreeSet<String>,
    run: Run,
}

fn diagnose(root: &Path, flags: &str) -> Said {
    let run = coldmend(&format!("diagnose --format json {flags}"), root);
    let json = run.json();
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let all = |field: &str| json[field].as_array().cloned().unwrap_or_default();
    let mut found: Vec<Found> = all("findings")
        .iter()
        .map(|f| Found {
            id: text(f, "id"),
            severity: text(f, "severity"),
            subject: text(f, "subject"),
            remedy: f["remedy"].as_str().map(str::to_owned),
        })
        .collect();
    found.sort();
    let unchecked = all("could_not_check").iter().map(|c| text(c, "id")).collect();
    Said { found, unchecked, run }
}

/// What `left` has more than `right`; one that is there twice counts twice.
fn more(left: &[Found], right: &[Found]) -> Vec<Found> {
    let mut rest = right.to_vec();
    let mut more = Vec::new();
    for one in left {
        match rest.iter().position(|other| other == one) {
            Some(at) => drop(rest.swap_remove(at)),
            None => more.push(one.clone()),
        }
    }
    more
}

/// Tries all rows on all their versions.
pub fn all(rows: &[Row]) -> Outcome {
    let mut outcome = Outcome::default();
    let only = std::env::var("COLDMEND_FAULTS").ok();
    for (number, row) in rows.iter().enumerate() {
        if only.as_ref().is_some_and(|check| check != row.check) {
            outcome.skipped.insert(number, "COLDMEND_FAULTS names another check".into());
            continue;
        }
        let missing = row.tools.iter().find_map(|tool| tool.missing());
        if let Some(why) = missing.or_else(|| row.ntfs.and_then(|_| Ntfs::mounted(8).err())) {
            outcome.skipped.insert(number, why);
        }
    }
    let open: Mutex<Vec<usize>> = Mutex::new((0..Version::ALL.len()).rev().collect());
    let result = Mutex::new(outcome);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| loop {
                let Some(version) = open.lock().unwrap().pop() else { return };
                on_version(rows, version, &result);
            });
        }
    });
    result.into_inner().unwrap()
}

fn on_version(rows: &[Row], version: usize, result: &Mutex<Outcome>) {
    let name = Version::ALL[version];
    let wanted: Vec<usize> = {
        let skipped = &result.lock().unwrap().skipped;
        (0..rows.len()).filter(|n| rows[*n].versions.contains(&name) && !skipped.contains_key(n)).collect()
    };
    if wanted.is_empty() {
        return;
    }
    let healthy = volume(&VolumeSpec { ballast_keys: 5, ..VolumeSpec::new(name) });
    let before = diagnose(healthy.path(), "");
    let alarms = before.found.iter().any(|found| found.severity != "note");
    let sound = before.run.status == Some(0) && !alarms && before.unchecked.is_empty();
    for number in wanted {
        let seen = if sound {
            catch_unwind(AssertUnwindSafe(|| tried(&rows[number], name, healthy.path(), &before)))
                .unwrap_or_else(|_| Err("the fault could not be made; see above".into()))
        } else {
            Err(format!("the healthy volume is not found healthy: {:?}", before.run))
        };
        result.lock().unwrap().seen.entry(number).or_default().insert(version, seen);
    }
}

/// Makes the fault on a copy of the volume, and looks. What was found, or what is wrong with it.
fn tried(row: &Row, version: Version, healthy: &Path, before: &Said) -> Result<Vec<Found>, String> {
    let (folder, mounted);
    let root = match row.ntfs {
        None => {
            folder = copied(healthy);
            folder.path()
        }
        Some(mib) => {
            mounted = Ntfs::mounted(mib).map_err(|why| format!("it could not be mounted: {why}"))?;
            copy(healthy, mounted.root());
            mounted.root()
        }
    };
    // What is normal on an NTFS that ntfs-3g made is no finding of the row's.
    let there = (row.ntfs.is_some() && row.changes_the_volume()).then(|| diagnose(root, ""));
    let before = there.as_ref().unwrap_or(before);
    row.inject(root, version);
    let flags = if row.beside { format!("--reference {}", healthy.display()) } else { String::new() };
    let after = diagnose(root, &flags);
    let told = |what: String| Err(format!("{what}\n{}{}", after.run.stdout, after.run.stderr));
    if row.refused {
        let kind = after.run.json()["error"]["kind"].clone();
        if after.run.status != Some(4) || kind != "unreadable" {
            return told(format!("not refused as unreadable with status 4: {:?}", after.run.status));
        }
    }
    let expected = row.expected(healthy);
    let (new, lost) = (more(&after.found, &before.found), more(&before.found, &after.found));
    if new != expected {
        return told(format!("new are {new:?}\n    instead of {expected:?}"));
    }
    // A finding may only give way to one about the same thing.
    let replaced = |one: &Found| expected.iter().any(|e| (&e.id, &e.subject) == (&one.id, &one.subject));
    if !row.refused && !lost.iter().all(replaced) {
        return told(format!("{lost:?} is no longer found"));
    }
    if after.unchecked != row.unchecked {
        return told(format!("could not check {:?}, instead of {:?}", after.unchecked, row.unchecked));
    }
    let status = i32::from(expected.iter().any(|found| found.severity != "note"));
    if !row.refused && after.run.status != Some(status) {
        return told(format!("the exit status is {:?} instead of {status}", after.run.status));
    }
    let json = after.run.json();
    let bare = |finding: &&Value| {
        let evidence = finding["evidence"].as_array().is_none_or(Vec::is_empty);
        evidence || finding["source"].as_str().is_none_or(|source| source.len() < 10)
    };
    if let Some(finding) = json["findings"].as_array().and_then(|all| all.iter().find(bare)) {
        return told(format!("without evidence or source: {finding}"));
    }
    let said = after.run.stdout.replace("\\\\", "\\").replace("\\\"", "\"");
    match row.words.iter().find(|words| !said.contains(*words)) {
        Some(words) => told(format!("it does not say {words:?}")),
        None => Ok(new),
    }
}
