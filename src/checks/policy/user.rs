//! `policy-user`: switches in the hives of users (`NTUSER.DAT`), and in the policy files for users.
//!
//! They lock a user out of Windows Update, not the machine: a suspect, or a note on a managed machine. The hives are read with their
//! logs as SYSTEM is; a bounded number of them, none larger than [`crate::evidence::SideHive`] takes.

use super::gathered::{set_by, Gathered};
use super::settings_page::{hides_update, VISIBILITY, VISIBILITY_KEY, VISIBILITY_SOURCE};
use super::{finding, gathered, number, shown_text};
use crate::checks::context::{shown, Context};
use crate::error::{Failure, Kind as FailureKind, Result};
use crate::evidence::SideHive;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::knowledge::policies::SwitchHive;
use crate::knowledge::Knowledge;
use crate::plan::RegValue;
use crate::volume::{Kind, VolPath};

const ID: &str = "policy-user";
/// More profiles than this are not looked into, which is said.
const MOST_PROFILES: usize = 64;

/// What is looked for in every user's hive.
struct Wanted {
    key: String,
    name: String,
    severity: Severity,
    title: String,
    source: String,
    is_set: fn(&RegValue) -> bool,
}

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    let gathered = gathered(context)?;
    let wanted = wanted(gathered, build);
    for path in profiles(context, build, findings)? {
        let user = path.file_name().map(|n| shown_text(&n.to_string_lossy())).unwrap_or_default();
        let result = SideHive::read(context.volume, &path.join("NTUSER.DAT")?)
            .and_then(|hive| hive.map_or(Ok(Vec::new()), |hive| look(&hive, &user, &wanted, findings)));
        match result {
            Ok(found) => found.into_iter().for_each(|finding| findings.push(finding)),
            Err(failure) => findings.could_not(ID, failure.to_string()),
        }
    }
    findings.made += 1;
    for wanted in &wanted {
        for file in &gathered.users {
            let Some((place, value)) = set_by(file, &wanted.key, &wanted.name) else { continue };
            if (wanted.is_set)(&value) {
                let found = format!("Software\\{}\\{} = {}", wanted.key, wanted.name, shown(Some(&value)));
                let evidence = vec![Evidence::new(place, found, "0 or absent; it is set again from here")];
                let title = format!("{}: set for every user that the policy file is for", wanted.title);
                findings.push(finding(
                    ID,
                    wanted.severity,
                    "User\\Registry.pol",
                    title,
                    evidence,
                    wanted.source.clone(),
                ));
            }
        }
    }
    Ok(())
}

fn wanted(gathered: &Gathered, build: u32) -> Vec<Wanted> {
    let managed = gathered.is_managed() || gathered.domain.is_some();
    let mut all: Vec<Wanted> = Knowledge::builtin()
        .policies()
        .switches(SwitchHive::User, build)
        .map(|row| Wanted {
            key: row.key.clone(),
            name: row.name.clone(),
            severity: if managed { Severity::Note } else { Severity::Suspect },
            title: row.effect.clone(),
            source: row.source.clone(),
            is_set: |value| number(value).is_some_and(|n| n != 0),
        })
        .collect();
    all.push(Wanted {
        key: VISIBILITY_KEY.into(),
        name: VISIBILITY.into(),
        severity: Severity::Note,
        title: "the page of Windows Update in Settings is hidden from this user".into(),
        source: VISIBILITY_SOURCE.into(),
        is_set: |value| value.as_text().is_some_and(|text| hides_update(&text)),
    });
    all
}

/// The folders of users, by the place where this Windows keeps them.
fn profiles(context: &Context<'_>, build: u32, findings: &mut Findings) -> Result<Vec<VolPath>> {
    let home = if build < 6000 { "Documents and Settings" } else { "Users" };
    let Some(found) = context.volume.find(&VolPath::root().join(home)?)? else { return Ok(Vec::new()) };
    if found.kind != Kind::Dir {
        findings.could_not(ID, format!("{} is {}, which is not looked into", found.path.display_escaped(), found.kind));
        return Ok(Vec::new());
    }
    let mut entries = context.volume.list(&found.path)?;
    // "All Users" and "Default User" are links from Vista on.
    entries.retain(|entry| entry.kind == Kind::Dir);
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    if entries.len() > MOST_PROFILES {
        findings.could_not(ID, format!("{} profiles; only the first {MOST_PROFILES} were looked into", entries.len()));
    }
    entries.iter().take(MOST_PROFILES).map(|entry| Ok(found.path.child(&entry.name)?)).collect()
}

fn look(hive: &SideHive, user: &str, wanted: &[Wanted], findings: &mut Findings) -> Result<Vec<Finding>> {
    findings.made += 1;
    let registry = hive.registry()?;
    let place = hive.path.display_escaped();
    let mut found = Vec::new();
    for wanted in wanted {
        let key = format!("Software\\{}", wanted.key);
        let value = registry.value(&key, &wanted.name).map_err(|e| {
            Failure::from_error(FailureKind::Unreadable, anyhow::anyhow!("{e}"))
                .context(format!("reading {key} in {place}"))
        })?;
        let Some(value) = value.filter(|value| (wanted.is_set)(value)) else { continue };
        let evidence =
            vec![Evidence::new(format!("{place}\\{key}\\{}", wanted.name), shown(Some(&value)), "0 or absent")];
        found.push(finding(ID, wanted.severity, user, wanted.title.clone(), evidence, wanted.source.clone()));
    }
    Ok(found)
}
