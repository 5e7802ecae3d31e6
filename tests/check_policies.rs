//! The checks of policies and switches: each fault, made with tools that are not ours (`hivexregedit`, plain files), is found as
//! itself and nothing else is; and what a managed machine has raises no alarm.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use coldmend_fixtures::hive::HiveBuilder;
use coldmend_fixtures::Version::{self, *};
use common::{broken, coldmend, find, skip, try_find};
use serde_json::Value;
use tempfile::TempDir;

/// Severity, check and subject.
type Said = (String, String, String);

/// Something that is done to a volume.
enum Break {
    /// A .reg text merged into a hive of `config`, keys from its root.
    Reg(&'static str, &'static str),
    /// The same for a file elsewhere on the volume.
    RegIn(&'static str, &'static str),
    /// A file written, with the folders above it.
    File(&'static str, Vec<u8>),
    /// A file or folder taken away.
    Remove(&'static str),
}
use Break::{File, Reg, RegIn, Remove};

const WU: &str = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]";
const LIVE_WSUS: &str = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=\"http://wsus.corp.example:8530\"\n\"WUStatusServer\"=\"http://wsus.corp.example:8530\"\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";
const ENROLLED: &str = "[\\Microsoft\\Enrollments\\0A1B2C3D-0000-0000-0000-000000000001]\n\"EnrollmentState\"=dword:00000001\n\"ProviderID\"=\"MS DM Server\"\n";
const IN_A_DOMAIN: &str =
    "[\\Microsoft\\Windows\\CurrentVersion\\Group Policy\\State\\Machine]\n\"Distinguished-Name\"=\"CN=PC,DC=corp,DC=example\"\n";

fn merge(hive: &Path, reg: &str) {
    // The tool wants every key's parent to be there.
    let mut text = "Windows Registry Editor Version 5.00\n".to_owned();
    for line in reg.lines() {
        if let Some(key) = line.strip_prefix("[\\").and_then(|rest| rest.strip_suffix(']')) {
            let ends = key.match_indices('\\').map(|(at, _)| at).chain([key.len()]);
            ends.for_each(|end| text += &format!("\n[\\{}]\n", &key[..end]));
        } else {
            text += &format!("{}{line}\n", if line.starts_with('[') { "\n" } else { "" });
        }
    }
    let mut child = Command::new("hivexregedit").arg("--merge").arg(hive).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
}

/// The place of `path` (with slashes) under `root`: what exists of it in its own spelling.
fn place(root: &Path, path: &str) -> PathBuf {
    path.split('/').fold(root.to_path_buf(), |dir, part| try_find(&dir, part).unwrap_or_else(|| dir.join(part)))
}

fn apply(root: &Path, what: &Break) {
    match what {
        Reg(name, reg) => merge(&find(root, &format!("Windows/System32/config/{name}")), reg),
        RegIn(path, reg) => merge(&find(root, path), reg),
        File(path, bytes) => {
            let path = place(root, path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Remove(path) => {
            let path = find(root, path);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

fn diagnose(root: &Path) -> Value {
    let run = coldmend("diagnose --format json", root);
    assert!(matches!(run.status, Some(0 | 1)), "{run:?}");
    run.json()
}

fn said(diagnosis: &Value) -> BTreeSet<Said> {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let findings = diagnosis["findings"].as_array().unwrap();
    findings.iter().map(|f| (text(f, "severity"), text(f, "id"), text(f, "subject"))).collect()
}

fn has_tool(test: &str) -> bool {
    let there = Command::new("hivexregedit").arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        skip(test, "hivexregedit is not installed");
    }
    there
}

/// What is new in the diagnosis of a healthy volume of this version after these breaks, and the whole diagnosis.
fn news(version: Version, breaks: &[Break]) -> (BTreeSet<Said>, Value, TempDir) {
    static HEALTHY: Mutex<BTreeMap<String, BTreeSet<Said>>> = Mutex::new(BTreeMap::new());
    let volume = broken(version, &[]);
    let known = HEALTHY.lock().unwrap().get(&format!("{version:?}")).cloned();
    let before = known.unwrap_or_else(|| {
        let before = said(&diagnose(volume.path()));
        HEALTHY.lock().unwrap().insert(format!("{version:?}"), before.clone());
        before
    });
    breaks.iter().for_each(|what| apply(volume.path(), what));
    let after = diagnose(volume.path());
    let lost: Vec<Said> = before.difference(&said(&after)).cloned().collect();
    assert!(lost.is_empty(), "{version:?}: {lost:?} is gone");
    let new = said(&after).difference(&before).cloned().collect();
    (new, after, volume)
}

/// Each of these versions, broken like this, gives exactly these new findings ("severity id subject").
#[track_caller]
fn expect(versions: &[Version], breaks: &[Break], wanted: &[&str]) {
    for version in versions {
        let (new, diagnosis, _) = news(*version, breaks);
        let wanted: BTreeSet<Said> = wanted
            .iter()
            .map(|line| {
                let mut words = line.splitn(3, ' ').map(str::to_owned);
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap())
            })
            .collect();
        let findings = serde_json::to_string_pretty(&diagnosis["findings"]).unwrap();
        assert_eq!(new, wanted, "{version:?}\n{findings}");
        let unchecked = diagnosis["could_not_check"].as_array().unwrap();
        assert!(unchecked.is_empty(), "{version:?}: {unchecked:?}");
        for finding in diagnosis["findings"].as_array().unwrap() {
            assert!(!finding["evidence"].as_array().unwrap().is_empty(), "{finding}");
            assert!(finding["source"].as_str().unwrap().len() > 10, "{finding}");
        }
    }
}

/// A policy file that sets these values: below `Software\`, with a number or a text.
fn policy_file(values: &[(&str, &str, Result<u32, &str>)]) -> Vec<u8> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut file = b"PReg\x01\0\0\0".to_vec();
    for (key, name, value) in values {
        let (kind, data) = match value {
            Ok(number) => (4_u32, number.to_le_bytes().to_vec()),
            Err(text) => (1, wide(&format!("{text}\0"))),
        };
        file.extend(wide(&format!("[Software\\{key}\0;{name}\0;")));
        file.extend(kind.to_le_bytes());
        file.extend(wide(";"));
        file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        file.extend(wide(";"));
        file.extend(data);
        file.extend(wide("]"));
    }
    file
}

const MACHINE_POL: &str = "Windows/System32/GroupPolicy/Machine/Registry.pol";
const ALL: [Version; 6] = [Xp, Seven, EightOne, Ten22H2, Eleven24H2, Server2022];

#[test]
fn healthy_volumes_have_nothing_of_it() {
    const IDS: [&str; 21] = [
        "policy-file",
        "policy-wsus",
        "policy-update-access",
        "policy-update-internet",
        "policy-automatic-updates",
        "policy-target-version",
        "policy-update-source",
        "policy-mdm",
        "policy-user",
        "policy-servicing-source",
        "update-pause",
        "settings-page",
        "sysprep-marker",
        "image-debugger",
        "hosts-file",
        "firewall-rule",
        "winhttp-proxy",
        "tls-settings",
        "time-settings",
        "update-tasks",
        "reset-leftovers",
    ];
    for version in Version::ALL {
        let volume = broken(version, &[]);
        let diagnosis = diagnose(volume.path());
        let found: Vec<Said> = said(&diagnosis).into_iter().filter(|(_, id, _)| IDS.contains(&id.as_str())).collect();
        assert!(found.is_empty(), "{version:?}: {found:?}");
        assert_eq!(diagnosis["could_not_check"], Value::Array(vec![]), "{version:?}");
    }
}

#[test]
fn update_servers() {
    if !has_tool("update_servers") {
        return;
    }
    expect(&ALL, &[Reg("SOFTWARE", LIVE_WSUS)], &["note policy-wsus WUServer"]);
    for dead in [
        "",
        "localhost",
        "http://localhost:8530",
        "http://127.0.0.1",
        "https://[::1]:8531",
        "http://0.0.0.0",
        "wsus.corp",
    ] {
        let reg = format!("{WU}\n\"WUServer\"=\"{dead}\"\n\"WUStatusServer\"=\"{dead}\"\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n");
        let reg: &'static str = Box::leak(reg.into_boxed_str());
        let versions: &[Version] = if dead.is_empty() { &ALL } else { &[Seven, Ten22H2] };
        expect(versions, &[Reg("SOFTWARE", reg)], &["problem policy-wsus WUServer"]);
    }
    let unnamed = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";
    expect(&ALL, &[Reg("SOFTWARE", unnamed)], &["problem policy-wsus WUServer"]);
    // A server that is named and not used is nothing; a server that is one itself may ask itself.
    let unused = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=\"http://localhost\"\n";
    expect(&[Xp, Ten22H2], &[Reg("SOFTWARE", unused)], &[]);
    let itself = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=\"http://localhost:8530\"\n\"WUStatusServer\"=\"http://localhost:8530\"\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";
    let role = "[\\ControlSet001\\Services\\WsusService]\n\"Start\"=dword:00000002\n\"Type\"=dword:00000010\n";
    expect(&[Server2022], &[Reg("SOFTWARE", itself), Reg("SYSTEM", role)], &["note policy-wsus WUServer"]);
    // Without the server for reports, and with another place to download from that can't be one.
    let half = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=\"http://wsus:8530\"\n\"UpdateServiceUrlAlternate\"=\"nowhere\"\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";
    expect(
        &[Seven, Ten22H2],
        &[Reg("SOFTWARE", half)],
        &[
            "note policy-wsus WUServer",
            "suspect policy-wsus WUStatusServer",
            "suspect policy-wsus UpdateServiceUrlAlternate",
        ],
    );
    // What Configuration Manager sets.
    let alternate =
        "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"UpdateServiceUrlAlternate\"=\"http://localhost:8005\"\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", LIVE_WSUS), Reg("SOFTWARE", alternate)], &["note policy-wsus WUServer"]);
    let cached = "[\\Microsoft\\WindowsUpdate\\UpdatePolicy\\GPCache\\CacheSet001\\WindowsUpdate]\n\"WUServer\"=\"http://localhost\"\n[\\Microsoft\\WindowsUpdate\\UpdatePolicy\\GPCache\\CacheSet001\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", cached)], &["note policy-wsus GPCache"]);
}

#[test]
fn policies_that_come_back() {
    if !has_tool("policies_that_come_back") {
        return;
    }
    let wu = "Policies\\Microsoft\\Windows\\WindowsUpdate";
    let au = "Policies\\Microsoft\\Windows\\WindowsUpdate\\AU";
    let off = policy_file(&[(wu, "DisableWindowsUpdateAccess", Ok(1))]);
    let reg = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000001\n";
    // In both places: one finding, and both are its evidence.
    let breaks = [Reg("SOFTWARE", reg), File(MACHINE_POL, off.clone())];
    expect(&ALL, &breaks, &["problem policy-update-access DisableWindowsUpdateAccess"]);
    let (_, diagnosis, _) = news(Ten22H2, &breaks);
    let finding = diagnosis["findings"].as_array().unwrap().iter().find(|f| f["id"] == "policy-update-access").unwrap();
    let places: Vec<&str> =
        finding["evidence"].as_array().unwrap().iter().map(|e| e["where"].as_str().unwrap()).collect();
    assert_eq!(places.len(), 2, "{finding}");
    assert!(places[0].starts_with("SOFTWARE\\") && places[1].ends_with("Registry.pol"), "{places:?}");
    // Only there: it comes back.
    expect(
        &[Xp, Seven, Ten22H2],
        &[File(MACHINE_POL, off)],
        &["suspect policy-update-access DisableWindowsUpdateAccess"],
    );
    let dead = policy_file(&[(wu, "WUServer", Err("http://localhost")), (au, "UseWUServer", Ok(1))]);
    expect(&[Seven, Ten22H2], &[File(MACHINE_POL, dead)], &["suspect policy-wsus WUServer"]);
    let taken_back = policy_file(&[
        (wu, "DisableWindowsUpdateAccess", Ok(1)),
        (wu, "**del.DisableWindowsUpdateAccess", Err(" ")),
        (au, "NoAutoUpdate", Ok(1)),
        (au, "**delvals.", Err(" ")),
    ]);
    expect(&[Ten22H2], &[File(MACHINE_POL, taken_back)], &[]);
    // Damaged files.
    for bytes in [Vec::new(), b"not a policy".to_vec(), b"PReg\x01\0\0\0[".to_vec()] {
        expect(&[Seven, Ten22H2], &[File(MACHINE_POL, bytes)], &["suspect policy-file Registry.pol"]);
    }
    let user = "Microsoft\\Windows\\CurrentVersion\\Policies\\WindowsUpdate";
    let locked = policy_file(&[(user, "DisableWindowsUpdateAccess", Ok(1))]);
    for path in [
        "Windows/System32/GroupPolicy/User/Registry.pol",
        "Windows/System32/GroupPolicyUsers/S-1-5-32-545/User/Registry.pol",
    ] {
        expect(&[Xp, Ten22H2], &[File(path, locked.clone())], &["suspect policy-user User\\Registry.pol"]);
    }
}

#[test]
fn switches() {
    if !has_tool("switches") {
        return;
    }
    let off = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000001\n";
    let found = "policy-update-access DisableWindowsUpdateAccess";
    let with = |severity: &str| format!("{severity} {found}");
    expect(&ALL, &[Reg("SOFTWARE", off)], &[&with("problem")]);
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", off), Reg("SOFTWARE", IN_A_DOMAIN)], &[&with("suspect")]);
    expect(&[Ten22H2], &[Reg("SOFTWARE", off), Reg("SOFTWARE", ENROLLED)], &[&with("note")]);
    expect(
        &[Seven, Ten22H2],
        &[Reg("SOFTWARE", off), Reg("SOFTWARE", LIVE_WSUS)],
        &[&with("note"), "note policy-wsus WUServer"],
    );
    expect(
        &[Ten22H2],
        &[Reg(
            "SOFTWARE",
            "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000000\n",
        )],
        &[],
    );
    let hidden = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"SetDisableUXWUAccess\"=dword:00000001\n";
    expect(&[Ten1607, Eleven24H2], &[Reg("SOFTWARE", hidden)], &["note policy-update-access SetDisableUXWUAccess"]);
    let links = "[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer]\n\"NoWindowsUpdate\"=dword:00000001\n";
    expect(&[Xp, Seven, EightOne], &[Reg("SOFTWARE", links)], &["note policy-update-access NoWindowsUpdate"]);
    expect(&[Ten22H2], &[Reg("SOFTWARE", links)], &[]);
    let internet = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DoNotConnectToWindowsUpdateInternetLocations\"=dword:00000001\n";
    let name = "policy-update-internet DoNotConnectToWindowsUpdateInternetLocations";
    expect(&[EightOne, Ten22H2, Server2022], &[Reg("SOFTWARE", internet)], &[&format!("suspect {name}")]);
    expect(&[Seven], &[Reg("SOFTWARE", internet)], &[]);
    expect(
        &[Ten22H2],
        &[Reg("SOFTWARE", internet), Reg("SOFTWARE", LIVE_WSUS)],
        &[&format!("note {name}"), "note policy-wsus WUServer"],
    );
    let automatic = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"NoAutoUpdate\"=dword:00000001\n\"AUOptions\"=dword:00000001\n";
    expect(
        &ALL,
        &[Reg("SOFTWARE", automatic)],
        &["note policy-automatic-updates NoAutoUpdate", "note policy-automatic-updates AUOptions"],
    );
    let never = "[\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update]\n\"AUOptions\"=dword:00000001\n";
    expect(&[Xp, Seven, EightOne], &[Reg("SOFTWARE", never)], &["note policy-automatic-updates AUOptions"]);
    let held = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"TargetReleaseVersion\"=dword:00000001\n\"TargetReleaseVersionInfo\"=\"21H2\"\n\"ProductVersion\"=\"Windows 10\"\n";
    expect(&[Ten22H2, Eleven24H2], &[Reg("SOFTWARE", held)], &["note policy-target-version TargetReleaseVersion"]);
    let source = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"SetPolicyDrivenUpdateSourceForQualityUpdates\"=dword:00000001\n\"SetPolicyDrivenUpdateSourceForFeatureUpdates\"=dword:00000000\n";
    let name = "policy-update-source SetPolicyDrivenUpdateSourceForQualityUpdates";
    expect(&[Ten22H2, Eleven24H2], &[Reg("SOFTWARE", source)], &[&format!("suspect {name}")]);
    expect(&[Ten22H2], &[Reg("SOFTWARE", source), Reg("SOFTWARE", LIVE_WSUS)], &["note policy-wsus WUServer"]);
    expect(&[Ten22H2], &[Reg("SOFTWARE", source), Reg("SOFTWARE", ENROLLED)], &[&format!("note {name}")]);
    let marker = "[\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdateSysprepInProgress]\n";
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", marker)], &["suspect sysprep-marker WindowsUpdateSysprepInProgress"]);
    let page = "[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer]\n\"SettingsPageVisibility\"=\"hide:about;windowsupdate\"\n";
    expect(&[Ten1709, Eleven24H2], &[Reg("SOFTWARE", page)], &["note settings-page SettingsPageVisibility"]);
}

#[test]
fn device_management() {
    if !has_tool("device_management") {
        return;
    }
    let key = "[\\Microsoft\\PolicyManager\\current\\device\\Update]";
    let forbidden: &str = "[\\Microsoft\\PolicyManager\\current\\device\\Update]\n\"AllowUpdateService\"=dword:00000000\n\"AllowUpdateService_ProviderSet\"=dword:00000001\n";
    expect(&[Ten22H2, Eleven24H2], &[Reg("SOFTWARE", forbidden)], &["suspect policy-mdm AllowUpdateService"]);
    expect(
        &[Ten22H2],
        &[Reg("SOFTWARE", forbidden), Reg("SOFTWARE", ENROLLED)],
        &["note policy-mdm AllowUpdateService"],
    );
    let dead = format!("{key}\n\"UpdateServiceUrl\"=\"http://localhost\"\n");
    let dead: &'static str = Box::leak(dead.into_boxed_str());
    expect(&[Ten22H2], &[Reg("SOFTWARE", dead)], &["problem policy-mdm UpdateServiceUrl"]);
    let unset = "[\\Microsoft\\PolicyManager\\current\\device\\Update]\n\"UpdateServiceUrl\"=\"CorpWSUS\"\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", unset)], &["note policy-mdm PolicyManager"]);
    let usual = "[\\Microsoft\\PolicyManager\\current\\device\\Update]\n\"AllowAutoUpdate\"=dword:00000001\n\"DeferQualityUpdatesPeriodInDays\"=dword:00000007\n";
    expect(
        &[Ten22H2, Eleven24H2],
        &[Reg("SOFTWARE", usual), Reg("SOFTWARE", ENROLLED)],
        &["note policy-mdm PolicyManager"],
    );
}

#[test]
fn pauses() {
    if !has_tool("pauses") {
        return;
    }
    let forever = "[\\Microsoft\\WindowsUpdate\\UX\\Settings]\n\"PauseUpdatesStartTime\"=\"2024-01-01T00:00:00Z\"\n\"PauseUpdatesExpiryTime\"=\"2951-12-31T00:00:00Z\"\n\"PauseQualityUpdatesEndTime\"=\"2951-12-31T00:00:00Z\"\n\"FlightSettingsMaxPauseDays\"=dword:00001c84\n";
    expect(
        &[Ten1607, Ten22H2, Eleven24H2],
        &[Reg("SOFTWARE", forever)],
        &["suspect update-pause pause", "note update-pause FlightSettingsMaxPauseDays"],
    );
    expect(&[Xp, Seven, Ten1507], &[Reg("SOFTWARE", forever)], &[]);
    let over = "[\\Microsoft\\WindowsUpdate\\UX\\Settings]\n\"PauseUpdatesStartTime\"=\"2020-01-01T00:00:00Z\"\n\"PauseUpdatesExpiryTime\"=\"2020-02-05T00:00:00Z\"\n\"PauseFeatureUpdatesEndTime\"=\"\"\n\"FlightSettingsMaxPauseDays\"=dword:00000023\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", over)], &[]);
    // A usual pause, by the clock of the machine that runs the test.
    let date = |days: &str| {
        let out = Command::new("date").args(["-u", "-d", days, "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let usual = format!(
        "[\\Microsoft\\WindowsUpdate\\UX\\Settings]\n\"PauseUpdatesStartTime\"=\"{}\"\n\"PauseUpdatesExpiryTime\"=\"{}\"\n",
        date("-5 days"),
        date("+25 days")
    );
    expect(&[Ten22H2], &[Reg("SOFTWARE", Box::leak(usual.into_boxed_str()))], &["note update-pause pause"]);
}

#[test]
fn users() {
    if !has_tool("users") {
        return;
    }
    let locked = "[\\Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000001\n";
    expect(&[Seven, Ten22H2, Eleven24H2], &[RegIn("Users/user/NTUSER.DAT", locked)], &["suspect policy-user user"]);
    expect(
        &[Xp, Server2003],
        &[RegIn("Documents and Settings/user/NTUSER.DAT", locked)],
        &["suspect policy-user user"],
    );
    let managed = [RegIn("Users/user/NTUSER.DAT", locked), Reg("SOFTWARE", IN_A_DOMAIN)];
    expect(&[Seven, Ten22H2], &managed, &["note policy-user user"]);
    let page = "[\\Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer]\n\"SettingsPageVisibility\"=\"showonly:about\"\n";
    expect(&[Ten22H2], &[RegIn("Users/user/NTUSER.DAT", page)], &["note policy-user user"]);
    // A user's hive that is none, or was not written to its end, is said, and stops nothing.
    let volume = broken(Ten22H2, &[]);
    let hive = find(volume.path(), "Users/user/NTUSER.DAT");
    for spoil in [|bytes: &mut Vec<u8>| bytes.clear(), |bytes: &mut Vec<u8>| bytes[4] = bytes[4].wrapping_add(1)] {
        let whole = fs::read(&hive).unwrap();
        let mut bytes = whole.clone();
        spoil(&mut bytes);
        fs::write(&hive, &bytes).unwrap();
        let diagnosis = diagnose(volume.path());
        let unchecked = diagnosis["could_not_check"].as_array().unwrap();
        assert_eq!(unchecked.len(), 1, "{unchecked:?}");
        assert_eq!(unchecked[0]["id"], "policy-user");
        fs::write(&hive, whole).unwrap();
    }
    // A link is never followed.
    let elsewhere = common::scratch();
    fs::rename(&hive, elsewhere.path().join("NTUSER.DAT")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("NTUSER.DAT"), &hive).unwrap();
    let diagnosis = diagnose(volume.path());
    assert_eq!(diagnosis["could_not_check"][0]["id"], "policy-user", "{diagnosis}");
}

#[test]
fn programs_and_tasks() {
    if !has_tool("programs_and_tasks") {
        return;
    }
    let debugger = |name: &str| {
        let text = format!("[\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\{name}]\n\"Debugger\"=\"C:\\\\no\\\\such.exe\"\n");
        Reg("SOFTWARE", Box::leak(text.into_boxed_str()))
    };
    expect(&ALL, &[debugger("wuauclt.exe")], &["problem image-debugger wuauclt.exe"]);
    expect(
        &[Seven, Ten22H2, Server2022],
        &[debugger("TRUSTEDINSTALLER.EXE")],
        &["problem image-debugger TrustedInstaller.exe"],
    );
    expect(
        &[Ten22H2, Eleven24H2],
        &[debugger("UsoClient.exe"), debugger("upfc.exe")],
        &["problem image-debugger UsoClient.exe", "suspect image-debugger upfc.exe"],
    );
    // Another program's debugger is nobody's business, nor a key without one.
    expect(&[Ten22H2], &[debugger("taskmgr.exe")], &[]);
    let other = "[\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\svchost.exe]\n\"MitigationOptions\"=dword:00000001\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", other)], &[]);

    let tasks = "Windows/System32/Tasks/Microsoft/Windows";
    let at = |rest: &str| -> &'static str { Box::leak(format!("{tasks}/{rest}").into_boxed_str()) };
    expect(
        &[EightOne, Ten22H2],
        &[Remove(at("WindowsUpdate/Scheduled Start"))],
        &["suspect update-tasks WindowsUpdate"],
    );
    expect(
        &[Ten1507, Ten22H2, Eleven24H2],
        &[Remove(at("UpdateOrchestrator"))],
        &["suspect update-tasks UpdateOrchestrator"],
    );
    expect(
        &[Ten22H2, Server2022],
        &[Remove(at("UpdateOrchestrator")), File(at("UpdateOrchestrator"), b"x".to_vec())],
        &["problem update-tasks UpdateOrchestrator"],
    );
    let disabled = b"<Task><Settings><Enabled>false</Enabled></Settings></Task>".to_vec();
    expect(
        &[Ten22H2],
        &[File(at("UpdateOrchestrator/Schedule Scan"), disabled)],
        &["note update-tasks UpdateOrchestrator"],
    );
    // A build without the tasks: a note.
    let unregistered = "[-\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tree\\Microsoft\\Windows\\WaaSMedic\\PerformRemediation]\n[-\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tree\\Microsoft\\Windows\\WaaSMedic]\n";
    expect(&[Ten22H2], &[Remove(at("WaaSMedic")), Reg("SOFTWARE", unregistered)], &["note update-tasks WaaSMedic"]);
    expect(&[Seven], &[Remove("Windows/System32/Tasks")], &[]);
}

#[test]
fn hosts() {
    let file = |text: &str| File("Windows/System32/drivers/etc/hosts", text.as_bytes().to_vec());
    let block =
        "127.0.0.1 localhost\r\n0.0.0.0 download.windowsupdate.com\r\n127.0.0.1\tfe2.update.microsoft.com # x\r\n";
    expect(&ALL, &[file(block)], &["problem hosts-file hosts"]);
    expect(&[Xp, Ten22H2], &[file("10.0.0.7 au.download.windowsupdate.com\n")], &["suspect hosts-file hosts"]);
    expect(&[Ten22H2], &[file("::1 tsfe.trafficshaping.dsp.mp.microsoft.com\n")], &["suspect hosts-file hosts"]);
    expect(&[Xp, Ten22H2], &[file("0.0.0.0 windowsupdate.com update.microsoft.com\n")], &["note hosts-file hosts"]);
    let others = "0.0.0.0 ads.example\n#0.0.0.0 download.windowsupdate.com\n0.0.0.0 vortex.data.microsoft.com fe2.update.microsoft.com.akadns.net\nx download.windowsupdate.com\n";
    expect(&ALL, &[file(others)], &[]);
    expect(&[Ten22H2], &[Remove("Windows/System32/drivers/etc/hosts")], &[]);
}

#[test]
fn network() {
    if !has_tool("network") {
        return;
    }
    let rules = "ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules";
    let rule = |text: &str| {
        let text = format!("[\\{rules}]\n\"{{1B2C3D4E-0000-0000-0000-000000000001}}\"=\"{text}\"\n");
        Reg("SYSTEM", Box::leak(text.into_boxed_str()))
    };
    let svchost = "App=%SystemRoot%\\\\system32\\\\svchost.exe";
    let block = format!("v2.10|Action=Block|Active=TRUE|Dir=Out|{svchost}|Svc=wuauserv|Name=x|");
    expect(&[Vista, Seven, EightOne, Ten22H2, Server2022], &[rule(&block)], &["problem firewall-rule wuauserv"]);
    let under = format!("v2.10|Action=Block|Active=TRUE|Dir=Out|Profile=Public|{svchost}|Svc=BITS|Name=x|");
    expect(&[Seven, Ten22H2], &[rule(&under)], &["suspect firewall-rule BITS"]);
    let off: String = ["DomainProfile", "StandardProfile", "PublicProfile"]
        .map(|p| format!("[\\ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\{p}]\n\"EnableFirewall\"=dword:00000000\n"))
        .concat();
    expect(
        &[Ten22H2],
        &[rule(&block), Reg("SYSTEM", Box::leak(off.into_boxed_str()))],
        &["note firewall-rule wuauserv"],
    );
    let strict = "[\\ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\PublicProfile]\n\"DefaultOutboundAction\"=dword:00000001\n";
    expect(&[Seven, Ten22H2], &[Reg("SYSTEM", strict)], &["note firewall-rule DefaultOutboundAction"]);
    let inward = format!("v2.10|Action=Block|Active=TRUE|Dir=In|{svchost}|Svc=wuauserv|Name=x|");
    expect(&[Ten22H2], &[rule(&inward)], &[]);
    let policy = format!("[\\Policies\\Microsoft\\WindowsFirewall\\FirewallRules]\n\"x\"=\"{block}\"\n");
    expect(&[Ten22H2], &[Reg("SOFTWARE", Box::leak(policy.into_boxed_str()))], &["problem firewall-rule wuauserv"]);

    let proxy = |text: &str| {
        let mut bytes = [0x18_u32, 0, 3, u32::try_from(text.len()).unwrap()].map(u32::to_le_bytes).concat();
        bytes.extend(text.bytes());
        bytes.extend([0; 4]);
        let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let reg = format!(
            "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections]\n\"WinHttpSettings\"=hex:{}\n",
            hex.join(",")
        );
        Reg("SOFTWARE", Box::leak(reg.into_boxed_str()))
    };
    expect(&ALL, &[proxy("127.0.0.1:8888")], &["suspect winhttp-proxy WinHttpSettings"]);
    expect(
        &[Ten22H2],
        &[proxy("localhost:3128"), Reg("SOFTWARE", IN_A_DOMAIN)],
        &["note winhttp-proxy WinHttpSettings"],
    );
    expect(&[Xp, Ten22H2], &[proxy("proxy.corp.example:8080")], &["note winhttp-proxy WinHttpSettings"]);
    let direct = "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections]\n\"WinHttpSettings\"=hex:18,00,00,00,00,00,00,00,01,00,00,00,00,00,00,00,00,00,00,00\n";
    expect(&[Xp, Ten22H2], &[Reg("SOFTWARE", direct)], &[]);
    let torn =
        "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections]\n\"WinHttpSettings\"=hex:18,00,00\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", torn)], &["suspect winhttp-proxy WinHttpSettings"]);

    let client = "ControlSet001\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client";
    let tls = |values: &str| Reg("SYSTEM", Box::leak(format!("[\\{client}]\n{values}\n").into_boxed_str()));
    expect(&[Seven, EightOne, Ten22H2], &[tls("\"Enabled\"=dword:00000000")], &["problem tls-settings TLS 1.2"]);
    expect(&[Eleven24H2, Server2022], &[tls("\"Enabled\"=dword:00000000")], &["suspect tls-settings TLS 1.2"]);
    expect(&[EightOne, Ten22H2], &[tls("\"DisabledByDefault\"=dword:00000001")], &["suspect tls-settings TLS 1.2"]);
    expect(&[Seven], &[tls("\"DisabledByDefault\"=dword:00000001")], &[]);
    expect(&[Seven, Ten22H2], &[tls("\"Enabled\"=dword:ffffffff\n\"DisabledByDefault\"=dword:00000000")], &[]);
    expect(&[Xp], &[tls("\"Enabled\"=dword:00000000")], &[]);
    let old = "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\WinHttp]\n\"DefaultSecureProtocols\"=dword:000000a0\n";
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", old)], &["suspect tls-settings WinHTTP"]);
    let sound = "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\WinHttp]\n\"DefaultSecureProtocols\"=dword:00000a80\n";
    expect(&[Seven], &[Reg("SOFTWARE", sound)], &[]);
}

#[test]
fn time() {
    if !has_tool("time") {
        return;
    }
    let zones = "[\\Microsoft\\Windows NT\\CurrentVersion\\Time Zones\\UTC]\n\"Display\"=\"(UTC)\"\n";
    let zone = "[\\ControlSet001\\Control\\TimeZoneInformation]\n\"TimeZoneKeyName\"=\"Middle-earth Standard Time\"\n";
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", zones)], &[]);
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", zones), Reg("SYSTEM", zone)], &["suspect time-settings time zone"]);
    // Without the list nothing can be said.
    expect(&[Ten22H2], &[Reg("SYSTEM", zone)], &[]);
    let universal = "[\\ControlSet001\\Control\\TimeZoneInformation]\n\"RealTimeIsUniversal\"=dword:00000001\n";
    expect(&[Xp, Ten22H2], &[Reg("SYSTEM", universal)], &["note time-settings RealTimeIsUniversal"]);
    let off = "[\\ControlSet001\\Services\\W32Time]\n\"Start\"=dword:00000004\n[\\ControlSet001\\Services\\W32Time\\Parameters]\n\"Type\"=\"NoSync\"\n";
    expect(&[Xp, Ten22H2], &[Reg("SYSTEM", off)], &["note time-settings W32Time"]);
    // The registry of a computer whose clock has stopped.
    for (version, years, wanted) in
        [(Ten22H2, 2002_u64, true), (Seven, 2003, true), (Xp, 2002, false), (Eleven24H2, 2023, false)]
    {
        let volume = broken(version, &[]);
        let path = find(volume.path(), "Windows/System32/config/SYSTEM");
        let mut bytes = fs::read(&path).unwrap();
        let time = (years - 1601) * 315_569_520_000_000 + 1;
        bytes[12..20].copy_from_slice(&time.to_le_bytes());
        let sum =
            (0..127).fold(0, |sum, word| sum ^ u32::from_le_bytes(bytes[word * 4..word * 4 + 4].try_into().unwrap()));
        bytes[508..512].copy_from_slice(&sum.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let new: Vec<Said> =
            said(&diagnose(volume.path())).into_iter().filter(|(_, id, _)| id == "time-settings").collect();
        let clock = ("suspect".to_owned(), "time-settings".to_owned(), "clock".to_owned());
        assert_eq!(new, if wanted { vec![clock] } else { vec![] }, "{version:?}");
    }
}

#[test]
fn sources_and_leftovers() {
    if !has_tool("sources_and_leftovers") {
        return;
    }
    let source = |text: &str| {
        let reg =
            format!("[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing]\n\"LocalSourcePath\"=\"{text}\"\n");
        Reg("SOFTWARE", Box::leak(reg.into_boxed_str()))
    };
    expect(
        &[EightOne, Ten22H2],
        &[source("C:\\\\Sources\\\\SxS")],
        &["suspect policy-servicing-source LocalSourcePath"],
    );
    expect(
        &[Ten22H2],
        &[source("wim:C:\\\\no\\\\install.wim:3")],
        &["suspect policy-servicing-source LocalSourcePath"],
    );
    expect(&[Ten22H2], &[source("C:\\\\Windows")], &["note policy-servicing-source LocalSourcePath"]);
    expect(&[Ten22H2], &[source("\\\\\\\\server\\\\share")], &["note policy-servicing-source LocalSourcePath"]);
    expect(&[Seven], &[source("C:\\\\Sources")], &[]);
    let never = "[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing]\n\"UseWindowsUpdate\"=dword:00000002\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", never)], &["suspect policy-servicing-source UseWindowsUpdate"]);
    expect(
        &[Ten22H2],
        &[Reg("SOFTWARE", never), Reg("SOFTWARE", IN_A_DOMAIN)],
        &["note policy-servicing-source UseWindowsUpdate"],
    );

    let mark = "[\\Microsoft\\WindowsUpdate\\UX]\n\"IsConvergedUpdateStackEnabled\"=dword:00000000\n[\\Microsoft\\WindowsUpdate\\UX\\Settings]\n\"UxOption\"=dword:00000000\n";
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", mark)], &["note reset-leftovers UX"]);
    let folder = "[\\Microsoft\\Windows\\CurrentVersion\\Explorer\\User Shell Folders]\n\"AppData\"=\"C:\\\\Users\\\\admin\\\\AppData\\\\Roaming\"\n";
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", folder)], &["suspect reset-leftovers AppData"]);
    let system = "[\\Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\User Shell Folders]\n\"AppData\"=\"C:\\\\Users\\\\admin\\\\AppData\\\\Roaming\"\n";
    expect(&[Seven, Ten22H2], &[Reg("DEFAULT", system)], &["suspect reset-leftovers AppData"]);
}

#[test]
fn many_profiles_are_bounded_and_hostile_texts_are_shown_harmlessly() {
    if !has_tool("many_profiles_are_bounded_and_hostile_texts_are_shown_harmlessly") {
        return;
    }
    let volume = broken(Ten22H2, &[]);
    let mut hive = HiveBuilder::new(5, "ROOT");
    hive.dword(
        "Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\WindowsUpdate",
        "DisableWindowsUpdateAccess",
        1,
    );
    let bytes = hive.build();
    for number in 0..80 {
        let profile = find(volume.path(), "Users").join(format!("a{number:02}"));
        fs::create_dir(&profile).unwrap();
        fs::write(profile.join("NTUSER.DAT"), &bytes).unwrap();
    }
    let reg = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=hex(1):1b,00,5b,00,33,00,31,00,6d,00,2e,20,00,00\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";
    apply(volume.path(), &Reg("SOFTWARE", reg));
    let diagnosis = diagnose(volume.path());
    let users = said(&diagnosis).iter().filter(|(_, id, _)| id == "policy-user").count();
    // Default and Public stand before them, and have no hive here.
    assert_eq!(users, 62);
    assert!(
        diagnosis["could_not_check"][0]["why"].as_str().unwrap().contains("83 profiles"),
        "{}",
        diagnosis["could_not_check"]
    );
    let text = coldmend("diagnose", volume.path()).expect(1).stdout;
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}
