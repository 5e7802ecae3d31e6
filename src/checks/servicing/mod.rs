//! The checks of files, of servicing that waits for a restart, and of the component store: one per file.

mod catalogs;
mod component_store;
mod driver_operations;
mod driver_store;
mod environment;
mod file_access;
mod free_space;
mod package_state;
mod pending;
mod profiles;
mod registry_access;
mod service_file;
mod session_manager;
mod setup_config;
mod stack_version;
mod transactions;
mod update_stack;

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;

pub(super) use component_store::Components;

use super::context::Context;
use super::Check;
use crate::error::Result;
use crate::evidence::{hive_failure, ProgramPaths, Registry};
use crate::findings::Evidence;
use crate::plan::HiveName;
use crate::updates::SERVICING as CBS;
use crate::volume::escape::escape_text;
use crate::volume::{Kind, VolPath};

/// These checks, in the order in which findings are shown.
pub(super) const CHECKS: &[Check] = &[
    Check { id: "service-file", run: service_file::run },
    Check { id: "driver-key", run: driver_store::keys },
    Check { id: "update-stack-file", run: update_stack::run },
    Check { id: "file-access", run: file_access::run },
    Check { id: "servicing-access", run: registry_access::run },
    Check { id: "pending-servicing", run: pending::run },
    Check { id: "session-manager", run: session_manager::run },
    Check { id: "package-state", run: package_state::run },
    Check { id: "driver-operations", run: driver_operations::run },
    Check { id: "registry-transactions", run: transactions::run },
    Check { id: "servicing-stack", run: stack_version::run },
    Check { id: "component-store", run: component_store::run },
    Check { id: "package-files", run: component_store::packages },
    Check { id: "driver-store", run: driver_store::run },
    Check { id: "catalogs", run: catalogs::run },
    Check { id: "profile-list", run: profiles::run },
    Check { id: "environment", run: environment::run },
    Check { id: "setup-config", run: setup_config::run },
    Check { id: "free-space", run: free_space::run },
];

/// As many lines of evidence as a finding carries.
const MAX_EVIDENCE: usize = 20;

/// A name or text of a hive or file for people.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(300).collect();
    escape_text(OsStr::new(&short))
}

/// The first lines of evidence, and how many more there were.
fn cut(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    let all = evidence.len();
    if all > MAX_EVIDENCE {
        evidence.truncate(MAX_EVIDENCE);
        evidence.push(Evidence::seen("and more", format!("{} in all", all)));
    }
    evidence
}

/// A list of names for a sentence, cut.
fn names(all: &BTreeSet<String>) -> String {
    let first: Vec<&str> = all.iter().take(8).map(String::as_str).collect();
    let more = all.len().saturating_sub(first.len());
    let first = first.join(", ");
    if more > 0 {
        format!("{first} and {more} more")
    } else {
        first
    }
}

/// SOFTWARE's text at a place.
fn software_text(software: &Registry<'_>, key: &str, name: &str) -> Result<Option<String>> {
    software.text(key, name).map_err(|e| hive_failure(HiveName::Software, e))
}

/// How paths of this installation are to be read.
fn program_paths(context: &Context<'_>, control_set: &str) -> Result<ProgramPaths> {
    let mut paths = ProgramPaths::new(&context.installation.windows, context.system_root.as_deref());
    let current = "Microsoft\\Windows\\CurrentVersion";
    for (variable, value) in [
        ("ProgramFiles", "ProgramFilesDir"),
        ("ProgramW6432", "ProgramFilesDir"),
        ("ProgramFiles(x86)", "ProgramFilesDir (x86)"),
        ("CommonProgramFiles", "CommonFilesDir"),
        ("CommonProgramFiles(x86)", "CommonFilesDir (x86)"),
    ] {
        if let Some(folder) = software_text(&context.software, current, value)? {
            paths.set(variable, &folder);
        }
    }
    let environment = format!("{control_set}\\Control\\Session Manager\\Environment");
    let bad = |e| hive_failure(HiveName::System, e);
    for name in context.system.value_names(&environment).map_err(bad)?.into_iter().take(200) {
        let Some(text) = context.system.text(&environment, &name).map_err(bad)? else { continue };
        match name.to_ascii_lowercase().as_str() {
            "path" => paths.set_path(&text),
            // These two are Windows' own, whatever the key says.
            "systemroot" | "systemdrive" => {}
            _ => paths.set(&name, &text),
        }
    }
    Ok(paths)
}

/// The names in a folder in lower case; `None` where there is no folder.
fn folder_names(context: &Context<'_>, path: &VolPath) -> Result<Option<HashSet<String>>> {
    match context.volume.find(path)? {
        Some(found) if found.kind == Kind::Dir => {}
        _ => return Ok(None),
    }
    let entries = context.volume.list(path)?;
    Ok(Some(entries.into_iter().map(|e| e.name.to_string_lossy().to_lowercase()).collect()))
}
