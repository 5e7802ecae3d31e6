//! A plan in plain words: what is set back, what is moved aside. Every single change is in `render_plan`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::plan::{Change, Plan, Purpose};
use crate::ui::{plural, whole};
use crate::volume::escape::escape_text;
use crate::volume::VolPath;

/// What a plan changes, in groups.
#[derive(Default)]
struct Groups {
    /// By service: which of its settings.
    services: BTreeMap<String, Vec<&'static str>>,
    /// Lists of services that share a process.
    lists: Vec<String>,
    /// Other places in the registry.
    registry: Vec<String>,
    renames: Vec<String>,
    /// Files that go from one folder to another: how many, by both.
    moved: BTreeMap<(String, String), usize>,
    folders: usize,
}

/// The plan in plain words.
pub(super) fn plain(plan: &Plan) -> String {
    let mut groups = Groups::default();
    for action in &plan.actions {
        groups.add(&action.change);
    }
    let back = match plan.purpose {
        Purpose::Undo(_) => "what it was before the repair",
        _ => "the default of this Windows",
    };
    groups.render(back, &plan.warnings)
}

impl Groups {
    fn add(&mut self, change: &Change) {
        match change {
            Change::SetValue { key, name, .. } | Change::DeleteValue { key, name, .. } => {
                self.add_value(key, name, change);
            }
            Change::CreateKey { key, .. } | Change::DeleteKey { key, .. } => match service_of(key) {
                Some((service, rest)) => {
                    self.add_setting(service, if rest.is_empty() { "its key" } else { setting(rest, "") })
                }
                None => push_once(&mut self.registry, shown(&change.place())),
            },
            Change::CreateFolder { .. } | Change::RemoveFolder { .. } => self.folders += 1,
            Change::Rename { from, to, .. } => self.add_rename(from, to),
        }
    }

    fn add_rename(&mut self, from: &VolPath, to: &VolPath) {
        let (old, new) = (from.parent().unwrap_or(VolPath::root()), to.parent().unwrap_or(VolPath::root()));
        if old == new {
            let name = escape_text(to.file_name().unwrap_or_default());
            self.renames.push(format!("{} becomes {}", whole(&from.display_escaped()), whole(&name)));
        } else {
            let folders = (whole(&old.display_escaped()), whole(&new.display_escaped()));
            *self.moved.entry(folders).or_default() += 1;
        }
    }

    fn add_value(&mut self, key: &str, name: &str, change: &Change) {
        if let Some((service, rest)) = service_of(key) {
            self.add_setting(service, setting(rest, name));
        } else if key.to_ascii_lowercase().ends_with("\\currentversion\\svchost") {
            push_once(&mut self.lists, shown(name));
        } else {
            push_once(&mut self.registry, shown(&change.place()));
        }
    }

    fn add_setting(&mut self, service: &str, what: &'static str) {
        let settings = self.services.entry(escape_text(service.as_ref())).or_default();
        if !settings.contains(&what) {
            settings.push(what);
        }
    }

    fn render(&self, back: &str, warnings: &[String]) -> String {
        let mut out = String::new();
        if !(self.services.is_empty() && self.lists.is_empty() && self.registry.is_empty()) {
            let _ = writeln!(out, "Set back to {back}:");
        }
        for (service, settings) in &self.services {
            let _ = writeln!(out, "  - service {service}: {}", settings.join(", "));
        }
        for list in &self.lists {
            let _ = writeln!(out, "  - list of the services that run together: {list}");
        }
        for place in &self.registry {
            let _ = writeln!(out, "  - registry: {place}");
        }
        let moved =
            |((from, to), count): (&(String, String), &usize)| format!("{} of {from} to {to}", plural(*count, "file"));
        let renames: Vec<String> = self.renames.iter().cloned().chain(self.moved.iter().map(moved)).collect();
        if !renames.is_empty() {
            let _ = writeln!(out, "Moved aside or renamed (nothing is deleted):");
        }
        for rename in &renames {
            let _ = writeln!(out, "  - {rename}");
        }
        if self.folders > 0 && renames.is_empty() {
            let _ = writeln!(out, "Empty folders made or removed: {}", self.folders);
        }
        for warning in warnings {
            let _ = writeln!(out, "Mind: {warning}");
        }
        out
    }
}

fn shown(place: &str) -> String {
    whole(&escape_text(place.as_ref()))
}

fn push_once(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The service that a key belongs to, and the path below the service's key.
fn service_of(key: &str) -> Option<(&str, &str)> {
    let mut parts = key.splitn(4, '\\');
    let (set, services, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_service = set.to_ascii_lowercase().starts_with("controlset") && services.eq_ignore_ascii_case("services");
    is_service.then_some((name, parts.next().unwrap_or_default()))
}

/// What a value of a service is about.
fn setting(below: &str, value: &str) -> &'static str {
    let below = below.to_ascii_lowercase();
    match below.split('\\').next() {
        Some("security") => return "who may use it",
        Some("triggerinfo") => return "what starts it",
        _ => {}
    }
    match value.to_ascii_lowercase().as_str() {
        "start" | "delayedautostart" => "how it starts",
        "objectname" => "its account",
        "imagepath" => "its program",
        "servicedll" => "its library",
        "type" => "its type",
        "dependonservice" | "dependongroup" => "what it depends on",
        "requiredprivileges" => "its privileges",
        "deleteflag" => "no longer marked as deleted",
        _ => "other settings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_their_settings() {
        assert_eq!(service_of("ControlSet001\\Services\\BITS"), Some(("BITS", "")));
        assert_eq!(service_of("ControlSet001\\Services\\BITS\\Security"), Some(("BITS", "Security")));
        assert_eq!(service_of("ControlSet001\\Control"), None);
        assert_eq!(service_of("Microsoft\\Services\\x"), None);
        assert_eq!(setting("", "Start"), "how it starts");
        assert_eq!(setting("TriggerInfo\\0", "Type"), "what starts it");
        assert_eq!(setting("Parameters", "ServiceDll"), "its library");
    }
}
