//! Input that is not what it should be, each with its own clear error, exit status and JSON document, and a volume that is
//! left as it was. Hostile volumes must not reach anything outside of them.
#![allow(clippy::unwrap_used)]

mod common;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

use coldmend_fixtures::{Damage, Version};
use common::{broken, broken_ten, coldmend, copied, copy, files, find, hive, run, scratch, tree, Run};
use serde_json::{json, Value};

const CONFIG: &str = "Windows/System32/config";

/// Runs `WORDS… ROOT` as text and as JSON; both must end with `status`, say `words` (in text, causes and hint included),
/// and leave the volume as it was.
#[track_caller]
fn refused(words: &str, root: &Path, status: i32, said: &[&str]) {
    refused_with(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>(), root, status, said);
}

#[track_caller]
fn refused_with(arguments: &[OsString], root: &Path, status: i32, said: &[&str]) {
    let before = root.is_dir().then(|| tree(root));
    let all: Vec<OsString> = arguments.iter().cloned().chain([root.into()]).collect();
    let text = run(&all);
    assert_eq!(text.status, Some(status), "{arguments:?}: {text:?}");
    assert!(text.stderr.lines().any(|line| line.starts_with("coldmend: error: ")), "{arguments:?}: {text:?}");
    for word in said {
        assert!(
            text.stderr.to_lowercase().contains(&word.to_lowercase()),
            "{arguments:?} does not say {word:?}: {text:?}"
        );
    }
    let json = run(&[&all[..], &["--format".into(), "json".into()]].concat());
    assert_eq!(json.status, Some(status), "{json:?}");
    assert_is_error_document(&json, status);
    assert_eq!(root.is_dir().then(|| tree(root)), before, "{arguments:?}: the volume was written to");
}

#[track_caller]
fn assert_is_error_document(run: &Run, status: i32) {
    let document = run.json();
    assert_eq!(document["schema"], "coldmend.error/1", "{document}");
    let kind = match status {
        2 => "usage",
        3 => "refused",
        4 => "unreadable",
        5 => "partial",
        130 => "interrupted",
        other => panic!("{other} is no status of an error: {run:?}"),
    };
    assert_eq!(document["error"]["kind"], kind, "{document}");
    assert!(document["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{document}");
    assert!(document["error"]["causes"].is_array(), "{document}");
}

#[test]
fn no_windows_there() {
    let empty = scratch();
    refused("diagnose", empty.path(), 4, &["no Windows was found", "what to do"]);
    refused("repair --yes", empty.path(), 4, &["no Windows was found"]);
    fs::create_dir_all(empty.path().join("Windows/System32")).unwrap();
    refused("diagnose", empty.path(), 4, &["no Windows was found"]);
    refused("diagnose", &empty.path().join("not/there"), 4, &["not/there", "No such file"]);
    fs::write(empty.path().join("image.raw"), b"x").unwrap();
    refused("diagnose", &empty.path().join("image.raw"), 2, &["is a file"]);
}

#[test]
fn two_windows_folders_are_listed_and_one_can_be_chosen() {
    let volume = broken_ten();
    let root = volume.path();
    copy(&root.join("Windows"), &root.join("Windows.new"));
    refused("diagnose", root, 2, &["2 Windows folders", "Windows, Windows.new", "--windows"]);
    refused("repair --yes", root, 2, &["2 Windows folders"]);
    refused("diagnose --windows Nowhere", root, 4, &["there is no Nowhere"]);
    refused("diagnose --windows Users", root, 4, &["not a Windows folder"]);
    refused("diagnose --windows ..\\..\\etc", root, 2, &["not a path on the volume"]);
    let chosen = coldmend("diagnose --windows windows.NEW --format json", root).expect(1);
    assert_eq!(chosen.json()["windows"]["path"], "Windows.new");
    let other = tree(&root.join("Windows"));
    coldmend("repair --yes --windows Windows.new", root).expect(0);
    assert_eq!(tree(&root.join("Windows")), other, "the other installation was touched");
    coldmend("diagnose --windows Windows.new", root).expect(0);
    coldmend("diagnose --windows Windows", root).expect(1);
}

/// How many bytes of bins a hive says that it has.
fn bins(hive: &[u8]) -> usize {
    usize::try_from(u32::from_le_bytes(hive[40..44].try_into().unwrap())).unwrap()
}

#[test]
fn hives_that_are_none() {
    let sound = broken_ten();
    for name in hive::HIVES {
        let hurt = |hurt: &dyn Fn(&Path)| {
            let volume = copied(sound.path());
            hurt(&find(volume.path(), &format!("{CONFIG}/{name}")));
            volume
        };
        let both = |volume: &Path, said: &[&str]| {
            refused("diagnose", volume, 4, said);
            refused("repair --yes", volume, 4, said);
            refused("service list", volume, 4, said);
        };
        let place = format!("config\\{name}");
        both(hurt(&|path| fs::remove_file(path).unwrap()).path(), &["there is no", &place, "backup"]);
        both(hurt(&|path| fs::write(path, b"").unwrap()).path(), &[&place, "backup"]);
        both(
            hurt(&|path| fs::write(path, b"This is a text file, called as hives are.\r\n".repeat(300)).unwrap()).path(),
            &[&place, "backup"],
        );
        both(
            hurt(&|path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..4096 + bins(&bytes) / 2]).unwrap();
            })
            .path(),
            &[&place, "backup"],
        );
        both(
            hurt(&|path| {
                let mut bytes = fs::read(path).unwrap();
                let middle = 4096 + bins(&bytes) / 2;
                for (place, byte) in bytes[middle..middle + 9000].iter_mut().enumerate() {
                    *byte = (place.wrapping_mul(2_654_435_761) >> 7) as u8;
                }
                fs::write(path, &bytes).unwrap();
            })
            .path(),
            &[&place, "backup", "0x"],
        );
        let folder = hurt(&|path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        });
        both(folder.path(), &[&place, "not a file"]);
        let outside = scratch();
        let target = outside.path().join("hive");
        fs::write(&target, fs::read(find(sound.path(), &format!("{CONFIG}/{name}"))).unwrap()).unwrap();
        let before = tree(outside.path());
        let link = hurt(&|path| {
            fs::remove_file(path).unwrap();
            symlink(&target, path).unwrap();
        });
        both(link.path(), &[&place, "links are never followed"]);
        assert_eq!(tree(outside.path()), before);
    }
}

#[test]
fn a_hive_that_changed_since_the_plan_was_saved() {
    let volume = broken_ten();
    let kept = scratch();
    let plan = kept.path().join("plan.json");
    coldmend(&format!("repair --save-plan {}", plan.display()), volume.path()).expect(0);
    let start = "ControlSet001\\Services\\Themes";
    let key = if hive::value(volume.path(), "SYSTEM", start, "Start").is_some() {
        start
    } else {
        "ControlSet001\\Services\\BITS"
    };
    hive::set_value(volume.path(), "SYSTEM", key, "Coldmend", 4, &[1, 0, 0, 0]);
    let said = ["has changed since the plan was made"];
    refused(&format!("repair --yes --plan {}", plan.display()), volume.path(), 3, &said);
    refused(&format!("repair --dry-run --plan {}", plan.display()), volume.path(), 3, &said);
    // An existing file is not overwritten with a plan either.
    refused(&format!("repair --save-plan {}", plan.display()), volume.path(), 3, &["exists"]);
}

#[test]
fn a_plan_for_another_volume() {
    let volume = broken_ten();
    let kept = scratch();
    let plan = kept.path().join("plan.json");
    coldmend(&format!("repair --save-plan {}", plan.display()), volume.path()).expect(0);
    let apply = format!("repair --yes --plan {}", plan.display());
    let other = broken(Version::Ten1909, &[Damage::DisableService("wuauserv".into())]);
    refused(&apply, other.path(), 3, &["another installation", "build"]);
    let machine = copied(volume.path());
    let guid: Vec<u8> = "00000000-1111-2222-3333-444444444444\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    hive::set_value(machine.path(), "SOFTWARE", "Microsoft\\Cryptography", "MachineGuid", 1, &guid);
    refused(&apply, machine.path(), 3, &["another installation", "MachineGuid"]);
    // On its own volume it works.
    coldmend(&apply, volume.path()).expect(0);
    coldmend("diagnose", volume.path()).expect(0);
}

#[test]
fn plans_that_are_none_and_plans_that_reach_too_far() {
    let volume = broken_ten();
    let kept = scratch();
    let good = kept.path().join("plan.json");
    coldmend(&format!("repair --save-plan {}", good.display()), volume.path()).expect(0);
    let text = fs::read_to_string(&good).unwrap();
    let bad = kept.path().join("bad.json");
    let apply = format!("repair --yes --plan {}", bad.display());
    refused(&apply, volume.path(), 4, &["reading the plan", "bad.json"]);
    for (content, said) in [
        ("", "not one that coldmend wrote"),
        ("not json", "not one that coldmend wrote"),
        ("{}", "not one that coldmend wrote"),
        (&text.replace("coldmend.plan/1", "coldmend.plan/9"), "coldmend.plan/9"),
        (&text[..text.len() / 2], "not one that coldmend wrote"),
    ] {
        fs::write(&bad, content).unwrap();
        refused(&apply, volume.path(), 4, &[said]);
    }
    let dword = json!({"type": "dword", "data": 1});
    let example: Value = serde_json::from_str(&text).unwrap();
    let after =
        example["actions"].as_array().unwrap().iter().find(|a| a["kind"] == "set-value").unwrap()["after"].clone();
    let _ = dword;
    let hostile = [
        json!({"remedy": "x", "kind": "set-value", "hive": "SYSTEM", "key": "ControlSet001\\Control\\Lsa", "name": "x", "before": null, "after": after}),
        json!({"remedy": "x", "kind": "set-value", "hive": "SYSTEM", "key": "Setup", "name": "CmdLine", "before": null, "after": after}),
        json!({"remedy": "x", "kind": "set-value", "hive": "SOFTWARE", "key": "Microsoft\\Windows\\CurrentVersion\\Run", "name": "x", "before": null, "after": after}),
        json!({"remedy": "x", "kind": "create-key", "hive": "SOFTWARE", "key": "Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\a.exe"}),
        json!({"remedy": "x", "kind": "rename", "object": "folder", "from": "Windows\\System32\\config", "to": "Windows\\System32\\config.old"}),
        json!({"remedy": "x", "kind": "rename", "object": "folder", "from": "Windows\\SoftwareDistribution", "to": "Users\\Public\\Start"}),
        json!({"remedy": "x", "kind": "create-folder", "path": "Windows\\System32\\evil"}),
    ];
    for action in hostile {
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        plan["actions"].as_array_mut().unwrap().push(action.clone());
        fs::write(&bad, plan.to_string()).unwrap();
        refused(&apply, volume.path(), 3, &["not a place that coldmend changes"]);
    }
    // No way out of the volume can even be written down.
    let mut plan: Value = serde_json::from_str(&text).unwrap();
    plan["actions"].as_array_mut().unwrap().push(
        json!({"remedy": "x", "kind": "rename", "object": "folder", "from": "Windows\\SoftwareDistribution\\..\\..\\..\\x", "to": "Windows\\SoftwareDistribution.old"}),
    );
    fs::write(&bad, plan.to_string()).unwrap();
    refused(&apply, volume.path(), 4, &["not one that coldmend wrote"]);
}

/// Repairs, checks that `check` holds and nothing is wrong any more, takes it back, and compares.
fn repaired_and_back(root: &Path, words: &str, check: &dyn Fn()) {
    let (before, values) = (files(root), hive::values(root, false));
    coldmend(words, root).expect(0);
    check();
    coldmend("undo --yes", root).expect(0);
    assert_eq!(files(root), before);
    assert_eq!(hive::values(root, false), values);
}

#[test]
fn software_distribution_as_a_file_or_a_link() {
    let file = broken(Version::Ten22H2, &[Damage::CacheIsFile]);
    repaired_and_back(file.path(), "repair --yes", &|| {
        assert!(find(file.path(), "Windows/SoftwareDistribution.old").is_file());
        assert!(!find(file.path(), "Windows").join("SoftwareDistribution").exists());
        coldmend("diagnose", file.path()).expect(0);
    });
    let dangling = broken(Version::Ten22H2, &[Damage::CacheDanglingLink]);
    repaired_and_back(dangling.path(), "repair --yes", &|| {
        assert!(find(dangling.path(), "Windows/SoftwareDistribution.old").is_symlink());
        coldmend("diagnose", dangling.path()).expect(0);
    });
    // A link that leads outside is renamed as itself; what it leads to is not touched.
    let volume = broken(Version::Ten22H2, &[]);
    let outside = scratch();
    for (name, place) in [("SoftwareDistribution", "Windows"), ("catroot2", "Windows/System32")] {
        let real = find(volume.path(), &format!("{place}/{name}"));
        copy(&real, &outside.path().join(name));
        fs::remove_dir_all(&real).unwrap();
        symlink(outside.path().join(name), &real).unwrap();
    }
    let before = tree(outside.path());
    let diagnosis = coldmend("diagnose", volume.path());
    assert!(matches!(diagnosis.status, Some(0 | 1)), "{diagnosis:?}");
    repaired_and_back(volume.path(), "repair --yes --reset", &|| {
        assert!(find(volume.path(), "Windows/SoftwareDistribution.old").is_symlink());
        assert!(find(volume.path(), "Windows/System32/catroot2.old").is_symlink());
    });
    assert_eq!(tree(outside.path()), before, "what the links lead to was touched");
}

#[test]
fn folders_that_lead_outside() {
    for place in [CONFIG, "Windows/System32", "Windows"] {
        let volume = broken_ten();
        let outside = scratch();
        let real = find(volume.path(), place);
        let away = outside.path().join("away");
        copy(&real, &away);
        fs::remove_dir_all(&real).unwrap();
        symlink(&away, &real).unwrap();
        let before = tree(outside.path());
        for words in
            ["diagnose", "repair --yes", "repair --yes --reset", "undo --yes", "service set --start disabled --yes"]
        {
            let mut arguments: Vec<PathBuf> = words.split(' ').map(PathBuf::from).collect();
            arguments.push(volume.path().into());
            if words.starts_with("service") {
                arguments.push("wuauserv".into());
            }
            let inside = tree(volume.path());
            let run = run(&arguments);
            assert!(matches!(run.status, Some(3 | 4)), "{place}: {words}: {run:?}");
            assert!(run.stderr.contains("link"), "{place}: {words}: {run:?}");
            assert_eq!(tree(volume.path()), inside, "{place}: {words}");
            assert_eq!(tree(outside.path()), before, "{place}: {words} reached outside of the volume");
        }
    }
}

#[test]
fn a_queue_folder_that_leads_outside() {
    let volume = broken(Version::Ten22H2, &[Damage::QmgrDbGarbage]);
    let outside = scratch();
    let real = find(volume.path(), "ProgramData/Microsoft/Network/Downloader");
    copy(&real, &outside.path().join("away"));
    fs::remove_dir_all(&real).unwrap();
    symlink(outside.path().join("away"), &real).unwrap();
    let before = tree(outside.path());
    for words in ["diagnose", "repair --yes", "repair --yes --reset"] {
        let run = coldmend(words, volume.path());
        assert!(run.status.is_some_and(|s| s != 101), "{words}: {run:?}");
        assert_eq!(tree(outside.path()), before, "{words} reached outside of the volume");
    }
}

#[test]
fn entries_that_differ_only_in_case() {
    let hives = broken_ten();
    let system = find(hives.path(), &format!("{CONFIG}/SYSTEM"));
    fs::copy(&system, system.with_file_name("System")).unwrap();
    refused("diagnose", hives.path(), 3, &["System", "case"]);
    refused("repair --yes", hives.path(), 3, &["System", "case"]);

    let cache = broken_ten();
    fs::create_dir(find(cache.path(), "Windows").join("softwaredistribution")).unwrap();
    // What else is wrong is mended; which of the two is meant nobody can say, so both stay, and that is said.
    let (before, inside) = (
        fs::read_dir(find(cache.path(), "Windows")).unwrap().count(),
        tree(&cache.path().join("Windows/SoftwareDistribution")),
    );
    let diagnosis = coldmend("diagnose", cache.path()).expect(1);
    assert!(diagnosis.stdout.contains("differ only in case"), "{diagnosis:?}");
    let repair = coldmend("repair --yes", cache.path()).expect(0);
    assert!(repair.stdout.contains("differ only in case"), "{repair:?}");
    assert_eq!(fs::read_dir(find(cache.path(), "Windows")).unwrap().count(), before);
    assert_eq!(tree(&cache.path().join("Windows/SoftwareDistribution")), inside);
    coldmend("undo --yes", cache.path()).expect(0);
}

#[test]
fn names_in_odd_unicode_bytes_and_escape_sequences() {
    let volume = broken_ten();
    let root = volume.path();
    let names: Vec<&[u8]> = vec![
        b"bell\x07 and \x1b[2J\x1b]0;title\x07",
        b"new\nline",
        b"not utf-8 \xff\xfe\xc0\xaf",
        "ﬀ ß ẞ İ ı K Å Ω 𐐷 e\u{301}".as_bytes(),
        "\u{202e}txt.exe".as_bytes(),
        b"%41%00",
        b"CON.",
        b"trailing dot.",
        b"a:stream",
        b"back\\slash",
        b"question?*<>|\"",
    ];
    let windows = find(root, "Windows");
    for name in &names {
        let name = OsStr::from_bytes(name);
        for place in [root.to_path_buf(), windows.clone(), find(root, "Windows/SoftwareDistribution")] {
            fs::write(place.join(name), b"x").unwrap();
        }
        // Also where they are shown: as the leftovers of an earlier reset.
        let mut leftover = OsString::from("SoftwareDistribution.");
        leftover.push(name);
        fs::create_dir(windows.join(leftover)).unwrap();
    }
    let clean = |run: &Run| {
        for text in [&run.stdout, &run.stderr] {
            let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{200e}'));
            assert_eq!(bad, None, "{run:?}");
        }
    };
    let diagnosis = coldmend("diagnose", root).expect(1);
    clean(&diagnosis);
    assert!(diagnosis.stdout.contains("202E"), "the odd names are not shown: {diagnosis:?}");
    let json = coldmend("diagnose --format json", root).expect(1);
    json.json();
    repaired_and_back(root, "repair --yes", &|| {
        clean(&coldmend("diagnose", root).expect(0));
        clean(&coldmend("history", root).expect(0));
    });
}

#[test]
fn what_a_hive_says_does_not_reach_the_terminal_raw() {
    let volume = broken_ten();
    let evil: Vec<u8> = "\u{1b}[31mred\u{1b}[2J\u{202e}\u{7}\n\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    hive::set_value(volume.path(), "SYSTEM", "ControlSet001\\Services\\wuauserv", "ImagePath", 2, &evil);
    hive::set_value(volume.path(), "SOFTWARE", "Microsoft\\Windows NT\\CurrentVersion", "ProductName", 1, &evil);
    for words in ["diagnose", "service list", "service list --all", "repair --dry-run", "history"] {
        let run = coldmend(words, volume.path());
        for text in [&run.stdout, &run.stderr] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\u{202e}'),
                "{words}: {run:?}"
            );
        }
    }
    let show: Vec<PathBuf> = vec!["service".into(), "show".into(), volume.path().into(), "wuauserv".into()];
    let shown = run(&show).expect(0);
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn hibernated_and_in_the_middle_of_setup() {
    let asleep = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into()), Damage::Hibernated]);
    refused("repair --yes", asleep.path(), 3, &["hibernated", "hiberfil.sys", "shut"]);
    let diagnosis = coldmend("diagnose", asleep.path()).expect(1);
    assert!(diagnosis.stdout.contains("wuauserv"), "{diagnosis:?}");
    let setup = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into()), Damage::SetupInProgress]);
    refused("repair --yes", setup.path(), 3, &["setup"]);
    refused("undo --yes", setup.path(), 2, &["no repair"]);
    let mut arguments: Vec<OsString> = ["service", "set", "--start", "demand", "--yes"].map(OsString::from).to_vec();
    arguments.push(setup.path().into());
    arguments.push("wuauserv".into());
    let before = tree(setup.path());
    run(&arguments).expect(3);
    assert_eq!(tree(setup.path()), before);
}

#[test]
fn arguments_that_mean_nothing() {
    let volume = broken_ten();
    for flag in ["--only", "--skip", "--with"] {
        refused(
            &format!("repair --yes {flag} services-start,no-such-thing"),
            volume.path(),
            2,
            &["no-such-thing", "services-start"],
        );
    }
    refused("repair --yes --with update-cache --skip update-cache", volume.path(), 2, &["update-cache"]);
    for (sddl, said) in [
        ("wuauserv=D:(A;;CCLCSWRPXX;;;SY)", "XX"),
        ("wuauserv=D:(A;;CC;;;SY", "character 14"),
        ("wuauserv=D:(A;;CC;;;QQ)", "QQ"),
        ("wuauserv=", "sddl"),
        ("D:(A;;CC;;;SY)", "SERVICE=SDDL"),
    ] {
        let arguments = ["repair", "--yes", "--sddl", sddl].map(OsString::from);
        refused_with(&arguments, volume.path(), 2, &[said]);
    }
    let unknown = ["repair", "--yes", "--sddl", "NoSuchService=D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)"].map(OsString::from);
    refused_with(&unknown, volume.path(), 2, &["NoSuchService"]);
    refused("repair --yes --state-dir /nonexistent/folder", volume.path(), 4, &["/nonexistent/folder"]);
}

#[test]
fn a_coldmend_folder_that_is_not_ours() {
    let sound = broken_ten();
    // A file.
    let volume = copied(sound.path());
    fs::write(volume.path().join("coldmend"), b"mine").unwrap();
    refused("repair --yes", volume.path(), 3, &["coldmend", "not a folder", "--state-dir"]);
    coldmend("diagnose", volume.path()).expect(1);
    let elsewhere = scratch();
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o700)).unwrap();
    coldmend(&format!("repair --yes --state-dir {}", elsewhere.path().display()), volume.path()).expect(0);
    assert_eq!(fs::read(volume.path().join("coldmend")).unwrap(), b"mine");

    // A link to somewhere else.
    let volume = copied(sound.path());
    let outside = scratch();
    symlink(outside.path(), volume.path().join("coldmend")).unwrap();
    refused("repair --yes", volume.path(), 3, &["coldmend", "not a folder"]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);

    // Open to everybody.
    let volume = copied(sound.path());
    coldmend("repair --yes", volume.path()).expect(0);
    fs::set_permissions(volume.path().join("coldmend"), fs::Permissions::from_mode(0o777)).unwrap();
    for words in ["repair --yes", "undo --yes", "history"] {
        refused(words, volume.path(), 3, &["open to others", "not believed"]);
    }
    let diagnosis = coldmend("diagnose --format json", volume.path()).expect(0);
    assert!(diagnosis.json()["could_not_check"].to_string().contains("not believed"), "{diagnosis:?}");
}

#[test]
fn a_forged_plan_on_the_volume_is_not_carried_out() {
    let volume = broken_ten();
    let root = volume.path();
    coldmend("repair --yes", root).expect(0);
    coldmend("undo --yes", root).expect(0);
    let plan = root.join("coldmend/0001-repair/plan.json");
    let journal = root.join("coldmend/0001-repair/journal.jsonl");
    fs::remove_dir_all(root.join("coldmend/0002-undo")).unwrap();
    // The journal says that the repair was cut, which alone is harmless: its plan is still for this volume.
    let text = fs::read_to_string(&journal).unwrap();
    let cut: String =
        text.lines().take_while(|line| !line.contains("\"hive\"")).map(|line| format!("{line}\n")).collect();
    fs::write(&journal, cut).unwrap();
    let original: Value = serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap();
    let forge = |change: &dyn Fn(&mut Value)| {
        let mut forged = original.clone();
        change(&mut forged);
        fs::write(&plan, forged.to_string()).unwrap();
    };
    let value =
        original["actions"].as_array().unwrap().iter().find(|a| a["kind"] == "set-value").unwrap()["after"].clone();
    forge(&|plan| {
        plan["actions"].as_array_mut().unwrap().push(json!({
            "remedy": "services-start", "kind": "set-value", "hive": "SYSTEM", "key": "Setup", "name": "CmdLine", "before": null, "after": value,
        }));
    });
    refused("repair --yes", root, 3, &["not a place that coldmend changes"]);
    refused("undo --yes", root, 3, &["not a place that coldmend changes"]);
    forge(&|plan| plan["binding"]["machine"] = json!("another"));
    refused("repair --yes", root, 3, &["another installation"]);
    refused("undo --yes", root, 3, &["another installation"]);
    forge(&|plan| plan["binding"]["hives"]["SYSTEM"]["sha256"] = json!("00".repeat(32)));
    refused("repair --yes", root, 3, &["backup"]);
    // A backup that is not the one of the plan and journal.
    forge(&|_| {});
    let backup = root.join("coldmend/0001-repair/backup/SYSTEM");
    let mut bytes = fs::read(&backup).unwrap();
    bytes[5000] ^= 1;
    fs::write(&backup, bytes).unwrap();
    refused("repair --yes", root, 3, &["backup", "nothing in it is believed"]);
}

#[test]
fn nobody_to_ask() {
    let volume = broken_ten();
    refused("repair", volume.path(), 3, &["no terminal", "--yes", "--dry-run"]);
    let mut arguments: Vec<OsString> = ["service", "set", "--start", "auto"].map(OsString::from).to_vec();
    arguments.extend([volume.path().into(), "wuauserv".into()]);
    let before = tree(volume.path());
    run(&arguments).expect(3);
    assert_eq!(tree(volume.path()), before);
    coldmend("repair --yes", volume.path()).expect(0);
    refused("undo", volume.path(), 3, &["no terminal", "--yes"]);
}

/// A hive or log that another program has: refused before anything is written, also where it is the second one.
#[test]
fn a_hive_that_is_held() {
    let volume = broken_ten();
    let root = volume.path();
    let config = find(root, "Windows/System32/config");
    let held = |words: &str| {
        for name in ["SYSTEM", "SOFTWARE", "SOFTWARE.LOG1"] {
            let Some(mut holder) = common::hold(&find(&config, name)) else {
                return common::skip("a_hive_that_is_held", "there is no `flock`");
            };
            refused(words, root, 3, &["in use by another program", "nothing was written"]);
            coldmend("diagnose", root);
            drop(holder.stdin.take());
            holder.wait().unwrap();
        }
    };
    held("repair --yes");
    coldmend("repair --yes", root).expect(0);
    held("undo --yes");
    coldmend("undo --yes", root).expect(0);
}
