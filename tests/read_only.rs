//! Looking never writes a byte: the whole volume is the same before and after every command that only looks, no file of
//! it is opened for writing, SAM and SECURITY are never opened by anything, and healthy volumes raise no alarm.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use coldmend_fixtures::{Damage, Version, VolumeSpec};
use common::{broken, broken_ten, coldmend, run, scratch, tree, volume};

/// Every way to look, on a volume at `root`; what is written goes to `elsewhere`.
fn looks(root: &Path, elsewhere: &Path) -> Vec<Vec<PathBuf>> {
    let plan = elsewhere.join(format!("plan-{}.json", std::fs::read_dir(elsewhere).unwrap().count()));
    let ways: Vec<Vec<&str>> = vec![
        vec!["scan"],
        vec!["scan", "--format", "json"],
        vec!["diagnose"],
        vec!["diagnose", "--format", "json"],
        vec!["diagnose", "-v"],
        vec!["history"],
        vec!["history", "--format", "json"],
        vec!["service", "list"],
        vec!["service", "list", "--all", "--format", "json"],
        vec!["repair", "--dry-run"],
        vec!["repair", "--dry-run", "--yes", "--format", "json"],
        vec!["repair", "--dry-run", "--reset"],
        vec!["repair", "--reset", "--save-plan", plan.to_str().unwrap()],
        // Without a terminal and without --yes, these ask, and get no answer.
        vec!["repair", "--reset"],
        vec!["undo"],
    ];
    let mut all: Vec<Vec<PathBuf>> =
        ways.into_iter().map(|words| words.iter().map(PathBuf::from).chain([root.to_path_buf()]).collect()).collect();
    let after = |words: &[&str], more: &[&str]| -> Vec<PathBuf> {
        let more = more.iter().map(PathBuf::from);
        words.iter().map(PathBuf::from).chain([root.to_path_buf()]).chain(more).collect()
    };
    all.push(after(&["service", "show"], &["wuauserv"]));
    all.push(after(&["service", "show", "--format", "json"], &["BITS"]));
    all.push(after(&["service", "set"], &["wuauserv", "--start", "disabled", "--dry-run"]));
    all.push(vec!["explain".into()]);
    all
}

fn assert_only_looked(root: &Path, what: &str) {
    let elsewhere = scratch();
    let before = tree(root);
    for arguments in looks(root, elsewhere.path()) {
        let run = run(&arguments);
        assert!(matches!(run.status, Some(0..=4)), "{what}: {arguments:?}: {run:?}");
        assert_eq!(tree(root), before, "{what}: {arguments:?} wrote to the volume");
    }
}

#[test]
fn looking_leaves_damaged_volumes_as_they_are() {
    let service = |name: &str| name.to_string();
    let mut cases = vec![(Version::Ten22H2, common::usual_damage())];
    cases.push((
        Version::Seven,
        vec![Damage::DisableService(service("wuauserv")), Damage::MissingService(service("BITS")), Damage::QmgrGarbage],
    ));
    cases.push((
        Version::Xp,
        vec![Damage::EmptyDacl(service("wuauserv")), Damage::CacheDanglingLink, Damage::PoisonedCatroot2],
    ));
    cases.push((
        Version::Eleven24H2,
        vec![Damage::GarbageDescriptor(service("UsoSvc")), Damage::CacheIsFile, Damage::Hibernated],
    ));
    cases.push((Version::Server2022, vec![Damage::SetupInProgress, Damage::EarlierResets]));
    for (version, damages) in cases {
        assert_only_looked(broken(version, &damages).path(), &format!("{version:?}"));
    }
}

#[test]
fn looking_leaves_a_repaired_and_an_interrupted_volume_as_it_is() {
    let repaired = broken_ten();
    coldmend("repair --yes", repaired.path()).expect(0);
    assert_only_looked(repaired.path(), "repaired");

    if let Err(why) = common::trace::available() {
        return common::skip("looking_leaves_an_interrupted_volume_as_it_is", &why);
    }
    let trial = broken_ten();
    let words = |root: &Path| common::trace::words(&["repair", "--yes"], root);
    let (_, calls) = common::trace::writing(trial.path(), &words(trial.path()));
    let first = calls.iter().position(|call| call.name == "pwrite64").expect("no hive was written");
    for ahead in [5, 8] {
        let cut = broken_ten();
        common::trace::killed_at(&calls[first + ahead], &words(cut.path()));
        let diagnosis = coldmend("diagnose", cut.path()).expect(1);
        assert!(diagnosis.stdout.contains("unfinished-repair"), "{diagnosis:?}");
        assert_only_looked(cut.path(), "interrupted");
    }
}

#[test]
fn healthy_volumes_raise_no_alarm_and_are_left_as_they_are() {
    for version in Version::ALL {
        for stale in [false, true] {
            let mut spec = VolumeSpec::new(version);
            (spec.with_logs, spec.waas_xml, spec.zeroed_hiberfil) = (stale, stale, stale);
            let healthy = volume(&spec);
            let before = tree(healthy.path());
            let run = coldmend("diagnose --format json", healthy.path());
            let alarms: Vec<_> = run.json()["findings"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|finding| finding["severity"] != "note")
                .cloned()
                .collect();
            assert!(alarms.is_empty(), "{version:?}, stale {stale}: {alarms:#?}");
            assert_eq!(run.status, Some(0), "{version:?}");
            // Also `repair` has nothing to do, and does nothing.
            let run = coldmend("repair --yes --format json", healthy.path()).expect(0);
            assert_eq!(run.json()["state"], "nothing-to-do", "{version:?}");
            assert_eq!(tree(healthy.path()), before, "{version:?}, stale {stale}");
        }
    }
}

#[test]
fn nothing_of_the_volume_is_opened_for_writing() {
    if let Err(why) = common::trace::available() {
        return common::skip("nothing_of_the_volume_is_opened_for_writing", &why);
    }
    let volume = broken_ten();
    let root = volume.path().canonicalize().unwrap().display().to_string();
    let elsewhere = scratch();
    let mut opened = 0;
    for arguments in looks(volume.path(), elsewhere.path()) {
        let (_, calls) = common::trace::calls(common::trace::WRITING, &arguments);
        for call in calls.iter().filter(|call| call.line.contains(&root)) {
            assert!(call.opens() && !call.opens_for_writing(), "{arguments:?}: {}", call.line);
            opened += 1;
        }
    }
    assert!(opened > 100, "the trace does not show the volume: {opened} calls");
}

#[test]
fn sam_and_security_are_never_opened() {
    if let Err(why) = common::trace::available() {
        return common::skip("sam_and_security_are_never_opened", &why);
    }
    let volume = broken_ten();
    let elsewhere = scratch();
    let mut all = looks(volume.path(), elsewhere.path());
    all.push(common::trace::words(&["repair", "--yes", "--reset"], volume.path()));
    all.push(common::trace::words(&["undo", "--yes"], volume.path()));
    let mut hives = 0;
    for arguments in all {
        let (_, calls) = common::trace::calls("open,openat,openat2,creat", &arguments);
        for call in &calls {
            let line = call.line.to_lowercase();
            assert!(!line.contains("\"sam") && !line.contains("/config/sam"), "{arguments:?}: {line}");
            assert!(!line.contains("\"security") && !line.contains("/config/security"), "{arguments:?}: {line}");
            hives += usize::from(line.contains("\"system\""));
        }
    }
    assert!(hives > 10, "the trace does not show the hives: {hives}");
}
