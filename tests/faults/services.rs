//! Faults of the update services' keys.

use std::path::Path;
use std::process::Command;

use coldmend_fixtures::Version::{self, *};

use crate::common::{find, inject};
use crate::table::{row, Row, Tool, ALL, EVERY, SINCE_8, SINCE_VISTA};

/// All that may be done to a service.
const FULL: u32 = 0xF01FF;
/// Query configuration, status and dependents, interrogate, read the descriptor.
const LOOK: u32 = 0x2018D;
/// The same, and start, stop and pause.
const RUN: u32 = 0x201FD;
const SYSTEM: &[u32] = &[18];
const ADMINISTRATORS: &[u32] = &[32, 544];
const POWER_USERS: &[u32] = &[32, 547];
const AUTHENTICATED: &[u32] = &[11];
const EVERYBODY_OF_INTERACTIVE: &[u32] = &[4];

const SVCHOST: &str = "\\Microsoft\\Windows NT\\CurrentVersion\\Svchost";

/// Versions in which the table of services has full definitions, so that a key can be made again.
const DEFINED: &[Version] = &[Xp, Seven, Ten1909, Ten22H2];

/// Takes a service's name out of the list of its svchost group.
fn out_of_group(group: &'static str, name: &'static str) -> impl Fn(&Path, Version) {
    move |root, _| {
        let hive = find(root, "Windows/System32/config/SOFTWARE");
        let output = Command::new("hivexget").arg(hive).args([SVCHOST, group]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let all = String::from_utf8(output.stdout).unwrap();
        let left: Vec<&str> = all.lines().filter(|line| !line.is_empty() && !line.eq_ignore_ascii_case(name)).collect();
        assert!(left.len() < all.lines().count(), "{group} does not list {name}: {all}");
        inject::merge(root, "SOFTWARE", &format!("[{SVCHOST}]\n\"{group}\"={}\n", inject::list_value(&left)));
    }
}

fn descriptor(what: &str, service: &str, bytes: &[u8]) -> Row {
    let key = format!("{service}\\Security");
    row("service-descriptor", format!("{service}: {what}"))
        .service(&key, format!("\"Security\"={}", inject::bytes_value(3, bytes)))
}

/// What updating leans on beside its own services.
fn helpers() -> Vec<Row> {
    let off = |service: &str| {
        row("helper-services", format!("{service} is disabled")).service(service, "\"Start\"=dword:00000004")
    };
    let gone = |service: &str| {
        row("helper-services", format!("{service} is deleted"))
            .reg("SYSTEM", format!("[-\\ControlSet001\\Services\\{service}]\n"))
    };
    vec![
        off("mpssvc").on(SINCE_VISTA).suspect("mpssvc").says("0x800706D9"),
        off("Schedule").on(SINCE_8).suspect("Schedule"),
        off("wlidsvc").on(&[Ten22H2, Eleven24H2]).suspect("wlidsvc").says("0x80070426"),
        off("gpsvc").on(SINCE_VISTA).note("gpsvc"),
        gone("W32Time").on(&[Xp, Seven, Ten22H2]).note("W32Time"),
        gone("BFE").on(&[Seven, Server2022]).suspect("BFE"),
    ]
}

pub fn rows() -> Vec<Row> {
    let mut rows = missing();
    rows.extend(start());
    rows.extend(type_and_program());
    rows.extend(the_rest());
    rows.extend(groups());
    rows.extend(descriptors());
    rows.extend(helpers());
    rows
}

fn missing() -> Vec<Row> {
    let deleted = |name: &str| {
        row("service-missing", format!("{name}'s key is gone"))
            .shell("SYSTEM", format!("cd \\{}\\{name}\ndel", inject::SERVICES))
            .problem(name)
    };
    let of_others = |mut row: Row| {
        row.fault += ", on a Windows of which no full definition is known";
        row
    };
    vec![
        deleted("wuauserv").on(DEFINED).remedy("services-config"),
        of_others(deleted("wuauserv")).on(&[Vista, EightOne, Ten1607, Server2022]),
        deleted("BITS").on(DEFINED).remedy("services-config"),
        deleted("TrustedInstaller").on(&[Seven, Ten22H2]).remedy("services-config"),
        of_others(deleted("TrustedInstaller")).on(&[EightOne, Eleven24H2, Server2022]),
        deleted("UsoSvc").on(&[Ten22H2]).remedy("services-config"),
        of_others(deleted("UsoSvc")).on(&[Ten1607, Eleven24H2, Server2022]),
        deleted("DoSvc").on(&[Ten22H2]).remedy("services-config"),
        deleted("WaaSMedicSvc").on(&[Ten22H2]).remedy("services-config"),
        row("service-missing", "BITS is marked for deletion (DeleteFlag is 1)")
            .on(ALL)
            .service("BITS", "\"DeleteFlag\"=dword:00000001")
            .problem("BITS")
            .remedy("services-config"),
    ]
}

fn start() -> Vec<Row> {
    let with = |name: &str, what: &str, value: &str| {
        row("service-start", format!("{name} {what}")).service(name, format!("\"Start\"={value}"))
    };
    let disabled = |name: &'static str| {
        with(name, "is disabled (Start is 4)", "dword:00000004")
            .problem(name)
            .remedy("services-start")
            .says("is disabled")
    };
    let mut rows = vec![
        disabled("wuauserv").on(EVERY),
        disabled("BITS"),
        disabled("CryptSvc"),
        disabled("msiserver"),
        disabled("TrustedInstaller").on(&[Vista, Seven, Ten22H2]),
        disabled("AppIDSvc").on(&[Seven, EightOne, Eleven24H2]),
        disabled("UsoSvc").on(&[Ten1607, Ten22H2, Eleven24H2]),
        disabled("DoSvc").on(&[Ten1607, Ten1709, Ten22H2]),
        disabled("WaaSMedicSvc").on(&[Ten1909, Eleven24H2]),
        disabled("sppsvc").on(&[Seven, Server2016]),
    ];
    for name in ["RpcSs", "DcomLaunch", "EventSystem", "EventLog"] {
        rows.push(disabled(name).on(&[Xp, Server2022]));
    }
    rows.push(disabled("RpcEptMapper").on(&[Seven, Server2022]));
    rows.extend([
        with("wuauserv", "is manual where its default is automatic (Start is 3)", "dword:00000003")
            .on(&[Xp, Seven])
            .suspect("wuauserv")
            .remedy("services-start"),
        with("CryptSvc", "is manual where its default is automatic (Start is 3)", "dword:00000003")
            .on(&[Xp, Seven, EightOne, Server2016, Eleven24H2])
            .suspect("CryptSvc")
            .remedy("services-start"),
        with("TrustedInstaller", "is automatic although nothing waits (Start is 2)", "dword:00000002")
            .on(&[Seven, EightOne, Ten22H2, Eleven24H2])
            .note("TrustedInstaller")
            .remedy("services-start"),
        with("EventLog", "has a driver's start type (Start is 1)", "dword:00000001")
            .on(&[Xp, Seven, Ten22H2, Server2022])
            .problem("EventLog")
            .remedy("services-start"),
        with("wuauserv", "has a start type that there is not (Start is 7)", "dword:00000007")
            .on(&[Xp, Seven, Ten22H2, Eleven24H2])
            .problem("wuauserv")
            .remedy("services-start"),
        with("BITS", "has a text for its start type", "\"3\"")
            .on(&[Xp, Seven, Ten22H2, Eleven24H2])
            .problem("BITS")
            .remedy("services-start"),
    ]);
    rows
}

fn type_and_program() -> Vec<Row> {
    let config = |check: &'static str, service: &'static str, what: &str, values: String| {
        row(check, format!("{service}: {what}")).service(service, values)
    };
    let ty = |service, what, value: u32| config("service-type", service, what, format!("\"Type\"=dword:{value:08x}"));
    let image = |service: &'static str, what, path: &str| {
        config("service-image-path", service, what, format!("\"ImagePath\"={}", inject::text_value(2, path)))
            .problem(service)
            .remedy("services-config")
    };
    let dll = |service: &'static str, what, path: &str| {
        let values = format!("\"ServiceDll\"={}", inject::text_value(2, path));
        row("service-dll", format!("{service}: {what}")).service(&format!("{service}\\Parameters"), values)
    };
    vec![
        ty("wuauserv", "the type of a driver", 1).on(ALL).problem("wuauserv").remedy("services-config"),
        ty("BITS", "a type that there is not", 0x40).problem("BITS").remedy("services-config"),
        ty("msiserver", "a shared process where it has its own", 0x20)
            .on(&[Seven, EightOne, Ten22H2, Server2022])
            .note("msiserver")
            .remedy("services-config"),
        image("wuauserv", "another program", "%SystemRoot%\\Temp\\updater.exe").on(EVERY),
        image("BITS", "another svchost group", "%SystemRoot%\\System32\\svchost.exe -k nobody"),
        image("TrustedInstaller", "another program", "%SystemRoot%\\System32\\cmd.exe")
            .on(&[Vista, EightOne, Server2022]),
        image("msiserver", "no path at all", "").unchecked("service-file"),
        dll("wuauserv", "another library", "%SystemRoot%\\system32\\blocked.dll")
            .on(&[Xp, Server2003, Seven, EightOne, Server2012R2, Ten1607, Server2016, Ten22H2, Server2022, Eleven21H2])
            .problem("wuauserv")
            .remedy("services-config"),
        dll("BITS", "Windows' library in another folder", "C:\\Windows\\Temp\\qmgr.dll")
            .on(&[Xp, Vista, Ten22H2])
            .problem("BITS")
            .remedy("services-config"),
        dll("wuauserv", "another library, where two are known for the version", "%SystemRoot%\\system32\\blocked.dll")
            .on(&[Vista])
            .problem("wuauserv"),
    ]
}

fn the_rest() -> Vec<Row> {
    let config = |check: &'static str, service: &'static str, what: &str, values: String| {
        row(check, format!("{service}: {what}")).service(service, values).problem(service).remedy("services-config")
    };
    let account =
        |service, what, name: &str| config("service-account", service, what, format!("\"ObjectName\"=\"{name}\""));
    let depends = |service: &'static str, what: &str, on: &[&str]| {
        row("service-dependencies", format!("{service}: {what}"))
            .service(service, format!("\"DependOnService\"={}", inject::list_value(on)))
    };
    let privileges = |service, what, list: &[&str]| {
        row("service-privileges", format!("{service}: {what}"))
            .service(service, format!("\"RequiredPrivileges\"={}", inject::list_value(list)))
            .problem(service)
    };
    let part_known = |mut row: Row| {
        row.fault += ", on a Windows of which only a part of the list is known";
        row
    };
    let untriggered = |service: &str| {
        row("service-triggers", format!("{service}'s triggers are gone"))
            .shell("SYSTEM", format!("cd \\{}\\{service}\\TriggerInfo\ndel", inject::SERVICES))
    };
    vec![
        account("wuauserv", "runs as a guest", ".\\\\Guest").on(EVERY),
        account("CryptSvc", "runs as LocalSystem instead of NetworkService", "LocalSystem")
            .on(&[Seven, EightOne, Server2022]),
        account("TrustedInstaller", "runs as NetworkService", "NT AUTHORITY\\\\NetworkService")
            .on(&[Vista, Seven, Ten22H2, Server2022]),
        depends("TrustedInstaller", "waits for a service that does not belong there", &["RpcSs"])
            .on(&[Seven, Ten1607, Eleven24H2])
            .problem("TrustedInstaller")
            .remedy("services-config")
            .says("does not belong there"),
        depends("wuauserv", "waits for a service that there is not", &["rpcss", "NoSuchBlocker"])
            .on(&[Xp, Seven, EightOne, Ten1607, Ten22H2, Server2022])
            .problem("wuauserv")
            .remedy("services-config")
            .says("there is no service NoSuchBlocker"),
        depends("BITS", "waits for a service that is disabled", &["RpcSs", "EventSystem", "Blocker"])
            .reg("SYSTEM", inject::service("Blocker", 4, 0x10, Some("C:\\Windows\\blocker.exe")))
            .problem("BITS")
            .remedy("services-config")
            .says("Blocker is disabled"),
        depends("BITS", "no longer waits for RpcSs", &[]).suspect("BITS").remedy("services-config"),
        config(
            "service-dependencies",
            "BITS",
            "a number where the names belong",
            "\"DependOnService\"=dword:00000001".into(),
        ),
        privileges("wuauserv", "all privileges but the first are gone", &["SeAuditPrivilege"])
            .on(&[Seven, Ten22H2, Eleven21H2])
            .remedy("services-config"),
        part_known(privileges("wuauserv", "all privileges but the first are gone", &["SeAuditPrivilege"]))
            .on(&[EightOne, Ten1507, Server2016, Ten1709]),
        privileges("BITS", "the privileges are replaced", &["SeChangeNotifyPrivilege"])
            .on(&[Seven, Ten22H2, Eleven21H2])
            .remedy("services-config"),
        part_known(privileges("BITS", "the privileges are replaced", &["SeChangeNotifyPrivilege"]))
            .on(&[Eight, EightOne, Ten1607, Server2016]),
        privileges("msiserver", "all privileges but one are gone", &["SeShutdownPrivilege"])
            .on(&[Seven, Ten22H2, Eleven21H2])
            .remedy("services-config"),
        untriggered("wuauserv").on(&[Ten1909, Ten22H2, Eleven21H2]).problem("wuauserv").remedy("services-config"),
        row("service-triggers", "wuauserv's triggers are gone, on a Windows of which only is known that it has some")
            .shell("SYSTEM", format!("cd \\{}\\wuauserv\\TriggerInfo\ndel", inject::SERVICES))
            .on(&[EightOne, Ten1607, Server2016])
            .problem("wuauserv"),
        untriggered("AppIDSvc").on(&[Seven, Ten22H2]).problem("AppIDSvc").remedy("services-config"),
        untriggered("DoSvc").on(&[Ten22H2, Eleven21H2]).suspect("DoSvc").remedy("services-config"),
    ]
}

fn groups() -> Vec<Row> {
    let group = |what: &str| row("service-svchost-group", what);
    let dropped = |name: &'static str, list: &'static str| {
        group(&format!("{name} is not in the list {list}"))
            .with(Tool::Hivexregedit)
            .make(Tool::Hivexget, out_of_group(list, name))
            .problem(name)
            .remedy("services-config")
    };
    vec![
        dropped("wuauserv", "netsvcs").on(EVERY),
        dropped("BITS", "netsvcs"),
        dropped("CryptSvc", "NetworkService").on(&[Seven, Eleven24H2, Server2022]),
        group("the list wusvcs is gone")
            .on(&[Ten1909, Ten22H2, Eleven24H2])
            .reg("SOFTWARE", format!("[{SVCHOST}]\n\"wusvcs\"=-\n"))
            .problem("WaaSMedicSvc"),
        group("the list DcomLaunch is gone")
            .on(&[Xp, Seven, Ten22H2, Server2022])
            .reg("SOFTWARE", format!("[{SVCHOST}]\n\"DcomLaunch\"=-\n"))
            .problem("DcomLaunch"),
        group("the key of the lists is gone")
            .shell("SOFTWARE", format!("cd {SVCHOST}\ndel"))
            .unchecked("service-svchost-group"),
    ]
}

fn descriptors() -> Vec<Row> {
    let security = "services-security";
    let bytes = |entries: &[(u8, u32, &[u32])]| inject::descriptor(Some(entries));
    let garbage: Vec<u8> = (0..48_u8).map(|at| at.wrapping_mul(37) ^ 0x5A).collect();
    let kb971058 =
        bytes(&[(0, RUN, SYSTEM), (0, FULL, ADMINISTRATORS), (0, LOOK, AUTHENTICATED), (0, RUN, POWER_USERS)]);
    let denied = bytes(&[(1, 0xD0052, SYSTEM), (0, FULL, ADMINISTRATORS), (0, FULL, SYSTEM)]);
    let no_start = bytes(&[(0, FULL, SYSTEM), (0, LOOK, ADMINISTRATORS)]);
    let open = bytes(&[(0, FULL, SYSTEM), (0, FULL, ADMINISTRATORS), (0, FULL, EVERYBODY_OF_INTERACTIVE)]);
    vec![
        descriptor("SYSTEM is denied to start it", "wuauserv", &denied).on(EVERY).problem("wuauserv").remedy(security),
        descriptor("Administrators may not start it", "wuauserv", &no_start).problem("wuauserv").remedy(security),
        descriptor("a DACL without entries", "BITS", &bytes(&[])).problem("BITS").remedy(security),
        descriptor("no DACL", "BITS", &inject::descriptor(None)).problem("BITS").remedy(security),
        descriptor("bytes that are no descriptor", "CryptSvc", &garbage).problem("CryptSvc").remedy(security),
        descriptor("five bytes, which only XP and 7 have", "CryptSvc", &[1, 2, 3, 4, 5])
            .on(&[EightOne, Ten22H2, Server2022])
            .problem("CryptSvc")
            .remedy(security),
        descriptor("SYSTEM is denied to start it", "TrustedInstaller", &denied)
            .on(&[Vista, EightOne, Ten22H2])
            .problem("TrustedInstaller")
            .remedy(security),
        descriptor("what how-to documents recommend (KB971058)", "BITS", &kb971058)
            .on(&[Vista, EightOne, Ten22H2, Server2022])
            .note("BITS"),
        descriptor("what how-to documents recommend (KB971058)", "wuauserv", &kb971058)
            .on(&[Xp, Vista, Eleven24H2])
            .note("wuauserv"),
        descriptor("everybody who is logged on may change it", "BITS", &open).note("BITS"),
    ]
}
