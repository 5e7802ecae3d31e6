//! Whether the address of a server can be one at all, told without a network.
//!
//! Dead are: nothing, what is no http(s) address, this computer itself, and names that never exist (RFC 6761). Whether a server that
//! could exist answers can't be known offline.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Why `text` can't be the address of an update server; `None` when it can.
pub(super) fn dead_url(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Some("an empty address");
    }
    let scheme = |prefix: &str| text.get(..prefix.len()).filter(|p| p.eq_ignore_ascii_case(prefix)).is_some();
    let rest = if scheme("https://") {
        text.get(8..)
    } else if scheme("http://") {
        text.get(7..)
    } else {
        return Some("no http or https address");
    };
    let authority = rest.unwrap_or_default().split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = split_port(host_and_port);
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |number| number == 0)) {
        return Some("an address with a port that does not exist");
    }
    dead_host(host)
}

/// Why `host` can't be another computer; `None` when it can.
pub(super) fn dead_host(host: &str) -> Option<&'static str> {
    let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
    if host.is_empty() {
        return Some("an address without a server");
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return (address.is_loopback() || address.is_unspecified() || address.is_broadcast())
            .then_some("this computer itself, or no computer");
    }
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return (address.is_loopback() || address.is_unspecified()).then_some("this computer itself, or no computer");
    }
    if host == "localhost" || host.ends_with(".localhost") {
        return Some("this computer itself, or no computer");
    }
    if host == "invalid" || host.ends_with(".invalid") {
        return Some("a name that never exists");
    }
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if host.chars().all(sound) && host.chars().any(char::is_alphanumeric) {
        None
    } else {
        Some("no name of a server")
    }
}

/// A host and its port, as they stand in an address; an IPv6 address is in brackets.
pub(super) fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (host, after.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        // An IPv6 address without brackets.
        Some(_) => (text, None),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_addresses_are_told_from_possible_ones() {
        for alive in [
            "http://wsus",
            "HTTPS://wsus.example.org:8531",
            " http://10.0.0.5:8530/ ",
            "http://[2001:db8::5]:8530",
            "http://user@wsus_1.corp.local/selfupdate",
            "http://wsüs.corp",
        ] {
            assert_eq!(dead_url(alive), None, "{alive}");
        }
        for dead in [
            "",
            "   ",
            "wsus.example.org",
            "localserver.localdomain.wsus",
            "ftp://wsus",
            "http://",
            "http:///x",
            "http://localhost:8530",
            "http://127.0.0.1",
            "https://127.1.2.3:8531",
            "http://[::1]:8530",
            "http://0.0.0.0",
            "http://LOCALHOST.",
            "http://no.server.invalid",
            "http://wsus:0",
            "http://wsus:99999",
            "http://wsus:port",
            "http://two words",
            "http://-_.",
            "http",
            "htt\u{20ac}p://x",
        ] {
            assert!(dead_url(dead).is_some(), "{dead}");
        }
    }
}
