//! Faults of policies: update servers, switches, device management, what is set for users.

use coldmend_fixtures::Version::*;

use crate::common::inject::policy_file;
use crate::table::{row, Row, ALL, SINCE_10, SINCE_8};

const WU: &str = "Policies\\Microsoft\\Windows\\WindowsUpdate";
const AU: &str = "Policies\\Microsoft\\Windows\\WindowsUpdate\\AU";
const MDM: &str = "Microsoft\\PolicyManager\\current\\device\\Update";
const MACHINE_POL: &str = "Windows/System32/GroupPolicy/Machine/Registry.pol";
const USER_POL: &str = "Windows/System32/GroupPolicy/User/Registry.pol";
const OF_USER: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Policies";
const ENROLLED: &str = "[\\Microsoft\\Enrollments\\0A1B2C3D-0000-0000-0000-000000000001]\n\"EnrollmentState\"=dword:00000001\n\"ProviderID\"=\"MS DM Server\"\n";
const IN_A_DOMAIN: &str =
    "[\\Microsoft\\Windows\\CurrentVersion\\Group Policy\\State\\Machine]\n\"Distinguished-Name\"=\"CN=PC,DC=corp,DC=example\"\n";

/// Values of a key of SOFTWARE.
fn set(check: &'static str, what: &str, key: &str, values: &str) -> Row {
    row(check, what).reg("SOFTWARE", format!("[\\{key}]\n{values}\n"))
}

/// An update server, for updates and for reports, that is to be used.
fn server(what: &str, address: &str) -> Row {
    set(
        "policy-wsus",
        what,
        WU,
        &format!(
            "\"WUServer\"=\"{address}\"\n\"WUStatusServer\"=\"{address}\"\n[\\{AU}]\n\"UseWUServer\"=dword:00000001"
        ),
    )
}

pub fn rows() -> Vec<Row> {
    let mut rows = update_server();
    rows.extend(switches());
    rows.extend(files());
    rows.extend(mdm());
    rows.extend(users());
    rows
}

fn update_server() -> Vec<Row> {
    let some = &[Seven, Server2022];
    let dead = |what: &str, address: &str| server(what, address).problem("WUServer");
    vec![
        server("an update server of the owner's is used", "http://wsus.corp.example:8530").note("WUServer"),
        dead("the update server is this computer (localhost)", "http://localhost:8530").on(ALL),
        dead("the update server is this computer (127.0.0.1)", "http://127.0.0.1").on(some),
        dead("the update server is this computer ([::1])", "https://[::1]:8531").on(some),
        dead("the update server is no computer (0.0.0.0)", "http://0.0.0.0").on(some),
        dead("the update server's address is no address", "wsus.corp").on(some),
        dead("the update server's address is empty", ""),
        set("policy-wsus", "an update server is to be used, and none is named", AU, "\"UseWUServer\"=dword:00000001")
            .problem("WUServer"),
        set(
            "policy-wsus",
            "no server for reports is named",
            WU,
            &format!("\"WUServer\"=\"http://wsus:8530\"\n[\\{AU}]\n\"UseWUServer\"=dword:00000001"),
        )
        .on(some)
        .note("WUServer")
        .suspect("WUStatusServer"),
        set(
            "policy-wsus",
            "Windows' own copy of the policies names this computer as update server",
            "Microsoft\\WindowsUpdate\\UpdatePolicy\\GPCache\\CacheSet001\\WindowsUpdate",
            "\"WUServer\"=\"http://localhost\"\n[\\Microsoft\\WindowsUpdate\\UpdatePolicy\\GPCache\\CacheSet001\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001",
        )
        .on(SINCE_10)
        .note("GPCache"),
        set("policy-update-source", "updates are to come from a server that there is not", WU, "\"SetPolicyDrivenUpdateSourceForQualityUpdates\"=dword:00000001\n\"SetPolicyDrivenUpdateSourceForFeatureUpdates\"=dword:00000000")
            .on(&[Ten22H2, Eleven24H2, Server2022])
            .suspect("SetPolicyDrivenUpdateSourceForQualityUpdates"),
    ]
}

fn switches() -> Vec<Row> {
    let off = "\"DisableWindowsUpdateAccess\"=dword:00000001";
    let access = |what: &str, key: &str, values: &str| set("policy-update-access", what, key, values);
    let internet = "\"DoNotConnectToWindowsUpdateInternetLocations\"=dword:00000001";
    let automatic = |what: &str, key: &str, values: &str| set("policy-automatic-updates", what, key, values);
    vec![
        access("Windows Update is switched off", WU, off).on(ALL).problem("DisableWindowsUpdateAccess"),
        access("Windows Update is switched off, in a domain", WU, off)
            .on(&[Xp, Seven, Ten22H2, Server2022])
            .reg("SOFTWARE", IN_A_DOMAIN)
            .suspect("DisableWindowsUpdateAccess"),
        access("Windows Update is switched off, under device management", WU, off)
            .on(&[Ten22H2, Eleven24H2])
            .reg("SOFTWARE", ENROLLED)
            .note("DisableWindowsUpdateAccess"),
        access("searching is taken from users", WU, "\"SetDisableUXWUAccess\"=dword:00000001")
            .on(SINCE_10)
            .note("SetDisableUXWUAccess"),
        access(
            "the links to Windows Update are taken away",
            "Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer",
            "\"NoWindowsUpdate\"=dword:00000001",
        )
        .on(&[Xp, Seven, EightOne])
        .note("NoWindowsUpdate"),
        set("policy-update-internet", "nothing on the internet may be asked, and there is no update server", WU, internet)
            .on(SINCE_8)
            .suspect("DoNotConnectToWindowsUpdateInternetLocations"),
        automatic("automatic updates are off (NoAutoUpdate)", AU, "\"NoAutoUpdate\"=dword:00000001").on(ALL).note("NoAutoUpdate"),
        automatic("automatic updates are off (AUOptions is 1)", AU, "\"AUOptions\"=dword:00000001").note("AUOptions"),
        automatic(
            "the control panel says: never check",
            "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update",
            "\"AUOptions\"=dword:00000001",
        )
        .on(&[Xp, Seven, EightOne])
        .note("AUOptions"),
        set(
            "policy-target-version",
            "feature updates are held at a version",
            WU,
            "\"TargetReleaseVersion\"=dword:00000001\n\"TargetReleaseVersionInfo\"=\"21H2\"\n\"ProductVersion\"=\"Windows 10\"",
        )
        .on(&[Ten1809, Ten22H2, Eleven24H2, Server2022])
        .note("TargetReleaseVersion")
        .says("21H2"),
    ]
}

fn files() -> Vec<Row> {
    let damaged = |what: &str, bytes: &'static [u8]| {
        row("policy-file", format!("Registry.pol {what}")).file(MACHINE_POL, bytes).suspect("Registry.pol")
    };
    let off = policy_file(&[(WU, "DisableWindowsUpdateAccess", Ok(1))]);
    let dead = policy_file(&[(WU, "WUServer", Err("http://localhost")), (AU, "UseWUServer", Ok(1))]);
    vec![
        damaged("has no bytes", b"").on(ALL),
        damaged("is something else", b"not a policy"),
        damaged("is cut", b"PReg\x01\0\0\0["),
        row("policy-update-access", "Registry.pol switches Windows Update off at the next refresh")
            .file(MACHINE_POL, off)
            .suspect("DisableWindowsUpdateAccess"),
        row("policy-wsus", "Registry.pol names this computer as update server")
            .file(MACHINE_POL, dead)
            .suspect("WUServer"),
    ]
}

fn mdm() -> Vec<Row> {
    let mdm = |what: &str, values: &str| set("policy-mdm", what, MDM, values).on(SINCE_10);
    vec![
        mdm(
            "the update service is forbidden on a device that nobody manages",
            "\"AllowUpdateService\"=dword:00000000\n\"AllowUpdateService_ProviderSet\"=dword:00000001",
        )
        .suspect("AllowUpdateService"),
        mdm("the update service is forbidden by device management", "\"AllowUpdateService\"=dword:00000000")
            .reg("SOFTWARE", ENROLLED)
            .note("AllowUpdateService"),
        mdm("device management's update server is this computer", "\"UpdateServiceUrl\"=\"http://localhost\"")
            .problem("UpdateServiceUrl"),
        mdm("update policies of device management", "\"DeferQualityUpdatesPeriodInDays\"=dword:00000007")
            .note("PolicyManager"),
    ]
}

fn users() -> Vec<Row> {
    let hive = "Users/user/NTUSER.DAT";
    let hive_of_xp = "Documents and Settings/user/NTUSER.DAT";
    let locked = format!("[\\{OF_USER}\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000001\n");
    let page = format!("[\\{OF_USER}\\Explorer]\n\"SettingsPageVisibility\"=\"showonly:about\"\n");
    let links = format!("[\\{OF_USER}\\Explorer]\n\"NoWindowsUpdate\"=dword:00000001\n");
    let user = |what: &str| row("policy-user", what);
    let key = "Microsoft\\Windows\\CurrentVersion\\Policies\\WindowsUpdate";
    vec![
        user("a user is locked out").on(&[Seven, Ten22H2, Server2022]).reg(hive, &locked).suspect("user"),
        user("a user is locked out, before Vista").on(&[Xp, Server2003]).reg(hive_of_xp, &locked).suspect("user"),
        user("a user is locked out, in a domain")
            .on(&[Seven, Ten22H2, Server2022])
            .reg(hive, &locked)
            .reg("SOFTWARE", IN_A_DOMAIN)
            .note("user"),
        user("a user has no links to Windows Update").on(&[Seven, EightOne]).reg(hive, links).suspect("user"),
        user("a user does not see the page in Settings")
            .on(&[Ten1709, Ten22H2, Eleven24H2])
            .reg(hive, page)
            .note("user"),
        user("the policy file for users locks them out")
            .file(USER_POL, policy_file(&[(key, "DisableWindowsUpdateAccess", Ok(1))]))
            .suspect("User\\Registry.pol"),
        user("a user's hive has no bytes").on(&[Seven, Ten22H2]).file(hive, b"").unchecked("policy-user"),
    ]
}
