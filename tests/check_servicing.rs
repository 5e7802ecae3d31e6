//! The checks of files and servicing beside the table of faults (`tests/faults`): what is healthy gives none of them, and several faults
//! at once, garbage and hostile files are told, each once.
//!
//! Needs `hivexregedit` (libwin-hivex-perl) for faults in hives; without it those are skipped, and said.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use coldmend_fixtures::{Damage, Version, VolumeSpec};
use common::inject::{has_hivexregedit, merge, put, service, CBS};
use common::{coldmend, copied, find, volume};

/// Id, severity and subject.
type Found = BTreeSet<(String, String, String)>;

fn findings(root: &Path) -> (Found, serde_json::Value) {
    let json = coldmend("diagnose --format json", root).json();
    let text = |f: &serde_json::Value, name: &str| f[name].as_str().unwrap().to_owned();
    let all = json["findings"].as_array().unwrap_or_else(|| panic!("{json}"));
    let found = all.iter().map(|f| (text(f, "id"), text(f, "severity"), text(f, "subject"))).collect();
    (found, json)
}

fn small(version: Version) -> VolumeSpec {
    VolumeSpec { ballast_keys: 5, ..VolumeSpec::new(version) }
}

use Version::{EightOne, Eleven24H2, Server2016, Server2025, Seven, Ten22H2, Vista, Xp};
const ALL: &[Version] = &[Xp, Seven, Ten22H2, Server2025];
const SINCE_VISTA: &[Version] = &[Vista, EightOne, Ten22H2, Eleven24H2];
const SINCE_10: &[Version] = &[Server2016, Ten22H2, Eleven24H2];

#[test]
fn healthy_volumes_of_every_version_raise_nothing() {
    for version in Version::ALL {
        let (found, json) = findings(volume(&small(version)).path());
        let known = [("service-descriptor", "note")];
        let strange: Vec<_> =
            found.iter().filter(|(id, severity, _)| !known.contains(&(id.as_str(), severity.as_str()))).collect();
        assert!(strange.is_empty(), "{version:?}: {strange:?}");
        assert_eq!(json["could_not_check"].as_array().map(Vec::len), Some(0), "{version:?}: {json}");
    }
}

/// What looks like a fault and is none: nothing is found, and what can't be looked at is said.
#[test]
fn what_is_no_fault_is_not_found() {
    if !has_hivexregedit("what_is_no_fault_is_not_found") {
        return;
    }
    struct Case {
        what: &'static str,
        versions: &'static [Version],
        make: fn(&Path),
        /// Words that must be said.
        words: &'static str,
    }
    let cases = [
        Case {
            what: "a disabled service has no program",
            versions: ALL,
            make: |root| merge(root, "SYSTEM", &service("off", 4, 0x10, Some("C:\\Windows\\off.exe"))),
            words: "",
        },
        Case {
            what: "programs that Windows has compressed",
            versions: SINCE_10,
            make: |root| {
                let file = find(root, "Windows/System32/drivers/pci.sys");
                fs::remove_file(&file).unwrap();
                std::os::unix::fs::symlink("unsupported reparse tag 0x80000017", &file).unwrap();
                fs::write(find(root, "Windows/System32/crypt32.dll"), [0; 4096]).unwrap();
            },
            words: "compressed by Windows",
        },
        Case {
            what: "SetupConfig.ini is sound",
            versions: SINCE_10,
            make: |root| {
                let file = "Users/Default/AppData/Local/Microsoft/Windows/WSUS/SetupConfig.ini";
                put(root, file, b"[SetupConfig]\r\nShowOobe=None\r\n");
            },
            words: "",
        },
        Case {
            what: "superseded and absent packages have no files",
            versions: SINCE_VISTA,
            make: |root| {
                for (state, number) in [(0x50, 1), (0x20, 2)] {
                    let name = format!("Package_for_KB500000{number}~31bf3856ad364e35~amd64~~10.0.1.1");
                    let key = format!("[\\{CBS}\\Packages\\{name}]");
                    merge(root, "SOFTWARE", &format!("{key}\n\"CurrentState\"=dword:{state:08x}\n"));
                }
            },
            words: "",
        },
    ];
    for version in Version::ALL {
        let healthy = volume(&small(version));
        let (before, _) = findings(healthy.path());
        for case in cases.iter().filter(|case| case.versions.contains(&version)) {
            let changed = copied(healthy.path());
            (case.make)(changed.path());
            let (found, json) = findings(changed.path());
            assert_eq!(found, before, "{version:?}: {}: {json}", case.what);
            assert!(json.to_string().contains(case.words), "{version:?}: {}: {json}", case.what);
        }
    }
}

/// A driver that coldmend's own idea of a path must find in every spelling.
#[test]
fn spellings_of_paths_are_understood() {
    if !has_hivexregedit("spellings_of_paths_are_understood") {
        return;
    }
    for version in [Xp, Ten22H2] {
        let root = volume(&small(version));
        put(root.path(), "Program Files/A B/c.exe", b"MZ");
        put(root.path(), "Windows/System32/drivers/d e.sys", b"MZ");
        for (number, (ty, image)) in [
            (1, "\\SystemRoot\\System32\\drivers\\d e.sys"),
            (1, "\\??\\C:\\WINDOWS\\System32\\drivers\\d e.sys"),
            (2, "system32\\DRIVERS\\d e.sys"),
            (1, "%SystemRoot%\\system32\\drivers\\d e.sys"),
            (0x10, "\"C:\\Program Files\\A B\\c.exe\" -a \"b c\""),
            (0x10, "C:\\Program Files\\A B\\c.exe -a b.exe"),
            (0x110, "C:\\Program Files\\A B\\c -a"),
            (0x10, "%ProgramFiles%\\A B\\\\c.exe"),
            (0x20, "cmd.exe /c x"),
            (0x10, "%SystemDrive%/Program Files/A B/c.exe"),
        ]
        .iter()
        .enumerate()
        {
            merge(root.path(), "SYSTEM", &service(&format!("spelled{number}"), 2, *ty, Some(image)));
        }
        let (found, json) = findings(root.path());
        assert_eq!(found, Found::new(), "{version:?}: {json}");
        assert_eq!(json["could_not_check"].as_array().map(Vec::len), Some(0), "{json}");
    }
}

/// A path or library that is itself wrong is told once, by its own check; a missing file of an update service by this one.
#[test]
fn nothing_is_told_twice() {
    let name = || "wuauserv".to_owned();
    for (damage, expected) in [
        (Damage::WrongServiceDll(name()), "service-dll"),
        (Damage::WrongImagePath(name()), "service-image-path"),
        (Damage::MissingServiceFile(name()), "service-file"),
        (Damage::EmptyServiceFile(name()), "service-file"),
    ] {
        for version in [Xp, Seven, Ten22H2, Server2016] {
            let (found, json) = findings(volume(&small(version).damaged(damage.clone())).path());
            let expected = Found::from([(expected.to_owned(), "problem".to_owned(), name())]);
            assert_eq!(found, expected, "{version:?} {damage:?}: {json}");
        }
    }
}

/// Garbage where a file, a folder or a hive belongs is told, or said not to be checked; the rest is still looked at.
#[test]
fn garbage_keeps_nothing_else_from_being_checked() {
    let root = volume(&small(Ten22H2).damaged(Damage::MissingServiceFile("BITS".into())));
    let root = root.path();
    for hive in ["COMPONENTS", "DRIVERS"] {
        let path = find(root, &format!("Windows/System32/config/{hive}"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..].fill(0x5a);
        fs::write(&path, bytes).unwrap();
    }
    fs::create_dir_all(find(root, "Windows/WinSxS").join("pending.xml")).unwrap();
    fs::remove_dir_all(find(root, "Windows/servicing")).unwrap();
    fs::write(find(root, "Windows").join("servicing"), b"a file").unwrap();
    fs::remove_dir_all(find(root, "Windows/System32/catroot")).unwrap();
    std::os::unix::fs::symlink("/etc", find(root, "Windows/System32").join("catroot")).unwrap();
    let (found, json) = findings(root);
    assert!(found.contains(&("service-file".into(), "problem".into(), "BITS".into())), "{json}");
    assert!(found.iter().any(|(id, severity, _)| id == "package-files" && severity == "problem"), "{json}");
    let unchecked: BTreeSet<&str> =
        json["could_not_check"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    for id in ["component-store", "driver-store", "catalogs", "pending-servicing"] {
        assert!(unchecked.contains(id), "{id}: {json}");
    }
}

/// Whatever stands in pending.xml: a verdict, and no crash.
#[test]
fn any_pending_xml_gets_a_verdict() {
    let root = volume(&small(Ten22H2));
    let long = format!("<PendingTransaction Identifier='1'><POQ>{}", "<A/>".repeat(200_000));
    for bytes in
        [&b""[..], b"\xff\xfe", b"\xff\xfe<", &[b'<'; 100_000], &[0xd8; 9999], b"<PendingTransaction", long.as_bytes()]
    {
        put(root.path(), "Windows/WinSxS/pending.xml", bytes);
        let (found, json) = findings(root.path());
        assert_eq!(found, Found::from([("pending-servicing".into(), "problem".into(), "servicing".into())]), "{json}");
    }
}
