//! The checks: what is wrong, with evidence. Read-only.
//!
//! A check is a record ([`Check`]) with an id, what it applies to, and a function; one file per check. A check that can't be
//! made says so ("could not check" is never "healthy"), and what varies in healthy machines is never an alarm.
//!
//! A new check is a file here or in the folder that it belongs to (`policy`: switches and policies; `servicing`: files, pending servicing, the
//! component store; `reference`: the comparison with a healthy Windows), a line in that folder's list `CHECKS`, and a record in `knowledge/checks.toml`; a test wants both.

mod bits_queue;
mod cache;
mod catalog_cache;
mod context;
mod control_set;
mod earlier_reset;
mod expected;
mod helper_services;
mod hibernation;
mod hive_state;
mod logs;
mod manifests;
mod os_upgrade;
mod policy;
mod reference;
mod service_account;
mod service_dependencies;
mod service_descriptor;
mod service_dll;
mod service_image_path;
mod service_missing;
mod service_privileges;
mod service_start;
mod service_svchost_group;
mod service_triggers;
mod service_type;
mod servicing;
mod setup_in_progress;
mod update_cache;

use crate::error::Result;
use crate::findings::Findings;
use crate::knowledge::Knowledge;

pub use bits_queue::{queue_files, queue_folder};
pub use catalog_cache::FOLDER as CATALOG_CACHE;
pub use context::{Context, Service};
pub use expected::Expected;
pub use hibernation::{is_hibernated, HiberState};
pub use os_upgrade::{KEY as OS_UPGRADE_KEY, VALUE as OS_UPGRADE_VALUE};
pub(crate) use service_start::wanted as wanted_start;
pub(crate) use service_svchost_group::KEY as SVCHOST_KEY;
pub(crate) use service_triggers::found_triggers;
pub use setup_in_progress::setup_in_progress;
pub use update_cache::FOLDER as UPDATE_CACHE;

/// A check.
pub struct Check {
    /// Its id; `coldmend explain ID` tells about it.
    pub id: &'static str,
    run: fn(&Context<'_>, &mut Findings) -> Result<()>,
}

impl Check {
    /// Whether this build has what the check looks at (`builds` in `knowledge/checks.toml`).
    pub fn applies_to(&self, build: u32) -> bool {
        let explanation = Knowledge::builtin().explain_check(self.id);
        explanation.and_then(|e| e.builds).is_none_or(|builds| builds.contains(build))
    }
}

/// The checks of the installation itself, in the order in which findings are shown.
const CHECKS: &[Check] = &[
    Check { id: "hive-state", run: hive_state::run },
    Check { id: "setup-in-progress", run: setup_in_progress::run },
    Check { id: "hibernation", run: hibernation::run },
    Check { id: "control-set", run: control_set::run },
    Check { id: "service-missing", run: service_missing::run },
    Check { id: "service-start", run: service_start::run },
    Check { id: "service-type", run: service_type::run },
    Check { id: "service-image-path", run: service_image_path::run },
    Check { id: "service-dll", run: service_dll::run },
    Check { id: "service-account", run: service_account::run },
    Check { id: "service-dependencies", run: service_dependencies::run },
    Check { id: "service-privileges", run: service_privileges::run },
    Check { id: "service-triggers", run: service_triggers::run },
    Check { id: "service-svchost-group", run: service_svchost_group::run },
    Check { id: "service-descriptor", run: service_descriptor::run },
    Check { id: "helper-services", run: helper_services::run },
    Check { id: "update-cache", run: update_cache::run },
    Check { id: "catalog-cache", run: catalog_cache::run },
    Check { id: "bits-queue", run: bits_queue::run },
    Check { id: "earlier-reset", run: earlier_reset::run },
    Check { id: "os-upgrade", run: os_upgrade::run },
    Check { id: "logs", run: logs::run },
];

/// Every check there is, in the order in which findings are shown.
pub fn all() -> impl Iterator<Item = &'static Check> {
    // The comparison comes last: it does not say again what others have said.
    CHECKS.iter().chain(servicing::CHECKS).chain(policy::CHECKS).chain(reference::CHECKS)
}

/// Runs every check.
///
/// A check that fails is a [`crate::findings::CouldNotCheck`], and so is what `context` could not gather.
pub fn run(context: &Context<'_>) -> Findings {
    let mut findings = Findings { could_not_check: context.could_not_gather.clone(), ..Findings::default() };
    for check in all() {
        if !check.applies_to(context.installation.version.build) {
            findings.does_not_apply(check.id);
            continue;
        }
        context.tell(&format!("checking ({})", check.id));
        if let Err(failure) = (check.run)(context, &mut findings) {
            findings.could_not(check.id, failure.to_string());
        }
    }
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::knowledge::{ExplanationKind, Knowledge};

    #[test]
    fn every_check_is_explained_once() {
        let mut ids: Vec<&str> = super::all().map(|check| check.id).collect();
        let mut explained: Vec<&str> = Knowledge::builtin()
            .explanations()
            .iter()
            .filter(|e| e.kind == ExplanationKind::Check)
            .map(|e| e.id.as_str())
            .collect();
        ids.sort_unstable();
        explained.sort_unstable();
        assert_eq!(ids, explained);
    }
}
