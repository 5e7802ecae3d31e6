//! The check `logs` as a user sees it, beside the table of faults (`tests/faults`): lines are added to the logs of a volume, files are taken
//! away or put there one after the other, and exactly what is expected is reported and nothing else; healthy volumes and real machines'
//! logs raise no false alarm.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use coldmend::evidence::Installation;
use coldmend::logs::{gather, Event, Object};
use coldmend::volume::{HostVolume, VolPath};
use coldmend_fixtures::{Version, VolumeSpec};
use common::inject::{log, place, put, shell, CBS as SERVICING};
use common::{coldmend, volume};
use serde_json::Value;
use tempfile::TempDir;

const CBS: &str = "Windows/Logs/CBS/CBS.log";
const INSTALLED: &str = "2024-05-02 10:00:00, Info                  CBS    Reporting package change completion for package: Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.253.1.5, current: Installed, original: Absent, target: Installed, status: 0x0, failure source: Not Applicable";

fn build(version: Version) -> TempDir {
    let mut spec = VolumeSpec::new(version);
    spec.ballast_keys = 10;
    volume(&spec)
}

/// All findings but those that a fixture has anyway: severity, subject.
fn all(root: &Path) -> Vec<(String, String, String)> {
    let run = coldmend("--format json diagnose", root);
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let json = run.json();
    let could_not = json["could_not_check"].as_array().unwrap();
    assert!(!could_not.iter().any(|item| item["id"] == "logs"), "{could_not:?}");
    let found = json["findings"].as_array().unwrap();
    found.iter().map(|f| (text(f, "id"), text(f, "severity"), text(f, "subject"))).collect()
}

/// What `logs` says, after looking that nothing else is new.
#[track_caller]
fn logs(root: &Path) -> Vec<(String, String)> {
    let all = all(root);
    // Another check may see the same fault by itself, and name the same thing.
    let told = |subject: &str| {
        let subject = subject.to_lowercase();
        all.iter().any(|found| found.0 == "logs" && found.2.to_lowercase().starts_with(&subject))
    };
    for (id, severity, subject) in &all {
        assert!(id == "logs" || severity == "note" || told(subject), "{id}: {subject}");
    }
    from_logs(all)
}

/// Severity and subject of the findings that are of `logs`.
fn from_logs(all: Vec<(String, String, String)>) -> Vec<(String, String)> {
    all.into_iter().filter(|found| found.0 == "logs").map(|found| (found.1, found.2)).collect()
}

#[track_caller]
fn only(root: &Path, severity: &str, subject: &str) {
    assert_eq!(logs(root), [(severity.to_owned(), subject.to_owned())]);
}

#[test]
fn healthy_volumes_have_nothing_to_say() {
    for version in Version::ALL {
        let volume = build(version);
        assert_eq!(logs(volume.path()), [], "{version:?}");
    }
}

#[test]
fn what_healthy_machines_log_every_day_is_no_finding() {
    let volume = build(Version::Ten22H2);
    let root = volume.path();
    log(root, CBS, &[
        "2024-05-01 08:25:52, Info                  CBS    InternalOpenPackage failed for Package_for_KB3025096~31bf3856ad364e35~amd64~~6.4.1.0 [HRESULT = 0x800f0805 - CBS_E_INVALID_PACKAGE]",
        "2024-05-01 08:25:52, Info                  CBS    Failed to internally open package. [HRESULT = 0x800f0805 - CBS_E_INVALID_PACKAGE]",
        "2024-05-01 08:25:52, Info                  CBS    Failed to OpenPackage using worker session [HRESULT = 0x800f0805]",
        "2024-05-01 08:25:53, Info                  CBS    SQM: Warning: Failed to upload all unsent reports. [HRESULT = 0x80004005 - E_FAIL]",
        "2024-05-01 08:25:54, Info                  CBS    Warning: Unrecognized packageExtended attribute.",
        "2024-05-01 08:25:54, Info                  CBS    Doqe: Recording result: 0x00000000, for Inf: ntprint4.inf",
    ]);
    assert_eq!(logs(root), []);
}

/// Microsoft's symptom 1 of 0x80070002.
#[test]
fn a_service_that_could_not_be_started() {
    let line = |name: &str| {
        format!("2024-05-01 08:45:29, Error                 CSI    000000fc@2024/5/1:08:45:29.414 (F) Failed in StartService for [30]\"{name}\" with error code 2[gle=0x80004005]")
    };
    let volume = build(Version::Ten22H2);
    let root = volume.path();
    log(root, CBS, &[&line("clr_optimization_v4.0.30319_32")]);
    let finding = coldmend("--format json diagnose", root).json()["findings"][0].clone();
    assert_eq!(finding["evidence"][0]["where"], "Windows\\Logs\\CBS\\CBS.log, line 3");
    assert!(finding["evidence"][0]["found"].as_str().unwrap().contains("Failed in StartService"));
    assert_eq!(finding["evidence"][1]["where"], "SYSTEM\\ControlSet001\\Services\\clr_optimization_v4.0.30319_32");
    assert_eq!(finding["evidence"][1]["found"], "absent");
    // An update was installed since: no alarm, but on record.
    log(root, CBS, &[INSTALLED]);
    only(root, "note", "earlier failures");
    // One that is there now.
    let volume = build(Version::Ten22H2);
    log(volume.path(), CBS, &[&line("BITS")]);
    only(volume.path(), "note", "BITS");
}

/// Symptom 2: a folder.
#[test]
fn a_folder_that_is_not_there() {
    let path = "ProgramData/Microsoft/Windows/Start Menu/Programs/System Tools";
    let line = "2024-05-01 08:45:29, Error                 CSI    00000e47 (F) STATUS_OBJECT_NAME_NOT_FOUND #13367681# from Windows::Rtl::SystemImplementation::DirectFileSystemProvider::SysCreateFile(flags = (AllowSharingViolation), handle = {provider=NULL, handle=0, name= (\"null\")}, da = (SYNCHRONIZE|FILE_READ_ATTRIBUTES), oa = @0xa130e9e088->OBJECT_ATTRIBUTES {s:48; rd:NULL; on:[69]\"\\??\\C:\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\System Tools\"; a:(OBJ_CASE_INSENSITIVE)}, disp = Invalid)";
    let subject = format!("C:\\{}", path.replace('/', "\\"));
    for version in [Version::Seven, Version::Server2025] {
        let volume = build(version);
        let root = volume.path();
        log(root, CBS, &[line]);
        only(root, "note", &subject);
        fs::remove_dir(place(root, path)).unwrap();
        only(root, "problem", &subject);
    }
}

/// Symptom 3: a file of a component.
#[test]
fn a_file_of_the_component_store() {
    let component = "x86_microsoft-windows-directwrite_31bf3856ad364e35_7.1.7601.23545_none_229deeb1ba2a85d3";
    let line = format!("2024-05-01 08:45:29, Info                  CBS    Failed to find file: {component}DWrite.dll [HRESULT = 0x80070002 - ERROR_FILE_NOT_FOUND]");
    let subject = format!("{component}\\DWrite.dll");
    for version in [Version::Seven, Version::Ten22H2] {
        let volume = build(version);
        let root = volume.path();
        log(root, CBS, &[&line]);
        put(root, &format!("Windows/WinSxS/Manifests/{component}.manifest"), b"DCM\x01");
        only(root, "problem", &subject);
        put(root, &format!("Windows/WinSxS/{component}/DWrite.dll"), b"MZ");
        only(root, "note", &subject);
    }
}

/// Symptom 4, and 0x80070003: a driver package.
#[test]
fn a_driver_package() {
    let lines = [
        "2024-05-01 15:30:46, Info                  CBS    INSTALL index: 55, phase: 2, result 2, inf: flpydisk.inf",
        "2024-05-01 15:30:46, Info                  CBS    Doqe: Recording result: 0x80070002, for Inf: flpydisk.inf",
        "2024-05-01 15:30:46, Info                  CBS    Doqe: Failed installing driver updates [HRESULT = 0x80070002 - ERROR_FILE_NOT_FOUND]",
    ];
    let note = ("note".to_owned(), "Windows\\Logs\\CBS\\CBS.log".to_owned());
    let inf = |severity: &str| vec![(severity.to_owned(), "flpydisk.inf".to_owned()), note.clone()];
    for version in [Version::Seven, Version::Server2016, Version::Ten22H2] {
        let volume = build(version);
        let root = volume.path();
        log(root, CBS, &lines);
        assert_eq!(logs(root), inf("problem"));
        // The inf is there; the service that it installs is not.
        put(
            root,
            "Windows/inf/flpydisk.inf",
            b"[floppy_install.Services]\r\nAddService = flpydisk, 2, floppy_Service_Inst\r\n",
        );
        assert_eq!(logs(root), inf("suspect"));
        fs::create_dir_all(place(root, "Windows/System32/DriverStore/FileRepository")).unwrap();
        assert_eq!(logs(root), inf("problem"));
        fs::create_dir(place(root, "Windows/System32/DriverStore/FileRepository/flpydisk.inf_amd64_0123456789abcdef"))
            .unwrap();
        assert_eq!(logs(root), inf("suspect"));
        log(root, CBS, &[INSTALLED]);
        // The service that the inf installs is still not there, which is another check's to say.
        assert_eq!(from_logs(all(root)), [("note".to_owned(), "earlier failures".to_owned())]);
    }
}

#[test]
fn a_package_without_its_manifest() {
    let package = "Package_2074_for_KB4088876~31bf3856ad364e35~amd64~~6.3.1.4";
    let lines = [
        format!("2024-05-01 13:24:25, Info                  CBS    Store corruption, manifest missing for package: {package}"),
        format!("2024-05-01 13:24:25, Error                 CBS    Failed to resolve package '{package}' [HRESULT = 0x800f0831 - CBS_E_STORE_CORRUPTION]"),
        format!("2024-05-01 13:24:25, Info                  CBS    Mark store corruption flag because of package: {package}. [HRESULT = 0x800f0831 - CBS_E_STORE_CORRUPTION]"),
    ];
    let lines = [&*lines[0], &*lines[1], &*lines[2]];
    let volume = build(Version::EightOne);
    let root = volume.path();
    log(root, CBS, &lines);
    // Windows no longer knows the package.
    only(root, "note", package);
    shell(root, "SOFTWARE", &format!("cd \\{SERVICING}\ncd Packages\nadd {package}"));
    only(root, "problem", package);
    let finding = coldmend("--format json diagnose", root).json()["findings"][0].clone();
    assert!(finding["title"].as_str().unwrap().ends_with("(KB4088876)"), "{finding}");
    put(root, &format!("Windows/servicing/Packages/{package}.mum"), b"<xml/>");
    only(root, "problem", package);
    put(root, &format!("Windows/servicing/Packages/{package}.cat"), b"0");
    only(root, "note", package);
}

#[test]
fn damage_that_a_scan_found() {
    let component = "amd64_prncacla.inf_31bf3856ad364e35_6.2.9200.16384_none_fd9c01be8b864efc";
    let corrupt = format!("(p)\tCSI Payload Corrupt\t\t\t{component}\\Amd64\\CNBJ2530.DPB");
    let found = [
        "=================================",
        "Checking System Update Readiness.",
        "",
        &*corrupt,
        "Repair failed: Missing replacement payload.",
        "Summary:",
        "Operation: Detect and Repair ",
        "Operation result: 0x800f081f",
        "Total Detected Corruption:\t1",
        "Total Repaired Corruption:\t0",
    ];
    let clean = ["Checking System Update Readiness.", "Operation result: 0x0", "Total Detected Corruption:\t0"];
    for version in [Version::Eight, Version::Ten22H2, Version::Eleven24H2] {
        let volume = build(version);
        let root = volume.path();
        put(root, &format!("Windows/WinSxS/{component}/Amd64/CNBJ2530.DPB"), b"damaged");
        log(root, CBS, &found);
        only(root, "suspect", "component store");
        log(root, CBS, &clean);
        only(root, "note", "earlier failures");
        log(root, CBS, &found);
        only(root, "suspect", "component store");
        // The whole component was removed since.
        fs::remove_dir_all(place(root, &format!("Windows/WinSxS/{component}"))).unwrap();
        only(root, "note", "earlier failures");
    }
}

/// Symptom 5: an upgrade that can't mount its images.
#[test]
fn a_driver_that_setup_needs() {
    let line = "2024-05-01 21:47:11, Warning               SP     Failed to get WimMount ImagePath, 0x80070002";
    for version in [Version::Ten22H2, Version::Server2022] {
        let volume = build(version);
        let root = volume.path();
        log(root, "$WINDOWS.~BT/Sources/Panther/setupact.log", &[line]);
        only(root, "note", "WIMMount");
        fs::remove_file(place(root, "Windows/System32/drivers/wimmount.sys")).unwrap();
        only(root, "problem", "WIMMount");
    }
}

/// XP has no CBS.log; what its logs say names nothing that could be looked up.
#[test]
fn logs_of_xp() {
    let volume = build(Version::Xp);
    let root = volume.path();
    log(
        root,
        "WINDOWS/setupapi.log",
        &["[2024/05/08 10:47:27 1076.1]", "#E033 Error 2: The system cannot find the file specified."],
    );
    log(
        root,
        "WINDOWS/WindowsUpdate.log",
        &["2024-05-05\t18:52:06:762\t808\taac\tAgent\t  * WARNING: Exit code = 0x8024402C"],
    );
    let found = logs(root);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|(severity, _)| severity == "note"));
}

/// A name in a log can't lead out of the volume, and does not act on the terminal.
#[test]
fn hostile_names() {
    let volume = build(Version::Ten22H2);
    let root = volume.path();
    log(root, CBS, &[
        "2024-05-01 08:45:29, Error CSI (F) STATUS_OBJECT_NAME_NOT_FOUND; on:[9]\"\\??\\C:\\..\\..\\..\\etc\\passwd\"; a:()",
        "2024-05-01 08:45:29, Error CSI (F) STATUS_OBJECT_NAME_NOT_FOUND; on:[9]\"\\??\\D:\\elsewhere\"; a:()",
        "2024-05-01 08:45:29, Error CSI (F) STATUS_OBJECT_NAME_NOT_FOUND; on:[9]\"\\Registry\\Machine\\x\"; a:()",
        "2024-05-01 08:45:29, Error CSI (F) STATUS_OBJECT_NAME_NOT_FOUND; on:[9]\"C:\\Windows\\Temp\\a\"; a:()",
        "2024-05-01 08:45:29, Error CSI (F) Failed in StartService for [9]\"a\x1b[31m\u{202e}b\" with error code 2",
    ]);
    let run = coldmend("--format json diagnose", root);
    assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\u{202e}'));
    let found = logs(root);
    let alarms: Vec<_> = found.iter().filter(|(severity, _)| severity != "note").collect();
    assert_eq!(alarms, [&("problem".to_owned(), "a<U+001B>[31m<U+202E>b".to_owned())]);
    assert_eq!(found.len(), 5, "{found:?}");
}

/// Logs of real machines, each alone on a healthy volume. What is in them was looked through by hand; they are told by what
/// they hold. What they name as damaged is put there, as it was on those machines.
#[test]
fn real_logs() {
    let Some(corpus) = std::env::var_os("COLDMEND_CORPUS") else {
        eprintln!("skipped: COLDMEND_CORPUS is not set");
        return;
    };
    let corpus = PathBuf::from(corpus).join("artifacts/logs");
    let mut files: Vec<PathBuf> = fs::read_dir(&corpus).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    let mut seen = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().to_ascii_lowercase();
        let path = match name {
            name if name.contains("cbs") => CBS,
            name if name.contains("dism") => "Windows/Logs/DISM/dism.log",
            name if name.contains("setupapi") => "Windows/inf/setupapi.dev.log",
            name if name.contains("windowsupdate") => "Windows/WindowsUpdate.log",
            _ => continue,
        };
        let bytes = fs::read(&file).unwrap();
        let machine = build(Version::Ten22H2);
        let root = machine.path();
        put(root, path, &bytes);
        let events = gathered(root);
        for object in events.iter().filter_map(|event| event.object.as_ref()) {
            match object {
                Object::Payload { component, file } => {
                    put(root, &format!("Windows/WinSxS/{component}/{}", file.replace('\\', "/")), b"damaged");
                }
                Object::StoreFile(path) => put(root, &format!("Windows/{}", path.replace('\\', "/")), b"damaged"),
                _ => {}
            }
        }
        let run = coldmend("--format json diagnose", root);
        let findings = run.json()["findings"].as_array().unwrap().clone();
        let alarms: Vec<_> = findings.iter().filter(|f| f["severity"] != "note").collect();
        let of_store = |events: &[Event], settled: bool| {
            let of_store = |e: &&Event| matches!(e.object, Some(Object::Payload { .. } | Object::StoreFile(_)));
            events.iter().filter(of_store).filter(|e| e.settled.is_some() == settled).count()
        };
        let holds = |text: &str| String::from_utf8_lossy(&bytes).contains(text);
        let counts = (of_store(&events, false), of_store(&events, true));
        let expected = match () {
            // Two scans of a Windows 8 that found the same three files.
            () if holds("CNBJ2530.DPB") => {
                let lines: Vec<_> = events.iter().filter_map(|e| e.object.as_ref().and(e.line)).collect();
                assert_eq!(lines, [4359, 532, 530, 528]);
                assert!(events.iter().any(|e| e.code == Some(0x800f_081f)));
                seen.push("8");
                (3, 0)
            }
            // A Windows 11: 8 files, then 9, of which one was among the 8.
            () if holds("Total Detected Corruption:\t9") => {
                seen.push("11");
                (9, 7)
            }
            () if holds("Total Detected Corruption:\t10") => {
                assert!(events.iter().any(|e| e.code == Some(0x8007_0057)));
                seen.push("10");
                (10, 0)
            }
            () if holds("FileExplorerExtensions") => {
                assert!(events.iter().any(|e| e.count == 348), "{events:#?}");
                seen.push("23H2");
                (0, 0)
            }
            () => (0, 0),
        };
        assert_eq!(counts, expected, "{}", file.display());
        let alarm = alarms.iter().map(|f| (f["id"].as_str().unwrap(), f["subject"].as_str().unwrap()));
        let wanted = (expected.0 > 0).then_some(("logs", "component store"));
        assert_eq!(alarm.collect::<Vec<_>>(), wanted.into_iter().collect::<Vec<_>>(), "{}", file.display());
        assert_eq!(run.json()["could_not_check"], serde_json::json!([]), "{}", file.display());
    }
    eprintln!("real logs with findings that were looked through: {seen:?}");
}

fn gathered(root: &Path) -> Vec<Event> {
    let volume = HostVolume::open(root).unwrap();
    let installation = Installation::load(&volume, &VolPath::literal("Windows")).unwrap();
    gather(&volume, &installation, &|_| {}).events
}
