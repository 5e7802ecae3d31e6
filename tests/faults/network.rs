//! Faults of the way to Microsoft's servers: the hosts file, firewall rules, proxies, TLS.

use coldmend_fixtures::Version::*;

use crate::common::inject;
use crate::table::{row, Row, ALL, SINCE_VISTA};

const HOSTS: &str = "Windows/System32/drivers/etc/hosts";
const FIREWALL: &str = "ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy";
const SVCHOST: &str = "App=%SystemRoot%\\\\system32\\\\svchost.exe";
const TLS: &str = "[\\ControlSet001\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client]\n";

pub fn rows() -> Vec<Row> {
    let mut rows = hosts();
    rows.extend(firewall());
    rows.extend(proxy_and_tls());
    rows.extend(account_proxy());
    rows
}

fn hosts() -> Vec<Row> {
    let hosts = |what: &str, text: &str| row("hosts-file", what).file(HOSTS, text);
    vec![
        hosts(
            "servers are given no address",
            "127.0.0.1 localhost\r\n0.0.0.0 download.windowsupdate.com\r\n127.0.0.1\tfe2.update.microsoft.com # x\r\n",
        )
        .on(ALL)
        .problem("hosts")
        .says("blocks 2 names"),
        hosts("a server is given another address", "10.0.0.7 au.download.windowsupdate.com\n").suspect("hosts"),
        hosts("names that Windows answers itself", "0.0.0.0 windowsupdate.com update.microsoft.com\n").note("hosts"),
    ]
}

fn firewall() -> Vec<Row> {
    let rule = |what: &str, text: &str| {
        let reg = format!("[\\{FIREWALL}\\FirewallRules]\n\"{{1B2C3D4E-0000-0000-0000-000000000001}}\"=\"{text}\"\n");
        row("firewall-rule", what).on(SINCE_VISTA).reg("SYSTEM", reg)
    };
    let block = format!("v2.10|Action=Block|Active=TRUE|Dir=Out|{SVCHOST}|Svc=wuauserv|Name=x|");
    let off: String = ["DomainProfile", "StandardProfile", "PublicProfile"]
        .map(|profile| format!("[\\{FIREWALL}\\{profile}]\n\"EnableFirewall\"=dword:00000000\n"))
        .concat();
    vec![
        rule("wuauserv is blocked", &block).problem("wuauserv"),
        rule(
            "BITS is blocked in public networks",
            &format!("v2.10|Action=Block|Active=TRUE|Dir=Out|Profile=Public|{SVCHOST}|Svc=BITS|Name=x|"),
        )
        .suspect("BITS"),
        rule("wuauserv is blocked by a firewall that is off", &block)
            .on(&[Seven, Ten22H2, Server2022])
            .reg("SYSTEM", off)
            .note("wuauserv"),
        row("firewall-rule", "wuauserv is blocked by group policy")
            .on(SINCE_VISTA)
            .reg("SOFTWARE", format!("[\\Policies\\Microsoft\\WindowsFirewall\\FirewallRules]\n\"x\"=\"{block}\"\n"))
            .problem("wuauserv"),
        row("firewall-rule", "everything outbound is blocked by default")
            .on(&[Seven, EightOne, Ten22H2, Server2022])
            .reg("SYSTEM", format!("[\\{FIREWALL}\\PublicProfile]\n\"DefaultOutboundAction\"=dword:00000001\n"))
            .note("DefaultOutboundAction"),
    ]
}

fn proxy_and_tls() -> Vec<Row> {
    let settings = |what: &str, bytes: &[u8]| {
        let key = "Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections";
        row("winhttp-proxy", what)
            .reg("SOFTWARE", format!("[\\{key}]\n\"WinHttpSettings\"={}\n", inject::bytes_value(3, bytes)))
    };
    let proxy = |what: &str, server: &str| {
        let mut bytes = [0x18_u32, 0, 3, u32::try_from(server.len()).unwrap()].map(u32::to_le_bytes).concat();
        bytes.extend(server.bytes());
        bytes.extend([0; 4]);
        settings(what, &bytes)
    };
    let tls = |what: &str, value: &str| row("tls-settings", what).reg("SYSTEM", format!("{TLS}{value}\n"));
    let (off, asleep) = ("\"Enabled\"=dword:00000000", "\"DisabledByDefault\"=dword:00000001");
    vec![
        proxy("the proxy is this computer", "127.0.0.1:8888").on(ALL).suspect("WinHttpSettings"),
        proxy("there is a proxy", "proxy.corp.example:8080").note("WinHttpSettings"),
        settings("the settings are cut", &[0x18, 0, 0]).suspect("WinHttpSettings"),
        tls("TLS 1.2 is switched off", off).on(&[Seven, EightOne, Server2012R2, Ten1607, Ten22H2]).problem("TLS 1.2"),
        tls("TLS 1.2 is switched off, where there is 1.3 as well", off).on(&[Eleven24H2, Server2022]).suspect("TLS 1.2"),
        tls("TLS 1.2 is off for who does not ask for it", asleep)
            .on(&[EightOne, Ten1607, Ten22H2, Eleven24H2, Server2022])
            .suspect("TLS 1.2"),
        row("tls-settings", "services offer only older versions (DefaultSecureProtocols)")
            .on(&[Seven, EightOne, Ten22H2, Server2022])
            .reg(
                "SOFTWARE",
                "[\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\WinHttp]\n\"DefaultSecureProtocols\"=dword:000000a0\n",
            )
            .suspect("WinHTTP"),
    ]
}

/// The proxy that WinINET has for the system account.
fn account_proxy() -> Vec<Row> {
    let key = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";
    let proxy = |what: &str, server: &str| {
        let text = format!("[\\{key}]\n\"ProxyEnable\"=dword:00000001\n\"ProxyServer\"=\"{server}\"\n");
        row("system-proxy", what).on(ALL).reg("DEFAULT", text)
    };
    vec![
        proxy("the system account's proxy is this computer", "localhost:8080").suspect("DEFAULT"),
        proxy("the system account has a proxy", "proxy.corp.example:8080").note("DEFAULT"),
    ]
}
