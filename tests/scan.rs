//! `coldmend scan`: what it finds on volumes of every kind, and that one bad volume does not hide the others.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use coldmend_fixtures::{build_volume, Damage, Version, VolumeSpec};
use common::ntfs::Ntfs;
use common::{broken, broken_ten, coldmend, find, run, tree};
use serde_json::{json, Value};

fn scan(status: i32, targets: &[&Path]) -> Value {
    let mut words = vec!["--format", "json", "scan"];
    words.extend(targets.iter().map(|t| t.to_str().unwrap()));
    let run = run(&words).expect(status);
    assert_eq!(run.stderr, "");
    run.json()
}

fn states(installation: &Value) -> Vec<&str> {
    installation["states"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect()
}

/// The states of the one installation on a volume.
fn states_of(root: &Path) -> Vec<String> {
    let document = scan(0, &[root]);
    states(&document["volumes"][0]["installations"][0]).iter().map(|s| (*s).to_string()).collect()
}

#[test]
fn each_version_is_named_and_nothing_is_written() {
    for (version, product, build) in [
        (Version::Xp, "Windows XP", 2600),
        (Version::Seven, "Windows 7", 7601),
        (Version::Ten22H2, "Windows 10", 19045),
    ] {
        let volume = broken(version, &[]);
        let before = tree(volume.path());
        let document = scan(0, &[volume.path()]);
        let found = &document["volumes"][0]["installations"][0];
        assert!(found["windows"]["product"].as_str().unwrap().contains(product), "{document:#}");
        assert_eq!(found["windows"]["build"], build);
        assert_eq!(states(found), ["ready"]);
        assert_eq!(found["command"], format!("coldmend diagnose {}", volume.path().display()));
        assert_eq!((&document["found"], &document["schema"]), (&json!(1), &json!("coldmend.scan/1")));
        assert_eq!(tree(volume.path()), before);
        let text = coldmend("scan", volume.path()).expect(0).stdout;
        assert!(text.contains(product) && text.contains("1 Windows installation found"), "{text}");
    }
}

#[test]
fn states_that_matter() {
    assert_eq!(states_of(broken(Version::Ten22H2, &[Damage::Hibernated]).path()), ["hibernated"]);
    assert_eq!(states_of(broken(Version::Ten22H2, &[Damage::SetupInProgress]).path()), ["setup-in-progress"]);

    let cut = broken_ten();
    coldmend("repair --yes", cut.path()).expect(0);
    assert_eq!(states_of(cut.path()), ["ready"]);
    let journal = cut.path().join("coldmend/0001-repair/journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.split_once("{\"step\":\"verified\"").unwrap().0).unwrap();
    assert_eq!(states_of(cut.path()), ["unfinished-repair"]);
}

#[test]
fn a_hive_that_cannot_be_read_does_not_hide_the_installation() {
    let volume = broken_ten();
    fs::write(find(volume.path(), "Windows/System32/config/SOFTWARE"), b"no hive").unwrap();
    let document = scan(0, &[volume.path()]);
    let found = &document["volumes"][0]["installations"][0];
    assert_eq!(found["windows"], Value::Null);
    assert!(found["version_unknown"].as_str().unwrap().contains("SOFTWARE"), "{document:#}");
    assert_eq!(states(found), ["unreadable-hive"]);
    let text = coldmend("scan", volume.path()).expect(0).stdout;
    assert!(text.contains("version unknown: "), "{text}");
}

#[test]
fn several_folders_are_told_apart() {
    let volume = broken(Version::Ten22H2, &[]);
    let root = volume.path();
    let second = broken(Version::Seven, &[]);
    common::copy(&second.path().join("Windows"), &root.join("My Windows"));
    common::copy(&second.path().join("Windows"), &root.join("Windows.old/Windows"));
    let document = scan(0, &[root]);
    let found = document["volumes"][0]["installations"].as_array().unwrap();
    assert_eq!(found.len(), 2, "{document:#}");
    let command = found[0]["command"].as_str().unwrap();
    assert_eq!(command, format!("coldmend diagnose --windows 'My Windows' {}", root.display()));
    // What it says can be typed.
    let typed = format!("'{}' {}", common::BINARY, command.strip_prefix("coldmend ").unwrap());
    let output = Command::new("sh").args(["-c", &typed]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Windows 7"), "{output:?}");
    let notes = document["volumes"][0]["notes"].to_string();
    assert!(notes.contains("Windows.old"), "{document:#}");
    // The Windows folder itself.
    let document = scan(0, &[&root.join("My Windows")]);
    assert_eq!(document["found"], 1);
}

#[test]
fn one_bad_volume_does_not_hide_the_others() {
    let good = broken_ten();
    let empty = common::scratch();
    let link = common::scratch();
    std::os::unix::fs::symlink(good.path().join("Windows"), link.path().join("Windows")).unwrap();
    let file = good.path().join("bootmgr");
    let nowhere = good.path().join("nowhere");
    let document = scan(0, &[&nowhere, &file, empty.path(), link.path(), good.path()]);
    let volumes = document["volumes"].as_array().unwrap();
    let of = |i: usize, field: &str| volumes[i][field].as_str().unwrap_or_default().to_string();
    assert_eq!(
        [0, 1, 2, 3, 4].map(|i| of(i, "state")),
        ["unreadable", "unreadable", "readable", "readable", "readable"]
    );
    let diagnose = coldmend("--format json diagnose", &file).expect(2).json();
    assert_eq!(json!(of(1, "why")), diagnose["error"]["message"]);
    assert_eq!(json!(of(1, "what_to_do")), diagnose["error"]["hint"]);
    assert!(of(2, "why").contains("no Windows was found"), "{document:#}");
    assert!(of(3, "why").contains("symbolic link"), "{document:#}");
    assert_eq!(document["found"], 1);
    // Nothing found is no success.
    assert_eq!(scan(4, &[empty.path(), &nowhere])["found"], 0);
    let text = coldmend("scan", empty.path()).expect(4).stdout;
    assert!(text.contains("No Windows was found on 1 volume."), "{text}");
}

#[test]
fn names_on_the_volume_are_harmless() {
    let volume = broken(Version::Ten22H2, &[]);
    let root = volume.path();
    fs::rename(root.join("Windows"), root.join("Win\u{1b}[2J$(reboot)")).unwrap();
    let second = broken(Version::Seven, &[]);
    common::copy(&second.path().join("Windows"), &root.join("Windows"));
    let text = coldmend("scan", root).expect(0).stdout;
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(text.contains("--windows 'Win<U+001B>[2J$(reboot)'"), "{text}");
}

/// Without a target, what is mounted is found; and what it says then can be typed.
#[test]
fn a_mounted_volume_is_found_by_itself() {
    let ntfs = match Ntfs::mounted(48) {
        Ok(ntfs) => ntfs,
        Err(why) => return common::leave_out("a_mounted_volume_is_found_by_itself", &why),
    };
    let root = ntfs.root();
    build_volume(root, &VolumeSpec::new(Version::Ten22H2).damaged(Damage::DisableService("BITS".into()))).unwrap();
    let document = scan(0, &[]);
    let volumes = document["volumes"].as_array().unwrap();
    let found = volumes.iter().find(|v| v["path"] == json!(root)).unwrap_or_else(|| panic!("{document:#}"));
    assert_eq!(found["installations"][0]["windows"]["build"], 19045, "{found:#}");
    assert_eq!(found["installations"][0]["command"], format!("coldmend diagnose '{}'", root.display()));
    assert_eq!(found["also"][0], json!(ntfs.image()));
    assert!(found["size"].as_u64().unwrap() > 40 << 20, "{found:#}");
    let text = run(&["scan"]).expect(0).stdout;
    assert!(text.contains("Windows 10 Pro") && text.contains("47 MB"), "{text}");
}

/// The machine's own volumes: whatever is there, it is looked at and fits.
#[test]
fn the_attached_volumes() {
    let run = run(&["--format", "json", "scan"]);
    assert!(matches!(run.status, Some(0 | 4)), "{run:?}");
    let document = run.json();
    let found = document["volumes"].as_array().unwrap().iter().map(|v| v["installations"].as_array().unwrap().len());
    assert_eq!(document["found"], found.sum::<usize>());
}
