//! The proxy of the system account, Windows' own hardening of services, and the source of repairs: what is found, and what looks like it
//! and is healthy.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use coldmend_fixtures::Version::{self, *};
use common::diagnosis::expect;
use common::inject::{has_hivexregedit, merge};

const ALL: &[Version] = &[Xp, Seven, Ten22H2, Eleven24H2];
const INTERNET: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";
const IN_A_DOMAIN: &str =
    "[\\Microsoft\\Windows\\CurrentVersion\\Group Policy\\State\\Machine]\n\"Distinguished-Name\"=\"CN=PC,DC=corp,DC=example\"\n";
const LIVE_WSUS: &str = "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"WUServer\"=\"http://wsus.corp.example:8530\"\n\"WUStatusServer\"=\"http://wsus.corp.example:8530\"\n[\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]\n\"UseWUServer\"=dword:00000001\n";

/// `DefaultConnectionSettings`, as WinINET writes it.
fn blob(flags: u32, proxy: &str, script: &str) -> String {
    let mut bytes = [0x46_u32, 2, flags].map(u32::to_le_bytes).concat();
    for text in [proxy, "", script] {
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.bytes());
    }
    bytes.extend([0; 32]);
    let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("\"DefaultConnectionSettings\"=hex:{}\n", hex.join(","))
}

#[test]
fn the_proxy_of_the_system_account() {
    if !has_hivexregedit("the_proxy_of_the_system_account") {
        return;
    }
    let account = |r: &Path, text: &str| merge(r, "DEFAULT", text);
    let in_force =
        |flags, proxy: &str, script: &str| format!("[\\{INTERNET}\\Connections]\n{}", blob(flags, proxy, script));
    let (suspect, note) = (["suspect system-proxy DEFAULT"], ["note system-proxy DEFAULT"]);
    let local = in_force(3, "127.0.0.1:8888", "");
    expect(ALL, &|r| account(r, &local), &suspect, "0x80072EFD");
    expect(&[Xp, Ten22H2], &|r| account(r, &in_force(3, "proxy.corp.example:8080", "")), &note, "proxy.corp.example");
    expect(&[Ten22H2], &|r| account(r, &in_force(5, "", "http://localhost/p.pac")), &suspect, "a script chooses");
    expect(&[Ten22H2], &|r| account(r, &in_force(13, "", "http://pac.corp.example/p.pac")), &note, "pac.corp");
    let managed = |r: &Path| {
        account(r, &local);
        merge(r, "SOFTWARE", IN_A_DOMAIN);
    };
    expect(&[Ten22H2], &managed, &note, "somebody manages");
    // As healthy hives have it: none, looked for in the network, named and not used; and a value that is not understood.
    for healthy in [in_force(9, "", ""), in_force(1, "127.0.0.1:8888", "http://127.0.0.1/x"), in_force(1, "", "")] {
        expect(&[Xp, Ten22H2], &|r| account(r, &healthy), &[], "");
    }
    let torn = format!("[\\{INTERNET}\\Connections]\n\"DefaultConnectionSettings\"=hex:46,00,00\n");
    expect(&[Ten22H2], &|r| account(r, &torn), &[], "");

    // Without that value, the three beside it.
    let values = |enable: u32| {
        format!("[\\{INTERNET}]\n\"ProxyEnable\"=dword:{enable:08x}\n\"ProxyServer\"=\"localhost:8080\"\n")
    };
    expect(&[Xp, Ten22H2], &|r| account(r, &values(1)), &suspect, "ProxyServer");
    expect(&[Xp, Ten22H2], &|r| account(r, &values(0)), &[], "");
    let script = format!("[\\{INTERNET}]\n\"AutoConfigURL\"=\"http://127.0.0.1:86/x.pac\"\n");
    expect(&[Ten22H2], &|r| account(r, &script), &suspect, "AutoConfigURL");
    // With it, they are nothing.
    expect(&[Ten22H2], &|r| account(r, &format!("{}{}", values(1), in_force(9, "", ""))), &[], "");
}

#[test]
fn the_proxy_of_the_whole_machine() {
    if !has_hivexregedit("the_proxy_of_the_whole_machine") {
        return;
    }
    let key = "Microsoft\\Windows\\CurrentVersion\\Internet Settings";
    let proxy = format!("[\\{key}\\Connections]\n{}", blob(3, "127.0.0.1:3128", ""));
    let policy = |n: u32| format!("[\\Policies\\{key}]\n\"ProxySettingsPerUser\"=dword:{n:08x}\n{proxy}");
    let wanted = ["suspect system-proxy machine"];
    expect(&[Xp, Seven, Ten22H2], &|r| merge(r, "SOFTWARE", &policy(0)), &wanted, "ProxySettingsPerUser");
    // Nobody uses it.
    expect(&[Ten22H2], &|r| merge(r, "SOFTWARE", &policy(1)), &[], "");
    expect(&[Ten22H2], &|r| merge(r, "SOFTWARE", &proxy), &[], "");
}

#[test]
fn the_hardening_of_services() {
    if !has_hivexregedit("the_hardening_of_services") {
        return;
    }
    let below = "ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\RestrictedServices";
    let rules = |r: &Path, list: &str, rules: &[String]| {
        let values: String = rules.iter().enumerate().map(|(n, text)| format!("\"R-{n}\"=\"{text}\"\n")).collect();
        merge(r, "SYSTEM", &format!("[\\{below}\\{list}\\System]\n{values}"));
    };
    let rule = |action: &str, direction: &str, service: &str| {
        format!("v2.10|Action={action}|Active=TRUE|Dir={direction}|App=%SystemRoot%\\\\system32\\\\svchost.exe|Svc={service}|Name=x|")
    };
    let block = rule("Block", "Out", "wuauserv");
    let wanted = ["suspect firewall-rule wuauserv"];
    for list in ["Static", "Configurable"] {
        expect(&[Vista, Seven, Ten22H2, Eleven24H2], &|r| rules(r, list, std::slice::from_ref(&block)), &wanted, list);
    }
    // What is allowed before the rest is blocked is how services are hardened; in either list.
    let allow = rule("Allow", "Out", "wuauserv").replace("Name=x", "Protocol=6|RPort=443|Name=x");
    expect(&[Seven, Ten22H2], &|r| rules(r, "Static", &[allow.clone(), block.clone()]), &[], "");
    let both = |r: &Path| {
        rules(r, "Static", std::slice::from_ref(&allow));
        rules(r, "Configurable", std::slice::from_ref(&block));
    };
    expect(&[Ten22H2], &both, &[], "");
    // Others' hardening, and what is blocked inward.
    let others = ["DPS", "PcaSvc", "WdiServiceHost"].map(|service| rule("Block", "Out", service));
    expect(&[Seven, Ten22H2], &|r| rules(r, "Static", &others), &[], "");
    expect(&[Ten22H2], &|r| rules(r, "Static", &[rule("Block", "In", "wuauserv")]), &[], "");
}

#[test]
fn repairs_past_the_update_server() {
    if !has_hivexregedit("repairs_past_the_update_server") {
        return;
    }
    let content = |n: u32| {
        format!("[\\Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing]\n\"RepairContentServerSource\"=dword:{n:08x}\n")
    };
    let note = "note policy-servicing-source RepairContentServerSource";
    let with_server = |r: &Path, n: u32| merge(r, "SOFTWARE", &format!("{LIVE_WSUS}{}", content(n)));
    let server = "note policy-wsus WUServer";
    expect(&[EightOne, Ten22H2, Eleven24H2], &|r| with_server(r, 2), &[note, server], "past the owner's");
    expect(&[Ten22H2], &|r| with_server(r, 0), &[server], "");
    // Without a server of the owner's it changes nothing.
    expect(&[EightOne, Ten22H2], &|r| merge(r, "SOFTWARE", &content(2)), &[], "");
    expect(&[Seven], &|r| with_server(r, 2), &[server], "");
}
