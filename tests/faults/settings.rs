//! Faults of settings that are no policies: pauses, pages, marks, programs under a debugger, tasks, time, sources.

use std::fs;

use coldmend_fixtures::Version::*;

use crate::common::{find, inject};
use crate::table::{row, Row, Tool, ALL, SINCE_10, SINCE_8};

const UX: &str = "Microsoft\\WindowsUpdate\\UX";
const EXPLORER: &str = "Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer";
const TASKS: &str = "Windows/System32/Tasks/Microsoft/Windows/UpdateOrchestrator";
const ZONE: &str = "[\\ControlSet001\\Control\\TimeZoneInformation]\n";
const FOLDERS: &str = "Microsoft\\Windows\\CurrentVersion\\Explorer\\User Shell Folders";

fn software(check: &'static str, what: &str, key: &str, values: &str) -> Row {
    row(check, what).reg("SOFTWARE", format!("[\\{key}]\n{values}\n"))
}

pub fn rows() -> Vec<Row> {
    let mut rows = pages_and_marks();
    rows.extend(programs());
    rows.extend(tasks());
    rows.extend(time());
    rows.extend(sources());
    rows
}

fn pages_and_marks() -> Vec<Row> {
    let pause =
        |what: &str, values: &str| software("update-pause", what, &format!("{UX}\\Settings"), values).on(SINCE_10);
    vec![
        pause(
            "updates are paused for centuries",
            "\"PauseUpdatesStartTime\"=\"2024-01-01T00:00:00Z\"\n\"PauseUpdatesExpiryTime\"=\"2951-12-31T00:00:00Z\"",
        )
        .suspect("pause"),
        pause("pauses of twenty years are allowed", "\"FlightSettingsMaxPauseDays\"=dword:00001c84").note("FlightSettingsMaxPauseDays"),
        software("settings-page", "the page is hidden (hide:)", EXPLORER, "\"SettingsPageVisibility\"=\"hide:about;windowsupdate\"")
            .on(&[Ten1709, Ten22H2, Eleven24H2, Server2022])
            .note("SettingsPageVisibility"),
        software("settings-page", "the page is not among those that are shown (showonly:)", EXPLORER, "\"SettingsPageVisibility\"=\"showonly:about\"")
            .on(&[Ten1709, Ten22H2, Eleven24H2])
            .note("SettingsPageVisibility"),
        row("sysprep-marker", "the mark of a running sysprep is left")
            .on(ALL)
            .shell("SOFTWARE", "cd \\Microsoft\\Windows\\CurrentVersion\nadd WindowsUpdateSysprepInProgress")
            .suspect("WindowsUpdateSysprepInProgress"),
        software(
            "reset-leftovers",
            "the mark of a reset script",
            UX,
            &format!("\"IsConvergedUpdateStackEnabled\"=dword:00000000\n[\\{UX}\\Settings]\n\"UxOption\"=dword:00000000"),
        )
        .on(ALL)
        .note("UX"),
        software("reset-leftovers", "programs' data is one user's for all", FOLDERS, "\"AppData\"=\"C:\\\\Users\\\\admin\\\\AppData\\\\Roaming\"")
            .suspect("AppData"),
        row("reset-leftovers", "programs' data of the system account is one user's")
            .reg("DEFAULT", format!("[\\Software\\{FOLDERS}]\n\"AppData\"=\"C:\\\\Documents and Settings\\\\admin\\\\Application Data\"\n"))
            .suspect("AppData"),
    ]
}

fn programs() -> Vec<Row> {
    let debugger = |name: &str| {
        software(
            "image-debugger",
            &format!("{name} is started under a debugger that there is not"),
            &format!("Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\{name}"),
            "\"Debugger\"=\"C:\\\\no\\\\such.exe\"",
        )
    };
    vec![
        debugger("wuauclt.exe").on(ALL).problem("wuauclt.exe"),
        debugger("svchost.exe").problem("svchost.exe"),
        debugger("TrustedInstaller.exe").on(&[Vista, Seven, Ten22H2, Server2022]).problem("TrustedInstaller.exe"),
        debugger("UsoClient.exe").on(SINCE_10).problem("UsoClient.exe"),
        debugger("upfc.exe").on(&[Ten22H2, Eleven24H2]).suspect("upfc.exe"),
    ]
}

fn tasks() -> Vec<Row> {
    let tasks = |what: &str| row("update-tasks", what);
    let disabled = b"<Task><Settings><Enabled>false</Enabled></Settings></Task>";
    vec![
        tasks("a registered task has no file")
            .on(SINCE_8)
            .gone("Windows/System32/Tasks/Microsoft/Windows/WindowsUpdate/Scheduled Start")
            .suspect("WindowsUpdate"),
        tasks("the folder of the registered tasks of UpdateOrchestrator is gone").on(SINCE_10).gone(TASKS).suspect("UpdateOrchestrator"),
        tasks("a file stands in the place of UpdateOrchestrator's tasks")
            .on(SINCE_10)
            .gone(TASKS)
            .file(TASKS, b"x")
            .problem("UpdateOrchestrator"),
        tasks("the task that starts a search is disabled")
            .on(SINCE_10)
            .file("Windows/System32/Tasks/Microsoft/Windows/UpdateOrchestrator/Schedule Scan", disabled)
            .note("UpdateOrchestrator"),
        tasks("WaaSMedic's tasks are neither registered nor there")
            .on(&[Ten1809, Ten22H2, Eleven24H2, Server2022])
            .gone("Windows/System32/Tasks/Microsoft/Windows/WaaSMedic")
            .shell("SOFTWARE", "cd \\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tree\\Microsoft\\Windows\\WaaSMedic\ndel")
            .note("WaaSMedic"),
    ]
}

fn time() -> Vec<Row> {
    let time = |what: &str| row("time-settings", what);
    let zones = "[\\Microsoft\\Windows NT\\CurrentVersion\\Time Zones\\UTC]\n\"Display\"=\"(UTC)\"\n";
    vec![
        time("the time zone is none that this Windows knows")
            .on(&[Vista, Seven, Ten22H2, Server2022])
            .reg("SOFTWARE", zones)
            .reg("SYSTEM", format!("{ZONE}\"TimeZoneKeyName\"=\"Middle-earth Standard Time\"\n"))
            .suspect("time zone"),
        time("the clock is taken for universal time")
            .on(ALL)
            .reg("SYSTEM", format!("{ZONE}\"RealTimeIsUniversal\"=dword:00000001\n"))
            .note("RealTimeIsUniversal"),
        time("the time service is disabled").service("W32Time", "\"Start\"=dword:00000004").note("W32Time"),
        time("the time service does not synchronize")
            .service("W32Time\\Parameters", "\"Type\"=\"NoSync\"")
            .note("W32Time"),
        time("SYSTEM was last written years before this Windows was released")
            .on(&[Seven, EightOne, Ten22H2, Eleven24H2, Server2022])
            .make(Tool::Files, |root, _| {
                let path = find(root, "Windows/System32/config/SYSTEM");
                let mut bytes = fs::read(&path).unwrap();
                bytes[12..20].copy_from_slice(&((2003 - 1601) * 315_569_520_000_000_u64).to_le_bytes());
                inject::checksum(&mut bytes);
                fs::write(path, bytes).unwrap();
            })
            .suspect("clock"),
    ]
}

fn sources() -> Vec<Row> {
    let servicing = |what: &str, values: &str| {
        software("policy-servicing-source", what, "Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing", values)
            .on(SINCE_8)
    };
    vec![
        servicing(
            "the source for repairs is a folder that there is not",
            "\"LocalSourcePath\"=\"C:\\\\Sources\\\\SxS\"",
        )
        .suspect("LocalSourcePath"),
        servicing(
            "the source for repairs is an image that there is not",
            "\"LocalSourcePath\"=\"wim:C:\\\\no\\\\install.wim:3\"",
        )
        .suspect("LocalSourcePath"),
        servicing("the source for repairs is on the network", "\"LocalSourcePath\"=\"\\\\\\\\server\\\\share\"")
            .note("LocalSourcePath"),
        servicing("repairs never come from Windows Update", "\"UseWindowsUpdate\"=dword:00000002")
            .suspect("UseWindowsUpdate"),
    ]
}
