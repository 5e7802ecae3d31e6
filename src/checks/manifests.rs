//! The installation's own definitions of its services in the component store: the manifests of Vista and 7.
//!
//! Since 8 manifests are compressed against a file inside the servicing stack, which can't be read here: the table speaks there. Of the ten
//! thousand manifests only those of components that define a service of the tables are read ([`Knowledge::components`]), and only the
//! version that is in force by SOFTWARE's `SideBySide\Winners`. Where that says nothing, several versions have to agree. What is
//! not understood is passed over in silence, since the table is there; only a manifest that is damaged is told of.

use std::collections::BTreeMap;

use super::context::Context;
use crate::error::{Context as _, Result};
use crate::evidence::hive_failure;
use crate::findings::Findings;
use crate::knowledge::waas::{self, WaasError, WaasService};
use crate::knowledge::{component_version, manifest_name, winner_name, ComponentVersion, Knowledge};
use crate::plan::HiveName;
use crate::volume::{Kind, VolPath};

/// Vista is the first with a component store, 7 SP1 the last whose manifests are plain XML.
const BUILDS: std::ops::RangeInclusive<u32> = 6000..=7601;
const WINNERS: &str = "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Winners";
/// A manifest that is compressed.
const COMPRESSED: &[u8] = b"DCM";
const LIMIT: u64 = 1 << 20;
/// Thirteen components, with some versions each.
const MOST_FILES: usize = 64;

/// The versions of components that are there, with their files, by name.
type Manifests = BTreeMap<String, Vec<(ComponentVersion, VolPath)>>;

/// The definitions of services, each with the place of its manifest.
pub(super) fn read(context: &Context<'_>, findings: &mut Findings) -> Vec<(WaasService, String)> {
    let arch = match context.installation.version.arch.as_deref() {
        Some("x64") => "amd64",
        Some("x86") => "x86",
        _ => return Vec::new(),
    };
    if !BUILDS.contains(&context.installation.version.build) {
        return Vec::new();
    }
    read_store(context, arch, findings)
        .doing(|| "reading the component manifests that define services".into())
        .unwrap_or_else(|failure| {
            findings.could_not("services", format!("{failure}; the table is used"));
            Vec::new()
        })
}

fn read_store(context: &Context<'_>, arch: &str, findings: &mut Findings) -> Result<Vec<(WaasService, String)>> {
    let manifests = manifests(context, arch)?;
    if manifests.is_empty() {
        return Ok(Vec::new());
    }
    let winners = winners(context, arch)?;
    let mut left = MOST_FILES;
    let mut found: Vec<(WaasService, String)> = Vec::new();
    for component in Knowledge::builtin().components() {
        for name in &component.names {
            let Some(versions) = manifests.get(name) else { continue };
            let in_force = winners.get(name);
            let files = versions.iter().filter(|(version, _)| in_force.is_none_or(|winner| winner == version));
            let mut said: Option<Vec<(WaasService, String)>> = None;
            for (_, path) in files {
                if left == 0 {
                    findings.could_not(
                        "services",
                        format!("more than {MOST_FILES} manifests define services: the table is used for the rest"),
                    );
                    return Ok(found);
                }
                left -= 1;
                let this = definitions(context, path, &component.services, findings);
                said = match said {
                    None => Some(this),
                    Some(other) if same(&other, &this) => Some(this),
                    // Nobody says which of them is in force.
                    Some(_) => Some(Vec::new()),
                };
                if said.as_ref().is_some_and(Vec::is_empty) {
                    break;
                }
            }
            found.extend(said.unwrap_or_default());
        }
    }
    Ok(found)
}

fn same(one: &[(WaasService, String)], two: &[(WaasService, String)]) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.0 == two.0)
}

/// What a manifest says of these services.
fn definitions(
    context: &Context<'_>,
    path: &VolPath,
    services: &[String],
    findings: &mut Findings,
) -> Vec<(WaasService, String)> {
    let place = path.display_escaped();
    let bytes = match context.volume.read(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(e) => {
            findings.could_not("services", format!("{place} can't be read ({e}); the table is used"));
            return Vec::new();
        }
    };
    if bytes.starts_with(COMPRESSED) {
        return Vec::new();
    }
    match waas::parse(&bytes) {
        Ok(all) => all
            .into_iter()
            .filter(|service| services.iter().any(|name| name.eq_ignore_ascii_case(&service.name)))
            .map(|service| (service, place.clone()))
            .collect(),
        // A component without services, or words that this version does not know.
        Err(WaasError::WrongRoot { .. } | WaasError::Value { .. } | WaasError::Sddl { .. }) => Vec::new(),
        Err(e) => {
            findings.could_not("services", format!("{place} is damaged ({e}); the table is used"));
            Vec::new()
        }
    }
}

/// The manifests of components that define services of the tables.
fn manifests(context: &Context<'_>, arch: &str) -> Result<Manifests> {
    let mut found = Manifests::new();
    let folder = context.in_windows("WinSxS\\Manifests")?;
    let Some(there) = context.volume.find(&folder)?.filter(|there| there.kind == Kind::Dir) else { return Ok(found) };
    for entry in context.volume.list(&there.path)?.into_iter().filter(|entry| entry.kind == Kind::File) {
        let Some((name, version)) = entry.name.to_str().and_then(|name| manifest_name(name, arch)) else { continue };
        if is_wanted(&name) {
            found.entry(name).or_default().push((version, there.path.child(&entry.name)?));
        }
    }
    // The order of a folder is nothing to rely on.
    found.values_mut().for_each(|versions| versions.sort_by(|a, b| (b.0, a.1.encode()).cmp(&(a.0, b.1.encode()))));
    Ok(found)
}

fn is_wanted(component: &str) -> bool {
    Knowledge::builtin().components().iter().any(|known| known.names.iter().any(|name| name == component))
}

/// The versions in force. A component that has two keys there has none that could be told.
fn winners(context: &Context<'_>, arch: &str) -> Result<BTreeMap<String, ComponentVersion>> {
    let bad = |e| hive_failure(HiveName::Software, e);
    let text = |key: &str| context.software.text(key, "").map_err(bad);
    let mut found = BTreeMap::new();
    let mut twice = Vec::new();
    for key in context.software.subkeys(WINNERS).map_err(bad)? {
        let Some(component) = winner_name(&key, arch).filter(|name| is_wanted(name)) else { continue };
        let key = format!("{WINNERS}\\{key}");
        let Some(branch) = text(&key)?.filter(|branch| !branch.is_empty() && !branch.contains('\\')) else { continue };
        let Some(version) = text(&format!("{key}\\{branch}"))?.as_deref().and_then(component_version) else { continue };
        if found.insert(component.clone(), version).is_some_and(|other| other != version) {
            twice.push(component);
        }
    }
    found.retain(|component, _| !twice.contains(component));
    Ok(found)
}
