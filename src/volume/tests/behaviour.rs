//! The suite of behaviours that every volume has, run against a folder of the host, an overlay,
//! and an overlay over an overlay.

use std::ffi::{OsStr, OsString};

use super::*;

const SD: &str = "Windows/SoftwareDistribution";

#[test]
fn finding_ignores_case_and_tells_the_spelling() {
    everywhere(windows, |v| {
        let found = v.find(&p("WINDOWS/system32/CONFIG/system")).unwrap().unwrap();
        assert_eq!(found.path, p("Windows/System32/config/SYSTEM"));
        assert_eq!((found.kind, found.len, found.links), (Kind::File, 10_000, 1));
        assert!(found.modified.is_some());
        let dir = v.find(&p("windows")).unwrap().unwrap();
        assert_eq!((dir.path, dir.kind, dir.len), (p("Windows"), Kind::Dir, 0));
        assert_eq!(v.find(&VolPath::root()).unwrap().unwrap().kind, Kind::Dir);
        assert_eq!(v.find(&p("Windows/nothing")).unwrap(), None);
        assert_eq!(v.find(&p("nothing/at/all")).unwrap(), None);
        // A file stands where a folder should: there is nothing of that name.
        assert_eq!(v.find(&p("Windows/System32/config/SYSTEM/x")).unwrap(), None);
    });
}

#[test]
fn many_are_found_in_a_folder_as_one_by_one() {
    everywhere(windows, |v| {
        for folder in ["windows/SYSTEM32/config", "Windows", "", "Windows/nothing", "Windows/System32/config/SYSTEM"] {
            let names = ["system", "SOFTWARE", "System32", "windows", "x"];
            let one_by_one: Vec<_> =
                names.iter().map(|name| v.find(&p(folder).child(name).unwrap()).unwrap()).collect();
            assert_eq!(v.find_in(&p(folder), &names.map(OsStr::new)).unwrap(), one_by_one, "{folder}");
        }
        assert!(v.find_in(&p("Windows"), &[OsStr::new("a/b")]).is_err());
    });
}

#[test]
fn listing() {
    everywhere(windows, |v| {
        assert_eq!(names(v, "windows/SYSTEM32/config"), ["SOFTWARE", "SYSTEM"]);
        assert_eq!(names(v, ""), ["Windows"]);
        assert_eq!(
            v.list(&p("windows/x/y")),
            Err(VolumeError::NotFound { doing: Doing::Listing, path: p("windows/x/y"), missing: p("Windows/x") })
        );
        let error = v.list(&p("windows/system32/config/system")).unwrap_err();
        assert_eq!(
            error,
            VolumeError::NotADirectory {
                doing: Doing::Listing,
                path: p("windows/system32/config/system"),
                at: p("Windows/System32/config/SYSTEM"),
                found: Kind::File,
            }
        );
        assert_eq!(error.kind(), ErrorKind::Unreadable);
        assert_eq!(
            error.to_string(),
            "listing the folder windows\\system32\\config\\system: \
             Windows\\System32\\config\\SYSTEM is not a folder but a file"
        );
    });
}

#[test]
fn reading() {
    everywhere(windows, |v| {
        let software = p("windows/system32/config/software");
        assert_eq!(v.read(&software, 8).unwrap(), b"software");
        assert_eq!(v.read_head(&software, 4).unwrap(), b"soft");
        assert_eq!(v.read_head(&software, 400).unwrap(), b"software");
        let mut buf = [0; 4];
        assert_eq!(v.read_at(&software, 6, &mut buf).unwrap(), 2);
        assert_eq!(&buf[..2], b"re");
        assert_eq!(v.read_at(&software, 600, &mut buf).unwrap(), 0);
        assert_eq!(
            v.read(&software, 7),
            Err(VolumeError::TooLarge {
                doing: Doing::Reading,
                path: p("Windows/System32/config/SOFTWARE"),
                len: 8,
                limit: 7,
            })
        );
        for (path, found) in [("windows", p("Windows")), ("", VolPath::root())] {
            assert_eq!(
                v.read(&p(path), 9),
                Err(VolumeError::NotAFile { doing: Doing::Reading, path: found, found: Kind::Dir })
            );
        }
        assert_eq!(v.read(&p("windows/x"), 9).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn names_that_differ_only_in_case_are_refused() {
    let set_up = |root: &Path| {
        windows(root);
        std::fs::write(root.join("Windows/a"), b"1").unwrap();
        std::fs::write(root.join("Windows/A"), b"2").unwrap();
        std::fs::create_dir_all(root.join("Windows/SOFTWAREDISTRIBUTION/DataStore")).unwrap();
    };
    if !case_sensitive() {
        eprintln!("skipped: this file system ignores case");
        return;
    }
    everywhere(set_up, |v| {
        let ambiguous = |doing: Doing, path: &str, names: [&str; 2]| VolumeError::Ambiguous {
            doing,
            path: p(path),
            folder: p("Windows"),
            names: names.map(OsString::from).to_vec(),
        };
        let error = ambiguous(Doing::LookingFor, "windows/a", ["A", "a"]);
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.hint().is_some());
        assert_eq!(v.find(&p("windows/a")), Err(error));
        assert_eq!(v.read(&p("Windows/A"), 9), Err(ambiguous(Doing::Reading, "Windows/A", ["A", "a"])));
        let both = ["SOFTWAREDISTRIBUTION", "SoftwareDistribution"];
        assert_eq!(
            v.list(&p("Windows/SoftwareDistribution/DataStore")),
            Err(ambiguous(Doing::Listing, "Windows/SoftwareDistribution/DataStore", both))
        );
        let to = p("Windows/SoftwareDistribution.old");
        assert_eq!(v.rename(&p(SD), &to), Err(ambiguous(Doing::Renaming { to }, SD, both)));
        assert_eq!(v.write_new(&p("Windows/a"), b"x"), Err(ambiguous(Doing::CreatingFile, "Windows/a", ["A", "a"])));
        assert!(names(v, "Windows").contains(&"a".to_string()));
    });
}

fn case_sensitive() -> bool {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), b"").unwrap();
    !dir.path().join("A").exists()
}

#[test]
fn renaming_a_folder_takes_everything_along() {
    everywhere(windows, |v| {
        let old = p("Windows/SoftwareDistribution.old");
        v.rename(&p("windows/SOFTWAREdistribution"), &old).unwrap();
        assert_eq!(v.find(&p(SD)).unwrap(), None);
        assert_eq!(v.list(&p(SD)).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(v.read(&old.join("datastore/LOGS/edb.log").unwrap(), 9).unwrap(), b"log");
        assert_eq!(names(v, "Windows"), ["SoftwareDistribution.old", "System32"]);
        assert_eq!(names(v, "Windows/softwaredistribution.OLD/datastore"), ["DataStore.edb", "Logs"]);
        // A fresh one in its place, then back again under another name.
        v.create_dir(&p(SD), Protection::Plain).unwrap();
        v.write_new(&p("Windows/SoftwareDistribution/new"), b"new").unwrap();
        v.rename(&p(SD), &p("Windows/SoftwareDistribution.new")).unwrap();
        v.rename(&old, &p(SD)).unwrap();
        assert_eq!(names(v, SD), ["DataStore", "Download"]);
        assert_eq!(names(v, "Windows/SoftwareDistribution.new"), ["new"]);
        // Change something inside a folder that was moved twice, then move that.
        v.write_new(&p("Windows/SoftwareDistribution/DataStore/x"), b"x").unwrap();
        v.rename(&p("Windows/SoftwareDistribution/DataStore"), &p("DS")).unwrap();
        assert_eq!(names(v, "ds"), ["DataStore.edb", "Logs", "x"]);
        v.rename(&p("DS/Logs"), &p("Windows/Logs")).unwrap();
        assert_eq!(names(v, "DS"), ["DataStore.edb", "x"]);
        assert_eq!(names(v, "Windows/logs"), ["edb.log"]);
        assert_eq!(v.read(&p("Windows/Logs/edb.log"), 9).unwrap(), b"log");
        let missing = v.find(&p("Windows/SoftwareDistribution/DataStore/Logs"));
        assert_eq!(missing.unwrap(), None);
    });
}

#[test]
fn renaming_never_overwrites() {
    everywhere(windows, |v| {
        v.create_dir(&p("Windows/SoftwareDistribution.OLD"), Protection::Plain).unwrap();
        let to = p("Windows/SoftwareDistribution.old");
        let error = VolumeError::Exists {
            doing: Doing::Renaming { to: to.clone() },
            path: p(SD),
            existing: p("Windows/SoftwareDistribution.OLD"),
        };
        assert_eq!(v.rename(&p(SD), &to), Err(error));
        // Not onto a file, not onto itself, not onto itself in other letters.
        let config = "Windows/System32/config";
        for (from, to) in [
            (format!("{config}/SYSTEM"), format!("{config}/software")),
            (format!("{config}/SYSTEM"), format!("{config}/SYSTEM")),
            (format!("{config}/SYSTEM"), format!("{config}/system")),
            (SD.to_string(), format!("{config}/system")),
        ] {
            let error = v.rename(&p(&from), &p(&to)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exists, "{from} {to}: {error}");
        }
        assert_eq!(v.read(&p("Windows/System32/config/SOFTWARE"), 9).unwrap(), b"software");
        assert_eq!(v.read_head(&p("Windows/System32/config/SYSTEM"), 1).unwrap(), [7]);
        assert_eq!(names(v, SD), ["DataStore", "Download"]);
    });
}

#[test]
fn what_renaming_refuses() {
    everywhere(windows, |v| {
        let kind = |from: &str, to: &str| v.rename(&p(from), &p(to)).unwrap_err();
        assert!(matches!(kind(SD, "windows/SOFTWAREDISTRIBUTION/x/y"), VolumeError::IntoItself { .. }));
        assert!(matches!(kind("", "x"), VolumeError::IsRoot { .. }));
        assert!(matches!(kind(SD, ""), VolumeError::IsRoot { .. }));
        assert_eq!(
            kind("Windows/x", "Windows/y"),
            VolumeError::NotFound {
                doing: Doing::Renaming { to: p("Windows/y") },
                path: p("Windows/x"),
                missing: p("Windows/x"),
            }
        );
        assert_eq!(
            kind(SD, "Nowhere/y"),
            VolumeError::NotFound { doing: Doing::Renaming { to: p("Nowhere/y") }, path: p(SD), missing: p("Nowhere") }
        );
        assert!(matches!(kind(SD, "Windows/System32/config/SYSTEM/x"), VolumeError::NotADirectory { .. }));
    });
}

#[test]
fn creating_and_removing() {
    everywhere(windows, |v| {
        v.create_dir(&p("coldmend"), Protection::Plain).unwrap();
        v.create_dir(&p("COLDMEND/0001"), Protection::Plain).unwrap();
        let plan = p("coldmend/0001/plan.json");
        v.write_new(&plan, b"{}").unwrap();
        assert_eq!(v.read(&plan, 2).unwrap(), b"{}");
        assert_eq!(v.find(&plan).unwrap().unwrap().len, 2);
        for again in ["coldmend/0001/PLAN.json", "coldmend/0001"] {
            let error = v.write_new(&p(again), b"no").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exists);
            let error = v.create_dir(&p(again), Protection::Plain).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exists);
        }
        assert_eq!(v.read(&plan, 2).unwrap(), b"{}");
        assert!(matches!(v.create_dir(&p("a/b"), Protection::Plain), Err(VolumeError::NotFound { .. })));
        assert!(matches!(v.write_new(&p("a/b"), b""), Err(VolumeError::NotFound { .. })));

        assert_eq!(
            v.remove_empty_dir(&p("coldmend/0001")),
            Err(VolumeError::NotEmpty { doing: Doing::RemovingFolder, path: p("coldmend/0001") })
        );
        assert!(matches!(v.remove_file(&p("coldmend/0001")), Err(VolumeError::NotAFile { .. })));
        assert!(matches!(v.remove_empty_dir(&plan), Err(VolumeError::NotADirectory { .. })));
        v.remove_file(&plan).unwrap();
        assert_eq!(v.find(&plan).unwrap(), None);
        assert!(matches!(v.remove_file(&plan), Err(VolumeError::NotFound { .. })));
        v.remove_empty_dir(&p("Coldmend/0001")).unwrap();
        v.remove_empty_dir(&p("coldmend")).unwrap();
        assert_eq!(names(v, ""), ["Windows"]);
        // What was there before can be removed, too, and made anew.
        v.remove_file(&p("Windows/System32/config/SOFTWARE")).unwrap();
        assert_eq!(names(v, "Windows/System32/config"), ["SYSTEM"]);
        v.write_new(&p("Windows/System32/config/software"), b"n").unwrap();
        assert_eq!(names(v, "Windows/System32/config"), ["SYSTEM", "software"]);
        v.sync_dir(&p("windows")).unwrap();
        assert!(matches!(v.sync_dir(&p("x")), Err(VolumeError::NotFound { .. })));
        assert!(matches!(v.remove_empty_dir(&VolPath::root()), Err(VolumeError::IsRoot { .. })));
    });
}

#[test]
fn appending() {
    everywhere(windows, |v| {
        let journal = p("journal.jsonl");
        assert!(matches!(v.append(&journal, b"x"), Err(VolumeError::NotFound { .. })));
        v.write_new(&journal, b"").unwrap();
        for n in 0..2000 {
            v.append(&journal, format!("line {n}\n").as_bytes()).unwrap();
        }
        let text = String::from_utf8(v.read(&journal, 100_000).unwrap()).unwrap();
        assert_eq!(text.lines().count(), 2000);
        assert!(text.ends_with("line 1998\nline 1999\n"));
        let software = p("Windows/System32/config/SOFTWARE");
        v.append(&software, b" too").unwrap();
        assert_eq!(v.read(&software, 99).unwrap(), b"software too");
        assert!(matches!(v.append(&p("windows"), b"x"), Err(VolumeError::NotAFile { .. })));
    });
}

#[test]
fn writing_in_place() {
    everywhere(windows, |v| {
        let system = p("windows/system32/config/system");
        let mut storage = v.open_storage(&system).unwrap();
        assert_eq!(storage.len().unwrap(), 10_000);
        storage.write_at(4094, b"abcd").unwrap();
        let mut buf = [0; 6];
        storage.read_at(4093, &mut buf).unwrap();
        assert_eq!(&buf, b"\x07abcd\x07");
        // Past the end: a gap of zeros.
        storage.write_at(12_000, b"end").unwrap();
        assert_eq!(storage.len().unwrap(), 12_003);
        let mut gap = [1; 4];
        storage.read_at(9_998, &mut gap).unwrap();
        assert_eq!(gap, [7, 7, 0, 0]);
        let error = storage.read_at(12_000, &mut gap).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        // Cut, then longer again: what was cut off does not come back.
        storage.set_len(5).unwrap();
        storage.set_len(9_000).unwrap();
        storage.flush().unwrap();
        let mut buf = [9; 8];
        storage.read_at(0, &mut buf).unwrap();
        assert_eq!(buf, [7, 7, 7, 7, 7, 0, 0, 0]);
        storage.read_at(4093, &mut buf).unwrap();
        assert_eq!(buf, [0; 8]);
        // Open: nobody else may.
        assert_eq!(
            v.open_storage(&system).err(),
            Some(VolumeError::Locked { doing: Doing::OpeningForWriting, path: p("Windows/System32/config/SYSTEM") })
        );
        drop(storage);
        drop(v.open_storage(&system).unwrap());
        assert_eq!(v.find(&system).unwrap().unwrap().len, 9_000);
        assert_eq!(v.read_head(&system, 6).unwrap(), [7, 7, 7, 7, 7, 0]);
        let all = v.read(&system, 9_000).unwrap();
        assert!(all.len() == 9_000 && all[5..].iter().all(|b| *b == 0));
        assert!(v.read(&system, 8_999).is_err());
        // Through a rename of the folder above.
        v.rename(&p("Windows/System32/config"), &p("Windows/System32/config2")).unwrap();
        assert_eq!(v.find(&p("Windows/System32/config2/SYSTEM")).unwrap().unwrap().len, 9_000);
        assert!(matches!(v.open_storage(&p("windows")).err(), Some(VolumeError::NotAFile { .. })));
        assert!(matches!(v.open_storage(&p("w")).err(), Some(VolumeError::NotFound { .. })));
        assert!(matches!(v.open_storage(&p("")).err(), Some(VolumeError::NotAFile { .. })));
    });
}

#[test]
#[cfg_attr(windows, ignore = "Windows itself renames no folder in which a file is open; Wine does")]
fn a_storage_stays_good_while_its_file_is_moved() {
    everywhere(windows, |v| {
        let mut storage = v.open_storage(&p("Windows/System32/config/SYSTEM")).unwrap();
        storage.write_at(0, b"one").unwrap();
        v.rename(&p("Windows/System32"), &p("Windows/Other")).unwrap();
        storage.write_at(3, b"two").unwrap();
        drop(storage);
        let moved = p("Windows/Other/config/SYSTEM");
        assert_eq!(v.read_head(&moved, 6).unwrap(), b"onetwo");
    });
}
