//! `component-store`: the hive COMPONENTS and the files that it and the package list name: manifests, catalogs (`component-store`), and
//! the `.mum` and `.cat` of every package (`package-files`). Presence only: DISM compares contents.
//!
//! What it relies on: `DerivedData\Components\KEYFORM` and `CanonicalData\Catalogs\SHA256` in COMPONENTS, `Packages` in SOFTWARE. Names
//! that are of another form than the files' are "could not check". Source: Microsoft KB947821 (CheckSUR: "CBS MUM Missing", "CSI Manifest
//! Missing", "CSI Catalog Missing"); published descriptions of the hive.

use std::collections::HashSet;
use std::ffi::OsStr;

use super::{cut, folder_names, shown};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::{hive_failure, Registry, SideHive};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;
use crate::updates::{PackageState, PACKAGES};
use crate::volume::{Found, Kind};

const ID: &str = "component-store";
const SOURCE: &str = "Microsoft KB947821 (CheckSUR); published descriptions of the hive COMPONENTS";
const MAX_KEYS: usize = 500_000;
/// If of so many keys none has its file, the names are not understood.
const STRANGE: usize = 20;

/// COMPONENTS, read when the first check asks for it.
#[derive(Default)]
pub(in crate::checks) struct Components(std::cell::OnceCell<std::result::Result<Option<SideHive>, String>>);

impl Components {
    /// The hive; `None` where there is none; an error says why it can't be read.
    pub(in crate::checks) fn get(&self, context: &Context<'_>) -> std::result::Result<Option<&SideHive>, &String> {
        let read = || {
            let path = context.in_windows("System32\\config\\COMPONENTS").map_err(|e| e.to_string())?;
            SideHive::read(context.volume, &path).map_err(|e| e.to_string())
        };
        self.0.get_or_init(read).as_ref().map(Option::as_ref)
    }
}

fn finding(severity: Severity, subject: &str, title: &str, evidence: Vec<Evidence>) -> Finding {
    Finding {
        id: ID,
        severity,
        subject: subject.into(),
        title: format!("{title}; DISM /Image:… /Cleanup-Image /RestoreHealth with a source of the same build mends it"),
        evidence: cut(evidence),
        remedy: None,
        source: SOURCE.into(),
        defect: None,
    }
}

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let path = context.in_windows("System32\\config\\COMPONENTS")?;
    let place = path.display_escaped();
    let broken = match context.volume.find(&path)? {
        None => Some("nothing".to_string()),
        Some(f) if f.kind == Kind::File && f.len == 0 => Some("a file of 0 bytes".into()),
        Some(f) if f.kind == Kind::File && context.volume.read_head(&f.path, 4)? != *b"regf" => {
            Some("a file that is no registry hive".into())
        }
        Some(_) => None,
    };
    if let Some(seen) = broken {
        let evidence = vec![Evidence::new(place, seen, "the component store's hive")];
        findings.push(finding(
            Severity::Problem,
            "COMPONENTS",
            "the component store's hive is gone or destroyed",
            evidence,
        ));
        return Ok(());
    }
    let hive = match context.components.get(context) {
        Ok(Some(hive)) => hive,
        Ok(None) => return Ok(()),
        Err(why) => {
            findings.could_not(ID, why.clone());
            return Ok(());
        }
    };
    let registry = hive.registry()?;
    let strange = |e| crate::error::Failure::unreadable(format!("reading COMPONENTS through nt-hive: {e}"));
    let has = |key: &str| registry.key_exists(key).map_err(strange);
    if !has("DerivedData\\Components")? && !has("DerivedData\\VersionedIndex")? && !has("CanonicalData")? {
        let evidence = vec![Evidence::new("COMPONENTS\\DerivedData\\Components", "absent", "the list of components")];
        findings.push(finding(
            Severity::Problem,
            "COMPONENTS",
            "the component store's hive lists no components",
            evidence,
        ));
        return Ok(());
    }
    for (key, folder, ending, subject, title) in [
        (
            "DerivedData\\Components",
            "WinSxS\\Manifests",
            "manifest",
            "manifests",
            "components are registered whose manifest is gone",
        ),
        ("CanonicalData\\Catalogs", "WinSxS\\Catalogs", "cat", "catalogs", "catalogs of the component store are gone"),
    ] {
        let gone = missing(context, &registry, key, folder, ending, findings)?;
        if !gone.is_empty() {
            findings.push(finding(Severity::Suspect, subject, title, gone));
        }
    }
    Ok(())
}

fn missing(
    context: &Context<'_>,
    registry: &Registry<'_>,
    key: &str,
    folder: &str,
    ending: &str,
    findings: &mut Findings,
) -> Result<Vec<Evidence>> {
    let keys = registry
        .subkeys(key)
        .map_err(|e| crate::error::Failure::unreadable(format!("reading COMPONENTS\\{key} through nt-hive: {e}")))?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let path = context.in_windows(folder)?;
    let Some(there) = folder_names(context, &path)? else {
        return Ok(vec![Evidence::new(path.display_escaped(), "no folder", "the component store")]);
    };
    let all = keys.len().min(MAX_KEYS);
    let gone: Vec<String> = keys
        .into_iter()
        .take(MAX_KEYS)
        .map(|k| format!("{k}.{ending}"))
        .filter(|f| !there.contains(&f.to_lowercase()))
        .collect();
    if gone.len() == all && all >= STRANGE && there.iter().any(|f| f.ends_with(&format!(".{ending}"))) {
        findings.could_not(
            ID,
            format!("the names in COMPONENTS\\{key} are not those of the files in {}", path.display_escaped()),
        );
        return Ok(Vec::new());
    }
    let place = |file: &String| format!("{}\\{}", path.display_escaped(), shown(file));
    Ok(gone.iter().map(|f| Evidence::new(place(f), "nothing", format!("listed in COMPONENTS\\{key}"))).collect())
}

/// `package-files`: the pair of files of each package.
pub(in crate::checks) fn packages(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let bad = |e| hive_failure(HiveName::Software, e);
    let path = context.in_windows("servicing\\Packages")?;
    let mut wanted: Vec<(String, PackageState)> = Vec::new();
    let mut count = 0;
    let each = context.software.each_subkey(PACKAGES, |name, package| {
        count += 1;
        let number = package.value("CurrentState")?.and_then(|value| value.as_dword());
        let state = number.map_or(PackageState::Unknown, PackageState::Servicing);
        if state.has_files() && count <= MAX_KEYS {
            wanted.extend(["mum", "cat"].map(|ending| (format!("{name}.{ending}"), state.clone())));
        }
        Ok(())
    });
    each.map_err(bad)?;
    if count == 0 {
        return Ok(());
    }
    let there = folder_names(context, &path)?.unwrap_or_default();
    let is_there = |file: &str| there.contains(&file.to_lowercase());
    let to_open = wanted.iter().filter(|(file, state)| state.is_installed() && is_there(file));
    let to_open: Vec<&OsStr> = to_open.map(|(file, _)| OsStr::new(file)).collect();
    let found = context.volume.find_in(&path, &to_open)?;
    let is_empty = |found: &Option<Found>| found.as_ref().is_some_and(|f| f.kind == Kind::File && f.len == 0);
    let empty: HashSet<&OsStr> =
        to_open.into_iter().zip(&found).filter(|(_, found)| is_empty(found)).map(|(file, _)| file).collect();
    let (mut installed, mut others) = (Vec::new(), Vec::new());
    for (file, state) in &wanted {
        let seen = if !is_there(file) {
            "nothing"
        } else if empty.contains(OsStr::new(file)) {
            "a file of 0 bytes"
        } else {
            continue;
        };
        let place = format!("{}\\{}", path.display_escaped(), shown(file));
        let list = if state.is_installed() { &mut installed } else { &mut others };
        list.push(Evidence::new(place, seen, format!("the file of a package that is {}", state.name())));
    }
    for (evidence, severity, title) in [
        (installed, Severity::Problem, "files of installed packages are missing or empty (0x80073712, 0x800f0831)"),
        (others, Severity::Suspect, "files of packages that are not fully installed are missing"),
    ] {
        let Some(first) = evidence.first() else { continue };
        let subject = first.place.rsplit('\\').next().unwrap_or_default().to_owned();
        findings.push(Finding { id: "package-files", ..finding(severity, &subject, title, evidence) });
    }
    Ok(())
}
