//! The checks of policies and switches beside the table of faults (`tests/faults`): what a managed machine has raises no alarm, what is
//! set in two places is one finding with both as evidence, and what only looks like a fault is none. The faults here too are made with
//! tools that are not ours (`hivexregedit`, plain files).
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use coldmend_fixtures::hive::HiveBuilder;
use coldmend_fixtures::Version::{self, *};
use common::inject::{checksum, has_hivexregedit, merge, policy_file, put, remove};
use common::{broken, coldmend, find};
use serde_json::Value;
use tempfile::TempDir;

/// Severity, check and subject.
type Said = (String, String, String);

/// Something that is done to a volume.
enum Break {
    /// A .reg text merged into a hive of `config`, keys from its root.
    Reg(&'static str, &'static str),
    /// A file written, with the folders above it.
    File(&'static str, Vec<u8>),
    /// A file or folder taken away.
    Remove(&'static str),
}
use Break::{File, Reg, Remove};

const LIVE_WSUS: &str = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=\"http://wsus.corp.example:8530\"\n\"WUStatusServer\"=\"http://wsus.corp.example:8530\"\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";
const ENROLLED: &str = "[\\Microsoft\\Enrollments\\0A1B2C3D-0000-0000-0000-000000000001]\n\"EnrollmentState\"=dword:00000001\n\"ProviderID\"=\"MS DM Server\"\n";
const IN_A_DOMAIN: &str =
    "[\\Microsoft\\Windows\\CurrentVersion\\Group Policy\\State\\Machine]\n\"Distinguished-Name\"=\"CN=PC,DC=corp,DC=example\"\n";

fn apply(root: &Path, what: &Break) {
    match what {
        Reg(hive, reg) => merge(root, hive, reg),
        File(path, bytes) => put(root, path, bytes),
        Remove(path) => remove(root, path),
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
    if !has_hivexregedit("update_servers") {
        return;
    }
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
}

#[test]
fn policies_that_come_back() {
    if !has_hivexregedit("policies_that_come_back") {
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
    let taken_back = policy_file(&[
        (wu, "DisableWindowsUpdateAccess", Ok(1)),
        (wu, "**del.DisableWindowsUpdateAccess", Err(" ")),
        (au, "NoAutoUpdate", Ok(1)),
        (au, "**delvals.", Err(" ")),
    ]);
    expect(&[Ten22H2], &[File(MACHINE_POL, taken_back)], &[]);
    let user = "Microsoft\\Windows\\CurrentVersion\\Policies\\WindowsUpdate";
    let locked = policy_file(&[(user, "DisableWindowsUpdateAccess", Ok(1))]);
    let path = "Windows/System32/GroupPolicyUsers/S-1-5-32-545/User/Registry.pol";
    expect(&[Xp, Ten22H2], &[File(path, locked)], &["suspect policy-user User\\Registry.pol"]);
}

#[test]
fn switches() {
    if !has_hivexregedit("switches") {
        return;
    }
    let off = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000001\n";
    let found = "policy-update-access DisableWindowsUpdateAccess";
    expect(
        &[Seven, Ten22H2],
        &[Reg("SOFTWARE", off), Reg("SOFTWARE", LIVE_WSUS)],
        &[&format!("note {found}"), "note policy-wsus WUServer"],
    );
    expect(
        &[Ten22H2],
        &[Reg(
            "SOFTWARE",
            "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000000\n",
        )],
        &[],
    );
    let links = "[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer]\n\"NoWindowsUpdate\"=dword:00000001\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", links)], &[]);
    let internet = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DoNotConnectToWindowsUpdateInternetLocations\"=dword:00000001\n";
    let name = "policy-update-internet DoNotConnectToWindowsUpdateInternetLocations";
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
    let source = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"SetPolicyDrivenUpdateSourceForQualityUpdates\"=dword:00000001\n\"SetPolicyDrivenUpdateSourceForFeatureUpdates\"=dword:00000000\n";
    let name = "policy-update-source SetPolicyDrivenUpdateSourceForQualityUpdates";
    expect(&[Ten22H2], &[Reg("SOFTWARE", source), Reg("SOFTWARE", LIVE_WSUS)], &["note policy-wsus WUServer"]);
    expect(&[Ten22H2], &[Reg("SOFTWARE", source), Reg("SOFTWARE", ENROLLED)], &[&format!("note {name}")]);
}

#[test]
fn device_management() {
    if !has_hivexregedit("device_management") {
        return;
    }
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
    if !has_hivexregedit("pauses") {
        return;
    }
    let forever = "[\\Microsoft\\WindowsUpdate\\UX\\Settings]\n\"PauseUpdatesStartTime\"=\"2024-01-01T00:00:00Z\"\n\"PauseUpdatesExpiryTime\"=\"2951-12-31T00:00:00Z\"\n\"PauseQualityUpdatesEndTime\"=\"2951-12-31T00:00:00Z\"\n\"FlightSettingsMaxPauseDays\"=dword:00001c84\n";
    expect(
        &[Ten22H2],
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
    if !has_hivexregedit("programs_and_tasks") {
        return;
    }
    let debugger = |name: &str| {
        let text = format!("[\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\{name}]\n\"Debugger\"=\"C:\\\\no\\\\such.exe\"\n");
        Reg("SOFTWARE", Box::leak(text.into_boxed_str()))
    };
    expect(&[Seven], &[debugger("TRUSTEDINSTALLER.EXE")], &["problem image-debugger TrustedInstaller.exe"]);
    expect(
        &[Ten22H2, Eleven24H2],
        &[debugger("UsoClient.exe"), debugger("upfc.exe")],
        &["problem image-debugger UsoClient.exe", "suspect image-debugger upfc.exe"],
    );
    // Another program's debugger is nobody's business, nor a key without one.
    expect(&[Ten22H2], &[debugger("taskmgr.exe")], &[]);
    let other = "[\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\svchost.exe]\n\"MitigationOptions\"=dword:00000001\n";
    expect(&[Ten22H2], &[Reg("SOFTWARE", other)], &[]);

    expect(&[Seven], &[Remove("Windows/System32/Tasks")], &[]);
}

#[test]
fn hosts() {
    let file = |text: &str| File("Windows/System32/drivers/etc/hosts", text.as_bytes().to_vec());
    expect(&[Ten22H2], &[file("::1 tsfe.trafficshaping.dsp.mp.microsoft.com\n")], &["suspect hosts-file hosts"]);
    let others = "0.0.0.0 ads.example\n#0.0.0.0 download.windowsupdate.com\n0.0.0.0 vortex.data.microsoft.com fe2.update.microsoft.com.akadns.net\nx download.windowsupdate.com\n";
    expect(&ALL, &[file(others)], &[]);
    expect(&[Ten22H2], &[Remove("Windows/System32/drivers/etc/hosts")], &[]);
}

#[test]
fn network() {
    if !has_hivexregedit("network") {
        return;
    }
    let rules = "ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules";
    let rule = |text: &str| {
        let text = format!("[\\{rules}]\n\"{{1B2C3D4E-0000-0000-0000-000000000001}}\"=\"{text}\"\n");
        Reg("SYSTEM", Box::leak(text.into_boxed_str()))
    };
    let svchost = "App=%SystemRoot%\\\\system32\\\\svchost.exe";
    let inward = format!("v2.10|Action=Block|Active=TRUE|Dir=In|{svchost}|Svc=wuauserv|Name=x|");
    expect(&[Ten22H2], &[rule(&inward)], &[]);
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
    expect(
        &[Ten22H2],
        &[proxy("localhost:3128"), Reg("SOFTWARE", IN_A_DOMAIN)],
        &["note winhttp-proxy WinHttpSettings"],
    );
    let direct = "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections]\n\"WinHttpSettings\"=hex:18,00,00,00,00,00,00,00,01,00,00,00,00,00,00,00,00,00,00,00\n";
    expect(&[Xp, Ten22H2], &[Reg("SOFTWARE", direct)], &[]);
    let client = "ControlSet001\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client";
    let tls = |values: &str| Reg("SYSTEM", Box::leak(format!("[\\{client}]\n{values}\n").into_boxed_str()));
    expect(&[Seven], &[tls("\"DisabledByDefault\"=dword:00000001")], &[]);
    expect(&[Seven, Ten22H2], &[tls("\"Enabled\"=dword:ffffffff\n\"DisabledByDefault\"=dword:00000000")], &[]);
    expect(&[Xp], &[tls("\"Enabled\"=dword:00000000")], &[]);
    let sound = "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\WinHttp]\n\"DefaultSecureProtocols\"=dword:00000a80\n";
    expect(&[Seven], &[Reg("SOFTWARE", sound)], &[]);
}

#[test]
fn time() {
    if !has_hivexregedit("time") {
        return;
    }
    let zones = "[\\Microsoft\\Windows NT\\CurrentVersion\\Time Zones\\UTC]\n\"Display\"=\"(UTC)\"\n";
    let zone = "[\\ControlSet001\\Control\\TimeZoneInformation]\n\"TimeZoneKeyName\"=\"Middle-earth Standard Time\"\n";
    expect(&[Seven, Ten22H2], &[Reg("SOFTWARE", zones)], &[]);
    // Without the list nothing can be said.
    expect(&[Ten22H2], &[Reg("SYSTEM", zone)], &[]);
    // The registry of a computer whose clock has stopped.
    for (version, years, wanted) in [(Ten22H2, 2002_u64, true), (Xp, 2002, false), (Eleven24H2, 2023, false)] {
        let volume = broken(version, &[]);
        let path = find(volume.path(), "Windows/System32/config/SYSTEM");
        let mut bytes = fs::read(&path).unwrap();
        let time = (years - 1601) * 315_569_520_000_000 + 1;
        bytes[12..20].copy_from_slice(&time.to_le_bytes());
        checksum(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let new: Vec<Said> =
            said(&diagnose(volume.path())).into_iter().filter(|(_, id, _)| id == "time-settings").collect();
        let clock = ("suspect".to_owned(), "time-settings".to_owned(), "clock".to_owned());
        assert_eq!(new, if wanted { vec![clock] } else { vec![] }, "{version:?}");
    }
}

#[test]
fn sources() {
    if !has_hivexregedit("sources") {
        return;
    }
    let source = |text: &str| {
        let reg =
            format!("[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing]\n\"LocalSourcePath\"=\"{text}\"\n");
        Reg("SOFTWARE", Box::leak(reg.into_boxed_str()))
    };
    expect(&[Ten22H2], &[source("C:\\\\Windows")], &["note policy-servicing-source LocalSourcePath"]);
    expect(&[Seven], &[source("C:\\\\Sources")], &[]);
    let never = "[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing]\n\"UseWindowsUpdate\"=dword:00000002\n";
    expect(
        &[Ten22H2],
        &[Reg("SOFTWARE", never), Reg("SOFTWARE", IN_A_DOMAIN)],
        &["note policy-servicing-source UseWindowsUpdate"],
    );
}

#[test]
fn many_profiles_are_bounded_and_hostile_texts_are_shown_harmlessly() {
    if !has_hivexregedit("many_profiles_are_bounded_and_hostile_texts_are_shown_harmlessly") {
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
