//! `file-access` and `servicing-access`: descriptors on a real NTFS and in real security cells. What Windows ships is healthy on each
//! generation; who is kept out is found, and nothing else is.
//!
//! The NTFS comes through ntfs-3g, which needs root and `/dev/fuse`; where that is missing, it is said.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use coldmend_fixtures::{build_volume, sddl, Version, VolumeSpec};
use common::diagnosis::{diagnose, said, Said};
use common::hive::protect;
use common::ntfs::Ntfs;
use rustix::fs::XattrFlags;
use Version::{Eleven24H2, Server2016, Server2025, Seven, Ten22H2, Vista, Xp};

const TASKS: &str = "Windows/System32/Tasks/Microsoft/Windows";

/// What Windows itself gives its folder since Vista: what SYSTEM may do there, it may do in what is made inside.
const WINDOWS: &str = "O:TIG:TID:(A;OICIIO;FA;;;CO)(A;OICIIO;FA;;;SY)(A;;FRFWFXSD;;;SY)(A;OICIIO;FA;;;BA)(A;;FRFWFXSD;;;BA)(A;OICI;FRFX;;;BU)(A;CIIO;FA;;;TI)(A;;FA;;;TI)";
/// The component store: TrustedInstaller's, for reading by all others.
const STORE: &str = "O:TIG:TID:(A;OICI;FA;;;TI)(A;OICI;FRFX;;;SY)(A;OICI;FRFX;;;BA)(A;OICI;FRFX;;;BU)";
/// What is made in Windows' folder inherits.
const INHERITED: &str = "O:SYG:SYD:(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;FRFX;;;BU)(A;CIID;FA;;;TI)";
/// catroot2 as CryptSvc keeps it for itself.
const CATALOGS: &str = "O:SYG:SYD:(A;OICI;FA;;;S-1-5-80-242729624-280608522-2219052887-3187409060-2225943459)(A;OICI;FRFX;;;SY)(A;OICI;FRFX;;;BA)";
/// XP: no TrustedInstaller.
const OLD: &str =
    "O:BAG:SYD:(A;OICI;FRFX;;;BU)(A;OICI;FRFWFXSD;;;PU)(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICIIO;FA;;;CO)";

fn set(root: &Path, path: &str, text: &str) {
    let path = common::find(root, path);
    rustix::fs::lsetxattr(&path, "system.ntfs_acl", &sddl::compile(text), XattrFlags::empty()).unwrap();
}

/// The folders, each with the descriptor that Windows of this version gives it.
fn healthy(version: Version) -> Vec<(String, &'static str)> {
    let old = version.build() < 6000;
    let mut all = vec![
        ("Windows".to_owned(), if old { OLD } else { WINDOWS }),
        ("Windows/System32".into(), if old { OLD } else { WINDOWS }),
        ("Windows/SoftwareDistribution".into(), if old { OLD } else { INHERITED }),
        ("Windows/System32/catroot2".into(), if old { OLD } else { CATALOGS }),
    ];
    if !old {
        all.extend([("Windows/WinSxS".into(), STORE), ("Windows/servicing".into(), STORE)]);
    }
    for (first, folder) in [(9200, "WindowsUpdate"), (10240, "UpdateOrchestrator"), (17134, "WaaSMedic")] {
        if version.build() >= first {
            all.push((format!("{TASKS}/{folder}"), INHERITED));
        }
    }
    all
}

/// What is new, after these descriptors were set, against a volume that says `before`.
fn news(root: &Path, before: &Said, changes: &[(&str, &str)]) -> (BTreeSet<String>, String) {
    changes.iter().for_each(|(path, text)| set(root, path, text));
    let diagnosis = diagnose(root);
    assert_eq!(diagnosis["could_not_check"].as_array().unwrap().len(), 0, "{diagnosis}");
    let shown = serde_json::to_string_pretty(&diagnosis["findings"]).unwrap();
    (said(&diagnosis).difference(before).cloned().collect(), shown)
}

#[test]
fn folders_on_ntfs() {
    for version in [Xp, Seven, Ten22H2, Server2025] {
        let ntfs = match Ntfs::mounted(64) {
            Ok(ntfs) => ntfs,
            Err(why) => return common::leave_out("folders_on_ntfs", &why),
        };
        let root = ntfs.root();
        build_volume(root, &VolumeSpec { ballast_keys: 5, ..VolumeSpec::new(version) }).unwrap();
        let good = healthy(version);
        let give = |text: &dyn Fn(&str) -> String| good.iter().for_each(|(path, own)| set(root, path, &text(own)));
        give(&str::to_owned);
        let before = said(&diagnose(root));
        assert!(!before.iter().any(|line| line.contains("file-access")), "{version:?}: {before:?}");

        // Every folder is found, each for itself.
        let severity = |path: &str| if path.contains("Tasks") { "suspect" } else { "problem" };
        let line = |path: &str| format!("{} file-access {}", severity(path), path.rsplit('/').next().unwrap());
        let wanted: BTreeSet<String> = good.iter().map(|(path, _)| line(path)).collect();
        for (entries, words) in [
            ("(D;OICI;FW;;;SY)(A;;FA;;;SY)(A;;FA;;;TI)", "denied: make files"),
            ("(D;OICI;FA;;;WD)(A;;FA;;;WD)", "denied: list"),
            ("", "not granted"),
            ("(A;OICI;FA;;;BU)(A;OICIIO;FA;;;SY)", "not granted"),
        ] {
            give(&|_| format!("O:TIG:TID:{entries}"));
            let (new, shown) = news(root, &before, &[]);
            assert_eq!(new, wanted, "{version:?} {entries}\n{shown}");
            assert!(shown.contains(words), "{version:?}: no {words:?}\n{shown}");
        }
        // More rights than Windows gives, or by another group, are nobody's harm; nor is what is denied to others, or inside only.
        for fine in ["(A;OICI;FA;;;AU)", "(A;OICI;FA;;;BA)", "(D;OICI;FA;;;BG)(A;OICI;FA;;;SY)(D;OICIIO;FA;;;SY)"] {
            give(&|_| format!("O:TIG:TID:{fine}"));
            let (new, shown) = news(root, &before, &[]);
            assert_eq!(new, BTreeSet::new(), "{version:?} {fine}\n{shown}");
        }
        give(&str::to_owned);
        if version.build() >= 6000 {
            // TrustedInstaller without its rights, and who may own the store.
            let all: [(&str, &str); 3] = [
                (&STORE.replace("(A;OICI;FA;;;TI)", ""), "problem file-access WinSxS"),
                (&STORE.replace("O:TI", "O:BA"), "note file-access WinSxS"),
                (&STORE.replace("O:TI", "O:S-1-5-21-1-2-3-1001"), "suspect file-access WinSxS"),
            ];
            for (text, wanted) in all {
                let (new, shown) = news(root, &before, &[("Windows/WinSxS", text)]);
                assert_eq!(new, BTreeSet::from([wanted.to_owned()]), "{version:?}\n{shown}");
            }
            set(root, "Windows/WinSxS", STORE);
        }
        // Compressed is slower, and no more.
        let folder = common::find(root, "Windows/SoftwareDistribution");
        let bits = 0x0800_u32.to_ne_bytes();
        rustix::fs::lsetxattr(&folder, "system.ntfs_attrib", &bits, XattrFlags::empty()).unwrap();
        let (new, shown) = news(root, &before, &[]);
        assert_eq!(new, BTreeSet::from(["note file-access SoftwareDistribution".to_owned()]), "{version:?}\n{shown}");
    }
}

/// What a volume is that was copied with ntfs-3g, which gives everybody everything: no alarm.
#[test]
fn a_copied_volume_raises_no_alarm() {
    let ntfs = match Ntfs::mounted(64) {
        Ok(ntfs) => ntfs,
        Err(why) => return common::leave_out("a_copied_volume_raises_no_alarm", &why),
    };
    build_volume(ntfs.root(), &VolumeSpec::new(Ten22H2)).unwrap();
    let said = said(&diagnose(ntfs.root()));
    // The image is small.
    let alarms: Vec<_> =
        said.iter().filter(|line| !line.starts_with("note ") && !line.contains("free-space")).collect();
    assert!(alarms.is_empty(), "{alarms:?}");
    assert!(said.contains("note file-access WinSxS"), "{said:?}");
}

#[test]
fn the_key_of_servicing() {
    const CBS: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing";
    const GOOD: &str = "O:TIG:TID:(A;;KA;;;TI)(A;;KR;;;SY)(A;;KR;;;BA)(A;;KR;;;BU)";
    for version in [Vista, Seven, Server2016, Eleven24H2] {
        let volume = common::broken(version, &[]);
        let root = volume.path();
        for key in [CBS, &format!("{CBS}\\Packages")] {
            protect(root, key, GOOD);
            let before = said(&diagnose(root));
            assert!(!before.iter().any(|line| line.contains("servicing-access")), "{version:?}: {before:?}");
            let subject = key.rsplit('\\').next().unwrap();
            for (text, severity) in [
                ("O:BAG:BAD:(A;;KR;;;SY)(A;;KR;;;BA)", "problem"),
                ("O:TIG:TID:(D;;KA;;;TI)(A;;KA;;;TI)(A;;KR;;;SY)(A;;KR;;;BA)", "problem"),
                ("O:TIG:TID:(A;;KA;;;TI)(A;;KR;;;SY)", "suspect"),
            ] {
                protect(root, key, text);
                let (new, shown) = news(root, &before, &[]);
                assert_eq!(
                    new,
                    BTreeSet::from([format!("{severity} servicing-access {subject}")]),
                    "{version:?} {text}\n{shown}"
                );
                assert!(shown.contains("0x80070005"), "{shown}");
            }
            protect(root, key, GOOD);
        }
    }
}
