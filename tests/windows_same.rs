//! The Windows executable under Wine and the Linux binary, side by side on copies of the same volumes: the same findings, plans
//! and results, in one normalised form; and each finishes and takes back what the other began.
//!
//! Wine is not Windows: what it can't show is listed in docs/testing.md.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use coldmend_fixtures::{Damage, Version};
use common::wine::Wine;
use common::{broken, coldmend, copied, files, find, hive, run, tree, Run};
use serde_json::Value;

/// One volume for each age of Windows, broken in as many ways as that age can be.
fn volumes() -> Vec<(&'static str, tempfile::TempDir)> {
    let services = |names: &[&str]| names.iter().map(|n| Damage::DisableService((*n).into())).collect::<Vec<_>>();
    let with = |mut damages: Vec<Damage>, more: &[Damage]| {
        damages.extend_from_slice(more);
        damages
    };
    vec![
        (
            "XP",
            broken(
                Version::Xp,
                &with(services(&["wuauserv", "BITS"]), &[Damage::QmgrGarbage, Damage::ZeroLengthDataStore]),
            ),
        ),
        (
            "7",
            broken(
                Version::Seven,
                &with(
                    services(&["wuauserv", "CryptSvc"]),
                    &[Damage::EmptyDacl("BITS".into()), Damage::PoisonedCatroot2],
                ),
            ),
        ),
        ("10", broken(Version::Ten22H2, &common::usual_damage())),
        ("10, a service's key gone", broken(Version::Ten22H2, &[Damage::MissingService("BITS".into())])),
        ("10, healthy, reset earlier", broken(Version::Ten22H2, &[Damage::EarlierResets])),
    ]
}

/// A document without what must differ: where the volume lies, and when something was done.
fn normal(run: &Run, root: &Path) -> Value {
    fn walk(value: &mut Value, root: &str) {
        match value {
            Value::String(text) => *text = text.replace(root, "ROOT").replace('\\', "/"),
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, root)),
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    if matches!(name.as_str(), "begun" | "ended" | "created" | "last_written" | "since" | "hashes") {
                        *field = "a time".into();
                    }
                    walk(field, root);
                }
            }
            _ => {}
        }
    }
    let mut document = run.json();
    walk(&mut document, &root.display().to_string());
    document
}

/// Both programs, with the same words on their own copy.
struct Pair<'a> {
    wine: &'a Wine,
    /// The copy that the Linux binary works on.
    here: &'a Path,
    /// The copy that the executable works on.
    there: &'a Path,
    name: &'a str,
}

impl Pair<'_> {
    /// Both say the same and end alike.
    fn same(&self, words: &str, status: i32) {
        let words = format!("{words} --format json");
        let here = coldmend(&words, self.here).expect(status);
        let there = self.wine.coldmend(&words, self.there).expect(status);
        assert_eq!(normal(&there, self.there), normal(&here, self.here), "{}: {words}: {}", self.name, there.stderr);
    }

    /// Both copies hold the same.
    fn same_content(&self, when: &str) {
        assert_eq!(files(self.there), files(self.here), "{}, {when}: files", self.name);
        let [there, here] = [self.there, self.here].map(|root| hive::values(root, false));
        for (there, here) in there.iter().zip(&here) {
            assert_eq!(hive::difference(there, here), Vec::<String>::new(), "{}, {when}: hives", self.name);
        }
    }
}

#[test]
fn the_main_job_is_the_same() {
    let Some(wine) = Wine::present("the_main_job_is_the_same") else { return };
    for (name, original) in volumes() {
        let (here, there) = (copied(original.path()), copied(original.path()));
        let pair = Pair { wine, here: here.path(), there: there.path(), name };
        let before = tree(there.path());
        let wrong = coldmend("diagnose", here.path()).status.unwrap();
        pair.same("diagnose", wrong);
        pair.same("repair --dry-run", 0);
        pair.same("history", 0);
        pair.same("service list", 0);
        assert_eq!(tree(there.path()), before, "{name}: looking changed something");

        let reset = if wrong == 0 { " --reset" } else { "" };
        pair.same(&format!("repair --yes{reset}"), 0);
        pair.same_content("repaired");
        pair.same("diagnose", 0);
        pair.same("repair --yes", 0);
        pair.same("undo --yes", 0);
        pair.same_content("taken back");
        assert_eq!(
            hive::values(there.path(), false),
            hive::values(original.path(), false),
            "{name}: undo left something"
        );
        assert_eq!(files(there.path()), files(original.path()), "{name}: undo left something");
        pair.same("diagnose", wrong);
    }
}

/// Closes coldmend's folder to everybody else. Wine keeps permission bits for access control lists and gives Administrators those of the
/// group, so Linux finds the folder open, and rightly does not believe it.
fn close(root: &Path) {
    let mut open = vec![root.join("coldmend")];
    while let Some(path) = open.pop() {
        let meta = fs::metadata(&path).unwrap();
        let mode = meta.permissions().mode() & 0o700;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if meta.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

#[test]
fn each_takes_back_what_the_other_did() {
    let Some(wine) = Wine::present("each_takes_back_what_the_other_did") else { return };
    let original = broken(Version::Ten22H2, &common::usual_damage());
    for windows_first in [true, false] {
        let volume = copied(original.path());
        let root = volume.path();
        let run = |words: &str, windows: bool| {
            if windows {
                wine.coldmend(words, root)
            } else {
                coldmend(words, root)
            }
        };
        run("repair --yes", windows_first).expect(0);
        close(root);
        run("diagnose", !windows_first).expect(0);
        run("undo --yes", !windows_first).expect(0);
        assert_eq!(hive::values(root, false), hive::values(original.path(), false));
        assert_eq!(files(root), files(original.path()));
    }
}

#[test]
fn one_service_and_one_hive_are_the_same() {
    let Some(wine) = Wine::present("one_service_and_one_hive_are_the_same") else { return };
    let original = broken(Version::Seven, &[Damage::DisableService("BITS".into())]);
    let (here, there) = (copied(original.path()), copied(original.path()));
    let both = |words: &[&str], after: &[&str], status: i32| {
        let of = |root: &Path| -> Vec<String> {
            let place = |word: &str| word.replace("ROOT", &root.display().to_string());
            words.iter().chain(after).map(|word| place(word)).collect()
        };
        let (mine, its) = (run(&of(here.path())).expect(status), wine.run(&of(there.path())).expect(status));
        if words.contains(&"json") {
            assert_eq!(normal(&its, there.path()), normal(&mine, here.path()), "{words:?} {after:?}");
        } else {
            assert_eq!(its.stdout, mine.stdout, "{words:?} {after:?}");
        }
    };
    let json = ["--format", "json"];
    both(&json, &["service", "show", "ROOT", "BITS"], 0);
    both(&json, &["service", "set", "ROOT", "BITS", "--start", "demand", "--yes"], 0);
    both(&json, &["service", "show", "ROOT", "BITS"], 0);
    both(&json, &["undo", "--yes", "ROOT"], 0);
    let system = "ROOT/Windows/System32/config/SYSTEM";
    let key = "CurrentControlSet\\Services\\BITS";
    both(&json, &["hive", "check", system], 0);
    both(&json, &["hive", "ls", system, key], 0);
    both(&json, &["hive", "get", system, key, "Start"], 0);
    both(&json, &["hive", "set", system, key, "Start", "3", "--type", "dword"], 0);
    both(&json, &["hive", "set", system, "ControlSet001\\Neu\\Schlüssel", "Größe", "naïve", "--type", "string"], 0);
    both(&[], &["hive", "export", system, key], 0);
    both(&[], &["hive", "export", system, "ControlSet001\\Neu"], 0);
    both(&json, &["hive", "delete", system, "ControlSet001\\Neu"], 0);
    both(
        &json,
        &["hive", "diff", system, "ROOT/Windows/System32/config/SOFTWARE", "--output", "ROOT/difference.reg"],
        1,
    );
    assert_eq!(
        fs::read(there.path().join("difference.reg")).unwrap(),
        fs::read(here.path().join("difference.reg")).unwrap()
    );
    both(&json, &["hive", "check", system], 0);
}

#[test]
fn bad_input_ends_alike() {
    let Some(wine) = Wine::present("bad_input_ends_alike") else { return };
    let volume = broken(Version::Ten22H2, &[Damage::Hibernated]);
    let cases: [(&[&str], i32); 6] = [
        (&["diagnose", "ROOT/no such folder"], 4),
        (&["diagnose", "ROOT/Windows/System32/config"], 4),
        (&["repair", "--yes", "ROOT"], 3),
        (&["repair", "ROOT", "--only", "no-such-remedy"], 2),
        (&["undo", "--yes", "ROOT"], 3),
        (&["hive", "check", "ROOT/hiberfil.sys"], 4),
    ];
    for (words, expected) in cases {
        let words: Vec<String> = ["--format", "json"]
            .iter()
            .chain(words)
            .map(|w| w.replace("ROOT", &volume.path().display().to_string()))
            .collect();
        let before = tree(volume.path());
        let (here, there) = (run(&words), wine.run(&words));
        let kind = |run: &Run| (run.status, run.json()["error"]["kind"].clone());
        assert_eq!(kind(&there), kind(&here), "{words:?}: {here:?} {there:?}");
        if here.status != Some(expected) {
            println!("{words:?} ended with {:?}", here.status);
        }
        assert_eq!(tree(volume.path()), before, "{words:?}: something was written");
    }
}

#[test]
fn a_killed_repair_is_finished_or_taken_back() {
    let Some(wine) = Wine::present("a_killed_repair_is_finished_or_taken_back") else { return };
    let original = broken(Version::Ten22H2, &common::usual_damage());
    let repaired = copied(original.path());
    coldmend("repair --yes", repaired.path()).expect(0);
    let goal = hive::values(repaired.path(), false);
    let start = std::time::Instant::now();
    wine.coldmend("repair --yes", copied(original.path()).path()).expect(0);
    let whole = start.elapsed();
    let (mut cut, mut untouched, mut whole_runs) = (0, 0, 0);
    for step in 0u32..24 {
        let volume = copied(original.path());
        let root = volume.path();
        let mut child = wine.command(&["repair", "--yes", &root.display().to_string()]).spawn().unwrap();
        std::thread::sleep(whole * (step + 1) / 24);
        let _ = child.kill();
        child.wait().unwrap();
        // Wine's own process lives on for a moment after the one that was killed; the exe dies with it.
        std::thread::sleep(Duration::from_millis(100));
        if !root.join("coldmend").is_dir() {
            untouched += 1;
            continue;
        }
        close(root);
        let history = coldmend("history --format json", root).expect(0).json();
        let state = history["repairs"].as_array().and_then(|r| r.last()).map(|r| r["state"].clone());
        let unfinished = state == Some("unfinished".into());
        if unfinished {
            cut += 1
        } else {
            whole_runs += 1
        }
        if step % 2 == 0 {
            // The other program goes on with it.
            coldmend("repair --yes", root).expect(0);
            assert_eq!(hive::values(root, false), goal, "step {step}");
        } else if unfinished {
            wine.coldmend("undo --yes", root).expect(0);
            assert_eq!(hive::values(root, false), hive::values(original.path(), false), "step {step}");
            assert_eq!(files(root), files(original.path()), "step {step}");
        }
        let _ = find(root, "Windows/System32/config/SYSTEM");
    }
    println!("24 kills: {untouched} before anything was written, {cut} in between, {whole_runs} after the end");
}
