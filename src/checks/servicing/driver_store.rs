//! `driver-store`: driver packages that the driver database lists and whose folder in the driver store is gone, and `oem*.inf`
//! files that it lists and that `INF` lacks.
//!
//! What it relies on: `DriverDatabase` in the hives DRIVERS and SYSTEM, from 8 on; before, there is no such list. Source: Microsoft,
//! "Troubleshoot Windows Update error 0x80070003" (driver files missing); keys of a SYSTEM hive of 10.

use std::collections::{BTreeMap, BTreeSet};

use super::{cut, folder_names, shown};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::{hive_failure, Registry, SideHive};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;

const ID: &str = "driver-store";
const STORE: &str = "System32\\DriverStore\\FileRepository";
/// More packages than any installation has.
const MAX_PACKAGES: usize = 100_000;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    // Names as they are spelled, by their lower case, and the hive that lists them.
    let (mut packages, mut infs) = (BTreeMap::new(), BTreeMap::new());
    listed(&context.system, "SYSTEM", &mut packages, &mut infs)?;
    match SideHive::read(context.volume, &context.in_windows("System32\\config\\DRIVERS")?) {
        Ok(Some(hive)) => listed(&hive.registry()?, "DRIVERS", &mut packages, &mut infs)?,
        Ok(None) => {}
        Err(failure) => findings.could_not(ID, failure.to_string()),
    }
    let mut missing = |names: BTreeMap<String, (String, &'static str)>,
                       key: &str,
                       folder: &str,
                       what: &str|
     -> Result<Vec<Evidence>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let path = context.in_windows(folder)?;
        let Some(there) = folder_names(context, &path)? else {
            findings.could_not(ID, format!("{} can't be listed", path.display_escaped()));
            return Ok(Vec::new());
        };
        let gone = names.into_iter().filter(|(lower, _)| !there.contains(lower));
        Ok(gone
            .map(|(_, (name, hive))| {
                Evidence::new(
                    format!("{}\\{}", path.display_escaped(), shown(&name)),
                    format!("nothing, but {hive}\\{key} lists it"),
                    what,
                )
            })
            .collect())
    };
    let folders = missing(packages, "DriverDatabase\\DriverPackages", STORE, "the driver package's folder")?;
    let files = missing(infs, "DriverDatabase\\DriverInfFiles", "INF", "the published inf")?;
    for (evidence, severity, title) in [
        (folders, Severity::Problem, "driver packages are registered whose folder in the driver store is gone; put them back, or delete the package with DISM or pnputil"),
        (files, Severity::Suspect, "driver packages are registered whose published inf is gone"),
    ] {
        let Some(first) = evidence.first() else { continue };
        findings.push(Finding {
            id: ID,
            severity,
            subject: first.place.rsplit('\\').next().unwrap_or_default().to_owned(),
            title: title.into(),
            evidence: cut(evidence),
            remedy: None,
            source: "Microsoft, Troubleshoot Windows Update error 0x80070003 (2025): driver files missing".into(),
            defect: None,
        });
    }
    Ok(())
}

type Listed = BTreeMap<String, (String, &'static str)>;

fn listed(hive: &Registry<'_>, name: &'static str, packages: &mut Listed, infs: &mut Listed) -> Result<()> {
    // The failure is told as SYSTEM's, whichever of the two it is: the text names the key.
    let bad = |e| hive_failure(HiveName::System, e);
    for package in hive.subkeys("DriverDatabase\\DriverPackages").map_err(bad)?.into_iter().take(MAX_PACKAGES) {
        // A package's key is named as its folder: INF_ARCHITECTURE_HASH.
        if package.to_lowercase().contains(".inf_") {
            packages.insert(package.to_lowercase(), (package, name));
        }
    }
    for inf in hive.subkeys("DriverDatabase\\DriverInfFiles").map_err(bad)?.into_iter().take(MAX_PACKAGES) {
        let lower = inf.to_lowercase();
        let number = lower.strip_prefix("oem").and_then(|rest| rest.strip_suffix(".inf"));
        if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            infs.insert(lower, (inf, name));
        }
    }
    Ok(())
}

/// The keys of drivers that must exist where Windows has staged their inf.
pub(in crate::checks) fn keys(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let facts = crate::knowledge::Knowledge::builtin().files();
    let mut told = BTreeSet::new();
    for set in &context.installation.control_sets {
        for row in facts.drivers(context.installation.version.build) {
            findings.made += 1;
            let inf = context.in_windows(&row.inf)?;
            let key = format!("{}\\Services\\{}", set.key, row.service);
            let there = context.system.key_exists(&key).map_err(|e| hive_failure(HiveName::System, e))?;
            if there || context.volume.find(&inf)?.is_none() || !told.insert(row.service.clone()) {
                continue;
            }
            findings.push(Finding {
                id: "driver-key",
                severity: Severity::Suspect,
                subject: row.service.clone(),
                title: "a driver's key is missing although its inf is staged; updates that touch the inf fail. Copy the key from a machine of the same build".into(),
                evidence: vec![
                    Evidence::new(format!("{}\\{key}", HiveName::System), "absent", "the driver's key"),
                    Evidence::seen(inf.display_escaped(), "there"),
                ],
                remedy: None,
                source: row.source.clone(),
                defect: None,
            });
        }
    }
    Ok(())
}
