//! `firewall-rule`: a rule of Windows' firewall that keeps an update service from the network.
//!
//! Rules are texts such as `v2.30|Action=Block|Active=TRUE|Dir=Out|App=…|Svc=wuauserv|`. A problem is an outbound block of a service that
//! updating can't do without, with no condition besides; with conditions (ports, addresses, profiles) it is a suspect, and where
//! the firewall is off a note. Rules for other programs, for app containers and for other protocols than TCP are left alone. A firewall
//! that blocks everything outbound by default is a note: rules may let updates through.
//!
//! `RestrictedServices\Static\System` and `…\Configurable\System` are Windows' own hardening of services, in the same form: what a service
//! needs is allowed, and the rest of it blocked (in a hive of 7, 80 of 109 rules block; of 10, 127 of 199). There a block says something
//! only where nothing is allowed to that service: that no healthy service is, and none of these rules is about an update service in
//! the hives of 7 and 10. Since another version may harden them too, it is never more than a suspect.

use super::{finding, shown_text, software_failure, system_failure};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::policies::{PolicyTables, Weight};
use crate::knowledge::Knowledge;
use crate::plan::{HiveName, RegValue};

const ID: &str = "firewall-rule";
const BELOW_SET: &str = "Services\\SharedAccess\\Parameters\\FirewallPolicy";
const PROFILES: [&str; 3] = ["DomainProfile", "StandardProfile", "PublicProfile"];
const POLICY: &str = "Policies\\Microsoft\\WindowsFirewall";
const SOURCE: &str = "[MS-FASP] and [MS-GPFAS] 2.2.2: the text form of firewall rules; rules in hives of 7 and 10";
/// 7 has some 500 rules, 10 some 1000; what blockers add stands among them.
const MOST_RULES: usize = 20_000;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    findings.made += 1;
    let tables = Knowledge::builtin().policies();
    let mut lists = vec![(HiveName::Software, format!("{POLICY}\\FirewallRules"))];
    let mut off = 0;
    for set in &context.installation.control_sets {
        off += usize::from(profiles(context, findings, &format!("{}\\{BELOW_SET}", set.key))?);
        for list in ["FirewallRules", "Mdm\\FirewallRules"] {
            lists.push((HiveName::System, format!("{}\\{BELOW_SET}\\{list}", set.key)));
        }
    }
    let is_off = off == context.installation.control_sets.len();
    for set in &context.installation.control_sets {
        hardened(context, findings, build, &format!("{}\\{BELOW_SET}\\RestrictedServices", set.key), is_off)?;
    }
    for (hive, key) in lists {
        let rules = match hive {
            HiveName::Software => context.software.values(&key).map_err(|e| software_failure(e, &key))?,
            HiveName::System => context.system.values(&key).map_err(|e| system_failure(e, &key))?,
        };
        if rules.len() > MOST_RULES {
            findings.could_not(ID, format!("{hive}\\{key} has {} rules; {MOST_RULES} were looked at", rules.len()));
        }
        for (name, value) in rules.iter().take(MOST_RULES) {
            let place = format!("{hive}\\{key}\\{}", shown_text(name));
            let Some(blocked) = value.as_text().and_then(|text| judge(tables, build, &text)) else { continue };
            report(findings, blocked, &place, value, is_off);
        }
    }
    Ok(())
}

/// Whether the firewall is off in every profile; says where everything outbound is blocked by default.
fn profiles(context: &Context<'_>, findings: &mut Findings, below: &str) -> Result<bool> {
    let (mut off, mut evidence) = (0, Vec::new());
    for profile in PROFILES {
        let key = format!("{below}\\{profile}");
        off += usize::from(context.dword(&key, "EnableFirewall")? == Some(0));
        if context.dword(&key, "DefaultOutboundAction")? == Some(1) {
            let place = format!("{}\\{key}\\DefaultOutboundAction", HiveName::System);
            evidence.push(Evidence::new(place, "1 (block)", "0 or absent, or rules that let updates through"));
        }
    }
    let is_off = off == PROFILES.len();
    if !evidence.is_empty() && !is_off {
        let title = "the firewall blocks everything outbound that no rule allows";
        findings.push(finding(ID, Severity::Note, "DefaultOutboundAction", title, evidence, SOURCE));
    }
    Ok(is_off)
}

/// Services that the hardening of services lets nowhere.
fn hardened(context: &Context<'_>, findings: &mut Findings, build: u32, below: &str, is_off: bool) -> Result<()> {
    let tables = Knowledge::builtin().policies();
    let mut rules = Vec::new();
    for list in ["Static\\System", "Configurable\\System"] {
        let key = format!("{below}\\{list}");
        let values = context.system.values(&key).map_err(|e| system_failure(e, &key))?;
        rules.extend(values.into_iter().take(MOST_RULES).map(|(name, value)| (format!("{key}\\{name}"), value)));
    }
    let texts: Vec<String> = rules.iter().filter_map(|(_, value)| value.as_text()).collect();
    for (place, value) in &rules {
        let Some(text) = value.as_text() else { continue };
        let Some(blocked) = judge(tables, build, &text).filter(|b| b.is_service && !b.has_conditions) else { continue };
        if !texts.iter().any(|text| lets_out(text, &blocked.who)) {
            let place = format!("{}\\{}", HiveName::System, shown_text(place));
            report(findings, Blocked { weight: Weight::May, ..blocked }, &place, value, is_off);
        }
    }
    Ok(())
}

/// Whether a rule allows a service something outbound.
fn lets_out(text: &str, service: &str) -> bool {
    let has = |name: &str, wanted: &str| {
        text.split('|')
            .filter_map(|field| field.split_once('='))
            .any(|(field, value)| field.eq_ignore_ascii_case(name) && value.trim().eq_ignore_ascii_case(wanted))
    };
    has("action", "allow") && has("dir", "out") && has("svc", service)
}

fn report(findings: &mut Findings, blocked: Blocked, place: &str, value: &RegValue, is_off: bool) {
    let severity = match (is_off, blocked.weight == Weight::Breaks && !blocked.has_conditions) {
        (true, _) => Severity::Note,
        (false, true) => Severity::Problem,
        (false, false) => Severity::Suspect,
    };
    let mut title = format!("a firewall rule keeps {} from the network", blocked.who);
    if blocked.has_conditions {
        title.push_str(", under conditions");
    }
    if is_off {
        title.push_str("; the firewall is off");
    }
    let evidence = vec![Evidence::new(place, shown(Some(value)), "no rule that blocks it")];
    findings.push(finding(ID, severity, blocked.who, title, evidence, SOURCE));
}

/// What a rule blocks.
struct Blocked {
    who: String,
    /// Whether the rule names a service, and not a program.
    is_service: bool,
    weight: Weight,
    has_conditions: bool,
}

fn judge(tables: &PolicyTables, build: u32, text: &str) -> Option<Blocked> {
    let fields: Vec<(String, &str)> =
        text.split('|').filter_map(|f| f.split_once('=')).map(|(k, v)| (k.to_ascii_lowercase(), v.trim())).collect();
    let all = |name: &str| fields.iter().filter(|(k, _)| k == name).map(|(_, v)| *v).collect::<Vec<_>>();
    let first = |name: &str| all(name).first().copied();
    let is = |name: &str, wanted: &str| first(name).is_some_and(|v| v.eq_ignore_ascii_case(wanted));
    if !is("action", "block") || !is("dir", "out") || first("active").is_some_and(|v| !v.eq_ignore_ascii_case("true")) {
        return None;
    }
    // TCP is 6; no protocol is any of them.
    if first("protocol").is_some_and(|v| v != "6" && v != "256") {
        return None;
    }
    let containers = ["apppkgid", "luown", "luauth", "pfn", "security"];
    if fields.iter().any(|(k, _)| containers.contains(&k.as_str())) {
        return None;
    }
    // Updates come by HTTP and HTTPS.
    let ports = [all("rport"), all("rport2_10")].concat();
    if !ports.is_empty() && !ports.iter().any(|port| covers_web(port)) {
        return None;
    }
    let remote: Vec<&str> =
        fields.iter().filter(|(k, _)| k.starts_with("ra4") || k.starts_with("ra6")).map(|(_, v)| *v).collect();
    if !remote.is_empty() && remote.iter().all(|v| v.eq_ignore_ascii_case("LocalSubnet")) {
        return None;
    }
    let conditions = ["profile", "lport", "lport2_10", "rport", "rport2_10", "if", "iftype", "la4", "la6"];
    let has_conditions = !remote.is_empty() || fields.iter().any(|(k, _)| conditions.contains(&k.as_str()));
    let service = first("svc").filter(|v| !v.is_empty() && *v != "*");
    if let Some(service) = service {
        let row = tables.services(build).find(|row| row.name.eq_ignore_ascii_case(service))?;
        return Some(Blocked { who: row.name.clone(), is_service: true, weight: row.weight, has_conditions });
    }
    let program = first("app")?.rsplit(['\\', '/']).next().unwrap_or_default();
    let row = tables.programs(build).find(|row| row.name.eq_ignore_ascii_case(program))?;
    Some(Blocked { who: row.name.clone(), is_service: false, weight: row.weight, has_conditions })
}

fn covers_web(port: &str) -> bool {
    let within = |wanted: u32| match port.split_once('-') {
        Some((low, high)) => {
            low.parse().is_ok_and(|l: u32| l <= wanted) && high.parse().is_ok_and(|h: u32| wanted <= h)
        }
        None => port.parse() == Ok(wanted),
    };
    within(80) || within(443)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<(String, bool)> {
        let blocked = judge(Knowledge::builtin().policies(), 19045, text)?;
        Some((blocked.who, blocked.weight == Weight::Breaks && !blocked.has_conditions))
    }

    #[test]
    fn only_outbound_blocks_of_update_services_count() {
        let svchost = "App=%SystemRoot%\\System32\\svchost.exe";
        for (rule, expected) in [
            (
                format!("v2.30|Action=Block|Active=TRUE|Dir=Out|{svchost}|Svc=wuauserv|Name=x|"),
                Some(("wuauserv", true)),
            ),
            (format!("v2.10|action=BLOCK|Dir=out|{svchost}|svc=WUAUSERV|"), Some(("wuauserv", true))),
            (format!("v2.30|Action=Block|Active=TRUE|Dir=Out|{svchost}|Name=all|"), Some(("svchost.exe", true))),
            (
                format!("v2.30|Action=Block|Active=TRUE|Dir=Out|Protocol=6|RPort=443|{svchost}|"),
                Some(("svchost.exe", false)),
            ),
            (
                format!("v2.30|Action=Block|Active=TRUE|Dir=Out|RPort2_10=1-1000|Svc=BITS|{svchost}|"),
                Some(("BITS", false)),
            ),
            (
                format!("v2.30|Action=Block|Active=TRUE|Dir=Out|Profile=Public|{svchost}|Svc=UsoSvc|"),
                Some(("UsoSvc", false)),
            ),
            (
                "v2.30|Action=Block|Active=TRUE|Dir=Out|App=C:\\Windows\\System32\\UsoClient.exe|".into(),
                Some(("UsoClient.exe", true)),
            ),
            (format!("v2.30|Action=Block|Active=TRUE|Dir=Out|{svchost}|Svc=dosvc|"), Some(("DoSvc", false))),
            (format!("v2.30|Action=Block|Active=FALSE|Dir=Out|{svchost}|Svc=wuauserv|"), None),
            (format!("v2.30|Action=Allow|Active=TRUE|Dir=Out|{svchost}|Svc=wuauserv|"), None),
            (format!("v2.30|Action=Block|Active=TRUE|Dir=In|{svchost}|Svc=wuauserv|"), None),
            (format!("v2.30|Action=Block|Active=TRUE|Dir=Out|{svchost}|Svc=HidServ|"), None),
            (format!("v2.30|Action=Block|Active=TRUE|Dir=Out|Protocol=17|{svchost}|"), None),
            (format!("v2.30|Action=Block|Active=TRUE|Dir=Out|Protocol=6|RPort=7680|{svchost}|"), None),
            (format!("v2.30|Action=Block|Active=TRUE|Dir=Out|RA4=LocalSubnet|RA6=LocalSubnet|{svchost}|"), None),
            ("v2.30|Action=Block|Active=TRUE|Dir=Out|Name=ie|LUOwn=S-1-5-21-1|AppPkgId=S-1-15-2-1|".into(), None),
            ("v2.30|Action=Block|Active=TRUE|Dir=Out|App=C:\\Games\\game.exe|".into(), None),
            (String::new(), None),
            ("|||=|Action|".into(), None),
        ] {
            assert_eq!(seen(&rule), expected.map(|(who, certain)| (who.to_owned(), certain)), "{rule}");
        }
    }
}
