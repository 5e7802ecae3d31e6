//! The verdict: findings put together into causes and ranked, for an error too; what `repair` would do and what has to be done
//! with Windows' own tools.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use coldmend_fixtures::{Damage, Version};
use common::inject::{has_hivexregedit, merge, CBS};
use common::{broken, broken_ten, coldmend, find, hive, tree};
use serde_json::{json, Value};

const START: &str = "2026-10-05 15:30:46, Error CSI 000000fc (F) Failed in StartService for [5]\"Spool\" with error code 2[gle=0x80004005]\r\n";

fn diagnosis(root: &Path, flags: &str) -> Value {
    coldmend(&format!("diagnose {flags} --format json"), root).json()
}

fn causes(diagnosis: &Value) -> Vec<String> {
    let all = diagnosis["verdict"]["causes"].as_array().unwrap();
    all.iter().map(|cause| cause["id"].as_str().unwrap().to_owned()).collect()
}

/// The cause with this id.
#[track_caller]
fn cause<'a>(diagnosis: &'a Value, id: &str) -> &'a Value {
    let all = diagnosis["verdict"]["causes"].as_array().unwrap();
    all.iter().find(|cause| cause["id"] == id).unwrap_or_else(|| panic!("no {id}: {diagnosis:#}"))
}

fn put(root: &Path, path: &str, text: &str) {
    let (folder, name) = path.rsplit_once('/').unwrap();
    fs::write(find(root, folder).join(name), text).unwrap();
}

/// A Windows 10 with a disabled service, a missing file of Windows Update, a service that the log names, and a blocked server.
fn with_four_causes() -> tempfile::TempDir {
    let volume = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into())]);
    let root = volume.path();
    fs::remove_file(find(root, "Windows/System32/wuapi.dll")).unwrap();
    put(root, "Windows/System32/drivers/etc/hosts", "127.0.0.1 fe2.update.microsoft.com\r\n");
    fs::create_dir_all(root.join("Windows/Logs/CBS")).unwrap();
    put(root, "Windows/Logs/CBS/CBS.log", START);
    volume
}

#[test]
fn the_error_decides_what_is_told_first() {
    let volume = with_four_causes();
    let root = volume.path();
    let before = tree(root);
    assert_eq!(causes(&diagnosis(root, "")), ["missing-program", "update-stack", "services", "network"]);
    for (error, first, explaining) in [
        ("0x80070002", "missing-program", 2),
        ("0x80070422", "services", 1),
        ("0x80072EFD", "network", 1),
        ("ERROR_INTERNET_CANNOT_CONNECT", "network", 1),
        ("0x8007007e", "update-stack", 1),
        ("-2147023838", "services", 1),
        // In the tables, and nothing of this explains it.
        ("0x80070070", "missing-program", 0),
    ] {
        let found = diagnosis(root, &format!("--error {error}"));
        assert_eq!(causes(&found)[0], first, "{error}");
        let explains: Vec<bool> =
            found["verdict"]["causes"].as_array().unwrap().iter().map(|c| c["explains"].as_bool().unwrap()).collect();
        let mut sorted = explains.clone();
        sorted.sort_by_key(|explains| !explains);
        assert_eq!(explains, sorted, "{error}: what explains it comes first");
        assert_eq!(explains.iter().filter(|e| **e).count(), explaining, "{error}: {:#}", found["verdict"]);
    }
    assert_eq!(tree(root), before, "diagnose wrote");
}

#[test]
fn how_sure_and_since_when() {
    let volume = with_four_causes();
    let found = diagnosis(volume.path(), "--error 2");
    let named = cause(&found, "missing-program");
    assert_eq!((&named["confidence"], &named["severity"]), (&json!("certain"), &json!("problem")));
    assert_eq!(named["since"], json!({"time": "2026-10-05 15:30:46", "what": "first failure in the logs, local time"}));
    assert_eq!(named["title"], "The program of a service or driver is missing: Spool");
    let services = cause(&found, "services");
    assert_eq!((&services["confidence"], &services["explains"]), (&json!("likely"), &json!(false)));
    // The time of the key, as an independent edit of the hive leaves it: late in 2025.
    let root = volume.path();
    hive::set_value(root, "SYSTEM", "ControlSet001\\Services\\BITS", "Start", 4, &4u32.to_le_bytes());
    let found = diagnosis(root, "");
    let since = cause(&found, "services")["since"].clone();
    assert_eq!(since["what"], "the key was last written, UTC");
    assert!(since["time"].as_str().unwrap() > "2025-01-01", "{since}");
    let error = &diagnosis(root, "--error 0x80070002")["verdict"]["error"];
    assert_eq!((&error["name"], error["logged"].as_array().unwrap().len()), (&json!("ERROR_FILE_NOT_FOUND"), 1));
}

/// What is announced is what is done: nothing else, and nothing is left out.
#[test]
fn the_verdict_announces_what_repair_does() {
    let volume = broken_ten();
    let found = diagnosis(volume.path(), "");
    let mut announced: Vec<(String, u64)> = Vec::new();
    for cause in found["verdict"]["causes"].as_array().unwrap() {
        for mending in cause["repair"].as_array().unwrap() {
            announced.push((mending["remedy"].as_str().unwrap().into(), mending["count"].as_u64().unwrap()));
        }
    }
    let plan = coldmend("repair --dry-run --format json", volume.path()).expect(0).json();
    let mut planned: std::collections::BTreeMap<String, u64> = Default::default();
    for action in plan["actions"].as_array().unwrap() {
        *planned.entry(action["remedy"].as_str().unwrap().into()).or_default() += 1;
    }
    announced.sort();
    assert_eq!(announced, planned.into_iter().collect::<Vec<_>>());
    // Every problem and suspect is in exactly one cause.
    let mut placed: Vec<u64> = Vec::new();
    for cause in found["verdict"]["causes"].as_array().unwrap() {
        placed.extend(cause["findings"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap()));
    }
    placed.sort_unstable();
    let alarms: Vec<u64> = (0_u64..)
        .zip(found["findings"].as_array().unwrap())
        .filter(|(at, f)| f["severity"] != "note" || placed.contains(at))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(placed, alarms);
}

/// A line is for this version and edition, or is not there.
#[test]
fn the_lines_for_windows_own_tools() {
    let lines = |version, flags: &str| {
        let volume = broken(version, &[]);
        let file = if version == Version::Xp { "Windows/System32/wuaueng.dll" } else { "Windows/System32/wuapi.dll" };
        fs::remove_file(find(volume.path(), file)).unwrap();
        let found = diagnosis(volume.path(), flags);
        let steps = cause(&found, "update-stack")["elsewhere"].as_array().unwrap().clone();
        (steps.iter().map(|step| step["command"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), steps)
    };
    let sfc = "sfc /scannow /offbootdir=D:\\ /offwindir=D:\\Windows";
    let (ten, steps) = lines(Version::Ten22H2, "");
    let restore = "DISM /Image:D:\\ /Cleanup-Image /RestoreHealth /Source:WIM:E:\\sources\\install.wim:1 /LimitAccess /ScratchDir:D:\\";
    assert_eq!(ten, [sfc, restore]);
    let needs = steps[1]["needs"].as_str().unwrap();
    for part in ["build 19045,", "edition Professional,", "x64,", "(19045."] {
        assert!(needs.contains(part), "{part}: {needs}");
    }
    assert!(steps[0]["where"].as_str().unwrap().contains("D: stands for the letter"), "{steps:#?}");
    // No RestoreHealth for 7, nothing of this kind for XP.
    assert_eq!(lines(Version::Seven, "").0, [sfc]);
    let (xp, _) = lines(Version::Xp, "");
    assert!(xp.len() == 1 && xp[0].starts_with("expand "), "{xp:?}");
}

/// A stuck package is taken off by name; nothing of what waits for a restart is taken back for it.
#[test]
fn the_line_for_a_stuck_package() {
    if !has_hivexregedit("the_line_for_a_stuck_package") {
        return;
    }
    let lines = |package: &str| {
        let volume = broken(Version::Ten22H2, &[]);
        let root = volume.path();
        let key = format!("[\\{CBS}\\Packages\\{package}]");
        merge(root, "SOFTWARE", &format!("{key}\n\"CurrentState\"=dword:00000060\n"));
        let found = diagnosis(root, "");
        let steps = cause(&found, "servicing-stuck")["elsewhere"].as_array().unwrap().clone();
        steps.iter().map(|step| step["command"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let package = "Package_for_KB5034203~31bf3856ad364e35~amd64~~19041.3930.1.0";
    assert_eq!(lines(package), [format!("DISM /Image:D:\\ /Remove-Package /PackageName:{package}")]);
    // No line is made of a name that somebody made up.
    assert_eq!(lines("a & format c:"), Vec::<String>::new());
}

#[test]
fn a_name_from_the_volume_is_quoted_in_a_line_to_type() {
    let volume = broken(Version::Ten22H2, &[]);
    let root = volume.path();
    fs::remove_file(find(root, "Windows/System32/wuapi.dll")).unwrap();
    fs::rename(root.join("Windows"), root.join("Win & dir")).unwrap();
    let found = diagnosis(root, "");
    let steps = &cause(&found, "update-stack")["elsewhere"];
    assert_eq!(steps[0]["command"], "sfc /scannow /offbootdir=D:\\ /offwindir=\"D:\\Win & dir\"");
}

#[test]
fn a_healthy_volume_and_what_does_not_apply_to_it() {
    for (version, absent, applies) in [
        (Version::Xp, vec!["component-store", "driver-store", "update-pause", "firewall-rule"], "service-start"),
        (Version::Seven, vec!["driver-store", "update-pause", "policy-mdm"], "component-store"),
        (Version::Ten22H2, vec![], "driver-store"),
    ] {
        let volume = broken(version, &[]);
        let found = diagnosis(volume.path(), "--error 0x80070002");
        assert!(causes(&found).is_empty(), "{version:?}: {found:#}");
        let listed = found["not_applicable"].as_array().unwrap();
        for id in absent {
            assert!(listed.contains(&json!(id)), "{version:?}: {id}: {listed:?}");
        }
        assert!(!listed.contains(&json!(applies)), "{version:?}: {listed:?}");
        let text = coldmend("diagnose --error 0x80070002", volume.path()).expect(0).stdout;
        let said = format!(", {} not applicable; nothing that explains 0x80070002 was found.", listed.len());
        assert!(text.contains("Nothing wrong found, ") && text.contains(&said), "{text}");
    }
}

#[test]
fn an_error_that_is_not_known_and_what_is_no_error() {
    let volume = with_four_causes();
    let root = volume.path();
    let text = coldmend("diagnose --error 0x8765ABCD", root).expect(1).stdout;
    assert!(text.contains("0x8765ABCD is not in the tables"), "{text}");
    assert!(text.contains("whether that explains 0x8765ABCD is not known"), "{text}");
    for bad in ["nonsense", "0x", "0", "0x123456789", "''"] {
        let run = coldmend(&format!("diagnose --error {bad}"), root).expect(2);
        assert!(run.stderr.contains("error"), "{run:?}");
        assert!(run.stdout.is_empty(), "{run:?}");
    }
    // Only a log knows this one, and says of what.
    put(root, "Windows/Logs/CBS/CBS.log", &START.replace("error code 2", "error code 0x8765ABCD"));
    let found = diagnosis(root, "--error 0x8765ABCD");
    assert_eq!(cause(&found, "missing-program")["explains"], true);
    assert_eq!(causes(&found)[0], "missing-program");
    assert!(cause(&found, "services").get("explains").is_none(), "{found:#}");
}

/// Notes that bear on the error are told before the others.
#[test]
fn notes_that_bear_on_the_error() {
    let volume = broken(Version::Ten22H2, &[]);
    let root = volume.path();
    let policy = "Policies\\Microsoft\\Windows\\WindowsUpdate";
    hive::create_key(root, "SOFTWARE", &format!("{policy}\\AU"));
    let server = utf16("http://wsus.example.net:8530");
    hive::set_value(root, "SOFTWARE", policy, "WUServer", 1, &server);
    hive::set_value(root, "SOFTWARE", policy, "WUStatusServer", 1, &server);
    hive::set_value(root, "SOFTWARE", &format!("{policy}\\AU"), "UseWUServer", 4, &1u32.to_le_bytes());
    let text = coldmend("diagnose --error 0x80072EE2", root).expect(0).stdout;
    let related = text.find("Worth a look for this error").unwrap_or_else(|| panic!("{text}"));
    assert!(text[related..].contains("wsus.example.net"), "{text}");
    assert!(!coldmend("diagnose --error 0x80070003", root).expect(0).stdout.contains("Worth a look"));
}

/// `--report` writes one page that needs nothing else, from which nothing of the volume can break out, and never onto the volume.
#[test]
fn the_report_as_a_page() {
    let volume = with_four_causes();
    let root = volume.path();
    hive::set_value(
        root,
        "SOFTWARE",
        "Microsoft\\Windows NT\\CurrentVersion",
        "ProductName",
        1,
        &utf16("<script>alert(1)</script>"),
    );
    let folder = common::scratch();
    let file = folder.path().join("report.html");
    let before = tree(root);
    let flags = format!("--error 2 --report {}", file.display());
    coldmend(&format!("diagnose {flags}"), root).expect(1);
    let page = fs::read_to_string(&file).unwrap();
    for part in ["<!doctype html>", "0x80070002", "sfc /scannow", "&lt;script&gt;alert(1)", "4 (disabled)", "</html>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for part in ["<script", "http:", "https:", "src=", "href="] {
        assert!(!page.contains(part), "{part}: {page}");
    }
    assert_eq!(page.matches("<section>").count(), page.matches("</section>").count());
    // A file that is there is not overwritten, and nothing is looked at for it.
    let again = coldmend(&format!("diagnose {flags}"), root).expect(2);
    assert!(again.stderr.contains("already") && again.stdout.is_empty(), "{again:?}");
    for inside in ["report.html", "Windows/report.html"] {
        let inside = root.join(inside);
        let run = coldmend(&format!("diagnose --report {}", inside.display()), root).expect(2);
        assert!(run.stderr.contains("on the volume") && !inside.exists(), "{run:?}");
    }
    assert_eq!(tree(root), before);
    let done = folder.path().join("repair.html");
    coldmend(&format!("repair --yes --report {}", done.display()), root).expect(0);
    let page = fs::read_to_string(&done).unwrap();
    assert!(page.contains("0001-repair") && page.contains("wuauserv\\Start: 4 → 3"), "{page}");
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}
