//! `winhttp-proxy`: the proxy that services, Windows Update among them, are told to use.
//!
//! Whether a proxy answers can't be known offline: a note. One on this computer itself (a debugging proxy's leftover) or that can't be
//! one is a suspect; on a managed machine it may be an agent's, and is a note. The value's layout, measured in hives of 7 and 10 and described by several: five 32-bit words (size, counter,
//! flags, length of the proxy's text, the text; then length of the exceptions, the text), 2 in the flags for a proxy.

use super::address::{dead_host, split_port};
use super::{finding, gathered, shown_text, software, software_place};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::plan::RegValue;

const ID: &str = "winhttp-proxy";
const KEYS: [&str; 2] = [
    "Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections",
    "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections",
];
const NAME: &str = "WinHttpSettings";
const SOURCE: &str =
    "Microsoft, \"Use Group Policy to apply WinHTTP proxy settings\" (the value of a direct connection); hives of 7";
const USES_PROXY: u32 = 2;
const USES_SCRIPT: u32 = 4;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let gathered = gathered(context)?;
    let on_this_computer =
        if gathered.is_managed() || gathered.domain.is_some() { Severity::Note } else { Severity::Suspect };
    for key in KEYS {
        let Some(value) = software(context, key, NAME)? else { continue };
        let place = software_place(key, NAME);
        let Some(settings) = Settings::read(&value) else {
            let evidence = vec![Evidence::new(place, shown(Some(&value)), "proxy settings")];
            let title = "the proxy settings of services are damaged";
            findings.push(finding(ID, Severity::Suspect, NAME, title, evidence, SOURCE));
            continue;
        };
        let Some(proxy) = settings.proxy else { continue };
        let evidence = vec![Evidence::new(place, shown_text(&proxy), "a proxy that answers, or none")];
        let (severity, title) = match dead_proxy(&proxy) {
            Some(why) => (on_this_computer, format!("services go through a proxy that is {why}: 0x80072EFD")),
            None => (
                Severity::Note,
                format!(
                    "services go through the proxy {}; whether it answers can't be known offline",
                    shown_text(&proxy)
                ),
            ),
        };
        findings.push(finding(ID, severity, NAME, title, evidence, SOURCE));
    }
    Ok(())
}

/// What such a value says; WinINET's `DefaultConnectionSettings` has the same form, and the address of a script behind it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The proxy, where one is used.
    pub(super) proxy: Option<String>,
    /// The address of the script that chooses one, where one is used.
    pub(super) script: Option<String>,
}

impl Settings {
    /// `None` for what is no such value. A value that ends after the flags is a direct connection.
    pub(super) fn read(value: &RegValue) -> Option<Settings> {
        let bytes = value.data.as_slice();
        let word =
            |at: usize| bytes.get(at..at.checked_add(4)?).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        // A text with its length before it, and where the next one begins.
        let text = |at: usize| {
            let begin = at.checked_add(4)?;
            let end = begin.checked_add(usize::try_from(word(at)?).ok()?)?;
            let text: String = bytes.get(begin..end)?.iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect();
            Some((text, end))
        };
        let flags = word(8)?;
        let mut settings = Settings::default();
        if flags & (USES_PROXY | USES_SCRIPT) == 0 {
            return Some(settings);
        }
        let (proxy, exceptions) = text(12)?;
        settings.proxy = (flags & USES_PROXY != 0).then_some(proxy);
        if flags & USES_SCRIPT != 0 {
            let (_, script) = text(exceptions)?;
            settings.script = Some(text(script)?.0);
        }
        Some(settings)
    }
}

/// Why none of the proxies can be one. There may be several, each for a protocol: `http=a:80;https=b:80`.
pub(super) fn dead_proxy(list: &str) -> Option<&'static str> {
    let mut why = Some("not named");
    for proxy in list.split([';', ' ']).filter(|p| !p.is_empty()) {
        let proxy = proxy.split_once('=').map_or(proxy, |(_, proxy)| proxy);
        let proxy = proxy.split_once("://").map_or(proxy, |(_, proxy)| proxy);
        let (host, _) = split_port(proxy.trim_end_matches('/'));
        why = Some(dead_host(host)?);
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(flags: u32, proxy: &str, bypass: &str) -> RegValue {
        let mut data = Vec::new();
        for word in [0x18, 0, flags, u32::try_from(proxy.len()).unwrap_or(0)] {
            data.extend(u32::to_le_bytes(word));
        }
        data.extend(proxy.bytes());
        data.extend(u32::try_from(bypass.len()).unwrap_or(0).to_le_bytes());
        data.extend(bypass.bytes());
        RegValue::binary(data)
    }

    #[test]
    fn settings_are_read() {
        assert_eq!(Settings::read(&value(1, "", "")), Some(Settings::default()));
        assert_eq!(
            Settings::read(&value(3, "proxy.corp:8080", "<local>")),
            Some(Settings { proxy: Some("proxy.corp:8080".into()), script: None })
        );
        for cut in 0..31 {
            let mut whole = value(3, "proxy.corp:8080", "").data;
            whole.truncate(cut);
            assert_eq!(Settings::read(&RegValue::binary(whole)), None, "{cut}");
        }
        // With the address of a script, which is used or not.
        let scripted = |flags: u32| {
            let mut data = value(flags, "a:1", "<local>").data;
            data.extend(20_u32.to_le_bytes());
            data.extend(b"http://pac.corp/x.js");
            data.extend([0; 32]);
            data
        };
        let script = Some("http://pac.corp/x.js".to_owned());
        assert_eq!(Settings::read(&RegValue::binary(scripted(9))), Some(Settings::default()));
        assert_eq!(
            Settings::read(&RegValue::binary(scripted(7))),
            Some(Settings { proxy: Some("a:1".into()), script: script.clone() })
        );
        assert_eq!(Settings::read(&RegValue::binary(scripted(5))), Some(Settings { proxy: None, script }));
        for cut in 0..53 {
            let mut whole = scripted(5);
            whole.truncate(cut);
            assert_eq!(Settings::read(&RegValue::binary(whole)), None, "{cut}");
        }
        let mut huge = value(3, "a", "").data;
        huge.splice(12..16, u32::MAX.to_le_bytes());
        assert_eq!(Settings::read(&RegValue::binary(huge)), None);
    }

    #[test]
    fn a_proxy_on_this_computer_is_told() {
        for dead in
            ["127.0.0.1:8888", "localhost:8080", "http=127.0.0.1:80;https=[::1]:80", "", " ", "http://localhost:3128/"]
        {
            assert!(dead_proxy(dead).is_some(), "{dead}");
        }
        for alive in ["proxy:8080", "http=127.0.0.1:80;https=proxy.corp:80", "10.1.2.3", "[2001:db8::1]:8080"] {
            assert_eq!(dead_proxy(alive), None, "{alive}");
        }
    }
}
