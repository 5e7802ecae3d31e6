//! What coldmend may change at all: the fence around every plan, whoever wrote it.
//!
//! Plans are read from files that others may have written (`--plan`, `\coldmend` on the volume), and a plan
//! is an instruction to an administrator's tool. So a plan may only name the places that coldmend's own
//! remedies change; anything else is refused before a byte is written (design, safety rule 9).

use super::{Change, HiveName, Plan};
use crate::volume::VolPath;

/// A change outside the fence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan wants to change {place}, which is not a place that coldmend changes")]
pub struct OutOfScope {
    /// The place.
    pub place: String,
}

/// Checks every change of a plan against the fence.
///
/// # Errors
/// The first change that is outside.
pub fn check_scope(plan: &Plan) -> Result<(), OutOfScope> {
    for action in &plan.actions {
        let change = &action.change;
        let inside = match change {
            Change::SetValue { hive, key, name, .. } | Change::DeleteValue { hive, key, name, .. } => {
                key_in_scope(*hive, key) || value_in_scope(*hive, key, name)
            }
            Change::CreateKey { hive, key } | Change::DeleteKey { hive, key } => key_in_scope(*hive, key),
            Change::CreateFolder { path } | Change::RemoveFolder { path } => path_in_scope(&plan.binding.windows, path),
            Change::Rename { from, to, .. } => {
                path_in_scope(&plan.binding.windows, from) && path_in_scope(&plan.binding.windows, to)
            }
        };
        if !inside {
            return Err(OutOfScope { place: change.place() });
        }
    }
    Ok(())
}

/// Keys under the services of a control set, the svchost groups, and the upgrade switch.
fn key_in_scope(hive: HiveName, key: &str) -> bool {
    let parts: Vec<String> = key.split('\\').map(str::to_ascii_lowercase).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if parts.iter().any(|p| p.is_empty()) {
        return false;
    }
    match hive {
        HiveName::System => match parts.as_slice() {
            [set, "services", _, ..] => is_control_set(set),
            _ => false,
        },
        HiveName::Software => {
            parts.starts_with(&["microsoft", "windows nt", "currentversion", "svchost"])
                || parts.starts_with(&["microsoft", "windows", "currentversion", "windowsupdate"])
        }
    }
}

/// The Session Manager's lists of files to rename, and nothing else of its key.
fn value_in_scope(hive: HiveName, key: &str, name: &str) -> bool {
    let (key, name) = (key.to_ascii_lowercase(), name.to_ascii_lowercase());
    let list = matches!(name.as_str(), "pendingfilerenameoperations" | "pendingfilerenameoperations2");
    let manager =
        key.split_once('\\').is_some_and(|(set, rest)| is_control_set(set) && rest == "control\\session manager");
    hive == HiveName::System && list && manager
}

/// `controlset001` and the like.
fn is_control_set(name: &str) -> bool {
    name.strip_prefix("controlset").is_some_and(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The three caches and their former selves.
fn path_in_scope(windows: &VolPath, path: &VolPath) -> bool {
    let lower = |p: &VolPath| p.to_string().to_ascii_lowercase();
    let (windows, path) = (lower(windows), lower(path));
    let name_of =
        |parent: &str| -> Option<String> { path.strip_prefix(parent)?.strip_prefix('\\').map(str::to_string) };
    let is_former = |name: &str, base: &str| {
        name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && !rest.contains('\\')))
    };
    if let Some(name) = name_of(&windows) {
        if is_former(&name, "softwaredistribution") {
            return true;
        }
        if name.strip_prefix("softwaredistribution\\").is_some_and(|n| is_former(n, "download")) {
            return true;
        }
    }
    if name_of(&format!("{windows}\\system32")).is_some_and(|name| is_former(&name, "catroot2")) {
        return true;
    }
    ["programdata\\microsoft\\network", "documents and settings\\all users\\application data\\microsoft\\network"]
        .iter()
        .filter_map(|parent| name_of(parent))
        .any(|rest| {
            let (folder, file) = rest.split_once('\\').map_or((rest.as_str(), None), |(a, b)| (a, Some(b)));
            is_former(folder, "downloader")
                && file.is_none_or(|f| !f.contains('\\') && (f.starts_with("qmgr") || f.starts_with("edb")))
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_services_and_update_keys_are_in_scope() {
        assert!(key_in_scope(HiveName::System, "ControlSet001\\Services\\wuauserv"));
        assert!(key_in_scope(HiveName::System, "ControlSet002\\Services\\BITS\\Security"));
        assert!(!key_in_scope(HiveName::System, "ControlSet001\\Services"));
        assert!(!key_in_scope(HiveName::System, "ControlSet001\\Control\\Lsa"));
        assert!(!key_in_scope(HiveName::System, "Select"));
        assert!(!key_in_scope(HiveName::System, "ControlSet001\\Services\\\\x"));
        assert!(key_in_scope(HiveName::Software, "Microsoft\\Windows NT\\CurrentVersion\\Svchost"));
        assert!(!key_in_scope(HiveName::Software, "Microsoft\\Windows\\CurrentVersion\\Run"));
    }

    #[test]
    fn of_the_session_manager_only_its_lists_are_in_scope() {
        let manager = "ControlSet001\\Control\\Session Manager";
        let inside = |key: &str, name: &str| value_in_scope(HiveName::System, key, name);
        assert!(inside(manager, "PendingFileRenameOperations") && inside(manager, "pendingFileRenameOperations2"));
        assert!(!inside(manager, "BootExecute") && !inside(manager, "PendingFileRenameOperations3"));
        assert!(!inside("ControlSet001\\Control\\Session Manager\\KnownDLLs", "PendingFileRenameOperations"));
        assert!(!inside("Select\\Control\\Session Manager", "PendingFileRenameOperations"));
        assert!(!value_in_scope(HiveName::Software, manager, "PendingFileRenameOperations"));
        assert!(!key_in_scope(HiveName::System, manager));
    }

    #[test]
    fn only_the_caches_are_in_scope() {
        let windows = VolPath::parse("Windows").unwrap();
        let inside = |p: &str| path_in_scope(&windows, &VolPath::parse(p).unwrap());
        assert!(inside("Windows\\SoftwareDistribution"));
        assert!(inside("Windows\\SoftwareDistribution.old-2"));
        assert!(inside("Windows\\SoftwareDistribution\\Download.old"));
        assert!(inside("Windows\\System32\\catroot2"));
        assert!(inside("ProgramData\\Microsoft\\Network\\Downloader\\qmgr.db"));
        assert!(inside("ProgramData\\Microsoft\\Network\\Downloader.old"));
        assert!(!inside("Windows\\System32\\catroot"));
        assert!(!inside("Windows\\System32\\config"));
        assert!(!inside("Windows\\SoftwareDistributionX"));
        assert!(!inside("Windows\\SoftwareDistribution.old\\x\\y"));
        assert!(!inside("ProgramData\\Microsoft\\Network\\Downloader\\evil.dll"));
        assert!(!inside("Windows"));
    }
}
