//! `helper-services`: each service that updating leans on, disabled, deleted or marked for deletion, is found as what it is on that
//! version, and nothing else is; every other start type is healthy.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use coldmend_fixtures::Version::{self, *};
use common::diagnosis::{diagnose, expect, said};
use common::inject::{has_hivexregedit, merge};

const SERVICES: &str = "ControlSet001\\Services";
const LIVE_WSUS: &str = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=\"http://wsus.corp.example:8530\"\n\"WUStatusServer\"=\"http://wsus.corp.example:8530\"\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";

fn start(root: &Path, service: &str, start: u32) {
    merge(root, "SYSTEM", &format!("[\\{SERVICES}\\{service}]\n\"Start\"=dword:{start:08x}\n"));
}

fn delete(root: &Path, service: &str) {
    merge(root, "SYSTEM", &format!("[-\\{SERVICES}\\{service}]\n"));
}

#[test]
fn a_disabled_service_is_found_for_what_it_is() {
    if !has_hivexregedit("a_disabled_service_is_found_for_what_it_is") {
        return;
    }
    let vista: &[Version] = &[Vista, Seven, EightOne, Server2016, Ten22H2, Eleven24H2];
    for (versions, service, severity, words) in [
        (vista, "BFE", "suspect", "0x800706D9"),
        (vista, "mpssvc", "suspect", "0x800706D9"),
        (vista, "gpsvc", "note", "group policy"),
        (vista, "WinHttpAutoProxySvc", "note", "proxy"),
        (&[Xp, Vista, Seven][..], "Schedule", "note", "timers of its own"),
        (&[EightOne, Server2016, Ten22H2, Eleven24H2], "Schedule", "suspect", "start a search"),
        (&[Ten1709, Ten22H2, Eleven24H2], "wlidsvc", "suspect", "0x80070426"),
        (&[Server2022, Server2025], "wlidsvc", "note", "without it"),
    ] {
        let wanted = format!("{severity} helper-services {service}");
        expect(versions, &|r| start(r, service, 4), &[&wanted], words);
    }
    // Neither automatic nor manual is anybody's business.
    let all = ["BFE", "mpssvc", "gpsvc", "WinHttpAutoProxySvc", "Schedule", "W32Time", "wlidsvc"];
    for healthy in [2, 3] {
        expect(&[Ten22H2], &|r| all.iter().for_each(|service| start(r, service, healthy)), &[], "");
    }
    // Before the versions that need it, and XP's firewall, which has other services.
    expect(&[EightOne, Ten1507, Server2016], &|r| start(r, "wlidsvc", 4), &[], "");
    expect(&[Xp], &|r| ["BFE", "mpssvc", "gpsvc"].iter().for_each(|s| start(r, s, 4)), &[], "");
}

#[test]
fn a_deleted_service_is_found_too() {
    if !has_hivexregedit("a_deleted_service_is_found_too") {
        return;
    }
    let gone = "has been deleted";
    expect(&[Vista, Server2016, Eleven24H2], &|r| delete(r, "gpsvc"), &["note helper-services gpsvc"], gone);
    expect(&[Xp, Seven, Ten22H2], &|r| delete(r, "W32Time"), &["note helper-services W32Time"], gone);
    expect(&[Seven, Ten22H2], &|r| delete(r, "mpssvc"), &["suspect helper-services mpssvc"], gone);
    expect(&[Ten22H2], &|r| delete(r, "wlidsvc"), &["suspect helper-services wlidsvc"], gone);
    // Servers need not have it.
    expect(&[Server2022], &|r| delete(r, "wlidsvc"), &[], "");
    let marked = format!("[\\{SERVICES}\\BFE]\n\"DeleteFlag\"=dword:00000001\n");
    expect(&[Seven, Ten22H2], &|r| merge(r, "SYSTEM", &marked), &["suspect helper-services BFE"], "DeleteFlag");
    let odd = format!("[\\{SERVICES}\\BFE]\n\"Start\"=\"auto\"\n");
    expect(&[Seven, Ten22H2], &|r| merge(r, "SYSTEM", &odd), &["suspect helper-services BFE"], "no valid start type");
}

#[test]
fn on_a_managed_machine_the_sign_in_assistant_may_be_meant() {
    if !has_hivexregedit("on_a_managed_machine_the_sign_in_assistant_may_be_meant") {
        return;
    }
    let managed = |r: &Path| {
        merge(r, "SOFTWARE", LIVE_WSUS);
        start(r, "wlidsvc", 4);
        start(r, "mpssvc", 4);
    };
    let wanted = ["note helper-services wlidsvc", "suspect helper-services mpssvc", "note policy-wsus WUServer"];
    expect(&[Ten22H2], &managed, &wanted, "");
}

/// A build that the tables do not know is not called healthy.
#[test]
fn an_unknown_build_is_not_judged() {
    if !has_hivexregedit("an_unknown_build_is_not_judged") {
        return;
    }
    let volume = common::broken(Ten22H2, &[]);
    let key =
        "[\\Microsoft\\Windows NT\\CurrentVersion]\n\"CurrentBuildNumber\"=\"21999\"\n\"CurrentBuild\"=\"21999\"\n";
    merge(volume.path(), "SOFTWARE", key);
    start(volume.path(), "mpssvc", 4);
    let diagnosis = diagnose(volume.path());
    let unchecked = diagnosis["could_not_check"].as_array().unwrap();
    assert!(unchecked.iter().any(|item| item["id"] == "helper-services"), "{unchecked:?}");
    assert!(!said(&diagnosis).iter().any(|line| line.contains("helper-services")), "{diagnosis}");
}

/// `hive-state`: marks of a recovered registry are a note, and what else stands there is nothing.
#[test]
fn a_recovered_registry_is_a_note() {
    if !has_hivexregedit("a_recovered_registry_is_a_note") {
        return;
    }
    let manager = "ControlSet001\\Control\\Session Manager\\Configuration Manager";
    let healthy = format!("[\\{manager}]\n\"BackupCount\"=dword:00000002\n\"EnablePeriodicBackup\"=dword:00000001\n[\\{manager}\\Defrag]\n\"LastRun\"=\"06:22:2022\"\n");
    expect(&[Xp, Seven, Ten22H2], &|r| merge(r, "SYSTEM", &healthy), &[], "");
    let marked = format!("[\\{manager}\\RegistryRecovery]\n\"x\"=dword:00000001\n");
    let wanted = ["note hive-state Configuration Manager"];
    expect(&[Xp, Seven, Ten22H2], &|r| merge(r, "SYSTEM", &marked), &wanted, "RegistryRecovery");
}
