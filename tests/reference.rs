//! `diagnose --reference`: a healthy pair of machines raises nothing; each thing that differs is found, once and as what it is; on a build
//! that the tables do not know, the reference finds what nothing else can; and neither side is ever written.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/real.rs"]
mod real;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use coldmend_fixtures::hive::{dirty_pair, HiveBuilder, LogFormat};
use coldmend_fixtures::Damage::{self, *};
use coldmend_fixtures::Version::{self, *};
use coldmend_fixtures::{system_hive, VolumeSpec};
use common::hive::{delete_value, set_value};
use common::{broken, copied, find, run, scratch, tree, Run};
use serde_json::Value;
use tempfile::TempDir;

const NT: &str = "Microsoft\\Windows NT\\CurrentVersion";
const WU: &str = "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate";
const POLICIES: &str = "Policies\\Microsoft\\Windows\\WindowsUpdate";
const SERVICES: &str = "ControlSet001\\Services";
/// A build that no table has.
const UNKNOWN: &str = "29999";
const SZ: u32 = 1;
const DWORD: u32 = 4;
const MULTI: u32 = 7;

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn list(names: &[&str]) -> Vec<u8> {
    let mut data: Vec<u8> = names.iter().flat_map(|name| wide(name)).collect();
    data.extend([0, 0]);
    data
}

fn dword(root: &Path, hive: &str, key: &str, name: &str, number: u32) {
    set_value(root, hive, key, name, DWORD, &number.to_le_bytes());
}

/// A machine of its own: another identity towards an update server than the next one.
fn machine(version: Version, damages: &[Damage], number: u32) -> TempDir {
    let volume = broken(version, damages);
    let id = format!("50df98f2-964a-496d-976d-{number:012}");
    set_value(volume.path(), "SOFTWARE", WU, "SusClientId", SZ, &wide(&id));
    volume
}

fn of_unknown_build(volume: TempDir) -> TempDir {
    for name in ["CurrentBuildNumber", "CurrentBuild"] {
        set_value(volume.path(), "SOFTWARE", NT, name, SZ, &wide(UNKNOWN));
    }
    volume
}

/// A machine, and another of the same sort that is healthy.
fn pair(version: Version, damages: &[Damage]) -> (TempDir, TempDir) {
    (machine(version, damages, 1), machine(version, &[], 2))
}

fn unknown_pair(damages: &[Damage]) -> (TempDir, TempDir) {
    let (target, reference) = pair(Ten22H2, damages);
    (of_unknown_build(target), of_unknown_build(reference))
}

/// Runs, and holds that nothing on either side was written.
#[track_caller]
fn compare(target: &Path, reference: &Path) -> Run {
    let picture = |path: &Path| if path.is_dir() { tree(path) } else { tree(path.parent().unwrap()) };
    let before = (picture(target), picture(reference));
    let arguments: Vec<OsString> = vec![
        "diagnose".into(),
        "--format".into(),
        "json".into(),
        "--reference".into(),
        reference.into(),
        target.into(),
    ];
    let run = run(&arguments);
    assert!(before == (picture(target), picture(reference)), "something was written");
    run
}

#[track_caller]
fn diagnose(target: &Path, reference: &Path) -> Value {
    let run = compare(target, reference);
    assert!(matches!(run.status, Some(0 | 1)), "{run:?}");
    run.json()
}

fn alone(target: &Path) -> Value {
    common::coldmend("diagnose --format json", target).json()
}

/// "severity id subject" of every finding that is or is not of the comparison.
fn said(diagnosis: &Value, by_reference: bool) -> BTreeSet<String> {
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    findings
        .filter(|f| (f["id"] == "reference") == by_reference)
        .map(|f| {
            let text = |field: &str| f[field].as_str().unwrap().to_owned();
            format!("{} {} {}", text("severity"), text("id"), text("subject"))
        })
        .collect()
}

/// What the comparison says, as "severity subject: title".
fn titles(diagnosis: &Value) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    let text = |f: &Value, field: &str| f[field].as_str().unwrap().to_owned();
    let mut all: Vec<String> = findings
        .filter(|f| f["id"] == "reference")
        .map(|f| format!("{} {}: {}", text(f, "severity"), text(f, "subject"), text(f, "title")))
        .collect();
    all.sort();
    all
}

fn unchecked(diagnosis: &Value) -> Vec<String> {
    let all = diagnosis["could_not_check"].as_array().unwrap().iter();
    all.filter(|c| c["id"] == "reference").map(|c| c["why"].as_str().unwrap().to_owned()).collect()
}

fn evidence<'d>(diagnosis: &'d Value, subject: &str) -> Vec<&'d Value> {
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    findings
        .filter(|f| f["id"] == "reference" && f["subject"] == subject)
        .flat_map(|f| f["evidence"].as_array().unwrap())
        .collect()
}

#[test]
fn a_healthy_pair_raises_nothing() {
    for version in [Xp, Vista, Seven, EightOne, Ten1607, Server2019, Ten22H2, Eleven24H2] {
        let (target, reference) = pair(version, &[]);
        let with = diagnose(target.path(), reference.path());
        assert_eq!(titles(&with), [""; 0], "{version:?}");
        assert_eq!(unchecked(&with), [""; 0], "{version:?}");
        let without = alone(target.path());
        assert_eq!(with["findings"], without["findings"], "{version:?}");
        assert!(with["checks_made"].as_u64() > without["checks_made"].as_u64(), "{version:?}: nothing was compared");
    }
}

#[test]
fn what_other_checks_say_is_not_said_again() {
    let damages = [
        DisableService("wuauserv".into()),
        WrongAccount("UsoSvc".into()),
        WrongImagePath("BITS".into()),
        WrongServiceDll("CryptSvc".into()),
        BogusDependency("TrustedInstaller".into()),
        TruncatedPrivileges("wuauserv".into()),
        MissingTriggers("AppIDSvc".into()),
        DenyEntry("msiserver".into()),
        DropFromSvchostGroup("EventSystem".into()),
        MissingService("sppsvc".into()),
    ];
    let (target, reference) = pair(Ten22H2, &damages);
    let with = diagnose(target.path(), reference.path());
    assert_eq!(said(&with, false), said(&alone(target.path()), false));
    assert_eq!(said(&with, false).iter().filter(|s| !s.starts_with("note")).count(), damages.len(), "{with:#}");
    assert_eq!(titles(&with), [""; 0]);
}

/// On a build that no table knows: this damage, and no other, is what the comparison finds; without it nothing does.
#[track_caller]
fn found_on_an_unknown_build(damage: Damage, wanted: &str) {
    let (target, reference) = unknown_pair(&[damage]);
    // The other program and the other library are there: nothing is missing that another check would look for.
    let windows = target.path().join("Windows");
    fs::copy(windows.join("System32/svchost.exe"), windows.join("Temp/updater.exe")).unwrap();
    fs::copy(windows.join("System32/qmgr.dll"), windows.join("System32/wuaueng_blocked.dll")).unwrap();
    let without = alone(target.path());
    assert!(said(&without, false).iter().all(|s| s.starts_with("note")), "{without:#}");
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), [wanted]);
    assert_eq!(said(&with, false), said(&without, false));
    for finding in with["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "reference") {
        assert!(finding["source"].as_str().unwrap().contains(&format!("build {UNKNOWN}")), "{finding}");
        assert!(finding.get("remedy").is_none(), "{finding}");
        for evidence in finding["evidence"].as_array().unwrap() {
            assert_ne!(evidence["found"], evidence["expected"], "{finding}");
        }
    }
}

#[test]
fn a_healthy_pair_of_an_unknown_build_raises_nothing() {
    let (target, reference) = unknown_pair(&[]);
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), [""; 0]);
    assert_eq!(with["findings"], alone(target.path())["findings"]);
}

#[test]
fn an_unknown_build_is_judged_by_the_reference() {
    for (damage, wanted) in [
        (
            DisableService("wuauserv".into()),
            "suspect wuauserv: the service is disabled, and in the reference it is not",
        ),
        (MissingService("BITS".into()), "suspect BITS: the service is missing, and the reference has it"),
        (
            WrongImagePath("BITS".into()),
            "suspect BITS: the service starts another program than in the reference, or none",
        ),
        (
            WrongServiceDll("wuauserv".into()),
            "suspect wuauserv: the service loads another library than in the reference, or none",
        ),
        (WrongAccount("UsoSvc".into()), "suspect UsoSvc: the service runs under another account than in the reference"),
        (
            BogusDependency("TrustedInstaller".into()),
            "suspect TrustedInstaller: the service waits for what it does not wait for in the reference: there is no service NoSuchBlocker",
        ),
        (
            MissingTriggers("wuauserv".into()),
            "suspect wuauserv: the service has lost the triggers that start it in the reference",
        ),
        (
            DropFromSvchostGroup("BITS".into()),
            "suspect netsvcs: svchost does not know services that it knows in the reference: BITS",
        ),
        (
            GarbageDescriptor("wuauserv".into()),
            "suspect wuauserv: the service's descriptor is broken, and the reference's is not: it does not parse",
        ),
        (TruncatedPrivileges("BITS".into()), "note BITS: the service is not set up as in the reference: privileges"),
        (StartType("wuauserv".into(), 2), "note wuauserv: the service is not set up as in the reference: start type"),
        (WrongType("CryptSvc".into()), "note CryptSvc: the service is not set up as in the reference: type"),
    ] {
        if matches!(damage, GarbageDescriptor(_)) {
            let (target, reference) = unknown_pair(&[damage]);
            let titles = titles(&diagnose(target.path(), reference.path()));
            assert!(titles.len() == 1 && titles[0].starts_with(wanted), "{titles:?}");
        } else {
            found_on_an_unknown_build(damage, wanted);
        }
    }
}

#[test]
fn a_descriptor_names_who_lost_what() {
    found_on_an_unknown_build(
        EmptyDacl("BITS".into()),
        "suspect BITS: the service's descriptor is broken, and the reference's is not: empty DACL: nobody may do anything",
    );
    // Wrong, but not broken, and on a known build as well.
    let (target, reference) = pair(Ten22H2, &[]);
    let key = format!("{SERVICES}\\wuauserv\\Security");
    let sddl = "O:SYG:SYD:(A;;CCLCSWLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)S:(AU;FA;CCDCLCSWRPWPDTLOSDRCWDWO;;;WD)";
    set_value(target.path(), "SYSTEM", &key, "Security", 3, &coldmend_fixtures::sddl::compile(sddl));
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), ["note wuauserv: the service is not set up as in the reference: descriptor"]);
    let found = evidence(&with, "wuauserv")[0]["found"].as_str().unwrap();
    assert!(found.ends_with("(Authenticated Users lacks: start)"), "{found}");
}

#[test]
fn what_windows_switches_itself_says_nothing() {
    for (service, start) in [("BITS", 2), ("BITS", 3), ("DoSvc", 2), ("DoSvc", 3), ("TrustedInstaller", 2)] {
        let (target, reference) = pair(Ten22H2, &[]);
        dword(reference.path(), "SYSTEM", &format!("{SERVICES}\\{service}"), "Start", start);
        let with = diagnose(target.path(), reference.path());
        assert_eq!(titles(&with), [""; 0], "{service} {start}: {:?}", unchecked(&with));
    }
}

#[test]
fn other_services_are_one_note() {
    let (target, reference) = unknown_pair(&[MissingService("mpssvc".into())]);
    dword(target.path(), "SYSTEM", &format!("{SERVICES}\\Schedule"), "Start", 4);
    for number in 0..40 {
        let key = format!("{SERVICES}\\Extra{number:02}");
        let image = wide("%SystemRoot%\\System32\\svchost.exe -k Extra");
        set_value(reference.path(), "SYSTEM", &key, "ImagePath", 2, &image);
        dword(reference.path(), "SYSTEM", &key, "Type", if number == 7 { 0xE0 } else { 0x20 });
        dword(reference.path(), "SYSTEM", &key, "Start", if number == 8 { 4 } else { 3 });
    }
    // A program of the owner's, and a driver beside Windows' own.
    for (name, image) in [("Owner", "C:\\Program Files\\Owner\\owner.exe"), ("OwnerSys", "C:\\Owner\\owner.sys")] {
        let key = format!("{SERVICES}\\{name}");
        set_value(reference.path(), "SYSTEM", &key, "ImagePath", 2, &wide(image));
        dword(reference.path(), "SYSTEM", &key, "Type", if name == "Owner" { 0x10 } else { 1 });
        dword(reference.path(), "SYSTEM", &key, "Start", 3);
    }
    let with = diagnose(target.path(), reference.path());
    let wanted = "note other services: other services of Windows are not as in the reference: 39 absent, 1 disabled";
    assert_eq!(titles(&with), [wanted]);
    let evidence = evidence(&with, "other services");
    let absent = evidence[0]["found"].as_str().unwrap();
    assert!(absent.starts_with("absent: Extra00, Extra01,") && absent.ends_with("Extra31, and 9 more"), "{absent}");
    assert!(!absent.contains("Extra07") && !absent.contains("Extra08") && !absent.contains("Owner"), "{absent}");
    assert_eq!(evidence[1]["found"], "disabled: Schedule");
}

#[test]
fn a_service_beside_ours_in_a_group_is_compared() {
    let (target, reference) = pair(Ten22H2, &[]);
    let key = format!("{SERVICES}\\Schedule");
    // A library that is there, so that no other check has anything to say of it.
    let library = wide("%SystemRoot%\\System32\\qmgr.dll");
    set_value(target.path(), "SYSTEM", &format!("{key}\\Parameters"), "ServiceDll", 2, &library);
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), ["suspect Schedule: the service loads another library than in the reference, or none"]);
    assert_eq!(evidence(&with, "Schedule")[0]["where"], format!("SYSTEM\\{key}\\Parameters\\ServiceDll"));
}

#[test]
fn policies_are_notes_on_both_sides() {
    let (target, reference) = pair(Ten22H2, &[]);
    let au = format!("{POLICIES}\\AU");
    dword(target.path(), "SOFTWARE", &au, "DetectionFrequency", 22);
    dword(target.path(), "SOFTWARE", &au, "AUOptions", 3);
    dword(reference.path(), "SOFTWARE", &au, "AUOptions", 4);
    set_value(reference.path(), "SOFTWARE", POLICIES, "TargetGroup", SZ, &wide("desks"));
    dword(reference.path(), "SOFTWARE", POLICIES, "Same", 1);
    dword(target.path(), "SOFTWARE", POLICIES, "same", 1);
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), ["note policies: 3 policies of updating are not as in the reference"]);
    let lines: Vec<String> = evidence(&with, "policies")
        .iter()
        .map(|e| {
            format!(
                "{} {} {}",
                e["where"].as_str().unwrap(),
                e["found"].as_str().unwrap(),
                e["expected"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            format!("SOFTWARE\\{POLICIES}\\TargetGroup absent \"desks\""),
            format!("SOFTWARE\\{au}\\AUOptions 3 4"),
            format!("SOFTWARE\\{au}\\DetectionFrequency 22 absent"),
        ]
    );
    // One that a check of its own tells of is not told again.
    let (target, reference) = pair(Ten22H2, &[]);
    dword(target.path(), "SOFTWARE", POLICIES, "DisableWindowsUpdateAccess", 1);
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), [""; 0]);
    assert!(said(&with, false).iter().any(|s| s.contains("policy-update-access")), "{with:#}");
}

#[test]
fn a_clone_and_a_copy_of_the_same_machine() {
    let (target, reference) = (machine(Ten22H2, &[], 1), machine(Ten22H2, &[], 1));
    let with = diagnose(target.path(), reference.path());
    assert_eq!(said(&with, true).into_iter().collect::<Vec<_>>(), ["note reference SusClientId"]);
    let name = "ControlSet001\\Control\\ComputerName\\ComputerName";
    set_value(reference.path(), "SYSTEM", name, "ComputerName", SZ, &wide("OTHER-PC"));
    let run = compare(target.path(), reference.path());
    assert_eq!(run.status, Some(1), "{run:?}");
    let with = run.json();
    assert_eq!(said(&with, true).into_iter().collect::<Vec<_>>(), ["suspect reference SusClientId"]);
    assert!(titles(&with)[0].contains("cloned without sysprep"), "{:?}", titles(&with));
    delete_value(reference.path(), "SOFTWARE", WU, "SusClientId");
    assert_eq!(titles(&diagnose(target.path(), reference.path())), [""; 0]);
}

#[test]
fn another_build_or_product_is_not_compared() {
    for (of, with, builds) in [
        (Ten22H2, Eleven24H2, ["build 19045 (client)", "build 26100 (client)"]),
        (Server2019, Ten1809, ["build 17763 (server)", "build 17763 (client)"]),
    ] {
        let (target, reference) = (machine(of, &[], 1), machine(with, &[], 1));
        dword(target.path(), "SYSTEM", &format!("{SERVICES}\\Schedule"), "Start", 4);
        let found = diagnose(target.path(), reference.path());
        assert_eq!(titles(&found), [""; 0]);
        let why = unchecked(&found).concat();
        assert!(builds.iter().all(|build| why.contains(build)), "{why}");
        // A SOFTWARE hive says both since Vista, a SYSTEM hive the product only.
        for hive in ["SOFTWARE", "SYSTEM"] {
            let file = find(reference.path(), &format!("Windows/System32/config/{hive}"));
            let why = unchecked(&diagnose(target.path(), &file)).concat();
            let refused = why.contains("nothing was compared");
            assert_eq!(refused, hive == "SOFTWARE" || builds[0].contains("server"), "{hive}: {why}");
        }
    }
}

#[test]
fn a_hive_alone_is_told_by_its_content() {
    let (target, reference) = unknown_pair(&[DisableService("wuauserv".into()), DropFromSvchostGroup("BITS".into())]);
    let folder = scratch();
    for (hive, name, wanted, unseen) in [
        ("SYSTEM", "SOFTWARE", "suspect reference wuauserv", "svchost groups, policies and SusClientId"),
        ("SOFTWARE", "backup of a machine.bin", "suspect reference netsvcs", "services were not compared"),
    ] {
        let file = folder.path().join(name);
        fs::copy(find(reference.path(), &format!("Windows/System32/config/{hive}")), &file).unwrap();
        let with = diagnose(target.path(), &file);
        assert_eq!(said(&with, true).into_iter().collect::<Vec<_>>(), [wanted]);
        let why = unchecked(&with);
        assert!(why.len() == 1 && why[0].contains(unseen), "{why:?}");
        let source = with["findings"].as_array().unwrap().iter().find(|f| f["id"] == "reference").unwrap();
        let source = source["source"].as_str().unwrap();
        let says = if hive == "SYSTEM" { "does not show its build".into() } else { format!("build {UNKNOWN}") };
        assert!(source.contains(&says), "{source}");
    }
}

#[test]
fn a_dirty_reference_is_recovered_in_memory() {
    // Before: the service disabled. What its log holds: not disabled.
    let hive = |damages: &[Damage]| {
        let mut spec = VolumeSpec::new(Ten22H2);
        spec.damages = damages.to_vec();
        spec.ballast_keys = 20;
        system_hive(&spec).unwrap()
    };
    let (primary, log) = dirty_pair(&hive(&[DisableService("wuauserv".into())]), &hive(&[]), LogFormat::Hvle);
    let (target, reference) = unknown_pair(&[DisableService("wuauserv".into())]);
    let config = find(reference.path(), "Windows/System32/config");
    fs::write(config.join("SYSTEM"), &primary).unwrap();
    fs::write(config.join("SYSTEM.LOG1"), &log).unwrap();
    for path in [reference.path(), &config.join("SYSTEM")] {
        let with = diagnose(target.path(), path);
        let found = said(&with, true);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["suspect reference wuauserv"]);
        assert!(with.to_string().contains("recovered from"), "{with:#}");
    }
    // Without the log it says nothing that can be relied on.
    fs::write(config.join("SYSTEM.LOG1"), b"").unwrap();
    compare(target.path(), reference.path()).expect(4);
}

#[test]
fn a_reference_that_is_not_healthy_is_no_measure() {
    let (target, reference) = (machine(Ten22H2, &[], 1), machine(Ten22H2, &[WrongAccount("UsoSvc".into())], 2));
    dword(reference.path(), "SYSTEM", &format!("{SERVICES}\\msiserver"), "Start", 4);
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), [""; 0]);
    let why = unchecked(&with);
    assert!(why.len() == 1 && why[0].contains("usosvc (service-account)") && why[0].contains("msiserver"), "{why:?}");
}

/// Refused with this status, with a hint, as one JSON document.
#[track_caller]
fn refused(target: &Path, reference: &Path, status: i32, words: &str) {
    let run = compare(target, reference).expect(status);
    let json = run.json();
    assert_eq!(json["schema"], "coldmend.error/1");
    let text = json.to_string();
    assert!(text.contains(words), "{text}");
    assert!(json["error"]["message"].as_str().unwrap().contains("reference"), "{text}");
    assert!(json["error"]["hint"].as_str().is_some_and(|hint| hint.len() > 20), "{text}");
    assert!(!text.contains("force-dirty") && !text.contains("--windows"), "{text}");
}

#[test]
fn what_is_no_reference_is_refused() {
    let (target, reference) = pair(Ten22H2, &[]);
    let folder = scratch();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let config = find(reference.path(), "Windows/System32/config");
    let system = fs::read(config.join("SYSTEM")).unwrap();
    let mut none = HiveBuilder::new(5, "ROOT");
    none.key("Control Panel\\International");
    let mut no_build = HiveBuilder::new(5, "ROOT");
    no_build.string(NT, "ProductName", "Windows");
    let mut no_set = HiveBuilder::new(5, "ROOT");
    no_set.dword("Select", "Default", 7);

    let refused = |reference: &Path, status, words| refused(target.path(), reference, status, words);
    refused(&put("cut", &system[..system.len() / 2]), 4, "reference");
    refused(&put("head", &system[..5000]), 4, "reference");
    refused(&put("word", b"regf"), 4, "reference");
    refused(&put("empty", b""), 4, "no registry hive");
    refused(&put("text", b"Windows Registry Editor Version 5.00\r\n"), 4, "no registry hive");
    refused(&put("other", &none.build()), 4, "neither a SYSTEM nor a SOFTWARE");
    refused(&put("nobuild", &no_build.build()), 4, "no build number");
    refused(&put("noset", &no_set.build()), 4, "no control set");
    refused(&put("sam", &system), 3, "never opened");
    refused(&config.join("SECURITY"), 3, "never opened");
    refused(&folder.path().join("gone"), 4, "reference");
    refused(&folder.path().join("a\u{1b}[31mgone"), 4, "reference");
    let empty = scratch();
    refused(empty.path(), 4, "no Windows was found");
    symlink("nowhere", empty.path().join("Windows")).unwrap();
    refused(&empty.path().join("Windows"), 4, "reference");
    let fifo = empty.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    refused(&fifo, 2, "reference");
    // Garbage in the middle of the hive, and a hive that is a folder.
    let mut bitten = system.clone();
    for byte in &mut bitten[8192..12288] {
        *byte = byte.wrapping_mul(31) ^ 0x5A;
    }
    fs::write(config.join("SYSTEM"), &bitten).unwrap();
    refused(reference.path(), 4, "reference");
    fs::remove_file(config.join("SYSTEM")).unwrap();
    fs::create_dir(config.join("SYSTEM")).unwrap();
    refused(reference.path(), 4, "reference");
    // Two Windows on one volume: the folder itself has to be named.
    let two = copied(target.path());
    common::copy(&two.path().join("Windows"), &two.path().join("Windows2"));
    refused(two.path(), 2, "2 Windows folders");
}

#[test]
fn the_target_is_no_reference_for_itself() {
    let (target, _) = pair(Ten22H2, &[]);
    let links = scratch();
    symlink(target.path(), links.path().join("again")).unwrap();
    let hive = find(target.path(), "Windows/System32/config/SYSTEM");
    symlink(&hive, links.path().join("hive")).unwrap();
    fs::hard_link(&hive, target.path().join("hard")).unwrap();
    for reference in [
        target.path().to_path_buf(),
        target.path().join("Windows"),
        find(target.path(), "Windows/System32/config/SOFTWARE"),
        hive,
        links.path().join("again"),
        links.path().join("hive"),
        target.path().join("hard"),
    ] {
        refused(target.path(), &reference, 2, "the target itself");
    }
}

#[test]
fn what_a_reference_says_is_made_harmless() {
    let (target, reference) = unknown_pair(&[]);
    let evil = "a\u{1b}[2J\u{202e}b";
    set_value(reference.path(), "SOFTWARE", NT, "ProductName", SZ, &wide(evil));
    set_value(reference.path(), "SOFTWARE", POLICIES, evil, SZ, &wide(evil));
    let long: Vec<String> = (0..3000).map(|n| format!("Member{n:04}{evil}")).collect();
    let mut names: Vec<&str> = long.iter().map(String::as_str).collect();
    names.extend(["wuauserv", "..\\..\\Setup", "Setup\\Security"]);
    set_value(reference.path(), "SOFTWARE", &format!("{NT}\\Svchost"), evil, MULTI, &list(&names));
    let key = format!("{SERVICES}\\{evil}");
    set_value(reference.path(), "SYSTEM", &key, "ImagePath", 2, &wide("%SystemRoot%\\System32\\x.exe"));
    dword(reference.path(), "SYSTEM", &key, "Type", 0x10);
    let run = compare(target.path(), reference.path());
    let text = run.stdout.clone() + &run.stderr;
    assert!(!text.contains("\\u001b") && !text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    assert!(text.len() < 100_000, "{}", text.len());
    let titles = titles(&run.json());
    assert!(titles.len() == 3 && titles.iter().all(|t| t.starts_with("note")), "{titles:#?}");
}

#[test]
fn a_helper_that_has_its_own_check_is_not_in_the_list() {
    let (target, reference) = pair(Ten22H2, &[]);
    dword(target.path(), "SYSTEM", &format!("{SERVICES}\\Schedule"), "Start", 4);
    let with = diagnose(target.path(), reference.path());
    assert_eq!(titles(&with), [""; 0]);
    assert!(said(&with, false).iter().any(|s| s.ends_with("helper-services Schedule")), "{with:#}");
}

#[test]
fn without_the_flag_nothing_is_compared() {
    let target = machine(Ten22H2, &[], 1);
    let json = alone(target.path());
    assert!(json["not_applicable"].as_array().unwrap().contains(&"reference".into()), "{json:#}");
    assert_eq!((titles(&json), unchecked(&json)), (vec![], vec![]));
    let with = diagnose(target.path(), machine(Ten22H2, &[], 2).path());
    assert!(!with["not_applicable"].as_array().unwrap().contains(&"reference".into()), "{with:#}");
}

/// Real machines of the same Windows differ in many ways, and raise no alarm about each other. Nothing is known of their health, so only
/// what a comparison adds to a machine's own alarms counts, and the services that updating needs.
#[test]
fn real_machines_of_the_same_windows_raise_no_alarm() {
    let Some(corpus) = real::corpus() else { return };
    let hives: Vec<_> =
        real::hives(&corpus).into_iter().filter(|hive| hive.kind == real::Kind::System && hive.clean).collect();
    let folder = scratch();
    let mut compared = 0;
    for one in &hives {
        let real::Windows::Known(version) = one.windows else { continue };
        let mut spec = VolumeSpec::new(version);
        spec.system_hive = Some(one.bytes.clone());
        let target = scratch();
        coldmend_fixtures::build_volume(target.path(), &spec).unwrap();
        for other in hives.iter().filter(|other| other.bytes != one.bytes && other.windows == one.windows) {
            let file = folder.path().join("hive");
            fs::write(&file, &other.bytes).unwrap();
            let with = diagnose(target.path(), &file);
            let alarms: Vec<String> = titles(&with).into_iter().filter(|t| !t.starts_with("note")).collect();
            println!("{} beside {}: {:#?}", one.name, other.name, titles(&with));
            assert_eq!(alarms, [""; 0], "{} beside {}", one.name, other.name);
            compared += 1;
        }
    }
    println!("{compared} pairs of real machines");
}
