//! `policy-wsus`: an update server of the owner's that can't exist.
//!
//! An update server alone is a note: that is how managed machines update, and whether it answers can't be known offline. Dead is an
//! address that can't be another computer ([`super::address`]), and a machine told to use a server without being told which. A server
//! that has the WSUS role may name itself; Configuration Manager's client sets UpdateServiceUrlAlternate to itself.

use super::address::dead_url;
use super::gathered::Gathered;
use super::setting::Setting;
use super::{finding, gathered, number, shown_text, software, software_failure, software_place, system_failure};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::plan::{HiveName, RegValue};

const ID: &str = "policy-wsus";
/// The policies' key below SOFTWARE.
pub(super) const KEY: &str = "Policies\\Microsoft\\Windows\\WindowsUpdate";
const AU: &str = "Policies\\Microsoft\\Windows\\WindowsUpdate\\AU";
const CACHE: &str = "Microsoft\\WindowsUpdate\\UpdatePolicy\\GPCache";
const SOURCE: &str = "WindowsUpdate.admx, CorpWuURL; Microsoft, \"Windows Update common errors\" (0x8024402C)";
const EXPECTED: &str = "the address of an update server, or no update server";

/// Which update server is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Server {
    /// None: Windows Update itself.
    #[default]
    None,
    /// One that may answer.
    Alive(String),
    /// One that can't, and why.
    Dead(&'static str),
}

/// The update server as it is now, and after the next refresh of policies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wsus {
    /// By what SOFTWARE holds.
    pub(super) now: Server,
    /// With what the policy file sets again.
    pub(super) later: Server,
}

impl Wsus {
    pub(super) fn read(context: &Context<'_>, gathered: &Gathered) -> Result<Wsus> {
        let is_server = has_wsus_role(context)?;
        let (server, switch) = (software(context, KEY, "WUServer")?, software(context, AU, "UseWUServer")?);
        let now = judge(server.as_ref(), switch.as_ref(), is_server);
        let again = |key: &str, name: &str, now: Option<RegValue>| {
            gathered.in_policy_file(key, name).map(|(_, value)| value).or(now)
        };
        let (server, switch) = (again(KEY, "WUServer", server), again(AU, "UseWUServer", switch));
        Ok(Wsus { now, later: judge(server.as_ref(), switch.as_ref(), is_server) })
    }

    /// Whether there is a server that may answer.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.now, Server::Alive(_))
    }

    /// The server, as evidence that somebody manages the machine.
    pub(super) fn alive_evidence(&self) -> Option<Evidence> {
        let Server::Alive(address) = &self.now else { return None };
        Some(Evidence::seen(software_place(KEY, "WUServer"), shown_text(address)))
    }
}

fn judge(server: Option<&RegValue>, switch: Option<&RegValue>, is_wsus: bool) -> Server {
    if switch.and_then(number) != Some(1) {
        return Server::None;
    }
    let Some(server) = server else { return Server::Dead("UseWUServer is set, and no server is named") };
    let Some(address) = server.as_text() else { return Server::Dead("the server is no text") };
    match dead_url(&address) {
        Some(why) if !(is_wsus && why.starts_with("this computer")) => Server::Dead(why),
        _ => Server::Alive(address.trim().to_owned()),
    }
}

/// Whether this computer is an update server itself.
fn has_wsus_role(context: &Context<'_>) -> Result<bool> {
    for set in &context.installation.control_sets {
        let key = format!("{}\\Services\\WsusService", set.key);
        if context.system.key_exists(&key).map_err(|e| system_failure(e, &key))? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let gathered = gathered(context)?;
    let mut evidence = Vec::new();
    for (key, name, expected) in
        [(KEY, "WUServer", EXPECTED), (AU, "UseWUServer", "0 or absent, or a server that exists")]
    {
        match Setting::read(context, gathered, key, name)? {
            Some(setting) => evidence.extend(setting.evidence(expected)),
            None => evidence.push(Evidence::new(software_place(key, name), "absent", expected)),
        }
    }
    let wsus = &gathered.wsus;
    match (&wsus.now, &wsus.later) {
        (Server::Dead(why), _) => {
            let title = format!("updates are looked for on a server that can't exist ({why})");
            findings.push(finding(ID, Severity::Problem, "WUServer", title, evidence, SOURCE));
        }
        (_, Server::Dead(why)) => {
            let title = format!(
                "the policy file will send Windows to an update server that can't exist ({why}); not in force now"
            );
            findings.push(finding(ID, Severity::Suspect, "WUServer", title, evidence, SOURCE));
        }
        (Server::Alive(address), _) | (Server::None, Server::Alive(address)) => {
            let title = format!(
                "updates come from the owner's server {}; whether it answers can't be known offline",
                shown_text(address)
            );
            findings.push(finding(ID, Severity::Note, "WUServer", title, evidence, SOURCE));
        }
        (Server::None, Server::None) => {}
    }
    if wsus.is_alive() {
        status_server(context, gathered, findings)?;
    }
    alternate(context, gathered, findings)?;
    cached(context, gathered, findings)
}

/// The server for reports must be named with the other; it may be the same.
fn status_server(context: &Context<'_>, gathered: &Gathered, findings: &mut Findings) -> Result<()> {
    let setting = Setting::read(context, gathered, KEY, "WUStatusServer")?;
    let address = setting.as_ref().and_then(Setting::value).map(|value| value.as_text().unwrap_or_default());
    let is_server = has_wsus_role(context)?;
    let why = match address.as_deref().map(dead_url) {
        None => "absent",
        Some(Some(why)) if !(is_server && why.starts_with("this computer")) => why,
        Some(_) => return Ok(()),
    };
    let expected = "the same as WUServer, or another server";
    let evidence = setting.map_or_else(
        || vec![Evidence::new(software_place(KEY, "WUStatusServer"), "absent", expected)],
        |setting| setting.evidence(expected),
    );
    let title = format!("the update server is only used when the server for reports is named too ({why})");
    findings.push(finding(ID, Severity::Suspect, "WUStatusServer", title, evidence, SOURCE));
    Ok(())
}

fn alternate(context: &Context<'_>, gathered: &Gathered, findings: &mut Findings) -> Result<()> {
    let name = "UpdateServiceUrlAlternate";
    let Some(setting) = Setting::read(context, gathered, KEY, name)? else { return Ok(()) };
    let judged = setting.judged(|value| match value.as_text().as_deref().map(dead_url) {
        Some(Some(why)) if why.starts_with("this computer") || why.starts_with("an empty") => None,
        Some(why) => why,
        None => Some("no text"),
    });
    if let Some(judged) = judged {
        let title = judged.title(format!("the other place to download updates from can't exist ({})", judged.what));
        let evidence = setting.evidence("the address of a server, or absent");
        findings.push(finding(ID, judged.severity(Severity::Suspect), name, title, evidence, SOURCE));
    }
    Ok(())
}

/// The orchestrator's own copy of the policies, where it names a dead server that the policies no longer name.
fn cached(context: &Context<'_>, gathered: &Gathered, findings: &mut Findings) -> Result<()> {
    if matches!(gathered.wsus.now, Server::Dead(_)) {
        return Ok(());
    }
    let sets = context.software.subkeys(CACHE).map_err(|e| software_failure(e, CACHE))?;
    let is_server = has_wsus_role(context)?;
    for set in sets.iter().take(8) {
        let key = format!("{CACHE}\\{set}\\WindowsUpdate");
        let server = software(context, &key, "WUServer")?;
        let switch = software(context, &format!("{key}\\AU"), "UseWUServer")?;
        if let Server::Dead(why) = judge(server.as_ref(), switch.as_ref(), is_server) {
            let place = format!("{}\\{}\\WUServer", HiveName::Software, shown_text(&key));
            let evidence = vec![Evidence::seen(place, shown(server.as_ref()))];
            let title = format!(
                "an old copy of the policies names an update server that can't exist ({why}); Windows renews it"
            );
            findings.push(finding(ID, Severity::Note, "GPCache", title, evidence, SOURCE));
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_counts_only_when_it_is_used() {
        let (one, zero) = (RegValue::dword(1), RegValue::dword(0));
        let server = RegValue::string("http://wsus.corp:8530");
        let local = RegValue::string("http://localhost:8530");
        assert_eq!(judge(Some(&local), None, false), Server::None);
        assert_eq!(judge(Some(&local), Some(&zero), false), Server::None);
        assert_eq!(judge(Some(&server), Some(&one), false), Server::Alive("http://wsus.corp:8530".into()));
        assert!(matches!(judge(None, Some(&one), false), Server::Dead(_)));
        assert!(matches!(judge(Some(&local), Some(&one), false), Server::Dead(_)));
        assert!(matches!(judge(Some(&local), Some(&one), true), Server::Alive(_)));
        assert!(matches!(judge(Some(&one), Some(&one), true), Server::Dead(_)));
        assert!(matches!(judge(Some(&RegValue::string("")), Some(&one), true), Server::Dead(_)));
    }
}
