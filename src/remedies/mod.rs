//! The remedies: from findings to actions. Nothing here writes; an action is data.
//!
//! A remedy runs when a problem or suspect asks for it. `--reset` adds the complete reset of the update components, `--with`
//! runs one remedy whether something asks for it or not, `--only` and `--skip` choose. One file per remedy.
//!
//! A new remedy is a file here, a line in [`REMEDIES`], and a record in `knowledge/remedies.toml`; a check asks for it by its id. What it may
//! write has to be let through the fence around plans (`plan/scope.rs`), as narrowly as it can be.

mod bits_queue;
mod caches;
mod options;
mod os_upgrade;
mod pending_renames;
mod services_config;
mod services_security;
mod services_start;

use crate::checks::Context;
use crate::error::Result;
use crate::evidence::{hive_failure, now, Installation};
use crate::findings::{Defect, Finding, Findings, Severity};
use crate::plan::{Action, Change, HiveName, Plan, Purpose, PLAN_SCHEMA};
use crate::volume::Volume;

pub use options::Options;
pub use services_security::descriptor_changes;

/// A remedy.
pub struct Remedy {
    /// Its id.
    pub id: &'static str,
    /// Whether it runs without being asked for by name.
    pub default: bool,
    changes: fn(&Request<'_>, &mut Output) -> Result<()>,
}

/// Every remedy, in the order in which a plan lists them.
pub const REMEDIES: &[Remedy] = &[
    Remedy { id: "services-config", default: true, changes: services_config::changes },
    Remedy { id: "services-start", default: true, changes: services_start::changes },
    Remedy { id: "services-security", default: true, changes: services_security::changes },
    Remedy { id: "pending-renames", default: true, changes: pending_renames::changes },
    Remedy { id: "update-cache", default: true, changes: caches::update_cache },
    Remedy { id: "catalog-cache", default: true, changes: caches::catalog_cache },
    Remedy { id: "bits-queue", default: true, changes: bits_queue::changes },
    Remedy { id: "os-upgrade", default: false, changes: os_upgrade::changes },
];

/// What a remedy works from.
struct Request<'a> {
    context: &'a Context<'a>,
    findings: &'a [Finding],
    options: &'a Options,
    id: &'static str,
}

impl<'a> Request<'a> {
    /// The defects that ask for this remedy.
    fn defects(&self) -> impl Iterator<Item = &'a Defect> + use<'a> {
        let id = self.id;
        self.findings
            .iter()
            .filter(move |f| f.remedy == Some(id) && f.severity != Severity::Note)
            .filter_map(|f| f.defect.as_ref())
    }

    /// Whether this remedy runs finding or not.
    fn forced(&self) -> bool {
        self.options.is_forced(self.id)
    }
}

/// What a remedy makes.
#[derive(Default)]
struct Output {
    changes: Vec<Change>,
    warnings: Vec<String>,
}

/// Makes the plan.
///
/// # Errors
/// The volume or the hives can't be read.
pub fn plan(context: &Context<'_>, findings: &Findings, options: &Options) -> Result<Plan> {
    let mut actions = Vec::new();
    let mut warnings = Vec::new();
    for remedy in REMEDIES {
        if !options.wants(remedy) {
            continue;
        }
        let request = Request { context, findings: &findings.findings, options, id: remedy.id };
        let mut output = Output::default();
        (remedy.changes)(&request, &mut output)?;
        actions.extend(output.changes.into_iter().map(|change| Action { remedy: remedy.id.into(), change }));
        warnings.extend(output.warnings);
    }
    Ok(finish(context.volume, context.installation, Purpose::Repair, actions, warnings))
}

/// Puts actions into a plan that is bound to this installation, with the warnings that hold for any.
pub fn finish(
    volume: &dyn Volume,
    installation: &Installation,
    purpose: Purpose,
    actions: Vec<Action>,
    mut warnings: Vec<String>,
) -> Plan {
    if !actions.is_empty() && volume.mount_info().is_some_and(|m| m.is_ntfs && m.fs_type.starts_with("fuse")) {
        warnings.push(
            "this volume is mounted through ntfs-3g, which keeps no journal: a power cut during the repair can hurt the file system. Make a copy of the disk first if it is the only one.".into(),
        );
    }
    let touched: Vec<_> = actions.iter().filter_map(|a| a.change.hive()).collect();
    for name in [HiveName::System, HiveName::Software] {
        if let (true, Some(recovery)) = (touched.contains(&name), &installation.hive(name).recovery) {
            warnings.push(format!(
                "the hive {name} was {}; that is written first, as Windows itself would at its next start",
                recovery.how
            ));
        }
    }
    let mut plan = Plan {
        schema: PLAN_SCHEMA.into(),
        tool: env!("CARGO_PKG_VERSION").into(),
        purpose,
        time: now().0,
        binding: installation.binding(volume, &[]),
        actions,
        warnings,
        force_dirty_hive: installation.forced_dirty,
        left_alone: 0,
    };
    plan.binding = installation.binding(volume, &plan.hives());
    plan
}

/// The keys that have to be made so that `key` is there, topmost first.
fn missing_keys(context: &Context<'_>, hive: HiveName, key: &str) -> Result<Vec<Change>> {
    let registry = match hive {
        HiveName::System => &context.system,
        HiveName::Software => &context.software,
    };
    let mut missing = Vec::new();
    let mut path = key;
    while !registry.key_exists(path).map_err(|e| hive_failure(hive, e))? {
        missing.push(Change::CreateKey { hive, key: path.to_string() });
        match path.rsplit_once('\\') {
            Some((parent, _)) => path = parent,
            None => break,
        }
    }
    missing.reverse();
    Ok(missing)
}

/// A defect of one value as a change; `None` when nothing would change.
fn value_change(defect: &Defect) -> Option<Change> {
    let Defect::Value { hive, key, name, found, expected } = defect else { return None };
    if found == expected {
        return None;
    }
    let (hive, key, name) = (*hive, key.clone(), name.clone());
    Some(match (expected, found) {
        (Some(after), before) => Change::SetValue { hive, key, name, before: before.clone(), after: after.clone() },
        (None, Some(before)) => Change::DeleteValue { hive, key, name, before: before.clone() },
        (None, None) => return None,
    })
}
