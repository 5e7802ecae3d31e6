//! Undo: what a repair did goes back value by value and name by name; what somebody has changed since is shown and left
//! alone unless forced; and every undo can itself be undone.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use coldmend_fixtures::{Damage, Version};
use common::{broken, broken_ten, coldmend, copied, files, find, hive, scratch, tree, try_find};
use serde_json::Value;

const WUAUSERV: &str = "ControlSet001\\Services\\wuauserv";
const BITS: &str = "ControlSet001\\Services\\BITS";

/// What is compared: all values of both hives, and all files but coldmend's own.
fn picture(root: &Path) -> impl PartialEq + std::fmt::Debug {
    (hive::values(root, false), files(root))
}

/// `history`, as pairs of id and state.
fn history(words: &str, root: &Path) -> Vec<(String, String)> {
    let document = coldmend(&format!("history --format json {words}"), root).expect(0).json();
    assert_eq!(document["schema"], "coldmend.history/1");
    let text = |value: &Value| value.as_str().unwrap().to_string();
    document["repairs"].as_array().unwrap().iter().map(|r| (text(&r["id"]), text(&r["state"]))).collect()
}

fn states(root: &Path) -> Vec<String> {
    history("", root).into_iter().map(|(id, state)| format!("{id} {state}")).collect()
}

#[test]
fn every_version_goes_back_to_what_it_was() {
    for version in Version::ALL {
        let volume = broken(
            version,
            &[
                Damage::DisableService("wuauserv".into()),
                Damage::WrongAccount("BITS".into()),
                Damage::MissingService("CryptSvc".into()),
                Damage::DropFromSvchostGroup("BITS".into()),
                Damage::GarbageDataStore,
                Damage::PoisonedCatroot2,
            ],
        );
        let before = picture(volume.path());
        let repair = coldmend("repair --yes --format json", volume.path()).expect(0).json();
        assert_eq!((&repair["state"], &repair["id"]), (&"done".into(), &"0001-repair".into()), "{version:?}");
        // What is left is what can't be mended: a service that is gone, of which no definition for this build is known.
        let left = coldmend("diagnose --format json", volume.path()).json();
        for finding in left["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note") {
            assert!(finding["remedy"].is_null() && finding["id"] == "service-missing", "{version:?}: {finding}");
        }
        // A second repair has nothing to do, and writes nothing.
        let repaired = tree(volume.path());
        let again = coldmend("repair --yes --format json", volume.path()).expect(0).json();
        assert_eq!(again["state"], "nothing-to-do", "{version:?}");
        assert_eq!(tree(volume.path()), repaired, "{version:?}");
        let undo = coldmend("undo --yes --format json", volume.path()).expect(0).json();
        assert_eq!(undo["state"], "undone", "{version:?}");
        assert!(undo["conflicts"].as_array().unwrap().is_empty(), "{version:?}");
        assert!(picture(volume.path()) == before, "{version:?} is not as it was");
        assert_eq!(states(volume.path()), ["0001-repair undone", "0002-undo done"]);
    }
}

#[test]
fn a_value_changed_since_is_shown_and_left_alone() {
    let volume = broken_ten();
    let root = volume.path();
    let before = hive::values(root, false);
    coldmend("repair --yes", root).expect(0);
    hive::set_value(root, "SYSTEM", WUAUSERV, "Start", 4, &[2, 0, 0, 0]);
    let forced = copied(root);

    let run = coldmend("undo --yes", root).expect(0);
    assert!(run.stdout.contains("Conflict: SYSTEM\\ControlSet001\\Services\\wuauserv\\Start"), "{run:?}");
    assert_eq!(hive::value(root, "SYSTEM", WUAUSERV, "Start").unwrap(), [2, 0, 0, 0], "a conflict was overwritten");
    assert_eq!(hive::value(root, "SYSTEM", BITS, "Start").unwrap(), [4, 0, 0, 0], "the rest was not taken back");
    let now = hive::values(root, false);
    let difference = hive::difference(&before[0], &now[0]);
    assert!(difference.len() == 1 && difference[0].contains("wuauserv"), "{difference:#?}");
    assert_eq!(before[1], now[1]);

    let run = coldmend("undo --yes --force --format json", forced.path()).expect(0);
    assert_eq!(run.json()["conflicts"].as_array().unwrap().len(), 0, "{run:?}");
    assert_eq!(hive::values(forced.path(), false), before);
}

#[test]
fn conflicts_stand_in_the_json_document() {
    let volume = broken_ten();
    coldmend("repair --yes", volume.path()).expect(0);
    hive::delete_value(volume.path(), "SYSTEM", WUAUSERV, "Start");
    let document = coldmend("undo --yes --format json", volume.path()).expect(0).json();
    let conflicts = document["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0]["where"], "SYSTEM\\ControlSet001\\Services\\wuauserv\\Start");
    assert_eq!(conflicts[0]["found"], "absent");
}

#[test]
fn nothing_left_to_take_back_is_refused() {
    let volume = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into())]);
    coldmend("repair --yes", volume.path()).expect(0);
    hive::set_value(volume.path(), "SYSTEM", WUAUSERV, "Start", 4, &[2, 0, 0, 0]);
    let before = tree(volume.path());
    let run = coldmend("undo --yes", volume.path()).expect(3);
    assert!(run.stderr.contains("--force"), "{run:?}");
    assert_eq!(tree(volume.path()), before);
}

#[test]
fn a_fresh_folder_is_moved_aside_before_the_old_one_comes_back() {
    let volume = broken_ten();
    let root = volume.path();
    let before = files(root);
    coldmend("repair --yes", root).expect(0);
    // Windows has started since, and has made a fresh cache.
    let fresh = find(root, "Windows").join("SoftwareDistribution");
    fs::create_dir_all(fresh.join("DataStore")).unwrap();
    fs::write(fresh.join("DataStore/DataStore.edb"), b"fresh").unwrap();
    coldmend("undo --yes", root).expect(0);
    let aside = find(root, "Windows/SoftwareDistribution.new/DataStore/DataStore.edb");
    assert_eq!(fs::read(aside).unwrap(), b"fresh");
    fs::remove_dir_all(find(root, "Windows/SoftwareDistribution.new")).unwrap();
    assert_eq!(files(root), before);
}

#[test]
fn what_was_moved_aside_and_is_gone_is_a_conflict() {
    let volume = broken_ten();
    let root = volume.path();
    let before = hive::values(root, false);
    coldmend("repair --yes", root).expect(0);
    fs::remove_dir_all(find(root, "Windows/SoftwareDistribution.old")).unwrap();
    let run = coldmend("undo --yes", root).expect(0);
    assert!(run.stdout.contains("Conflict") && run.stdout.contains("SoftwareDistribution.old"), "{run:?}");
    assert_eq!(hive::values(root, false), before);
    assert!(try_find(root, "Windows/SoftwareDistribution").is_none());
}

#[test]
fn old_names_are_never_overwritten() {
    let volume = broken_ten();
    let root = volume.path();
    let windows = find(root, "Windows");
    fs::create_dir(windows.join("softwaredistribution.OLD")).unwrap();
    fs::write(windows.join("SoftwareDistribution.old-2"), b"a file").unwrap();
    let before = files(root);
    coldmend("repair --yes", root).expect(0);
    assert!(find(root, "Windows/SoftwareDistribution.old-3/DataStore").is_dir());
    assert_eq!(fs::read(windows.join("SoftwareDistribution.old-2")).unwrap(), b"a file");
    coldmend("undo --yes", root).expect(0);
    assert_eq!(files(root), before);
}

#[test]
fn by_id_and_last_and_undo_of_undo() {
    let volume = broken_ten();
    let root = volume.path();
    let original = picture(root);
    coldmend("repair --yes --only services-start", root).expect(0);
    let first = picture(root);
    coldmend("repair --yes --only update-cache,catalog-cache,bits-queue", root).expect(0);
    let second = picture(root);
    assert!(original != first && first != second);
    assert_eq!(states(root), ["0001-repair done", "0002-repair done"]);

    // Undo in any order: the first by its id.
    let by_id = |id: &str, status: i32| {
        let arguments = ["undo".as_ref(), "--yes".as_ref(), root.as_os_str(), id.as_ref()];
        common::run(&arguments).expect(status)
    };
    by_id("0001-repair", 0);
    assert_eq!(states(root), ["0001-repair undone", "0002-repair done", "0003-undo done"]);
    by_id("0001-repair", 3);
    by_id("0009-repair", 2);
    by_id("../../etc", 2);
    // The last that stands.
    coldmend("undo --yes", root).expect(0);
    assert!(picture(root) == original);
    assert_eq!(states(root), ["0001-repair undone", "0002-repair undone", "0003-undo done", "0004-undo done"]);
    let run = coldmend("undo --yes", root).expect(2);
    assert!(run.stderr.contains("no repair to take back"), "{run:?}");

    // An undo is taken back by its id: then the repair stands again.
    by_id("0004-undo", 0);
    by_id("0003-undo", 0);
    assert!(picture(root) == second);
    let states = states(root);
    assert_eq!(&states[..4], ["0001-repair done", "0002-repair done", "0003-undo undone", "0004-undo undone"]);
    coldmend("undo --yes", root).expect(0);
    coldmend("undo --yes", root).expect(0);
    assert!(picture(root) == original);
}

#[test]
fn service_set_is_taken_back_too() {
    let volume = broken_ten();
    let root = volume.path();
    let before = picture(root);
    let set = ["service", "set", "--start", "disabled", "--yes"].map(std::ffi::OsString::from);
    let all: Vec<_> = set.into_iter().chain([root.into(), "UsoSvc".into()]).collect();
    common::run(&all).expect(0);
    assert!(picture(root) != before);
    assert_eq!(states(root), ["0001-service done"]);
    coldmend("undo --yes", root).expect(0);
    assert!(picture(root) == before);
}

#[test]
fn a_state_directory_elsewhere_leaves_no_trace_on_the_volume() {
    let volume = broken_ten();
    let root = volume.path();
    let before = picture(root);
    let state = scratch();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let named = format!("--state-dir {}", state.path().display());
    coldmend(&format!("repair --yes {named}"), root).expect(0);
    assert!(try_find(root, "coldmend").is_none());
    assert!(state.path().join("0001-repair/plan.json").is_file());
    assert!(history("", root).is_empty(), "{:?}", history("", root));
    assert_eq!(history(&named, root), [("0001-repair".to_string(), "done".to_string())]);
    let run = coldmend("undo --yes", root).expect(2);
    assert!(run.stderr.contains("--state-dir"), "{run:?}");
    coldmend(&format!("undo --yes {named}"), root).expect(0);
    assert!(picture(root) == before);
    assert!(try_find(root, "coldmend").is_none());
    // A plan that is kept there is for one volume only.
    coldmend(&format!("repair --yes {named}"), root).expect(0);
    let other = broken(Version::Ten1909, &[Damage::DisableService("wuauserv".into())]);
    let untouched = tree(other.path());
    coldmend(&format!("undo --yes {named}"), other.path()).expect(3);
    assert_eq!(tree(other.path()), untouched);
}

#[test]
fn backups_are_exact_and_for_administrators_only() {
    let volume = broken_ten();
    let root = volume.path();
    let config = find(root, "Windows/System32/config");
    let before: Vec<Vec<u8>> = hive::HIVES.iter().map(|name| fs::read(find(&config, name)).unwrap()).collect();
    coldmend("repair --yes", root).expect(0);
    let folder = root.join("coldmend");
    for (name, bytes) in hive::HIVES.iter().zip(&before) {
        let kept = folder.join("0001-repair/backup").join(name);
        assert!(fs::read(&kept).unwrap() == *bytes, "{name}: the backup is not what was there");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o077, 0, "{name} can be read by others");
    }
    for place in [folder.clone(), folder.join("0001-repair"), folder.join("0001-repair/backup")] {
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700, "{}", place.display());
    }
}
