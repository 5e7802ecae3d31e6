//! `system-proxy`: WinINET's proxy of the system account, and of the whole machine where policy says that there is only one.
//!
//! BITS takes it for jobs of LocalSystem (Microsoft, "bitsadmin util and setieproxy"), and the update agent tries it after the proxy of
//! services (Microsoft, "How the Windows Update client determines which proxy server to use"). In force is `DefaultConnectionSettings` (the
//! layout of [`super::proxy::Settings`]); where there is none, or it is not understood, the three values beside it. `.DEFAULT` and
//! `S-1-5-18` are one hive, `config\DEFAULT`. As with the proxy of services: one on this computer itself is a suspect, unless somebody
//! manages the machine, and anything else a note. Looking for a proxy in the network, which healthy hives have, is nothing.

use super::address::dead_url;
use super::proxy::{dead_proxy, Settings};
use super::{finding, number, shown_text, software_failure, somebody_manages};
use crate::checks::context::Context;
use crate::error::{Failure, Kind as FailureKind, Result};
use crate::evidence::{Registry, RegistryError, SideHive};
use crate::findings::{Evidence, Findings, Severity};
use crate::plan::{HiveName, RegValue};

const ID: &str = "system-proxy";
const KEY: &str = "Microsoft\\Windows\\CurrentVersion\\Internet Settings";
const BLOB: &str = "DefaultConnectionSettings";
const SOURCE: &str = "Microsoft, bitsadmin util and setieproxy; Microsoft, How the Windows Update client determines which proxy server to use; two hives DEFAULT of 10";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    match SideHive::read(context.volume, &context.in_windows("System32\\config\\DEFAULT")?) {
        Ok(Some(hive)) => {
            let place = hive.path.display_escaped();
            let bad = |e: RegistryError| {
                Failure::from_error(FailureKind::Unreadable, anyhow::anyhow!("{e}")).context(format!("reading {place}"))
            };
            let key = format!("Software\\{KEY}");
            if let Some(found) = Found::read(&hive.registry()?, &place, &key).map_err(bad)? {
                report(context, findings, "DEFAULT", &found)?;
            }
        }
        Ok(None) => {}
        Err(failure) => findings.could_not(ID, failure.to_string()),
    }
    let policy = format!("Policies\\{KEY}");
    let bad = |e| software_failure(e, &policy);
    let per_user = context.software.value(&policy, "ProxySettingsPerUser").map_err(bad)?;
    if per_user.as_ref().and_then(number) == Some(0) {
        let found = Found::read(&context.software, &HiveName::Software.to_string(), KEY);
        if let Some(mut found) = found.map_err(|e| software_failure(e, KEY))? {
            let place = format!("{}\\{policy}\\ProxySettingsPerUser", HiveName::Software);
            found.evidence.push(Evidence::seen(place, "0: one for the whole machine"));
            report(context, findings, "machine", &found)?;
        }
    }
    Ok(())
}

/// A proxy, or a script that chooses one.
struct Found {
    what: &'static str,
    text: String,
    dead: Option<&'static str>,
    evidence: Vec<Evidence>,
}

impl Found {
    /// What is in force in this key; `None` where nothing is.
    fn read(registry: &Registry<'_>, hive: &str, key: &str) -> std::result::Result<Option<Found>, RegistryError> {
        let blob = registry.value(&format!("{key}\\Connections"), BLOB)?.as_ref().and_then(Settings::read);
        let (place, settings) = match blob {
            Some(settings) => (format!("{hive}\\{key}\\Connections\\{BLOB}"), settings),
            None => {
                let text = |name: &str| Ok(registry.text(key, name)?.filter(|text| !text.trim().is_empty()));
                let is_on = registry.value(key, "ProxyEnable")?.as_ref().and_then(RegValue::as_dword) == Some(1);
                let proxy = text("ProxyServer")?.filter(|_| is_on);
                let name = if proxy.is_some() { "ProxyServer" } else { "AutoConfigURL" };
                (format!("{hive}\\{key}\\{name}"), Settings { proxy, script: text("AutoConfigURL")? })
            }
        };
        let found = match settings {
            Settings { proxy: Some(proxy), .. } => ("proxy", dead_proxy(&proxy), proxy),
            Settings { script: Some(script), .. } => {
                // A script in a file is somebody's own way, and none that a service reads.
                let dead = dead_url(&script).filter(|why| why.starts_with("this computer"));
                ("script", dead, script)
            }
            Settings { .. } => return Ok(None),
        };
        let (what, dead, text) = found;
        let text = shown_text(&text);
        let evidence = vec![Evidence::new(place, text.clone(), "a proxy that answers, or none")];
        Ok(Some(Found { what, text, dead, evidence }))
    }
}

fn report(context: &Context<'_>, findings: &mut Findings, subject: &str, found: &Found) -> Result<()> {
    let who = if subject == "machine" { "every account" } else { "the system account" };
    let by = if found.what == "script" { "a proxy that a script chooses" } else { "a proxy" };
    let (severity, title) = match found.dead {
        Some(why) if !somebody_manages(context)? => {
            (Severity::Suspect, format!("{who} goes through {by}, which is {why}: 0x80072EFD"))
        }
        Some(why) => {
            (Severity::Note, format!("{who} goes through {by}, which is {why}; somebody manages this machine"))
        }
        None => (
            Severity::Note,
            format!("{who} goes through {by} ({}); whether it answers can't be known offline", found.text),
        ),
    };
    findings.push(finding(ID, severity, subject, title, found.evidence.clone(), SOURCE));
    Ok(())
}
